#include "track/point.h"

#include "run_tests.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"
#define SYNACK (TCP_FLAG_SYN | TCP_FLAG_ACK)
#define RESET (TCP_FLAG_RST | TCP_FLAG_ACK)

/* The point under test; each test runs in its own process. */
static struct point point;
static const struct flow_table *const t = &point.flows;

static struct mac station(uint8_t n)
{
	return (struct mac){ { 2, 0, 0, 0, 0, n } };
}

static struct in6_addr addr(const char *text)
{
	struct in6_addr ip;

	ck_assert(addr_parse(text, &ip));
	return ip;
}

/* A packet between two machines, whose MACs end as their addresses do */
static struct packet make(enum packet_kind kind, const char *src,
                          const char *dst)
{
	static const uint8_t payload[] = "payload";
	struct packet p = {
		.kind = kind,
		.src = addr(src),
		.dst = addr(dst),
		.ttl = 64,
		.has_eth_src = true,
		.has_eth_dst = true,
		.payload = cursor_of(payload, 4),
	};

	p.ip_version = addr_is_v4(&p.src) ? 4 : 6;
	p.eth_src = station(p.src.s6_addr[15]);
	p.eth_dst = station(p.dst.s6_addr[15]);
	return p;
}

static void feed(struct packet p, int64_t ts_ns)
{
	p.ts_ns = ts_ns;
	p.frame = point.packets + 1;
	point_feed(&point, &p);
}

static void feed_arp(int64_t ts_ns, uint16_t op, uint8_t sender,
                     const char *sender_ip, uint8_t target,
                     const char *target_ip)
{
	struct packet p = {
		.kind = PACKET_KIND_ARP,
		.ethertype = ETHERTYPE_ARP,
		.has_eth_src = true,
		.has_eth_dst = true,
		.eth_src = station(sender),
		.eth_dst = station(target),
		.arp = { .op = op,
		         .sender_mac = station(sender),
		         .sender_ip = addr(sender_ip),
		         .target_ip = addr(target_ip) },
	};

	if (op == ARP_REPLY)
		p.arp.target_mac = station(target);
	feed(p, ts_ns);
}

static struct packet echo(bool reply, uint16_t seq)
{
	struct packet p = reply ? make(PACKET_KIND_ICMP, SERVER, CLIENT)
	                        : make(PACKET_KIND_ICMP, CLIENT, SERVER);

	p.ip_proto = IP_PROTO_ICMP;
	p.icmp.type = reply ? ICMP_ECHO_REPLY : ICMP_ECHO_REQUEST;
	p.icmp.id = 7;
	p.icmp.seq = seq;
	return p;
}

static struct packet tcp(bool from_server, uint8_t flags, uint32_t seq,
                         uint32_t ack)
{
	struct packet p = from_server ? make(PACKET_KIND_TCP, SERVER, CLIENT)
	                              : make(PACKET_KIND_TCP, CLIENT, SERVER);

	p.ip_proto = IP_PROTO_TCP;
	p.src_port = from_server ? 443 : 40000;
	p.dst_port = from_server ? 40000 : 443;
	p.tcp = (struct tcp_header){ .flags = flags, .seq = seq, .ack = ack };
	return p;
}

/* SYNs differ by their IP id, as those of most systems do. */
static struct packet syn(uint32_t seq, uint16_t ip_id)
{
	struct packet p = tcp(false, TCP_FLAG_SYN, seq, 0);

	p.ip_id = ip_id;
	return p;
}

static struct packet dns(bool response, uint16_t id, uint8_t rcode)
{
	struct packet p = response ? make(PACKET_KIND_UDP, SERVER, CLIENT)
	                           : make(PACKET_KIND_UDP, CLIENT, SERVER);

	p.ip_proto = IP_PROTO_UDP;
	p.ip_id = id;
	p.src_port = response ? PORT_DNS : 5353;
	p.dst_port = response ? 5353 : PORT_DNS;
	p.dns = (struct dns_header){
		.valid = true,
		.response = response,
		.id = id,
		.rcode = rcode,
	};
	return p;
}

/* A router tells @to about a packet that it could not deliver. */
static struct packet udp(bool answer, uint16_t ip_id)
{
	struct packet p = make(PACKET_KIND_UDP, answer ? SERVER : CLIENT,
	                       answer ? CLIENT : SERVER);

