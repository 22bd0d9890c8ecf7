#include "correlate/clock_stretches.h"

#include "correlate/clock_sharp.h"
#include "correlate/clock_steps.h"
#include "correlate/scene.h"
#include "run_tests.h"

#define US INT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)
#define HOUR (3600 * S)
#define N 400

static const int64_t start_ns = 1700000000 * S;

static struct clock_pair pairs[2 * N];
static uint8_t labels[2 * N];

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return *state >> 33;
}

/* Requests and answers of the guest, one a tenth of a second, 20 us to 2 ms on
 * their way; from pair @at on the guest's clock is @step_ns further. */
static void make(size_t n, uint64_t seed, size_t at, int64_t step_ns,
                 int64_t drift_ppb)
{
	for (size_t i = 0; i < n; i++) {
		int64_t since_ns = (int64_t)i * 100 * MS;
		int64_t delay_ns =
			20 * US + (int64_t)(next_random(&seed) % (2 * MS));
		int64_t offset_ns = 5 * S + since_ns / S * drift_ppb +
		                    (i >= at ? step_ns : 0);
		bool out = i % 2 == 0;

		if (next_random(&seed) % 20 == 0)
			delay_ns += 100 * MS;
		pairs[i] = (struct clock_pair){
			.direction = out ? PATH_DIRECTION_FROM_GUEST
			                 : PATH_DIRECTION_TO_GUEST,
			.host_ns = start_ns + since_ns + (out ? delay_ns : 0),
			.guest_ns = start_ns + since_ns + offset_ns +
			            (out ? 0 : delay_ns),
			.host_frame = 10 * i + 1,
			.guest_frame = 7 * i + 1,
		};
	}
}

static void expect_step(size_t n, size_t at)
{
	ck_assert_uint_eq(clock_stretches(pairs, n, labels), 2);
	for (size_t i = 0; i < n; i++)
		if (labels[i] != CLOCK_STRAY)
			ck_assert_uint_eq(labels[i], i >= at);
}

START_TEST(nothing_has_no_stretch)
{
	ck_assert_uint_eq(clock_stretches(pairs, 0, labels), 0);
}
END_TEST

START_TEST(one_pair_is_one_stretch)
{
	make(1, 1, N, 0, 0);
	labels[0] = 77;
	ck_assert_uint_eq(clock_stretches(pairs, 1, labels), 1);
	ck_assert_uint_eq(labels[0], 0);
}
END_TEST

START_TEST(drift_and_slow_frames_are_no_step)
{
	static const int64_t drifts[] = { 0, 100000, -100000, 190000 };

	for (uint64_t seed = 0; seed < 40; seed++) {
		make(N, seed, N, 0, drifts[seed % 4]);
		ck_assert_uint_eq(clock_stretches(pairs, N, labels), 1);
		for (size_t i = 0; i < N; i++)
			ck_assert_uint_eq(labels[i], 0);
	}
}
END_TEST

/* From some milliseconds to years, forwards and backwards */
START_TEST(steps_are_found_where_they_are)
{
	static const int64_t steps[] = { 8 * MS, 300 * MS, 700 * MS,
		                         5 * S,  HOUR,     50 * 8766 * HOUR };

	for (uint64_t seed = 0; seed < 48; seed++) {
		int64_t step_ns = steps[seed % 6] * (seed % 4 < 2 ? 1 : -1);
		size_t at = 30 + 7 * seed;

		make(N, seed, at, step_ns, seed % 3 ? 50000 : -50000);
		expect_step(N, at);
	}
}
END_TEST

START_TEST(several_steps)
{
	make(N, 1, 100, 300 * MS, 0);
	for (size_t i = 200; i < N; i++)
		pairs[i].guest_ns -= HOUR;
	for (size_t i = 300; i < N; i++)
		pairs[i].guest_ns += 20 * MS;
	ck_assert_uint_eq(clock_stretches(pairs, N, labels), 4);
	for (size_t i = 0; i < N; i++)
		if (labels[i] != CLOCK_STRAY)
			ck_assert_uint_eq(labels[i], i / 100);
}
END_TEST

START_TEST(one_direction_shows_a_large_step)
{
	size_t n = 0;

	make(2 * N, 3, 300, 5 * S, 0);
	for (size_t i = 0; i < 2 * N; i += 2)
		pairs[n++] = pairs[i];
	expect_step(n, 150);
}
END_TEST

