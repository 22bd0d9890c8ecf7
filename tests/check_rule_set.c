#include "rules/rule_set.h"
#include "run_tests.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "rules/rule.h"
#include "rules/signature_ids.h"

#define REST                                                                   \
	"\"severity\": \"high\", \"title\": \"t\", \"place\": \"host\", "      \
	"\"statement\": \"s\", \"cause\": \"c\", \"fix\": {\"any\": [\"f\"]}"
#define RULE(id) "{\"id\": \"" id "\", " REST ", \"for\": \"arp\", " WHEN
#define WHEN "\"when\": \"tries >= 3\""

static char folder[] = "/tmp/check_rule_set.XXXXXX";
static char path[64];

static void write_file(const char *name, const char *content)
{
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(content, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* Loads @content as r.json; "" or the message without the folder */
static void check_load(const char *content, const char *expected)
{
	struct rule_set *set = rule_set_new();
	struct errmsg err = { 0 };
	const char *text = err.text;
	bool good;

	write_file("r.json", content);
	good = rule_set_load(set, path, &err) && rule_set_check(set, &err);
	ck_assert_int_eq(good, expected[0] == '\0');
	if (!good && strncmp(text, folder, strlen(folder)) == 0)
		text += strlen(folder) + 1;
	ck_assert_str_eq(text, expected);
	rule_set_free(set);
}

START_TEST(a_good_rule_loads)
{
	check_load("[" RULE("arp-spoof") "}]", "");
	check_load("[]", "");
}
END_TEST

START_TEST(broken_json_names_line_and_column)
{
	check_load("[\n  {\"id\" \"x\"}\n]",
	           "r.json:2:11: ':' expected near '\"x\"'");
	check_load("[{\"id\": \"a\", \"id\": \"b\"}]",
	           "r.json:1:17: duplicate object key near '\"id\"'");
	check_load("{}", "r.json: the file is not an array of rules");
	check_load("[3]", "r.json: rule 1: is not an object");
}
END_TEST

START_TEST(keys_are_checked)
{
	check_load("[{" REST "}]", "r.json: rule 1: id: is missing");
	check_load("[" RULE("arp-spof") "}]",
	           "r.json: arp-spof: id: no such failure signature, did you "
	           "mean 'arp-spoof'?");
	check_load("[" RULE("arp-spoof") ", \"unles\": []}]",
	           "r.json: arp-spoof: unles: unknown key, did you mean "
	           "'unless'?");
	check_load("[" RULE("arp-spoof") ", \"unless\": {}}]",
	           "r.json: arp-spoof: unless: an array is needed here, not an "
	           "object");
	check_load(
		"[" RULE("arp-spoof") ", \"unless\": [{\"rule\": 3}]}]",
		"r.json: arp-spoof: unless[0].rule: a string is needed here, "
		"not a number");
	check_load(
		"[" RULE("arp-spoof") ", \"class\": \"nota\"}]",
		"r.json: arp-spoof: class: unknown word 'nota', did you mean "
		"'note'?");
	check_load(
		"[" RULE("arp-spoof") ", \"direction\": \"from-gest\"}]",
		"r.json: arp-spoof: direction: unknown word 'from-gest', did "
		"you mean 'from-guest'?");
	check_load(
		"[" RULE("arp-spoof") ", \"evidence\": [\"request@wm\"]}]",
		"r.json: arp-spoof: evidence: unknown point in 'request@wm'");
	check_load("[" RULE("arp-spoof") ", \"evidence\": [\"reqest@vm\"]}]",
	           "r.json: arp-spoof: evidence: unknown leg in 'reqest@vm'");
	check_load(
		"[{\"id\": \"arp-spoof\", \"title\": \"t\", \"for\": "
		"\"apr\"}]",
		"r.json: arp-spoof: for: unknown kind of fact 'apr', did you "
		"mean 'arp'?");
}
END_TEST

START_TEST(an_id_is_used_once)
{
	struct rule_set *set = rule_set_new();
	struct errmsg err = { 0 };

	write_file("r.json",
	           "[" RULE("arp-spoof") "}, " RULE("arp-spoof") "}]");
	ck_assert(!rule_set_load(set, path, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "arp-spoof: id: "));
	ck_assert_ptr_nonnull(
		strstr(err.text, "r.json has a rule of this id already"));
	rule_set_free(set);
}
END_TEST

START_TEST(expressions_show_where_they_are_wrong)
{
	check_load("[{\"id\": \"arp-spoof\", " REST
	           ", \"for\": \"arp\", \"when\": \"tries >= 3 && span > 3\"}]",
	           "r.json: arp-spoof: when: cannot compare a duration with a "
	           "plain number\n"
	           "  tries >= 3 && span > 3\n"
	           "                       ^");
	check_load("[" RULE("arp-spoof") ", \"unless\": [{\"rule\": "
	                                 "\"arp-proxy\", \"when\": \"answer > "
	                                 "1\"}]}]",
	           "r.json: arp-spoof: unless[0].when: unknown field 'answer', "
	           "did you mean 'answers'?\n"
	           "  answer > 1\n"
	           "  ^");
	check_load("[" RULE("arp-spoof") ", \"variants\": [{\"name\": \"v\", "
	                                 "\"when\": \"gap > 1s\"}]}]",
	           "r.json: arp-spoof: variants[0].when: unknown field 'gap'\n"
	           "  gap > 1s\n"
	           "  ^");
}
END_TEST

START_TEST(fields_in_texts_are_checked)
{
	check_load("[" RULE("arp-spoof") ", \"variants\": [{\"name\": \"v\", "
	                                 "\"when\": \"tries > 1\", "
	                                 "\"cause\": \"for {sever.ip}\"}]}]",
	           "r.json: arp-spoof: variants[0].cause: unknown field "
	           "'{sever.ip}', did you mean 'server.ip'?");
	check_load(
		"[" RULE("arp-spoof") ", \"variants\": [{\"name\": \"v\", "
				      "\"when\": \"tries > 1\", \"cause\": "
				      "\"{server.ip} "
				      "{ tcp dport 80 } {} {host.file}\"}]}]",
		"");
}
END_TEST

START_TEST(other_rules_must_be_known)
{
	check_load(
		"[" RULE("arp-spoof") ", \"unless\": [{\"rule\": "
				      "\"arp-prox\", " WHEN "}]}]",
		"r.json: arp-spoof: unless: unknown rule 'arp-prox', did you "
		"mean 'arp-proxy'?");
	check_load("[" RULE("arp-spoof") ", \"explains\": [{\"rules\": "
	                                 "[\"icpm-*\"], \"same\": []}]}]",
	           "r.json: arp-spoof: explains: unknown rule 'icpm-*'");
	check_load(
		"[" RULE("arp-spoof") ", \"explains\": [{\"rules\": "
				      "[\"icmp-*\"], \"same\": [\"pear\"]}]}]",
		"r.json: arp-spoof: explains[0].same: unknown label 'pear', "
		"did you mean 'peer'?");
	check_load("[" RULE("arp-spoof") ", \"explains\": [{\"rules\": "
	                                 "[\"icmp-*\", \"arp-*\"], \"same\": "
	                                 "[\"peer\", "
	                                 "\"place\"]}]}]",
	           "");
}
END_TEST

START_TEST(causes_that_explain_each_other_are_an_error)
{
	check_load(
		"[" RULE(
			"arp-spoof") ", \"explains\": [{\"rules\": "
				     "[\"gw-*\"], \"same\": []}]}, " RULE(
					     "gw-wrong-gateway") ", "
								 "\"explains\""
								 ": "
								 "[{\"rules\":"
								 " [\"tcp-"
								 "half-open\"]"
								 ", \"same\": "
								 "[]}]},"
								 " " RULE(
									 "tcp-"
									 "half"
									 "-ope"
									 "n") ", \"explains\": [{\"rules\": [\"arp-*\"], \"same\": []}]}]",
		"r.json: arp-spoof: explains: circular: arp-spoof > "
		"gw-wrong-gateway > tcp-half-open > arp-spoof");
	check_load("[" RULE("arp-spoof") ", \"explains\": [{\"rules\": "
	                                 "[\"arp-spoof\"], \"same\": []}]}]",
	           "r.json: arp-spoof: explains: circular: arp-spoof > "
	           "arp-spoof");
}
END_TEST

START_TEST(a_folder_loads_in_order_and_without_schemas)
{
	struct rule_set *set = rule_set_new();
	struct errmsg err = { 0 };
	char first[32];

	write_file("b.json", "[" RULE("arp-proxy") "}]");
	write_file("r.json", "[" RULE("arp-spoof") "}]");
	write_file("x.schema.json", "{}");
	write_file("notes.txt", "no rules");
	ck_assert_msg(rule_set_load(set, folder, &err), "%s", err.text);
	ck_assert_uint_eq(rule_set_count(set), 2);
	ck_assert_ptr_nonnull(rule_set_find(set, "arp-proxy"));
	ck_assert_ptr_null(rule_set_find(set, "arp-none-sent"));
	(void)snprintf(first, sizeof(first), "%s", rule_set_digest(set));
	ck_assert_uint_eq(strlen(first), 16);
	rule_set_free(set);

	set = rule_set_new();
	write_file("r.json", "[" RULE("arp-spoof") "} ]");
	ck_assert(rule_set_load(set, folder, &err));
	ck_assert_str_ne(rule_set_digest(set), first);
	rule_set_free(set);
}
END_TEST

START_TEST(a_missing_file_is_an_error)
{
	struct rule_set *set = rule_set_new();
	struct errmsg err = { 0 };

	ck_assert(!rule_set_load(set, "/nonexistent/rules", &err));
	ck_assert_str_eq(err.text,
	                 "/nonexistent/rules: No such file or directory");
	rule_set_free(set);
}
END_TEST

START_TEST(variants_copy_what_they_do_not_override)
{
	struct rule_set *set = rule_set_new();
	struct errmsg err = { 0 };
	const struct rule *rule;

	write_file("r.json", "[" RULE("arp-spoof") ", \"variants\": "
	                                           "[{\"name\": \"v\", "
	                                           "\"when\": \"tries > 9\", "
	                                           "\"severity\": \"low\"}]}]");
	ck_assert_msg(rule_set_load(set, path, &err), "%s", err.text);
	rule = rule_set_find(set, "arp-spoof");
	ck_assert_int_eq(rule->variants[0].ruling.severity, SEVERITY_LOW);
	ck_assert_int_eq(rule->variants[0].ruling.place.word, PLACE_HOST);
	ck_assert_str_eq(rule->variants[0].ruling.statement, "s");
	ck_assert_str_eq(rule->variants[0].ruling.fix[0].steps[0], "f");
	rule_set_free(set);
}
END_TEST

START_TEST(the_shipped_rules_load)
{
	const char *srcdir = getenv("srcdir");
	char *rules = text_format("%s/rules", srcdir ? srcdir : ".");
	struct rule_set *set = rule_set_new();
	struct errmsg err = { 0 };

	ck_assert_msg(rule_set_load(set, rules, &err), "%s", err.text);
	ck_assert_msg(rule_set_check(set, &err), "%s", err.text);
	ck_assert_uint_ge(rule_set_count(set), 18);
	free(rules);
	rule_set_free(set);
}
END_TEST

START_TEST(globs_match_ids)
{
	ck_assert(glob_matches("icmp-*", "icmp-lost-beyond"));
	ck_assert(!glob_matches("icmp-*", "tcp-half-open"));
	ck_assert(glob_matches("tcp-half-open", "tcp-half-open"));
	ck_assert(!glob_matches("tcp-half", "tcp-half-open"));
	ck_assert(signature_id_known("cap-offload-artifact"));
	ck_assert(!signature_id_known("cap-offload"));
	for (size_t i = 0; i < SIGNATURE_ID_COUNT; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(signature_ids[i], signature_ids[j]);
}
END_TEST

static void remove_files(void)
{
	static const char *const names[] = { "r.json", "b.json",
		                             "x.schema.json", "notes.txt" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

int main(void)
{
	const TTest *const tests[] = {
		a_good_rule_loads,
		broken_json_names_line_and_column,
		keys_are_checked,
		an_id_is_used_once,
		expressions_show_where_they_are_wrong,
		fields_in_texts_are_checked,
		other_rules_must_be_known,
		causes_that_explain_each_other_are_an_error,
		a_folder_loads_in_order_and_without_schemas,
		a_missing_file_is_an_error,
		variants_copy_what_they_do_not_override,
		the_shipped_rules_load,
		globs_match_ids,
		NULL,
	};
	int status;

	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	status = run_tests("rule_set", tests);
	remove_files();
	return status;
}
