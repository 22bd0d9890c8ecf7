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
#include "track/service.h"

/**
 * struct hints - What the user says instead of what would be found out
 * @questions:	what the complaint is about; only asked, ip and port are read
 * @guest_ip, @guest_mac: who the guest is
 * @clock_offset_ns: guest clock minus host clock
 * @platform:	borrowed, or NULL
 */
struct hints {
	const struct question *questions;
	size_t n_questions;
	bool has_guest_ip;
	bool has_guest_mac;
	bool has_clock_offset;
	struct in6_addr guest_ip;
	struct mac guest_mac;
	int64_t clock_offset_ns;
	const char *platform;
};

/**
 * analyse() - Read the captures, find out what happened
 * @captures:	@n open captures; read several times, rewound by this
 * @roles:	what each is said to be
 * @hints:	what the user says of them, or NULL
 *
 * Return: the incident, owned by the caller; it does not keep the captures
 */
struct incident *analyse(struct capture *const *captures,
                         const enum capture_role *roles, size_t n,
                         const struct hints *hints);

/**
 * claims_count() - Late pass: set count and frames of the @wanted claims
 * @wanted:	indices of claims; each is counted once
 */
void claims_count(struct incident *incident, struct capture *const *captures,
                  const int32_t *wanted, size_t n_wanted);

/**
 * services_name() - Late pass over the guest's captures: set the names of the
 * services of @queries
 */
void services_name(const struct incident *incident,
                   struct capture *const *captures,
                   struct service_query *queries, size_t n);

#endif
