#include "rules/template.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/strbuf.h"
#include "rules/suggest.h"

#define LISTED_MAX 3
#define NS_PER_S INT64_C(1000000000)
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_."

/* What of a capture a name stands for */
enum capture_part {
	CAPTURE_PART_FILE,
	CAPTURE_PART_FIRST,
	CAPTURE_PART_LAST,
};

static const struct {
	const char *name;
	enum capture_role role;
	enum capture_part part;
} capture_names[] = {
	{ "host.file", CAPTURE_ROLE_HOST, CAPTURE_PART_FILE },
	{ "host.first", CAPTURE_ROLE_HOST, CAPTURE_PART_FIRST },
	{ "host.last", CAPTURE_ROLE_HOST, CAPTURE_PART_LAST },
	{ "vm.file", CAPTURE_ROLE_VM, CAPTURE_PART_FILE },
	{ "vm.first", CAPTURE_ROLE_VM, CAPTURE_PART_FIRST },
	{ "vm.last", CAPTURE_ROLE_VM, CAPTURE_PART_LAST },
};

#define N_CAPTURE_NAMES (sizeof(capture_names) / sizeof(capture_names[0]))

static const char endpoint_name[] = "server.endpoint";

/* Counts of requests and answers: of several facts, their sum is meant. */
static const enum field summed[] = {
	FIELD_TRIES,          FIELD_ANSWERS,    FIELD_SEEN_VM,
	FIELD_SEEN_HOST,      FIELD_ANSWERS_VM, FIELD_ANSWERS_HOST,
	FIELD_SEEN_OUTERMOST,
};

/* The length of the name if @p, at a '{', begins a field; else 0 */
static size_t name_length(const char *p)
{
	size_t n = strspn(p + 1, NAME_CHARACTERS);

	return p[1 + n] == '}' ? n : 0;
}

static bool is_name(const char *name, const char *p, size_t n)
{
	return strncmp(name, p, n) == 0 && name[n] == '\0';
}

static int find_capture_name(const char *p, size_t n)
{
	for (size_t i = 0; i < N_CAPTURE_NAMES; i++)
		if (is_name(capture_names[i].name, p, n))
			return (int)i;
	return -1;
}

static bool fail_name(const char *p, size_t n, unsigned int kinds,
                      struct errmsg *err)
{
	struct suggestion s = { .word = p, .len = n };
	char text[SUGGEST_TEXT_MAX];

	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_info *info = field_info((enum field)i);

		if (info->type != VALUE_TYPE_LABEL &&
		    (info->kinds & kinds) == kinds)
			suggestion_offer(&s, info->name);
	}
	return errmsg_set(err, "unknown field '{%.*s}'%s", (int)n, p,
	                  suggestion_text(&s, text));
}

bool template_check(const char *text, unsigned int kinds, struct errmsg *err)
{
	for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{')) {
		size_t n = name_length(p);

		if (n == 0 || find_capture_name(p + 1, n) >= 0)
			continue;
		if (is_name(endpoint_name, p + 1, n) &&
		    (kinds & FACT_KINDS_EXCHANGE) == kinds)
			continue;
		if (field_find(kinds, p + 1, n) < 0)
			return fail_name(p + 1, n, kinds, err);
	}
	return true;
}

static void put_time(int64_t ns, struct strbuf *out)
{
	int64_t seconds = ns / NS_PER_S;
	time_t t = (time_t)seconds;
	char text[32];
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm)) {
		strbuf_printf(out, "%" PRId64 " s", seconds);
		return;
	}
	strbuf_printf(out, "%s.%03d UTC", text, (int)(ns % NS_PER_S / 1000000));
}

static void put_duration(int64_t ns, struct strbuf *out)
{
	if (ns >= NS_PER_S)
		strbuf_printf(out, "%" PRId64 ".%d s", ns / NS_PER_S,
		              (int)(ns % NS_PER_S / 100000000));
	else if (ns >= 1000000)
		strbuf_printf(out, "%d ms", (int)(ns / 1000000));
	else
		strbuf_printf(out, "%d us", (int)(ns / 1000));
}

static void put_known(enum field field, struct value v, struct strbuf *out)
{
	const struct field_info *info = field_info(field);
	char text[ADDR_TEXT_MAX];

	switch (info->type) {
	case VALUE_TYPE_BOOL:
		strbuf_puts(out, v.lo ? "yes" : "no");
		break;
	case VALUE_TYPE_NUMBER:
		strbuf_printf(out, "%s%" PRId64, v.lo < v.hi ? "at least " : "",
		              v.lo);
		break;
	case VALUE_TYPE_DURATION:
		put_duration(v.lo, out);
		break;
	case VALUE_TYPE_TIME:
		put_time(v.lo, out);
		break;
	case VALUE_TYPE_ENUM:
		strbuf_puts(out, info->words->words[v.lo]);
		break;
	case VALUE_TYPE_IP:
		strbuf_puts(out, addr_text(&v.ip, text));
		break;
	case VALUE_TYPE_MAC:
		strbuf_puts(out, mac_text(v.mac, text));
		break;
	case VALUE_TYPE_TEXT:
		strbuf_puts(out, v.text);
		break;
	case VALUE_TYPE_LABEL:
		break;
	}
}

void template_put_value(enum field field, const struct fact *fact,
                        struct strbuf *out)
{
	struct value v = fact_get(fact, field);

