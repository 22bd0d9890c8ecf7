#include "correlate/pairing.h"

#include <stdlib.h>

#include "base/xalloc.h"

#define MS INT64_C(1000000)

/* Within this time a packet gets to all points. */
#define WINDOW_NS (1000 * MS)

/* The clocks agree better than this: what carries the bytes of others is kept so
 * much longer. */
#define KEEP_NS (WINDOW_NS + 250 * MS)

/* Copies of one frame at one point follow each other closely. */
#define COPY_NS (5 * MS)

/* So many identical packets are told apart, and so many that only begin alike. */
#define SAME_MAX 64
#define ALIKE_MAX 1024

/* One datagram of 64 KiB is so many small ones, among packets of others. */
#define RUN_MAX 4096

static bool is_complete(const struct pairing *p, uint64_t points)
{
	return points & p->vm_points && p->host_points != 0 &&
	       (points & p->host_points) == p->host_points;
}

static bool is_paired(const struct pairing *p, uint64_t points)
{
	return points & p->vm_points && points & ~p->vm_points;
}

static uint32_t take_entry(struct pairing *p)
{
	uint32_t i = p->free;

	if (i) {
		p->free = p->pool[i].next;
		return i;
	}
	if (p->n_pool == p->capacity) {
		p->capacity = p->capacity ? 2 * p->capacity : 256;
		p->pool = xreallocarray(p->pool, p->capacity, sizeof(*p->pool));
	}
	if (p->n_pool == 0) {
		p->pool[0] = (struct pending){ .next = 0 };
		p->n_pool = 1;
	}
	return p->n_pool++;
}

static void unindex(struct pairing *p, uint32_t i)
{
	if (p->pool[i].indexed)
		hash_table_remove(&p->index, p->pool[i].at.start, i);
	p->pool[i].indexed = false;
}

static void give_back(struct pairing *p, uint32_t i)
{
	unindex(p, i);
	p->pool[i].next = p->free;
	p->free = i;
}

static void unlink_entry(struct pairing *p, uint32_t i)
{
	struct pending *w = &p->pool[i];

	if (p->waiting == i)
		p->waiting = w->next;
	p->pool[w->prev].next = w->next;
	p->pool[w->next].prev = w->prev;
}

static bool is_copy(const struct passing *seen, const struct pending *w)
{
	return (seen->ip_id != 0 || seen->doubled) &&
	       llabs(seen->host_ns - w->at.host_ns) < COPY_NS;
}

static void append(struct pairing *p, const struct pending *w)
{
	struct pending fresh = *w;
	uint32_t i;

	fresh.indexed = true;
	i = take_entry(p);
	fresh.prev = p->pool[0].prev;
	p->pool[i] = fresh;
	p->pool[fresh.prev].next = i;
	p->pool[0].prev = i;
	if (!p->waiting)
		p->waiting = i;
	hash_table_add(&p->index, w->at.start, i);
}

/* The bytes of @w in another packet: the same packet again has the same key. */
static bool is_sent_again(const struct passing *seen, const struct pending *w)
{
	return seen->cut == PASSING_BYTES && w->at.cut == PASSING_BYTES &&
	       w->at.points & seen->points &&
	       seen->direction == w->at.direction &&
	       seen->peer_port == w->at.peer_port &&
	       addr_equal(&seen->peer, &w->at.peer);
}

/* Of packets done with, the newest of each kind is enough to know copies by. */
static void forget_older(struct pairing *p, uint32_t i)
{
	const struct passing *at = &p->pool[i].at;
	size_t pos = 0;
	uint32_t j;

	while ((j = hash_table_find(&p->index, at->start, &pos)) !=
	       HASH_TABLE_NONE) {
		struct pending *w = &p->pool[j];

		if (j == i)
			continue;
		if (w->at.key != at->key) {
			/* Points of one file may be read late. */
			w->again |= is_sent_again(at, w);
			continue;
		}
		if (w->done_ns == 0) {
			w->rival = true;
			continue;
		}
		unindex(p, j);
		pos = 0;
	}
}

static void finish(struct pairing *p, uint32_t i, int64_t now_ns)
{
	struct pending *w = &p->pool[i];

	if (!w->settled) {
		w->settled = true;
		p->settled(p->context, w);
	}
	unlink_entry(p, i);
	w->done_ns = now_ns;
	w->next_done = 0;
	if (p->first_done)
		p->pool[p->last_done].next_done = i;
	else
		p->first_done = i;
	p->last_done = i;
}

