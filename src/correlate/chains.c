/*
 * The same try at all points.  Tries with one key are one try if they are near
 * in time; identical ones (ARP repeats itself to the letter) are paired in order.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/scene.h"

/* How long a packet may be on its way between two points */
#define TRAVEL_NS INT64_C(500000000)

/* How long a host takes to send it back where it came from */
#define TURN_NS INT64_C(10000000)

/* While chains are built: sightings by chain as linked lists. */
struct link {
	struct sighting sighting;
	uint32_t next;
};

struct draft {
	uint64_t key;
	int64_t host_ns;
	uint32_t newest; /* link */
	uint32_t n;
};

struct builder {
	struct scene *scene;
	struct draft *drafts;
	uint32_t n_drafts;
	struct link *links;
	uint32_t n_links;
	struct hash_table index; /* slot_of() -> draft */
};

static const struct sighting *sighting_at(const struct builder *b,
                                          const struct draft *d, uint32_t point)
{
	for (uint32_t i = d->newest; i != UINT32_MAX; i = b->links[i].next)
		if (b->links[i].sighting.point == point)
			return &b->links[i].sighting;
	return NULL;
}

/* Drafts are found by key and time: a request that is repeated for hours would
 * make one long list. */
static uint64_t slot_of(uint64_t key, int64_t host_ns, int by)
{
	return hash_mix(key, (uint64_t)(host_ns / TRAVEL_NS + by));
}

static uint32_t find_draft(const struct builder *b, uint64_t key,
                           uint32_t point, int64_t host_ns)
{
	uint32_t best = UINT32_MAX, i;
	int64_t best_gap = TRAVEL_NS;

	for (int by = -1; by <= 1; by++) {
		uint64_t slot = slot_of(key, host_ns, by);
		size_t pos = 0;

		while ((i = hash_table_find(&b->index, slot, &pos)) !=
		       HASH_TABLE_NONE) {
			const struct draft *d = &b->drafts[i];
			int64_t gap_ns = llabs(d->host_ns - host_ns);

			if (d->key == key && gap_ns < best_gap &&
			    !sighting_at(b, d, point)) {
				best = i;
				best_gap = gap_ns;
			}
		}
	}
	return best;
}

/*
 * A host that sends a packet back where it came from shows it twice at one point:
 * with the old addresses and, translated, with new ones.  That is one try.
 */
static bool is_turned_back(const struct builder *b, uint32_t point,
                           const struct try *try, int64_t host_ns)
{
	const struct flow_table *t = &b->scene->points[point].track.flows;

	for (int by = -1; by <= 1; by++) {
		uint64_t slot = slot_of(try->key, host_ns, by);
		size_t pos = 0;
		uint32_t i;

		while ((i = hash_table_find(&b->index, slot, &pos)) !=
		       HASH_TABLE_NONE) {
			const struct sighting *at =
				sighting_at(b, &b->drafts[i], point);
			const struct try *seen = at ? &t->tries[at->try] : NULL;

			if (seen && seen->key == try->key &&
			    seen->flow != try->flow && try->ttl < seen->ttl &&
			    llabs(try->ts_ns - seen->ts_ns) < TURN_NS)
				return true;
		}
	}
	return false;
}

static void add_sighting(struct builder *b, uint32_t draft, uint32_t point,
                         uint32_t try)
{
	b->links[b->n_links] = (struct link){
		.sighting = { .point = point, .try = try },
		.next = b->drafts[draft].newest,
	};
	b->drafts[draft].newest = b->n_links++;
	b->drafts[draft].n++;
}

static void add_point(struct builder *b, uint32_t point)
{
	const struct scene *s = b->scene;
	const struct observation *o = &s->points[point];
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_tries; i++) {
		const struct try *try = &t->tries[i];
		int64_t host_ns = scene_host_ns(s, o, try->ts_ns);
		uint32_t draft = UINT32_MAX;

		if (is_turned_back(b, point, try, host_ns))
			continue;
		if (s->aligned)
			draft = find_draft(b, try->key, point, host_ns);
		if (draft == UINT32_MAX) {
			draft = b->n_drafts++;
			b->drafts[draft] = (struct draft){
				.key = try->key,
				.host_ns = host_ns,
				.newest = UINT32_MAX,
			};
			hash_table_add(&b->index, slot_of(try->key, host_ns, 0),
			               draft);
		}
		add_sighting(b, draft, point, i);
	}
}

static int by_point(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	return x->point < y->point ? -1 : x->point > y->point;
}

static int by_time(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;

	if (x->host_ns != y->host_ns)
		return x->host_ns < y->host_ns ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static void finish(struct builder *b)
{
	struct scene *s = b->scene;

	s->chains = xcalloc(b->n_drafts, sizeof(*s->chains));
	s->sightings = xcalloc(b->n_links, sizeof(*s->sightings));
	for (uint32_t i = 0; i < b->n_drafts; i++) {
		const struct draft *d = &b->drafts[i];
		struct chain *c = &s->chains[s->n_chains++];

		*c = (struct chain){ .first = (uint32_t)s->n_sightings,
			             .n = d->n,
			             .host_ns = d->host_ns };
		for (uint32_t j = d->newest; j != UINT32_MAX;
		     j = b->links[j].next)
			s->sightings[s->n_sightings++] = b->links[j].sighting;
		qsort(&s->sightings[c->first], c->n, sizeof(*s->sightings),
		      by_point);
	}
	qsort(s->chains, s->n_chains, sizeof(*s->chains), by_time);
}

void chains_build(struct scene *s)
{
	struct builder b = { .scene = s };
	size_t n_tries = 0;

	for (uint32_t i = 0; i < s->n_points; i++)
		n_tries += s->points[i].track.flows.n_tries;
	if (n_tries == 0)
		return;
	b.drafts = xcalloc(n_tries, sizeof(*b.drafts));
	b.links = xcalloc(n_tries, sizeof(*b.links));
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			add_point(&b, i);
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role != CAPTURE_ROLE_VM)
			add_point(&b, i);
	finish(&b);
	free(b.drafts);
	free(b.links);
	hash_table_free(&b.index);
}

const struct sighting *chain_at(const struct scene *s, const struct chain *c,
                                enum capture_role role)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (s->points[s->sightings[c->first + i].point].role == role)
			return &s->sightings[c->first + i];
	return NULL;
}

const struct sighting *chain_at_point(const struct scene *s,
                                      const struct chain *c, uint32_t point)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (s->sightings[c->first + i].point == point)
			return &s->sightings[c->first + i];
	return NULL;
}
