#include "correlate/ways.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/run.h"

/* What was on its way when it ended may still pass. */
#define LATE_NS INT64_C(1000000000)

enum width {
	WIDTH_ALL,
	WIDTH_HOP,
	WIDTH_COUNT,
};

/* Its name as a label; a table's key by hash */
struct name {
	struct in6_addr hop; /* or none: all of the guest */
	uint32_t role;
	uint32_t width;
};

static const struct in6_addr *peer_of(const struct flow_key *key,
                                      enum try_role role)
{
	return role == TRY_ROLE_FROM_GUEST ? &key->server : &key->client;
}

static struct name name_of(const struct scene *s, const struct flow_key *key,
                           enum try_role role, enum width width)
{
	const struct in6_addr *peer = peer_of(key, role);
	const struct gateway *gw = scene_gateway_for(s, peer);
	struct name name = { .role = role, .width = width };

	if (width == WIDTH_HOP)
		name.hop = gw && gw->has_ip && scene_on_link(s, peer) == 0
		                   ? gw->ip
		                   : *peer;
	return name;
}

static uint32_t find(const struct ways *ways, const struct name *name)
{
	size_t pos = 0;

	return hash_table_find(&ways->index, hash_bytes(name, sizeof(*name)),
	                       &pos);
}

static struct way *get(struct ways *ways, const struct name *name)
{
	uint32_t i = find(ways, name);

	if (i != HASH_TABLE_NONE)
		return &ways->ways[i];
	if (ways->n == ways->capacity) {
		ways->capacity = ways->capacity ? 2 * ways->capacity : 64;
		ways->ways = xreallocarray(ways->ways, ways->capacity,
		                           sizeof(*ways->ways));
	}
	ways->ways[ways->n] = (struct way){ 0 };
	hash_table_add(&ways->index, hash_bytes(name, sizeof(*name)), ways->n);
	return &ways->ways[ways->n++];
}

void ways_note(struct ways *ways, const struct scene *s,
               const struct flow_key *key, enum try_role role, bool passed,
               int64_t host_ns)
{
	if (key->protocol == PROTOCOL_ARP)
		return;
	for (int width = 0; width < WIDTH_COUNT; width++) {
		struct name name = name_of(s, key, role, (enum width)width);
		struct way *way = get(ways, &name);

		if (!passed && way->n_failed++ == 0)
			way->first_failed_ns = host_ns;
		if (passed) {
			way->n_passed++;
			way->last_passed_ns = host_ns;
		}
	}
}

static bool is_dead(const struct way *way)
{
	return way->n_failed >= RUN_QUORUM_TRIES &&
	       (way->n_passed == 0 ||
	        way->last_passed_ns < way->first_failed_ns + LATE_NS);
}

void ways_set_label(const struct ways *ways, const struct scene *s,
                    const struct flow_key *key, enum try_role role,
                    struct fact *f)
{
	const struct in6_addr *peer = peer_of(key, role);

	for (int width = 0; width < WIDTH_COUNT; width++) {
		struct name name = name_of(s, key, role, (enum width)width);
		uint32_t i = find(ways, &name);

		if (key->protocol == PROTOCOL_ARP || i == HASH_TABLE_NONE ||
		    !is_dead(&ways->ways[i]))
			continue;
		fact_set_label(f, FIELD_LABEL_WAY, &name, sizeof(name));
		return;
	}
	fact_set_label(f, FIELD_LABEL_WAY, peer, sizeof(*peer));
}

void ways_free(struct ways *ways)
{
	hash_table_free(&ways->index);
	free(ways->ways);
}
