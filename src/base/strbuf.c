#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define REPLACEMENT "?"

/* Room for @n more bytes and the NUL */
static void reserve(struct strbuf *sb, size_t n)
{
	size_t capacity = sb->capacity ? sb->capacity : 64;

	if (sb->capacity - sb->len > n)
		return;
	while (capacity - sb->len <= n && capacity <= SIZE_MAX / 2)
		capacity *= 2;
	/* Doubling has overflowed: ask for what no allocator can give. */
	if (capacity - sb->len <= n)
		capacity = SIZE_MAX;
	sb->text = xreallocarray(sb->text, capacity, 1);
	sb->capacity = capacity;
}

void strbuf_add(struct strbuf *sb, const char *text, size_t n)
{
	reserve(sb, n);
	if (n)
		memcpy(sb->text + sb->len, text, n);
	sb->len += n;
	sb->text[sb->len] = '\0';
}

void strbuf_puts(struct strbuf *sb, const char *text)
{
	strbuf_add(sb, text, strlen(text));
}

void strbuf_vprintf(struct strbuf *sb, const char *format, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	reserve(sb, 0);
	n = vsnprintf(sb->text + sb->len, sb->capacity - sb->len, format, args);
	if (n < 0) { /* a wide character that the locale cannot show */
		sb->text[sb->len] = '\0';
		strbuf_puts(sb, REPLACEMENT);
		va_end(again);
		return;
	}
	if ((size_t)n >= sb->capacity - sb->len) {
		reserve(sb, (size_t)n);
		(void)vsnprintf(sb->text + sb->len, sb->capacity - sb->len,
		                format, again);
	}
	sb->len += (size_t)n;
	va_end(again);
}

void strbuf_printf(struct strbuf *sb, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	strbuf_vprintf(sb, format, args);
	va_end(args);
}

/*
 * The character at @bytes and its length; 0 if it is not well-formed UTF-8
 * (overlong, a surrogate, above U+10FFFF, cut).
 */
static size_t utf8_decode(const uint8_t *bytes, size_t n, uint32_t *character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len;
	uint32_t c;

	if (bytes[0] < 0x80) {
		*character = bytes[0];
		return 1;
	}
	len = bytes[0] < 0xc0   ? 0
	      : bytes[0] < 0xe0 ? 2
	      : bytes[0] < 0xf0 ? 3
	      : bytes[0] < 0xf8 ? 4
	                        : 0;
	if (len == 0 || len > n)
		return 0;

	c = bytes[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (bytes[i] & 0x3fU);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*character = c;
	return len;
}

/* Characters that move the cursor, turn the text or cannot be seen */
static bool is_unsafe(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad },
		{ 0x034f, 0x034f }, { 0x061c, 0x061c }, { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
		{ 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

void strbuf_put_escaped(struct strbuf *sb, const char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n) {
		const uint8_t *p = (const uint8_t *)bytes + i;
		uint32_t c = 0;
		size_t len = utf8_decode(p, n - i, &c);

		if (len == 0 || is_unsafe(c)) {
			len = len ? len : 1;
			for (size_t j = 0; j < len; j++)
				strbuf_printf(sb, "\\x%02x", p[j]);
		} else if (c == '\\') {
			strbuf_puts(sb, "\\\\");
		} else {
			strbuf_add(sb, bytes + i, len);
		}
		i += len;
	}
}

const char *strbuf_text(const struct strbuf *sb)
{
	return sb->text ? sb->text : "";
}

char *strbuf_steal(struct strbuf *sb)
{
	char *text = sb->text ? sb->text : text_copy("");

	*sb = (struct strbuf){ 0 };
	return text;
}

void strbuf_free(struct strbuf *sb)
{
	free(sb->text);
	*sb = (struct strbuf){ 0 };
}

char *text_format(const char *format, ...)
{
	struct strbuf sb = { 0 };
	va_list args;

	va_start(args, format);
	strbuf_vprintf(&sb, format, args);
	va_end(args);
	return strbuf_steal(&sb);
}

char *text_copy(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = xreallocarray(NULL, n, 1);

	memcpy(copy, text, n);
	return copy;
}
