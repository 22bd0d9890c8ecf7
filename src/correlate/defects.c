#include "correlate/defects.h"

#include <stdlib.h>

#define MS INT64_C(1000000)

/* So many connections that only one side speaks in, and so many packets */
#define ONE_WAY_FLOWS 3
#define ONE_WAY_PACKETS 20
/* The lacking direction may have so large a share, in percent. */
#define ONE_WAY_REST_PERCENT 5

/* An ICMP error is about what was sent so long before, at most. */
#define ERROR_DELAY_NS (4000 * MS)

/* The first and last moments of a capture are not sharp. */
#define EDGE_NS (50 * MS)

/* How long a packet may be on its way between two points */
#define TRAVEL_NS (500 * MS)

/* So many newer tries are looked at. */
#define SEARCH_MAX 4096

struct finder {
	struct scene *scene;
	struct hash_table crossed; /* (point, class, peer) seen here too */
};

static const struct flow *flow_at(const struct scene *s,
                                  const struct sighting *at)
{
	const struct flow_table *t = &s->points[at->point].track.flows;

	return &t->flows[t->tries[at->try].flow];
}

/* Were both without an answer at the same time, or sent at nearly the same? */
static bool overlap(const struct try *a, const struct try *b)
{
	if (a->id != b->id)
		return false;
	return llabs(a->ts_ns - b->ts_ns) < TRAVEL_NS ||
	       (a->ts_ns <= b->answer_ns &&
	        (a->answer == TRY_UNANSWERED || b->ts_ns <= a->answer_ns));
}

/* The same request was sent twice before the answer came: which of them is
 * answered? */
static bool is_repeated(const struct flow_table *t, uint32_t i)
{
	const struct try *try = &t->tries[i];
	uint32_t other = t->flows[try->flow].newest;

	for (int n = 0; other != FLOW_NONE; n++) {
		if (n == SEARCH_MAX ||
		    (other != i && overlap(&t->tries[other], try)))
			return true;
		other = t->tries[other].older;
	}
	return false;
}

/* A refusal may come from anybody on the way. */
static bool is_answered(const struct scene *s, const struct sighting *at)
{
	const struct flow_table *t = &s->points[at->point].track.flows;
	const struct try *try = &t->tries[at->try];

	return try->answer == TRY_ANSWERED && !is_repeated(t, at->try);
}

/* Packets of the guest's flows by direction, and connections in which only that
 * direction is seen though data flows: somebody has to acknowledge it. */
static void count_directions(const struct scene *s, const struct flow_table *t,
                             uint64_t packets[2], uint64_t alone[2])
{
	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		bool out = scene_is_guest_end(s, &f->key.client);
		enum path_direction there = out ? PATH_DIRECTION_FROM_GUEST
		                                : PATH_DIRECTION_TO_GUEST;
		enum path_direction back = out ? PATH_DIRECTION_TO_GUEST
		                               : PATH_DIRECTION_FROM_GUEST;

		if (f->key.protocol == PROTOCOL_ARP ||
		    f->key.protocol == PROTOCOL_NDP ||
		    (!out && !scene_is_guest_end(s, &f->key.server)))
			continue;
		packets[there] += f->sent;
		packets[back] += f->received;
		if (f->key.protocol != PROTOCOL_TCP)
			continue;
		alone[there] += f->sent_bytes > 0 && f->received == 0;
		alone[back] += f->received_bytes > 0 && f->sent == 0;
	}
}

/* The guest's answers to what its own capture does not show */
static uint64_t count_strays(const struct scene *s, const struct observation *o)
{
	uint64_t n = 0;

	for (size_t i = 0; i < o->track.n_strays; i++)
		n += o->role == CAPTURE_ROLE_VM &&
		     scene_is_guest_ip(s, &o->track.strays[i].from);
	return n;
}

