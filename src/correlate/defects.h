/*
 * What a capture lacks although it passed its point: a whole direction, or what
 * passed in some seconds.  The other files prove it, or acknowledgements do.
 */
#ifndef PCAPDIAG_CORRELATE_DEFECTS_H
#define PCAPDIAG_CORRELATE_DEFECTS_H

#include "correlate/scene.h"

/**
 * defects_hide() - May @point have lost a packet of the guest?
 * @direction:	the packet's
 * @class:	its class
 * @from_ns, @to_ns: when it may have passed, in the host's clock
 */
bool defects_hide(const struct scene *s, uint32_t point,
                  enum path_direction direction, enum traffic_class class,
                  int64_t from_ns, int64_t to_ns);

/** defects_hide_class() - Do the captures of @role lack all of @class, although
 * some of it passed? */
bool defects_hide_class(const struct scene *s, enum capture_role role,
                        enum traffic_class class);

/** defects_lost() - Did any capture lose packets of all kinds then, or can an
 * answer not be read? */
bool defects_lost(const struct scene *s, int64_t from_ns, int64_t to_ns);

#endif
