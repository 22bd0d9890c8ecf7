/*
 * User-mode NAT: the host opens each of the guest's connections anew, so that no
 * packet of the guest is found there.  Its requests are: for the same server and
 * port, or the same name, right after the guest's and in the same order, with the
 * same bytes.  Where they are found, they take the key of the guest's: from then
 * on they are the same try at another point, as behind any other NAT.
 *
 * Ports of the host that it forwards, and reverse proxies, are the same the other
 * way: requests for the host are repeated to the guest, for another address and
 * port, and perhaps by another client.  There the bytes and the time tell which.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/relay.h"
#include "correlate/relay_path.h"

#define MS INT64_C(1000000)

/* The host asks so long after the guest at most; the clocks are not sharp. */
#define RELAY_NS (450 * MS)
#define EARLY_NS (50 * MS)
#define EARLY_MAX_NS (200 * MS)

/* If what is the same is not enough, so many must have a counterpart. */
#define TWINS_MIN 3

/* So many steps of a clock are looked for. */
#define STEPS_MAX 4

/* So many of the connections that it could show, the host shows; without proof by
 * their bytes, nearly all. */
#define COVERED_PERCENT 50
#define COVERED_ALL_PERCENT 90

static uint64_t flow_hash(uint32_t point, uint32_t flow)
{
	return hash_mix(hash_bytes(&flow, sizeof(flow)), point);
}

int64_t relay_answer_ns(const struct flow *f, const struct try *try)
{
	if (f->key.protocol == PROTOCOL_TCP)
		return try->older == FLOW_NONE && f->server_head.n > 0
		               ? f->server_head.first_ns
		               : 0;
	return try->answer == TRY_ANSWERED ? try->answer_ns : 0;
}

uint64_t relay_answer_frame(const struct flow *f, const struct try *try)
{
	return f->key.protocol == PROTOCOL_TCP ? f->server_head.first_frame
	                                       : try->answer_frame;
}

const struct in6_addr *relay_own(const struct relay *r, const struct flow *f)
{
	return r->inbound ? &f->key.server : &f->key.client;
}

bool relay_host_asks(const struct relay *r)
{
	return r->inbound != r->reversed;
}

bool relay_repeats(const struct scene *s, uint32_t point, uint32_t flow)
{
	size_t pos = 0;

	return hash_table_find(&s->relayed, flow_hash(point, flow), &pos) !=
	       HASH_TABLE_NONE;
}

static int64_t host_time(const struct relay *r, int64_t guest_ns)
{
	return guest_ns - clock_line_at(&r->line, guest_ns - r->line.offset_ns);
}

static bool is_different(const struct scene *s, const struct call *a,
                         const struct call *b)
{
	const struct flow *x = call_flow(s, a), *y = call_flow(s, b);

	return stream_head_match(&x->client_head, &y->client_head) ==
	               STREAM_DIFFERENT ||
	       stream_head_match(&x->server_head, &y->server_head) ==
	               STREAM_DIFFERENT;
}

static bool is_of_host(const struct relay *r, const struct call *c)
{
	const struct in6_addr *ip = relay_own(r, call_flow(r->scene, c));
	int v6 = !addr_is_v4(ip);

	return r->has_own[v6] && addr_equal(ip, &r->own[v6]);
}

