#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "rules/expr.h"
#include "rules/expr_lex.h"
#include "rules/expr_type.h"
#include "rules/suggest.h"

#define DEPTH_MAX 64

/**
 * struct parser - State of one parse
 * @next:	the token to be looked at
 * @kinds:	of the facts of bare names
 * @outer_kinds: of the fact of "this." names; 0: not within any() or count()
 * @depth:	of nested parentheses and negations
 *
 * A function that fails has set @err and returns NULL; nodes belong to @whole.
 */
struct parser {
	struct expression *whole;
	struct token next;
	unsigned int kinds;
	unsigned int outer_kinds;
	unsigned int depth;
	struct errmsg *err;
};

static struct expr *parse_or(struct parser *p);

static struct expr *fail_at(struct parser *p, const char *at,
                            const char *message)
{
	struct strbuf sb = { 0 };

	strbuf_puts(&sb, message);
	caret_put(p->whole->text, (size_t)(at - p->whole->text), &sb);
	(void)errmsg_set(p->err, "%s", strbuf_text(&sb));
	strbuf_free(&sb);
	return NULL;
}

static struct expr *fail_expected(struct parser *p, const char *what)
{
	struct strbuf sb = { 0 };
	const struct token *t = &p->next;

	if (t->kind == TOKEN_BAD)
		strbuf_printf(&sb, "%s '%.*s'", t->bad, (int)t->len, t->start);
	else if (t->kind == TOKEN_END)
		strbuf_printf(&sb, "%s expected, but here it ends", what);
	else
		strbuf_printf(&sb, "%s expected, not '%.*s'", what, (int)t->len,
		              t->start);
	fail_at(p, t->start, strbuf_text(&sb));
	strbuf_free(&sb);
	return NULL;
}

static void advance(struct parser *p)
{
	p->next = token_next(p->next.start + p->next.len);
}

static bool take(struct parser *p, enum token_kind kind)
{
	if (p->next.kind != kind)
		return false;
	advance(p);
	return true;
}

static struct expr *new_node(struct parser *p, enum expr_op op,
                             const char *start)
{
	struct expression *whole = p->whole;
	struct expr *e = xcalloc(1, sizeof(*e));

	e->op = op;
	e->bits = -1;
	e->start = start;
	whole->nodes = xreallocarray(whole->nodes, whole->n_nodes + 1,
	                             sizeof(struct expr *));
	whole->nodes[whole->n_nodes++] = e;
	return e;
}

/* Gives @e, whose operands are set, its type and extent */
static struct expr *finish(struct parser *p, struct expr *e)
{
	struct type_error error;

	e->len = (size_t)(p->next.start - e->start);
	while (e->len > 0 && e->start[e->len - 1] == ' ')
		e->len--;
	e->uses_outer = (e->left && e->left->uses_outer) || e->outer;
	for (const struct expr *r = e->right; r; r = r->next)
		e->uses_outer = e->uses_outer || r->uses_outer;
	if (!expr_type(e, p->kinds, &error))
		return fail_at(p, error.at->start, error.text);
	return e;
}

static struct expr *binary(struct parser *p, enum expr_op op, struct expr *left,
                           struct expr *right)
{
	struct expr *e;

	if (!right)
		return NULL;
	e = new_node(p, op, left->start);
	e->left = left;
	e->right = right;
	return finish(p, e);
}

static struct expr *parse_literal(struct parser *p)
{
	struct expr *e = new_node(p, EXPR_LITERAL, p->next.start);

	e->type = p->next.type;
	e->value = p->next.value;
	e->bits = p->next.bits;
	e->len = p->next.len;
	if (e->type == VALUE_TYPE_TEXT)
		e->value.text = e->start + 1;
	advance(p);
	return e;
}

static void make_field(struct expr *e, int field, bool outer)
{
	const struct field_info *info = field_info((enum field)field);

	e->op = EXPR_FIELD;
	e->field = (enum field)field;
	e->type = info->type;
	e->words = info->words;
	e->outer = outer;
	e->uses_outer = outer;
}

