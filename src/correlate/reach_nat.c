/*
 * Beyond the host: ports of its NAT, addresses in use on both sides, connections
 * that were silent too long, and guests that nothing leads out of.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/reach.h"

/* So many connections to one server are looked at. */
#define WALK_MAX 4096

/* Tries beyond the link that lead nowhere, and packets that show that the uplink
 * was awake */
#define LOST_MIN 3
#define UPLINK_MIN 20

/* In the tally of addresses beyond the host, beside the point */
#define OUTSIDE_BY_ARP (1u << 31)

static uint64_t of_server(const struct flow_key *k)
{
	return hash_mix(hash_bytes(&k->server, sizeof(k->server)),
	                (uint64_t)k->protocol << 16 | k->server_port);
}

static const struct sighting *seen_by(const struct scene *s,
                                      const struct chain *c,
                                      enum capture_role role, bool translated)
{
	for (uint32_t i = 0; i < c->n; i++) {
		const struct sighting *at = &s->sightings[c->first + i];
		const struct observation *o = &s->points[at->point];

		if (o->role == role && o->translated == translated)
			return at;
	}
	return NULL;
}

static bool is_beyond(const struct observation *o)
{
	return o->role == CAPTURE_ROLE_HOST && o->on_path && o->hop;
}

/* Rather by ARP than by an IP packet alone: that says it is on the link. */
static void note_address(struct reach *r, const struct in6_addr *ip,
                         uint32_t point, bool by_arp)
{
	uint32_t *at = tally_at(&r->outside, hash_bytes(ip, sizeof(*ip)));

	if (by_arp || *at == 0)
		*at = (point + 1) | (by_arp ? OUTSIDE_BY_ARP : 0);
}

static void note_outside(struct reach *r, uint32_t point)
{
	const struct observation *o = &r->scene->points[point];
	const struct station_table *t = &o->track.stations;

	if (!is_beyond(o))
		return;
	for (uint32_t i = 0; i < t->count; i++) {
		const struct station *st = &t->stations[i];

		for (uint8_t j = 0; j < st->n_claimed; j++)
			note_address(r, &st->claimed[j], point, true);
		for (uint8_t j = 0; j < st->n_ips && !st->many_ips; j++)
			note_address(r, &st->ips[j], point, false);
	}
}

static void note_forwarded(struct reach *r, const struct chain *c)
{
	const struct scene *s = r->scene;
	const struct sighting *out = seen_by(s, c, CAPTURE_ROLE_HOST, true);
	const struct flow *f;

	if (!out || !seen_by(s, c, CAPTURE_ROLE_VM, false))
		return;
	f = sighting_flow(s, out);
	if (scene_is_outside(s, &f->key.server))
		*tally_at(&r->forwarded, of_server(&f->key)) = 1;
}

void nat_describe(const struct reach *r, const struct flow_key *key,
                  struct fact *f)
{
	if (scene_is_outside(r->scene, &key->server))
		fact_set_bool(f, FIELD_SERVER_FORWARDED,
		              tally_get(&r->forwarded, of_server(key)) > 0);
}

void nat_index(struct reach *r)
{
	const struct scene *s = r->scene;

	r->older = xcalloc(s->n_chains ? s->n_chains : 1, sizeof(*r->older));
	for (uint32_t i = 0; i < s->n_points; i++)
		note_outside(r, i);
	for (uint32_t i = 0; i < s->n_chains; i++) {
		const struct chain *c = &s->chains[i];
		const struct sighting *at =
			seen_by(s, c, CAPTURE_ROLE_VM, false);
		uint32_t *newest;

		note_forwarded(r, c);
		if (!at || sighting_try(s, at)->answer != TRY_ANSWERED ||
		    sighting_flow(s, at)->key.protocol != PROTOCOL_TCP ||
		    try_role(s, c) != TRY_ROLE_FROM_GUEST)
			continue;
		newest = tally_at(&r->worked,
		                  of_server(&sighting_flow(s, at)->key));
		r->older[i] = *newest;
		*newest = i + 1;
	}
}

/* The outside ports of the connections that work at a time */
struct ports {
	uint32_t n;
	uint32_t n_changed;
	uint16_t lowest;
	uint16_t highest;
	uint32_t point;
	struct in6_addr outside;
};

static void note_port(const struct scene *s, const struct chain *c,
                      const struct run *run, struct ports *ports)
{
	const struct sighting *in = seen_by(s, c, CAPTURE_ROLE_VM, false);
	const struct sighting *out = seen_by(s, c, CAPTURE_ROLE_HOST, true);
	const struct flow *inside = sighting_flow(s, in), *outside;
	int64_t first_ns = run->chains[0]->host_ns;
	uint16_t port;

	if (!out || !addr_equal(&inside->key.server, &run->key.server) ||
	    inside->key.server_port != run->key.server_port ||
	    c->host_ns > first_ns ||
	    scene_host_ns(s, &s->points[in->point], inside->last_ns) < first_ns)
		return;
	outside = sighting_flow(s, out);
	port = outside->key.client_port;
	ports->n_changed += port != inside->key.client_port;
	if (ports->n == 0 || port < ports->lowest)
		ports->lowest = port;
	if (port > ports->highest)
		ports->highest = port;
	ports->point = out->point;
	ports->outside = outside->key.client;
	ports->n++;
}

