#include "corpus/expect.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "report/names.h"

#define NS_PER_S 1e9

/* A clock may be this far off; and the stated error may lack this much. */
#define OFFSET_TOLERANCE_NS 5e6
#define ERROR_TOLERANCE_NS 1e6

/* Checked on reading, so that comparing needs no further look at types. */
struct expect {
	json_t *root;
};

enum shape {
	SHAPE_TEXT,
	SHAPE_TEXT_OR_NULL,
	SHAPE_NUMBER,
	SHAPE_TEXTS,
	SHAPE_DIAGNOSES,
};

struct key {
	const char *name;
	enum shape shape;
	bool needed;
};

static const struct key root_keys[] = {
	{ "verdict", SHAPE_TEXT, true },
	{ "diagnoses", SHAPE_DIAGNOSES, false },
	{ "notes", SHAPE_TEXTS, false },
	{ "absent", SHAPE_TEXTS, false },
	{ "mode", SHAPE_TEXT, false },
	{ "offset_s", SHAPE_NUMBER, false },
	{ "why", SHAPE_TEXT, false },
	{ "origin", SHAPE_TEXT, false },
	{ NULL, SHAPE_TEXT, false },
};

static const struct key diagnosis_keys[] = {
	{ "rule", SHAPE_TEXT, true },
	{ "place", SHAPE_TEXT_OR_NULL, false },
	{ "direction", SHAPE_TEXT_OR_NULL, false },
	{ "subjects", SHAPE_TEXTS, false },
	{ NULL, SHAPE_TEXT, false },
};

static bool check_keys(const json_t *object, const struct key *keys,
                       const char *where, struct errmsg *err);

static bool are_texts(const json_t *array)
{
	size_t i;
	json_t *item;

	if (!json_is_array(array))
		return false;
	json_array_foreach(array, i,
	                   item) if (!json_is_string(item)) return false;
	return true;
}

static bool are_diagnoses(const json_t *array, const char *where,
                          struct errmsg *err)
{
	size_t i;
	json_t *item;

	if (!json_is_array(array))
		return errmsg_set(err, "%s: diagnoses: must be a list", where);
	json_array_foreach(array, i, item)
	{
		char *place = text_format("%s: diagnoses[%zu]", where, i);
		bool ok = check_keys(item, diagnosis_keys, place, err);

		free(place);
		if (!ok)
			return false;
	}
	return true;
}

static bool check_value(const json_t *value, const struct key *key,
                        const char *where, struct errmsg *err)
{
	switch (key->shape) {
	case SHAPE_TEXT:
		return json_is_string(value) ||
		       errmsg_set(err, "%s: %s: must be a text", where,
		                  key->name);
	case SHAPE_TEXT_OR_NULL:
		return json_is_string(value) || json_is_null(value) ||
		       errmsg_set(err, "%s: %s: must be a text or null", where,
		                  key->name);
	case SHAPE_NUMBER:
		return json_is_number(value) ||
		       errmsg_set(err, "%s: %s: must be a number", where,
		                  key->name);
	case SHAPE_TEXTS:
		return are_texts(value) ||
		       errmsg_set(err, "%s: %s: must be a list of texts", where,
		                  key->name);
	case SHAPE_DIAGNOSES:
		return are_diagnoses(value, where, err);
	}
	return false;
}

static const struct key *key_find(const struct key *keys, const char *name)
{
	while (keys->name && strcmp(keys->name, name) != 0)
		keys++;
	return keys->name ? keys : NULL;
}

static bool check_keys(const json_t *object, const struct key *keys,
                       const char *where, struct errmsg *err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return errmsg_set(err, "%s: must be an object", where);
	/* jansson's iteration does not change the object. */
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const struct key *key = key_find(keys, name);

		if (!key)
			return errmsg_set(err, "%s: %s: no such key", where,
			                  name);
		if (!check_value(value, key, where, err))
			return false;
	}
	for (; keys->name; keys++)
		if (keys->needed && !json_object_get(object, keys->name))
			return errmsg_set(err, "%s: %s: is missing", where,
			                  keys->name);
	return true;
}

