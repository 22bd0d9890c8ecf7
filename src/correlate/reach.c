#include "correlate/reach.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/defects.h"

#define S INT64_C(1000000000)

/* An address that DNS told is contacted within this time, or not at all. */
#define CONTACT_NS (5 * S)

/* Fewer tries without an answer say nothing. */
#define SILENT_MIN 3

static uint64_t of_ip(const struct in6_addr *ip)
{
	return hash_bytes(ip, sizeof(*ip));
}

static bool is_off_link(const struct scene *s, const struct in6_addr *ip)
{
	return addr_is_unicast(ip) && scene_on_link(s, ip) == 0;
}

bool reach_is_near(const struct scene *s, const struct observation *o)
{
	/* The far side of an isolated guest is its host's other links, too. */
	if (s->guest.mode == NETWORK_MODE_HOST_ONLY && o->side == SIDE_FAR)
		return false;
	return o->role == CAPTURE_ROLE_VM || (o->on_path && !o->hop);
}

static void note_router(struct reach *r, struct mac mac,
                        const struct in6_addr *source, uint32_t point)
{
	uint32_t *known;

	if (mac_is_zero(mac) || scene_is_guest_mac(r->scene, mac))
		return;
	known = tally_at(&r->router_macs, reach_of_mac(mac));
	if ((*known)++ > 0)
		return;
	*tally_at(&r->forwarders, reach_of_mac(mac)) = 1;
	r->routers = xreallocarray(r->routers, r->n_routers + 1,
	                           sizeof(*r->routers));
	r->routers[r->n_routers++] = (struct router){
		.mac = mac,
		.source = *source,
		.point = point,
	};
}

static void note_flow(struct reach *r, uint32_t point, const struct flow *f)
{
	const struct scene *s = r->scene;

	if (is_off_link(s, &f->key.client) && f->sent > 0)
		note_router(r, f->client_mac, &f->key.client, point);
	if (!is_off_link(s, &f->key.server) || f->received == 0)
		return;
	note_router(r, f->server_mac, &f->key.server, point);
	if (!mac_is_zero(f->next_hop))
		*tally_at(&r->forwarders, reach_of_mac(f->next_hop)) = 1;
}

static struct family *family_of(struct reach *r, const struct in6_addr *ip)
{
	return &r->families[!addr_is_v4(ip)];
}

static void note_guest_flow(struct reach *r, const struct flow *f)
{
	const struct scene *s = r->scene;
	const struct flow_key *k = &f->key;
	uint64_t pair;

	if (scene_is_guest_ip(s, &k->server) && f->received > 0 &&
	    is_off_link(s, &k->client))
		family_of(r, &k->server)->sends_off_link = true;
	if (!scene_is_guest_ip(s, &k->client) || f->sent == 0 ||
	    !is_off_link(s, &k->server))
		return;
	family_of(r, &k->client)->sends_off_link = true;
	*tally_at(&r->contacted, of_ip(&k->server)) = 1;
	pair = hash_mix(of_ip(&k->server), reach_of_mac(f->next_hop));
	if ((*tally_at(&r->hop_peers, pair))++ == 0)
		(*tally_at(&r->peers_of_hop, reach_of_mac(f->next_hop)))++;
}

static void note_flows(struct reach *r, uint32_t point)
{
	const struct observation *o = &r->scene->points[point];
	const struct flow_table *t = &o->track.flows;

	if (!reach_is_near(r->scene, o))
		return;
	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];

		if (!flow_key_is_resolution(&f->key)) {
			note_flow(r, point, f);
			note_guest_flow(r, f);
		} else if (o->role == CAPTURE_ROLE_HOST && f->received == 0 &&
		           is_off_link(r->scene, &f->key.server)) {
			*tally_at(&r->looked_for, of_ip(&f->key.server)) = 1;
		}
	}
}

static void note_redirects(struct reach *r, const struct observation *o)
{
	for (size_t i = 0; i < o->track.n_errors; i++) {
		const struct icmp_error *e = &o->track.errors[i];

		if (e->type == ICMP_REDIRECT && addr_is_v4(&e->from) &&
		    scene_is_guest_ip(r->scene, &e->to))
			*tally_at(&r->redirected, of_ip(&e->quoted.dst)) = 1;
	}
}

