/*
 * The first reading: every capture once, each point tracked for itself.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/scene.h"

#define NS_PER_S INT64_C(1000000000)

static const char *side_name(enum side side)
{
	switch (side) {
	case SIDE_BOTH:
		break;
	case SIDE_GUEST:
		return "guest-side";
	case SIDE_FAR:
		return "far-side";
	}
	return NULL;
}

uint32_t scene_interface_of(const struct scene *s, uint32_t capture,
                            uint32_t interface)
{
	const struct capture *c = s->captures[capture];

	if (interface == 0 || !capture_interface(c, interface)->by_source)
		return joins_of(&s->joins[capture], interface);
	for (uint32_t i = 0; i < interface; i++)
		if (capture_interface(c, i)->by_source)
			return i;
	return interface;
}

static struct observation *add_point(struct scene *s, uint32_t capture,
                                     const struct packet *p)
{
	struct incident_capture *ic = &s->incident->captures[capture];
	const struct capture_interface *ci =
		capture_interface(s->captures[capture], p->interface);
	const char *name = ci->by_source ? "vSwitch" : ci->name;
	uint32_t interface = scene_interface_of(s, capture, p->interface);
	struct observation *o;

	if (s->n_points == SCENE_POINTS_MAX ||
	    (p->within.kind != TUNNEL_KIND_NONE &&
	     s->n_points >= TUNNEL_POINTS_MAX))
		return NULL;
	o = &s->points[s->n_points++];
	*o = (struct observation){
		.capture = capture,
		.point_index = (uint32_t)ic->n_points,
		.interface = interface,
		.ifindex = p->ifindex,
		.side = side_of(s, capture, p),
		.tunnel = p->within,
		.linktype = ci->linktype,
		.role = s->roles[capture],
		.tick_ns = NS_PER_S,
		.kind = POINT_KIND_UNKNOWN,
	};
	ic->points = xreallocarray(ic->points, ic->n_points + 1,
	                           sizeof(*ic->points));
	ic->points[ic->n_points++] = (struct incident_point){
		.name = name ? text_copy(name) : NULL,
		.tunnel = tunnel_title(&p->within),
		.kind = POINT_KIND_UNKNOWN,
		.linktype = ci->linktype,
		.interface = interface,
		.ifindex = p->ifindex,
		.side = side_name(o->side),
	};
	return o;
}

static void note_stamp(struct observation *o, const struct packet *p)
{
	while (o->tick_ns > 1 && p->ts_ns % o->tick_ns != 0)
		o->tick_ns /= 10;
	if (o->newest_ns - p->ts_ns > STEP_BACK_NS &&
	    o->n_backs < STEP_BACKS_MAX)
		o->backs[o->n_backs++] = (struct step_back){
			.frame = p->frame,
			.from_ns = o->newest_ns,
			.to_ns = p->ts_ns,
		};
	o->newest_ns = p->ts_ns;
}

static void feed_packet(struct scene *s, uint32_t capture,
                        const struct packet *p)
{
	struct observation *o = scene_point_of(s, capture, p);

	if (!o)
		o = add_point(s, capture, p);
	if (!o) {
		s->points_full = true;
		return;
	}
	if (p->cut_bytes > 0)
		o->track.shortened++;
	o->carries_tunnels |= p->carries.kind != TUNNEL_KIND_NONE;
	if (p->ts_ns != 0)
		note_stamp(o, p);
	point_feed(&o->track, p);
}

static void note_frame(struct incident_capture *ic, const struct frame *f)
{
	ic->packets++;
	if (f->ts_ns == 0)
		return;
	if (!ic->has_time || f->ts_ns < ic->first_ns)
		ic->first_ns = f->ts_ns;
	if (!ic->has_time || f->ts_ns > ic->last_ns)
		ic->last_ns = f->ts_ns;
	ic->has_time = true;
}

/* When the steps come is known only now. */
static void date_steps(struct clock_steps *steps, const struct frame *f)
{
	for (size_t i = 0; i < steps->n; i++)
		if (steps->items[i].frame == f->number)
			steps->items[i].at_ns = f->ts_ns;
}

static void read_frame(struct scene *s, uint32_t capture,
                       const struct frame *frame)
{
	struct incident_capture *ic = &s->incident->captures[capture];
	const struct capture_interface *ci =
		capture_interface(s->captures[capture], frame->interface);
	struct frame read = *frame;
	struct packet p, inner;

	read.ts_ns = scene_read_ns(s, capture, frame->number, frame->ts_ns);
	note_frame(ic, &read);
	if (!s->joined)
		joins_note(&s->joins[capture], frame->interface, read.ts_ns);
	date_steps(&s->steps[capture], &read);
	if (!ci->supported) {
		ic->unsupported++;
		return;
	}
	packet_decode(&read, ci->linktype, &p);
	if (p.loopback)
		return; /* it passes no network */
	feed_packet(s, capture, &p);
	if (scene_open_tunnel(s, capture, &p, &inner))
		feed_packet(s, capture, &inner);
}