static void find_one_way(struct scene *s, struct observation *o)
{
	uint64_t packets[2] = { 0, 0 }, alone[2] = { 0, 0 };
	uint64_t strays = count_strays(s, o);

	count_directions(s, &o->track.flows, packets, alone);
	packets[PATH_DIRECTION_FROM_GUEST] += strays;
	alone[PATH_DIRECTION_FROM_GUEST] += strays;
	for (int i = 0; i < 2; i++) {
		uint64_t all = packets[0] + packets[1];

		o->lacks[i] = all >= ONE_WAY_PACKETS &&
		              packets[i] * 100 < all * ONE_WAY_REST_PERCENT &&
		              alone[!i] >= ONE_WAY_FLOWS;
	}
}

static bool has_point(const struct scene *s, const struct chain *c,
                      uint32_t point)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (s->sightings[c->first + i].point == point)
			return true;
	return false;
}

static enum traffic_class class_of(const struct flow *f)
{
	return traffic_class_of_protocol((enum protocol)f->key.protocol);
}

static const struct try *try_at(const struct scene *s,
                                const struct sighting *at)
{
	return &s->points[at->point].track.flows.tries[at->try];
}

/* Every port of a switch shows what goes to everybody: that it passed tells not
 * where its sender is. */
static bool may_be_flooded(const struct scene *s, const struct chain *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (try_at(s, &s->sightings[c->first + i])->unicast)
			return false;
	return flow_key_is_resolution(
		&flow_at(s, &s->sightings[c->first])->key);
}

/* @class: TRAFFIC_CLASS_COUNT for any */
static uint64_t crossing(const struct scene *s, uint32_t point,
                         const struct flow *f, int class, bool flooded)
{
	bool out = scene_is_guest_ip(s, &f->key.client);
	const struct in6_addr *peer = out ? &f->key.server : &f->key.client;
	uint64_t hash = hash_bytes(peer, sizeof(*peer));

	hash = hash_mix(hash, scene_nic_of_flow(s, f) << 1 | flooded);
	return hash_mix(hash_mix(hash, point), (uint64_t) class);
}

static bool has_crossed(const struct finder *f, uint32_t point,
                        const struct flow *flow, int class, bool flooded)
{
	uint64_t hash = crossing(f->scene, point, flow, class, flooded);
	size_t pos = 0;

	return hash_table_find(&f->crossed, hash, &pos) != HASH_TABLE_NONE;
}

static void note_crossing(struct finder *f, uint32_t point,
                          const struct flow *flow, bool flooded)
{
	const int classes[] = { (int)class_of(flow), TRAFFIC_CLASS_COUNT };

	for (int i = 0; i < 2; i++)
		if (!has_crossed(f, point, flow, classes[i], flooded))
			hash_table_add(&f->crossed,
			               crossing(f->scene, point, flow,
			                        classes[i], flooded),
			               0);
}

/* Did it show on which side of the point the peer is?  The answer of a flooded
 * request goes to one machine; of others' it does not pass the guest. */
static bool shows_side(const struct scene *s, const struct chain *c,
                       const struct sighting *at)
{
	const struct flow_key *k = &flow_at(s, at)->key;

	if (!may_be_flooded(s, c))
		return true;
	return (scene_is_guest_ip(s, &k->client) ||
	        scene_is_guest_ip(s, &k->server)) &&
	       is_answered(s, at);
}

static void note_crossings(struct finder *f)
{
	const struct scene *s = f->scene;

	for (size_t i = 0; i < s->n_chains; i++) {
		const struct chain *c = &s->chains[i];
		const struct sighting *vm = chain_at(s, c, CAPTURE_ROLE_VM);

		for (uint32_t j = 0; vm && j < c->n; j++) {
			const struct sighting *at = &s->sightings[c->first + j];

			note_crossing(f, at->point, flow_at(s, vm),
			              !shows_side(s, c, at));
		}
	}
}

/* Would what the guest exchanges with this peer, and the guest's capture shows as
 * @vm, pass @point?  Where the whole class is missing, other classes tell. */
