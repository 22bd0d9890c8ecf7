#include "rules/judgement.h"
#include "run_tests.h"

#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "rules/relations.h"
#include "rules/rule_set.h"

#define S INT64_C(1000000000)

static struct incident *incident;
static struct rule_set *rules;
static struct judgement *judged;

/* Rules are written with ' for ". */
static void load_rules(const char *text)
{
	char path[] = "/tmp/check_judge.XXXXXX";
	char *json = text_copy(text);
	int fd = mkstemp(path);
	struct errmsg err = { 0 };

	ck_assert_int_ge(fd, 0);
	for (char *p = json; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	ck_assert_int_eq(write(fd, json, strlen(json)), (ssize_t)strlen(json));
	ck_assert_int_eq(close(fd), 0);
	rules = rule_set_new();
	ck_assert_msg(rule_set_load(rules, path, &err), "%s", err.text);
	ck_assert_msg(rule_set_check(rules, &err), "%s", err.text);
	(void)unlink(path);
	free(json);
}

static void setup(void)
{
	incident = incident_new();
	rules = NULL;
	judged = NULL;
}

static void teardown(void)
{
	judgement_free(judged);
	rule_set_free(rules);
	incident_free(incident);
}

static void run(void)
{
	judgement_free(judged);
	judged = judge(rules, incident);
}

#define TEXTS                                                                  \
	"'title': 't', 'statement': '{server.ip} ({tries})', 'cause': "        \
	"'because of {client.ip}', 'fix': {'any': ['ask {server.ip}']}"
#define SILENT                                                                 \
	"{'id': 'arp-target-silent', 'severity': 'high', " TEXTS               \
	", 'for': 'arp', 'when': 'outcome == failed', 'place': 'located', "    \
	"'direction': 'located', 'evidence': ['request@vm']"
#define PING                                                                   \
	"{'id': 'icmp-lost-beyond', 'severity': 'medium', " TEXTS              \
	", 'for': 'icmp', 'when': 'outcome == failed', 'place': 'located', "   \
	"'direction': 'located'"
#define SYN                                                                    \
	"{'id': 'tcp-syn-unanswered', 'severity': 'critical', " TEXTS          \
	", 'for': 'tcp', 'when': 'outcome == failed', 'place': 'located', "    \
	"'direction': 'located'"

static struct in6_addr address(uint8_t last)
{
	return addr_from_v4((const uint8_t[]){ 10, 0, 0, last });
}

/* A failed exchange of 10.0.0.1 with 10.0.0.@server */
static struct fact *add(enum fact_kind kind, uint8_t server, int64_t first_s)
{
	struct fact *f = facts_add(incident->facts, kind);
	struct in6_addr client_ip = address(1), server_ip = address(server);

	f->n_failed = 1;
	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_FAILED);
	fact_set_bool(f, FIELD_GUEST_IS_END, true);
	fact_set_enum(f, FIELD_LOST_PLACE, PLACE_BEYOND_HOST);
	fact_set_enum(f, FIELD_DIRECTION, PATH_DIRECTION_FROM_GUEST);
	fact_set_ip(f, FIELD_CLIENT_IP, &client_ip);
	fact_set_ip(f, FIELD_SERVER_IP, &server_ip);
	fact_set_number(f, FIELD_TRIES, 3);
	fact_set_number(f, FIELD_FIRST, first_s * S);
	fact_set_number(f, FIELD_LAST, (first_s + 2) * S);
	fact_set_label(f, FIELD_LABEL_PEER, &server, 1);
	fact_set_label(f, FIELD_LABEL_GUEST, "g", 1);
	return f;
}

/* What the guest did, as far as it is decided */
static void did(struct incident_checked first, struct incident_checked second)
{
	incident->checked = calloc(2, sizeof(*incident->checked));
	incident->checked[0] = first;
	incident->checked[1] = second;
	incident->n_checked = 2;
}

static void did_something(void)
{
	did((struct incident_checked){ "pings", 1, 1, 0 },
	    (struct incident_checked){ "TCP connections", 0, 0, 0 });
}

