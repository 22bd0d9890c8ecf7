#include "correlate/relay_path.h"

#include <string.h>

#include "run_tests.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define START (INT64_C(1700000000) * S)

enum { VM, HOST };

/* A guest 10.0.2.15 and its host 192.168.1.9, whose clock is an hour behind; each
 * test runs in its own process. */
static const int64_t ahead_ns[2] = { 3600 * S, 0 };
static const char *const addresses[2] = { "10.0.2.15", "192.168.1.9" };
static const struct hints no_hints;
static struct observation points[2];
static struct scene scene = {
	.points = points,
	.n_points = 2,
	.hints = &no_hints,
};
static uint32_t number;

static void set_up(void)
{
	struct guest *g = &scene.guest;

	ck_assert(addr_parse(addresses[VM], &g->ips[g->n_ips++]));
	points[VM].role = CAPTURE_ROLE_VM;
	points[HOST].role = CAPTURE_ROLE_HOST;
}

static void transmit(int at, int64_t ts_ns, struct packet p, const char *src,
                     const char *dst)
{
	p.ip_version = 4;
	p.ts_ns = START + ts_ns + ahead_ns[at];
	p.ip_id = (uint16_t)++number;
	p.has_eth_src = true;
	p.has_eth_dst = true;
	ck_assert(addr_parse(src, &p.src));
	ck_assert(addr_parse(dst, &p.dst));
	p.eth_src = (struct mac){ { 2, 0, 0, 0, 0, p.src.s6_addr[15] } };
	p.eth_dst = (struct mac){ { 2, 0, 0, 0, 0, p.dst.s6_addr[15] } };
	point_feed(&points[at].track, &p);
}

/* @from_client: what it sends, from its @at-th byte on; nobody has seen more */
static void segment(int at, int64_t ts_ns, const char *server, uint16_t port,
                    bool from_client, uint8_t flags, const char *bytes)
{
	uint32_t first = 1000u * port + (unsigned int)at;
	bool is_syn = flags & TCP_FLAG_SYN;
	struct packet p = {
		.kind = PACKET_KIND_TCP,
		.ip_proto = IP_PROTO_TCP,
		.src_port = from_client ? port : 443,
		.dst_port = from_client ? 443 : port,
		.tcp = { .seq = first + !is_syn,
		         .ack = flags & TCP_FLAG_ACK ? first + 1 : 0,
		         .flags = flags },
	};

	if (bytes) {
		p.payload = cursor_of((const uint8_t *)bytes, strlen(bytes));
		p.payload_len = (uint32_t)strlen(bytes);
	}
	transmit(at, ts_ns, p, from_client ? addresses[at] : server,
	         from_client ? server : addresses[at]);
}

/* A connection at one side, answered after @wait_ns; without @bytes none pass */
static void connect_at(int at, int64_t ts_ns, const char *server, uint16_t port,
                       int64_t wait_ns, const char *bytes)
{
	segment(at, ts_ns, server, port, true, TCP_FLAG_SYN, NULL);
	segment(at, ts_ns + wait_ns, server, port, false,
	        TCP_FLAG_SYN | TCP_FLAG_ACK, NULL);
	if (!bytes)
		return;
	segment(at, ts_ns + 30 * MS, server, port, true, TCP_FLAG_ACK, bytes);
	segment(at, ts_ns + 30 * MS + wait_ns, server, port, false,
	        TCP_FLAG_ACK, bytes);
}

/* At both sides, as a relay has it: the host asks 1 ms later */
static void relayed(int64_t ts_ns, const char *server, uint16_t port,
                    const char *bytes)
{
	connect_at(VM, ts_ns, server, port, 12 * MS, bytes);
	connect_at(HOST, ts_ns + MS, server, port + 1000, 10 * MS, bytes);
}

