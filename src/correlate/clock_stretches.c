#include "correlate/clock_stretches.h"

#include <stdlib.h>

#include "base/xalloc.h"

/* Offsets of one stretch follow each other within this: travel time and drift */
#define NEAR_NS INT64_C(1000000000)

/* So many frames ahead tell an accident from a step, */
#define AHEAD 8

/* ... and so many have to agree on the new offset. */
#define AGREE_MIN 2

/* Time stamps are not better: what contradicts less is no step. */
#define STEP_MIN_NS 1000000.0

/* A small step is one only if so many pairs before and after agree. */
#define SMALL_STEP_PAIRS 4

/* Of so many pairs some bound the line; the others need not be looked at. */
#define THIN_MAX 4096

/* Pairs after a step that say what the offset is there */
#define LOCAL 128

#define NOISE SIZE_MAX

static int64_t offset_of(const struct clock_pair *pair)
{
	return pair->guest_ns - pair->host_ns;
}

static bool is_near(const struct clock_pair *pair, int64_t offset_ns)
{
	return llabs(offset_of(pair) - offset_ns) <= NEAR_NS;
}

/* How many of the next frames agree with this offset */
static size_t agreeing(const struct clock_pair *pairs, size_t n, size_t i,
                       int64_t offset_ns)
{
	size_t frames = 0, agree = 0;
	uint64_t last = UINT64_MAX, counted = UINT64_MAX;

	for (; i < n && frames <= AHEAD; i++) {
		if (pairs[i].guest_frame != last)
			frames++;
		last = pairs[i].guest_frame;
		if (last != counted && is_near(&pairs[i], offset_ns)) {
			agree++;
			counted = last;
		}
	}
	return agree;
}

