#include "base/cursor.h"
#include "run_tests.h"

static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

START_TEST(numbers_in_both_byte_orders)
{
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	ck_assert_uint_eq(cursor_u8(&c), 0x01);
	ck_assert_uint_eq(cursor_be16(&c), 0x0203);
	ck_assert_uint_eq(cursor_be32(&c), 0x04050607);
	ck_assert_uint_eq(c.left, 2);
	c = cursor_of(bytes, sizeof(bytes));
	ck_assert_uint_eq(cursor_le32(&c), 0x04030201);
	ck_assert(!c.truncated);
}
END_TEST

START_TEST(reading_past_the_end_gives_zeros_for_good)
{
	struct cursor c = cursor_of(bytes, 5);

	ck_assert_uint_eq(cursor_be32(&c), 0x01020304);
	ck_assert(!c.truncated);
	ck_assert_uint_eq(cursor_be16(&c), 0);
	ck_assert(c.truncated);
	/* One byte is left, but what it means is no longer known. */
	ck_assert_uint_eq(cursor_u8(&c), 0);
	ck_assert_ptr_null(cursor_take(&c, 0));
}
END_TEST

START_TEST(the_last_byte_is_no_truncation)
{
	struct cursor c = cursor_of(bytes, 2);

	ck_assert_uint_eq(cursor_be16(&c), 0x0102);
	ck_assert_uint_eq(c.left, 0);
	ck_assert(!c.truncated);
	ck_assert_ptr_nonnull(cursor_take(&c, 0));
	ck_assert_ptr_null(cursor_take(&c, SIZE_MAX));
	ck_assert(c.truncated);
}
END_TEST

START_TEST(a_sub_cursor_is_skipped_and_bounded)
{
	struct cursor c = cursor_of(bytes, sizeof(bytes));
	struct cursor sub = cursor_sub(&c, 3);

	ck_assert_uint_eq(cursor_u8(&c), 4);
	ck_assert_uint_eq(cursor_be32(&sub), 0);
	ck_assert(sub.truncated);
	ck_assert(!c.truncated);

	sub = cursor_sub(&c, 6);
	ck_assert(sub.truncated);
	ck_assert(c.truncated);
}
END_TEST

START_TEST(a_limit_only_shortens)
{
	struct cursor c = cursor_of(bytes, 4);

	cursor_limit(&c, 100);
	ck_assert_uint_eq(c.left, 4);
	cursor_limit(&c, 2);
	ck_assert_uint_eq(cursor_be16(&c), 0x0102);
	ck_assert_uint_eq(cursor_u8(&c), 0);
	ck_assert(c.truncated);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		numbers_in_both_byte_orders,
		reading_past_the_end_gives_zeros_for_good,
		the_last_byte_is_no_truncation,
		a_sub_cursor_is_skipped_and_bounded,
		a_limit_only_shortens,
		NULL,
	};

	return run_tests("cursor", tests);
}
