/*
 * The whole as one call: read the captures, analyse, judge, count the claims.
 */
#ifndef PCAPDIAG_DIAGNOSE_H
#define PCAPDIAG_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "correlate/analyse.h"
#include "facts/incident.h"
#include "rules/judgement.h"
#include "rules/rule_set.h"

/**
 * struct diagnose_input - The files and what the user says of them
 * @host, @vm:	file names; either list may be empty, not both
 * @alone:	a single capture of unknown role, or NULL
 * @hints:	what the user says of the guest, and complains about
 * @services:	find out the names of the services that failed
 */
struct diagnose_input {
	const char *const *host;
	size_t n_host;
	const char *const *vm;
	size_t n_vm;
	const char *alone;
	struct hints hints;
	bool services;
};

/**
 * diagnose() - Run the whole
 * @incident:	set on success; freed by incident_free()
 * @judgement:	set on success; freed by judgement_free(), before the incident
 *
 * Return: false with @err set if an input could not be read
 */
bool diagnose(const struct diagnose_input *input, const struct rule_set *rules,
              struct incident **incident, struct judgement **judgement,
              struct errmsg *err);

#endif
