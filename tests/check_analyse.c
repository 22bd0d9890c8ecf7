#include "correlate/analyse.h"

#include "capture_file.h"
#include "run_tests.h"

#define US INT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)
#define START_S INT64_C(1700000000)
#define END_MS 20000

#define TCP_SYN 0x02
#define TCP_RST_ACK 0x14
#define TCP_SYN_ACK 0x12
#define ECHO_REQUEST 8
#define ECHO_REPLY 0
#define ARP_REQUEST 1
#define ARP_REPLY 2

/* Where a frame is seen: in the guest, and at up to three points of the host */
#define AT_VM 1u
#define AT_PORT 2u
#define AT_BRIDGE 4u
#define AT_UPLINK 8u
#define AT_HOST (AT_PORT | AT_BRIDGE | AT_UPLINK)
#define EVERYWHERE (AT_VM | AT_HOST)

struct machine {
	uint8_t mac;
	uint8_t ip[4];
};

static const struct machine guest = { 1, { 10, 0, 0, 1 } };
static const struct machine outside = { 9, { 198, 51, 100, 7 } };
static const struct machine stranger = { 4, { 10, 0, 0, 4 } };
/* On the guest's link; behind its gateway where there is NAT */
static struct machine server = { 2, { 10, 0, 0, 2 } };
static struct machine other = { 3, { 10, 0, 0, 3 } };

/* What the host's capture is: of a bridge, of "any", beyond NAT, of "any" on both
 * sides of NAT */
enum host_capture { HOST_BRIDGE, HOST_ANY, HOST_NAT, HOST_ANY_NAT };

struct record {
	int64_t ts_ns;
	unsigned int n;
	uint8_t bytes[128];
};

struct tape {
	struct record records[4096];
	size_t n;
};

/* The incident under construction; each test runs in its own process. */
static struct tape tapes[2];
static enum host_capture host_capture;
static int64_t guest_ahead_ns = 2500 * MS;
static struct incident *in;

static void add(struct record *r, unsigned int n, const uint8_t *bytes)
{
	ck_assert_uint_le(r->n + n, sizeof(r->bytes));
	memcpy(r->bytes + r->n, bytes, n);
	r->n += n;
}

#define ADD(r, ...)                                                            \
	add(r, sizeof((uint8_t[]){ __VA_ARGS__ }), (uint8_t[]){ __VA_ARGS__ })
#define BE16(n) (uint8_t)((n) >> 8), (uint8_t)(n)
#define BE32(n) BE16((n) >> 16), BE16(n)
#define MAC(n) 2, 0, 0, 0, 0, (n)

static bool is_any(void)
{
	return host_capture == HOST_ANY || host_capture == HOST_ANY_NAT;
}

static bool is_nat(void)
{
	return host_capture == HOST_NAT || host_capture == HOST_ANY_NAT;
}

#define EVERYBODY 255 /* as the last byte of a MAC */

static void add_link(struct record *r, uint32_t ifindex, uint8_t src,
                     uint8_t dst, uint16_t type)
{
	if (ifindex) {
		ADD(r, BE16(type), 0, 0, BE32(ifindex), BE16(1),
		    dst == EVERYBODY, 6, MAC(src), 0, 0);
		return;
	}
	if (dst == EVERYBODY)
		ADD(r, 255, 255, 255, 255, 255, 255);
	else
		ADD(r, MAC(dst));
	ADD(r, MAC(src), BE16(type));
}

static struct record *new_record(enum capture_role role, int64_t ts_ns)
{
	struct tape *tape = &tapes[role];
	struct record *r = &tape->records[tape->n++];

	ck_assert_uint_lt(tape->n, sizeof(tape->records) / sizeof(*r));
	*r = (struct record){ .ts_ns = START_S * S + ts_ns };
	if (role == CAPTURE_ROLE_VM)
		r->ts_ns += guest_ahead_ns;
	return r;
}

struct message {
	const struct machine *src;
	const struct machine *dst;
	bool broadcast;
	uint8_t proto; /* 0: ARP */
	uint16_t ip_id;
	const uint8_t *body;
	unsigned int n;
};

/* NAT changes the guest's address and its port or echo id, and counts TTL. */
static void add_translated(struct record *r, uint32_t ifindex,
                           const struct message *m)
{
	bool from_guest = m->src == &guest;
	unsigned int at = from_guest ? 0 : 2;
	const struct machine *src = from_guest ? &outside : m->src;
	const struct machine *dst = m->dst == &guest ? &outside : m->dst;

	unsigned int ports;

	add_link(r, ifindex, src->mac, dst->mac, 0x800);
	ports = r->n + 20;
	ADD(r, 0x45, 0, BE16(20 + m->n), BE16(m->ip_id), 0x40, 0,
	    from_guest ? 63 : 64, m->proto, 0, 0);
	add(r, 4, src->ip);
	add(r, 4, dst->ip);
	add(r, m->n, m->body);
	if (m->proto == 1)
		at = 4;
	if (from_guest || m->dst == &guest)
		r->bytes[ports + at] ^= 0x55;
}

static void add_frame(struct record *r, uint32_t ifindex,
                      const struct message *m)
{
	add_link(r, ifindex, m->src->mac,
	         m->broadcast ? EVERYBODY : m->dst->mac,
	         m->proto ? 0x800 : 0x806);
	if (m->proto) {
		ADD(r, 0x45, 0, BE16(20 + m->n), BE16(m->ip_id), 0x40, 0,
		    m->dst == &guest && is_nat() ? 63 : 64, m->proto, 0, 0);
		add(r, 4, m->src->ip);
		add(r, 4, m->dst->ip);
	}
	add(r, m->n, m->body);
}

