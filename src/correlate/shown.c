#include "correlate/shown.h"

static uint64_t hash_of(uint32_t point, const struct in6_addr *ip,
                        uint16_t port)
{
	return hash_mix(hash_bytes(ip, sizeof(*ip)),
	                (uint64_t)point << 16 | port);
}

static void add_point(struct shown *w, const struct scene *s, uint32_t point)
{
	const struct flow_table *t = &s->points[point].track.flows;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow_key *k = &t->flows[i].key;

		if (k->protocol != PROTOCOL_TCP)
			continue;
		*tally_at(&w->ends,
		          hash_of(point, &k->client, k->client_port)) = 1;
		*tally_at(&w->ends,
		          hash_of(point, &k->server, k->server_port)) = 1;
	}
	w->points |= UINT64_C(1) << point;
}

bool shown_has(struct shown *w, const struct scene *s, uint32_t point,
               const struct in6_addr *ip, uint16_t port)
{
	if (!(w->points >> point & 1))
		add_point(w, s, point);
	return tally_get(&w->ends, hash_of(point, ip, port)) != 0;
}

void shown_free(struct shown *w)
{
	tally_free(&w->ends);
}
