/*
 * The offset of the clocks at which the requests of one side follow the other's: from
 * connections with the same bytes and queries with the same number, or from many
 * for the same servers.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/relay.h"
#include "correlate/relay_path.h"

#define MS INT64_C(1000000)

/* Offsets that belong together, with some drift: of what is the same for sure; a
 * window that a step of a clock is in is halved */
#define CLUSTER_NS (200 * MS)
#define HALVINGS 3
/* Of what is only for the same server */
#define SHARP_NS (20 * MS)

/* How much the same connection says, and the same query: one may be
 * an accident, since pages are often the same. */
#define WEIGHT_TCP 2
#define WEIGHT_DNS 1
#define WEIGHT_LOW 2
/* So many connections for the same servers say it without their bytes, or for the
 * guest with bytes that others have, too. */
#define SHARP_MIN 3

/* Of the requests for one server so many are compared with each other. */
#define GROUP_MAX 32

/* More votes tell no more. */
#define VOTES_MAX (1u << 20)

/* Who relays asks after the other and has the answer before it: where that leaves
 * the offset no sharper, they are not the same. */
#define ERROR_MAX_NS (100 * MS)
#define FIT_PERCENT 80

/* So many requests tell which address is the host's. */
#define ASKED_MAX 200

/** struct vote - Two calls that may be one */
struct vote {
	int64_t offset_ns;
	const struct call *guest;
	const struct call *host;
};

/** struct ballot - Votes of what is the same for sure, or only for one server */
struct ballot {
	struct relay *relay;
	bool same;
	struct vote *items;
	size_t n;
	size_t capacity;
};

static int by_same(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	if (x->same != y->same)
		return x->same < y->same ? -1 : 1;
	return x->ts_ns < y->ts_ns ? -1 : x->ts_ns > y->ts_ns;
}

int call_by_to(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->ts_ns < y->ts_ns ? -1 : x->ts_ns > y->ts_ns;
}

static int by_offset(const void *a, const void *b)
{
	const struct vote *x = a, *y = b;

	return x->offset_ns < y->offset_ns ? -1 : x->offset_ns > y->offset_ns;
}

static void add_vote(struct ballot *list, const struct call *guest,
                     const struct call *host)
{
	if (list->n == VOTES_MAX)
		return;
	if (list->n == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : 256;
		list->items = xreallocarray(list->items, list->capacity,
		                            sizeof(*list->items));
	}
	list->items[list->n++] = (struct vote){
		.offset_ns = guest->ts_ns - host->ts_ns,
		.guest = guest,
		.host = host,
	};
}

static uint64_t group_of(const struct call *c, bool same)
{
	return same ? c->same : c->to;
}

static size_t group_end(const struct call_list *list, size_t from, bool same)
{
	size_t to = from + 1;

	while (to < list->n && group_of(&list->items[to], same) ==
	                               group_of(&list->items[from], same))
		to++;
	return to;
}

/* All pairs of two groups; what is the same must be alone on either side. */
static void vote_groups(struct ballot *b, size_t g, size_t g_end, size_t h,
                        size_t h_end)
{
	const struct call *guest = b->relay->guest.items;
	const struct call *host = b->relay->host.items;

	if (b->same && (g_end - g > 1 || h_end - h > 1))
		return;
	for (size_t i = g; i < g_end && i < g + GROUP_MAX; i++)
		for (size_t j = h; j < h_end && j < h + GROUP_MAX; j++)
			if (guest[i].first && host[j].first &&
			    !guest[i].taken && !host[j].taken)
				add_vote(b, &guest[i], &host[j]);
}

static void vote_all(struct ballot *b)
{
	struct relay *r = b->relay;
	bool same = b->same;
	size_t g = 0, h = 0;

	b->n = 0;
	qsort(r->guest.items, r->guest.n, sizeof(struct call),
	      same ? by_same : call_by_to);
	qsort(r->host.items, r->host.n, sizeof(struct call),
	      same ? by_same : call_by_to);
	while (g < r->guest.n && h < r->host.n) {
		uint64_t x = group_of(&r->guest.items[g], same);
		uint64_t y = group_of(&r->host.items[h], same);
		size_t g_end = group_end(&r->guest, g, same);
		size_t h_end = group_end(&r->host, h, same);

		if (x == y && x != 0)
			vote_groups(b, g, g_end, h, h_end);
		if (x <= y)
			g = g_end;
		if (y <= x)
			h = h_end;
	}
	if (b->n > 0)
		qsort(b->items, b->n, sizeof(struct vote), by_offset);
}

/* What a vote counts: the same connection more than a query, which has a short
 * number only; and a request for the same server one, whatever it is. */
static uint32_t weight_of(const struct ballot *b, const struct vote *v)
{
	bool is_tcp = call_flow(b->relay->scene, v->guest)->key.protocol ==
	              PROTOCOL_TCP;

	if (!b->same)
		return is_tcp;
	return is_tcp ? WEIGHT_TCP : WEIGHT_DNS;
}

/* The heaviest window of offsets; the heaviest one that does not touch it */
struct cluster {
	size_t from;
	size_t to;
	uint32_t weight;
	uint32_t second;
};

static struct cluster find_cluster(const struct ballot *b, int64_t width_ns)
{
	const struct vote *v = b->items;
	struct cluster best = { .from = 0 };

