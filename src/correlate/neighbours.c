/*
 * What the link tells of a run: whether the guest sends the other side anything
 * at all, whether the MAC that it sends to is still the right one, and whether
 * others reach the server through a router.
 */
#include <stdlib.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/defects.h"
#include "correlate/run.h"

/* A packet may be on its way for so long; nothing is sent again so soon. */
#define EDGE_NS INT64_C(5000000)

/* What waited for an answer of ARP is sent at once. */
#define JUST_NS INT64_C(100000000)

static struct peer *find(const struct peer_table *t, const struct in6_addr *ip)
{
	uint64_t hash = hash_bytes(ip, sizeof(*ip));
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&t->index, hash, &pos)) != HASH_TABLE_NONE)
		if (addr_equal(&t->peers[i].ip, ip))
			return &t->peers[i];
	return NULL;
}

static struct peer *get(struct peer_table *t, const struct in6_addr *ip)
{
	struct peer *peer = find(t, ip);

	if (peer)
		return peer;
	if (t->count == t->capacity) {
		t->capacity = t->capacity ? 2 * t->capacity : 64;
		t->peers =
			xreallocarray(t->peers, t->capacity, sizeof(*t->peers));
	}
	t->peers[t->count] = (struct peer){ .ip = *ip };
	hash_table_add(&t->index, hash_bytes(ip, sizeof(*ip)), t->count);
	return &t->peers[t->count++];
}

/* The guest sent something to @ip in this flow. */
static void note_sent(struct scene *s, const struct observation *o,
                      const struct flow *f, const struct in6_addr *ip)
{
	struct peer *peer = get(&s->peers, ip);
	int64_t first_ns = scene_host_ns(s, o, f->first_ns);
	int64_t last_ns = scene_host_ns(s, o, f->last_ns);

	peer->guest_sent = true;
	if (f->key.protocol != PROTOCOL_ARP)
		return;
	if (!peer->arp_sent || first_ns < peer->arp_first_ns)
		peer->arp_first_ns = first_ns;
	if (!peer->arp_sent || last_ns > peer->arp_last_ns)
		peer->arp_last_ns = last_ns;
	peer->arp_sent = true;
}

/* Its packets come with the MAC of somebody who claims another address only. */
static void note_route(struct scene *s, const struct observation *o,
                       const struct in6_addr *ip, struct mac mac)
{
	const struct station *st = station_table_find(&o->track.stations, mac);

	if (st && st->n_claimed > 0 && !scene_is_guest_mac(s, mac))
		get(&s->peers, ip)->routed = true;
}

/* Others may use its address; in its own capture it is the guest itself. */
static bool is_by_guest(const struct scene *s, const struct observation *o,
                        const struct in6_addr *ip, struct mac mac)
{
	return scene_is_guest_ip(s, ip) &&
	       (o->role == CAPTURE_ROLE_VM ||
	        (!o->hop && scene_is_guest_mac(s, mac)));
}

static void note_flow(struct scene *s, const struct observation *o,
                      const struct flow *f)
{
	if (f->sent > 0 && is_by_guest(s, o, &f->key.client, f->client_mac))
		note_sent(s, o, f, &f->key.server);
	if (f->received > 0 && is_by_guest(s, o, &f->key.server, f->server_mac))
		note_sent(s, o, f, &f->key.client);
	if (o->hop || flow_key_is_resolution(&f->key) || f->sent == 0 ||
	    f->received == 0)
		return;
	note_route(s, o, &f->key.client, f->client_mac);
	note_route(s, o, &f->key.server, f->server_mac);
}

void neighbours_find(struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct flow_table *t = &o->track.flows;
		const struct claim_log *log = &o->track.claims;

		for (uint32_t j = 0; j < t->n_flows; j++)
			note_flow(s, o, &t->flows[j]);
		for (uint32_t j = 0; j < log->count && !o->hop; j++)
			get(&s->peers, &log->bindings[j].ip)->claimed = true;
	}
}

bool neighbours_talked(const struct scene *s, const struct in6_addr *ip)
{
	const struct peer *peer = find(&s->peers, ip);

	return peer && peer->guest_sent;
}

void neighbours_free(struct peer_table *t)
{
	free(t->peers);
	hash_table_free(&t->index);
}

static bool has_vm(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			return true;
	return false;
}

/* Did the guest ask or answer the peer by ARP while the run lasted? */
static bool resolved_meanwhile(const struct scene *s, const struct run *run,
                               const struct in6_addr *ip)
{
	const struct peer *peer = find(&s->peers, ip);

	return peer && peer->arp_sent &&
	       peer->arp_first_ns <= run->chains[run->n_chains - 1]->host_ns &&
	       peer->arp_last_ns >= run->chains[0]->host_ns;
}

bool point_last_spoke(const struct observation *o, const struct in6_addr *ip,
                      struct mac mac, int64_t *last_ns)
{
	const struct flow_table *t = &o->track.flows;
	const struct arp_binding *b = claim_log_get(&o->track.claims, ip, mac);
	bool found = b != NULL;