/* A frame that only looks like another one is off by anything. */
START_TEST(accidents_are_strays)
{
	static const int64_t off[] = { HOUR, -S - 200 * MS, 3 * S, 200 * MS };

	make(N, 5, N, 0, 0);
	for (size_t i = 0; i < 4; i++)
		pairs[50 + 90 * i].guest_ns += off[i];
	ck_assert_uint_eq(clock_stretches(pairs, N, labels), 1);
	for (size_t i = 0; i < N; i++)
		ck_assert_uint_eq(labels[i], i >= 50 && (i - 50) % 90 == 0
		                                     ? CLOCK_STRAY
		                                     : 0);
}
END_TEST

START_TEST(accidents_beside_a_step)
{
	make(N, 6, 200, -HOUR, 0);
	pairs[199].guest_ns += 7 * S;
	pairs[200].guest_ns -= 9 * S;
	expect_step(N, 200);
	ck_assert_uint_eq(labels[199], CLOCK_STRAY);
	ck_assert_uint_eq(labels[200], CLOCK_STRAY);
}
END_TEST

/* Most of few is believed. */
START_TEST(few_pairs_that_do_not_agree)
{
	make(3, 7, N, 0, 0);
	pairs[0].guest_ns += 4 * S;
	ck_assert_uint_eq(clock_stretches(pairs, 3, labels), 1);
	ck_assert_uint_eq(labels[0], CLOCK_STRAY);
	ck_assert_uint_eq(labels[1], 0);
	ck_assert_uint_eq(labels[2], 0);
	pairs[2].guest_ns -= 4 * S;
	ck_assert_uint_eq(clock_stretches(pairs, 3, labels), 1);
}
END_TEST

/* Stamps of a clock that ticks 64 times a second contradict each other all the
 * time. */
START_TEST(coarse_stamps_are_no_steps)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		make(N, seed, N, 0, 0);
		for (size_t i = 0; i < N; i++)
			pairs[i].host_ns -= pairs[i].host_ns % (S / 64);
		ck_assert_uint_eq(clock_stretches(pairs, N, labels), 1);
	}
}
END_TEST

/* More pairs than are looked at one by one */
START_TEST(many_pairs)
{
	enum { MANY = 50000 };
	struct clock_pair *many = calloc(MANY, sizeof(*many));
	uint8_t *of = calloc(MANY, sizeof(*of));

	for (size_t i = 0; i < MANY; i++) {
		make(2, i, N, 0, 0);
		many[i] = pairs[i % 2];
		many[i].host_ns += (int64_t)i * MS;
		many[i].guest_ns +=
			(int64_t)i * MS + (i >= 30000 ? 50 * MS : 0);
		many[i].host_frame = many[i].guest_frame = i;
	}
	ck_assert_uint_eq(clock_stretches(many, MANY, of), 2);
	ck_assert_uint_eq(of[0], 0);
	ck_assert_uint_eq(of[29900], 0);
	ck_assert_uint_eq(of[30100], 1);
	ck_assert_uint_eq(of[MANY - 1], 1);
	free(many);
	free(of);
}
END_TEST

/*
 * @n broadcasts of one station, alike to the letter, a second apart and a little
 * irregular: each at the guest may be each at the host.  From @at on the guest's
 * clock is @step_ns further.
 */
static size_t make_broadcasts(size_t n, size_t at, int64_t step_ns)
{
	size_t n_pairs = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			int64_t sent_i = (int64_t)(i * 1000 + i * i % 37) * MS;
			int64_t sent_j = (int64_t)(j * 1000 + j * j % 37) * MS;

			pairs[n_pairs++] = (struct clock_pair){
				.direction = PATH_DIRECTION_FROM_GUEST,
				.host_ns = start_ns + sent_j + 50 * US,
				.guest_ns = start_ns + sent_i - 7 * S +
				            (i >= at ? step_ns : 0),
				.host_frame = 3 * j + 1,
				.guest_frame = 2 * i + 1,
			};
		}
	return n_pairs;
}

static void expect_sharp(size_t n, size_t at, size_t n_pairs)
{
	for (size_t k = 0; k < n_pairs; k++)
		ck_assert_uint_eq(labels[k],
		                  k / n == k % n ? k / n >= at : CLOCK_STRAY);
}

START_TEST(broadcasts_heard_at_once)
{
	size_t n = make_broadcasts(20, 20, 0);

	ck_assert_uint_eq(clock_sharp(pairs, n, labels), 1);
	expect_sharp(20, 20, n);
	ck_assert_uint_eq(clock_sharp(pairs, 0, labels), 0);
}
END_TEST

START_TEST(broadcasts_around_a_step)
{
	static const int64_t steps[] = { 300 * MS, -300 * MS, 5 * S, -HOUR };

	for (size_t i = 0; i < 4; i++) {
		size_t n = make_broadcasts(20, 8, steps[i]);

		ck_assert_uint_eq(clock_sharp(pairs, n, labels), 2);
		expect_sharp(20, 8, n);
	}
}
END_TEST

