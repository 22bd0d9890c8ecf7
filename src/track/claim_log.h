/*
 * Who claims which IP address in ARP: one entry for each address and MAC, with
 * what tells a conflict from a takeover.
 */
#ifndef PCAPDIAG_TRACK_CLAIM_LOG_H
#define PCAPDIAG_TRACK_CLAIM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "decode/packet.h"

#define CLAIM_LOG_NONE UINT32_MAX

/**
 * struct arp_binding - One MAC that claims one address
 * @next:	another MAC's claim of the same address, or CLAIM_LOG_NONE
 * @vlan:	outermost tag of the last of them; 0: none, or not recorded
 * @claims:	ARP frames with both as sender
 * @replies:	of these, answers to a request
 * @unsolicited: of these, announcements and replies that nobody asked for
 * @unsolicited_first_ns, @unsolicited_last_ns: the first and last of them
 * @doubles:	answers to a request that another MAC had just answered
 * @returns:	claims after another MAC had claimed the address
 * @refused_probes: probes of others that this MAC answered
 */
struct arp_binding {
	struct in6_addr ip;
	struct mac mac;
	uint32_t next;
	uint16_t vlan;
	int64_t first_ns;
	int64_t last_ns;
	uint64_t claims;
	uint64_t replies;
	uint64_t unsolicited;
	int64_t unsolicited_first_ns;
	int64_t unsolicited_last_ns;
	uint64_t doubles;
	uint64_t returns;
	uint64_t refused_probes;
	int64_t answered_ns;     /* last answer */
	struct mac answered_mac; /* whom it was to */
};

/** struct claim_log - Zero-initialised is empty; owns its arrays */
struct claim_log {
	struct arp_binding *bindings; /* in order of first claim */
	uint32_t count;
	uint32_t capacity;
	struct hash_table index; /* hash of the address -> its first binding */
	bool full;
};

/**
 * claim_log_feed() - Note the ARP packet @p
 * @solicited:	a reply: the request was seen, shortly before
 */
void claim_log_feed(struct claim_log *log, const struct packet *p,
                    bool solicited);

/** claim_log_find() - The first binding of @ip, or CLAIM_LOG_NONE */
uint32_t claim_log_find(const struct claim_log *log, const struct in6_addr *ip);

/** claim_log_get() - What @mac claims of @ip, or NULL */
const struct arp_binding *claim_log_get(const struct claim_log *log,
                                        const struct in6_addr *ip,
                                        struct mac mac);

/** claim_log_other_network() - Are both of different VLANs, so that they share no
 * addresses?  No, where one of them has no tag: some NICs take it off. */
bool claim_log_other_network(uint16_t vlan, uint16_t other);

void claim_log_free(struct claim_log *log);

#endif
