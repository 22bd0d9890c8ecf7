/*
 * Static types of expressions: what may be compared and computed with what.
 */
#ifndef PCAPDIAG_RULES_EXPR_TYPE_H
#define PCAPDIAG_RULES_EXPR_TYPE_H

#include "rules/expr.h"

#define TYPE_MESSAGE_MAX 512

/**
 * struct type_error - What is wrong, and which node
 * @at:		node below which the caret stands
 */
struct type_error {
	const struct expr *at;
	char text[TYPE_MESSAGE_MAX];
};

/**
 * expr_type() - Set the type of @e, whose operands have theirs
 * @kinds:	kinds of the facts of bare names, for "did you mean"
 *
 * Words among the operands are resolved by the other operand's enum.
 *
 * Return: false with @err set if the operands do not fit
 */
bool expr_type(struct expr *e, unsigned int kinds, struct type_error *err);

/** expr_type_bool() - Is @e of type bool?  false with @err set if not */
bool expr_type_bool(const struct expr *e, unsigned int kinds,
                    struct type_error *err);

/** type_unknown_field() - Set @err: @e, a word, is no field of @kinds */
bool type_unknown_field(const struct expr *e, unsigned int kinds,
                        struct type_error *err);

#endif
