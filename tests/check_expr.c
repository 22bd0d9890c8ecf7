#include "rules/expr.h"
#include "rules/relations.h"
#include "run_tests.h"

#include <string.h>

#define S INT64_C(1000000000)
#define KINDS FACT_KIND_BIT(FACT_KIND_TCP)

static struct facts *facts;

/* Fact 0 of kind tcp: 3 tries, an interval of answers, most else unknown */
static struct fact *make_fact(void)
{
	struct in6_addr ip = addr_from_v4((const uint8_t[]){ 10, 1, 2, 3 });
	struct mac mac = { { 0x02, 0x42, 0, 0, 0, 9 } };
	struct fact *f;

	facts = facts_new();
	f = facts_add(facts, FACT_KIND_TCP);
	fact_set_number(f, FIELD_TRIES, 3);
	fact_set_interval(f, FIELD_SEEN_HOST, 2, VALUE_MAX);
	fact_set_interval(f, FIELD_SEEN_VM, 4, 6);
	fact_set_number(f, FIELD_FIRST, 100 * S);
	fact_set_number(f, FIELD_LAST, 102 * S);
	fact_set_number(f, FIELD_SPAN, 2 * S);
	fact_set_enum(f, FIELD_LOST_PLACE, PLACE_GUEST_HOST_PATH);
	fact_set_bool(f, FIELD_CLIENT_IS_GUEST, true);
	fact_set_bool(f, FIELD_SERVER_IS_GUEST, false);
	fact_set_ip(f, FIELD_CLIENT_IP, &ip);
	fact_set_mac(f, FIELD_CLIENT_MAC, mac);
	fact_set_absent(f, FIELD_SERVER_PORT);
	return f;
}

static enum truth eval_at(const char *text, unsigned int kinds, size_t fact)
{
	struct errmsg err = { 0 };
	struct expression *e = expression_parse(text, kinds, &err);
	struct relations *rel;
	enum truth result;

	ck_assert_msg(e != NULL, "%s: %s", text, err.text);
	rel = relations_new(facts);
	result = expression_eval(e, rel, fact);
	/* What was found out about a group must not change the answer. */
	ck_assert_int_eq(expression_eval(e, rel, fact), result);
	relations_free(rel);
	expression_free(e);
	return result;
}

static void check(const char *text, enum truth expected)
{
	enum truth got = eval_at(text, KINDS, 0);

	ck_assert_msg(got == expected, "%s: %d, not %d", text, got, expected);
}

#define IS(text) check(text, TRUTH_TRUE)
#define IS_NOT(text) check(text, TRUTH_FALSE)
#define CANNOT_TELL(text) check(text, TRUTH_UNKNOWN)

START_TEST(numbers_compare)
{
	make_fact();
	IS("tries == 3");
	IS_NOT("tries == 4");
	IS("tries != 4");
	IS_NOT("tries != 3");
	IS("tries < 4");
	IS_NOT("tries < 3");
	IS("tries <= 3");
	IS_NOT("tries <= 2");
	IS("tries > 2");
	IS_NOT("tries > 3");
	IS("tries >= 3");
	IS_NOT("tries >= 4");
	CANNOT_TELL("answers == 0");
	CANNOT_TELL("answers != 0");
	CANNOT_TELL("answers < 3");
	CANNOT_TELL("tries > answers");
	facts_free(facts);
}
END_TEST

START_TEST(intervals_are_true_as_soon_as_they_must_be)
{
	make_fact(); /* seen.host in [2, infinity], seen.vm in [4, 6] */
	IS("seen.host >= 2");
	CANNOT_TELL("seen.host >= 3");
	IS("seen.host > 1");
	IS_NOT("seen.host == 0");
	IS("seen.host != 0");
	CANNOT_TELL("seen.host == 2");
	IS_NOT("seen.host < 2");
	CANNOT_TELL("seen.host < 100");
	IS("seen.vm <= 6");
	CANNOT_TELL("seen.vm <= 5");
	IS_NOT("seen.vm <= 3");
	IS_NOT("seen.vm > 6");
	CANNOT_TELL("seen.vm in {5}");
	IS_NOT("seen.vm in {1 2 3 7}");
	IS("seen.vm > tries");
	CANNOT_TELL("seen.vm > seen.host");
	facts_free(facts);
}
END_TEST