static bool has_to_pass(const struct finder *f, uint32_t point,
                        const struct sighting *vm)
{
	const struct scene *s = f->scene;
	const struct observation *o = &s->points[point];
	const struct try *try = try_at(s, vm);
	const struct flow *flow = flow_at(s, vm);
	enum traffic_class class = class_of(flow);
	bool out = scene_is_guest_ip(s, &flow->key.client);
	const struct in6_addr *peer =
		out ? &flow->key.server : &flow->key.client;

	if (o->track.seen[class].count > 0 ||
	    (o->relayed && class != TRAFFIC_TCP))
		return has_crossed(f, point, flow, (int)class, false) ||
		       (flow_key_is_resolution(&flow->key) &&
		        try->has_dst_mac && mac_is_group(try->dst_mac) &&
		        has_crossed(f, point, flow, (int)class, true));
	if (!o->hop)
		return has_crossed(f, point, flow, TRAFFIC_CLASS_COUNT, false);
	return !flow_key_is_resolution(&flow->key) &&
	       scene_on_link(s, peer) == 0;
}

static bool is_awake(const struct scene *s, const struct observation *o,
                     int64_t host_ns)
{
	const struct incident_capture *c = &s->incident->captures[o->capture];
	int64_t ts_ns = scene_point_ns(s, o, host_ns);
	int64_t guard_ns = s->clock_error_ns + EDGE_NS;

	return ts_ns > c->first_ns + guard_ns && ts_ns < c->last_ns - guard_ns;
}

/* The silence of the point around @host_ns is a hole: something passed. */
static void note_missed(const struct scene *s, struct observation *o,
                        enum traffic_class class, int64_t host_ns)
{
	const struct quality *q = &o->track.quality;
	int64_t ts_ns = scene_point_ns(s, o, host_ns);
	size_t from = 0, to = q->n_silences;

	second_set_add(&o->missed[class], host_ns);
	/* It shows none of that, or nothing of one direction, ever: no hole. */
	if (o->track.seen[class].count == 0 || o->lacks[0] || o->lacks[1])
		return;
	while (from < to) {
		size_t middle = (from + to) / 2;

		if (q->silences[middle].to_ns < ts_ns)
			from = middle + 1;
		else
			to = middle;
	}
	if (from < q->n_silences && q->silences[from].from_ns < ts_ns)
		second_set_add_range(
			&o->holes,
			scene_host_ns(s, o, q->silences[from].from_ns),
			scene_host_ns(s, o, q->silences[from].to_ns));
}

/* It worked, as the guest saw it: it passed where others of the peer passed. */
static void find_missed_at_host(struct finder *f, const struct chain *c,
                                const struct sighting *vm)
{
	struct scene *s = f->scene;
	const struct flow *flow = flow_at(s, vm);

	if (scene_is_guest_ip(s, &flow->key.client) && !is_answered(s, vm))
		return;
	for (uint32_t i = 0; i < s->n_path; i++) {
		uint32_t point = s->path[i];
		struct observation *o = &s->points[point];

		if (!has_point(s, c, point) && is_awake(s, o, c->host_ns) &&
		    has_to_pass(f, point, vm))
			note_missed(s, o, class_of(flow), c->host_ns);
	}
}

/* @all: only where nothing of the class is there, in all the time */
static void note_missed_at_guest(const struct scene *s, const struct chain *c,
                                 enum traffic_class class, bool all)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		struct observation *o = &s->points[i];

		if (o->role == CAPTURE_ROLE_VM &&
		    (!all || o->track.seen[class].count == 0) &&
		    is_awake(s, o, c->host_ns))
			note_missed(s, o, class, c->host_ns);
	}
}

