#include "correlate/defects.h"

#include "run_tests.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define START (INT64_C(1700000000) * S)
#define END_S 20

enum { VM, HOST };
enum { AT_VM = 1, AT_HOST = 2, EVERYWHERE = 3 };

/* A guest 10.0.0.1 and its host's bridge; each test runs in its own process. */
static struct observation points[2];
static struct incident_capture captures[2];
static struct incident incident = { .captures = captures, .n_captures = 2 };
static struct scene scene = {
	.n_captures = 2,
	.points = points,
	.n_points = 2,
	.aligned = true,
	.path = { HOST },
	.n_path = 1,
	.incident = &incident,
};

static struct mac station(const struct in6_addr *ip)
{
	return (struct mac){ { 2, 0, 0, 0, 0, ip->s6_addr[15] } };
}

static void set_up(void)
{
	struct guest *g = &scene.guest;

	ck_assert(addr_parse("10.0.0.1", &g->ips[g->n_ips++]));
	g->macs[g->n_macs++] = station(&g->ips[0]);
	for (uint32_t i = 0; i < 2; i++) {
		points[i].capture = i;
		points[i].role = i == VM ? CAPTURE_ROLE_VM : CAPTURE_ROLE_HOST;
		captures[i].first_ns = START;
		captures[i].last_ns = START + END_S * S;
	}
}

static void transmit(unsigned int at, int64_t ts_ns, struct packet p,
                     const char *src, const char *dst)
{
	p.ip_version = 4;
	p.ts_ns = START + ts_ns;
	p.has_eth_src = true;
	p.has_eth_dst = true;
	ck_assert(addr_parse(src, &p.src));
	ck_assert(addr_parse(dst, &p.dst));
	p.eth_src = station(&p.src);
	p.eth_dst = station(&p.dst);
	for (uint32_t i = 0; i < 2; i++)
		if (at & 1u << i)
			point_feed(&points[i].track, &p);
}

static void ping(unsigned int at, int64_t ts_ns, const char *src,
                 const char *dst)
{
	static uint16_t seq;
	struct packet p = {
		.kind = PACKET_KIND_ICMP,
		.ip_proto = IP_PROTO_ICMP,
		.icmp = { .type = ICMP_ECHO_REQUEST, .id = 7, .seq = ++seq },
	};

	transmit(at, ts_ns, p, src, dst);
	p.icmp.type = ICMP_ECHO_REPLY;
	transmit(at, ts_ns + MS, p, dst, src);
}

static void segment(unsigned int at, int64_t ts_ns, const char *src,
                    const char *dst, uint16_t port)
{
	struct packet p = {
		.kind = PACKET_KIND_TCP,
		.ip_proto = IP_PROTO_TCP,
		.src_port = port,
		.dst_port = 80,
		.tcp = { .flags = TCP_FLAG_ACK, .seq = 100, .ack = 500 },
		.payload_len = 10,
	};

	transmit(at, ts_ns, p, src, dst);
}

static void find(void)
{
	chains_build(&scene);
	defects_find(&scene);
}

static bool hides(uint32_t point, enum traffic_class class, int64_t at_s)
{
	return defects_hide(&scene, point, PATH_DIRECTION_FROM_GUEST, class,
	                    START + at_s * S, START + at_s * S + 500 * MS);
}

static void pings_but(int64_t from_s, int64_t to_s, unsigned int at)
{
	for (int64_t s = 1; s < END_S; s++)
		ping(s >= from_s && s < to_s ? at : EVERYWHERE, s * S + 100,
		     "10.0.0.1", "10.0.0.2");
}

START_TEST(whole_captures_hide_nothing)
{
	set_up();
	pings_but(0, 0, EVERYWHERE);
	find();
	for (uint32_t i = 0; i < 2; i++)
		for (int64_t s = 1; s < END_S; s++)
			ck_assert(!hides(i, TRAFFIC_ICMP, s));
	ck_assert(!defects_lost(&scene, START, START + END_S * S));
}
END_TEST

/* Nothing at all for three seconds: of other classes it hides as much. */
START_TEST(a_hole_at_the_host)
{
	set_up();
	pings_but(8, 11, AT_VM);
	find();
	ck_assert(hides(HOST, TRAFFIC_ICMP, 9));
	ck_assert(hides(HOST, TRAFFIC_TCP, 9));
	ck_assert(!hides(HOST, TRAFFIC_TCP, 14));
	ck_assert(!hides(VM, TRAFFIC_TCP, 9));
	ck_assert(defects_lost(&scene, START + 9 * S, START + 9 * S));
}
END_TEST

START_TEST(a_hole_in_the_guest)
{
	set_up();
	pings_but(8, 11, AT_HOST);
	find();
	ck_assert(hides(VM, TRAFFIC_DNS, 9));
	ck_assert(!hides(HOST, TRAFFIC_DNS, 9));
}
END_TEST

/* Who is not behind the host's point does not have to pass it. */
START_TEST(what_need_not_pass_is_not_missed)
{
	set_up();
	pings_but(0, 0, EVERYWHERE);
	for (int64_t s = 1; s < END_S; s++)
		ping(AT_VM, s * S + 300 * MS, "10.0.0.1", "10.0.0.3");
	find();
	ck_assert(!hides(HOST, TRAFFIC_ICMP, 9));
}
END_TEST

