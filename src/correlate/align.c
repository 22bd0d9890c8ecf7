/*
 * Offset of the clocks, at any distance, from requests that are found once in
 * each file: no address is looked at, so NAT does not matter.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/scene.h"

/* Offsets that belong together differ by no more than this: travel time and
 * some drift. */
#define CLUSTER_NS INT64_C(1000000000)

/* The same broadcast is seen at both sides within this time, */
#define SHARP_NS INT64_C(3000000)

/* ... and so many of them are no accident. */
#define SHARP_MIN 4

/* Of a broadcast that is sent again and again, so many are looked at. */
#define REPEATS_MAX 32

/* Nobody reads a clock better than that. */
#define HINTED_ERROR_NS INT64_C(100000000)

struct rare {
	uint64_t key;
	int64_t ts_ns;
	int64_t answer_ns; /* 0: none */
	bool from_guest_side;
	bool client_is_guest;
	uint32_t point;
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

static bool is_rare(const struct flow *f)
{
	return f->key.protocol != PROTOCOL_ARP &&
	       f->key.protocol != PROTOCOL_NDP;
}

static void collect(const struct scene *s, uint32_t point,
                    struct rare_list *list, bool broadcasts)
{
	const struct observation *o = &s->points[point];
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_tries; i++) {
		const struct try *try = &t->tries[i];
		const struct flow *f = &t->flows[try->flow];
		struct rare item = {
			.key = try->key,
			.ts_ns = try->ts_ns,
			.from_guest_side = o->role == CAPTURE_ROLE_VM,
			.point = point,
		};

		if (is_rare(f) == broadcasts)
			continue;
		if (try->answer != TRY_UNANSWERED)
			item.answer_ns = try->answer_ns;
		item.client_is_guest = scene_is_guest_ip(s, &f->key.client);
		add(list, &item);
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
	return x->ts_ns < y->ts_ns ? -1 : x->ts_ns > y->ts_ns;
}

static void add_pair(struct clock_pair **pairs, size_t *n, size_t *capacity,
                     struct clock_pair pair)
{
	if (*n == *capacity) {
		*capacity = *capacity ? 2 * *capacity : 256;
		*pairs = xreallocarray(*pairs, *capacity, sizeof(**pairs));
	}
	(*pairs)[(*n)++] = pair;
}

/* Pairs the one guest-side item of a key with each host-side one that is alone
 * at its point. */
static void pair_up(const struct rare *items, size_t n,
                    struct clock_pair **pairs, size_t *n_pairs,
                    size_t *capacity)
{
	const struct rare *g = &items[0];

	if (n < 2 || !g->from_guest_side || items[1].from_guest_side)
		return;
	for (size_t i = 1; i < n; i++) {
		const struct rare *h = &items[i];
		struct clock_pair pair = {
			.direction = g->client_is_guest
			                     ? PATH_DIRECTION_FROM_GUEST
			                     : PATH_DIRECTION_TO_GUEST,
			.host_ns = h->ts_ns,
			.guest_ns = g->ts_ns,
		};

		if (i + 1 < n && items[i + 1].point == h->point)
			return;
		add_pair(pairs, n_pairs, capacity, pair);
		if (!g->answer_ns || !h->answer_ns)
			continue;
		pair.direction = g->client_is_guest ? PATH_DIRECTION_TO_GUEST
		                                    : PATH_DIRECTION_FROM_GUEST;
		pair.host_ns = h->answer_ns;
		pair.guest_ns = g->answer_ns;
		add_pair(pairs, n_pairs, capacity, pair);
	}
}

static int by_offset(const void *a, const void *b)
{
	const struct clock_pair *x = a, *y = b;
	int64_t dx = x->guest_ns - x->host_ns, dy = y->guest_ns - y->host_ns;

	return dx < dy ? -1 : dx > dy;
}

/* Keeps the densest cluster of offsets; returns its size. */
static size_t keep_cluster(struct clock_pair *pairs, size_t n)
{
	size_t from = 0, best_from = 0, best = 0;

	qsort(pairs, n, sizeof(*pairs), by_offset);
	for (size_t to = 0; to < n; to++) {
		while ((pairs[to].guest_ns - pairs[to].host_ns) -
		               (pairs[from].guest_ns - pairs[from].host_ns) >
		       CLUSTER_NS)
			from++;
		if (to - from + 1 > best) {
			best = to - from + 1;
			best_from = from;
		}
	}
	for (size_t i = 0; i < best; i++)
		pairs[i] = pairs[best_from + i];
	return best;
}

/* All pairs of one broadcast that was repeated to the letter; few are enough. */
static void pair_all(const struct rare *items, size_t n,
                     struct clock_pair **pairs, size_t *n_pairs,
                     size_t *capacity)
{
	size_t n_guest = 0;

	while (n_guest < n && items[n_guest].from_guest_side)
		n_guest++;
	for (size_t i = 0; i < n_guest && i < REPEATS_MAX; i++)
		for (size_t j = n_guest; j < n && j < n_guest + REPEATS_MAX;
		     j++)
			add_pair(
				pairs, n_pairs, capacity,
				(struct clock_pair){
					.direction =
						items[i].client_is_guest
							? PATH_DIRECTION_FROM_GUEST
							: PATH_DIRECTION_TO_GUEST,
					.host_ns = items[j].ts_ns,
					.guest_ns = items[i].ts_ns,
				});
}

static int64_t offset_of(const struct clock_pair *pair)
{
	return pair->guest_ns - pair->host_ns;
}

/*
 * The offset on which most pairs agree to the millisecond.  Accidents happen
 * since tries are repeated by the second: it must be twice as good as any other.
 */
static size_t keep_sharp(struct clock_pair *pairs, size_t n)
{
	size_t from = 0, best_from = 0, best = 0, second = 0;

	if (n > 0)
		qsort(pairs, n, sizeof(*pairs), by_offset);
	for (size_t to = 0; to < n; to++) {
		while (offset_of(&pairs[to]) - offset_of(&pairs[from]) >
		       SHARP_NS)
			from++;
		if (to - from + 1 > best) {
			best = to - from + 1;
			best_from = from;
		}
	}
	from = 0;
	for (size_t to = 0; to < n; to++) {
		while (offset_of(&pairs[to]) - offset_of(&pairs[from]) >
		       SHARP_NS)
			from++;
		if ((to < best_from || from >= best_from + best) &&
		    to - from + 1 > second)
			second = to - from + 1;
	}
	if (best < SHARP_MIN || best < 2 * second)
		return 0;
	for (size_t i = 0; i < best; i++)
		pairs[i] = pairs[best_from + i];
	return best;
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

typedef void pair_function(const struct rare *items, size_t n,
                           struct clock_pair **pairs, size_t *n_pairs,
                           size_t *capacity);

/* What both sides have of one kind of request, as pairs of times */
static size_t find_pairs(const struct scene *s, bool broadcasts,
                         pair_function *pair, struct clock_pair **pairs)
{
	struct rare_list list = { 0 };
	size_t n_pairs = 0, capacity = 0;

	for (uint32_t i = 0; i < s->n_points; i++)
		collect(s, i, &list, broadcasts);
	if (list.n > 0)
		qsort(list.items, list.n, sizeof(*list.items), by_key);
	for (size_t i = 0, j; i < list.n; i = j) {
		for (j = i + 1;
		     j < list.n && list.items[j].key == list.items[i].key; j++)
			;
		pair(&list.items[i], j - i, pairs, &n_pairs, &capacity);
	}
	free(list.items);
	return n_pairs;
}

void align_run(struct scene *s)
{
	struct clock_pair *pairs = NULL;
	size_t n_pairs = find_pairs(s, false, pair_up, &pairs);

	if (n_pairs > 0)
		n_pairs = keep_cluster(pairs, n_pairs);
	s->shared_packets = n_pairs;
	if (n_pairs == 0) {
		/* What everybody on the link hears is no packet of the guest's,
		 * but tells the time. */
		free(pairs);
		pairs = NULL;
		n_pairs = find_pairs(s, true, pair_all, &pairs);
		n_pairs = keep_sharp(pairs, n_pairs);
	}
	s->aligned = n_pairs > 0;
	if (n_pairs > 0)
		s->clock = clock_line_fit(
			pairs, n_pairs,
			common_start(s, pairs[n_pairs / 2].guest_ns -
		                                pairs[n_pairs / 2].host_ns));
	if (s->hints->has_clock_offset) {
		s->aligned = true;
		s->clock = (struct clock_line){
			.known = true,
			.offset_ns = s->hints->clock_offset_ns,
			.error_ns = HINTED_ERROR_NS,
		};
	}
	free(pairs);
}
