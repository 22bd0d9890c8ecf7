/*
 * The second reading: a merge in time that pairs every packet of the guest in
 * its own capture with the same packet at the host.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/defects.h"
#include "correlate/losses.h"
#include "correlate/proofs.h"
#include "correlate/shown.h"
#include "track/tracker.h"

#define MS INT64_C(1000000)

/* A capture's first and last moments are not sharp. */
#define EDGE_NS (50 * MS)

/* A capture that nobody proves to have ended may go on for so long. */
#define SILENT_NS (5000 * MS)

#define NO_EDGE 2

struct reader {
	struct capture *capture;
	uint32_t index;
	bool at_end;
	int64_t host_ns;
	struct packet packet;
	struct packet inner; /* what it carries: the next one */
	bool has_inner;
	uint32_t point;
};

/**
 * struct edge - Before or after the time that both files cover
 * @lost:	by direction: what did not arrive
 * @over:	by direction: something arrived that the file of its sender's side
 *		lacks: that file covers this time no more
 */
struct edge {
	uint64_t lost[2];
	bool over[2];
};

struct merge {
	struct scene *scene;
	struct reader *readers;
	struct pairing pairing;
	struct losses losses;
	struct proofs proofs;
	struct shown shown;
	int64_t from_ns; /* what both files cover */
	int64_t to_ns;
	struct edge edges[2];
};

static struct incident_match *match_of(struct merge *m,
                                       enum path_direction direction)
{
	return direction == PATH_DIRECTION_FROM_GUEST
	               ? &m->scene->incident->from_guest
	               : &m->scene->incident->to_guest;
}

static uint64_t depths_of(const struct merge *m, uint64_t points)
{
	const struct scene *s = m->scene;
	uint64_t depths = points & m->pairing.vm_points ? 1 : 0;

	for (uint32_t i = 0; i < s->n_path && i + 1 < 64; i++)
		if (points >> s->path[i] & 1)
			depths |= UINT64_C(1) << (i + 1);
	return depths;
}

/* Does what the guest and that station exchange pass the point at @depth? */
static bool passes_by(const struct merge *m, const struct passing *at,
                      uint32_t depth)
{
	const struct scene *s = m->scene;
	const struct observation *o = &s->points[s->path[depth - 1]];

	if (o->hop)
		return at->leaves;
	/* Past the outermost point a stranger may be a sibling of the guest. */
	return at->group || (o->trunk && depth < s->n_path) ||
	       proofs_has(&m->proofs,
	                  proofs_crossing(at->station, s->path[depth - 1]));
}

/* Would it have to pass the point at @depth?  What comes to the guest has been
 * farther out. */
static bool has_to_cross(const struct merge *m, const struct passing *at,
                         uint32_t depth)
{
	const struct scene *s = m->scene;

	if (depth == 0)
		return true;
	if (at->direction == PATH_DIRECTION_TO_GUEST &&
	    !s->points[s->path[depth - 1]].hop)
		return true;
	return passes_by(m, at, depth);
}

/* May the capture lack what the network has not lost? */
static bool is_hidden(struct merge *m, const struct passing *at, uint32_t depth)
{
	uint32_t point = scene_point_at_depth(m->scene, depth);
	const struct observation *o = &m->scene->points[point];

	if (at->cut == PASSING_BYTES &&
	    !shown_has(&m->shown, m->scene, point, &at->peer, at->peer_port))
		return true;
	return o->track.seen[at->class].count == 0 ||
	       defects_hide(m->scene, point, at->direction, at->class,
	                    at->host_ns, at->host_ns);
}

static bool is_inside(const struct merge *m, int64_t host_ns)
{
	int64_t guard_ns = EDGE_NS + m->scene->clock_error_ns;

	return host_ns >= m->from_ns + guard_ns &&
	       host_ns <= m->to_ns - guard_ns;
}

