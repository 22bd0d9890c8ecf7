#include "decode/packet.h"
#include "run_tests.h"

#define BE16(n) (uint8_t)((n) >> 8), (uint8_t)(n)
#define BE32(n) BE16((n) >> 16), BE16(n)

#define MAC_1 0x02, 0, 0, 0, 0, 1
#define MAC_2 0x02, 0, 0, 0, 0, 2
#define MAC_3 0x02, 0, 0, 0, 0, 3
#define OUTER_IP 10, 0, 0, 1, 10, 0, 0, 2
#define INNER_IP 192, 168, 1, 1, 192, 168, 1, 2
#define IPV4(length, fragment, proto, addresses)                               \
	0x45, 0, BE16(length), BE16(0x1234), BE16(fragment), 64, (proto), 0,   \
		0, addresses
#define ETHERNET MAC_2, MAC_1, 0x08, 0x00
#define PING 8, 0, 0, 0, BE16(5), BE16(1)
#define PING_BYTES 8
#define INNER_FRAME                                                            \
	MAC_3, MAC_1, 0x08, 0x00, IPV4(28, 0, IP_PROTO_ICMP, INNER_IP), PING
#define INNER_BYTES (14 + 20 + PING_BYTES)
#define AROUND_UDP(port, inner)                                                \
	ETHERNET, IPV4(28 + (inner), 0, IP_PROTO_UDP, OUTER_IP), BE16(49152),  \
		BE16(port), BE16(8 + (inner)), 0, 0
#define AROUND_GRE(inner)                                                      \
	ETHERNET, IPV4(20 + (inner), 0, IP_PROTO_GRE, OUTER_IP)
#define VXLAN(flags, vni) (flags), 0, 0, 0, BE32((uint32_t)(vni) << 8)
#define GENEVE(first, flags, type, vni)                                        \
	(first), (flags), BE16(type), BE32((uint32_t)(vni) << 8)

#define OPEN(inner, ...)                                                       \
	open_tunnel((uint8_t[]){ __VA_ARGS__ },                                \
	            sizeof((uint8_t[]){ __VA_ARGS__ }),                        \
	            sizeof((uint8_t[]){ __VA_ARGS__ }), inner)

static bool open_tunnel(const uint8_t *bytes, size_t caplen, size_t len,
                        struct packet *inner)
{
	const struct frame frame = {
		.number = 7,
		.ts_ns = 9,
		.caplen = (uint32_t)caplen,
		.len = (uint32_t)len,
		.bytes = bytes,
		.interface = 3,
		.direction = FRAME_DIRECTION_OUT,
	};
	struct packet outer;

	packet_decode(&frame, LINKTYPE_EN10MB, &outer);
	return packet_decode_inner(&outer, inner);
}

static void expect_ping(const struct packet *p)
{
	char text[ADDR_TEXT_MAX];

	ck_assert_int_eq(p->status, PACKET_STATUS_OK);
	ck_assert_int_eq(p->kind, PACKET_KIND_ICMP);
	ck_assert_str_eq(addr_text(&p->src, text), "192.168.1.1");
	ck_assert_uint_eq(p->icmp.id, 5);
	ck_assert_uint_eq(p->frame, 7);
	ck_assert_int_eq(p->ts_ns, 9);
	ck_assert_uint_eq(p->interface, 3);
	ck_assert_int_eq(p->direction, FRAME_DIRECTION_OUT);
	ck_assert_int_eq(p->ifindex, -1);
}

START_TEST(vxlan)
{
	struct packet p, again;

	ck_assert(OPEN(&p, AROUND_UDP(4789, 8 + INNER_BYTES),
	               VXLAN(0x08, 0x123456), INNER_FRAME));
	expect_ping(&p);
	ck_assert_int_eq(p.within.kind, TUNNEL_KIND_VXLAN);
	ck_assert(p.within.has_id);
	ck_assert_uint_eq(p.within.id, 0x123456);
	ck_assert_uint_eq(p.wire_len, INNER_BYTES);
	ck_assert(p.has_eth_src && p.has_eth_dst);
	ck_assert_int_eq(p.carries.kind, TUNNEL_KIND_NONE);
	ck_assert(!packet_decode_inner(&p, &again));
}
END_TEST

