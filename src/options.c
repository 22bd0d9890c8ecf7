#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"

enum color_when {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

/* Long options without a letter; above any character. */
enum {
	OPTION_CORPUS = 256,
	OPTION_HOST,
	OPTION_VM,
	OPTION_EXTRA_RULES,
	OPTION_CHECK_RULES,
	OPTION_LIST_RULES,
	OPTION_LIST_FACTS,
	OPTION_EXPLAIN,
	OPTION_WHY_NOT,
	OPTION_PLATFORM,
	OPTION_GUEST,
	OPTION_CLOCK_OFFSET,
	OPTION_COLOR,
	OPTION_NOT_YET,
};

static const char short_options[] = ":a:f:o:e:R:l:qvhV";

static const struct option long_options[] = {
	{ "about", required_argument, NULL, 'a' },
	{ "format", required_argument, NULL, 'f' },
	{ "output", required_argument, NULL, 'o' },
	{ "evidence", required_argument, NULL, 'e' },
	{ "rules", required_argument, NULL, 'R' },
	{ "lang", required_argument, NULL, 'l' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "corpus", required_argument, NULL, OPTION_CORPUS },
	{ "host", required_argument, NULL, OPTION_HOST },
	{ "vm", required_argument, NULL, OPTION_VM },
	{ "extra-rules", required_argument, NULL, OPTION_EXTRA_RULES },
	{ "check-rules", no_argument, NULL, OPTION_CHECK_RULES },
	{ "list-rules", no_argument, NULL, OPTION_LIST_RULES },
	{ "list-facts", no_argument, NULL, OPTION_LIST_FACTS },
	{ "explain", required_argument, NULL, OPTION_EXPLAIN },
	{ "color", required_argument, NULL, OPTION_COLOR },
	{ "platform", required_argument, NULL, OPTION_PLATFORM },
	{ "guest", required_argument, NULL, OPTION_GUEST },
	{ "clock-offset", required_argument, NULL, OPTION_CLOCK_OFFSET },
	{ "anonymize", no_argument, NULL, OPTION_NOT_YET },
	{ "digest", no_argument, NULL, OPTION_NOT_YET },
	{ "why-not", required_argument, NULL, OPTION_WHY_NOT },
	{ "progress", required_argument, NULL, OPTION_NOT_YET },
	{ NULL, 0, NULL, 0 },
};

const char *options_help(void)
{
	return "Usage: pcapdiag [OPTION]... HOST VM\n"
	       "       pcapdiag [OPTION]... CAPTURE\n"
	       "       pcapdiag [OPTION]... --corpus FOLDER\n"
	       "Says what fails between a virtual machine and its host, where "
	       "the packets are\nlost, and what mends it, from a capture taken "
	       "on the host (HOST) and one taken\ninside the guest (VM).\n"
	       "\n"
	       "HOST and VM are pcap or pcapng, plain, gzip or zstd; one may "
	       "be - for standard\ninput.\n"
	       "\n"
	       "      --host FILE         one more capture of the host\n"
	       "      --vm FILE           one more capture of the guest\n"
	       "  -a, --about ADDR[:PORT] answer first what is with this "
	       "address; "
	       "repeatable;\n"
	       "                          IPv6 with a port is [ADDR]:PORT\n"
	       "      --guest ADDR        IP or MAC address of the guest\n"
	       "      --platform NAME     vmware-workstation, esxi, hyper-v, "
	       "virtualbox, kvm\n"
	       "                          or cloud\n"
	       "      --clock-offset SECONDS\n"
	       "                          guest clock minus host clock\n"
	       "      --corpus FOLDER     diagnose every pair below FOLDER and "
	       "compare with its\n"
	       "                          expect.json\n"
	       "  -f, --format FORMAT     text (default) or json\n"
	       "  -o, --output FILE       write the report to FILE, whole or "
	       "not at all\n"
	       "  -R, --rules PATH        rule file or folder instead of the "
	       "installed rules;\n"
	       "                          repeatable\n"
	       "      --extra-rules PATH  rule file or folder beside them; "
	       "repeatable\n"
	       "  -l, --lang LANG         language of the report: en\n"
	       "      --color WHEN        auto (default), always or never\n"
	       "      --check-rules       only check the rules\n"
	       "      --list-rules        list the rules\n"
	       "      --list-facts        list what rules can ask for\n"
	       "      --explain RULE      show all about one rule\n"
	       "      --why-not RULE      show why RULE says nothing of these "
	       "captures\n"
	       "  -q, --quiet             no report on standard output, only "
	       "the exit status\n"
	       "  -v, --verbose           say on standard error what is read\n"
	       "  -h, --help              show this help\n"
	       "  -V, --version           show the version\n"
	       "\n"
	       "Exit status: 0 healthy, 1 a fault is diagnosed, 2 wrong usage "
	       "or unreadable\ninput, 3 inconclusive, 4 internal error.\n";
}

static void add_path(struct path_list *list, const char *path)
{
	list->paths =
		xreallocarray(list->paths, list->n + 1, sizeof(*list->paths));
	list->paths[list->n++] = path;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static bool set_format(struct options *options, const char *name,
                       struct errmsg *err)
{
	static const char *const later[] = { "markdown", "html", "junit",
		                             "ndjson", NULL };

	if (is_one_of(name, later))
		return errmsg_set(err, "--format %s: not in this version yet",
		                  name);
	if (strcmp(name, "text") == 0)
		options->format = FORMAT_TEXT;
	else if (strcmp(name, "json") == 0)
		options->format = FORMAT_JSON;
	else
		return errmsg_set(err,
		                  "--format %s: no such format; there are text "
		                  "and json",
		                  name);
	return true;
}

static bool set_lang(const char *name, struct errmsg *err)
{
	if (strcmp(name, "en") == 0)
		return true;
	if (strcmp(name, "zh") == 0)
		return errmsg_set(err, "--lang zh: not in this version yet");
	return errmsg_set(err, "--lang %s: no such language; there is en",
	                  name);
}

static bool set_color(enum color_when *when, const char *name,
                      struct errmsg *err)
{
	if (strcmp(name, "auto") == 0)
		*when = COLOR_AUTO;
	else if (strcmp(name, "always") == 0)
		*when = COLOR_ALWAYS;
	else if (strcmp(name, "never") == 0)
		*when = COLOR_NEVER;
	else
		return errmsg_set(
			err, "--color %s: must be auto, always or never", name);
	return true;
}

static bool wants_color(enum color_when when, const struct options *options)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	switch (when) {
	case COLOR_ALWAYS:
		return true;
	case COLOR_NEVER:
		return false;
	case COLOR_AUTO:
		break;
	}
	return !options->output && isatty(STDOUT_FILENO) &&
	       !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

static bool set_task(struct options *options, enum task task,
                     struct errmsg *err)
{
	if (options->task != TASK_DIAGNOSE && options->task != task)
		return errmsg_set(err, "only one of --corpus, --check-rules, "
		                       "--list-rules, --list-facts, "
		                       "--explain and --why-not at a "
		                       "time");
	options->task = task;
	return true;
}

/* getopt_long() tells only of long options which one it was. */
static bool not_yet(int letter, int index, struct errmsg *err)
{
	for (int i = 0; index < 0 && long_options[i].name; i++)
		if (long_options[i].val == letter)
			index = i;
	return errmsg_set(err, "--%s: not in this version yet",
	                  long_options[index].name);
}

static bool bad_option(int letter, char *argv[], struct errmsg *err)
{
	const char *arg = argv[optind - 1];
	bool is_long = strncmp(arg, "--", 2) == 0;

	if (letter == ':' && is_long)
		return errmsg_set(err, "%s: needs an argument", arg);
	if (letter == ':')
		return errmsg_set(err, "-%c: needs an argument", optopt);
	if (optopt && optopt < OPTION_CORPUS && !is_long)
		return errmsg_set(err, "-%c: no such option; see --help",
		                  optopt);
	if (optopt)
		return errmsg_set(err, "%s: takes no argument", arg);
	return errmsg_set(err, "%s: no such option; see --help", arg);
}

/* The port behind the last colon; false if there is none */
static bool parse_port(const char *text, uint16_t *port)
{
	unsigned long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || n < 1 || n > UINT16_MAX)
		return false;
	*port = (uint16_t)n;
	return true;
}

/* ADDR, ADDR:PORT or [ADDR]:PORT */
static bool parse_question(const char *text, struct question *q)
{
	bool bracket = *text == '[';
	const char *end = strchr(text, bracket ? ']' : ':');
	char addr[ADDR_TEXT_MAX] = "";
	size_t n;

	*q = (struct question){ .asked = text };
	if (!bracket && addr_parse(text, &q->ip))
		return true;
	if (!end)
		return false;
	text += bracket;
	n = (size_t)(end - text);
	if (n >= sizeof(addr))
		return false;
	memcpy(addr, text, n);
	if (!addr_parse(addr, &q->ip) || addr_is_v4(&q->ip) == bracket)
		return false;
	end += bracket;
	if (*end == '\0')
		return true;
	q->has_port = true;
	return *end == ':' && parse_port(end + 1, &q->port);
}

static bool add_question(struct options *options, const char *text,
                         struct errmsg *err)
{
	size_t n = options->hints.n_questions;
	struct question q;

