#include "correlate/chance.h"

#include <math.h>

/* What is less likely than this is no accident. */
#define LIKELY 0.01

void chance_note_exchange(struct chance *c, enum protocol protocol,
                          enum try_role role, uint64_t tries)
{
	c->counts[protocol][role].exchanges++;
	c->counts[protocol][role].tries += tries;
}

void chance_note_run(struct chance *c, enum protocol protocol,
                     enum try_role role, uint64_t n)
{
	if (n > 0 && n <= CHANCE_RUN_MAX)
		c->counts[protocol][role].runs[n - 1]++;
}

/* That a Poisson number of mean @mean is at least @n */
static double at_least(double mean, uint64_t n)
{
	double term = exp(-mean), below = 0;

	for (uint64_t i = 0; i < n && i < 1000; i++) {
		below += term;
		term *= mean / (double)(i + 1);
	}
	return 1 - below;
}

bool chance_explains_run(const struct chance *c, enum protocol protocol,
                         enum try_role role, uint64_t n)
{
	const struct chance_count *count = &c->counts[protocol][role];
	double mean = (double)count->tries * pow(c->rate, (double)n);

	if (c->rate == 0 || n == 0 || n > CHANCE_RUN_MAX)
		return false;
	return at_least(mean, count->runs[n - 1]) > LIKELY;
}

bool chance_explains_share(const struct chance *c, enum protocol protocol,
                           enum try_role role, uint64_t tries, uint64_t failed)
{
	double exchanges = (double)c->counts[protocol][role].exchanges;

	if (c->rate == 0)
		return false;
	return exchanges * at_least((double)tries * c->rate, failed) > LIKELY;
}