START_TEST(nothing_decided_is_inconclusive)
{
	did((struct incident_checked){ "TCP connections", 5, 0, 5 },
	    (struct incident_checked){ "pings", 0, 0, 0 });
	load_rules("[" SILENT "}]");
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_INCONCLUSIVE);
	ck_assert_ptr_nonnull(strstr(judged->summary, "nothing that the guest "
	                                              "tried"));
}
END_TEST

START_TEST(nothing_failed_is_healthy)
{
	did((struct incident_checked){ "TCP connections", 5, 4, 1 },
	    (struct incident_checked){ "pings", 3, 3, 0 });
	load_rules("[" SILENT "}]");
	fact_set_enum(add(FACT_KIND_ARP, 9, 0), FIELD_OUTCOME, OUTCOME_WORKED);
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_HEALTHY);
	ck_assert_str_eq(judged->summary,
	                 "Healthy: 4 of 4 TCP connections, 3 of 3 pings "
	                 "worked.");
	ck_assert_uint_eq(judged->n_next, 0);
}
END_TEST

START_TEST(a_finding_is_a_diagnosis)
{
	const struct diagnosis *d;

	load_rules("[" SILENT "}]");
	fact_add_evidence(add(FACT_KIND_ARP, 9, 10),
	                  &(struct evidence){ .leg = EVIDENCE_REQUEST,
	                                      .at = CAPTURE_ROLE_VM,
	                                      .claim = 4 });
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_FAULT);
	ck_assert_uint_eq(judged->n_diagnoses, 1);
	d = &judged->diagnoses[0];
	ck_assert_str_eq(d->rule, "arp-target-silent");
	ck_assert_ptr_null(d->variant);
	ck_assert_int_eq(d->severity, SEVERITY_HIGH);
	ck_assert_int_eq(d->confidence, CONFIDENCE_HIGH);
	ck_assert_int_eq(d->place, PLACE_BEYOND_HOST);
	ck_assert_int_eq(d->direction, PATH_DIRECTION_FROM_GUEST);
	ck_assert_str_eq(d->statement, "10.0.0.9 (3)");
	ck_assert_str_eq(d->cause, "because of 10.0.0.1");
	ck_assert_str_eq(d->fix[0].steps[0], "ask 10.0.0.9");
	ck_assert_int_eq(d->first_ns, 10 * S);
	ck_assert_int_eq(d->last_ns, 12 * S);
	ck_assert_uint_eq(d->n_evidence, 1);
	ck_assert_int_eq(d->evidence[0].claim, 4);
	ck_assert_str_eq(judged->summary, "10.0.0.9 (3)");
}
END_TEST

START_TEST(findings_of_one_rule_and_place_merge)
{
	const struct diagnosis *d;

	load_rules("[" SILENT "}]");
	add(FACT_KIND_ARP, 9, 10);
	add(FACT_KIND_ARP, 20, 5);
	add(FACT_KIND_ARP, 9, 30);
	fact_set_enum(add(FACT_KIND_ARP, 7, 40), FIELD_LOST_PLACE, PLACE_GUEST);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 2);
	d = &judged->diagnoses[0]; /* the earlier one */
	ck_assert_uint_eq(d->count, 3);
	ck_assert_uint_eq(d->tries, 9);
	ck_assert_int_eq(d->first_ns, 5 * S);
	ck_assert_int_eq(d->last_ns, 32 * S);
	ck_assert_uint_eq(d->n_subjects, 2);
	ck_assert_int_eq(d->subjects[0].dst.s6_addr[15], 20); /* by text */
	ck_assert_int_eq(d->subjects[1].dst.s6_addr[15], 9);
	ck_assert_str_eq(d->statement, "10.0.0.9 and 10.0.0.20 (9)");
	ck_assert_int_eq(judged->diagnoses[1].place, PLACE_GUEST);
	ck_assert_str_eq(judged->summary,
	                 "10.0.0.9 and 10.0.0.20 (9) (and 1 more)");
}
END_TEST

