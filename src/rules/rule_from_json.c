#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "rules/rule_json.h"
#include "rules/signature_ids.h"
#include "rules/suggest.h"
#include "rules/template.h"

static const char *const severity_words[] = {
	[SEVERITY_CRITICAL] = "critical",
	[SEVERITY_HIGH] = "high",
	[SEVERITY_MEDIUM] = "medium",
	[SEVERITY_LOW] = "low",
	NULL,
};

static const char *const class_words[] = {
	[RULE_CLASS_FAULT] = "fault",
	[RULE_CLASS_NOTE] = "note",
	[RULE_CLASS_GATE] = "gate",
	NULL,
};

static bool read_expression(const struct json_place *at, const json_t *object,
                            unsigned int kinds, struct expression **out)
{
	const char *text = NULL;
	struct errmsg err = { 0 };

	if (!json_text(at, object, "when", true, &text))
		return false;
	*out = expression_parse(text, kinds, &err);
	return *out || json_fail(at, "when", "%s", err.text);
}

static bool read_template(const struct json_place *at, const json_t *object,
                          const char *key, unsigned int kinds, bool required,
                          const char **out)
{
	struct errmsg err = { 0 };

	if (!json_text(at, object, key, required, out))
		return false;
	if (*out && !template_check(*out, kinds, &err))
		return json_fail(at, key, "%s", err.text);
	return true;
}

/* An enum word, "located" or null */
static bool read_placing(const struct json_place *at, const json_t *object,
                         const char *key, const struct enum_set *set,
                         struct placing *out)
{
	const json_t *value = json_object_get(object, key);
	struct suggestion s = { 0 };
	char text[SUGGEST_TEXT_MAX];

	if (!value)
		return true;
	*out = (struct placing){ .word = -1 };
	if (json_is_null(value))
		return true;
	if (!json_is(at, key, value, JSON_STRING))
		return false;

	s.word = json_string_value(value);
	s.len = strlen(s.word);
	out->located = strcmp(s.word, "located") == 0;
	out->word = enum_set_find(set, s.word, s.len);
	if (out->located || out->word >= 0)
		return true;
	for (size_t i = 0; set->words[i]; i++)
		suggestion_offer(&s, set->words[i]);
	suggestion_offer(&s, "located");
	return json_fail(at, key, "unknown word '%s'%s", s.word,
	                 suggestion_text(&s, text));
}

static bool read_fix_steps(const struct json_place *at, const json_t *object,
                           const char *platform, unsigned int kinds,
                           struct fix_steps *out)
{
	struct errmsg err = { 0 };
	size_t n;

	if (!json_texts(at, "fix", json_object_get(object, platform),
	                &out->steps, &n))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!template_check(out->steps[i], kinds, &err))
			return json_fail(at, "fix", "%s", err.text);
	out->platform = platform;
	return true;
}

static bool read_fix(const struct json_place *at, const json_t *object,
                     unsigned int kinds, bool required, struct ruling *out)
{
	const json_t *fix = json_object_get(object, "fix");
	struct json_place inner = *at;
	struct fix_steps *steps;

	if (!fix)
		return !required || json_fail(at, "fix", "is missing");
	if (!json_is(at, "fix", fix, JSON_OBJECT))
		return false;
	(void)strcpy(inner.path, "fix.");
	if (!json_only_keys(&inner, fix, platform_names))
		return false;

	steps = rule_set_own(
		at->set, xcalloc(json_object_size(fix) + 1, sizeof(*steps)));
	out->fix = steps;
	out->n_fix = 0;
	for (size_t i = 0; platform_names[i]; i++) {
		if (!json_object_get(fix, platform_names[i]))
			continue;
		if (!read_fix_steps(at, fix, platform_names[i], kinds,
		                    &steps[out->n_fix++]))
			return false;
	}
	return true;
}

/* What a rule must say and a variant may override */
static bool read_ruling(const struct json_place *at, const json_t *object,
                        unsigned int kinds, bool required, struct ruling *out)
{
	int class = (int)out->class, severity = (int)out->severity;

	if (!json_word(at, object, "class", false, class_words, &class) ||
	    !json_word(at, object, "severity", required, severity_words,
	               &severity))
		return false;
	out->class = (enum rule_class) class;
	out->severity = (enum severity)severity;
	if (required && !json_object_get(object, "place"))
		return json_fail(at, "place", "is missing");
	return read_placing(at, object, "place", &enum_set_place,
	                    &out->place) &&
	       read_template(at, object, "statement", kinds, required,
	                     &out->statement) &&
	       read_template(at, object, "cause", kinds, required,
	                     &out->cause) &&
	       read_fix(at, object, kinds, required, out);
}

