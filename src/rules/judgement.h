/*
 * What the rules make of an incident: findings, root causes, the verdict.
 * Made by judge() and read by report; owns its texts, borrows the incident's
 * and the rule set's.
 */
#ifndef PCAPDIAG_RULES_JUDGEMENT_H
#define PCAPDIAG_RULES_JUDGEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts/incident.h"

struct rule;
struct rule_set;

enum severity {
	SEVERITY_CRITICAL,
	SEVERITY_HIGH,
	SEVERITY_MEDIUM,
	SEVERITY_LOW,
};

enum confidence {
	CONFIDENCE_HIGH,
	CONFIDENCE_MEDIUM,
	CONFIDENCE_LOW,
};

enum rule_class {
	RULE_CLASS_FAULT,
	RULE_CLASS_NOTE,
	RULE_CLASS_GATE,
};

enum verdict {
	VERDICT_HEALTHY,
	VERDICT_FAULT,
	VERDICT_INCONCLUSIVE,
};

const char *severity_name(enum severity severity);
const char *confidence_name(enum confidence confidence);
const char *verdict_name(enum verdict verdict);

/* How the name of a service is known. */
enum service_confidence {
	SERVICE_UNKNOWN,
	SERVICE_BY_PORT,
	SERVICE_BY_CONTENT,
};

#define SERVICE_NAME_MAX 32

/**
 * struct subject - Who speaks to whom; absent parts are has_* false or NULL
 * @service:	name of the service, if its confidence is not SERVICE_UNKNOWN;
 *		judge() does not know it
 */
struct subject {
	bool has_src, has_dst, has_port;
	struct in6_addr src;
	struct in6_addr dst;
	const char *proto; /* "arp", "tcp" … or NULL */
	uint16_t port;
	enum service_confidence service_confidence;
	char service[SERVICE_NAME_MAX];
};

struct explained {
	const char *rule;
	uint64_t count; /* findings, added up as failed exchanges */
};

/** struct fix_steps - The steps for one platform, "any" for all */
struct fix_steps {
	const char *platform;
	const char **steps; /* NULL-terminated */
};

/**
 * struct diagnosis - Findings of one rule with equal place and direction
 * @place, @direction: -1: null
 * @rule, @variant, @title: borrowed from the rule set
 * @statement, @cause, @fix: owned, fields filled in
 * @because:	why the confidence is not high
 * @evidence:	of the first facts that fired
 * @explained_by: id of the root cause, for symptoms; else NULL
 * @asked:	a question of the user is about it
 */
struct diagnosis {
	const char *rule;
	const char *variant;
	const char *title;
	enum rule_class class;
	enum severity severity;
	enum confidence confidence;
	char **because;
	size_t n_because;
	int place;
	int direction;
	const char *after;
	const char *before;
	struct subject *subjects;
	size_t n_subjects;
	uint64_t count;
	uint64_t tries;
	bool has_time;
	int64_t first_ns;
	int64_t last_ns;
	char *statement;
	char *cause;
	struct fix_steps *fix;
	size_t n_fix;
	struct explained *explains;
	size_t n_explains;
	const char *explained_by;
	struct evidence *evidence;
	size_t n_evidence;
	bool asked;
};

struct next_capture {
	const char *point;
	char *command;
	char *settles;
};

/**
 * struct about - The answer to a question of the user
 * @asked:	borrowed from the incident
 * @answer:	a sentence
 * @tried, @worked: tries of the guest's exchanges with it
 * @rule:	of the root cause (or else note) that concerns it, or NULL
 */
struct about {
	const char *asked;
	char *answer;
	uint64_t tried;
	uint64_t worked;
	const char *rule;
};

struct judgement {
	enum verdict verdict;
	char *summary;
	struct diagnosis *diagnoses; /* root causes, in order */
	size_t n_diagnoses;
	struct diagnosis *symptoms;
	size_t n_symptoms;
	struct diagnosis *notes; /* class note and gate */
	size_t n_notes;
	/* Failed exchanges of the guest that nothing accounts for. */
	struct subject *unexplained;
	size_t n_unexplained;
	struct about *about; /* one for each question */
	size_t n_about;
	struct next_capture *next;
	size_t n_next;
	/* What the captures lack; borrowed from the incident */
	char **limits;
	size_t n_limits;
};

/**
 * judge() - Apply @rules to @incident
 *
 * Return: the judgement, freed by judgement_free().  @incident and @rules must
 * outlive it.
 */
struct judgement *judge(const struct rule_set *rules,
                        const struct incident *incident);

void judgement_free(struct judgement *j);

#endif
