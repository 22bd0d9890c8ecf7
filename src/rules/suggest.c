#include "rules/suggest.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 48

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= m; j++)
		above[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t same = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = min(min(above[j], row[j - 1]) + 1,
			             above[j - 1] + same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = min(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = oldest;
	}
	return above[m];
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
	size_t len = strlen(candidate);
	size_t limit = s->len / 3 + 1;
	size_t distance;

	if (s->len > WORD_MAX || len > WORD_MAX)
		return;
	distance = edit_distance(s->word, s->len, candidate, len);
	if (distance > limit || distance >= len)
		return;
	if (s->best && distance >= s->distance)
		return;
	s->best = candidate;
	s->distance = distance;
}

const char *suggestion_text(const struct suggestion *s,
                            char out[SUGGEST_TEXT_MAX])
{
	if (!s->best)
		return "";
	(void)snprintf(out, SUGGEST_TEXT_MAX, ", did you mean '%s'?", s->best);
	return out;
}