static void query(int at, int64_t ts_ns, const char *resolver, uint16_t id,
                  uint64_t name)
{
	struct packet p = {
		.kind = PACKET_KIND_UDP,
		.ip_proto = IP_PROTO_UDP,
		.src_port = (uint16_t)(40000 + id % 1000),
		.dst_port = PORT_DNS,
		.dns = { .valid = true,
		         .id = id,
		         .type = 1,
		         .name_hash = name },
	};

	transmit(at, ts_ns, p, addresses[at], resolver);
}

static const struct try *try_at(int at, uint32_t i)
{
	ck_assert_uint_gt(points[at].track.flows.n_tries, i);
	return &points[at].track.flows.tries[i];
}

START_TEST(the_same_bytes_twice)
{
	set_up();
	relayed(0, "198.51.100.1", 5001, "a long secret that nobody repeats");
	relayed(S, "198.51.100.2", 5002, "another long secret of its own");
	relayed(2 * S, "198.51.100.1", 5003, NULL);
	relay_find(&scene);
	ck_assert(points[HOST].relayed);
	ck_assert(!points[VM].relayed);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(try_at(VM, i)->key, try_at(HOST, i)->key);
		ck_assert(relay_repeats(&scene, VM, try_at(VM, i)->flow));
	}
	ck_assert(!relay_is_reversed(&scene));
}
END_TEST

START_TEST(many_for_the_same_servers)
{
	set_up();
	relayed(0, "198.51.100.1", 5001, NULL);
	relayed(700 * MS, "198.51.100.2", 5002, NULL);
	relayed(1900 * MS, "198.51.100.3", 5003, NULL);
	relay_find(&scene);
	ck_assert(points[HOST].relayed);
}
END_TEST

START_TEST(two_may_be_an_accident)
{
	set_up();
	relayed(0, "198.51.100.1", 5001, NULL);
	relayed(700 * MS, "198.51.100.2", 5002, NULL);
	relay_find(&scene);
	ck_assert(!points[HOST].relayed);
	ck_assert_uint_ne(try_at(VM, 0)->key, try_at(HOST, 0)->key);
}
END_TEST

START_TEST(a_page_that_both_fetch)
{
	static const char page[] = "GET / HTTP/1.1\r\nHost: example\r\n";

	set_up();
	connect_at(VM, 0, "198.51.100.1", 5001, 12 * MS, page);
	connect_at(HOST, 5 * S, "198.51.100.1", 6001, 10 * MS, page);
	for (uint16_t i = 0; i < 4; i++)
		connect_at(VM, i * S, "198.51.100.2", 5002 + i, 12 * MS, NULL);
	relay_find(&scene);
	ck_assert(!points[HOST].relayed);
}
END_TEST

/* The host shows three of nine: it has connections of its own, no more. */
START_TEST(most_must_be_there)
{
	char server[] = "198.51.100.1";

	set_up();
	for (uint16_t i = 0; i < 9; i++) {
		server[sizeof(server) - 2] = (char)('1' + i);
		connect_at(VM, i * S, server, 5001 + i, 12 * MS, NULL);
		if (i % 3 == 0)
			connect_at(HOST, i * S + MS, server, 6001 + i, 10 * MS,
			           NULL);
	}
	relay_find(&scene);
	ck_assert(!points[HOST].relayed);
}
END_TEST

START_TEST(other_bytes_are_others)
{
	set_up();
	for (uint16_t i = 0; i < 4; i++) {
		int64_t ts_ns = i * i * 400 * MS;

		connect_at(VM, ts_ns, "198.51.100.1", 5001 + i, 12 * MS,
		           "what the guest says, and more of it");
		connect_at(HOST, ts_ns + MS, "198.51.100.1", 6001 + i, 10 * MS,
		           "what the host says, and more of it");
	}
	relay_find(&scene);
	ck_assert(!points[HOST].relayed);
}
END_TEST

