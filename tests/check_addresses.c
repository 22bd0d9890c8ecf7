#include "track/claim_log.h"
#include "track/point.h"

#include "run_tests.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ADDRESS "10.0.0.9"
#define ASKER "10.0.0.1"

/* The point under test; each test runs in its own process. */
static struct point point;
static struct claim_log *const owners = &point.claims;
static uint16_t vlan; /* of the next frames; 0: none */

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

static void arp(int64_t ts_ns, uint16_t op, uint8_t by, const char *sender,
                uint8_t to, const char *target)
{
	struct packet p = {
		.kind = PACKET_KIND_ARP,
		.ts_ns = ts_ns,
		.has_eth_src = true,
		.eth_src = station(by),
		.group = op == ARP_REQUEST,
		.n_vlans = vlan != 0,
		.vlans = { vlan },
		.arp = { .op = op,
		         .sender_mac = station(by),
		         .sender_ip = addr(sender),
		         .target_mac = station(to),
		         .target_ip = addr(target) },
	};

	point_feed(&point, &p);
}

static void asked(int64_t ts_ns)
{
	arp(ts_ns, ARP_REQUEST, 1, ASKER, 0, ADDRESS);
}

static void answered(int64_t ts_ns, uint8_t by)
{
	arp(ts_ns, ARP_REPLY, by, ADDRESS, 1, ASKER);
}

static void announced(int64_t ts_ns, uint8_t by)
{
	arp(ts_ns, ARP_REPLY, by, ADDRESS, 0xff, ADDRESS);
}

static const struct arp_binding *of(uint8_t mac)
{
	struct in6_addr ip = addr(ADDRESS);

	return claim_log_get(owners, &ip, station(mac));
}

START_TEST(one_owner_answers)
{
	asked(0);
	answered(MS, 9);
	asked(S);
	answered(S + MS, 9);
	ck_assert_ptr_nonnull(of(9));
	ck_assert_uint_eq(of(9)->claims, 2);
	ck_assert_uint_eq(of(9)->replies, 2);
	ck_assert_uint_eq(of(9)->doubles, 0);
	ck_assert_uint_eq(of(9)->returns, 0);
	ck_assert_uint_eq(of(9)->next, CLAIM_LOG_NONE);
	ck_assert_ptr_null(of(8));
}
END_TEST

START_TEST(two_owners_answer_one_request)
{
	asked(0);
	answered(MS, 9);
	answered(2 * MS, 8);
	ck_assert_uint_eq(of(9)->doubles, 0);
	ck_assert_uint_eq(of(8)->doubles, 1);
}
END_TEST

/* The new owner answers the next request: nobody answered the same one. */
START_TEST(a_new_owner_answers_later)
{
	asked(0);
	answered(MS, 9);
	asked(S);
	answered(S + MS, 8);
	ck_assert_uint_eq(of(8)->doubles, 0);
	ck_assert_uint_eq(of(8)->returns, 0);
	ck_assert_uint_eq(of(9)->returns, 0);
}
END_TEST

START_TEST(owners_take_turns)
{
	for (int i = 0; i < 4; i++)
		announced(i * S, i % 2 ? 8 : 9);
	ck_assert_uint_eq(of(9)->returns, 1);
	ck_assert_uint_eq(of(8)->returns, 1);
}
END_TEST

START_TEST(announcements_are_unsolicited)
{
	asked(0);
	answered(MS, 9);
	for (int i = 1; i <= 3; i++)
		announced(i * 2 * S, 8);
	ck_assert_uint_eq(of(9)->unsolicited, 0);
	ck_assert_uint_eq(of(8)->unsolicited, 3);
	ck_assert_int_eq(of(8)->unsolicited_first_ns, 2 * S);
	ck_assert_int_eq(of(8)->unsolicited_last_ns, 6 * S);
	ck_assert_uint_eq(of(8)->replies, 0);
}
END_TEST

START_TEST(a_reply_long_after_the_request_is_unsolicited)
{
	asked(0);
	answered(900 * MS, 9);
	answered(1100 * MS, 8);
	ck_assert_uint_eq(of(9)->unsolicited, 0);
	ck_assert_uint_eq(of(8)->unsolicited, 1);
}
END_TEST

START_TEST(a_probe_is_refused)
{
	arp(0, ARP_REQUEST, 5, "0.0.0.0", 0, ADDRESS);
	arp(MS, ARP_REPLY, 9, ADDRESS, 5, "0.0.0.0");
	ck_assert_uint_eq(of(9)->refused_probes, 1);
	ck_assert_uint_eq(of(9)->unsolicited, 0);
	ck_assert_ptr_null(of(5));
}
END_TEST

/* Claims by ever new MACs are bounded, and that is said. */
START_TEST(owners_in_two_vlans_are_two_addresses)
{
	asked(0);
	vlan = 100;
	answered(MS, 9);
	vlan = 200;
	answered(2 * MS, 8);
	answered(S, 8);
	vlan = 100;
	answered(2 * S, 9);
	ck_assert_uint_eq(of(9)->vlan, 100);
	ck_assert_uint_eq(of(8)->vlan, 200);
	ck_assert_uint_eq(of(8)->doubles + of(9)->doubles, 0);
	ck_assert_uint_eq(of(8)->returns + of(9)->returns, 0);
	ck_assert(claim_log_other_network(100, 200));
	ck_assert(!claim_log_other_network(100, 100));
	ck_assert(!claim_log_other_network(100, 0));
	/* where the tag is taken off, nobody can tell */
	vlan = 0;
	asked(3 * S);
	answered(3 * S + MS, 9);
	answered(3 * S + 2 * MS, 8);
	ck_assert_uint_eq(of(8)->doubles, 1);
}
END_TEST

START_TEST(owners_of_an_address_are_limited)
{
	for (uint8_t mac = 1; mac <= 100; mac++)
		announced(mac * S, mac);
	ck_assert(owners->full);
	ck_assert_uint_le(owners->count, 16);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_owner_answers,
		two_owners_answer_one_request,
		a_new_owner_answers_later,
		owners_take_turns,
		announcements_are_unsolicited,
		a_reply_long_after_the_request_is_unsolicited,
		a_probe_is_refused,
		owners_in_two_vlans_are_two_addresses,
		owners_of_an_address_are_limited,
		NULL,
	};

	return run_tests("addresses", tests);
}
