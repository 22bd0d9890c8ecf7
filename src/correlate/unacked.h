/*
 * Connections of the guest whose peer has fallen silent: data that was sent again
 * and again, is seen at the outermost point as well, and is never acknowledged.
 * They may be older than the captures, so they are found among the flows.
 */
#ifndef PCAPDIAG_CORRELATE_UNACKED_H
#define PCAPDIAG_CORRELATE_UNACKED_H

#include "correlate/scene.h"

/** unacked_find() - Adds a TCP fact for each, sixteen at most */
void unacked_find(struct scene *s);

#endif
