/*
 * From findings to the diagnoses, symptoms and notes of a judgement.
 */
#ifndef PCAPDIAG_RULES_DIAGNOSIS_H
#define PCAPDIAG_RULES_DIAGNOSIS_H

#include "facts/incident.h"
#include "rules/finding.h"
#include "rules/judgement.h"

/**
 * diagnoses_make() - Merge @findings, whose parents are set, into @j
 *
 * Findings of one rule and variant with equal place, direction and root become
 * one.  Sets diagnoses, symptoms and notes, each in order.
 */
void diagnoses_make(struct judgement *j, const struct findings *findings,
                    const struct incident *incident);

/** diagnosis_free() - Free what @d owns, not @d */
void diagnosis_free(struct diagnosis *d);

/** subject_of() - Who speaks to whom in @fact; false if it does not say */
bool subject_of(const struct fact *fact, struct subject *out);

/** subjects_sort() - Sort by text of addresses, protocol and port, and remove
 * what is there twice; returns the new number */
size_t subjects_sort(struct subject *subjects, size_t n);

#endif
