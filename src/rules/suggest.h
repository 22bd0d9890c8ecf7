/*
 * Help in messages about a user's mistake: "did you mean", and a caret below the
 * place.
 */
#ifndef PCAPDIAG_RULES_SUGGEST_H
#define PCAPDIAG_RULES_SUGGEST_H

#include <stddef.h>

#include "base/strbuf.h"

#define SUGGEST_TEXT_MAX 128

/**
 * struct suggestion - The nearest candidate so far
 * @word, @len:	what was written; borrowed
 * @best:	the nearest candidate that is near enough, or NULL
 *
 * Initialise @word and @len, leave the rest zero.
 */
struct suggestion {
	const char *word;
	size_t len;
	const char *best;
	size_t distance;
};

/** suggestion_offer() - One more candidate; of equally near ones the first */
void suggestion_offer(struct suggestion *s, const char *candidate);

/** suggestion_text() - ", did you mean 'x'?" or "" */
const char *suggestion_text(const struct suggestion *s,
                            char out[SUGGEST_TEXT_MAX]);

/**
 * caret_put() - Append @text on a line of its own and a caret below byte @at;
 * long texts are cut on both sides
 */
void caret_put(const char *text, size_t at, struct strbuf *out);

#endif
