#include "correlate/analyse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/blind.h"
#include "correlate/scene.h"
#include "correlate/unacked.h"

const char *scene_point_id(const struct scene *s, uint32_t point)
{
	const struct observation *o = &s->points[point];

	return s->incident->captures[o->capture].points[o->point_index].id;
}

uint32_t scene_guest_point(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			return i;
	return NO_POINT;
}

uint32_t scene_point_at_depth(const struct scene *s, uint32_t depth)
{
	return depth > 0 ? s->path[depth - 1] : scene_guest_point(s);
}

static const struct hints no_hints;

static void begin_questions(struct scene *s)
{
	const struct hints *h = s->hints;
	struct incident *in = s->incident;

	in->questions = xcalloc(h->n_questions + 1, sizeof(*in->questions));
	in->n_questions = h->n_questions;
	for (size_t i = 0; i < h->n_questions; i++)
		in->questions[i] = (struct question){
			.asked = h->questions[i].asked,
			.ip = h->questions[i].ip,
			.has_port = h->questions[i].has_port,
			.port = h->questions[i].port,
		};
}

static void begin_captures(struct scene *s)
{
	struct incident *in = s->incident;

	in->captures = xcalloc(s->n_captures, sizeof(*in->captures));
	in->n_captures = s->n_captures;
	for (size_t i = 0; i < s->n_captures; i++)
		in->captures[i] = (struct incident_capture){
			.role = s->roles[i],
			.file = text_copy(capture_path(s->captures[i])),
			.bytes = capture_bytes(s->captures[i]),
			.format = capture_format(s->captures[i]),
			.compression = capture_compression(s->captures[i]),
		};
}

/* "/vxlan100" of "VXLAN 100" */
static void put_tunnel_id(const char *title, struct strbuf *out)
{
	if (title)
		strbuf_puts(out, "/");
	for (; title && *title; title++)
		if (*title != ' ')
			strbuf_printf(out, "%c", tolower(*title));
}

/* "host:0/2", "host2:0" for the second host file; "host:0/vxlan100" for what
 * comes out of a tunnel */
static void name_points(struct scene *s)
{
	unsigned int n[2] = { 0, 0 };

	for (uint32_t i = 0; i < s->n_captures; i++) {
		struct incident_capture *c = &s->incident->captures[i];
		const char *role =
			s->roles[i] == CAPTURE_ROLE_HOST ? "host" : "vm";
		unsigned int nth = ++n[s->roles[i]];

		c->role = s->roles[i];
		for (size_t j = 0; j < c->n_points; j++) {
			struct incident_point *p = &c->points[j];
			struct strbuf sb = { 0 };

			strbuf_puts(&sb, role);
			if (nth > 1)
				strbuf_printf(&sb, "%u", nth);
			strbuf_printf(&sb, ":%u", p->interface);
			if (p->ifindex >= 0)
				strbuf_printf(&sb, "/%lld",
				              (long long)p->ifindex);
			if (p->side)
				strbuf_printf(&sb, "/%s", p->side);
			put_tunnel_id(p->tunnel, &sb);
			p->id = strbuf_steal(&sb);
		}
	}
}

struct incident *analyse(struct capture *const *captures,
                         const enum capture_role *roles, size_t n,
                         const struct hints *hints)
{
	struct scene s = {
		.captures = captures,
		.n_captures = n,
		.roles = xcalloc(n, sizeof(*roles)),
		.steps = xcalloc(n, sizeof(*s.steps)),
		.joins = xcalloc(n, sizeof(*s.joins)),
		.incident = incident_new(),
		.hints = hints ? hints : &no_hints,
	};

	memcpy(s.roles, roles, n * sizeof(*roles));
	begin_questions(&s);
	begin_captures(&s);
	survey_run(&s);
	roles_check(&s);
	survey_settle(&s);
	guest_find(&s);
	sides_split(&s);
	name_points(&s);
	relay_find(&s);
	align_run(&s);
	chains_build(&s);
	path_find(&s);
	tunnels_settle(&s);
	clones_find(&s);
	neighbours_find(&s);
	guest_plan(&s);
	isolation_find(&s);
	defects_find(&s);
	stalls_find(&s);
	matching_run(&s);
	exchanges_judge(&s);
	blind_tell(&s);
	forgotten_find(&s);
	unacked_find(&s);
	address_facts(&s);
	nic_facts(&s);
	capture_facts(&s);
	questions_count_frames(&s);
	sides_limit_claims(&s);
	if (s.hints->platform)
		s.incident->platform = s.hints->platform;
	scene_free(&s);
	return s.incident;
}

void scene_free(struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		struct observation *o = &s->points[i];

		point_free(&o->track);
		second_set_free(&o->holes);
		second_set_free(&o->unread);
		for (int class = 0; class < TRAFFIC_CLASS_COUNT; class ++)
			second_set_free(&o->missed[class]);
	}
	free(s->points);
	free(s->sightings);
	doubles_free(&s->doubles);
	neighbours_free(&s->peers);
	hash_table_free(&s->relayed);
	free(s->chains);
	free(s->roles);
	free(s->steps);
	for (size_t i = 0; i < s->n_captures; i++)
		joins_free(&s->joins[i]);
	free(s->joins);
}