	p.ip_proto = IP_PROTO_UDP;
	p.ip_id = ip_id;
	p.src_port = answer ? 4500 : 40000;
	p.dst_port = answer ? 40000 : 4500;
	return p;
}

static struct packet error(const char *to, uint8_t type, uint8_t code,
                           const struct packet *about)
{
	struct packet p = make(PACKET_KIND_ICMP, "10.0.0.254", to);
	bool is_echo = about->kind == PACKET_KIND_ICMP;

	p.ip_proto = IP_PROTO_ICMP;
	p.icmp.type = type;
	p.icmp.code = code;
	p.icmp.quoted = (struct quoted_packet){
		.valid = true,
		.ip_proto = about->ip_proto,
		.src = about->src,
		.dst = about->dst,
		.src_port = is_echo ? about->icmp.id : about->src_port,
		.dst_port = is_echo ? about->icmp.seq : about->dst_port,
	};
	return p;
}

static void expect_addr(const struct in6_addr *ip, const char *text)
{
	char out[ADDR_TEXT_MAX];

	ck_assert_str_eq(addr_text(ip, out), text);
}

static const struct flow *only_flow(void)
{
	ck_assert_uint_eq(t->n_flows, 1);
	return &t->flows[0];
}

static void expect_try(uint32_t i, enum try_answer answer, int64_t answer_ns)
{
	ck_assert_uint_lt(i, t->n_tries);
	ck_assert_int_eq(t->tries[i].answer, answer);
	if (answer != TRY_UNANSWERED)
		ck_assert_int_eq(t->tries[i].answer_ns, answer_ns);
}

START_TEST(arp_reply_answers_all_requests_before_it)
{
	feed_arp(1 * S, ARP_REQUEST, 1, CLIENT, 255, SERVER);
	feed_arp(2 * S, ARP_REQUEST, 1, CLIENT, 255, SERVER);
	feed_arp(2 * S + MS, ARP_REPLY, 2, SERVER, 1, CLIENT);
	feed_arp(3 * S, ARP_REQUEST, 1, CLIENT, 2, SERVER);
	ck_assert_uint_eq(only_flow()->n_tries, 3);
	ck_assert_uint_eq(only_flow()->n_answered, 2);
	expect_try(0, TRY_ANSWERED, 2 * S + MS);
	expect_try(1, TRY_ANSWERED, 2 * S + MS);
	expect_try(2, TRY_UNANSWERED, 0);
	ck_assert_uint_eq(t->tries[1].answer_frame, 3);
	ck_assert(mac_equal(t->tries[0].answer_mac, station(2)));
	ck_assert(mac_equal(only_flow()->server_mac, station(2)));
}
END_TEST

START_TEST(arp_reply_before_the_request_does_not_count)
{
	feed_arp(1 * S, ARP_REPLY, 2, SERVER, 1, CLIENT);
	ck_assert_uint_eq(t->n_flows, 0);
	feed_arp(2 * S, ARP_REQUEST, 1, CLIENT, 255, SERVER);
	expect_try(0, TRY_UNANSWERED, 0);
}
END_TEST

START_TEST(arp_reply_to_or_about_another_does_not_count)
{
	feed_arp(1 * S, ARP_REQUEST, 1, CLIENT, 255, SERVER);
	feed_arp(1 * S, ARP_REPLY, 2, SERVER, 3, CLIENT);     /* other MAC */
	feed_arp(1 * S, ARP_REPLY, 2, SERVER, 1, "10.0.0.3"); /* other asker */
	feed_arp(1 * S, ARP_REPLY, 2, "10.0.0.3", 1, CLIENT); /* other target */
	feed_arp(1 * S, ARP_REPLY, 2, SERVER, 255, SERVER);   /* gratuitous */
	expect_try(0, TRY_UNANSWERED, 0);
	ck_assert_uint_eq(only_flow()->received, 0);
}
END_TEST

START_TEST(who_announces_or_probes_asks_nobody)
{
	feed_arp(1 * S, ARP_REQUEST, 1, CLIENT, 255, CLIENT);
	feed_arp(2 * S, ARP_REPLY, 1, CLIENT, 255, CLIENT);
	feed_arp(3 * S, ARP_REQUEST, 1, "0.0.0.0", 255, CLIENT);
	ck_assert_uint_eq(t->n_tries, 0);
	ck_assert_uint_eq(t->n_flows, 0);
}
END_TEST

