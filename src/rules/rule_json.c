#include "rules/rule_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "rules/suggest.h"

bool json_fail(const struct json_place *at, const char *key, const char *format,
               ...)
{
	char message[ERRMSG_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return errmsg_set(at->err, "%s: %s: %s%s: %s", at->file, at->rule,
	                  at->path, key, message);
}

static const char *type_name(json_type type)
{
	switch (type) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "?";
}

static bool is_among(const char *key, const char *const *keys,
                     struct suggestion *s)
{
	for (size_t i = 0; keys[i]; i++) {
		if (strcmp(key, keys[i]) == 0)
			return true;
		suggestion_offer(s, keys[i]);
	}
	return false;
}

bool json_only_keys(const struct json_place *at, const json_t *object,
                    const char *const *keys)
{
	/* jansson iterates over objects that it may not change, too */
	void *i = json_object_iter((json_t *)(uintptr_t)object);

	for (; i; i = json_object_iter_next((json_t *)(uintptr_t)object, i)) {
		const char *key = json_object_iter_key(i);
		struct suggestion s = { .word = key, .len = strlen(key) };
		char text[SUGGEST_TEXT_MAX];

		if (!is_among(key, keys, &s))
			return json_fail(at, key, "unknown key%s",
			                 suggestion_text(&s, text));
	}
	return true;
}

bool json_is(const struct json_place *at, const char *key, const json_t *value,
             json_type type)
{
	if (json_typeof(value) == type)
		return true;
	return json_fail(at, key, "%s is needed here, not %s", type_name(type),
	                 type_name(json_typeof(value)));
}

bool json_text(const struct json_place *at, const json_t *object,
               const char *key, bool required, const char **out)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return !required || json_fail(at, key, "is missing");
	if (!json_is(at, key, value, JSON_STRING))
		return false;
	*out = rule_set_text(at->set, json_string_value(value));
	return true;
}

bool json_word(const struct json_place *at, const json_t *object,
               const char *key, bool required, const char *const *words,
               int *out)
{
	const json_t *value = json_object_get(object, key);
	struct suggestion s = { 0 };
	char text[SUGGEST_TEXT_MAX];

	if (!value)
		return !required || json_fail(at, key, "is missing");
	if (!json_is(at, key, value, JSON_STRING))
		return false;
	s.word = json_string_value(value);
	s.len = strlen(s.word);
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], s.word) == 0) {
			*out = i;
			return true;
		}
		suggestion_offer(&s, words[i]);
	}
	return json_fail(at, key, "unknown word '%s'%s", s.word,
	                 suggestion_text(&s, text));
}

bool json_texts(const struct json_place *at, const char *key,
                const json_t *array, const char ***out, size_t *n)
{
	const char **texts;

	if (!json_is(at, key, array, JSON_ARRAY))
		return false;
	*n = json_array_size(array);
	texts = rule_set_own(at->set, xcalloc(*n + 1, sizeof(*texts)));
	for (size_t i = 0; i < *n; i++) {
		const json_t *text = json_array_get(array, i);

		if (!json_is(at, key, text, JSON_STRING))
			return false;
		texts[i] = rule_set_text(at->set, json_string_value(text));
	}
	*out = texts;
	return true;
}

bool json_array_member(const struct json_place *at, const json_t *object,
                       const char *key, const json_t **out)
{
	*out = json_object_get(object, key);
	return !*out || json_is(at, key, *out, JSON_ARRAY);
}

const json_t *json_enter(const struct json_place *at, const char *key,
                         const json_t *array, size_t i,
                         struct json_place *inner)
{
	const json_t *element = json_array_get(array, i);
	char path[JSON_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.60s%s[%zu]", at->path, key, i);
	*inner = *at;
	inner->path[0] = '\0';
	if (!json_is(inner, path, element, JSON_OBJECT))
		return NULL;
	(void)snprintf(inner->path, sizeof(inner->path), "%.*s.",
	               (int)sizeof(inner->path) - 2, path);
	return element;
}