struct expect *expect_read(const char *path, struct errmsg *err)
{
	struct expect *e;
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	if (!root && error.line < 0) {
		errmsg_set(err, "%s: %s", path, error.text);
		return NULL;
	}
	if (!root) {
		errmsg_set(err, "%s:%d:%d: %s", path, error.line, error.column,
		           error.text);
		return NULL;
	}
	if (!check_keys(root, root_keys, path, err)) {
		json_decref(root);
		return NULL;
	}
	e = xcalloc(1, sizeof(*e));
	e->root = root;
	return e;
}

void expect_free(struct expect *e)
{
	if (!e)
		return;
	json_decref(e->root);
	free(e);
}

static const char *or_none(const char *text)
{
	return text && *text ? text : "none";
}

static void compare_text(const char *what, const char *expected,
                         const char *got, struct strbuf *differences)
{
	if (strcmp(expected, got) != 0)
		strbuf_printf(differences, "%s: expected %s, got %s\n", what,
		              or_none(expected), or_none(got));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts @texts, appends them with commas, frees them. */
static void put_sorted(char **texts, size_t n, struct strbuf *out)
{
	if (n)
		qsort(texts, n, sizeof(*texts), by_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(texts[i], texts[i - 1]) != 0)
			strbuf_printf(out, "%s%s", i ? ", " : "", texts[i]);
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void put_subjects_expected(const json_t *list, struct strbuf *out)
{
	size_t n = json_array_size(list);
	char **texts = xcalloc(n + 1, sizeof(*texts));

	for (size_t i = 0; i < n; i++)
		texts[i] =
			text_copy(json_string_value(json_array_get(list, i)));
	put_sorted(texts, n, out);
}

/* Where nothing expected names a protocol, it is not compared. */
static bool names_protocol(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strchr(json_string_value(json_array_get(list, i)), '/'))
			return true;
	return false;
}

static void put_subjects_got(const struct diagnosis *d, bool with_protocol,
                             struct strbuf *out)
{
	char **texts = xcalloc(d->n_subjects + 1, sizeof(*texts));

	for (size_t i = 0; i < d->n_subjects; i++) {
		struct strbuf text = { 0 };

		subject_text(&d->subjects[i], &text);
		texts[i] = strbuf_steal(&text);
		if (!with_protocol)
			texts[i][strcspn(texts[i], "/")] = '\0';
	}
	put_sorted(texts, d->n_subjects, out);
}

static const char *word_of(const struct enum_set *set, int i)
{
	return i < 0 ? "null" : set->words[i];
}

static void compare_word(const json_t *expected, const struct diagnosis *d,
                         const char *key, const char *got,
                         struct strbuf *differences)
{
	const json_t *value = json_object_get(expected, key);
	char *what;

	if (!value)
		return;
	what = text_format("%s: %s", d->rule, key);
	compare_text(what,
	             json_is_null(value) ? "null" : json_string_value(value),
	             got, differences);
	free(what);
}

static void compare_subjects(const json_t *expected, const struct diagnosis *d,
                             struct strbuf *differences)
{
	const json_t *list = json_object_get(expected, "subjects");
	struct strbuf want = { 0 }, got = { 0 };
	char *what;

	if (!list)
		return;
	put_subjects_expected(list, &want);
	put_subjects_got(d, names_protocol(list), &got);
	what = text_format("%s: subjects", d->rule);
	compare_text(what, strbuf_text(&want), strbuf_text(&got), differences);
	free(what);
	strbuf_free(&want);
	strbuf_free(&got);
}

static const char *rule_expected(const json_t *list, size_t i)
{
	return json_string_value(
		json_object_get(json_array_get(list, i), "rule"));
}

static bool are_same_rules(const json_t *list, const struct judgement *j)
{
	if (json_array_size(list) != j->n_diagnoses)
		return false;
	for (size_t i = 0; i < j->n_diagnoses; i++)
		if (strcmp(rule_expected(list, i), j->diagnoses[i].rule) != 0)
			return false;
	return true;
}

static void tell_rules(const json_t *list, const struct judgement *j,
                       struct strbuf *differences)
{
	struct strbuf want = { 0 }, got = { 0 };

	for (size_t i = 0; i < json_array_size(list); i++)
		strbuf_printf(&want, "%s%s", i ? ", " : "",
		              rule_expected(list, i));
	for (size_t i = 0; i < j->n_diagnoses; i++) {
		const struct diagnosis *d = &j->diagnoses[i];

		strbuf_printf(&got, "%s%s (%s, %s)", i ? ", " : "", d->rule,
		              word_of(&enum_set_place, d->place),
		              word_of(&enum_set_direction, d->direction));
	}
	strbuf_printf(differences, "diagnoses: expected %s, got %s\n",
	              or_none(strbuf_text(&want)), or_none(strbuf_text(&got)));
	strbuf_free(&want);
	strbuf_free(&got);
}

static void compare_diagnoses(const struct expect *e, const struct judgement *j,
                              struct strbuf *differences)
{
	const json_t *list = json_object_get(e->root, "diagnoses");

	if (!list)
		return;
	if (!are_same_rules(list, j)) {
		tell_rules(list, j, differences);
		return;
	}
	for (size_t i = 0; i < j->n_diagnoses; i++) {
		const json_t *expected = json_array_get(list, i);
		const struct diagnosis *d = &j->diagnoses[i];

		compare_word(expected, d, "place",
		             word_of(&enum_set_place, d->place), differences);
		compare_word(expected, d, "direction",
		             word_of(&enum_set_direction, d->direction),
		             differences);
		compare_subjects(expected, d, differences);
	}
}

static bool has_rule(const struct diagnosis *list, size_t n, const char *rule)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].rule, rule) == 0)
			return true;
	return false;
}

