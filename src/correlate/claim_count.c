/*
 * The late pass: counts the packets of which claims hold.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/analyse.h"
#include "correlate/claim_holds.h"
#include "decode/packet.h"

static void test(struct claim *c, const struct packet *p)
{
	if (!claim_holds(c, p))
		return;
	if (c->n_frames < CLAIM_FRAMES_MAX)
		c->frames[c->n_frames++] = p->frame;
	c->count++;
}

/*
 * Claims by the address that they are about: most packets are about nobody that
 * any claim names, and are not tested at all.
 */
#define MANY_CLAIMS 64

/* Of what time a claim is */
struct span {
	int64_t from_ns;
	int64_t to_ns;
};

struct claim_index {
	struct claim **claims;
	size_t n;
	struct hash_table by_ip;
	const struct in6_addr **pivots;
	struct span *spans; /* by claim: asked first, since it costs least */
	uint32_t *rest;     /* claims without one single address */
	size_t n_rest;
};

/* Claims that name @ip, up to where it no longer matters */
static uint32_t claims_of(const struct claim_index *index,
                          const struct in6_addr *ip)
{
	uint64_t hash = hash_bytes(ip, sizeof(*ip));
	uint32_t n = 0;
	size_t pos = 0;

	while (n < MANY_CLAIMS &&
	       hash_table_find(&index->by_ip, hash, &pos) != HASH_TABLE_NONE)
		n++;
	return n;
}

/* Of the claim's addresses the one that fewest claims name: the guest is in all
 * of them. */
static const struct in6_addr *pivot_of(const struct claim_index *index,
                                       const struct claim *c)
{
	const struct in6_addr *best = NULL;
	uint32_t fewest = UINT32_MAX;

	for (size_t i = 0; i < c->n_terms; i++) {
		const struct claim_term *t = &c->terms[i];
		uint32_t n;

		if ((t->field != CLAIM_IP_SRC && t->field != CLAIM_IP_DST) ||
		    t->n != 1 || t->negated)
			continue;
		n = claims_of(index, &t->values[0].ip);
		if (n < fewest) {
			best = &t->values[0].ip;
			fewest = n;
		}
	}
	return best;
}

static void count_addresses(struct claim_index *index)
{
	for (size_t i = 0; i < index->n; i++)
		for (size_t j = 0; j < index->claims[i]->n_terms; j++) {
			const struct claim_term *t =
				&index->claims[i]->terms[j];

			if ((t->field == CLAIM_IP_SRC ||
			     t->field == CLAIM_IP_DST) &&
			    t->n == 1 &&
			    claims_of(index, &t->values[0].ip) < MANY_CLAIMS)
				hash_table_add(
					&index->by_ip,
					hash_bytes(&t->values[0].ip,
				                   sizeof(t->values[0].ip)),
					(uint32_t)i);
		}
}

/* From the first of its ranges of time to the last */
static struct span span_of(const struct claim *c)
{
	struct span span = { INT64_MIN, INT64_MAX };

	for (size_t i = 0; i < c->n_terms; i++) {
		const struct claim_term *t = &c->terms[i];

		if (t->field != CLAIM_TIME || t->negated || t->n < 2)
			continue;
		span = (struct span){ INT64_MAX, INT64_MIN };
		for (uint32_t k = 0; k + 1 < t->n; k += 2) {
			if (t->values[k].number < span.from_ns)
				span.from_ns = t->values[k].number;
			if (t->values[k + 1].number > span.to_ns)
				span.to_ns = t->values[k + 1].number;
		}
	}
	return span;
}

static void index_claims(struct claim_index *index)
{
	struct hash_table by_pivot = { 0 };

	index->rest = xcalloc(index->n, sizeof(*index->rest));
	index->pivots = xcalloc(index->n, sizeof(*index->pivots));
	index->spans = xcalloc(index->n, sizeof(*index->spans));
	count_addresses(index);
	for (size_t i = 0; i < index->n; i++) {
		const struct in6_addr *ip = pivot_of(index, index->claims[i]);

		index->pivots[i] = ip;
		index->spans[i] = span_of(index->claims[i]);
		if (ip)
			hash_table_add(&by_pivot, hash_bytes(ip, sizeof(*ip)),
			               (uint32_t)i);
		else
			index->rest[index->n_rest++] = (uint32_t)i;
	}
	hash_table_free(&index->by_ip);
	index->by_ip = by_pivot;
}

