#include "correlate/tally.h"
#include "run_tests.h"
#include "track/point.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define SYNACK (TCP_FLAG_SYN | TCP_FLAG_ACK)

/* The point under test; each test runs in its own process. */
static struct point point;

static struct packet make(enum packet_kind kind, uint8_t src, uint8_t dst)
{
	struct packet p = {
		.kind = kind,
		.ip_version = 4,
		.src = addr_from_v4((const uint8_t[]){ 10, 0, 0, src }),
		.dst = addr_from_v4((const uint8_t[]){ 10, 0, 0, dst }),
		.eth_src = { { 2, 0, 0, 0, 0, src } },
		.eth_dst = { { 2, 0, 0, 0, 0, dst } },
		.has_eth_src = true,
		.has_eth_dst = true,
		.ttl = 64,
	};

	return p;
}

static void feed(struct packet p, int64_t ts_ns)
{
	p.ts_ns = ts_ns;
	point_feed(&point, &p);
}

static struct packet echo(bool reply, uint8_t src, uint8_t dst)
{
	struct packet p = make(PACKET_KIND_ICMP, src, dst);

	p.ip_proto = IP_PROTO_ICMP;
	p.icmp.type = reply ? ICMP_ECHO_REPLY : ICMP_ECHO_REQUEST;
	p.icmp.id = 7;
	p.icmp.seq = 1;
	return p;
}

static struct packet tcp(uint8_t src, uint8_t dst, uint8_t flags, uint32_t seq,
                         uint32_t ack)
{
	struct packet p = make(PACKET_KIND_TCP, src, dst);

	p.ip_proto = IP_PROTO_TCP;
	p.src_port = src == 1 ? 40000 : 443;
	p.dst_port = src == 1 ? 443 : 40000;
	p.tcp = (struct tcp_header){ .flags = flags, .seq = seq, .ack = ack };
	return p;
}

static void send_data(uint8_t src, uint8_t dst, uint32_t seq, uint32_t ack,
                      uint32_t len, int64_t ts_ns)
{
	struct packet p = tcp(src, dst, TCP_FLAG_ACK, seq, ack);

	p.payload_len = len;
	feed(p, ts_ns);
}

START_TEST(a_packet_in_a_loop_is_one_try_with_turns)
{
	struct packet p = echo(false, 1, 2);

	for (uint8_t ttl = 60; ttl > 50; ttl--) {
		p.ttl = ttl;
		feed(p, S + (60 - ttl) * 30 * MS);
	}
	ck_assert_uint_eq(point.flows.n_tries, 1);
	ck_assert_uint_eq(point.flows.tries[0].ttl, 60);
	ck_assert_uint_eq(point.flows.tries[0].last_ttl, 51);
	ck_assert_uint_eq(point.flows.tries[0].turns, 9);
	point_free(&point);
}
END_TEST

START_TEST(copies_and_repetitions_do_not_turn)
{
	struct packet p = echo(false, 1, 2);

	feed(p, S);
	feed(p, S + MS);       /* a copy */
	feed(p, S + 900 * MS); /* sent again */
	ck_assert_uint_eq(point.flows.n_tries, 2);
	ck_assert_uint_eq(point.flows.tries[0].turns, 0);
	ck_assert_uint_eq(point.flows.tries[1].turns, 0);
	point_free(&point);
}
END_TEST

START_TEST(a_smaller_ttl_much_later_is_another_packet)
{
	struct packet p = echo(false, 1, 2);

	feed(p, S);
	p.ttl = 63;
	feed(p, 3 * S);
	ck_assert_uint_eq(point.flows.n_tries, 2);
	ck_assert_uint_eq(point.flows.tries[0].turns, 0);
	point_free(&point);
}
END_TEST

