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
                    struct rare_list *list)
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

		if (!is_rare(f))
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

void align_run(struct scene *s)
{
	struct rare_list list = { 0 };
	struct clock_pair *pairs = NULL;
	size_t n_pairs = 0, capacity = 0, guess;

	for (uint32_t i = 0; i < s->n_points; i++)
		collect(s, i, &list);
	if (list.n > 0)
		qsort(list.items, list.n, sizeof(*list.items), by_key);
	for (size_t i = 0, j; i < list.n; i = j) {
		for (j = i + 1;
		     j < list.n && list.items[j].key == list.items[i].key; j++)
			;
		pair_up(&list.items[i], j - i, &pairs, &n_pairs, &capacity);
	}
	if (n_pairs > 0)
		n_pairs = keep_cluster(pairs, n_pairs);
	s->shared_packets = n_pairs;
	s->aligned = n_pairs > 0;
	if (n_pairs > 0) {
		guess = n_pairs / 2;
		s->clock = clock_line_fit(
			pairs, n_pairs,
			common_start(s, pairs[guess].guest_ns -
		                                pairs[guess].host_ns));
	}
	free(list.items);
	free(pairs);
}
