/*
 * What is known, while the captures are read, of pings that go astray until the
 * guest itself speaks; for scene.h and announce.c.
 */
#ifndef PCAPDIAG_CORRELATE_ANNOUNCE_H
#define PCAPDIAG_CORRELATE_ANNOUNCE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANNOUNCE_PINGS_MAX 16

/**
 * struct ping - Echo requests of one id for the guest
 * @seq, @last_ns: the last that the guest got
 * @at_host:	the host has seen some, @host_seq as the last
 * @gap_from, @gap_to: the two with the most between them that it did not see
 */
struct ping {
	struct in6_addr from;
	struct in6_addr to;
	uint16_t id;
	uint16_t seq;
	uint16_t host_seq;
	uint16_t gap_from;
	uint16_t gap_to;
	bool at_host;
	int64_t last_ns;
};

/**
 * struct announce - What is sent to the guest and goes astray until it speaks
 * @own_ns, @in_ns: the last frame of the guest, the last unicast for it
 * @woke:	it began to speak at @woke_ns; @silent_ns was its last before
 * @announced_ns: when it last announced itself; 0: never
 * @n_own:	its frames since it woke
 * @others:	frames of others at the host while nobody speaks to the guest;
 *		@others_then: when it woke
 * @lost:	pings lost between @found and @found_seq, at @found_ns
 */
struct announce {
	struct ping pings[ANNOUNCE_PINGS_MAX];
	size_t n_pings;
	bool known;
	bool spoke;
	bool woke;
	int64_t own_ns;
	int64_t in_ns;
	int64_t silent_ns;
	int64_t woke_ns;
	int64_t announced_ns;
	uint64_t n_own;
	uint64_t others;
	uint64_t others_then;
	int32_t lost;
	struct ping found;
	size_t found_ping; /* index */
	uint16_t found_seq;
	int64_t found_ns;
	int64_t found_woke_ns;
	uint64_t found_own;
};

#endif
