#include "rules/diagnosis.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/strbuf.h"
#include "base/xalloc.h"
#include "rules/root_cause.h"
#include "rules/template.h"

#define EVIDENCE_FACTS_MAX 8

/**
 * struct merged - Findings that become one diagnosis
 * @root:	rule of the root cause, or NULL: it is one itself
 * @members:	numbers of the findings, in rising order
 */
struct merged {
	const struct ruling *ruling;
	const struct rule *root;
	size_t *members;
	size_t count;
	size_t capacity;
};

struct merging {
	const struct findings *findings;
	const struct incident *incident;
	struct merged *all;
	size_t count;
	struct hash_table table;
};

static const struct rule *root_rule(const struct findings *findings, size_t i)
{
	size_t root = finding_root(findings, i);

	return root == i ? NULL : findings->all[root].rule;
}

static uint64_t hash_of(const struct finding *f, const struct rule *root)
{
	uint64_t hash = hash_bytes(&f->ruling, sizeof(f->ruling));

	hash = hash_mix(hash, (uint64_t)f->place);
	hash = hash_mix(hash, (uint64_t)f->direction);
	return hash_mix(hash, (uint64_t)(uintptr_t)root);
}

static struct merged *find_merged(struct merging *m, const struct finding *f,
                                  const struct rule *root)
{
	uint64_t hash = hash_of(f, root);
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&m->table, hash, &pos)) !=
	       HASH_TABLE_NONE) {
		struct merged *g = &m->all[i];
		const struct finding *first = &m->findings->all[g->members[0]];

		if (g->ruling == f->ruling && g->root == root &&
		    first->place == f->place &&
		    first->direction == f->direction)
			return g;
	}
	m->all = xreallocarray(m->all, m->count + 1, sizeof(*m->all));
	m->all[m->count] = (struct merged){ .ruling = f->ruling, .root = root };
	hash_table_add(&m->table, hash, (uint32_t)m->count);
	return &m->all[m->count++];
}

static void merge(struct merging *m)
{
	for (size_t i = 0; i < m->findings->count; i++) {
		const struct finding *f = &m->findings->all[i];
		struct merged *g = find_merged(m, f, root_rule(m->findings, i));

		if (g->count == g->capacity) {
			g->capacity = g->capacity ? 2 * g->capacity : 4;
			g->members = xreallocarray(g->members, g->capacity,
			                           sizeof(*g->members));
		}
		g->members[g->count++] = i;
	}
}

static const struct finding *member(const struct merging *m,
                                    const struct merged *g, size_t i)
{
	return &m->findings->all[g->members[i]];
}

static const struct fact *fact_of(const struct merging *m,
                                  const struct merged *g, size_t i)
{
	return facts_get(m->incident->facts, member(m, g, i)->fact);
}

/* Failed exchanges of a fact; what is no exchange counts as itself */
static uint64_t weight(const struct fact *fact)
{
	return fact->n_failed ? fact->n_failed : 1;
}

static void set_counts(struct diagnosis *d, const struct merging *m,
                       const struct merged *g)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct fact *fact = fact_of(m, g, i);
		const struct finding *f = member(m, g, i);
		struct value tries = fact_get(fact, FIELD_TRIES);

		d->count += weight(fact);
		if (tries.state == VALUE_KNOWN)
			d->tries += (uint64_t)tries.lo;
		if (!d->after)
			d->after = fact->after;
		if (!d->before)
			d->before = fact->before;
		if (!f->has_time)
			continue;
		if (!d->has_time || f->first_ns < d->first_ns)
			d->first_ns = f->first_ns;
		if (!d->has_time || f->last_ns > d->last_ns)
			d->last_ns = f->last_ns;
		d->has_time = true;
	}
}

static bool has_because(const struct diagnosis *d, const char *text)
{
	for (size_t i = 0; i < d->n_because; i++)
		if (strcmp(d->because[i], text) == 0)
			return true;
	return false;
}

/* As well proven as the best proven of its findings */
static void set_confidence(struct diagnosis *d, const struct merging *m,
                           const struct merged *g)
{
	d->confidence = CONFIDENCE_LOW;
	for (size_t i = 0; i < g->count; i++)
		if (member(m, g, i)->confidence < d->confidence)
			d->confidence = member(m, g, i)->confidence;

	for (size_t i = 0; i < g->count; i++) {
		const struct finding *f = member(m, g, i);

		for (size_t k = 0; k < f->n_because; k++) {
			if (f->confidence != d->confidence ||
			    has_because(d, f->because[k]))
				continue;
			d->because = xreallocarray(d->because, d->n_because + 1,
			                           sizeof(*d->because));
			d->because[d->n_because++] = text_copy(f->because[k]);
		}
	}
}

