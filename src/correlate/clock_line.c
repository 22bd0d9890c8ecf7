#include "correlate/clock_line.h"

#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"

/* A quartz clock is within this; more is a step. */
#define DRIFT_MAX_PPB 200000.0

/* Time stamps are cut to the microsecond and taken a little late. */
#define STAMP_ERROR_NS 2000.0

/* No packet is longer on its way between the guest and its host. */
#define TRAVEL_MAX_NS INT64_C(500000000)

/* So many of the slopes that fit are looked at for the error. */
#define SLOPES 16

/* Bounds of a line at one slope: all points of one direction are below @above,
 * all of the other above @below. */
struct gap {
	double low;
	double high;
};

struct cloud {
	const struct clock_pair *pairs;
	size_t n;
	int64_t at_ns;
	int64_t base_ns; /* keeps the doubles small */
};

static int by_host_time(const void *a, const void *b)
{
	const struct clock_pair *x = a, *y = b;

	return x->host_ns < y->host_ns ? -1 : x->host_ns > y->host_ns;
}

static struct gap gap_at(const struct cloud *c, double drift_ppb)
{
	struct gap gap = { .low = -INFINITY, .high = INFINITY };

	for (size_t i = 0; i < c->n; i++) {
		const struct clock_pair *p = &c->pairs[i];
		double x = (double)(p->host_ns - c->at_ns);
		double y = (double)(p->guest_ns - p->host_ns - c->base_ns) -
		           drift_ppb * x / 1e9;

		switch (p->direction) {
		case PATH_DIRECTION_FROM_GUEST:
			if (y > gap.low)
				gap.low = y;
			break;
		case PATH_DIRECTION_TO_GUEST:
			if (y < gap.high)
				gap.high = y;
			break;
		}
	}
	return gap;
}

static double width(const struct cloud *c, double drift_ppb)
{
	struct gap gap = gap_at(c, drift_ppb);

	return gap.high - gap.low;
}

/* The width is concave in the slope: a ternary search finds the widest. */
static double widest_drift(const struct cloud *c)
{
	double from = -DRIFT_MAX_PPB, to = DRIFT_MAX_PPB;

	for (int i = 0; i < 60; i++) {
		double a = from + (to - from) / 3, b = to - (to - from) / 3;

		if (width(c, a) < width(c, b))
			from = a;
		else
			to = b;
	}
	return (from + to) / 2;
}

/* The last slope from @inside towards @outside at which the width is not
 * negative. */
static double edge_drift(const struct cloud *c, double inside, double outside)
{
	for (int i = 0; i < 40; i++) {
		double middle = (inside + outside) / 2;

		if (width(c, middle) >= 0)
			inside = middle;
		else
			outside = middle;
	}
	return inside;
}

static void widen(struct gap *all, const struct cloud *c, double drift_ppb)
{
	struct gap gap = gap_at(c, drift_ppb);

	if (gap.low < all->low)
		all->low = gap.low;
	if (gap.high > all->high)
		all->high = gap.high;
}

static bool both_directions(const struct clock_pair *pairs, size_t n)
{
	bool from = false, to = false;

	for (size_t i = 0; i < n; i++) {
		from |= pairs[i].direction == PATH_DIRECTION_FROM_GUEST;
		to |= pairs[i].direction == PATH_DIRECTION_TO_GUEST;
	}
	return from && to;
}

static void fit_both(const struct cloud *c, struct clock_line *line)
{
	double best = widest_drift(c);
	double drift = width(c, 0) >= 0 ? 0 : best;
	double slack = width(c, drift) < 0 ? -width(c, drift) : 0;
	struct gap gap = gap_at(c, drift), all = gap;
	double offset = (gap.low + gap.high) / 2, error;
	double drift_error = DRIFT_MAX_PPB;

	if (slack == 0) {
		double from = edge_drift(c, best, -DRIFT_MAX_PPB);
		double to = edge_drift(c, best, DRIFT_MAX_PPB);

		for (int i = 0; i <= SLOPES; i++)
			widen(&all, c, from + (to - from) * i / SLOPES);
		drift_error = fmax(to - drift, drift - from);
	}
	error = fmax(fabs(all.high - offset), fabs(offset - all.low));
	line->known = true;
	line->offset_ns = c->base_ns + (int64_t)llround(offset);
	line->error_ns = (int64_t)llround(error + slack + STAMP_ERROR_NS);
	line->drift_ppb = (int64_t)llround(drift);
	line->drift_error_ppb = (int64_t)llround(drift_error);
}

/* The tightest bound: the offset is beyond it by an unknown travel time. */
static void fit_one(const struct cloud *c, struct clock_line *line)
{
	struct gap gap = gap_at(c, 0);
	double bound = isfinite(gap.low) ? gap.low : gap.high;

	line->known = true;
	line->offset_ns = c->base_ns + (int64_t)llround(bound);
	line->drift_error_ppb = (int64_t)DRIFT_MAX_PPB;
	line->error_ns = TRAVEL_MAX_NS +
	                 (int64_t)llround(DRIFT_MAX_PPB *
	                                  (double)(c->pairs[c->n - 1].host_ns -
	                                           c->pairs[0].host_ns) /
	                                  1e9);
}

struct clock_line clock_line_fit(struct clock_pair *pairs, size_t n,
                                 int64_t at_ns)
{
	struct clock_line line = { .at_ns = at_ns, .pairs = n };
	struct cloud cloud = { .pairs = pairs, .n = n, .at_ns = at_ns };

	if (n == 0)
		return line;
	qsort(pairs, n, sizeof(*pairs), by_host_time);
	cloud.base_ns = pairs[n / 2].guest_ns - pairs[n / 2].host_ns;
	if (both_directions(pairs, n))
		fit_both(&cloud, &line);
	else
		fit_one(&cloud, &line);
	return line;
}

int64_t clock_line_at(const struct clock_line *line, int64_t host_ns)
{
	return line->offset_ns +
	       (int64_t)((double)line->drift_ppb *
	                 (double)(host_ns - line->at_ns) / 1e9);
}
