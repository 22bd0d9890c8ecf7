/*
 * The packets of the guest that were seen at some points and not yet at all of
 * them.  What was seen everywhere is let go at once, the rest after a second, so
 * that memory does not grow with the captures.
 *
 * Identical packets are a multiset, paired in order.  TCP data is compared as
 * byte ranges and UDP as runs of datagrams where offload has cut them otherwise.
 */
#ifndef PCAPDIAG_CORRELATE_PAIRING_H
#define PCAPDIAG_CORRELATE_PAIRING_H

#include "correlate/passing.h"

/**
 * struct cover - How far the bytes of a packet were seen at a point that cuts
 * them otherwise
 * @point:	bit of the point; 0: unused
 * @to:		sequence number of the next byte that is missing there
 */
struct cover {
	uint64_t point;
	uint32_t to;
};

/**
 * struct pending - A packet that waits for its twins
 * @at:		what is known of it; @at.points: all points that have shown it
 * @rival:	an identical packet has its twin: one of the two is lost, and which
 *		cannot be told
 * @crowded:	there are too many identical ones to pair
 * @copy:	the point has shown the very frame a moment before
 * @again:	TCP data that a point which has shown it shows once more, in another
 *		packet: its sender takes it for lost
 * @settled:	it waits no more, but what it carries may answer for others
 * @covered:	those of @at.points that have shown its bytes in other packets only
 * @indexed, @covers, @next, @prev, @next_done, @done_ns: internal
 */
struct pending {
	struct passing at;
	uint64_t covered;
	bool rival;
	bool crowded;
	bool copy;
	bool again;
	bool settled;
	bool indexed;
	struct cover covers[2];
	uint32_t next;
	uint32_t prev;
	uint32_t next_done;
	int64_t done_ns;
};

/** pairing_settled_function - All is known of @w; called once for each packet */
typedef void pairing_settled_function(void *context, const struct pending *w);

/**
 * struct pairing - Set the first four and leave the rest zero
 * @vm_points:	bits of the guest's points: one of them shows each packet
 * @host_points: bits of the host's points on the path: all of them may
 */
struct pairing {
	uint64_t vm_points;
	uint64_t host_points;
	pairing_settled_function *settled;
	void *context;

	struct pending *pool; /* entry 0 is the head of the list */
	uint32_t n_pool;
	uint32_t capacity;
	uint32_t free;    /* linked by next; 0: none */
	uint32_t waiting; /* oldest that is not settled; 0: none */
	uint32_t first_done;
	uint32_t last_done;
	struct hash_table index;
};

/** pairing_feed() - A packet was seen: its twin is found, or it waits */
void pairing_feed(struct pairing *p, const struct passing *seen);

/** pairing_expire() - It is @now_ns: settle what has waited for a second */
void pairing_expire(struct pairing *p, int64_t now_ns);

/** pairing_end() - Settle all that is left, and free what @p owns */
void pairing_end(struct pairing *p);

#endif
