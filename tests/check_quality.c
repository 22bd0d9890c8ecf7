#include "track/point.h"

#include "run_tests.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define START (INT64_C(1700000000) * S)

/* The point under test; each test runs in its own process. */
static struct point point;
static const struct quality *const q = &point.quality;

static struct packet segment(bool from_server, uint8_t flags, uint32_t seq,
                             uint32_t ack, uint32_t bytes)
{
	struct packet p = {
		.kind = PACKET_KIND_TCP,
		.ip_version = 4,
		.ip_proto = IP_PROTO_TCP,
		.wire_len = 54 + bytes,
		.src_port = from_server ? 80 : 40000,
		.dst_port = from_server ? 40000 : 80,
		.tcp = { .flags = flags, .seq = seq, .ack = ack },
		.payload_len = bytes,
	};

	ck_assert(addr_parse(from_server ? "10.0.0.2" : "10.0.0.1", &p.src));
	ck_assert(addr_parse(from_server ? "10.0.0.1" : "10.0.0.2", &p.dst));
	return p;
}

static void feed(struct packet p, int64_t ts_ns)
{
	p.ts_ns = START + ts_ns;
	p.frame = point.packets + 1;
	point_feed(&point, &p);
}

static void finish(void)
{
	quality_finish(&point.quality, &point.flows);
}

static bool is_gap(int64_t from_ns, int64_t to_ns)
{
	return second_set_between(&q->gaps, START + from_ns, START + to_ns);
}

static void connection_opens(void)
{
	feed(segment(false, TCP_FLAG_SYN, 99, 0, 0), 0);
	feed(segment(true, TCP_FLAG_SYN | TCP_FLAG_ACK, 499, 100, 0), MS);
	feed(segment(false, TCP_FLAG_ACK, 100, 500, 0), 2 * MS);
}

START_TEST(all_acknowledged_data_was_there)
{
	connection_opens();
	feed(segment(false, TCP_FLAG_ACK, 100, 500, 10), 3 * MS);
	feed(segment(true, TCP_FLAG_ACK, 500, 110, 1000), 4 * MS);
	feed(segment(false, TCP_FLAG_ACK, 110, 1500, 0), 5 * MS);
	/* A FIN takes a number. */
	feed(segment(true, TCP_FLAG_ACK | TCP_FLAG_FIN, 1500, 110, 0), 6 * MS);
	feed(segment(false, TCP_FLAG_ACK, 110, 1501, 0), 7 * MS);
	finish();
	ck_assert_uint_eq(q->unseen_acks, 0);
	ck_assert_uint_eq(second_set_size(&q->gaps), 0);
}
END_TEST

START_TEST(data_that_was_never_there_is_acknowledged)
{
	connection_opens();
	feed(segment(false, TCP_FLAG_ACK, 100, 500, 10), 3500 * MS);
	feed(segment(false, TCP_FLAG_ACK, 110, 1500, 0), 5200 * MS);
	/* Again: it is the same hole. */
	feed(segment(false, TCP_FLAG_ACK, 110, 1500, 0), 5300 * MS);
	ck_assert_uint_eq(q->unseen_acks, 0);
	finish();
	ck_assert_uint_eq(q->unseen_acks, 1);
	ck_assert(is_gap(5 * S, 5 * S));
	/* The silence before it may hide more. */
	ck_assert(is_gap(3 * S, 3 * S));
	ck_assert(!is_gap(6 * S, 9 * S));
	ck_assert(!is_gap(0, 2 * S));
}
END_TEST

START_TEST(late_data_was_there)
{
	connection_opens();
	feed(segment(false, TCP_FLAG_ACK, 100, 1500, 0), 10 * MS);
	feed(segment(true, TCP_FLAG_ACK, 500, 100, 1000), 11 * MS);
	finish();
	ck_assert_uint_eq(q->unseen_acks, 0);
}
END_TEST

START_TEST(one_direction_is_no_gap)
{
	feed(segment(false, TCP_FLAG_SYN, 99, 0, 0), 0);
	feed(segment(false, TCP_FLAG_ACK, 100, 500, 10), MS);
	feed(segment(false, TCP_FLAG_ACK, 110, 1500, 0), 2 * MS);
	feed(segment(false, TCP_FLAG_ACK, 110, 2500, 0), 3 * MS);
	finish();
	ck_assert_uint_eq(q->unseen_acks, 0);
}
END_TEST

