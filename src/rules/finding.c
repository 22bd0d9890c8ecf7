#include "rules/finding.h"

#include <stdlib.h>

#include "base/strbuf.h"
#include "base/xalloc.h"

bool fact_times(const struct fact *fact, int64_t *first_ns, int64_t *last_ns)
{
	bool is_capture = fact->kind == FACT_KIND_CAPTURE;
	struct value first =
		fact_get(fact, is_capture ? FIELD_CAPTURE_FIRST : FIELD_FIRST);
	struct value last =
		fact_get(fact, is_capture ? FIELD_CAPTURE_LAST : FIELD_LAST);

	if (first.state != VALUE_KNOWN)
		return false;
	*first_ns = first.lo;
	*last_ns = last.state == VALUE_KNOWN ? last.hi : first.lo;
	return true;
}

static void add_because(struct finding *f, char *text)
{
	f->because = xreallocarray(f->because, f->n_because + 1,
	                           sizeof(*f->because));
	f->because[f->n_because++] = text;
}

static void lower_confidence(struct finding *f, enum confidence to)
{
	if (f->confidence < to)
		f->confidence = to;
}

/* Do all look-alikes leave room for the rule? */
static bool survives(struct finding *f, struct relations *rel)
{
	for (size_t i = 0; i < f->rule->n_unless; i++) {
		const struct look_alike *l = &f->rule->unless[i];

		switch (expression_eval(l->when, rel, f->fact)) {
		case TRUTH_TRUE:
			return false;
		case TRUTH_FALSE:
			break;
		case TRUTH_UNKNOWN:
			lower_confidence(f, CONFIDENCE_MEDIUM);
			if (i < 64)
				f->not_excluded |= UINT64_C(1) << i;
			add_because(f,
			            text_format("%s cannot be excluded: the "
			                        "captures do not tell "
			                        "%s%s",
			                        l->rule,
			                        l->question ? "" : "whether ",
			                        l->question ? l->question
			                                    : l->when->text));
			break;
		}
	}
	return true;
}

static const struct ruling *choose_ruling(const struct rule *rule,
                                          struct relations *rel, size_t fact)
{
	for (size_t i = 0; i < rule->n_variants; i++)
		if (expression_eval(rule->variants[i].when, rel, fact) ==
		    TRUTH_TRUE)
			return &rule->variants[i].ruling;
	return &rule->ruling;
}

static int locate(const struct placing *placing, const struct fact *fact,
                  enum field field)
{
	struct value v;

	if (!placing->located)
		return placing->word;
	if (!(field_info(field)->kinds & FACT_KIND_BIT(fact->kind)))
		return -1;
	v = fact_get(fact, field);
	return v.state == VALUE_KNOWN ? (int)v.lo : -1;
}

static void place(struct finding *f, const struct fact *fact)
{
	f->place = locate(&f->ruling->place, fact, FIELD_LOST_PLACE);
	f->direction = locate(&f->rule->direction, fact, FIELD_DIRECTION);
	if (!f->ruling->place.located || f->place >= 0)
		return;
	lower_confidence(f, CONFIDENCE_LOW);
	add_because(f, text_copy("the captures do not tell where it is lost"));
}

static void free_because(struct finding *f)
{
	for (size_t i = 0; i < f->n_because; i++)
		free(f->because[i]);
	free(f->because);
}

static bool is_power_of_two_or_zero(size_t n)
{
	return (n & (n - 1)) == 0;
}

static void append(struct findings *findings, const struct finding *f)
{
	size_t n = findings->count;

	if (is_power_of_two_or_zero(n))
		findings->all = xreallocarray(findings->all, n ? 2 * n : 1,
		                              sizeof(*findings->all));
	findings->all[findings->count++] = *f;
}

static void apply(struct findings *findings, const struct rule *rule,
                  struct relations *rel, size_t number)
{
	const struct fact *fact = facts_get(relations_facts(rel), number);
	struct finding f = {
		.rule = rule,
		.fact = number,
		.confidence = CONFIDENCE_HIGH,
		.parent = FINDING_NONE,
	};

	if (!(rule->kinds & FACT_KIND_BIT(fact->kind)) ||
	    expression_eval(rule->when, rel, number) != TRUTH_TRUE)
		return;
	if (!survives(&f, rel)) {
		free_because(&f);
		return;
	}
	f.ruling = choose_ruling(rule, rel, number);
	f.has_time = fact_times(fact, &f.first_ns, &f.last_ns);
	place(&f, fact);
	append(findings, &f);
}

void findings_make(struct findings *findings, const struct rule_set *rules,
                   struct relations *rel)
{
	size_t n = facts_count(relations_facts(rel));

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < rules->count; j++)
			apply(findings, rules->rules[j], rel, i);
}

void findings_free(struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		free_because(&findings->all[i]);
	free(findings->all);
	*findings = (struct findings){ 0 };
}
