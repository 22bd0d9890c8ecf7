#include "correlate/pairing.h"

#include "run_tests.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)

#define VM UINT64_C(1)
#define PORT UINT64_C(2)
#define UPLINK UINT64_C(4)

/* What was settled; each test runs in its own process. */
static uint32_t both;
static uint32_t vm_only;
static uint32_t host_only;
static uint32_t rivals;
static uint32_t copies;
static uint32_t crowded;
static uint32_t everywhere;
static uint32_t again;

static void note(void *context, const struct pending *w)
{
	const struct pairing *p = context;
	bool vm = w->at.points & p->vm_points;
	bool host = w->at.points & p->host_points;

	both += vm && host;
	vm_only += vm && !host;
	host_only += host && !vm;
	everywhere += (w->at.points & p->host_points) == p->host_points && vm;
	rivals += w->rival && !(vm && host);
	copies += w->copy && w->rival && !(vm && host);
	crowded += w->crowded;
	again += w->again;
}

static struct pairing pairing = {
	.vm_points = VM,
	.host_points = PORT,
	.settled = note,
	.context = &pairing,
};

static enum path_direction direction = PATH_DIRECTION_FROM_GUEST;

static struct passing whole(uint64_t point, uint64_t key, int64_t ns)
{
	return (struct passing){
		.key = key,
		.start = key,
		.points = point,
		.host_ns = ns,
		.ip_id = 7,
		.sure = true,
		.direction = direction,
	};
}

static struct passing bytes(uint64_t point, uint32_t seq, uint32_t len,
                            int64_t ns)
{
	struct passing p = whole(point, hash_mix(seq, len), ns);

	p.cut = PASSING_BYTES;
	p.seq = seq;
	p.len = len;
	p.start = hash_mix(PASSING_BYTES, seq);
	return p;
}

static void see(struct passing p)
{
	pairing_expire(&pairing, p.host_ns);
	pairing_feed(&pairing, &p);
}

static void expect(uint32_t n_both, uint32_t n_vm, uint32_t n_host)
{
	pairing_end(&pairing);
	ck_assert_uint_eq(both, n_both);
	ck_assert_uint_eq(vm_only, n_vm);
	ck_assert_uint_eq(host_only, n_host);
}

START_TEST(each_packet_finds_its_twin)
{
	see(whole(VM, 1, 0));
	see(whole(PORT, 2, 1));
	see(whole(PORT, 1, 2));
	see(whole(VM, 2, 3));
	see(whole(VM, 3, 4));
	see(whole(PORT, 4, 5));
	expect(2, 1, 1);
}
END_TEST

START_TEST(what_comes_too_late_is_another_packet)
{
	see(whole(VM, 1, 0));
	see(whole(PORT, 1, S + MS));
	expect(0, 1, 1);
}
END_TEST

START_TEST(identical_packets_are_paired_in_order)
{
	for (int i = 0; i < 3; i++)
		see(whole(VM, 1, i * 20 * MS));
	see(whole(PORT, 1, 60 * MS));
	see(whole(PORT, 1, 61 * MS));
	expect(2, 1, 0);
	ck_assert_uint_eq(rivals, 1);
	ck_assert_uint_eq(copies, 0);
}
END_TEST

START_TEST(the_same_frame_again_is_a_copy)
{
	see(whole(VM, 1, 0));
	see(whole(PORT, 1, MS));
	see(whole(PORT, 1, 2 * MS));
	expect(1, 0, 1);
	ck_assert_uint_eq(copies, 1);
}
END_TEST

START_TEST(a_crowd_is_not_paired)
{
	for (int i = 0; i < 1000; i++)
		see(whole(VM, 1, i));
	ck_assert_uint_gt(crowded, 900);
	ck_assert_uint_lt(pairing.n_pool, 100);
	pairing_end(&pairing);
}
END_TEST

