/*
 * The analysing half as one object: captures in, incident out; then, for the
 * claims that the judging half cites, a late pass over the same captures.
 */
#ifndef PCAPDIAG_CORRELATE_ANALYSE_H
#define PCAPDIAG_CORRELATE_ANALYSE_H

#include <stdbool.h>
#include <stddef.h>

#include "capture/capture.h"
#include "facts/incident.h"

/**
 * analyse() - Read the captures, find out what happened
 * @captures:	@n open captures; read several times, rewound by this
 * @roles:	what each is said to be
 *
 * Return: the incident, owned by the caller; it does not keep the captures
 */
struct incident *analyse(struct capture *const *captures,
                         const enum capture_role *roles, size_t n);

/**
 * claims_count() - Late pass: set count and frames of the @wanted claims
 * @wanted:	indices of claims; each is counted once
 */
void claims_count(struct incident *incident, struct capture *const *captures,
                  const int32_t *wanted, size_t n_wanted);

#endif
