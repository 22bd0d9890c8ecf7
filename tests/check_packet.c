#include "decode/packet.h"

#include <string.h>

#include "run_tests.h"

#define BE16(n) (uint8_t)((n) >> 8), (uint8_t)(n)
#define BE32(n) BE16((n) >> 16), BE16(n)
#define ZEROS_4 0, 0, 0, 0
#define ZEROS_16 ZEROS_4, ZEROS_4, ZEROS_4, ZEROS_4

#define MAC_1 0x02, 0, 0, 0, 0, 1
#define MAC_2 0x02, 0, 0, 0, 0, 2
#define ETHERNET(type) MAC_2, MAC_1, BE16(type)
#define ADDRESSES 10, 0, 0, 1, 10, 0, 0, 2
#define IPV4_HEAD(words, length, fragment, proto)                              \
	0x40 | (words), 0, BE16(length), BE16(0x1234), BE16(fragment), 64,     \
		(proto), 0, 0, ADDRESSES
#define IPV4(length, proto) IPV4_HEAD(5, length, 0x4000, proto)
#define IP6_1 0xfd, 0, 0, 0, ZEROS_4, ZEROS_4, 0, 0, 0, 1
#define IP6_2 0xfd, 0, 0, 0, ZEROS_4, ZEROS_4, 0, 0, 0, 2
#define IPV6(length, next) 0x60, 0, 0, 0, BE16(length), (next), 64, IP6_1, IP6_2
#define TCP_HEAD(words, flags)                                                 \
	BE16(40000), BE16(443), BE32(1000), BE32(2000), (words) << 4, (flags), \
		BE16(512), ZEROS_4
#define SYN TCP_HEAD(5, TCP_FLAG_SYN)
#define UDP(from, to, length) BE16(from), BE16(to), BE16(length), 0, 0
#define ECHO(type, id, seq) (type), 0, 0, 0, BE16(id), BE16(seq)

#define DECODE(linktype, ...)                                                  \
	decode(linktype, (uint8_t[]){ __VA_ARGS__ },                           \
	       sizeof((uint8_t[]){ __VA_ARGS__ }),                             \
	       sizeof((uint8_t[]){ __VA_ARGS__ }))

/* The same frame, cut off by a snap length */
#define DECODE_CUT(linktype, ...)                                              \
	decode(linktype, (uint8_t[]){ __VA_ARGS__ },                           \
	       sizeof((uint8_t[]){ __VA_ARGS__ }), 65536)

static struct packet decode(uint32_t linktype, const uint8_t *bytes,
                            size_t caplen, size_t len)
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
	struct packet p;

	packet_decode(&frame, linktype, &p);
	return p;
}

static void expect_ip(const struct in6_addr *ip, const char *text)
{
	char out[ADDR_TEXT_MAX];

	ck_assert_str_eq(addr_text(ip, out), text);
}

static void expect_mac(struct mac mac, const char *text)
{
	char out[ADDR_TEXT_MAX];

	ck_assert_str_eq(mac_text(mac, out), text);
}

static void expect_syn(const struct packet *p)
{
	ck_assert_int_eq(p->status, PACKET_STATUS_OK);
	ck_assert_int_eq(p->kind, PACKET_KIND_TCP);
	ck_assert_uint_eq(p->src_port, 40000);
	ck_assert_uint_eq(p->dst_port, 443);
	ck_assert_uint_eq(p->tcp.flags, TCP_FLAG_SYN);
	ck_assert_uint_eq(p->tcp.seq, 1000);
	ck_assert_uint_eq(p->tcp.ack, 2000);
	ck_assert_uint_eq(p->tcp.window, 512);
}

START_TEST(ethernet)
{
	struct packet p =
		DECODE(LINKTYPE_EN10MB, ETHERNET(0x800), IPV4(40, 6), SYN);

	expect_syn(&p);
	ck_assert_uint_eq(p.frame, 7);
	ck_assert_int_eq(p.ts_ns, 9);
	ck_assert_uint_eq(p.interface, 3);
	ck_assert_uint_eq(p.wire_len, 54);
	ck_assert_int_eq(p.direction, FRAME_DIRECTION_OUT);
	ck_assert_int_eq(p.ifindex, -1);
	ck_assert(p.has_eth_src && p.has_eth_dst && !p.group);
	expect_mac(p.eth_src, "02:00:00:00:00:01");
	expect_mac(p.eth_dst, "02:00:00:00:00:02");
	ck_assert_uint_eq(p.n_vlans, 0);
	expect_ip(&p.src, "10.0.0.1");
	expect_ip(&p.dst, "10.0.0.2");
	ck_assert_uint_eq(p.ip_id, 0x1234);
	ck_assert_uint_eq(p.ip_length, 40);
	ck_assert_uint_eq(p.ttl, 64);
	ck_assert(p.dont_fragment && !p.more_fragments);
	ck_assert_uint_eq(p.payload_len, 0);
}
END_TEST

START_TEST(ethernet_group_and_llc)
{
	struct packet p = DECODE(LINKTYPE_EN10MB, 0x01, 0x80, 0xc2, 0, 0, 0,
	                         MAC_1, BE16(3), 0x42, 0x42, 3);

	ck_assert_int_eq(p.status, PACKET_STATUS_UNSUPPORTED);
	ck_assert_int_eq(p.kind, PACKET_KIND_OTHER);
	ck_assert(p.group);
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x88cc), 1, 2, 3);
	ck_assert_int_eq(p.status, PACKET_STATUS_UNSUPPORTED);
	ck_assert(!p.group);
	ck_assert_uint_eq(p.payload_len, 3);
}
END_TEST