	if (!parse_question(text, &q))
		return errmsg_set(err,
		                  "--about %s: must be ADDR, ADDR:PORT or "
		                  "[ADDR]:PORT",
		                  text);
	if (n == QUESTIONS_MAX)
		return errmsg_set(err, "--about %s: at most %d of them", text,
		                  QUESTIONS_MAX);
	options->questions =
		xreallocarray(options->questions, n + 1, sizeof(q));
	options->questions[n] = q;
	options->hints.questions = options->questions;
	options->hints.n_questions++;
	return true;
}

static bool set_platform(struct options *options, const char *name,
                         struct errmsg *err)
{
	static const char *const names[] = {
		"vmware-workstation",
		"esxi",
		"hyper-v",
		"virtualbox",
		"kvm",
		"cloud",
		NULL,
	};

	options->hints.platform = name;
	return is_one_of(name, names) ||
	       errmsg_set(err,
	                  "--platform %s: no such platform; there are "
	                  "vmware-workstation, esxi, hyper-v, virtualbox, kvm "
	                  "and cloud",
	                  name);
}

static bool set_guest(struct options *options, const char *text,
                      struct errmsg *err)
{
	struct hints *h = &options->hints;

	if (addr_parse(text, &h->guest_ip))
		h->has_guest_ip = true;
	else if (mac_parse(text, &h->guest_mac))
		h->has_guest_mac = true;
	else
		return errmsg_set(
			err, "--guest %s: must be an IP or MAC address", text);
	return true;
}

/* Clocks differ by decades at most: one of them may begin at 1970. */
#define CLOCK_OFFSET_MAX_S 4e9

static bool set_clock_offset(struct options *options, const char *text,
                             struct errmsg *err)
{
	char *end;
	double s;

