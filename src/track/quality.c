#include "track/quality.h"

#include <stdlib.h>

#include "base/xalloc.h"

#define SILENCES_MAX 65536

/* Ethernet with two VLAN tags; more is offload or jumbo frames. */
#define ORDINARY_FRAME_BYTES 1522

/* Data is acknowledged within this time, however the receiver waits. */
#define ACK_DELAY_NS INT64_C(1000000000)

/* A FIN takes a number, too, and a window is not larger than this. */
#define FIN_NUMBERS 1
#define WINDOW_MAX (INT32_C(1) << 30)

static void note_silence(struct quality *q, int64_t from_ns, int64_t to_ns)
{
	size_t n = q->n_silences;

	if (n == SILENCES_MAX)
		return;
	if ((n & (n - 1)) == 0)
		q->silences = xreallocarray(q->silences, n ? 2 * n : 1,
		                            sizeof(*q->silences));
	q->silences[q->n_silences++] = (struct silence){ from_ns, to_ns };
}

void quality_note(struct quality *q, const struct packet *p)
{
	if (q->last_ns > 0 && p->ts_ns - q->last_ns >= SILENCE_NS)
		note_silence(q, q->last_ns, p->ts_ns);
	if (p->ts_ns > q->last_ns)
		q->last_ns = p->ts_ns;
	if (p->cut > 0 && p->wire_len - p->cut > q->kept)
		q->kept = p->wire_len - p->cut;
	if (p->cut > 0 && p->status == PACKET_STATUS_TRUNCATED)
		q->headers_cut++;
	if (p->kind != PACKET_KIND_TCP)
		return;
	if (p->wire_len > ORDINARY_FRAME_BYTES)
		q->oversize++;
	if (p->wire_len > q->largest)
		q->largest = p->wire_len;
	q->unfinished += p->tcp.unfinished_checksum;
}

/* How many sequence numbers @a is ahead of @b (RFC 9293, 3.4) */
static int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* Nothing came late: the capture has lost it. */
static void settle(struct quality *q, struct tcp_progress *t)
{
	if (t->hole_to_ns == 0)
		return;
	q->unseen_acks++;
	second_set_add_range(&q->gaps, t->hole_from_ns, t->hole_to_ns);
	t->hole_to_ns = 0;
}

/* When may the data before the acknowledgement at @now_ns have passed? */
static int64_t hole_start(const struct quality *q, const struct flow *f,
                          int64_t now_ns)
{
	int64_t from_ns = now_ns - ACK_DELAY_NS;

	if (f->last_ns > from_ns)
		from_ns = f->last_ns;
	for (size_t i = q->n_silences; i-- > 0;) {
		if (q->silences[i].to_ns <= from_ns)
			break;
		if (q->silences[i].from_ns < from_ns)
			from_ns = q->silences[i].from_ns;
	}
	return from_ns;
}

void quality_note_tcp(struct quality *q, struct flow *f, const struct packet *p,
                      bool from_client)
{
	struct tcp_progress *sent =
		from_client ? &f->client_data : &f->server_data;
	struct tcp_progress *other =
		from_client ? &f->server_data : &f->client_data;
	int32_t beyond = ahead(p->tcp.ack, other->next);

	if (sent->hole_to_ns != 0 && p->payload_len > 0 &&
	    ahead(sent->hole_end, p->tcp.seq) > 0)
		sent->hole_to_ns = 0;
	if (!(p->tcp.flags & TCP_FLAG_ACK) || p->tcp.flags & TCP_FLAG_RST ||
	    !other->known || f->sent == 0 || f->received == 0)
		return;
	if (beyond <= FIN_NUMBERS || beyond > WINDOW_MAX ||
	    ahead(p->tcp.ack, other->acked) <= 0)
		return;
	settle(q, other);
	other->hole_end = p->tcp.ack;
	other->hole_from_ns = hole_start(q, f, p->ts_ns);
	other->hole_to_ns = p->ts_ns;
}

void quality_finish(struct quality *q, struct flow_table *flows)
{
	for (uint32_t i = 0; i < flows->n_flows; i++) {
		settle(q, &flows->flows[i].client_data);
		settle(q, &flows->flows[i].server_data);
	}
}

void quality_free(struct quality *q)
{
	free(q->silences);
	second_set_free(&q->gaps);
}