START_TEST(sll)
{
	struct packet p =
		DECODE(LINKTYPE_LINUX_SLL, BE16(4), BE16(1), BE16(6), MAC_1,
	               0xff, 0xff, BE16(0x800), IPV4(40, 6), SYN);

	expect_syn(&p);
	ck_assert_int_eq(p.direction, FRAME_DIRECTION_OUT);
	ck_assert(p.has_eth_src && !p.has_eth_dst && !p.group);
	expect_mac(p.eth_src, "02:00:00:00:00:01");

	/* A broadcast that comes in, on something that is no Ethernet */
	p = DECODE(LINKTYPE_LINUX_SLL, BE16(1), BE16(772), BE16(6), MAC_1, 0, 0,
	           BE16(0x800), IPV4(40, 6), SYN);
	expect_syn(&p);
	ck_assert_int_eq(p.direction, FRAME_DIRECTION_IN);
	ck_assert(!p.has_eth_src && p.group);
	p = DECODE(LINKTYPE_LINUX_SLL, BE16(2), BE16(1), BE16(8), ZEROS_4,
	           ZEROS_4, BE16(0x800), IPV4(40, 6), SYN);
	expect_syn(&p);
	ck_assert(!p.has_eth_src && p.group);
	p = DECODE_CUT(LINKTYPE_LINUX_SLL, BE16(0), BE16(1), BE16(6), MAC_1, 0);
	ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
}
END_TEST

START_TEST(sll2)
{
	struct packet p =
		DECODE(LINKTYPE_LINUX_SLL2, BE16(0x800), 0, 0, BE32(UINT32_MAX),
	               BE16(1), 0, 6, MAC_1, 0, 0, IPV4(40, 6), SYN);

	expect_syn(&p);
	ck_assert_int_eq(p.ifindex, UINT32_MAX);
	ck_assert_int_eq(p.direction, FRAME_DIRECTION_IN);
	ck_assert(p.has_eth_src && !p.has_eth_dst && !p.group);
	p = DECODE_CUT(LINKTYPE_LINUX_SLL2, BE16(0x800), 0, 0, BE32(5), BE16(1),
	               0, 6, MAC_1, 0);
	ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
}
END_TEST

START_TEST(raw_ip)
{
	static const uint32_t linktypes[] = { 12, 14, 101, 228, 229 };

	for (size_t i = 0; i < 5; i++) {
		struct packet p = DECODE(linktypes[i], IPV4(40, 6), SYN);

		expect_syn(&p);
		ck_assert_uint_eq(p.ip_version, 4);
		ck_assert(!p.has_eth_src && !p.has_eth_dst);
		p = DECODE(linktypes[i], IPV6(20, 6), SYN);
		expect_syn(&p);
		ck_assert_uint_eq(p.ip_version, 6);
		expect_ip(&p.src, "fd00::1");
		p = DECODE(linktypes[i], 0x55);
		ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
		p = decode(linktypes[i], (uint8_t[]){ 0 }, 0, 40);
		ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
	}
}
END_TEST

START_TEST(families_in_both_byte_orders)
{
	static const uint8_t v6[] = { 10, 24, 28, 30 };
	struct packet p;

	p = DECODE(LINKTYPE_BSD_NULL, 2, 0, 0, 0, IPV4(40, 6), SYN);
	expect_syn(&p);
	p = DECODE(LINKTYPE_BSD_NULL, 0, 0, 0, 2, IPV4(40, 6), SYN);
	expect_syn(&p);
	p = DECODE(LINKTYPE_BSD_LOOP, 0, 0, 0, 2, IPV4(40, 6), SYN);
	expect_syn(&p);
	for (size_t i = 0; i < sizeof(v6); i++) {
		p = DECODE(LINKTYPE_BSD_NULL, v6[i], 0, 0, 0, IPV6(20, 6), SYN);
		expect_syn(&p);
		p = DECODE(LINKTYPE_BSD_LOOP, 0, 0, 0, v6[i], IPV6(20, 6), SYN);
		expect_syn(&p);
	}
	p = DECODE(LINKTYPE_BSD_NULL, 7, 0, 0, 0, 1);
	ck_assert_int_eq(p.status, PACKET_STATUS_UNSUPPORTED);
	p = DECODE(LINKTYPE_BSD_NULL, 2, 0, 0);
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
}
END_TEST

START_TEST(unknown_link_type)
{
	struct packet p = DECODE(127, IPV4(40, 6), SYN);

	ck_assert_int_eq(p.status, PACKET_STATUS_UNSUPPORTED);
	ck_assert_int_eq(p.kind, PACKET_KIND_OTHER);
	ck_assert_uint_eq(packet_key(&p), 0);
}
END_TEST

START_TEST(vlan_tags_from_outside_in)
{
	struct packet p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x8100),
	                         BE16(0xe123), BE16(0x800), IPV4(40, 6), SYN);

	expect_syn(&p);
	ck_assert_uint_eq(p.n_vlans, 1);
	ck_assert_uint_eq(p.vlans[0], 0x123); /* without priority */
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x88a8), BE16(100), BE16(0x8100),
	           BE16(7), BE16(0x800), IPV4(40, 6), SYN);
	expect_syn(&p);
	ck_assert_uint_eq(p.n_vlans, 2);
	ck_assert_uint_eq(p.vlans[0], 100);
	ck_assert_uint_eq(p.vlans[1], 7);
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x9100), BE16(1), BE16(0x9100),
	           BE16(2), BE16(0x8100), BE16(3), BE16(0x800), IPV4(40, 6),
	           SYN);
	expect_syn(&p);
	ck_assert_uint_eq(p.n_vlans, 2);
	ck_assert_uint_eq(p.vlans[1], 2);
	p = DECODE_CUT(LINKTYPE_EN10MB, ETHERNET(0x8100), BE16(1), 8);
	ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
}
END_TEST

#define ARP(op) BE16(1), BE16(0x800), 6, 4, BE16(op)

START_TEST(arp)
{
	struct packet p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x806), ARP(2),
	                         MAC_1, 10, 0, 0, 1, MAC_2, 10, 0, 0, 2);

	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert_int_eq(p.kind, PACKET_KIND_ARP);
	ck_assert_uint_eq(p.arp.op, 2);
	ck_assert_uint_eq(p.ip_version, 0);
	expect_mac(p.arp.sender_mac, "02:00:00:00:00:01");
	expect_mac(p.arp.target_mac, "02:00:00:00:00:02");
	expect_ip(&p.arp.sender_ip, "10.0.0.1");
	expect_ip(&p.arp.target_ip, "10.0.0.2");
}
END_TEST