	*last_ns = b ? b->last_ns : INT64_MIN;
	for (uint32_t i = 0; i < t->n_tries; i++) {
		const struct try *try = &t->tries[i];
		const struct flow_key *k = &t->flows[try->flow].key;
		int64_t ns = *last_ns;

		if (addr_equal(&k->client, ip) && mac_equal(try->src_mac, mac))
			ns = try->ts_ns;
		else if (try->answer == TRY_ANSWERED &&
		         addr_equal(&k->server, ip) &&
		         mac_equal(try->answer_mac, mac))
			ns = try->answer_ns;
		else
			continue;
		found = true;
		if (ns > *last_ns)
			*last_ns = ns;
	}
	return found;
}

/* Did @mac speak as @ip after @from_ns? */
static bool spoke_after(const struct scene *s, const struct in6_addr *ip,
                        struct mac mac, int64_t from_ns)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		int64_t last_ns;

		if (point_last_spoke(o, ip, mac, &last_ns) &&
		    scene_host_ns(s, o, last_ns) > from_ns)
			return true;
	}
	return false;
}

/* Was the guest given @mac for @ip just before the run?  Then its entry is new. */
static bool just_resolved(const struct scene *s, const struct run *run,
                          const struct in6_addr *ip, struct mac mac)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct arp_binding *b =
			claim_log_get(&o->track.claims, ip, mac);
		int64_t age_ns;

		if (o->role != CAPTURE_ROLE_VM || !b || b->replies == 0 ||
		    !scene_is_guest_mac(s, b->answered_mac))
			continue;
		age_ns = run->chains[0]->host_ns -
		         scene_host_ns(s, o, b->answered_ns);
		if (age_ns < JUST_NS)
			return true;
	}
	return false;
}

/* Had @mac last spoken as @ip before @o first showed the claim @b?  Files whose
 * clocks cannot be compared do not tell. */
static bool came_after(const struct scene *s, const struct observation *o,
                       const struct arp_binding *b, const struct in6_addr *ip,
                       struct mac mac)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *x = &s->points[i];
		int64_t last_ns;

		if (!point_last_spoke(x, ip, mac, &last_ns))
			continue;
		if ((!s->aligned && x->capture != o->capture) ||
		    scene_host_ns(s, x, last_ns) >
		            scene_host_ns(s, o, b->first_ns))
			return false;
	}
	return true;
}

/* The MAC that has replaced @old for @ip and speaks at @from_ns or later: who was
 * there before @old last spoke has replaced nobody. */
static bool newer_mac(const struct scene *s, const struct in6_addr *ip,
                      struct mac old, int64_t from_ns, struct mac *mac)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct claim_log *log = &o->track.claims;

		if (o->hop)
			continue; /* another link */
		for (uint32_t j = claim_log_find(log, ip); j != CLAIM_LOG_NONE;
		     j = log->bindings[j].next) {
			const struct arp_binding *b = &log->bindings[j];

			if (mac_equal(b->mac, old) ||
			    scene_other_vlan(s, o, b->vlan) ||
			    scene_host_ns(s, o, b->last_ns) < from_ns ||
			    !came_after(s, o, b, ip, old))
				continue;
			*mac = b->mac;
			return true;
		}
	}
	return false;
}

/* Whom the guest means by the MAC @mac: the server, or the gateway before it */
static const struct in6_addr *next_hop_ip(const struct scene *s,
                                          const struct run *run, struct mac mac)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (claim_log_get(&s->points[i].track.claims, &run->key.server,
		                  mac))
			return &run->key.server;
	for (size_t i = 0; i < s->guest.n_gateways; i++)
		if (s->guest.gateways[i].has_ip &&
		    s->guest.gateways[i].has_mac &&
		    gateway_serves(&s->guest.gateways[i], &run->key.server) &&
		    mac_equal(s->guest.gateways[i].mac, mac))
			return &s->guest.gateways[i].ip;
	return scene_on_link(s, &run->key.server) == 1 ? &run->key.server
	                                               : NULL;
}

/* The link address that the first failed request of the guest was sent to.  Cooked
 * captures do not show it; a point of the host does that has the same frame. */
static bool destination(const struct scene *s, const struct run *run,
                        struct mac *mac)
{
	const struct chain *c = run->chains[0];

	for (uint32_t i = 0; i < c->n; i++) {
		const struct sighting *at = &s->sightings[c->first + i];
		const struct observation *o = &s->points[at->point];
		const struct try *try = sighting_try(s, at);

		if (!try->has_dst_mac || mac_is_group(try->dst_mac) ||
		    (o->role != CAPTURE_ROLE_VM &&
		     (o->hop || !scene_is_guest_mac(s, try->src_mac))))
			continue;
		*mac = try->dst_mac;
		return true;
	}
	return false;
}

/* Frames for the run's server with the link address @mac */
static void add_frames(const struct scene *s, const struct run *run,
                       struct fact *fact, uint32_t point, struct mac mac)
{
	const struct observation *o = &s->points[point];
	int64_t margin = EDGE_NS + s->clock_error_ns;
	size_t last = run->n_chains - 1;
	struct evidence e = { .leg = EVIDENCE_OTHER,
		              .at = s->points[point].role,
		              .control = -1,
		              .twin = -1 };
	char to[ADDR_TEXT_MAX], by[ADDR_TEXT_MAX];
	struct claim *c;