static struct expr *parse_outer_field(struct parser *p)
{
	struct expr *e = new_node(p, EXPR_WORD, p->next.start);
	static const size_t skip = sizeof("this.") - 1;
	struct type_error error;
	int field;

	if (!p->outer_kinds)
		return fail_at(p, e->start,
		               "'this' has a meaning within any() and count() "
		               "only");
	e->start += skip;
	e->len = p->next.len - skip;
	field = field_find(p->outer_kinds, e->start, e->len);
	if (field < 0) {
		type_unknown_field(e, p->outer_kinds, &error);
		return fail_at(p, e->start, error.text);
	}
	make_field(e, field, true);
	advance(p);
	return e;
}

/* A field, true or false, or a word that the other operand will explain */
static struct expr *parse_name(struct parser *p)
{
	struct expr *e;
	int field;

	if (p->next.len > 5 && strncmp(p->next.start, "this.", 5) == 0)
		return parse_outer_field(p);

	e = new_node(p, EXPR_WORD, p->next.start);
	e->len = p->next.len;
	field = field_find(p->kinds, e->start, e->len);
	if (field >= 0) {
		make_field(e, field, false);
	} else if (token_is(&p->next, "true") || token_is(&p->next, "false")) {
		e->op = EXPR_LITERAL;
		e->type = VALUE_TYPE_BOOL;
		e->value.state = VALUE_KNOWN;
		e->value.lo = token_is(&p->next, "true");
		e->value.hi = e->value.lo;
	}
	advance(p);
	return e;
}

/* has(FIELD), known(FIELD) */
static struct expr *parse_state(struct parser *p, enum expr_op op)
{
	struct expr *e = new_node(p, op, p->next.start);
	struct type_error error;
	struct expr *name;

	advance(p);
	if (!take(p, TOKEN_OPEN))
		return fail_expected(p, "'('");
	if (p->next.kind != TOKEN_WORD)
		return fail_expected(p, "a field");
	name = parse_name(p);
	if (!name)
		return NULL;
	if (name->op != EXPR_FIELD) {
		type_unknown_field(name, p->kinds, &error);
		return fail_at(p, name->start, error.text);
	}
	e->field = name->field;
	e->outer = name->outer;
	if (!take(p, TOKEN_CLOSE))
		return fail_expected(p, "')'");
	return finish(p, e);
}

static struct expr *unknown_of(struct parser *p, const char *what, bool labels)
{
	struct suggestion s = { .word = p->next.start, .len = p->next.len };
	struct strbuf sb = { 0 };
	char text[SUGGEST_TEXT_MAX];

	for (int i = 0; labels && i < FIELD_COUNT; i++)
		if (field_info((enum field)i)->type == VALUE_TYPE_LABEL)
			suggestion_offer(&s, field_info((enum field)i)->name);
	for (int i = 0; !labels && i <= FACT_KIND_EXCHANGE; i++)
		suggestion_offer(&s, fact_kind_name((enum fact_kind)i));
	strbuf_printf(&sb, "unknown %s '%.*s'%s", what, (int)p->next.len,
	              p->next.start, suggestion_text(&s, text));
	fail_at(p, p->next.start, strbuf_text(&sb));
	strbuf_free(&sb);
	return NULL;
}

/* In order of field, each once: equal relations share one index. */
static void add_label(struct relation *r, enum field label)
{
	size_t at = 0;

	while (at < r->n_labels && r->labels[at] < label)
		at++;
	if (at < r->n_labels && r->labels[at] == label)
		return;
	memmove(&r->labels[at + 1], &r->labels[at],
	        (r->n_labels - at) * sizeof(r->labels[0]));
	r->labels[at] = label;
	r->n_labels++;
}

