#include "config.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/status.h"
#include "base/xalloc.h"

#define CAPACITY_MIN 16

/*
 * The hash is kept whole, so that looking for one touches the caller's array
 * only where all 64 bits agree, and growing never computes it again.
 */
struct hash_slot {
	uint64_t hash;
	uint32_t index; /* HASH_TABLE_NONE: the slot is free */
};

static uint64_t key[2];

/* Before main(), so that no thread can see half a key. */
__attribute__((constructor)) static void make_key(void)
{
	if (getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key))
		return;
	fputs("pcapdiag: the system gives no random numbers\n", stderr);
	exit(STATUS_INTERNAL);
}

static inline uint64_t rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static inline void sip_compress(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint64_t hash_bytes(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	};
	uint64_t word, last = (uint64_t)n << 56;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sip_compress(v, word);
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_compress(v, last);

	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_mix(uint64_t hash, uint64_t value)
{
	/* The finaliser of MurmurHash3 over both: each bit reaches each bit. */
	hash = rotate(hash, 23) ^ (value + key[1]);
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
	return hash ^ hash >> 33;
}

uint64_t hash_stable(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 0x100000001b3;
	return hash;
}

/* Where the entries of one hash lie in the order of insertion. */
static void place(struct hash_table *t, uint64_t hash, uint32_t index)
{
	size_t mask = t->capacity - 1;
	size_t i = hash & mask;

	while (t->slots[i].index != HASH_TABLE_NONE)
		i = (i + 1) & mask;
	t->slots[i] = (struct hash_slot){ .hash = hash, .index = index };
}

/*
 * Entries of one hash must keep their order, so the old slots are read from
 * behind a free one: no run of neighbours is begun in its middle.
 */
static void grow(struct hash_table *t)
{
	struct hash_table old = *t;
	size_t start = 0;

	t->capacity = old.capacity ? 2 * old.capacity : CAPACITY_MIN;
	t->slots = xreallocarray(NULL, t->capacity, sizeof(*t->slots));
	for (size_t i = 0; i < t->capacity; i++)
		t->slots[i] = (struct hash_slot){ .index = HASH_TABLE_NONE };

	while (start < old.capacity &&
	       old.slots[start].index != HASH_TABLE_NONE)
		start++;
	for (size_t n = 0; n < old.capacity; n++) {
		size_t i = (start + n) & (old.capacity - 1);

		if (old.slots[i].index != HASH_TABLE_NONE)
			place(t, old.slots[i].hash, old.slots[i].index);
	}
	free(old.slots);
}

void hash_table_add(struct hash_table *t, uint64_t hash, uint32_t index)
{
	/* At most two thirds full: runs stay short, and one slot is free. */
	if (3 * (t->count + 1) > 2 * t->capacity)
		grow(t);
	place(t, hash, index);
	t->count++;
}

uint32_t hash_table_find(const struct hash_table *t, uint64_t hash, size_t *pos)
{
	size_t mask = t->capacity - 1;
	size_t n = *pos;

	if (t->capacity == 0)
		return HASH_TABLE_NONE;
	for (;; n++) {
		const struct hash_slot *slot = &t->slots[(hash + n) & mask];

		if (slot->index == HASH_TABLE_NONE)
			break;
		if (slot->hash == hash) {
			*pos = n + 1;
			return slot->index;
		}
	}
	*pos = n; /* still at the free slot: asking again gives NONE again */
	return HASH_TABLE_NONE;
}

/*
 * Close the gap at @i: an entry behind it moves there unless that were before
 * the place where a search for it begins.
 */
static void close_gap(struct hash_table *t, size_t i)
{
	size_t mask = t->capacity - 1;
	size_t next = i;

	for (;;) {
		size_t distance;

		next = (next + 1) & mask;
		if (t->slots[next].index == HASH_TABLE_NONE)
			break;
		distance = (next - t->slots[next].hash) & mask;
		if (distance < ((next - i) & mask))
			continue;
		t->slots[i] = t->slots[next];
		i = next;
	}
	t->slots[i] = (struct hash_slot){ .index = HASH_TABLE_NONE };
}

void hash_table_remove(struct hash_table *t, uint64_t hash, uint32_t index)
{
	size_t pos = 0;
	uint32_t found;

	do {
		found = hash_table_find(t, hash, &pos);
		if (found == HASH_TABLE_NONE)
			return;
	} while (found != index);
	close_gap(t, (hash + pos - 1) & (t->capacity - 1));
	t->count--;
}

void hash_table_free(struct hash_table *t)
{
	free(t->slots);
	*t = (struct hash_table){ 0 };
}
