/*
 * A finding: one rule fires on one fact.
 */
#ifndef PCAPDIAG_RULES_FINDING_H
#define PCAPDIAG_RULES_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts/incident.h"
#include "rules/judgement.h"
#include "rules/relations.h"
#include "rules/rule.h"

#define FINDING_NONE SIZE_MAX

/**
 * struct finding - One rule on one fact
 * @ruling:	the rule's own or that of the variant that holds
 * @fact:	number of the fact
 * @not_excluded: bits of the rule's look-alikes that could not be excluded
 * @because:	why the confidence is not high; owned
 * @place, @direction: -1: not known or null
 * @parent:	the finding that explains it, or FINDING_NONE
 */
struct finding {
	const struct rule *rule;
	const struct ruling *ruling;
	size_t fact;
	enum confidence confidence;
	uint64_t not_excluded;
	char **because;
	size_t n_because;
	int place;
	int direction;
	bool has_time;
	int64_t first_ns;
	int64_t last_ns;
	size_t parent;
};

struct findings {
	struct finding *all; /* in order of fact, then of rule id */
	size_t count;
};

/** findings_make() - Apply each rule to each fact of its kinds */
void findings_make(struct findings *findings, const struct rule_set *rules,
                   struct relations *rel);

void findings_free(struct findings *findings);

/** fact_times() - When @fact happened; false if it has no time */
bool fact_times(const struct fact *fact, int64_t *first_ns, int64_t *last_ns);

#endif
