#include "config.h"

#include <stdio.h>

#include "capture_file.h"
#include "run_tests.h"

START_TEST(pcapng_sections_restart_everything)
{
	struct capture *c;

	for (int i = 0; i < 2; i++) {
		big_endian = i == 1;
		section();
		interface(RADIOTAP);
		interface(ETHERNET);
		packet(1, 1000000 + (unsigned int)i, 9);
		packet(0, 2000000, 6);
	}
	c = open_file();
	ck_assert_str_eq(capture_format(c), "pcapng");
	ck_assert_uint_eq(capture_interface_count(c), 2);
	for (int pass = 0; pass < 2; pass++) {
		ck_assert_uint_eq(expect_frame(c, 1, 1000000000, 9).interface,
		                  1);
		ck_assert_uint_eq(expect_frame(c, 2, 2000000000, 6).interface,
		                  0);
		ck_assert_uint_eq(expect_frame(c, 3, 1000001000, 9).interface,
		                  3);
		ck_assert_uint_eq(expect_frame(c, 4, 2000000000, 6).interface,
		                  2);
		expect_end(c, 4);
		ck_assert_uint_eq(capture_interface_count(c), 4);
		capture_rewind(c);
	}
	ck_assert(!capture_interface(c, 2)->supported);
	ck_assert(capture_interface(c, 3)->supported);
	capture_close(c);
}
END_TEST

static void timed_interface(uint64_t resolution, int64_t offset_s)
{
	size_t start = begin_interface(ETHERNET, 0);

	number_option(9, resolution, 1);
	number_option(14, (uint64_t)offset_s, 8);
	end_block(start);
}

START_TEST(pcapng_resolutions)
{
	const struct {
		uint64_t resolution;
		int64_t offset_s;
		uint64_t units;
		int64_t ts_ns;
	} rows[] = {
		{ 0, 0, 3, 3000000000 },
		{ 3, 10, 1500, 11500000000 },
		{ 9, -1, 2000000001, 1000000001 },
		{ 9, -3, 2000000001, 0 }, /* before the epoch */
		{ 9, 0, UINT64_C(1) << 62, 0 },
		{ 9, INT64_MAX, UINT64_MAX, 0 },
		{ 12, 0, 1500, 1 },
		{ 19, 0, UINT64_MAX, 1844674407 },
		{ 20, 0, 5, 0 },
		{ 0x80 | 1, 0, 3, 1500000000 },
		{ 0x80 | 32, 0, UINT64_C(5) << 31, 2500000000 },
		{ 0x80 | 63, 0, UINT64_C(1) << 62, 500000000 },
		{ 0x80 | 64, 0, 5, 0 },
		{ 6, 0, UINT64_MAX, 0 },
	};
	const uint32_t n = sizeof(rows) / sizeof(rows[0]);
	struct capture *c;

	section();
	for (uint32_t i = 0; i < n; i++) {
		timed_interface(rows[i].resolution, rows[i].offset_s);
		packet(i, rows[i].units, 4);
	}
	c = open_file();
	for (uint32_t i = 0; i < n; i++)
		expect_frame(c, i + 1, rows[i].ts_ns, 4);
	expect_end(c, n);
	capture_close(c);
}
END_TEST

START_TEST(pcapng_options)
{
	struct capture *c;
	struct frame frame;
	size_t start;

	big_endian = true;
	section();
	start = begin_interface(ETHERNET, 0);
	option(2, "vnet0", 6);
	option(11, "\0not port 22", 12);
	option(0, "", 0);
	end_block(start);
	start = begin_packet(0, 1, 5);
	option(1, "first", 5);
	option(1, "second", 6);
	number_option(2, 2, 4);
	number_option(4, 7, 8);
	number_option(5, 0x123456789abcdef0, 8);
	number_option(7, 0x01, 1);
	end_block(start);
	start = begin_packet(0, 2, 5);
	number_option(2, 1, 4);
	option(7, "\1\0\0\0\0\0\0\0\2", 9);
	end_block(start);
	packet(0, 3, 5);

	c = open_file();
	ck_assert_str_eq(capture_interface(c, 0)->name, "vnet0");
	ck_assert(!capture_interface(c, 0)->by_source);
	ck_assert_str_eq(capture_interface(c, 0)->filter, "not port 22");
	ck_assert_int_eq(capture_interface(c, 0)->drops, -1);
	frame = expect_frame(c, 1, 1000, 5);
	ck_assert_str_eq(frame.comment, "first");
	ck_assert_int_eq(frame.direction, FRAME_DIRECTION_OUT);
	ck_assert_uint_eq(frame.packet_id, 0x123456789abcdef0);
	ck_assert(!frame.dropped);
	ck_assert_int_eq(capture_interface(c, 0)->drops, 7);
	frame = expect_frame(c, 2, 2000, 5);
	ck_assert_int_eq(frame.direction, FRAME_DIRECTION_IN);
	ck_assert(frame.dropped);
	frame = expect_frame(c, 3, 3000, 5);
	ck_assert_int_eq(frame.direction, FRAME_DIRECTION_UNKNOWN);
	ck_assert_ptr_null(frame.comment);
	ck_assert(frame.packet_id == 0 && !frame.dropped);
	expect_end(c, 3);
	capture_close(c);
}
END_TEST

