/*
 * The steps of one try along the path: the guest is step 0, the points of the path
 * follow.  At each it was seen, or is absent, or the point was blind to it.
 */
#ifndef PCAPDIAG_CORRELATE_STEPS_H
#define PCAPDIAG_CORRELATE_STEPS_H

#include "correlate/locate.h"

/* What steps_first_absent(), steps_outermost() and steps_innermost() give where there
 * is none, or it cannot be told */
#define NO_STEP UINT32_MAX

/**
 * struct steps - See above; by step
 * @points:	the point, or NO_POINT (of the guest only)
 * @seen:	the try there, or NULL
 * @relevance:	by whether the answer is meant: does it have to pass there?
 * @nic:	of the guest, that the try belongs to
 * @timeout_ns:	how long its answer may take
 */
struct steps {
	const struct scene *scene;
	const struct visibility *visibility;
	const struct chain *chain;
	uint32_t points[SCENE_POINTS_MAX + 1];
	const struct sighting *seen[SCENE_POINTS_MAX + 1];
	enum relevance relevance[2][SCENE_POINTS_MAX + 1];
	uint32_t n;
	size_t nic;
	enum traffic_class class;
	int64_t timeout_ns;
};

struct steps steps_make(const struct visibility *v, const struct scene *s,
                        const struct chain *c);

/** steps_answered() - Is the try seen at step @i, and answered there? */
bool steps_answered(const struct steps *st, uint32_t i);

/** steps_answer_class() - The class of the answer that step @i shows: an error is
 * ICMP */
enum traffic_class steps_answer_class(const struct steps *st, uint32_t i);

/** steps_could_see() - Would step @i have shown the try, or its answer (@reply)? */
bool steps_could_see(const struct steps *st, uint32_t i,
                     enum path_direction direction, enum traffic_class class,
                     bool reply);

/**
 * steps_first_absent() - The first step from @from on, outwards (@by 1) or inwards
 * (-1), that lacks the packet and would have shown it
 *
 * Return: @from itself if there is no further step, NO_STEP if it cannot be told
 */
uint32_t steps_first_absent(const struct steps *st, uint32_t from, int by,
                            enum path_direction direction, bool reply);

/** steps_outermost(), steps_innermost() - The last or first step that shows the try,
 * or its answer */
uint32_t steps_outermost(const struct steps *st, bool want_answer);
uint32_t steps_innermost(const struct steps *st, bool want_answer);

/** steps_gap() - The location between two steps, in the direction of the packet */
struct location steps_gap(const struct steps *st, enum lost_leg leg,
                          enum path_direction direction, uint32_t after,
                          uint32_t before);

#endif
