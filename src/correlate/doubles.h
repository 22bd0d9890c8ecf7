/*
 * Frames that one point shows twice: the same bytes, the same way, at once.
 */
#ifndef PCAPDIAG_CORRELATE_DOUBLES_H
#define PCAPDIAG_CORRELATE_DOUBLES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode/packet.h"
#include "facts/fact.h"

struct scene;

#define DOUBLES_POINTS_MAX 64 /* as many as a scene has */
#define DOUBLES_IDS_MAX 8

/** struct double_count - Packets, and of them those that came twice at once */
struct double_count {
	uint64_t of;
	uint64_t twice;
};

/**
 * struct doubles - What is delivered twice
 * @counts:	by point and direction
 * @recent:	by point: what passed last; owned
 * @from, @to, @ids: examples that the guest got twice, by their IP ids
 */
struct doubles {
	struct double_count counts[DOUBLES_POINTS_MAX][2];
	struct recent *recent[DOUBLES_POINTS_MAX];
	struct in6_addr from;
	struct in6_addr to;
	uint16_t ids[DOUBLES_IDS_MAX];
	size_t n_ids;
	int64_t first_ns;
	int64_t last_ns;
};

/** doubles_note() - A packet of the guest in the second reading */
void doubles_note(struct scene *s, uint32_t point, const struct packet *p,
                  uint64_t key, enum path_direction direction, int64_t host_ns);

/** doubles_found() - Did the guest get anything twice? */
bool doubles_found(const struct scene *s);

/** doubles_fact() - Into @f: what, and where it became double */
void doubles_fact(struct scene *s, struct fact *f);

void doubles_free(struct doubles *d);

#endif