START_TEST(arp_of_other_networks_or_cut)
{
	struct packet p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x806), BE16(32),
	                         BE16(0x800), 20, 4, BE16(1));

	ck_assert_int_eq(p.status, PACKET_STATUS_UNSUPPORTED);
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x806), BE16(1), BE16(0x800), 6,
	           255, BE16(1));
	ck_assert_int_eq(p.status, PACKET_STATUS_UNSUPPORTED);
	p = DECODE_CUT(LINKTYPE_EN10MB, ETHERNET(0x806), ARP(1), MAC_1, 10, 0,
	               0, 1, MAC_2, 10, 0, 0);
	ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
	ck_assert_int_eq(p.kind, PACKET_KIND_OTHER);
}
END_TEST

START_TEST(ipv4_options_are_skipped)
{
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV4_HEAD(6, 44, 0, 6), 0x94,
	                         4, 0, 0, SYN);

	expect_syn(&p);
	p = DECODE(LINKTYPE_RAW_IP, IPV4_HEAD(15, 80, 0, 6), ZEROS_16, ZEROS_16,
	           ZEROS_4, ZEROS_4, SYN);
	expect_syn(&p);
	p = DECODE_CUT(LINKTYPE_RAW_IP, IPV4_HEAD(15, 80, 0, 6), ZEROS_16);
	ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
	expect_ip(&p.dst, "10.0.0.2");
}
END_TEST

START_TEST(ipv4_headers_that_contradict_themselves)
{
	struct packet p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x800),
	                         IPV4_HEAD(4, 40, 0, 6), SYN);

	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x800), IPV4(19, 6), SYN);
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x800), IPV6(20, 6), SYN);
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x86dd), IPV4(40, 6), SYN);
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	ck_assert_uint_eq(p.ip_version, 0);
}
END_TEST

START_TEST(ipv4_padding_is_not_payload)
{
	struct packet p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x800), IPV4(42, 6),
	                         SYN, 'h', 'i', ZEROS_4);

	expect_syn(&p);
	ck_assert_uint_eq(p.payload_len, 2);
	ck_assert_uint_eq(p.payload.left, 2);
	ck_assert_uint_eq(p.payload.next[0], 'h');
}
END_TEST

START_TEST(ipv4_payload_beyond_the_snap_length)
{
	struct packet p = DECODE_CUT(LINKTYPE_EN10MB, ETHERNET(0x800),
	                             IPV4(1500, 6), SYN, 'h', 'i');

	expect_syn(&p);
	ck_assert_uint_eq(p.payload_len, 1460);
	ck_assert_uint_eq(p.payload.left, 2);
}
END_TEST

START_TEST(length_0_is_segmentation_offload)
{
	struct packet p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x800), IPV4(0, 6),
	                         SYN, 'h', 'i');

	expect_syn(&p);
	ck_assert_uint_eq(p.ip_length, 0);
	ck_assert_uint_eq(p.payload_len, 2);
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x86dd), IPV6(0, 6), SYN, 'h');
	expect_syn(&p);
	ck_assert_uint_eq(p.ip_length, 0);
	ck_assert_uint_eq(p.payload_len, 1);
}
END_TEST

START_TEST(ipv4_fragments)
{
	struct packet p =
		DECODE(LINKTYPE_RAW_IP, IPV4_HEAD(5, 40, 0x2000, 6), SYN);

	expect_syn(&p);
	ck_assert(p.more_fragments && !p.dont_fragment);
	ck_assert_uint_eq(p.fragment_offset, 0);
	p = DECODE(LINKTYPE_RAW_IP, IPV4_HEAD(5, 40, 0x1fff, 6), SYN);
	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert_int_eq(p.kind, PACKET_KIND_IP);
	ck_assert_uint_eq(p.fragment_offset, 65528);
	ck_assert_uint_eq(p.src_port, 0);
	ck_assert_uint_eq(p.payload_len, 20);
}
END_TEST

#define EXTENSION(next) (next), 0, ZEROS_4, 0, 0

START_TEST(ipv6_extension_headers)
{
	/* Hop-by-hop, routing, destination options, authentication */
	struct packet p =
		DECODE(LINKTYPE_RAW_IP, IPV6(64, 0), EXTENSION(43),
	               EXTENSION(60), 51, 1, ZEROS_4, ZEROS_4, ZEROS_4, 0, 0, 6,
	               1, ZEROS_4, ZEROS_4, 0, 0, SYN);

	expect_syn(&p);
	ck_assert_uint_eq(p.ip_proto, 6);
	ck_assert_uint_eq(p.ip_length, 104);
	ck_assert_uint_eq(p.payload_len, 0);
	p = DECODE(LINKTYPE_RAW_IP, IPV6(8, 0), EXTENSION(59));
	ck_assert_int_eq(p.status, PACKET_STATUS_UNSUPPORTED);
	ck_assert_int_eq(p.kind, PACKET_KIND_IP);
	ck_assert_uint_eq(p.ip_proto, 59);
}
END_TEST

START_TEST(ipv6_fragments)
{
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV6(28, 44), 6, 0, BE16(1),
	                         BE32(0xabcd1234), SYN);

	expect_syn(&p);
	ck_assert(p.more_fragments);
	ck_assert_uint_eq(p.ip_id, 0x1234);
	/* A later one; what follows is data, though it says 0. */
	p = DECODE(LINKTYPE_RAW_IP, IPV6(28, 44), 0, 0, BE16(0xfff8),
	           BE32(0xabcd1234), SYN);
	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert_int_eq(p.kind, PACKET_KIND_IP);
	ck_assert_uint_eq(p.fragment_offset, 65528);
	ck_assert(!p.more_fragments);
	ck_assert_uint_eq(p.payload_len, 20);
}
END_TEST

START_TEST(ipv6_extension_longer_than_the_packet)
{
	struct packet p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x86dd), IPV6(8, 0),
	                         6, 255, ZEROS_4, 0, 0, SYN);

	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	p = DECODE_CUT(LINKTYPE_EN10MB, ETHERNET(0x86dd), IPV6(2068, 0), 6, 255,
	               ZEROS_4, 0, 0);
	ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
	ck_assert_int_eq(p.kind, PACKET_KIND_IP);
}
END_TEST

