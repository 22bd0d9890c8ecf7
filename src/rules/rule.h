/*
 * A rule as loaded.  Texts and arrays belong to the rule set.
 */
#ifndef PCAPDIAG_RULES_RULE_H
#define PCAPDIAG_RULES_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/expr.h"
#include "rules/judgement.h"
#include "rules/rule_set.h"

/**
 * struct placing - A place or a direction
 * @located:	taken from the fact; else @word
 * @word:	of the enum, or -1: null
 */
struct placing {
	bool located;
	int word;
};

/**
 * struct ruling - What a rule, or one variant of it, says
 * @name:	of the variant; NULL: the rule itself
 */
struct ruling {
	const char *name;
	enum rule_class class;
	enum severity severity;
	struct placing place;
	const char *statement;
	const char *cause;
	const struct fix_steps *fix;
	size_t n_fix;
};

/** struct variant - @ruling holds all: what it does not override is copied */
struct variant {
	struct expression *when;
	struct ruling ruling;
};

struct look_alike {
	const char *rule;
	const char *question; /* "whether ..." in words, or NULL */
	struct expression *when;
};

struct evidence_set {
	enum evidence_leg leg;
	enum capture_role at;
};

/**
 * struct explains - Which other findings a finding explains
 * @globs:	ids, in which * stands for any characters
 * @labels:	known and equal at both facts
 * @same_place, @same_direction: so are the findings' place and direction
 */
struct explains {
	const char **globs;
	size_t n_globs;
	enum field labels[RELATION_LABELS_MAX];
	size_t n_labels;
	bool same_place;
	bool same_direction;
};

struct rule {
	const char *id;
	const char *title;
	const char *file;
	const char *kind;
	unsigned int kinds;
	struct expression *when;
	struct look_alike *unless;
	size_t n_unless;
	struct placing direction;
	struct ruling ruling;
	struct variant *variants;
	size_t n_variants;
	struct evidence_set *evidence;
	size_t n_evidence;
	struct explains *explains;
	size_t n_explains;
};

/**
 * struct rule_set - All rules
 * @rules:	in order of id
 * @owned:	blocks of memory to be freed with the set
 */
struct rule_set {
	struct rule **rules;
	size_t count;
	void **owned;
	size_t n_owned;
	uint64_t digest;
	char digest_text[17];
};

/** rule_set_own() - Let @set free @p; returns @p */
void *rule_set_own(struct rule_set *set, void *p);

/** rule_set_text() - A copy of @text, owned by @set */
const char *rule_set_text(struct rule_set *set, const char *text);

/** rule_set_find() - The rule called @id, or NULL */
const struct rule *rule_set_find(const struct rule_set *set, const char *id);

/** rule_set_add() - Give @rule to @set; its id is not in it yet */
void rule_set_add(struct rule_set *set, struct rule *rule);

/** rule_explains() - Does one of @e's globs match @id? */
bool rule_explains(const struct explains *e, const char *id);

/** rule_free() - Free the expressions of @rule and itself; NULL is allowed */
void rule_free(struct rule *rule);

extern const char *const platform_names[]; /* NULL-terminated */

const char *rule_class_name(enum rule_class class);

#endif