/* From the guest's port outwards 200 us, and 10 us more to each next point */
static void transmit(unsigned int at, int64_t ms, const struct message *m)
{
	static const uint32_t ifindex[] = { 5, 3, 2 };
	bool from_guest = m->src == &guest;
	int64_t ts_ns = ms * MS;

	if (at & AT_VM)
		add_frame(new_record(CAPTURE_ROLE_VM,
		                     ts_ns + (from_guest ? 0 : 250 * US)),
		          0, m);
	for (unsigned int i = 0; i < 3; i++) {
		int64_t travel_us = from_guest ? 200 + 10 * i : 20 - 10 * i;
		struct record *r;

		if (!(at & AT_PORT << i))
			continue;
		r = new_record(CAPTURE_ROLE_HOST, ts_ns + travel_us * US);
		if (is_nat() && (i == 2 || !is_any()))
			add_translated(r, is_any() ? ifindex[i] : 0, m);
		else
			add_frame(r, is_any() ? ifindex[i] : 0, m);
		if (!is_any())
			return;
	}
}

static uint16_t next_ip_id(void)
{
	static uint16_t id;

	return ++id;
}

static void send_echo(unsigned int at, int64_t ms, uint8_t type,
                      const struct machine *src, const struct machine *dst,
                      uint16_t seq)
{
	const uint8_t body[] = { type, 0, 0, 0, 0, 7, BE16(seq), 1, 2, 3, 4 };

	transmit(at, ms,
	         &(struct message){ src, dst, false, 1, next_ip_id(), body,
	                            sizeof(body) });
}

static void send_tcp(unsigned int at, int64_t ms, const struct machine *src,
                     uint16_t src_port, const struct machine *dst,
                     uint16_t dst_port, uint8_t flags)
{
	const uint8_t body[] = { BE16(src_port),
		                 BE16(dst_port),
		                 BE32(flags == TCP_SYN ? 1000 : 5000),
		                 BE32(flags == TCP_SYN ? 0 : 1001),
		                 0x50,
		                 flags,
		                 BE16(512),
		                 0,
		                 0,
		                 0,
		                 0 };

	transmit(at, ms,
	         &(struct message){ src, dst, false, 6, next_ip_id(), body,
	                            sizeof(body) });
}

static void send_arp(unsigned int at, int64_t ms, uint8_t op,
                     const struct machine *src, const struct machine *dst)
{
	const uint8_t body[] = {
		BE16(1),
		BE16(0x800),
		6,
		4,
		BE16(op),
		MAC(src->mac),
		src->ip[0],
		src->ip[1],
		src->ip[2],
		src->ip[3],
		MAC(op == ARP_REPLY ? dst->mac : 0),
		dst->ip[0],
		dst->ip[1],
		dst->ip[2],
		dst->ip[3],
	};

	transmit(at, ms,
	         &(struct message){ src, dst, op == ARP_REQUEST, 0, 0, body,
	                            sizeof(body) });
}

/* The guest pings two machines each second, and they answer. */
static void pings_work(void)
{
	send_echo(EVERYWHERE, -100, ECHO_REQUEST, &other, &stranger, 0);
	for (uint16_t i = 0; i < END_MS / 1000; i++) {
		int64_t ms = i * 1000;

		send_echo(EVERYWHERE, ms, ECHO_REQUEST, &guest, &server, i);
		send_echo(EVERYWHERE, ms + 2, ECHO_REPLY, &server, &guest, i);
		send_echo(EVERYWHERE, ms + 500, ECHO_REQUEST, &guest, &other,
		          i);
		send_echo(EVERYWHERE, ms + 502, ECHO_REPLY, &other, &guest, i);
	}
	send_echo(EVERYWHERE, END_MS, ECHO_REQUEST, &other, &stranger, 0);
}

static void connection_works(unsigned int at, int64_t ms,
                             const struct machine *src,
                             const struct machine *dst, uint16_t port)
{
	send_tcp(at, ms, src, 50000, dst, port, TCP_SYN);
	send_tcp(at, ms + 1, dst, port, src, 50000, TCP_SYN_ACK);
}

/* What makes the loss of a connection visible: pings work, and so do other
 * connections. */
static void all_else_works(void)
{
	pings_work();
	connection_works(EVERYWHERE, 1000, &guest, &other, 80);
	connection_works(AT_HOST, 9000, &stranger, &other, 80);
}

static int by_time(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return x->ts_ns < y->ts_ns ? -1 : x->ts_ns > y->ts_ns;
}

static struct capture *play(struct tape *tape, uint32_t linktype)
{
	qsort(tape->records, tape->n, sizeof(*tape->records), by_time);
	file.len = 0;
	pcap_header(NANOSECONDS, 4, linktype);
	for (size_t i = 0; i < tape->n; i++) {
		const struct record *r = &tape->records[i];

		PUT_U32S((uint32_t)(r->ts_ns / S), (uint32_t)(r->ts_ns % S),
		         r->n, r->n);
		strbuf_add(&file, (const char *)r->bytes, r->n);
	}
	return open_file();
}

static void analyse_captures(struct capture *host, struct capture *vm)
{
	const enum capture_role roles[] = { CAPTURE_ROLE_HOST,
		                            CAPTURE_ROLE_VM };

	in = analyse((struct capture *const[]){ host, vm }, roles, 2, NULL);
	capture_close(host);
	capture_close(vm);
}