START_TEST(protocols_of_the_other_ip_version)
{
	struct packet p =
		DECODE(LINKTYPE_RAW_IP, IPV4(28, 58), ECHO(128, 1, 2));

	ck_assert_int_eq(p.status, PACKET_STATUS_UNSUPPORTED);
	p = DECODE(LINKTYPE_RAW_IP, IPV6(8, 1), ECHO(8, 1, 2));
	ck_assert_int_eq(p.status, PACKET_STATUS_UNSUPPORTED);
	ck_assert_int_eq(p.kind, PACKET_KIND_IP);
	ck_assert_uint_eq(p.payload_len, 8);
}
END_TEST

START_TEST(icmp_echo)
{
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV4(30, 1),
	                         ECHO(8, 7, 65535), 'h', 'i');

	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert_int_eq(p.kind, PACKET_KIND_ICMP);
	ck_assert_uint_eq(p.icmp.type, ICMP_ECHO_REQUEST);
	ck_assert_uint_eq(p.icmp.id, 7);
	ck_assert_uint_eq(p.icmp.seq, 65535);
	ck_assert_uint_eq(p.payload_len, 2);
	ck_assert(!packet_is_icmp_error(&p));
	ck_assert(!p.icmp.quoted.valid);
	p = DECODE(LINKTYPE_RAW_IP, IPV6(8, 58), ECHO(129, 7, 1));
	ck_assert_int_eq(p.kind, PACKET_KIND_ICMPV6);
	ck_assert(!packet_is_icmp_error(&p));
	p = DECODE_CUT(LINKTYPE_RAW_IP, IPV4(28, 1), 8, 0, 0, 0, 0, 7, 0);
	ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
	ck_assert_int_eq(p.kind, PACKET_KIND_IP);
}
END_TEST

#define QUOTED_TCP IPV4(1500, 6), BE16(40000), BE16(443), BE32(1000)

START_TEST(icmp_errors_tell_what_they_are_about)
{
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV4(56, 1), 3, 4, 0, 0, 0, 0,
	                         BE16(1400), QUOTED_TCP);

	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(packet_is_icmp_error(&p));
	ck_assert_uint_eq(p.icmp.mtu, 1400);
	ck_assert(p.icmp.quoted.valid);
	ck_assert_uint_eq(p.icmp.quoted.ip_proto, 6);
	ck_assert_uint_eq(p.icmp.quoted.ip_id, 0x1234);
	expect_ip(&p.icmp.quoted.src, "10.0.0.1");
	expect_ip(&p.icmp.quoted.dst, "10.0.0.2");
	ck_assert_uint_eq(p.icmp.quoted.src_port, 40000);
	ck_assert_uint_eq(p.icmp.quoted.dst_port, 443);
	ck_assert_uint_eq(p.src_port, 0); /* the error itself has none */

	p = DECODE(LINKTYPE_RAW_IP, IPV4(56, 1), 11, 0, 0, 0, ZEROS_4,
	           IPV4(28, 17), UDP(1000, 53, 8));
	ck_assert(p.icmp.quoted.valid);
	ck_assert_uint_eq(p.icmp.quoted.ip_proto, 17);
	ck_assert_uint_eq(p.icmp.quoted.src_port, 1000);
	ck_assert_uint_eq(p.icmp.quoted.dst_port, 53);
	p = DECODE(LINKTYPE_RAW_IP, IPV4(56, 1), 3, 1, 0, 0, ZEROS_4,
	           IPV4(84, 1), ECHO(8, 7, 2));
	ck_assert(p.icmp.quoted.valid);
	ck_assert_uint_eq(p.icmp.quoted.src_port, 7);
	ck_assert_uint_eq(p.icmp.quoted.dst_port, 2);
}
END_TEST

START_TEST(icmp_errors_that_quote_too_little)
{
	struct packet p =
		DECODE(LINKTYPE_RAW_IP, IPV4(28, 1), 3, 1, 0, 0, ZEROS_4);

	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(!p.icmp.quoted.valid);
	p = DECODE(LINKTYPE_RAW_IP, IPV4(48, 1), 3, 1, 0, 0, ZEROS_4,
	           IPV4(1500, 6)); /* no ports */
	ck_assert(!p.icmp.quoted.valid);
	p = DECODE(LINKTYPE_RAW_IP, IPV4(56, 1), 3, 1, 0, 0, ZEROS_4,
	           IPV4_HEAD(5, 1500, 185, 17), BE32(0), BE32(0));
	ck_assert(!p.icmp.quoted.valid); /* a later fragment */
	p = DECODE(LINKTYPE_RAW_IP, IPV4(56, 1), 3, 1, 0, 0, ZEROS_4,
	           IPV4_HEAD(4, 1500, 0, 6), BE32(0), BE32(0));
	ck_assert(!p.icmp.quoted.valid); /* no IP header */
	p = DECODE_CUT(LINKTYPE_RAW_IP, IPV4(56, 1), 3, 1, 0, 0, ZEROS_4, 0x45,
	               0, 5);
	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(!p.icmp.quoted.valid);
}
END_TEST

START_TEST(icmpv6_errors_and_neighbours)
{
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV6(56, 58), 1, 4, 0, 0,
	                         ZEROS_4, IPV6(1000, 17), UDP(9, 10, 1000));

	ck_assert(packet_is_icmp_error(&p));
	ck_assert(p.icmp.quoted.valid);
	expect_ip(&p.icmp.quoted.dst, "fd00::2");
	ck_assert_uint_eq(p.icmp.quoted.dst_port, 10);
	p = DECODE(LINKTYPE_RAW_IP, IPV6(24, 58), 135, 0, 0, 0, ZEROS_4, IP6_2);
	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(!packet_is_icmp_error(&p));
	expect_ip(&p.icmp.target, "fd00::2");
	p = DECODE(LINKTYPE_RAW_IP, IPV6(23, 58), 136, 0, 0, 0, ZEROS_4, 0xfd,
	           0, 0, 0, ZEROS_4, ZEROS_4, 0, 0, 0);
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
}
END_TEST

#define ADVERT(lifetime) 134, 0, 0, 0, 64, 0, BE16(lifetime), ZEROS_4, ZEROS_4
#define PREFIX(bits, flags)                                                    \
	3, 4, (bits), (flags), ZEROS_4, ZEROS_4, ZEROS_4, IP6_2