/*
 * Is the point at @depth on the way of what the guest exchanges with that station?
 * Ports of siblings lie beside it: others of that station were seen there, too.
 */
static bool is_on_way(const struct merge *m, const struct passing *at,
                      uint32_t depth)
{
	const struct scene *s = m->scene;
	const struct observation *o;

	if (depth == 0)
		return true;
	o = &s->points[s->path[depth - 1]];
	if (o->hop)
		return at->leaves;
	if (mac_is_zero(at->station))
		return o->trunk; /* it comes from beyond the link */
	return proofs_has(&m->proofs,
	                  proofs_crossing(at->station, s->path[depth - 1]));
}

/* Where on its way was it seen last, and where not any more? */
static void look_for_gap(struct merge *m, const struct pending *w,
                         uint64_t depths)
{
	bool out = w->at.direction == PATH_DIRECTION_FROM_GUEST;
	uint32_t n = m->scene->n_path + 1, last = NO_POINT;

	/* What is lost is sent again; what a capture lost is not. */
	if (!w->again || !is_inside(m, w->at.host_ns) || w->rival ||
	    n > LOSS_DEPTHS)
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t depth = out ? i : n - 1 - i;

		if (depths >> depth & 1)
			last = depth;
	}
	for (uint32_t i = 0; i < n && last != NO_POINT; i++) {
		uint32_t depth = out ? i : n - 1 - i;

		if ((out ? depth <= last : depth >= last) ||
		    !is_on_way(m, &w->at, depth))
			continue;
		if (!is_hidden(m, &w->at, depth))
			losses_lost(&m->losses, &w->at, last, depth);
		return;
	}
}

static void note_paired(struct merge *m, const struct pending *w)
{
	uint64_t depths = depths_of(m, w->at.points);
	uint64_t host = w->at.points & m->pairing.host_points;

	match_of(m, w->at.direction)->both++;
	/* Whoever begins a flow to the guest asks for a service. */
	if (w->at.direction == PATH_DIRECTION_TO_GUEST &&
	    !proofs_has(&m->proofs, w->at.flow))
		proofs_add(&m->proofs, w->at.service);
	proofs_add(&m->proofs, w->at.flow);
	/* A broadcast comes by every port. */
	if (!mac_is_zero(w->at.station) && !w->at.group)
		for (; host; host &= host - 1)
			proofs_add(&m->proofs,
			           proofs_crossing(
					   w->at.station,
					   (uint32_t)__builtin_ctzll(host)));
	losses_passed(&m->losses, &w->at, depths);
	if (!(w->at.points & m->pairing.vm_points) ||
	    (w->at.points & m->pairing.host_points) != m->pairing.host_points)
		look_for_gap(m, w, depths);
}

static uint32_t edge_of(const struct merge *m, int64_t host_ns)
{
	if (is_inside(m, host_ns))
		return NO_EDGE;
	return host_ns < m->from_ns + EDGE_NS ? 0 : 1;
}

/* Too far out to say that it was lost? */
static bool is_outside(const struct merge *m, int64_t host_ns)
{
	return host_ns < m->from_ns - SILENT_NS ||
	       host_ns > m->to_ns + SILENT_NS;
}

static bool is_maybe_others(struct merge *m, const struct pending *w,
                            bool at_host)
{
	struct incident *in = m->scene->incident;

	if (w->at.for_all) {
		in->host_others += at_host;
		return true;
	}
	if (w->at.sure || proofs_has(&m->proofs, w->at.flow))
		return false;
	if (w->at.direction == PATH_DIRECTION_TO_GUEST)
		proofs_wait(&m->proofs,
		            &(struct open_loss){
				    .id = w->at.flow,
				    .other_id = w->at.service,
				    .direction = w->at.direction,
				    .may_be_others = true,
				    .edge = edge_of(m, w->at.host_ns) });
	else
		in->host_others++;
	return true;
}

