/*
 * What the packets of one point tell about the capture itself: what it lost, what
 * it cut, and what offload has put together.
 */
#ifndef PCAPDIAG_TRACK_QUALITY_H
#define PCAPDIAG_TRACK_QUALITY_H

#include <stddef.h>
#include <stdint.h>

#include "decode/packet.h"
#include "track/flow.h"
#include "track/second_set.h"

/* No frame for so long is a silence: none, or a hole in the capture */
#define SILENCE_NS INT64_C(500000000)

/** struct silence - From one frame to the next */
struct silence {
	int64_t from_ns;
	int64_t to_ns;
};

/**
 * struct quality - See above; zero-initialised is empty
 * @kept:	bytes of the longest frame that was cut
 * @headers_cut: frames that were cut within a header
 * @unseen_acks: acknowledgements of data that never came by
 * @gaps:	when that data must have passed, and more around it
 * @oversize:	TCP frames larger than an ordinary Ethernet frame
 * @largest:	bytes of the largest of them
 * @unfinished:	TCP checksums that were left to the hardware
 */
struct quality {
	uint32_t kept;
	uint64_t headers_cut;
	uint64_t unseen_acks;
	struct second_set gaps;
	uint64_t oversize;
	uint32_t largest;
	uint64_t unfinished;
	struct silence *silences;
	size_t n_silences;
	int64_t last_ns;
};

/** quality_note() - Account for the next packet of the point */
void quality_note(struct quality *q, const struct packet *p);

/** quality_note_tcp() - @p belongs to @f, which does not know of it yet */
void quality_note_tcp(struct quality *q, struct flow *f, const struct packet *p,
                      bool from_client);

/** quality_finish() - No more packets: settle what was open in @flows */
void quality_finish(struct quality *q, struct flow_table *flows);

void quality_free(struct quality *q);

#endif
