/*
 * The machine that the guest sends to what is not on its link: does it forward
 * anything, and is it the guest's host?
 */
#include "correlate/reach.h"

#define PREFIX_BITS_USUAL 24

/* The router that is not the guest's next hop, or NULL */
static const struct router *other_router(const struct reach *r, struct mac hop)
{
	for (uint32_t i = 0; i < r->n_routers; i++)
		if (!mac_equal(r->routers[i].mac, hop))
			return &r->routers[i];
	return NULL;
}

static void add_router(struct scene *s, const struct router *router,
                       struct fact *f)
{
	struct evidence e = {
		.leg = EVIDENCE_OTHER,
		.at = s->points[router->point].role,
		.control = -1,
		.twin = -1,
		.total = 1,
	};
	struct claim *c = point_claim(s, router->point, &e.claim);
	char mac[ADDR_TEXT_MAX];

	claim_add_mac(c, CLAIM_ETH_SRC, router->mac);
	claim_add_ip(c, CLAIM_IP_SRC, &router->source);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_format("what %s brings from beyond the link",
	                      mac_text(router->mac, mac));
	fact_add_evidence(f, &e);
}

/* Where the requests of the run go to, as any point on the link shows it */
static bool find_hop(const struct scene *s, const struct run *run,
                     struct mac *hop)
{
	for (size_t i = 0; i < run->n_chains; i++)
		for (uint32_t j = 0; j < run->chains[i]->n; j++) {
			const struct sighting *at =
				&s->sightings[run->chains[i]->first + j];

			if (!reach_is_near(s, &s->points[at->point]))
				continue;
			*hop = sighting_flow(s, at)->next_hop;
			if (!mac_is_zero(*hop))
				return true;
		}
	return false;
}

/* The address so many after that of the guest's link.  Who answers there tells only
 * how large the link is at least. */
static bool address_of_link(const struct scene *s, const struct in6_addr *guest,
                            uint32_t number, struct in6_addr *ip)
{
	uint32_t bits = PREFIX_BITS_USUAL, v4;

	if (s->guest.prefix_bits > 0 &&
	    (s->guest.prefix_from_dhcp || s->guest.prefix_bits < bits))
		bits = s->guest.prefix_bits;
	if (!addr_is_v4(guest) || bits > 29)
		return false;
	v4 = (addr_v4(guest) & (UINT32_MAX << (32 - bits))) + number;
	*ip = addr_from_v4((const uint8_t[]){
		(uint8_t)(v4 >> 24),
		(uint8_t)(v4 >> 16),
		(uint8_t)(v4 >> 8),
		(uint8_t)v4,
	});
	return !scene_is_guest_ip(s, ip);
}

/* Who has that address; zero: nobody that was seen */
static struct mac holder_of(const struct scene *s, const struct in6_addr *guest,
                            uint32_t number, struct in6_addr *ip)
{
	if (!address_of_link(s, guest, number, ip))
		return (struct mac){ 0 };
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;

		for (uint32_t j = 0;
		     reach_is_near(s, &s->points[i]) && j < t->count; j++)
			if (station_has_ip(&t->stations[j], ip))
				return t->stations[j].mac;
	}
	return (struct mac){ 0 };
}

/* Linux marks what the host itself sends as outgoing, at each of its interfaces. */
static bool comes_in(const struct scene *s, struct mac mac)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct station *st =
			station_table_find(&o->track.stations, mac);

		if (o->role == CAPTURE_ROLE_HOST && st && st->sent_in > 0 &&
		    (o->linktype == LINKTYPE_LINUX_SLL ||
		     o->linktype == LINKTYPE_LINUX_SLL2))
			return true;
	}
	return false;
}

/* Hosts take the first address of the networks that they make for guests, and some
 * engines of NAT beside them the second. */
static void set_host(const struct scene *s, const struct run *run,
                     struct mac hop, struct fact *f)
{
	const struct in6_addr *guest = &run->key.client;
	struct in6_addr first = { 0 }, second = { 0 };
	struct mac host = holder_of(s, guest, 1, &first);
	struct mac nat = holder_of(s, guest, 2, &second);

	if (mac_is_zero(host) || mac_equal(host, hop) || mac_equal(nat, hop))
		fact_set_absent(f, FIELD_USUAL_GATEWAY);
	else
		fact_set_ip(f, FIELD_USUAL_GATEWAY, &first);
	if (comes_in(s, hop))
		fact_set_bool(f, FIELD_NEXT_HOP_IS_HOST, false);
	else if (mac_equal(host, hop))
		fact_set_bool(f, FIELD_NEXT_HOP_IS_HOST, true);
}

/* Where the prefix does not tell: it goes to the gateway, and nobody said by ARP
 * that the server is there. */
static bool goes_by_gateway(const struct scene *s,
                            const struct in6_addr *server, struct mac hop)
{
	const struct gateway *gw = scene_gateway_for(s, server);

	if (!gw || !gw->has_ip || !gw->has_mac || !mac_equal(gw->mac, hop) ||
	    addr_equal(&gw->ip, server))
		return false;
	for (uint32_t i = 0; i < s->n_points; i++)
		if (claim_log_get(&s->points[i].track.claims, server, hop))
			return false;
	return true;
}

void next_hop_describe_run(const struct reach *r, struct scene *s,
                           const struct run *run, struct fact *f)
{
	int on_link = scene_on_link(s, &run->key.server);
	const struct router *other;
	struct mac hop;

	if (run->role != TRY_ROLE_FROM_GUEST || on_link == 1 ||
	    !addr_is_unicast(&run->key.server) || !find_hop(s, run, &hop) ||
	    (on_link < 0 && !goes_by_gateway(s, &run->key.server, hop)))
		return;
	fact_set_bool(f, FIELD_SERVER_ON_LINK, false);
	fact_set_mac(f, FIELD_NEXT_HOP_MAC, hop);
	other = other_router(r, hop);
	fact_set_bool(f, FIELD_NEXT_HOP_FORWARDS,
	              tally_get(&r->forwarders, reach_of_mac(hop)) > 0);
	fact_set_number(f, FIELD_NEXT_HOP_PEERS,
	                tally_get(&r->peers_of_hop, reach_of_mac(hop)));
	fact_set_bool(f, FIELD_ANOTHER_ROUTER, other != NULL);
	set_host(s, run, hop, f);
	if (other && tally_get(&r->forwarders, reach_of_mac(hop)) == 0)
		add_router(s, other, f);
}
