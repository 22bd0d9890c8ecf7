/*
 * The first bytes of one direction of a TCP connection, as two hashes: they are
 * the same wherever the same bytes are sent again by another connection, however
 * they are cut into segments.
 */
#ifndef PCAPDIAG_TRACK_STREAM_HEAD_H
#define PCAPDIAG_TRACK_STREAM_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "decode/packet.h"

/* So many bytes are within every snap length from 96 up, */
#define STREAM_HEAD_SHORT 24
/* ... and so many hold a date, a random number or a cookie of most protocols. */
#define STREAM_HEAD_LONG 256

/**
 * struct stream_head - See above; zero-initialised: not known
 * @start:	sequence number of the first byte
 * @first_ns, @first_frame: when the first byte passed; meaningful if there is one
 * @n:		bytes in @all, STREAM_HEAD_LONG at most
 * @first:	hash of the first STREAM_HEAD_SHORT, as soon as @n says so
 * @all:	hash of all of them
 * @known:	the start was seen
 * @closed:	the snap length or a gap hides what comes next
 */
struct stream_head {
	int64_t first_ns;
	uint64_t first_frame;
	uint64_t first;
	uint64_t all;
	uint32_t start;
	uint16_t n;
	bool known;
	bool closed;
};

/** stream_head_feed() - @p is the next segment of this direction */
void stream_head_feed(struct stream_head *h, const struct packet *p);

enum stream_match {
	STREAM_UNKNOWN, /* too little is known of one of them */
	STREAM_DIFFERENT,
	STREAM_ALIKE, /* the first bytes are the same */
	STREAM_SAME,  /* all are, and there are enough of them */
};

/** stream_head_match() - Are these the same bytes? */
enum stream_match stream_head_match(const struct stream_head *a,
                                    const struct stream_head *b);

#endif