START_TEST(neighbour_advert_answers_the_solicitation)
{
	struct packet ask =
		make(PACKET_KIND_ICMPV6, "fd00::1", "ff02::1:ff00:2");
	struct packet advert = make(PACKET_KIND_ICMPV6, "fd00::2", "fd00::1");
	struct packet probe = make(PACKET_KIND_ICMPV6, "::", "ff02::1:ff00:2");

	ask.icmp.type = probe.icmp.type = ICMPV6_NEIGHBOR_SOLICIT;
	advert.icmp.type = ICMPV6_NEIGHBOR_ADVERT;
	ask.icmp.target = probe.icmp.target = addr("fd00::2");
	advert.icmp.target = addr("fd00::3");
	feed(probe, 0);
	ck_assert_uint_eq(t->n_tries, 0);
	feed(ask, 1 * S);
	feed(advert, 1 * S + MS);
	expect_try(0, TRY_UNANSWERED, 0);
	advert.icmp.target = addr("fd00::2");
	feed(advert, 1 * S + 2 * MS);
	expect_try(0, TRY_ANSWERED, 1 * S + 2 * MS);
}
END_TEST

START_TEST(echo_reply_is_paired_by_sequence_number)
{
	feed(echo(false, 1), 1 * S);
	feed(echo(false, 2), 2 * S);
	feed(echo(true, 1), 2 * S + MS);
	feed(echo(true, 3), 2 * S + 2 * MS);
	ck_assert_uint_eq(only_flow()->n_tries, 2);
	ck_assert_uint_eq(only_flow()->key.client_port, 7);
	expect_try(0, TRY_ANSWERED, 2 * S + MS);
	expect_try(1, TRY_UNANSWERED, 0);
}
END_TEST

START_TEST(second_echo_reply_keeps_the_first)
{
	feed(echo(false, 1), 1 * S);
	feed(echo(true, 1), 1 * S + 5 * MS);
	feed(echo(true, 1), 1 * S + 6 * MS);
	expect_try(0, TRY_ANSWERED, 1 * S + 5 * MS);
	ck_assert_uint_eq(t->tries[0].n_answers, 2);
	ck_assert_uint_eq(only_flow()->n_answered, 1);
}
END_TEST

START_TEST(echo_reply_of_another_id_or_before_the_request)
{
	struct packet other = echo(true, 1);

	other.icmp.id = 8;
	feed(echo(true, 1), 1 * S);
	feed(echo(false, 1), 1 * S + MS);
	feed(other, 1 * S + 2 * MS);
	expect_try(0, TRY_UNANSWERED, 0);
}
END_TEST

START_TEST(reused_sequence_number_means_the_newest)
{
	feed(echo(false, 1), 1 * S);
	feed(echo(false, 1), 2 * S);
	feed(echo(true, 1), 2 * S + MS);
	expect_try(0, TRY_UNANSWERED, 0);
	expect_try(1, TRY_ANSWERED, 2 * S + MS);
}
END_TEST

START_TEST(echo_to_a_group_is_no_try)
{
	struct packet p = echo(false, 1);

	p.dst = addr("224.0.0.1");
	feed(p, 1 * S);
	p.dst = addr("255.255.255.255");
	feed(p, 2 * S);
	p.dst = addr("10.0.0.255"); /* who knows the mask? */
	p.has_eth_dst = true;
	p.group = true;
	feed(p, 3 * S);
	p.has_eth_dst = p.group = false; /* cooked, on its way out */
	feed(p, 4 * S);
	ck_assert_uint_eq(t->n_tries, 0);
	p.has_eth_dst = true;
	feed(p, 5 * S);
	ck_assert_uint_eq(t->n_tries, 1);
}
END_TEST

START_TEST(copies_within_5_ms_are_one_try)
{
	feed(echo(false, 1), 1 * S);
	feed(echo(false, 1), 1 * S + 5 * MS - 1);
	ck_assert_uint_eq(only_flow()->n_tries, 1);
	feed(echo(false, 1), 1 * S - 5 * MS + 1); /* points interleave */
	ck_assert_uint_eq(only_flow()->n_tries, 1);
	feed(echo(false, 1), 1 * S + 5 * MS);
	ck_assert_uint_eq(only_flow()->n_tries, 2);
	feed(echo(false, 2), 1 * S + 5 * MS); /* another packet is no copy */
	ck_assert_uint_eq(only_flow()->n_tries, 3);
}
END_TEST

