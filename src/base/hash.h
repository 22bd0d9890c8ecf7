/*
 * Keyed hashing and an index table.  The key is random per process, so strangers'
 * captures cannot choose their buckets; nothing may depend on the hash's order.
 */
#ifndef PCAPDIAG_BASE_HASH_H
#define PCAPDIAG_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** hash_bytes() - 64-bit keyed hash (SipHash-1-3) of @n bytes */
uint64_t hash_bytes(const void *bytes, size_t n);

/** hash_mix() - Fold @value into @hash (for already hashed parts) */
uint64_t hash_mix(uint64_t hash, uint64_t value);

/** hash_stable() - The same 64-bit hash (FNV-1a) in every run: for values that
 * may reach a report, never for tables */
uint64_t hash_stable(const void *bytes, size_t n);

#define HASH_TABLE_NONE UINT32_MAX

/**
 * struct hash_table - From a hash to indices of the caller's array
 *
 * Open addressing.  Several entries may have one hash: the caller looks at each
 * candidate and decides by its own key.  Zero-initialised is empty.
 */
struct hash_table {
	struct hash_slot *slots;
	size_t count;
	size_t capacity; /* power of two, or 0 */
};

/** hash_table_add() - Add @index under @hash (not looked for first) */
void hash_table_add(struct hash_table *t, uint64_t hash, uint32_t index);

/**
 * hash_table_find() - First or next index under @hash
 * @pos:	iteration state, 0 at first
 *
 * Return: an index, in the order of insertion, or HASH_TABLE_NONE
 */
uint32_t hash_table_find(const struct hash_table *t, uint64_t hash,
                         size_t *pos);

/** hash_table_remove() - Take out the entry with this hash and index, if any */
void hash_table_remove(struct hash_table *t, uint64_t hash, uint32_t index);

void hash_table_free(struct hash_table *t);

#endif
