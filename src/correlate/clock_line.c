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

/* Bounds of the offset at one slope: above what left the guest, below what came
 * to it */
struct gap {
	double low;
	double high;
};

/* Time and offset of a pair, as far from the cloud's as doubles can tell */
struct dot {
	double x;
	double y;
};

struct dots {
	struct dot *items;
	size_t n;
	size_t capacity;
};

/**
 * struct cloud - What bounds the line from below and from above
 * @base_ns:	offset that the dots are relative to
 * @at_ns:	host time that they are relative to
 */
struct cloud {
	struct dots below;
	struct dots above;
	int64_t base_ns;
	int64_t at_ns;
};

static int by_host_time(const void *a, const void *b)
{
	const struct clock_pair *x = a, *y = b;

	return x->host_ns < y->host_ns ? -1 : x->host_ns > y->host_ns;
}

static struct dot dot_of(const struct cloud *c, const struct clock_pair *p)
{
	return (struct dot){
		.x = (double)(p->host_ns - c->at_ns),
		.y = (double)(p->guest_ns - p->host_ns - c->base_ns),
	};
}

/* Offset at @x of the line through @dot */
static double offset_at(const struct dot *dot, double drift_ppb, double x)
{
	return dot->y - drift_ppb * (dot->x - x) / 1e9;
}

static void add(struct dots *dots, struct dot dot)
{
	if (dots->n == dots->capacity) {
		dots->capacity = dots->capacity ? 2 * dots->capacity : 64;
		dots->items = xreallocarray(dots->items, dots->capacity,
		                            sizeof(*dots->items));
	}
	dots->items[dots->n++] = dot;
}

/* Only corners of the hull bound a line: those of the upper one (@side 1) of
 * what is below it, of the lower one (-1) of what is above. */
static void add_to_hull(struct dots *hull, struct dot dot, double side)
{
	while (hull->n > 0 && hull->items[hull->n - 1].x == dot.x) {
		if ((dot.y - hull->items[hull->n - 1].y) * side <= 0)
			return;
		hull->n--;
	}
	while (hull->n > 1) {
		const struct dot *a = &hull->items[hull->n - 2];
		const struct dot *b = &hull->items[hull->n - 1];
		double turn = (b->x - a->x) * (dot.y - a->y) -
		              (b->y - a->y) * (dot.x - a->x);

		if (turn * side < 0)
			break;
		hull->n--;
	}
	add(hull, dot);
}

static struct cloud cloud_around(const struct clock_pair *pair, int64_t at_ns)
{
	return (struct cloud){
		.base_ns = pair->guest_ns - pair->host_ns,
		.at_ns = at_ns,
	};
}

static void cloud_free(struct cloud *c)
{
	free(c->below.items);
	free(c->above.items);
}

/* @pairs in order of host time */
static void add_hulls(struct cloud *c, const struct clock_pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct dot dot = dot_of(c, &pairs[i]);

		switch (pairs[i].direction) {
		case PATH_DIRECTION_FROM_GUEST:
			add_to_hull(&c->below, dot, 1);
			break;
		case PATH_DIRECTION_TO_GUEST:
			add_to_hull(&c->above, dot, -1);
			break;
		}
	}
}

static struct gap gap_at(const struct cloud *c, double drift_ppb, double x)
{
	struct gap gap = { .low = -INFINITY, .high = INFINITY };

	for (size_t i = 0; i < c->below.n; i++)
		gap.low = fmax(gap.low,
		               offset_at(&c->below.items[i], drift_ppb, x));
	for (size_t i = 0; i < c->above.n; i++)
		gap.high = fmin(gap.high,
		                offset_at(&c->above.items[i], drift_ppb, x));
	return gap;
}

static double width(const struct cloud *c, double drift_ppb)
{
	struct gap gap = gap_at(c, drift_ppb, 0);

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
	if (width(c, outside) >= 0)
		return outside;
	for (int i = 0; i < 40; i++) {
		double middle = (inside + outside) / 2;

		if (width(c, middle) >= 0)
			inside = middle;
		else
			outside = middle;
	}
	return inside;
}

/* All offsets at @x of lines that fit: the upper bound is concave in the slope,
 * the lower one convex. */
static struct gap all_offsets(const struct cloud *c, double from, double to,
                              double x)
{
	double low_from = from, low_to = to, high_from = from, high_to = to;

	for (int i = 0; i < 60; i++) {
		double third = (low_to - low_from) / 3;
		double a = low_from + third, b = low_to - third;

		if (gap_at(c, a, x).low > gap_at(c, b, x).low)
			low_from = a;
		else
			low_to = b;
		third = (high_to - high_from) / 3;
		a = high_from + third;
		b = high_to - third;
		if (gap_at(c, a, x).high < gap_at(c, b, x).high)
			high_from = a;
		else
			high_to = b;
	}
	return (struct gap){
		.low = gap_at(c, low_from, x).low,
		.high = gap_at(c, high_from, x).high,
	};
}

