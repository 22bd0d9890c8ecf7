#include "correlate/run.h"

#define S INT64_C(1000000000)

/* Fewer tries say nothing, but for two that are far apart. */
#define QUORUM_FEW 2
#define QUORUM_SPAN_NS (2 * S)

#define LOCATED_MAX 64

const struct try *sighting_try(const struct scene *s, const struct sighting *at)
{
	return &s->points[at->point].track.flows.tries[at->try];
}

const struct flow *sighting_flow(const struct scene *s,
                                 const struct sighting *at)
{
	return &s->points[at->point]
	                .track.flows.flows[sighting_try(s, at)->flow];
}

const struct sighting *run_sighting(const struct scene *s,
                                    const struct run *run, size_t i,
                                    uint32_t point)
{
	const struct chain *c = run->chains[i];

	for (uint32_t j = 0; j < c->n; j++)
		if (s->sightings[c->first + j].point == point)
			return &s->sightings[c->first + j];
	return NULL;
}

/* Tries, but a client that asks again when it has been refused asked once. */
static size_t distinct_tries(const struct scene *s, const struct run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n_chains; i++) {
		const struct sighting *at = try_client_end(s, run->chains[i]);
		const struct try *try = sighting_try(s, at);
		const struct try *older = NULL;

		if (try->answer == TRY_REFUSED && try->older != FLOW_NONE)
			older = &s->points[at->point]
			                 .track.flows.tries[try->older];
		n += !older || older->id != try->id ||
		     older->answer_ns > try->ts_ns;
	}
	return n;
}

bool run_has_quorum(const struct scene *s, const struct run *run)
{
	int64_t span_ns;
	size_t n;

	if (run->n_chains == 0)
		return false;
	for (size_t i = 0; i < run->n_chains; i++)
		if (run->chains[i]->stall.stalled)
			return true; /* it was sent again and again already */
	span_ns = run->chains[run->n_chains - 1]->host_ns -
	          run->chains[0]->host_ns;
	n = distinct_tries(s, run);
	return n >= RUN_QUORUM_TRIES ||
	       (n >= QUORUM_FEW && span_ns >= QUORUM_SPAN_NS);
}

bool chain_is_refused(const struct scene *s, const struct visibility *v,
                      const struct chain *c)
{
	return try_state(v, s, c) == TRY_STATE_REFUSED;
}

const struct sighting *run_refusal_at(const struct scene *s,
                                      const struct chain *c)
{
	const struct sighting *inside = try_reference(s, c);

	return sighting_try(s, inside)->answer == TRY_REFUSED
	               ? inside
	               : try_client_end(s, c);
}

const struct try *run_refused_try(const struct scene *s,
                                  const struct visibility *v,
                                  const struct run *run)
{
	for (size_t i = 0; i < run->n_chains; i++)
		if (chain_is_refused(s, v, run->chains[i]))
			return sighting_try(s,
			                    run_refusal_at(s, run->chains[i]));
	return NULL;
}

static bool is_equal(const struct location *a, const struct location *b)
{
	return a->leg == b->leg && a->direction == b->direction &&
	       a->place == b->place && a->after == b->after &&
	       a->before == b->before;
}

/* Steps from the guest to the inner and to the outer end of a gap */
static void ends_of(const struct scene *s, const struct location *at,
                    uint32_t *inner, uint32_t *outer)
{
	uint32_t a = s->points[at->after].depth;
	uint32_t b = s->points[at->before].depth;

	*inner = a < b ? a : b;
	*outer = a < b ? b : a;
}

/* Are both the same, or is the gap @narrow a part of the gap @wide, which a point
 * between them that could not tell has left wide? */
static bool is_within(const struct scene *s, const struct location *narrow,
                      const struct location *wide)
{
	uint32_t inner[2], outer[2];

	if (!narrow->known || !wide->known)
		return narrow->known == wide->known;
	if (is_equal(narrow, wide))
		return true;
	if (narrow->leg != wide->leg || narrow->direction != wide->direction ||
	    narrow->leg == LOST_LEG_RESPONDER || narrow->after == NO_POINT ||
	    narrow->before == NO_POINT || wide->after == NO_POINT ||
	    wide->before == NO_POINT)
		return false;
	ends_of(s, narrow, &inner[0], &outer[0]);
	ends_of(s, wide, &inner[1], &outer[1]);
	return inner[1] <= inner[0] && outer[0] <= outer[1];
}

struct location run_majority(const struct scene *s, const struct visibility *v,
                             const struct run *run)
{
	struct location best = { .known = false };
	size_t best_count = 0,
	       n = run->n_chains < LOCATED_MAX ? run->n_chains : LOCATED_MAX;
	struct location at[LOCATED_MAX];

	for (size_t i = 0; i < n; i++) {
		at[i] = locate(v, s, run->chains[i]);
		if (run->outcome == OUTCOME_REFUSED &&
		    !chain_is_refused(s, v, run->chains[i]))
			at[i].known = false;
	}
	for (size_t i = 0; i < n; i++) {
		size_t count = 0;

		for (size_t j = 0; j < n; j++)
			count += at[j].known && at[i].known &&
			         is_within(s, &at[i], &at[j]);
		if (count > best_count ||
		    (count == best_count && best.known && at[i].known &&
		     is_within(s, &at[i], &best))) {
			best = at[i];
			best_count = count;
		}
	}
	return best;
}