START_TEST(vxlan_without_a_network_stays_closed)
{
	struct packet p;

	ck_assert(!OPEN(&p, AROUND_UDP(4789, 8 + INNER_BYTES), VXLAN(0, 5),
	                INNER_FRAME));
	ck_assert(!OPEN(&p, AROUND_UDP(4790, 8 + INNER_BYTES), VXLAN(8, 5),
	                INNER_FRAME));
	ck_assert(!OPEN(&p, AROUND_UDP(4789, 7), 8, 0, 0, 0, 0, 0, 1));
}
END_TEST

START_TEST(what_is_cut_or_contradicts_itself_inside)
{
	static const uint8_t bytes[] = { AROUND_UDP(4789, 8 + INNER_BYTES),
		                         VXLAN(8, 5), INNER_FRAME };
	const size_t to_inner_ip = sizeof(bytes) - PING_BYTES - 10;
	struct packet p;

	ck_assert(open_tunnel(bytes, to_inner_ip, sizeof(bytes), &p));
	ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
	ck_assert_uint_eq(p.cut_bytes, PING_BYTES + 10);
	ck_assert_uint_eq(p.wire_len, INNER_BYTES);
	/* The outer packet ends there, and nothing was cut off. */
	ck_assert(OPEN(&p, AROUND_UDP(4789, 8 + 14), VXLAN(8, 5), MAC_3, MAC_1,
	               0x08, 0x00));
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	ck_assert(OPEN(&p, AROUND_UDP(4789, 8), VXLAN(8, 5)));
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
}
END_TEST

START_TEST(padding_of_the_outer_frame_is_not_inside)
{
	struct packet p;

	ck_assert(OPEN(&p, AROUND_UDP(4789, 8 + 14), VXLAN(8, 5), MAC_3, MAC_1,
	               0x08, 0x00, IPV4(28, 0, IP_PROTO_ICMP, INNER_IP), PING));
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	ck_assert_uint_eq(p.wire_len, 14);
}
END_TEST

START_TEST(a_tunnel_in_a_tunnel_stays_closed)
{
	struct packet p, deeper;

	ck_assert(OPEN(&p, AROUND_UDP(4789, 8 + 50 + INNER_BYTES), VXLAN(8, 5),
	               AROUND_UDP(4789, 8 + INNER_BYTES), VXLAN(8, 6),
	               INNER_FRAME));
	ck_assert_int_eq(p.kind, PACKET_KIND_UDP);
	ck_assert_uint_eq(p.within.id, 5);
	ck_assert_uint_eq(p.carries.id, 6);
	ck_assert(!packet_decode_inner(&p, &deeper));
}
END_TEST

START_TEST(a_piece_of_a_tunnel_stays_closed)
{
	struct packet p;

	ck_assert(!OPEN(&p, ETHERNET,
	                IPV4(36 + INNER_BYTES, 0x2000, IP_PROTO_UDP, OUTER_IP),
	                BE16(49152), BE16(4789), BE16(2000), 0, 0, VXLAN(8, 5),
	                INNER_FRAME));
}
END_TEST

START_TEST(geneve)
{
	struct packet p;

	ck_assert(OPEN(&p, AROUND_UDP(6081, 8 + INNER_BYTES),
	               GENEVE(0, 0, 0x6558, 9), INNER_FRAME));
	expect_ping(&p);
	ck_assert_int_eq(p.within.kind, TUNNEL_KIND_GENEVE);
	ck_assert_uint_eq(p.within.id, 9);
	/* eight bytes of options, IP inside */
	ck_assert(OPEN(&p, AROUND_UDP(6081, 16 + 28), GENEVE(2, 0, 0x0800, 9),
	               BE32(1), BE32(2), IPV4(28, 0, IP_PROTO_ICMP, INNER_IP),
	               PING));
	expect_ping(&p);
	ck_assert(!p.has_eth_src && !p.has_eth_dst);
}
END_TEST

