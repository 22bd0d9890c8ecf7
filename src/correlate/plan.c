/*
 * The guest's address plan: what is on its link, and who routes for it.
 */
#include "correlate/scene.h"

/* An ARP request so soon after a DNS answer is for the way to that answer. */
#define HINT_NS INT64_C(20000000)

/* So many claims of one MAC are not all for its own addresses. */
#define PROXY_CLAIMS 3

struct mac scene_next_hop(const struct scene *s, const struct flow *f)
{
	/* Cooked captures do not show it; who answers does. */
	if (!mac_is_zero(f->next_hop))
		return f->next_hop;
	if (!mac_is_zero(f->server_mac))
		return f->server_mac;
	if (scene_on_link(s, &f->key.server) == 0)
		for (size_t i = 0; i < s->guest.n_gateways; i++)
			if (s->guest.gateways[i].has_mac &&
			    gateway_serves(&s->guest.gateways[i],
			                   &f->key.server))
				return s->guest.gateways[i].mac;
	return f->next_hop;
}

const struct in6_addr *scene_outside_for(const struct scene *s,
                                         const struct in6_addr *ip)
{
	bool v6 = !addr_is_v4(ip);

	return s->guest.has_outside[v6] ? &s->guest.outside[v6] : NULL;
}

bool gateway_serves(const struct gateway *gw, const struct in6_addr *ip)
{
	return gw->is_v6 == !addr_is_v4(ip);
}

const struct gateway *scene_gateway_for(const struct scene *s,
                                        const struct in6_addr *ip)
{
	for (size_t i = 0; i < s->guest.n_gateways; i++)
		if (gateway_serves(&s->guest.gateways[i], ip))
			return &s->guest.gateways[i];
	return NULL;
}

bool scene_is_gateway(const struct scene *s, const struct in6_addr *ip)
{
	for (size_t i = 0; i < s->guest.n_gateways; i++)
		if (s->guest.gateways[i].has_ip &&
		    addr_equal(&s->guest.gateways[i].ip, ip))
			return true;
	return false;
}

static void add_gateway(struct guest *g, const struct gateway *gw)
{
	for (size_t i = 0; i < g->n_gateways; i++) {
		struct gateway *old = &g->gateways[i];
		bool same_ip = gw->has_ip && old->has_ip &&
		               addr_equal(&gw->ip, &old->ip);
		bool same_mac = gw->has_mac && old->has_mac &&
		                mac_equal(gw->mac, old->mac);

		if (gw->is_v6 != old->is_v6 || (!same_ip && !same_mac))
			continue;
		if (gw->has_ip && !old->has_ip)
			old->ip = gw->ip;
		if (gw->has_mac && !old->has_mac)
			old->mac = gw->mac;
		old->has_ip |= gw->has_ip;
		old->has_mac |= gw->has_mac;
		old->answers |= gw->answers;
		return;
	}
	if (g->n_gateways < sizeof(g->gateways) / sizeof(g->gateways[0]))
		g->gateways[g->n_gateways++] = *gw;
}

static unsigned int common_bits(uint32_t a, uint32_t b)
{
	return a == b ? 32 : (unsigned int)__builtin_clz(a ^ b);
}

/* Bits that @ip has in common with the nearest address of the guest, which has
 * one on each of its links; -1: it has none */
static int nearest_bits(const struct guest *g, uint32_t ip)
{
	int best = -1;

	for (size_t i = 0; i < g->n_ips; i++) {
		int bits;

		if (!addr_is_v4(&g->ips[i]) || addr_is_link_local(&g->ips[i]))
			continue;
		bits = (int)common_bits(addr_v4(&g->ips[i]), ip);
		best = bits > best ? bits : best;
	}
	return best;
}

/* Everybody whose broadcasts reach the guest, and everybody whose MAC it could
 * resolve, is on its link. */
