/*
 * Stretches: between the moments at which one of two clocks was set, all pairs of
 * times lie on one line.  Where they do not, a clock was set.  A pair that fits
 * neither before nor after is an accident: two frames that only look alike.
 */
#ifndef PCAPDIAG_CORRELATE_CLOCK_STRETCHES_H
#define PCAPDIAG_CORRELATE_CLOCK_STRETCHES_H

#include "correlate/clock_line.h"

#define CLOCK_STRETCHES_MAX 16
#define CLOCK_STRAY UINT8_MAX

/** struct clock_stretch - The line that holds from an instant on, in the clocks
 * of both sides */
struct clock_stretch {
	int64_t from_host_ns;
	int64_t from_guest_ns;
	struct clock_line line;
};

/* What splits pairs into stretches: clock_stretches() or clock_sharp() */
typedef size_t stretch_function(const struct clock_pair *pairs, size_t n,
                                uint8_t *labels);

/**
 * clock_stretches() - To which stretch does each pair belong?
 * @pairs:	in order of the frames of one file
 * @labels:	set for each: 0, 1, … in this order, or CLOCK_STRAY; that is also
 *		what may be on either side of a step
 *
 * Clocks that wander all the time have one stretch: its line has a large error.
 *
 * Return: number of stretches, at most CLOCK_STRETCHES_MAX
 */
size_t clock_stretches(const struct clock_pair *pairs, size_t n,
                       uint8_t *labels);

#endif