START_TEST(pcapng_ports_of_a_switch_record_by_source)
{
	struct capture *c;
	size_t start;

	section();
	start = begin_interface(ETHERNET, 0);
	option(2, "vNIC:External:1:2:0", 19);
	end_block(start);
	c = open_file();
	ck_assert(capture_interface(c, 0)->by_source);
	capture_close(c);
}
END_TEST

START_TEST(pcapng_verdicts_tell_what_ended)
{
	static const struct {
		const char *value;
		unsigned int n;
		bool dropped;
	} verdicts[] = {
		{ "\2\1\0\0\0\0\0\0\0", 9, true },  /* XDP_DROP */
		{ "\2\0\0\0\0\0\0\0\0", 9, true },  /* XDP_ABORTED */
		{ "\2\2\0\0\0\0\0\0\0", 9, false }, /* XDP_PASS */
		{ "\1\2\0\0\0\0\0\0\0", 9, true },  /* TC_ACT_SHOT */
		{ "\1\1\0\0\0\0\0\0\0", 9, false },
		{ "\0\1\0\0\0\0\0\0\0", 9, false }, /* hardware */
		{ "\2\1", 2, false },
		{ "\2", 1, false },
	};
	struct capture *c;
	size_t start;

	section();
	interface(ETHERNET);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		start = begin_packet(0, 1, 5);
		option(7, verdicts[i].value, verdicts[i].n);
		end_block(start);
	}
	c = open_file();
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct frame frame = expect_frame(c, i + 1, 1000, 5);

		ck_assert_msg(frame.dropped == verdicts[i].dropped, "%zu", i);
	}
	capture_close(c);
}
END_TEST

START_TEST(pcapng_statistics_tell_drops)
{
	struct capture *c;
	size_t start;

	section();
	interface(ETHERNET);
	interface(ETHERNET);
	start = begin_packet(1, 1, 4);
	number_option(4, 100, 8);
	end_block(start);
	start = begin_block(5);
	PUT_U32S(1, 0, 0);
	number_option(4, 1000, 8); /* received */
	number_option(5, 3, 8);
	number_option(7, 2, 8);
	end_block(start);
	start = begin_block(5); /* of no interface at all */
	PUT_U32S(2, 0, 0);
	number_option(5, 3, 8);
	end_block(start);
	c = open_file();
	for (int pass = 0; pass < 2; pass++) {
		expect_frame(c, 1, 1000, 4);
		expect_end(c, 1);
		ck_assert_int_eq(capture_interface(c, 0)->drops, -1);
		ck_assert_int_eq(capture_interface(c, 1)->drops, 5);
		capture_rewind(c);
	}
	capture_close(c);
}
END_TEST

START_TEST(pcapng_simple_and_obsolete_packets)
{
	struct capture *c;
	size_t start;

	section();
	end_block(begin_interface(ETHERNET, 10));
	start = begin_block(3);
	put(60, 4);
	put_data(10);
	end_block(start);
	start = begin_block(3);
	put(6, 4);
	put_data(6);
	end_block(start);
	start = begin_block(2);
	put(0, 2);
	put(3, 2);
	PUT_U32S(0, 77, 7, 60);
	put_data(7);
	pad();
	number_option(2, 1, 4);
	end_block(start);
	c = open_file();
	ck_assert_uint_eq(expect_frame(c, 1, 0, 10).len, 60);
	ck_assert_uint_eq(expect_frame(c, 2, 0, 6).len, 6);
	ck_assert_int_eq(expect_frame(c, 3, 77000, 7).direction,
	                 FRAME_DIRECTION_IN);
	ck_assert_int_eq(capture_interface(c, 0)->drops, 3);
	expect_end(c, 3);
	capture_close(c);
}
END_TEST

START_TEST(pcapng_other_blocks)
{
	const uint32_t types[] = { 4, 10, 0xbad, 0x40000bad, 9, 0x204, 999 };
	struct capture *c;

	section();
	interface(ETHERNET);
	packet(0, 1, 4);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t start = begin_block(types[i]);

		put_data(40);
		end_block(start);
	}
	packet(0, 2, 4);
	end_block(begin_block(999));
	c = open_file();
	expect_frame(c, 1, 1000, 4);
	/* custom twice, journal and system call take numbers in tshark */
	expect_frame(c, 6, 2000, 4);
	expect_end(c, 6);
	capture_close(c);
}
END_TEST

