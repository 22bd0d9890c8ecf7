/*
 * Interfaces of one file that are one: where files that a capture was cut into were
 * put together again, each came with an interface of its own.  They have the same
 * name and link type, and one begins where the other ends.
 */
#ifndef PCAPDIAG_CORRELATE_JOINS_H
#define PCAPDIAG_CORRELATE_JOINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/capture.h"

/** struct joined - One interface: which one it continues, or itself; when its first
 * and last frames were, if it has any (with a time) */
struct joined {
	uint32_t with;
	bool has_time;
	int64_t first_ns;
	int64_t last_ns;
};

/** struct joins - The interfaces of one capture; zero-initialised is empty; owns
 * its array */
struct joins {
	struct joined *items;
	uint32_t n;
};

/** joins_note() - A frame of @interface */
void joins_note(struct joins *j, uint32_t interface, int64_t ts_ns);

/** joins_find() - Once all frames were noted: which interfaces of @c are one?
 * False: none */
bool joins_find(struct joins *j, const struct capture *c);

/** joins_of() - The interface that @interface is part of */
uint32_t joins_of(const struct joins *j, uint32_t interface);

/** joins_follow() - Is @later the next part of the capture that @earlier is a part
 * of: the same interfaces, as far as can be told, and one begins where the other
 * ends? */
bool joins_follow(const struct joins *earlier, const struct capture *a,
                  const struct joins *later, const struct capture *b);

void joins_free(struct joins *j);

#endif