static void add_concurrent(struct scene *s, const struct run *run,
                           const struct ports *ports, struct fact *f)
{
	struct evidence e = {
		.leg = EVIDENCE_OTHER,
		.at = CAPTURE_ROLE_HOST,
		.control = -1,
		.twin = -1,
		.total = ports->n,
	};
	struct claim *c = point_claim(s, ports->point, &e.claim);

	claim_add_ip(c, CLAIM_IP_SRC, &ports->outside);
	claim_add_ip(c, CLAIM_IP_DST, &run->key.server);
	claim_add_number(c, CLAIM_TCP_DST_PORT, run->key.server_port);
	claim_add_flag(c, CLAIM_TCP_DATA);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_format("data of %u connections to this server and port "
	                      "that go on",
	                      ports->n);
	fact_add_evidence(f, &e);
}

/* Do the connections that go on use up a range of ports? */
static void set_ports(const struct reach *r, struct scene *s,
                      const struct run *run, struct fact *f)
{
	struct ports ports = { .n = 0 };
	uint32_t next = tally_get(&r->worked, of_server(&run->key)), range;

	if (run->role != TRY_ROLE_FROM_GUEST ||
	    run->key.protocol != PROTOCOL_TCP ||
	    s->guest.mode != NETWORK_MODE_NAT)
		return;
	for (int n = 0; next > 0 && n < WALK_MAX; n++) {
		note_port(s, &s->chains[next - 1], run, &ports);
		next = r->older[next - 1];
	}
	fact_set_number(f, FIELD_CONCURRENT, ports.n);
	if (ports.n < 2)
		return;
	range = (uint32_t)ports.highest - ports.lowest + 1;
	/* A few of them may have been opened before the capture began. */
	fact_set_bool(f, FIELD_POOL_FULL,
	              ports.n_changed > 0 && ports.n * 10 >= range * 9);
	add_concurrent(s, run, &ports, f);
}

static void add_outside(struct scene *s, const struct run *run, uint32_t point,
                        bool by_arp, struct fact *f)
{
	struct evidence e = {
		.leg = EVIDENCE_OTHER,
		.at = CAPTURE_ROLE_HOST,
		.control = -1,
		.twin = -1,
		.total = 1,
	};
	struct claim *c = point_claim(s, point, &e.claim);
	char ip[ADDR_TEXT_MAX];

	claim_add_ip(c, by_arp ? CLAIM_ARP_SRC_IP : CLAIM_IP_SRC,
	             &run->key.server);
	if (!by_arp)
		claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_format("%s of %s beyond the host",
	                      by_arp ? "ARP" : "packets",
	                      addr_text(&run->key.server, ip));
	fact_add_evidence(f, &e);
}

static void set_outside(const struct reach *r, struct scene *s,
                        const struct run *run, struct fact *f)
{
	bool beyond = false;
	uint32_t point =
		tally_get(&r->outside, hash_bytes(&run->key.server,
	                                          sizeof(run->key.server)));

	if (run->role != TRY_ROLE_FROM_GUEST ||
	    run->key.protocol != PROTOCOL_ARP)
		return;
	for (uint32_t i = 0; i < s->n_points; i++)
		beyond |= is_beyond(&s->points[i]);
	if (!beyond)
		return;
	fact_set_bool(f, FIELD_ALIVE_OUTSIDE, point > 0);
	if (point > 0)
		add_outside(s, run, (point & ~OUTSIDE_BY_ARP) - 1,
		            (point & OUTSIDE_BY_ARP) != 0, f);
}

static void set_idle(const struct scene *s, const struct run *run,
                     struct fact *f)
{
	int64_t idle_ns = 0;

	for (size_t i = 0; i < run->n_chains; i++) {
		const struct stall *stall = &run->chains[i]->stall;
		const struct sighting *at =
			stall->stalled ? run_sighting(s, run, i, stall->after)
				       : NULL;
		const struct flow *flow;
		int64_t ns;

		if (!at)
			continue;
		flow = sighting_flow(s, at);
		ns = stall->from_client ? flow->client_data.idle_ns
		                        : flow->server_data.idle_ns;
		if (ns > idle_ns)
			idle_ns = ns;
	}
	fact_set_number(f, FIELD_IDLE_BEFORE, idle_ns);
}

