/*
 * The ids of all known failure signatures.  A rule must have one of them; rules
 * may name one whose rule is not written yet.
 */
#ifndef PCAPDIAG_RULES_SIGNATURE_IDS_H
#define PCAPDIAG_RULES_SIGNATURE_IDS_H

#include <stdbool.h>
#include <stddef.h>

#define SIGNATURE_ID_COUNT 87

extern const char *const signature_ids[SIGNATURE_ID_COUNT];

bool signature_id_known(const char *id);

/** glob_matches() - Does @id match @glob, in which * stands for any characters? */
bool glob_matches(const char *glob, const char *id);

#endif