START_TEST(numbers_wrap_around)
{
	feed(segment(false, TCP_FLAG_SYN, 99, 0, 0), 0);
	feed(segment(true, TCP_FLAG_SYN | TCP_FLAG_ACK, UINT32_MAX - 10, 100,
	             0),
	     MS);
	feed(segment(false, TCP_FLAG_ACK, 100, UINT32_MAX - 9, 0), 2 * MS);
	feed(segment(false, TCP_FLAG_ACK, 100, 500, 0), 3 * MS);
	finish();
	ck_assert_uint_eq(q->unseen_acks, 1);
}
END_TEST

START_TEST(a_silence_is_noted)
{
	connection_opens();
	feed(segment(false, TCP_FLAG_ACK, 100, 500, 10), 400 * MS);
	feed(segment(true, TCP_FLAG_ACK, 500, 110, 0), 900 * MS);
	ck_assert_uint_eq(q->n_silences, 1);
	ck_assert_int_eq(q->silences[0].from_ns, START + 400 * MS);
	ck_assert_int_eq(q->silences[0].to_ns, START + 900 * MS);
}
END_TEST

START_TEST(cut_frames)
{
	struct packet p = segment(false, TCP_FLAG_ACK, 100, 500, 1000);

	p.cut = 1054 - 68;
	feed(p, 0);
	p.status = PACKET_STATUS_TRUNCATED;
	p.cut = 1054 - 60;
	feed(p, MS);
	ck_assert_uint_eq(q->kept, 68);
	ck_assert_uint_eq(q->headers_cut, 1);
	/* Its options are missing, no more. */
	ck_assert_uint_eq(point.seen[TRAFFIC_TCP].count, 2);
	ck_assert_uint_eq(point.flows.flows[0].sent, 2);
	p.kind = PACKET_KIND_IP;
	feed(p, 2 * MS);
	ck_assert_uint_eq(point.seen[TRAFFIC_OTHER].count, 0);
}
END_TEST

START_TEST(offload)
{
	struct packet p = segment(false, TCP_FLAG_ACK, 100, 500, 1460);

	feed(p, 0);
	ck_assert_uint_eq(q->oversize, 0);
	p = segment(false, TCP_FLAG_ACK, 1560, 500, 60000);
	p.tcp.unfinished_checksum = true;
	feed(p, MS);
	ck_assert_uint_eq(q->oversize, 1);
	ck_assert_uint_eq(q->largest, 60054);
	ck_assert_uint_eq(q->unfinished, 1);
}
END_TEST

START_TEST(sets_of_seconds)
{
	struct second_set set = { 0 };
	int64_t ts_ns;

	ck_assert(!second_set_between(&set, START, START + S));
	ck_assert(!second_set_get(&set, 0, &ts_ns));
	second_set_add_range(&set, START + 10 * S + 1, START + 12 * S);
	second_set_add(&set, START + 700 * S);
	second_set_add(&set, START - 700 * S);
	ck_assert_uint_eq(second_set_size(&set), 5);
	ck_assert(second_set_between(&set, START, START + 10 * S));
	ck_assert(!second_set_between(&set, START, START + 9 * S));
	ck_assert(!second_set_between(&set, START + 13 * S, START + 699 * S));
	ck_assert(second_set_between(&set, START - 800 * S, START + 800 * S));
	ck_assert(second_set_get(&set, 0, &ts_ns));
	ck_assert_int_eq(ts_ns, START - 700 * S);
	ck_assert(second_set_get(&set, 3, &ts_ns));
	ck_assert_int_eq(ts_ns, START + 12 * S);
	ck_assert(second_set_get(&set, 4, &ts_ns));
	ck_assert_int_eq(ts_ns, START + 700 * S);
	ck_assert(!second_set_get(&set, 5, &ts_ns));
	second_set_free(&set);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		all_acknowledged_data_was_there,
		data_that_was_never_there_is_acknowledged,
		late_data_was_there,
		one_direction_is_no_gap,
		numbers_wrap_around,
		a_silence_is_noted,
		cut_frames,
		offload,
		sets_of_seconds,
		NULL,
	};

	return run_tests("quality", tests);
}