static void finish_capture(struct scene *s, uint32_t capture)
{
	struct incident_capture *ic = &s->incident->captures[capture];
	uint32_t n = capture_interface_count(s->captures[capture]);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t snaplen =
			capture_interface(s->captures[capture], i)->snaplen;

		if (snaplen > ic->snaplen)
			ic->snaplen = snaplen;
	}
	for (uint32_t i = 0; i < s->n_points; i++) {
		struct observation *o = &s->points[i];

		if (o->capture != capture)
			continue;
		quality_finish(&o->track.quality, &o->track.flows);
		ic->truncated += o->track.truncated;
		ic->malformed += o->track.malformed;
		ic->unsupported += o->track.unsupported;
		ic->points[o->point_index].packets = o->track.packets;
	}
}

static void read_capture(struct scene *s, uint32_t capture)
{
	struct incident_capture *ic = &s->incident->captures[capture];
	struct capture *c = s->captures[capture];
	enum capture_result result;
	struct frame frame;

	capture_rewind(c);
	while ((result = capture_next(c, &frame)) == CAPTURE_FRAME)
		read_frame(s, capture, &frame);
	if (result == CAPTURE_CUT) {
		ic->cut_at_frame = ic->packets;
		ic->cut_text = text_copy(capture_cut(c));
	}
	finish_capture(s, capture);
}

static void drop_counts(struct incident_capture *ic)
{
	ic->packets = 0;
	ic->truncated = 0;
	ic->malformed = 0;
	ic->unsupported = 0;
	free(ic->cut_text);
	ic->cut_text = NULL;
	ic->has_time = false;
}

static void drop_points(struct scene *s, uint32_t capture)
{
	struct incident_capture *ic = &s->incident->captures[capture];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		if (s->points[i].capture == capture)
			point_free(&s->points[i].track);
		else
			s->points[kept++] = s->points[i];
	}
	s->n_points = kept;
	for (size_t i = 0; i < ic->n_points; i++) {
		free(ic->points[i].name);
		free(ic->points[i].tunnel);
	}
	ic->n_points = 0;
}

void survey_again(struct scene *s, uint32_t capture)
{
	drop_points(s, capture);
	drop_counts(&s->incident->captures[capture]);
	read_capture(s, capture);
}

void survey_retimed(struct scene *s, uint32_t capture)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		if (s->points[i].capture != capture)
			continue;
		point_free(&s->points[i].track);
		s->points[i].track = (struct point){ 0 };
		s->points[i].newest_ns = 0;
		s->points[i].n_backs = 0;
	}
	drop_counts(&s->incident->captures[capture]);
	read_capture(s, capture);
}

static bool is_opened(const struct scene *s, uint32_t capture)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].capture == capture &&
		    s->points[i].tunnel.kind != TUNNEL_KIND_NONE)
			return true;
	return false;
}

void survey_settle(struct scene *s)
{
	s->roles_known = true;
	for (uint32_t i = 0; i < s->n_captures; i++)
		if (s->roles[i] == CAPTURE_ROLE_VM && is_opened(s, i))
			survey_again(s, i);
}

/* Where there was no room for all, there may be now. */
static void join_interfaces(struct scene *s)
{
	bool full = s->points_full;

	s->joined = true;
	s->points_full = false;
	for (uint32_t i = 0; i < s->n_captures; i++)
		if (joins_find(&s->joins[i], s->captures[i]) || full)
			survey_again(s, i);
}

/* Each would be a point of its own. */
static void tell_parts(struct scene *s)
{
	for (uint32_t i = 0; i < s->n_captures; i++)
		for (uint32_t j = 0; j < s->n_captures; j++) {
			char *text;

			if (s->roles[i] != s->roles[j] ||
			    !joins_follow(&s->joins[i], s->captures[i],
			                  &s->joins[j], s->captures[j]))
				continue;
			text = text_format(
				"%s goes on in %s: join them (mergecap -w "
				"all.pcapng FILE...) and diagnose the whole; "
				"as "
				"two files they are taken for two points",
				s->incident->captures[i].file,
				s->incident->captures[j].file);
			incident_add_limit(s->incident, text);
			free(text);
		}
}

void survey_run(struct scene *s)
{
	s->points = xcalloc(SCENE_POINTS_MAX, sizeof(*s->points));
	for (uint32_t i = 0; i < s->n_captures; i++)
		read_capture(s, i);
	join_interfaces(s);
	tell_parts(s);
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].track.flows.full ||
		    s->points[i].track.stations.full ||
		    s->points[i].track.claims.full || s->points[i].track.full)
			incident_add_limit(
				s->incident,
				"a table of exchanges was full: later "
				"ones are missing");
	if (s->points_full)
		incident_add_limit(s->incident,
		                   "more observation points than can be told "
		                   "apart: the later ones are missing");
}
