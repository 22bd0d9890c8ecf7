#include "track/stream_head.h"

/* FNV-1a: the bytes are compared, not put into a table. */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static void put_byte(struct stream_head *h, uint8_t byte)
{
	h->all = (h->all ^ byte) * FNV_PRIME;
	h->n++;
	if (h->n == STREAM_HEAD_SHORT)
		h->first = h->all;
}

static void begin(struct stream_head *h, const struct packet *p)
{
	*h = (struct stream_head){
		.start = p->tcp.seq + 1,
		.all = FNV_BASIS,
		.known = true,
	};
}

void stream_head_feed(struct stream_head *h, const struct packet *p)
{
	uint32_t at;

	if (p->tcp.flags & TCP_FLAG_SYN) {
		begin(h, p);
		return;
	}
	if (!h->known || h->closed || h->n == STREAM_HEAD_LONG ||
	    p->payload_len == 0 || p->tcp.flags & TCP_FLAG_RST)
		return;
	at = p->tcp.seq - h->start;
	if (at > h->n) {
		/* Older than the start, or behind a gap */
		h->closed = at < UINT32_MAX / 2;
		return;
	}
	if (h->n == 0) {
		h->first_ns = p->ts_ns;
		h->first_frame = p->frame;
	}
	for (uint32_t i = h->n - at;
	     i < p->payload.left && h->n < STREAM_HEAD_LONG; i++)
		put_byte(h, p->payload.next[i]);
	h->closed = p->payload.left < p->payload_len;
}

enum stream_match stream_head_match(const struct stream_head *a,
                                    const struct stream_head *b)
{
	if (!a->known || !b->known || a->n == 0 || b->n == 0)
		return STREAM_UNKNOWN;
	if (a->n == b->n && a->all == b->all)
		return a->n >= STREAM_HEAD_SHORT ? STREAM_SAME : STREAM_ALIKE;
	if (a->n >= STREAM_HEAD_SHORT && b->n >= STREAM_HEAD_SHORT &&
	    a->first == b->first)
		return a->n == b->n ? STREAM_DIFFERENT : STREAM_ALIKE;
	if (a->n < STREAM_HEAD_SHORT || b->n < STREAM_HEAD_SHORT)
		return a->n == b->n ? STREAM_DIFFERENT : STREAM_UNKNOWN;
	return STREAM_DIFFERENT;
}
