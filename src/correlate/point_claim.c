#include "correlate/run.h"

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
	return c;
}
