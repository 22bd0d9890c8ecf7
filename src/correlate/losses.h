/*
 * What is lost between two points, of all traffic and by peer, counted from the
 * packets that the second reading pairs.
 */
#ifndef PCAPDIAG_CORRELATE_LOSSES_H
#define PCAPDIAG_CORRELATE_LOSSES_H

#include "correlate/pairing.h"

/* Points on a path of which losses are counted, the guest's included */
#define LOSS_DEPTHS 8

#define LOSS_PEERS_MAX 1024
#define LOSS_SAMPLES 6

/** struct lost_segment - One of them, for the evidence */
struct lost_segment {
	uint16_t peer_port;
	uint16_t ip_id;
	uint32_t seq;
};

/**
 * struct peer_loss - TCP segments of one peer that were lost in one gap
 * @lost:	distinct ones
 * @samples:	of the port that the first one had
 */
struct peer_loss {
	struct in6_addr peer;
	enum path_direction direction;
	uint32_t after; /* depths */
	uint32_t before;
	uint64_t lost;
	int64_t first_ns;
	int64_t last_ns;
	struct lost_segment samples[LOSS_SAMPLES];
	size_t n_samples;
};

/**
 * struct gap_loss - TCP segments that get or do not get to a point
 * @passed:	those with data that did
 * @lost:	those that did not, though the point before has them
 * @largest_passed, @smallest_lost: payload bytes
 */
struct gap_loss {
	uint64_t passed;
	uint64_t lost;
	uint32_t largest_passed;
	uint32_t smallest_lost;
};

/** struct losses - Zero-initialised is empty; owns its tables */
struct losses {
	struct gap_loss gaps[LOSS_DEPTHS]
			    [2]; /* by depth behind it, direction */
	struct peer_loss *peers;
	size_t n_peers;
	struct hash_table index;
};

/** losses_passed() - A segment got to the points at these depths (bits) */
void losses_passed(struct losses *l, const struct passing *at, uint64_t depths);

/** losses_lost() - It was seen at depth @after and not at @before */
void losses_lost(struct losses *l, const struct passing *at, uint32_t after,
                 uint32_t before);

/** losses_facts() - What rules can say of them */
void losses_facts(struct scene *s, const struct losses *l);

void losses_free(struct losses *l);

#endif
