/*
 * The clocks of both sides, at any distance, from requests that are found once in
 * each file; where there are none, from broadcasts.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/clock_pairs.h"
#include "correlate/clock_sharp.h"
#include "correlate/clock_stretches.h"
#include "correlate/scene.h"

/* Offsets that belong together differ by no more than this: travel time and
 * some drift. */
#define CLUSTER_NS INT64_C(1000000000)

/* Clocks drift apart by no more than one part in so many. */
#define DRIFT_MAX_PART 5000

#define STRETCHES_MAX (CLOCK_STEPS_MAX + 1)

/* Nobody reads a clock better than that. */
#define HINTED_ERROR_NS INT64_C(100000000)

/* Of a stretch without pairs, and of a step that is a guess */
#define UNKNOWN_ERROR_NS INT64_C(1000000000)

static int by_offset(const void *a, const void *b)
{
	int64_t dx = clock_pair_offset(a), dy = clock_pair_offset(b);

	return dx < dy ? -1 : dx > dy;
}

static void sort_by_offset(struct clock_pairs *pairs)
{
	if (pairs->n > 0)
		qsort(pairs->items, pairs->n, sizeof(*pairs->items), by_offset);
}

static void keep_range(struct clock_pairs *pairs, size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pairs->items[i] = pairs->items[from + i];
	pairs->n = n;
}

/* Keeps the densest cluster of offsets. */
static void keep_cluster(struct clock_pairs *pairs, int64_t width_ns)
{
	const struct clock_pair *p = pairs->items;
	size_t from = 0, best_from = 0, best = 0;

	sort_by_offset(pairs);
	for (size_t to = 0; to < pairs->n; to++) {
		while (clock_pair_offset(&p[to]) - clock_pair_offset(&p[from]) >
		       width_ns)
			from++;
		if (to - from + 1 > best) {
			best = to - from + 1;
			best_from = from;
		}
	}
	keep_range(pairs, best_from, best);
}

/* Two frames that only look alike are no pair. */
static void drop_strays(struct clock_pairs *pairs, stretch_function *stretches)
{
	uint8_t *labels = xcalloc(pairs->n + 1, sizeof(*labels));
	int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;
	size_t n = 0;

	(void)stretches(pairs->items, pairs->n, labels);
	for (size_t i = 0; i < pairs->n; i++) {
		int64_t host_ns = pairs->items[i].host_ns;

		if (labels[i] == CLOCK_STRAY)
			continue;
		first_ns = host_ns < first_ns ? host_ns : first_ns;
		last_ns = host_ns > last_ns ? host_ns : last_ns;
		pairs->items[n++] = pairs->items[i];
	}
	pairs->n = n;
	free(labels);
	if (n > 0)
		keep_cluster(pairs, CLUSTER_NS + (last_ns - first_ns) /
		                                         DRIFT_MAX_PART);
}

/* First instant that both sides cover, in the host's clock */
static int64_t common_start(const struct scene *s, int64_t offset_ns)
{
	int64_t start = INT64_MIN;

	for (size_t i = 0; i < s->n_captures; i++) {
		const struct incident_capture *c = &s->incident->captures[i];
		int64_t first = c->first_ns;

		if (s->roles[i] == CAPTURE_ROLE_VM)
			first -= offset_ns;
		if (c->has_time && first > start)
			start = first;
	}
	return start == INT64_MIN ? 0 : start;
}

/* After how many steps of either clock a pair was taken */
static size_t stretch_of(const struct scene *s, const struct clock_pair *p)
{
	uint32_t host = s->points[p->host_point].capture;
	uint32_t vm = s->points[p->guest_point].capture;
	size_t n = clock_steps_before(&s->steps[host], p->host_frame) +
	           clock_steps_before(&s->steps[vm], p->guest_frame);

	return n < STRETCHES_MAX ? n : STRETCHES_MAX - 1;
}

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* When the steps were, in the host's clock.  A step of the clock behind several
 * captures is in each: those of one capture of each side are all. */
static size_t date_steps(const struct scene *s, int64_t offset_ns,
                         int64_t *at_ns)
{
	bool done[2] = { false, false };
	size_t n = 0;

	for (size_t i = 0; i < s->n_captures; i++) {
		const struct clock_steps *steps = &s->steps[i];
		bool vm = s->roles[i] == CAPTURE_ROLE_VM;

		for (size_t j = 0;
		     j < steps->n && !done[vm] && n < STRETCHES_MAX - 1; j++)
			at_ns[n++] =
				steps->items[j].at_ns - (vm ? offset_ns : 0);
		done[vm] |= steps->n > 0;
	}
	if (n > 0)
		qsort(at_ns, n, sizeof(*at_ns), by_number);
	return n;
}

static bool all_measured(const struct scene *s)
{
	for (size_t i = 0; i < s->n_captures; i++)
		for (size_t j = 0; j < s->steps[i].n; j++)
			if (!s->steps[i].items[j].measured)
				return false;
	return true;
}

