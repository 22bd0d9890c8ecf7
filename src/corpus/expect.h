/*
 * What a sample is expected to give: its expect.json, and the comparison.
 */
#ifndef PCAPDIAG_CORPUS_EXPECT_H
#define PCAPDIAG_CORPUS_EXPECT_H

#include <stdbool.h>

#include "base/errmsg.h"
#include "base/strbuf.h"
#include "facts/incident.h"
#include "rules/judgement.h"

struct expect;

/**
 * expect_read() - Read and check an expect.json
 *
 * Return: the expectation, freed by expect_free(); or NULL with @err set, naming
 * file and key
 */
struct expect *expect_read(const char *path, struct errmsg *err);

void expect_free(struct expect *e);

/**
 * expect_compare() - Compare what came out with what was expected
 * @differences: appended to: one line for each thing that differs, "WHAT:
 *		expected X, got Y"; nothing if all is as expected
 *
 * Keys that the file does not have are not compared.
 */
void expect_compare(const struct expect *e, const struct incident *incident,
                    const struct judgement *judgement,
                    struct strbuf *differences);

#endif
