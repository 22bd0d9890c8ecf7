#include "correlate/joins.h"

#include "capture_file.h"
#include "run_tests.h"

/* One interface: its name, its span, and which one it is part of */
struct row {
	const char *name;
	int64_t first;
	int64_t last;
	uint32_t with;
};

static void named_interface(const char *name)
{
	size_t start = begin_interface(ETHERNET, 0);

	if (name)
		option(2, name, strlen(name));
	end_block(start);
}

static void expect_joins(const struct row *rows, uint32_t n, bool any)
{
	struct joins j = { 0 };
	struct capture *c;
	struct frame frame;

	section();
	for (uint32_t i = 0; i < n; i++)
		named_interface(rows[i].name);
	for (uint32_t i = 0; i < n; i++)
		packet(i, 1, 6);
	c = open_file();
	while (capture_next(c, &frame) == CAPTURE_FRAME)
		joins_note(&j, frame.interface, 0);
	for (uint32_t i = 0; i < n; i++) {
		joins_note(&j, i, rows[i].last);
		joins_note(&j, i, rows[i].first);
	}
	ck_assert(joins_find(&j, c) == any);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_uint_eq(joins_of(&j, i), rows[i].with);
	joins_free(&j);
	capture_close(c);
}

#define EXPECT(any, ...)                                                       \
	expect_joins((const struct row[]){ __VA_ARGS__ },                      \
	             sizeof((const struct row[]){ __VA_ARGS__ }) /             \
	                     sizeof(struct row),                               \
	             any)

START_TEST(one_after_the_other_is_one)
{
	EXPECT(true, { NULL, 10, 20, 0 }, { NULL, 20, 30, 0 },
	       { NULL, 31, 40, 0 });
}
END_TEST

START_TEST(out_of_order_in_the_file)
{
	EXPECT(true, { "eth0", 50, 60, 1 }, { "eth0", 10, 40, 1 });
}
END_TEST

START_TEST(at_the_same_time_are_two)
{
	EXPECT(false, { NULL, 10, 30, 0 }, { NULL, 20, 40, 1 });
}
END_TEST

START_TEST(other_names_are_others)
{
	EXPECT(false, { "tap0", 10, 20, 0 }, { "eth0", 30, 40, 1 },
	       { NULL, 50, 60, 2 });
}
END_TEST

START_TEST(two_go_on_as_two)
{
	EXPECT(true, { NULL, 10, 20, 0 }, { NULL, 11, 19, 1 },
	       { NULL, 33, 40, 0 }, { NULL, 30, 41, 1 });
}
END_TEST

START_TEST(two_with_names_go_on_as_two)
{
	EXPECT(true, { "tap0", 10, 20, 0 }, { "eth0", 11, 19, 1 },
	       { "eth0", 30, 41, 1 }, { "tap0", 33, 40, 0 });
}
END_TEST

/* Of two that ended, one goes on: which, nobody knows. */
START_TEST(one_of_two_goes_on)
{
	EXPECT(false, { NULL, 10, 20, 0 }, { NULL, 11, 19, 1 },
	       { NULL, 30, 40, 2 });
}
END_TEST

/* Two files with one interface each */
static bool follow(int64_t earlier_last, int64_t later_first)
{
	struct joins a = { 0 }, b = { 0 };
	struct capture *c;
	bool yes;

	section();
	named_interface("eth0");
	packet(0, 1, 6);
	c = open_file();
	joins_note(&a, 0, 10);
	joins_note(&a, 0, earlier_last);
	joins_note(&b, 0, later_first);
	joins_note(&b, 0, 90);
	yes = joins_follow(&a, c, &b, c);
	ck_assert(!joins_follow(&b, c, &a, c));
	joins_free(&a);
	joins_free(&b);
	capture_close(c);
	return yes;
}

START_TEST(a_file_goes_on_in_the_next)
{
	ck_assert(follow(20, 20));
}
END_TEST

START_TEST(a_file_of_the_same_time_is_another_point)
{
	ck_assert(!follow(20, 19));
}
END_TEST

START_TEST(nothing_is_known_of_the_others)
{
	struct joins j = { 0 };

	ck_assert_uint_eq(joins_of(&j, 3), 3);
	joins_free(&j);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_after_the_other_is_one,
		out_of_order_in_the_file,
		at_the_same_time_are_two,
		other_names_are_others,
		two_go_on_as_two,
		two_with_names_go_on_as_two,
		one_of_two_goes_on,
		a_file_goes_on_in_the_next,
		a_file_of_the_same_time_is_another_point,
		nothing_is_known_of_the_others,
		NULL,
	};

	return run_tests("joins", tests);
}
