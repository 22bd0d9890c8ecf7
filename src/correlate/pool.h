/*
 * Failures that are too few to say something for themselves: of one peer, or of
 * all that goes by one next hop, they may be enough together.
 */
#ifndef PCAPDIAG_CORRELATE_POOL_H
#define PCAPDIAG_CORRELATE_POOL_H

#include "correlate/scene.h"
#include "correlate/tally.h"

/** struct pool - Zero-initialised is empty; by peer and by next hop */
struct pool {
	struct tally failed;
	struct tally worked;
};

/** pool_note() - Of the guest's tries with @peer so many failed and are not yet
 * told, and so many worked */
void pool_note(struct pool *pool, const struct scene *s,
               const struct in6_addr *peer, uint64_t n_failed,
               uint64_t n_worked);

/** pool_is_enough() - Did all tries with @peer, or by its next hop, fail, and
 * enough of them? */
bool pool_is_enough(const struct pool *pool, const struct scene *s,
                    const struct in6_addr *peer);

void pool_free(struct pool *pool);

#endif
