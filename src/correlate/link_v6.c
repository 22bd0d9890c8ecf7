/*
 * What is on the guest's own link, for IPv6.
 */
#include "correlate/scene.h"

/* Hosts make their addresses from prefixes of this length. */
#define SLAAC_PREFIX_BITS 64

static bool is_advertised(const struct point *track, const struct in6_addr *ip)
{
	for (size_t i = 0; i < track->n_adverts; i++)
		if (track->adverts[i].prefix_bits > 0 &&
		    addr_in_prefix(ip, &track->adverts[i].prefix,
		                   track->adverts[i].prefix_bits))
			return true;
	return false;
}

int link_v6_holds(const struct scene *s, const struct in6_addr *ip)
{
	const struct guest *g = &s->guest;
	int holds = -1;

	for (size_t i = 0; i < g->n_ips; i++) {
		if (addr_is_v4(&g->ips[i]) || addr_is_link_local(&g->ips[i]))
			continue;
		if (addr_in_prefix(ip, &g->ips[i], SLAAC_PREFIX_BITS))
			return 1;
		holds = 0;
	}
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM &&
		    is_advertised(&s->points[i].track, ip))
			return 1;
	return holds;
}
