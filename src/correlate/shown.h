/*
 * Whose connections a point shows: of one that it shows nothing at all of, it has
 * lost nothing.  A capture filter hides that, as "not port 22" does.
 */
#ifndef PCAPDIAG_CORRELATE_SHOWN_H
#define PCAPDIAG_CORRELATE_SHOWN_H

#include "correlate/scene.h"
#include "correlate/tally.h"

/**
 * struct shown - Zero-initialised is empty
 * @ends:	both ends of each TCP connection, by point, address and port
 * @points:	bits of the points that @ends has
 */
struct shown {
	struct tally ends;
	uint64_t points;
};

/** shown_has() - Has @point a packet of a TCP connection with that end? */
bool shown_has(struct shown *w, const struct scene *s, uint32_t point,
               const struct in6_addr *ip, uint16_t port);

void shown_free(struct shown *w);

#endif