/* KIND by LABEL { + LABEL }, or KIND by all */
static bool parse_relation(struct parser *p, struct relation *r)
{
	if (p->next.kind != TOKEN_WORD)
		return fail_expected(p, "a kind of fact");
	r->kinds = fact_kind_find(p->next.start, p->next.len);
	if (!r->kinds)
		return unknown_of(p, "kind of fact", false);
	advance(p);
	if (!token_is(&p->next, "by"))
		return fail_expected(p, "'by'");
	advance(p);
	if (token_is(&p->next, "all")) {
		advance(p);
		return true;
	}
	do {
		int label = label_find(p->next.start, p->next.len);

		if (p->next.kind != TOKEN_WORD)
			return fail_expected(p, "a label");
		if (label < 0)
			return unknown_of(p, "label", true);
		if (r->n_labels == RELATION_LABELS_MAX)
			return fail_at(p, p->next.start, "too many labels");
		add_label(r, (enum field)label);
		advance(p);
	} while (take(p, TOKEN_PLUS));
	return true;
}

/*
 * Parts the terms of a conjunction: those that do not look at the outer fact
 * are true of the same facts whatever it is, so they are evaluated once.
 */
static void split(struct parser *p, struct expr *condition, struct expr *e)
{
	struct expr **part = condition->uses_outer ? &e->right : &e->left;
	struct expr *both;

	if (condition->op == EXPR_AND && condition->uses_outer) {
		split(p, condition->left, e);
		split(p, condition->right, e);
		return;
	}
	if (!*part) {
		*part = condition;
		return;
	}
	both = new_node(p, EXPR_AND, (*part)->start);
	both->type = VALUE_TYPE_BOOL;
	both->left = *part;
	both->right = condition;
	both->uses_outer = condition->uses_outer;
	*part = both;
}

/* any(RELATION, CONDITION), count(RELATION, CONDITION) */
static struct expr *parse_related(struct parser *p, enum expr_op op)
{
	struct expr *e = new_node(p, op, p->next.start);
	struct parser outer = *p;
	struct type_error error;
	struct expr *condition;

	if (p->outer_kinds)
		return fail_at(p, e->start, "any() and count() do not nest");
	advance(p);
	if (!take(p, TOKEN_OPEN))
		return fail_expected(p, "'('");
	if (!parse_relation(p, &e->relation))
		return NULL;
	if (!take(p, TOKEN_COMMA))
		return fail_expected(p, "','");

	p->outer_kinds = p->kinds;
	p->kinds = e->relation.kinds;
	condition = parse_or(p);
	if (!condition)
		return NULL;
	if (!expr_type_bool(condition, p->kinds, &error))
		return fail_at(p, error.at->start, error.text);
	if (!take(p, TOKEN_CLOSE))
		return fail_expected(p, "')'");
	p->kinds = outer.kinds;
	p->outer_kinds = outer.outer_kinds;

	split(p, condition, e);
	e->type = op == EXPR_COUNT ? VALUE_TYPE_NUMBER : VALUE_TYPE_BOOL;
	e->len = (size_t)(p->next.start - e->start);
	return e;
}

static struct expr *parse_group(struct parser *p)
{
	struct expr *e;

	advance(p);
	e = parse_or(p);
	if (e && !take(p, TOKEN_CLOSE))
		return fail_expected(p, "')'");
	return e;
}

static struct expr *parse_primary(struct parser *p)
{
	if (p->next.kind == TOKEN_LITERAL)
		return parse_literal(p);
	if (p->next.kind == TOKEN_OPEN)
		return parse_group(p);
	if (p->next.kind != TOKEN_WORD)
		return fail_expected(p, "a field or a value");
	if (token_is(&p->next, "has"))
		return parse_state(p, EXPR_HAS);
	if (token_is(&p->next, "known"))
		return parse_state(p, EXPR_KNOWN);
	if (token_is(&p->next, "any"))
		return parse_related(p, EXPR_ANY);
	if (token_is(&p->next, "count"))
		return parse_related(p, EXPR_COUNT);
	return parse_name(p);
}

static struct expr *parse_product(struct parser *p)
{
	struct expr *e = parse_primary(p);

	while (e &&
	       (p->next.kind == TOKEN_STAR || p->next.kind == TOKEN_SLASH)) {
		enum expr_op op =
			p->next.kind == TOKEN_STAR ? EXPR_MUL : EXPR_DIV;

		advance(p);
		e = binary(p, op, e, parse_primary(p));
	}
	return e;
}