static bool read_unless(const struct json_place *at, const json_t *object,
                        struct rule *rule)
{
	static const char *const keys[] = { "rule", "when", "question", NULL };
	const json_t *array;
	size_t n;

	if (!json_array_member(at, object, "unless", &array))
		return false;
	n = json_array_size(array);
	rule->unless =
		rule_set_own(at->set, xcalloc(n + 1, sizeof(*rule->unless)));
	for (size_t i = 0; i < n; i++) {
		struct look_alike *l = &rule->unless[rule->n_unless];
		struct json_place inner;
		const json_t *element =
			json_enter(at, "unless", array, i, &inner);

		if (!element || !json_only_keys(&inner, element, keys) ||
		    !json_text(&inner, element, "rule", true, &l->rule) ||
		    !json_text(&inner, element, "question", false,
		               &l->question) ||
		    !read_expression(&inner, element, rule->kinds, &l->when))
			return false;
		rule->n_unless++;
	}
	return true;
}

static bool read_variants(const struct json_place *at, const json_t *object,
                          struct rule *rule)
{
	static const char *const keys[] = { "name",     "when",  "class",
		                            "severity", "place", "statement",
		                            "cause",    "fix",   NULL };
	const json_t *array;
	size_t n;

	if (!json_array_member(at, object, "variants", &array))
		return false;
	n = json_array_size(array);
	rule->variants =
		rule_set_own(at->set, xcalloc(n + 1, sizeof(*rule->variants)));
	for (size_t i = 0; i < n; i++) {
		struct variant *v = &rule->variants[rule->n_variants];
		struct json_place inner;
		const json_t *element =
			json_enter(at, "variants", array, i, &inner);

		v->ruling = rule->ruling;
		if (!element || !json_only_keys(&inner, element, keys) ||
		    !json_text(&inner, element, "name", true,
		               &v->ruling.name) ||
		    !read_ruling(&inner, element, rule->kinds, false,
		                 &v->ruling) ||
		    !read_expression(&inner, element, rule->kinds, &v->when))
			return false;
		rule->n_variants++;
	}
	return true;
}

/* LEG@POINT */
static bool read_evidence_set(const struct json_place *at, const char *name,
                              struct evidence_set *out)
{
	const char *point = strchr(name, '@');
	int leg, role;

	if (!point)
		return json_fail(at, "evidence", "'%s' is not LEG@POINT", name);
	leg = evidence_leg_find(name, (size_t)(point - name));
	if (leg < 0)
		return json_fail(at, "evidence", "unknown leg in '%s'", name);
	role = enum_set_find(&enum_set_role, point + 1, strlen(point + 1));
	if (role < 0)
		return json_fail(at, "evidence", "unknown point in '%s'", name);
	out->leg = (enum evidence_leg)leg;
	out->at = (enum capture_role)role;
	return true;
}

static bool read_evidence(const struct json_place *at, const json_t *object,
                          struct rule *rule)
{
	const json_t *array = json_object_get(object, "evidence");
	const char **names;
	size_t n;

	if (!array)
		return true;
	if (!json_texts(at, "evidence", array, &names, &n))
		return false;
	rule->evidence =
		rule_set_own(at->set, xcalloc(n + 1, sizeof(*rule->evidence)));
	for (rule->n_evidence = 0; rule->n_evidence < n; rule->n_evidence++)
		if (!read_evidence_set(at, names[rule->n_evidence],
		                       &rule->evidence[rule->n_evidence]))
			return false;
	return true;
}

static bool read_same(const struct json_place *at, const char *name,
                      struct explains *out)
{
	struct suggestion s = { .word = name, .len = strlen(name) };
	char text[SUGGEST_TEXT_MAX];
	int label = label_find(name, s.len);

	if (strcmp(name, "place") == 0) {
		out->same_place = true;
		return true;
	}
	if (label == FIELD_LABEL_DIRECTION) {
		out->same_direction = true;
		return true;
	}
	if (label >= 0 && out->n_labels < RELATION_LABELS_MAX) {
		out->labels[out->n_labels++] = (enum field)label;
		return true;
	}
	for (int i = FIELD_LABEL_GUEST; i < FIELD_COUNT; i++)
		suggestion_offer(&s, field_info((enum field)i)->name);
	return json_fail(at, "same", "unknown label '%s'%s", name,
	                 suggestion_text(&s, text));
}

