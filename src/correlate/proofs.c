#include "correlate/proofs.h"

#include <stdlib.h>

#include "base/xalloc.h"

bool proofs_has(const struct proofs *p, uint64_t id)
{
	size_t pos = 0;

	return id != 0 &&
	       (p->recent[id % PROOFS_RECENT] == id ||
	        hash_table_find(&p->table, id, &pos) != HASH_TABLE_NONE);
}

void proofs_add(struct proofs *p, uint64_t id)
{
	if (id == 0)
		return;
	if (!proofs_has(p, id))
		hash_table_add(&p->table, id, 0);
	p->recent[id % PROOFS_RECENT] = id;
}

uint64_t proofs_crossing(struct mac station, uint32_t point)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < sizeof(station.bytes); i++)
		bytes = bytes << 8 | station.bytes[i];
	return hash_mix(bytes, point) | 1;
}

void proofs_wait(struct proofs *p, const struct open_loss *loss)
{
	uint64_t hash = hash_mix(loss->id, loss->direction << 2 | loss->edge);
	size_t pos = 0;
	uint32_t i = hash_table_find(&p->open_index, hash, &pos);

	if (i == HASH_TABLE_NONE) {
		if (p->n_open == p->open_capacity) {
			p->open_capacity =
				p->open_capacity ? 2 * p->open_capacity : 64;
			p->open = xreallocarray(p->open, p->open_capacity,
			                        sizeof(*p->open));
		}
		i = p->n_open++;
		p->open[i] = *loss;
		p->open[i].n = 0;
		hash_table_add(&p->open_index, hash, i);
	}
	p->open[i].n++;
}

void proofs_free(struct proofs *p)
{
	free(p->open);
	hash_table_free(&p->open_index);
	hash_table_free(&p->table);
}
