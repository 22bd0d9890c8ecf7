/*
 * Many pairs: every folder with captures below a folder, one after another.
 */
#ifndef PCAPDIAG_CORPUS_CORPUS_H
#define PCAPDIAG_CORPUS_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "base/strbuf.h"
#include "rules/rule_set.h"

/**
 * struct corpus_result - What came of it
 * @skipped:	pairs without an expect.json: there is nothing to compare
 */
struct corpus_result {
	size_t passed;
	size_t failed;
	size_t skipped;
};

/**
 * corpus_run() - Diagnose every pair below @folder, compare with expect.json
 * @out:	the summary is appended: a line for each difference, and as last
 *		line "N passed, N failed"
 *
 * A folder has a pair if it holds host.* or vm.* (also host2.*, vm2.*, …):
 * pcap, pcapng or cap, as they are or with .gz or .zst.
 *
 * Return: false with @err set if there is no pair or @folder cannot be read
 */
bool corpus_run(const char *folder, const struct rule_set *rules,
                struct strbuf *out, struct corpus_result *result,
                struct errmsg *err);

#endif
