/*
 * Text for people on a terminal: a label, then prose wrapped beside it.
 */
#ifndef PCAPDIAG_REPORT_WRAP_H
#define PCAPDIAG_REPORT_WRAP_H

#include <stdbool.h>

#include "base/strbuf.h"

/**
 * struct wrap - Where text goes
 * @out:	borrowed
 * @width:	columns
 * @color:	ANSI colours
 */
struct wrap {
	struct strbuf *out;
	unsigned int width;
	bool color;
};

/**
 * wrap_prose() - Append @text, broken at spaces and at newlines, and a newline
 * @column:	column where the text begins, also on the lines after the first;
 *		the first has been written up to there
 *
 * Bytes that a terminal would act on are escaped; the backslash is not, for
 * commands must stay as they are.
 */
void wrap_prose(const struct wrap *w, unsigned int column, const char *text);

/** wrap_label() - Begin a line: @indent spaces, @label, spaces up to @column */
void wrap_label(const struct wrap *w, unsigned int indent, const char *label,
                unsigned int column);

/** wrap_padded() - Append @text, escaped, and spaces up to @columns in all, at
 * least one */
void wrap_padded(const struct wrap *w, const char *text, unsigned int columns);

/** wrap_field() - wrap_label(), then wrap_prose() */
void wrap_field(const struct wrap *w, unsigned int indent, const char *label,
                unsigned int column, const char *text);

/** wrap_verbatim() - A line of its own that must not be broken: a command, a
 * filter */
void wrap_verbatim(const struct wrap *w, unsigned int column, const char *text);

/** wrap_colored() - Append @text in colour @sgr ("1;31"), if colours are on */
void wrap_colored(const struct wrap *w, const char *sgr, const char *text);

#endif
