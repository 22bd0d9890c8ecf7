#include "corpus/corpus.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "corpus/expect.h"
#include "diagnose.h"

struct run {
	const char *folder;
	const struct rule_set *rules;
	struct strbuf *out;
	struct corpus_result *result;
};

/** struct pair - The captures of one folder, by name */
struct pair {
	char **host;
	size_t n_host;
	char **vm;
	size_t n_vm;
};

static void add_path(char ***paths, size_t *n, char *path)
{
	*paths = xreallocarray(*paths, *n + 1, sizeof(**paths));
	(*paths)[(*n)++] = path;
}

static void free_paths(char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}

static bool is_capture_suffix(const char *suffix)
{
	static const char *const suffixes[] = {
		".pcap",   ".pcapng",   ".cap",        ".pcap.gz", ".pcapng.gz",
		".cap.gz", ".pcap.zst", ".pcapng.zst", ".cap.zst",
	};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (strcmp(suffix, suffixes[i]) == 0)
			return true;
	return false;
}

/* "host.pcap", "host2.pcapng.gz" … for role "host" */
static bool is_capture_of(const char *role, const char *name)
{
	size_t n = strlen(role);

	if (strncmp(name, role, n) != 0)
		return false;
	name += n;
	while (isdigit((unsigned char)*name))
		name++;
	return is_capture_suffix(name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool is_folder(const char *path)
{
	struct stat st;

	/* Links to folders are not followed: they could lead in circles. */
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void put_escaped_lines(struct strbuf *out, const char *name,
                              const char *lines)
{
	while (*lines) {
		size_t n = strcspn(lines, "\n");

		strbuf_put_escaped(out, name, strlen(name));
		strbuf_puts(out, ": ");
		strbuf_put_escaped(out, lines, n);
		strbuf_puts(out, "\n");
		lines += n + (lines[n] == '\n');
	}
}

/* What the pair is called: its folder below the corpus. */
static const char *name_of(const struct run *run, const char *folder)
{
	size_t n = strlen(run->folder);

	if (strncmp(folder, run->folder, n) != 0)
		return folder;
	folder += n;
	while (*folder == '/')
		folder++;
	return *folder ? folder : ".";
}

static void finish(struct run *run, const char *folder, const char *lines)
{
	put_escaped_lines(run->out, name_of(run, folder), lines);
	if (*lines)
		run->result->failed++;
	else
		run->result->passed++;
}

static void compare(struct run *run, const char *folder,
                    const struct expect *expect,
                    const struct incident *incident,
                    const struct judgement *judgement)
{
	struct strbuf lines = { 0 };

	if (expect) {
		expect_compare(expect, incident, judgement, &lines);
		finish(run, folder, strbuf_text(&lines));
	} else {
		strbuf_printf(&lines, "no expect.json; %s: %s",
		              verdict_name(judgement->verdict),
		              judgement->summary ? judgement->summary : "");
		put_escaped_lines(run->out, name_of(run, folder),
		                  strbuf_text(&lines));
		run->result->skipped++;
	}
	strbuf_free(&lines);
}

static void diagnose_pair(struct run *run, const char *folder,
                          const struct pair *pair, const struct expect *expect)
{
	const struct diagnose_input input = {
		.host = (const char *const *)pair->host,
		.n_host = pair->n_host,
		.vm = (const char *const *)pair->vm,
		.n_vm = pair->n_vm,
	};
	struct incident *incident;
	struct judgement *judgement;
	struct errmsg err = { 0 };

	if (!diagnose(&input, run->rules, &incident, &judgement, &err)) {
		finish(run, folder, err.text);
		return;
	}
	compare(run, folder, expect, incident, judgement);
	judgement_free(judgement);
	incident_free(incident);
}

static void run_pair(struct run *run, const char *folder,
                     const struct pair *pair)
{
	char *path = text_format("%s/expect.json", folder);
	struct expect *expect = NULL;
	struct errmsg err = { 0 };

	if (access(path, F_OK) == 0)
		expect = expect_read(path, &err);
	if (err.text[0])
		finish(run, folder, err.text);
	else
		diagnose_pair(run, folder, pair, expect);
	expect_free(expect);
	free(path);
}

static bool visit(struct run *run, const char *folder, struct errmsg *err);

static bool visit_entries(struct run *run, const char *folder,
                          struct dirent **entries, int n, struct pair *pair,
                          struct errmsg *err)
{
	bool ok = true;

	for (int i = 0; ok && i < n; i++) {
		const char *name = entries[i]->d_name;
		char *path = text_format("%s/%s", folder, name);

		if (is_folder(path)) {
			ok = visit(run, path, err);
			free(path);
		} else if (is_capture_of("host", name)) {
			add_path(&pair->host, &pair->n_host, path);
		} else if (is_capture_of("vm", name)) {
			add_path(&pair->vm, &pair->n_vm, path);
		} else {
			free(path);
		}
	}
	return ok;
}

static bool visit(struct run *run, const char *folder, struct errmsg *err)
{
	struct pair pair = { 0 };
	struct dirent **entries;
	int n = scandir(folder, &entries, is_visible, by_name);
	bool ok;

	if (n < 0)
		return errmsg_set(err, "%s: %s", folder, strerror(errno));
	ok = visit_entries(run, folder, entries, n, &pair, err);
	if (ok && (pair.n_host || pair.n_vm))
		run_pair(run, folder, &pair);

	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	free_paths(pair.host, pair.n_host);
	free_paths(pair.vm, pair.n_vm);
	return ok;
}

bool corpus_run(const char *folder, const struct rule_set *rules,
                struct strbuf *out, struct corpus_result *result,
                struct errmsg *err)
{
	struct run run = {
		.folder = folder,
		.rules = rules,
		.out = out,
		.result = result,
	};

	*result = (struct corpus_result){ 0 };
	if (!visit(&run, folder, err))
		return false;
	if (result->passed + result->failed + result->skipped == 0)
		return errmsg_set(err, "%s: no host.* or vm.* capture below it",
		                  folder);
	strbuf_printf(out, "%zu passed, %zu failed", result->passed,
	              result->failed);
	if (result->skipped)
		strbuf_printf(out, ", %zu skipped", result->skipped);
	strbuf_puts(out, "\n");
	return true;
}
