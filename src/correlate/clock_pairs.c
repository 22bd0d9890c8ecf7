#include "correlate/clock_pairs.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/relay_path.h"

/* Of a broadcast that is sent again and again, so many are looked at. */
#define REPEATS_MAX 32

/* The error of every line allows for finer time stamps. */
#define COARSE_TICK_NS 1000

/**
 * struct rare - One frame that may be found at the other side
 * @try:	it is a request; else a sample
 */
struct rare {
	uint64_t key;
	union {
		const struct try *try;
		const struct sample *sample;
	};
	uint32_t point;
	bool from_guest_side;
	bool is_try;
	bool guest_sent;
};

struct rare_list {
	struct rare *items;
	size_t n;
	size_t capacity;
};

static void add(struct rare_list *list, const struct rare *item)
{
	if (list->n == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : 256;
		list->items = xreallocarray(list->items, list->capacity,
		                            sizeof(*list->items));
	}
	list->items[list->n++] = *item;
}

static uint64_t frame_of(const struct rare *item)
{
	return item->is_try ? item->try->frame : item->sample->frame;
}

static int64_t time_of(const struct rare *item)
{
	return item->is_try ? item->try->ts_ns : item->sample->ts_ns;
}

static bool is_rare(const struct flow *f)
{
	return f->key.protocol != PROTOCOL_ARP &&
	       f->key.protocol != PROTOCOL_NDP;
}

static void collect_tries(const struct scene *s, uint32_t point,
                          struct rare_list *list, bool broadcasts)
{
	const struct observation *o = &s->points[point];
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_tries; i++) {
		const struct flow *f = &t->flows[t->tries[i].flow];

		if (is_rare(f) == broadcasts)
			continue;
		add(list,
		    &(struct rare){
			    .key = t->tries[i].key,
			    .try = &t->tries[i],
			    .point = point,
			    .from_guest_side = o->role == CAPTURE_ROLE_VM,
			    .is_try = true,
			    .guest_sent = scene_is_guest_ip(s, &f->key.client),
		    });
	}
}

static void collect_requests(const struct scene *s, uint32_t point,
                             struct rare_list *list)
{
	collect_tries(s, point, list, false);
}

static void collect_broadcasts(const struct scene *s, uint32_t point,
                               struct rare_list *list)
{
	collect_tries(s, point, list, true);
}

static void collect_samples(const struct scene *s, uint32_t point,
                            struct rare_list *list)
{
	const struct observation *o = &s->points[point];
	const struct sample_set *set = &o->track.samples;
	bool at_guest = o->role == CAPTURE_ROLE_VM;

	for (uint32_t i = 0; i < set->n; i++) {
		const struct sample *p = &set->items[i];
		bool sent = scene_is_guest_ip(s, &p->src);

		if (at_guest && sent == scene_is_guest_ip(s, &p->dst))
			continue; /* which way it goes is not known */
		add(list, &(struct rare){
				  .key = p->key,
				  .sample = p,
				  .point = point,
				  .from_guest_side = at_guest,
				  .guest_sent = sent,
			  });
	}
}

/* By key; in a key the guest's side first, then by point */
static int by_key(const void *a, const void *b)
{
	const struct rare *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->from_guest_side != y->from_guest_side)
		return x->from_guest_side ? -1 : 1;
	if (x->point != y->point)
		return x->point < y->point ? -1 : 1;
	if (frame_of(x) != frame_of(y))
		return frame_of(x) < frame_of(y) ? -1 : 1;
	return 0;
}

/* A frame may have arrived up to a tick later than it says. */
static void add_pair(const struct scene *s, struct clock_pairs *pairs,
                     struct clock_pair pair)
{
	int64_t tick_ns = s->points[pair.guest_point].tick_ns;

	if (s->points[pair.host_point].tick_ns > tick_ns)
		tick_ns = s->points[pair.host_point].tick_ns;
	if (tick_ns <= COARSE_TICK_NS)
		tick_ns = 0;
	switch (pair.direction) {
	case PATH_DIRECTION_FROM_GUEST:
		pair.host_ns += tick_ns;
		break;
	case PATH_DIRECTION_TO_GUEST:
		pair.guest_ns += tick_ns;
		break;
	}
	if (pairs->n == pairs->capacity) {
		pairs->capacity = pairs->capacity ? 2 * pairs->capacity : 256;
		pairs->items = xreallocarray(pairs->items, pairs->capacity,
		                             sizeof(*pairs->items));
	}
	pairs->items[pairs->n++] = pair;
}

static struct clock_pair pair_of(const struct rare *g, const struct rare *h)
{
	return (struct clock_pair){
		.direction = g->guest_sent ? PATH_DIRECTION_FROM_GUEST
		                           : PATH_DIRECTION_TO_GUEST,
		.host_ns = time_of(h),
		.guest_ns = time_of(g),
		.host_frame = frame_of(h),
		.guest_frame = frame_of(g),
		.host_point = h->point,
		.guest_point = g->point,
	};
}

static struct clock_pair answer_pair(const struct rare *g, const struct rare *h)
{
	struct clock_pair pair = pair_of(g, h);

