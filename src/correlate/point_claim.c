#include "correlate/run.h"

static void add_tunnel(struct claim *c, const struct observation *o)
{
	switch (o->tunnel.kind) {
	case TUNNEL_KIND_VXLAN:
		claim_add_number(c, CLAIM_VXLAN, o->tunnel.id);
		return;
	case TUNNEL_KIND_GENEVE:
		claim_add_number(c, CLAIM_GENEVE, o->tunnel.id);
		return;
	case TUNNEL_KIND_GRE:
		if (o->tunnel.has_id)
			claim_add_number(c, CLAIM_GRE_KEY, o->tunnel.id);
		else
			claim_add_flag(c, CLAIM_GRE_PLAIN);
		return;
	case TUNNEL_KIND_NONE:
		break;
	}
	/* A filter would find what it names inside the tunnels as well. */
	if (o->carries_tunnels) {
		claim_add_flag(c, CLAIM_TUNNELLED);
		claim_negate_last(c);
	}
}

struct claim *point_claim(const struct scene *s, uint32_t point, int32_t *index)
{
	const struct observation *o = &s->points[point];
	const struct incident_capture *ic = &s->incident->captures[o->capture];
	struct claim *c;

	*index = incident_add_claim(s->incident, o->capture, o->point_index);
	c = incident_claim(s->incident, *index);
	if (capture_interface_count(s->captures[o->capture]) > 1)
		claim_add_number(c, CLAIM_INTERFACE, o->interface);
	if (o->ifindex >= 0 && ic->n_points > 1)
		claim_add_number(c, CLAIM_IFINDEX, o->ifindex);
	add_tunnel(c, o);
	return c;
}