START_TEST(router_advertisements)
{
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV6(88, 58), ADVERT(1800), 1,
	                         1, MAC_1, PREFIX(48, 0), PREFIX(64, 0xc0));

	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert_uint_eq(p.icmp.lifetime, 1800);
	ck_assert_uint_eq(p.icmp.prefix_bits, 64); /* the one on the link */
	expect_ip(&p.icmp.target, "fd00::2");
	p = DECODE(LINKTYPE_RAW_IP, IPV6(48, 58), ADVERT(0), PREFIX(64, 0x40));
	ck_assert_uint_eq(p.icmp.lifetime, 0);
	ck_assert_uint_eq(p.icmp.prefix_bits, 0);
	p = DECODE_CUT(LINKTYPE_RAW_IP, IPV6(48, 58), ADVERT(9), 3, 4, 64);
	ck_assert_uint_eq(p.icmp.lifetime, 9);
	ck_assert_uint_eq(p.icmp.prefix_bits, 0);
	p = DECODE(LINKTYPE_RAW_IP, IPV6(24, 58), ADVERT(9), 3, 0, 64, 0xc0,
	           ZEROS_4); /* an option without a length */
	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert_uint_eq(p.icmp.prefix_bits, 0);
}
END_TEST

START_TEST(keys_of_ipv6)
{
	struct packet a = DECODE(LINKTYPE_RAW_IP, IPV6(8, 58), ECHO(128, 1, 2));
	struct packet b = a;

	addr_parse("fd00:1::9", &b.src);
	addr_parse("fd00:1::8", &b.dst);
	ck_assert_uint_eq(packet_key(&a), packet_key(&b)); /* translated */
	addr_parse("fe80::1", &a.src);
	addr_parse("fe80::2", &b.src);
	b.dst = a.dst;
	ck_assert_uint_ne(packet_key(&a), packet_key(&b));
}
END_TEST

START_TEST(tcp_options)
{
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV4(60, 6), TCP_HEAD(10, 2),
	                         2, 4, BE16(1460), 4, 2, 8, 10,
	                         BE32(0x11223344), BE32(0), 1, 3, 3, 7);

	expect_syn(&p);
	ck_assert_uint_eq(p.tcp.mss, 1460);
	ck_assert(p.tcp.has_timestamp);
	ck_assert_uint_eq(p.tcp.ts_value, 0x11223344);
	ck_assert_uint_eq(p.payload_len, 0);
	p = DECODE(LINKTYPE_RAW_IP, IPV4(44, 6), TCP_HEAD(6, 2), 0, 2, 4, 255);
	expect_syn(&p); /* nothing counts behind the end of the options */
	ck_assert_uint_eq(p.tcp.mss, 0);
	ck_assert(!p.tcp.has_timestamp);
}
END_TEST

START_TEST(hostile_tcp_options)
{
	static const uint8_t options[][4] = {
		{ 2, 0, 0, 0 },  { 2, 1, 5, 5 }, { 2, 255, 5, 5 },
		{ 8, 10, 1, 1 }, { 2, 3, 5, 5 }, { 1, 1, 1, 2 },
		{ 1, 1, 2, 4 },  { 1, 2, 4, 5 }, { 255, 4, 5, 5 },
	};

	struct packet p;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const uint8_t *o = options[i];
		p = DECODE(LINKTYPE_RAW_IP, IPV4(44, 6), TCP_HEAD(6, 2), o[0],
		           o[1], o[2], o[3]);

		expect_syn(&p);
		ck_assert_uint_eq(p.tcp.mss, 0);
		ck_assert(!p.tcp.has_timestamp);
	}
	/* Known kinds of a wrong length */
	p = DECODE(LINKTYPE_RAW_IP, IPV4(56, 6), TCP_HEAD(9, 2), 2, 6, 5, 5, 5,
	           5, 8, 8, 1, 1, 1, 1, 1, 1, 1, 1);
	expect_syn(&p);
	ck_assert_uint_eq(p.tcp.mss, 0);
	ck_assert(!p.tcp.has_timestamp);
}
END_TEST

START_TEST(tcp_header_lengths)
{
	struct packet p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x800), IPV4(40, 6),
	                         TCP_HEAD(4, 2));

	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	ck_assert_int_eq(p.kind, PACKET_KIND_IP);
	/* The header is longer than the IP packet; padding does not help. */
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x800), IPV4(40, 6),
	           TCP_HEAD(6, 2), ZEROS_4);
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	p = DECODE_CUT(LINKTYPE_EN10MB, ETHERNET(0x800), IPV4(40, 6),
	               TCP_HEAD(6, 2));
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	p = DECODE_CUT(LINKTYPE_EN10MB, ETHERNET(0x800), IPV4(44, 6),
	               TCP_HEAD(6, 2), 1, 1, 1);
	ck_assert_int_eq(p.status, PACKET_STATUS_TRUNCATED);
}
END_TEST

START_TEST(udp)
{
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV4(30, 17),
	                         UDP(5000, 6000, 10), 'h', 'i');

	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert_int_eq(p.kind, PACKET_KIND_UDP);
	ck_assert_uint_eq(p.payload_len, 2);
	ck_assert(!p.dns.valid && !p.dhcp.valid);
	p = DECODE(LINKTYPE_EN10MB, ETHERNET(0x800), IPV4(27, 17), 1, 2, 3, 4,
	           5, 6, 7);
	ck_assert_int_eq(p.status, PACKET_STATUS_MALFORMED);
	ck_assert_int_eq(p.kind, PACKET_KIND_IP);
}
END_TEST

#define DNS_HEAD(flags, questions, answers)                                    \
	UDP(5000, 53, 0), BE16(0x77aa), BE16(flags), BE16(questions),          \
		BE16(answers), ZEROS_4
#define A_TEST 1, 'a', 4, 't', 'e', 's', 't', 0
#define POINTER 0xc0, 12

START_TEST(dns_query)
{
	struct packet p =
		DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), DNS_HEAD(0x0100, 1, 0),
	               A_TEST, BE16(28), BE16(1));
	uint64_t name = p.dns.name_hash;

	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert_int_eq(p.kind, PACKET_KIND_UDP);
	ck_assert(p.dns.valid && !p.dns.response && !p.dns.truncated);
	ck_assert_uint_eq(p.dns.id, 0x77aa);
	ck_assert_uint_eq(p.dns.type, 28);
	ck_assert_uint_ne(name, 0);
	p = DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), DNS_HEAD(0, 1, 0), 1, 'A', 4,
	           'T', 'e', 'S', 't', 0, BE16(1), BE16(1));
	ck_assert_uint_eq(p.dns.name_hash, name);
	p = DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), DNS_HEAD(0, 1, 0), 1, 'b', 4,
	           't', 'e', 's', 't', 0, BE16(1), BE16(1));
	ck_assert_uint_ne(p.dns.name_hash, name);
}
END_TEST

