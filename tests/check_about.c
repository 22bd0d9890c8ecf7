#include "rules/judgement.h"
#include "run_tests.h"

#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "rules/rule_set.h"

#define TEXTS                                                                  \
	"\"title\": \"t\", \"statement\": \"{server.ip} fails.\", \"cause\": " \
	"\"c\", \"fix\": {\"any\": [\"f\"]}, \"place\": null, "                \
	"\"direction\": null, \"severity\": \"high\""
#define ARP                                                                    \
	"{\"id\": \"arp-target-silent\", \"for\": \"arp\", \"when\": "         \
	"\"outcome == failed\", \"explains\": [{\"rules\": [\"tcp-*\"], "      \
	"\"same\": [\"peer\"]}], " TEXTS "}"
#define TCP                                                                    \
	"{\"id\": \"tcp-syn-unanswered\", \"for\": \"tcp\", \"when\": "        \
	"\"outcome == failed\", " TEXTS "}"

static struct incident *incident;
static struct rule_set *rules;
static struct judgement *judged;

static struct in6_addr address(uint8_t last)
{
	return addr_from_v4((const uint8_t[]){ 10, 0, 0, last });
}

static void setup(void)
{
	static const char text[] = "[" ARP ", " TCP "]";
	char path[] = "/tmp/check_about.XXXXXX";
	int fd = mkstemp(path);
	struct errmsg err = { 0 };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(fd), 0);
	rules = rule_set_new();
	ck_assert_msg(rule_set_load(rules, path, &err), "%s", err.text);
	ck_assert_msg(rule_set_check(rules, &err), "%s", err.text);
	(void)unlink(path);
	incident = incident_new();
	incident->captures = xcalloc(2, sizeof(*incident->captures));
	incident->n_captures = 2;
	incident->questions = xcalloc(1, sizeof(*incident->questions));
	incident->n_questions = 1;
	incident->questions[0] = (struct question){
		.asked = "10.0.0.9:443",
		.ip = address(9),
		.has_port = true,
		.port = 443,
	};
	judged = NULL;
}

static void teardown(void)
{
	judgement_free(judged);
	rule_set_free(rules);
	incident_free(incident);
}

static void add_exchange(enum protocol protocol, uint64_t tried,
                         uint64_t worked)
{
	struct question *q = &incident->questions[0];

	q->exchanges = xreallocarray(q->exchanges, q->n_exchanges + 1,
	                             sizeof(*q->exchanges));
	q->exchanges[q->n_exchanges++] = (struct question_exchange){
		.protocol = protocol,
		.client = address(1),
		.server = address(9),
		.port = protocol == PROTOCOL_TCP ? 443 : 0,
		.exact = protocol == PROTOCOL_TCP,
		.tried = tried,
		.worked = worked,
	};
}

static void add_fact(enum fact_kind kind, enum protocol protocol,
                     enum outcome outcome)
{
	struct fact *f = facts_add(incident->facts, kind);
	struct in6_addr client = address(1), server = address(9);

	fact_set_enum(f, FIELD_PROTO, (int)protocol);
	fact_set_enum(f, FIELD_OUTCOME, (int)outcome);
	fact_set_bool(f, FIELD_GUEST_IS_END, true);
	fact_set_ip(f, FIELD_CLIENT_IP, &client);
	fact_set_ip(f, FIELD_SERVER_IP, &server);
	if (protocol == PROTOCOL_TCP)
		fact_set_number(f, FIELD_SERVER_PORT, 443);
	fact_set_label(f, FIELD_LABEL_PEER, "p", 1);
}

static const struct about *ask(void)
{
	judged = judge(rules, incident);
	ck_assert_uint_eq(judged->n_about, 1);
	ck_assert_str_eq(judged->about[0].asked, "10.0.0.9:443");
	return &judged->about[0];
}

START_TEST(what_works_is_said)
{
	const struct about *a;

	add_exchange(PROTOCOL_TCP, 12, 12);
	add_exchange(PROTOCOL_ARP, 2, 2);
	add_fact(FACT_KIND_TCP, PROTOCOL_TCP, OUTCOME_WORKED);
	a = ask();
	ck_assert_str_eq(a->answer, "12 of 12 connections worked.");
	ck_assert_uint_eq(a->tried, 12);
	ck_assert_uint_eq(a->worked, 12);
	ck_assert_ptr_null(a->rule);
}
END_TEST

START_TEST(a_fault_is_named)
{
	const struct about *a;

	add_exchange(PROTOCOL_TCP, 3, 0);
	add_fact(FACT_KIND_TCP, PROTOCOL_TCP, OUTCOME_FAILED);
	a = ask();
	ck_assert_str_eq(a->answer,
	                 "0 of 3 connections worked: 10.0.0.9 fails.");
	ck_assert_str_eq(a->rule, "tcp-syn-unanswered");
	ck_assert(judged->diagnoses[0].asked);
}
END_TEST

START_TEST(a_symptom_names_its_root)
{
	const struct about *a;

	add_exchange(PROTOCOL_TCP, 3, 0);
	add_fact(FACT_KIND_TCP, PROTOCOL_TCP, OUTCOME_FAILED);
	add_fact(FACT_KIND_ARP, PROTOCOL_ARP, OUTCOME_FAILED);
	a = ask();
	ck_assert_str_eq(a->rule, "arp-target-silent");
	ck_assert_ptr_nonnull(strstr(a->answer, "a symptom of"));
}
END_TEST

START_TEST(nothing_of_it_is_said)
{
	ck_assert_str_eq(ask()->answer,
	                 "neither capture has anything to or from 10.0.0.9.");
}
END_TEST

START_TEST(frames_without_an_exchange_are_said)
{
	incident->questions[0].frames[CAPTURE_ROLE_HOST] = 7;
	ck_assert_str_eq(ask()->answer,
	                 "neither capture has anything of port 443 of "
	                 "10.0.0.9, though there are 7 frames of it at the "
	                 "host.");
}
END_TEST

START_TEST(what_is_not_understood_is_said)
{
	add_exchange(PROTOCOL_TCP, 2, 1);
	ck_assert_str_eq(ask()->answer,
	                 "1 of 2 connections worked; too few failed to tell "
	                 "what is wrong.");
	judgement_free(judged);
	incident->questions[0].exchanges[0].undecided = 1;
	ck_assert_str_eq(ask()->answer,
	                 "1 of 2 connections worked (1 undecided); the "
	                 "captures do not show what became of the others.");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_works_is_said,
		a_fault_is_named,
		a_symptom_names_its_root,
		nothing_of_it_is_said,
		frames_without_an_exchange_are_said,
		what_is_not_understood_is_said,
		NULL,
	};
	Suite *suite = suite_create("about");
	TCase *tcase = tcase_create("about");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; tests[i]; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
