#include "facts/fact.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/strbuf.h"
#include "base/xalloc.h"

#define CHUNK_FACTS 128
#define VALUES_STEP 8

/* What struct value says, packed: 24 bytes, not 32 */
struct fact_value {
	uint16_t field;
	uint16_t state;
	union {
		struct {
			int64_t lo, hi;
		};
		struct in6_addr ip;
		struct mac mac;
		const char *text;
	};
};

/* Facts lie in chunks that never move: pointers to them stay valid. */
struct facts {
	struct fact **chunks;
	size_t count;
	char **texts;
	size_t n_texts;
};

struct facts *facts_new(void)
{
	return xcalloc(1, sizeof(struct facts));
}

static size_t chunk_count(const struct facts *facts)
{
	return (facts->count + CHUNK_FACTS - 1) / CHUNK_FACTS;
}

void facts_free(struct facts *facts)
{
	if (!facts)
		return;

	for (size_t i = 0; i < facts->count; i++) {
		struct fact *f =
			&facts->chunks[i / CHUNK_FACTS][i % CHUNK_FACTS];

		free(f->values);
		free(f->evidence);
	}
	for (size_t i = 0; i < chunk_count(facts); i++)
		free(facts->chunks[i]);
	for (size_t i = 0; i < facts->n_texts; i++)
		free(facts->texts[i]);
	free(facts->chunks);
	free(facts->texts);
	free(facts);
}

struct fact *facts_add(struct facts *facts, enum fact_kind kind)
{
	size_t n_chunks = chunk_count(facts);
	struct fact *f;

	if (facts->count == n_chunks * CHUNK_FACTS) {
		facts->chunks = xreallocarray(facts->chunks, n_chunks + 1,
		                              sizeof(struct fact *));
		facts->chunks[n_chunks] =
			xcalloc(CHUNK_FACTS, sizeof(struct fact));
	}
	f = &facts->chunks[facts->count / CHUNK_FACTS]
	                  [facts->count % CHUNK_FACTS];
	f->kind = kind;
	facts->count++;
	return f;
}

size_t facts_count(const struct facts *facts)
{
	return facts->count;
}

const struct fact *facts_get(const struct facts *facts, size_t i)
{
	assert(i < facts->count);
	return &facts->chunks[i / CHUNK_FACTS][i % CHUNK_FACTS];
}

/* Index of the first value whose field is not below @field */
static uint16_t lower_bound(const struct fact *f, enum field field)
{
	uint16_t lo = 0, hi = f->n_values;

	while (lo < hi) {
		uint16_t middle = (uint16_t)((lo + hi) / 2);

		if (f->values[middle].field < (uint16_t)field)
			lo = (uint16_t)(middle + 1);
		else
			hi = middle;
	}
	return lo;
}

static void insert(struct fact *f, uint16_t at)
{
	if (f->n_values == f->value_capacity) {
		f->value_capacity = (uint16_t)(f->value_capacity + VALUES_STEP);
		f->values = xreallocarray(f->values, f->value_capacity,
		                          sizeof(*f->values));
	}
	memmove(&f->values[at + 1], &f->values[at],
	        (size_t)(f->n_values - at) * sizeof(*f->values));
	f->n_values++;
}

/* The place for @field's value, emptied; most are set in rising order */
static struct fact_value *put(struct fact *f, enum field field,
                              enum value_state state)
{
	uint16_t at = lower_bound(f, field);

	assert(field_info(field)->kinds & FACT_KIND_BIT(f->kind));
	if (at == f->n_values || f->values[at].field != (uint16_t)field)
		insert(f, at);
	f->values[at] = (struct fact_value){
		.field = (uint16_t)field,
		.state = (uint16_t)state,
	};
	return &f->values[at];
}

void fact_set_interval(struct fact *f, enum field field, int64_t lo, int64_t hi)
{
	struct fact_value *v = put(f, field, VALUE_KNOWN);

	assert(lo <= hi);
	v->lo = lo;
	v->hi = hi;
}

void fact_set_number(struct fact *f, enum field field, int64_t n)
{
	fact_set_interval(f, field, n, n);
}

void fact_set_bool(struct fact *f, enum field field, bool b)
{
	fact_set_interval(f, field, b, b);
}

void fact_set_enum(struct fact *f, enum field field, int64_t word)
{
	fact_set_interval(f, field, word, word);
}

void fact_set_ip(struct fact *f, enum field field, const struct in6_addr *ip)
{
	put(f, field, VALUE_KNOWN)->ip = *ip;
}

void fact_set_mac(struct fact *f, enum field field, struct mac mac)
{
	put(f, field, VALUE_KNOWN)->mac = mac;
}

void fact_set_text(struct facts *facts, struct fact *f, enum field field,
                   const char *text)
{
	facts->texts = xreallocarray(facts->texts, facts->n_texts + 1,
	                             sizeof(*facts->texts));
	facts->texts[facts->n_texts] = text_copy(text);
	put(f, field, VALUE_KNOWN)->text = facts->texts[facts->n_texts++];
}

void fact_set_absent(struct fact *f, enum field field)
{
	put(f, field, VALUE_ABSENT);
}

void fact_set_label(struct fact *f, enum field field, const void *bytes,
                    size_t n)
{
	struct fact_value *v = put(f, field, VALUE_KNOWN);
	uint64_t hashes[2];

	if (n <= sizeof(v->ip)) {
		if (n)
			memcpy(&v->ip, bytes, n);
		return;
	}
	hashes[0] = hash_bytes(bytes, n);
	hashes[1] = hash_stable(bytes, n);
	memcpy(&v->ip, hashes, sizeof(v->ip));
}

struct value fact_get(const struct fact *f, enum field field)
{
	uint16_t at = lower_bound(f, field);
	struct value value = { .state = VALUE_UNKNOWN };

	if (at == f->n_values || f->values[at].field != (uint16_t)field)
		return value;
	value.state = (enum value_state)f->values[at].state;
	value.ip = f->values[at].ip; /* all 16 bytes of the union */
	return value;
}

void fact_add_evidence(struct fact *f, const struct evidence *e)
{
	f->evidence = xreallocarray(f->evidence, f->n_evidence + 1,
	                            sizeof(*f->evidence));
	f->evidence[f->n_evidence++] = *e;
}
