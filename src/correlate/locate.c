#include "correlate/locate.h"

#include "correlate/defects.h"
#include "correlate/relay_path.h"
#include "correlate/steps.h"

const struct sighting *try_reference(const struct scene *s,
                                     const struct chain *c)
{
	const struct sighting *at = chain_at(s, c, CAPTURE_ROLE_VM);

	for (uint32_t i = 0; i < s->n_path && !at; i++)
		at = chain_at_point(s, c, s->path[i]);
	return at ? at : &s->sightings[c->first];
}

enum try_role try_role(const struct scene *s, const struct chain *c)
{
	const struct sighting *ref = try_reference(s, c);
	const struct flow *f = sighting_flow(s, ref);
	/* The guest may have the host's address: there it is the host's. */
	bool relayed = s->points[ref->point].relayed;
	bool from = !relayed && scene_is_guest_ip(s, &f->key.client);
	bool to = !relayed && scene_is_guest_ip(s, &f->key.server);

	/* What it says to itself never leaves it. */
	if (try_is_namesakes(s, ref) || (from && to))
		return TRY_ROLE_STRANGER;
	if (from || to)
		return from ? TRY_ROLE_FROM_GUEST : TRY_ROLE_TO_GUEST;
	if (f->key.protocol != PROTOCOL_ARP &&
	    scene_is_outside(s, &f->key.server))
		return TRY_ROLE_TO_HOST;
	return TRY_ROLE_STRANGER;
}

const struct sighting *try_client_end(const struct scene *s,
                                      const struct chain *c)
{
	const struct sighting *at = NULL;

	if (try_role(s, c) == TRY_ROLE_FROM_GUEST)
		return relay_end(s, c, try_reference(s, c));
	for (uint32_t i = s->n_path; i-- > 0 && !at;)
		at = chain_at_point(s, c, s->path[i]);
	return at ? at : try_reference(s, c);
}

static struct location responder(const struct steps *st, enum place place,
                                 enum path_direction direction, uint32_t after)
{
	return (struct location){
		.known = true,
		.leg = LOST_LEG_RESPONDER,
		.direction = direction,
		.place = place,
		.after = st->points[after],
		.before = NO_POINT,
	};
}

/* The capture of step @i says that the packet went no further. */
static struct location dropped_at(const struct steps *st, enum lost_leg leg,
                                  enum path_direction direction, uint32_t i)
{
	bool out = direction == PATH_DIRECTION_FROM_GUEST;
	bool more = out ? i + 1 < st->n : st->points[0] != NO_POINT;

	return (struct location){
		.known = true,
		.leg = leg,
		.direction = direction,
		.place = PLACE_HOST,
		.after = st->points[i],
		.before = more ? st->points[out ? i + 1 : i - 1] : NO_POINT,
	};
}

static bool is_dropped(const struct steps *st, uint32_t i, bool answer)
{
	const struct try *try;

	if (i == NO_STEP || i == 0 || !st->seen[i])
		return false;
	try = sighting_try(st->scene, st->seen[i]);
	return answer ? try->answer_dropped : try->dropped;
}

/* Where a point past the host's routing is known too, the gateway that the guest
 * talks to is the host. */
static enum place place_of_server(const struct steps *st, uint32_t last)
{
	const struct flow *f =
		sighting_flow(st->scene, try_reference(st->scene, st->chain));

	for (uint32_t i = last + 1; i < st->n; i++)
		if (st->scene->points[st->points[i]].hop &&
		    scene_is_gateway(st->scene, &f->key.server))
			return PLACE_HOST;
	return PLACE_BEYOND_HOST;
}

/* It may go on in a tunnel that the snap length has closed. */
static bool is_blind_beyond(const struct steps *st, uint32_t last)
{
	const struct scene *s = st->scene;

	return s->tunnels_cut &&
	       s->points[st->points[last]].tunnel.kind == TUNNEL_KIND_NONE;
}

/* Only the guest's own port shows the guest, and the host has other points: whether
 * they are on its way out cannot be told.  Nor where a host-only network has lost
 * what may have been for beyond it. */
static bool is_way_out_unknown(const struct steps *st)
{
	const struct scene *s = st->scene;
	const struct flow *f = sighting_flow(s, try_reference(s, st->chain));

	if (s->guest.mode == NETWORK_MODE_HOST_ONLY)
		return scene_on_link(s, &f->key.server) < 0;
	if (s->uplink_seen)
		return false;
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_HOST &&
		    !s->points[i].on_path)
			return true;
	return false;
}

