/*
 * The incident: all that the analysing half hands to the judging half.
 * Filled by correlate, read by rules and report.
 */
#ifndef PCAPDIAG_FACTS_INCIDENT_H
#define PCAPDIAG_FACTS_INCIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "facts/claim.h"
#include "facts/fact.h"

enum point_kind {
	POINT_KIND_GUEST_NIC,
	POINT_KIND_GUEST_PORT,
	POINT_KIND_BRIDGE,
	POINT_KIND_INSIDE_NAT,
	POINT_KIND_UPLINK,
	POINT_KIND_LOOPBACK,
	POINT_KIND_UNKNOWN,
};

/**
 * struct incident_point - One observation point
 * @id:		"host:0/2": role, interface over the whole file, ifindex
 * @name:	interface name as far as the file tells, or NULL
 * @tunnel:	"VXLAN 100" where its packets come out of a tunnel, or NULL
 */
struct incident_point {
	char *id;
	char *name;
	char *tunnel;
	enum point_kind kind;
	uint32_t linktype;
	uint32_t interface;
	int64_t ifindex;  /* -1: none */
	const char *side; /* of the host, or NULL */
	uint64_t packets;
};

/**
 * struct incident_capture - One file
 * @cut_at_frame: last whole frame before the cut; 0: not cut
 * @cut_text:	what was found there
 * @truncated:	frames shorter than a header in them says, and so on
 */
struct incident_capture {
	enum capture_role role;
	char *file; /* as given on the command line */
	uint64_t bytes;
	const char *format;
	const char *compression;
	uint64_t packets;
	bool has_time;
	int64_t first_ns;
	int64_t last_ns;
	uint32_t snaplen;
	uint64_t cut_at_frame;
	char *cut_text;
	uint64_t truncated;
	uint64_t malformed;
	uint64_t unsupported;
	struct incident_point *points;
	size_t n_points;
};

/**
 * struct incident_clock - Guest clock minus host clock at the first instant that
 * both captures cover
 * @one_sided:	only packets of one direction tell: the offset is a bound
 * @steps:	how often one of them was set meanwhile
 */
struct incident_clock {
	bool known;
	bool one_sided;
	int64_t offset_ns;
	int64_t error_ns;
	bool drift_known;
	int64_t drift_ppb;
	uint64_t pairs;
	uint32_t steps;
};

struct incident_gateway {
	struct in6_addr ip;
	bool has_mac;
	struct mac mac;
	bool answers; /* its MAC was resolved or it was used with success */
};

struct incident_nic {
	struct mac mac;
	bool has_mac;
	struct in6_addr *ips;
	size_t n_ips;
	uint16_t *vlans;
	size_t n_vlans;
	enum network_mode mode;
	struct incident_gateway *gateways;
	size_t n_gateways;
};

struct incident_match {
	uint64_t both;
	uint64_t lost;
	uint64_t ambiguous;
};

struct incident_texts {
	char **items;
	size_t n;
};

struct incident_checked {
	const char *what; /* "tcp connections of the guest" */
	uint64_t tried;
	uint64_t worked;
	uint64_t undecided;
};

/** struct question_exchange - An exchange that a question is about, in the
 * guest's terms
 * @exact:	of the port, too, where the question names one
 */
struct question_exchange {
	enum protocol protocol;
	struct in6_addr client;
	struct in6_addr server;
	uint16_t port;
	bool exact;
	uint64_t tried;
	uint64_t worked;
	uint64_t undecided;
};

#define QUESTIONS_MAX 64

/**
 * struct question - What the user complains about: "10.1.2.3:443"
 * @asked:	as written; borrowed
 * @exchanges:	the guest's own with it
 * @frames, @port_frames: by role: frames from or to the address, and of them
 *		those of the port; counted only where there is no exchange
 */
struct question {
	const char *asked;
	struct in6_addr ip;
	bool has_port;
	uint16_t port;
	struct question_exchange *exchanges;
	size_t n_exchanges;
	uint64_t frames[2];
	uint64_t port_frames[2];
};

struct incident {
	struct incident_capture *captures; /* host's first, then the guest's */
	size_t n_captures;
	struct incident_clock clock;
	struct incident_nic *nics;
	size_t n_nics;
	const char *platform; /* "kvm", "esxi" …, or NULL */
	struct incident_match from_guest;
	struct incident_match to_guest;
	uint64_t host_others; /* host packets that are not the guest's */
	struct incident_checked *checked;
	size_t n_checked;
	struct facts *facts;
	struct claim *claims;
	size_t n_claims;
	struct question *questions; /* of the user */
	size_t n_questions;
	struct incident_texts limits; /* tables that were full, in words */
	struct incident_texts blind;  /* where nothing of some class is seen */
};

struct incident *incident_new(void);
void incident_free(struct incident *incident);

/** incident_add_claim() - A new empty claim at a point; its index */
int32_t incident_add_claim(struct incident *incident, uint32_t capture,
                           uint32_t point);

/** incident_file_name() - The file's name without its folder; borrowed from @c */
const char *incident_file_name(const struct incident_capture *c);

/** incident_add_limit() - Note that a limit was reached (once each) */
void incident_add_limit(struct incident *incident, const char *text);

/** incident_add_blind() - Note that a point shows nothing of some class (once
 * each): it matters where the captures do not tell enough */
void incident_add_blind(struct incident *incident, const char *text);

/** incident_claim() - Claim @i; valid until the next incident_add_claim() */
struct claim *incident_claim(struct incident *incident, int32_t i);

#endif