	switch (v.state) {
	case VALUE_UNKNOWN:
		strbuf_puts(out, "(unknown)");
		break;
	case VALUE_ABSENT:
		strbuf_puts(out, "(none)");
		break;
	case VALUE_KNOWN:
		put_known(field, v, out);
		break;
	}
}

static void put_endpoint(enum field unused, const struct fact *fact,
                         struct strbuf *out)
{
	struct value ip = fact_get(fact, FIELD_SERVER_IP);
	struct value port = fact_get(fact, FIELD_SERVER_PORT);
	struct value proto = fact_get(fact, FIELD_PROTO);
	bool brackets = port.state == VALUE_KNOWN && ip.state == VALUE_KNOWN &&
	                !addr_is_v4(&ip.ip);

	(void)unused;
	strbuf_puts(out, brackets ? "[" : "");
	template_put_value(FIELD_SERVER_IP, fact, out);
	strbuf_puts(out, brackets ? "]" : "");
	if (port.state == VALUE_KNOWN)
		strbuf_printf(out, ":%" PRId64, port.lo);
	if (proto.state == VALUE_KNOWN) {
		strbuf_puts(out, port.state == VALUE_KNOWN ? "/" : " (");
		template_put_value(FIELD_PROTO, fact, out);
		strbuf_puts(out, port.state == VALUE_KNOWN ? "" : ")");
	}
}

/* "a, b and 2 more": distinct values in order of the facts */
static void put_list(void (*put)(enum field, const struct fact *,
                                 struct strbuf *),
                     enum field field, const struct fact *const *facts,
                     size_t n, struct strbuf *out)
{
	char *shown[LISTED_MAX];
	size_t n_shown = 0, more = 0;

	for (size_t i = 0; i < n; i++) {
		struct strbuf one = { 0 };
		size_t j = 0;

		put(field, facts[i], &one);
		while (j < n_shown && strcmp(shown[j], strbuf_text(&one)) != 0)
			j++;
		if (j == n_shown && n_shown < LISTED_MAX)
			shown[n_shown++] = strbuf_steal(&one);
		else if (j == n_shown)
			more++;
		strbuf_free(&one);
	}
	for (size_t i = 0; i < n_shown; i++) {
		bool last = i + 1 == n_shown && !more;

		strbuf_puts(out, i == 0 ? "" : last ? " and " : ", ");
		strbuf_puts(out, shown[i]);
		free(shown[i]);
	}
	if (more)
		strbuf_puts(out, " and others");
}

static void put_sum(enum field field, const struct fact *const *facts, size_t n,
                    struct strbuf *out)
{
	struct value sum = { .state = VALUE_UNKNOWN };

	for (size_t i = 0; i < n; i++) {
		struct value v = fact_get(facts[i], field);

		if (v.state != VALUE_KNOWN)
			continue;
		if (sum.state != VALUE_KNOWN) {
			sum = v;
			continue;
		}
		if (__builtin_add_overflow(sum.lo, v.lo, &sum.lo))
			sum.lo = VALUE_MAX;
		if (__builtin_add_overflow(sum.hi, v.hi, &sum.hi))
			sum.hi = VALUE_MAX;
	}
	if (sum.state == VALUE_KNOWN)
		put_known(field, sum, out);
	else
		template_put_value(field, facts[0], out);
}

static bool is_summed(enum field field)
{
	for (size_t i = 0; i < sizeof(summed) / sizeof(summed[0]); i++)
		if (summed[i] == field)
			return true;
	return false;
}

static void put_capture(int which, const struct incident *incident,
                        struct strbuf *out)
{
	const struct incident_capture *c = NULL;

	for (size_t i = 0; i < incident->n_captures && !c; i++)
		if (incident->captures[i].role == capture_names[which].role)
			c = &incident->captures[i];
	if (!c) {
		strbuf_puts(out, "(no capture)");
		return;
	}
	switch (capture_names[which].part) {
	case CAPTURE_PART_FILE:
		strbuf_puts(out, c->file);
		break;
	case CAPTURE_PART_FIRST:
		put_time(c->first_ns, out);
		break;
	case CAPTURE_PART_LAST:
		put_time(c->last_ns, out);
		break;
	}
}

static void put_name(const char *p, size_t n, const struct incident *incident,
                     const struct fact *const *facts, size_t n_facts,
                     struct strbuf *out)
{
	int capture = find_capture_name(p, n);
	int field = field_find(FACT_KIND_BIT(facts[0]->kind), p, n);

	if (capture >= 0)
		put_capture(capture, incident, out);
	else if (is_name(endpoint_name, p, n))
		put_list(put_endpoint, FIELD_SERVER_IP, facts, n_facts, out);
	else if (field < 0)
		strbuf_puts(out, "(unknown)");
	else if (is_summed((enum field)field))
		put_sum((enum field)field, facts, n_facts, out);
	else
		put_list(template_put_value, (enum field)field, facts, n_facts,
		         out);
}

char *template_fill(const char *text, const struct incident *incident,
                    const struct fact *const *facts, size_t n)
{
	struct strbuf out = { 0 };

	while (*text) {
		size_t plain = strcspn(text, "{");
		size_t name;

		strbuf_add(&out, text, plain);
		text += plain;
		if (!*text)
			break;
		name = name_length(text);
		if (name == 0) {
			strbuf_add(&out, text++, 1);
			continue;
		}
		put_name(text + 1, name, incident, facts, n, &out);
		text += name + 2;
	}
	return strbuf_steal(&out);
}
