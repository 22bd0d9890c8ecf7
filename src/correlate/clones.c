/*
 * Other machines that use the guest's MAC: with another address, or with the
 * guest's own, as a copy of it does.
 */
#include <stdlib.h>

#include "base/strbuf.h"
#include "correlate/run.h"

/* So many frames of one address are no accident. */
#define FOREIGN_FRAMES 5

/* So many broadcasts in the guest's name that come to it from outside are none,
 * if they are so large a part of all. */
#define INBOUND_MIN 3
#define INBOUND_PERCENT 20

/* Requests that are alike come so far apart that they cannot be mixed up. */
#define ALONE_NS INT64_C(100000000)

#define TARGETS_MAX                                                            \
	(sizeof(((struct foreign *)NULL)->targets) / sizeof(struct in6_addr))

/* Packets that were sent from @ip with the guest's MAC; sets when and where */
static uint64_t frames_from(const struct scene *s, const struct observation *o,
                            const struct in6_addr *ip, struct foreign *found)
{
	const struct flow_table *t = &o->track.flows;
	uint64_t n = 0;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		uint64_t frames = 0;

		if (flow_key_is_resolution(&f->key))
			continue;
		if (addr_equal(&f->key.client, ip) &&
		    scene_is_guest_mac(s, f->client_mac))
			frames = f->sent;
		else if (addr_equal(&f->key.server, ip) &&
		         scene_is_guest_mac(s, f->server_mac))
			frames = f->received;
		if (frames == 0)
			continue;
		if (n == 0 ||
		    scene_host_ns(s, o, f->first_ns) < found->first_ns)
			found->first_ns = scene_host_ns(s, o, f->first_ns);
		if (n == 0 || scene_host_ns(s, o, f->last_ns) > found->last_ns)
			found->last_ns = scene_host_ns(s, o, f->last_ns);
		n += frames;
	}
	return n;
}

/* Does the guest's own capture show packets of this family that have no address in
 * common?  Else it may be filtered for one. */
static bool shows_family(const struct observation *o, bool v4)
{
	const struct flow_table *t = &o->track.flows;
	struct in6_addr ends[2] = { 0 };
	bool common[2] = { true, true }, any = false;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow_key *k = &t->flows[i].key;

		if (flow_key_is_resolution(k) || addr_is_v4(&k->client) != v4)
			continue;
		if (!any) {
			ends[0] = k->client;
			ends[1] = k->server;
		}
		for (int j = 0; j < 2; j++)
			common[j] &= addr_equal(&k->client, &ends[j]) ||
			             addr_equal(&k->server, &ends[j]);
		any = true;
	}
	return any && !common[0] && !common[1];
}

static bool guest_could_show(const struct scene *s, const struct in6_addr *ip)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM &&
		    shows_family(&s->points[i], addr_is_v4(ip)))
			return true;
	return false;
}

/* Is @ip used with the guest's MAC at the host, and not by the guest?  A point
 * nearer to the guest that has the frames too speaks for the guest. */
static bool is_foreign(const struct scene *s, const struct in6_addr *ip,
                       struct foreign *found)
{
	uint64_t most = 0;
	struct foreign at = { .ip = *ip };

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		bool inner = o->role == CAPTURE_ROLE_VM ||
		             (s->n_path > 1 && i == s->path[0]);
		uint64_t n = o->hop ? 0 : frames_from(s, o, ip, &at);

		if (n > 0 && inner)
			return false;
		if (n <= most)
			continue;
		most = n;
		*found = at;
		found->point = i;
		found->frames = n;
	}
	return most >= FOREIGN_FRAMES && guest_could_show(s, ip);
}

/* The guest's own addresses: its packets from there are in its capture */
static bool has_own(const struct scene *s)
{
	struct foreign unused = { 0 };

	for (uint32_t i = 0; i < s->n_points; i++)
		for (size_t j = 0; j < s->guest.n_ips; j++)
			if (s->points[i].role == CAPTURE_ROLE_VM &&
			    frames_from(s, &s->points[i], &s->guest.ips[j],
			                &unused) >= FOREIGN_FRAMES)
				return true;
	return false;
}

static void forget_ip(struct guest *g, const struct in6_addr *ip)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->n_ips; i++)
		if (!addr_equal(&g->ips[i], ip))
			g->ips[kept++] = g->ips[i];
	g->n_ips = kept;
}