static const struct {
	uint32_t words[8];
	size_t n;
	const char *what;
} hostile_blocks[] = {
	{ { 6, 0, 0 }, 3, "a block has an impossible length of 0 bytes" },
	{ { 6, 8, 0 }, 3, "a block has an impossible length of 8 bytes" },
	{ { 6, 16777217, 0 },
	  3,
	  "a block has an impossible length of 16777217 bytes" },
	{ { 6, UINT32_MAX, 0 },
	  3,
	  "a block has an impossible length of 4294967295 bytes" },
	{ { 6, 16777216, 0 }, 3, "the file ends inside a block" },
	{ { 6, 32 }, 2, "the file ends inside a block header" },
	{ { 9, 12, 16 }, 3, "the two lengths of a block differ" },
	{ { 6, 12, 12 }, 3, "a packet is longer than its block" },
	{ { 6, 32, 0, 0, 0, 1, 1, 32 },
	  8,
	  "a packet is longer than its block" },
	{ { 6, 32, 0, 0, 0, UINT32_MAX, 1, 32 },
	  8,
	  "a packet has an impossible length" },
	{ { 6, 32, 1, 0, 0, 0, 0, 32 },
	  8,
	  "a packet of an interface that is not described" },
	{ { 3, 16, 9, 16 }, 4, "a packet is longer than its block" },
	{ { 1, 12, 12 }, 3, "a damaged interface description" },
	{ { 1, 24, 1, 0, 0x00080002, 24 },
	  6,
	  "a damaged interface description" },
	{ { 5, 28, 0, 0, 0, 0x00080005, 28 },
	  7,
	  "damaged interface statistics" },
	{ { 0xbad, 12, 12 }, 3, "a block of type 0x00000bad is too short" },
	{ { SECTION, 28, 0 }, 3, "a section header without byte order" },
	{ { SECTION, 16, 0x1a2b3c4d, 16 }, 4, "a damaged section header" },
	{ { SECTION, 28, 0x1a2b3c4d, 2, 0, 0, 28 },
	  7,
	  "pcapng version 2.0 is not supported" },
};

START_TEST(pcapng_hostile)
{
	size_t good;

	section();
	interface(ETHERNET);
	packet(0, 1, 4);
	good = file.len;
	for (size_t i = 0;
	     i < sizeof(hostile_blocks) / sizeof(hostile_blocks[0]); i++) {
		struct capture *c;
		char what[128];

		file.len = good;
		put_u32s(hostile_blocks[i].n, hostile_blocks[i].words);
		c = open_file();
		expect_frame(c, 1, 1000, 4);
		(void)snprintf(what, sizeof(what), "%s after frame 1",
		               hostile_blocks[i].what);
		expect_cut(c, what);
		capture_close(c);
	}
}
END_TEST

START_TEST(pcapng_bad_packet_options)
{
	const struct {
		uint16_t code;
		unsigned int bytes;
	} rows[] = { { 2, 3 }, { 4, 4 }, { 5, 7 }, { 7, 0 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct capture *c;
		size_t start;

		file.len = 0;
		section();
		interface(ETHERNET);
		start = begin_packet(0, 1, 4);
		number_option(rows[i].code, 1, rows[i].bytes);
		end_block(start);
		c = open_file();
		expect_cut(c, "a damaged option of a packet");
		capture_close(c);
	}
}
END_TEST

START_TEST(pcapng_too_many_interfaces)
{
	struct capture *c;

	section();
	for (int i = 0; i < 65537; i++)
		interface(ETHERNET);
	c = open_file();
	expect_cut(c, "more than 65536 interfaces");
	ck_assert_uint_eq(capture_interface_count(c), 65536);
	capture_close(c);
}
END_TEST

/* Writers exist that leave the padding out of the block length. */
START_TEST(pcapng_length_without_padding)
{
	struct capture *c;

	section();
	interface(ETHERNET);
	PUT_U32S(6, 35, 0, 0, 1, 3, 60);
	put_data(3);
	pad();
	put(35, 4);
	packet(0, 2, 4);
	c = open_file();
	expect_frame(c, 1, 1000, 3);
	expect_frame(c, 2, 2000, 4);
	expect_end(c, 2);
	capture_close(c);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		pcapng_sections_restart_everything,
		pcapng_resolutions,
		pcapng_options,
		pcapng_ports_of_a_switch_record_by_source,
		pcapng_verdicts_tell_what_ended,
		pcapng_statistics_tell_drops,
		pcapng_simple_and_obsolete_packets,
		pcapng_other_blocks,
		pcapng_hostile,
		pcapng_bad_packet_options,
		pcapng_too_many_interfaces,
		pcapng_length_without_padding,
		NULL,
	};

	return run_tests("pcapng", tests);
}
