#include "correlate/clock_steps.h"

static void add_up(struct clock_steps *steps)
{
	int64_t shift_ns = 0;

	for (size_t i = 0; i < steps->n; i++) {
		shift_ns += steps->items[i].ns;
		steps->items[i].shift_ns = shift_ns;
	}
}

void clock_steps_add(struct clock_steps *steps, uint64_t frame, int64_t ns,
                     bool measured)
{
	size_t i = steps->n;

	if (steps->n == CLOCK_STEPS_MAX)
		return;
	for (; i > 0 && steps->items[i - 1].frame > frame; i--)
		steps->items[i] = steps->items[i - 1];
	steps->items[i] = (struct clock_step){
		.frame = frame,
		.ns = ns,
		.measured = measured,
	};
	steps->n++;
	add_up(steps);
}

size_t clock_steps_before(const struct clock_steps *steps, uint64_t frame)
{
	size_t n = 0;

	while (n < steps->n && steps->items[n].frame <= frame)
		n++;
	return n;
}

int64_t clock_steps_without(const struct clock_steps *steps, uint64_t frame,
                            int64_t ts_ns)
{
	size_t n = clock_steps_before(steps, frame);

	return n > 0 ? ts_ns - steps->items[n - 1].shift_ns : ts_ns;
}

int64_t clock_steps_shift(const struct clock_steps *steps, int64_t ns)
{
	size_t n = 0;

	while (n < steps->n && steps->items[n].at_ns <= ns)
		n++;
	return n > 0 ? steps->items[n - 1].shift_ns : 0;
}
