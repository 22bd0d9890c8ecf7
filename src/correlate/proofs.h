/*
 * What the second reading has found out about flows and stations, and losses that
 * wait for such a proof: whether a packet was the guest's, or had to pass a
 * point, may turn out only later.
 */
#ifndef PCAPDIAG_CORRELATE_PROOFS_H
#define PCAPDIAG_CORRELATE_PROOFS_H

#include "correlate/passing.h"

#define PROOFS_RECENT 256

/**
 * struct open_loss - Lost, if a proof turns up: else not known
 * @id:		of what must turn up
 * @other_id:	or this; 0: nothing
 * @unless:	what else may turn up: then it has not to cross; 0: nothing
 * @may_be_others: without a proof it is no packet of the guest
 * @edge:	which edge of the captures it is at
 * @n:		how many; set here
 */
struct open_loss {
	uint64_t id;
	uint64_t other_id;
	uint64_t unless;
	enum path_direction direction;
	bool may_be_others;
	uint32_t edge;
	uint64_t n;
};

/** struct proofs - Zero-initialised is empty; owns its tables */
struct proofs {
	struct hash_table table;
	uint64_t recent[PROOFS_RECENT]; /* the last ones, to look up faster */
	struct open_loss *open;
	uint32_t n_open;
	uint32_t open_capacity;
	struct hash_table open_index;
};

/** proofs_has(), proofs_add() - Proofs are known by an id; 0 is never proven */
bool proofs_has(const struct proofs *p, uint64_t id);
void proofs_add(struct proofs *p, uint64_t id);

/** proofs_crossing() - Id: traffic of a link address crosses @point; NO_POINT: it
 * reaches the guest without being seen at the host */
uint64_t proofs_crossing(struct mac station, uint32_t point);

/** proofs_wait() - One more packet like @loss is lost if a proof turns up */
void proofs_wait(struct proofs *p, const struct open_loss *loss);

void proofs_free(struct proofs *p);

#endif
