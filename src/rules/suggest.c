#include "rules/suggest.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 48
#define SHOWN_MAX 120 /* characters of the text around an error */

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

void caret_put(const char *text, size_t at, struct strbuf *out)
{
	size_t from = at > SHOWN_MAX / 2 ? at - SHOWN_MAX / 2 : 0;
	size_t len = strlen(text);
	size_t n = len - from > SHOWN_MAX ? SHOWN_MAX : len - from;

	if (len <= SHOWN_MAX) {
		from = 0;
		n = len;
	}
	strbuf_puts(out, "\n  ");
	for (size_t i = from; i < from + n; i++)
		strbuf_add(out,
		           text[i] == '\n' || text[i] == '\t' ? " " : &text[i],
		           1);
	strbuf_puts(out, "\n  ");
	for (size_t i = from; i < at; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			strbuf_puts(out, " ");
	strbuf_puts(out, "^");
}
