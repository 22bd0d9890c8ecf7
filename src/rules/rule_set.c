#include "rules/rule_set.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "rules/rule.h"
#include "rules/signature_ids.h"
#include "rules/suggest.h"

const char *const platform_names[] = {
	"any",        "vmware-workstation",
	"esxi",       "hyper-v",
	"virtualbox", "kvm",
	"cloud",      NULL,
};

const char *rule_class_name(enum rule_class class)
{
	switch (class) {
	case RULE_CLASS_FAULT:
		return "fault";
	case RULE_CLASS_NOTE:
		return "note";
	case RULE_CLASS_GATE:
		return "gate";
	}
	return "?";
}

struct rule_set *rule_set_new(void)
{
	return xcalloc(1, sizeof(struct rule_set));
}

void rule_free(struct rule *rule)
{
	if (!rule)
		return;
	expression_free(rule->when);
	for (size_t i = 0; i < rule->n_unless; i++)
		expression_free(rule->unless[i].when);
	for (size_t i = 0; i < rule->n_variants; i++)
		expression_free(rule->variants[i].when);
	free(rule);
}

void rule_set_free(struct rule_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++)
		rule_free(set->rules[i]);
	for (size_t i = 0; i < set->n_owned; i++)
		free(set->owned[i]);
	free(set->rules);
	free(set->owned);
	free(set);
}

void *rule_set_own(struct rule_set *set, void *p)
{
	set->owned = xreallocarray(set->owned, set->n_owned + 1,
	                           sizeof(*set->owned));
	set->owned[set->n_owned++] = p;
	return p;
}

const char *rule_set_text(struct rule_set *set, const char *text)
{
	return rule_set_own(set, text_copy(text));
}

const struct rule *rule_set_find(const struct rule_set *set, const char *id)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->rules[i]->id, id) == 0)
			return set->rules[i];
	return NULL;
}

void rule_set_add(struct rule_set *set, struct rule *rule)
{
	size_t at = set->count;

	set->rules = xreallocarray(set->rules, set->count + 1,
	                           sizeof(struct rule *));
	while (at > 0 && strcmp(set->rules[at - 1]->id, rule->id) > 0) {
		set->rules[at] = set->rules[at - 1];
		at--;
	}
	set->rules[at] = rule;
	set->count++;
}

bool rule_explains(const struct explains *e, const char *id)
{
	for (size_t i = 0; i < e->n_globs; i++)
		if (glob_matches(e->globs[i], id))
			return true;
	return false;
}

static bool fail_unknown_id(const struct rule *rule, const char *key,
                            const char *id, struct errmsg *err)
{
	struct suggestion s = { .word = id, .len = strlen(id) };
	char text[SUGGEST_TEXT_MAX];

	for (size_t i = 0; i < SIGNATURE_ID_COUNT; i++)
		suggestion_offer(&s, signature_ids[i]);
	return errmsg_set(err, "%s: %s: %s: unknown rule '%s'%s", rule->file,
	                  rule->id, key, id, suggestion_text(&s, text));
}

static bool matches_some_id(const char *glob)
{
	for (size_t i = 0; i < SIGNATURE_ID_COUNT; i++)
		if (glob_matches(glob, signature_ids[i]))
			return true;
	return false;
}

static bool check_ids(const struct rule *rule, struct errmsg *err)
{
	for (size_t i = 0; i < rule->n_unless; i++)
		if (!signature_id_known(rule->unless[i].rule))
			return fail_unknown_id(rule, "unless",
			                       rule->unless[i].rule, err);
	for (size_t i = 0; i < rule->n_explains; i++) {
		const struct explains *e = &rule->explains[i];

		for (size_t j = 0; j < e->n_globs; j++)
			if (!matches_some_id(e->globs[j]))
				return fail_unknown_id(rule, "explains",
				                       e->globs[j], err);
	}
	return true;
}

/* A glob that happens to match the rule itself does not mean it. */
static bool explains_rule(const struct rule *a, const struct rule *b)
{
	for (size_t i = 0; i < a->n_explains; i++) {
		const struct explains *e = &a->explains[i];

		for (size_t j = 0; j < e->n_globs; j++)
			if (glob_matches(e->globs[j], b->id) &&
			    (a != b || strcmp(e->globs[j], b->id) == 0))
				return true;
	}
	return false;
}

enum visit {
	VISIT_NEW,
	VISIT_OPEN, /* on the path that is being followed */
	VISIT_DONE,
};

/**
 * struct walk - A search for cycles
 * @path:	indices of the rules from the start to where it is now
 */
