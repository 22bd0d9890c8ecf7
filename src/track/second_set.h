/*
 * A set of seconds: when something was seen.  Small and growing on both ends;
 * seconds too far from the first one (10 days) are not kept.
 */
#ifndef PCAPDIAG_TRACK_SECOND_SET_H
#define PCAPDIAG_TRACK_SECOND_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct second_set - Zero-initialised is empty; owns its bits */
struct second_set {
	uint8_t *bits;
	size_t n_bytes;
	int64_t base_s;   /* second of the first bit */
	int64_t origin_s; /* second of the first addition */
	uint64_t count;   /* additions, not distinct seconds */
};

/** second_set_add() - Note that something was seen at @ts_ns */
void second_set_add(struct second_set *set, int64_t ts_ns);

/** second_set_add_range() - Note all seconds from @from_ns to @to_ns */
void second_set_add_range(struct second_set *set, int64_t from_ns,
                          int64_t to_ns);

/** second_set_between() - Was anything seen in a second of this range? */
bool second_set_between(const struct second_set *set, int64_t from_ns,
                        int64_t to_ns);

/** second_set_size() - How many seconds there are */
uint64_t second_set_size(const struct second_set *set);

/**
 * second_set_get() - The start of the @i-th second, in order of time
 *
 * Return: is there one?
 */
bool second_set_get(const struct second_set *set, uint64_t i, int64_t *ts_ns);

/** second_set_near() - Was anything seen within @within_s seconds of @ts_ns? */
bool second_set_near(const struct second_set *set, int64_t ts_ns,
                     int64_t within_s);

void second_set_free(struct second_set *set);

#endif