/* Others ask the whole link of the guest. */
static bool is_broadcast(const struct scene *s, const struct sighting *at)
{
	const struct observation *o = &s->points[at->point];
	const struct try *try = &o->track.flows.tries[at->try];
	const struct flow_key *k = &flow_at(s, at)->key;

	return k->protocol == PROTOCOL_ARP && o->on_path && !o->hop &&
	       !try->unicast && !scene_is_guest_ip(s, &k->client) &&
	       !scene_is_guest_ip(s, &k->server);
}

/* What the guest asked or answered, as the host saw it, was in the guest. */
static void find_missed_at_guest(struct finder *f, const struct chain *c)
{
	struct scene *s = f->scene;
	const struct sighting *at = &s->sightings[c->first];
	const struct flow *flow = flow_at(s, at);
	const struct flow_table *t = &s->points[at->point].track.flows;
	const struct try *try = &t->tries[at->try];
	struct mac mac = try->src_mac;

	if (is_broadcast(s, at)) {
		note_missed_at_guest(s, c, class_of(flow), true);
		return;
	}
	if (s->points[at->point].relayed)
		return; /* the host's own looks like the guest's there */
	if (scene_is_guest_ip(s, &flow->key.server)) {
		if (!is_answered(s, at))
			return;
		mac = try->answer_mac;
	} else if (!scene_is_guest_ip(s, &flow->key.client)) {
		return;
	}
	if (!s->points[at->point].hop && !scene_is_guest_mac(s, mac))
		return;
	note_missed_at_guest(s, c, class_of(flow), false);
}

static void find_unread(const struct scene *s, struct observation *o)
{
	for (size_t i = 0; i < o->track.n_errors; i++) {
		const struct icmp_error *e = &o->track.errors[i];
		int64_t host_ns = scene_host_ns(s, o, e->ts_ns);

		if (!e->quoted.valid && scene_is_guest_end(s, &e->to))
			second_set_add_range(&o->unread,
			                     host_ns - ERROR_DELAY_NS, host_ns);
	}
}

void defects_find(struct scene *s)
{
	struct finder f = { .scene = s };

	for (uint32_t i = 0; i < s->n_points; i++) {
		find_one_way(s, &s->points[i]);
		find_unread(s, &s->points[i]);
	}
	if (!s->aligned)
		return;
	note_crossings(&f);
	for (size_t i = 0; i < s->n_chains; i++) {
		const struct chain *c = &s->chains[i];
		const struct sighting *vm = chain_at(s, c, CAPTURE_ROLE_VM);

		if (flow_at(s, &s->sightings[c->first])->key.protocol ==
		    PROTOCOL_UDP)
			continue; /* what is a request, each point guesses */
		if (vm)
			find_missed_at_host(&f, c, vm);
		else
			find_missed_at_guest(&f, c);
	}
	hash_table_free(&f.crossed);
}

static bool lost_at(const struct scene *s, const struct observation *o,
                    int64_t from_ns, int64_t to_ns)
{
	return second_set_between(&o->holes, from_ns, to_ns) ||
	       second_set_between(&o->unread, from_ns, from_ns) ||
	       second_set_between(&o->track.quality.gaps,
	                          scene_point_ns(s, o, from_ns),
	                          scene_point_ns(s, o, to_ns));
}

bool defects_lost(const struct scene *s, int64_t from_ns, int64_t to_ns)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (lost_at(s, &s->points[i], from_ns, to_ns))
			return true;
	return false;
}

bool defects_hide_class(const struct scene *s, enum capture_role role,
                        enum traffic_class class)
{
	bool missed = false;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		if (o->role != role)
			continue;
		if (o->track.seen[class].count > 0)
			return false;
		missed |= o->missed[class].count > 0;
	}
	return missed;
}

bool defects_hide(const struct scene *s, uint32_t point,
                  enum path_direction direction, enum traffic_class class,
                  int64_t from_ns, int64_t to_ns)
{
	const struct observation *o = &s->points[point];

	return o->lacks[direction] ||
	       second_set_between(&o->missed[class], from_ns, to_ns) ||
	       lost_at(s, o, from_ns, to_ns);
}