struct walk {
	const struct rule_set *set;
	enum visit *visits;
	size_t *path;
	size_t depth;
	struct errmsg *err;
};

static bool fail_circular(const struct walk *w, size_t back_to)
{
	const struct rule *rule = w->set->rules[back_to];
	struct strbuf sb = { 0 };
	size_t i = w->depth;

	while (i > 0 && w->path[i - 1] != back_to)
		i--;
	for (i--; i < w->depth; i++)
		strbuf_printf(&sb, "%s > ", w->set->rules[w->path[i]]->id);
	(void)errmsg_set(w->err, "%s: %s: explains: circular: %s%s", rule->file,
	                 rule->id, strbuf_text(&sb), rule->id);
	strbuf_free(&sb);
	return false;
}

/* Depth is bounded by the number of rules. */
static bool walk_from(struct walk *w, size_t from)
{
	w->visits[from] = VISIT_OPEN;
	w->path[w->depth++] = from;
	for (size_t i = 0; i < w->set->count; i++) {
		if (!explains_rule(w->set->rules[from], w->set->rules[i]))
			continue;
		if (w->visits[i] == VISIT_OPEN)
			return fail_circular(w, i);
		if (w->visits[i] == VISIT_NEW && !walk_from(w, i))
			return false;
	}
	w->depth--;
	w->visits[from] = VISIT_DONE;
	return true;
}

static bool check_cycles(const struct rule_set *set, struct errmsg *err)
{
	struct walk w = {
		.set = set,
		.visits = xcalloc(set->count + 1, sizeof(enum visit)),
		.path = xcalloc(set->count + 1, sizeof(size_t)),
		.err = err,
	};
	bool good = true;

	for (size_t i = 0; good && i < set->count; i++)
		if (w.visits[i] == VISIT_NEW)
			good = walk_from(&w, i);
	free(w.visits);
	free(w.path);
	return good;
}

bool rule_set_check(struct rule_set *set, struct errmsg *err)
{
	for (size_t i = 0; i < set->count; i++)
		if (!check_ids(set->rules[i], err))
			return false;
	return check_cycles(set, err);
}

size_t rule_set_count(const struct rule_set *set)
{
	return set->count;
}

const char *rule_set_digest(const struct rule_set *set)
{
	return set->digest_text;
}

void rule_set_list(const struct rule_set *set, FILE *out)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct rule *r = set->rules[i];

		(void)fprintf(out, "%-24s %-5s  %-8s  %s\n", r->id,
		              rule_class_name(r->ruling.class),
		              severity_name(r->ruling.severity), r->title);
	}
}

static void explain_fix(const struct ruling *ruling, FILE *out)
{
	for (size_t i = 0; i < ruling->n_fix; i++) {
		(void)fprintf(out, "  fix (%s):\n", ruling->fix[i].platform);
		for (const char **s = ruling->fix[i].steps; *s; s++)
			(void)fprintf(out, "    - %s\n", *s);
	}
}

static void explain_variant(const struct variant *v, FILE *out)
{
	(void)fprintf(out, "\nvariant %s (%s, %s)\n  when: %s\n  says: %s\n",
	              v->ruling.name, rule_class_name(v->ruling.class),
	              severity_name(v->ruling.severity), v->when->text,
	              v->ruling.statement);
	(void)fprintf(out, "  because: %s\n", v->ruling.cause);
}

bool rule_set_explain(const struct rule_set *set, const char *id, FILE *out)
{
	const struct rule *r = rule_set_find(set, id);

	if (!r)
		return false;
	(void)fprintf(out, "%s - %s (%s, %s)\n", r->id, r->title,
	              rule_class_name(r->ruling.class),
	              severity_name(r->ruling.severity));
	(void)fprintf(out, "  looks at: %s\n  when: %s\n", r->kind,
	              r->when->text);
	for (size_t i = 0; i < r->n_unless; i++)
		(void)fprintf(out, "  unless %s: %s\n", r->unless[i].rule,
		              r->unless[i].when->text);
	(void)fprintf(out, "  says: %s\n  because: %s\n", r->ruling.statement,
	              r->ruling.cause);
	explain_fix(&r->ruling, out);
	for (size_t i = 0; i < r->n_explains; i++)
		for (size_t j = 0; j < r->explains[i].n_globs; j++)
			(void)fprintf(out, "  explains: %s\n",
			              r->explains[i].globs[j]);
	for (size_t i = 0; i < r->n_variants; i++)
		explain_variant(&r->variants[i], out);
	return true;
}