START_TEST(names_by_another_resolver)
{
	set_up();
	for (uint16_t i = 0; i < 3; i++) {
		query(VM, i * S, "10.0.2.3", 100 + i, 7000 + i);
		query(HOST, i * S + MS, "192.168.1.1", 100 + i, 7000 + i);
	}
	/* One that got another number, and one that the host asks for itself */
	query(VM, 4 * S, "10.0.2.3", 104, 7004);
	query(HOST, 4 * S + MS, "192.168.1.1", 9, 7004);
	query(HOST, 5 * S, "192.168.1.1", 10, 7005);
	relay_find(&scene);
	ck_assert(points[HOST].relayed);
	ck_assert_uint_eq(try_at(VM, 3)->key, try_at(HOST, 3)->key);
	ck_assert_uint_ne(try_at(VM, 3)->key, try_at(HOST, 4)->key);
}
END_TEST

/* A packet that is there as it is: no relay, whatever else looks like one */
START_TEST(a_bridge_is_no_relay)
{
	struct packet p = {
		.kind = PACKET_KIND_TCP,
		.ip_proto = IP_PROTO_TCP,
		.src_port = 5000,
		.dst_port = 80,
		.tcp = { .seq = 77, .flags = TCP_FLAG_SYN },
	};

	set_up();
	relayed(0, "198.51.100.1", 5001, "a long secret that nobody repeats");
	relayed(S, "198.51.100.2", 5002, "another long secret of its own");
	transmit(VM, 2 * S, p, addresses[VM], "198.51.100.9");
	number--;
	transmit(HOST, 2 * S + MS, p, addresses[HOST], "198.51.100.9");
	relay_find(&scene);
	ck_assert(!points[HOST].relayed);
}
END_TEST

START_TEST(exchanged_files)
{
	set_up();
	relayed(0, "198.51.100.1", 5001, "a long secret that nobody repeats");
	relayed(S, "198.51.100.2", 5002, "another long secret of its own");
	relayed(2 * S, "198.51.100.3", 5003,
	        "and a third, as long as the others");
	ck_assert(!relay_is_reversed(&scene));
	points[VM].role = CAPTURE_ROLE_HOST;
	points[HOST].role = CAPTURE_ROLE_VM;
	ck_assert(relay_is_reversed(&scene));
}
END_TEST

/* A connection for @port of the machine at @at, whose client has this address
 * there; both say @bytes */
static void accept_at(int at, int64_t ts_ns, const char *client,
                      uint16_t client_port, uint16_t port, int64_t wait_ns,
                      const char *bytes)
{
	uint32_t first = 1000u * client_port + (unsigned int)at;
	struct packet p = {
		.kind = PACKET_KIND_TCP,
		.ip_proto = IP_PROTO_TCP,
		.src_port = client_port,
		.dst_port = port,
		.tcp = { .seq = first, .flags = TCP_FLAG_SYN },
	};
	struct packet answer = p;

	answer.src_port = port;
	answer.dst_port = client_port;
	answer.tcp.ack = first + 1;
	answer.tcp.flags = TCP_FLAG_SYN | TCP_FLAG_ACK;
	transmit(at, ts_ns, p, client, addresses[at]);
	transmit(at, ts_ns + wait_ns, answer, addresses[at], client);
	p.tcp = (struct tcp_header){ .seq = first + 1,
		                     .ack = first + 1,
		                     .flags = TCP_FLAG_ACK };
	p.payload = cursor_of((const uint8_t *)bytes, strlen(bytes));
	p.payload_len = (uint32_t)strlen(bytes);
	answer.payload = p.payload;
	answer.payload_len = p.payload_len;
	answer.tcp = p.tcp;
	transmit(at, ts_ns + 30 * MS, p, client, addresses[at]);
	transmit(at, ts_ns + 30 * MS + wait_ns, answer, addresses[at], client);
}

/* One of two clients of the host, and the relay that asks the guest 1 ms later */
static void forwarded(int64_t ts_ns, uint16_t client_port, uint16_t host_port,
                      uint16_t guest_port, const char *bytes)
{
	accept_at(HOST, ts_ns,
	          client_port % 2 ? "192.168.1.77" : "192.168.1.78",
	          client_port, host_port, 12 * MS, bytes);
	accept_at(VM, ts_ns + MS, "10.0.2.2", client_port + 1000, guest_port,
	          10 * MS, bytes);
}