static void analyse_tapes(void)
{
	analyse_captures(play(&tapes[CAPTURE_ROLE_HOST],
	                      is_any() ? LINKTYPE_LINUX_SLL2 : ETHERNET),
	                 play(&tapes[CAPTURE_ROLE_VM], ETHERNET));
}

static const struct fact *find_fact(enum fact_kind kind, uint16_t port)
{
	const struct fact *found = NULL;

	for (size_t i = 0; i < facts_count(in->facts); i++) {
		const struct fact *f = facts_get(in->facts, i);

		if (f->kind != kind)
			continue;
		if (port && fact_get(f, FIELD_SERVER_PORT).lo != port)
			continue;
		ck_assert_msg(!found, "two facts where one was expected");
		found = f;
	}
	return found;
}

static int64_t number(const struct fact *f, enum field field)
{
	struct value v = fact_get(f, field);

	ck_assert_int_eq(v.state, VALUE_KNOWN);
	ck_assert_int_eq(v.lo, v.hi);
	return v.lo;
}

static void expect_unknown(const struct fact *f, enum field field)
{
	ck_assert_int_eq(fact_get(f, field).state, VALUE_UNKNOWN);
}

static const struct fact *expect_fact(enum fact_kind kind, uint16_t port,
                                      enum outcome outcome, int64_t tries)
{
	const struct fact *f = find_fact(kind, port);

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(number(f, FIELD_OUTCOME), outcome);
	ck_assert_int_eq(number(f, FIELD_TRIES), tries);
	return f;
}

/* @before: NULL where there is no further point */
static void expect_lost(const struct fact *f, enum lost_leg leg,
                        enum place place, enum path_direction direction,
                        const char *after, const char *before)
{
	ck_assert_int_eq(number(f, FIELD_LOST_LEG), leg);
	ck_assert_int_eq(number(f, FIELD_LOST_PLACE), place);
	ck_assert_int_eq(number(f, FIELD_DIRECTION), direction);
	ck_assert_str_eq(f->after, after);
	if (before)
		ck_assert_str_eq(f->before, before);
	else
		ck_assert_ptr_null(f->before);
}

static void expect_no_failure(void)
{
	for (size_t i = 0; i < facts_count(in->facts); i++) {
		const struct fact *f = facts_get(in->facts, i);

		if (FACT_KIND_BIT(f->kind) & FACT_KINDS_EXCHANGE)
			ck_assert_int_eq(number(f, FIELD_OUTCOME),
			                 OUTCOME_WORKED);
	}
}

static const struct incident_checked *checked(const char *what)
{
	for (size_t i = 0; i < in->n_checked; i++)
		if (strcmp(in->checked[i].what, what) == 0)
			return &in->checked[i];
	ck_abort_msg("nothing checked of %s", what);
}

/* A client sends a SYN four times, as clients do. */
static void syns(unsigned int at, const struct machine *src,
                 const struct machine *dst, uint16_t port)
{
	static const int64_t ms[] = { 5100, 6100, 8100, 12100 };

	for (size_t i = 0; i < 4; i++)
		send_tcp(at, ms[i], src, 40000, dst, port, TCP_SYN);
}

static void syns_answered(unsigned int at, const struct machine *src,
                          const struct machine *dst, uint16_t port,
                          unsigned int answer_at)
{
	static const int64_t ms[] = { 5101, 6101, 8101, 12101 };

	syns(at, src, dst, port);
	for (size_t i = 0; i < 4; i++)
		send_tcp(answer_at, ms[i], dst, port, src, 40000, TCP_SYN_ACK);
}

/* The guest's peers are somewhere else, its gateway's MAC stands for them. */
static void behind_nat(enum host_capture capture)
{
	host_capture = capture;
	server = (struct machine){ 254, { 192, 0, 2, 2 } };
	other = (struct machine){ 254, { 203, 0, 113, 3 } };
	all_else_works();
}

START_TEST(all_works_on_a_bridge)
{
	all_else_works();
	send_arp(EVERYWHERE, 100, ARP_REQUEST, &guest, &server);
	send_arp(EVERYWHERE, 101, ARP_REPLY, &server, &guest);
	analyse_tapes();
	expect_no_failure();
	ck_assert_int_eq(in->nics[0].mode, NETWORK_MODE_BRIDGED);
	ck_assert_uint_eq(in->nics[0].mac.bytes[5], guest.mac);
	ck_assert_uint_eq(in->from_guest.both, 42);
	ck_assert_uint_eq(in->to_guest.both, 42);
	ck_assert_uint_eq(in->from_guest.lost + in->to_guest.lost, 0);
	ck_assert_uint_eq(checked("pings of the guest")->tried, 40);
	ck_assert_uint_eq(checked("pings of the guest")->worked, 40);
	expect_fact(FACT_KIND_ARP, 0, OUTCOME_WORKED, 1);
	expect_fact(FACT_KIND_TCP, 80, OUTCOME_WORKED, 1);
	incident_free(in);
	in = NULL;
}
END_TEST

START_TEST(clocks_at_any_distance)
{
	static const int64_t ahead_ns[] = { 0, -3600 * S, (1 - START_S) * S,
		                            2000000000 * S };

	for (size_t i = 0; i < sizeof(ahead_ns) / sizeof(ahead_ns[0]); i++) {
		guest_ahead_ns = ahead_ns[i];
		tapes[0].n = tapes[1].n = 0;
		all_else_works();
		syns(AT_VM, &guest, &server, 443);
		analyse_tapes();
		ck_assert(in->clock.known);
		ck_assert_int_le(llabs(in->clock.offset_ns - guest_ahead_ns),
		                 in->clock.error_ns);
		ck_assert_int_lt(in->clock.error_ns, MS);
		expect_lost(expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4),
		            LOST_LEG_REQUEST, PLACE_GUEST_HOST_PATH,
		            PATH_DIRECTION_FROM_GUEST, "vm:0", "host:0");
		incident_free(in);
	}
}
END_TEST

