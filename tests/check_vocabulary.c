#include "facts/vocabulary.h"
#include "run_tests.h"

#include <string.h>

static int find(unsigned int kinds, const char *name)
{
	return field_find(kinds, name, strlen(name));
}

static unsigned int kind(const char *name)
{
	return fact_kind_find(name, strlen(name));
}

START_TEST(every_field_has_a_name_kinds_and_a_meaning)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_info *info = field_info((enum field)i);

		ck_assert_msg(info->name && info->name[0], "field %d", i);
		ck_assert_msg(info->meaning, "%s has no meaning", info->name);
		ck_assert_msg(info->kinds, "%s has no kinds", info->name);
		ck_assert_msg((info->type == VALUE_TYPE_ENUM) == !!info->words,
		              "%s: words and type disagree", info->name);
	}
}
END_TEST

START_TEST(names_are_unique_within_a_kind)
{
	for (int k = 0; k < FACT_KIND_COUNT; k++)
		for (int i = 0; i < FIELD_COUNT; i++) {
			const struct field_info *info =
				field_info((enum field)i);
			unsigned int bit = FACT_KIND_BIT((unsigned int)k);

			if (!(info->kinds & bit) ||
			    info->type == VALUE_TYPE_LABEL)
				continue;
			ck_assert_int_eq(find(bit, info->name), i);
		}
}
END_TEST

START_TEST(a_name_means_the_field_of_the_kind)
{
	ck_assert_int_eq(find(kind("arp"), "first"), FIELD_FIRST);
	ck_assert_int_eq(find(kind("capture"), "first"), FIELD_CAPTURE_FIRST);
	ck_assert_int_eq(find(kind("capture"), "tries"), -1);
	ck_assert_int_eq(find(kind("exchange"), "lost.place"),
	                 FIELD_LOST_PLACE);
	ck_assert_int_eq(find(kind("arp") | kind("capture"), "first"), -1);
	ck_assert_int_eq(find(kind("arp"), "firs"), -1);
	ck_assert_int_eq(find(kind("arp"), "firstx"), -1);
}
END_TEST

START_TEST(labels_are_found_only_as_labels)
{
	ck_assert_int_eq(label_find("peer", 4), FIELD_LABEL_PEER);
	ck_assert_int_eq(label_find("direction", 9), FIELD_LABEL_DIRECTION);
	ck_assert_int_eq(label_find("tries", 5), -1);
	ck_assert_int_eq(find(kind("exchange"), "peer"), -1);
	ck_assert_int_eq(find(kind("exchange"), "direction"), FIELD_DIRECTION);
}
END_TEST

START_TEST(kinds_are_found_by_name)
{
	ck_assert_uint_eq(kind("tcp"), FACT_KIND_BIT(FACT_KIND_TCP));
	ck_assert_uint_eq(kind("exchange"), FACT_KINDS_EXCHANGE);
	ck_assert_uint_eq(kind("tc"), 0);
	ck_assert_str_eq(fact_kind_name(FACT_KIND_EXCHANGE), "exchange");
	ck_assert_str_eq(fact_kind_name(FACT_KIND_CAPTURE_PAIR),
	                 "capture_pair");
}
END_TEST

START_TEST(words_stand_for_their_values)
{
	ck_assert_int_eq(enum_set_find(&enum_set_place, "beyond-host", 11),
	                 PLACE_BEYOND_HOST);
	ck_assert_int_eq(enum_set_find(&enum_set_place, "beyond", 6), -1);
	ck_assert_int_eq(enum_set_find(&enum_set_outcome, "intermittent", 12),
	                 OUTCOME_INTERMITTENT);
	ck_assert_int_eq(enum_set_find(&enum_set_refusal, "ttl-exceeded", 12),
	                 REFUSAL_TTL_EXCEEDED);
	ck_assert_int_eq(evidence_leg_find("host-reset", 10),
	                 EVIDENCE_HOST_RESET);
	ck_assert_int_eq(evidence_leg_find("answer", 6), -1);
	ck_assert_str_eq(evidence_leg_name(EVIDENCE_REPLY), "reply");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_field_has_a_name_kinds_and_a_meaning,
		names_are_unique_within_a_kind,
		a_name_means_the_field_of_the_kind,
		labels_are_found_only_as_labels,
		kinds_are_found_by_name,
		words_stand_for_their_values,
		NULL,
	};

	return run_tests("vocabulary", tests);
}