/* The first host call for @to not before @from_ns; they are sorted call_by_to(). */
static size_t first_after(const struct call_list *list, uint64_t to,
                          int64_t from_ns)
{
	struct call wanted = { .to = to, .ts_ns = from_ns };
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (call_by_to(&list->items[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The counterpart of @g that is nearest in time, or NULL */
static struct call *find_twin(struct relay *r, const struct call *g, bool same)
{
	int64_t near_ns =
		EARLY_NS + (r->line.error_ns < EARLY_MAX_NS ? r->line.error_ns
	                                                    : EARLY_MAX_NS);
	int64_t early_ns = relay_host_asks(r) ? RELAY_NS : near_ns;
	int64_t late_ns = relay_host_asks(r) ? near_ns : RELAY_NS;
	int64_t at_ns = host_time(r, g->ts_ns), best_ns = INT64_MAX;
	struct call *best = NULL;
	size_t i = first_after(&r->host, g->to, at_ns - early_ns);

	for (; i < r->host.n && r->host.items[i].to == g->to; i++) {
		struct call *h = &r->host.items[i];
		int64_t gap_ns = llabs(h->ts_ns - at_ns);

		if (h->ts_ns > at_ns + late_ns)
			break;
		if (h->taken || !is_of_host(r, h) || gap_ns >= best_ns ||
		    (same ? g->same == 0 || g->same != h->same
		          : is_different(r->scene, g, h)))
			continue;
		best = h;
		best_ns = gap_ns;
	}
	return best;
}

/* Are there enough of them, unless their bytes say it alone? */
static bool is_enough(const struct relay *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->guest.n; i++)
		n += r->guest.items[i].first && r->guest.items[i].taken;
	return r->weight >= RELAY_WEIGHT_MIN || n >= TWINS_MIN;
}

/* On the client's own link, as far as that can be told so early: what the host
 * offers the guest there leaves it nowhere. */
static bool is_beside(const struct flow *f)
{
	if (!addr_is_v4(&f->key.server))
		return addr_is_link_local(&f->key.server);
	return (addr_v4(&f->key.client) ^ addr_v4(&f->key.server)) < 256;
}

/* A connection of the inner side that the outer one had to show */
static bool has_to_show(const struct relay *r, const struct call *c)
{
	const struct scene *s = r->scene;
	const struct flow *f = call_flow(s, c);
	uint32_t outer = r->reversed ? r->guest.items[0].point : r->point;
	const struct point *track = &s->points[outer].track;
	int64_t at_ns = r->reversed
	                        ? c->ts_ns + clock_line_at(&r->line, c->ts_ns)
	                        : host_time(r, c->ts_ns);

	return c->first && f->key.protocol == PROTOCOL_TCP &&
	       call_try(s, c)->answer == TRY_ANSWERED && !is_beside(f) &&
	       (!r->reversed || is_of_host(r, c)) && at_ns >= track->first_ns &&
	       at_ns <= track->last_ns && track->seen[TRAFFIC_TCP].count > 0;
}

/* Does the outer side show the connections that worked while it looked? */
static bool covers(const struct relay *r)
{
	const struct call_list *inner = r->reversed ? &r->host : &r->guest;
	size_t of = 0, n = 0;

	for (size_t i = 0; i < inner->n; i++) {
		if (!has_to_show(r, &inner->items[i]))
			continue;
		of++;
		n += inner->items[i].taken;
	}
	return n * 100 >= of * (r->weight >= RELAY_WEIGHT_MIN
	                                ? COVERED_PERCENT
	                                : COVERED_ALL_PERCENT);
}

/* How long the answer takes at this side; 0: there is none */
static int64_t wait_at(const struct scene *s, uint32_t point, uint32_t try)
{
	const struct flow_table *t = &s->points[point].track.flows;
	const struct try *at = &t->tries[try];
	int64_t answer_ns = relay_answer_ns(&t->flows[at->flow], at);

	return answer_ns ? answer_ns - at->ts_ns : 0;
}

/* Who relays asks later and gets the answer earlier, or, for the guest, the other
 * way round.  Is that the guest, as it was given? */
static bool is_reversed(const struct relay *r)
{
	size_t of = 0, shorter = 0;

	for (size_t i = 0; i < r->guest.n; i++) {
		const struct call *g = &r->guest.items[i];
		int64_t guest, host;

		if (!g->taken)
			continue;
		guest = wait_at(r->scene, g->point, g->try);
		host = wait_at(r->scene, r->point, g->twin);
		of += guest && host;
		shorter += guest && host &&
		           (r->inbound ? guest > host : guest < host);
	}
	return of >= TWINS_MIN && shorter * 10 >= of * 9;
}

static int by_time(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns ? -1 : 1;
	return x->try < y->try ? -1 : x->try > y->try;
}

static void pair_by(struct relay *r, bool same)
{
	qsort(r->host.items, r->host.n, sizeof(struct call), call_by_to);
	for (size_t i = 0; i < r->guest.n; i++) {
		struct call *g = &r->guest.items[i], *h;

		if (g->taken || g->to == 0)
			continue;
		h = find_twin(r, g, same);
		if (!h)
			continue;
		h->taken = true;
		g->taken = true;
		g->twin = h->try;
	}
}

static void find_ports(struct relay *r)
{
	pair_by(r, true);
	relay_vote_ports(r);
	pair_by(r, false);
	relay_vote_ports(r);
	relay_settle_ports(r);
}

static void pair_off(struct relay *r)
{
	qsort(r->guest.items, r->guest.n, sizeof(struct call), by_time);
	if (r->inbound && r->n_ports == 0)
		find_ports(r);
	pair_by(r, true);
	pair_by(r, false);
}

/* Finds the counterparts of the guest's requests; false: it is no relay */
static bool find_twins(struct relay *r)
{
	struct clock_line line;

	if (r->guest.n == 0 || r->host.n == 0 || !relay_find_offset(r))
		return false;
	pair_off(r);
	line = r->line;
	r->again = true;
	for (int i = 0; i < STEPS_MAX && relay_find_offset(r); i++)
		pair_off(r);
	r->line = line;
	return is_enough(r);
}

/* Who opens a connection for another may have answered it before. */
static bool is_settled(const struct relay *r, const struct call *g)
{
	const struct flow_table *t = &r->scene->points[r->point].track.flows;

	return !r->inbound || (call_try(r->scene, g)->answer == TRY_ANSWERED &&
	                       t->tries[g->twin].answer == TRY_ANSWERED);
}

/* Does it stand for clients beyond the guest's link, or is it known by its MAC?  A
 * reverse proxy asks with its own address. */
static bool is_gateway(const struct relay *r)
{
	for (size_t i = 0; i < r->guest.n; i++) {
		const struct call *g = &r->guest.items[i];
		const struct flow *f = call_flow(r->scene, g);
		const struct station *st = station_table_find(
			&r->scene->points[g->point].track.stations,
			f->client_mac);

		if (g->taken && (!is_beside(f) || (st && station_is_slirp(st))))
			return true;
	}
	return false;
}

static void note_twins(const struct relay *r)
{
	struct scene *s = r->scene;
	struct observation *o = &s->points[r->point];
	struct flow_table *t = &o->track.flows;

	o->forwards_only = r->inbound && !o->relayed;
	o->proxied = o->forwards_only && !is_gateway(r);
	o->relayed = true;
	for (size_t i = 0; i < r->guest.n; i++) {
		const struct call *g = &r->guest.items[i];

		if (!g->taken || !is_settled(r, g))
			continue;
		t->tries[g->twin].key = call_try(s, g)->key;
		hash_table_add(&s->relayed,
		               flow_hash(g->point, call_try(s, g)->flow), 0);
	}
}

/* Packets that no relay leaves as they are: others have no number that it would
 * change. */
static bool is_telling(const struct flow *f, const struct try *try)
{
	return f->key.protocol == PROTOCOL_TCP ||
	       (f->key.protocol == PROTOCOL_ICMP &&
	        addr_is_v4(&f->key.server)) ||
	       (f->key.protocol == PROTOCOL_DNS && try->ip_id != 0);
}

static void note_keys(const struct scene *s, struct hash_table *keys)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct flow_table *t = &s->points[i].track.flows;

		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		for (uint32_t j = 0; j < t->n_tries; j++)
			if (is_telling(&t->flows[t->tries[j].flow],
			               &t->tries[j]))
				hash_table_add(keys, t->tries[j].key, 0);
	}
}

/* Is a packet of the guest there as it left the guest? */
static bool shows_packets(const struct observation *o,
                          const struct hash_table *keys)
{
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_tries; i++) {
		size_t pos = 0;

		if (is_telling(&t->flows[t->tries[i].flow], &t->tries[i]) &&
		    hash_table_find(keys, t->tries[i].key, &pos) !=
		            HASH_TABLE_NONE)
			return true;
	}
	return false;
}

