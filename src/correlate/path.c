/*
 * The path of the guest's packets: which points they pass, in which order, and
 * what happens to their addresses on the way.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/scene.h"

/* A point that nearly all of the guest's tries pass is its own port; the rest is
 * what was lost before it. */
#define TRUNK_PERCENT 80

/* Beyond a router so many tries show another TTL or address. */
#define FAR_SIDE_MIN 3

/* Sum of how much later than at the guest, ns */
struct distance {
	double sum_ns;
	uint32_t n;
};

/* So many tries without an answer are no accident. */
#define UNANSWERED_MIN 3

/* What the tries seen at the guest and at one host point say of that point */
struct votes {
	uint32_t of;         /* unicast tries that some host point shows */
	uint32_t same;       /* nothing changed */
	uint32_t routed;     /* TTL less, addresses kept */
	uint32_t translated; /* other address */
	uint32_t masked;     /* of the guest's own tries, and answered */
	uint32_t routed_answered;
	uint32_t unicast;
	uint32_t group;
	struct distance distance;
	struct distance arp_distance;
};

/**
 * struct nesting - What tries seen at two points of the host say of them
 * @wait_ns:	how much longer the first one waits for what the guest asks, sum
 * @earlier:	how much more often it has the guest's request earlier in the file
 * @own_first:	how much more often it has a broadcast of the guest first
 * @others_last: how much more often it has one of others last
 */
struct nesting {
	int64_t wait_ns;
	int64_t earlier;
	int64_t own_first;
	int64_t others_last;
};

typedef struct nesting nestings[SCENE_POINTS_MAX];

/* Stamps so coarse tell no round trips apart. */
#define COARSE_TICK_NS 1000

/* Nested round trips: the point nearer to the client waits longer. */
static void vote_distance(struct distance *d, const struct try *vm,
                          const struct try *host, bool from_guest)
{
	int64_t wait_vm, wait_host;

	if (vm->answer == TRY_UNANSWERED || host->answer == TRY_UNANSWERED)
		return;
	wait_vm = vm->answer_ns - vm->ts_ns;
	wait_host = host->answer_ns - host->ts_ns;
	d->sum_ns += (double)(from_guest ? wait_vm - wait_host
	                                 : wait_host - wait_vm);
	d->n++;
}

static void vote(const struct scene *s, struct votes *v, uint32_t vm_point,
                 const struct try *vm, uint32_t host_point,
                 const struct try *host)
{
	const struct flow *fv =
		&s->points[vm_point].track.flows.flows[vm->flow];
	const struct flow *fh =
		&s->points[host_point].track.flows.flows[host->flow];
	bool from_guest = scene_is_guest_ip(s, &fv->key.client);
	bool answered =
		vm->answer != TRY_UNANSWERED && host->answer != TRY_UNANSWERED;

	if (fv->key.protocol == PROTOCOL_ARP ||
	    fv->key.protocol == PROTOCOL_NDP) {
		v->group++;
		vote_distance(&v->arp_distance, vm, host, from_guest);
		return;
	}
	v->unicast++;
	if (s->points[host_point].relayed ||
	    !addr_equal(&fv->key.client, &fh->key.client) ||
	    !addr_equal(&fv->key.server, &fh->key.server))
		v->translated++;
	else if (vm->ttl != host->ttl)
		v->routed++;
	else
		v->same++;
	v->masked += answered && from_guest &&
	             !addr_equal(&fv->key.client, &fh->key.client);
	v->routed_answered += answered && vm->ttl != host->ttl &&
	                      addr_equal(&fv->key.client, &fh->key.client);
	vote_distance(&v->distance, vm, host, from_guest);
}

