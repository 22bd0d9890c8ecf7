#include "correlate/evidence_terms.h"

static void add_id(int64_t *ids, size_t *n, int64_t id)
{
	for (size_t i = 0; i < *n && i < IDS_MAX; i++)
		if (ids[i] == id)
			return;
	if (*n < IDS_MAX)
		ids[*n] = id;
	if (*n <= IDS_MAX)
		(*n)++;
}

static bool is_ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

/* For a stalled connection the bytes that are lost count, not the SYN. */
static void add_stall(struct terms *t, const struct chain *c,
                      const struct flow *f)
{
	const struct stall *stall = &c->stall;
	const struct tcp_progress *sent =
		stall->from_client ? &f->client_data : &f->server_data;

	t->stalled[!stall->from_client] = true;
	add_id(t->lost, &t->n_lost, stall->seq);
	t->n_host_resets += f->client_resets;
	if (stall->from_client)
		t->n_seen += is_ahead(sent->next, stall->seq);
	else
		t->n_answered += is_ahead(sent->next, stall->seq);
}

static void add_seen(const struct scene *s, struct terms *t,
                     const struct chain *c, const struct sighting *at)
{
	const struct try *try = sighting_try(s, at);
	const struct flow *f = sighting_flow(s, at);

	t->n_dropped[0] += try->dropped;
	t->n_dropped[1] += try->answer_dropped;
	if (!c->stall.stalled || !c->stall.from_client)
		t->n_seen++;
	if (!c->stall.stalled || c->stall.from_client)
		t->n_answered += try->answer == TRY_ANSWERED;
	if (c->stall.stalled)
		add_stall(t, c, f);
	if (try->answer == TRY_REFUSED) {
		t->n_refused++;
		t->refused_by = try->refused_by;
		t->refusal = try->refusal;
	}
	if (try->undone)
		t->n_host_resets++;
	t->client = f->key.client;
	t->server = f->key.server;
	t->server_port = f->key.server_port;
	add_id(t->ports, &t->n_ports, f->key.client_port);
	t->seen = true;
}

/* The IP ids of the tries, if all have one: a NAT leaves them as they are */
static void add_ip_ids(const struct scene *s, const struct run *run,
                       struct terms *t)
{
	for (size_t i = 0; i < run->n_chains; i++) {
		const struct try *try =
			sighting_try(s, try_reference(s, run->chains[i]));

		if (try->ip_id == 0) {
			t->n_ip_ids = 0;
			return;
		}
		add_id(t->ip_ids, &t->n_ip_ids, try->ip_id);
	}
}

/* What a relay would have sent is known by its server and its time only. */
static void add_relayed(const struct scene *s, struct terms *t)
{
	const struct in6_addr *outside = scene_outside_for(s, &t->server);

	t->has_client = outside != NULL;
	if (outside)
		t->client = *outside;
	t->n_ids = 0;
	t->by_time = true;
}

struct terms terms_make(const struct scene *s, const struct run *run,
                        uint32_t point)
{
	const struct sighting *ref = try_reference(s, run->chains[0]);
	struct terms t = {
		.point = point,
		.client = run->key.client,
		.server = run->key.server,
		.server_port = run->key.server_port,
		.client_mac = sighting_flow(s, ref)->client_mac,
		.has_client = true,
		.cut = true,
		.has_server =
			run->role != TRY_ROLE_TO_HOST || s->points[point].hop,
	};

	for (size_t i = 0; i < run->n_chains; i++) {
		const struct sighting *at = run_sighting(s, run, i, point);
		const struct sighting *any =
			at ? at : try_reference(s, run->chains[i]);

		add_id(t.ids, &t.n_ids, sighting_try(s, any)->id);
		t.cut &= sighting_try(s, any)->cut;
		if (!at)
			continue;
		add_seen(s, &t, run->chains[i], at);
	}
	if (t.cut)
		add_ip_ids(s, run, &t);
	if (t.seen)
		return t;
	if (s->points[point].relayed) {
		add_relayed(s, &t);
		return t;
	}
	/* Behind NAT nobody knows what address it would have got. */
	t.has_client = !scene_translated(
		s, scene_nic_of_flow(s, sighting_flow(s, ref)), point);
	if (!t.has_client && !t.cut)
		add_ip_ids(s, run, &t);
	for (size_t i = 0; i < run->n_chains && t.has_client; i++)
		add_id(t.ports, &t.n_ports,
		       sighting_flow(s, try_reference(s, run->chains[i]))
		               ->key.client_port);
	return t;
}