START_TEST(so_is_one_of_packets_that_begin_alike)
{
	for (uint32_t i = 0; i < 20000; i++) {
		struct passing p = bytes(VM, 1000, 10 + i, i);

		p.start = hash_mix(PASSING_BYTES, 1000);
		see(p);
	}
	ck_assert_uint_gt(crowded, 18000);
	ck_assert_uint_lt(pairing.n_pool, 2000);
	pairing_end(&pairing);
}
END_TEST

START_TEST(memory_does_not_grow)
{
	for (int i = 0; i < 200000; i++) {
		see(whole(VM, (uint64_t)i + 1, i * MS));
		see(whole(PORT, (uint64_t)i + 1, i * MS + 1));
	}
	ck_assert_uint_eq(both, 200000);
	ck_assert_uint_lt(pairing.n_pool, 100);
	ck_assert_uint_lt(pairing.index.capacity, 256);
	pairing_end(&pairing);
}
END_TEST

START_TEST(a_large_segment_is_many_small_ones)
{
	see(bytes(VM, 1000, 3000, 0));
	for (uint32_t i = 0; i < 3; i++)
		see(bytes(PORT, 1000 + 1000 * i, 1000, 1 + i));
	expect(1, 0, 3);
}
END_TEST

START_TEST(sequence_numbers_wrap)
{
	see(bytes(VM, UINT32_MAX - 1499, 3000, 0));
	see(bytes(PORT, UINT32_MAX - 1499, 1500, 1));
	see(bytes(PORT, 0, 1500, 2));
	expect(1, 0, 2);
}
END_TEST

START_TEST(small_segments_become_a_large_one)
{
	direction = PATH_DIRECTION_TO_GUEST;
	for (uint32_t i = 0; i < 3; i++)
		see(bytes(PORT, 1000 + 1000 * i, 1000, i));
	see(bytes(VM, 1000, 3000, 5));
	expect(3, 1, 0);
}
END_TEST

START_TEST(large_segments_are_cut_at_other_bytes)
{
	see(bytes(VM, 0, 4000, 0));
	see(bytes(VM, 4000, 4000, 1));
	see(bytes(PORT, 0, 3000, 2));
	see(bytes(PORT, 3000, 3000, 3));
	see(bytes(PORT, 6000, 2000, 4));
	expect(2, 0, 3);
}
END_TEST

/* One piece is missing, and comes later as a packet of its own. */
START_TEST(bytes_sent_again_do_not_hide_a_loss)
{
	see(bytes(VM, 0, 3000, 0));
	see(bytes(PORT, 0, 1000, 1));
	see(bytes(PORT, 2000, 1000, 2));
	see(bytes(VM, 1000, 1000, 200 * MS));
	see(bytes(PORT, 1000, 1000, 201 * MS));
	expect(1, 1, 2);
}
END_TEST

START_TEST(what_is_lost_is_sent_again)
{
	struct passing copy = bytes(VM, 1000, 100, 200 * MS);

	copy.key++;
	see(bytes(VM, 1000, 100, 0));
	see(bytes(VM, 1100, 100, 1)); /* nobody sends it again */
	see(copy);
	copy.points = PORT;
	see(copy);
	expect(1, 2, 0);
	ck_assert_uint_eq(again, 1);
}
END_TEST

START_TEST(what_is_sent_again_may_be_lost_again)
{
	struct passing copy = bytes(VM, 1000, 100, 200 * MS);

	copy.key++;
	see(bytes(VM, 1000, 100, 0));
	see(copy);
	expect(0, 2, 0);
	ck_assert_uint_eq(again, 1);
}
END_TEST

/* The points of one file are not read in order: the first try comes last. */
START_TEST(what_was_sent_again_may_be_read_late)
{
	struct passing copy = bytes(VM, 1000, 100, 0);

	copy.key++;
	see(copy);
	see(bytes(VM, 1000, 100, 1));
	copy.points = PORT;
	copy.host_ns = 2;
	see(copy);
	expect(1, 1, 0);
	ck_assert_uint_eq(again, 2);
}
END_TEST