START_TEST(request_lost_on_the_way_out)
{
	const struct fact *f;

	all_else_works();
	syns(AT_VM, &guest, &server, 443);
	analyse_tapes();
	f = expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4);
	expect_lost(f, LOST_LEG_REQUEST, PLACE_GUEST_HOST_PATH,
	            PATH_DIRECTION_FROM_GUEST, "vm:0", "host:0");
	ck_assert_int_eq(number(f, FIELD_SEEN_VM), 4);
	ck_assert_int_eq(number(f, FIELD_SEEN_HOST), 0);
	ck_assert_int_eq(number(f, FIELD_LOST_SPLIT), true);
	ck_assert_int_eq(number(f, FIELD_SPAN), 7 * S);
	ck_assert_int_eq(number(f, FIELD_CLIENT_IS_GUEST), true);
	ck_assert_uint_eq(in->from_guest.lost, 4);
}
END_TEST

START_TEST(answer_lost_on_the_way_in)
{
	const struct fact *f;

	all_else_works();
	syns_answered(EVERYWHERE, &guest, &server, 443, AT_HOST);
	analyse_tapes();
	f = expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4);
	expect_lost(f, LOST_LEG_REPLY, PLACE_GUEST_HOST_PATH,
	            PATH_DIRECTION_TO_GUEST, "host:0", "vm:0");
	ck_assert_int_eq(number(f, FIELD_ANSWERS_VM), 0);
	ck_assert_int_eq(number(f, FIELD_ANSWERS_HOST), 4);
	ck_assert_uint_eq(in->to_guest.lost, 4);
}
END_TEST

START_TEST(server_is_silent)
{
	const struct fact *f;

	all_else_works();
	syns(EVERYWHERE, &guest, &server, 443);
	analyse_tapes();
	f = expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4);
	expect_lost(f, LOST_LEG_RESPONDER, PLACE_BEYOND_HOST,
	            PATH_DIRECTION_FROM_GUEST, "host:0", NULL);
	ck_assert_int_eq(number(f, FIELD_SEEN_HOST), 4);
	ck_assert_int_eq(number(f, FIELD_SERVER_ALIVE), true);
}
END_TEST

START_TEST(server_refuses)
{
	const struct fact *f;

	all_else_works();
	for (uint16_t i = 0; i < 4; i++) {
		uint16_t port = (uint16_t)(40000 + i); /* a new connection */
		int64_t ms = 5100 + 2000 * i;

		send_tcp(EVERYWHERE, ms, &guest, port, &server, 443, TCP_SYN);
		send_tcp(EVERYWHERE, ms + 1, &server, 443, &guest, port,
		         TCP_RST_ACK);
	}
	analyse_tapes();
	f = expect_fact(FACT_KIND_TCP, 443, OUTCOME_REFUSED, 4);
	ck_assert_int_eq(number(f, FIELD_REFUSAL), REFUSAL_RESET);
	ck_assert_int_eq(number(f, FIELD_REFUSED_BY), PARTY_SERVER);
}
END_TEST

START_TEST(request_lost_on_the_way_in)
{
	const struct fact *f;

	all_else_works();
	syns(AT_HOST, &server, &guest, 22);
	analyse_tapes();
	f = expect_fact(FACT_KIND_TCP, 22, OUTCOME_FAILED, 4);
	expect_lost(f, LOST_LEG_REQUEST, PLACE_GUEST_HOST_PATH,
	            PATH_DIRECTION_TO_GUEST, "host:0", "vm:0");
	ck_assert_int_eq(number(f, FIELD_SERVER_IS_GUEST), true);
}
END_TEST

START_TEST(guest_is_silent)
{
	all_else_works();
	syns(EVERYWHERE, &server, &guest, 22);
	analyse_tapes();
	expect_lost(expect_fact(FACT_KIND_TCP, 22, OUTCOME_FAILED, 4),
	            LOST_LEG_RESPONDER, PLACE_GUEST, PATH_DIRECTION_TO_GUEST,
	            "vm:0", NULL);
}
END_TEST

START_TEST(answer_lost_on_the_way_out)
{
	all_else_works();
	syns_answered(EVERYWHERE, &server, &guest, 22, AT_VM);
	analyse_tapes();
	expect_lost(expect_fact(FACT_KIND_TCP, 22, OUTCOME_FAILED, 4),
	            LOST_LEG_REPLY, PLACE_GUEST_HOST_PATH,
	            PATH_DIRECTION_FROM_GUEST, "vm:0", "host:0");
}
END_TEST

START_TEST(arp_requests_that_never_reach_the_host)
{
	const struct fact *f;

	all_else_works();
	send_arp(AT_HOST, 3000, ARP_REQUEST, &stranger, &other);
	for (int64_t i = 0; i < 5; i++)
		send_arp(AT_VM, 5100 + 1000 * i, ARP_REQUEST, &guest,
		         &stranger);
	analyse_tapes();
	f = expect_fact(FACT_KIND_ARP, 0, OUTCOME_FAILED, 5);
	expect_lost(f, LOST_LEG_REQUEST, PLACE_GUEST_HOST_PATH,
	            PATH_DIRECTION_FROM_GUEST, "vm:0", "host:0");
	ck_assert_int_eq(fact_get(f, FIELD_SERVER_PORT).state, VALUE_ABSENT);
}
END_TEST

