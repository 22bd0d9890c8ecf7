/*
 * What user-mode NAT means for one try: whose answer counts, what is never passed
 * on, and for whom the host looks in vain.
 */
#include "correlate/relay_path.h"

/*
 * A relay may open the guest's connection before its own is open, and close it
 * in its own words: what the server did is seen at the host, until its bytes
 * reach the guest.
 */
const struct sighting *relay_end(const struct scene *s, const struct chain *c,
                                 const struct sighting *guest)
{
	const struct sighting *at = NULL;
	enum try_answer answer;

	for (uint32_t i = 0; i < c->n; i++)
		if (s->points[s->sightings[c->first + i].point].relayed)
			at = &s->sightings[c->first + i];
	if (!at || sighting_flow(s, guest)->key.protocol != PROTOCOL_TCP ||
	    sighting_flow(s, guest)->received_bytes > 0)
		return guest;
	answer = sighting_try(s, at)->answer;
	if (answer == TRY_REFUSED)
		return at;
	if (answer == TRY_UNANSWERED && sighting_flow(s, at)->received == 0 &&
	    sighting_try(s, guest)->answer != TRY_UNANSWERED)
		return at;
	return guest;
}

bool relay_keeps(const struct visibility *v, const struct scene *s,
                 const struct chain *c)
{
	uint32_t point;

	if (s->n_path == 0)
		return false;
	point = s->path[s->n_path - 1];
	return s->points[point].relayed &&
	       try_role(s, c) == TRY_ROLE_FROM_GUEST &&
	       sighting_flow(s, try_reference(s, c))->key.protocol ==
	               PROTOCOL_ICMP &&
	       !visibility_crossed(v, point, PATH_DIRECTION_FROM_GUEST,
	                           TRAFFIC_ICMP);
}

static const struct flow *sought_flow(const struct scene *s, uint32_t point,
                                      const struct in6_addr *server)
{
	const struct flow_table *t = &s->points[point].track.flows;
	const struct in6_addr *host = scene_outside_for(s, server);
	struct flow_key key;
	uint32_t flow;

	if (!host)
		return NULL;
	key = (struct flow_key){ .client = *host,
		                 .server = *server,
		                 .protocol = PROTOCOL_ARP };
	flow = flow_table_find(t, &key);
	return flow == FLOW_NONE ? NULL : &t->flows[flow];
}

enum relay_sought relay_sought(const struct scene *s, uint32_t point,
                               const struct in6_addr *server)
{
	const struct flow *f;

	if (!s->points[point].relayed)
		return RELAY_FOUND;
	f = sought_flow(s, point, server);
	if (f && f->received == 0)
		return RELAY_SOUGHT_IN_VAIN;
	if (!f && addr_is_v4(server) &&
	    s->points[point].track.seen[TRAFFIC_ARP].count == 0)
		return RELAY_SOUGHT_UNSEEN;
	return RELAY_FOUND;
}

uint32_t relay_sought_tries(const struct scene *s, uint32_t point,
                            const struct in6_addr *server)
{
	return relay_sought(s, point, server) == RELAY_SOUGHT_IN_VAIN
	               ? sought_flow(s, point, server)->n_tries
	               : 0;
}
