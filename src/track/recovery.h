/*
 * What TCP sends again, as one point sees it (RFC 9293, 3.8.1; RFC 5681).
 */
#ifndef PCAPDIAG_TRACK_RECOVERY_H
#define PCAPDIAG_TRACK_RECOVERY_H

#include "track/flow.h"

/** recovery_note() - The next packet of one direction, before @sent knows it */
void recovery_note(struct tcp_progress *sent, const struct packet *p);

#endif
