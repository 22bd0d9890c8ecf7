#include "rules/expr_type.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/suggest.h"

__attribute__((format(printf, 3, 4))) static bool
fail(struct type_error *err, const struct expr *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	err->at = at;
	return false;
}

static const char *type_name(const struct expr *e)
{
	switch (e->type) {
	case VALUE_TYPE_BOOL:
		return "a yes or no";
	case VALUE_TYPE_NUMBER:
		return "a plain number";
	case VALUE_TYPE_DURATION:
		return "a duration";
	case VALUE_TYPE_TIME:
		return "a time";
	case VALUE_TYPE_ENUM:
		return "a word";
	case VALUE_TYPE_IP:
		return "an IP address";
	case VALUE_TYPE_MAC:
		return "a MAC address";
	case VALUE_TYPE_TEXT:
		return "a text";
	case VALUE_TYPE_LABEL:
		return "a label";
	}
	return "?";
}

static bool is_scalar(const struct expr *e)
{
	return e->type == VALUE_TYPE_NUMBER || e->type == VALUE_TYPE_DURATION ||
	       e->type == VALUE_TYPE_TIME;
}

bool type_unknown_field(const struct expr *e, unsigned int kinds,
                        struct type_error *err)
{
	struct suggestion s = { .word = e->start, .len = e->len };
	char text[SUGGEST_TEXT_MAX];

	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_info *info = field_info((enum field)i);

		if (info->type != VALUE_TYPE_LABEL &&
		    (info->kinds & kinds) == kinds)
			suggestion_offer(&s, info->name);
	}
	return fail(err, e, "unknown field '%.*s'%s", (int)e->len, e->start,
	            suggestion_text(&s, text));
}

static bool no_such_word(const struct expr *e, const struct enum_set *set,
                         struct type_error *err)
{
	struct suggestion s = { .word = e->start, .len = e->len };
	char text[SUGGEST_TEXT_MAX];
	char words[256] = "";
	size_t used = 0;

	for (size_t i = 0; set->words[i]; i++) {
		int n = snprintf(words + used, sizeof(words) - used, "%s%s",
		                 i ? ", " : "", set->words[i]);

		if (n < 0 || (size_t)n >= sizeof(words) - used)
			break;
		used += (size_t)n;
		suggestion_offer(&s, set->words[i]);
	}
	return fail(err, e, "'%.*s' is no %s (%s)%s", (int)e->len, e->start,
	            set->name, words, suggestion_text(&s, text));
}

/*
 * Makes @e, if it is a word or a field whose name is also a word of @set, the
 * value that the word stands for.
 */
static bool resolve_word(struct expr *e, const struct enum_set *set,
                         struct type_error *err)
{
	int word;

	if (e->op != EXPR_WORD && (e->op != EXPR_FIELD || e->words == set))
		return true;
	word = enum_set_find(set, e->start, e->len);
	if (word < 0 && e->op == EXPR_FIELD)
		return true;
	if (word < 0)
		return no_such_word(e, set, err);

	e->op = EXPR_LITERAL;
	e->type = VALUE_TYPE_ENUM;
	e->words = set;
	e->value = (struct value){ .state = VALUE_KNOWN };
	e->value.lo = word;
	e->value.hi = word;
	return true;
}

static bool resolve_words(struct expr *a, struct expr *b, unsigned int kinds,
                          struct type_error *err)
{
	if (a->op != EXPR_WORD && a->type == VALUE_TYPE_ENUM &&
	    !resolve_word(b, a->words, err))
		return false;
	if (b->op != EXPR_WORD && b->type == VALUE_TYPE_ENUM &&
	    !resolve_word(a, b->words, err))
		return false;
	if (a->op == EXPR_WORD)
		return type_unknown_field(a, kinds, err);
	if (b->op == EXPR_WORD)
		return type_unknown_field(b, kinds, err);
	return true;
}

static bool comparable(struct expr *a, struct expr *b, unsigned int kinds,
                       struct type_error *err)
{
	if (!resolve_words(a, b, kinds, err))
		return false;
	if (a->type != b->type)
		return fail(err, b, "cannot compare %s with %s", type_name(a),
		            type_name(b));
	if (a->words != b->words)
		return fail(err, b, "cannot compare a %s with a %s",
		            a->words->name, b->words->name);
	if (a->op == EXPR_LITERAL && a->bits >= 0)
		return fail(err, a, "a prefix stands to the right");
	return true;
}

static bool ordered(const struct expr *e, struct type_error *err)
{
	if (!is_scalar(e->left))
		return fail(err, e->left, "%s has no order",
		            type_name(e->left));
	return true;
}

