/*
 * The command line.
 */
#ifndef PCAPDIAG_OPTIONS_H
#define PCAPDIAG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "correlate/analyse.h"

/* What the program was called for. */
enum task {
	TASK_DIAGNOSE,
	TASK_CORPUS,
	TASK_CHECK_RULES,
	TASK_LIST_RULES,
	TASK_LIST_FACTS,
	TASK_EXPLAIN,
	TASK_WHY_NOT,
	TASK_HELP,
	TASK_VERSION,
};

enum format {
	FORMAT_TEXT,
	FORMAT_JSON,
};

/** struct path_list - Borrowed strings of the command line; the array is owned
 */
struct path_list {
	const char **paths;
	size_t n;
};

/**
 * struct options - The command line, understood
 * @host, @vm:	captures of each side
 * @alone:	the only capture, of unknown side; or NULL
 * @rules:	rule files and folders instead of the installed set
 * @extra_rules: those in addition to it
 * @corpus:	folder of samples, for TASK_CORPUS
 * @explain:	rule id, for TASK_EXPLAIN and TASK_WHY_NOT
 * @hints:	what the user says of the incident
 * @questions:	what the complaint is about; @hints points at them
 * @output:	file for the report; NULL: standard output
 * @color:	colours in the text report, settled
 */
struct options {
	enum task task;
	enum format format;
	struct path_list host;
	struct path_list vm;
	struct path_list rules;
	struct path_list extra_rules;
	const char *alone;
	const char *corpus;
	const char *explain;
	const char *output;
	struct hints hints;
	struct question *questions;
	bool color;
	bool quiet;
	bool verbose;
};

/**
 * options_parse() - Understand @argv
 *
 * Return: false with @err set; either way the caller ends with options_free()
 */
bool options_parse(struct options *options, int argc, char *argv[],
                   struct errmsg *err);

void options_free(struct options *options);

/** options_help() - The text of --help */
const char *options_help(void);

#endif
