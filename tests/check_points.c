/*
 * Points of a capture that are more than its interfaces: networks inside tunnels,
 * packets seen many times, packets that a capture says were dropped.
 */
#include "capture_file.h"
#include "correlate/analyse.h"
#include "run_tests.h"

#define US UINT64_C(1)
#define MS (1000 * US)
#define START (UINT64_C(1700000000) * 1000 * MS)
#define PINGS 24
#define DOUBLES (PINGS - 1) /* the edges of the captures count nowhere */

#define BE16(n) (uint8_t)((n) >> 8), (uint8_t)(n)
#define GUEST_MAC 2, 0, 0, 0, 0, 1
#define SERVER_MAC 0, 0x1b, 0x21, 0, 0, 2
#define GUEST_IP 10, 0, 0, 1
#define SERVER_IP 10, 0, 0, 2
#define PING_BYTES (14 + 20 + 8 + 4)
#define VXLAN_BYTES (14 + 20 + 8 + 8)

/* How a frame is written; zero is: plainly, at interface 0 */
struct how {
	uint32_t interface;
	uint64_t packet_id;
	bool dropped;
	uint8_t vni; /* inside this VXLAN; 0: none */
};

static struct incident *in;

static void put_bytes(size_t n, const uint8_t *bytes)
{
	strbuf_add(&file, (const char *)bytes, n);
}

#define PUT(...)                                                               \
	put_bytes(sizeof((uint8_t[]){ __VA_ARGS__ }),                          \
	          (uint8_t[]){ __VA_ARGS__ })

static void put_ping(uint16_t seq, bool reply)
{
	if (reply)
		PUT(GUEST_MAC, SERVER_MAC, 8, 0, 0x45, 0, 0, 32,
		    BE16(0x4000 + seq), 0, 0, 64, 1, 0, 0, SERVER_IP, GUEST_IP);
	else
		PUT(SERVER_MAC, GUEST_MAC, 8, 0, 0x45, 0, 0, 32,
		    BE16(0x1000 + seq), 0, 0, 64, 1, 0, 0, GUEST_IP, SERVER_IP);
	PUT(reply ? 0 : 8, 0, 0, 0, 0, 7, BE16(seq), 1, 2, 3, 4);
}

static void put_vxlan(uint8_t vni)
{
	PUT(0, 0x50, 0x56, 0, 0, 9, 0, 0x50, 0x56, 0, 0, 8, 8, 0, 0x45, 0,
	    BE16(20 + 16 + PING_BYTES), BE16(1), 0, 0, 64, 17, 0, 0, 172, 16, 0,
	    1, 172, 16, 0, 2, BE16(50000), BE16(4789), BE16(16 + PING_BYTES), 0,
	    0, 8, 0, 0, 0, 0, 0, vni, 0);
}

static void ping(uint64_t us, uint16_t seq, bool reply, struct how how)
{
	uint32_t n = PING_BYTES + (how.vni ? VXLAN_BYTES : 0);
	size_t start = begin_block(6);

	us += START;
	PUT_U32S(how.interface, (uint32_t)(us >> 32), (uint32_t)us, n, n);
	if (how.vni)
		put_vxlan(how.vni);
	put_ping(seq, reply);
	pad();
	if (how.packet_id)
		number_option(5, how.packet_id, 8);
	if (how.dropped)
		option(7, "\2\1\0\0\0\0\0\0\0", 9);
	end_block(start);
}

static void begin(void)
{
	file.len = 0;
	section();
	interface(ETHERNET);
	interface(ETHERNET);
}

/* The guest pings the server once in 500 ms; the guest's own view */
static struct capture *guest_file(bool answered)
{
	begin();
	for (uint16_t i = 0; i < PINGS; i++) {
		ping(i * 500 * MS, i, false, (struct how){ 0 });
		if (answered)
			ping(i * 500 * MS + 900 * US, i, true,
			     (struct how){ 0 });
	}
	return open_file();
}