START_TEST(arithmetic_works_on_intervals_and_units)
{
	make_fact();
	IS("tries + 1 == 4");
	IS("tries - 1 == 2");
	IS("tries * 2 == 6");
	IS("tries / 2 == 1");
	IS("1 + tries * 2 == 7");
	IS("(1 + tries) * 2 == 8");
	IS("seen.vm + seen.host >= 6");
	CANNOT_TELL("seen.vm + seen.host > 6");
	CANNOT_TELL("seen.vm - seen.host > 0");
	IS("seen.vm - seen.host <= 4");
	IS("seen.vm * 2 >= 8");
	IS("seen.host * 2 >= 4");
	IS("12 / seen.vm >= 2");
	CANNOT_TELL("12 / answers >= 2");
	CANNOT_TELL("tries / (tries - 3) == 1");
	IS("span == 2s");
	IS("span >= 1999ms && span <= 2000000us");
	IS("span == 2.0s");
	IS("span * 30 == 1min");
	IS("span / 2 == 1s");
	IS("span / 500ms == 4");
	IS("last - first == span");
	IS("first + span == last");
	IS("1h == 60min && 1d == 24h && 1500B == 1500");
	facts_free(facts);
}
END_TEST

START_TEST(words_addresses_and_texts_compare)
{
	make_fact();
	IS("lost.place == guest-host-path");
	IS("guest-host-path == lost.place");
	IS("lost.place != nat");
	IS("lost.place in {nat guest-host-path}");
	IS("lost.place in {nat, guest-host-path}");
	IS_NOT("lost.place in {nat host}");
	CANNOT_TELL("lost.leg == request");
	CANNOT_TELL("lost.leg in {request reply}");
	IS("client.ip == 10.1.2.3");
	IS("client.ip == 10.0.0.0/8");
	IS("client.ip in {192.168.0.0/16, 10.1.2.0/24}");
	IS_NOT("client.ip == 10.1.3.0/24");
	IS("client.ip != 10.1.2.4");
	IS_NOT("client.ip == ::1");
	IS("client.mac == 02:42:00:00:00:09");
	IS("client.mac == 02:42:00:00:00:00/16");
	IS_NOT("client.mac == 02:43:00:00:00:00/16");
	IS("client.mac == 02:43:00:00:00:00/15");
	CANNOT_TELL("server.ip == 10.0.0.0/8");
	facts_free(facts);
}
END_TEST

START_TEST(texts_contain)
{
	struct fact *f;

	facts = facts_new();
	f = facts_add(facts, FACT_KIND_CAPTURE);
	fact_set_text(facts, f, FIELD_CAPTURE_HIDDEN, "ARP and DHCP");
	ck_assert_int_eq(eval_at("hidden contains 'ARP'",
	                         FACT_KIND_BIT(FACT_KIND_CAPTURE), 0),
	                 TRUTH_TRUE);
	ck_assert_int_eq(eval_at("hidden contains 'DNS'",
	                         FACT_KIND_BIT(FACT_KIND_CAPTURE), 0),
	                 TRUTH_FALSE);
	ck_assert_int_eq(eval_at("hidden == 'ARP and DHCP'",
	                         FACT_KIND_BIT(FACT_KIND_CAPTURE), 0),
	                 TRUTH_TRUE);
	ck_assert_int_eq(eval_at("file contains 'ARP'",
	                         FACT_KIND_BIT(FACT_KIND_CAPTURE), 0),
	                 TRUTH_UNKNOWN);
	facts_free(facts);
}
END_TEST

