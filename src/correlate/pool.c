#include "correlate/pool.h"

#include "correlate/run.h"

#define BY_PEER 1
#define BY_HOP 2

static uint64_t by_peer(const struct in6_addr *peer)
{
	return hash_mix(hash_bytes(peer, sizeof(*peer)), BY_PEER);
}

/* Beyond the link all goes by the gateway of the family, known or not. */
static uint64_t by_hop(const struct scene *s, const struct in6_addr *peer)
{
	const struct gateway *gw = scene_gateway_for(s, peer);
	struct in6_addr hop = IN6ADDR_ANY_INIT;

	if (scene_on_link(s, peer) != 0)
		return by_peer(peer);
	if (gw && gw->has_ip)
		hop = gw->ip;
	return hash_mix(hash_bytes(&hop, sizeof(hop)),
	                BY_HOP + addr_is_v4(peer));
}

void pool_note(struct pool *pool, const struct scene *s,
               const struct in6_addr *peer, uint64_t n_failed,
               uint64_t n_worked)
{
	const uint64_t keys[] = { by_peer(peer), by_hop(s, peer) };

	for (int i = 0; i < (keys[0] == keys[1] ? 1 : 2); i++) {
		*tally_at(&pool->failed, keys[i]) += (uint32_t)n_failed;
		*tally_at(&pool->worked, keys[i]) += (uint32_t)n_worked;
	}
}

static bool is_enough(const struct pool *pool, uint64_t key)
{
	return tally_get(&pool->failed, key) >= RUN_QUORUM_TRIES &&
	       tally_get(&pool->worked, key) == 0;
}

bool pool_is_enough(const struct pool *pool, const struct scene *s,
                    const struct in6_addr *peer)
{
	return is_enough(pool, by_peer(peer)) ||
	       is_enough(pool, by_hop(s, peer));
}

void pool_free(struct pool *pool)
{
	tally_free(&pool->failed);
	tally_free(&pool->worked);
}
