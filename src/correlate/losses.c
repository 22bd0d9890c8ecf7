#include "correlate/losses.h"

#include <stdlib.h>

#include "base/xalloc.h"

static uint64_t hash_of(const struct passing *at, uint32_t after,
                        uint32_t before)
{
	uint64_t hash = hash_bytes(&at->peer, sizeof(at->peer));

	return hash_mix(hash,
	                (uint64_t)at->direction << 16 | after << 8 | before);
}

static struct peer_loss *peer_of(struct losses *l, const struct passing *at,
                                 uint32_t after, uint32_t before)
{
	uint64_t hash = hash_of(at, after, before);
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&l->index, hash, &pos)) != HASH_TABLE_NONE)
		if (addr_equal(&l->peers[i].peer, &at->peer) &&
		    l->peers[i].direction == at->direction &&
		    l->peers[i].after == after && l->peers[i].before == before)
			return &l->peers[i];
	if (l->n_peers == LOSS_PEERS_MAX)
		return NULL;
	if (!l->peers)
		l->peers = xcalloc(LOSS_PEERS_MAX, sizeof(*l->peers));
	hash_table_add(&l->index, hash, (uint32_t)l->n_peers);
	l->peers[l->n_peers] = (struct peer_loss){
		.peer = at->peer,
		.direction = at->direction,
		.after = after,
		.before = before,
		.first_ns = at->host_ns,
	};
	return &l->peers[l->n_peers++];
}

/* One segment that is sent again and again in vain is one. */
static bool is_again(const struct peer_loss *p, const struct passing *at)
{
	for (size_t i = 0; i < p->n_samples; i++)
		if (p->samples[i].seq == at->seq &&
		    p->samples[i].peer_port == at->peer_port)
			return true;
	return false;
}

void losses_passed(struct losses *l, const struct passing *at, uint64_t depths)
{
	if (at->cut != PASSING_BYTES)
		return;
	for (uint32_t i = 0; i < LOSS_DEPTHS; i++) {
		struct gap_loss *g = &l->gaps[i][at->direction];

		if (!(depths >> i & 1))
			continue;
		g->passed++;
		if (at->len > g->largest_passed)
			g->largest_passed = at->len;
	}
}

void losses_lost(struct losses *l, const struct passing *at, uint32_t after,
                 uint32_t before)
{
	struct gap_loss *g;
	struct peer_loss *p;

	if (at->cut != PASSING_BYTES || after >= LOSS_DEPTHS ||
	    before >= LOSS_DEPTHS)
		return;
	p = peer_of(l, at, after, before);
	if (p && is_again(p, at))
		return;
	g = &l->gaps[before][at->direction];
	if (g->lost++ == 0 || at->len < g->smallest_lost)
		g->smallest_lost = at->len;
	if (!p)
		return;
	p->lost++;
	p->last_ns = at->host_ns;
	if (p->n_samples < LOSS_SAMPLES)
		p->samples[p->n_samples++] = (struct lost_segment){
			.peer_port = at->peer_port,
			.ip_id = at->ip_id,
			.seq = at->seq,
		};
}

void losses_free(struct losses *l)
{
	free(l->peers);
	hash_table_free(&l->index);
}