/* The same packet at another point */
static void merge(struct pairing *p, uint32_t i, const struct passing *seen)
{
	struct passing *at = &p->pool[i].at;

	at->points |= seen->points;
	at->sure |= seen->sure;
	if (at->packet_id == 0)
		at->packet_id = seen->packet_id;
	at->for_all &= seen->for_all;
	if (seen->flow) {
		at->flow = seen->flow;
		at->service = seen->service;
	}
	if (mac_is_zero(at->station) || seen->points & p->vm_points)
		at->station = seen->station;
	if (seen->points & p->vm_points)
		at->leaves = seen->leaves;
	if (is_paired(p, at->points))
		forget_older(p, i);
	if (is_complete(p, at->points))
		finish(p, i, seen->host_ns);
}

void pairing_feed(struct pairing *p, const struct passing *seen)
{
	struct pending fresh = { .at = *seen };
	size_t pos = 0, same = 0, alike = 0;
	uint32_t i;

	while (same < SAME_MAX && alike < ALIKE_MAX &&
	       (i = hash_table_find(&p->index, seen->start, &pos)) !=
	               HASH_TABLE_NONE) {
		struct pending *w = &p->pool[i];

		alike++;
		if (w->at.key != seen->key) {
			w->again |= is_sent_again(seen, w);
			continue;
		}
		if (w->at.direction != seen->direction)
			continue;
		if (w->at.points & seen->points && seen->packet_id != 0 &&
		    w->at.packet_id == seen->packet_id)
			return; /* its way through one machine */
		if (w->at.points & seen->points) {
			fresh.rival |= is_paired(p, w->at.points);
			fresh.copy |= is_copy(seen, w);
			same++;
		} else if (!w->settled) {
			merge(p, i, seen);
			return;
		}
	}
	fresh.crowded = same == SAME_MAX || alike == ALIKE_MAX;
	if (fresh.crowded)
		p->settled(p->context, &fresh);
	else
		append(p, &fresh);
}

/* Where this very packet was, and not just its bytes */
static uint64_t shown_at(const struct pending *w)
{
	return w->at.points & ~w->covered;
}

static void cover_at_point(struct pending *w, uint64_t point)
{
	w->at.points |= point;
	w->covered |= point;
}

static bool is_same_stream(const struct pending *a, const struct pending *b)
{
	return a->at.cut == b->at.cut && a->at.direction == b->at.direction &&
	       a->at.peer_port == b->at.peer_port &&
	       addr_equal(&a->at.peer, &b->at.peer);
}

/* A piece that @point shows of what @w carries, and that is no packet of its own
 * where @w was seen */
static bool is_piece(const struct pending *piece, const struct pending *w,
                     uint64_t point)
{
	return shown_at(piece) & point && !(shown_at(piece) & shown_at(w)) &&
	       is_same_stream(piece, w);
}

static uint32_t find_piece(const struct pairing *p, uint64_t start,
                           const struct pending *w, uint64_t point)
{
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&p->index, start, &pos)) != HASH_TABLE_NONE)
		if (is_piece(&p->pool[i], w, point))
			return i;
	return HASH_TABLE_NONE;
}

static bool is_behind(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static struct cover *cover_at(struct pending *w, uint64_t point)
{
	for (size_t i = 0; i < 2; i++)
		if (w->covers[i].point == point)
			return &w->covers[i];
	return NULL;
}

/* The last piece reaches into the packets behind @w. */
static void hand_on(struct pairing *p, const struct pending *w, uint64_t point,
                    uint32_t to)
{
	uint64_t start = hash_mix(PASSING_BYTES, w->at.seq + w->at.len);
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&p->index, start, &pos)) !=
	       HASH_TABLE_NONE) {
		struct pending *next = &p->pool[i];
		struct cover *c = cover_at(next, point);

		if (!is_same_stream(next, w) || next->at.points & point ||
		    !(shown_at(next) & shown_at(w)))
			continue;
		if (!c)
			c = cover_at(next, 0);
		if (c)
			*c = (struct cover){ .point = point, .to = to };
	}
}

