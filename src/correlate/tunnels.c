/*
 * The guest's frames inside the tunnels of its host: each tunnel network at an
 * interface is an observation point of its own.
 */
#include <stdlib.h>

#include "base/strbuf.h"
#include "correlate/scene.h"

/* So many frames cut inside their tunnel, and nobody can match the rest */
#define TUNNELS_CUT_PERCENT 20

char *tunnel_title(const struct tunnel *t)
{
	switch (t->kind) {
	case TUNNEL_KIND_NONE:
		break;
	case TUNNEL_KIND_VXLAN:
		return text_format("VXLAN %u", t->id);
	case TUNNEL_KIND_GENEVE:
		return text_format("Geneve %u", t->id);
	case TUNNEL_KIND_GRE:
		return t->has_id ? text_format("GRE %u", t->id)
		                 : text_copy("GRE");
	}
	return NULL;
}

static bool is_same(const struct tunnel *a, const struct tunnel *b)
{
	return a->kind == b->kind && a->has_id == b->has_id && a->id == b->id;
}

struct observation *scene_point_of(const struct scene *s, uint32_t capture,
                                   const struct packet *p)
{
	enum side side = side_of(s, capture, p);
	uint32_t interface = scene_interface_of(s, capture, p->interface);

	/* The newest points first: sections of one file follow each other. */
	for (uint32_t i = s->n_points; i-- > 0;) {
		struct observation *o = &s->points[i];

		if (o->capture == capture && o->interface == interface &&
		    o->ifindex == p->ifindex && o->side == side &&
		    is_same(&o->tunnel, &p->within))
			return o;
	}
	return NULL;
}

bool scene_open_tunnel(const struct scene *s, uint32_t capture,
                       const struct packet *p, struct packet *inner)
{
	return (!s->roles_known || s->roles[capture] == CAPTURE_ROLE_HOST) &&
	       packet_decode_inner(p, inner);
}

/*
 * In the tunnels of others there may be the same addresses once more.  Whose
 * packets are not found in the guest's file is nobody that the guest can meet.
 */
void tunnels_settle(struct scene *s)
{
	bool forgotten = false;

	for (uint32_t i = 0; s->n_path > 0 && i < s->n_points; i++) {
		struct observation *o = &s->points[i];

		if (o->tunnel.kind == TUNNEL_KIND_NONE || o->on_path)
			continue;
		if (o->track.truncated * 100 >
		    o->track.packets * TUNNELS_CUT_PERCENT)
			s->tunnels_cut = true;
		point_free(&o->track);
		o->track = (struct point){ 0 };
		forgotten = true;
	}
	if (!forgotten)
		return;
	free(s->chains);
	free(s->sightings);
	s->chains = NULL;
	s->sightings = NULL;
	s->n_chains = 0;
	s->n_sightings = 0;
	chains_build(s);
}
