/*
 * Rules read from JSON files, typed and checked (design: "Rules").
 */
#ifndef PCAPDIAG_RULES_RULE_SET_H
#define PCAPDIAG_RULES_RULE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/errmsg.h"

struct rule_set;

struct rule_set *rule_set_new(void);
void rule_set_free(struct rule_set *set);

/**
 * rule_set_load() - Add the rules of a file, or of every *.json directly in a
 * folder (in order of name)
 *
 * Return: false with @err set to "FILE:LINE:COLUMN: …" or "FILE: RULE: KEY: …"
 */
bool rule_set_load(struct rule_set *set, const char *path, struct errmsg *err);

/**
 * rule_set_check() - What can be checked only when all are loaded: look-alikes
 * and explained rules that no one has heard of, circular explains
 */
bool rule_set_check(struct rule_set *set, struct errmsg *err);

size_t rule_set_count(const struct rule_set *set);

/** rule_set_digest() - 64-bit digest of all loaded files' contents, as hex */
const char *rule_set_digest(const struct rule_set *set);

/** rule_set_list() - Print one line a rule, by id */
void rule_set_list(const struct rule_set *set, FILE *out);

/** rule_set_explain() - Print all about rule @id; false if there is none */
bool rule_set_explain(const struct rule_set *set, const char *id, FILE *out);

#endif