static void cover_bytes(struct pairing *p, struct pending *w, uint64_t point)
{
	const struct cover *c = cover_at(w, point);
	uint32_t end = w->at.seq + w->at.len;
	uint32_t to = c ? c->to : w->at.seq;

	while (is_behind(to, end)) {
		uint32_t i =
			find_piece(p, hash_mix(PASSING_BYTES, to), w, point);

		if (i == HASH_TABLE_NONE)
			return;
		to += p->pool[i].at.len;
	}
	cover_at_point(w, point);
	if (to != end)
		hand_on(p, w, point, to);
}

/* Entries from @i on that belong to one stream and were seen at the points that
 * @like was, and not at @not: do they add up to @len bytes?  Returns how many. */
static uint32_t run_length(const struct pairing *p, uint32_t i,
                           const struct pending *like, uint64_t not,
                           uint32_t len)
{
	uint32_t n = 0, sum = 0;

	for (int steps = 0; i && steps < RUN_MAX; steps++) {
		const struct pending *w = &p->pool[i];

		if (is_same_stream(w, like) && !(w->at.points & not ) &&
		    w->at.points & like->at.points) {
			n++;
			sum += w->at.len;
			if (sum >= len)
				break;
		}
		i = w->next;
	}
	return sum == len ? n : 0;
}

static void cover_run(struct pairing *p, uint32_t i, const struct pending *like,
                      uint64_t point, uint32_t n)
{
	const struct pending first = *like;

	for (; n > 0; i = p->pool[i].next) {
		struct pending *w = &p->pool[i];

		if (!is_same_stream(w, &first) || w->at.points & point ||
		    !(w->at.points & first.at.points))
			continue;
		cover_at_point(w, point);
		n--;
	}
}

static void cover_datagrams(struct pairing *p, uint32_t i, uint64_t point)
{
	struct pending *w = &p->pool[i];
	uint32_t other = find_piece(p, w->at.start, w, point);
	uint32_t n;

	if (other == HASH_TABLE_NONE)
		return;
	if (p->pool[other].at.len < w->at.len) {
		if (run_length(p, other, &p->pool[other], shown_at(w),
		               w->at.len) > 0)
			cover_at_point(w, point);
		return;
	}
	n = run_length(p, i, w, point, p->pool[other].at.len);
	if (n > 0)
		cover_run(p, i, w, point, n);
}

/* Of a packet that was cut on its way each piece arrives, but only the whole was
 * sent. */
static bool is_as_sent(const struct pairing *p, const struct passing *at)
{
	return at->direction == PATH_DIRECTION_FROM_GUEST
	               ? at->points & p->vm_points
	               : at->points & ~p->vm_points;
}

static void cover(struct pairing *p, uint32_t i)
{
	struct pending *w = &p->pool[i];
	uint64_t missing = p->host_points & ~w->at.points;

	if (!is_as_sent(p, &w->at))
		return;
	if (!(w->at.points & p->vm_points))
		missing |= p->vm_points;
	for (; missing; missing &= missing - 1) {
		uint64_t point = missing & -missing;

		if (w->at.points & point)
			continue;
		switch (w->at.cut) {
		case PASSING_WHOLE:
			return;
		case PASSING_BYTES:
			cover_bytes(p, w, point);
			break;
		case PASSING_DATAGRAMS:
			cover_datagrams(p, i, point);
			break;
		}
	}
}

static void settle(struct pairing *p, uint32_t i)
{
	cover(p, i);
	p->pool[i].settled = true;
	p->settled(p->context, &p->pool[i]);
}

void pairing_expire(struct pairing *p, int64_t now_ns)
{
	uint32_t i;

	while ((i = p->first_done) && p->pool[i].done_ns + COPY_NS < now_ns) {
		p->first_done = p->pool[i].next_done;
		give_back(p, i);
	}
	while ((i = p->waiting) && p->pool[i].at.host_ns + WINDOW_NS < now_ns) {
		settle(p, i);
		p->waiting = p->pool[i].next;
	}
	while (p->n_pool > 0 && (i = p->pool[0].next) && i != p->waiting &&
	       p->pool[i].at.host_ns + KEEP_NS < now_ns) {
		unlink_entry(p, i);
		give_back(p, i);
	}
}

void pairing_end(struct pairing *p)
{
	while (p->waiting) {
		settle(p, p->waiting);
		p->waiting = p->pool[p->waiting].next;
	}
	free(p->pool);
	hash_table_free(&p->index);
}