	for (size_t i = 0; i < run->n_chains; i++) {
		const struct sighting *at = run_sighting(s, run, i, point);

		e.total += at && mac_equal(sighting_try(s, at)->dst_mac, mac);
	}
	if (e.total == 0 || run->key.protocol == PROTOCOL_ARP)
		return;
	c = point_claim(s, point, &e.claim);
	claim_add_mac(c, CLAIM_ETH_DST, mac);
	claim_add_ip(c, CLAIM_IP_SRC, &run->key.client);
	claim_add_ip(c, CLAIM_IP_DST, &run->key.server);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	scene_claim_time(
		s, o, c, scene_point_ns(s, o, run->chains[0]->host_ns) - margin,
		scene_point_ns(s, o, run->chains[last]->host_ns) + margin);
	c->what =
		text_format("packets for %s sent to the MAC %s",
	                    addr_text(&run->key.server, to), mac_text(mac, by));
	fact_add_evidence(fact, &e);
}

/* ARP with which @mac claims @ip now */
static void add_claims(const struct scene *s, struct fact *fact, uint32_t point,
                       const struct in6_addr *ip, struct mac mac)
{
	const struct arp_binding *b =
		claim_log_get(&s->points[point].track.claims, ip, mac);
	struct evidence e = { .leg = EVIDENCE_OTHER,
		              .at = s->points[point].role,
		              .control = -1,
		              .twin = -1 };
	char to[ADDR_TEXT_MAX], by[ADDR_TEXT_MAX];
	struct claim *c;

	if (!b)
		return;
	e.total = b->claims;
	c = point_claim(s, point, &e.claim);
	claim_add_mac(c, CLAIM_ARP_SRC_MAC, mac);
	claim_add_ip(c, CLAIM_ARP_SRC_IP, ip);
	c->what = text_format("ARP of %s for %s", mac_text(mac, by),
	                      addr_text(ip, to));
	fact_add_evidence(fact, &e);
}

static void add_next_hop(const struct scene *s, const struct run *run,
                         struct fact *fact)
{
	const struct in6_addr *ip;
	int64_t first_ns = run->chains[0]->host_ns;
	struct mac used, now;

	if (!destination(s, run, &used))
		return;
	fact_set_mac(fact, FIELD_NEXT_HOP_MAC, used);
	ip = next_hop_ip(s, run, used);
	if (defects_hide_class(s, CAPTURE_ROLE_VM, TRAFFIC_ARP))
		return; /* what the guest has learned since */
	if (!ip || !newer_mac(s, ip, used, first_ns, &now) ||
	    spoke_after(s, ip, used, first_ns) ||
	    just_resolved(s, run, ip, used)) {
		fact_set_bool(fact, FIELD_NEXT_HOP_CURRENT, true);
		return;
	}
	fact_set_bool(fact, FIELD_NEXT_HOP_CURRENT, false);
	fact_set_mac(fact, FIELD_NEXT_HOP_MAC_NOW, now);
	for (uint32_t i = 0; i < s->n_points; i++) {
		add_frames(s, run, fact, i, used);
		add_claims(s, fact, i, ip, now);
	}
}

/* The MAC that requests to the guest carry instead of its own */
static void add_wrong_mac(const struct scene *s, const struct run *run,
                          struct fact *fact)
{
	for (size_t i = 0; i < run->n_chains; i++)
		for (uint32_t j = 0; j < run->chains[i]->n; j++) {
			const struct sighting *at =
				&s->sightings[run->chains[i]->first + j];
			const struct try *try = sighting_try(s, at);

			if (s->points[at->point].hop || !try->has_dst_mac ||
			    mac_is_group(try->dst_mac) ||
			    scene_is_guest_mac(s, try->dst_mac))
				continue;
			fact_set_mac(fact, FIELD_DST_MAC, try->dst_mac);
			for (uint32_t k = 0; k < s->n_points; k++)
				add_frames(s, run, fact, k, try->dst_mac);
			return;
		}
}

void run_add_neighbour(const struct scene *s, const struct run *run,
                       struct fact *fact)
{
	const struct in6_addr *peer = &run->key.server;
	const struct peer *entry;

	if (run->role == TRY_ROLE_TO_GUEST)
		peer = &run->key.client;
	else if (run->role != TRY_ROLE_FROM_GUEST)
		return;
	if (has_vm(s))
		fact_set_bool(fact, FIELD_SILENT_TO_PEER,
		              !resolved_meanwhile(s, run, peer));
	if (run->role == TRY_ROLE_TO_GUEST) {
		add_wrong_mac(s, run, fact);
		return;
	}
	add_next_hop(s, run, fact);
	entry = find(&s->peers, peer);
	fact_set_bool(fact, FIELD_SERVER_VIA_ROUTER,
	              entry && entry->routed && !entry->claimed);
}
