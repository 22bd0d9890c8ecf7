#include "correlate/clock_sharp.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/clock_stretches.h"

/* The same broadcast is seen at both sides within this time, */
#define SHARP_NS INT64_C(3000000)

/* ... and so many of them are no accident. */
#define SHARP_MIN 4

/* A pair and its place among all */
struct candidate {
	int64_t offset_ns;
	size_t index;
	uint64_t guest_frame;
	uint64_t host_frame;
};

/* Frames of both files that a stretch covers */
struct cover {
	uint64_t guest_first;
	uint64_t guest_last;
	uint64_t host_first;
	uint64_t host_last;
};

struct found {
	uint8_t *labels;
	uint8_t n;
};

static int by_offset(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->offset_ns != y->offset_ns)
		return x->offset_ns < y->offset_ns ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The most of @c, in order of offset, that agree; @from is the first of them. */
static size_t densest(const struct candidate *c, size_t n, size_t *from)
{
	size_t first = 0, best = 0;

	*from = 0;
	for (size_t last = 0; last < n; last++) {
		while (c[last].offset_ns - c[first].offset_ns > SHARP_NS)
			first++;
		if (last - first + 1 > best) {
			best = last - first + 1;
			*from = first;
		}
	}
	return best;
}

static struct cover cover_of(const struct candidate *c, size_t n)
{
	struct cover cover = { UINT64_MAX, 0, UINT64_MAX, 0 };

	for (size_t i = 0; i < n; i++) {
		if (c[i].guest_frame < cover.guest_first)
			cover.guest_first = c[i].guest_frame;
		if (c[i].guest_frame > cover.guest_last)
			cover.guest_last = c[i].guest_frame;
		if (c[i].host_frame < cover.host_first)
			cover.host_first = c[i].host_frame;
		if (c[i].host_frame > cover.host_last)
			cover.host_last = c[i].host_frame;
	}
	return cover;
}

/* -1: in both files before @cover, 1: after, 0: neither */
static int place_of(const struct candidate *c, const struct cover *cover)
{
	if (c->guest_frame < cover->guest_first &&
	    c->host_frame < cover->host_first)
		return -1;
	return c->guest_frame > cover->guest_last &&
	       c->host_frame > cover->host_last;
}

/* Those of @all on one side of @cover, in the same order */
static size_t take_side(const struct candidate *all, size_t n,
                        const struct cover *cover, int side,
                        struct candidate *out)
{
	size_t n_out = 0;

	for (size_t i = 0; i < n; i++)
		if (place_of(&all[i], cover) == side)
			out[n_out++] = all[i];
	return n_out;
}

/* Accidents happen since broadcasts are repeated by the second: the right pairs
 * must be twice as many as any others of the same frames. */
static bool is_right(const struct candidate *c, size_t n, size_t from,
                     size_t n_best, const struct cover *cover)
{
	struct candidate *others = xcalloc(n, sizeof(*others));
	size_t n_others = 0, second, ignored;

	for (size_t i = 0; i < n; i++)
		if ((i < from || i >= from + n_best) &&
		    place_of(&c[i], cover) == 0)
			others[n_others++] = c[i];
	second = densest(others, n_others, &ignored);
	free(others);
	return n_best >= SHARP_MIN && n_best >= 2 * second;
}

static void split(const struct candidate *c, size_t n, struct found *found)
{
	size_t from, n_best = densest(c, n, &from), n_part;
	struct cover cover = cover_of(&c[from], n_best);
	struct candidate *part;

	if (n_best == 0 || found->n == CLOCK_STRETCHES_MAX ||
	    !is_right(c, n, from, n_best, &cover))
		return;
	part = xcalloc(n, sizeof(*part));
	n_part = take_side(c, n, &cover, -1, part);
	split(part, n_part, found);
	for (size_t i = from; i < from + n_best; i++)
		found->labels[c[i].index] = found->n;
	found->n++;
	n_part = take_side(c, n, &cover, 1, part);
	split(part, n_part, found);
	free(part);
}

size_t clock_sharp(const struct clock_pair *pairs, size_t n, uint8_t *labels)
{
	struct candidate *c = xcalloc(n + 1, sizeof(*c));
	struct found found = { .labels = labels };

	for (size_t i = 0; i < n; i++) {
		labels[i] = CLOCK_STRAY;
		c[i] = (struct candidate){
			.offset_ns = pairs[i].guest_ns - pairs[i].host_ns,
			.index = i,
			.guest_frame = pairs[i].guest_frame,
			.host_frame = pairs[i].host_frame,
		};
	}
	qsort(c, n, sizeof(*c), by_offset);
	split(c, n, &found);
	free(c);
	return found.n;
}
