/*
 * Who the guest is.
 */
#include "correlate/scene.h"

/* In a guest's own capture its MAC is on every unicast frame, but for flooding
 * now and then. */
#define OWN_SHARE_PERCENT 95

/* So few frames may be one exchange. */
#define UNSURE_MAX 4

/* Where more is flooded it still has most of them. */
#define FLOODED_SHARE_PERCENT 50

/* So few unicast frames may all be flooded */
#define FLOODED_MAX 10

/* Linux gives the tap of a guest its MAC with this in front. */
#define TAP_FIRST_BYTE 0xfe

bool scene_is_guest_ip(const struct scene *s, const struct in6_addr *ip)
{
	for (size_t i = 0; i < s->guest.n_ips; i++)
		if (addr_equal(&s->guest.ips[i], ip))
			return true;
	return false;
}

bool scene_is_guest_mac(const struct scene *s, struct mac mac)
{
	for (size_t i = 0; i < s->guest.n_macs; i++)
		if (mac_equal(s->guest.macs[i], mac))
			return true;
	return false;
}

bool scene_is_outside(const struct scene *s, const struct in6_addr *ip)
{
	const struct in6_addr *outside = scene_outside_for(s, ip);

	return outside && addr_equal(outside, ip);
}

bool scene_is_guest_end(const struct scene *s, const struct in6_addr *ip)
{
	return scene_is_guest_ip(s, ip) || scene_is_outside(s, ip);
}

static uint64_t frames_of(const struct station_table *t)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < t->count; i++)
		n += t->stations[i].sent + t->stations[i].sent_group;
	return n;
}

/* The tap of a guest that is here too */
static bool is_tap(const struct station_table *t, const struct station *st)
{
	for (uint32_t i = 0; i < t->count; i++) {
		struct mac tap = t->stations[i].mac;

		tap.bytes[0] = TAP_FIRST_BYTE;
		if (!mac_equal(t->stations[i].mac, st->mac) &&
		    mac_equal(tap, st->mac))
			return true;
	}
	return false;
}

static bool is_own(const struct station_table *t, const struct station *st,
                   unsigned int share_percent)
{
	/* Nobody got or sent a packet of his own: who fills the capture asks. */
	if (t->unicast == 0)
		return st->sent_group * 2 > frames_of(t);
	/* The loopback interface; who is never a guest */
	if (mac_is_zero(st->mac) || station_is_slirp(st) || is_tap(t, st))
		return false;
	/* Cooked captures do not say who received; the direction does. */
	if (st->sent_out > 0)
		return true;
	if (st->sent_in > 0)
		return false;
	return (st->sent + st->received) * 100 >= t->unicast * share_percent;
}

static uint32_t tries_of(const struct flow_table *t, const struct station *st)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_flows; i++)
		if (station_has_ip(st, &t->flows[i].key.client))
			n += t->flows[i].n_tries;
	return n;
}

/* Addresses that it speaks for, beside those that everybody has */
static uint32_t spoken(const struct station *st)
{
	uint32_t n = 0;

	for (uint8_t i = 0; i < st->n_ips; i++)
		n += !addr_is_link_local(&st->ips[i]) &&
		     !addr_is_zero(&st->ips[i]);
	return n > 0 ? n : st->n_claimed;
}

static bool is_one_way_unicast(const struct flow *f)
{
	return f->key.protocol != PROTOCOL_ARP && addr_is_v4(&f->key.server) &&
	       addr_is_unicast(&f->key.server) &&
	       (f->sent == 0 || f->received == 0);
}

/* The one address that all packets go to that others than @mute send; NULL */
static const struct in6_addr *only_target(const struct flow_table *t,
                                          const struct station *mute)
{
	const struct in6_addr *to = NULL;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		const struct in6_addr *end =
			f->sent > 0 ? &f->key.server : &f->key.client;

		if (!is_one_way_unicast(f) ||
		    (!mac_is_zero(f->next_hop) &&
		     !mac_equal(f->next_hop, mute->mac)))
			continue;
		if (to && !addr_equal(to, end))
			return NULL;
		to = end;
	}
	return to;
}

