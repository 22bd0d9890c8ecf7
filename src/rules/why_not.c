#include "rules/why_not.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "rules/finding.h"
#include "rules/root_cause.h"
#include "rules/rule.h"
#include "rules/signature_ids.h"
#include "rules/suggest.h"
#include "rules/template.h"

#define SHOWN_MAX 5
#define TERM_FIELDS_MAX 16

/* What became of the rule on one fact, the nearest to firing first. */
enum fate {
	FATE_FIRES,
	FATE_EXPLAINED,
	FATE_SUPPRESSED,
	FATE_UNMET,
};

/**
 * struct attempt - The rule on one fact
 * @held:	terms of "when" that are true
 * @unmet:	the first that is not; NULL if all are
 * @truth:	false or unknown
 * @look_alike:	what suppresses the finding, or NULL
 * @finding:	where the rule fires
 */
struct attempt {
	size_t fact;
	enum fate fate;
	size_t held;
	const struct expr *unmet;
	enum truth truth;
	const struct look_alike *look_alike;
	size_t finding;
};

struct trace {
	const struct rule *rule;
	const struct facts *facts;
	struct relations *rel;
	struct findings findings;
	struct root_causes *roots;
	struct attempt *attempts;
	size_t count;
};

bool why_not_rule(const struct rule_set *rules, const char *id,
                  struct errmsg *err)
{
	struct suggestion s = { .word = id, .len = strlen(id) };
	char text[SUGGEST_TEXT_MAX];

	if (rule_set_find(rules, id))
		return true;
	for (size_t i = 0; i < rules->count; i++)
		suggestion_offer(&s, rules->rules[i]->id);
	if (signature_id_known(id))
		return errmsg_set(
			err, "--why-not %s: this signature has no rule yet",
			id);
	return errmsg_set(err, "--why-not %s: no such rule%s", id,
	                  s.best ? suggestion_text(&s, text)
	                         : "; see --list-rules");
}

static size_t count_terms(const struct expr *e)
{
	return e->op == EXPR_AND ? count_terms(e->left) + count_terms(e->right)
	                         : 1;
}

/* Tries the terms between top-level "&&", from the left */
static void try_terms(struct trace *t, const struct expr *e, struct attempt *a)
{
	enum truth truth;

	if (e->op == EXPR_AND) {
		try_terms(t, e->left, a);
		try_terms(t, e->right, a);
		return;
	}
	truth = expr_eval(e, t->rel, facts_get(t->facts, a->fact), NULL);
	if (truth == TRUTH_TRUE) {
		a->held++;
	} else if (!a->unmet) {
		a->unmet = e;
		a->truth = truth;
	}
}

static const struct look_alike *suppressor(struct trace *t, size_t fact)
{
	for (size_t i = 0; i < t->rule->n_unless; i++)
		if (expression_eval(t->rule->unless[i].when, t->rel, fact) ==
		    TRUTH_TRUE)
			return &t->rule->unless[i];
	return NULL;
}

/* Findings stand in the order of their facts. */
static size_t find_finding(const struct trace *t, size_t fact)
{
	const struct findings *f = &t->findings;
	size_t lo = 0, hi = f->count;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (f->all[middle].fact < fact)
			lo = middle + 1;
		else
			hi = middle;
	}
	for (; lo < f->count && f->all[lo].fact == fact; lo++)
		if (f->all[lo].rule == t->rule)
			return lo;
	return FINDING_NONE;
}

static struct attempt attempt(struct trace *t, size_t fact)
{
	struct attempt a = { .fact = fact, .finding = FINDING_NONE };

	try_terms(t, t->rule->when->root, &a);
	if (a.unmet) {
		a.fate = FATE_UNMET;
		return a;
	}
	a.look_alike = suppressor(t, fact);
	a.fate = FATE_SUPPRESSED;
	if (a.look_alike)
		return a;
	a.finding = find_finding(t, fact);
	a.fate = FATE_FIRES;
	if (a.finding != FINDING_NONE &&
	    t->findings.all[a.finding].parent != FINDING_NONE)
		a.fate = FATE_EXPLAINED;
	return a;
}

