/*
 * User-mode NAT: the host opens each of the guest's connections anew, so that no
 * packet of the guest is found there.  Its requests are: for the same server and
 * port, or the same name, right after the guest's and in the same order, with the
 * same bytes.  Where they are found, they take the key of the guest's: from then
 * on they are the same try at another point, as behind any other NAT.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/relay.h"

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

const struct try *call_try(const struct scene *s, const struct call *c)
{
	return &s->points[c->point].track.flows.tries[c->try];
}

const struct flow *call_flow(const struct scene *s, const struct call *c)
{
	return &s->points[c->point].track.flows.flows[call_try(s, c)->flow];
}

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

bool relay_repeats(const struct scene *s, uint32_t point, uint32_t flow)
{
	size_t pos = 0;

	return hash_table_find(&s->relayed, flow_hash(point, flow), &pos) !=
	       HASH_TABLE_NONE;
}

/* What it asks, in words that survive; 0: no relay repeats it */
static uint64_t call_to(const struct flow *f, const struct try *try)
{
	uint64_t server = hash_bytes(&f->key.server, sizeof(f->key.server));
	uint64_t what = (uint64_t)f->key.protocol << 32;

	switch ((enum protocol)f->key.protocol) {
	case PROTOCOL_TCP:
		return f->has_syn ? hash_mix(server, what | f->key.server_port)
		                  : 0;
	case PROTOCOL_DNS:
		return try->name ? hash_mix(try->name, what) : 0;
	case PROTOCOL_ICMP:
		return hash_mix(server, what | try->id);
	case PROTOCOL_ARP:
	case PROTOCOL_NDP:
	case PROTOCOL_UDP:
	case PROTOCOL_DHCP:
		break;
	}
	return 0;
}

static bool is_long_enough(const struct stream_head *h)
{
	return h->known && h->n >= STREAM_HEAD_SHORT;
}

/* The bytes of both directions, or the number of the query */
static uint64_t call_same(const struct flow *f, const struct try *try,
                          uint64_t to)
{
	if (f->key.protocol == PROTOCOL_DNS)
		return hash_mix(to, try->id);
	if (f->key.protocol != PROTOCOL_TCP ||
	    !is_long_enough(&f->client_head) ||
	    !is_long_enough(&f->server_head))
		return 0;
	return hash_mix(hash_mix(to, f->client_head.all), f->server_head.all);
}

static void add_call(struct call_list *list, const struct call *call)
{
	if (list->n == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : 256;
		list->items = xreallocarray(list->items, list->capacity,
		                            sizeof(*list->items));
	}
	list->items[list->n++] = *call;
}

static void collect(const struct scene *s, uint32_t point,
                    struct call_list *list)
{
	const struct observation *o = &s->points[point];
	const struct flow_table *t = &o->track.flows;
	bool at_guest = o->role == CAPTURE_ROLE_VM;

	for (uint32_t i = 0; i < t->n_tries; i++) {
		const struct try *try = &t->tries[i];
		const struct flow *f = &t->flows[try->flow];
		struct call call = {
			.to = call_to(f, try),
			.ts_ns = try->ts_ns,
			.point = point,
			.try = i,
			.first = try->older == FLOW_NONE,
		};

		if (call.to == 0 ||
		    (at_guest && (!scene_is_guest_ip(s, &f->key.client) ||
		                  scene_is_guest_ip(s, &f->key.server))))
			continue;
		/* Who asks twice with one number is not told apart. */
		call.same = call.first ? call_same(f, try, call.to) : 0;
		add_call(list, &call);
	}
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
	const struct in6_addr *ip = &call_flow(r->scene, c)->key.client;
	int v6 = !addr_is_v4(ip);

	return r->has_client[v6] && addr_equal(ip, &r->client[v6]);
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
	int64_t early_ns = r->line.error_ns < EARLY_MAX_NS ? r->line.error_ns
	                                                   : EARLY_MAX_NS;
	int64_t at_ns = host_time(r, g->ts_ns), best_ns = INT64_MAX;
	struct call *best = NULL;
	size_t i = first_after(&r->host, g->to, at_ns - early_ns - EARLY_NS);

	for (; i < r->host.n && r->host.items[i].to == g->to; i++) {
		struct call *h = &r->host.items[i];
		int64_t gap_ns = llabs(h->ts_ns - at_ns);

		if (h->ts_ns > at_ns + RELAY_NS)
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

/* Who relays asks later and gets the answer earlier.  Is that the guest, as it
 * was given? */
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
		shorter += guest && host && guest < host;
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

static void pair_off(struct relay *r)
{
	qsort(r->guest.items, r->guest.n, sizeof(struct call), by_time);
	qsort(r->host.items, r->host.n, sizeof(struct call), call_by_to);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < r->guest.n; i++) {
			struct call *g = &r->guest.items[i], *h;

			if (g->taken)
				continue;
			h = find_twin(r, g, pass == 0);
			if (!h)
				continue;
			h->taken = true;
			g->taken = true;
			g->twin = h->try;
		}
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

static void note_twins(const struct relay *r)
{
	struct scene *s = r->scene;
	struct flow_table *t = &s->points[r->point].track.flows;

	s->points[r->point].relayed = true;
	for (size_t i = 0; i < r->guest.n; i++) {
		const struct call *g = &r->guest.items[i];

		if (!g->taken)
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

/* Looks at all points where the guest's packets are not seen as they are: notes
 * what is found, or says (@probe) that host and guest are exchanged. */
static bool look(struct scene *s, bool probe)
{
	struct hash_table keys = { 0 };
	bool reversed = false;

	note_keys(s, &keys);
	for (uint32_t i = 0; i < s->n_points; i++) {
		struct relay r = { .scene = s, .point = i, .reversed = probe };
		bool found;

		if (s->points[i].role == CAPTURE_ROLE_VM ||
		    shows_packets(&s->points[i], &keys))
			continue;
		for (uint32_t j = 0; j < s->n_points; j++)
			if (s->points[j].role == CAPTURE_ROLE_VM)
				collect(s, j, &r.guest);
		collect(s, i, &r.host);
		found = find_twins(&r) && covers(&r);
		if (found && probe)
			reversed |= is_reversed(&r);
		else if (found)
			note_twins(&r);
		free(r.guest.items);
		free(r.host.items);
	}
	hash_table_free(&keys);
	return reversed;
}

void relay_find(struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		s->points[i].relayed = false;
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