/* Too few, or as many of them agree on another offset */
START_TEST(broadcasts_that_tell_nothing)
{
	size_t n = make_broadcasts(3, 3, 0);

	ck_assert_uint_eq(clock_sharp(pairs, n, labels), 0);
	n = make_broadcasts(20, 20, 0);
	for (size_t k = 0; k < n; k++) {
		pairs[k].guest_ns = start_ns + (int64_t)(k / 20) * S;
		pairs[k].host_ns = start_ns + (int64_t)(k % 20) * S;
	}
	ck_assert_uint_eq(clock_sharp(pairs, n, labels), 0);
	for (size_t k = 0; k < n; k++)
		ck_assert_uint_eq(labels[k], CLOCK_STRAY);
}
END_TEST

START_TEST(stamps_without_steps)
{
	struct clock_steps steps = { 0 };

	ck_assert_int_eq(clock_steps_without(&steps, 5, 7 * S), 7 * S);
	ck_assert_int_eq(clock_steps_shift(&steps, 7 * S), 0);
	clock_steps_add(&steps, 20, -HOUR, true);
	clock_steps_add(&steps, 10, 5 * S, false);
	steps.items[0].at_ns = 100 * S;
	steps.items[1].at_ns = 200 * S;
	ck_assert_uint_eq(steps.n, 2);
	ck_assert_uint_eq(clock_steps_before(&steps, 9), 0);
	ck_assert_uint_eq(clock_steps_before(&steps, 10), 1);
	ck_assert_uint_eq(clock_steps_before(&steps, 30), 2);
	ck_assert_int_eq(clock_steps_without(&steps, 9, 99 * S), 99 * S);
	ck_assert_int_eq(clock_steps_without(&steps, 10, 105 * S), 100 * S);
	ck_assert_int_eq(clock_steps_without(&steps, 20, 205 * S - HOUR),
	                 200 * S);
	ck_assert_int_eq(clock_steps_shift(&steps, 99 * S), 0);
	ck_assert_int_eq(clock_steps_shift(&steps, 100 * S), 5 * S);
	ck_assert_int_eq(clock_steps_shift(&steps, 200 * S), 5 * S - HOUR);
}
END_TEST

/* Somebody else looks a time up by the stamps of the file. */
START_TEST(claims_have_the_stamps_of_the_file)
{
	struct clock_steps steps = { 0 };
	struct scene scene = { .steps = &steps };
	struct observation o = { .role = CAPTURE_ROLE_VM };
	struct claim before = { 0 }, across = { 0 };
	struct strbuf text = { 0 };

	clock_steps_add(&steps, 10, -50 * S, true);
	steps.items[0].at_ns = 100 * S;
	scene_claim_time(&scene, &o, &before, 98 * S, 99 * S);
	scene_claim_time(&scene, &o, &across, 99 * S, 101 * S);
	claim_filter(&before, &text);
	ck_assert_str_eq(strbuf_text(&text),
	                 "frame.time_epoch >= 98.000000000 && "
	                 "frame.time_epoch <= 99.000000000");
	strbuf_free(&text);
	claim_filter(&across, &text);
	ck_assert_str_eq(strbuf_text(&text),
	                 "((frame.time_epoch >= 99.000000000 && "
	                 "frame.time_epoch <= 99.999999999) || "
	                 "(frame.time_epoch >= 50.000000000 && "
	                 "frame.time_epoch <= 51.000000000))");
	strbuf_free(&text);
	claim_free(&before);
	claim_free(&across);
}
END_TEST

START_TEST(too_many_steps_are_left_out)
{
	struct clock_steps steps = { 0 };

	for (uint64_t i = 0; i < 2 * CLOCK_STEPS_MAX; i++)
		clock_steps_add(&steps, i + 1, S, true);
	ck_assert_uint_eq(steps.n, CLOCK_STEPS_MAX);
	ck_assert_int_eq(clock_steps_without(&steps, 100, 100 * S),
	                 (100 - CLOCK_STEPS_MAX) * S);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		nothing_has_no_stretch,
		one_pair_is_one_stretch,
		drift_and_slow_frames_are_no_step,
		steps_are_found_where_they_are,
		several_steps,
		one_direction_shows_a_large_step,
		accidents_are_strays,
		accidents_beside_a_step,
		few_pairs_that_do_not_agree,
		coarse_stamps_are_no_steps,
		many_pairs,
		broadcasts_heard_at_once,
		broadcasts_around_a_step,
		broadcasts_that_tell_nothing,
		stamps_without_steps,
		claims_have_the_stamps_of_the_file,
		too_many_steps_are_left_out,
		NULL,
	};

	return run_tests("clock_stretches", tests);
}