START_TEST(synack_answers_all_syns_of_its_connection)
{
	feed(syn(1000, 1), 1 * S);
	feed(syn(5000, 2), 2 * S); /* the port is used again */
	feed(syn(5000, 3), 3 * S);
	feed(tcp(true, SYNACK, 1, 5001), 3 * S + MS);
	ck_assert_uint_eq(only_flow()->n_tries, 3);
	ck_assert_uint_eq(only_flow()->synacks, 1);
	ck_assert(only_flow()->has_syn);
	expect_try(0, TRY_UNANSWERED, 0);
	expect_try(1, TRY_ANSWERED, 3 * S + MS);
	expect_try(2, TRY_ANSWERED, 3 * S + MS);
}
END_TEST

START_TEST(synack_of_a_syn_at_the_end_of_the_numbers)
{
	feed(syn(UINT32_MAX, 1), 1 * S);
	feed(tcp(true, SYNACK, 1, 0), 1 * S + MS);
	expect_try(0, TRY_ANSWERED, 1 * S + MS);
}
END_TEST

START_TEST(reset_refuses)
{
	feed(syn(1000, 1), 1 * S);
	feed(tcp(true, RESET, 0, 999), 1 * S + MS);
	expect_try(0, TRY_UNANSWERED, 0);
	feed(tcp(true, RESET, 0, 1001), 1 * S + 2 * MS);
	expect_try(0, TRY_REFUSED, 1 * S + 2 * MS);
	ck_assert_int_eq(t->tries[0].refusal, REFUSAL_RESET);
	expect_addr(&t->tries[0].refused_by, SERVER);
	ck_assert_uint_eq(only_flow()->n_refused, 1);
	ck_assert_uint_eq(only_flow()->server_resets, 2);
}
END_TEST

START_TEST(reset_of_an_open_connection_refuses_nothing)
{
	feed(syn(1000, 1), 1 * S);
	feed(tcp(true, SYNACK, 1, 1001), 1 * S + MS);
	feed(tcp(true, RESET, 2, 1001), 2 * S);
	expect_try(0, TRY_ANSWERED, 1 * S + MS);
	ck_assert_uint_eq(only_flow()->n_refused, 0);
}
END_TEST

START_TEST(client_that_resets_the_synack_undoes_it)
{
	feed(syn(1000, 1), 1 * S);
	feed(tcp(true, SYNACK, 1, 1001), 1 * S + MS);
	feed(tcp(false, TCP_FLAG_RST, 1001, 0), 1 * S + 2 * MS);
	expect_try(0, TRY_ANSWERED, 1 * S + MS);
	ck_assert(t->tries[0].undone);
	ck_assert_uint_eq(only_flow()->client_resets, 1);
}
END_TEST

START_TEST(client_that_resets_after_its_data_undoes_nothing)
{
	struct packet data = tcp(false, TCP_FLAG_ACK, 1001, 2);

	data.payload_len = 10;
	feed(syn(1000, 1), 1 * S);
	feed(tcp(true, SYNACK, 1, 1001), 1 * S + MS);
	feed(data, 1 * S + 2 * MS);
	feed(tcp(false, TCP_FLAG_RST, 1011, 0), 2 * S);
	ck_assert(!t->tries[0].undone);
	ck_assert_uint_eq(only_flow()->sent_bytes, 10);
}
END_TEST

START_TEST(client_that_gives_up_before_any_answer_undoes_nothing)
{
	feed(syn(1000, 1), 1 * S);
	feed(tcp(false, TCP_FLAG_RST, 1001, 0), 2 * S);
	ck_assert(!t->tries[0].undone);
}
END_TEST