/* A filter has left no ARP in the guest's capture. */
START_TEST(arp_replies_that_the_guest_capture_lacks)
{
	all_else_works();
	for (int64_t i = 0; i < 5; i++) {
		send_arp(AT_HOST, 5100 + 1000 * i, ARP_REQUEST, &guest,
		         &stranger);
		send_arp(AT_HOST, 5101 + 1000 * i, ARP_REPLY, &stranger,
		         &guest);
	}
	analyse_tapes();
	expect_no_failure();
}
END_TEST

/* They are all alike, and faster than some frames travel. */
START_TEST(repeated_arp_requests_are_told_apart)
{
	const struct fact *f;

	all_else_works();
	for (int64_t i = 0; i < 6; i++)
		send_arp(i == 3 ? AT_VM : EVERYWHERE, 5100 + 200 * i,
		         ARP_REQUEST, &guest, &stranger);
	analyse_tapes();
	f = expect_fact(FACT_KIND_ARP, 0, OUTCOME_FAILED, 6);
	ck_assert_int_eq(number(f, FIELD_SEEN_VM), 6);
	ck_assert_int_eq(number(f, FIELD_SEEN_HOST), 5);
}
END_TEST

START_TEST(near_the_end_nothing_is_decided)
{
	all_else_works();
	for (int64_t i = 0; i < 5; i++)
		send_tcp(AT_VM, END_MS - 900 + 100 * i, &guest, 40000, &server,
		         443, TCP_SYN);
	analyse_tapes();
	expect_no_failure();
	ck_assert_ptr_null(find_fact(FACT_KIND_TCP, 443));
	ck_assert_uint_eq(checked("TCP connections of the guest")->undecided,
	                  5);
}
END_TEST

START_TEST(two_tries_in_a_second_say_nothing)
{
	all_else_works();
	send_tcp(AT_VM, 5100, &guest, 40000, &server, 443, TCP_SYN);
	send_tcp(AT_VM, 6100, &guest, 40000, &server, 443, TCP_SYN);
	send_tcp(AT_VM, 5100, &guest, 40000, &server, 444, TCP_SYN);
	send_tcp(AT_VM, 7100, &guest, 40000, &server, 444, TCP_SYN);
	analyse_tapes();
	ck_assert_ptr_null(find_fact(FACT_KIND_TCP, 443));
	expect_fact(FACT_KIND_TCP, 444, OUTCOME_FAILED, 2);
}
END_TEST

/* Of one peer to whom nothing works, tries count together. */
START_TEST(a_few_tries_each_are_enough_together)
{
	static const struct machine absent = { 7, { 10, 0, 0, 7 } };

	all_else_works();
	for (uint16_t port = 443; port < 446; port++)
		send_tcp(EVERYWHERE, 5100, &guest, 40000, &absent, port,
		         TCP_SYN);
	analyse_tapes();
	expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 1);
	expect_fact(FACT_KIND_TCP, 445, OUTCOME_FAILED, 1);
}
END_TEST

START_TEST(a_few_tries_beside_what_works_say_nothing)
{
	all_else_works();
	connection_works(EVERYWHERE, 4000, &guest, &server, 80);
	for (uint16_t port = 443; port < 446; port++)
		send_tcp(AT_VM, 5100, &guest, 40000, &server, port, TCP_SYN);
	analyse_tapes();
	expect_no_failure();
	ck_assert_uint_eq(checked("TCP connections of the guest")->undecided,
	                  3);
}
END_TEST

/* The guest is asked and answers; what it asks itself is lost. */
static bool same_way(bool something_passes)
{
	struct in6_addr a, b;

	send_echo(EVERYWHERE, -100, ECHO_REQUEST, &other, &stranger, 0);
	for (uint16_t i = 0; i < END_MS / 1000; i++) {
		send_echo(EVERYWHERE, i * 1000, ECHO_REQUEST, &other, &guest,
		          i);
		send_echo(EVERYWHERE, i * 1000 + 2, ECHO_REPLY, &guest, &other,
		          i);
	}
	send_echo(EVERYWHERE, END_MS, ECHO_REQUEST, &other, &stranger, 0);
	connection_works(AT_HOST, 9000, &stranger, &other, 80);
	if (something_passes)
		connection_works(EVERYWHERE, 9000, &guest, &other, 80);
	syns(AT_VM, &guest, &server, 443);
	syns(AT_VM, &guest, &stranger, 444);
	analyse_tapes();
	a = fact_get(find_fact(FACT_KIND_TCP, 443), FIELD_LABEL_WAY).ip;
	b = fact_get(find_fact(FACT_KIND_TCP, 444), FIELD_LABEL_WAY).ip;
	return addr_equal(&a, &b);
}

START_TEST(where_nothing_passes_all_fails_on_one_way)
{
	ck_assert(same_way(false));
}
END_TEST

START_TEST(where_something_passes_each_peer_is_a_way)
{
	ck_assert(!same_way(true));
}
END_TEST

