/*
 * Facts about addresses on the guest's link: those that two MACs claim, and the
 * machine that answers ARP for others.
 */
#include <string.h>

#include "base/strbuf.h"
#include "correlate/run.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)

/* A takeover is announced while the old owner's last packets are on their way. */
#define TAKEOVER_NS (3 * S)

/* Turns of two owners in claiming an address: a takeover and its way back are
 * no more than this. */
#define RETURNS_MAX 2

/* So many facts of a kind say enough; what a stranger floods stays bounded. */
#define FACTS_MAX 64

/* One MAC that answers for so many is a proxy. */
#define PROXIED_MIN 3

/* Two owners of one address as one point sees them */
struct conflict {
	uint32_t point;
	const struct arp_binding *first;
	const struct arp_binding *second;
};

/* Virtual addresses move between routers: VRRP and CARP, HSRP 1 and 2, GLBP */
static bool is_virtual(struct mac mac)
{
	static const struct {
		uint8_t bytes[5];
		size_t n;
	} prefixes[] = {
		{ { 0x00, 0x00, 0x5e, 0x00, 0x01 }, 5 },
		{ { 0x00, 0x00, 0x5e, 0x00, 0x02 }, 5 },
		{ { 0x00, 0x00, 0x0c, 0x07, 0xac }, 5 },
		{ { 0x00, 0x00, 0x0c, 0x9f }, 4 },
		{ { 0x00, 0x07, 0xb4, 0x00 }, 4 },
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (memcmp(mac.bytes, prefixes[i].bytes, prefixes[i].n) == 0)
			return true;
	return false;
}

/* Addresses are the guest's business if they are its own, its gateway's, or of
 * somebody that it talks to. */
static bool matters(const struct scene *s, const struct in6_addr *ip)
{
	return scene_is_guest_ip(s, ip) || scene_is_gateway(s, ip) ||
	       neighbours_talked(s, ip);
}

/* Packets of its own that @b sends from its address */
static uint64_t originated(const struct scene *s, uint32_t point,
                           const struct arp_binding *b)
{
	const struct flow_table *t = &s->points[point].track.flows;
	uint64_t n = 0;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		uint64_t frames = 0;

		if (addr_equal(&f->key.client, &b->ip) &&
		    mac_equal(f->client_mac, b->mac))
			frames = f->sent;
		else if (addr_equal(&f->key.server, &b->ip) &&
		         mac_equal(f->server_mac, b->mac) &&
		         f->key.protocol != PROTOCOL_ARP)
			frames = f->received;
		n += frames;
	}
	return n;
}

static bool both_alive(const struct scene *s, const struct conflict *c)
{
	const struct arp_binding *a = c->first, *b = c->second;
	int64_t last_ns = 0;

	if (a->doubles + b->doubles > 0 ||
	    a->returns + b->returns > RETURNS_MAX)
		return true;
	/* Packets of an old owner come late, a connection's end for instance. */
	return point_last_spoke(&s->points[c->point], &a->ip, a->mac,
	                        &last_ns) &&
	       last_ns > b->first_ns + TAKEOVER_NS;
}

/* Two NICs of one machine answer for each other's addresses. */
static bool is_one_machine(const struct scene *s, const struct conflict *c)
{
	const struct claim_log *log = &s->points[c->point].track.claims;

	for (uint32_t i = 0; i < log->count; i++)
		if (mac_equal(log->bindings[i].mac, c->first->mac) &&
		    !addr_equal(&log->bindings[i].ip, &c->first->ip) &&
		    claim_log_get(log, &log->bindings[i].ip, c->second->mac))
			return true;
	return false;
}

/* Addresses that @mac answers for; *@answered one of them */
static int64_t answered_for(const struct scene *s, uint32_t point,
                            struct mac mac, const struct arp_binding **answered)
{
	const struct claim_log *log = &s->points[point].track.claims;
	int64_t n = 0;