START_TEST(lower_port_is_the_server_in_mid_stream)
{
	feed(tcp(true, TCP_FLAG_ACK, 1, 1), 1 * S);
	feed(tcp(false, TCP_FLAG_ACK, 1, 1), 2 * S);
	ck_assert_uint_eq(only_flow()->key.server_port, 443);
	ck_assert_uint_eq(only_flow()->key.client_port, 40000);
	ck_assert_uint_eq(only_flow()->sent, 1);
	ck_assert_uint_eq(only_flow()->received, 1);
	ck_assert(!only_flow()->has_syn);
	ck_assert_int_eq(only_flow()->first_ns, 1 * S);
	ck_assert_int_eq(only_flow()->last_ns, 2 * S);
	ck_assert_uint_eq(t->n_tries, 0);
	feed(tcp(true, TCP_FLAG_RST, 1, 1), 3 * S);
	feed(tcp(false, TCP_FLAG_RST, 1, 1), 4 * S);
	ck_assert_uint_eq(only_flow()->server_resets, 1);
	ck_assert_uint_eq(only_flow()->client_resets, 1);
}
END_TEST

START_TEST(dns_answers_are_paired_by_id)
{
	feed(dns(false, 1, 0), 1 * S);
	feed(dns(false, 2, 0), 2 * S);
	feed(dns(true, 1, 3), 2 * S + MS);
	feed(dns(true, 9, 0), 2 * S + 2 * MS);
	ck_assert_int_eq(only_flow()->key.protocol, PROTOCOL_DNS);
	expect_try(0, TRY_ANSWERED, 2 * S + MS);
	ck_assert_uint_eq(t->tries[0].rcode, 3);
	expect_try(1, TRY_UNANSWERED, 0);
}
END_TEST

START_TEST(each_udp_packet_may_be_a_request)
{
	for (uint16_t i = 0; i < 20; i++) {
		feed(udp(false, i), (2 * i + 1) * S);
		if (i % 2)
			feed(udp(true, i), (2 * i + 1) * S + MS);
	}
	ck_assert_int_eq(only_flow()->key.protocol, PROTOCOL_UDP);
	ck_assert_uint_eq(only_flow()->received, 10);
	expect_try(0, TRY_UNANSWERED, 0);
	expect_try(1, TRY_ANSWERED, 3 * S + MS);
	expect_try(2, TRY_UNANSWERED, 0);
	ck_assert_uint_eq(t->n_tries, 16);
}
END_TEST

START_TEST(dns_answers_leave_hints)
{
	struct packet p = dns(true, 1, 0);

	p.dns.n_answers = 2;
	p.dns.answers[0] = addr("192.0.2.1");
	p.dns.answers[1] = addr("192.0.2.2");
	feed(p, 1 * S);
	ck_assert_uint_eq(t->n_flows, 0); /* nobody asked */
	ck_assert_uint_eq(point.n_dns_hints, 2);
	expect_addr(&point.dns_hints[1].address, "192.0.2.2");
	expect_addr(&point.dns_hints[1].asker, CLIENT);
	ck_assert_int_eq(point.dns_hints[1].ts_ns, 1 * S);
}
END_TEST

START_TEST(dhcp_offers_are_leases_and_no_tries)
{
	struct packet p = make(PACKET_KIND_UDP, SERVER, "255.255.255.255");

	p.dhcp = (struct dhcp_header){
		.valid = true,
		.type = 5,
		.client_mac = station(1),
		.your_ip = addr(CLIENT),
		.router = addr("10.0.0.254"),
		.has_router = true,
		.prefix_bits = 24,
	};
	feed(p, 1 * S);
	p.dhcp.type = 3;
	feed(p, 2 * S);
	p.dhcp.type = 5;
	p.dhcp.your_ip = addr("0.0.0.0");
	feed(p, 3 * S);
	ck_assert_uint_eq(point.n_leases, 1);
	ck_assert_uint_eq(point.leases[0].prefix_bits, 24);
	ck_assert(point.leases[0].has_router);
	ck_assert_uint_eq(t->n_tries, 0);
}
END_TEST

START_TEST(icmp_errors_refuse_the_tries_of_the_quoted_flow)
{
	struct packet lost = syn(1000, 1);
	struct packet stranger = syn(1000, 1);

	stranger.src_port = 40001;
	feed(lost, 1 * S);
	feed(syn(1000, 2), 2 * S);
	feed(error(CLIENT, ICMP_UNREACHABLE, 1, &stranger), 3 * S);
	expect_try(0, TRY_UNANSWERED, 0);
	feed(error(CLIENT, ICMP_UNREACHABLE, 1, &lost), 4 * S);
	expect_try(0, TRY_REFUSED, 4 * S);
	expect_try(1, TRY_REFUSED, 4 * S);
	ck_assert_int_eq(t->tries[1].refusal, REFUSAL_HOST_UNREACHABLE);
	expect_addr(&t->tries[1].refused_by, "10.0.0.254");
	ck_assert_uint_eq(point.n_errors, 2);
	ck_assert_uint_eq(only_flow()->n_refused, 2);
}
END_TEST

