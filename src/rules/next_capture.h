/*
 * Which capture to take next, and what it would settle.
 */
#ifndef PCAPDIAG_RULES_NEXT_CAPTURE_H
#define PCAPDIAG_RULES_NEXT_CAPTURE_H

#include "facts/incident.h"
#include "rules/finding.h"
#include "rules/judgement.h"

enum capture_need {
	CAPTURE_NEED_GUEST,  /* inside the guest */
	CAPTURE_NEED_PORT,   /* the guest's port of the virtual switch */
	CAPTURE_NEED_UPLINK, /* the host's physical NIC */
	CAPTURE_NEED_PEER,   /* at the other end, beyond the host */
	CAPTURE_NEED_COUNT,
};

/**
 * next_captures_add() - Ask for what would settle what is open in @j
 * @mismatch:	the captures do not fit each other: a new pair is needed
 *
 * Open is why something fails (inconclusive), where (a gap that spans several
 * places), and which look-alike it is (one that could not be excluded).
 */
void next_captures_add(struct judgement *j, const struct incident *incident,
                       const struct findings *findings, bool mismatch);

/** next_capture_free() - Free what @next owns, not @next */
void next_capture_free(struct next_capture *next);

#endif