	for (uint32_t i = 0; i < log->count; i++) {
		const struct arp_binding *b = &log->bindings[i];

		if (!mac_equal(b->mac, mac) || b->replies == 0 ||
		    b->unsolicited > 0)
			continue;
		n++;
		*answered = b;
	}
	return n;
}

static int64_t proxied(const struct scene *s, const struct conflict *c)
{
	const struct arp_binding *unused;
	int64_t first = answered_for(s, c->point, c->first->mac, &unused);
	int64_t second = answered_for(s, c->point, c->second->mac, &unused);

	return first > second ? first : second;
}

/* Frames with which @b claims its address */
static struct claim *claims_of(const struct scene *s, uint32_t point,
                               const struct arp_binding *b, int32_t *index)
{
	struct claim *c = point_claim(s, point, index);
	char mac[ADDR_TEXT_MAX], ip[ADDR_TEXT_MAX];

	claim_add_mac(c, CLAIM_ARP_SRC_MAC, b->mac);
	claim_add_ip(c, CLAIM_ARP_SRC_IP, &b->ip);
	c->what = text_format("ARP of %s for %s", mac_text(b->mac, mac),
	                      addr_text(&b->ip, ip));
	return c;
}

static void add_evidence(const struct scene *s, struct fact *f, uint32_t point,
                         const struct arp_binding *b)
{
	struct evidence e = { .leg = EVIDENCE_OTHER,
		              .at = s->points[point].role,
		              .control = -1,
		              .twin = -1,
		              .total = b->claims };

	claims_of(s, point, b, &e.claim);
	fact_add_evidence(f, &e);
}

/* Where the second owner sits: behind a point that is not the outermost one, it
 * is another guest of this host. */
static void set_place(const struct scene *s, struct fact *f, struct mac mac)
{
	bool inner = false, outer = false, any = false;

	for (uint32_t i = 0; i < s->n_path; i++) {
		const struct observation *o = &s->points[s->path[i]];
		const struct station *st =
			station_table_find(&o->track.stations, mac);

		any |= st != NULL;
		if (st && i + 1 == s->n_path)
			outer |= s->n_path == 1 || st->sent_out == 0;
		else if (st)
			inner = true;
	}
	if (any)
		fact_set_enum(f, FIELD_LOST_PLACE,
		              inner && !outer ? PLACE_HOST : PLACE_BEYOND_HOST);
}

static struct fact *add_fact(const struct scene *s, const struct in6_addr *ip)
{
	struct fact *f = facts_add(s->incident->facts, FACT_KIND_ADDRESS);

	fact_set_ip(f, FIELD_ADDRESS_IP, ip);
	fact_set_bool(f, FIELD_ADDRESS_IS_GUESTS, scene_is_guest_ip(s, ip));
	fact_set_bool(f, FIELD_ADDRESS_IS_GATEWAYS, scene_is_gateway(s, ip));
	/* Only a conflict about its own address concerns all of the guest. */
	if (scene_is_guest_ip(s, ip))
		fact_set_label(f, FIELD_LABEL_GUEST, &s->guest.macs[0],
		               sizeof(struct mac));
	fact_set_label(f, FIELD_LABEL_SEGMENT, &s->guest.macs[0],
	               sizeof(struct mac));
	fact_set_label(f, FIELD_LABEL_ADDRESS, ip, sizeof(*ip));
	fact_set_label(f, FIELD_LABEL_PEER, ip, sizeof(*ip));
	fact_set_label(f, FIELD_LABEL_NEXT_HOP, ip, sizeof(*ip));
	return f;
}

/* When it began: with the second one's announcement, if that is how we heard of
 * him first; else he may have been there all the time. */
static int64_t begin_ns(const struct conflict *c)
{
	const struct arp_binding *b = c->second;

	return b->unsolicited > 0 && b->unsolicited_first_ns == b->first_ns
	               ? b->first_ns
	               : c->first->first_ns;
}