/* The same at the host, all in one manner */
static void host_pings(struct how how)
{
	for (uint16_t i = 0; i < PINGS; i++) {
		ping(i * 500 * MS + 200 * US, i, false, how);
		ping(i * 500 * MS + 700 * US, i, true, how);
	}
}

static void analyse_both(struct capture *host, struct capture *vm)
{
	const enum capture_role roles[] = { CAPTURE_ROLE_HOST,
		                            CAPTURE_ROLE_VM };

	in = analyse((struct capture *const[]){ host, vm }, roles, 2, NULL);
	capture_close(host);
	capture_close(vm);
}

static const struct incident_point *point(size_t capture, const char *id)
{
	for (size_t i = 0; i < in->captures[capture].n_points; i++)
		if (strcmp(in->captures[capture].points[i].id, id) == 0)
			return &in->captures[capture].points[i];
	return NULL;
}

static int64_t number_of(enum fact_kind kind, enum field field)
{
	int64_t most = -1;

	for (size_t i = 0; i < facts_count(in->facts); i++) {
		const struct fact *f = facts_get(in->facts, i);
		struct value v = fact_get(f, field);

		if (f->kind == kind && v.state == VALUE_KNOWN && v.lo > most)
			most = v.lo;
	}
	return most;
}

START_TEST(each_network_in_a_tunnel_is_a_point)
{
	struct capture *vm = guest_file(true);

	begin();
	host_pings((struct how){ .vni = 5 });
	/* somebody with the same addresses, later, who is not the guest */
	for (uint16_t i = 0; i < 3; i++)
		ping(i * 500 * MS + 250 * MS, (uint16_t)(100 + i), false,
		     (struct how){ .vni = 6 });
	analyse_both(open_file(), vm);
	ck_assert_ptr_nonnull(point(0, "host:0"));
	ck_assert_ptr_nonnull(point(0, "host:0/vxlan5"));
	ck_assert_ptr_nonnull(point(0, "host:0/vxlan6"));
	ck_assert_str_eq(point(0, "host:0/vxlan5")->tunnel, "VXLAN 5");
	ck_assert_uint_eq(point(0, "host:0/vxlan5")->packets, 2 * PINGS);
	ck_assert_uint_eq(in->from_guest.both, PINGS);
	ck_assert_uint_eq(in->to_guest.both, PINGS);
	ck_assert_int_eq(in->nics[0].mode, NETWORK_MODE_BRIDGED);
	incident_free(in);
}
END_TEST

START_TEST(tunnels_are_opened_whichever_file_they_are_in)
{
	struct capture *said_host = guest_file(true);

	begin();
	host_pings((struct how){ .vni = 5 });
	analyse_both(said_host, open_file());
	ck_assert_uint_eq(in->from_guest.both, PINGS);
	ck_assert_ptr_nonnull(point(1, "host:0/vxlan5"));
	incident_free(in);
}
END_TEST

START_TEST(tunnels_of_the_guest_itself_stay_closed)
{
	struct capture *host;

	begin();
	host_pings((struct how){ 0 });
	host = open_file();
	begin();
	for (uint16_t i = 0; i < PINGS; i++) {
		ping(i * 500 * MS, i, false, (struct how){ 0 });
		ping(i * 500 * MS + 900 * US, i, true, (struct how){ 0 });
	}
	ping(1234 * MS, 999, false, (struct how){ .vni = 7 });
	analyse_both(host, open_file());
	ck_assert_uint_eq(in->captures[1].n_points, 1);
	incident_free(in);
}
END_TEST

/* The guest gets each answer twice, 300 us apart. */
static void answers_twice(struct how first, struct how second)
{
	struct capture *host;

	begin();
	host_pings((struct how){ 0 });
	host = open_file();
	begin();
	for (uint16_t i = 0; i < PINGS; i++) {
		first.packet_id += first.packet_id ? 1 : 0;
		second.packet_id += second.packet_id ? 1 : 0;
		ping(i * 500 * MS, i, false, (struct how){ 0 });
		ping(i * 500 * MS + 900 * US, i, true, first);
		ping(i * 500 * MS + 1200 * US, i, true, second);
	}
	analyse_both(host, open_file());
}