	pair.direction = g->guest_sent ? PATH_DIRECTION_TO_GUEST
	                               : PATH_DIRECTION_FROM_GUEST;
	pair.host_ns = h->try->answer_ns;
	pair.guest_ns = g->try->answer_ns;
	pair.host_frame = h->try->answer_frame;
	pair.guest_frame = g->try->answer_frame;
	return pair;
}

static const struct flow *flow_of(const struct scene *s,
                                  const struct rare *item)
{
	return &s->points[item->point].track.flows.flows[item->try->flow];
}

/* A relay may answer before the server does. */
static void add_answers(const struct scene *s, struct clock_pairs *pairs,
                        const struct rare *g, const struct rare *h)
{
	struct clock_pair pair;

	if (g->try->answer == TRY_UNANSWERED ||
	    h->try->answer == TRY_UNANSWERED)
		return;
	pair = answer_pair(g, h);
	if (s->points[h->point].relayed) {
		const struct flow *fg = flow_of(s, g), *fh = flow_of(s, h);

		pair.host_ns = relay_answer_ns(fh, h->try);
		pair.guest_ns = relay_answer_ns(fg, g->try);
		pair.host_frame = relay_answer_frame(fh, h->try);
		pair.guest_frame = relay_answer_frame(fg, g->try);
	}
	if (pair.host_ns && pair.guest_ns)
		add_pair(s, pairs, pair);
}

typedef void collect_function(const struct scene *s, uint32_t point,
                              struct rare_list *list);
typedef void pair_function(const struct scene *s, const struct rare *items,
                           size_t n, struct clock_pairs *pairs);

/* Pairs the one guest-side item of a key with each host-side one that is alone
 * at its point. */
static void pair_up(const struct scene *s, const struct rare *items, size_t n,
                    struct clock_pairs *pairs)
{
	const struct rare *g = &items[0];

	if (n < 2 || !g->from_guest_side || items[1].from_guest_side)
		return;
	for (size_t i = 1; i < n; i++) {
		const struct rare *h = &items[i];

		if (i + 1 < n && items[i + 1].point == h->point)
			return;
		add_pair(s, pairs, pair_of(g, h));
		if (g->is_try)
			add_answers(s, pairs, g, h);
	}
}

/* All pairs of one broadcast that was repeated to the letter; few are enough. */
static void pair_all(const struct scene *s, const struct rare *items, size_t n,
                     struct clock_pairs *pairs)
{
	size_t n_guest = 0;

	while (n_guest < n && items[n_guest].from_guest_side)
		n_guest++;
	for (size_t i = 0; i < n_guest && i < REPEATS_MAX; i++)
		for (size_t j = n_guest; j < n && j < n_guest + REPEATS_MAX;
		     j++)
			add_pair(s, pairs, pair_of(&items[i], &items[j]));
}

static int by_guest_frame(const void *a, const void *b)
{
	const struct clock_pair *x = a, *y = b;

	if (x->guest_frame != y->guest_frame)
		return x->guest_frame < y->guest_frame ? -1 : 1;
	return x->host_frame < y->host_frame ? -1
	                                     : x->host_frame > y->host_frame;
}

/* What both sides have of one kind */
static void find(const struct scene *s, collect_function *collect,
                 pair_function *pair, struct clock_pairs *out)
{
	struct rare_list list = { 0 };

	for (uint32_t i = 0; i < s->n_points; i++)
		collect(s, i, &list);
	if (list.n > 0)
		qsort(list.items, list.n, sizeof(*list.items), by_key);
	for (size_t i = 0, j; i < list.n; i = j) {
		for (j = i + 1;
		     j < list.n && list.items[j].key == list.items[i].key; j++)
			;
		pair(s, &list.items[i], j - i, out);
	}
	free(list.items);
}

/* A request may be in the sample, too. */
static bool is_again(const struct clock_pair *a, const struct clock_pair *b)
{
	return a->guest_frame == b->guest_frame &&
	       a->host_frame == b->host_frame &&
	       a->guest_point == b->guest_point &&
	       a->host_point == b->host_point;
}

static void sort(struct clock_pairs *pairs)
{
	size_t n = 0;

	if (pairs->n > 0)
		qsort(pairs->items, pairs->n, sizeof(*pairs->items),
		      by_guest_frame);
	for (size_t i = 0; i < pairs->n; i++)
		if (n == 0 || !is_again(&pairs->items[n - 1], &pairs->items[i]))
			pairs->items[n++] = pairs->items[i];
	pairs->n = n;
}

void clock_pairs_find(const struct scene *s, struct clock_pairs *out)
{
	find(s, collect_requests, pair_up, out);
	find(s, collect_samples, pair_up, out);
	sort(out);
}

void clock_pairs_find_broadcasts(const struct scene *s, struct clock_pairs *out)
{
	find(s, collect_broadcasts, pair_all, out);
	sort(out);
}

void clock_pairs_free(struct clock_pairs *pairs)
{
	free(pairs->items);
	*pairs = (struct clock_pairs){ 0 };
}