START_TEST(what_the_host_never_shows_is_not_lost_there)
{
	const struct fact *f;

	pings_work(); /* and not one connection */
	syns(AT_VM, &guest, &server, 443);
	analyse_tapes();
	f = expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4);
	expect_unknown(f, FIELD_LOST_LEG);
	expect_unknown(f, FIELD_LOST_PLACE);
	expect_unknown(f, FIELD_DIRECTION);
	ck_assert_int_eq(fact_get(f, FIELD_SEEN_HOST).lo, 0);
	ck_assert_int_eq(fact_get(f, FIELD_SEEN_HOST).hi, VALUE_MAX);
	ck_assert_uint_eq(in->blind.n, 1);
	ck_assert_ptr_nonnull(
		strstr(in->blind.items[0], " shows no TCP at all, of which "));
	ck_assert_ptr_nonnull(strstr(in->blind.items[0],
	                             " has 4 frames: a filter left it out, or "
	                             "none came there"));
}
END_TEST

/* The port shows no TCP, the points past it do: it may be lost on either side. */
START_TEST(a_gap_with_a_blind_point_has_no_place)
{
	const struct fact *f;

	host_capture = HOST_ANY;
	pings_work();
	connection_works(AT_BRIDGE | AT_UPLINK, 2000, &other, &server, 80);
	connection_works(AT_BRIDGE | AT_UPLINK, 9000, &other, &server, 80);
	syns(AT_VM, &guest, &server, 443);
	analyse_tapes();
	f = expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4);
	ck_assert_int_eq(number(f, FIELD_LOST_LEG), LOST_LEG_REQUEST);
	expect_unknown(f, FIELD_LOST_PLACE);
}
END_TEST

/* One answers pings, past the host's point; of the other nothing is known. */
START_TEST(who_is_not_behind_the_host_is_not_lost_there)
{
	static const struct machine unknown = { 7, { 10, 0, 0, 7 } };

	all_else_works();
	send_echo(AT_VM, 3100, ECHO_REQUEST, &guest, &stranger, 1);
	send_echo(AT_VM, 3101, ECHO_REPLY, &stranger, &guest, 1);
	syns(AT_VM, &guest, &stranger, 443);
	syns(AT_VM, &guest, &unknown, 444);
	analyse_tapes();
	expect_unknown(expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4),
	               FIELD_LOST_PLACE);
	expect_unknown(expect_fact(FACT_KIND_TCP, 444, OUTCOME_FAILED, 4),
	               FIELD_LOST_PLACE);
}
END_TEST

START_TEST(a_host_capture_that_ends_early_shows_nothing_later)
{
	struct tape *host = &tapes[CAPTURE_ROLE_HOST];

	all_else_works();
	syns(AT_VM, &guest, &server, 443);
	for (size_t i = host->n; i-- > 0;) {
		if (host->records[i].ts_ns < (START_S + 4) * S)
			continue;
		host->records[i] = host->records[--host->n];
	}
	analyse_tapes();
	expect_unknown(expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4),
	               FIELD_LOST_PLACE);
}
END_TEST

START_TEST(one_ping_in_four_is_lost)
{
	all_else_works();
	for (uint16_t i = 0; i < 12; i++) {
		send_echo(EVERYWHERE, 1200 + 1000 * i, ECHO_REQUEST, &guest,
		          &stranger, i);
		if (i % 4)
			send_echo(EVERYWHERE, 1201 + 1000 * i, ECHO_REPLY,
			          &stranger, &guest, i);
	}
	analyse_tapes();
	ck_assert_uint_eq(checked("pings of the guest")->tried, 52);
	ck_assert_uint_eq(checked("pings of the guest")->worked, 49);
	for (size_t i = 0; i < facts_count(in->facts); i++) {
		const struct fact *f = facts_get(in->facts, i);

		if (f->kind != FACT_KIND_ICMP ||
		    number(f, FIELD_OUTCOME) == OUTCOME_WORKED)
			continue;
		ck_assert_int_eq(number(f, FIELD_OUTCOME),
		                 OUTCOME_INTERMITTENT);
		ck_assert_int_eq(number(f, FIELD_TRIES), 3);
		return;
	}
	ck_abort_msg("no intermittent exchange");
}
END_TEST

START_TEST(any_interface_copies_are_no_retransmissions)
{
	const struct fact *f;

	host_capture = HOST_ANY;
	all_else_works();
	syns(EVERYWHERE, &guest, &server, 443);
	analyse_tapes();
	ck_assert_uint_eq(in->captures[0].n_points, 3);
	f = expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4);
	ck_assert_int_eq(number(f, FIELD_SEEN_HOST), 4);
	ck_assert_int_eq(number(f, FIELD_SEEN_OUTERMOST), 4);
	expect_lost(f, LOST_LEG_RESPONDER, PLACE_BEYOND_HOST,
	            PATH_DIRECTION_FROM_GUEST, "host:0/2", NULL);
}
END_TEST

START_TEST(any_interface_splits_the_host)
{
	host_capture = HOST_ANY;
	all_else_works();
	syns(AT_VM | AT_PORT, &guest, &server, 443);
	syns_answered(EVERYWHERE, &guest, &server, 444, AT_UPLINK | AT_BRIDGE);
	analyse_tapes();
	expect_lost(expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4),
	            LOST_LEG_REQUEST, PLACE_HOST, PATH_DIRECTION_FROM_GUEST,
	            "host:0/5", "host:0/3");
	expect_lost(expect_fact(FACT_KIND_TCP, 444, OUTCOME_FAILED, 4),
	            LOST_LEG_REPLY, PLACE_HOST, PATH_DIRECTION_TO_GUEST,
	            "host:0/3", "host:0/5");
}
END_TEST

