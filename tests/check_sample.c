#include "track/sample.h"

#include "run_tests.h"

static struct packet segment(uint32_t i)
{
	return (struct packet){
		.frame = i + 1,
		.ts_ns = i,
		.kind = PACKET_KIND_TCP,
		.status = PACKET_STATUS_OK,
		.ip_version = 4,
		.ip_proto = IP_PROTO_TCP,
		.tcp = { .seq = i * 1448, .ack = 1 },
	};
}

static bool has(const struct sample_set *set, uint64_t key)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (set->items[i].key == key)
			return true;
	return false;
}

START_TEST(few_packets_are_all_kept)
{
	struct sample_set set = { 0 };

	for (uint32_t i = 0; i < 1000; i++) {
		struct packet p = segment(i);

		sample_set_feed(&set, &p);
	}
	ck_assert_uint_eq(set.n, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert_uint_eq(set.items[i].frame, i + 1);
	sample_set_free(&set);
}
END_TEST

/* The point that sees more keeps a part of what the other keeps. */
START_TEST(points_keep_the_same)
{
	struct sample_set small = { 0 }, large = { 0 };
	uint32_t both = 0;

	for (uint32_t i = 0; i < 100000; i++) {
		struct packet p = segment(i);

		sample_set_feed(&large, &p);
		if (i % 10 == 0)
			sample_set_feed(&small, &p);
	}
	ck_assert_uint_le(large.n, SAMPLES_MAX);
	ck_assert_uint_ge(large.n, SAMPLES_MAX / 4);
	ck_assert_uint_ge(small.n, SAMPLES_MAX / 4);
	for (uint32_t i = 0; i < large.n; i++) {
		both += has(&small, large.items[i].key);
		if (large.items[i].frame % 10 == 1)
			ck_assert(has(&small, large.items[i].key));
	}
	ck_assert_uint_ge(both, 50);
	sample_set_free(&small);
	sample_set_free(&large);
}
END_TEST

START_TEST(broadcasts_and_errors_are_no_sample)
{
	struct sample_set set = { 0 };
	struct packet p = segment(1);

	p.group = true;
	sample_set_feed(&set, &p);
	p = segment(1);
	p.status = PACKET_STATUS_TRUNCATED;
	sample_set_feed(&set, &p);
	p = segment(1);
	p.kind = PACKET_KIND_ARP;
	sample_set_feed(&set, &p);
	ck_assert_uint_eq(set.n, 0);
}
END_TEST

/* Packets that differ in nothing: the set is full, and that is all. */
START_TEST(a_million_alike)
{
	struct sample_set set = { 0 };
	struct packet p = segment(7);

	for (uint32_t i = 0; i < 1000000; i++)
		sample_set_feed(&set, &p);
	ck_assert_uint_le(set.n, SAMPLES_MAX);
	sample_set_free(&set);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		few_packets_are_all_kept,
		points_keep_the_same,
		broadcasts_and_errors_are_no_sample,
		a_million_alike,
		NULL,
	};

	return run_tests("sample", tests);
}