START_TEST(ports_that_are_forwarded)
{
	static const char page[] = "GET / HTTP/1.1\r\nHost: example\r\n";

	set_up();
	forwarded(0, 5001, 2222, 22, "a long secret that nobody repeats");
	forwarded(S, 5002, 8080, 80, page);
	forwarded(1700 * MS, 5003, 8080, 80, page);
	/* Of the host itself, and one that the NAT has of the guest itself */
	accept_at(HOST, 1900 * MS, "192.168.1.77", 5004, 80, MS, page);
	accept_at(VM, 9 * S, "10.0.2.2", 5005, 80, MS, page);
	relay_find(&scene);
	ck_assert(points[HOST].relayed);
	ck_assert(points[HOST].forwards_only);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(try_at(VM, i)->key, try_at(HOST, i)->key);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_uint_ne(try_at(VM, 3)->key, try_at(HOST, i)->key);
	ck_assert(!relay_is_reversed(&scene));
}
END_TEST

START_TEST(pages_that_all_look_alike)
{
	static const char page[] = "GET / HTTP/1.1\r\nHost: example\r\n";

	set_up();
	for (int64_t i = 0; i < 4; i++)
		forwarded(i * i * 700 * MS, (uint16_t)(5001 + i), 8080, 80,
		          page);
	relay_find(&scene);
	ck_assert(points[HOST].relayed);
}
END_TEST

/* Once a second, always the same: which is which is not known. */
START_TEST(a_page_by_the_clock)
{
	static const char page[] = "GET / HTTP/1.1\r\nHost: example\r\n";

	set_up();
	for (int64_t i = 0; i < 5; i++)
		forwarded(i * S, (uint16_t)(5001 + i), 8080, 80, page);
	relay_find(&scene);
	ck_assert(!points[HOST].relayed);
}
END_TEST

START_TEST(other_machines_serve_the_same_pages)
{
	static const char page[] = "GET / HTTP/1.1\r\nHost: example\r\n";

	set_up();
	for (int64_t i = 0; i < 5; i++) {
		uint16_t port = (uint16_t)(5001 + i);

		accept_at(HOST, i * i * 700 * MS, "192.168.1.77", port, 8080,
		          MS, page);
		accept_at(VM, i * 1100 * MS, "10.0.2.2", port, 80, MS, page);
	}
	relay_find(&scene);
	ck_assert(!points[HOST].relayed);
}
END_TEST

START_TEST(exchanged_files_of_forwarded_ports)
{
	set_up();
	forwarded(0, 5001, 2222, 22, "a long secret that nobody repeats");
	forwarded(S, 5002, 2222, 22, "another long secret of its own");
	forwarded(2 * S, 5003, 2222, 22, "and a third, as long as the others");
	ck_assert(!relay_is_reversed(&scene));
	points[VM].role = CAPTURE_ROLE_HOST;
	points[HOST].role = CAPTURE_ROLE_VM;
	ck_assert(relay_is_reversed(&scene));
}
END_TEST

START_TEST(nothing_at_all)
{
	set_up();
	relay_find(&scene);
	ck_assert(!points[HOST].relayed);
	ck_assert(!relay_is_reversed(&scene));
	connect_at(VM, 0, "198.51.100.1", 5001, MS, NULL);
	relay_find(&scene);
	ck_assert(!points[HOST].relayed);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_same_bytes_twice,
		many_for_the_same_servers,
		two_may_be_an_accident,
		a_page_that_both_fetch,
		most_must_be_there,
		other_bytes_are_others,
		names_by_another_resolver,
		a_bridge_is_no_relay,
		exchanged_files,
		ports_that_are_forwarded,
		pages_that_all_look_alike,
		a_page_by_the_clock,
		other_machines_serve_the_same_pages,
		exchanged_files_of_forwarded_ports,
		nothing_at_all,
		NULL,
	};

	return run_tests("relay", tests);
}
