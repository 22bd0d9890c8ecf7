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

/**
 * struct clock_pair - One frame seen in both captures
 * @host_frame, @guest_frame: its number in each file
 * @host_point, @guest_point: where it was seen
 */
struct clock_pair {
	enum path_direction direction;
	int64_t host_ns;
	int64_t guest_ns;
	uint64_t host_frame;
	uint64_t guest_frame;
	uint32_t host_point;
	uint32_t guest_point;
};

/**
 * struct clock_line - offset(t) = offset_ns + drift_ppb * (t - at_ns) / 1e9
 * @known:	at least one packet bounds it
 * @one_sided:	packets of one direction only bound it: the offset is that bound,
 *		the error the longest travel time, and the drift is not known
 * @at_ns:	host time at which @offset_ns and @error_ns hold
 * @span_error_ns: the largest error from @at_ns to the first and to the last pair
 * @pairs:	frames that went in
 */
struct clock_line {
	bool known;
	bool one_sided;
	int64_t offset_ns;
	int64_t error_ns;
	int64_t span_error_ns;
	int64_t drift_ppb;
	int64_t at_ns;
	uint64_t pairs;
};

/**
 * clock_line_fit() - The line between the two directions
 * @pairs:	sorted here by host time
 * @n:		their number; 0 gives an unknown line at 0
 * @at_ns:	host time for which the offset is wanted
 */
struct clock_line clock_line_fit(struct clock_pair *pairs, size_t n,
                                 int64_t at_ns);

/**
 * clock_line_room() - How far the clouds are apart at the slope that suits best
 *
 * Return: ns; negative: no line that a clock can follow, and no frame that takes
 * longer than frames do, explains all of @pairs
 */
double clock_line_room(const struct clock_pair *pairs, size_t n);

/** clock_line_at() - Offset at host time @host_ns */
int64_t clock_line_at(const struct clock_line *line, int64_t host_ns);

#endif
