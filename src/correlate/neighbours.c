/*
 * What the link tells of a run: whether the guest sends the other side anything
 * at all, whether the MAC that it sends to is still the right one, and whether
 * others reach the server through a router.
 */
#include "correlate/run.h"

static bool is_resolution(const struct flow *f)
{
	return f->key.protocol == PROTOCOL_ARP ||
	       f->key.protocol == PROTOCOL_NDP;
}

/* Did the guest send @peer anything, as far as its own capture tells? */
static bool sent_to(const struct scene *s, const struct in6_addr *peer)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct flow_table *t = &s->points[i].track.flows;

		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		for (uint32_t j = 0; j < t->n_flows; j++) {
			const struct flow *f = &t->flows[j];

			if (f->sent > 0 && addr_equal(&f->key.server, peer) &&
			    scene_is_guest_ip(s, &f->key.client))
				return true;
			if (f->received > 0 &&
			    addr_equal(&f->key.client, peer) &&
			    scene_is_guest_ip(s, &f->key.server))
				return true;
		}
	}
	return false;
}

static bool has_vm(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			return true;
	return false;
}

/* Last time that @mac spoke as @ip, by ARP or by an IP packet; false: never */
static bool last_spoke(const struct scene *s, const struct in6_addr *ip,
                       struct mac mac, int64_t *host_ns)
{
	bool found = false;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct flow_table *t = &o->track.flows;
		const struct arp_binding *b =
			claim_log_get(&o->track.claims, ip, mac);
		int64_t last_ns = b ? b->last_ns : INT64_MIN;

		for (uint32_t j = 0; j < t->n_flows; j++) {
			const struct flow *f = &t->flows[j];
			bool spoke = (f->sent > 0 &&
			              addr_equal(&f->key.client, ip) &&
			              mac_equal(f->client_mac, mac)) ||
			             (f->received > 0 &&
			              addr_equal(&f->key.server, ip) &&
			              mac_equal(f->server_mac, mac));

			if (spoke && f->received > 0 && f->last_ns > last_ns)
				last_ns = f->last_ns;
		}
		if (last_ns == INT64_MIN)
			continue;
		last_ns = scene_host_ns(s, o, last_ns);
		if (!found || last_ns > *host_ns)
			*host_ns = last_ns;
		found = true;
	}
	return found;
}

/* The MAC other than @old that speaks for @ip at @from_ns or later */
static bool newer_mac(const struct scene *s, const struct in6_addr *ip,
                      struct mac old, int64_t from_ns, struct mac *mac)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct claim_log *log = &o->track.claims;

		for (uint32_t j = claim_log_find(log, ip); j != CLAIM_LOG_NONE;
		     j = log->bindings[j].next) {
			const struct arp_binding *b = &log->bindings[j];

			if (mac_equal(b->mac, old) ||
			    scene_host_ns(s, o, b->last_ns) < from_ns)
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
		    mac_equal(s->guest.gateways[i].mac, mac))
			return &s->guest.gateways[i].ip;
	return scene_on_link(s, &run->key.server) == 0 ? NULL
	                                               : &run->key.server;
}

/* The link address that the first failed request of the guest was sent to */
static bool destination(const struct scene *s, const struct run *run,
                        struct mac *mac)
{
	const struct sighting *at = try_reference(s, run->chains[0]);
	const struct try *try = sighting_try(s, at);

	*mac = try->dst_mac;
	return try->has_dst_mac && !mac_is_group(try->dst_mac) &&
	       s->points[at->point].role == CAPTURE_ROLE_VM;
}

static void add_next_hop(const struct scene *s, const struct run *run,
                         struct fact *fact)
{
	const struct in6_addr *ip;
	int64_t first_ns = run->chains[0]->host_ns, spoke_ns = 0;
	struct mac used, now;

	if (!destination(s, run, &used))
		return;
	fact_set_mac(fact, FIELD_NEXT_HOP_MAC, used);
	ip = next_hop_ip(s, run, used);
	if (!ip || !newer_mac(s, ip, used, first_ns, &now) ||
	    (last_spoke(s, ip, used, &spoke_ns) && spoke_ns > first_ns)) {
		fact_set_bool(fact, FIELD_NEXT_HOP_CURRENT, true);
		return;
	}
	fact_set_bool(fact, FIELD_NEXT_HOP_CURRENT, false);
	fact_set_mac(fact, FIELD_NEXT_HOP_MAC_NOW, now);
}

static bool claims_other(const struct claim_log *log, struct mac mac,
                         const struct in6_addr *ip)
{
	for (uint32_t i = 0; i < log->count; i++)
		if (mac_equal(log->bindings[i].mac, mac) &&
		    !addr_equal(&log->bindings[i].ip, ip))
			return true;
	return false;
}

/* Packets of @ip come with the MAC of somebody who has another address, and
 * nobody on the link claims it. */
static bool is_behind_router(const struct scene *s, const struct in6_addr *ip)
{
	bool found = false;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct point *track = &s->points[i].track;
		const struct flow_table *t = &track->flows;

		if (s->points[i].hop)
			continue;
		if (claim_log_find(&track->claims, ip) != CLAIM_LOG_NONE)
			return false;
		for (uint32_t j = 0; j < t->n_flows && !found; j++) {
			const struct flow *f = &t->flows[j];
			bool client = addr_equal(&f->key.client, ip);

			if (is_resolution(f) || f->sent == 0 ||
			    f->received == 0 ||
			    (!client && !addr_equal(&f->key.server, ip)))
				continue;
			found = claims_other(
				&track->claims,
				client ? f->client_mac : f->server_mac, ip);
		}
	}
	return found;
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
			return;
		}
}

void run_add_neighbour(const struct scene *s, const struct run *run,
                       struct fact *fact)
{
	const struct in6_addr *peer = &run->key.server;

	if (run->role == TRY_ROLE_TO_GUEST)
		peer = &run->key.client;
	else if (run->role != TRY_ROLE_FROM_GUEST)
		return;
	if (has_vm(s))
		fact_set_bool(fact, FIELD_SILENT_TO_PEER, !sent_to(s, peer));
	if (run->role == TRY_ROLE_TO_GUEST) {
		add_wrong_mac(s, run, fact);
		return;
	}
	add_next_hop(s, run, fact);
	fact_set_bool(fact, FIELD_SERVER_VIA_ROUTER,
	              is_behind_router(s, &run->key.server));
}