static void arp(unsigned int at, int64_t ts_ns, uint16_t op, const char *from,
                const char *to, bool broadcast)
{
	struct packet p = { .kind = PACKET_KIND_ARP,
		            .ts_ns = START + ts_ns,
		            .has_eth_src = true,
		            .has_eth_dst = true,
		            .group = broadcast,
		            .arp = { .op = op } };

	ck_assert(addr_parse(from, &p.arp.sender_ip));
	ck_assert(addr_parse(to, &p.arp.target_ip));
	p.arp.sender_mac = p.eth_src = station(&p.arp.sender_ip);
	p.arp.target_mac = station(&p.arp.target_ip);
	p.eth_dst = p.arp.target_mac;
	if (broadcast)
		p.eth_dst = (struct mac){ { 255, 255, 255, 255, 255, 255 } };
	for (uint32_t i = 0; i < 2; i++)
		if (at & 1u << i)
			point_feed(&points[i].track, &p);
}

/* Who asks everybody need not be behind the uplink, where its request is, too. */
START_TEST(a_siblings_unicast_is_not_missed)
{
	set_up();
	pings_but(0, 0, EVERYWHERE);
	arp(EVERYWHERE, 2 * S, 1, "10.0.0.3", "10.0.0.1", true);
	arp(AT_VM, 2 * S + MS, 2, "10.0.0.1", "10.0.0.3", false);
	arp(EVERYWHERE, 3 * S, 1, "10.0.0.3", "10.0.0.2", true);
	arp(AT_HOST, 3 * S + MS, 2, "10.0.0.2", "10.0.0.3", false);
	arp(AT_VM, 9 * S, 1, "10.0.0.1", "10.0.0.3", false);
	arp(AT_VM, 9 * S + MS, 2, "10.0.0.3", "10.0.0.1", false);
	find();
	ck_assert(!hides(HOST, TRAFFIC_ARP, 9));
}
END_TEST

/* Its answers pass there: what it asks has to as well. */
START_TEST(an_answered_request_is_missed)
{
	set_up();
	pings_but(0, 0, EVERYWHERE);
	arp(EVERYWHERE, 2 * S, 1, "10.0.0.3", "10.0.0.1", true);
	arp(EVERYWHERE, 2 * S + MS, 2, "10.0.0.1", "10.0.0.3", false);
	arp(AT_VM, 9 * S, 1, "10.0.0.1", "10.0.0.3", false);
	arp(AT_VM, 9 * S + MS, 2, "10.0.0.3", "10.0.0.1", false);
	find();
	ck_assert(hides(HOST, TRAFFIC_ARP, 9));
	ck_assert(!hides(HOST, TRAFFIC_ARP, 5));
}
END_TEST

/* Someone else who uses the guest's address is not in its capture. */
START_TEST(a_double_of_the_guest_is_not_missed)
{
	set_up();
	pings_but(0, 0, EVERYWHERE);
	scene.guest.macs[0].bytes[5] = 99;
	ping(AT_HOST, 9 * S, "10.0.0.1", "10.0.0.2");
	find();
	ck_assert(!hides(VM, TRAFFIC_ICMP, 9));
}
END_TEST

START_TEST(one_direction_is_lacking)
{
	set_up();
	for (uint16_t i = 0; i < 30; i++)
		segment(AT_HOST, i * MS, "10.0.0.1", "10.0.0.2",
		        (uint16_t)(40000 + i % 5));
	find();
	ck_assert(points[HOST].lacks[PATH_DIRECTION_TO_GUEST]);
	ck_assert(!points[HOST].lacks[PATH_DIRECTION_FROM_GUEST]);
	ck_assert(defects_hide(&scene, HOST, PATH_DIRECTION_TO_GUEST,
	                       TRAFFIC_ICMP, START, START));
	ck_assert(!hides(HOST, TRAFFIC_ICMP, 0));
}
END_TEST

/* Requests that nobody answers prove no answer. */
START_TEST(silence_is_no_lacking_direction)
{
	set_up();
	for (int64_t s = 1; s < END_S; s++) {
		struct packet p = {
			.kind = PACKET_KIND_TCP,
			.ip_proto = IP_PROTO_TCP,
			.src_port = (uint16_t)(40000 + s),
			.dst_port = 80,
			.tcp = { .flags = TCP_FLAG_SYN },
		};

		transmit(EVERYWHERE, s * S, p, "10.0.0.1", "10.0.0.2");
		transmit(EVERYWHERE, s * S + 200 * MS, p, "10.0.0.1",
		         "10.0.0.2");
	}
	find();
	ck_assert(!points[HOST].lacks[PATH_DIRECTION_TO_GUEST]);
	ck_assert(!points[VM].lacks[PATH_DIRECTION_TO_GUEST]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		whole_captures_hide_nothing,
		a_hole_at_the_host,
		a_hole_in_the_guest,
		what_need_not_pass_is_not_missed,
		a_siblings_unicast_is_not_missed,
		an_answered_request_is_missed,
		a_double_of_the_guest_is_not_missed,
		one_direction_is_lacking,
		silence_is_no_lacking_direction,
		NULL,
	};

	return run_tests("defects", tests);
}