	for (int pass = 0; pass < 2; pass++) {
		uint32_t weight = 0;
		size_t from = 0;

		for (size_t to = 0; to < b->n; to++) {
			weight += weight_of(b, &v[to]);
			while (v[to].offset_ns - v[from].offset_ns > width_ns)
				weight -= weight_of(b, &v[from++]);
			if (pass == 0 && weight > best.weight) {
				best.from = from;
				best.to = to + 1;
				best.weight = weight;
			}
			if (pass == 1 && weight > best.second &&
			    (to < best.from || from >= best.to))
				best.second = weight;
		}
	}
	return best;
}

/* The host has one address for all this: the one of most votes */
static void find_own(const struct ballot *b, const struct cluster *c)
{
	struct relay *r = b->relay;
	size_t to = c->to < c->from + ASKED_MAX ? c->to : c->from + ASKED_MAX;
	uint32_t most[2] = { 0, 0 };

	for (size_t i = c->from; i < to; i++) {
		const struct in6_addr *ip =
			relay_own(r, call_flow(r->scene, b->items[i].host));
		int v6 = !addr_is_v4(ip);
		uint32_t n = 0;

		for (size_t j = c->from; j < to; j++)
			n += addr_equal(
				ip, relay_own(r, call_flow(r->scene,
			                                   b->items[j].host)));
		if (n <= most[v6])
			continue;
		most[v6] = n;
		r->own[v6] = *ip;
		r->has_own[v6] = true;
	}
}

/* Adds the answers of a vote, if who relays has his earlier: a step of a clock may
 * have come between. */
static bool add_answers(const struct relay *r, const struct vote *v,
                        struct clock_pair *pair)
{
	bool host_asks = relay_host_asks(r);
	const struct call *inner = host_asks ? v->host : v->guest;
	const struct call *outer = host_asks ? v->guest : v->host;
	int64_t in = relay_answer_ns(call_flow(r->scene, inner),
	                             call_try(r->scene, inner));
	int64_t out = relay_answer_ns(call_flow(r->scene, outer),
	                              call_try(r->scene, outer));

	if (in - inner->ts_ns < out - outer->ts_ns || out < outer->ts_ns)
		return false;
	*pair = (struct clock_pair){
		.direction = relay_host_asks(r) ? PATH_DIRECTION_FROM_GUEST
		                                : PATH_DIRECTION_TO_GUEST,
		.host_ns = host_asks ? in : out,
		.guest_ns = host_asks ? out : in,
	};
	return true;
}

static bool has_answers(const struct relay *r, const struct vote *v)
{
	return relay_answer_ns(call_flow(r->scene, v->guest),
	                       call_try(r->scene, v->guest)) != 0 &&
	       relay_answer_ns(call_flow(r->scene, v->host),
	                       call_try(r->scene, v->host)) != 0;
}

/* False: what is known contradicts itself */
static bool find_line(const struct ballot *b, const struct cluster *c)
{
	struct relay *r = b->relay;
	struct clock_pair *pairs = xcalloc(c->to - c->from, 2 * sizeof(*pairs));
	size_t n = 0, n_answers = 0, n_fit = 0;

	for (size_t i = c->from; i < c->to; i++) {
		const struct vote *v = &b->items[i];

		pairs[n++] = (struct clock_pair){
			.direction = relay_host_asks(r)
			                     ? PATH_DIRECTION_TO_GUEST
			                     : PATH_DIRECTION_FROM_GUEST,
			.host_ns = v->host->ts_ns,
			.guest_ns = v->guest->ts_ns,
		};
		if (!has_answers(r, v))
			continue;
		n_answers++;
		if (!add_answers(r, v, &pairs[n]))
			continue;
		n++;
		n_fit++;
	}
	r->line = clock_line_fit(pairs, n, b->items[c->from].host->ts_ns);
	free(pairs);
	if (n_answers == 0)
		return true;
	return (n_fit + 1) * 100 >= n_answers * FIT_PERCENT && n_fit > 0 &&
	       r->line.error_ns <= ERROR_MAX_NS;
}

/* By what is the same for sure; *@heavy: there is enough of it */
static bool find_by_same(struct ballot *b, bool *heavy)
{
	struct relay *r = b->relay;
	uint32_t least = r->again ? RELAY_WEIGHT_MIN : WEIGHT_LOW;

	b->same = true;
	vote_all(b);
	*heavy = false;
	for (int i = 0; i <= HALVINGS; i++) {
		struct cluster c = find_cluster(b, CLUSTER_NS >> i);

		if (c.weight < least)
			return false;
		*heavy = true;
		if (!find_line(b, &c))
			continue;
		r->weight += c.weight;
		if (!r->again)
			find_own(b, &c);
		return true;
	}
	return false;
}

/* By what is for the same server and comes as sharply after each other */
static bool find_by_server(struct ballot *b)
{
	struct cluster c;

	b->same = false;
	vote_all(b);
	c = find_cluster(b, SHARP_NS);
	if (c.weight < SHARP_MIN || c.weight < 2 * c.second ||
	    !find_line(b, &c))
		return false;
	find_own(b, &c);
	return true;
}

bool relay_find_offset(struct relay *r)
{
	struct ballot b = { .relay = r };
	bool heavy;
	bool found = find_by_same(&b, &heavy);

	if (!found && !heavy && !r->again)
		found = find_by_server(&b);
	free(b.items);
	return found;
}