START_TEST(an_unknown_place_lowers_the_confidence)
{
	struct fact *f;

	load_rules("[" SILENT "}]");
	f = facts_add(incident->facts, FACT_KIND_ARP);
	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_FAILED);
	run();
	ck_assert_int_eq(judged->diagnoses[0].place, -1);
	ck_assert_int_eq(judged->diagnoses[0].direction, -1);
	ck_assert_int_eq(judged->diagnoses[0].confidence, CONFIDENCE_LOW);
	ck_assert_uint_eq(judged->diagnoses[0].n_because, 1);
	ck_assert(!judged->diagnoses[0].has_time);
}
END_TEST

START_TEST(look_alikes_suppress_or_lower_the_confidence)
{
	struct fact *f;

	load_rules("[" SILENT ", 'unless': [{'rule': 'arp-off-subnet', 'when': "
	           "'!server.on_link'}]}]");
	f = add(FACT_KIND_ARP, 9, 10);
	run();
	ck_assert_int_eq(judged->diagnoses[0].confidence, CONFIDENCE_MEDIUM);
	ck_assert_str_eq(judged->diagnoses[0].because[0],
	                 "arp-off-subnet cannot be excluded: the captures do "
	                 "not tell whether !server.on_link");

	fact_set_bool(f, FIELD_SERVER_ON_LINK, true);
	run();
	ck_assert_int_eq(judged->diagnoses[0].confidence, CONFIDENCE_HIGH);
	ck_assert_uint_eq(judged->diagnoses[0].n_because, 0);

	fact_set_bool(f, FIELD_SERVER_ON_LINK, false);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 0);
	ck_assert_int_eq(judged->verdict, VERDICT_INCONCLUSIVE);
	ck_assert_uint_eq(judged->n_unexplained, 1);
}
END_TEST

START_TEST(the_first_variant_that_holds_overrides)
{
	struct fact *f;

	load_rules("[" SILENT ", 'variants': [{'name': 'one', 'when': 'tries "
	           "> 9', 'cause': 'x'}, {'name': 'two', 'when': 'tries > 2', "
	           "'severity': 'low', 'place': 'nat'}, {'name': 'three', "
	           "'when': 'tries > 1', 'class': 'note'}]}]");
	f = add(FACT_KIND_ARP, 9, 10);
	run();
	ck_assert_str_eq(judged->diagnoses[0].variant, "two");
	ck_assert_int_eq(judged->diagnoses[0].severity, SEVERITY_LOW);
	ck_assert_int_eq(judged->diagnoses[0].place, PLACE_NAT);
	ck_assert_str_eq(judged->diagnoses[0].cause, "because of 10.0.0.1");

	did_something();
	fact_set_number(f, FIELD_TRIES, 2);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 0);
	ck_assert_uint_eq(judged->n_notes, 1);
	ck_assert_str_eq(judged->notes[0].variant, "three");
	ck_assert_int_eq(judged->verdict, VERDICT_HEALTHY);
}
END_TEST

#define EXPLAINS                                                               \
	", 'explains': [{'rules': ['icmp-*', 'tcp-*'], 'same': ['peer']}]}"

START_TEST(a_root_explains_what_starts_no_earlier)
{
	load_rules("[" SILENT EXPLAINS ", " PING "}]");
	add(FACT_KIND_ARP, 9, 40);
	add(FACT_KIND_ARP, 9, 10);   /* the earlier one counts */
	add(FACT_KIND_ICMP, 9, 9);   /* within the slack */
	add(FACT_KIND_ICMP, 9, 50);  /* later */
	add(FACT_KIND_ICMP, 9, 7);   /* earlier */
	add(FACT_KIND_ICMP, 30, 50); /* another peer */
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 2);
	ck_assert_str_eq(judged->diagnoses[0].rule, "arp-target-silent");
	ck_assert_uint_eq(judged->diagnoses[0].n_explains, 1);
	ck_assert_str_eq(judged->diagnoses[0].explains[0].rule,
	                 "icmp-lost-beyond");
	ck_assert_uint_eq(judged->diagnoses[0].explains[0].count, 2);
	ck_assert_uint_eq(judged->diagnoses[1].count, 2);
	ck_assert_uint_eq(judged->n_symptoms, 1);
	ck_assert_uint_eq(judged->symptoms[0].count, 2);
	ck_assert_str_eq(judged->symptoms[0].explained_by, "arp-target-silent");
}
END_TEST

