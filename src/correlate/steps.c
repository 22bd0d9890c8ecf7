#include "correlate/steps.h"

#include "correlate/run.h"

struct steps steps_make(const struct visibility *v, const struct scene *s,
                        const struct chain *c)
{
	const struct sighting *ref = try_reference(s, c);
	enum protocol protocol =
		(enum protocol)sighting_flow(s, ref)->key.protocol;
	struct steps st = {
		.scene = s,
		.visibility = v,
		.chain = c,
		.n = s->n_path + 1,
		.nic = scene_nic_of_flow(s, sighting_flow(s, ref)),
		.class = traffic_class_of_protocol(protocol),
		.timeout_ns = visibility_timeout_ns(protocol),
	};

	st.seen[0] = chain_at(s, c, CAPTURE_ROLE_VM);
	st.points[0] = st.seen[0] ? st.seen[0]->point : scene_guest_point(s);
	for (int reply = 0; reply < 2; reply++)
		st.relevance[reply][0] = st.points[0] == NO_POINT
		                                 ? RELEVANCE_UNKNOWN
		                                 : RELEVANCE_YES;
	for (uint32_t i = 0; i < s->n_path; i++) {
		st.points[i + 1] = s->path[i];
		st.seen[i + 1] = chain_at_point(s, c, s->path[i]);
		for (int reply = 0; reply < 2; reply++)
			st.relevance[reply][i + 1] =
				visibility_relevance(v, c, s->path[i], reply);
	}
	return st;
}

bool steps_answered(const struct steps *st, uint32_t i)
{
	return st->seen[i] &&
	       sighting_try(st->scene, st->seen[i])->answer != TRY_UNANSWERED;
}

bool steps_could_see(const struct steps *st, uint32_t i,
                     enum path_direction direction, enum traffic_class class,
                     bool reply)
{
	if (st->points[i] == NO_POINT)
		return false;
	return visibility_could_see(st->visibility, st->points[i], direction,
	                            class, st->chain->host_ns,
	                            reply ? st->timeout_ns : 0);
}

/* The class of the answer that step @i shows: an error is ICMP. */
enum traffic_class steps_answer_class(const struct steps *st, uint32_t i)
{
	const struct try *try = sighting_try(st->scene, st->seen[i]);

	if (try->answer != TRY_REFUSED || try->refusal == REFUSAL_RESET)
		return st->class;
	return addr_is_v4(&sighting_flow(st->scene, st->seen[i])->key.server)
	               ? TRAFFIC_ICMP
	               : TRAFFIC_NDP;
}

/* Is a point that was blind between these two on the way, so that the gap is in
 * more than one place? */
static bool is_wide(const struct steps *st, uint32_t inner, uint32_t outer)
{
	for (uint32_t i = inner + 1; i < outer; i++)
		if (st->relevance[0][i] != RELEVANCE_NO &&
		    path_place(st->scene, st->nic, st->points[inner],
		               st->points[i]) != path_place(st->scene, st->nic,
		                                            st->points[i],
		                                            st->points[outer]))
			return true;
	return false;
}

struct location steps_gap(const struct steps *st, enum lost_leg leg,
                          enum path_direction direction, uint32_t after,
                          uint32_t before)
{
	uint32_t inner = after < before ? after : before;
	uint32_t outer = after < before ? before : after;
	const struct observation *o = &st->scene->points[st->points[outer]];

	return (struct location){
		.known = true,
		.leg = leg,
		.direction = direction,
		.wide = is_wide(st, inner, outer),
		.place = path_place(st->scene, st->nic, st->points[inner],
		                    st->points[outer]),
		.after = st->points[after],
		.before = st->points[before],
		/* Beside a point at its own port, the guest's gap is two. */
		.split = inner == 0 && st->scene->n_path < 2 && !o->relayed,
	};
}

/* Would step @i have shown the packet?  An answer of another class than the
 * request is found only where the request is. */
static bool would_show(const struct steps *st, uint32_t i,
                       enum path_direction direction, enum traffic_class class,
                       bool reply)
{
	if (st->relevance[reply][i] != RELEVANCE_YES ||
	    !steps_could_see(st, i, direction, class, reply))
		return false;
	return class == st->class || st->seen[i] ||
	       steps_could_see(st, i, direction, st->class, reply);
}

/*
 * From step @from on outwards or inwards: the first step that lacks the packet
 * and would have shown it.  @from itself if there is no further one, and NO_STEP
 * if that cannot be told.
 */
uint32_t steps_first_absent(const struct steps *st, uint32_t from, int by,
                            enum path_direction direction, bool reply)
{
	enum traffic_class class = reply && steps_answered(st, from)
	                                   ? steps_answer_class(st, from)
	                                   : st->class;
	bool unknown = false;

	for (uint32_t i = from + (uint32_t)by; i < st->n; i += (uint32_t)by) {
		if (st->relevance[reply][i] == RELEVANCE_NO)
			continue;
		if (would_show(st, i, direction, class, reply))
			return i;
		unknown = true;
	}
	return unknown ? NO_STEP : from;
}

uint32_t steps_outermost(const struct steps *st, bool want_answer)
{
	for (uint32_t i = st->n; i-- > 0;)
		if (want_answer ? steps_answered(st, i) : st->seen[i] != NULL)
			return i;
	return NO_STEP;
}

uint32_t steps_innermost(const struct steps *st, bool want_answer)
{
	for (uint32_t i = 0; i < st->n; i++)
		if (want_answer ? steps_answered(st, i) : st->seen[i] != NULL)
			return i;
	return NO_STEP;
}