/* What both claim, at every point */
static void add_all_evidence(const struct scene *s, struct fact *f,
                             const struct conflict *c)
{
	const struct in6_addr *ip = &c->first->ip;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct claim_log *log = &s->points[i].track.claims;
		const struct arp_binding *x =
			claim_log_get(log, ip, c->first->mac);
		const struct arp_binding *y =
			claim_log_get(log, ip, c->second->mac);

		if (x)
			add_evidence(s, f, i, x);
		if (y)
			add_evidence(s, f, i, y);
	}
}

static void set_unsolicited(const struct scene *s, struct fact *f,
                            uint32_t point, const struct arp_binding *b)
{
	int64_t span_ns = b->unsolicited_last_ns - b->unsolicited_first_ns;

	fact_set_number(f, FIELD_ADDRESS_UNSOLICITED, (int64_t)b->unsolicited);
	if (b->unsolicited > 1)
		fact_set_number(f, FIELD_ADDRESS_PERIOD,
		                span_ns / (int64_t)(b->unsolicited - 1));
	fact_set_bool(f, FIELD_ADDRESS_ORIGINATES, originated(s, point, b) > 0);
}

static void write_conflict(const struct scene *s, const struct conflict *c)
{
	const struct observation *o = &s->points[c->point];
	const struct arp_binding *a = c->first, *b = c->second;
	struct fact *f = add_fact(s, &a->ip);
	bool alive = both_alive(s, c);

	/* Where both go on, the one that nobody asks is the second. */
	if (alive && a->unsolicited > b->unsolicited) {
		a = c->second;
		b = c->first;
	}

	fact_set_mac(f, FIELD_ADDRESS_FIRST_MAC, a->mac);
	fact_set_mac(f, FIELD_ADDRESS_SECOND_MAC, b->mac);
	fact_set_bool(f, FIELD_ADDRESS_BOTH_ALIVE, alive);
	fact_set_number(f, FIELD_ADDRESS_DOUBLES,
	                (int64_t)(a->doubles + b->doubles));
	fact_set_number(f, FIELD_ADDRESS_REFUSED_PROBES,
	                (int64_t)(a->refused_probes + b->refused_probes));
	set_unsolicited(s, f, c->point, b);
	fact_set_bool(f, FIELD_ADDRESS_VIRTUAL_MAC,
	              is_virtual(a->mac) || is_virtual(b->mac));
	fact_set_bool(f, FIELD_ADDRESS_ONE_MACHINE, is_one_machine(s, c));
	fact_set_number(f, FIELD_ADDRESS_PROXIED, proxied(s, c));
	fact_set_number(f, FIELD_FIRST, scene_host_ns(s, o, begin_ns(c)));
	fact_set_number(f, FIELD_LAST,
	                scene_host_ns(s, o,
	                              a->last_ns > b->last_ns ? a->last_ns
	                                                      : b->last_ns));
	set_place(s, f, b->mac);
	add_all_evidence(s, f, c);
}

/* Two owners in different VLANs, or in one that is not the guest's, are two
 * addresses. */
static bool in_one_network(const struct scene *s, uint32_t point,
                           const struct arp_binding *a,
                           const struct arp_binding *b)
{
	const struct observation *o = &s->points[point];

	return !claim_log_other_network(a->vlan, b->vlan) &&
	       !scene_other_vlan(s, o, a->vlan) &&
	       !scene_other_vlan(s, o, b->vlan);
}

static bool has_two_owners(const struct scene *s, uint32_t point,
                           const struct in6_addr *ip)
{
	const struct claim_log *log = &s->points[point].track.claims;

	for (uint32_t i = claim_log_find(log, ip); i != CLAIM_LOG_NONE;
	     i = log->bindings[i].next)
		for (uint32_t j = log->bindings[i].next; j != CLAIM_LOG_NONE;
		     j = log->bindings[j].next)
			if (in_one_network(s, point, &log->bindings[i],
			                   &log->bindings[j]))
				return true;
	return false;
}