/* Seen where it was to arrive only: it came another way, or the capture on its
 * sender's side lacks it, perhaps because it is over. */
static void note_arrived(struct merge *m, const struct pending *w, bool at_host)
{
	uint32_t edge = edge_of(m, w->at.host_ns);

	if (!at_host && !mac_is_zero(w->at.station))
		proofs_add(&m->proofs,
		           proofs_crossing(w->at.station, NO_POINT));
	if (!w->at.group && edge != NO_EDGE &&
	    (at_host || passes_by(m, &w->at, 1)))
		m->edges[edge].over[w->at.direction] = true;
}

static void note_lost(struct merge *m, const struct pending *w)
{
	bool out = w->at.direction == PATH_DIRECTION_FROM_GUEST;
	struct incident_match *match = match_of(m, w->at.direction);
	uint32_t first = m->scene->path[0];
	uint32_t edge = edge_of(m, w->at.host_ns);

	if (!has_to_cross(m, &w->at, out ? 1 : 0)) {
		if (!m->scene->points[first].hop)
			proofs_wait(&m->proofs,
			            &(struct open_loss){
					    .id = proofs_crossing(w->at.station,
			                                          first),
					    .unless = proofs_crossing(
						    w->at.station, NO_POINT),
					    .direction = w->at.direction,
					    .edge = edge });
		return;
	}
	if (edge != NO_EDGE) {
		if (!w->at.group && !is_outside(m, w->at.host_ns))
			m->edges[edge].lost[w->at.direction]++;
		return;
	}
	if (w->copy && w->rival)
		return; /* the frame again, not the packet */
	if (w->crowded || is_hidden(m, &w->at, out ? 1 : 0)) {
		match->ambiguous++;
		return;
	}
	match->lost++;
	look_for_gap(m, w, depths_of(m, w->at.points));
}

/* It passes no packet of the guest on as it is. */
static bool is_relay(const struct scene *s, uint32_t point)
{
	return s->points[point].relayed;
}

static void note_unpaired(struct merge *m, const struct pending *w)
{
	bool at_host = !(w->at.points & m->pairing.vm_points);
	bool out = w->at.direction == PATH_DIRECTION_FROM_GUEST;

	if (is_maybe_others(m, w, at_host) || m->scene->n_path == 0 ||
	    is_relay(m->scene, m->scene->path[0]))
		return;
	if (out == at_host)
		note_arrived(m, w, at_host);
	else
		note_lost(m, w);
}

static void note_settled(void *context, const struct pending *w)
{
	struct merge *m = context;

	if (w->at.points & m->pairing.vm_points &&
	    w->at.points & ~m->pairing.vm_points)
		note_paired(m, w);
	else
		note_unpaired(m, w);
}

/* All is read: what has turned up meanwhile? */
static void close_open(struct merge *m)
{
	for (uint32_t i = 0; i < m->proofs.n_open; i++) {
		const struct open_loss *o = &m->proofs.open[i];
		struct incident_match *match = match_of(m, o->direction);

		if (proofs_has(&m->proofs, o->id) ||
		    proofs_has(&m->proofs, o->other_id))
			*(o->edge == NO_EDGE
			          ? &match->lost
			          : &m->edges[o->edge].lost[o->direction]) +=
				o->n;
		else if (o->may_be_others)
			m->scene->incident->host_others += o->n;
		else if (!proofs_has(&m->proofs, o->unless))
			match->ambiguous += o->n;
	}
	for (int i = 0; i < 2; i++)
		for (int d = 0; d < 2; d++)
			if (!m->edges[i].over[!d])
				match_of(m, (enum path_direction)d)->lost +=
					m->edges[i].lost[d];
}