/* @mute only receives, all at one address, what @speaker sends for several: a
 * capture of what goes to a guest. */
static bool is_receiver(const struct flow_table *t, const struct station *mute,
                        const struct station *speaker)
{
	const struct in6_addr *to;

	if (mute->n_ips > 0 || speaker->n_ips < 2)
		return false;
	to = only_target(t, mute);
	return to && !station_has_ip(speaker, to);
}

/* A gateway ties with the guest: it speaks for more addresses, and asks less.
 * But whoever is on all frames is on those that the other is not on. */
static bool is_likelier(const struct point *point, const struct station *a,
                        const struct station *b)
{
	const struct flow_table *t = &point->flows;
	uint64_t all = point->stations.unicast;
	uint64_t of_a = a->sent + a->received, of_b = b->sent + b->received;

	if (a->sent_out > 0 && b->sent_out > 0)
		return a->sent_out > b->sent_out;
	if (of_a >= all && of_b + FLOODED_MAX < all)
		return true;
	if (of_b >= all && of_a + FLOODED_MAX < all)
		return false;
	if (is_receiver(t, a, b) != is_receiver(t, b, a))
		return is_receiver(t, a, b);
	if (of_a * 10 > of_b * 11 || of_b * 10 > of_a * 11)
		return of_a > of_b;
	if (a->many_ips != b->many_ips)
		return !a->many_ips;
	if (spoken(a) != spoken(b) && spoken(a) > 0 && spoken(b) > 0)
		return spoken(a) < spoken(b);
	return tries_of(t, a) > tries_of(t, b);
}

/* A tap speaks to its guest alone. */
static bool has_tap(const struct station_table *t, const struct station *st)
{
	struct mac tap = st->mac;

	tap.bytes[0] = TAP_FIRST_BYTE;
	return st->mac.bytes[0] != TAP_FIRST_BYTE &&
	       station_table_find(t, tap) != NULL;
}

static bool asks_lease(const struct station_table *t, const struct station *st)
{
	(void)t;
	return st->asks_lease;
}

/* The only station of which @is is true, or NULL */
static const struct station *only_station(const struct station_table *t,
                                          bool is(const struct station_table *,
                                                  const struct station *))
{
	const struct station *only = NULL;

	for (uint32_t i = 0; i < t->count; i++) {
		if (!is(t, &t->stations[i]))
			continue;
		if (only)
			return NULL;
		only = &t->stations[i];
	}
	return only;
}

/* A guest that nobody answers may not have got one unicast frame. */
static const struct station *unheard_station(const struct station_table *t)
{
	const struct station *st = NULL;

	if (t->unicast < FLOODED_MAX)
		st = only_station(t, has_tap);
	if (!st && t->unicast == 0)
		st = only_station(t, asks_lease);
	return st;
}

static const struct station *own_station(const struct scene *s,
                                         const struct point *point,
                                         unsigned int share_percent)
{
	const struct station_table *t = &point->stations;
	const struct station *best = unheard_station(t);

	if (best)
		return best;
	for (uint32_t i = 0; i < t->count; i++) {
		const struct station *st = &t->stations[i];

		if (mac_equal(st->mac, s->peer) ||
		    !is_own(t, st, share_percent))
			continue;
		if (!best || is_likelier(point, st, best))
			best = st;
	}
	return best;
}

bool guest_fills(const struct scene *s, enum capture_role role)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == role &&
		    s->points[i].track.stations.unicast > 0 &&
		    !own_station(s, &s->points[i].track, OWN_SHARE_PERCENT))
			return false;
	return true;
}

static void add_ip(struct guest *g, const struct in6_addr *ip)
{
	for (size_t i = 0; i < g->n_ips; i++)
		if (addr_equal(&g->ips[i], ip))
			return;
	if (g->n_ips < GUEST_IPS_MAX)
		g->ips[g->n_ips++] = *ip;
}

