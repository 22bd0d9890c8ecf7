#include "base/hash.h"

#include <string.h>

#include "run_tests.h"

#define N 10000

START_TEST(each_byte_counts)
{
	uint8_t bytes[40] = { 0 };
	uint64_t hashes[sizeof(bytes) * 2 + 1];
	size_t count = 0;

	for (size_t n = 0; n <= sizeof(bytes); n++)
		hashes[count++] = hash_bytes(bytes, n);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		hashes[count++] = hash_bytes(bytes, sizeof(bytes));
		bytes[i] = 0;
	}
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(hashes[i], hashes[j]);
	ck_assert_uint_eq(hash_bytes(bytes, 40), hashes[40]);
}
END_TEST

START_TEST(stable_is_fnv_1a)
{
	ck_assert_uint_eq(hash_stable("", 0), 0xcbf29ce484222325);
	ck_assert_uint_eq(hash_stable("foobar", 6), 0x85944171f73967e8);
}
END_TEST

START_TEST(mixing_depends_on_both_and_their_order)
{
	ck_assert_uint_ne(hash_mix(1, 2), hash_mix(2, 1));
	ck_assert_uint_ne(hash_mix(1, 2), hash_mix(1, 3));
	ck_assert_uint_ne(hash_mix(1, 2), hash_mix(3, 2));
	ck_assert_uint_eq(hash_mix(1, 2), hash_mix(1, 2));
}
END_TEST

START_TEST(an_empty_table_has_nothing)
{
	struct hash_table t = { 0 };
	size_t pos = 0;

	ck_assert_uint_eq(hash_table_find(&t, 0, &pos), HASH_TABLE_NONE);
	hash_table_remove(&t, 0, 0);
	hash_table_free(&t);
}
END_TEST

START_TEST(entries_of_one_hash_come_in_order)
{
	struct hash_table t = { 0 };
	size_t pos = 0;

	/* Growing on the way, and others in between; the hash is such that
	 * the run wraps around the end of the slots. */
	for (uint32_t i = 0; i < 100; i++) {
		hash_table_add(&t, UINT64_MAX, i);
		hash_table_add(&t, i * 7, 1000 + i);
	}
	ck_assert_uint_eq(t.count, 200);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_uint_eq(hash_table_find(&t, UINT64_MAX, &pos), i);
	for (int again = 0; again < 3; again++)
		ck_assert_uint_eq(hash_table_find(&t, UINT64_MAX, &pos),
		                  HASH_TABLE_NONE);

	for (uint32_t i = 0; i < 100; i += 2)
		hash_table_remove(&t, UINT64_MAX, i);
	pos = 0;
	for (uint32_t i = 1; i < 100; i += 2)
		ck_assert_uint_eq(hash_table_find(&t, UINT64_MAX, &pos), i);
	ck_assert_uint_eq(hash_table_find(&t, UINT64_MAX, &pos),
	                  HASH_TABLE_NONE);
	hash_table_free(&t);
}
END_TEST

static uint64_t hash_of(uint32_t i, unsigned int spread)
{
	uint32_t group = i % spread;

	return hash_stable(&group, sizeof(group)) % spread;
}

/* Against a plain array of flags, at several densities of collisions */
START_TEST(adding_and_removing_at_random)
{
	const unsigned int spreads[] = { 50, 1000, 100000 };
	static bool present[N];
	uint32_t random = 1;

	for (int s = 0; s < 3; s++) {
		struct hash_table t = { 0 };
		size_t count = 0;

		memset(present, 0, sizeof(present));
		for (int step = 0; step < 4 * N; step++) {
			uint32_t i;

			random = random * 1664525 + 1013904223;
			i = (random >> 8) % (N / 10);
			if (present[i])
				hash_table_remove(&t, hash_of(i, spreads[s]),
				                  i);
			else
				hash_table_add(&t, hash_of(i, spreads[s]), i);
			count += present[i] ? SIZE_MAX : 1;
			present[i] = !present[i];
			ck_assert_uint_eq(t.count, count);
		}
		for (uint32_t i = 0; i < N / 10; i++) {
			size_t pos = 0;
			uint32_t found;

			do
				found = hash_table_find(
					&t, hash_of(i, spreads[s]), &pos);
			while (found != i && found != HASH_TABLE_NONE);
			ck_assert_int_eq(found == i, present[i]);
		}
		hash_table_free(&t);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_byte_counts,
		stable_is_fnv_1a,
		mixing_depends_on_both_and_their_order,
		an_empty_table_has_nothing,
		entries_of_one_hash_come_in_order,
		adding_and_removing_at_random,
		NULL,
	};

	return run_tests("hash", tests);
}
