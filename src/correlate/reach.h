/*
 * Who is reached by way of whom, over all points: routers on the guest's link,
 * what the guest sends beyond it, clients of which nothing gets through, answers
 * that come from elsewhere, the ports of the NAT.  Adds what it knows to the
 * facts of exchanges.
 */
#ifndef PCAPDIAG_CORRELATE_REACH_H
#define PCAPDIAG_CORRELATE_REACH_H

#include "correlate/run.h"
#include "correlate/tally.h"

/** struct router - A MAC that brings packets from beyond the guest's link */
struct router {
	struct mac mac;
	struct in6_addr source; /* of one of them */
	uint32_t point;
};

/** struct stray_at - A stray answer and the point where it was seen */
struct stray_at {
	const struct stray_answer *stray;
	uint32_t point;
};

/** struct family - What the guest does with IPv4 or IPv6 beyond its link, and
 * how often it answered, or did not, what comes from there */
struct family {
	bool sends_off_link;
	uint32_t on_link_answered;
	uint32_t off_link_answered;
	uint32_t off_link_silent;
};

/**
 * struct reach - See above
 * @families:	of IPv4 and of IPv6
 * @tried, @arrived: by client IP: protocols (bits) that it tried with the guest,
 *		and those of which something reached it
 * @others:	by protocol: requests from beyond the link that reached it
 * @strays:	by protocol, receiver and id
 * @outside:	by IP: in use beyond the host, at this point (plus 1)
 * @forwarded:	by server and port of the host: requests that got to the guest
 * @worked:	by server and port: the newest chain of the guest that worked
 *		(plus 1)
 * @passed_on:	by protocol: tries that user-mode NAT repeated
 * @older:	by chain: the one before it with the same server and port (plus 1)
 * @sides:	who is on which side of the uplink; or NULL
 */
struct reach {
	const struct scene *scene;
	struct family families[2];
	uint32_t n_unused;
	struct tally contacted;
	struct tally tried;
	struct tally arrived;
	uint32_t others[PROTOCOL_DHCP + 1];
	struct router *routers;
	uint32_t n_routers;
	struct tally router_macs;
	struct tally forwarders;
	struct tally hop_peers;
	struct tally peers_of_hop;
	struct tally redirected;
	struct tally looked_for;
	struct tally outside;
	struct hash_table strays;
	struct stray_at *stray_list;
	uint32_t n_strays;
	struct tally forwarded;
	struct tally worked;
	uint32_t passed_on[PROTOCOL_DHCP + 1];
	uint32_t *older;
	struct sides *sides;
};

/** reach_new() - Look at all points; marks the chains that were answered by
 * another NIC */
struct reach *reach_new(struct scene *s);
void reach_free(struct reach *r);

/** reach_describe() - Set what is known of any exchange of the guest */
void reach_describe(const struct reach *r, const struct flow_key *key,
                    struct fact *f);

/** reach_describe_run() - Set what is known of a failed one, with evidence */
void reach_describe_run(const struct reach *r, struct scene *s,
                        const struct run *run, struct fact *f);

/** reach_of_mac() - The hash that tallies by MAC go by */
static inline uint64_t reach_of_mac(struct mac mac)
{
	return hash_bytes(&mac, sizeof(mac));
}

/** reach_is_near() - Is it a point on the guest's own link, where nothing was
 * routed yet? */
bool reach_is_near(const struct scene *s, const struct observation *o);

/* The other files of it. */

/** next_hop_describe_run() - Who is the next hop, and does it forward anything? */
void next_hop_describe_run(const struct reach *r, struct scene *s,
                           const struct run *run, struct fact *f);

/** strays_index() - Note the stray answers seen at @point */
void strays_index(struct reach *r, uint32_t point);

/** own_host_new() - Sort the stations of the outermost point; NULL: there is none */
struct sides *own_host_new(const struct scene *s);
void own_host_free(struct sides *sides);

/** own_host_describe() - Is one of the two the guest's own host? */
void own_host_describe(struct sides *sides, const struct scene *s,
                       const struct flow_key *key, struct fact *f);

/** strays_mark() - Mark the chains that the guest answered by another NIC */
void strays_mark(const struct reach *r, struct scene *s);

/** strays_describe_run() - Did somebody else answer, or another NIC? */
void strays_describe_run(const struct reach *r, struct scene *s,
                         const struct run *run, struct fact *f);

/** nat_index() - Note the connections of the guest that worked */
void nat_index(struct reach *r);

/** nat_describe() - Does the host forward that port to the guest? */
void nat_describe(const struct reach *r, const struct flow_key *key,
                  struct fact *f);

/** nat_describe_run() - Ports of the NAT, addresses that overlap, idle time */
void nat_describe_run(const struct reach *r, struct scene *s,
                      const struct run *run, struct fact *f);

/** relay_index() - Note what user-mode NAT passes on */
void relay_index(struct reach *r);

/** relay_describe_run() - Does user-mode NAT pass such things on, and where to? */
void relay_describe_run(const struct reach *r, struct scene *s,
                        const struct run *run, struct fact *f);

#endif
