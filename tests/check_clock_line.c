#include "correlate/clock_line.h"

#include "run_tests.h"

#define US INT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)
#define YEAR (365 * 86400 * S)
#define LAST_NS ((INT64_C(1) << 62) - 1)
#define N 400

/* The host's times are those of a capture of today. */
static const int64_t start_ns = 1700000000 * S;

static struct clock_pair from_guest(int64_t host_ns, int64_t guest_ns)
{
	return (struct clock_pair){
		.direction = PATH_DIRECTION_FROM_GUEST,
		.host_ns = host_ns,
		.guest_ns = guest_ns,
	};
}

static struct clock_pair to_guest(int64_t host_ns, int64_t guest_ns)
{
	return (struct clock_pair){
		.direction = PATH_DIRECTION_TO_GUEST,
		.host_ns = host_ns,
		.guest_ns = guest_ns,
	};
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return *state >> 33;
}

/*
 * @n packets over @span_ns that travel between 50 us and 2 ms, some longer, while
 * the guest's clock is @offset_ns ahead at the start and drifts.
 */
static void make_pairs(struct clock_pair *pairs, size_t n, uint64_t seed,
                       int64_t span_ns, int64_t offset_ns, int64_t drift_ppb)
{
	for (size_t i = 0; i < n; i++) {
		int64_t since_ns = (int64_t)(next_random(&seed) % 1000000) *
		                   (span_ns / 1000000);
		int64_t delay_ns =
			50 * US + (int64_t)next_random(&seed) % (2 * MS);
		int64_t guest_ns = start_ns + since_ns + offset_ns +
		                   since_ns / S * drift_ppb +
		                   since_ns % S * drift_ppb / S;

		if (next_random(&seed) % 20 == 0)
			delay_ns += 100 * MS;
		pairs[i] = i % 2 ? from_guest(start_ns + since_ns + delay_ns,
		                              guest_ns)
		                 : to_guest(start_ns + since_ns,
		                            guest_ns + delay_ns);
	}
}

static void expect_near(int64_t value, int64_t truth, int64_t error)
{
	ck_assert_int_ge(value, truth - error);
	ck_assert_int_le(value, truth + error);
}

START_TEST(nothing_is_known_from_nothing)
{
	struct clock_line line = clock_line_fit(NULL, 0, start_ns);

	ck_assert(!line.known);
	ck_assert_int_eq(line.offset_ns, 0);
	ck_assert_uint_eq(line.pairs, 0);
	ck_assert_int_eq(clock_line_at(&line, start_ns + S), 0);
}
END_TEST

/* The guest's clock is 5 ms ahead. */
START_TEST(both_directions_enclose_the_offset)
{
	struct clock_pair pairs[] = {
		to_guest(start_ns + 10 * MS, start_ns + 15 * MS + 90 * US),
		from_guest(start_ns + 20 * MS, start_ns + 25 * MS - 30 * US),
		to_guest(start_ns + 5 * MS, start_ns + 10 * MS + 20 * US),
		from_guest(start_ns + 1 * MS, start_ns + 6 * MS - 70 * US),
	};
	struct clock_line line = clock_line_fit(pairs, 4, start_ns);

	ck_assert(line.known);
	ck_assert_uint_eq(line.pairs, 4);
	expect_near(line.offset_ns, 5 * MS, line.error_ns);
	/* 20 us and 30 us away at best, but the slope is free */
	ck_assert_int_ge(line.error_ns, 25 * US);
	ck_assert_int_le(line.error_ns, 100 * US);
	for (size_t i = 1; i < 4; i++)
		ck_assert_int_le(pairs[i - 1].host_ns, pairs[i].host_ns);
}
END_TEST

START_TEST(one_direction_bounds_by_the_longest_travel)
{
	struct clock_pair out[] = {
		from_guest(start_ns + 3 * MS, start_ns + 2 * S),
		from_guest(start_ns + 4 * MS, start_ns + 2 * S),
	};
	struct clock_pair in[] = {
		to_guest(start_ns, start_ns + 2 * S + 7 * MS),
		to_guest(start_ns, start_ns + 2 * S + 9 * MS),
	};
	struct clock_line line = clock_line_fit(out, 2, start_ns);

	ck_assert(line.known);
	ck_assert_int_eq(line.offset_ns, 2 * S - 3 * MS);
	ck_assert_int_ge(line.error_ns, 500 * MS);
	ck_assert_int_lt(line.error_ns, 501 * MS);
	ck_assert_int_eq(line.drift_ppb, 0);
	line = clock_line_fit(in, 2, start_ns);
	ck_assert(line.known);
	ck_assert_int_eq(line.offset_ns, 2 * S + 7 * MS);
	ck_assert_int_eq(line.error_ns, 500 * MS);
}
END_TEST

