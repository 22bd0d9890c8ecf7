/*
 * The same frame in a capture of the guest and in one of the host, found without
 * any clock: by requests that each file has once, their answers, and a sample of
 * all else.  No address is looked at, so NAT does not matter.
 */
#ifndef PCAPDIAG_CORRELATE_CLOCK_PAIRS_H
#define PCAPDIAG_CORRELATE_CLOCK_PAIRS_H

#include "correlate/clock_line.h"
#include "correlate/scene.h"

/** struct clock_pairs - Zero-initialised is empty; owns its array */
struct clock_pairs {
	struct clock_pair *items;
	size_t n;
	size_t capacity;
};

/** clock_pairs_find() - Pairs of requests, answers and others, in order of the guest's
 * frames, as all here */
void clock_pairs_find(const struct scene *s, struct clock_pairs *out);

/**
 * clock_pairs_find_broadcasts() - Pairs of what everybody on the link hears
 *
 * It is sent again to the letter: each is paired with each.
 */
void clock_pairs_find_broadcasts(const struct scene *s,
                                 struct clock_pairs *out);

/** clock_pair_offset() - Guest time minus host time */
static inline int64_t clock_pair_offset(const struct clock_pair *pair)
{
	return pair->guest_ns - pair->host_ns;
}

void clock_pairs_free(struct clock_pairs *pairs);

#endif
