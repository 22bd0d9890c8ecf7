/*
 * Connections that one side holds and the other does not know any more: data is
 * answered by a bare reset.  They may be older than the captures, so they are
 * found in the guest's flows, not among its tries.
 */
#include <stdlib.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/scene.h"

#define PORTS_MAX 32

/* Connections of one client and one server port that were forgotten alike */
struct group {
	struct flow_key key;
	uint32_t point;
	enum flow_forgot forgot;
	bool from_guest; /* the guest is the client */
	int64_t ports[PORTS_MAX];
	size_t n;
	int64_t first_ns;
	int64_t last_ns;
};

static bool belongs(const struct group *g, const struct flow *f, uint32_t point)
{
	return g->point == point && g->forgot == f->forgot &&
	       g->key.server_port == f->key.server_port &&
	       addr_equal(&g->key.client, &f->key.client) &&
	       addr_equal(&g->key.server, &f->key.server);
}

static void add_flow(const struct scene *s, struct group **groups, size_t *n,
                     uint32_t point, const struct flow *f)
{
	int64_t host_ns = scene_host_ns(s, &s->points[point], f->last_ns);
	struct group *g = NULL;

	for (size_t i = 0; i < *n && !g; i++)
		if (belongs(&(*groups)[i], f, point))
			g = &(*groups)[i];
	if (!g) {
		*groups = xreallocarray(*groups, *n + 1, sizeof(**groups));
		g = &(*groups)[(*n)++];
		*g = (struct group){
			.key = f->key,
			.point = point,
			.forgot = f->forgot,
			.from_guest = scene_is_guest_ip(s, &f->key.client),
			.first_ns = host_ns,
		};
	}
	if (g->n < PORTS_MAX)
		g->ports[g->n] = f->key.client_port;
	g->n++;
	g->last_ns = host_ns;
}

static size_t collect(const struct scene *s, struct group **groups)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct flow_table *t = &s->points[i].track.flows;

		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		for (uint32_t j = 0; j < t->n_flows; j++) {
			const struct flow *f = &t->flows[j];

			if (f->forgot != FLOW_FORGOT_NOBODY &&
			    (scene_is_guest_ip(s, &f->key.client) ||
			     scene_is_guest_ip(s, &f->key.server)))
				add_flow(s, groups, &n, i, f);
		}
	}
	return n;
}

/* The resets, at the guest's point */
static void add_resets(struct scene *s, const struct group *g, struct fact *f)
{
	const struct observation *o = &s->points[g->point];
	bool by_server = g->forgot == FLOW_FORGOT_SERVER;
	struct evidence e = {
		.leg = EVIDENCE_REFUSAL,
		.at = CAPTURE_ROLE_VM,
		.claim = incident_add_claim(s->incident, o->capture,
		                            o->point_index),
		.control = -1,
		.twin = -1,
		.total = g->n,
	};
	struct claim *c = incident_claim(s->incident, e.claim);

	claim_add_ip(c, CLAIM_IP_SRC,
	             by_server ? &g->key.server : &g->key.client);
	claim_add_ip(c, CLAIM_IP_DST,
	             by_server ? &g->key.client : &g->key.server);
	claim_add_number(c, CLAIM_TCP_RST, 1);
	claim_add_number(c, CLAIM_TCP_ACK, 0);
	claim_add_number(c, by_server ? CLAIM_TCP_SRC_PORT : CLAIM_TCP_DST_PORT,
	                 g->key.server_port);
	if (g->n <= PORTS_MAX)
		claim_add_numbers(
			c, by_server ? CLAIM_TCP_DST_PORT : CLAIM_TCP_SRC_PORT,
			g->ports, g->n);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_copy("resets for connections that were open");
	fact_add_evidence(f, &e);
}

static enum party who_forgot(const struct group *g)
{
	bool server = g->forgot == FLOW_FORGOT_SERVER;

	if (server != g->from_guest)
		return PARTY_GUEST;
	return server ? PARTY_SERVER : PARTY_CLIENT;
}

static void write_fact(struct scene *s, const struct group *g)
{
	struct fact *f = facts_add(s->incident->facts, FACT_KIND_TCP);
	const struct in6_addr *peer =
		g->from_guest ? &g->key.server : &g->key.client;

	f->n_failed = g->n;
	fact_set_enum(f, FIELD_PROTO, PROTOCOL_TCP);
	fact_set_ip(f, FIELD_CLIENT_IP, &g->key.client);
	fact_set_ip(f, FIELD_SERVER_IP, &g->key.server);
	fact_set_number(f, FIELD_SERVER_PORT, g->key.server_port);
	fact_set_bool(f, FIELD_CLIENT_IS_GUEST, g->from_guest);
	fact_set_bool(f, FIELD_SERVER_IS_GUEST, !g->from_guest);
	fact_set_bool(f, FIELD_GUEST_IS_END, true);
	fact_set_enum(f, FIELD_MODE, (int)s->guest.mode);
	fact_set_number(f, FIELD_TRIES, (int64_t)g->n);
	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_REFUSED);
	fact_set_enum(f, FIELD_REFUSAL, REFUSAL_RESET);
	fact_set_enum(f, FIELD_FORGOTTEN_BY, (int)who_forgot(g));
	fact_set_number(f, FIELD_FIRST, g->first_ns);
	fact_set_number(f, FIELD_LAST, g->last_ns);
	fact_set_number(f, FIELD_SPAN, g->last_ns - g->first_ns);
	fact_set_label(f, FIELD_LABEL_PEER, peer, sizeof(*peer));
	if (s->guest.n_macs > 0)
		fact_set_label(f, FIELD_LABEL_GUEST, &s->guest.macs[0],
		               sizeof(struct mac));
	add_resets(s, g, f);
}

void forgotten_find(struct scene *s)
{
	struct group *groups = NULL;
	size_t n = collect(s, &groups);

	for (size_t i = 0; i < n; i++)
		write_fact(s, &groups[i]);
	free(groups);
}