static struct expr *parse_sum(struct parser *p)
{
	struct expr *e = parse_product(p);

	while (e &&
	       (p->next.kind == TOKEN_PLUS || p->next.kind == TOKEN_MINUS)) {
		enum expr_op op =
			p->next.kind == TOKEN_PLUS ? EXPR_ADD : EXPR_SUB;

		advance(p);
		e = binary(p, op, e, parse_product(p));
	}
	return e;
}

/* { ITEM ITEM } or { ITEM, ITEM } */
static struct expr *parse_items(struct parser *p)
{
	struct expr *first = NULL;
	struct expr **end = &first;

	if (!take(p, TOKEN_OPEN_SET))
		return fail_expected(p, "'{'");
	do {
		*end = parse_sum(p);
		if (!*end)
			return NULL;
		end = &(*end)->next;
		(void)take(p, TOKEN_COMMA);
	} while (p->next.kind != TOKEN_CLOSE_SET);
	advance(p);
	return first;
}

static int comparison_op(const struct token *t)
{
	static const struct {
		enum token_kind token;
		enum expr_op op;
	} rows[] = {
		{ TOKEN_EQ, EXPR_EQ }, { TOKEN_NE, EXPR_NE },
		{ TOKEN_LT, EXPR_LT }, { TOKEN_LE, EXPR_LE },
		{ TOKEN_GT, EXPR_GT }, { TOKEN_GE, EXPR_GE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (t->kind == rows[i].token)
			return (int)rows[i].op;
	if (token_is(t, "in"))
		return EXPR_IN;
	return token_is(t, "contains") ? EXPR_CONTAINS : -1;
}

static struct expr *parse_comparison(struct parser *p)
{
	struct expr *e = parse_sum(p);
	int op = comparison_op(&p->next);

	if (!e || op < 0)
		return e;
	advance(p);
	return binary(p, (enum expr_op)op, e,
	              op == EXPR_IN ? parse_items(p) : parse_sum(p));
}

static struct expr *parse_not(struct parser *p)
{
	const char *start = p->next.start;
	struct expr *operand, *e;

	if (p->depth == DEPTH_MAX)
		return fail_at(p, start, "nested too deeply");
	p->depth++;
	if (!take(p, TOKEN_NOT)) {
		e = parse_comparison(p);
		p->depth--;
		return e;
	}
	operand = parse_not(p);
	p->depth--;
	if (!operand)
		return NULL;
	e = new_node(p, EXPR_NOT, start);
	e->left = operand;
	return finish(p, e);
}

static struct expr *parse_and(struct parser *p)
{
	struct expr *e = parse_not(p);

	while (e && take(p, TOKEN_AND))
		e = binary(p, EXPR_AND, e, parse_not(p));
	return e;
}

static struct expr *parse_or(struct parser *p)
{
	struct expr *e = parse_and(p);

	while (e && take(p, TOKEN_OR))
		e = binary(p, EXPR_OR, e, parse_and(p));
	return e;
}

static struct expr *parse_whole(struct parser *p)
{
	struct expr *e = parse_or(p);
	struct type_error error;

	if (!e)
		return NULL;
	if (p->next.kind != TOKEN_END)
		return fail_expected(p, "an operator or the end");
	if (!expr_type_bool(e, p->kinds, &error))
		return fail_at(p, error.at->start, error.text);
	return e;
}

struct expression *expression_parse(const char *text, unsigned int kinds,
                                    struct errmsg *err)
{
	struct expression *whole = xcalloc(1, sizeof(*whole));
	struct parser p = { .whole = whole, .kinds = kinds, .err = err };

	whole->text = text_copy(text);
	p.next = token_next(whole->text);
	whole->root = parse_whole(&p);
	if (!whole->root) {
		expression_free(whole);
		return NULL;
	}
	return whole;
}

void expression_free(struct expression *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n_nodes; i++)
		free(e->nodes[i]);
	free(e->nodes);
	free(e->text);
	free(e);
}