START_TEST(answers_without_a_request_are_strays)
{
	feed(tcp(1, 2, TCP_FLAG_SYN, 99, 0), S);
	feed(tcp(3, 1, SYNACK, 500, 100), S + MS); /* not who was asked */
	feed(echo(true, 3, 1), S + 2 * MS);
	ck_assert_uint_eq(point.n_strays, 2);
	ck_assert_int_eq(point.strays[0].protocol, PROTOCOL_TCP);
	ck_assert_uint_eq(point.strays[0].id, 99);
	ck_assert_uint_eq(point.strays[0].to_port, 40000);
	ck_assert_uint_eq(point.strays[0].from_port, 443);
	ck_assert_int_eq(point.strays[1].protocol, PROTOCOL_ICMP);
	ck_assert_uint_eq(point.strays[1].to_port, 7);
	ck_assert_uint_eq(point.strays[1].id, 1);
	ck_assert_int_eq(point.flows.tries[0].answer, TRY_UNANSWERED);
	point_free(&point);
}
END_TEST

START_TEST(answers_to_a_request_are_no_strays)
{
	feed(tcp(1, 2, TCP_FLAG_SYN, 99, 0), S);
	feed(tcp(2, 1, SYNACK, 500, 100), S + MS);
	feed(echo(false, 1, 2), 2 * S);
	feed(echo(true, 2, 1), 2 * S + MS);
	ck_assert_uint_eq(point.n_strays, 0);
	point_free(&point);
}
END_TEST

START_TEST(silence_counts_before_the_oldest_byte_without_acknowledgement)
{
	feed(tcp(1, 2, TCP_FLAG_SYN, 99, 0), S);
	feed(tcp(2, 1, SYNACK, 500, 100), S + MS);
	send_data(1, 2, 100, 501, 10, S + 2 * MS);
	send_data(2, 1, 501, 110, 10, S + 3 * MS);
	send_data(1, 2, 110, 511, 0, S + 4 * MS);
	send_data(2, 1, 511, 110, 10, 31 * S + 4 * MS);
	send_data(2, 1, 521, 110, 10, 31 * S + 5 * MS);
	ck_assert_int_eq(point.flows.flows[0].server_data.idle_ns, 30 * S);
	ck_assert_int_lt(point.flows.flows[0].client_data.idle_ns, S);
	point_free(&point);
}
END_TEST

/* The server resets what comes after a pause. */
static enum flow_forgot reset_after_a_pause(uint32_t acked)
{
	enum flow_forgot forgot;

	feed(tcp(1, 2, TCP_FLAG_SYN, 99, 0), S);
	feed(tcp(2, 1, SYNACK, 500, 100), S + MS);
	send_data(1, 2, 100, 501, 10, S + 2 * MS);
	send_data(2, 1, 501, 110, 10, S + 3 * MS);
	send_data(1, 2, 110, acked, 10, 4 * S);
	feed(tcp(2, 1, TCP_FLAG_RST, acked, 0), 4 * S + MS);
	forgot = point.flows.flows[0].forgot;
	point_free(&point);
	point = (struct point){ 0 };
	return forgot;
}

START_TEST(who_may_have_sent_a_fin_did_not_forget)
{
	ck_assert_int_eq(reset_after_a_pause(511), FLOW_FORGOT_SERVER);
	ck_assert_int_eq(reset_after_a_pause(512), FLOW_FORGOT_NOBODY);
}
END_TEST

START_TEST(a_tally_keeps_numbers_by_hash)
{
	struct tally t = { 0 };

	ck_assert_uint_eq(tally_get(&t, 5), 0);
	for (uint64_t i = 0; i < 1000; i++)
		*tally_at(&t, i) += (uint32_t)i;
	(*tally_at(&t, 7))++;
	ck_assert_uint_eq(tally_get(&t, 7), 8);
	ck_assert_uint_eq(tally_get(&t, 999), 999);
	ck_assert_uint_eq(tally_get(&t, 1000), 0);
	ck_assert_uint_eq(t.n, 1000);
	tally_free(&t);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_packet_in_a_loop_is_one_try_with_turns,
		copies_and_repetitions_do_not_turn,
		a_smaller_ttl_much_later_is_another_packet,
		answers_without_a_request_are_strays,
		answers_to_a_request_are_no_strays,
		silence_counts_before_the_oldest_byte_without_acknowledgement,
		who_may_have_sent_a_fin_did_not_forget,
		a_tally_keeps_numbers_by_hash,
		NULL,
	};

	return run_tests("reach", tests);
}
