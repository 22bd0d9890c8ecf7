/*
 * What TCP sends again, as one point sees it (RFC 9293, 3.8.1; RFC 5681).
 */
#ifndef PCAPDIAG_TRACK_RECOVERY_H
#define PCAPDIAG_TRACK_RECOVERY_H

#include "track/flow.h"

/** recovery_note() - The next packet of one direction, before @sent knows it */
void recovery_note(struct tcp_progress *sent, const struct packet *p);

/** recovery_acked() - The other side has all bytes before @ack: those that are
 * missing at this point were lost by the capture */
void recovery_acked(struct tcp_progress *sent, uint32_t ack);

#endif
