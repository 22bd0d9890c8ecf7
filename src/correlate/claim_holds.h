/*
 * Whether a claim's filter selects a packet.
 */
#ifndef PCAPDIAG_CORRELATE_CLAIM_HOLDS_H
#define PCAPDIAG_CORRELATE_CLAIM_HOLDS_H

#include "decode/packet.h"
#include "facts/claim.h"

/** claim_holds() - Do all terms of the claim hold of @p? */
bool claim_holds(const struct claim *c, const struct packet *p);

#endif
