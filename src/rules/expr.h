/*
 * The expressions of rules: typed against the vocabulary when they are loaded,
 * evaluated in three values over one fact and those related to it.
 *
 *	or	= and { "||" and }
 *	and	= not { "&&" not }
 *	not	= "!" not | comparison
 *	comparison = sum [ ( == != < <= > >= contains ) sum | "in" "{" sums "}" ]
 *	sum	= product { ( "+" | "-" ) product }
 *	product	= primary { ( "*" | "/" ) primary }
 *	primary	= literal | field | "this." field | "(" or ")"
 *		| ( "has" | "known" ) "(" field ")"
 *		| ( "any" | "count" ) "(" KIND "by" ( "all" | labels ) "," or ")"
 *
 * Within any() and count() bare names are the related fact's, "this." names the
 * fact's that the rule looks at.  They do not nest.
 */
#ifndef PCAPDIAG_RULES_EXPR_H
#define PCAPDIAG_RULES_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "facts/fact.h"

enum truth {
	TRUTH_FALSE,
	TRUTH_TRUE,
	TRUTH_UNKNOWN,
};

enum expr_op {
	EXPR_LITERAL,
	EXPR_FIELD,
	EXPR_WORD, /* while parsing: not yet known of which enum */
	EXPR_NOT,
	EXPR_AND,
	EXPR_OR,
	EXPR_EQ,
	EXPR_NE,
	EXPR_LT,
	EXPR_LE,
	EXPR_GT,
	EXPR_GE,
	EXPR_IN,
	EXPR_CONTAINS,
	EXPR_ADD,
	EXPR_SUB,
	EXPR_MUL,
	EXPR_DIV,
	EXPR_HAS,
	EXPR_KNOWN,
	EXPR_ANY,
	EXPR_COUNT,
};

#define RELATION_LABELS_MAX 8

/**
 * struct relation - Which facts are related
 * @kinds:	bits of their kinds
 * @labels:	these are known and equal at both, in order of field; none: all
 *		facts of the kinds are related
 */
struct relation {
	unsigned int kinds;
	enum field labels[RELATION_LABELS_MAX];
	size_t n_labels;
};

/**
 * struct expr - One node
 * @type, @words: static type of its value
 * @left, @right: operands; of any() and count(): the part of the condition that
 *		does not look at the outer fact and the part that does, or NULL
 * @next:	next item of a set
 * @field:	of fields, has() and known()
 * @outer:	the field is the outer fact's
 * @uses_outer:	it or something in it is
 * @value, @bits: of literals; @bits: length of a prefix, or -1
 * @start, @len: where it stands in the text
 */
struct expr {
	enum expr_op op;
	enum value_type type;
	const struct enum_set *words;
	struct expr *left;
	struct expr *right;
	struct expr *next;
	enum field field;
	bool outer;
	bool uses_outer;
	struct value value;
	int bits;
	struct relation relation;
	const char *start;
	size_t len;
};

/**
 * struct expression - A whole
 * @text:	as written
 * @root:	of type bool
 * @nodes:	all nodes, owned
 */
struct expression {
	char *text;
	struct expr *root;
	struct expr **nodes;
	size_t n_nodes;
};

/**
 * expression_parse() - Read and type @text for a rule over facts of @kinds
 *
 * Return: the expression, or NULL with @err set to what is wrong, the text and
 * a caret below the place, in three lines
 */
struct expression *expression_parse(const char *text, unsigned int kinds,
                                    struct errmsg *err);

void expression_free(struct expression *e);

struct relations;

/** expression_eval() - Is @e true of fact number @fact? */
enum truth expression_eval(const struct expression *e, struct relations *rel,
                           size_t fact);

/**
 * expr_eval() - The same of one node of type bool
 * @fact:	the fact of bare names
 * @outer:	the fact of "this." names, or NULL
 */
enum truth expr_eval(const struct expr *e, struct relations *rel,
                     const struct fact *fact, const struct fact *outer);

/* Kleene's connectives */
enum truth truth_not(enum truth a);
enum truth truth_and(enum truth a, enum truth b);
enum truth truth_or(enum truth a, enum truth b);

#endif