static void add_station(struct guest *g, const struct station *st)
{
	for (size_t i = 0; i < g->n_macs; i++)
		if (mac_equal(g->macs[i], st->mac))
			return;
	if (g->n_macs == GUEST_MACS_MAX)
		return;
	g->macs[g->n_macs++] = st->mac;
	/* What it claimed first: a MAC that forwards has foreign sources. */
	for (uint8_t i = 0; i < st->n_claimed; i++)
		add_ip(g, &st->claimed[i]);
	for (uint8_t i = 0; i < st->n_ips; i++)
		if (!st->many_ips || addr_is_link_local(&st->ips[i]))
			add_ip(g, &st->ips[i]);
}

/* Who sends nothing at all here has the address that it gets packets at. */
static void add_own(struct guest *g, const struct flow_table *t,
                    const struct station *own)
{
	const struct in6_addr *to = NULL;

	add_station(g, own);
	if (own->n_ips + own->n_claimed == 0)
		to = only_target(t, own);
	if (to)
		add_ip(g, to);
}

/* Without link addresses: the address on nearly all packets, rather the one
 * that asks. */
static void find_by_ip(struct guest *g, const struct point *point)
{
	const struct flow_table *t = &point->flows;
	const struct in6_addr *best = NULL;
	uint64_t best_count = 0;

	for (uint32_t i = 0; i < t->n_flows && i < 1024; i++) {
		const struct in6_addr *ip = &t->flows[i].key.client;
		uint64_t count = 0;

		for (uint32_t j = 0; j < t->n_flows && j < 1024; j++) {
			const struct flow_key *k = &t->flows[j].key;

			if (addr_equal(&k->client, ip))
				count += 3;
			else if (addr_equal(&k->server, ip))
				count += 2;
		}
		if (count > best_count) {
			best = ip;
			best_count = count;
		}
	}
	if (best)
		add_ip(g, best);
}

static bool is_hinted(const struct hints *h, const struct station *st)
{
	if (h->has_guest_mac && mac_equal(st->mac, h->guest_mac))
		return true;
	return h->has_guest_ip && station_has_ip(st, &h->guest_ip);
}

/* What the user says of the guest, with what the guest's captures add to it */
static void find_hinted(struct scene *s)
{
	const struct hints *h = s->hints;
	struct guest *g = &s->guest;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;

		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		for (uint32_t j = 0; j < t->count; j++)
			if (is_hinted(h, &t->stations[j]))
				add_station(g, &t->stations[j]);
	}
	if (h->has_guest_ip)
		add_ip(g, &h->guest_ip);
	if (h->has_guest_mac && g->n_macs == 0)
		g->macs[g->n_macs++] = h->guest_mac;
}

/* One exchange of two machines, and nothing tells which of them is the guest */
static bool is_either(const struct scene *s, const struct observation *o,
                      const struct station *own, unsigned int share_percent)
{
	const struct station_table *t = &o->track.stations;

	for (uint32_t i = 0; i < t->count; i++)
		if (&t->stations[i] != own && mac_is_zero(s->peer) &&
		    t->unicast > 0 && t->unicast < UNSURE_MAX &&
		    is_own(t, &t->stations[i], share_percent))
			return true;
	return false;
}

static void find_own(struct scene *s, unsigned int share_percent)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct station *own;

		if (o->role != CAPTURE_ROLE_VM)
			continue;
		own = own_station(s, &o->track, share_percent);
		if (own) {
			s->guest.unsure |= is_either(s, o, own, share_percent);
			add_own(&s->guest, &o->track.flows, own);
		} else if (o->track.stations.count == 0)
			find_by_ip(&s->guest, &o->track);
	}
}

void guest_find_sure(struct scene *s)
{
	s->guest = (struct guest){ .mode = NETWORK_MODE_UNKNOWN };
	if (s->hints->has_guest_ip || s->hints->has_guest_mac)
		find_hinted(s);
	else
		find_own(s, OWN_SHARE_PERCENT);
}

void guest_find(struct scene *s)
{
	guest_find_sure(s);
	if (s->guest.n_macs == 0 && s->guest.n_ips == 0)
		find_own(s, FLOODED_SHARE_PERCENT);
}
