#include "correlate/run.h"

#define SWITCH_PORTS_MAX 64

/* One interface of the file, or all that are one, or all ports of one switch */
static void add_interface(struct claim *c, const struct scene *s,
                          const struct observation *o)
{
	uint32_t count = capture_interface_count(s->captures[o->capture]);
	int64_t ids[SWITCH_PORTS_MAX];
	size_t n = 0;

	for (uint32_t i = 0; i < count && n < SWITCH_PORTS_MAX; i++)
		if (scene_interface_of(s, o->capture, i) == o->interface)
			ids[n++] = i;
	if (n < count && n > 0)
		claim_add_numbers(c, CLAIM_INTERFACE, ids, n);
}

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
	add_interface(c, s, o);
	if (o->ifindex >= 0 && ic->n_points > 1)
		claim_add_number(c, CLAIM_IFINDEX, o->ifindex);
	add_tunnel(c, o);
	return c;
}