static void nest(const struct scene *s, nestings *all, const struct sighting *a,
                 const struct sighting *b, bool from_guest)
{
	const struct observation *oa = &s->points[a->point];
	const struct observation *ob = &s->points[b->point];
	const struct try *x = &oa->track.flows.tries[a->try];
	const struct try *y = &ob->track.flows.tries[b->try];
	struct nesting *n = &all[a->point][b->point];
	int64_t tick_ns = oa->tick_ns + ob->tick_ns;
	int64_t longer_ns =
		(x->answer_ns - x->ts_ns) - (y->answer_ns - y->ts_ns);

	if (x->answer != TRY_UNANSWERED && y->answer != TRY_UNANSWERED &&
	    (tick_ns <= 2 * COARSE_TICK_NS || llabs(longer_ns) >= tick_ns))
		n->wait_ns += from_guest ? longer_ns : -longer_ns;
	if (oa->capture == ob->capture)
		n->earlier += (x->frame < y->frame) == from_guest ? 1 : -1;
}

/* Who answers a broadcast may be anywhere; when it comes by still tells. */
static void nest_group(const struct scene *s, nestings *all,
                       const struct sighting *a, const struct sighting *b,
                       bool from_guest)
{
	const struct observation *oa = &s->points[a->point];
	const struct observation *ob = &s->points[b->point];
	int64_t x = oa->track.flows.tries[a->try].ts_ns;
	int64_t y = ob->track.flows.tries[b->try].ts_ns;
	struct nesting *n = &all[a->point][b->point];

	if (oa->capture != ob->capture || x == y)
		return;
	if (from_guest)
		n->own_first += x < y ? 1 : -1;
	else
		n->others_last += x > y ? 1 : -1;
}

/* All pairs of points of the host that show this try */
static void nest_points(const struct scene *s, nestings *all,
                        const struct chain *c, const struct sighting *vm)
{
	const struct flow_table *t = &s->points[vm->point].track.flows;
	const struct flow *f = &t->flows[t->tries[vm->try].flow];
	bool from_guest = scene_is_guest_ip(s, &f->key.client);
	bool group = f->key.protocol == PROTOCOL_ARP ||
	             f->key.protocol == PROTOCOL_NDP;

	for (uint32_t i = 0; i < c->n; i++)
		for (uint32_t j = 0; j < c->n; j++) {
			const struct sighting *a = &s->sightings[c->first + i];
			const struct sighting *b = &s->sightings[c->first + j];

			if (i == j ||
			    s->points[a->point].role != CAPTURE_ROLE_HOST ||
			    s->points[b->point].role != CAPTURE_ROLE_HOST)
				continue;
			if (group)
				nest_group(s, all, a, b, from_guest);
			else
				nest(s, all, a, b, from_guest);
		}
}

static void count_tries(const struct scene *s, struct votes *votes,
                        const struct chain *c, const struct sighting *vm)
{
	const struct flow_table *t = &s->points[vm->point].track.flows;
	uint32_t protocol = t->flows[t->tries[vm->try].flow].key.protocol;

	if (c->n < 2 || protocol == PROTOCOL_ARP || protocol == PROTOCOL_NDP)
		return;
	for (uint32_t i = 0; i < s->n_points; i++)
		votes[i].of++;
}

static void collect_votes(const struct scene *s, struct votes *votes,
                          nestings *all)
{
	for (size_t i = 0; i < s->n_chains; i++) {
		const struct chain *c = &s->chains[i];
		const struct sighting *vm = chain_at(s, c, CAPTURE_ROLE_VM);

		if (!vm)
			continue;
		count_tries(s, votes, c, vm);
		nest_points(s, all, c, vm);
		for (uint32_t j = 0; j < c->n; j++) {
			const struct sighting *h = &s->sightings[c->first + j];
			const struct flow_table *tv =
				&s->points[vm->point].track.flows;
			const struct flow_table *th =
				&s->points[h->point].track.flows;

			if (s->points[h->point].role == CAPTURE_ROLE_VM)
				continue;
			vote(s, &votes[h->point], vm->point,
			     &tv->tries[vm->try], h->point, &th->tries[h->try]);
		}
	}
}

/*
 * Copies of broadcasts reach ports that no packet of the guest passes.  Where
 * nothing of it is answered but ARP, the answers to that show the way.
 */
static bool is_on_path(const struct votes *v, uint32_t unicast,
                       uint32_t answered)
{
	if (unicast == 0)
		return v->group > 0;
	return v->unicast > 0 || (answered == 0 && v->arp_distance.n > 0);
}