/* What passes on one way; notes it, or says (@probe) that host and guest are
 * exchanged. */
static bool look_at(struct scene *s, uint32_t point, bool inbound, bool probe)
{
	struct relay r = {
		.scene = s,
		.point = point,
		.inbound = inbound,
		.reversed = probe,
	};
	bool found, reversed;

	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			relay_collect(&r, i, &r.guest);
	if (r.guest.n > 0)
		relay_collect(&r, point, &r.host);
	found = find_twins(&r) && covers(&r);
	reversed = found && probe && is_reversed(&r);
	if (found && !probe)
		note_twins(&r);
	free(r.guest.items);
	free(r.host.items);
	return reversed;
}

/* Looks at all points where the guest's packets are not seen as they are. */
static bool look(struct scene *s, bool probe)
{
	struct hash_table keys = { 0 };
	bool reversed = false;

	note_keys(s, &keys);
	for (uint32_t i = 0; i < s->n_points; i++) {
		if (s->points[i].role == CAPTURE_ROLE_VM ||
		    shows_packets(&s->points[i], &keys))
			continue;
		reversed |= look_at(s, i, false, probe);
		reversed |= look_at(s, i, true, probe);
	}
	hash_table_free(&keys);
	return reversed;
}

void relay_find(struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		s->points[i].relayed = false;
		s->points[i].forwards_only = false;
		s->points[i].proxied = false;
	}
	hash_table_free(&s->relayed);
	s->relayed = (struct hash_table){ 0 };
	look(s, false);
}

bool relay_is_reversed(const struct scene *s)
{
	struct scene probe = *s;

	guest_find(&probe);
	return look(&probe, true);
}
