/*
 * ICMP echo (RFC 792, 4443), neighbour solicitation (RFC 4861), and ICMP errors,
 * which belong to the flow that they quote.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "track/tracker.h"

#define ERRORS_MAX 65536

/* How far back an answer looks for its request: more are never outstanding. */
#define SEARCH_MAX 4096

static bool is_echo_request(const struct packet *p)
{
	return p->icmp.type == (p->kind == PACKET_KIND_ICMP
	                                ? ICMP_ECHO_REQUEST
	                                : ICMPV6_ECHO_REQUEST);
}

static bool is_echo_reply(const struct packet *p)
{
	return p->icmp.type == (p->kind == PACKET_KIND_ICMP
	                                ? ICMP_ECHO_REPLY
	                                : ICMPV6_ECHO_REPLY);
}

/* The flow's newest try with this id, or FLOW_NONE */
static uint32_t find_try(const struct flow_table *t, uint32_t flow, uint32_t id)
{
	uint32_t i = t->flows[flow].newest;

	for (int n = 0; i != FLOW_NONE && n < SEARCH_MAX; n++) {
		if (t->tries[i].id == id)
			return i;
		i = t->tries[i].older;
	}
	return FLOW_NONE;
}

/* Hosts need not answer what goes to all of them (RFC 1122, 3.2.2.6).  Cooked
 * captures do not show whom a frame that goes out is for. */
static bool is_for_all(const struct packet *p)
{
	return p->group || (!p->has_eth_dst && addr_is_v4(&p->dst) &&
	                    p->dst.s6_addr[15] == 255);
}

void track_icmp(struct point *point, const struct packet *p)
{
	struct flow_table *t = &point->flows;
	bool reply = is_echo_reply(p);
	struct flow_key key;
	uint32_t flow, i;

	if (!reply && !is_echo_request(p))
		return;
	if (!addr_is_unicast(&p->src) || !addr_is_unicast(&p->dst) ||
	    is_for_all(p))
		return;
	key = flow_key_of(p, PROTOCOL_ICMP, reply);
	key.client_port = p->icmp.id;
	key.server_port = 0;
	if (!reply) {
		flow = flow_table_get(t, &key);
		if (flow == FLOW_NONE)
			return;
		flow_table_add_try(t, flow, p, p->icmp.seq);
		flow_table_note_client(t, flow, p);
		return;
	}
	flow = flow_table_find(t, &key);
	if (flow == FLOW_NONE) {
		track_stray(point, p, PROTOCOL_ICMP, p->icmp.seq);
		return;
	}
	flow_table_note_server(t, flow, p);
	i = find_try(t, flow, p->icmp.seq);
	if (i != FLOW_NONE)
		flow_table_answer(t, i, p, TRY_ANSWERED);
}

static void track_solicitation(struct point *point, const struct packet *p)
{
	struct flow_key key = {
		.client = p->src,
		.server = p->icmp.target,
		.protocol = PROTOCOL_NDP,
	};
	uint32_t flow;

	if (addr_is_zero(&p->src)) /* duplicate address detection */
		return;
	flow = flow_table_get(&point->flows, &key);
	if (flow == FLOW_NONE)
		return;
	flow_table_add_try(&point->flows, flow, p, 0);
	flow_table_note_client(&point->flows, flow, p);
}

/* Each router and prefix once; the first ones, where somebody makes them up */
static void track_advert(struct point *point, const struct packet *p)
{
	struct router_advert *a = point->adverts;
	size_t i = 0;

	while (i < point->n_adverts &&
	       !(addr_equal(&a[i].from, &p->src) &&
	         mac_equal(a[i].from_mac, p->eth_src) &&
	         a[i].prefix_bits == p->icmp.prefix_bits &&
	         addr_equal(&a[i].prefix, &p->icmp.target)))
		i++;
	if (i == ROUTER_ADVERTS_MAX)
		return;
	if (i == point->n_adverts)
		point->n_adverts++;
	a[i] = (struct router_advert){
		.ts_ns = p->ts_ns,
		.from = p->src,
		.from_mac = p->eth_src,
		.prefix = p->icmp.target,
		.lifetime_s = p->icmp.lifetime,
		.prefix_bits = p->icmp.prefix_bits,
	};
}

void track_ndp(struct point *point, const struct packet *p)
{
	struct flow_table *t = &point->flows;
	struct flow_key key = {
		.client = p->dst,
		.server = p->icmp.target,
		.protocol = PROTOCOL_NDP,
	};
	uint32_t flow;

	if (p->icmp.type == ICMPV6_NEIGHBOR_SOLICIT)
		track_solicitation(point, p);
	if (p->icmp.type == ICMPV6_ROUTER_ADVERT && p->ttl == 255)
		track_advert(point, p);
	if (p->icmp.type != ICMPV6_NEIGHBOR_ADVERT)
		return;
	flow = flow_table_find(t, &key);
	if (flow == FLOW_NONE)
		return;
	flow_table_note_server(t, flow, p);
	for (uint32_t i = t->flows[flow].newest; i != FLOW_NONE;
	     i = t->tries[i].older) {
		if (t->tries[i].answer == TRY_ANSWERED)
			return;
		flow_table_answer(t, i, p, TRY_ANSWERED);
	}
}

