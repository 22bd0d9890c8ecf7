/*
 * A run: consecutive tries of one exchange (one client, one server and port)
 * that did not work, closed by one that did.
 */
#ifndef PCAPDIAG_CORRELATE_RUN_H
#define PCAPDIAG_CORRELATE_RUN_H

#include "correlate/locate.h"

/* So many tries say something; fewer only if they are far apart. */
#define RUN_QUORUM_TRIES 3

/**
 * struct run - See above
 * @key:	who asks whom, in the guest's terms; client_port is 0
 * @chains:	the tries that failed or were refused, in order of time
 * @n_worked:	tries of the exchange that worked, outside the run
 * @n_undecided: tries too near to an end of a capture
 * @location:	where the majority of the failed tries is lost
 */
struct run {
	struct flow_key key;
	enum try_role role;
	enum outcome outcome;
	const struct chain **chains;
	size_t n_chains;
	uint64_t n_worked;
	uint64_t n_undecided;
	struct location location;
};

/** run_has_quorum() - Are there enough tries to say something? */
bool run_has_quorum(const struct scene *s, const struct run *run);

/** chain_is_refused() - Did its client get a refusal? */
bool chain_is_refused(const struct scene *s, const struct visibility *v,
                      const struct chain *c);

/** run_refusal_at() - Where a refusal is looked at: at the guest's own end if that
 * shows it, since the addresses there are those that the run is told in; else at
 * its client's */
const struct sighting *run_refusal_at(const struct scene *s,
                                      const struct chain *c);

/** run_refused_try() - The first try that was refused, or NULL */
const struct try *run_refused_try(const struct scene *s,
                                  const struct visibility *v,
                                  const struct run *run);

/** run_majority() - The place that most tries agree on; of a refused run, most
 * refused tries */
struct location run_majority(const struct scene *s, const struct visibility *v,
                             const struct run *run);

/** point_claim() - A new claim at @point, limited to it; sets its index */
struct claim *point_claim(const struct scene *s, uint32_t point,
                          int32_t *index);

/** exchange_describe() - Who asks whom, and what it has in common with others */
void exchange_describe(const struct scene *s, const struct visibility *v,
                       const struct flow_key *key, enum try_role role,
                       struct fact *f);

/** run_add_counts() - How many tries were seen, answered and translated */
void run_add_counts(const struct scene *s, const struct run *run,
                    struct fact *f);

/** run_add_location() - Where it is lost, if that is known */
void run_add_location(const struct scene *s, const struct run *run,
                      struct fact *f);

/** run_party() - Who has the address @ip */
enum party run_party(const struct scene *s, const struct run *run,
                     const struct in6_addr *ip);

/** run_add_refusal() - How it was refused, and by whom */
void run_add_refusal(const struct scene *s, const struct visibility *v,
                     const struct run *run, struct fact *f);

/** run_add_refusal_ttl() - Has a refusal the TTL that the server's packets have? */
void run_add_refusal_ttl(const struct scene *s, const struct run *run,
                         struct fact *f);

/** run_add_neighbour() - What the link says of the run: does the guest send the
 * peer anything, is the MAC that it uses the current one, who routes there */
void run_add_neighbour(const struct scene *s, const struct run *run,
                       struct fact *fact);

/** run_add_evidence() - Build the claims of @run and hang them on @fact */
void run_add_evidence(struct scene *s, const struct visibility *v,
                      const struct run *run, struct fact *fact);

/** run_sighting() - Try @i of the run at @point, or NULL */
const struct sighting *run_sighting(const struct scene *s,
                                    const struct run *run, size_t i,
                                    uint32_t point);

/** sighting_try(), sighting_flow() - What a sighting points at */
const struct try *sighting_try(const struct scene *s,
                               const struct sighting *at);
const struct flow *sighting_flow(const struct scene *s,
                                 const struct sighting *at);

#endif