START_TEST(the_clocks_error_is_allowed)
{
	load_rules("[" SILENT EXPLAINS ", " PING "}]");
	add(FACT_KIND_ARP, 9, 10);
	add(FACT_KIND_ICMP, 9, 7);
	incident->clock.known = true;
	incident->clock.error_ns = 1 * S;
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 1);
	ck_assert_uint_eq(judged->n_symptoms, 1);
}
END_TEST

START_TEST(symptoms_of_symptoms_hang_on_the_root)
{
	load_rules("[" SILENT ", 'explains': [{'rules': ['icmp-*'], 'same': "
	           "['peer']}]}, " PING ", 'explains': [{'rules': ['tcp-*'], "
	           "'same': ['guest']}]}, " SYN "}]");
	add(FACT_KIND_ARP, 9, 10);
	add(FACT_KIND_ICMP, 9, 10);
	add(FACT_KIND_TCP, 77, 10);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 1);
	ck_assert_str_eq(judged->diagnoses[0].rule, "arp-target-silent");
	ck_assert_uint_eq(judged->diagnoses[0].n_explains, 2);
	ck_assert_uint_eq(judged->n_symptoms, 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert_str_eq(judged->symptoms[i].explained_by,
		                 "arp-target-silent");
}
END_TEST

START_TEST(place_and_direction_can_be_asked_to_agree)
{
	struct fact *f;

	load_rules("[" PING ", 'explains': [{'rules': ['tcp-*'], 'same': "
	           "['peer', 'place', 'direction']}]}, " SYN "}]");
	add(FACT_KIND_ICMP, 9, 10);
	f = add(FACT_KIND_TCP, 9, 10);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 1);
	ck_assert_str_eq(judged->diagnoses[0].rule, "icmp-lost-beyond");

	fact_set_enum(f, FIELD_DIRECTION, PATH_DIRECTION_TO_GUEST);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 2);
	fact_set_enum(f, FIELD_DIRECTION, PATH_DIRECTION_FROM_GUEST);
	fact_set_enum(f, FIELD_LOST_PLACE, PLACE_HOST);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 2);
}
END_TEST

START_TEST(one_fact_is_one_diagnosis)
{
	load_rules("[" SILENT "}, {'id': 'gw-arp-unanswered', 'severity': "
	           "'low', " TEXTS ", 'for': 'exchange', 'when': 'outcome == "
	           "failed', 'place': 'host'}]");
	add(FACT_KIND_ARP, 9, 10);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 1);
	ck_assert_str_eq(judged->diagnoses[0].rule, "gw-arp-unanswered");
	ck_assert_uint_eq(judged->n_symptoms, 1);
	ck_assert_str_eq(judged->symptoms[0].rule, "arp-target-silent");
}
END_TEST

START_TEST(diagnoses_come_in_order)
{
	load_rules("[" SILENT "}, " PING "}, " SYN ", 'unless': [{'rule': "
	           "'tcp-backlog-overflow', 'when': 'guest.alive'}]}]");
	add(FACT_KIND_ICMP, 5, 1);
	add(FACT_KIND_ARP, 9, 10);
	add(FACT_KIND_TCP, 7, 20);
	fact_set_bool(add(FACT_KIND_TCP, 8, 30), FIELD_GUEST_ALIVE, false);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 3);
	ck_assert_str_eq(judged->diagnoses[0].rule, "tcp-syn-unanswered");
	/* as well proven as its best finding */
	ck_assert_int_eq(judged->diagnoses[0].confidence, CONFIDENCE_HIGH);
	ck_assert_uint_eq(judged->diagnoses[0].n_because, 0);
	ck_assert_str_eq(judged->diagnoses[1].rule, "arp-target-silent");
	ck_assert_str_eq(judged->diagnoses[2].rule, "icmp-lost-beyond");
}
END_TEST