START_TEST(dns_answers)
{
	struct packet p =
		DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), DNS_HEAD(0x8383, 1, 3),
	               A_TEST, BE16(1), BE16(1), POINTER, BE16(5), BE16(1),
	               BE32(9), BE16(4), 1, 'b', POINTER, 1, 'b', POINTER,
	               BE16(1), BE16(1), BE32(9), BE16(4), 192, 0, 2, 1,
	               POINTER, BE16(28), BE16(1), BE32(9), BE16(16), IP6_2);

	ck_assert(p.dns.response && p.dns.truncated);
	ck_assert_uint_eq(p.dns.rcode, 3);
	ck_assert_uint_eq(p.dns.n_answers, 2);
	expect_ip(&p.dns.answers[0], "192.0.2.1");
	expect_ip(&p.dns.answers[1], "fd00::2");
}
END_TEST

#define A_RECORD(last)                                                         \
	POINTER, BE16(1), BE16(1), BE32(9), BE16(4), 192, 0, 2, last

START_TEST(dns_answers_beyond_the_room_for_them)
{
	struct packet p =
		DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), DNS_HEAD(0x8000, 1, 5),
	               A_TEST, BE16(1), BE16(1), A_RECORD(1), A_RECORD(2),
	               A_RECORD(3), A_RECORD(4), A_RECORD(5));

	ck_assert_uint_eq(p.dns.n_answers, PACKET_DNS_ANSWERS_MAX);
	expect_ip(&p.dns.answers[3], "192.0.2.4");
}
END_TEST

START_TEST(hostile_dns)
{
	/* A name that points to itself, and 65535 answers that are not there */
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV4(0, 17),
	                         DNS_HEAD(0x8000, 1, 65535), POINTER, BE16(1),
	                         BE16(1), A_RECORD(1), POINTER, BE16(1));

	ck_assert(p.dns.valid);
	ck_assert_uint_eq(p.dns.n_answers, 1);
	/* An A record of three bytes, and one longer than the message */
	p = DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), DNS_HEAD(0x8000, 1, 2), A_TEST,
	           BE16(1), BE16(1), POINTER, BE16(1), BE16(1), BE32(9),
	           BE16(3), 192, 0, 2, POINTER, BE16(1), BE16(1), BE32(9),
	           BE16(65535), 192, 0, 2, 1);
	ck_assert_uint_eq(p.dns.n_answers, 0);
	/* A label type that does not exist */
	p = DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), DNS_HEAD(0, 1, 0), 0x40, 'a',
	           0, BE16(1), BE16(1));
	ck_assert(p.dns.valid);
	ck_assert_uint_eq(p.dns.name_hash, 0);
}
END_TEST

START_TEST(dns_name_longer_than_any)
{
	uint8_t bytes[28 + 12 + 5 * 64 + 5] = { IPV4(0, 17),
		                                DNS_HEAD(0, 1, 0) };
	struct packet p;

	for (size_t i = 0; i < 5; i++)
		bytes[40 + 64 * i] = 63;
	p = decode(LINKTYPE_RAW_IP, bytes, sizeof(bytes), sizeof(bytes));
	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(p.dns.valid);
	ck_assert_uint_eq(p.dns.name_hash, 0);
}
END_TEST

START_TEST(dns_cut_by_the_snap_length)
{
	struct packet p = DECODE_CUT(LINKTYPE_RAW_IP, IPV4(100, 17),
	                             DNS_HEAD(0x8000, 1, 1), A_TEST);

	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(p.dns.valid && p.dns.response);
	ck_assert_uint_eq(p.dns.id, 0x77aa);
	ck_assert_uint_eq(p.dns.name_hash, 0);
	p = DECODE_CUT(LINKTYPE_RAW_IP, IPV4(100, 17), UDP(53, 5000, 0), 1, 2);
	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(!p.dns.valid);
}
END_TEST

#define ZEROS_64 ZEROS_16, ZEROS_16, ZEROS_16, ZEROS_16
#define DHCP                                                                   \
	UDP(67, 68, 0), 2, 1, 6, 0, BE32(0xdeadbeef), ZEROS_4, ZEROS_4, 10, 0, \
		0, 9, ZEROS_4, ZEROS_4, MAC_1, 0, 0, ZEROS_4, ZEROS_4,         \
		ZEROS_64, ZEROS_64, ZEROS_64, 0x63, 0x82, 0x53, 0x63

START_TEST(dhcp_options)
{
	struct packet p = DECODE(
		LINKTYPE_RAW_IP, IPV4(0, 17), DHCP, 53, 1, 5, 0, 1, 4, 255, 255,
		240, 0, 3, 8, 10, 0, 0, 1, 10, 0, 0, 2, 54, 4, 10, 0, 0, 3, 50,
		4, 10, 0, 0, 8, 121, 5, 0, 10, 0, 0, 1, 255, 1, 0, 53, 1, 6);

	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(p.dhcp.valid);
	ck_assert_uint_eq(p.dhcp.xid, 0xdeadbeef);
	ck_assert_uint_eq(p.dhcp.type, 5);
	ck_assert_uint_eq(p.dhcp.prefix_bits, 20);
	expect_mac(p.dhcp.client_mac, "02:00:00:00:00:01");
	expect_ip(&p.dhcp.your_ip, "10.0.0.9");
	ck_assert(p.dhcp.known && p.dhcp.reply && !p.dhcp.cut);
	ck_assert(p.dhcp.has_router && p.dhcp.has_static_routes);
	expect_ip(&p.dhcp.router, "10.0.0.1");
	expect_ip(&p.dhcp.server_id, "10.0.0.3");
	expect_ip(&p.dhcp.requested_ip, "10.0.0.8");
}
END_TEST