/* Whom a relay does not find by ARP it does not ask: without ARP nobody knows. */
static struct location locate_request(const struct steps *st, uint32_t last,
                                      uint32_t absent)
{
	const struct flow *f = sighting_flow(st->scene, st->seen[last]);
	enum relay_sought sought =
		relay_sought(st->scene, st->points[absent], &f->key.server);
	struct location gap = steps_gap(
		st, LOST_LEG_REQUEST, PATH_DIRECTION_FROM_GUEST, last, absent);

	gap.known = sought == RELAY_FOUND;
	if (sought != RELAY_SOUGHT_IN_VAIN)
		return gap;
	return responder(st, PLACE_BEYOND_HOST, gap.direction, absent);
}

static struct location locate_from_guest(const struct steps *st)
{
	const struct location unknown = { .known = false };
	uint32_t last = steps_outermost(st, false), in, absent;
	struct location at;

	in = steps_innermost(st, true);
	if (is_dropped(st, in, true))
		return dropped_at(st, LOST_LEG_REPLY, PATH_DIRECTION_TO_GUEST,
		                  in);
	if (in != NO_STEP && in > 0) {
		absent = steps_first_absent(st, in, -1, PATH_DIRECTION_TO_GUEST,
		                            true);
		if (absent == NO_STEP || absent == in) {
			/* A capture that lacks the guest's own request need
			 * not have its answer. */
			if (!st->seen[0] ||
			    !visibility_shows_way(st->visibility, st->points[0],
			                          PATH_DIRECTION_TO_GUEST,
			                          st->class) ||
			    (steps_answer_class(st, in) != st->class &&
			     !steps_could_see(st, 0, PATH_DIRECTION_TO_GUEST,
			                      steps_answer_class(st, in),
			                      true)))
				return unknown;
			absent = 0;
		}
		return steps_gap(st, LOST_LEG_REPLY, PATH_DIRECTION_TO_GUEST,
		                 in, absent);
	}
	if (last == NO_STEP)
		return unknown;
	if (is_dropped(st, last, false))
		return dropped_at(st, LOST_LEG_REQUEST,
		                  PATH_DIRECTION_FROM_GUEST, last);
	absent = steps_first_absent(st, last, 1, PATH_DIRECTION_FROM_GUEST,
	                            false);
	if (absent == NO_STEP)
		return unknown;
	if (absent != last)
		return locate_request(st, last, absent);
	if (last == 0 || !steps_could_see(st, last, PATH_DIRECTION_TO_GUEST,
	                                  st->class, true))
		return unknown;
	if (is_blind_beyond(st, last))
		return unknown;
	at = responder(st, place_of_server(st, last), PATH_DIRECTION_FROM_GUEST,
	               last);
	at.wide = is_way_out_unknown(st);
	return at;
}

static struct location locate_to_guest(const struct steps *st)
{
	const struct location unknown = { .known = false };
	uint32_t last = steps_innermost(st, false), out, absent;

	out = steps_outermost(st, true);
	if (is_dropped(st, out, true))
		return dropped_at(st, LOST_LEG_REPLY, PATH_DIRECTION_FROM_GUEST,
		                  out);
	if (out != NO_STEP) {
		absent = steps_first_absent(st, out, 1,
		                            PATH_DIRECTION_FROM_GUEST, true);
		if (absent == NO_STEP || absent == out)
			return unknown;
		return steps_gap(st, LOST_LEG_REPLY, PATH_DIRECTION_FROM_GUEST,
		                 out, absent);
	}
	if (last == NO_STEP)
		return unknown;
	if (is_dropped(st, last, false))
		return dropped_at(st, LOST_LEG_REQUEST, PATH_DIRECTION_TO_GUEST,
		                  last);
	if (last == 0 &&
	    defects_hide(st->scene, st->points[0], PATH_DIRECTION_FROM_GUEST,
	                 st->class, st->chain->host_ns,
	                 st->chain->host_ns + st->timeout_ns))
		return unknown;
	if (last == 0)
		return responder(st, PLACE_GUEST, PATH_DIRECTION_TO_GUEST, 0);
	absent = steps_first_absent(st, last, -1, PATH_DIRECTION_TO_GUEST,
	                            false);
	if (absent == NO_STEP || absent == last)
		return unknown;
	return steps_gap(st, LOST_LEG_REQUEST, PATH_DIRECTION_TO_GUEST, last,
	                 absent);
}

static bool refused(const struct steps *st, uint32_t i)
{
	return st->seen[i] &&
	       sighting_try(st->scene, st->seen[i])->answer == TRY_REFUSED;
}

/* Nobody between two points refuses in a NAT's place but the host. */
static struct location refused_between(const struct steps *st, uint32_t after,
                                       uint32_t before,
                                       enum path_direction direction)
{
	struct location at =
		steps_gap(st, LOST_LEG_RESPONDER, direction, after, before);

	if (at.place == PLACE_NAT)
		at.place = PLACE_HOST;
	return at;
}

