/*
 * Related facts: an index of the facts by (kinds, combination of labels), built
 * when a rule first asks for it.
 *
 * Facts with equal labels are a group.  A fact on which a label is not known is
 * in no group.  What is found out about a whole group for one any() or count()
 * is kept beside it, so that asking for each fact of a large group stays linear.
 */
#ifndef PCAPDIAG_RULES_RELATIONS_H
#define PCAPDIAG_RULES_RELATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/expr.h"

struct relations;

/** relations_new() - Over @facts, which must not change any more */
struct relations *relations_new(const struct facts *facts);
void relations_free(struct relations *rel);

const struct facts *relations_facts(const struct relations *rel);

/**
 * struct group - Facts that are related to each other
 * @members:	their numbers, in rising order
 */
struct group {
	uint32_t *members;
	uint32_t count;
	uint32_t capacity;
};

enum group_state {
	GROUP_FOUND,
	GROUP_EMPTY,   /* nothing is related to the fact */
	GROUP_UNKNOWN, /* the fact's own labels are not known */
};

/**
 * relations_group() - The facts that @relation relates to @fact
 * @group:	set where the answer is GROUP_FOUND; may hold @fact itself
 * @number:	likewise: the group's number within its relation
 */
enum group_state relations_group(struct relations *rel,
                                 const struct relation *relation,
                                 const struct fact *fact,
                                 const struct group **group, uint32_t *number);

/**
 * struct group_result - What one condition gives for one group
 * @done:	the rest is set
 * @candidates:	members of which the condition's part that does not look at
 *		the outer fact is not false; owned by the relations
 * @unknown:	of each candidate: that part is unknown
 * @n_true, @n_unknown: how many are which
 */
struct group_result {
	bool done;
	uint32_t *candidates;
	bool *unknown;
	uint32_t n_candidates;
	uint64_t n_true;
	uint64_t n_unknown;
};

/** relations_result() - Room for what @node, an any() or count(), gives for
 * group @number of its relation; valid until the next call */
struct group_result *relations_result(struct relations *rel,
                                      const struct expr *node, uint32_t number);

#endif
