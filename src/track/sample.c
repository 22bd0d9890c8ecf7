#include "track/sample.h"

#include <stdlib.h>

#include "base/xalloc.h"

#define GOLDEN_RATIO UINT32_C(0x9e3779b1)
#define MASK_MAX UINT32_C(0xffff)

static uint32_t lot_of(const struct packet *p)
{
	uint32_t lot = p->ip_id;

	switch (p->kind) {
	case PACKET_KIND_TCP:
		lot ^= p->tcp.seq ^ p->tcp.ack << 1;
		break;
	case PACKET_KIND_UDP:
		lot ^= p->payload_len;
		if (p->dns.valid)
			lot ^= p->dns.id;
		break;
	case PACKET_KIND_ICMP:
	case PACKET_KIND_ICMPV6:
		lot ^= p->icmp.seq;
		break;
	case PACKET_KIND_ARP:
	case PACKET_KIND_IP:
	case PACKET_KIND_OTHER:
		break;
	}
	return lot * GOLDEN_RATIO >> 16;
}

/* Only what one machine sends to one other, and once */
static bool may_belong(const struct packet *p)
{
	return p->status == PACKET_STATUS_OK && !p->group &&
	       (p->kind == PACKET_KIND_TCP || p->kind == PACKET_KIND_UDP ||
	        p->kind == PACKET_KIND_ICMP) &&
	       !packet_is_icmp_error(p);
}

static void thin_out(struct sample_set *set)
{
	uint32_t n = 0;

	set->mask = 2 * set->mask + 1;
	for (uint32_t i = 0; i < set->n; i++)
		if ((set->items[i].lot & set->mask) == 0)
			set->items[n++] = set->items[i];
	set->n = n;
}

void sample_set_feed(struct sample_set *set, const struct packet *p)
{
	uint32_t lot = lot_of(p);

	if (lot & set->mask || !may_belong(p))
		return;
	while (set->n == SAMPLES_MAX && set->mask < MASK_MAX)
		thin_out(set);
	if (lot & set->mask || set->n == SAMPLES_MAX)
		return;
	if (set->n == set->capacity) {
		set->capacity = set->capacity ? 2 * set->capacity : 64;
		set->items = xreallocarray(set->items, set->capacity,
		                           sizeof(*set->items));
	}
	set->items[set->n++] = (struct sample){
		.key = packet_key(p),
		.frame = p->frame,
		.ts_ns = p->ts_ns,
		.src = p->src,
		.dst = p->dst,
		.lot = lot,
	};
}

void sample_set_free(struct sample_set *set)
{
	free(set->items);
	*set = (struct sample_set){ 0 };
}
