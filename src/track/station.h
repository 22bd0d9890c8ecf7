/*
 * Stations: who speaks on a link.  One for each MAC that sent a frame, with the
 * IP addresses it used and those it claimed in ARP.
 */
#ifndef PCAPDIAG_TRACK_STATION_H
#define PCAPDIAG_TRACK_STATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "decode/packet.h"

#define STATION_IPS_MAX 12

/**
 * struct station - One MAC
 * @sent, @received:	unicast frames from and to it
 * @sent_group:		broadcast and multicast frames from it
 * @sent_in, @sent_out:	frames from it that the point marks as coming in or
 *			going out
 * @ips:	source addresses of its IP packets, the first ones
 * @many_ips:	there were more: it forwards for others
 * @asks_lease:	it asks for an address by DHCP, having none
 * @claimed:	addresses it claimed as ARP sender or in an advertisement
 */
struct station {
	struct mac mac;
	uint64_t sent;
	uint64_t received;
	uint64_t sent_group;
	uint64_t sent_in;
	uint64_t sent_out;
	struct in6_addr ips[STATION_IPS_MAX];
	struct in6_addr claimed[STATION_IPS_MAX];
	uint8_t n_ips;
	uint8_t n_claimed;
	bool many_ips;
	bool asks_lease;
	uint16_t vlan; /* outermost tag of its last frame; 0: none */
};

/** struct station_table - Zero-initialised is empty; owns its arrays */
struct station_table {
	struct station *stations; /* in order of first frame */
	uint32_t count;
	uint32_t capacity;
	struct hash_table index;
	uint64_t unicast; /* frames with a unicast destination */
	bool full;
};

/** station_table_feed() - Note the sender and receiver of @p */
void station_table_feed(struct station_table *t, const struct packet *p);

/** station_table_find() - The station with this MAC, or NULL */
const struct station *station_table_find(const struct station_table *t,
                                         struct mac mac);

/** station_table_owner() - The station that claimed @ip in ARP, or NULL */
const struct station *station_table_owner(const struct station_table *t,
                                          const struct in6_addr *ip);

/** station_has_ip() - Did it use or claim @ip? */
bool station_has_ip(const struct station *s, const struct in6_addr *ip);

/** station_is_slirp() - Is it the gateway that libslirp makes up?  Its MAC is 52:55
 * and the IPv4 address that it claims. */
bool station_is_slirp(const struct station *s);

void station_table_free(struct station_table *t);

#endif
