/*
 * Ways: what the guest sends, or gets, altogether or by one next hop.  Where
 * nothing more comes through a way, all that fails on it has one cause.
 */
#ifndef PCAPDIAG_CORRELATE_WAYS_H
#define PCAPDIAG_CORRELATE_WAYS_H

#include "correlate/locate.h"

/** struct way - The tries on one way, ARP aside */
struct way {
	uint64_t n_failed;
	uint64_t n_passed;
	int64_t first_failed_ns;
	int64_t last_passed_ns;
};

/** struct ways - Zero-initialised is empty; owns its arrays */
struct ways {
	struct hash_table index;
	struct way *ways;
	uint32_t n;
	uint32_t capacity;
};

/** ways_note() - A try of @key; it passed if anybody answered it, or refused it */
void ways_note(struct ways *ways, const struct scene *s,
               const struct flow_key *key, enum try_role role, bool passed,
               int64_t host_ns);

/** ways_set_label() - The widest way of @key that is dead, or else its peer */
void ways_set_label(const struct ways *ways, const struct scene *s,
                    const struct flow_key *key, enum try_role role,
                    struct fact *f);

void ways_free(struct ways *ways);

#endif
