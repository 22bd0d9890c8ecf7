/*
 * Conversations: all tries of one client for one server and port, while they are
 * sorted.  Private to exchange.c and what counts them.
 */
#ifndef PCAPDIAG_CORRELATE_CONVERSATION_H
#define PCAPDIAG_CORRELATE_CONVERSATION_H

#include "correlate/chance.h"
#include "correlate/reach.h"
#include "correlate/ways.h"

#define NO_CHAIN UINT32_MAX

/* Tries that failed one after the other: the newest; older ones by older[] */
struct stretch {
	uint32_t newest;
	uint32_t n;
};

/**
 * struct conversation - All tries of one exchange while they are sorted
 * @stretches:	what failed without a success between, in order of time
 * @newest:	newest chain of the open stretch; older ones by older[]
 * @ports:	index of the count of ports that this client tried there
 */
struct conversation {
	struct flow_key key;
	enum try_role role;
	struct stretch *stretches;
	uint32_t n_stretches;
	uint32_t newest;
	uint32_t n_open;
	uint32_t newest_scattered; /* of closed runs below the quorum */
	uint32_t n_scattered;
	uint64_t n_worked;
	uint64_t n_failed;
	uint64_t n_undecided;
	uint64_t n_hidden; /* of these, by gaps of a capture */
	int64_t hidden_first_ns;
	int64_t hidden_last_ns;
	uint64_t n_untold; /* failed: too few to say something for themselves */
	bool told;         /* a run of it was written down */
	bool by_chance;    /* losses at random explain a run of it */
	int64_t first_ns;
	int64_t last_ns;
	uint32_t ports;
	struct asked asked;
};

struct sorter {
	struct scene *scene;
	struct visibility *visibility;
	struct reach *reach;
	struct conversation *conversations;
	uint32_t n;
	uint32_t capacity;
	struct hash_table index;
	struct hash_table port_index; /* (protocol, client, server) -> ports */
	uint32_t *ports;
	uint32_t n_ports;
	uint32_t *older; /* by chain */
	struct chance chance;
	struct ways ways;
};

/** conversations_count_failures() - What fails how often, before it is asked
 * whether that is an accident; all stretches are closed */
void conversations_count_failures(struct sorter *so);

/** conversations_count_checked() - What was tried and worked, for the report */
void conversations_count_checked(const struct sorter *so);

#endif
