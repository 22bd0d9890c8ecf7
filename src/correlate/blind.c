#include "correlate/blind.h"

#include <inttypes.h>

#include "base/strbuf.h"

static const struct {
	enum traffic_class class;
	const char *name;
} classes[] = {
	{ TRAFFIC_ARP, "ARP" },
	{ TRAFFIC_ICMP, "ICMP" },
	{ TRAFFIC_TCP, "TCP" },
	{ TRAFFIC_DNS, "DNS" },
};

static void put_point(const struct scene *s, const struct observation *o,
                      struct strbuf *out)
{
	const struct incident_capture *c = &s->incident->captures[o->capture];
	const struct incident_point *p = &c->points[o->point_index];

	if (c->n_points > 1 && p->name)
		strbuf_printf(out, "%s of ", p->name);
	strbuf_puts(out, incident_file_name(c));
}

/* Should it show some, if all is well?  A router's far side has ARP of its own,
 * and user-mode NAT need not pass pings on. */
static bool is_concerned(const struct scene *s, const struct observation *o,
                         enum traffic_class class)
{
	return o->track.seen[class].count == 0 &&
	       (o->role == CAPTURE_ROLE_VM || o->on_path || s->n_path == 0) &&
	       !(class == TRAFFIC_ARP && o->hop) &&
	       !(class == TRAFFIC_ICMP && o->relayed);
}

/* The point of the other side that has most of it; NULL: none has any */
static const struct observation *find_witness(const struct scene *s,
                                              const struct observation *blind,
                                              enum traffic_class class)
{
	const struct observation *best = NULL;
	uint64_t most = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		if (o->role == blind->role ||
		    o->track.seen[class].count <= most)
			continue;
		most = o->track.seen[class].count;
		best = o;
	}
	return best;
}

static void tell(struct scene *s, const struct observation *o,
                 enum traffic_class class, const char *name)
{
	const struct observation *other = find_witness(s, o, class);
	struct strbuf text = { 0 };

	if (!other)
		return;
	put_point(s, o, &text);
	strbuf_printf(&text, " shows no %s at all, of which ", name);
	put_point(s, other, &text);
	strbuf_printf(&text,
	              " has %" PRIu64 " frames: a filter left it out, %s",
	              other->track.seen[class].count,
	              o->missed[class].count > 0 ? "since some of it passed"
	                                         : "or none came there");
	incident_add_blind(s->incident, strbuf_text(&text));
	strbuf_free(&text);
}

void blind_tell(struct scene *s)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		for (uint32_t j = 0; j < s->n_points; j++)
			if (is_concerned(s, &s->points[j], classes[i].class))
				tell(s, &s->points[j], classes[i].class,
				     classes[i].name);
}