START_TEST(other_peers_bytes_are_others)
{
	struct passing p = bytes(PORT, 1000, 1500, 1);

	p.peer_port = 80;
	see(bytes(VM, 1000, 3000, 0));
	see(p);
	p = bytes(PORT, 2500, 1500, 2);
	p.peer_port = 80;
	see(p);
	expect(0, 1, 2);
}
END_TEST

START_TEST(each_point_of_the_host_counts)
{
	pairing.host_points = PORT | UPLINK;
	see(bytes(VM, 0, 2000, 0));
	see(bytes(PORT, 0, 2000, 1));
	see(bytes(UPLINK, 0, 1000, 2));
	see(bytes(UPLINK, 1000, 1000, 3));
	see(whole(VM, 1, 4));
	see(whole(PORT, 1, 5));
	expect(2, 0, 2);
	ck_assert_uint_eq(everywhere, 1);
}
END_TEST

/* Received as one large segment, at the guest's port and in the guest alike */
START_TEST(what_one_point_joins_stays_joined)
{
	direction = PATH_DIRECTION_TO_GUEST;
	pairing.host_points = PORT | UPLINK;
	for (uint32_t i = 0; i < 3; i++)
		see(bytes(UPLINK, 1000 + 1000 * i, 1000, i));
	see(bytes(PORT, 1000, 3000, 4));
	see(bytes(VM, 1000, 3000, 5));
	expect(4, 0, 0);
	ck_assert_uint_eq(everywhere, 4);
}
END_TEST

static struct passing datagram(uint64_t point, uint64_t key, uint64_t start,
                               uint32_t len, int64_t ns)
{
	struct passing p = whole(point, key, ns);

	p.cut = PASSING_DATAGRAMS;
	p.start = start;
	p.len = len;
	return p;
}

START_TEST(datagrams_are_sent_as_one)
{
	see(datagram(VM, 1, 100, 2500, 0));
	see(datagram(PORT, 2, 100, 1000, 1));
	see(whole(PORT, 9, 1));
	see(datagram(PORT, 3, 101, 1000, 2));
	see(datagram(PORT, 4, 102, 500, 3));
	expect(1, 0, 4);
}
END_TEST

START_TEST(datagrams_are_received_as_one)
{
	direction = PATH_DIRECTION_TO_GUEST;
	see(datagram(PORT, 2, 100, 1000, 1));
	see(datagram(PORT, 3, 101, 1000, 2));
	see(datagram(PORT, 4, 102, 500, 3));
	see(datagram(VM, 1, 100, 2500, 4));
	expect(3, 1, 0);
}
END_TEST

START_TEST(a_run_that_lacks_one_is_not_whole)
{
	see(datagram(VM, 1, 100, 2500, 0));
	see(datagram(PORT, 2, 100, 1000, 1));
	see(datagram(PORT, 4, 102, 500, 3));
	expect(0, 1, 2);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_packet_finds_its_twin,
		what_comes_too_late_is_another_packet,
		identical_packets_are_paired_in_order,
		the_same_frame_again_is_a_copy,
		a_crowd_is_not_paired,
		so_is_one_of_packets_that_begin_alike,
		memory_does_not_grow,
		a_large_segment_is_many_small_ones,
		sequence_numbers_wrap,
		small_segments_become_a_large_one,
		large_segments_are_cut_at_other_bytes,
		bytes_sent_again_do_not_hide_a_loss,
		what_is_lost_is_sent_again,
		what_is_sent_again_may_be_lost_again,
		what_was_sent_again_may_be_read_late,
		other_peers_bytes_are_others,
		each_point_of_the_host_counts,
		what_one_point_joins_stays_joined,
		datagrams_are_sent_as_one,
		datagrams_are_received_as_one,
		a_run_that_lacks_one_is_not_whole,
		NULL,
	};

	return run_tests("pairing", tests);
}
