/*
 * What shows that a point could have seen what it lacks.
 */
#include "correlate/evidence_control.h"

#define S INT64_C(1000000000)

/* What happened this long before and after bears on an absence. */
#define AROUND_NS (60 * S)

/* A time that covers the whole capture need not be said. */
static void add_around(const struct scene *s, const struct observation *o,
                       struct claim *c, int64_t from_ns, int64_t to_ns)
{
	const struct incident_capture *ic = &s->incident->captures[o->capture];

	if (from_ns > ic->first_ns || to_ns < ic->last_ns)
		scene_claim_time(s, o, c, from_ns, to_ns);
}

/* The guest's first address of the family of @ip */
static const struct in6_addr *guest_ip_for(const struct scene *s,
                                           const struct in6_addr *ip)
{
	for (size_t i = 0; i < s->guest.n_ips; i++)
		if (addr_is_v4(&s->guest.ips[i]) == addr_is_v4(ip))
			return &s->guest.ips[i];
	return &s->guest.ips[0];
}

/* The guest's address as @point shows it */
static const struct in6_addr *guest_address(const struct absence *a)
{
	const struct scene *s = a->scene;
	const struct observation *o = &s->points[a->point];
	const struct in6_addr *outside =
		scene_outside_for(s, &a->run->key.server);

	if (outside &&
	    (o->translated || (a->run->role == TRY_ROLE_TO_HOST && o->hop)))
		return outside;
	if (a->run->role == TRY_ROLE_TO_HOST)
		return guest_ip_for(s, &a->run->key.server);
	return a->run->role == TRY_ROLE_FROM_GUEST ? &a->run->key.client
	                                           : &a->run->key.server;
}

/* Has any IPv4 of the guest passed here? */
static bool crossed_v4(const struct absence *a)
{
	static const enum traffic_class classes[] = { TRAFFIC_ICMP, TRAFFIC_TCP,
		                                      TRAFFIC_DNS,
		                                      TRAFFIC_UDP };

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (visibility_crossed(a->visibility, a->point, a->direction,
		                       classes[i]))
			return true;
	return false;
}

/* Of the same class, if any of it is known to have passed, else all of it. */
int32_t control_add(const struct absence *a)
{
	struct scene *s = a->scene;
	const struct observation *o = &s->points[a->point];
	enum protocol protocol = (enum protocol)a->run->key.protocol;
	bool from = a->direction == PATH_DIRECTION_FROM_GUEST;
	bool same_class =
		visibility_crossed(a->visibility, a->point, a->direction,
	                           traffic_class_of_protocol(protocol));
	const struct in6_addr *guest = guest_address(a);
	const char *what = from ? "traffic from the guest meanwhile"
	                        : "traffic to the guest meanwhile";
	const struct chain *first = a->run->chains[0];
	const struct chain *last = a->run->chains[a->run->n_chains - 1];
	int32_t index;
	struct claim *c = point_claim(s, a->point, &index);

	if (!visibility_crossed_any(a->visibility, a->point, a->direction) &&
	    s->guest.n_macs > 0) {
		/* Nothing of the guest at all: that others are seen must do. */
		claim_add_mac(c, CLAIM_ETH_SRC, s->guest.macs[0]);
		claim_negate_last(c);
		what = "frames of others meanwhile";
	} else if (s->guest.n_macs > 0 &&
	           ((same_class && protocol == PROTOCOL_ARP) ||
	            (addr_is_v4(guest) && !crossed_v4(a)))) {
		if (from)
			claim_add_mac(c, CLAIM_ARP_SRC_MAC, s->guest.macs[0]);
		else
			claim_add_ip(c, CLAIM_ARP_DST_IP, guest);
		what = from ? "other ARP of the guest meanwhile"
		            : "other ARP for the guest meanwhile";
	} else {
		claim_add_ip(c, from ? CLAIM_IP_SRC : CLAIM_IP_DST, guest);
		if (same_class && protocol == PROTOCOL_ICMP)
			claim_add_number(c, CLAIM_IP_PROTO,
			                 addr_is_v4(guest) ? IP_PROTO_ICMP
			                                   : IP_PROTO_ICMPV6);
		if (same_class && protocol == PROTOCOL_TCP)
			claim_add_number(c, CLAIM_IP_PROTO, IP_PROTO_TCP);
		if (same_class && protocol == PROTOCOL_DNS)
			claim_add_number(c, CLAIM_IP_PROTO, IP_PROTO_UDP);
		claim_add_flag(c, CLAIM_NOT_QUOTED);
	}
	add_around(s, o, c, scene_point_ns(s, o, first->host_ns) - AROUND_NS,
	           scene_point_ns(s, o, last->host_ns) + AROUND_NS);
	c->what = text_copy(what);
	return index;
}

/* Is anybody but the guest seen at this point? */
static bool others_seen(const struct scene *s, uint32_t point)
{
	const struct station_table *t = &s->points[point].track.stations;

	for (uint32_t i = 0; i < t->count; i++)
		if (t->stations[i].sent + t->stations[i].sent_group > 0 &&
		    !scene_is_guest_mac(s, t->stations[i].mac))
			return true;
	return t->count == 0;
}

/* Is @ip seen at this point, but for ARP? */
static bool address_seen(const struct observation *o, const struct in6_addr *ip)
{
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow_key *k = &t->flows[i].key;

		if (k->protocol != PROTOCOL_ARP &&
		    (addr_equal(&k->client, ip) || addr_equal(&k->server, ip)))
			return true;
	}
	return false;
}

/* An absence counts only where the point shows that it could have seen it; what
 * goes by one NIC of the guest is not missing on the way of another. */
bool control_is_possible(const struct absence *a)
{
	const struct observation *o = &a->scene->points[a->point];

	if (a->scene->guest.n_macs > 1 &&
	    a->run->key.protocol != PROTOCOL_ARP &&
	    !address_seen(o, guest_address(a)))
		return false;
	return visibility_crossed_any(a->visibility, a->point, a->direction) ||
	       others_seen(a->scene, a->point);
}