static int64_t rounded_error(double error)
{
	return error < (double)TRAVEL_MAX_NS * 1e9
	               ? (int64_t)llround(error + STAMP_ERROR_NS)
	               : TRAVEL_MAX_NS * INT64_C(1000000000);
}

static void fit_both(const struct cloud *c, const double ends[2],
                     struct clock_line *line)
{
	double best = widest_drift(c), from = best, to = best;
	double drift = width(c, 0) >= 0 ? 0 : best;
	double slack = width(c, drift) < 0 ? -width(c, drift) : 0;
	struct gap gap = gap_at(c, drift, 0);
	double offset = (gap.low + gap.high) / 2, errors[3];
	const double at[] = { 0, ends[0], ends[1] };

	if (slack == 0) {
		from = edge_drift(c, best, -DRIFT_MAX_PPB);
		to = edge_drift(c, best, DRIFT_MAX_PPB);
	}
	for (int i = 0; i < 3; i++) {
		struct gap all = all_offsets(c, from, to, at[i]);
		double there = offset + drift * at[i] / 1e9;

		errors[i] = slack +
		            fmax(fabs(all.high - there), fabs(there - all.low));
	}
	line->offset_ns = c->base_ns + (int64_t)llround(offset);
	line->error_ns = rounded_error(errors[0]);
	line->span_error_ns =
		rounded_error(fmax(errors[0], fmax(errors[1], errors[2])));
	line->drift_ppb = (int64_t)llround(drift);
}

/* The tightest bound: the offset is beyond it by an unknown travel time. */
static void fit_one(const struct cloud *c, const double ends[2],
                    struct clock_line *line)
{
	struct gap gap = gap_at(c, 0, 0);
	double bound = isfinite(gap.low) ? gap.low : gap.high;
	double away = fmax(fabs(ends[0]), fabs(ends[1]));

	line->one_sided = true;
	line->offset_ns = c->base_ns + (int64_t)llround(bound);
	line->error_ns =
		TRAVEL_MAX_NS + (int64_t)llround(DRIFT_MAX_PPB * away / 1e9);
	line->span_error_ns =
		TRAVEL_MAX_NS +
		(int64_t)llround(DRIFT_MAX_PPB *
	                         fmax(away, fabs(ends[1] - ends[0])) / 1e9);
}

struct clock_line clock_line_fit(struct clock_pair *pairs, size_t n,
                                 int64_t at_ns)
{
	struct clock_line line = { .known = n > 0, .at_ns = at_ns, .pairs = n };
	struct cloud cloud;
	double ends[2];

	if (n == 0)
		return line;
	qsort(pairs, n, sizeof(*pairs), by_host_time);
	cloud = cloud_around(&pairs[n / 2], at_ns);
	add_hulls(&cloud, pairs, n);
	ends[0] = (double)(pairs[0].host_ns - at_ns);
	ends[1] = (double)(pairs[n - 1].host_ns - at_ns);
	if (cloud.below.n > 0 && cloud.above.n > 0)
		fit_both(&cloud, ends, &line);
	else
		fit_one(&cloud, ends, &line);
	cloud_free(&cloud);
	return line;
}

double clock_line_room(const struct clock_pair *pairs, size_t n)
{
	struct cloud cloud;
	double room;

	if (n == 0)
		return INFINITY;
	cloud = cloud_around(&pairs[n / 2], pairs[0].host_ns);
	/* Each pair bounds from both sides: by leaving, and by its travel. */
	for (size_t i = 0; i < n; i++) {
		bool from = pairs[i].direction == PATH_DIRECTION_FROM_GUEST;
		struct dot low = dot_of(&cloud, &pairs[i]), high = low;

		if (from)
			high.y += (double)TRAVEL_MAX_NS;
		else
			low.y -= (double)TRAVEL_MAX_NS;
		add(&cloud.below, low);
		add(&cloud.above, high);
	}
	room = width(&cloud, widest_drift(&cloud));
	cloud_free(&cloud);
	return room;
}

int64_t clock_line_at(const struct clock_line *line, int64_t host_ns)
{
	return line->offset_ns +
	       (int64_t)((double)line->drift_ppb *
	                 (double)(host_ns - line->at_ns) / 1e9);
}
