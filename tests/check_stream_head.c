#include "track/stream_head.h"

#include "run_tests.h"

static uint8_t stream[1000];

static void make_stream(void)
{
	for (size_t i = 0; i < sizeof(stream); i++)
		stream[i] = (uint8_t)(i * i >> 3);
}

static void feed(struct stream_head *h, uint32_t seq, uint8_t flags, size_t at,
                 size_t n, size_t captured)
{
	struct packet p = {
		.kind = PACKET_KIND_TCP,
		.ts_ns = (int64_t)seq,
		.tcp = { .seq = seq, .flags = flags },
		.payload = cursor_of(stream + at, captured),
		.payload_len = (uint32_t)n,
	};

	stream_head_feed(h, &p);
}

/* The stream as its sender numbers it from @seq, cut into pieces of @size */
static struct stream_head head_of(uint32_t seq, size_t n, size_t size)
{
	struct stream_head h = { 0 };

	make_stream();
	feed(&h, seq, TCP_FLAG_SYN, 0, 0, 0);
	for (size_t at = 0; at < n; at += size) {
		size_t left = n - at < size ? n - at : size;

		feed(&h, seq + 1 + (uint32_t)at, TCP_FLAG_ACK, at, left, left);
	}
	return h;
}

START_TEST(segments_do_not_matter)
{
	struct stream_head whole = head_of(7, 1000, 1000);

	for (size_t size = 1; size < 300; size += 23) {
		struct stream_head cut = head_of(UINT32_MAX - 30, 1000, size);

		ck_assert_int_eq(stream_head_match(&whole, &cut), STREAM_SAME);
	}
	ck_assert_uint_eq(whole.n, STREAM_HEAD_LONG);
	ck_assert_int_eq(whole.first_ns, 8);
}
END_TEST

START_TEST(short_ones_say_little)
{
	struct stream_head a = head_of(1, 10, 10), b = head_of(9, 10, 3);
	struct stream_head longer = head_of(1, 11, 11), none = { 0 };

	ck_assert_int_eq(stream_head_match(&a, &b), STREAM_ALIKE);
	ck_assert_int_eq(stream_head_match(&a, &longer), STREAM_UNKNOWN);
	ck_assert_int_eq(stream_head_match(&a, &none), STREAM_UNKNOWN);
	b = head_of(9, 0, 1);
	ck_assert_int_eq(stream_head_match(&a, &b), STREAM_UNKNOWN);
}
END_TEST

START_TEST(other_bytes_differ)
{
	struct stream_head a = head_of(1, 1000, 100), b;

	b = head_of(1, 100, 100);
	ck_assert_int_eq(stream_head_match(&a, &b), STREAM_ALIKE);
	b = (struct stream_head){ 0 };
	feed(&b, 0, TCP_FLAG_SYN, 0, 0, 0);
	feed(&b, 1, TCP_FLAG_ACK, 50, 300, 300);
	ck_assert_int_eq(stream_head_match(&a, &b), STREAM_DIFFERENT);
}
END_TEST

START_TEST(sent_again_counts_once)
{
	struct stream_head a = head_of(1, 300, 300), b = head_of(1, 40, 40);

	feed(&b, 2, TCP_FLAG_ACK, 0, 40, 40);
	feed(&b, 32, TCP_FLAG_ACK, 30, 270, 270);
	ck_assert_int_eq(stream_head_match(&a, &b), STREAM_SAME);
}
END_TEST

START_TEST(gaps_and_short_captures_end_it)
{
	struct stream_head gap = head_of(1, 30, 30), cut = head_of(1, 30, 30);

	feed(&gap, 2 + 31, TCP_FLAG_ACK, 31, 100, 100);
	feed(&gap, 2 + 30, TCP_FLAG_ACK, 30, 100, 100);
	ck_assert_uint_eq(gap.n, 30);
	feed(&cut, 2 + 30, TCP_FLAG_ACK, 30, 100, 10);
	feed(&cut, 2 + 40, TCP_FLAG_ACK, 40, 100, 100);
	ck_assert_uint_eq(cut.n, 40);
	ck_assert_int_eq(stream_head_match(&gap, &cut), STREAM_ALIKE);
}
END_TEST

START_TEST(without_its_start_it_is_unknown)
{
	struct stream_head h = { 0 };

	make_stream();
	feed(&h, 100, TCP_FLAG_ACK, 0, 100, 100);
	ck_assert_uint_eq(h.n, 0);
	feed(&h, 100, TCP_FLAG_SYN, 0, 0, 0);
	feed(&h, 99, TCP_FLAG_ACK, 0, 1, 1); /* a keep-alive */
	feed(&h, 101, TCP_FLAG_RST, 0, 50, 50);
	ck_assert_uint_eq(h.n, 0);
	feed(&h, 101, TCP_FLAG_ACK, 0, 50, 50);
	ck_assert_uint_eq(h.n, 50);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		segments_do_not_matter,
		short_ones_say_little,
		other_bytes_differ,
		sent_again_counts_once,
		gaps_and_short_captures_end_it,
		without_its_start_it_is_unknown,
		NULL,
	};

	return run_tests("stream_head", tests);
}
