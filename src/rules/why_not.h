/*
 * Why a rule does not fire: for the facts that come nearest, the first term that
 * does not hold, or what takes the finding away.
 */
#ifndef PCAPDIAG_RULES_WHY_NOT_H
#define PCAPDIAG_RULES_WHY_NOT_H

#include <stdbool.h>

#include "base/errmsg.h"
#include "base/strbuf.h"
#include "facts/incident.h"
#include "rules/rule_set.h"

/** why_not_rule() - Is there a rule @id?  false with @err set if not */
bool why_not_rule(const struct rule_set *rules, const char *id,
                  struct errmsg *err);

/** why_not() - Append what keeps rule @id, which there is, from firing */
void why_not(const struct rule_set *rules, const struct incident *incident,
             const char *id, struct strbuf *out);

#endif
