#include "rules/why_not.h"
#include "run_tests.h"

#include <string.h>
#include <unistd.h>

#include "rules/rule_set.h"

#define TEXTS                                                                  \
	"\"title\": \"t\", \"statement\": \"s\", \"cause\": \"c\", \"fix\": "  \
	"{\"any\": [\"f\"]}, \"place\": null, \"direction\": null, "           \
	"\"severity\": \"high\""
#define ARP                                                                    \
	"{\"id\": \"arp-target-silent\", \"for\": \"arp\", \"when\": "         \
	"\"outcome == failed && tries >= 3 && server.on_link\", \"unless\": "  \
	"[{\"rule\": \"arp-absent\", \"when\": \"server.alive\"}], " TEXTS "}"

static struct incident *incident;
static struct rule_set *rules;
static struct strbuf out;

static void load(void)
{
	static const char text[] = "[" ARP "]";
	char path[] = "/tmp/check_why_not.XXXXXX";
	int fd = mkstemp(path);
	struct errmsg err = { 0 };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(fd), 0);
	rules = rule_set_new();
	ck_assert_msg(rule_set_load(rules, path, &err), "%s", err.text);
	(void)unlink(path);
	incident = incident_new();
	out = (struct strbuf){ 0 };
}

static struct fact *add(int64_t tries)
{
	struct fact *f = facts_add(incident->facts, FACT_KIND_ARP);
	struct in6_addr ip = addr_from_v4((const uint8_t[]){ 10, 0, 0, 9 });

	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_FAILED);
	fact_set_ip(f, FIELD_SERVER_IP, &ip);
	fact_set_number(f, FIELD_TRIES, tries);
	return f;
}

static void expect(const char *text)
{
	strbuf_free(&out);
	why_not(rules, incident, "arp-target-silent", &out);
	ck_assert_msg(strstr(strbuf_text(&out), text) != NULL, "no '%s' in: %s",
	              text, strbuf_text(&out));
}

static void finish(void)
{
	strbuf_free(&out);
	rule_set_free(rules);
	incident_free(incident);
}

START_TEST(the_first_term_that_does_not_hold_is_shown)
{
	struct fact *f;

	load();
	f = add(2);
	expect("    false      tries >= 3\n    where      tries = 2\n");
	expect("held       1 of 3 terms");
	fact_set_number(f, FIELD_TRIES, 3);
	expect("    unknown    server.on_link\n"
	       "    where      server.on_link = (unknown)\n");
	finish();
}
END_TEST

START_TEST(what_suppresses_is_shown)
{
	struct fact *f;

	load();
	f = add(3);
	fact_set_bool(f, FIELD_SERVER_ON_LINK, true);
	expect("it fires on 1");
	fact_set_bool(f, FIELD_SERVER_ALIVE, true);
	expect("suppressed arp-absent, since server.alive\n"
	       "    where      server.alive = yes\n");
	finish();
}
END_TEST

START_TEST(the_nearest_come_first_and_are_few)
{
	const char *near;
	size_t n = 0;

	load();
	for (int64_t i = 0; i < 9; i++)
		add(1);
	add(4);
	expect("of 10 arp facts it fires on 0");
	near = strstr(strbuf_text(&out), "10.0.0.9, tries 4");
	ck_assert_ptr_nonnull(near);
	ck_assert_ptr_eq(strstr(strbuf_text(&out), "10.0.0.9"), near);
	for (const char *p = near; p; p = strstr(p + 1, "10.0.0.9"))
		n++;
	ck_assert_uint_eq(n, 5);
	finish();
}
END_TEST

START_TEST(an_unknown_rule_is_refused)
{
	struct errmsg err = { 0 };

	load();
	ck_assert(why_not_rule(rules, "arp-target-silent", &err));
	ck_assert(!why_not_rule(rules, "arp-target-silnt", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "'arp-target-silent'"));
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_first_term_that_does_not_hold_is_shown,
		what_suppresses_is_shown,
		the_nearest_come_first_and_are_few,
		an_unknown_rule_is_refused,
		NULL,
	};

	return run_tests("why_not", tests);
}