static bool items(struct expr *e, unsigned int kinds, struct type_error *err)
{
	for (struct expr *item = e->right; item; item = item->next)
		if (!comparable(e->left, item, kinds, err))
			return false;
	return true;
}

static bool texts(const struct expr *e, unsigned int kinds,
                  struct type_error *err)
{
	const struct expr *operands[] = { e->left, e->right };

	for (size_t i = 0; i < 2; i++) {
		if (operands[i]->op == EXPR_WORD)
			return type_unknown_field(operands[i], kinds, err);
		if (operands[i]->type != VALUE_TYPE_TEXT)
			return fail(err, operands[i],
			            "contains takes texts, this is %s",
			            type_name(operands[i]));
	}
	return true;
}

/* The type of @a @op @b, or -1 */
static int arithmetic_type(enum expr_op op, enum value_type a,
                           enum value_type b)
{
	static const struct {
		enum expr_op op;
		enum value_type a, b, result;
	} rows[] = {
#define ROW(op, a, b, result)                                                  \
	{ EXPR_##op, VALUE_TYPE_##a, VALUE_TYPE_##b, VALUE_TYPE_##result }
		ROW(ADD, NUMBER, NUMBER, NUMBER),
		ROW(ADD, DURATION, DURATION, DURATION),
		ROW(ADD, TIME, DURATION, TIME),
		ROW(ADD, DURATION, TIME, TIME),
		ROW(SUB, NUMBER, NUMBER, NUMBER),
		ROW(SUB, DURATION, DURATION, DURATION),
		ROW(SUB, TIME, DURATION, TIME),
		ROW(SUB, TIME, TIME, DURATION),
		ROW(MUL, NUMBER, NUMBER, NUMBER),
		ROW(MUL, NUMBER, DURATION, DURATION),
		ROW(MUL, DURATION, NUMBER, DURATION),
		ROW(DIV, NUMBER, NUMBER, NUMBER),
		ROW(DIV, DURATION, NUMBER, DURATION),
		ROW(DIV, DURATION, DURATION, NUMBER),
#undef ROW
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].op == op && rows[i].a == a && rows[i].b == b)
			return (int)rows[i].result;
	return -1;
}

static bool arithmetic(struct expr *e, unsigned int kinds,
                       struct type_error *err)
{
	int type;

	if (e->left->op == EXPR_WORD)
		return type_unknown_field(e->left, kinds, err);
	if (e->right->op == EXPR_WORD)
		return type_unknown_field(e->right, kinds, err);
	type = arithmetic_type(e->op, e->left->type, e->right->type);
	if (type < 0)
		return fail(err, e->right, "cannot compute with %s and %s here",
		            type_name(e->left), type_name(e->right));
	e->type = (enum value_type)type;
	return true;
}

bool expr_type_bool(const struct expr *e, unsigned int kinds,
                    struct type_error *err)
{
	if (e->op == EXPR_WORD)
		return type_unknown_field(e, kinds, err);
	if (e->type != VALUE_TYPE_BOOL)
		return fail(err, e, "a condition is needed, this is %s",
		            type_name(e));
	return true;
}

bool expr_type(struct expr *e, unsigned int kinds, struct type_error *err)
{
	e->type = VALUE_TYPE_BOOL;
	switch (e->op) {
	case EXPR_NOT:
		return expr_type_bool(e->left, kinds, err);
	case EXPR_AND:
	case EXPR_OR:
		return expr_type_bool(e->left, kinds, err) &&
		       expr_type_bool(e->right, kinds, err);
	case EXPR_EQ:
	case EXPR_NE:
		return comparable(e->left, e->right, kinds, err);
	case EXPR_LT:
	case EXPR_LE:
	case EXPR_GT:
	case EXPR_GE:
		return comparable(e->left, e->right, kinds, err) &&
		       ordered(e, err);
	case EXPR_IN:
		return items(e, kinds, err);
	case EXPR_CONTAINS:
		return texts(e, kinds, err);
	case EXPR_ADD:
	case EXPR_SUB:
	case EXPR_MUL:
	case EXPR_DIV:
		return arithmetic(e, kinds, err);
	case EXPR_COUNT:
		e->type = VALUE_TYPE_NUMBER;
		return true;
	case EXPR_LITERAL:
	case EXPR_FIELD:
	case EXPR_WORD:
	case EXPR_HAS:
	case EXPR_KNOWN:
	case EXPR_ANY:
		break;
	}
	return true;
}
