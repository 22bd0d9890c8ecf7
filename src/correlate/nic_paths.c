/*
 * What the points do to the packets of each NIC: a guest may be bridged by one and
 * behind NAT by another, and both may leave by the same uplink.
 */
#include "correlate/scene.h"

/* Tries of one NIC at one point of the host */
struct counts {
	uint32_t same;
	uint32_t routed;
	uint32_t translated;
};

size_t scene_nic_of_flow(const struct scene *s, const struct flow *f)
{
	for (size_t i = 0; i < s->guest.n_macs; i++)
		if (mac_equal(f->client_mac, s->guest.macs[i]) ||
		    mac_equal(f->server_mac, s->guest.macs[i]) ||
		    mac_equal(f->next_hop, s->guest.macs[i]))
			return i;
	return 0;
}

size_t scene_nic_of_ip(const struct scene *s, const struct in6_addr *ip)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;

		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		for (size_t j = 0; j < s->guest.n_macs; j++) {
			const struct station *st =
				station_table_find(t, s->guest.macs[j]);

			if (st && station_has_ip(st, ip))
				return j;
		}
	}
	return 0;
}

static void count(const struct flow *fv, const struct try *vm,
                  const struct flow *fh, const struct try *host,
                  struct counts *n)
{
	if (!addr_equal(&fh->key.client, &fv->key.client) ||
	    !addr_equal(&fh->key.server, &fv->key.server))
		n->translated++;
	else if (host->ttl != vm->ttl)
		n->routed++;
	else
		n->same++;
}

static void count_chain(const struct scene *s, const struct chain *c,
                        struct counts counts[][SCENE_POINTS_MAX])
{
	const struct sighting *vm = chain_at(s, c, CAPTURE_ROLE_VM);
	const struct flow_table *tv;
	const struct try *try;
	size_t nic;

	if (!vm)
		return;
	tv = &s->points[vm->point].track.flows;
	try = &tv->tries[vm->try];
	if (tv->flows[try->flow].key.protocol == PROTOCOL_ARP ||
	    tv->flows[try->flow].key.protocol == PROTOCOL_NDP)
		return;
	nic = scene_nic_of_flow(s, &tv->flows[try->flow]);
	for (uint32_t i = 0; i < c->n; i++) {
		const struct sighting *at = &s->sightings[c->first + i];
		const struct flow_table *t = &s->points[at->point].track.flows;
		const struct try *host = &t->tries[at->try];

		if (s->points[at->point].role == CAPTURE_ROLE_HOST)
			count(&tv->flows[try->flow], try, &t->flows[host->flow],
			      host, &counts[nic][at->point]);
	}
}

static void settle(const struct scene *s, const struct counts *counts,
                   struct nic_path *path)
{
	path->mode = NETWORK_MODE_UNKNOWN;
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct counts *n = &counts[i];
		enum network_mode here = NETWORK_MODE_BRIDGED;

		if (n->same + n->routed + n->translated == 0)
			continue;
		path->known[i] = true;
		path->translated[i] = n->translated > n->same + n->routed;
		path->hop[i] = n->translated + n->routed > n->same;
		if (path->hop[i])
			here = path->translated[i] ? NETWORK_MODE_NAT
			                           : NETWORK_MODE_ROUTED;
		/* Within the host its neighbours are reached without a hop. */
		if (path->mode == NETWORK_MODE_UNKNOWN ||
		    here == NETWORK_MODE_NAT ||
		    path->mode == NETWORK_MODE_BRIDGED)
			path->mode = here;
	}
}

void nic_paths_find(struct scene *s)
{
	struct counts counts[GUEST_MACS_MAX][SCENE_POINTS_MAX] = { 0 };

	for (size_t i = 0; i < s->n_chains && s->guest.n_macs > 1; i++)
		count_chain(s, &s->chains[i], counts);
	for (size_t i = 0; i < s->guest.n_macs && s->guest.n_macs > 1; i++)
		settle(s, counts[i], &s->guest.paths[i]);
}

enum network_mode scene_mode(const struct scene *s, size_t nic)
{
	if (s->guest.n_macs < 2 ||
	    s->guest.paths[nic].mode == NETWORK_MODE_UNKNOWN)
		return s->guest.mode;
	return s->guest.paths[nic].mode;
}

bool scene_hop(const struct scene *s, size_t nic, uint32_t point)
{
	return s->guest.n_macs > 1 && s->guest.paths[nic].known[point]
	               ? s->guest.paths[nic].hop[point]
	               : s->points[point].hop;
}

bool scene_translated(const struct scene *s, size_t nic, uint32_t point)
{
	return s->guest.n_macs > 1 && s->guest.paths[nic].known[point]
	               ? s->guest.paths[nic].translated[point]
	               : s->points[point].translated;
}