/* The next packet, be it inside the last one; false at the end */
static bool next_packet(const struct scene *s, struct reader *r)
{
	struct frame frame;

	if (r->has_inner) {
		r->packet = r->inner;
		r->has_inner = false;
		return true;
	}
	while (capture_next(r->capture, &frame) == CAPTURE_FRAME) {
		const struct capture_interface *ci =
			capture_interface(r->capture, frame.interface);

		if (!ci->supported)
			continue;
		frame.ts_ns =
			scene_read_ns(s, r->index, frame.number, frame.ts_ns);
		packet_decode(&frame, ci->linktype, &r->packet);
		r->has_inner =
			scene_open_tunnel(s, r->index, &r->packet, &r->inner);
		return true;
	}
	return false;
}

static void advance(struct merge *m, struct reader *r)
{
	const struct scene *s = m->scene;

	while (next_packet(s, r)) {
		const struct observation *o =
			scene_point_of(s, r->index, &r->packet);

		if (!o)
			continue;
		r->point = (uint32_t)(o - s->points);
		r->host_ns = scene_host_ns(s, o, r->packet.ts_ns);
		return;
	}
	r->at_end = true;
}

static struct reader *earliest(struct merge *m)
{
	struct reader *best = NULL;

	for (size_t i = 0; i < m->scene->n_captures; i++) {
		struct reader *r = &m->readers[i];

		if (!r->at_end && (!best || r->host_ns < best->host_ns))
			best = r;
	}
	return best;
}

static void common_window(struct merge *m)
{
	const struct scene *s = m->scene;

	m->from_ns = INT64_MIN;
	m->to_ns = INT64_MAX;
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct incident_capture *c =
			&s->incident->captures[o->capture];
		int64_t first = scene_host_ns(s, o, c->first_ns);
		int64_t last = scene_host_ns(s, o, c->last_ns);

		if (first > m->from_ns)
			m->from_ns = first;
		if (last < m->to_ns)
			m->to_ns = last;
	}
}

static void read_packet(struct merge *m, const struct reader *r)
{
	struct scene *s = m->scene;
	bool inside = r->host_ns >= m->from_ns && r->host_ns <= m->to_ns;
	struct passing seen;

	if (inside) {
		announce_note(s, r->point, &r->packet, r->host_ns);
		outage_note(s, r->point, &r->packet, r->host_ns);
	}
	if (!passing_make(s, r->point, &r->packet, r->host_ns, &seen)) {
		if (s->points[r->point].role == CAPTURE_ROLE_HOST &&
		    !r->has_inner)
			s->incident->host_others++;
		return;
	}
	if (inside && seen.sure && !seen.for_all)
		doubles_note(s, r->point, &r->packet, seen.key, seen.direction,
		             r->host_ns);
	pairing_feed(&m->pairing, &seen);
}

static void run(struct merge *m)
{
	struct reader *r;

	while ((r = earliest(m)) != NULL) {
		pairing_expire(&m->pairing, r->host_ns);
		read_packet(m, r);
		advance(m, r);
	}
	pairing_end(&m->pairing);
	close_open(m);
}

static void begin(struct merge *m)
{
	struct scene *s = m->scene;

	m->pairing.settled = note_settled;
	m->pairing.context = m;
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			m->pairing.vm_points |= UINT64_C(1) << i;
	for (uint32_t i = 0; i < s->n_path; i++)
		m->pairing.host_points |= UINT64_C(1) << s->path[i];
	m->readers = xcalloc(s->n_captures, sizeof(*m->readers));
	common_window(m);
	for (uint32_t i = 0; i < s->n_captures; i++) {
		m->readers[i].capture = s->captures[i];
		m->readers[i].index = i;
		capture_rewind(s->captures[i]);
		advance(m, &m->readers[i]);
	}
}

void matching_run(struct scene *s)
{
	struct merge m = { .scene = s };

	if (!s->aligned)
		return;
	begin(&m);
	run(&m);
	s->outages_known = true;
	losses_facts(s, &m.losses);
	losses_free(&m.losses);
	shown_free(&m.shown);
	free(m.readers);
	proofs_free(&m.proofs);
}
