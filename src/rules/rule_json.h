/*
 * Members of a rule's JSON objects, typed; every mistake becomes one message
 * "FILE: RULE: KEY: …".
 */
#ifndef PCAPDIAG_RULES_RULE_JSON_H
#define PCAPDIAG_RULES_RULE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "rules/rule.h"

#define JSON_PATH_MAX 96

/**
 * struct json_place - Where in a rule file reading is
 * @rule:	the rule's id, or "rule N"
 * @path:	what stands before the key: "", "variants[0]."
 */
struct json_place {
	struct rule_set *set;
	const char *file;
	const char *rule;
	char path[JSON_PATH_MAX];
	struct errmsg *err;
};

/** json_fail() - Set the message; always returns false */
bool json_fail(const struct json_place *at, const char *key, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/** json_only_keys() - Does @object have none but these @keys? */
bool json_only_keys(const struct json_place *at, const json_t *object,
                    const char *const *keys);

/** json_is() - Is @value, called @key, of @type? */
bool json_is(const struct json_place *at, const char *key, const json_t *value,
             json_type type);

/**
 * json_text() - A string member, owned by the rule set
 * @out:	not touched if there is none and @required is false
 */
bool json_text(const struct json_place *at, const json_t *object,
               const char *key, bool required, const char **out);

/**
 * json_word() - A string member that is one of @words
 * @out:	set to its index; not touched if there is none and @required is
 *		false
 */
bool json_word(const struct json_place *at, const json_t *object,
               const char *key, bool required, const char *const *words,
               int *out);

/**
 * json_texts() - An array of strings
 * @out:	set to a NULL-terminated array, owned by the rule set
 */
bool json_texts(const struct json_place *at, const char *key,
                const json_t *array, const char ***out, size_t *n);

/**
 * json_enter() - Set @inner to element @i of the array @key within @at
 *
 * Return: the element, or NULL with a message if it is not an object
 */
const json_t *json_enter(const struct json_place *at, const char *key,
                         const json_t *array, size_t i,
                         struct json_place *inner);

/** json_array_member() - An array member; NULL in @out if there is none */
bool json_array_member(const struct json_place *at, const json_t *object,
                       const char *key, const json_t **out);

/**
 * rule_from_json() - Read one rule
 * @at:		@rule is set to its id
 *
 * Return: the rule, or NULL with a message
 */
struct rule *rule_from_json(struct json_place *at, const json_t *object);

#endif
