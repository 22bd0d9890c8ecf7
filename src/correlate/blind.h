/*
 * Blind points: where no packet of some class is seen at all, though the other
 * side has them.  Nothing tells whether a filter left them out or none came there.
 */
#ifndef PCAPDIAG_CORRELATE_BLIND_H
#define PCAPDIAG_CORRELATE_BLIND_H

#include "correlate/scene.h"

/** blind_tell() - Note in the incident which points on the guest's way are blind to
 * what */
void blind_tell(struct scene *s);

#endif