START_TEST(dhcp_without_or_with_hostile_options)
{
	struct packet p = DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), DHCP);

	ck_assert(p.dhcp.valid);
	ck_assert_uint_eq(p.dhcp.type, 0);
	ck_assert(!p.dhcp.has_router && !p.dhcp.has_static_routes);
	/* Too short, empty, and longer than the packet */
	p = DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), DHCP, 3, 3, 10, 0, 0, 53, 0, 1,
	           2, 255, 255, 54, 255, 10, 0, 0, 3);
	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(p.dhcp.valid && !p.dhcp.has_router);
	ck_assert_uint_eq(p.dhcp.type, 0);
	ck_assert_uint_eq(p.dhcp.prefix_bits, 0);
	ck_assert(addr_is_zero(&p.dhcp.server_id));
	p = DECODE(LINKTYPE_RAW_IP, IPV4(0, 17), UDP(68, 67, 0), 1, 1, 6, 0, 1);
	ck_assert_int_eq(p.status, PACKET_STATUS_OK);
	ck_assert(!p.dhcp.valid && !p.dhcp.known && p.dhcp.cut);
	/* Up to the client's MAC, and an option that is cut in two */
	p = DECODE_CUT(LINKTYPE_RAW_IP, IPV4(300, 17), UDP(67, 68, 0), 2, 1, 6,
	               0, BE32(7), ZEROS_4, ZEROS_4, 10, 0, 0, 9, ZEROS_4,
	               ZEROS_4, MAC_1);
	ck_assert(!p.dhcp.valid && p.dhcp.known && p.dhcp.cut);
	expect_mac(p.dhcp.client_mac, "02:00:00:00:00:01");
	expect_ip(&p.dhcp.your_ip, "10.0.0.9");
	p = DECODE_CUT(LINKTYPE_RAW_IP, IPV4(300, 17), DHCP, 53, 1, 5, 3, 4,
	               10);
	ck_assert(p.dhcp.valid && p.dhcp.cut && !p.dhcp.has_router);
	ck_assert_uint_eq(p.dhcp.type, 5);
}
END_TEST

/* Cut anywhere, a frame is truncated up to its last header, or malformed if
 * there never was more of it. */
START_TEST(every_length_of_a_frame)
{
	static const uint8_t frame[] = { ETHERNET(0x8100),
		                         BE16(5),
		                         BE16(0x86dd),
		                         IPV6(36, 0),
		                         EXTENSION(6),
		                         TCP_HEAD(6, TCP_FLAG_SYN),
		                         2,
		                         4,
		                         BE16(1460),
		                         ZEROS_4 };

	for (size_t n = 0; n <= sizeof(frame); n++) {
		uint8_t *bytes = malloc(n + !n);
		bool whole = n >= sizeof(frame) - 4;
		struct packet p;

		memcpy(bytes, frame, n);
		p = decode(LINKTYPE_EN10MB, bytes, n, sizeof(frame) + 1);
		ck_assert_int_eq(p.status, whole ? PACKET_STATUS_OK
		                                 : PACKET_STATUS_TRUNCATED);
		p = decode(LINKTYPE_EN10MB, bytes, n, n);
		ck_assert_int_eq(p.status, whole ? PACKET_STATUS_OK
		                                 : PACKET_STATUS_MALFORMED);
		(void)packet_key(&p);
		free(bytes);
	}
}
END_TEST

#define KEY(linktype, ...)                                                     \
	key((struct packet[]){ DECODE(linktype, __VA_ARGS__) })

static uint64_t key(const struct packet *p)
{
	uint64_t k = packet_key(p);

	ck_assert_int_eq(p->status, PACKET_STATUS_OK);
	ck_assert_uint_ne(k, 0);
	return k;
}

/* The headers before and after a router that does NAT */
#define INSIDE(length, proto) IPV4(length, proto)
#define OUTSIDE(length, proto)                                                 \
	0x45, 0, BE16(length), BE16(0x1234), BE16(0x4000), 63, (proto), 0xab,  \
		0xcd, 203, 0, 113, 5, 10, 0, 0, 2
#define RESENT(length, proto)                                                  \
	0x45, 0, BE16(length), BE16(0x1235), BE16(0x4000), 64, (proto), 0, 0,  \
		ADDRESSES
#define TIMESTAMP(n) 1, 1, 8, 10, BE32(n), ZEROS_4
#define SYN_TO(port, n)                                                        \
	BE16(port), BE16(443), BE32(1000), BE32(2000), 0x80, TCP_FLAG_SYN,     \
		BE16(512), 1, 2, 0, 0, TIMESTAMP(n)

START_TEST(a_tcp_packet_keeps_its_key_on_the_way)
{
	uint64_t k = KEY(LINKTYPE_EN10MB, ETHERNET(0x800), INSIDE(52, 6),
	                 SYN_TO(40000, 9));

	ck_assert_uint_eq(k, KEY(LINKTYPE_EN10MB, MAC_1, MAC_2, BE16(0x8100),
	                         BE16(5), BE16(0x800), INSIDE(52, 6),
	                         SYN_TO(40000, 9)));
	ck_assert_uint_eq(
		k, KEY(LINKTYPE_RAW_IP, OUTSIDE(52, 6), SYN_TO(1024, 9)));
	ck_assert_uint_eq(k, KEY(LINKTYPE_LINUX_SLL2, BE16(0x800), 0, 0,
	                         BE32(2), BE16(1), 4, 6, MAC_2, 0, 0,
	                         OUTSIDE(52, 6), SYN_TO(1024, 9)));
	ck_assert_uint_eq(k, KEY(LINKTYPE_EN10MB, ETHERNET(0x800),
	                         INSIDE(52, 6), SYN_TO(40000, 9), ZEROS_4));
}
END_TEST

START_TEST(another_tcp_packet_has_another_key)
{
	uint64_t k = KEY(LINKTYPE_RAW_IP, INSIDE(52, 6), SYN_TO(40000, 9));

	ck_assert_uint_ne(
		k, KEY(LINKTYPE_RAW_IP, RESENT(52, 6), SYN_TO(40000, 9)));
	ck_assert_uint_ne(KEY(LINKTYPE_RAW_IP, INSIDE(40, 6), SYN),
	                  KEY(LINKTYPE_RAW_IP, INSIDE(40, 6), TCP_HEAD(5, 18)));
}
END_TEST

