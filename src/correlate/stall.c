/*
 * Opened TCP connections whose bytes stop on the way: compared as byte ranges,
 * since offload cuts segments differently at each point.
 */
#include "correlate/locate.h"

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

/* Does what goes this way pass @near first?  Of points beside the path it is not
 * known. */
static bool may_come_first(const struct scene *s, const struct chain *c,
                           const struct sighting *near,
                           const struct sighting *far, bool client)
{
	const struct observation *a = &s->points[near->point];
	const struct observation *b = &s->points[far->point];
	enum try_role role = try_role(s, c);

	if ((role != TRY_ROLE_FROM_GUEST && role != TRY_ROLE_TO_GUEST) ||
	    (a->role == CAPTURE_ROLE_HOST && !a->on_path) ||
	    (b->role == CAPTURE_ROLE_HOST && !b->on_path) ||
	    a->depth == b->depth)
		return true;
	return (a->depth < b->depth) ==
	       (client == (role == TRY_ROLE_FROM_GUEST));
}

/* The host resets what it no longer knows: the guest never did.  A reset that has
 * come as far as the SYN is the guest's, and the capture at @far lacks it. */
static bool is_reset_by_host(const struct scene *s, const struct sighting *near,
                             const struct sighting *far)
{
	const struct flow *fn = flow_at(s, near), *ff = flow_at(s, far);
	const struct flow_table *t = &s->points[near->point].track.flows;

	return fn->client_resets > 0 && ff->client_resets == 0 &&
	       fn->client_ttl != t->tries[near->try].ttl;
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
	return a->repeats >= REPEATS_MIN ||
	       (!client && is_reset_by_host(s, near, far));
}

static void find_stall(const struct scene *s, struct chain *c,
                       const struct sighting *near, const struct sighting *far,
                       bool client)
{
	/* Behind a relay the bytes have other numbers. */
	if (s->points[near->point].relayed != s->points[far->point].relayed)
		return;
	if (c->stall.stalled || !may_come_first(s, c, near, far, client) ||
	    !is_stuck(s, near, far, client))
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
