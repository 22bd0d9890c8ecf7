/*
 * Tokens of an expression.
 */
#ifndef PCAPDIAG_RULES_EXPR_LEX_H
#define PCAPDIAG_RULES_EXPR_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "facts/value.h"

enum token_kind {
	TOKEN_END,
	TOKEN_BAD, /* struct token.bad says why */
	TOKEN_LITERAL,
	TOKEN_WORD,
	TOKEN_OR,
	TOKEN_AND,
	TOKEN_NOT,
	TOKEN_EQ,
	TOKEN_NE,
	TOKEN_LT,
	TOKEN_LE,
	TOKEN_GT,
	TOKEN_GE,
	TOKEN_PLUS,
	TOKEN_MINUS,
	TOKEN_STAR,
	TOKEN_SLASH,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_OPEN_SET,
	TOKEN_CLOSE_SET,
	TOKEN_COMMA,
};

/**
 * struct token - One token
 * @start, @len: where it stands
 * @bad:	what is wrong with it
 * @type, @value, @bits: of literals; a text is @start + 1, @len - 2
 */
struct token {
	enum token_kind kind;
	const char *start;
	size_t len;
	const char *bad;
	enum value_type type;
	struct value value;
	int bits;
};

/** token_next() - The first token at or after @p */
struct token token_next(const char *p);

/** token_is() - Is it the word @word? */
bool token_is(const struct token *t, const char *word);

#endif