/* Nothing of the guest is at the uplink: the claim, and what was there. */
static void add_isolated(struct scene *s, const struct run *run, struct fact *f)
{
	struct evidence e = {
		.leg = EVIDENCE_OTHER,
		.at = CAPTURE_ROLE_HOST,
		.twin = -1,
		.twin_reason = "the guest's tries stand above",
	};
	static const int64_t all[] = { IP_PROTO_TCP, IP_PROTO_UDP,
		                       IP_PROTO_ICMP };
	bool is_far = s->points[s->isolated_from].side == SIDE_FAR;
	struct claim *c = point_claim(s, s->isolated_from, &e.claim);

	claim_add_ip(c, CLAIM_IP_SRC, &run->key.client);
	if (is_far) /* its siblings' ports are on that side, too */
		claim_add_ip(c, CLAIM_IP_DST, &run->key.server);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_copy("packets of the guest at the host's uplink");
	c = point_claim(s, s->isolated_from, &e.control);
	claim_add_numbers(c, CLAIM_IP_PROTO, all, 3);
	if (is_far) {
		claim_add_ip(c, CLAIM_IP_SRC, &run->key.client);
		claim_negate_last(c);
		claim_add_flag(c, CLAIM_OUTGOING);
	}
	c->what = text_copy("traffic of others there");
	fact_add_evidence(f, &e);
}

static void set_isolated(struct scene *s, const struct run *run, struct fact *f)
{
	struct value on_link = fact_get(f, FIELD_SERVER_ON_LINK);

	if (s->guest.mode != NETWORK_MODE_HOST_ONLY ||
	    run->role != TRY_ROLE_FROM_GUEST || on_link.state != VALUE_KNOWN ||
	    on_link.lo != 0)
		return;
	fact_set_enum(f, FIELD_LOST_LEG, LOST_LEG_REQUEST);
	fact_set_enum(f, FIELD_LOST_PLACE, PLACE_HOST);
	f->before = scene_point_id(s, s->isolated_from);
	add_isolated(s, run, f);
}

void nat_describe_run(const struct reach *r, struct scene *s,
                      const struct run *run, struct fact *f)
{
	set_ports(r, s, run, f);
	set_outside(r, s, run, f);
	set_idle(s, run, f);
	set_isolated(s, run, f);
}

/* Is one of these addresses on the guest's link? */
static bool is_on_link(const struct scene *s, const struct in6_addr *ips,
                       uint8_t n)
{
	for (uint8_t i = 0; i < n; i++)
		if (!addr_is_link_local(&ips[i]) &&
		    scene_on_link(s, &ips[i]) == 1)
			return true;
	return false;
}

/* Is this another link of the host, with nothing of the guest's on it? */
static bool is_foreign_uplink(const struct scene *s,
                              const struct observation *o)
{
	const struct station_table *st = &o->track.stations;

	if (o->role != CAPTURE_ROLE_HOST || o->on_path || o->carries_tunnels ||
	    o->track.packets < UPLINK_MIN)
		return false;
	for (uint32_t i = 0; i < st->count; i++) {
		if (scene_is_guest_mac(s, st->stations[i].mac))
			return false;
		if (is_on_link(s, st->stations[i].claimed,
		               st->stations[i].n_claimed) ||
		    is_on_link(s, st->stations[i].ips, st->stations[i].n_ips))
			return false;
	}
	return true;
}

/* All interfaces but the guest's port: does what leaves by one of them come from
 * another link of the host only? */
static bool is_foreign_side(const struct scene *s, const struct observation *o)
{
	const struct flow_table *t = &o->track.flows;
	bool leaves = false;

	if (o->side != SIDE_FAR || o->carries_tunnels ||
	    o->track.packets < UPLINK_MIN)
		return false;
	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];

		if (f->received == 0 || !addr_is_unicast(&f->key.client) ||
		    scene_on_link(s, &f->key.server) != 0)
			continue;
		if (scene_on_link(s, &f->key.client) != 0)
			return false;
		leaves = true;
	}
	return leaves;
}

/* Tries beyond the link: all in vain, and enough of them? */
static bool is_cut_off(const struct scene *s)
{
	uint32_t lost = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct flow_table *t = &o->track.flows;

		if (o->hop)
			return false;
		if (o->role != CAPTURE_ROLE_VM)
			continue;
		for (uint32_t j = 0; j < t->n_flows; j++) {
			const struct flow *f = &t->flows[j];

			if (!scene_is_guest_ip(s, &f->key.client) ||
			    !addr_is_unicast(&f->key.server) ||
			    scene_on_link(s, &f->key.server) != 0)
				continue;
			if (f->received > 0)
				return false;
			lost += f->n_tries;
		}
	}
	return lost >= LOST_MIN;
}

void isolation_find(struct scene *s)
{
	if (!s->aligned || s->n_path == 0 || !is_cut_off(s))
		return;
	for (uint32_t i = 0; i < s->n_points; i++) {
		if (!is_foreign_uplink(s, &s->points[i]) &&
		    !is_foreign_side(s, &s->points[i]))
			continue;
		s->guest.mode = NETWORK_MODE_HOST_ONLY;
		s->isolated_from = i;
		return;
	}
}