static enum refusal refusal_of(const struct packet *p)
{
	static const enum refusal v4[] = {
		[0] = REFUSAL_NET_UNREACHABLE,
		[1] = REFUSAL_HOST_UNREACHABLE,
		[2] = REFUSAL_OTHER,
		[3] = REFUSAL_PORT_UNREACHABLE,
		[4] = REFUSAL_NONE, /* fragmentation needed: not a refusal */
		[5] = REFUSAL_OTHER,
		[6] = REFUSAL_NET_UNREACHABLE,
		[7] = REFUSAL_HOST_UNREACHABLE,
		[8] = REFUSAL_OTHER,
		[9] = REFUSAL_PROHIBITED,
		[10] = REFUSAL_PROHIBITED,
		[11] = REFUSAL_NET_UNREACHABLE,
		[12] = REFUSAL_HOST_UNREACHABLE,
		[13] = REFUSAL_PROHIBITED,
	};
	static const enum refusal v6[] = {
		[0] = REFUSAL_NET_UNREACHABLE,
		[1] = REFUSAL_PROHIBITED,
		[2] = REFUSAL_OTHER,
		[3] = REFUSAL_HOST_UNREACHABLE,
		[4] = REFUSAL_PORT_UNREACHABLE,
	};

	if (p->kind == PACKET_KIND_ICMP && p->icmp.type == ICMP_UNREACHABLE)
		return p->icmp.code < sizeof(v4) / sizeof(v4[0])
		               ? v4[p->icmp.code]
		               : REFUSAL_OTHER;
	if (p->kind == PACKET_KIND_ICMP && p->icmp.type == ICMP_TIME_EXCEEDED)
		return REFUSAL_TTL_EXCEEDED;
	if (p->kind == PACKET_KIND_ICMPV6 && p->icmp.type == ICMPV6_UNREACHABLE)
		return p->icmp.code < sizeof(v6) / sizeof(v6[0])
		               ? v6[p->icmp.code]
		               : REFUSAL_OTHER;
	if (p->kind == PACKET_KIND_ICMPV6 && p->icmp.type == 3)
		return REFUSAL_TTL_EXCEEDED;
	return REFUSAL_NONE;
}

static enum protocol protocol_of(const struct quoted_packet *q)
{
	if (q->ip_proto == IP_PROTO_TCP)
		return PROTOCOL_TCP;
	if (q->ip_proto == IP_PROTO_UDP)
		return q->dst_port == PORT_DNS || q->src_port == PORT_DNS
		               ? PROTOCOL_DNS
		               : PROTOCOL_UDP;
	return PROTOCOL_ICMP;
}

/* The flow whose client (or, reversed, whose server) sent the quoted packet */
static uint32_t quoted_flow(const struct flow_table *t,
                            const struct quoted_packet *q, bool reverse)
{
	struct flow_key key = { .protocol = protocol_of(q) };
	bool echo = key.protocol == PROTOCOL_ICMP;

	key.client = reverse ? q->dst : q->src;
	key.server = reverse ? q->src : q->dst;
	key.client_port = reverse && !echo ? q->dst_port : q->src_port;
	key.server_port = reverse ? q->src_port : q->dst_port;
	if (echo)
		key.server_port = 0;
	return flow_table_find(t, &key);
}

static void refuse_tries(struct flow_table *t, uint32_t flow,
                         const struct packet *p, enum refusal refusal)
{
	const struct quoted_packet *q = &p->icmp.quoted;

	for (uint32_t i = t->flows[flow].newest; i != FLOW_NONE;
	     i = t->tries[i].older) {
		struct try *try = &t->tries[i];

		if (protocol_of(q) == PROTOCOL_ICMP && try->id != q->dst_port)
			continue;
		if (try->answer != TRY_UNANSWERED)
			return;
		flow_table_answer(t, i, p, TRY_REFUSED);
		try->refusal = refusal;
		try->refused_by = p->src;
	}
}

static void note_error(struct point *point, const struct packet *p)
{
	if (point->n_errors == ERRORS_MAX) {
		point->full = true;
		return;
	}
	if ((point->n_errors & (point->n_errors - 1)) == 0)
		point->errors =
			xreallocarray(point->errors,
		                      point->n_errors ? 2 * point->n_errors : 1,
		                      sizeof(*point->errors));
	point->errors[point->n_errors++] = (struct icmp_error){
		.ts_ns = p->ts_ns,
		.frame = p->frame,
		.from = p->src,
		.to = p->dst,
		.from_mac = p->eth_src,
		.type = p->icmp.type,
		.code = p->icmp.code,
		.ttl = p->ttl,
		.quoted = p->icmp.quoted,
	};
}

void track_icmp_error(struct point *point, const struct packet *p)
{
	struct flow_table *t = &point->flows;
	enum refusal refusal;
	uint32_t flow;

	if (!packet_is_icmp_error(p) || (!p->icmp.quoted.valid && p->cut == 0))
		return;
	note_error(point, p);
	if (!p->icmp.quoted.valid)
		return; /* the snap length hides what it is about */
	refusal = refusal_of(p);
	if (refusal == REFUSAL_NONE)
		return;
	flow = quoted_flow(t, &p->icmp.quoted, false);
	if (flow != FLOW_NONE) {
		refuse_tries(t, flow, p, refusal);
		return;
	}
	/* It quotes an answer: the client's side does not want it.  Of any other
	 * error it does not know the way. */
	if (refusal != REFUSAL_PORT_UNREACHABLE)
		return;
	flow = quoted_flow(t, &p->icmp.quoted, true);
	if (flow != FLOW_NONE && t->flows[flow].newest != FLOW_NONE)
		t->tries[t->flows[flow].newest].undone = true;
}
