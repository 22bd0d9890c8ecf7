/*
 * Which capture to take next, and what it would settle.
 */
#ifndef PCAPDIAG_RULES_NEXT_CAPTURE_H
#define PCAPDIAG_RULES_NEXT_CAPTURE_H

#include "facts/incident.h"
#include "rules/judgement.h"

enum capture_need {
	CAPTURE_NEED_GUEST,  /* inside the guest */
	CAPTURE_NEED_PORT,   /* the guest's port of the virtual switch */
	CAPTURE_NEED_UPLINK, /* the host's physical NIC */
	CAPTURE_NEED_COUNT,
};

/** next_capture_add() - Add the commands for @need on the incident's platform
 * to @j */
void next_capture_add(struct judgement *j, const struct incident *incident,
                      enum capture_need need);

#endif