START_TEST(connectives_are_kleenes)
{
	make_fact();
	IS("client.is_guest");
	IS("client.is_guest == true");
	IS_NOT("!client.is_guest");
	IS_NOT("server.is_guest");
	CANNOT_TELL("guest.alive");
	CANNOT_TELL("!guest.alive");
	IS_NOT("guest.alive && server.is_guest");
	IS_NOT("server.is_guest && guest.alive");
	CANNOT_TELL("guest.alive && client.is_guest");
	CANNOT_TELL("client.is_guest && guest.alive");
	IS("guest.alive || client.is_guest");
	IS("client.is_guest || guest.alive");
	CANNOT_TELL("guest.alive || server.is_guest");
	IS("server.is_guest && guest.alive || client.is_guest");
	IS_NOT("!(client.is_guest || guest.alive)");
	facts_free(facts);
}
END_TEST

START_TEST(absence_is_knowledge)
{
	make_fact(); /* server.port is absent, server.ip unknown */
	IS_NOT("has(server.port)");
	IS("known(server.port)");
	IS_NOT("server.port == 80");
	IS_NOT("server.port != 80");
	IS_NOT("server.port in {80}");
	IS_NOT("server.port + 1 > 0");
	IS("has(tries) && known(tries)");
	CANNOT_TELL("has(server.ip)");
	IS_NOT("known(server.ip)");
	facts_free(facts);
}
END_TEST

static struct fact *add_related(const char *guest, int64_t tries, int64_t first)
{
	struct fact *f = facts_add(facts, FACT_KIND_TCP);

	fact_set_label(f, FIELD_LABEL_GUEST, guest, strlen(guest));
	if (tries >= 0)
		fact_set_number(f, FIELD_TRIES, tries);
	fact_set_number(f, FIELD_FIRST, first);
	return f;
}

/* Facts 0 to 2 are of one guest, 3 of another, 4 of none that is known. */
static void make_related(void)
{
	facts = facts_new();
	add_related("a", 5, 10);
	add_related("a", 1, 20);
	add_related("a", -1, 30);
	add_related("b", 9, 40);
	fact_set_number(facts_add(facts, FACT_KIND_TCP), FIELD_TRIES, 5);
}

START_TEST(any_looks_at_facts_with_equal_labels)
{
	make_related();
	ck_assert_int_eq(eval_at("any(tcp by guest, tries == 1)", KINDS, 0),
	                 TRUTH_TRUE);
	/* not at itself: */
	ck_assert_int_eq(eval_at("any(tcp by guest, tries == 1)", KINDS, 1),
	                 TRUTH_UNKNOWN);
	ck_assert_int_eq(eval_at("any(tcp by guest, tries == 9)", KINDS, 0),
	                 TRUTH_UNKNOWN); /* fact 2 might */
	ck_assert_int_eq(eval_at("any(tcp by guest, tries == 9)", KINDS, 3),
	                 TRUTH_FALSE);
	ck_assert_int_eq(eval_at("any(tcp by guest, tries > 0)", KINDS, 4),
	                 TRUTH_UNKNOWN);
	ck_assert_int_eq(eval_at("any(udp by guest, tries > 0)", KINDS, 0),
	                 TRUTH_FALSE);
	ck_assert_int_eq(eval_at("any(exchange by all, tries == 9)", KINDS, 0),
	                 TRUTH_TRUE);
	ck_assert_int_eq(eval_at("any(tcp by all, tries == 9)", KINDS, 3),
	                 TRUTH_UNKNOWN);
	facts_free(facts);
}
END_TEST

START_TEST(relations_by_other_labels_are_kept_apart)
{
	facts = facts_new();
	add_related("a", 5, 10);
	fact_set_label(add_related("b", 9, 40), FIELD_LABEL_PROTO, "t", 1);
	fact_set_label(add_related("c", 7, 40), FIELD_LABEL_PROTO, "t", 1);
	ck_assert_int_eq(eval_at("any(tcp by guest, tries == 7) || "
	                         "any(tcp by proto, tries == 7)",
	                         KINDS, 1),
	                 TRUTH_TRUE);
	ck_assert_int_eq(eval_at("any(tcp by guest+proto, tries == 7) || "
	                         "any(tcp by proto+guest, tries == 7)",
	                         KINDS, 1),
	                 TRUTH_FALSE);
	facts_free(facts);
}
END_TEST

