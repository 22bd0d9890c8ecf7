/*
 * What shows that a point could have seen what it lacks: the control of an absence.
 */
#ifndef PCAPDIAG_CORRELATE_EVIDENCE_CONTROL_H
#define PCAPDIAG_CORRELATE_EVIDENCE_CONTROL_H

#include "correlate/run.h"

/** struct absence - Nothing of @run, in @direction, at @point */
struct absence {
	struct scene *scene;
	const struct visibility *visibility;
	const struct run *run;
	uint32_t point;
	enum path_direction direction;
};

/** control_is_possible() - Does anything show that the point was awake? */
bool control_is_possible(const struct absence *a);

/** control_add() - Add a claim of other traffic of the guest there, or of
 * others; returns its index */
int32_t control_add(const struct absence *a);

#endif
