/*
 * The report: one writer for each format, all from the same judgement.
 */
#ifndef PCAPDIAG_REPORT_REPORT_H
#define PCAPDIAG_REPORT_REPORT_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "rules/judgement.h"
#include "rules/rule_set.h"

/**
 * struct report_input - What a report is made of; all borrowed
 * @width:	columns of the text report
 * @color:	ANSI colours in the text report
 */
struct report_input {
	const struct incident *incident;
	const struct judgement *judgement;
	const struct rule_set *rules;
	unsigned int width;
	bool color;
};

/** report_text() - Append the text report (design, section 3) */
void report_text(const struct report_input *in, struct strbuf *out);

/** report_json() - Append the JSON report (design, section 2) */
void report_json(const struct report_input *in, struct strbuf *out);

#endif