/* Translated, and none of it is answered that leaves without: it should not. */
static bool is_half_translated(const struct votes *v)
{
	return v->masked > 0 && v->routed_answered == 0 && v->same == 0;
}

static void mark_points(struct scene *s, const struct votes *votes)
{
	uint32_t unicast = 0, answered = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		unicast += votes[i].unicast;
		answered += votes[i].distance.n;
	}
	for (uint32_t i = 0; i < s->n_points; i++) {
		struct observation *o = &s->points[i];
		const struct votes *v = &votes[i];

		if (o->role == CAPTURE_ROLE_VM) {
			o->on_path = true;
			o->kind = POINT_KIND_GUEST_NIC;
			continue;
		}
		o->on_path = is_on_path(v, unicast, answered);
		o->trunk = v->unicast * 100 >= v->of * TRUNK_PERCENT &&
		           v->unicast > 0;
		o->translated = v->translated > v->same + v->routed ||
		                is_half_translated(v);
		o->hop = v->translated + v->routed > v->same;
		if (o->side != SIDE_FAR)
			continue;
		/* It shows the ports of siblings, too. */
		o->translated |= v->translated >= FAR_SIDE_MIN;
		o->hop |= v->translated + v->routed >= FAR_SIDE_MIN;
	}
}

static double mean_ns(const struct distance *d)
{
	return d->n ? d->sum_ns / d->n : 0;
}

/* Several may answer ARP: it tells only where nothing else is answered. */
static bool is_shorter(const struct votes *a, const struct votes *b)
{
	if (a->distance.n + b->distance.n == 0)
		return mean_ns(&a->arp_distance) < mean_ns(&b->arp_distance);
	return mean_ns(&a->distance) < mean_ns(&b->distance);
}

static bool is_nearer(const struct scene *s, const struct votes *votes,
                      nestings *all, uint32_t a, uint32_t b)
{
	const struct nesting *n = &all[a][b];
	const struct observation *x = &s->points[a], *y = &s->points[b];

	if (x->hop != y->hop)
		return !x->hop;
	if (x->translated != y->translated)
		return !x->translated;
	if (n->wait_ns != 0)
		return n->wait_ns > 0;
	if (n->earlier != 0)
		return n->earlier > 0;
	if (n->own_first != 0)
		return n->own_first > 0;
	if (n->others_last != 0)
		return n->others_last > 0;
	return is_shorter(&votes[a], &votes[b]);
}

static void order_points(struct scene *s, const struct votes *votes,
                         nestings *all)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		uint32_t at;

		if (!s->points[i].on_path ||
		    s->points[i].role == CAPTURE_ROLE_VM)
			continue;
		for (at = s->n_path; at > 0; at--) {
			if (!is_nearer(s, votes, all, i, s->path[at - 1]))
				break;
			s->path[at] = s->path[at - 1];
		}
		s->path[at] = i;
		s->n_path++;
	}
	for (uint32_t i = 0; i < s->n_path; i++)
		s->points[s->path[i]].depth = i + 1;
}

static void name_kinds(struct scene *s)
{
	for (uint32_t i = 0; i < s->n_path; i++) {
		struct observation *o = &s->points[s->path[i]];

		if (i + 1 == s->n_path && (s->n_path > 1 || o->hop))
			o->kind = POINT_KIND_UPLINK;
		else if (i == 0 && s->n_path > 1)
			o->kind = POINT_KIND_GUEST_PORT;
		else if (o->hop)
			o->kind = POINT_KIND_INSIDE_NAT;
		else if (i > 0)
			o->kind = POINT_KIND_BRIDGE;
	}
}

/*
 * A private address on the way to a public one again and again, and not one
 * answer: that is no routed network but a NAT that does not translate.  UDP need
 * not be answered.
 */
