/*
 * Growing text.  Always NUL-terminated once something was added; owned by the
 * caller, who ends with strbuf_free() or takes the text with strbuf_steal().
 */
#ifndef PCAPDIAG_BASE_STRBUF_H
#define PCAPDIAG_BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
	char *text; /* NULL while empty */
	size_t len;
	size_t capacity;
};

/** strbuf_add() - Append @n bytes */
void strbuf_add(struct strbuf *sb, const char *text, size_t n);

/** strbuf_puts() - Append a string */
void strbuf_puts(struct strbuf *sb, const char *text);

/** strbuf_printf() - Append as printf() does */
void strbuf_printf(struct strbuf *sb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** strbuf_vprintf() - Append as vprintf() does */
void strbuf_vprintf(struct strbuf *sb, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/**
 * strbuf_put_escaped() - Append bytes of a packet or a file name for a terminal
 *
 * Printable ASCII and well-formed UTF-8 (no control or bidi characters) stay,
 * all else becomes \xNN, the backslash \\.
 */
void strbuf_put_escaped(struct strbuf *sb, const char *bytes, size_t n);

/** strbuf_text() - The text; "" while empty; valid until the next change */
const char *strbuf_text(const struct strbuf *sb);

/** strbuf_steal() - The text, owned by the caller; @sb is empty after that */
char *strbuf_steal(struct strbuf *sb);

void strbuf_free(struct strbuf *sb);

/** text_format() - A new string as printf() makes it; the caller frees it */
char *text_format(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/** text_copy() - A new copy of @text; the caller frees it */
char *text_copy(const char *text);

#endif
