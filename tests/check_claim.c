#include "facts/claim.h"
#include "run_tests.h"

#define EN10MB 1
#define SLL 113
#define SLL2 276

static const struct mac guest = { { 0xbc, 0x24, 0x11, 0x59, 0x7b, 0x4c } };

static struct in6_addr ip(const char *text)
{
	struct in6_addr parsed;

	ck_assert(addr_parse(text, &parsed));
	return parsed;
}

static void check_filter(struct claim *c, const char *expected)
{
	struct strbuf sb = { 0 };

	claim_filter(c, &sb);
	ck_assert_str_eq(strbuf_text(&sb), expected);
	strbuf_free(&sb);
	claim_free(c);
}

START_TEST(arp_requests_of_a_guest)
{
	struct claim c = { .linktype = EN10MB };
	struct in6_addr target = ip("1.2.3.4");

	claim_add_number(&c, CLAIM_ARP_OPCODE, 1);
	claim_add_mac(&c, CLAIM_ARP_SRC_MAC, guest);
	claim_add_ip(&c, CLAIM_ARP_DST_IP, &target);
	check_filter(&c, "arp.opcode == 1 && "
	                 "arp.src.hw_mac == bc:24:11:59:7b:4c && "
	                 "arp.dst.proto_ipv4 == 1.2.3.4");
}
END_TEST

START_TEST(several_values_are_a_set)
{
	const int64_t ports[] = { 1, 2, 65535 };
	struct claim c = { .linktype = EN10MB };

	claim_add_numbers(&c, CLAIM_TCP_SRC_PORT, ports, 3);
	claim_negate_last(&c);
	claim_add_number(&c, CLAIM_IP_PROTO, 6);
	check_filter(&c, "!(tcp.srcport in {1, 2, 65535}) && tcp");
}
END_TEST

START_TEST(addresses_choose_the_ip_version)
{
	struct claim v4 = { .linktype = EN10MB };
	struct claim v6 = { .linktype = EN10MB };
	struct in6_addr a = ip("10.0.0.1"), b = ip("fe80::1");

	claim_add_ip(&v4, CLAIM_IP_SRC, &a);
	claim_add_number(&v4, CLAIM_ICMP_TYPE, 8);
	claim_add_number(&v4, CLAIM_ICMP_ID, 5);
	claim_add_flag(&v4, CLAIM_NOT_QUOTED);
	check_filter(&v4, "ip.src == 10.0.0.1 && icmp.type == 8 && "
	                  "icmp.ident == 5 && "
	                  "!(icmp.type in {3, 4, 5, 11, 12})");

	claim_add_ip(&v6, CLAIM_IP_DST, &b);
	claim_add_number(&v6, CLAIM_ICMP_TYPE, 128);
	claim_add_number(&v6, CLAIM_ICMP_SEQ, 5);
	claim_add_flag(&v6, CLAIM_NOT_QUOTED);
	check_filter(&v6, "ipv6.dst == fe80::1 && icmpv6.type == 128 && "
	                  "icmpv6.echo.sequence_number == 5 && "
	                  "!(icmpv6.type in {1, 2, 3, 4})");
}
END_TEST

START_TEST(errors_are_told_apart_by_what_they_quote)
{
	const int64_t ports[] = { 40000, 40002 };
	struct claim tcp = { .linktype = EN10MB };
	struct claim echo = { .linktype = EN10MB };
	struct in6_addr a = ip("10.0.0.9"), b = ip("2001:db8::9");

	claim_add_ip(&tcp, CLAIM_QUOTED_DST, &a);
	claim_add_numbers(&tcp, CLAIM_QUOTED_TCP_SRC_PORT, ports, 2);
	check_filter(&tcp, "ip.dst == 10.0.0.9 && "
	                   "tcp.srcport in {40000, 40002}");
	claim_add_ip(&echo, CLAIM_QUOTED_DST, &b);
	claim_add_number(&echo, CLAIM_QUOTED_ICMP_ID, 7);
	check_filter(&echo, "ipv6.dst == 2001:db8::9 && "
	                    "icmpv6.echo.identifier == 7");
}
END_TEST

START_TEST(cooked_frames_have_no_destination)
{
	static const uint32_t cooked[] = { SLL, SLL2 };

	for (size_t i = 0; i < 2; i++) {
		struct claim c = { .linktype = cooked[i] };

		claim_add_number(&c, CLAIM_IFINDEX, 4);
		claim_add_mac(&c, CLAIM_ETH_SRC, guest);
		claim_add_mac(&c, CLAIM_ETH_DST, guest);
		claim_add_flag(&c, CLAIM_ETH_TYPE_GROUP);
		check_filter(&c, "sll.ifindex == 4 && "
		                 "sll.src.eth == bc:24:11:59:7b:4c");
	}
}
END_TEST

START_TEST(ethernet_frames_have_both_addresses)
{
	struct claim c = { .linktype = EN10MB };

	claim_add_mac(&c, CLAIM_ETH_SRC, guest);
	claim_add_mac(&c, CLAIM_ETH_DST, guest);
	claim_add_flag(&c, CLAIM_ETH_TYPE_GROUP);
	claim_negate_last(&c);
	check_filter(&c, "eth.src == bc:24:11:59:7b:4c && "
	                 "eth.dst == bc:24:11:59:7b:4c && !(eth.dst.ig == 1)");
}
END_TEST

