#include "correlate/joins.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void joins_note(struct joins *j, uint32_t interface, int64_t ts_ns)
{
	struct joined *at;

	if (interface >= j->n) {
		j->items = xreallocarray(j->items, interface + 1,
		                         sizeof(*j->items));
		for (; j->n <= interface; j->n++)
			j->items[j->n] = (struct joined){ .with = j->n };
	}
	at = &j->items[interface];
	if (ts_ns == 0)
		return;
	if (!at->has_time || ts_ns < at->first_ns)
		at->first_ns = ts_ns;
	if (!at->has_time || ts_ns > at->last_ns)
		at->last_ns = ts_ns;
	at->has_time = true;
}

static bool is_alike(const struct capture_interface *a,
                     const struct capture_interface *b)
{
	if (a->linktype != b->linktype || a->by_source || b->by_source)
		return false;
	return a->name && b->name ? strcmp(a->name, b->name) == 0
	                          : a->name == b->name;
}

/* The next interface in time that is not joined yet; @n: there is none */
static uint32_t next_in_time(const struct joins *j, const bool *done)
{
	uint32_t next = j->n;

	for (uint32_t i = 0; i < j->n; i++)
		if (!done[i] && j->items[i].has_time &&
		    (next == j->n ||
		     j->items[i].first_ns < j->items[next].first_ns))
			next = i;
	return next;
}

/**
 * struct search - While interfaces are joined in order of time
 * @ends_ns:	where each ends, with all that continue it
 * @done:	they were looked at
 */
struct search {
	const struct joins *joins;
	const struct capture *capture;
	int64_t *ends_ns;
	bool *done;
};

static bool may_continue(const struct search *s, uint32_t i, uint32_t k)
{
	return s->joins->items[k].with == k &&
	       s->ends_ns[k] <= s->joins->items[i].first_ns &&
	       is_alike(capture_interface(s->capture, k),
	                capture_interface(s->capture, i));
}

/* Does @k begin while @i, which is next, is there?  Or is it @i? */
static bool begins_with(const struct search *s, uint32_t i, uint32_t k)
{
	const struct joined *at = &s->joins->items[k];

	return !s->done[k] && at->has_time &&
	       at->first_ns <= s->joins->items[i].last_ns &&
	       is_alike(capture_interface(s->capture, k),
	                capture_interface(s->capture, i));
}

/*
 * Which one goes on as @i?  Where several have ended, as many have to go on, and they
 * come in the same order; or else nobody knows.
 */
static uint32_t predecessor(const struct search *s, uint32_t i)
{
	uint32_t ended = 0, begin = 0, rank = 0, nth = 0;

	for (uint32_t k = 0; k < s->joins->n; k++) {
		ended += s->done[k] && may_continue(s, i, k);
		begin += begins_with(s, i, k);
		rank += k < i && begins_with(s, i, k);
	}
	for (uint32_t k = 0; ended == begin && k < s->joins->n; k++)
		if (s->done[k] && may_continue(s, i, k) && nth++ == rank)
			return k;
	return i;
}

bool joins_find(struct joins *j, const struct capture *c)
{
	struct search s = {
		.joins = j,
		.capture = c,
		.ends_ns = xcalloc((size_t)j->n + 1, sizeof(*s.ends_ns)),
		.done = xcalloc((size_t)j->n + 1, sizeof(*s.done)),
	};
	bool any = false;
	uint32_t i;

	while ((i = next_in_time(j, s.done)) < j->n) {
		uint32_t with = predecessor(&s, i);

		j->items[i].with = with;
		s.ends_ns[with] = j->items[i].last_ns;
		s.done[i] = true;
		any |= with != i;
	}
	free(s.done);
	free(s.ends_ns);
	return any;
}

uint32_t joins_of(const struct joins *j, uint32_t interface)
{
	return interface < j->n ? j->items[interface].with : interface;
}

bool joins_follow(const struct joins *earlier, const struct capture *a,
                  const struct joins *later, const struct capture *b)
{
	bool alike = earlier->n == later->n && earlier->n > 0;

	for (uint32_t i = 0; i < later->n && alike; i++)
		for (uint32_t k = 0; k < earlier->n && alike; k++)
			alike = earlier->items[k].has_time &&
			        later->items[i].has_time &&
			        earlier->items[k].last_ns <=
			                later->items[i].first_ns &&
			        (i != k || is_alike(capture_interface(a, k),
			                            capture_interface(b, i)));
	return alike;
}

void joins_free(struct joins *j)
{
	free(j->items);
	*j = (struct joins){ 0 };
}
