/*
 * pcapdiag: two captures of one incident in, one diagnosis out.
 *
 * The layers, each knowing only what is below it.  The analysing half (left) and
 * the judging half (right) meet in facts alone; tests/layers.sh holds them to it.
 *
 *     main, options, output
 *     corpus        many pairs, compared with what is expected
 *     diagnose      the whole as one call
 *     correlate     the same packet at several points; clock, NAT, path
 *     |                           report   judgement -> text, JSON
 *     track         exchanges     rules    facts -> findings -> root causes
 *     decode        packets       |
 *     facts         the vocabulary and the store: written left, read right
 *     capture       file -> frames
 *     base          cursor, addresses, text, hash table
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/errmsg.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "corpus/corpus.h"
#include "diagnose.h"
#include "list_facts.h"
#include "options.h"
#include "output.h"
#include "report/report.h"
#include "rules/why_not.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MAX 120

static enum status complain(const struct errmsg *err, enum status status)
{
	struct strbuf text = { 0 };
	const char *line = err->text;

	strbuf_puts(&text, "pcapdiag: ");
	while (*line) {
		size_t n = strcspn(line, "\n");

		strbuf_put_escaped(&text, line, n);
		strbuf_puts(&text, "\n");
		line += n + (line[n] == '\n');
	}
	(void)fputs(strbuf_text(&text), stderr);
	strbuf_free(&text);
	return status;
}

static enum status put(const struct options *options, struct strbuf *text,
                       enum status status)
{
	struct errmsg err = { 0 };

	if (!options->quiet || options->output)
		if (!output_write(options->output, strbuf_text(text), text->len,
		                  &err))
			status = complain(&err, STATUS_INTERNAL);
	strbuf_free(text);
	return status;
}

static bool load_list(struct rule_set *rules, const struct path_list *list,
                      struct errmsg *err)
{
	for (size_t i = 0; i < list->n; i++)
		if (!rule_set_load(rules, list->paths[i], err))
			return false;
	return true;
}

static bool load_rules(struct rule_set *rules, const struct options *options,
                       struct errmsg *err)
{
	if (!options->rules.n &&
	    !rule_set_load(rules, PKGDATADIR "/rules", err))
		return false;
	return load_list(rules, &options->rules, err) &&
	       load_list(rules, &options->extra_rules, err) &&
	       rule_set_check(rules, err);
}

static unsigned int width_of_output(const struct options *options)
{
	struct winsize size;

	if (options->output || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
	    size.ws_col < 1)
		return WIDTH_DEFAULT;
	return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

static enum status status_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_HEALTHY:
		return STATUS_HEALTHY;
	case VERDICT_FAULT:
		return STATUS_FAULT;
	case VERDICT_INCONCLUSIVE:
		break;
	}
	return STATUS_INCONCLUSIVE;
}

static void tell_inputs(const struct incident *incident)
{
	for (size_t i = 0; i < incident->n_captures; i++) {
		const struct incident_capture *c = &incident->captures[i];
		struct strbuf text = { 0 };

		strbuf_puts(&text, "pcapdiag: ");
		strbuf_put_escaped(&text, c->file, strlen(c->file));
		strbuf_printf(&text,
		              ": %s, %ju frames: %ju truncated, %ju malformed, "
		              "%ju unsupported\n",
		              c->format, (uintmax_t)c->packets,
		              (uintmax_t)c->truncated, (uintmax_t)c->malformed,
		              (uintmax_t)c->unsupported);
		(void)fputs(strbuf_text(&text), stderr);
		strbuf_free(&text);
	}
}

static void write_report(const struct options *options,
                         const struct report_input *report, struct strbuf *text)
{
	if (options->task == TASK_WHY_NOT) {
		why_not(report->rules, report->incident, options->explain,
		        text);
		return;
	}
	switch (options->format) {
	case FORMAT_TEXT:
		report_text(report, text);
		break;
	case FORMAT_JSON:
		report_json(report, text);
		break;
	}
}

static enum status run_diagnose(const struct options *options,
                                const struct rule_set *rules)
{
	const struct diagnose_input input = {
		.host = options->host.paths,
		.n_host = options->host.n,
		.vm = options->vm.paths,
		.n_vm = options->vm.n,
		.alone = options->alone,
		.hints = options->hints,
		.services = options->task == TASK_DIAGNOSE,
	};
	struct report_input report = {
		.rules = rules,
		.width = width_of_output(options),
		.color = options->color,
	};
	struct incident *incident;
	struct judgement *judgement;
	struct strbuf text = { 0 };
	struct errmsg err = { 0 };
	enum status status;

	if (!diagnose(&input, rules, &incident, &judgement, &err))
		return complain(&err, STATUS_USAGE);
	if (options->verbose)
		tell_inputs(incident);
	report.incident = incident;
	report.judgement = judgement;
	write_report(options, &report, &text);
	status = options->task == TASK_WHY_NOT ? STATUS_HEALTHY
	                                       : status_of(judgement->verdict);
	judgement_free(judgement);
	incident_free(incident);
	return put(options, &text, status);
}

static enum status run_corpus(const struct options *options,
                              const struct rule_set *rules)
{
	struct strbuf text = { 0 };
	struct errmsg err = { 0 };
	struct corpus_result result;

	if (!corpus_run(options->corpus, rules, &text, &result, &err)) {
		strbuf_free(&text);
		return complain(&err, STATUS_USAGE);
	}
	return put(options, &text,
	           result.failed ? STATUS_FAULT : STATUS_HEALTHY);
}

static enum status run_check_rules(const struct options *options,
                                   const struct rule_set *rules)
{
	struct strbuf text = { 0 };

	strbuf_printf(&text, "%zu rules, all well\n", rule_set_count(rules));
	return put(options, &text, STATUS_HEALTHY);
}

/* What writes to a FILE goes through memory, so that nothing comes out half. */
static enum status run_print(const struct options *options,
                             const struct rule_set *rules)
{
	struct strbuf text = { 0 };
	struct errmsg err = { 0 };
	FILE *out = open_memstream(&text.text, &text.len);
	bool found = true;

	if (!out || (options->task == TASK_EXPLAIN &&
	             !rule_set_explain(rules, options->explain, out)))
		found = false;
	else if (options->task == TASK_LIST_RULES)
		rule_set_list(rules, out);
	if (!out || fclose(out) != 0) {
		errmsg_set(&err, "out of memory");
		strbuf_free(&text);
		return complain(&err, STATUS_INTERNAL);
	}
	if (!found) {
		errmsg_set(&err, "%s: no such rule; see --list-rules",
		           options->explain);
		strbuf_free(&text);
		return complain(&err, STATUS_USAGE);
	}
	return put(options, &text, STATUS_HEALTHY);
}