/* Splits at steps of more than travel time can explain. */
static size_t split_coarsely(const struct clock_pair *pairs, size_t n,
                             uint8_t *labels)
{
	int64_t offset_ns = 0;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		size_t old = 0, new;

		if (count == 0 || !is_near(&pairs[i], offset_ns)) {
			new = agreeing(pairs, n, i, offset_of(&pairs[i]));
			if (count > 0)
				old = agreeing(pairs, n, i, offset_ns);
			labels[i] = CLOCK_STRAY;
			if (new < AGREE_MIN || new <= old ||
			    count == CLOCK_STRETCHES_MAX)
				continue;
			count++;
		}
		labels[i] = (uint8_t)(count - 1);
		offset_ns = offset_of(&pairs[i]);
	}
	return count;
}

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* So few that no two follow each other: the offset that most are near to */
static size_t keep_densest(const struct clock_pair *pairs, size_t n,
                           uint8_t *labels)
{
	int64_t *offsets = xcalloc(n, sizeof(*offsets));
	size_t from = 0, best_from = 0, best = 0;

	for (size_t i = 0; i < n; i++)
		offsets[i] = offset_of(&pairs[i]);
	qsort(offsets, n, sizeof(*offsets), by_number);
	for (size_t to = 0; to < n; to++) {
		while (offsets[to] - offsets[from] > NEAR_NS)
			from++;
		if (to - from + 1 > best) {
			best = to - from + 1;
			best_from = from;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (offset_of(&pairs[i]) >= offsets[best_from] &&
		    offset_of(&pairs[i]) <= offsets[best_from + best - 1])
			labels[i] = 0;
	free(offsets);
	return 1;
}

/**
 * struct thin - Pairs of one coarse stretch, or the telling ones of them
 * @index:	of each among all pairs
 */
struct thin {
	struct clock_pair *pairs;
	size_t *index;
	size_t n;
};

static void thin_add(struct thin *t, const struct clock_pair *pairs, size_t i)
{
	t->pairs[t->n] = pairs[i];
	t->index[t->n++] = i;
}

/* Of the pairs that follow each other closely: those nearest to the line */
static struct thin thin_out(const struct clock_pair *pairs,
                            const size_t *members, size_t n)
{
	size_t bucket = n / (THIN_MAX / 2) + 1;
	struct thin t = {
		.pairs = xcalloc(n < THIN_MAX ? n + 1 : THIN_MAX,
		                 sizeof(*t.pairs)),
		.index = xcalloc(n < THIN_MAX ? n + 1 : THIN_MAX,
		                 sizeof(*t.index)),
	};

	if (bucket == 1) {
		for (size_t i = 0; i < n; i++)
			thin_add(&t, pairs, members[i]);
		return t;
	}
	for (size_t from = 0; from < n; from += bucket) {
		size_t best[2] = { SIZE_MAX, SIZE_MAX };

		for (size_t i = from; i < n && i < from + bucket; i++) {
			const struct clock_pair *p = &pairs[members[i]];
			size_t *b = &best[p->direction];
			bool up = p->direction == PATH_DIRECTION_FROM_GUEST;

			if (*b == SIZE_MAX ||
			    (offset_of(p) > offset_of(&pairs[*b])) == up)
				*b = members[i];
		}
		for (int i = 0; i < 2; i++) {
			size_t next = best[i ^ (best[0] > best[1])];

			if (next != SIZE_MAX)
				thin_add(&t, pairs, next);
		}
	}
	return t;
}

/* A step is somewhere between these two of all pairs. */
struct between {
	size_t before;
	size_t after;
};

static bool fits(const struct clock_pair *pairs, size_t n)
{
	return clock_line_room(pairs, n) >= -STEP_MIN_NS;
}

/* How many pairs from the first on one line explains */
static size_t longest_fit(const struct clock_pair *pairs, size_t n)
{
	size_t good = 1, bad = n;

	while (bad - good > 1) {
		size_t middle = good + (bad - good) / 2;

		if (fits(pairs, middle))
			good = middle;
		else
			bad = middle;
	}
	return good;
}

/* Does the line of the pairs before pair @k go on after it?  Only those of its
 * direction would contradict as it does. */
static bool goes_on(const struct thin *t, size_t from, size_t k)
{
	struct clock_pair *pairs = xcalloc(t->n, sizeof(*pairs));
	size_t n = 0, same = 0;
	bool yes;

	for (size_t i = from; i < t->n && same < SMALL_STEP_PAIRS; i++) {
		if (i == k)
			continue;
		pairs[n++] = t->pairs[i];
		same += i > k && t->pairs[i].direction == t->pairs[k].direction;
	}
	yes = same < AGREE_MIN || fits(pairs, n);
	free(pairs);
	return yes;
}

static void thin_drop(struct thin *t, size_t i)
{
	for (t->n--; i < t->n; i++) {
		t->pairs[i] = t->pairs[i + 1];
		t->index[i] = t->index[i + 1];
	}
}

/* The first pair from which on the line of pair @k and of those after it holds */
static size_t holds_from(const struct thin *t, size_t from, size_t k)
{
	size_t n = t->n - k < LOCAL ? t->n - k : LOCAL;
	size_t good = k, bad = from;

	while (good - bad > 1) {
		size_t middle = bad + (good - bad) / 2;

		if (fits(&t->pairs[middle], k + n - middle))
			good = middle;
		else
			bad = middle;
	}
	return good;
}

/*
 * Between which pairs the steps are that no line explains: @steps, at most @max.
 * A pair that alone contradicts is a stray.
 *
 * Return: their number; NOISE if the pairs contradict each other all the time
 */
static size_t find_steps(struct thin *t, struct between *steps, size_t max,
                         uint8_t *labels)
{
	size_t from = 0, n = 0, dropped = 0, all = t->n;

	while (!fits(&t->pairs[from], t->n - from)) {
		size_t k = from + longest_fit(&t->pairs[from], t->n - from);

		if (goes_on(t, from, k)) {
			labels[t->index[k]] = CLOCK_STRAY;
			thin_drop(t, k);
			if (++dropped > all / 10 + 1)
				return NOISE;
			continue;
		}
		if (n == max || k - from < SMALL_STEP_PAIRS)
			return NOISE;
		steps[n++] = (struct between){
			.before = t->index[holds_from(t, from, k) - 1],
			.after = t->index[k],
		};
		from = k;
	}
	return n;
}

/* Splits the pairs @members at small steps; returns how many there are. */
static size_t split_finely(const struct clock_pair *pairs,
                           const size_t *members, size_t n, uint8_t first,
                           size_t max, uint8_t *labels)
{
	struct between steps[CLOCK_STRETCHES_MAX];
	struct thin t = thin_out(pairs, members, n);
	size_t n_steps = find_steps(&t, steps, max, labels);
	bool noise = n_steps == NOISE;

	if (noise)
		n_steps = 0;
	for (size_t i = 0, step = 0; i < n; i++) {
		while (step < n_steps && members[i] >= steps[step].after)
			step++;
		if (step < n_steps && members[i] > steps[step].before)
			labels[members[i]] = CLOCK_STRAY;
		else if (noise || labels[members[i]] != CLOCK_STRAY)
			labels[members[i]] = (uint8_t)(first + step);
	}
	free(t.pairs);
	free(t.index);
	return n_steps;
}

size_t clock_stretches(const struct clock_pair *pairs, size_t n,
                       uint8_t *labels)
{
	size_t *members, n_coarse, more = 0;

	if (n == 0)
		return 0;
	n_coarse = split_coarsely(pairs, n, labels);
	if (n_coarse == 0)
		return keep_densest(pairs, n, labels);
	members = xcalloc(n, sizeof(*members));
	for (size_t k = 0, i = 0; k < n_coarse; k++) {
		size_t n_members = 0;

		for (; i < n && (labels[i] == k || labels[i] == CLOCK_STRAY);
		     i++)
			if (labels[i] == k)
				members[n_members++] = i;
		more += split_finely(
			pairs, members, n_members, (uint8_t)(k + more),
			CLOCK_STRETCHES_MAX - n_coarse - more, labels);
	}
	free(members);
	return n_coarse + more;
}