static void plan_prefix(struct scene *s)
{
	struct guest *g = &s->guest;
	int bits = 32;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct flow_table *t = &o->track.flows;

		if (o->role != CAPTURE_ROLE_VM)
			continue;
		for (uint32_t j = 0; j < t->n_flows; j++) {
			const struct flow *f = &t->flows[j];
			uint32_t ip = addr_v4(&f->key.client);

			if (f->key.protocol != PROTOCOL_ARP)
				continue;
			if (scene_is_guest_ip(s, &f->key.client)) {
				if (f->n_answered == 0)
					continue;
				ip = addr_v4(&f->key.server);
			}
			if (nearest_bits(g, ip) < bits)
				bits = nearest_bits(g, ip);
		}
	}
	g->prefix_bits = bits > 0 && bits < 32 ? (unsigned int)bits : 0;
}

static void plan_from_leases(struct scene *s)
{
	struct guest *g = &s->guest;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct point *track = &s->points[i].track;

		for (size_t j = 0; j < track->n_leases; j++) {
			const struct dhcp_lease *l = &track->leases[j];

			if (!scene_is_guest_mac(s, l->client_mac) ||
			    !scene_is_guest_ip(s, &l->ip))
				continue;
			if (l->prefix_bits > 0) {
				g->prefix_bits = l->prefix_bits;
				g->prefix_from_dhcp = true;
			}
			if (l->has_router)
				add_gateway(
					g, &(struct gateway){ .ip = l->router,
				                              .has_ip = true });
		}
	}
}

static bool is_usual_gateway(const struct in6_addr *ip)
{
	uint8_t last = ip->s6_addr[15];

	return last == 1 || last == 2 || last == 254;
}

/* Who claims so many answers for others (RFC 1027): which address is its own? */
static bool is_own_claim(const struct station *st, const struct in6_addr *ip)
{
	return st->n_claimed < PROXY_CLAIMS || !addr_is_v4(ip) ||
	       is_usual_gateway(ip);
}

/* An address of the same family as @of that @mac claims */
static bool claimed_anywhere(const struct scene *s, struct mac mac,
                             const struct in6_addr *of, struct in6_addr *ip)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station *st =
			station_table_find(&s->points[i].track.stations, mac);

		if (!st)
			continue;
		for (uint8_t j = 0; j < st->n_claimed; j++) {
			if (addr_is_link_local(&st->claimed[j]) ||
			    addr_is_v4(&st->claimed[j]) != addr_is_v4(of) ||
			    !is_own_claim(st, &st->claimed[j]))
				continue;
			*ip = st->claimed[j];
			return true;
		}
	}
	return false;
}

/* It speaks for several addresses: a router, not a host with IPv6 beside IPv4 */
static bool forwards(const struct station *st)
{
	uint8_t n = 0;

	for (uint8_t i = 0; i < st->n_ips; i++)
		if (addr_is_v4(&st->ips[i]) && !addr_is_link_local(&st->ips[i]))
			n++;
	return n >= 2;
}

/* Does what takes packets of @f bring them to somebody else? */
static bool is_taker(const struct scene *s, const struct observation *o,
                     const struct flow *f, const struct gateway *gw)
{
	const struct in6_addr *server = &f->key.server;
	const struct station *st =
		station_table_find(&o->track.stations, gw->mac);

	/* One machine has many IPv6 addresses: where they are must tell. */
	if (!addr_is_v4(server) && scene_on_link(s, server) != 0)
		return false;
	if (gw->has_ip)
		return !addr_equal(&gw->ip, server);
	return !addr_is_v4(server) || (st && forwards(st));
}

/* A MAC that takes packets for an address that is not its own forwards. */
static void plan_from_use(struct scene *s, const struct observation *o)
{
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		struct gateway gw = { .mac = scene_next_hop(s, f),
			              .has_mac = true,
			              .is_v6 = !addr_is_v4(&f->key.server) };

		if (f->key.protocol == PROTOCOL_ARP ||
		    f->key.protocol == PROTOCOL_NDP ||
		    !scene_is_guest_ip(s, &f->key.client) ||
		    mac_is_zero(gw.mac) || mac_is_group(gw.mac) ||
		    addr_is_link_local(&f->key.server))
			continue;
		gw.has_ip = claimed_anywhere(s, gw.mac, &f->key.server, &gw.ip);
		if (!is_taker(s, o, f, &gw))
			continue;
		gw.answers = f->received > 0;
		add_gateway(&s->guest, &gw);
	}
}