static enum status run_with_rules(const struct options *options)
{
	struct rule_set *rules = rule_set_new();
	struct errmsg err = { 0 };
	enum status status = STATUS_USAGE;

	if (!load_rules(rules, options, &err))
		complain(&err, STATUS_USAGE);
	else if (options->task == TASK_CORPUS)
		status = run_corpus(options, rules);
	else if (options->task == TASK_CHECK_RULES)
		status = run_check_rules(options, rules);
	else if (options->task == TASK_WHY_NOT &&
	         !why_not_rule(rules, options->explain, &err))
		complain(&err, STATUS_USAGE);
	else if (options->task == TASK_DIAGNOSE ||
	         options->task == TASK_WHY_NOT)
		status = run_diagnose(options, rules);
	else
		status = run_print(options, rules);
	rule_set_free(rules);
	return status;
}

static enum status run(const struct options *options)
{
	struct strbuf text = { 0 };

	switch (options->task) {
	case TASK_HELP:
		strbuf_puts(&text, options_help());
		return put(options, &text, STATUS_HEALTHY);
	case TASK_VERSION:
		strbuf_puts(&text, "pcapdiag " PACKAGE_VERSION "\n");
		return put(options, &text, STATUS_HEALTHY);
	case TASK_LIST_FACTS:
		list_facts(&text);
		return put(options, &text, STATUS_HEALTHY);
	case TASK_DIAGNOSE:
	case TASK_CORPUS:
	case TASK_CHECK_RULES:
	case TASK_LIST_RULES:
	case TASK_EXPLAIN:
	case TASK_WHY_NOT:
		break;
	}
	return run_with_rules(options);
}

/* A capture must not be opened under the number of a closed standard output. */
static void occupy_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", O_RDONLY);
}

int main(int argc, char *argv[])
{
	struct options options;
	struct errmsg err = { 0 };
	enum status status;

	/* A reader who leaves early is an error to report, not a death. */
	(void)signal(SIGPIPE, SIG_IGN);
	occupy_standard_files();
	if (options_parse(&options, argc, argv, &err))
		status = run(&options);
	else
		status = complain(&err, STATUS_USAGE);
	options_free(&options);
	return (int)status;
}
