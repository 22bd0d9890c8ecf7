/*
 * Answers to what the user complains about.
 */
#ifndef PCAPDIAG_RULES_ABOUT_H
#define PCAPDIAG_RULES_ABOUT_H

#include "facts/incident.h"
#include "rules/judgement.h"
#include "rules/root_cause.h"

/** about_answer() - Answer the incident's questions in @j, whose diagnoses are
 * made, and mark the diagnoses that concern them */
void about_answer(struct judgement *j, const struct incident *incident,
                  const struct findings *findings,
                  const struct root_causes *roots);

#endif
