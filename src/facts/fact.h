/*
 * The store of facts: what track and correlate found out, and all that rules and
 * report may know.  Facts are kept in the order in which they were added.
 */
#ifndef PCAPDIAG_FACTS_FACT_H
#define PCAPDIAG_FACTS_FACT_H

#include <stddef.h>
#include <stdint.h>

#include "facts/vocabulary.h"

/**
 * struct evidence - One evidence set of a fact
 * @leg, @at:	its name: LEG@POINT, @at being the role of the point's file
 * @claim:	index into the incident's claims
 * @control:	claim that must be above 0 if @claim is of 0; or -1
 * @twin:	the same claim where the packets were seen; or -1
 * @twin_reason: why there is no twin; or NULL
 * @total:	distinct packets meant (copies removed)
 */
struct evidence {
	enum evidence_leg leg;
	enum capture_role at;
	int32_t claim;
	int32_t control;
	int32_t twin;
	const char *twin_reason;
	uint64_t total;
};

/**
 * struct fact - One fact
 * @kind:	its kind
 * @n_failed:	failed exchanges in it (what "count" of a diagnosis adds up)
 * @after, @before: point ids (borrowed) between which it is lost, or NULL
 *
 * Values are sparse; a field that was never set is VALUE_UNKNOWN.
 */
struct fact {
	enum fact_kind kind;
	uint64_t n_failed;
	const char *after;
	const char *before;
	struct fact_value *values; /* internal: sorted by field */
	uint16_t n_values;
	uint16_t value_capacity;
	struct evidence *evidence;
	size_t n_evidence;
};

struct facts;

struct facts *facts_new(void);
void facts_free(struct facts *facts);

/**
 * facts_add() - A new fact without values
 *
 * Return: the fact, owned by @facts; the pointer stays valid
 */
struct fact *facts_add(struct facts *facts, enum fact_kind kind);

size_t facts_count(const struct facts *facts);
const struct fact *facts_get(const struct facts *facts, size_t i);

/* Setting values; setting one twice keeps the last.  Texts are copied. */
void fact_set_number(struct fact *f, enum field field, int64_t n);
void fact_set_interval(struct fact *f, enum field field, int64_t lo,
                       int64_t hi);
void fact_set_bool(struct fact *f, enum field field, bool b);
void fact_set_enum(struct fact *f, enum field field, int64_t word);
void fact_set_ip(struct fact *f, enum field field, const struct in6_addr *ip);
void fact_set_mac(struct fact *f, enum field field, struct mac mac);
void fact_set_text(struct facts *facts, struct fact *f, enum field field,
                   const char *text);
void fact_set_absent(struct fact *f, enum field field);

/** fact_set_label() - Set a label to @n bytes (shortened to 16 by hashing) */
void fact_set_label(struct fact *f, enum field field, const void *bytes,
                    size_t n);

/** fact_get() - The value of @field; VALUE_UNKNOWN if it was never set */
struct value fact_get(const struct fact *f, enum field field);

/** fact_add_evidence() - Append @e */
void fact_add_evidence(struct fact *f, const struct evidence *e);

#endif
