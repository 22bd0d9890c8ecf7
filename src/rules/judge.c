#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "rules/about.h"
#include "rules/diagnosis.h"
#include "rules/next_capture.h"
#include "rules/root_cause.h"

const char *severity_name(enum severity severity)
{
	switch (severity) {
	case SEVERITY_CRITICAL:
		return "critical";
	case SEVERITY_HIGH:
		return "high";
	case SEVERITY_MEDIUM:
		return "medium";
	case SEVERITY_LOW:
		return "low";
	}
	return "?";
}

const char *confidence_name(enum confidence confidence)
{
	switch (confidence) {
	case CONFIDENCE_HIGH:
		return "high";
	case CONFIDENCE_MEDIUM:
		return "medium";
	case CONFIDENCE_LOW:
		return "low";
	}
	return "?";
}

const char *verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_HEALTHY:
		return "healthy";
	case VERDICT_FAULT:
		return "fault";
	case VERDICT_INCONCLUSIVE:
		return "inconclusive";
	}
	return "?";
}

/* An exchange of the guest that did not work, not always, or as far as a capture
 * with gaps shows */
static bool is_failed(const struct fact *fact)
{
	struct value end, outcome;

	if (!(FACT_KIND_BIT(fact->kind) & FACT_KINDS_EXCHANGE))
		return false;
	end = fact_get(fact, FIELD_GUEST_IS_END);
	outcome = fact_get(fact, FIELD_OUTCOME);
	return end.state == VALUE_KNOWN && end.lo &&
	       outcome.state == VALUE_KNOWN &&
	       (outcome.lo == OUTCOME_FAILED || outcome.lo == OUTCOME_REFUSED ||
	        outcome.lo == OUTCOME_INTERMITTENT ||
	        outcome.lo == OUTCOME_UNDECIDED);
}

static void find_unexplained(struct judgement *j, const struct facts *facts,
                             const struct findings *findings,
                             const struct root_causes *roots)
{
	size_t next = 0;

	for (size_t i = 0; i < facts_count(facts); i++) {
		const struct fact *fact = facts_get(facts, i);
		struct subject subject;

		while (next < findings->count && findings->all[next].fact < i)
			next++;
		if (next < findings->count && findings->all[next].fact == i)
			continue;
		if (!is_failed(fact) || root_causes_cover(roots, fact) ||
		    !subject_of(fact, &subject))
			continue;
		j->unexplained =
			xreallocarray(j->unexplained, j->n_unexplained + 1,
		                      sizeof(*j->unexplained));
		j->unexplained[j->n_unexplained++] = subject;
	}
	j->n_unexplained = subjects_sort(j->unexplained, j->n_unexplained);
}

static const struct diagnosis *find_gate(const struct judgement *j)
{
	for (size_t i = 0; i < j->n_notes; i++)
		if (j->notes[i].class == RULE_CLASS_GATE)
			return &j->notes[i];
	return NULL;
}

static uint64_t decided(const struct incident_checked *c)
{
	return c->tried - c->undecided;
}

/* Did the guest do anything whose end was seen? */
static bool was_active(const struct incident *incident)
{
	for (size_t i = 0; i < incident->n_checked; i++)
		if (decided(&incident->checked[i]) > 0)
			return true;
	return false;
}

static enum verdict decide(const struct judgement *j,
                           const struct incident *incident)
{
	if (j->n_diagnoses > 0)
		return VERDICT_FAULT;
	if (find_gate(j) || j->n_unexplained > 0 || !was_active(incident))
		return VERDICT_INCONCLUSIVE;
	return VERDICT_HEALTHY;
}

static void put_subject(const struct subject *s, struct strbuf *out)
{
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];
	bool brackets = s->has_port && s->has_dst && !addr_is_v4(&s->dst);

	strbuf_printf(
		out, "%s > %s%s%s", s->has_src ? addr_text(&s->src, src) : "?",
		brackets ? "[" : "", s->has_dst ? addr_text(&s->dst, dst) : "?",
		brackets ? "]" : "");
	if (s->has_port)
		strbuf_printf(out, ":%u", s->port);
	strbuf_printf(out, " (%s)", s->proto);
}

/* What was tried, and not one end of it seen */
static void put_unknown(const struct incident *incident, struct strbuf *out)
{
	bool first = true;

	for (size_t i = 0; i < incident->n_checked; i++) {
		const struct incident_checked *c = &incident->checked[i];

		if (c->tried == 0 || decided(c) > 0)
			continue;
		strbuf_printf(out, "%s%" PRIu64 " %s",
		              first ? "; the captures cannot tell of " : ", ",
		              c->tried, c->what);
		first = false;
	}
}