/* Addresses of the guest's link that go with one MAC: the first, and whether
 * there are others */
struct near_ips {
	struct in6_addr ip;
	uint32_t n;
};

bool scene_is_near(const struct scene *s, const struct in6_addr *ip)
{
	int on_link = scene_on_link(s, ip);

	if (!addr_is_v4(ip) || on_link >= 0)
		return addr_is_v4(ip) && on_link == 1;
	for (size_t i = 0; i < s->guest.n_ips; i++)
		if (addr_is_v4(&s->guest.ips[i]) &&
		    addr_v4(&s->guest.ips[i]) >> 8 == addr_v4(ip) >> 8)
			return true;
	return false;
}

static void note_near(const struct scene *s, const struct in6_addr *ip,
                      struct near_ips *near)
{
	if (!scene_is_near(s, ip) || scene_is_guest_ip(s, ip) ||
	    (near->n > 0 && addr_equal(ip, &near->ip)))
		return;
	near->ip = *ip;
	near->n++;
}

/* Routers pass packets of others on, and speak and are spoken to with their own
 * address. */
static bool only_near_ip(const struct scene *s, struct mac mac,
                         struct in6_addr *ip)
{
	struct near_ips near = { .n = 0 };

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct flow_table *t = &o->track.flows;
		const struct station *st =
			station_table_find(&o->track.stations, mac);

		for (uint8_t j = 0; st && !o->hop && j < st->n_ips; j++)
			note_near(s, &st->ips[j], &near);
		for (uint32_t j = 0; !o->hop && j < t->n_flows; j++)
			if (scene_is_guest_ip(s, &t->flows[j].key.client) &&
			    mac_equal(t->flows[j].next_hop, mac))
				note_near(s, &t->flows[j].key.server, &near);
	}
	*ip = near.ip;
	return near.n == 1;
}

/* Nobody asked for its MAC while the captures ran: what does it send itself? */
static void plan_addresses(struct scene *s)
{
	for (size_t i = 0; i < s->guest.n_gateways; i++) {
		struct gateway *gw = &s->guest.gateways[i];

		if (!gw->is_v6 && gw->has_mac && !gw->has_ip)
			gw->has_ip = only_near_ip(s, gw->mac, &gw->ip);
	}
}

static uint32_t askers_of(const struct scene *s, const struct in6_addr *ip)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct flow_table *t = &s->points[i].track.flows;
		uint32_t n = 0;

		for (uint32_t j = 0; j < t->n_flows; j++)
			if (t->flows[j].key.protocol == PROTOCOL_ARP &&
			    addr_equal(&t->flows[j].key.server, ip))
				n++;
		if (n > most)
			most = n;
	}
	return most;
}

/* Requests for @target right after a DNS answer that is not on the link */
static uint32_t hints_for(const struct scene *s, const struct observation *o,
                          const struct flow *f)
{
	uint32_t hints = 0;

	for (uint32_t i = f->newest; i != FLOW_NONE;
	     i = o->track.flows.tries[i].older) {
		int64_t ts_ns = o->track.flows.tries[i].ts_ns;

		for (size_t j = 0; j < o->track.n_dns_hints; j++) {
			const struct dns_hint *h = &o->track.dns_hints[j];

			if (h->ts_ns <= ts_ns && ts_ns - h->ts_ns < HINT_NS &&
			    scene_is_guest_ip(s, &h->asker) &&
			    scene_on_link(s, &h->address) != 1) {
				hints++;
				break;
			}
		}
	}
	return hints;
}