START_TEST(this_is_the_outer_fact)
{
	make_related();
	ck_assert_int_eq(
		eval_at("any(tcp by guest, first > this.first)", KINDS, 0),
		TRUTH_TRUE);
	ck_assert_int_eq(
		eval_at("any(tcp by guest, first > this.first)", KINDS, 2),
		TRUTH_FALSE);
	ck_assert_int_eq(eval_at("any(tcp by guest, "
	                         "tries == 1 && first < this.first)",
	                         KINDS, 2),
	                 TRUTH_TRUE);
	ck_assert_int_eq(eval_at("any(tcp by guest, "
	                         "tries == 1 && first < this.first)",
	                         KINDS, 0),
	                 TRUTH_FALSE);
	facts_free(facts);
}
END_TEST

START_TEST(count_is_an_interval)
{
	make_related();
	ck_assert_int_eq(
		eval_at("count(tcp by guest, tries >= 1) >= 1", KINDS, 0),
		TRUTH_TRUE);
	ck_assert_int_eq(
		eval_at("count(tcp by guest, tries >= 1) == 1", KINDS, 0),
		TRUTH_UNKNOWN); /* 1 or 2 */
	ck_assert_int_eq(
		eval_at("count(tcp by guest, tries >= 1) > 2", KINDS, 0),
		TRUTH_FALSE);
	ck_assert_int_eq(eval_at("count(tcp by guest, first >= this.first) "
	                         "== 2",
	                         KINDS, 0),
	                 TRUTH_TRUE);
	ck_assert_int_eq(eval_at("count(tcp by all, first > 0s + this.first) "
	                         "+ 1 == 4",
	                         KINDS, 0),
	                 TRUTH_UNKNOWN); /* fact 4 has no time */
	facts_free(facts);
}
END_TEST

static void check_error(const char *text, const char *expected)
{
	struct errmsg err = { 0 };
	struct expression *e = expression_parse(text, KINDS, &err);

	ck_assert_msg(e == NULL, "%s: is taken", text);
	ck_assert_str_eq(err.text, expected);
}

START_TEST(unknown_names_are_errors)
{
	check_error("trys >= 3", "unknown field 'trys', did you mean 'tries'?\n"
	                         "  trys >= 3\n"
	                         "  ^");
	check_error("tries >= 3 && sever.ip == 10.0.0.1",
	            "unknown field 'sever.ip', did you mean 'server.ip'?\n"
	            "  tries >= 3 && sever.ip == 10.0.0.1\n"
	            "                ^");
	check_error("quux", "unknown field 'quux'\n  quux\n  ^");
	check_error("has(quux)", "unknown field 'quux'\n  has(quux)\n      ^");
	check_error("any(quux by all, tries > 1)",
	            "unknown kind of fact 'quux'\n"
	            "  any(quux by all, tries > 1)\n"
	            "      ^");
	check_error("any(tcp by guests, tries > 1)",
	            "unknown label 'guests', did you mean 'guest'?\n"
	            "  any(tcp by guests, tries > 1)\n"
	            "             ^");
	check_error("any(tcp by all, tries > this.trie)",
	            "unknown field 'trie', did you mean 'tries'?\n"
	            "  any(tcp by all, tries > this.trie)\n"
	            "                               ^");
}
END_TEST

START_TEST(wrong_types_are_errors)
{
	check_error("lost.place == gest",
	            "'gest' is no place (guest, guest-host-path, host, nat, "
	            "beyond-host, capture), did you mean 'guest'?\n"
	            "  lost.place == gest\n"
	            "                ^");
	check_error("lost.place == failed",
	            "'failed' is no place (guest, guest-host-path, host, nat, "
	            "beyond-host, capture)\n"
	            "  lost.place == failed\n"
	            "                ^");
	check_error("lost.place == outcome",
	            "cannot compare a place with a outcome\n"
	            "  lost.place == outcome\n"
	            "                ^");
	check_error("tries == 10.0.0.1",
	            "cannot compare a plain number with an IP address\n"
	            "  tries == 10.0.0.1\n"
	            "           ^");
	check_error("span > 3",
	            "cannot compare a duration with a plain number\n"
	            "  span > 3\n"
	            "         ^");
	check_error("client.ip > 10.0.0.1", "an IP address has no order\n"
	                                    "  client.ip > 10.0.0.1\n"
	                                    "  ^");
	check_error("first + last > first",
	            "cannot compute with a time and a time here\n"
	            "  first + last > first\n"
	            "          ^");
	check_error("tries && client.is_guest",
	            "a condition is needed, this is a plain number\n"
	            "  tries && client.is_guest\n"
	            "  ^");
	check_error("tries", "a condition is needed, this is a plain number\n"
	                     "  tries\n"
	                     "  ^");
	check_error("count(tcp by all, tries > 1)",
	            "a condition is needed, this is a plain number\n"
	            "  count(tcp by all, tries > 1)\n"
	            "  ^");
}
END_TEST