static void summarise_healthy(const struct incident *incident,
                              struct strbuf *out)
{
	bool first = true;

	strbuf_puts(out, "Healthy: ");
	for (size_t i = 0; i < incident->n_checked; i++) {
		const struct incident_checked *c = &incident->checked[i];

		if (decided(c) == 0)
			continue;
		strbuf_printf(out, "%s%" PRIu64 " of %" PRIu64 " %s",
		              first ? "" : ", ", c->worked, decided(c),
		              c->what);
		first = false;
	}
	strbuf_puts(out, " worked");
	put_unknown(incident, out);
	strbuf_puts(out, ".");
}

static void summarise_inconclusive(const struct judgement *j,
                                   struct strbuf *out)
{
	const struct diagnosis *gate = find_gate(j);

	if (gate) {
		strbuf_puts(out, gate->statement);
		return;
	}
	if (j->n_unexplained == 0) {
		strbuf_puts(out, "The captures show nothing that the guest "
		                 "tried, or not how it ended.");
		return;
	}
	strbuf_puts(out, "Cannot tell why ");
	put_subject(&j->unexplained[0], out);
	strbuf_puts(out, " fails: it fits no known signature, or the captures "
	                 "do not show where it is lost");
	if (j->n_unexplained > 1)
		strbuf_printf(out, " (and %zu more)", j->n_unexplained - 1);
	strbuf_puts(out, ".");
}

static char *summarise(const struct judgement *j,
                       const struct incident *incident)
{
	struct strbuf out = { 0 };

	switch (j->verdict) {
	case VERDICT_FAULT:
		strbuf_puts(&out, j->diagnoses[0].statement);
		if (j->n_diagnoses > 1)
			strbuf_printf(&out, " (and %zu more)",
			              j->n_diagnoses - 1);
		break;
	case VERDICT_HEALTHY:
		summarise_healthy(incident, &out);
		break;
	case VERDICT_INCONCLUSIVE:
		summarise_inconclusive(j, &out);
		break;
	}
	return strbuf_steal(&out);
}

/* Would more captures, or fuller ones, tell more? */
static bool is_vague(const struct judgement *j)
{
	for (size_t i = 0; i < j->n_diagnoses; i++)
		if (j->diagnoses[i].confidence != CONFIDENCE_HIGH)
			return true;
	return j->verdict == VERDICT_INCONCLUSIVE;
}

static void add_limits(struct judgement *j, const struct incident_texts *texts)
{
	j->limits = xreallocarray(j->limits, j->n_limits + texts->n + 1,
	                          sizeof(*j->limits));
	for (size_t i = 0; i < texts->n; i++)
		j->limits[j->n_limits++] = texts->items[i];
}

struct judgement *judge(const struct rule_set *rules,
                        const struct incident *incident)
{
	struct judgement *j = xcalloc(1, sizeof(*j));
	struct relations *rel = relations_new(incident->facts);
	struct findings findings = { 0 };
	struct root_causes *roots;

	findings_make(&findings, rules, rel);
	roots = root_causes_find(&findings, rules, incident);
	diagnoses_make(j, &findings, incident);
	find_unexplained(j, incident->facts, &findings, roots);
	j->verdict = decide(j, incident);
	j->summary = summarise(j, incident);
	about_answer(j, incident, &findings, roots);
	add_limits(j, &incident->limits);
	if (is_vague(j))
		add_limits(j, &incident->blind);
	next_captures_add(j, incident, &findings, find_gate(j) != NULL);

	root_causes_free(roots);
	findings_free(&findings);
	relations_free(rel);
	return j;
}

static void free_list(struct diagnosis *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		diagnosis_free(&list[i]);
	free(list);
}

void judgement_free(struct judgement *j)
{
	if (!j)
		return;
	free_list(j->diagnoses, j->n_diagnoses);
	free_list(j->symptoms, j->n_symptoms);
	free_list(j->notes, j->n_notes);
	for (size_t i = 0; i < j->n_next; i++)
		next_capture_free(&j->next[i]);
	free(j->next);
	for (size_t i = 0; i < j->n_about; i++)
		free(j->about[i].answer);
	free(j->about);
	free(j->unexplained);
	free(j->summary);
	free(j->limits);
	free(j);
}
