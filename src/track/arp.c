/*
 * ARP resolutions (RFC 826).  A reply counts only after the request, to the
 * asker, about that address.  Announcements, gratuitous requests and probes
 * (RFC 5227) ask nobody anything.
 */
#include "track/tracker.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2

/* A reply so long after the request answers it. */
#define SOLICITED_NS INT64_C(1000000000)

static struct flow_key key_of(const struct in6_addr *asker,
                              const struct in6_addr *target)
{
	return (struct flow_key){
		.client = *asker,
		.server = *target,
		.protocol = PROTOCOL_ARP,
	};
}

static void track_request(struct point *point, const struct packet *p)
{
	struct flow_key key = key_of(&p->arp.sender_ip, &p->arp.target_ip);
	uint32_t flow;

	if (addr_is_zero(&p->arp.sender_ip) ||
	    addr_equal(&p->arp.sender_ip, &p->arp.target_ip))
		return;
	flow = flow_table_get(&point->flows, &key);
	if (flow == FLOW_NONE)
		return;
	flow_table_add_try(&point->flows, flow, p, 0);
	flow_table_note_client(&point->flows, flow, p);
	point->flows.flows[flow].client_mac = p->arp.sender_mac;
}

static void track_reply(struct point *point, const struct packet *p)
{
	struct flow_table *t = &point->flows;
	struct flow_key key = key_of(&p->arp.target_ip, &p->arp.sender_ip);
	uint32_t flow = flow_table_find(t, &key);
	uint32_t i;

	if (flow == FLOW_NONE)
		return;
	if (!mac_equal(p->arp.target_mac, t->flows[flow].client_mac))
		return;
	flow_table_note_server(t, flow, p);
	t->flows[flow].server_mac = p->arp.sender_mac;
	for (i = t->flows[flow].newest; i != FLOW_NONE; i = t->tries[i].older) {
		if (t->tries[i].answer == TRY_ANSWERED)
			return;
		flow_table_answer(t, i, p, TRY_ANSWERED);
	}
}

/* Was the reply asked for, by this asker or with a probe, shortly before? */
static bool is_solicited(const struct point *point, const struct packet *p)
{
	const struct flow_table *t = &point->flows;
	struct flow_key key = key_of(&p->arp.target_ip, &p->arp.sender_ip);
	uint32_t flow = flow_table_find(t, &key);

	if (addr_is_zero(&p->arp.target_ip))
		return true;
	if (flow == FLOW_NONE || t->flows[flow].newest == FLOW_NONE)
		return false;
	return p->ts_ns - t->tries[t->flows[flow].newest].ts_ns <= SOLICITED_NS;
}

void track_arp(struct point *point, const struct packet *p)
{
	claim_log_feed(&point->claims, p,
	               p->arp.op == ARP_REPLY && is_solicited(point, p));
	if (p->arp.op == ARP_REQUEST)
		track_request(point, p);
	if (p->arp.op == ARP_REPLY)
		track_reply(point, p);
}