START_TEST(nat_is_seen_through)
{
	const struct fact *f;

	behind_nat(HOST_NAT);
	syns(EVERYWHERE, &guest, &server, 443);
	analyse_tapes();
	ck_assert_int_eq(in->nics[0].mode, NETWORK_MODE_NAT);
	ck_assert_uint_eq(in->from_guest.both, 45);
	ck_assert_uint_eq(in->to_guest.both, 41);
	ck_assert_uint_eq(in->from_guest.lost + in->to_guest.lost, 0);
	f = expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4);
	ck_assert_int_eq(number(f, FIELD_TRANSLATED), true);
	ck_assert_int_eq(number(f, FIELD_PRIVATE_SOURCE), false);
	ck_assert_int_eq(number(f, FIELD_SEEN_HOST), 4);
	ck_assert_int_eq(number(f, FIELD_SERVER_ON_LINK), false);
	expect_lost(f, LOST_LEG_RESPONDER, PLACE_BEYOND_HOST,
	            PATH_DIRECTION_FROM_GUEST, "host:0", NULL);
}
END_TEST

START_TEST(losses_in_nat)
{
	behind_nat(HOST_NAT);
	syns(AT_VM, &guest, &server, 443);
	syns_answered(EVERYWHERE, &guest, &server, 444, AT_HOST);
	analyse_tapes();
	expect_lost(expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4),
	            LOST_LEG_REQUEST, PLACE_NAT, PATH_DIRECTION_FROM_GUEST,
	            "vm:0", "host:0");
	expect_lost(expect_fact(FACT_KIND_TCP, 444, OUTCOME_FAILED, 4),
	            LOST_LEG_REPLY, PLACE_NAT, PATH_DIRECTION_TO_GUEST,
	            "host:0", "vm:0");
}
END_TEST

START_TEST(every_packet_is_accounted_for)
{
	all_else_works();
	send_echo(AT_VM, 3100, ECHO_REQUEST, &guest, &server, 100);
	send_echo(AT_HOST, 4100, ECHO_REQUEST, &other, &guest, 101);
	send_echo(AT_HOST, 5100, ECHO_REQUEST, &other, &guest, 102);
	send_echo(AT_HOST, 6100, ECHO_REQUEST, &other, &stranger, 103);
	analyse_tapes();
	ck_assert_uint_eq(in->from_guest.both, 41);
	ck_assert_uint_eq(in->from_guest.lost, 1);
	ck_assert_uint_eq(in->to_guest.both, 41);
	ck_assert_uint_eq(in->to_guest.lost, 2);
	ck_assert_uint_eq(in->from_guest.ambiguous + in->to_guest.ambiguous, 0);
	/* two pings and a connection that always are there, and that one */
	ck_assert_uint_eq(in->host_others, 5);
}
END_TEST

START_TEST(broadcasts_are_the_guests_if_they_get_there)
{
	all_else_works();
	send_arp(EVERYWHERE, 3100, ARP_REQUEST, &other, &guest);
	send_arp(EVERYWHERE, 5100, ARP_REQUEST, &other, &server);
	send_arp(AT_HOST, 7100, ARP_REQUEST, &other, &guest);
	send_arp(AT_HOST, 9100, ARP_REQUEST, &other, &server);
	analyse_tapes();
	ck_assert_uint_eq(in->to_guest.both, 43);
	ck_assert_uint_eq(in->to_guest.lost, 1);
	ck_assert_uint_eq(in->host_others, 5);
}
END_TEST

START_TEST(a_forwarded_port_is_the_guests)
{
	behind_nat(HOST_NAT);
	connection_works(EVERYWHERE, 3100, &other, &guest, 80);
	send_tcp(AT_HOST, 5100, &other, 40001, &guest, 80, TCP_SYN);
	send_tcp(AT_HOST, 7100, &other, 40002, &guest, 81, TCP_SYN);
	analyse_tapes();
	ck_assert_uint_eq(in->to_guest.both, 42);
	ck_assert_uint_eq(in->to_guest.lost, 1);
	ck_assert_uint_eq(in->host_others, 5);
}
END_TEST

/* The guest's capture ends early: what passes the host then is not lost. */
START_TEST(nothing_is_lost_where_a_capture_is_over)
{
	all_else_works();
	for (uint16_t i = 0; i < 5; i++) {
		send_echo(AT_HOST, END_MS + 500 + i * 100, ECHO_REQUEST, &other,
		          &guest, i);
		send_echo(AT_HOST, END_MS + 502 + i * 100, ECHO_REPLY, &guest,
		          &other, i);
	}
	analyse_tapes();
	ck_assert_uint_eq(in->to_guest.lost, 0);
	ck_assert_uint_eq(in->to_guest.both, 41);
}
END_TEST

/* Nothing says that it is over: it just has nothing more to show. */
START_TEST(what_the_guest_never_answers_is_lost_to_the_end)
{
	all_else_works();
	for (uint16_t i = 0; i < 5; i++)
		send_echo(AT_HOST, END_MS + 500 + i * 100, ECHO_REQUEST, &other,
		          &guest, i);
	analyse_tapes();
	ck_assert_uint_eq(in->to_guest.lost, 5);
}
END_TEST

