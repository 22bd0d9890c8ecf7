#include "base/strbuf.h"

#include <string.h>

#include "run_tests.h"

START_TEST(empty_is_text_too)
{
	struct strbuf sb = { 0 };
	char *text;

	ck_assert_str_eq(strbuf_text(&sb), "");
	strbuf_add(&sb, NULL, 0);
	strbuf_puts(&sb, "");
	ck_assert_str_eq(strbuf_text(&sb), "");
	strbuf_free(&sb);
	text = strbuf_steal(&sb);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

START_TEST(grows_by_all_ways_of_adding)
{
	struct strbuf sb = { 0 };

	for (int i = 0; i < 1000; i++) {
		strbuf_puts(&sb, "ab");
		strbuf_add(&sb, "cde", 1);
		strbuf_printf(&sb, "%03d", i);
	}
	ck_assert_uint_eq(sb.len, 6000);
	ck_assert_uint_eq(strlen(strbuf_text(&sb)), 6000);
	ck_assert_str_eq(strbuf_text(&sb) + 5994, "abc999");
	strbuf_free(&sb);
	ck_assert_uint_eq(sb.len, 0);
}
END_TEST

/* Whatever room is left, printing must fill it up exactly or make more. */
START_TEST(printing_at_the_edge_of_the_room)
{
	for (int width = 1; width < 300; width++) {
		struct strbuf sb = { 0 };

		strbuf_printf(&sb, "%*d", width, 7);
		strbuf_printf(&sb, "%*d", width, 8);
		ck_assert_uint_eq(sb.len, 2 * (size_t)width);
		ck_assert_uint_eq(strlen(sb.text), sb.len);
		ck_assert_int_eq(sb.text[width - 1], '7');
		ck_assert_int_eq(sb.text[2 * width - 1], '8');
		strbuf_free(&sb);
	}
}
END_TEST

START_TEST(stolen_text_is_the_callers)
{
	struct strbuf sb = { 0 };
	char *text;

	strbuf_puts(&sb, "one");
	text = strbuf_steal(&sb);
	strbuf_puts(&sb, "two");
	ck_assert_str_eq(text, "one");
	ck_assert_str_eq(strbuf_text(&sb), "two");
	free(text);
	strbuf_free(&sb);

	text = text_format("%s-%d", "x", 5);
	ck_assert_str_eq(text, "x-5");
	free(text);
	text = text_copy("copy");
	ck_assert_str_eq(text, "copy");
	free(text);
}
END_TEST

START_TEST(bytes_of_strangers_are_escaped)
{
#define TEXT(s) s, sizeof(s) - 1
	const struct {
		const char *bytes;
		size_t n;
		const char *expected;
	} rows[] = {
		{ TEXT("plain, ~ and space"), "plain, ~ and space" },
		{ TEXT("gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x8e\x89"),
		  "gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x8e\x89" },
		{ TEXT("a\\b"), "a\\\\b" },
		{ TEXT("\x1b[31m\n\0\x7f"), "\\x1b[31m\\x0a\\x00\\x7f" },
		{ TEXT("\xc2\x9b"), "\\xc2\\x9b" }, /* CSI as one character */
		{ TEXT("\xe2\x80\xae"), "\\xe2\\x80\\xae" }, /* right to left */
		{ TEXT("\xe2\x80\xa8"),
		  "\\xe2\\x80\\xa8" }, /* line separator */
		{ TEXT("\xef\xbb\xbf"), "\\xef\\xbb\\xbf" }, /* BOM */
		{ TEXT("\xc0\x80"), "\\xc0\\x80" },          /* overlong */
		{ TEXT("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf" },
		{ TEXT("\xed\xa0\x80"), "\\xed\\xa0\\x80" }, /* surrogate */
		{ TEXT("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80" },
		{ TEXT("\xff\x80"), "\\xff\\x80" },
		{ TEXT("\xe4\xb8"), "\\xe4\\xb8" }, /* cut */
		{ TEXT("\xe4\xb8x"), "\\xe4\\xb8x" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strbuf sb = { 0 };

		strbuf_put_escaped(&sb, rows[i].bytes, rows[i].n);
		ck_assert_str_eq(strbuf_text(&sb), rows[i].expected);
		strbuf_free(&sb);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		empty_is_text_too,
		grows_by_all_ways_of_adding,
		printing_at_the_edge_of_the_room,
		stolen_text_is_the_callers,
		bytes_of_strangers_are_escaped,
		NULL,
	};

	return run_tests("strbuf", tests);
}
