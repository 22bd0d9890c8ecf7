#include "rules/relations.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"

#define LABEL_BYTES sizeof(struct in6_addr)

/* The groups of one relation; @keys has the labels of each, one after another */
struct index {
	struct relation relation;
	struct group *groups;
	struct in6_addr *keys;
	uint32_t count;
	struct hash_table table;
};

/* The results of one node, by group */
struct results {
	const struct expr *node;
	struct group_result *of_group;
	uint32_t count;
};

struct relations {
	const struct facts *facts;
	struct index *indexes;
	size_t n_indexes;
	struct results *results;
	size_t n_results;
	struct hash_table results_table; /* by node */
};

struct relations *relations_new(const struct facts *facts)
{
	struct relations *rel = xcalloc(1, sizeof(*rel));

	rel->facts = facts;
	return rel;
}

static void free_index(struct index *index)
{
	for (uint32_t i = 0; i < index->count; i++)
		free(index->groups[i].members);
	free(index->groups);
	free(index->keys);
	hash_table_free(&index->table);
}

static void free_results(struct results *results)
{
	for (uint32_t i = 0; i < results->count; i++) {
		free(results->of_group[i].candidates);
		free(results->of_group[i].unknown);
	}
	free(results->of_group);
}

void relations_free(struct relations *rel)
{
	if (!rel)
		return;
	for (size_t i = 0; i < rel->n_indexes; i++)
		free_index(&rel->indexes[i]);
	for (size_t i = 0; i < rel->n_results; i++)
		free_results(&rel->results[i]);
	free(rel->indexes);
	free(rel->results);
	hash_table_free(&rel->results_table);
	free(rel);
}

const struct facts *relations_facts(const struct relations *rel)
{
	return rel->facts;
}

/* The least known of @fact's labels tells; if all are known, @key has them */
static enum value_state key_of(const struct relation *relation,
                               const struct fact *fact, struct in6_addr *key)
{
	enum value_state least = VALUE_KNOWN;

	for (size_t i = 0; i < relation->n_labels; i++) {
		struct value v = fact_get(fact, relation->labels[i]);

		if (v.state == VALUE_ABSENT)
			return VALUE_ABSENT;
		if (v.state == VALUE_UNKNOWN)
			least = VALUE_UNKNOWN;
		key[i] = v.ip;
	}
	return least;
}

static uint32_t find_group(const struct index *index,
                           const struct in6_addr *key, uint64_t hash)
{
	size_t n = index->relation.n_labels;
	size_t pos = 0;
	uint32_t i;

	do {
		i = hash_table_find(&index->table, hash, &pos);
	} while (i != HASH_TABLE_NONE &&
	         memcmp(&index->keys[i * n], key, n * LABEL_BYTES) != 0);
	return i;
}

static bool is_power_of_two(uint32_t n)
{
	return (n & (n - 1)) == 0;
}

static uint32_t add_group(struct index *index, const struct in6_addr *key,
                          uint64_t hash)
{
	size_t n = index->relation.n_labels;

	if (is_power_of_two(index->count)) {
		size_t capacity = index->count ? 2 * (size_t)index->count : 1;

		index->groups = xreallocarray(index->groups, capacity,
		                              sizeof(*index->groups));
		index->keys = xreallocarray(index->keys, capacity * n + 1,
		                            sizeof(*index->keys));
	}
	index->groups[index->count] = (struct group){ 0 };
	memcpy(&index->keys[index->count * n], key, n * LABEL_BYTES);
	hash_table_add(&index->table, hash, index->count);
	return index->count++;
}

static void add_member(struct group *group, uint32_t member)
{
	if (group->count == group->capacity) {
		group->capacity = group->capacity ? 2 * group->capacity : 4;
		group->members = xreallocarray(group->members, group->capacity,
		                               sizeof(*group->members));
	}
	group->members[group->count++] = member;
}

static void build(struct index *index, const struct facts *facts)
{
	struct in6_addr key[RELATION_LABELS_MAX] = { 0 };

	for (size_t i = 0; i < facts_count(facts); i++) {
		const struct fact *fact = facts_get(facts, i);
		uint64_t hash;
		uint32_t group;

		if (!(FACT_KIND_BIT(fact->kind) & index->relation.kinds) ||
		    key_of(&index->relation, fact, key) != VALUE_KNOWN)
			continue;
		hash = hash_bytes(key, index->relation.n_labels * LABEL_BYTES);
		group = find_group(index, key, hash);
		if (group == HASH_TABLE_NONE)
			group = add_group(index, key, hash);
		add_member(&index->groups[group], (uint32_t)i);
	}
}

static bool same_relation(const struct relation *a, const struct relation *b)
{
	return a->kinds == b->kinds && a->n_labels == b->n_labels &&
	       memcmp(a->labels, b->labels,
	              a->n_labels * sizeof(a->labels[0])) == 0;
}

static const struct index *get_index(struct relations *rel,
                                     const struct relation *relation)
{
	struct index *index;

	for (size_t i = 0; i < rel->n_indexes; i++)
		if (same_relation(&rel->indexes[i].relation, relation))
			return &rel->indexes[i];

	rel->indexes = xreallocarray(rel->indexes, rel->n_indexes + 1,
	                             sizeof(*rel->indexes));
	index = &rel->indexes[rel->n_indexes++];
	*index = (struct index){ .relation = *relation };
	build(index, rel->facts);
	return index;
}

enum group_state relations_group(struct relations *rel,
                                 const struct relation *relation,
                                 const struct fact *fact,
                                 const struct group **group, uint32_t *number)
{
	const struct index *index = get_index(rel, relation);
	struct in6_addr key[RELATION_LABELS_MAX] = { 0 };

	switch (key_of(relation, fact, key)) {
	case VALUE_UNKNOWN:
		return GROUP_UNKNOWN;
	case VALUE_ABSENT:
		return GROUP_EMPTY;
	case VALUE_KNOWN:
		break;
	}
	*number = find_group(index, key,
	                     hash_bytes(key, relation->n_labels * LABEL_BYTES));
	if (*number == HASH_TABLE_NONE)
		return GROUP_EMPTY;
	*group = &index->groups[*number];
	return GROUP_FOUND;
}

static struct results *get_results(struct relations *rel,
                                   const struct expr *node)
{
	uint64_t hash = hash_bytes(&node, sizeof(node));
	size_t pos = 0;
	uint32_t i;

	do {
		i = hash_table_find(&rel->results_table, hash, &pos);
	} while (i != HASH_TABLE_NONE && rel->results[i].node != node);
	if (i != HASH_TABLE_NONE)
		return &rel->results[i];

	rel->results = xreallocarray(rel->results, rel->n_results + 1,
	                             sizeof(*rel->results));
	rel->results[rel->n_results] = (struct results){ .node = node };
	hash_table_add(&rel->results_table, hash, (uint32_t)rel->n_results);
	return &rel->results[rel->n_results++];
}

struct group_result *relations_result(struct relations *rel,
                                      const struct expr *node, uint32_t number)
{
	struct results *results = get_results(rel, node);

	if (!results->of_group) {
		results->count = get_index(rel, &node->relation)->count;
		results->of_group =
			xcalloc(results->count, sizeof(*results->of_group));
	}
	return &results->of_group[number];
}