static void set_subjects(struct diagnosis *d, const struct merging *m,
                         const struct merged *g)
{
	d->subjects = xcalloc(g->count, sizeof(*d->subjects));
	for (size_t i = 0; i < g->count; i++)
		if (subject_of(fact_of(m, g, i), &d->subjects[d->n_subjects]))
			d->n_subjects++;
	d->n_subjects = subjects_sort(d->subjects, d->n_subjects);
}

static void add_evidence(struct diagnosis *d, const struct rule *rule,
                         const struct fact *fact)
{
	for (size_t i = 0; i < rule->n_evidence; i++)
		for (size_t j = 0; j < fact->n_evidence; j++) {
			const struct evidence *e = &fact->evidence[j];

			if (e->leg != rule->evidence[i].leg ||
			    e->at != rule->evidence[i].at)
				continue;
			d->evidence =
				xreallocarray(d->evidence, d->n_evidence + 1,
			                      sizeof(*d->evidence));
			d->evidence[d->n_evidence++] = *e;
		}
}

static void set_fix(struct diagnosis *d, const struct ruling *ruling,
                    const struct incident *incident,
                    const struct fact *const *facts, size_t n)
{
	d->n_fix = ruling->n_fix;
	d->fix = xcalloc(d->n_fix + 1, sizeof(*d->fix));
	for (size_t i = 0; i < d->n_fix; i++) {
		const char **from = ruling->fix[i].steps;
		size_t n_steps = 0;

		while (from[n_steps])
			n_steps++;
		d->fix[i].platform = ruling->fix[i].platform;
		d->fix[i].steps = xcalloc(n_steps + 1, sizeof(char *));
		for (size_t k = 0; k < n_steps; k++)
			d->fix[i].steps[k] =
				template_fill(from[k], incident, facts, n);
	}
}

/* Tries that worked between those that did not; 0 if one of @facts failed
 * without exception */
static uint64_t worked_between(const struct fact *const *facts, size_t n)
{
	uint64_t worked = 0;

	for (size_t i = 0; i < n; i++) {
		struct value outcome = fact_get(facts[i], FIELD_OUTCOME);
		struct value answers = fact_get(facts[i], FIELD_ANSWERS);

		if (outcome.state != VALUE_KNOWN ||
		    outcome.lo != OUTCOME_INTERMITTENT ||
		    answers.state != VALUE_KNOWN)
			return 0;
		worked += (uint64_t)answers.lo;
	}
	return worked;
}

/* What fails now and then must not read as if it always did. */
static void add_worked(struct diagnosis *d, uint64_t worked)
{
	char *always = d->statement;

	if (worked == 0)
		return;
	d->statement = text_format("%s Not always: %" PRIu64
	                           " other tries worked meanwhile.",
	                           always, worked);
	free(always);
}

static void set_texts(struct diagnosis *d, const struct merging *m,
                      const struct merged *g)
{
	const struct fact **facts = xcalloc(g->count, sizeof(*facts));

	for (size_t i = 0; i < g->count; i++)
		facts[i] = fact_of(m, g, i);
	d->statement = template_fill(g->ruling->statement, m->incident, facts,
	                             g->count);
	add_worked(d, worked_between(facts, g->count));
	d->cause =
		template_fill(g->ruling->cause, m->incident, facts, g->count);
	set_fix(d, g->ruling, m->incident, facts, g->count);
	free(facts);
}

static void add_explained(struct diagnosis *d, const char *rule, uint64_t count)
{
	size_t at = 0;

	while (at < d->n_explains && strcmp(d->explains[at].rule, rule) != 0)
		at++;
	if (at == d->n_explains) {
		d->explains = xreallocarray(d->explains, at + 1,
		                            sizeof(*d->explains));
		d->explains[d->n_explains++] =
			(struct explained){ .rule = rule };
	}
	d->explains[at].count += count;
}

static int by_rule(const void *a, const void *b)
{
	const struct explained *x = a, *y = b;

	return strcmp(x->rule, y->rule);
}

static struct diagnosis build(const struct merging *m, const struct merged *g)
{
	const struct finding *first = member(m, g, 0);
	struct diagnosis d = {
		.rule = first->rule->id,
		.variant = g->ruling->name,
		.title = first->rule->title,
		.class = g->ruling->class,
		.severity = g->ruling->severity,
		.place = first->place,
		.direction = first->direction,
		.explained_by = g->root ? g->root->id : NULL,
	};