START_TEST(keys_of_icmp_and_udp)
{
	uint64_t echo =
		KEY(LINKTYPE_RAW_IP, INSIDE(32, 1), ECHO(8, 7, 2), 1, 2, 3, 4);
	uint64_t data = KEY(LINKTYPE_RAW_IP, INSIDE(30, 17), UDP(5000, 123, 10),
	                    'h', 'i');

	/* NAT rewrites the id of an echo, and ports. */
	ck_assert_uint_eq(echo, KEY(LINKTYPE_RAW_IP, OUTSIDE(32, 1),
	                            ECHO(8, 99, 2), 1, 2, 3, 4));
	ck_assert_uint_ne(echo, KEY(LINKTYPE_RAW_IP, INSIDE(32, 1),
	                            ECHO(8, 7, 3), 1, 2, 3, 4));
	ck_assert_uint_ne(echo, KEY(LINKTYPE_RAW_IP, INSIDE(32, 1),
	                            ECHO(0, 7, 2), 1, 2, 3, 4));
	ck_assert_uint_ne(echo, KEY(LINKTYPE_RAW_IP, INSIDE(32, 1),
	                            ECHO(8, 7, 2), 1, 2, 3, 5));
	ck_assert_uint_eq(data, KEY(LINKTYPE_RAW_IP, OUTSIDE(30, 17),
	                            UDP(1024, 123, 10), 'h', 'i'));
	ck_assert_uint_ne(data, KEY(LINKTYPE_RAW_IP, INSIDE(30, 17),
	                            UDP(5000, 123, 10), 'h', 'o'));
	ck_assert_uint_ne(data, KEY(LINKTYPE_RAW_IP, RESENT(30, 17),
	                            UDP(5000, 123, 10), 'h', 'i'));
}
END_TEST

/* What NAT rewrites in the quotation does not count. */
START_TEST(keys_of_icmp_errors)
{
	ck_assert_uint_eq(KEY(LINKTYPE_RAW_IP, INSIDE(56, 1), 3, 1, 0, 0,
	                      ZEROS_4, QUOTED_TCP),
	                  KEY(LINKTYPE_RAW_IP, OUTSIDE(56, 1), 3, 1, 7, 7,
	                      ZEROS_4, OUTSIDE(1500, 6), BE16(1024), BE16(443),
	                      BE32(1000)));
}
END_TEST

START_TEST(keys_of_arp)
{
	uint64_t k = KEY(LINKTYPE_EN10MB, ETHERNET(0x806), ARP(1), MAC_1, 10, 0,
	                 0, 1, ZEROS_4, 0, 0, 10, 0, 0, 2);

	ck_assert_uint_eq(k, KEY(LINKTYPE_EN10MB, ETHERNET(0x8100), BE16(5),
	                         BE16(0x806), ARP(1), MAC_1, 10, 0, 0, 1,
	                         ZEROS_4, 0, 0, 10, 0, 0, 2, ZEROS_16));
	ck_assert_uint_ne(k,
	                  KEY(LINKTYPE_EN10MB, ETHERNET(0x806), ARP(1), MAC_1,
	                      10, 0, 0, 1, ZEROS_4, 0, 0, 10, 0, 0, 3));
	ck_assert_uint_ne(k,
	                  KEY(LINKTYPE_EN10MB, ETHERNET(0x806), ARP(1), MAC_2,
	                      10, 0, 0, 1, ZEROS_4, 0, 0, 10, 0, 0, 2));
}
END_TEST

static void expect_key_at_96(const uint8_t *bytes, size_t n)
{
	struct packet whole = decode(LINKTYPE_EN10MB, bytes, n, n);
	struct packet cut = decode(LINKTYPE_EN10MB, bytes, 96, n);

	ck_assert_int_eq(cut.status, PACKET_STATUS_OK);
	ck_assert_uint_eq(packet_key(&cut), packet_key(&whole));
}

START_TEST(keys_do_not_depend_on_the_snap_length)
{
	uint8_t tcp[1514] = { ETHERNET(0x800),
		              IPV4(1500, 6),
		              TCP_HEAD(5, TCP_FLAG_ACK),
		              1,
		              2,
		              3 };
	uint8_t echo[1514] = { ETHERNET(0x800), IPV4(1500, 1), ECHO(8, 7, 2) };
	uint8_t data[1514] = { ETHERNET(0x8100), BE16(5), BE16(0x86dd),
		               IPV6(1456, 17), UDP(5000, 123, 1456) };

	memset(echo + 80, 7, 100);
	memset(data + 92, 7, 100);
	expect_key_at_96(tcp, sizeof(tcp));
	expect_key_at_96(echo, sizeof(echo));
	expect_key_at_96(data, sizeof(data));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		ethernet,
		ethernet_group_and_llc,
		sll,
		sll2,
		raw_ip,
		families_in_both_byte_orders,
		unknown_link_type,
		vlan_tags_from_outside_in,
		arp,
		arp_of_other_networks_or_cut,
		ipv4_options_are_skipped,
		ipv4_headers_that_contradict_themselves,
		ipv4_padding_is_not_payload,
		ipv4_payload_beyond_the_snap_length,
		length_0_is_segmentation_offload,
		ipv4_fragments,
		ipv6_extension_headers,
		ipv6_fragments,
		ipv6_extension_longer_than_the_packet,
		protocols_of_the_other_ip_version,
		icmp_echo,
		icmp_errors_tell_what_they_are_about,
		icmp_errors_that_quote_too_little,
		icmpv6_errors_and_neighbours,
		router_advertisements,
		keys_of_ipv6,
		tcp_options,
		hostile_tcp_options,
		tcp_header_lengths,
		udp,
		dns_query,
		dns_answers,
		dns_answers_beyond_the_room_for_them,
		hostile_dns,
		dns_name_longer_than_any,
		dns_cut_by_the_snap_length,
		dhcp_options,
		dhcp_without_or_with_hostile_options,
		every_length_of_a_frame,
		a_tcp_packet_keeps_its_key_on_the_way,
		another_tcp_packet_has_another_key,
		keys_of_icmp_and_udp,
		keys_of_icmp_errors,
		keys_of_arp,
		keys_do_not_depend_on_the_snap_length,
		NULL,
	};

	return run_tests("packet", tests);
}