/* The only pairs come 1000 s after the instant that is asked for. */
START_TEST(one_direction_far_away)
{
	struct clock_pair pairs[] = {
		from_guest(start_ns + 1000 * S + 490 * MS,
		           start_ns + 1002 * S + 900 * MS),
	};
	struct clock_line line = clock_line_fit(pairs, 1, start_ns);

	ck_assert(line.one_sided);
	/* 3 s ahead at first, 2.9 s after -100 ppm; 490 ms on the way */
	expect_near(line.offset_ns, 3 * S, line.error_ns);
	ck_assert_int_le(line.error_ns, 701 * MS);
}
END_TEST

/* Few pairs at the start say little of the end. */
START_TEST(the_error_grows_with_the_distance)
{
	struct clock_pair pairs[] = {
		to_guest(start_ns, start_ns + 10 * MS),
		from_guest(start_ns + MS, start_ns + 11 * MS),
		from_guest(start_ns + 100 * S, start_ns + 99 * S),
	};
	struct clock_line line = clock_line_fit(pairs, 3, start_ns);

	ck_assert(!line.one_sided);
	ck_assert_int_le(line.error_ns, 10 * US);
	ck_assert_int_ge(line.span_error_ns, 19 * MS);
}
END_TEST

START_TEST(room_between_the_directions)
{
	struct clock_pair pairs[] = {
		to_guest(start_ns, start_ns + 10 * MS + 80 * US),
		from_guest(start_ns, start_ns + 10 * MS - 20 * US),
		from_guest(start_ns, start_ns + 10 * MS + 580 * US),
		from_guest(start_ns, start_ns - 600 * MS),
	};

	ck_assert(clock_line_room(pairs, 0) > 0);
	expect_near((int64_t)clock_line_room(pairs, 2), 100 * US, 10);
	expect_near((int64_t)clock_line_room(pairs, 3), -500 * US, 10);
	/* a frame that takes 610 ms */
	ck_assert(clock_line_room(pairs, 4) < -100e6);
}
END_TEST

START_TEST(the_truth_is_within_the_error)
{
	static const int64_t offsets[] = { 0, 2500 * MS, -7 * 3600 * S };
	static const int64_t drifts[] = { 0, 50000, -50000, 3 };
	struct clock_pair pairs[N];

	for (uint64_t seed = 0; seed < 60; seed++) {
		int64_t offset_ns = offsets[seed % 3];
		int64_t drift_ppb = drifts[seed % 4];
		struct clock_line line;

		make_pairs(pairs, N, seed, 100 * S, offset_ns, drift_ppb);
		line = clock_line_fit(pairs, N, start_ns);
		ck_assert(line.known);
		expect_near(line.offset_ns, offset_ns, line.error_ns);
		ck_assert_int_lt(line.error_ns, 1 * MS);
	}
}
END_TEST

/* 50 ppm in 100 s is 5 ms, far beyond the error. */
START_TEST(drift_is_found)
{
	struct clock_pair pairs[N];

	for (uint64_t seed = 0; seed < 20; seed++) {
		int64_t drift_ppb = seed % 2 ? 50000 : -50000;
		struct clock_line line;

		make_pairs(pairs, N, seed, 100 * S, S, drift_ppb);
		line = clock_line_fit(pairs, N, start_ns);
		expect_near(line.drift_ppb, drift_ppb, 5000);
		expect_near(clock_line_at(&line, start_ns + 100 * S),
		            S + 100 * drift_ppb, MS);
	}
}
END_TEST

/* What a steady clock explains as well needs no drift. */
START_TEST(no_drift_is_made_up)
{
	struct clock_pair pairs[N];

	for (uint64_t seed = 0; seed < 20; seed++) {
		struct clock_line line;

		make_pairs(pairs, N, seed, 100 * S, S, 0);
		line = clock_line_fit(pairs, N, start_ns);
		ck_assert_int_eq(line.drift_ppb, 0);
	}
}
END_TEST