static int by_nearness(const void *p, const void *q)
{
	const struct attempt *a = p, *b = q;

	if (a->fate != b->fate)
		return a->fate < b->fate ? -1 : 1;
	if (a->held != b->held)
		return a->held > b->held ? -1 : 1;
	return a->fact < b->fact ? -1 : a->fact > b->fact;
}

static void try_all(struct trace *t)
{
	size_t n = facts_count(t->facts);

	t->attempts = xcalloc(n + 1, sizeof(*t->attempts));
	for (size_t i = 0; i < n; i++)
		if (t->rule->kinds &
		    FACT_KIND_BIT(facts_get(t->facts, i)->kind))
			t->attempts[t->count++] = attempt(t, i);
	if (t->count > 1)
		qsort(t->attempts, t->count, sizeof(*t->attempts), by_nearness);
}

/* A file's name must not reach the terminal raw. */
static void put_value(enum field field, const struct fact *fact,
                      struct strbuf *out)
{
	struct strbuf text = { 0 };

	template_put_value(field, fact, &text);
	strbuf_put_escaped(out, strbuf_text(&text), text.len);
	strbuf_free(&text);
}

static void put_named(const struct fact *fact, enum field field,
                      struct strbuf *out)
{
	const struct field_info *info = field_info(field);

	if (!(info->kinds & FACT_KIND_BIT(fact->kind)) ||
	    fact_get(fact, field).state != VALUE_KNOWN)
		return;
	strbuf_printf(out, ", %s ", info->name);
	put_value(field, fact, out);
}

/* "tcp 10.0.0.5 > 10.0.0.9:443, 3 tries, failed", or what the kind has */
static void put_fact(const struct fact *fact, struct strbuf *out)
{
	struct value port;

	strbuf_puts(out, fact_kind_name(fact->kind));
	if (!(FACT_KIND_BIT(fact->kind) & FACT_KINDS_EXCHANGE)) {
		put_named(fact, FIELD_CAPTURE_FILE, out);
		put_named(fact, FIELD_ADDRESS_IP, out);
		put_named(fact, FIELD_NIC_MAC, out);
		return;
	}
	port = fact_get(fact, FIELD_SERVER_PORT);
	strbuf_puts(out, " ");
	put_value(FIELD_CLIENT_IP, fact, out);
	strbuf_puts(out, " > ");
	put_value(FIELD_SERVER_IP, fact, out);
	if (port.state == VALUE_KNOWN)
		strbuf_printf(out, " port %" PRId64, port.lo);
	put_named(fact, FIELD_TRIES, out);
	put_named(fact, FIELD_OUTCOME, out);
}

struct term_fields {
	enum field fields[TERM_FIELDS_MAX];
	size_t n;
};

static void add_field(struct term_fields *f, enum field field)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->fields[i] == field)
			return;
	if (f->n < TERM_FIELDS_MAX)
		f->fields[f->n++] = field;
}

/* The fields of the rule's own fact: bare names, but within any() and count()
 * those with "this." */
static void collect(const struct expr *e, bool inside, struct term_fields *f)
{
	for (; e; e = e->next) {
		bool related = e->op == EXPR_ANY || e->op == EXPR_COUNT;

		if ((e->op == EXPR_FIELD || e->op == EXPR_HAS ||
		     e->op == EXPR_KNOWN) &&
		    e->outer == inside)
			add_field(f, e->field);
		collect(e->left, inside || related, f);
		collect(e->right, inside || related, f);
	}
}

static void put_values(const struct expr *e, const struct fact *fact,
                       struct strbuf *out)
{
	struct term_fields f = { .n = 0 };

	collect(e, false, &f);
	for (size_t i = 0; i < f.n; i++) {
		strbuf_printf(out, "    %-10s %s = ", i ? "" : "where",
		              field_info(f.fields[i])->name);
		put_value(f.fields[i], fact, out);
		strbuf_puts(out, "\n");
	}
}

