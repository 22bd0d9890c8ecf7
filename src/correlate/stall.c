/*
 * Opened TCP connections whose bytes stop on the way: compared as byte ranges,
 * since offload cuts segments differently at each point.
 */
#include "correlate/scene.h"

/* Sent again this often without an acknowledgement, it does not get through. */
#define REPEATS_MIN 2

/* So long after the last new byte an acknowledgement is overdue. */
#define OVERDUE_NS INT64_C(1000000000)

static bool is_ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static const struct flow *flow_at(const struct scene *s,
                                  const struct sighting *at)
{
	const struct flow_table *t = &s->points[at->point].track.flows;

	return &t->flows[t->tries[at->try].flow];
}

static const struct tcp_progress *progress(const struct flow *f, bool client)
{
	return client ? &f->client_data : &f->server_data;
}

/* Is what @near has of this direction missing at @far, for good? */
static bool is_stuck(const struct scene *s, const struct sighting *near,
                     const struct sighting *far, bool client)
{
	const struct flow *fn = flow_at(s, near), *ff = flow_at(s, far);
	const struct tcp_progress *a = progress(fn, client);
	const struct tcp_progress *b = progress(ff, client);
	const struct observation *o = &s->points[far->point];
	int64_t end_ns = s->incident->captures[o->capture].last_ns;
	int64_t at_ns = scene_point_ns(
		s, o, scene_host_ns(s, &s->points[near->point], a->last_ns));

	if (!a->known || !b->known || !is_ahead(a->next, b->next))
		return false;
	/* An acknowledgement proves that a capture, not the network, lost it. */
	if (!is_ahead(a->next, a->acked) || !is_ahead(a->next, b->acked))
		return false;
	if (at_ns + OVERDUE_NS > end_ns)
		return false;
	/* The host resets what it no longer knows: the guest never did. */
	return a->repeats >= REPEATS_MIN ||
	       (!client && fn->client_resets > 0 && ff->client_resets == 0);
}

static void find_stall(const struct scene *s, struct chain *c,
                       const struct sighting *near, const struct sighting *far,
                       bool client)
{
	/* Behind a relay the bytes have other numbers. */
	if (s->points[near->point].relayed != s->points[far->point].relayed)
		return;
	if (c->stall.stalled || !is_stuck(s, near, far, client))
		return;
	c->stall = (struct stall){
		.stalled = true,
		.from_client = client,
		.after = near->point,
		.before = far->point,
		.seq = progress(flow_at(s, far), client)->next,
	};
}

void stalls_find(struct scene *s)
{
	for (size_t i = 0; i < s->n_chains; i++) {
		struct chain *c = &s->chains[i];
		const struct sighting *all = &s->sightings[c->first];

		if (c->n < 2 ||
		    flow_at(s, &all[0])->key.protocol != PROTOCOL_TCP)
			continue;
		for (uint32_t a = 0; a < c->n; a++)
			for (uint32_t b = 0; b < c->n; b++) {
				if (a == b)
					continue;
				find_stall(s, c, &all[a], &all[b], true);
				find_stall(s, c, &all[a], &all[b], false);
			}
	}
}
