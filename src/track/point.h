/*
 * One observation point: all that its packets tell when they are looked at
 * alone, in capture order.  The trackers behind it are one row each in the table
 * of point.c.
 */
#ifndef PCAPDIAG_TRACK_POINT_H
#define PCAPDIAG_TRACK_POINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode/packet.h"
#include "track/claim_log.h"
#include "track/flow.h"
#include "track/quality.h"
#include "track/sample.h"
#include "track/second_set.h"
#include "track/station.h"

/* Classes of traffic that a capture filter or a network lets through or not. */
enum traffic_class {
	TRAFFIC_ARP,
	TRAFFIC_NDP, /* all of ICMPv6 but echo */
	TRAFFIC_ICMP,
	TRAFFIC_TCP,
	TRAFFIC_DNS,
	TRAFFIC_UDP,
	TRAFFIC_OTHER,
	TRAFFIC_CLASS_COUNT,
};

/** traffic_class_of() - The class of a packet */
enum traffic_class traffic_class_of(const struct packet *p);

/** traffic_class_of_protocol() - The class that carries an exchange */
enum traffic_class traffic_class_of_protocol(enum protocol protocol);

/** struct dns_hint - An address that somebody was given by DNS */
struct dns_hint {
	int64_t ts_ns;
	struct in6_addr asker;
	struct in6_addr address;
};

/** struct icmp_error - One ICMP error and the flow it is about, unless the snap
 * length has cut the quotation: then that is not valid */
struct icmp_error {
	int64_t ts_ns;
	uint64_t frame;
	struct in6_addr from;
	struct in6_addr to;
	struct mac from_mac;
	uint8_t type;
	uint8_t code;
	uint8_t ttl;
	struct quoted_packet quoted;
};

/**
 * struct stray_answer - An answer that fits no request seen at this point
 * @id:		the request's: TCP sequence number, ICMP sequence number
 */
struct stray_answer {
	int64_t ts_ns;
	struct in6_addr from;
	struct in6_addr to;
	struct mac from_mac;
	uint16_t from_port;
	uint16_t to_port; /* ICMP echo: the id */
	uint32_t id;
	enum protocol protocol;
};

/**
 * struct dhcp_lease - What a DHCP ACK or OFFER said
 * @offered:	it is an OFFER, or what is left of it says the same: whoever it is for
 *		has no address yet
 * @cut:	it may have said more
 */
struct dhcp_lease {
	int64_t ts_ns;
	bool offered;
	bool cut;
	struct mac client_mac;
	struct in6_addr ip;
	struct in6_addr router;
	struct in6_addr server;
	bool has_router;
	bool has_static_routes;
	uint8_t prefix_bits;
};

/**
 * struct router_advert - What a router says of itself, its newest word
 * @lifetime_s:	how long it may be used by default; 0: it must not
 * @prefix, @prefix_bits: what is on the link; no bits: not said
 */
struct router_advert {
	int64_t ts_ns;
	struct in6_addr from;
	struct mac from_mac;
	struct in6_addr prefix;
	uint16_t lifetime_s;
	uint8_t prefix_bits;
};

#define ROUTER_ADVERTS_MAX 16

/**
 * struct point - See above; zero-initialised is empty
 * @seen:	when each class of traffic was seen, from anyone
 */
struct point {
	uint64_t packets;
	int64_t first_ns;
	int64_t last_ns;
	uint64_t truncated;
	uint64_t malformed;
	uint64_t unsupported;
	uint64_t shortened; /* caplen below the wire length */
	uint64_t group_frames;
	struct second_set seen[TRAFFIC_CLASS_COUNT];
	struct station_table stations;
	struct flow_table flows;
	struct dns_hint *dns_hints;
	size_t n_dns_hints;
	struct icmp_error *errors;
	size_t n_errors;
	struct dhcp_lease *leases;
	size_t n_leases;
	struct router_advert adverts[ROUTER_ADVERTS_MAX];
	size_t n_adverts;
	struct claim_log claims;
	struct stray_answer *strays;
	size_t n_strays;
	struct quality quality;
	struct sample_set samples;
	bool full;
};

/** point_feed() - Account for the next packet seen at this point */
void point_feed(struct point *point, const struct packet *p);

/** point_free() - Free what @point owns, not @point */
void point_free(struct point *point);

#endif