/* Where the request was seen, the refusal is what is absent: of its own class */
static bool could_see_refusal(const struct steps *st, uint32_t refused_at,
                              uint32_t absent, enum path_direction back)
{
	if (!st->seen[absent])
		return true;
	if (sighting_try(st->scene, st->seen[refused_at])->refusal ==
	    REFUSAL_RESET)
		return visibility_shows_way(st->visibility, st->points[absent],
		                            back, st->class);
	return steps_could_see(st, absent, back,
	                       steps_answer_class(st, refused_at), true);
}

/* A host that translates refuses with an address of its own. */
static bool is_by_host(const struct steps *st, uint32_t i)
{
	const struct scene *s = st->scene;
	const struct in6_addr *by = &sighting_try(s, st->seen[i])->refused_by;

	return s->guest.mode == NETWORK_MODE_NAT &&
	       (scene_is_outside(s, by) || scene_is_gateway(s, by));
}

/*
 * Who refuses sits behind the last point, on the way of the request, that shows
 * the refusal: either there is no further one, or it lacks it.
 */
static struct location locate_refusal(const struct steps *st, bool from_guest)
{
	const struct location unknown = { .known = false };
	enum path_direction there = from_guest ? PATH_DIRECTION_FROM_GUEST
	                                       : PATH_DIRECTION_TO_GUEST;
	enum path_direction back = from_guest ? PATH_DIRECTION_TO_GUEST
	                                      : PATH_DIRECTION_FROM_GUEST;
	uint32_t last = NO_STEP, absent;

	for (uint32_t i = 0; i < st->n; i++)
		if (refused(st, i) && (from_guest || last == NO_STEP))
			last = i;
	if (last == NO_STEP)
		return unknown;
	if (!from_guest && last == 0)
		return responder(st, PLACE_GUEST, there, 0);
	if (from_guest && last + 1 < st->n && is_by_host(st, last)) {
		struct location at = refused_between(st, last, last + 1, there);

		at.place = PLACE_HOST;
		return at;
	}
	absent =
		steps_first_absent(st, last, from_guest ? 1 : -1, there, false);
	if (absent == NO_STEP)
		absent = steps_first_absent(st, last, from_guest ? 1 : -1, back,
		                            true);
	if (absent == NO_STEP || (absent == last && last == 0))
		return unknown;
	if (absent == last && is_blind_beyond(st, last))
		return unknown;
	if (absent == last)
		return responder(st, PLACE_BEYOND_HOST, there, last);
	if (!could_see_refusal(st, last, absent, back))
		return unknown;
	return refused_between(st, last, absent, there);
}

/* The bytes were seen on one side of the gap and not on the other. */
static struct location locate_stall(const struct steps *st)
{
	const struct stall *stall = &st->chain->stall;
	enum try_role role = try_role(st->scene, st->chain);
	bool from_guest = stall->from_client == (role == TRY_ROLE_FROM_GUEST);
	uint32_t after = 0, before = 0;

	for (uint32_t i = 0; i < st->n; i++) {
		if (st->points[i] == stall->after)
			after = i;
		if (st->points[i] == stall->before)
			before = i;
	}
	return steps_gap(st,
	                 stall->from_client ? LOST_LEG_REQUEST : LOST_LEG_REPLY,
	                 from_guest ? PATH_DIRECTION_FROM_GUEST
	                            : PATH_DIRECTION_TO_GUEST,
	                 after, before);
}

struct location locate(const struct visibility *v, const struct scene *s,
                       const struct chain *c)
{
	struct steps st = steps_make(v, s, c);
	bool is_refused =
		sighting_try(s, try_client_end(s, c))->answer == TRY_REFUSED;

	if (c->stall.stalled)
		return locate_stall(&st);
	if (relay_keeps(v, s, c))
		return steps_gap(&st, LOST_LEG_RESPONDER,
		                 PATH_DIRECTION_FROM_GUEST, 0, st.n - 1);
	switch (try_role(s, c)) {
	case TRY_ROLE_FROM_GUEST:
		return is_refused ? locate_refusal(&st, true)
		                  : locate_from_guest(&st);
	case TRY_ROLE_TO_GUEST:
		return is_refused ? locate_refusal(&st, false)
		                  : locate_to_guest(&st);
	case TRY_ROLE_TO_HOST:
		return (struct location){
			/* Else it may have gone on to the guest. */
			.known =
				steps_could_see(&st, 0, PATH_DIRECTION_TO_GUEST,
			                        st.class, false),
			.leg = LOST_LEG_RESPONDER,
			.direction = PATH_DIRECTION_TO_GUEST,
			.place = PLACE_HOST,
			.after = s->sightings[c->first].point,
			.before = st.points[0],
		};
	case TRY_ROLE_STRANGER:
		break;
	}
	return (struct location){ .known = false };
}
