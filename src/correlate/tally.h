/*
 * Numbers by hash: counters, or sets of bits, of things that are met again.
 */
#ifndef PCAPDIAG_CORRELATE_TALLY_H
#define PCAPDIAG_CORRELATE_TALLY_H

#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"

/** struct tally - Zero-initialised is empty; owns its arrays */
struct tally {
	struct hash_table index;
	uint32_t *numbers;
	uint32_t n;
	uint32_t capacity;
};

/** tally_at() - The number of @hash, to be changed; 0 if it is new */
static inline uint32_t *tally_at(struct tally *t, uint64_t hash)
{
	size_t pos = 0;
	uint32_t i = hash_table_find(&t->index, hash, &pos);

	if (i != HASH_TABLE_NONE)
		return &t->numbers[i];
	if (t->n == t->capacity) {
		t->capacity = t->capacity ? 2 * t->capacity : 64;
		t->numbers = xreallocarray(t->numbers, t->capacity,
		                           sizeof(*t->numbers));
	}
	hash_table_add(&t->index, hash, t->n);
	t->numbers[t->n] = 0;
	return &t->numbers[t->n++];
}

/** tally_get() - The number of @hash; 0 if there is none */
static inline uint32_t tally_get(const struct tally *t, uint64_t hash)
{
	size_t pos = 0;
	uint32_t i = hash_table_find(&t->index, hash, &pos);

	return i == HASH_TABLE_NONE ? 0 : t->numbers[i];
}

static inline void tally_free(struct tally *t)
{
	hash_table_free(&t->index);
	free(t->numbers);
}

#endif