/* Has a point that is looked at before @point shown more than one owner? */
static bool is_known(const struct scene *s, uint32_t point,
                     const struct in6_addr *ip)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		bool earlier = o->role == s->points[point].role
		                       ? i < point
		                       : o->role == CAPTURE_ROLE_HOST;

		if (earlier && !o->hop && has_two_owners(s, i, ip))
			return true;
	}
	return false;
}

/* Points of the host come first: they see what is not for the guest, too. */
static uint32_t find_conflicts(const struct scene *s, uint32_t point,
                               uint32_t n)
{
	const struct claim_log *log = &s->points[point].track.claims;

	for (uint32_t i = 0; i < log->count && n < FACTS_MAX; i++) {
		struct conflict c = { .point = point,
			              .first = &log->bindings[i] };
		uint32_t at = claim_log_find(log, &c.first->ip);

		if (at != i || c.first->next == CLAIM_LOG_NONE ||
		    addr_is_link_local(&c.first->ip) ||
		    is_known(s, point, &c.first->ip) ||
		    !matters(s, &c.first->ip))
			continue;
		while (scene_other_vlan(s, &s->points[point], c.first->vlan) &&
		       c.first->next != CLAIM_LOG_NONE)
			c.first = &log->bindings[c.first->next];
		for (uint32_t j = c.first->next; j != CLAIM_LOG_NONE;
		     j = log->bindings[j].next) {
			c.second = &log->bindings[j];
			if (!in_one_network(s, point, c.first, c.second))
				continue;
			write_conflict(s, &c);
			n++;
		}
	}
	return n;
}

/* It forwards: the gateway, or it sends packets of many others. */
static bool is_router(const struct scene *s, uint32_t point, struct mac mac)
{
	const struct station *st =
		station_table_find(&s->points[point].track.stations, mac);

	for (size_t i = 0; i < s->guest.n_gateways; i++)
		if (s->guest.gateways[i].has_mac &&
		    mac_equal(s->guest.gateways[i].mac, mac))
			return true;
	return st && st->n_ips > 1 && st->n_ips >= st->n_claimed;
}

/* One MAC that answers the guest for many */
static bool find_proxy(const struct scene *s, uint32_t point)
{
	const struct claim_log *log = &s->points[point].track.claims;
	const struct station_table *t = &s->points[point].track.stations;
	const struct arp_binding *b = NULL;
	bool found = false;

	for (uint32_t i = 0; i < t->count; i++) {
		struct mac mac = t->stations[i].mac;
		int64_t n = 0;
		struct fact *f;

		if (t->stations[i].n_claimed < PROXIED_MIN ||
		    scene_is_guest_mac(s, mac) || !is_router(s, point, mac))
			continue;
		n = answered_for(s, point, mac, &b);
		if (n < PROXIED_MIN)
			continue;
		f = add_fact(s, &b->ip);
		fact_set_mac(f, FIELD_ADDRESS_FIRST_MAC, mac);
		fact_set_absent(f, FIELD_ADDRESS_SECOND_MAC);
		fact_set_number(f, FIELD_ADDRESS_PROXIED, n);
		for (uint32_t j = 0; j < log->count && f->n_evidence < 8; j++)
			if (mac_equal(log->bindings[j].mac, mac) &&
			    log->bindings[j].replies > 0)
				add_evidence(s, f, point, &log->bindings[j]);
		found = true;
	}
	return found;
}

void address_facts(struct scene *s)
{
	uint32_t n = 0;
	bool found = false;

	if (s->guest.n_macs == 0)
		return;
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_HOST && !s->points[i].hop)
			n = find_conflicts(s, i, n);
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			n = find_conflicts(s, i, n);
	for (uint32_t i = 0; i < s->n_points && !found; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			found = find_proxy(s, i);
}