	errno = 0;
	s = strtod(text, &end);
	if (errno || end == text || *end || !(s > -CLOCK_OFFSET_MAX_S) ||
	    !(s < CLOCK_OFFSET_MAX_S))
		return errmsg_set(err,
		                  "--clock-offset %s: must be a number of "
		                  "seconds",
		                  text);
	options->hints.has_clock_offset = true;
	options->hints.clock_offset_ns = (int64_t)(s * 1e9);
	return true;
}

static bool set_hint(struct options *options, int letter, struct errmsg *err)
{
	switch (letter) {
	case 'a':
		return add_question(options, optarg, err);
	case OPTION_PLATFORM:
		return set_platform(options, optarg, err);
	case OPTION_GUEST:
		return set_guest(options, optarg, err);
	default:
		return set_clock_offset(options, optarg, err);
	}
}

static bool set_option(struct options *options, int letter, int index,
                       enum color_when *when, struct errmsg *err)
{
	switch (letter) {
	case 'f':
		return set_format(options, optarg, err);
	case 'o':
		options->output = optarg;
		return true;
	case 'R':
		add_path(&options->rules, optarg);
		return true;
	case OPTION_EXTRA_RULES:
		add_path(&options->extra_rules, optarg);
		return true;
	case 'l':
		return set_lang(optarg, err);
	case 'q':
		options->quiet = true;
		return true;
	case 'v':
		options->verbose = true;
		return true;
	case OPTION_HOST:
		add_path(&options->host, optarg);
		return true;
	case OPTION_VM:
		add_path(&options->vm, optarg);
		return true;
	case OPTION_CORPUS:
		options->corpus = optarg;
		return set_task(options, TASK_CORPUS, err);
	case OPTION_CHECK_RULES:
		return set_task(options, TASK_CHECK_RULES, err);
	case OPTION_LIST_RULES:
		return set_task(options, TASK_LIST_RULES, err);
	case OPTION_LIST_FACTS:
		return set_task(options, TASK_LIST_FACTS, err);
	case OPTION_EXPLAIN:
		options->explain = optarg;
		return set_task(options, TASK_EXPLAIN, err);
	case OPTION_WHY_NOT:
		options->explain = optarg;
		return set_task(options, TASK_WHY_NOT, err);
	case 'a':
	case OPTION_PLATFORM:
	case OPTION_GUEST:
	case OPTION_CLOCK_OFFSET:
		return set_hint(options, letter, err);
	case OPTION_COLOR:
		return set_color(when, optarg, err);
	default:
		return not_yet(letter, index, err);
	}
}

/* The operands go before what --host and --vm added. */
static void put_first(struct path_list *list, const char *path)
{
	add_path(list, path);
	memmove(list->paths + 1, list->paths,
	        (list->n - 1) * sizeof(*list->paths));
	list->paths[0] = path;
}

static size_t count_stdin(const struct path_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += strcmp(list->paths[i], "-") == 0;
	return n;
}

static bool set_operands(struct options *options, char *const *operands, int n,
                         struct errmsg *err)
{
	bool has_captures = n || options->host.n || options->vm.n;