static void put_related(const struct trace *t, const struct expr *e,
                        const struct fact *fact, struct strbuf *out)
{
	for (; e; e = e->next) {
		const struct group *group;
		uint32_t number;

		put_related(t, e->left, fact, out);
		put_related(t, e->right, fact, out);
		if (e->op != EXPR_ANY && e->op != EXPR_COUNT)
			continue;
		strbuf_printf(out, "    %-10s ", "related");
		switch (relations_group(t->rel, &e->relation, fact, &group,
		                        &number)) {
		case GROUP_FOUND:
			strbuf_printf(out, "%" PRIu32 " facts", group->count);
			break;
		case GROUP_EMPTY:
			strbuf_puts(out, "no fact");
			break;
		case GROUP_UNKNOWN:
			strbuf_puts(out, "not known");
			break;
		}
		strbuf_printf(out, " in %.*s\n", (int)e->len, e->start);
	}
}

static void put_unmet(const struct trace *t, const struct attempt *a,
                      struct strbuf *out)
{
	const struct fact *fact = facts_get(t->facts, a->fact);

	strbuf_printf(out, "    %-10s %zu of %zu terms\n", "held", a->held,
	              count_terms(t->rule->when->root));
	strbuf_printf(out, "    %-10s %.*s\n",
	              a->truth == TRUTH_FALSE ? "false" : "unknown",
	              (int)a->unmet->len, a->unmet->start);
	put_values(a->unmet, fact, out);
	put_related(t, a->unmet, fact, out);
}

static void put_suppressed(const struct trace *t, const struct attempt *a,
                           struct strbuf *out)
{
	const struct fact *fact = facts_get(t->facts, a->fact);
	const struct expr *e = a->look_alike->when->root;

	strbuf_printf(out, "    %-10s %s, since %s\n", "suppressed",
	              a->look_alike->rule, a->look_alike->when->text);
	put_values(e, fact, out);
	put_related(t, e, fact, out);
}

static void put_explained(const struct trace *t, const struct attempt *a,
                          struct strbuf *out)
{
	size_t root = finding_root(&t->findings, a->finding);
	const struct finding *f = &t->findings.all[root];

	strbuf_printf(out, "    %-10s %s of ", "explained", f->rule->id);
	put_fact(facts_get(t->facts, f->fact), out);
	strbuf_puts(out, "\n");
}

static void put_attempt(const struct trace *t, const struct attempt *a,
                        struct strbuf *out)
{
	strbuf_puts(out, "\n  ");
	put_fact(facts_get(t->facts, a->fact), out);
	strbuf_puts(out, "\n");
	switch (a->fate) {
	case FATE_FIRES:
		strbuf_printf(out, "    %-10s it is a finding of its own\n",
		              "fires");
		break;
	case FATE_EXPLAINED:
		put_explained(t, a, out);
		break;
	case FATE_SUPPRESSED:
		put_suppressed(t, a, out);
		break;
	case FATE_UNMET:
		put_unmet(t, a, out);
		break;
	}
}

static void put_head(const struct trace *t, struct strbuf *out)
{
	size_t n[FATE_UNMET + 1] = { 0 };

	for (size_t i = 0; i < t->count; i++)
		n[t->attempts[i].fate]++;
	strbuf_printf(out,
	              "%s: of %zu %s facts it fires on %zu, is explained by "
	              "another rule on %zu and suppressed on %zu\n  when: %s\n",
	              t->rule->id, t->count, t->rule->kind, n[FATE_FIRES],
	              n[FATE_EXPLAINED], n[FATE_SUPPRESSED],
	              t->rule->when->text);
}

void why_not(const struct rule_set *rules, const struct incident *incident,
             const char *id, struct strbuf *out)
{
	struct trace t = {
		.rule = rule_set_find(rules, id),
		.facts = incident->facts,
		.rel = relations_new(incident->facts),
	};

	findings_make(&t.findings, rules, t.rel);
	t.roots = root_causes_find(&t.findings, rules, incident);
	try_all(&t);
	put_head(&t, out);
	for (size_t i = 0; i < t.count && i < SHOWN_MAX; i++)
		put_attempt(&t, &t.attempts[i], out);
	root_causes_free(t.roots);
	findings_free(&t.findings);
	relations_free(t.rel);
	free(t.attempts);
}