START_TEST(icmp_error_about_an_echo_refuses_that_one)
{
	struct packet lost = echo(false, 1);

	feed(lost, 1 * S);
	feed(echo(false, 2), 2 * S);
	feed(error(CLIENT, ICMP_TIME_EXCEEDED, 0, &lost), 3 * S);
	expect_try(0, TRY_REFUSED, 3 * S);
	ck_assert_int_eq(t->tries[0].refusal, REFUSAL_TTL_EXCEEDED);
	expect_try(1, TRY_UNANSWERED, 0);
}
END_TEST

START_TEST(icmp_errors_by_code)
{
	static const struct {
		uint8_t type, code;
		enum refusal refusal;
	} rows[] = {
		{ 3, 0, REFUSAL_NET_UNREACHABLE },
		{ 3, 1, REFUSAL_HOST_UNREACHABLE },
		{ 3, 3, REFUSAL_PORT_UNREACHABLE },
		{ 3, 9, REFUSAL_PROHIBITED },
		{ 3, 13, REFUSAL_PROHIBITED },
		{ 3, 14, REFUSAL_OTHER },
		{ 3, 255, REFUSAL_OTHER },
		{ 11, 0, REFUSAL_TTL_EXCEEDED },
		{ 3, 4, REFUSAL_NONE }, /* too big: it goes on in pieces */
		{ 5, 1, REFUSAL_NONE }, /* redirected: it was delivered */
	};

	for (uint16_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet p = dns(false, i, 0);

		p.src_port = i;
		feed(p, i * S);
		feed(error(CLIENT, rows[i].type, rows[i].code, &p), i * S + MS);
		ck_assert_int_eq(t->tries[i].refusal, rows[i].refusal);
		expect_try(i,
		           rows[i].refusal == REFUSAL_NONE ? TRY_UNANSWERED
		                                           : TRY_REFUSED,
		           i * S + MS);
	}
}
END_TEST

START_TEST(icmp_error_about_an_answer_undoes_the_try)
{
	struct packet answer = dns(true, 1, 0);

	feed(dns(false, 1, 0), 1 * S);
	feed(answer, 1 * S + MS);
	feed(error(SERVER, ICMP_UNREACHABLE, 3, &answer), 1 * S + 2 * MS);
	expect_try(0, TRY_ANSWERED, 1 * S + MS);
	ck_assert(t->tries[0].undone);
}
END_TEST

START_TEST(an_answer_after_a_refusal_counts)
{
	struct packet lost = syn(1000, 1);

	feed(lost, 1 * S);
	feed(error(CLIENT, ICMP_UNREACHABLE, 1, &lost), 2 * S);
	feed(tcp(true, SYNACK, 1, 1001), 3 * S);
	expect_try(0, TRY_ANSWERED, 3 * S);
	ck_assert_uint_eq(only_flow()->n_refused, 0);
	ck_assert_uint_eq(only_flow()->n_answered, 1);
}
END_TEST

START_TEST(what_is_not_whole_is_counted_and_not_tracked)
{
	struct packet p = syn(1000, 1);

	p.status = PACKET_STATUS_TRUNCATED;
	p.kind = PACKET_KIND_IP;
	feed(p, 3 * S);
	p.kind = PACKET_KIND_TCP;
	p.status = PACKET_STATUS_MALFORMED;
	feed(p, 2 * S);
	p.status = PACKET_STATUS_UNSUPPORTED;
	feed(p, 1 * S);
	ck_assert_uint_eq(t->n_tries, 0);
	ck_assert_uint_eq(point.packets, 3);
	ck_assert_uint_eq(point.truncated, 1);
	ck_assert_uint_eq(point.malformed, 1);
	ck_assert_uint_eq(point.unsupported, 1);
	ck_assert_int_eq(point.first_ns, 1 * S);
	ck_assert_int_eq(point.last_ns, 3 * S);
}
END_TEST

