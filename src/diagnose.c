#include "diagnose.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "capture/capture.h"
#include "correlate/analyse.h"

/**
 * struct inputs - The open captures, the host's first
 * @roles:	what each is said to be
 */
struct inputs {
	struct capture **captures;
	enum capture_role *roles;
	size_t n;
};

static void inputs_close(struct inputs *in)
{
	for (size_t i = 0; i < in->n; i++)
		capture_close(in->captures[i]);
	free(in->captures);
	free(in->roles);
}

static bool inputs_add(struct inputs *in, const char *path,
                       enum capture_role role, struct errmsg *err)
{
	struct capture *c = capture_open(path, err);

	if (!c)
		return false;
	in->captures[in->n] = c;
	in->roles[in->n++] = role;
	return true;
}

static bool inputs_open(struct inputs *in, const struct diagnose_input *input,
                        struct errmsg *err)
{
	size_t n = input->n_host + input->n_vm + (input->alone ? 1 : 0);

	*in = (struct inputs){
		.captures = xcalloc(n, sizeof(struct capture *)),
		.roles = xcalloc(n, sizeof(enum capture_role)),
	};
	for (size_t i = 0; i < input->n_host; i++)
		if (!inputs_add(in, input->host[i], CAPTURE_ROLE_HOST, err))
			return false;
	for (size_t i = 0; i < input->n_vm; i++)
		if (!inputs_add(in, input->vm[i], CAPTURE_ROLE_VM, err))
			return false;
	/* The guest's own view is the one that proves something alone. */
	return !input->alone ||
	       inputs_add(in, input->alone, CAPTURE_ROLE_VM, err);
}

/**
 * struct cited - Claims that a report will show, each once
 * @seen:	by index of the claim
 */
struct cited {
	bool *seen;
	int32_t *claims;
	size_t n;
};

static void cite(struct cited *cited, int32_t claim)
{
	if (claim < 0 || cited->seen[claim])
		return;
	cited->seen[claim] = true;
	cited->claims[cited->n++] = claim;
}

static void cite_all(struct cited *cited, const struct diagnosis *list,
                     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < list[i].n_evidence; j++) {
			const struct evidence *e = &list[i].evidence[j];

			cite(cited, e->claim);
			cite(cited, e->control);
			cite(cited, e->twin);
		}
	}
}

/* An absence proves nothing without a control, and where that, or what is absent,
 * is nowhere to be seen. */
static bool proves_something(const struct incident *incident,
                             const struct evidence *e)
{
	if (incident->claims[e->claim].count > 0)
		return true;
	return e->control >= 0 && incident->claims[e->control].count > 0 &&
	       (e->twin < 0 || incident->claims[e->twin].count > 0);
}

static void drop_uncontrolled(const struct incident *incident,
                              struct diagnosis *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct diagnosis *d = &list[i];
		size_t kept = 0;

		for (size_t j = 0; j < d->n_evidence; j++) {
			if (proves_something(incident, &d->evidence[j]))
				d->evidence[kept++] = d->evidence[j];
		}
		d->n_evidence = kept;
	}
}

static void count_cited(struct incident *incident, struct judgement *j,
                        const struct inputs *in)
{
	size_t n = incident->n_claims ? incident->n_claims : 1;
	struct cited cited = {
		.seen = xcalloc(n, sizeof(*cited.seen)),
		.claims = xcalloc(n, sizeof(*cited.claims)),
	};

	cite_all(&cited, j->diagnoses, j->n_diagnoses);
	cite_all(&cited, j->symptoms, j->n_symptoms);
	cite_all(&cited, j->notes, j->n_notes);
	if (cited.n)
		claims_count(incident, in->captures, cited.claims, cited.n);
	drop_uncontrolled(incident, j->diagnoses, j->n_diagnoses);
	drop_uncontrolled(incident, j->symptoms, j->n_symptoms);
	drop_uncontrolled(incident, j->notes, j->n_notes);
	free(cited.seen);
	free(cited.claims);
}

static_assert(SERVICE_NAME_MAX == SERVICE_QUERY_NAME_MAX,
              "names of services are copied");

/* More services than that nobody reads. */
#define SERVICES_MAX 256

/** struct services - The services of some diagnoses, each once */
struct services {
	struct service_query queries[SERVICES_MAX];
	size_t n;
};

static struct service_query *service_of(struct services *services,
                                        const struct subject *s)
{
	struct service_query q = { .server = s->dst, .port = s->port };

	if (!s->has_dst || !s->has_port || !s->proto)
		return NULL;
	if (strcmp(s->proto, "tcp") == 0)
		q.ip_proto = IP_PROTO_TCP;
	else if (strcmp(s->proto, "udp") == 0 || strcmp(s->proto, "dns") == 0)
		q.ip_proto = IP_PROTO_UDP;
	else
		return NULL;
	for (size_t i = 0; i < services->n; i++) {
		const struct service_query *old = &services->queries[i];

		if (old->port == q.port && old->ip_proto == q.ip_proto &&
		    addr_equal(&old->server, &q.server))
			return &services->queries[i];
	}
	if (services->n == SERVICES_MAX)
		return NULL;
	services->queries[services->n] = q;
	return &services->queries[services->n++];
}

static void collect_services(struct services *services,
                             const struct diagnosis *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < list[i].n_subjects; j++)
			(void)service_of(services, &list[i].subjects[j]);
}

static void set_services(struct services *services,
                         const struct diagnosis *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < list[i].n_subjects; j++) {
			struct subject *s = &list[i].subjects[j];
			const struct service_query *q = service_of(services, s);

			if (!q || !q->name[0])
				continue;
			memcpy(s->service, q->name, sizeof(s->service));
			s->service_confidence = q->by_content
			                                ? SERVICE_BY_CONTENT
			                                : SERVICE_BY_PORT;
		}
	}
}

static void name_services(const struct incident *incident, struct judgement *j,
                          const struct inputs *in)
{
	struct services *services = xcalloc(1, sizeof(*services));

	collect_services(services, j->diagnoses, j->n_diagnoses);
	collect_services(services, j->symptoms, j->n_symptoms);
	if (services->n > 0) {
		services_name(incident, in->captures, services->queries,
		              services->n);
		set_services(services, j->diagnoses, j->n_diagnoses);
		set_services(services, j->symptoms, j->n_symptoms);
	}
	free(services);
}

bool diagnose(const struct diagnose_input *input, const struct rule_set *rules,
              struct incident **incident, struct judgement **judgement,
              struct errmsg *err)
{
	struct inputs in;

	if (!inputs_open(&in, input, err)) {
		inputs_close(&in);
		return false;
	}
	*incident = analyse(in.captures, in.roles, in.n, &input->hints);
	*judgement = judge(rules, *incident);
	count_cited(*incident, *judgement, &in);
	if (input->services)
		name_services(*incident, *judgement, &in);
	inputs_close(&in);
	return true;
}