START_TEST(wrong_syntax_is_an_error)
{
	check_error("", "a field or a value expected, but here it ends\n"
	                "  \n"
	                "  ^");
	check_error("(tries > 1", "')' expected, but here it ends\n"
	                          "  (tries > 1\n"
	                          "            ^");
	check_error("tries > 1 tries", "an operator or the end expected, not "
	                               "'tries'\n"
	                               "  tries > 1 tries\n"
	                               "            ^");
	check_error("tries > 2 s", "an operator or the end expected, not 's'\n"
	                           "  tries > 2 s\n"
	                           "            ^");
	check_error("span > 2sec", "unknown unit 'sec'\n"
	                           "  span > 2sec\n"
	                           "          ^");
	check_error("tries > 1.5", "too large, or not a whole number '1.5'\n"
	                           "  tries > 1.5\n"
	                           "          ^");
	check_error("client.ip == 10.0.0.0/33",
	            "the prefix is too long '10.0.0.0/33'\n"
	            "  client.ip == 10.0.0.0/33\n"
	            "               ^");
	check_error("client.ip == 10.0.0", "not an address '10.0.0'\n"
	                                   "  client.ip == 10.0.0\n"
	                                   "               ^");
	check_error("this.tries > 1",
	            "'this' has a meaning within any() and count() only\n"
	            "  this.tries > 1\n"
	            "  ^");
	check_error("any(tcp by all, any(tcp by all, tries > 1))",
	            "any() and count() do not nest\n"
	            "  any(tcp by all, any(tcp by all, tries > 1))\n"
	            "                  ^");
	check_error("tries ~ 1", "unexpected character '~'\n"
	                         "  tries ~ 1\n"
	                         "        ^");
}
END_TEST

START_TEST(hyphens_belong_to_words_and_minus_stands_apart)
{
	make_fact();
	IS("tries - 1 == 2");
	check_error("tries-1 == 2", "unknown field 'tries-1', did you mean "
	                            "'tries'?\n"
	                            "  tries-1 == 2\n"
	                            "  ^");
	facts_free(facts);
}
END_TEST

START_TEST(deep_nesting_is_an_error_and_no_crash)
{
	char text[2 * 5000 + 1];
	struct errmsg err = { 0 };

	memset(text, '(', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_ptr_null(expression_parse(text, KINDS, &err));
	ck_assert_ptr_eq(strstr(err.text, "nested too deeply"), err.text);
	memset(text, '!', sizeof(text) - 1);
	ck_assert_ptr_null(expression_parse(text, KINDS, &err));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		numbers_compare,
		intervals_are_true_as_soon_as_they_must_be,
		arithmetic_works_on_intervals_and_units,
		words_addresses_and_texts_compare,
		texts_contain,
		connectives_are_kleenes,
		absence_is_knowledge,
		any_looks_at_facts_with_equal_labels,
		relations_by_other_labels_are_kept_apart,
		this_is_the_outer_fact,
		count_is_an_interval,
		unknown_names_are_errors,
		wrong_types_are_errors,
		wrong_syntax_is_an_error,
		hyphens_belong_to_words_and_minus_stands_apart,
		deep_nesting_is_an_error_and_no_crash,
		NULL,
	};

	return run_tests("expr", tests);
}