START_TEST(traffic_is_noted_by_class)
{
	feed(echo(false, 1), 100 * S);
	feed(dns(false, 1, 0), 200 * S);
	ck_assert(second_set_near(&point.seen[TRAFFIC_ICMP], 100 * S, 0));
	ck_assert(!second_set_near(&point.seen[TRAFFIC_ICMP], 200 * S, 60));
	ck_assert(second_set_near(&point.seen[TRAFFIC_DNS], 200 * S, 0));
	ck_assert_uint_eq(point.seen[TRAFFIC_UDP].count, 0);
	ck_assert_int_eq(traffic_class_of_protocol(PROTOCOL_DHCP), TRAFFIC_UDP);
}
END_TEST

START_TEST(many_flows_survive_growth)
{
	for (uint16_t i = 0; i < 5000; i++) {
		struct packet p = syn(i, i);

		p.src_port = i;
		feed(p, i * MS);
	}
	for (uint16_t i = 5000; i-- > 0;) {
		struct packet p = tcp(true, SYNACK, 1, i + 1u);

		p.dst_port = i;
		feed(p, 10 * S + i * MS);
	}
	ck_assert_uint_eq(t->n_flows, 5000);
	for (uint32_t i = 0; i < 5000; i++)
		expect_try(i, TRY_ANSWERED, 10 * S + i * MS);
	point_free(&point);
}
END_TEST

START_TEST(seconds_are_found_within_a_distance)
{
	struct second_set set = { 0 };

	ck_assert(!second_set_near(&set, 0, INT64_C(1) << 40));
	second_set_add(&set, 1000 * S + 999 * MS);
	second_set_add(&set, 1000 * S);
	ck_assert_uint_eq(set.count, 2);
	ck_assert(second_set_near(&set, 1000 * S + 500 * MS, 0));
	ck_assert(!second_set_near(&set, 1001 * S, 0));
	ck_assert(second_set_near(&set, 1001 * S, 1));
	ck_assert(second_set_near(&set, 990 * S, 10));
	ck_assert(!second_set_near(&set, 989 * S, 10));
	ck_assert(!second_set_near(&set, 0, 10));
	ck_assert(!second_set_near(&set, INT64_MAX, 10));
	second_set_free(&set);
	ck_assert(!second_set_near(&set, 1000 * S, 0));
}
END_TEST

START_TEST(seconds_grow_on_both_ends)
{
	const int64_t day = 86400 * S;
	struct second_set set = { 0 };

	second_set_add(&set, 100 * day);
	second_set_add(&set, 109 * day);
	second_set_add(&set, 91 * day);
	for (int64_t i = 91; i <= 109; i += 9)
		ck_assert(second_set_near(&set, i * day, 0));
	ck_assert(!second_set_near(&set, 95 * day, 86400));
	second_set_free(&set);
}
END_TEST

START_TEST(seconds_far_from_the_first_are_not_kept)
{
	const int64_t last_ns = (INT64_C(1) << 62) - 1;
	struct second_set set = { 0 };

	second_set_add(&set, 0);
	second_set_add(&set, last_ns);
	ck_assert(second_set_near(&set, 0, 0));
	ck_assert(!second_set_near(&set, last_ns, 0));
	ck_assert_uint_eq(set.count, 2);
	ck_assert_uint_lt(set.n_bytes, 1000);
	second_set_free(&set);
}
END_TEST

START_TEST(stations_and_what_they_send)
{
	struct packet p = echo(false, 1);
	const struct station *s;

	p.n_vlans = 1;
	p.vlans[0] = 5;
	p.direction = FRAME_DIRECTION_OUT;
	feed(p, 1 * S);
	feed(echo(true, 1), 2 * S);
	p = make(PACKET_KIND_UDP, CLIENT, "10.0.0.255");
	p.group = true;
	p.direction = FRAME_DIRECTION_IN;
	feed(p, 3 * S);
	ck_assert_uint_eq(point.stations.count, 2);
	ck_assert_uint_eq(point.stations.unicast, 2);
	s = station_table_find(&point.stations, station(1));
	ck_assert_uint_eq(s->sent, 1);
	ck_assert_uint_eq(s->received, 1);
	ck_assert_uint_eq(s->sent_group, 1);
	ck_assert_uint_eq(s->sent_out, 1);
	ck_assert_uint_eq(s->sent_in, 1);
	ck_assert_uint_eq(s->vlan, 0); /* its last frame had none */
	ck_assert_uint_eq(s->n_ips, 1);
	ck_assert_uint_eq(point.group_frames, 1);
	ck_assert_ptr_null(station_table_find(&point.stations, station(3)));
}
END_TEST