static const struct sighting *
seen_by(const struct scene *s, const struct chain *c, enum capture_role role)
{
	for (uint32_t i = 0; i < c->n; i++) {
		const struct sighting *at = &s->sightings[c->first + i];

		if (s->points[at->point].role == role &&
		    !s->points[at->point].hop)
			return at;
	}
	return NULL;
}

static int64_t time_of(const struct scene *s, const struct sighting *at)
{
	return scene_host_ns(s, &s->points[at->point],
	                     sighting_try(s, at)->ts_ns);
}

static bool is_alone(const struct scene *s, const struct sighting *at)
{
	const struct try *try = sighting_try(s, at);
	const struct try *tries = s->points[at->point].track.flows.tries;

	return try->older == FLOW_NONE ||
	       try->ts_ns - tries[try->older].ts_ns >= ALONE_NS;
}

static void note_target(struct foreign *found, const struct in6_addr *ip)
{
	for (size_t i = 0; i < found->n_targets; i++)
		if (addr_equal(&found->targets[i], ip))
			return;
	if (found->n_targets < TARGETS_MAX)
		found->targets[found->n_targets++] = *ip;
}

/* What the guest broadcasts is in its own capture first.  What is at the host
 * before comes from somebody else; and so does what never is there. */
static void note_chain(const struct scene *s, const struct chain *c,
                       struct foreign *found)
{
	const struct sighting *vm = seen_by(s, c, CAPTURE_ROLE_VM);
	const struct sighting *host = seen_by(s, c, CAPTURE_ROLE_HOST);
	const struct flow *f = host ? sighting_flow(s, host) : NULL;

	if (!f || !addr_equal(&f->key.client, &found->ip) ||
	    !scene_is_guest_mac(s, sighting_try(s, host)->src_mac))
		return;
	if (!flow_key_is_resolution(&f->key)) {
		found->frames += !vm;
		return;
	}
	if (!vm || !is_alone(s, vm) || !is_alone(s, host))
		return;
	found->broadcasts++;
	if (time_of(s, vm) - time_of(s, host) <= s->clock.error_ns / 2)
		return;
	if (found->inbound++ == 0) {
		found->first_ns = time_of(s, host);
		found->point = host->point;
	}
	found->last_ns = time_of(s, host);
	note_target(found, &f->key.server);
}

/* Does somebody broadcast in the guest's name, with the address @ip? */
static bool is_copied(const struct scene *s, const struct in6_addr *ip,
                      struct foreign *found)
{
	*found = (struct foreign){ .ip = *ip };
	for (size_t i = 0; s->aligned && i < s->n_chains; i++)
		note_chain(s, &s->chains[i], found);
	found->frames += found->inbound;
	return found->inbound >= INBOUND_MIN &&
	       found->inbound * 100 >= found->broadcasts * INBOUND_PERCENT &&
	       found->frames >= FOREIGN_FRAMES;
}

/* Is it the guest's own address? */
static bool is_used(const struct scene *s, const struct in6_addr *ip)
{
	struct foreign unused = { 0 };

	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM &&
		    frames_from(s, &s->points[i], ip, &unused) > 0)
			return true;
	return false;
}

static void look_at(struct scene *s, const struct in6_addr *ip)
{
	const size_t max = sizeof(s->foreign) / sizeof(s->foreign[0]);
	struct foreign found = { 0 };

	for (size_t i = 0; i < s->n_foreign; i++)
		if (addr_equal(&s->foreign[i].ip, ip))
			return;
	if (addr_is_link_local(ip) || s->n_foreign == max)
		return;
	if (!is_foreign(s, ip, &found) && !is_copied(s, ip, &found)) {
		/* Too little to say who, but it is nobody's inside. */
		if (found.inbound > 0 && found.inbound == found.broadcasts &&
		    !is_used(s, ip))
			forget_ip(&s->guest, ip);
		return;
	}
	s->foreign[s->n_foreign++] = found;
	if (!is_used(s, ip))
		forget_ip(&s->guest, ip);
}

/* Did the guest answer ARP for this address? */
static bool is_answered_for(const struct scene *s, const struct in6_addr *ip)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct flow_table *t = &s->points[i].track.flows;

		for (uint32_t j = 0; j < t->n_flows; j++)
			if (s->points[i].role == CAPTURE_ROLE_VM &&
			    t->flows[j].received > 0 &&
			    addr_equal(&t->flows[j].key.server, ip))
				return true;
	}
	return false;
}

