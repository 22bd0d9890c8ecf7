#include "rules/expr_lex.h"

#include <stdint.h>
#include <string.h>

#include "base/addr.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ADDRESS_CHARACTERS DIGITS "abcdefABCDEF:."

static const struct {
	const char *text;
	enum token_kind kind;
} signs[] = {
	{ "||", TOKEN_OR },      { "&&", TOKEN_AND },      { "==", TOKEN_EQ },
	{ "!=", TOKEN_NE },      { "<=", TOKEN_LE },       { ">=", TOKEN_GE },
	{ "<", TOKEN_LT },       { ">", TOKEN_GT },        { "!", TOKEN_NOT },
	{ "+", TOKEN_PLUS },     { "-", TOKEN_MINUS },     { "*", TOKEN_STAR },
	{ "/", TOKEN_SLASH },    { "(", TOKEN_OPEN },      { ")", TOKEN_CLOSE },
	{ "{", TOKEN_OPEN_SET }, { "}", TOKEN_CLOSE_SET }, { ",", TOKEN_COMMA },
};

static const struct {
	const char *name;
	int64_t ns; /* 0: not a duration */
} units[] = {
	{ "", 0 },
	{ "B", 0 },
	{ "ns", 1 },
	{ "us", INT64_C(1000) },
	{ "ms", INT64_C(1000000) },
	{ "s", INT64_C(1000000000) },
	{ "min", INT64_C(60000000000) },
	{ "h", INT64_C(3600000000000) },
	{ "d", INT64_C(86400000000000) },
};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

static struct token bad_token(const char *start, size_t len, const char *why)
{
	return (struct token){
		.kind = TOKEN_BAD,
		.start = start,
		.len = len,
		.bad = why,
	};
}

static struct token literal(const char *start, size_t len, enum value_type type)
{
	return (struct token){
		.kind = TOKEN_LITERAL,
		.start = start,
		.len = len,
		.type = type,
		.value.state = VALUE_KNOWN,
		.bits = -1,
	};
}

/* Takes "/LENGTH" that follows an address of @max bits */
static bool take_prefix(struct token *t, int max)
{
	const char *p = t->start + t->len;
	size_t n;
	int bits = 0;

	if (*p++ != '/')
		return true;
	n = strspn(p, DIGITS);
	if (n == 0)
		return true;
	for (size_t i = 0; i < n && bits <= max; i++)
		bits = 10 * bits + (p[i] - '0');
	t->bits = bits;
	t->len += 1 + n;
	return bits <= max;
}

static struct token lex_address(const char *start, size_t len)
{
	struct token t = literal(start, len, VALUE_TYPE_MAC);
	char text[ADDR_TEXT_MAX];
	int max = 48;

	if (len >= sizeof(text))
		return bad_token(start, len, "not an address");
	memcpy(text, start, len);
	text[len] = '\0';

	if (!mac_parse(text, &t.value.mac)) {
		if (!addr_parse(text, &t.value.ip))
			return bad_token(start, len, "not an address");
		t.type = VALUE_TYPE_IP;
		max = addr_is_v4(&t.value.ip) ? 32 : 128;
	}
	if (!take_prefix(&t, max))
		return bad_token(start, t.len, "the prefix is too long");
	return t;
}

/* WHOLE[.FRACTION] times @scale; false: that is too large or not whole */
static bool scaled(const char *p, size_t len, int64_t scale, int64_t *out)
{
	int64_t sum = 0;
	size_t i = 0;

	for (; i < len && p[i] != '.'; i++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, p[i] - '0', &sum))
			return false;
	if (__builtin_mul_overflow(sum, scale, &sum))
		return false;
	for (i++; i < len; i++) {
		if (scale % 10)
			return false;
		scale /= 10;
		if (__builtin_add_overflow(sum, (p[i] - '0') * scale, &sum))
			return false;
	}
	*out = sum;
	return true;
}

static struct token lex_number(const char *start)
{
	size_t len = strspn(start, DIGITS);
	size_t n_unit, unit = 0;
	struct token t;
	int64_t scale;

	if (start[len] == '.')
		len += 1 + strspn(start + len + 1, DIGITS);
	n_unit = strspn(start + len, LETTERS);
	t = literal(start, len + n_unit, VALUE_TYPE_NUMBER);

	while (unit < N_UNITS &&
	       (strlen(units[unit].name) != n_unit ||
	        strncmp(units[unit].name, start + len, n_unit) != 0))
		unit++;
	if (unit == N_UNITS)
		return bad_token(start + len, n_unit, "unknown unit");

	scale = units[unit].ns ? units[unit].ns : 1;
	if (!scaled(start, len, scale, &t.value.lo))
		return bad_token(start, len + n_unit,
		                 "too large, or not a whole number");
	t.value.hi = t.value.lo;
	if (units[unit].ns)
		t.type = VALUE_TYPE_DURATION;
	return t;
}

static size_t count_dots(const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == '.';
	return n;
}

static struct token lex_text(const char *start)
{
	const char *end = strchr(start + 1, '\'');

	if (!end)
		return bad_token(start, 1, "a text without its closing quote");
	return literal(start, (size_t)(end - start) + 1, VALUE_TYPE_TEXT);
}

/* A hyphen belongs to a word if a letter or digit follows it. */
static struct token lex_word(const char *start)
{
	static const char inside[] = DIGITS LETTERS "_.";
	struct token t = { .kind = TOKEN_WORD, .start = start };

	t.len = strspn(start, inside);
	while (start[t.len] == '-' && start[t.len + 1] &&
	       strchr(DIGITS LETTERS, start[t.len + 1]))
		t.len += 1 + strspn(start + t.len + 1, inside);
	return t;
}

static struct token lex_sign(const char *start)
{
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		size_t len = strlen(signs[i].text);

		if (strncmp(start, signs[i].text, len) == 0)
			return (struct token){
				.kind = signs[i].kind,
				.start = start,
				.len = len,
			};
	}
	return bad_token(start, 1, "unexpected character");
}

struct token token_next(const char *p)
{
	size_t n;

	p += strspn(p, " \t\r\n");
	if (*p == '\0')
		return (struct token){ .kind = TOKEN_END, .start = p };
	if (*p == '\'')
		return lex_text(p);

	n = strspn(p, ADDRESS_CHARACTERS);
	if (memchr(p, ':', n))
		return lex_address(p, n);
	if (strchr(DIGITS, *p))
		return count_dots(p, strspn(p, DIGITS ".")) > 1
		               ? lex_address(p, strspn(p, DIGITS "."))
		               : lex_number(p);
	if (strchr(LETTERS "_", *p))
		return lex_word(p);
	return lex_sign(p);
}

bool token_is(const struct token *t, const char *word)
{
	return t->kind == TOKEN_WORD && strncmp(t->start, word, t->len) == 0 &&
	       word[t->len] == '\0';
}