static void test_address(const struct claim_index *index,
                         const struct in6_addr *ip, const struct packet *p)
{
	uint64_t hash = hash_bytes(ip, sizeof(*ip));
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&index->by_ip, hash, &pos)) !=
	       HASH_TABLE_NONE)
		if (p->ts_ns >= index->spans[i].from_ns &&
		    p->ts_ns <= index->spans[i].to_ns &&
		    addr_equal(index->pivots[i], ip))
			test(index->claims[i], p);
}

static void test_all(const struct claim_index *index, const struct packet *p)
{
	if (p->ip_version != 0) {
		test_address(index, &p->src, p);
		if (!addr_equal(&p->src, &p->dst))
			test_address(index, &p->dst, p);
	}
	for (size_t i = 0; i < index->n_rest; i++)
		test(index->claims[index->rest[i]], p);
}

static void count_in(struct capture *capture, struct claim **claims, size_t n)
{
	struct claim_index index = { .claims = claims, .n = n };
	struct frame frame;
	struct packet p, inner;

	index_claims(&index);
	capture_rewind(capture);
	while (capture_next(capture, &frame) == CAPTURE_FRAME) {
		const struct capture_interface *ci =
			capture_interface(capture, frame.interface);

		if (!ci->supported)
			continue;
		packet_decode(&frame, ci->linktype, &p);
		test_all(&index, &p);
		if (packet_decode_inner(&p, &inner))
			test_all(&index, &inner);
	}
	free(index.rest);
	free(index.pivots);
	free(index.spans);
	hash_table_free(&index.by_ip);
}

/* The claim among the @n before it that selects the same frames, or itself */
static struct claim *same_claim(struct claim **claims, char **filters,
                                struct hash_table *index, size_t n,
                                struct claim *c)
{
	struct strbuf filter = { 0 };
	uint64_t hash;
	size_t pos = 0;
	uint32_t i;

	claim_filter(c, &filter);
	hash = hash_bytes(strbuf_text(&filter), filter.len);
	while ((i = hash_table_find(index, hash, &pos)) != HASH_TABLE_NONE)
		if (strcmp(filters[i], strbuf_text(&filter)) == 0) {
			strbuf_free(&filter);
			return claims[i];
		}
	hash_table_add(index, hash, (uint32_t)n);
	claims[n] = c;
	filters[n] = strbuf_steal(&filter);
	return c;
}

static void copy_count(struct claim *to, const struct claim *from)
{
	to->count = from->count;
	to->n_frames = from->n_frames;
	memcpy(to->frames, from->frames, sizeof(to->frames));
}

/* Counts those of the @wanted claims that are about capture @i. */
static void count_capture(struct incident *incident, struct capture *capture,
                          uint32_t i, const int32_t *wanted, size_t n_wanted)
{
	struct claim **claims = xcalloc(n_wanted, sizeof(struct claim *));
	struct claim **same = xcalloc(n_wanted, sizeof(struct claim *));
	char **filters = xcalloc(n_wanted, sizeof(char *));
	struct hash_table index = { 0 };
	size_t n = 0;

	for (size_t j = 0; j < n_wanted; j++) {
		struct claim *c = incident_claim(incident, wanted[j]);

		if (c->capture != i || c->counted)
			continue;
		c->counted = true;
		same[j] = same_claim(claims, filters, &index, n, c);
		n += same[j] == c;
	}
	if (n > 0)
		count_in(capture, claims, n);
	for (size_t j = 0; j < n_wanted; j++)
		if (same[j] && same[j] != incident_claim(incident, wanted[j]))
			copy_count(incident_claim(incident, wanted[j]),
			           same[j]);
	for (size_t j = 0; j < n; j++)
		free(filters[j]);
	free(filters);
	free(claims);
	free(same);
	hash_table_free(&index);
}

void claims_count(struct incident *incident, struct capture *const *captures,
                  const int32_t *wanted, size_t n_wanted)
{
	for (uint32_t i = 0; n_wanted > 0 && i < incident->n_captures; i++)
		count_capture(incident, captures[i], i, wanted, n_wanted);
}