static bool host_shows_arp(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_HOST &&
		    s->points[i].on_path &&
		    s->points[i].track.seen[TRAFFIC_ARP].count > 0)
			return true;
	return false;
}

/* Only ARP requests came from there, and nothing tells whether from inside. */
static void forget_mute(struct scene *s)
{
	for (size_t i = s->guest.n_ips; i-- > 0;) {
		struct in6_addr ip = s->guest.ips[i];

		if (addr_is_v4(&ip) && !addr_is_link_local(&ip) &&
		    !is_used(s, &ip) && !is_answered_for(s, &ip))
			forget_ip(&s->guest, &ip);
	}
}

void clones_find(struct scene *s)
{
	if (s->guest.mode != NETWORK_MODE_BRIDGED || !has_own(s))
		return;
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		if (o->role != CAPTURE_ROLE_HOST || o->hop)
			continue;
		for (size_t j = 0; j < s->guest.n_macs; j++) {
			const struct station *st = station_table_find(
				&o->track.stations, s->guest.macs[j]);

			for (uint8_t k = 0; st && k < st->n_ips; k++)
				look_at(s, &st->ips[k]);
			for (uint8_t k = 0; st && k < st->n_claimed; k++)
				look_at(s, &st->claimed[k]);
		}
	}
	if (!host_shows_arp(s))
		forget_mute(s);
}

static struct claim *foreign_frames(const struct scene *s, uint32_t point,
                                    const struct foreign *x, int32_t *index)
{
	struct claim *c = point_claim(s, point, index);
	char text[ADDR_TEXT_MAX];

	claim_add_mac(c, CLAIM_ETH_SRC, s->guest.macs[0]);
	claim_add_ip(c, CLAIM_IP_SRC, &x->ip);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_format("packets of %s with the guest's MAC",
	                      addr_text(&x->ip, text));
	return c;
}

/* ARP requests for what the copy asked for: the guest may have, too */
static void add_inbound(struct scene *s, struct fact *f,
                        const struct foreign *x, uint32_t point)
{
	struct evidence e = { .leg = EVIDENCE_OTHER,
		              .at = s->points[point].role,
		              .control = -1,
		              .twin = -1,
		              .total = x->inbound };
	struct claim *c = point_claim(s, point, &e.claim);

	claim_add_number(c, CLAIM_ARP_OPCODE, 1);
	claim_add_mac(c, CLAIM_ARP_SRC_MAC, s->guest.macs[0]);
	claim_add_ip(c, CLAIM_ARP_SRC_IP, &x->ip);
	claim_add_ips(c, CLAIM_ARP_DST_IP, x->targets, x->n_targets);
	c->what = text_copy("ARP requests in the guest's name, which come to "
	                    "it from outside");
	fact_add_evidence(f, &e);
}

void clone_fact(struct scene *s, struct fact *f, const struct foreign *x)
{
	struct evidence host = { .leg = EVIDENCE_OTHER,
		                 .at = CAPTURE_ROLE_HOST,
		                 .control = -1,
		                 .twin = -1,
		                 .total = x->frames };
	struct evidence vm = { .leg = EVIDENCE_OTHER,
		               .at = CAPTURE_ROLE_VM,
		               .control = -1,
		               .twin = -1 };
	uint32_t guest = scene_guest_point(s);

	fact_set_ip(f, FIELD_NIC_FOREIGN_IP, &x->ip);
	fact_set_number(f, FIELD_NIC_FOREIGN_FRAMES, (int64_t)x->frames);
	fact_set_number(f, FIELD_FIRST, x->first_ns);
	fact_set_number(f, FIELD_LAST, x->last_ns);
	if (x->inbound > 0) {
		add_inbound(s, f, x, x->point);
		if (guest != NO_POINT)
			add_inbound(s, f, x, guest);
		return;
	}
	foreign_frames(s, x->point, x, &host.claim);
	fact_add_evidence(f, &host);
	if (guest == NO_POINT)
		return;
	foreign_frames(s, guest, x, &vm.claim);
	nic_frames(s, guest, &vm.control);
	vm.twin = host.claim;
	fact_add_evidence(f, &vm);
}
