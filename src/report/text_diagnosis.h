/*
 * One diagnosis of the text report: where, who, proof, what it explains, fix.
 */
#ifndef PCAPDIAG_REPORT_TEXT_DIAGNOSIS_H
#define PCAPDIAG_REPORT_TEXT_DIAGNOSIS_H

#include "report/report.h"
#include "report/wrap.h"

/**
 * text_diagnosis() - Append the block of @d
 * @with_statement: the head line does not say it already
 */
void text_diagnosis(const struct wrap *w, const struct report_input *in,
                    const struct diagnosis *d, bool with_statement);

#endif