#define GATE                                                                   \
	"{'id': 'cap-unrelated', 'class': 'gate', 'severity': 'high', "        \
	"'title': 't', 'for': 'capture_pair', 'when': '!same_guest', "         \
	"'place': 'capture', 'statement': 'unrelated', 'cause': 'c', 'fix': "  \
	"{'any': ['f']}}"

START_TEST(a_gate_makes_it_inconclusive)
{
	load_rules("[" GATE "]");
	fact_set_bool(facts_add(incident->facts, FACT_KIND_CAPTURE_PAIR),
	              FIELD_PAIR_SAME_GUEST, false);
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_INCONCLUSIVE);
	ck_assert_str_eq(judged->summary, "unrelated");
	ck_assert_uint_eq(judged->n_notes, 1);
	ck_assert_int_eq(judged->notes[0].class, RULE_CLASS_GATE);
	ck_assert_int_eq(judged->notes[0].place, PLACE_CAPTURE);
	ck_assert_uint_ge(judged->n_next, 2);
}
END_TEST

START_TEST(a_fault_stands_above_a_gate)
{
	load_rules("[" GATE ", " SILENT "}]");
	fact_set_bool(facts_add(incident->facts, FACT_KIND_CAPTURE_PAIR),
	              FIELD_PAIR_SAME_GUEST, false);
	add(FACT_KIND_ARP, 9, 10);
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_FAULT);
	ck_assert_uint_eq(judged->n_notes, 1);
}
END_TEST

START_TEST(a_failure_without_a_rule_is_inconclusive)
{
	struct fact *f;

	load_rules("[" PING "}]");
	f = add(FACT_KIND_TCP, 9, 10);
	fact_set_number(f, FIELD_SERVER_PORT, 443);
	incident->platform = "hyper-v";
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_INCONCLUSIVE);
	ck_assert_ptr_eq(strstr(judged->summary,
	                        "Cannot tell why 10.0.0.1 > 10.0.0.9:443 "
	                        "(tcp) fails"),
	                 judged->summary);
	ck_assert_uint_eq(judged->n_unexplained, 1);
	ck_assert_uint_eq(judged->n_next, 3);
	ck_assert_ptr_nonnull(
		strstr(judged->next[1].command, "pktmon start --capture"));

	did_something();
	fact_set_bool(f, FIELD_GUEST_IS_END, false);
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_HEALTHY);
	fact_set_bool(f, FIELD_GUEST_IS_END, true);
	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_INTERMITTENT);
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_INCONCLUSIVE);
	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_UNDECIDED);
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_INCONCLUSIVE);
	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_REFUSED);
	run();
	ck_assert_int_eq(judged->verdict, VERDICT_INCONCLUSIVE);
}
END_TEST

START_TEST(a_root_accounts_for_failures_without_a_rule)
{
	load_rules("[" SILENT EXPLAINS "]");
	add(FACT_KIND_ARP, 9, 10);
	add(FACT_KIND_DNS, 9, 11);
	add(FACT_KIND_DNS, 8, 11);
	run();
	ck_assert_uint_eq(judged->n_unexplained, 1);
	ck_assert_int_eq(judged->unexplained[0].dst.s6_addr[15], 8);
}
END_TEST

START_TEST(a_split_place_asks_for_the_next_capture)
{
	struct fact *f;

	load_rules("[" SILENT "}]");
	f = add(FACT_KIND_ARP, 9, 10);
	run();
	ck_assert_uint_eq(judged->n_next, 0);
	fact_set_bool(f, FIELD_LOST_SPLIT, true);
	incident->platform = "kvm";
	run();
	ck_assert_uint_ge(judged->n_next, 1);
	for (size_t i = 0; i < judged->n_next; i++) {
		ck_assert_ptr_nonnull(judged->next[i].settles);
		if (strstr(judged->next[i].command, "tcpdump -i vnet0"))
			return;
	}
	ck_abort_msg("no command for the guest's port");
}
END_TEST

