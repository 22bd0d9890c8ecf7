#include "track/recovery.h"

#define MS INT64_C(1000000)

/* What is late by less has only been overtaken. */
#define REORDER_NS (3 * MS)

/* Packets of one connection that follow each other have IP ids so near. */
#define ID_STEP_MAX 256

/* Copies of one frame follow each other within this time. */
#define COPY_NS (5 * MS)

/* Sequence numbers further ahead belong to another connection. */
#define WINDOW_MAX (INT32_C(1) << 30)

static int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* Senders count the IP id up, where they set it. */
static bool is_new_packet(const struct tcp_progress *sent,
                          const struct packet *p)
{
	if (p->ip_id == 0 || sent->recovery.newest_id == 0)
		return p->ts_ns - sent->last_ns >= COPY_NS;
	return (int16_t)(p->ip_id - sent->recovery.newest_id) > 0;
}

static bool is_in_hole(const struct tcp_recovery *r, uint32_t seq)
{
	return r->hole_from != r->hole_to && ahead(seq, r->hole_from) >= 0 &&
	       ahead(r->hole_to, seq) > 0;
}

static void note_ahead(struct tcp_progress *sent, const struct packet *p)
{
	struct tcp_recovery *r = &sent->recovery;
	int32_t gap = ahead(p->tcp.seq, sent->next);

	r->newest_id = p->ip_id;
	if (gap <= 0 || gap > WINDOW_MAX)
		return;
	if (r->hole_from == r->hole_to) {
		r->hole_from = sent->next;
		r->hole_ns = p->ts_ns;
	}
	r->hole_to = p->tcp.seq;
}

/* Or has it only been overtaken?  Where its sender counts the IP id up, it tells;
 * where round trips are short, time does not. */
static bool is_sent_again(const struct tcp_recovery *r, const struct packet *p)
{
	int16_t step = (int16_t)(p->ip_id - r->newest_id);

	if (p->ip_id != 0 && r->newest_id != 0 && step != 0 &&
	    step >= -ID_STEP_MAX && step <= ID_STEP_MAX)
		return step > 0;
	return p->ts_ns - r->hole_ns >= REORDER_NS;
}

static void note_late(struct tcp_progress *sent, const struct packet *p)
{
	struct tcp_recovery *r = &sent->recovery;

	if (is_sent_again(r, p)) {
		r->filled++;
		r->filled_seq = p->tcp.seq;
		r->newest_id = p->ip_id;
	}
	if (p->tcp.seq != r->hole_from)
		return;
	r->hole_from += p->payload_len;
	if (ahead(r->hole_from, r->hole_to) > 0)
		r->hole_from = r->hole_to;
}

void recovery_note(struct tcp_progress *sent, const struct packet *p)
{
	struct tcp_recovery *r = &sent->recovery;

	if (p->payload_len == 0 || p->tcp.flags & TCP_FLAG_SYN)
		return;
	r->segments++;
	if (!sent->known)
		return;
	if (ahead(p->tcp.seq + p->payload_len, sent->next) > 0) {
		note_ahead(sent, p);
		return;
	}
	if (is_in_hole(r, p->tcp.seq)) {
		note_late(sent, p);
		return;
	}
	/* One byte is a probe that asks whether the other side lives. */
	if (p->payload_len == 1 || ahead(p->tcp.seq, sent->acked) < 0 ||
	    !is_new_packet(sent, p))
		return;
	r->resent++;
	r->again_seq = p->tcp.seq;
	r->newest_id = p->ip_id;
}

void recovery_acked(struct tcp_progress *sent, uint32_t ack)
{
	struct tcp_recovery *r = &sent->recovery;

	if (r->hole_from == r->hole_to || ahead(ack, r->hole_from) <= 0)
		return;
	r->hole_from = ahead(ack, r->hole_to) < 0 ? ack : r->hole_to;
}
