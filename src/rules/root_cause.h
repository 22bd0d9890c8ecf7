/*
 * Which finding explains which: root causes and their symptoms.
 *
 * A finding of class fault is a symptom of another if a rule's "explains" says
 * so and it starts no earlier (clock error allowed), or if both are of one fact
 * and the other's rule stands higher in the order of causes.
 */
#ifndef PCAPDIAG_RULES_ROOT_CAUSE_H
#define PCAPDIAG_RULES_ROOT_CAUSE_H

#include "facts/incident.h"
#include "rules/finding.h"

struct root_causes;

/** root_causes_find() - Set the parents of @findings, which must stay */
struct root_causes *root_causes_find(struct findings *findings,
                                     const struct rule_set *rules,
                                     const struct incident *incident);

void root_causes_free(struct root_causes *roots);

/** root_causes_cause() - The finding that would explain the failed exchange
 * @fact, on which no rule fires; or FINDING_NONE */
size_t root_causes_cause(const struct root_causes *roots,
                         const struct fact *fact);

/** root_causes_cover() - Is there such a finding? */
bool root_causes_cover(const struct root_causes *roots,
                       const struct fact *fact);

/** finding_root() - Follow the parents of finding @i to the root */
size_t finding_root(const struct findings *findings, size_t i);

#endif
