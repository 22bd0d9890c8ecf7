#include "decode/packet.h"

#include <string.h>

#include "run_tests.h"

#define BE16(n) (uint8_t)((n) >> 8), (uint8_t)(n)
#define MAC_1 0x02, 0, 0, 0, 0, 1
#define MAC_2 0x52, 0x54, 0, 0, 0, 2
#define ETHERNET(type) MAC_2, MAC_1, BE16(type)
#define IPV4(length, proto)                                                    \
	0x45, 0, BE16(length), 0x12, 0x34, 0, 0, 64, (proto), 0, 0, 10, 0, 0,  \
		1, 10, 0, 0, 2
#define SYN                                                                    \
	BE16(40000), BE16(443), 0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, TCP_FLAG_SYN,  \
		BE16(512), 0, 0, 0, 0
#define FRAME ETHERNET(0x800), IPV4(40, 6), SYN
#define NOTHING 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
/* A checksum at 34 + 16 is left to the NIC, in either byte order */
#define CHECKSUM 1, 0, 0, 0, 0, 0, 34, 0, 16, 0
#define CHECKSUM_BIG 1, 0, 0, 0, 0, 0, 0, 34, 0, 16
/* So is cutting it into segments of 1448 bytes */
#define SEGMENTS 1, 1, 66, 0, 0xa8, 5, 34, 0, 16, 0

#define HEADER(...)                                                            \
	header((uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

static uint32_t header(const uint8_t *bytes, size_t n)
{
	const struct frame frame = {
		.caplen = (uint32_t)n,
		.len = (uint32_t)n,
		.bytes = bytes,
	};

	return virtio_header_bytes(&frame);
}

START_TEST(headers_of_both_lengths)
{
	ck_assert_uint_eq(HEADER(NOTHING, FRAME), 10);
	ck_assert_uint_eq(HEADER(NOTHING, 0, 0, FRAME), 12);
	ck_assert_uint_eq(HEADER(CHECKSUM, FRAME), 10);
	ck_assert_uint_eq(HEADER(CHECKSUM, 1, 0, FRAME), 12);
	ck_assert_uint_eq(HEADER(CHECKSUM_BIG, 0, 0, FRAME), 12);
	ck_assert_uint_eq(HEADER(SEGMENTS, 0, 0, FRAME), 12);
}
END_TEST

START_TEST(a_plain_frame_has_none)
{
	ck_assert_uint_eq(HEADER(FRAME), 0);
	/* From a machine to itself */
	ck_assert_uint_eq(HEADER(NOTHING, 0, 0, BE16(0x800), IPV4(40, 6), SYN),
	                  0);
	/* Its address has the ethertype in it. */
	ck_assert_uint_eq(HEADER(NOTHING, 0, 0, 8, 0, 0x27, 1, 2, 3, MAC_1,
	                         BE16(0x800), IPV4(40, 6), SYN),
	                  12);
}
END_TEST

START_TEST(what_contradicts_itself_is_none)
{
	/* A segment size without segments, a checksum that nobody asks for */
	ck_assert_uint_eq(HEADER(0, 0, 0, 0, 0xa8, 5, 0, 0, 0, 0, FRAME), 0);
	ck_assert_uint_eq(HEADER(0, 0, 0, 0, 0, 0, 34, 0, 16, 0, FRAME), 0);
	ck_assert_uint_eq(HEADER(1, 0, 0, 0, 0, 0, 34, 0, 0, 0, FRAME), 0);
	ck_assert_uint_eq(HEADER(8, 0, 0, 0, 0, 0, 0, 0, 0, 0, FRAME), 0);
	ck_assert_uint_eq(HEADER(0, 2, 0, 0, 0xa8, 5, 0, 0, 0, 0, FRAME), 0);
	/* VN-Tag: addresses, and the ethertype ten bytes late */
	ck_assert_uint_eq(HEADER(0, 1, 2, 3, 4, 5, 0, 0x25, 0xb5, 1, 2, 3,
	                         BE16(0x8926), 0, 0, 0, 1, BE16(0x8100), 0, 5,
	                         BE16(0x800), IPV4(40, 6), SYN),
	                  0);
	/* Nothing that is known follows. */
	ck_assert_uint_eq(HEADER(NOTHING, 0, 0, ETHERNET(0x88cc), 1, 2, 3), 0);
}
END_TEST

START_TEST(every_length_of_a_frame)
{
	const uint8_t bytes[] = { CHECKSUM, 0, 0, FRAME };

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		uint8_t *own = malloc(n + 1);
		struct frame frame = {
			.caplen = (uint32_t)n,
			.len = sizeof(bytes),
			.bytes = own,
		};

		ck_assert_ptr_nonnull(own);
		memcpy(own, bytes, n);
		/* As soon as its IP header is whole */
		ck_assert_uint_eq(virtio_header_bytes(&frame),
		                  n < 12 + 14 + 20 ? 0 : 12);
		free(own);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		headers_of_both_lengths,
		a_plain_frame_has_none,
		what_contradicts_itself_is_none,
		every_length_of_a_frame,
		NULL,
	};

	return run_tests("virtio", tests);
}