/* A port that only hears the broadcast lacks the answer. */
static bool is_answered(const struct scene *s, const struct flow_key *key)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct flow_table *t = &s->points[i].track.flows;
		uint32_t flow = flow_table_find(t, key);

		if (flow != FLOW_NONE && t->flows[flow].n_answered > 0)
			return true;
	}
	return false;
}

/* A dead gateway forwards nothing: look at when the guest asks for it. */
static void plan_from_arp(struct scene *s, const struct observation *o)
{
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		unsigned int weight;

		if (f->key.protocol != PROTOCOL_ARP ||
		    !scene_is_guest_ip(s, &f->key.client) ||
		    is_answered(s, &f->key))
			continue;
		weight = hints_for(s, o, f);
		if (is_usual_gateway(&f->key.server))
			weight++;
		if (askers_of(s, &f->key.server) >= 3)
			weight++;
		if (weight >= 2)
			add_gateway(&s->guest,
			            &(struct gateway){ .ip = f->key.server,
			                               .has_ip = true });
	}
}

/* One length is assumed for all links of the guest. */
int scene_on_link(const struct scene *s, const struct in6_addr *ip)
{
	const struct guest *g = &s->guest;
	int bits;

	if (addr_is_link_local(ip))
		return 1;
	if (!addr_is_v4(ip))
		return link_v6_holds(s, ip);
	bits = nearest_bits(g, addr_v4(ip));
	if (bits < 0)
		return -1;
	if (g->prefix_from_dhcp)
		return bits >= (int)g->prefix_bits;
	if (g->prefix_bits > 0 && bits >= (int)g->prefix_bits)
		return 1;
	/* Seldom is a link larger than a /16. */
	return bits < 16 ? 0 : -1;
}

/* A gateway answers if its address answers anything, ARP included. */
static void note_answers(struct scene *s, const struct observation *o)
{
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];

		for (size_t j = 0; f->received > 0 && j < s->guest.n_gateways;
		     j++) {
			struct gateway *gw = &s->guest.gateways[j];

			if (gw->has_ip && addr_equal(&gw->ip, &f->key.server) &&
			    scene_is_guest_ip(s, &f->key.client))
				gw->answers = true;
		}
	}
}

/* Routers that offer themselves as the default */
static void plan_from_adverts(struct scene *s, const struct observation *o)
{
	for (size_t i = 0; i < o->track.n_adverts; i++) {
		const struct router_advert *a = &o->track.adverts[i];
		struct gateway gw = { .ip = a->from,
			              .mac = a->from_mac,
			              .has_ip = true,
			              .has_mac = !mac_is_zero(a->from_mac),
			              .is_v6 = true };

		if (a->lifetime_s > 0 && addr_is_link_local(&a->from) &&
		    !scene_is_guest_ip(s, &a->from))
			add_gateway(&s->guest, &gw);
	}
}

static bool lacks_v4_gateway(const struct guest *g)
{
	for (size_t i = 0; i < g->n_gateways; i++)
		if (!g->gateways[i].is_v6)
			return false;
	return true;
}

void guest_plan(struct scene *s)
{
	plan_prefix(s);
	plan_from_leases(s);
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			plan_from_use(s, &s->points[i]);
	/* The guest's capture may have a filter: the host's shows more. */
	for (uint32_t i = 0; i < s->n_points && lacks_v4_gateway(&s->guest);
	     i++)
		if (s->points[i].on_path && !s->points[i].hop &&
		    !s->points[i].relayed)
			plan_from_use(s, &s->points[i]);
	plan_addresses(s);
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			plan_from_adverts(s, &s->points[i]);
	for (uint32_t i = 0; i < s->n_points && lacks_v4_gateway(&s->guest);
	     i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			plan_from_arp(s, &s->points[i]);
	for (uint32_t i = 0; i < s->n_points && lacks_v4_gateway(&s->guest);
	     i++)
		plan_from_arp(s, &s->points[i]);
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			note_answers(s, &s->points[i]);
}
