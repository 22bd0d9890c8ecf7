/*
 * Answers that fit no request seen at the same point: their request went another
 * way, or to another address.
 */
#include "base/xalloc.h"
#include "track/tracker.h"

#define STRAYS_MAX 65536

void track_stray(struct point *point, const struct packet *p,
                 enum protocol protocol, uint32_t id)
{
	size_t n = point->n_strays;

	if (n == STRAYS_MAX) {
		point->full = true;
		return;
	}
	if ((n & (n - 1)) == 0)
		point->strays = xreallocarray(point->strays, n ? 2 * n : 1,
		                              sizeof(*point->strays));
	point->strays[point->n_strays++] = (struct stray_answer){
		.ts_ns = p->ts_ns,
		.from = p->src,
		.to = p->dst,
		.from_mac = p->eth_src,
		.from_port = p->src_port,
		.to_port = protocol == PROTOCOL_ICMP ? p->icmp.id : p->dst_port,
		.id = id,
		.protocol = protocol,
	};
}
