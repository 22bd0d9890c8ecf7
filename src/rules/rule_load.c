#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/strbuf.h"
#include "base/xalloc.h"
#include "rules/rule_json.h"

#define FILE_BYTES_MAX (16u << 20)

static bool fail_errno(const char *path, struct errmsg *err)
{
	return errmsg_set(err, "%s: %s", path, strerror(errno));
}

static bool read_file(const char *path, struct strbuf *out, struct errmsg *err)
{
	FILE *f = fopen(path, "rb");
	char buffer[8192];
	size_t n;
	bool good;

	if (!f)
		return fail_errno(path, err);
	while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0 &&
	       out->len <= FILE_BYTES_MAX)
		strbuf_add(out, buffer, n);
	good = !ferror(f) || fail_errno(path, err);
	(void)fclose(f);
	if (good && out->len > FILE_BYTES_MAX)
		return errmsg_set(err, "%s: too large for a rule file", path);
	return good;
}

/* The digest of all files so far and this one, in order */
static void add_to_digest(struct rule_set *set, const struct strbuf *content)
{
	char *both =
		text_format("%016" PRIx64 "%016" PRIx64, set->digest,
	                    hash_stable(strbuf_text(content), content->len));

	set->digest = hash_stable(both, strlen(both));
	free(both);
	(void)snprintf(set->digest_text, sizeof(set->digest_text),
	               "%016" PRIx64, set->digest);
}

static bool load_rules(struct rule_set *set, const char *file,
                       const json_t *array, struct errmsg *err)
{
	if (!json_is_array(array))
		return errmsg_set(err, "%s: the file is not an array of rules",
		                  file);
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *object = json_array_get(array, i);
		struct json_place at = { .set = set, .file = file, .err = err };
		char number[32];
		struct rule *rule;

		(void)snprintf(number, sizeof(number), "rule %zu", i + 1);
		at.rule = number;
		if (!json_is_object(object))
			return errmsg_set(err, "%s: %s: is not an object", file,
			                  number);
		rule = rule_from_json(&at, object);
		if (!rule)
			return false;
		rule_set_add(set, rule);
	}
	return true;
}

static bool load_file(struct rule_set *set, const char *path,
                      struct errmsg *err)
{
	struct strbuf content = { 0 };
	json_error_t error;
	json_t *root;
	bool good;

	if (!read_file(path, &content, err)) {
		strbuf_free(&content);
		return false;
	}
	add_to_digest(set, &content);
	root = json_loadb(strbuf_text(&content), content.len,
	                  JSON_REJECT_DUPLICATES, &error);
	strbuf_free(&content);
	if (!root)
		return errmsg_set(err, "%s:%d:%d: %s", path, error.line,
		                  error.column, error.text);
	good = load_rules(set, rule_set_text(set, path), root, err);
	json_decref(root);
	return good;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* JSON Schemas lie beside the rules for editors. */
static int is_rule_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && ends_with(entry->d_name, ".json") &&
	       !ends_with(entry->d_name, ".schema.json");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool load_folder(struct rule_set *set, const char *path,
                        struct errmsg *err)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_rule_file, by_name);
	bool good = true;

	if (n < 0)
		return fail_errno(path, err);
	if (n == 0)
		good = errmsg_set(err, "%s: no rule files (*.json) in it",
		                  path);
	for (int i = 0; i < n; i++) {
		if (good) {
			char *file =
				text_format("%s/%s", path, entries[i]->d_name);

			good = load_file(set, file, err);
			free(file);
		}
		free(entries[i]);
	}
	free(entries);
	return good;
}

bool rule_set_load(struct rule_set *set, const char *path, struct errmsg *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return fail_errno(path, err);
	return S_ISDIR(st.st_mode) ? load_folder(set, path, err)
	                           : load_file(set, path, err);
}