static bool is_broken_nat(const struct scene *s, uint32_t point)
{
	const struct flow_table *t = &s->points[point].track.flows;
	uint32_t tries = 0;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];

		if (!scene_is_guest_ip(s, &f->key.client) ||
		    !addr_is_private(&f->key.client) ||
		    addr_is_private(&f->key.server))
			continue;
		if (f->received > 0)
			return false;
		if (f->key.protocol == PROTOCOL_UDP)
			continue;
		tries += f->n_tries;
	}
	return tries >= UNANSWERED_MIN;
}

static bool is_behind_slirp(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;

		for (uint32_t j = 0;
		     s->points[i].role == CAPTURE_ROLE_VM && j < t->count; j++)
			if (station_is_slirp(&t->stations[j]))
				return true;
	}
	return false;
}

static void find_mode(struct scene *s)
{
	struct guest *g = &s->guest;

	if (s->n_path == 0 && is_behind_slirp(s))
		g->mode = NETWORK_MODE_USER_NAT;
	for (uint32_t i = 0; i < s->n_path; i++) {
		const struct observation *o = &s->points[s->path[i]];

		g->mode = o->proxied      ? NETWORK_MODE_UNKNOWN
		          : o->relayed    ? NETWORK_MODE_USER_NAT
		          : o->translated ? NETWORK_MODE_NAT
		          : o->hop        ? NETWORK_MODE_ROUTED
		                          : NETWORK_MODE_BRIDGED;
		if (g->mode == NETWORK_MODE_ROUTED &&
		    is_broken_nat(s, s->path[i]))
			g->mode = NETWORK_MODE_NAT;
	}
}

/* The host's address: what others see of the guest, or ask for it */
static void note_outside(struct scene *s, uint32_t point,
                         const struct flow *host, const struct flow *guest)
{
	const struct observation *o = &s->points[point];
	bool asks = scene_is_guest_ip(s, &guest->key.client);
	const struct in6_addr *ip =
		asks ? &host->key.client : &host->key.server;
	int v6 = !addr_is_v4(ip);

	if (s->guest.has_outside[v6] || !o->translated ||
	    (!asks && !o->forwards_only) || scene_is_guest_ip(s, ip))
		return;
	s->guest.outside[v6] = *ip;
	s->guest.has_outside[v6] = true;
}

static void find_outside(struct scene *s)
{
	for (size_t i = 0; i < s->n_chains; i++) {
		const struct chain *c = &s->chains[i];
		const struct sighting *vm = chain_at(s, c, CAPTURE_ROLE_VM);

		for (uint32_t j = 0; vm && j < c->n; j++) {
			const struct sighting *h = &s->sightings[c->first + j];
			const struct flow_table *t =
				&s->points[h->point].track.flows;
			const struct flow_table *tv =
				&s->points[vm->point].track.flows;
			const struct flow *f = &t->flows[t->tries[h->try].flow];
			const struct flow *fv =
				&tv->flows[tv->tries[vm->try].flow];

			note_outside(s, h->point, f, fv);
		}
	}
}

/* One point that shows no unicast but the guest's may be its own port. */
static bool is_uplink_seen(const struct scene *s)
{
	return s->n_path > 1 || (s->n_path == 1 && s->points[s->path[0]].hop) ||
	       !guest_fills(s, CAPTURE_ROLE_HOST);
}

void path_find(struct scene *s)
{
	struct votes votes[SCENE_POINTS_MAX] = { 0 };
	nestings *all = xcalloc(SCENE_POINTS_MAX, sizeof(*all));

	s->n_path = 0;
	collect_votes(s, votes, all);
	mark_points(s, votes);
	order_points(s, votes, all);
	free(all);
	name_kinds(s);
	find_mode(s);
	nic_paths_find(s);
	find_outside(s);
	s->uplink_seen = is_uplink_seen(s);
}

enum place path_place(const struct scene *s, size_t nic, uint32_t inner,
                      uint32_t outer)
{
	bool at_guest = s->points[inner].role == CAPTURE_ROLE_VM;

	if (at_guest && !scene_hop(s, nic, outer))
		return PLACE_GUEST_HOST_PATH;
	if (scene_translated(s, nic, outer) &&
	    (at_guest || !scene_translated(s, nic, inner)))
		return PLACE_NAT;
	return PLACE_HOST;
}
