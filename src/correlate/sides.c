/*
 * The older cooked format does not say which interface of "any" a packet was seen
 * at, so one point shows it on its way into the host and out of it again.  Whose
 * packet it is and its direction tell the side of the host: that makes two points.
 */
#include "correlate/scene.h"

#define LINKTYPE_LINUX_SLL 113
#define ARP_REQUEST 1

static bool is_from_guest(const struct scene *s, const struct packet *p)
{
	if (p->has_eth_src && scene_is_guest_mac(s, p->eth_src))
		return true;
	if (p->kind == PACKET_KIND_ARP)
		return scene_is_guest_ip(s, &p->arp.sender_ip);
	return p->ip_version != 0 && scene_is_guest_ip(s, &p->src);
}

/* To the guest, or to everybody */
static bool is_for_guest(const struct scene *s, const struct packet *p)
{
	if (p->kind == PACKET_KIND_ARP)
		return p->arp.op == ARP_REQUEST ||
		       scene_is_guest_ip(s, &p->arp.target_ip);
	return p->ip_version != 0 &&
	       (scene_is_guest_ip(s, &p->dst) || !addr_is_unicast(&p->dst));
}

enum side side_of(const struct scene *s, uint32_t capture,
                  const struct packet *p)
{
	bool out = p->direction == FRAME_DIRECTION_OUT;
	bool near;

	if (!(s->two_sided & UINT64_C(1) << capture) || p->ifindex >= 0)
		return SIDE_BOTH;
	near = out ? !is_from_guest(s, p) && is_for_guest(s, p)
	           : is_from_guest(s, p);
	return near ? SIDE_GUEST : SIDE_FAR;
}

/* Does the point show packets of the guest that come in, and any that go out? */
static bool shows_both(const struct scene *s, const struct observation *o)
{
	const struct station_table *t = &o->track.stations;
	bool in = false, out = false;

	for (uint32_t i = 0; i < t->count; i++) {
		in |= scene_is_guest_mac(s, t->stations[i].mac) &&
		      t->stations[i].sent_in > 0;
		out |= t->stations[i].sent_out > 0;
	}
	return in && out;
}

void sides_split(struct scene *s)
{
	uint64_t found = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		if (o->role == CAPTURE_ROLE_HOST &&
		    o->linktype == LINKTYPE_LINUX_SLL && o->ifindex < 0 &&
		    o->capture < 64 && shows_both(s, o))
			found |= UINT64_C(1) << o->capture;
	}
	s->two_sided = found;
	for (uint32_t i = 0; i < s->n_captures && i < 64; i++)
		if (found & UINT64_C(1) << i)
			survey_again(s, i);
}

static bool is_guests(const struct scene *s, const struct claim_term *t)
{
	if (t->field == CLAIM_ETH_SRC || t->field == CLAIM_ETH_DST ||
	    t->field == CLAIM_ARP_SRC_MAC || t->field == CLAIM_ARP_DST_MAC)
		return scene_is_guest_mac(s, t->values[0].mac);
	if (t->field == CLAIM_IP_SRC || t->field == CLAIM_IP_DST ||
	    t->field == CLAIM_ARP_SRC_IP || t->field == CLAIM_ARP_DST_IP)
		return scene_is_guest_ip(s, &t->values[0].ip) ||
		       scene_is_outside(s, &t->values[0].ip);
	return false;
}

/* Which way do the packets go that the claim is about? */
static bool direction_of(const struct scene *s, const struct claim *c,
                         enum path_direction *direction)
{
	for (size_t i = 0; i < c->n_terms; i++) {
		const struct claim_term *t = &c->terms[i];

		if (t->negated || t->n == 0 || !is_guests(s, t))
			continue;
		*direction = t->field == CLAIM_ETH_SRC ||
		                             t->field == CLAIM_IP_SRC ||
		                             t->field == CLAIM_ARP_SRC_MAC ||
		                             t->field == CLAIM_ARP_SRC_IP
		                     ? PATH_DIRECTION_FROM_GUEST
		                     : PATH_DIRECTION_TO_GUEST;
		return true;
	}
	return false;
}

void sides_limit_claims(struct scene *s)
{
	for (size_t i = 0; i < s->incident->n_claims; i++) {
		struct claim *c = &s->incident->claims[i];
		enum path_direction direction;
		enum side side = SIDE_BOTH;

		for (uint32_t j = 0; j < s->n_points; j++)
			if (s->points[j].capture == c->capture &&
			    s->points[j].point_index == c->point)
				side = s->points[j].side;
		if (side == SIDE_BOTH || !direction_of(s, c, &direction))
			continue;
		claim_add_flag(c, CLAIM_OUTGOING);
		if ((side == SIDE_FAR) !=
		    (direction == PATH_DIRECTION_FROM_GUEST))
			claim_negate_last(c);
	}
}