	set_counts(&d, m, g);
	set_confidence(&d, m, g);
	set_subjects(&d, m, g);
	set_texts(&d, m, g);
	for (size_t i = 0; i < g->count && i < EVIDENCE_FACTS_MAX; i++)
		add_evidence(&d, first->rule, fact_of(m, g, i));
	return d;
}

static void append(struct diagnosis **list, size_t *n,
                   const struct diagnosis *d)
{
	*list = xreallocarray(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = *d;
}

/* Most severe first, then best proven, then earliest, then id */
static int by_weight(const void *p, const void *q)
{
	const struct diagnosis *a = p, *b = q;
	int order;

	if (a->severity != b->severity)
		return a->severity < b->severity ? -1 : 1;
	if (a->confidence != b->confidence)
		return a->confidence < b->confidence ? -1 : 1;
	if (a->has_time != b->has_time)
		return a->has_time ? -1 : 1;
	if (a->first_ns != b->first_ns)
		return a->first_ns < b->first_ns ? -1 : 1;
	order = strcmp(a->rule, b->rule);
	if (order == 0)
		order = a->place - b->place;
	if (order == 0)
		order = a->direction - b->direction;
	return order ? order : strcmp(a->statement, b->statement);
}

static void sort(struct diagnosis *list, size_t n)
{
	if (n > 1)
		qsort(list, n, sizeof(*list), by_weight);
}

/* The merged findings to which finding @i belongs */
static size_t merged_with(const struct merging *m, size_t i)
{
	const struct finding *f = &m->findings->all[i];
	uint64_t hash = hash_of(f, NULL);
	size_t pos = 0;
	uint32_t at;

	do {
		at = hash_table_find(&m->table, hash, &pos);
	} while (at != HASH_TABLE_NONE &&
	         (m->all[at].ruling != f->ruling || m->all[at].root ||
	          member(m, &m->all[at], 0)->place != f->place ||
	          member(m, &m->all[at], 0)->direction != f->direction));
	return at;
}

static void set_explained(struct diagnosis *built, const struct merging *m)
{
	for (size_t i = 0; i < m->findings->count; i++) {
		const struct finding *f = &m->findings->all[i];
		size_t root = finding_root(m->findings, i);

		if (root != i)
			add_explained(
				&built[merged_with(m, root)], f->rule->id,
				weight(facts_get(m->incident->facts, f->fact)));
	}
	for (size_t i = 0; i < m->count; i++)
		if (built[i].n_explains > 1)
			qsort(built[i].explains, built[i].n_explains,
			      sizeof(*built[i].explains), by_rule);
}

static void distribute(struct judgement *j, const struct diagnosis *built,
                       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct diagnosis *d = &built[i];

		if (d->explained_by)
			append(&j->symptoms, &j->n_symptoms, d);
		else if (d->class == RULE_CLASS_FAULT)
			append(&j->diagnoses, &j->n_diagnoses, d);
		else
			append(&j->notes, &j->n_notes, d);
	}
	sort(j->diagnoses, j->n_diagnoses);
	sort(j->symptoms, j->n_symptoms);
	sort(j->notes, j->n_notes);
}

void diagnoses_make(struct judgement *j, const struct findings *findings,
                    const struct incident *incident)
{
	struct merging m = { .findings = findings, .incident = incident };
	struct diagnosis *built;

	merge(&m);
	built = xcalloc(m.count + 1, sizeof(*built));
	for (size_t i = 0; i < m.count; i++)
		built[i] = build(&m, &m.all[i]);
	set_explained(built, &m);
	distribute(j, built, m.count);

	free(built);
	for (size_t i = 0; i < m.count; i++)
		free(m.all[i].members);
	free(m.all);
	hash_table_free(&m.table);
}

static void free_fix(struct fix_steps *fix, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (const char **s = fix[i].steps; *s; s++)
			free((char *)(uintptr_t)*s);
		free(fix[i].steps);
	}
	free(fix);
}

void diagnosis_free(struct diagnosis *d)
{
	for (size_t i = 0; i < d->n_because; i++)
		free(d->because[i]);
	free(d->because);
	free(d->subjects);
	free(d->statement);
	free(d->cause);
	free_fix(d->fix, d->n_fix);
	free(d->explains);
	free(d->evidence);
}
