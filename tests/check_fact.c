#include "facts/fact.h"
#include "run_tests.h"

#include <stdio.h>
#include <string.h>

START_TEST(what_was_never_set_is_unknown)
{
	struct facts *facts = facts_new();
	struct fact *f = facts_add(facts, FACT_KIND_TCP);

	ck_assert_int_eq(fact_get(f, FIELD_TRIES).state, VALUE_UNKNOWN);
	fact_set_absent(f, FIELD_SERVER_PORT);
	ck_assert_int_eq(fact_get(f, FIELD_SERVER_PORT).state, VALUE_ABSENT);
	ck_assert_int_eq(fact_get(f, FIELD_TRIES).state, VALUE_UNKNOWN);
	facts_free(facts);
}
END_TEST

START_TEST(values_come_back_in_any_order_of_setting)
{
	struct facts *facts = facts_new();
	struct fact *f = facts_add(facts, FACT_KIND_TCP);
	struct in6_addr ip = addr_from_v4((const uint8_t[]){ 10, 0, 0, 1 });
	struct mac mac = { { 2, 0, 0, 0, 0, 1 } }, got;
	struct in6_addr got_ip;

	fact_set_label(f, FIELD_LABEL_PEER, "ab", 2);
	fact_set_interval(f, FIELD_TRIES, 3, VALUE_MAX);
	fact_set_mac(f, FIELD_CLIENT_MAC, mac);
	fact_set_bool(f, FIELD_GUEST_IS_END, true);
	fact_set_ip(f, FIELD_CLIENT_IP, &ip);
	fact_set_enum(f, FIELD_LOST_PLACE, PLACE_NAT);
	fact_set_number(f, FIELD_FIRST, 17);

	ck_assert_int_eq(fact_get(f, FIELD_TRIES).lo, 3);
	ck_assert_int_eq(fact_get(f, FIELD_TRIES).hi, VALUE_MAX);
	got = fact_get(f, FIELD_CLIENT_MAC).mac;
	ck_assert(mac_equal(got, mac));
	got_ip = fact_get(f, FIELD_CLIENT_IP).ip;
	ck_assert(addr_equal(&got_ip, &ip));
	ck_assert_int_eq(fact_get(f, FIELD_GUEST_IS_END).lo, 1);
	ck_assert_int_eq(fact_get(f, FIELD_LOST_PLACE).lo, PLACE_NAT);
	ck_assert_int_eq(fact_get(f, FIELD_FIRST).hi, 17);
	facts_free(facts);
}
END_TEST

START_TEST(setting_twice_keeps_the_last)
{
	struct facts *facts = facts_new();
	struct fact *f = facts_add(facts, FACT_KIND_TCP);

	fact_set_number(f, FIELD_TRIES, 3);
	fact_set_number(f, FIELD_TRIES, 4);
	ck_assert_int_eq(fact_get(f, FIELD_TRIES).lo, 4);
	fact_set_absent(f, FIELD_TRIES);
	ck_assert_int_eq(fact_get(f, FIELD_TRIES).state, VALUE_ABSENT);
	facts_free(facts);
}
END_TEST

START_TEST(texts_are_copied)
{
	struct facts *facts = facts_new();
	struct fact *f = facts_add(facts, FACT_KIND_CAPTURE);
	char text[] = "vm.pcap";

	fact_set_text(facts, f, FIELD_CAPTURE_FILE, text);
	text[0] = 'x';
	ck_assert_str_eq(fact_get(f, FIELD_CAPTURE_FILE).text, "vm.pcap");
	facts_free(facts);
}
END_TEST

START_TEST(equal_labels_are_equal_values_also_if_long)
{
	struct facts *facts = facts_new();
	struct fact *a = facts_add(facts, FACT_KIND_TCP);
	struct fact *b = facts_add(facts, FACT_KIND_TCP);
	char key[40] = "a flow of forty bytes or thereabouts";
	struct in6_addr x, y;

	fact_set_label(a, FIELD_LABEL_FLOW, key, sizeof(key));
	fact_set_label(b, FIELD_LABEL_FLOW, key, sizeof(key));
	x = fact_get(a, FIELD_LABEL_FLOW).ip;
	y = fact_get(b, FIELD_LABEL_FLOW).ip;
	ck_assert(addr_equal(&x, &y));

	key[39] = 1;
	fact_set_label(b, FIELD_LABEL_FLOW, key, sizeof(key));
	y = fact_get(b, FIELD_LABEL_FLOW).ip;
	ck_assert(!addr_equal(&x, &y));
	facts_free(facts);
}
END_TEST

START_TEST(pointers_stay_valid_while_facts_are_added)
{
	struct facts *facts = facts_new();
	struct fact *first = facts_add(facts, FACT_KIND_TCP);

	fact_set_number(first, FIELD_TRIES, 7);
	for (int i = 1; i < 50000; i++) {
		struct fact *f = facts_add(facts, FACT_KIND_UDP);

		for (int k = FIELD_TRIES; k <= FIELD_SEEN_HOST; k++)
			fact_set_number(f, (enum field)k, i);
	}
	ck_assert_uint_eq(facts_count(facts), 50000);
	ck_assert_ptr_eq(facts_get(facts, 0), first);
	ck_assert_int_eq(fact_get(first, FIELD_TRIES).lo, 7);
	ck_assert_int_eq(fact_get(facts_get(facts, 49999), FIELD_LAST).lo,
	                 49999);
	facts_free(facts);
}
END_TEST

START_TEST(evidence_is_kept_in_order)
{
	struct facts *facts = facts_new();
	struct fact *f = facts_add(facts, FACT_KIND_TCP);

	fact_add_evidence(f, &(struct evidence){ .claim = 5 });
	fact_add_evidence(f, &(struct evidence){ .claim = 6 });
	ck_assert_uint_eq(f->n_evidence, 2);
	ck_assert_int_eq(f->evidence[0].claim, 5);
	ck_assert_int_eq(f->evidence[1].claim, 6);
	facts_free(facts);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_was_never_set_is_unknown,
		values_come_back_in_any_order_of_setting,
		setting_twice_keeps_the_last,
		texts_are_copied,
		equal_labels_are_equal_values_also_if_long,
		pointers_stay_valid_while_facts_are_added,
		evidence_is_kept_in_order,
		NULL,
	};

	return run_tests("fact", tests);
}