START_TEST(geneve_of_no_guest_stays_closed)
{
	struct packet p;

	/* another version, control, an unknown payload, options beyond the end */
	ck_assert(!OPEN(&p, AROUND_UDP(6081, 8 + INNER_BYTES),
	                GENEVE(0x40, 0, 0x6558, 9), INNER_FRAME));
	ck_assert(!OPEN(&p, AROUND_UDP(6081, 8 + INNER_BYTES),
	                GENEVE(0, 0x80, 0x6558, 9), INNER_FRAME));
	ck_assert(!OPEN(&p, AROUND_UDP(6081, 8 + INNER_BYTES),
	                GENEVE(0, 0, 0x88b5, 9), INNER_FRAME));
	ck_assert(!OPEN(&p, AROUND_UDP(6081, 8 + INNER_BYTES),
	                GENEVE(0x3f, 0, 0x6558, 9), INNER_FRAME));
}
END_TEST

START_TEST(gre)
{
	struct packet p;

	ck_assert(OPEN(&p, AROUND_GRE(4 + INNER_BYTES), BE16(0), BE16(0x6558),
	               INNER_FRAME));
	expect_ping(&p);
	ck_assert_int_eq(p.within.kind, TUNNEL_KIND_GRE);
	ck_assert(!p.within.has_id);
	/* checksum, key and sequence number, IP inside */
	ck_assert(OPEN(&p, AROUND_GRE(16 + 28), BE16(0xb000), BE16(0x0800),
	               BE32(1), BE32(7007), BE32(3),
	               IPV4(28, 0, IP_PROTO_ICMP, INNER_IP), PING));
	expect_ping(&p);
	ck_assert(p.within.has_id);
	ck_assert_uint_eq(p.within.id, 7007);
}
END_TEST

START_TEST(gre_of_no_guest_stays_closed)
{
	struct packet p;

	/* PPTP, source routes, a mirror (ERSPAN), a key beyond the end */
	ck_assert(!OPEN(&p, AROUND_GRE(4 + INNER_BYTES), BE16(1), BE16(0x880b),
	                INNER_FRAME));
	ck_assert(!OPEN(&p, AROUND_GRE(4 + INNER_BYTES), BE16(0x4000),
	                BE16(0x6558), INNER_FRAME));
	ck_assert(!OPEN(&p, AROUND_GRE(4 + INNER_BYTES), BE16(0), BE16(0x88be),
	                INNER_FRAME));
	ck_assert(!OPEN(&p, AROUND_GRE(4), BE16(0x2000), BE16(0x6558)));
}
END_TEST

START_TEST(one_key_inside_and_outside)
{
	static const uint8_t plain[] = { INNER_FRAME };
	const struct frame frame = { .caplen = sizeof(plain),
		                     .len = sizeof(plain),
		                     .bytes = plain };
	struct packet inside, outside;

	ck_assert(OPEN(&inside, AROUND_UDP(4789, 8 + INNER_BYTES), VXLAN(8, 5),
	               INNER_FRAME));
	packet_decode(&frame, LINKTYPE_EN10MB, &outside);
	ck_assert_uint_eq(packet_key(&inside), packet_key(&outside));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		vxlan,
		vxlan_without_a_network_stays_closed,
		what_is_cut_or_contradicts_itself_inside,
		padding_of_the_outer_frame_is_not_inside,
		a_tunnel_in_a_tunnel_stays_closed,
		a_piece_of_a_tunnel_stays_closed,
		geneve,
		geneve_of_no_guest_stays_closed,
		gre,
		gre_of_no_guest_stays_closed,
		one_key_inside_and_outside,
		NULL,
	};

	return run_tests("tunnel", tests);
}
