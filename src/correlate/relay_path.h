/*
 * One try and the user-mode NAT on its way, for locate.c and the facts.
 */
#ifndef PCAPDIAG_CORRELATE_RELAY_PATH_H
#define PCAPDIAG_CORRELATE_RELAY_PATH_H

#include "correlate/run.h"

/** relay_answer_ns() - When the server's answer to a try passed, whoever opens its
 * connections: its first bytes, or the answer of a query; 0: none */
int64_t relay_answer_ns(const struct flow *f, const struct try *try);

/** relay_answer_frame() - The frame of that answer, if there is one */
uint64_t relay_answer_frame(const struct flow *f, const struct try *try);

/** relay_repeats() - Is at least one try of this flow of the guest shown again? */
bool relay_repeats(const struct scene *s, uint32_t point, uint32_t flow);

/** relay_end() - The sighting that shows what became of a try of the guest:
 * @guest, its own, or the one of the connection that the host opened for it */
const struct sighting *relay_end(const struct scene *s, const struct chain *c,
                                 const struct sighting *guest);

/** relay_keeps() - Is it a ping of the guest, and the last point of the path, where
 * its other connections are opened anew, never shows one? */
bool relay_keeps(const struct visibility *v, const struct scene *s,
                 const struct chain *c);

enum relay_sought {
	RELAY_FOUND, /* or the host need not look for it */
	RELAY_SOUGHT_IN_VAIN,
	RELAY_SOUGHT_UNSEEN, /* the point shows no ARP at all */
};

/** relay_sought() - Does the host find @server, whom it would ask for the guest,
 * by ARP? */
enum relay_sought relay_sought(const struct scene *s, uint32_t point,
                               const struct in6_addr *server);

/** relay_sought_tries() - ARP requests of the host for it, if all were in vain */
uint32_t relay_sought_tries(const struct scene *s, uint32_t point,
                            const struct in6_addr *server);

#endif