START_TEST(stations_claim_addresses_in_arp)
{
	const struct in6_addr client = addr(CLIENT), nobody = addr("0.0.0.0");
	const struct station_table *st = &point.stations;
	struct packet forged = { .kind = PACKET_KIND_ARP, .has_eth_src = true };

	feed_arp(1 * S, ARP_REQUEST, 1, CLIENT, 255, SERVER);
	feed_arp(2 * S, ARP_REQUEST, 3, "0.0.0.0", 255, SERVER);
	ck_assert_ptr_eq(station_table_owner(st, &client), &st->stations[0]);
	ck_assert(station_has_ip(&st->stations[0], &client));
	ck_assert_uint_eq(st->stations[0].n_ips, 0);
	ck_assert_ptr_null(station_table_owner(st, &nobody));

	/* Relayed: the sender in ARP is not who sent the frame. */
	forged.eth_src = station(4);
	forged.arp.sender_mac = station(5);
	forged.arp.sender_ip = addr("10.0.0.9");
	feed(forged, 3 * S);
	ck_assert_ptr_null(station_table_owner(st, &forged.arp.sender_ip));
}
END_TEST

START_TEST(a_station_with_many_addresses_forwards)
{
	const struct station *s;

	for (uint8_t i = 0; i < 2 * STATION_IPS_MAX; i++) {
		struct packet p = echo(false, i);

		p.src.s6_addr[14] = i;
		feed(p, i * S);
		s = station_table_find(&point.stations, station(1));
		ck_assert_int_eq(s->many_ips, i >= STATION_IPS_MAX);
	}
	ck_assert_uint_eq(s->n_ips, STATION_IPS_MAX);
}
END_TEST

START_TEST(many_stations_survive_growth)
{
	for (unsigned int i = 0; i < 1000; i++) {
		struct packet p = echo(false, 1);

		p.eth_src.bytes[4] = (uint8_t)(i >> 8);
		p.eth_src.bytes[5] = (uint8_t)i;
		feed(p, i * S);
	}
	ck_assert_uint_eq(point.stations.count, 1000);
	ck_assert_uint_eq(
		station_table_find(&point.stations, station(2))->received,
		1000);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		arp_reply_answers_all_requests_before_it,
		arp_reply_before_the_request_does_not_count,
		arp_reply_to_or_about_another_does_not_count,
		who_announces_or_probes_asks_nobody,
		neighbour_advert_answers_the_solicitation,
		echo_reply_is_paired_by_sequence_number,
		second_echo_reply_keeps_the_first,
		echo_reply_of_another_id_or_before_the_request,
		reused_sequence_number_means_the_newest,
		echo_to_a_group_is_no_try,
		copies_within_5_ms_are_one_try,
		synack_answers_all_syns_of_its_connection,
		synack_of_a_syn_at_the_end_of_the_numbers,
		reset_refuses,
		reset_of_an_open_connection_refuses_nothing,
		client_that_resets_the_synack_undoes_it,
		client_that_resets_after_its_data_undoes_nothing,
		client_that_gives_up_before_any_answer_undoes_nothing,
		lower_port_is_the_server_in_mid_stream,
		dns_answers_are_paired_by_id,
		each_udp_packet_may_be_a_request,
		dns_answers_leave_hints,
		dhcp_offers_are_leases_and_no_tries,
		icmp_errors_refuse_the_tries_of_the_quoted_flow,
		icmp_error_about_an_echo_refuses_that_one,
		icmp_errors_by_code,
		icmp_error_about_an_answer_undoes_the_try,
		an_answer_after_a_refusal_counts,
		what_is_not_whole_is_counted_and_not_tracked,
		traffic_is_noted_by_class,
		many_flows_survive_growth,
		seconds_are_found_within_a_distance,
		seconds_grow_on_both_ends,
		seconds_far_from_the_first_are_not_kept,
		stations_and_what_they_send,
		stations_claim_addresses_in_arp,
		a_station_with_many_addresses_forwards,
		many_stations_survive_growth,
		NULL,
	};

	return run_tests("point", tests);
}