	if (options->task != TASK_DIAGNOSE && options->task != TASK_WHY_NOT)
		return !has_captures || errmsg_set(err, "no captures can be "
		                                        "given together with "
		                                        "that option");
	if (n > 2)
		return errmsg_set(err,
		                  "%s: HOST and VM are enough; further "
		                  "captures go with --host and --vm",
		                  operands[2]);
	if (n == 1 && !options->host.n && !options->vm.n) {
		options->alone = operands[0];
		return true;
	}
	if (n == 1 && options->host.n && options->vm.n)
		return errmsg_set(err,
		                  "%s: is it of the host or of the guest? "
		                  "Say --host or --vm",
		                  operands[0]);
	if (n == 2) {
		put_first(&options->host, operands[0]);
		put_first(&options->vm, operands[1]);
	} else if (n == 1) {
		put_first(options->host.n ? &options->vm : &options->host,
		          operands[0]);
	}
	if (!options->host.n && !options->vm.n)
		return errmsg_set(err, "no captures given; see --help");
	if (count_stdin(&options->host) + count_stdin(&options->vm) > 1)
		return errmsg_set(err,
		                  "-: standard input can be one capture only");
	return true;
}

bool options_parse(struct options *options, int argc, char *argv[],
                   struct errmsg *err)
{
	enum color_when when = COLOR_AUTO;
	int letter;

	*options = (struct options){ 0 };
	for (;;) {
		int index = -1;

		letter = getopt_long(argc, argv, short_options, long_options,
		                     &index);
		if (letter == -1)
			break;
		if (letter == '?' || letter == ':')
			return bad_option(letter, argv, err);
		if (letter == 'h' || letter == 'V') {
			options->task =
				letter == 'h' ? TASK_HELP : TASK_VERSION;
			return true;
		}
		if (!set_option(options, letter, index, &when, err))
			return false;
	}
	if (options->task == TASK_CORPUS && options->format != FORMAT_TEXT)
		return errmsg_set(err, "--corpus: only text in this version");
	if (options->task == TASK_WHY_NOT && options->format != FORMAT_TEXT)
		return errmsg_set(err, "--why-not: there is only text");
	options->color = wants_color(when, options);
	return set_operands(options, argv + optind, argc - optind, err);
}

void options_free(struct options *options)
{
	free(options->questions);
	free(options->host.paths);
	free(options->vm.paths);
	free(options->rules.paths);
	free(options->extra_rules.paths);
}
