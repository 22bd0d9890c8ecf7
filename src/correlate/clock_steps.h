/*
 * Steps: the clock behind a capture was set while it ran (by hand, by NTP, by a
 * snapshot).  They are taken out of the time stamps when the capture is read, so
 * that time goes on for all that is made of its packets; only what somebody else
 * looks up in the file is told in the stamps of the file.
 */
#ifndef PCAPDIAG_CORRELATE_CLOCK_STEPS_H
#define PCAPDIAG_CORRELATE_CLOCK_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_STEPS_MAX 16

/**
 * struct clock_step - From this frame on the stamps are off
 * @frame:	the first one
 * @ns:		by how much the clock was set
 * @shift_ns:	the sum of this step and those before it
 * @at_ns:	time of @frame, without the steps
 * @measured:	the other capture tells how much; else it is a guess by which
 *		time does not go backwards
 */
struct clock_step {
	uint64_t frame;
	int64_t ns;
	int64_t shift_ns;
	int64_t at_ns;
	bool measured;
};

/** struct clock_steps - Of one capture, in order; zero-initialised is none */
struct clock_steps {
	struct clock_step items[CLOCK_STEPS_MAX];
	size_t n;
};

/* Interleaved interfaces make smaller steps in a file. */
#define STEP_BACK_NS INT64_C(1000000000)

#define STEP_BACKS_MAX 8

/** struct step_back - Time goes backwards at a point */
struct step_back {
	uint64_t frame;
	int64_t from_ns;
	int64_t to_ns;
};

/** clock_steps_add() - Add a step, wherever it belongs; too many are left out */
void clock_steps_add(struct clock_steps *steps, uint64_t frame, int64_t ns,
                     bool measured);

/** clock_steps_without() - The stamp of a frame as if no clock had been set */
int64_t clock_steps_without(const struct clock_steps *steps, uint64_t frame,
                            int64_t ts_ns);

/** clock_steps_before() - How many come before or with this frame */
size_t clock_steps_before(const struct clock_steps *steps, uint64_t frame);

/** clock_steps_shift() - What to add to a time without steps for the file's */
int64_t clock_steps_shift(const struct clock_steps *steps, int64_t ns);

#endif