START_TEST(few_packets_leave_a_larger_error)
{
	struct clock_pair pairs[N];

	for (uint64_t seed = 0; seed < 60; seed++) {
		struct clock_line line;

		make_pairs(pairs, 2 + seed % 9, seed, 100 * S, S, 50000);
		line = clock_line_fit(pairs, 2 + seed % 9, start_ns);
		expect_near(line.offset_ns, S, line.error_ns);
	}
}
END_TEST

START_TEST(bounds_may_meet)
{
	struct clock_pair pairs[] = {
		to_guest(start_ns, start_ns + 10 * MS),
		from_guest(start_ns, start_ns + 10 * MS),
	};
	struct clock_line line = clock_line_fit(pairs, 2, start_ns);

	ck_assert_int_eq(line.offset_ns, 10 * MS);
	ck_assert_int_le(line.error_ns, 10 * US); /* of the time stamps */
}
END_TEST

/* The clock was set by 200 ms: no line fits, and the error covers both. */
START_TEST(contradictory_bounds_widen_the_error)
{
	struct clock_pair pairs[] = {
		to_guest(start_ns, start_ns + 10 * MS),
		from_guest(start_ns, start_ns + 10 * MS),
		to_guest(start_ns + S, start_ns + S + 210 * MS),
		from_guest(start_ns + S, start_ns + S + 210 * MS),
		to_guest(start_ns + 2 * S, start_ns + 2 * S + 10 * MS),
		from_guest(start_ns + 2 * S, start_ns + 2 * S + 10 * MS),
	};
	struct clock_line line = clock_line_fit(pairs, 6, start_ns);

	ck_assert(line.known);
	expect_near(line.offset_ns, 10 * MS, line.error_ns);
	expect_near(line.offset_ns, 210 * MS, line.error_ns);
}
END_TEST

START_TEST(offsets_of_years)
{
	static const int64_t offsets[] = { -50 * YEAR, 50 * YEAR, 20 * YEAR };
	struct clock_pair pairs[N];

	for (uint64_t i = 0; i < 3; i++) {
		struct clock_line line;

		make_pairs(pairs, N, i, 100 * S, offsets[i], 50000);
		line = clock_line_fit(pairs, N, start_ns);
		expect_near(line.offset_ns, offsets[i], line.error_ns);
		ck_assert_int_lt(line.error_ns, 1 * MS);
		expect_near(line.drift_ppb, 50000, 5000);
	}
}
END_TEST

START_TEST(extreme_times_do_not_overflow)
{
	struct clock_pair pairs[] = {
		to_guest(0, LAST_NS),
		from_guest(LAST_NS, 0),
		to_guest(0, 0),
		from_guest(LAST_NS, LAST_NS),
	};
	struct clock_line line = clock_line_fit(pairs, 4, 0);

	ck_assert(line.known);
	ck_assert_int_ge(line.error_ns, 0);
	line = clock_line_fit(pairs, 1, LAST_NS);
	ck_assert(line.known);
	line = clock_line_fit(pairs, 4, LAST_NS);
	ck_assert(line.known);
	(void)clock_line_at(&line, LAST_NS);
	(void)clock_line_at(&line, 0);
}
END_TEST

START_TEST(the_line_goes_on)
{
	const struct clock_line line = {
		.known = true,
		.offset_ns = 5 * S,
		.drift_ppb = -50000,
		.at_ns = start_ns,
	};

	ck_assert_int_eq(clock_line_at(&line, start_ns), 5 * S);
	ck_assert_int_eq(clock_line_at(&line, start_ns + 100 * S),
	                 5 * S - 5 * MS);
	ck_assert_int_eq(clock_line_at(&line, start_ns - 100 * S),
	                 5 * S + 5 * MS);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		nothing_is_known_from_nothing,
		both_directions_enclose_the_offset,
		one_direction_bounds_by_the_longest_travel,
		one_direction_far_away,
		the_error_grows_with_the_distance,
		room_between_the_directions,
		the_truth_is_within_the_error,
		drift_is_found,
		no_drift_is_made_up,
		few_packets_leave_a_larger_error,
		bounds_may_meet,
		contradictory_bounds_widen_the_error,
		offsets_of_years,
		extreme_times_do_not_overflow,
		the_line_goes_on,
		NULL,
	};

	return run_tests("clock_line", tests);
}