static void compare_notes(const struct expect *e, const struct judgement *j,
                          struct strbuf *differences)
{
	const json_t *list = json_object_get(e->root, "notes");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *rule = json_string_value(json_array_get(list, i));

		if (!has_rule(j->notes, j->n_notes, rule))
			strbuf_printf(differences,
			              "notes: expected %s, not there\n", rule);
	}
}

static void compare_absent(const struct expect *e, const struct judgement *j,
                           struct strbuf *differences)
{
	const json_t *list = json_object_get(e->root, "absent");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *rule = json_string_value(json_array_get(list, i));

		if (has_rule(j->diagnoses, j->n_diagnoses, rule) ||
		    has_rule(j->symptoms, j->n_symptoms, rule) ||
		    has_rule(j->notes, j->n_notes, rule))
			strbuf_printf(differences,
			              "absent: %s fires and must not\n", rule);
	}
}

static void compare_mode(const struct expect *e,
                         const struct incident *incident,
                         struct strbuf *differences)
{
	const json_t *mode = json_object_get(e->root, "mode");
	const char *got = "no guest";

	if (!mode)
		return;
	if (incident->n_nics)
		got = enum_set_mode.words[incident->nics[0].mode];
	compare_text("mode", json_string_value(mode), got, differences);
}

static void compare_offset(const struct expect *e,
                           const struct incident *incident,
                           struct strbuf *differences)
{
	const json_t *offset = json_object_get(e->root, "offset_s");
	const struct incident_clock *clock = &incident->clock;
	double expected_ns, off_ns, error_ns;

	if (!offset)
		return;
	expected_ns = json_number_value(offset) * NS_PER_S;
	if (!clock->known) {
		strbuf_printf(differences,
		              "offset_s: expected %.6f, got unknown\n",
		              expected_ns / NS_PER_S);
		return;
	}
	off_ns = fabs((double)clock->offset_ns - expected_ns);
	error_ns = (double)(clock->error_ns > 0 ? clock->error_ns : 0);
	if (off_ns > OFFSET_TOLERANCE_NS ||
	    off_ns > error_ns + ERROR_TOLERANCE_NS)
		strbuf_printf(differences,
		              "offset_s: expected %.6f, got %.6f +- %.6f\n",
		              expected_ns / NS_PER_S,
		              (double)clock->offset_ns / NS_PER_S,
		              error_ns / NS_PER_S);
}

void expect_compare(const struct expect *e, const struct incident *incident,
                    const struct judgement *judgement,
                    struct strbuf *differences)
{
	const json_t *verdict = json_object_get(e->root, "verdict");

	compare_text("verdict", json_string_value(verdict),
	             verdict_name(judgement->verdict), differences);
	compare_diagnoses(e, judgement, differences);
	compare_notes(e, judgement, differences);
	compare_absent(e, judgement, differences);
	compare_mode(e, incident, differences);
	compare_offset(e, incident, differences);
}