static bool read_explains_one(const struct json_place *at,
                              const json_t *element, struct explains *out)
{
	static const char *const keys[] = { "rules", "same", NULL };
	const char **same;
	size_t n;

	if (!json_only_keys(at, element, keys))
		return false;
	for (size_t i = 0; keys[i]; i++)
		if (!json_object_get(element, keys[i]))
			return json_fail(at, keys[i], "is missing");
	if (!json_texts(at, "rules", json_object_get(element, "rules"),
	                &out->globs, &out->n_globs) ||
	    !json_texts(at, "same", json_object_get(element, "same"), &same,
	                &n))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!read_same(at, same[i], out))
			return false;
	return true;
}

static bool read_explains(const struct json_place *at, const json_t *object,
                          struct rule *rule)
{
	const json_t *array;
	size_t n;

	if (!json_array_member(at, object, "explains", &array))
		return false;
	n = json_array_size(array);
	rule->explains =
		rule_set_own(at->set, xcalloc(n + 1, sizeof(*rule->explains)));
	for (size_t i = 0; i < n; i++) {
		struct json_place inner;
		const json_t *element =
			json_enter(at, "explains", array, i, &inner);

		if (!element ||
		    !read_explains_one(&inner, element, &rule->explains[i]))
			return false;
		rule->n_explains++;
	}
	return true;
}

static bool read_kind(const struct json_place *at, const json_t *object,
                      struct rule *rule)
{
	struct suggestion s = { 0 };
	char text[SUGGEST_TEXT_MAX];

	if (!json_text(at, object, "for", true, &rule->kind))
		return false;
	s.word = rule->kind;
	s.len = strlen(s.word);
	rule->kinds = fact_kind_find(s.word, s.len);
	if (rule->kinds)
		return true;
	for (int i = 0; i <= FACT_KIND_EXCHANGE; i++)
		suggestion_offer(&s, fact_kind_name((enum fact_kind)i));
	return json_fail(at, "for", "unknown kind of fact '%s'%s", s.word,
	                 suggestion_text(&s, text));
}

static bool read_id(struct json_place *at, const json_t *object,
                    struct rule *rule)
{
	struct suggestion s = { 0 };
	char text[SUGGEST_TEXT_MAX];
	const struct rule *other;

	if (!json_text(at, object, "id", true, &rule->id))
		return false;
	at->rule = rule->id;
	other = rule_set_find(at->set, rule->id);
	if (other)
		return json_fail(at, "id", "%s has a rule of this id already",
		                 other->file);
	if (signature_id_known(rule->id))
		return true;
	s.word = rule->id;
	s.len = strlen(s.word);
	for (size_t i = 0; i < SIGNATURE_ID_COUNT; i++)
		suggestion_offer(&s, signature_ids[i]);
	return json_fail(at, "id", "no such failure signature%s",
	                 suggestion_text(&s, text));
}

static bool read_rule(struct json_place *at, const json_t *object,
                      struct rule *rule)
{
	static const char *const keys[] = {
		"id",        "class",    "severity",  "title",
		"for",       "when",     "unless",    "place",
		"direction", "variants", "statement", "cause",
		"fix",       "evidence", "explains",  NULL
	};

	rule->file = at->file;
	rule->direction.word = -1;
	return read_id(at, object, rule) && json_only_keys(at, object, keys) &&
	       json_text(at, object, "title", true, &rule->title) &&
	       read_kind(at, object, rule) &&
	       read_expression(at, object, rule->kinds, &rule->when) &&
	       read_ruling(at, object, rule->kinds, true, &rule->ruling) &&
	       read_placing(at, object, "direction", &enum_set_direction,
	                    &rule->direction) &&
	       read_unless(at, object, rule) &&
	       read_variants(at, object, rule) &&
	       read_evidence(at, object, rule) &&
	       read_explains(at, object, rule);
}

struct rule *rule_from_json(struct json_place *at, const json_t *object)
{
	struct rule *rule = xcalloc(1, sizeof(*rule));

	if (!read_rule(at, object, rule)) {
		rule_free(rule);
		return NULL;
	}
	return rule;
}
