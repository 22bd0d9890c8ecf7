#include "track/second_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define NS_PER_S INT64_C(1000000000)
#define SECONDS_MAX (INT64_C(10) * 86400)
#define GROW_BYTES 64

static void grow_front(struct second_set *set, size_t bytes)
{
	set->bits = xreallocarray(set->bits, set->n_bytes + bytes, 1);
	memmove(set->bits + bytes, set->bits, set->n_bytes);
	memset(set->bits, 0, bytes);
	set->n_bytes += bytes;
	set->base_s -= (int64_t)bytes * 8;
}

static void grow_back(struct second_set *set, size_t n_bytes)
{
	set->bits = xreallocarray(set->bits, n_bytes, 1);
	memset(set->bits + set->n_bytes, 0, n_bytes - set->n_bytes);
	set->n_bytes = n_bytes;
}

void second_set_add(struct second_set *set, int64_t ts_ns)
{
	int64_t s = ts_ns / NS_PER_S;

	set->count++;
	if (set->n_bytes == 0) {
		set->base_s = s - 8;
		set->origin_s = s;
	}
	if (s < set->origin_s - SECONDS_MAX || s > set->origin_s + SECONDS_MAX)
		return;
	if (s < set->base_s)
		grow_front(set, (size_t)(set->base_s - s) / 8 + GROW_BYTES);
	if ((size_t)(s - set->base_s) / 8 >= set->n_bytes)
		grow_back(set, (size_t)(s - set->base_s) / 8 + GROW_BYTES);
	set->bits[(s - set->base_s) / 8] |=
		(uint8_t)(1u << ((s - set->base_s) % 8));
}

bool second_set_near(const struct second_set *set, int64_t ts_ns,
                     int64_t within_s)
{
	int64_t s = ts_ns / NS_PER_S - set->base_s;
	int64_t from = s - within_s < 0 ? 0 : s - within_s;
	int64_t to = s + within_s;

	if (to >= (int64_t)set->n_bytes * 8)
		to = (int64_t)set->n_bytes * 8 - 1;
	for (int64_t i = from; i <= to; i++)
		if (set->bits[i / 8] & 1u << (i % 8))
			return true;
	return false;
}

void second_set_add_range(struct second_set *set, int64_t from_ns,
                          int64_t to_ns)
{
	int64_t last = to_ns / NS_PER_S;

	if (last - from_ns / NS_PER_S > SECONDS_MAX)
		from_ns = (last - SECONDS_MAX) * NS_PER_S;
	for (int64_t s = from_ns / NS_PER_S; s <= last; s++)
		second_set_add(set, s * NS_PER_S);
}

bool second_set_between(const struct second_set *set, int64_t from_ns,
                        int64_t to_ns)
{
	int64_t from = from_ns / NS_PER_S - set->base_s;
	int64_t to = to_ns / NS_PER_S - set->base_s;

	if (from < 0)
		from = 0;
	if (to >= (int64_t)set->n_bytes * 8)
		to = (int64_t)set->n_bytes * 8 - 1;
	for (int64_t i = from; i <= to; i++)
		if (set->bits[i / 8] & 1u << (i % 8))
			return true;
	return false;
}

uint64_t second_set_size(const struct second_set *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n_bytes; i++)
		n += (uint64_t)__builtin_popcount(set->bits[i]);
	return n;
}

bool second_set_get(const struct second_set *set, uint64_t i, int64_t *ts_ns)
{
	for (size_t byte = 0; byte < set->n_bytes; byte++) {
		uint64_t n = (uint64_t)__builtin_popcount(set->bits[byte]);

		if (i >= n) {
			i -= n;
			continue;
		}
		for (int64_t bit = 0; bit < 8; bit++) {
			if (!(set->bits[byte] & 1u << bit) || i-- > 0)
				continue;
			*ts_ns = (set->base_s + (int64_t)byte * 8 + bit) *
			         NS_PER_S;
			return true;
		}
	}
	return false;
}

void second_set_free(struct second_set *set)
{
	free(set->bits);
	*set = (struct second_set){ 0 };
}
