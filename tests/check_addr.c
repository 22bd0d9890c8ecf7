#include "base/addr.h"
#include "run_tests.h"

static struct in6_addr ip_of(const char *text)
{
	struct in6_addr ip;

	ck_assert_msg(addr_parse(text, &ip), "%s", text);
	return ip;
}

START_TEST(text_and_back)
{
	const char *const texts[] = {
		"0.0.0.0",
		"192.168.66.14",
		"255.255.255.255",
		"::",
		"::1",
		"fe80::be24:11ff:fe59:7b4c",
		"2001:db8:0:1:1:1:1:1",
		"2001:db8::1:0:0:1", /* the longer run of zeros, the first */
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct in6_addr ip = ip_of(texts[i]);
		char text[ADDR_TEXT_MAX];

		ck_assert_str_eq(addr_text(&ip, text), texts[i]);
	}
}
END_TEST

START_TEST(what_is_no_address)
{
	const char *const texts[] = {
		"",         "1.2.3",     "1.2.3.4.5",         "256.1.1.1",
		"1.2.3.4 ", "1.2.3.4/8", "fe80::1%2",         "1::2::3",
		":",        "host",      "01:02:03:04:05:06",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct in6_addr ip;

		ck_assert_msg(!addr_parse(texts[i], &ip), "%s", texts[i]);
	}
}
END_TEST

START_TEST(v4_is_mapped)
{
	const uint8_t bytes[] = { 10, 1, 2, 3 };
	struct in6_addr ip = addr_from_v4(bytes), other = ip_of("::a01:203");

	ck_assert(addr_is_v4(&ip));
	ck_assert(!addr_is_v4(&other));
	ck_assert_uint_eq(addr_v4(&ip), 0x0a010203);
	ck_assert_uint_eq(addr_v4(&other), 0);
	ck_assert(!addr_equal(&ip, &other));
	other = ip_of("::ffff:10.1.2.3");
	ck_assert(addr_equal(&ip, &other));
}
END_TEST

START_TEST(kinds_of_addresses)
{
	const struct {
		const char *text;
		bool zero, unicast, link_local, private;
	} rows[] = {
		{ "0.0.0.0", true, false, false, false },
		{ "255.255.255.255", false, false, false, false },
		{ "224.0.0.1", false, false, false, false },
		{ "239.255.255.250", false, false, false, false },
		{ "240.0.0.1", false, true, false, false },
		{ "223.255.255.255", false, true, false, false },
		{ "10.0.0.1", false, true, false, true },
		{ "11.0.0.1", false, true, false, false },
		{ "172.16.0.1", false, true, false, true },
		{ "172.32.0.1", false, true, false, false },
		{ "192.168.255.1", false, true, false, true },
		{ "192.169.0.1", false, true, false, false },
		{ "100.64.0.1", false, true, false, true },
		{ "100.128.0.1", false, true, false, false },
		{ "169.254.9.9", false, true, true, false },
		{ "::", true, false, false, false },
		{ "ff02::1", false, false, false, false },
		{ "fe80::1", false, true, true, false },
		{ "febf::1", false, true, true, false },
		{ "fec0::1", false, true, false, false },
		{ "fc00::1", false, true, false, true },
		{ "fdff::1", false, true, false, true },
		{ "2001:db8::1", false, true, false, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct in6_addr ip = ip_of(rows[i].text);

		ck_assert_msg(addr_is_zero(&ip) == rows[i].zero, "%s",
		              rows[i].text);
		ck_assert_msg(addr_is_unicast(&ip) == rows[i].unicast, "%s",
		              rows[i].text);
		ck_assert_msg(addr_is_link_local(&ip) == rows[i].link_local,
		              "%s", rows[i].text);
		ck_assert_msg(addr_is_private(&ip) == rows[i].private, "%s",
		              rows[i].text);
	}
}
END_TEST

START_TEST(prefixes)
{
	const struct {
		const char *ip, *net;
		unsigned int bits;
		bool in;
	} rows[] = {
		{ "10.1.2.3", "10.0.0.0", 8, true },
		{ "11.1.2.3", "10.0.0.0", 8, false },
		{ "10.1.2.3", "10.1.2.2", 31, true },
		{ "10.1.2.4", "10.1.2.2", 31, false },
		{ "10.1.2.3", "10.1.2.3", 32, true },
		{ "10.1.2.2", "10.1.2.3", 32, false },
		{ "1.1.1.1", "9.9.9.9", 0, true },
		{ "fe80::1", "0.0.0.0", 0, false },
		{ "1.1.1.1", "::", 0, false },
		{ "fe80::1", "::", 0, true },
		{ "febf::1", "fe80::", 10, true },
		{ "fec0::1", "fe80::", 10, false },
		{ "2001:db8::1", "2001:db8::1", 128, true },
		{ "2001:db8::2", "2001:db8::1", 128, false },
		/* More bits than there are: all of them */
		{ "10.1.2.3", "10.1.2.3", 99, true },
		{ "2001:db8::2", "2001:db8::1", 1000, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct in6_addr ip = ip_of(rows[i].ip);
		struct in6_addr net = ip_of(rows[i].net);

		ck_assert_msg(
			addr_in_prefix(&ip, &net, rows[i].bits) == rows[i].in,
			"%s in %s/%u", rows[i].ip, rows[i].net, rows[i].bits);
	}
}
END_TEST

START_TEST(macs)
{
	const char *const wrong[] = {
		"",
		"bc:24:11:59:7b",
		"bc:24:11:59:7b:4c:00",
		"bc:24:11:59:7b:4",
		"bc:24:11:59:7b:4g",
		"bc-24-11-59-7b-4c",
		"bc:24:11:59:7b:4c ",
	};
	struct mac mac, other;
	char text[ADDR_TEXT_MAX];

	ck_assert(mac_parse("BC:24:11:59:7b:4c", &mac));
	ck_assert_str_eq(mac_text(mac, text), "bc:24:11:59:7b:4c");
	ck_assert(!mac_is_group(mac) && !mac_is_zero(mac));
	ck_assert(mac_parse("ff:ff:ff:ff:ff:ff", &other));
	ck_assert(mac_is_broadcast(other) && mac_is_group(other));
	ck_assert(!mac_equal(mac, other));
	ck_assert(mac_parse("01:00:5e:00:00:01", &other));
	ck_assert(!mac_is_broadcast(other) && mac_is_group(other));
	ck_assert(mac_parse("00:00:00:00:00:00", &other));
	ck_assert(mac_is_zero(other));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!mac_parse(wrong[i], &mac), "%s", wrong[i]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		text_and_back, what_is_no_address,
		v4_is_mapped,  kinds_of_addresses,
		prefixes,      macs,
		NULL,
	};

	return run_tests("addr", tests);
}
