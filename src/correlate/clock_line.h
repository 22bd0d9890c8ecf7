/*
 * Offset and drift of the guest's clock against the host's (RFC 2330, 10.1).
 *
 * No frame arrives before it leaves: for a frame from the guest, guest time minus
 * host time is at most the offset, for one to the guest at least.  So the offset
 * is a line between two clouds of points; all lines that fit bound the error.
 */
#ifndef PCAPDIAG_CORRELATE_CLOCK_LINE_H
#define PCAPDIAG_CORRELATE_CLOCK_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts/vocabulary.h"

/** struct clock_pair - One frame seen in both captures */
struct clock_pair {
	enum path_direction direction;
	int64_t host_ns;
	int64_t guest_ns;
};

/**
 * struct clock_line - offset(t) = offset_ns + drift_ppb * (t - at_ns) / 1e9
 * @known:	at least one packet bounds it; where only one direction does, the
 *		error is the longest travel time
 * @drift_error_ppb: how far the drift may be off
 * @at_ns:	host time at which @offset_ns and @error_ns hold
 * @pairs:	frames that went in
 * @steps:	times the clock was set, as far as seen
 */
struct clock_line {
	bool known;
	int64_t offset_ns;
	int64_t error_ns;
	int64_t drift_ppb;
	int64_t drift_error_ppb;
	int64_t at_ns;
	uint64_t pairs;
	uint32_t steps;
};

/**
 * clock_line_fit() - The line between the two directions
 * @pairs:	sorted here by host time
 * @n:		their number; 0 gives an unknown line at 0
 * @at_ns:	host time for which the offset is wanted
 */
struct clock_line clock_line_fit(struct clock_pair *pairs, size_t n,
                                 int64_t at_ns);

/** clock_line_at() - Offset at host time @host_ns */
int64_t clock_line_at(const struct clock_line *line, int64_t host_ns);

#endif