/* Addresses that the guest was told and did not contact */
static void note_hints(struct reach *r, const struct observation *o)
{
	const struct scene *s = r->scene;
	int64_t last_ns = s->incident->captures[o->capture].last_ns;

	for (size_t i = 0; i < o->track.n_dns_hints; i++) {
		const struct dns_hint *h = &o->track.dns_hints[i];
		uint32_t *contacted;

		if (!scene_is_guest_ip(s, &h->asker) ||
		    !addr_is_v4(&h->address) || /* may have a choice */
		    !is_off_link(s, &h->address) ||
		    h->ts_ns + CONTACT_NS > last_ns)
			continue;
		contacted = tally_at(&r->contacted, of_ip(&h->address));
		r->n_unused += *contacted == 0;
		*contacted = 1;
	}
}

/* Did the guest answer, where it had the time to? */
static void note_answer(struct reach *r, const struct sighting *at,
                        bool off_link)
{
	const struct scene *s = r->scene;
	const struct try *try = sighting_try(s, at);
	const struct observation *o = &s->points[at->point];
	enum protocol protocol =
		(enum protocol)sighting_flow(s, at)->key.protocol;
	struct family *family = family_of(r, &sighting_flow(s, at)->key.server);
	bool answered = try->answer != TRY_UNANSWERED;

	if (try->has_dst_mac && !scene_is_guest_mac(s, try->dst_mac))
		return;
	if (!answered && try->ts_ns + visibility_timeout_ns(protocol) >
	                         s->incident->captures[o->capture].last_ns)
		return;
	if (!off_link)
		family->on_link_answered += answered;
	else if (answered)
		family->off_link_answered++;
	else
		family->off_link_silent++;
}

static void note_inbound(struct reach *r, const struct chain *c)
{
	const struct scene *s = r->scene;
	const struct flow_key *k = &sighting_flow(s, try_reference(s, c))->key;
	const struct sighting *guest = chain_at(s, c, CAPTURE_ROLE_VM);
	int on_link = scene_on_link(s, &k->client);
	uint32_t bit = 1u << k->protocol;

	if (flow_key_is_resolution(k) || k->protocol == PROTOCOL_UDP ||
	    try_role(s, c) != TRY_ROLE_TO_GUEST || on_link < 0)
		return;
	if (guest)
		note_answer(r, guest, on_link == 0);
	if (on_link == 1)
		return;
	*tally_at(&r->tried, of_ip(&k->client)) |= bit;
	if (!guest)
		return;
	*tally_at(&r->arrived, of_ip(&k->client)) |= bit;
	if (c->n > 1)
		r->others[k->protocol]++;
}

struct reach *reach_new(struct scene *s)
{
	struct reach *r = xcalloc(1, sizeof(*r));

	r->scene = s;
	for (uint32_t i = 0; i < s->n_points; i++) {
		note_flows(r, i);
		strays_index(r, i);
	}
	for (uint32_t i = 0; i < s->n_points; i++) {
		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		note_redirects(r, &s->points[i]);
		note_hints(r, &s->points[i]);
	}
	for (size_t i = 0; i < s->n_chains; i++)
		note_inbound(r, &s->chains[i]);
	strays_mark(r, s);
	nat_index(r);
	r->sides = own_host_new(s);
	relay_index(r);
	return r;
}

void reach_free(struct reach *r)
{
	tally_free(&r->contacted);
	tally_free(&r->tried);
	tally_free(&r->arrived);
	tally_free(&r->router_macs);
	tally_free(&r->forwarders);
	tally_free(&r->forwarded);
	tally_free(&r->hop_peers);
	tally_free(&r->peers_of_hop);
	tally_free(&r->redirected);
	tally_free(&r->looked_for);
	tally_free(&r->outside);
	tally_free(&r->worked);
	hash_table_free(&r->strays);
	free(r->stray_list);
	free(r->routers);
	free(r->older);
	own_host_free(r->sides);
	free(r);
}

static void set_lease(const struct scene *s, struct fact *f)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct point *track = &s->points[i].track;

		for (size_t j = 0; j < track->n_leases; j++) {
			const struct dhcp_lease *l = &track->leases[j];

			if (!l->cut && scene_is_guest_mac(s, l->client_mac) &&
			    scene_is_guest_ip(s, &l->ip))
				fact_set_bool(f, FIELD_LEASE_WITHOUT_ROUTER,
				              !l->has_router &&
				                      !l->has_static_routes);
		}
	}
}

/* What the guest does with the world beyond its link; without a prefix nobody
 * knows where that begins. */