static bool asks_for(const char *command)
{
	for (size_t i = 0; i < judged->n_next; i++)
		if (strstr(judged->next[i].command, command))
			return true;
	return false;
}

START_TEST(what_is_captured_already_is_not_asked_for)
{
	static const enum point_kind kinds[] = { POINT_KIND_UPLINK,
		                                 POINT_KIND_GUEST_PORT };
	struct incident_capture *captures = xcalloc(2, sizeof(*captures));

	load_rules("[" PING "}]");
	add(FACT_KIND_TCP, 9, 10);
	incident->platform = "kvm";
	incident->captures = captures;
	incident->n_captures = 2;
	captures[0].role = CAPTURE_ROLE_VM;
	captures[1].role = CAPTURE_ROLE_HOST;
	captures[1].points = xcalloc(2, sizeof(*captures[1].points));
	for (size_t i = 0; i < 2; i++) {
		captures[1].points[i].kind = kinds[i];
		captures[1].n_points = i + 1;
		run();
		ck_assert_int_eq(judged->verdict, VERDICT_INCONCLUSIVE);
		ck_assert_uint_eq(judged->n_next, 1);
		ck_assert(asks_for(i == 0 ? "port.pcap" : "peer.pcap"));
	}
}
END_TEST

START_TEST(what_could_not_be_excluded_asks_for_the_next_capture)
{
	load_rules("[" SILENT ", 'unless': [{'rule': 'arp-none-sent', 'when': "
	           "'server.alive'}]}]");
	add(FACT_KIND_ARP, 9, 10);
	incident->platform = "esxi";
	run();
	ck_assert_int_eq(judged->diagnoses[0].confidence, CONFIDENCE_MEDIUM);
	ck_assert_uint_ge(judged->n_next, 1);
	ck_assert_ptr_nonnull(strstr(judged->next[0].command, "--uplink"));
	ck_assert_ptr_nonnull(strstr(judged->next[0].settles,
	                             "whether it is arp-none-sent rather than "
	                             "arp-target-silent"));
}
END_TEST

/* 20 000 facts of one group, each asking about all others */
START_TEST(related_facts_cost_linear_time)
{
	load_rules("[" PING ", 'unless': [{'rule': 'icmp-unreachable', 'when': "
	           "'any(icmp by guest, tries == 99)'}]}]");
	for (int i = 0; i < 20000; i++)
		add(FACT_KIND_ICMP, (uint8_t)(i % 250), i);
	run();
	ck_assert_uint_eq(judged->n_diagnoses, 1);
	ck_assert_uint_eq(judged->diagnoses[0].count, 20000);
	ck_assert_uint_eq(judged->diagnoses[0].n_subjects, 250);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		nothing_decided_is_inconclusive,
		nothing_failed_is_healthy,
		a_finding_is_a_diagnosis,
		findings_of_one_rule_and_place_merge,
		an_unknown_place_lowers_the_confidence,
		look_alikes_suppress_or_lower_the_confidence,
		the_first_variant_that_holds_overrides,
		a_root_explains_what_starts_no_earlier,
		the_clocks_error_is_allowed,
		symptoms_of_symptoms_hang_on_the_root,
		place_and_direction_can_be_asked_to_agree,
		one_fact_is_one_diagnosis,
		diagnoses_come_in_order,
		a_gate_makes_it_inconclusive,
		a_fault_stands_above_a_gate,
		a_failure_without_a_rule_is_inconclusive,
		a_root_accounts_for_failures_without_a_rule,
		a_split_place_asks_for_the_next_capture,
		what_is_captured_already_is_not_asked_for,
		what_could_not_be_excluded_asks_for_the_next_capture,
		related_facts_cost_linear_time,
		NULL,
	};
	Suite *suite = suite_create("judge");
	TCase *tcase = tcase_create("judge");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; tests[i]; i++)
		tcase_add_test(tcase, tests[i]);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
