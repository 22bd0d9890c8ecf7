/*
 * What losses at random explain: where one packet in twenty is lost, some
 * exchanges fail three times in a row, and nothing is wrong with these.
 */
#ifndef PCAPDIAG_CORRELATE_CHANCE_H
#define PCAPDIAG_CORRELATE_CHANCE_H

#include "correlate/locate.h"

#define CHANCE_PROTOCOLS (PROTOCOL_DHCP + 1)
#define CHANCE_ROLES (TRY_ROLE_TO_HOST + 1)
#define CHANCE_RUN_MAX 8

/** struct chance_count - Exchanges of one protocol and role */
struct chance_count {
	uint64_t tries;
	uint64_t exchanges;
	uint64_t runs[CHANCE_RUN_MAX]; /* that failed, by their length - 1 */
};

/**
 * struct chance - Zero but for @rate
 * @rate:	share of the tries that fails by chance; 0: none
 */
struct chance {
	double rate;
	struct chance_count counts[CHANCE_PROTOCOLS][CHANCE_ROLES];
};

/** chance_note_exchange(), chance_note_run() - An exchange of @tries, and one of
 * its runs of @n failures */
void chance_note_exchange(struct chance *c, enum protocol protocol,
                          enum try_role role, uint64_t tries);
void chance_note_run(struct chance *c, enum protocol protocol,
                     enum try_role role, uint64_t n);

/** chance_explains_run() - Are there no more runs of @n than expected? */
bool chance_explains_run(const struct chance *c, enum protocol protocol,
                         enum try_role role, uint64_t n);

/** chance_explains_share() - May @failed of the @tries of one exchange fail? */
bool chance_explains_share(const struct chance *c, enum protocol protocol,
                           enum try_role role, uint64_t tries, uint64_t failed);

#endif