/* The guest asked for it before the captures began. */
START_TEST(the_gateway_of_a_host_that_translates_is_the_host)
{
	const struct machine gateway = { 254, { 10, 0, 0, 2 } };

	behind_nat(HOST_ANY_NAT);
	send_arp(AT_VM | AT_PORT | AT_BRIDGE, 300, ARP_REQUEST, &stranger,
	         &guest);
	syns(AT_VM | AT_PORT | AT_BRIDGE, &guest, &gateway, 22);
	syns(EVERYWHERE, &guest, &server, 443);
	analyse_tapes();
	expect_lost(expect_fact(FACT_KIND_TCP, 22, OUTCOME_FAILED, 4),
	            LOST_LEG_RESPONDER, PLACE_HOST, PATH_DIRECTION_FROM_GUEST,
	            "host:0/3", NULL);
	expect_lost(expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4),
	            LOST_LEG_RESPONDER, PLACE_BEYOND_HOST,
	            PATH_DIRECTION_FROM_GUEST, "host:0/2", NULL);
}
END_TEST

START_TEST(a_router_that_stands_in_for_others_is_not_one_of_them)
{
	const struct machine proxied[] = { { 254, { 10, 0, 0, 2 } },
		                           { 254, { 10, 0, 0, 3 } } };

	behind_nat(HOST_ANY_NAT);
	send_arp(AT_VM | AT_PORT | AT_BRIDGE, 300, ARP_REQUEST, &stranger,
	         &guest);
	syns(AT_VM | AT_PORT | AT_BRIDGE, &guest, &proxied[0], 22);
	connection_works(AT_VM | AT_PORT | AT_BRIDGE, 2000, &guest, &proxied[1],
	                 23);
	analyse_tapes();
	ck_assert_int_ne(number(find_fact(FACT_KIND_TCP, 22), FIELD_LOST_PLACE),
	                 PLACE_HOST);
}
END_TEST

START_TEST(exchanged_captures_are_put_right)
{
	all_else_works();
	syns(AT_VM, &guest, &server, 443);
	analyse_captures(play(&tapes[CAPTURE_ROLE_VM], ETHERNET),
	                 play(&tapes[CAPTURE_ROLE_HOST], ETHERNET));
	ck_assert_int_eq(in->captures[0].role, CAPTURE_ROLE_VM);
	ck_assert_int_eq(number(find_fact(FACT_KIND_CAPTURE_PAIR, 0),
	                        FIELD_PAIR_SWAPPED),
	                 true);
	expect_lost(expect_fact(FACT_KIND_TCP, 443, OUTCOME_FAILED, 4),
	            LOST_LEG_REQUEST, PLACE_GUEST_HOST_PATH,
	            PATH_DIRECTION_FROM_GUEST, "vm:0", "host:0");
}
END_TEST

START_TEST(one_capture_twice)
{
	all_else_works();
	analyse_captures(play(&tapes[CAPTURE_ROLE_VM], ETHERNET),
	                 play(&tapes[CAPTURE_ROLE_VM], ETHERNET));
	ck_assert_int_eq(number(find_fact(FACT_KIND_CAPTURE_PAIR, 0),
	                        FIELD_PAIR_SAME_FILE),
	                 true);
}
END_TEST

/* Two taps on one cable: by chance they begin and end equally late. */
START_TEST(two_taps_are_not_one_capture)
{
	struct tape *tap = &tapes[CAPTURE_ROLE_HOST];

	all_else_works();
	*tap = tapes[CAPTURE_ROLE_VM];
	for (size_t i = 1; i + 1 < tap->n; i++)
		tap->records[i].ts_ns += (int64_t)(i % 5) * US;
	analyse_captures(play(tap, ETHERNET),
	                 play(&tapes[CAPTURE_ROLE_VM], ETHERNET));
	ck_assert_int_eq(number(find_fact(FACT_KIND_CAPTURE_PAIR, 0),
	                        FIELD_PAIR_SAME_FILE),
	                 false);
}
END_TEST

START_TEST(empty_captures)
{
	analyse_tapes();
	expect_no_failure();
	ck_assert(!in->clock.known);
	ck_assert_uint_eq(in->captures[0].n_points, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		all_works_on_a_bridge,
		clocks_at_any_distance,
		request_lost_on_the_way_out,
		answer_lost_on_the_way_in,
		server_is_silent,
		server_refuses,
		request_lost_on_the_way_in,
		guest_is_silent,
		answer_lost_on_the_way_out,
		arp_requests_that_never_reach_the_host,
		arp_replies_that_the_guest_capture_lacks,
		repeated_arp_requests_are_told_apart,
		near_the_end_nothing_is_decided,
		two_tries_in_a_second_say_nothing,
		a_few_tries_each_are_enough_together,
		a_few_tries_beside_what_works_say_nothing,
		where_nothing_passes_all_fails_on_one_way,
		where_something_passes_each_peer_is_a_way,
		what_the_host_never_shows_is_not_lost_there,
		a_gap_with_a_blind_point_has_no_place,
		who_is_not_behind_the_host_is_not_lost_there,
		a_host_capture_that_ends_early_shows_nothing_later,
		one_ping_in_four_is_lost,
		any_interface_copies_are_no_retransmissions,
		any_interface_splits_the_host,
		nat_is_seen_through,
		losses_in_nat,
		every_packet_is_accounted_for,
		broadcasts_are_the_guests_if_they_get_there,
		a_forwarded_port_is_the_guests,
		nothing_is_lost_where_a_capture_is_over,
		what_the_guest_never_answers_is_lost_to_the_end,
		the_gateway_of_a_host_that_translates_is_the_host,
		a_router_that_stands_in_for_others_is_not_one_of_them,
		exchanged_captures_are_put_right,
		one_capture_twice,
		two_taps_are_not_one_capture,
		empty_captures,
		NULL,
	};

	return run_tests("analyse", tests);
}