static bool has_steps(const struct scene *s)
{
	for (size_t i = 0; i < s->n_captures; i++)
		if (s->steps[i].n > 0)
			return true;
	return false;
}

/* The line of stretch @k, or that of all where it has no pairs of its own */
static struct clock_line line_of(const struct scene *s,
                                 struct clock_pairs *pairs, size_t k,
                                 int64_t at_ns)
{
	struct clock_pair *own;
	struct clock_line line;
	size_t n = 0;

	if (!has_steps(s))
		return clock_line_fit(pairs->items, pairs->n, at_ns);
	own = xcalloc(pairs->n, sizeof(*own));
	for (size_t i = 0; i < pairs->n; i++)
		if (stretch_of(s, &pairs->items[i]) == k)
			own[n++] = pairs->items[i];
	if (n > 0) {
		line = clock_line_fit(own, n, at_ns);
	} else {
		line = clock_line_fit(pairs->items, pairs->n, at_ns);
		line.span_error_ns += UNKNOWN_ERROR_NS;
	}
	free(own);
	return line;
}

/* One line for each stretch; the one where both sides begin is reported. */
static void fit_stretches(struct scene *s, struct clock_pairs *pairs,
                          int64_t offset_ns)
{
	int64_t at_ns[STRETCHES_MAX];
	int64_t start_ns = common_start(s, offset_ns);
	size_t n_steps = date_steps(s, offset_ns, at_ns), first = 0;

	for (size_t k = 0; k <= n_steps; k++) {
		struct clock_stretch *st = &s->stretches[k];
		int64_t from_ns = k > 0 ? at_ns[k - 1] : start_ns;

		*st = (struct clock_stretch){
			.from_host_ns = from_ns,
			.line = line_of(s, pairs, k,
			                from_ns > start_ns ? from_ns
			                                   : start_ns),
		};
		st->from_guest_ns = from_ns + st->line.offset_ns;
		if (from_ns <= start_ns)
			first = k;
		if (st->line.span_error_ns > s->clock_error_ns)
			s->clock_error_ns = st->line.span_error_ns;
	}
	s->n_stretches = n_steps + 1;
	if (!all_measured(s))
		s->clock_error_ns += UNKNOWN_ERROR_NS;
	s->clock = s->stretches[first].line;
	s->clock.pairs = pairs->n;
}

/* How far the file's stamps of one side are from its times at @host_ns */
static int64_t shift_of(const struct scene *s, enum capture_role role,
                        int64_t ns)
{
	for (size_t i = 0; i < s->n_captures; i++)
		if (s->roles[i] == role && s->steps[i].n > 0)
			return clock_steps_shift(&s->steps[i], ns);
	return 0;
}

static void use_hint(struct scene *s)
{
	s->aligned = true;
	s->clock = (struct clock_line){
		.known = true,
		.offset_ns = s->hints->clock_offset_ns,
		.error_ns = HINTED_ERROR_NS,
		.span_error_ns = HINTED_ERROR_NS,
	};
	s->n_stretches = 1;
	s->stretches[0].line = s->clock;
	s->clock_error_ns = HINTED_ERROR_NS;
}

static bool has_relay(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].relayed)
			return true;
	return false;
}

/* What a relay repeats is found anew, in files as they are. */
static void read_again(struct scene *s)
{
	bool relayed = has_relay(s);

	for (uint32_t i = 0; i < s->n_captures; i++)
		if (s->steps[i].n > 0 || relayed)
			survey_retimed(s, i);
	roles_check_same(s);
	if (relayed)
		relay_find(s);
}

static void find_pairs(struct scene *s, struct clock_pairs *pairs)
{
	stretch_function *stretches = clock_stretches;

	clock_pairs_find(s, pairs);
	if (pairs->n == 0) {
		/* What everybody on the link hears is no packet of the guest's,
		 * but tells the time. */
		stretches = clock_sharp;
		clock_pairs_find_broadcasts(s, pairs);
	}
	if (steps_find(s, pairs, stretches)) {
		clock_pairs_free(pairs);
		read_again(s);
		if (stretches == clock_sharp)
			clock_pairs_find_broadcasts(s, pairs);
		else
			clock_pairs_find(s, pairs);
	}
	drop_strays(pairs, stretches);
	if (stretches == clock_stretches)
		s->shared_packets = pairs->n;
}

void align_run(struct scene *s)
{
	struct clock_pairs pairs = { 0 };

	find_pairs(s, &pairs);
	s->aligned = pairs.n > 0;
	if (pairs.n > 0) {
		fit_stretches(s, &pairs,
		              clock_pair_offset(&pairs.items[pairs.n / 2]));
		s->clock_shift_ns =
			shift_of(s, CAPTURE_ROLE_VM,
		                 s->clock.at_ns + s->clock.offset_ns) -
			shift_of(s, CAPTURE_ROLE_HOST, s->clock.at_ns);
	}
	clock_pairs_free(&pairs);
	if (s->hints->has_clock_offset)
		use_hint(s);
}