static void set_guest(const struct reach *r, const struct in6_addr *ip,
                      struct fact *f)
{
	const struct scene *s = r->scene;
	const struct family *family = &r->families[!addr_is_v4(ip)];
	enum traffic_class resolves =
		addr_is_v4(ip) ? TRAFFIC_ARP : TRAFFIC_NDP;
	bool has_gateway = scene_gateway_for(s, ip) != NULL;
	bool has_prefix = addr_is_v4(ip) ? s->guest.prefix_bits > 0
	                                 : link_v6_holds(s, ip) >= 0;

	fact_set_number(f, FIELD_GUEST_NICS, (int64_t)s->guest.n_macs);
	if (family->sends_off_link || has_prefix)
		fact_set_bool(f, FIELD_SENDS_OFF_LINK, family->sends_off_link);
	if (has_gateway ||
	    (has_prefix && !defects_hide_class(s, CAPTURE_ROLE_VM, resolves)))
		fact_set_bool(f, FIELD_HAS_GATEWAY, has_gateway);
	if (family->off_link_answered > 0)
		fact_set_bool(f, FIELD_SILENT_OFF_LINK, false);
	else if (family->off_link_silent >= SILENT_MIN &&
	         family->on_link_answered > 0)
		fact_set_bool(f, FIELD_SILENT_OFF_LINK, true);
	if (!addr_is_v4(ip))
		return;
	fact_set_number(f, FIELD_UNUSED_ANSWERS, r->n_unused);
	set_lease(s, f);
}

void reach_describe(const struct reach *r, const struct flow_key *key,
                    struct fact *f)
{
	int on_link = scene_on_link(r->scene, &key->client);

	if (on_link >= 0)
		fact_set_bool(f, FIELD_CLIENT_ON_LINK, on_link);
	fact_set_bool(f, FIELD_REDIRECTED,
	              tally_get(&r->redirected, of_ip(&key->server)) > 0);
	set_guest(r, &key->server, f);
	nat_describe(r, key, f);
}

static void set_turns(const struct scene *s, const struct run *run,
                      struct fact *f)
{
	const struct try *most = NULL;

	for (size_t i = 0; i < run->n_chains; i++) {
		const struct chain *c = run->chains[i];

		for (uint32_t j = 0; j < c->n; j++) {
			const struct try *try =
				sighting_try(s, &s->sightings[c->first + j]);

			if (!most || try->turns > most->turns)
				most = try;
		}
	}
	fact_set_number(f, FIELD_TURNS, most ? most->turns : 0);
	if (!most || most->turns == 0)
		return;
	if (!mac_is_zero(most->src_mac))
		fact_set_mac(f, FIELD_TURNS_FROM, most->src_mac);
	if (most->has_dst_mac)
		fact_set_mac(f, FIELD_TURNS_TO, most->dst_mac);
}

/* Is this client the only one of which nothing gets through? */
static void set_source(const struct reach *r, const struct run *run,
                       struct fact *f)
{
	uint64_t client = of_ip(&run->key.client);
	uint32_t tried = tally_get(&r->tried, client);
	uint32_t lost = 0; /* of these, what gets through for others */

	if (run->role != TRY_ROLE_TO_GUEST || tried == 0)
		return;
	for (uint32_t p = 0; p <= PROTOCOL_DHCP; p++)
		if (r->others[p] > 0)
			lost |= tried & 1u << p;
	if (tally_get(&r->arrived, client) > 0) {
		fact_set_bool(f, FIELD_CLIENT_ALONE_LOST, false);
	} else if (lost) {
		fact_set_bool(f, FIELD_CLIENT_ALONE_LOST, true);
		fact_set_number(f, FIELD_CLIENT_PROTOCOLS_LOST,
		                __builtin_popcount(lost));
	}
	if (tally_get(&r->looked_for, client) > 0)
		fact_set_bool(f, FIELD_CLIENT_ROUTED_ELSEWHERE, true);
}

void reach_describe_run(const struct reach *r, struct scene *s,
                        const struct run *run, struct fact *f)
{
	next_hop_describe_run(r, s, run, f);
	set_turns(s, run, f);
	set_source(r, run, f);
	own_host_describe(r->sides, s, &run->key, f);
	strays_describe_run(r, s, run, f);
	nat_describe_run(r, s, run, f);
	relay_describe_run(r, s, run, f);
}
