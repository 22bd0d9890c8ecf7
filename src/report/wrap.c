#include "report/wrap.h"

#include <string.h>

/* Below this, breaking lines only makes them harder to read. */
#define LEAST_COLUMNS 24

static void put_safe(struct strbuf *out, const char *text, size_t n)
{
	const char *end = text + n;

	while (text < end) {
		const char *backslash =
			memchr(text, '\\', (size_t)(end - text));
		const char *stop = backslash ? backslash : end;

		strbuf_put_escaped(out, text, (size_t)(stop - text));
		if (backslash)
			strbuf_puts(out, "\\");
		text = backslash ? backslash + 1 : end;
	}
}

static unsigned int columns_of(const char *text, size_t n)
{
	unsigned int columns = 0;

	for (size_t i = 0; i < n; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			columns++;
	return columns;
}

static void put_spaces(struct strbuf *out, unsigned int n)
{
	strbuf_printf(out, "%*s", (int)n, "");
}

void wrap_prose(const struct wrap *w, unsigned int column, const char *text)
{
	unsigned int width = w->width;
	unsigned int at = column;
	bool at_start = true;

	if (width < column + LEAST_COLUMNS)
		width = column + LEAST_COLUMNS;
	while (*text) {
		size_t n = strcspn(text, " \n");
		unsigned int columns = columns_of(text, n);

		if (!at_start && n && at + 1 + columns > width) {
			strbuf_puts(w->out, "\n");
			put_spaces(w->out, column);
			at = column;
			at_start = true;
		}
		if (!at_start && n) {
			strbuf_puts(w->out, " ");
			at++;
		}
		put_safe(w->out, text, n);
		at += columns;
		at_start = at_start && n == 0;
		if (text[n] == '\n') {
			strbuf_puts(w->out, "\n");
			put_spaces(w->out, column);
			at = column;
			at_start = true;
		}
		text += n + (text[n] != '\0');
	}
	strbuf_puts(w->out, "\n");
}

void wrap_label(const struct wrap *w, unsigned int indent, const char *label,
                unsigned int column)
{
	unsigned int at = indent + columns_of(label, strlen(label));

	put_spaces(w->out, indent);
	wrap_colored(w, "1", label);
	put_spaces(w->out, at < column ? column - at : 1);
}

void wrap_padded(const struct wrap *w, const char *text, unsigned int columns)
{
	struct strbuf safe = { 0 };
	unsigned int used;

	put_safe(&safe, text, strlen(text));
	used = columns_of(strbuf_text(&safe), safe.len);
	strbuf_puts(w->out, strbuf_text(&safe));
	put_spaces(w->out, used < columns ? columns - used : 1);
	strbuf_free(&safe);
}

void wrap_field(const struct wrap *w, unsigned int indent, const char *label,
                unsigned int column, const char *text)
{
	wrap_label(w, indent, label, column);
	wrap_prose(w, column, text);
}

void wrap_verbatim(const struct wrap *w, unsigned int column, const char *text)
{
	put_spaces(w->out, column);
	put_safe(w->out, text, strlen(text));
	strbuf_puts(w->out, "\n");
}

void wrap_colored(const struct wrap *w, const char *sgr, const char *text)
{
	bool color = w->color && *text;

	if (color)
		strbuf_printf(w->out, "\033[%sm", sgr);
	put_safe(w->out, text, strlen(text));
	if (color)
		strbuf_puts(w->out, "\033[0m");
}
