/*
 * A sample of the packets of a point that is the same at all points: whether a
 * packet belongs to it depends on what nobody changes on the way, so NAT does not
 * matter.  The longer the capture, the thinner the sample.
 */
#ifndef PCAPDIAG_TRACK_SAMPLE_H
#define PCAPDIAG_TRACK_SAMPLE_H

#include <stdint.h>

#include "decode/packet.h"

#define SAMPLES_MAX 2048

/**
 * struct sample - One packet
 * @key:	packet_key()
 * @lot:	what decides whether it stays in a thinner sample
 */
struct sample {
	uint64_t key;
	uint64_t frame;
	int64_t ts_ns;
	struct in6_addr src;
	struct in6_addr dst;
	uint32_t lot;
};

/** struct sample_set - Zero-initialised is empty; owns its array */
struct sample_set {
	struct sample *items; /* in order of frame */
	uint32_t n;
	uint32_t capacity;
	uint32_t mask; /* bits of the lot that must be 0 */
};

/** sample_set_feed() - Account for the next packet of the point */
void sample_set_feed(struct sample_set *set, const struct packet *p);

void sample_set_free(struct sample_set *set);

#endif