START_TEST(time_keeps_nanoseconds)
{
	struct claim c = { .linktype = EN10MB };
	int64_t ranges_ns[][2] = {
		{ INT64_C(1700000000123456789), INT64_C(1700000001000000005) },
	};

	claim_add_times(&c, ranges_ns, 1);
	check_filter(&c, "frame.time_epoch >= 1700000000.123456789 && "
	                 "frame.time_epoch <= 1700000001.000000005");
}
END_TEST

/* Before and after the clock was set; nothing is older than the epoch. */
START_TEST(several_times)
{
	struct claim c = { .linktype = EN10MB };
	int64_t ranges_ns[][2] = {
		{ -5, INT64_C(5000000000) },
		{ INT64_C(2500000000), INT64_C(3000000000) },
	};

	claim_add_times(&c, ranges_ns, 2);
	claim_add_number(&c, CLAIM_ARP_OPCODE, 1);
	check_filter(&c, "((frame.time_epoch >= 0.000000000 && "
	                 "frame.time_epoch <= 5.000000000) || "
	                 "(frame.time_epoch >= 2.500000000 && "
	                 "frame.time_epoch <= 3.000000000)) && "
	                 "arp.opcode == 1");
}
END_TEST

START_TEST(tcp_dns_dhcp_and_neighbours)
{
	struct claim c = { .linktype = EN10MB };
	struct in6_addr target = ip("fe80::2");

	claim_add_number(&c, CLAIM_INTERFACE, 0);
	claim_add_number(&c, CLAIM_TCP_SYN, 1);
	claim_add_number(&c, CLAIM_TCP_ACK, 0);
	claim_add_number(&c, CLAIM_TCP_RST, 0);
	claim_add_number(&c, CLAIM_IP_ID, 18);
	claim_add_number(&c, CLAIM_DNS_ID, 0xabcd);
	claim_add_number(&c, CLAIM_DNS_RESPONSE, 0);
	claim_add_number(&c, CLAIM_DHCP_TYPE, 1);
	check_filter(&c, "frame.interface_id == 0 && tcp.flags.syn == 1 && "
	                 "tcp.flags.ack == 0 && tcp.flags.reset == 0 && "
	                 "ip.id == 0x0012 && dns.id == 0xabcd && "
	                 "dns.flags.response == 0 && dhcp.option.dhcp == 1");

	c.linktype = EN10MB;
	claim_add_ip(&c, CLAIM_ND_TARGET, &target);
	check_filter(&c, "icmpv6.nd.ns.target_address == fe80::2");
}
END_TEST

START_TEST(protocols_are_named)
{
	const int64_t both[] = { 6, 17 };
	struct claim c = { .linktype = EN10MB };

	claim_add_numbers(&c, CLAIM_IP_PROTO, both, 2);
	claim_add_number(&c, CLAIM_UDP_DST_PORT, 53);
	check_filter(&c, "(tcp || udp) && udp.dstport == 53");
	claim_add_number(&c, CLAIM_IP_PROTO, 58);
	claim_add_number(&c, CLAIM_ICMP_CODE, 0);
	check_filter(&c, "icmpv6 && icmpv6.code == 0");
}
END_TEST

START_TEST(inside_of_tunnels_and_outside)
{
	struct claim inside = { .linktype = EN10MB };
	struct claim outside = { .linktype = EN10MB };

	claim_add_number(&inside, CLAIM_VXLAN, 100);
	claim_add_number(&inside, CLAIM_GENEVE, 9);
	claim_add_number(&inside, CLAIM_GRE_KEY, 7);
	claim_add_flag(&inside, CLAIM_GRE_PLAIN);
	check_filter(&inside, "vxlan.vni == 100 && geneve.vni == 9 && "
	                      "gre.key == 7 && gre && !gre.key");
	claim_add_flag(&outside, CLAIM_TUNNELLED);
	claim_negate_last(&outside);
	claim_add_number(&outside, CLAIM_UDP_DST_PORT, 4789);
	check_filter(&outside, "!(vxlan || geneve || gre) && "
	                       "udp.dstport == 4789");
}
END_TEST

START_TEST(terms_are_taken_back)
{
	struct claim c = { .linktype = EN10MB };

	claim_add_flag(&c, CLAIM_TUNNELLED);
	claim_add_number(&c, CLAIM_UDP_DST_PORT, 4789);
	claim_drop(&c, CLAIM_TUNNELLED);
	claim_drop(&c, CLAIM_TIME);
	check_filter(&c, "udp.dstport == 4789");
}
END_TEST

START_TEST(no_condition_is_every_frame)
{
	struct claim c = { .linktype = EN10MB };

	check_filter(&c, "frame");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		arp_requests_of_a_guest,
		several_values_are_a_set,
		addresses_choose_the_ip_version,
		errors_are_told_apart_by_what_they_quote,
		cooked_frames_have_no_destination,
		ethernet_frames_have_both_addresses,
		time_keeps_nanoseconds,
		several_times,
		tcp_dns_dhcp_and_neighbours,
		protocols_are_named,
		inside_of_tunnels_and_outside,
		terms_are_taken_back,
		no_condition_is_every_frame,
		NULL,
	};

	return run_tests("claim", tests);
}
