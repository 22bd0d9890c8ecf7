/*
 * What each point could have seen.  "Not seen" is a fact only where the point
 * would have shown it; everything else is unknown.
 */
#ifndef PCAPDIAG_CORRELATE_VISIBILITY_H
#define PCAPDIAG_CORRELATE_VISIBILITY_H

#include "correlate/scene.h"

/* How long an answer may take before its absence means something, ns */
int64_t visibility_timeout_ns(enum protocol protocol);

struct visibility;

/** visibility_new() - Look at what did cross, over all chains of @s */
struct visibility *visibility_new(const struct scene *s);
void visibility_free(struct visibility *v);

/** enum relevance - Does an exchange have to pass a point at all? */
enum relevance {
	RELEVANCE_NO,
	RELEVANCE_YES,
	RELEVANCE_UNKNOWN,
};

/**
 * visibility_relevance() - Would @chain's packets pass @point?
 * @chain:	a try of or to the guest
 * @reply:	its answer, not itself
 *
 * Routers and NAT pass no ARP and nothing for the guest's own link; user-mode NAT
 * of some protocols nothing at all; a bridge port passes unicast only for stations
 * that lie behind it.
 */
enum relevance visibility_relevance(const struct visibility *v,
                                    const struct chain *chain, uint32_t point,
                                    bool reply);

/** visibility_comes_by() - Does the answer to @chain pass @point for certain: is
 * its server known to be behind it? */
bool visibility_comes_by(const struct visibility *v, const struct chain *chain,
                         uint32_t point);

/**
 * visibility_could_see() - Would @point have shown a packet of the guest?
 * @direction:	the packet's
 * @class:	its class
 * @host_ns:	when, in the host's clock
 * @after_ns:	how long it may be late
 */
bool visibility_could_see(const struct visibility *v, uint32_t point,
                          enum path_direction direction,
                          enum traffic_class class, int64_t host_ns,
                          int64_t after_ns);

/** visibility_shows_way() - Is there anything at @point to say that no filter leaves
 * out what goes that way? */
bool visibility_shows_way(const struct visibility *v, uint32_t point,
                          enum path_direction direction,
                          enum traffic_class class);

/** visibility_crossed() - Traffic of @class from or to the guest was matched
 * here and at the guest */
bool visibility_crossed(const struct visibility *v, uint32_t point,
                        enum path_direction direction,
                        enum traffic_class class);

/** visibility_crossed_any() - The same for traffic of any class */
bool visibility_crossed_any(const struct visibility *v, uint32_t point,
                            enum path_direction direction);

/** visibility_reached_guest() - Did anything of this address reach the guest, ARP
 * requests aside? */
bool visibility_reached_guest(const struct visibility *v,
                              const struct in6_addr *ip);

/** visibility_alive() - Did anybody with this address send anything? */
bool visibility_alive(const struct visibility *v, const struct in6_addr *ip);

#endif
