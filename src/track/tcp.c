/*
 * TCP connections (RFC 9293): the tries to open one, who answered or reset it,
 * and whether data passed.
 */
#include "track/recovery.h"
#include "track/tracker.h"

/* After less silence a bare reset is nothing unusual. */
#define FORGOTTEN_IDLE_NS INT64_C(1000000000)

static bool is_syn(const struct packet *p)
{
	return (p->tcp.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) ==
	       TCP_FLAG_SYN;
}

static bool is_synack(const struct packet *p)
{
	return (p->tcp.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) ==
	       (TCP_FLAG_SYN | TCP_FLAG_ACK);
}

static bool is_reset(const struct packet *p)
{
	return p->tcp.flags & TCP_FLAG_RST;
}

/* How many sequence numbers @a is ahead of @b (RFC 9293, 3.4) */
static int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* @sent is the direction of @p, @other the one that it acknowledges. */
static void track_progress(struct tcp_progress *sent,
                           struct tcp_progress *other, const struct packet *p,
                           int64_t idle_ns)
{
	uint32_t end = p->tcp.seq + p->payload_len;

	if (is_reset(p))
		return;
	recovery_note(sent, p);
	if (p->tcp.flags & TCP_FLAG_SYN)
		end++;
	if (!sent->known || (p->tcp.flags & TCP_FLAG_SYN)) {
		*sent = (struct tcp_progress){
			.next = end,
			.acked = sent->known && sent->next == end ? sent->acked
			                                          : p->tcp.seq,
			.last_ns = p->ts_ns,
			.known = true,
			.recovery = sent->recovery,
		};
	} else if (ahead(end, sent->next) > 0) {
		if (sent->acked == sent->next)
			sent->idle_ns = idle_ns;
		sent->next = end;
		sent->repeats = 0;
		sent->last_ns = p->ts_ns;
	} else if (p->payload_len > 0) {
		sent->repeats++;
	}
	if (!(p->tcp.flags & TCP_FLAG_ACK) || !other->known)
		return;
	if (ahead(p->tcp.ack, other->acked) <= 0)
		return;
	other->acked = p->tcp.ack;
	recovery_acked(other, p->tcp.ack);
}

static void track_syn(struct point *point, const struct packet *p)
{
	struct flow_key key = flow_key_of(p, PROTOCOL_TCP, false);
	uint32_t flow = flow_table_get(&point->flows, &key);

	if (flow == FLOW_NONE)
		return;
	point->flows.flows[flow].has_syn = true;
	flow_table_add_try(&point->flows, flow, p, p->tcp.seq);
	flow_table_note_client(&point->flows, flow, p);
	track_progress(&point->flows.flows[flow].client_data,
	               &point->flows.flows[flow].server_data, p, 0);
	stream_head_feed(&point->flows.flows[flow].client_head, p);
}

/*
 * A reset without ACK, numbered as the last acknowledgement says, answers data
 * for a connection that its sender does not know.  Only after a pause: else it
 * is the end of one that was closed in a hurry.  Where more was acknowledged than
 * the capture has of its sender, its FIN may be what is missing.
 */
static bool is_forgotten(const struct flow *f, const struct packet *p,
                         const struct tcp_progress *own, int64_t own_last_ns)
{
	return is_reset(p) && !(p->tcp.flags & TCP_FLAG_ACK) && !f->finished &&
	       own->known && p->tcp.seq == own->acked &&
	       ahead(own->acked, own->next) <= 0 && f->client_data.known &&
	       f->server_data.known &&
	       p->ts_ns - own_last_ns >= FORGOTTEN_IDLE_NS;
}

/* A packet of the server answers all SYNs of this connection before it. */
static void answer_syns(struct flow_table *t, uint32_t flow,
                        const struct packet *p, enum try_answer answer)
{
	for (uint32_t i = t->flows[flow].newest; i != FLOW_NONE;
	     i = t->tries[i].older) {
		struct try *try = &t->tries[i];

		if (try->id + 1 != p->tcp.ack)
			return;
		flow_table_answer(t, i, p, answer);
		if (try->answer == TRY_REFUSED) {
			try->refusal = REFUSAL_RESET;
			try->refused_by = p->src;
		}
	}
}

static void track_server(struct point *point, uint32_t flow,
                         const struct packet *p)
{
	struct flow_table *t = &point->flows;
	struct flow *f = &t->flows[flow];
	int64_t idle_ns = p->ts_ns - f->last_ns;

	if (is_forgotten(f, p, &f->server_data, f->server_last_ns))
		f->forgot = FLOW_FORGOT_SERVER;
	f->finished |= (p->tcp.flags & TCP_FLAG_FIN) != 0;
	quality_note_tcp(&point->quality, f, p, false);
	flow_table_note_server(t, flow, p);
	track_progress(&f->server_data, &f->client_data, p, idle_ns);
	stream_head_feed(&f->server_head, p);
	if (is_synack(p)) {
		f->synacks++;
		answer_syns(t, flow, p, TRY_ANSWERED);
	}
	if (is_reset(p)) {
		f->server_resets++;
		answer_syns(t, flow, p, TRY_REFUSED);
	}
}

static void track_client(struct point *point, uint32_t flow,
                         const struct packet *p)
{
	struct flow_table *t = &point->flows;
	struct flow *f = &t->flows[flow];
	int64_t idle_ns = p->ts_ns - f->last_ns;

	if (is_forgotten(f, p, &f->client_data, f->client_last_ns))
		f->forgot = FLOW_FORGOT_CLIENT;
	f->finished |= (p->tcp.flags & TCP_FLAG_FIN) != 0;
	quality_note_tcp(&point->quality, f, p, true);
	flow_table_note_client(t, flow, p);
	track_progress(&f->client_data, &f->server_data, p, idle_ns);
	stream_head_feed(&f->client_head, p);
	if (!is_reset(p))
		return;
	f->client_resets++;
	if (f->newest != FLOW_NONE && f->sent_bytes == 0 && f->synacks > 0)
		t->tries[f->newest].undone = true;
}

void track_tcp(struct point *point, const struct packet *p)
{
	struct flow_key as_client = flow_key_of(p, PROTOCOL_TCP, false);
	struct flow_key as_server = flow_key_of(p, PROTOCOL_TCP, true);
	uint32_t flow;

	if (p->group)
		return;
	if (is_syn(p)) {
		track_syn(point, p);
		return;
	}
	flow = flow_table_find(&point->flows, &as_server);
	if (flow != FLOW_NONE) {
		track_server(point, flow, p);
		return;
	}
	flow = flow_table_find(&point->flows, &as_client);
	if (flow != FLOW_NONE) {
		track_client(point, flow, p);
		return;
	}
	if (is_synack(p))
		track_stray(point, p, PROTOCOL_TCP, p->tcp.ack - 1);
	/* Opened before the capture began: the lower port is the server's. */
	if (is_synack(p) || p->src_port < p->dst_port) {
		flow = flow_table_get(&point->flows, &as_server);
		if (flow != FLOW_NONE)
			track_server(point, flow, p);
	} else {
		flow = flow_table_get(&point->flows, &as_client);
		if (flow != FLOW_NONE)
			track_client(point, flow, p);
	}
}
