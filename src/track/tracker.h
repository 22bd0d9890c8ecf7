/*
 * The trackers behind point_feed(): each looks at the packets of one protocol
 * and keeps its part of the point's state.
 */
#ifndef PCAPDIAG_TRACK_TRACKER_H
#define PCAPDIAG_TRACK_TRACKER_H

#include "track/point.h"

typedef void tracker_function(struct point *point, const struct packet *p);

tracker_function track_arp;
tracker_function track_icmp;
tracker_function track_ndp;
tracker_function track_tcp;
tracker_function track_udp;
tracker_function track_icmp_error;

/**
 * flow_key_of() - The flow of @p if its sender is the client, or (@reverse) the
 * server
 */
struct flow_key flow_key_of(const struct packet *p, enum protocol protocol,
                            bool reverse);

/** track_stray() - Note @p, an answer that fits no request, if there is room */
void track_stray(struct point *point, const struct packet *p,
                 enum protocol protocol, uint32_t id);

#endif