START_TEST(twice_at_one_point_is_delivered_twice)
{
	answers_twice((struct how){ 0 }, (struct how){ 0 });
	ck_assert_int_eq(number_of(FACT_KIND_NIC, FIELD_NIC_DOUBLED), DOUBLES);
	ck_assert_int_eq(number_of(FACT_KIND_NIC, FIELD_NIC_DOUBLED_PERCENT),
	                 100);
	incident_free(in);
}
END_TEST

START_TEST(one_packet_id_or_another_interface_is_a_copy)
{
	answers_twice((struct how){ .packet_id = 50 },
	              (struct how){ .packet_id = 50 });
	ck_assert_int_eq(number_of(FACT_KIND_NIC, FIELD_NIC_DOUBLED), 0);
	incident_free(in);
	answers_twice((struct how){ .packet_id = 50 },
	              (struct how){ .packet_id = 5000 });
	ck_assert_int_eq(number_of(FACT_KIND_NIC, FIELD_NIC_DOUBLED), DOUBLES);
	incident_free(in);
	answers_twice((struct how){ 0 }, (struct how){ .interface = 1 });
	ck_assert_int_eq(number_of(FACT_KIND_NIC, FIELD_NIC_DOUBLED), 0);
	incident_free(in);
}
END_TEST

/* The last half of the requests goes no further than the host's point. */
static const struct fact *half_dropped(bool marked)
{
	struct capture *vm;

	begin();
	for (uint16_t i = 0; i < PINGS; i++) {
		ping(i * 500 * MS, i, false, (struct how){ 0 });
		if (i < PINGS / 2)
			ping(i * 500 * MS + 900 * US, i, true,
			     (struct how){ 0 });
	}
	ping(PINGS * 500 * MS + 2000 * MS, 500, true, (struct how){ 0 });
	vm = open_file();
	begin();
	for (uint16_t i = 0; i < PINGS; i++) {
		bool lost = i >= PINGS / 2;

		ping(i * 500 * MS + 200 * US, i, false,
		     (struct how){ .dropped = lost && marked });
		if (!lost)
			ping(i * 500 * MS + 700 * US, i, true,
			     (struct how){ 0 });
	}
	ping(PINGS * 500 * MS + 2000 * MS, 500, true, (struct how){ 0 });
	analyse_both(open_file(), vm);
	for (size_t i = 0; i < facts_count(in->facts); i++) {
		const struct fact *f = facts_get(in->facts, i);

		if (f->kind == FACT_KIND_ICMP &&
		    fact_get(f, FIELD_OUTCOME).lo == OUTCOME_FAILED)
			return f;
	}
	ck_abort_msg("nothing failed");
	return NULL;
}

START_TEST(a_verdict_places_the_loss)
{
	const struct fact *f = half_dropped(true);

	ck_assert_int_eq(fact_get(f, FIELD_LOST_PLACE).lo, PLACE_HOST);
	ck_assert_int_eq(fact_get(f, FIELD_LOST_LEG).lo, LOST_LEG_REQUEST);
	ck_assert_str_eq(f->after, "host:0");
	ck_assert_ptr_null(f->before);
	incident_free(in);
	f = half_dropped(false);
	ck_assert_int_eq(fact_get(f, FIELD_LOST_PLACE).lo, PLACE_BEYOND_HOST);
	incident_free(in);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_network_in_a_tunnel_is_a_point,
		tunnels_are_opened_whichever_file_they_are_in,
		tunnels_of_the_guest_itself_stay_closed,
		twice_at_one_point_is_delivered_twice,
		one_packet_id_or_another_interface_is_a_copy,
		a_verdict_places_the_loss,
		NULL,
	};

	return run_tests("points", tests);
}
