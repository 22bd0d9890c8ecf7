#include "track/recovery.h"

#include "run_tests.h"

#define MS INT64_C(1000000)
#define WINDOW 65536

/* Each test runs in its own process. */
static struct tcp_progress sent = { .known = true,
	                            .next = 1000,
	                            .acked = 1000 };
static uint16_t ip_id = 1;

static void sends(uint32_t seq, uint32_t len, int64_t ts_ns)
{
	const struct packet p = {
		.kind = PACKET_KIND_TCP,
		.ts_ns = ts_ns,
		.ip_id = ip_id,
		.tcp = { .flags = TCP_FLAG_ACK, .seq = seq },
		.payload_len = len,
	};

	recovery_note(&sent, &p);
	if ((int32_t)(seq + len - sent.next) > 0) {
		sent.next = seq + len;
		sent.last_ns = ts_ns;
	}
	if (ip_id != 0)
		ip_id++;
}

static void expect(uint32_t segments, uint32_t resent, uint32_t filled)
{
	ck_assert_uint_eq(sent.recovery.segments, segments);
	ck_assert_uint_eq(sent.recovery.resent, resent);
	ck_assert_uint_eq(sent.recovery.filled, filled);
}

START_TEST(nothing_is_sent_again)
{
	for (uint32_t i = 0; i < 10; i++)
		sends(1000 + 100 * i, 100, i * MS);
	sends(2000, 0, 20 * MS);
	expect(10, 0, 0);
}
END_TEST

START_TEST(sent_again_although_it_was_here)
{
	sends(1000, 100, 0);
	sends(1100, 100, 1);
	sends(1000, 100, 300 * MS);
	sends(1000, 100, 700 * MS);
	expect(4, 2, 0);
	ck_assert_uint_eq(sent.recovery.again_seq, 1000);
}
END_TEST

START_TEST(what_is_acknowledged_is_not_lost_beyond)
{
	sends(1000, 100, 0);
	sent.acked = 1100;
	sends(1000, 100, 300 * MS);
	expect(2, 0, 0);
}
END_TEST

START_TEST(the_first_try_was_lost_before)
{
	sends(1000, 100, 0);
	sends(1200, 100, 1);
	sends(1300, 100, 2);
	sends(1100, 100, 200 * MS);
	expect(4, 0, 1);
	ck_assert_uint_eq(sent.recovery.filled_seq, 1100);
	sends(1100, 100, 500 * MS);
	expect(5, 1, 1);
}
END_TEST

START_TEST(overtaken_is_not_lost)
{
	sends(1000, 100, 0);
	ip_id = 3;
	sends(1200, 100, 10);
	ip_id = 2;
	sends(1100, 100, MS);
	expect(3, 0, 0);
}
END_TEST

START_TEST(sent_again_at_once_has_a_newer_id)
{
	sends(1000, 100, 0);
	sends(1200, 100, 10);
	sends(1100, 100, MS);
	expect(3, 0, 1);
}
END_TEST

START_TEST(an_acknowledged_hole_is_the_captures)
{
	ip_id = 0;
	sends(1000, 100, 0);
	sends(1200, 100, 10);
	recovery_acked(&sent, 1300);
	ck_assert_uint_eq(sent.recovery.hole_to, sent.recovery.hole_from);
	sends(1400, 100, 100 * MS);
	sends(1300, 100, 101 * MS);
	expect(4, 0, 0);
}
END_TEST

START_TEST(copies_of_a_frame_are_not_sent_again)
{
	sends(1000, 100, 0);
	sends(1100, 100, 10);
	ip_id = 1;
	sends(1000, 100, 20);
	ip_id = 2;
	sends(1100, 100, 30);
	expect(4, 0, 0);
}
END_TEST

START_TEST(without_ip_ids_time_tells_copies)
{
	ip_id = 0;
	sends(1000, 100, 0);
	sends(1000, 100, MS);
	expect(2, 0, 0);
	sends(1000, 100, 200 * MS);
	expect(3, 1, 0);
}
END_TEST

START_TEST(probes_are_not_sent_again)
{
	sends(1000, 100, 0);
	sends(1099, 1, 1000 * MS);
	sends(1099, 1, 2000 * MS);
	expect(3, 0, 0);
}
END_TEST

START_TEST(sequence_numbers_wrap)
{
	sent.next = sent.acked = UINT32_MAX - 99;
	sends(UINT32_MAX - 99, 100, 0);
	sends(100, 100, 1);
	sends(0, 100, 200 * MS);
	sends(100, 100, 400 * MS);
	expect(4, 1, 1);
}
END_TEST

START_TEST(far_numbers_open_no_hole)
{
	sends(1000, 100, 0);
	sends(1100 + (UINT32_C(1) << 30) + WINDOW, 100, 1);
	ck_assert_uint_eq(sent.recovery.hole_to, sent.recovery.hole_from);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		nothing_is_sent_again,
		sent_again_although_it_was_here,
		what_is_acknowledged_is_not_lost_beyond,
		the_first_try_was_lost_before,
		overtaken_is_not_lost,
		sent_again_at_once_has_a_newer_id,
		an_acknowledged_hole_is_the_captures,
		copies_of_a_frame_are_not_sent_again,
		without_ip_ids_time_tells_copies,
		probes_are_not_sent_again,
		sequence_numbers_wrap,
		far_numbers_open_no_hole,
		NULL,
	};

	return run_tests("recovery", tests);
}
