#include <string.h>

#include "base/addr.h"
#include "base/xalloc.h"
#include "rules/expr.h"
#include "rules/relations.h"

/* Where a node is evaluated */
struct scope {
	struct relations *rel;
	const struct fact *fact;
	const struct fact *outer;
};

static enum truth eval_truth(const struct expr *e, const struct scope *s);

enum truth truth_not(enum truth a)
{
	if (a == TRUTH_UNKNOWN)
		return a;
	return a == TRUTH_TRUE ? TRUTH_FALSE : TRUTH_TRUE;
}

enum truth truth_and(enum truth a, enum truth b)
{
	if (a == TRUTH_FALSE || b == TRUTH_FALSE)
		return TRUTH_FALSE;
	return a == TRUTH_TRUE && b == TRUTH_TRUE ? TRUTH_TRUE : TRUTH_UNKNOWN;
}

enum truth truth_or(enum truth a, enum truth b)
{
	return truth_not(truth_and(truth_not(a), truth_not(b)));
}

static enum truth truth_of(bool b)
{
	return b ? TRUTH_TRUE : TRUTH_FALSE;
}

/* VALUE_MAX and INT64_MIN stand for no bound at all, and stay so. */
static int64_t bound_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (a == VALUE_MAX || b == VALUE_MAX)
		return VALUE_MAX;
	if (a == INT64_MIN || b == INT64_MIN)
		return INT64_MIN;
	if (__builtin_add_overflow(a, b, &sum))
		return a > 0 ? VALUE_MAX : INT64_MIN;
	return sum;
}

static int64_t bound_negate(int64_t a)
{
	if (a == VALUE_MAX)
		return INT64_MIN;
	return a == INT64_MIN ? VALUE_MAX : -a;
}

static int64_t bound_multiply(int64_t a, int64_t b)
{
	int64_t product;

	if (a == 0 || b == 0)
		return 0;
	if (a == VALUE_MAX || b == VALUE_MAX || a == INT64_MIN ||
	    b == INT64_MIN || __builtin_mul_overflow(a, b, &product))
		return (a > 0) == (b > 0) ? VALUE_MAX : INT64_MIN;
	return product;
}

/* @b is not 0 */
static int64_t bound_divide(int64_t a, int64_t b)
{
	if (b == VALUE_MAX || b == INT64_MIN)
		return 0;
	if (a == VALUE_MAX || a == INT64_MIN)
		return (a > 0) == (b > 0) ? VALUE_MAX : INT64_MIN;
	return a / b;
}

static struct value interval(int64_t lo, int64_t hi)
{
	struct value v = { .state = VALUE_KNOWN };

	v.lo = lo;
	v.hi = hi;
	return v;
}

/* The range of a function that is monotone in each of its two operands */
static struct value corners(struct value a, struct value b,
                            int64_t (*f)(int64_t, int64_t))
{
	int64_t all[] = { f(a.lo, b.lo), f(a.lo, b.hi), f(a.hi, b.lo),
		          f(a.hi, b.hi) };
	int64_t lo = all[0], hi = all[0];

	for (size_t i = 1; i < sizeof(all) / sizeof(all[0]); i++) {
		lo = all[i] < lo ? all[i] : lo;
		hi = all[i] > hi ? all[i] : hi;
	}
	return interval(lo, hi);
}

static struct value compute(enum expr_op op, struct value a, struct value b)
{
	if (a.state == VALUE_ABSENT || b.state == VALUE_ABSENT)
		return (struct value){ .state = VALUE_ABSENT };
	if (a.state == VALUE_UNKNOWN || b.state == VALUE_UNKNOWN)
		return (struct value){ .state = VALUE_UNKNOWN };
	if (op == EXPR_ADD)
		return interval(bound_add(a.lo, b.lo), bound_add(a.hi, b.hi));
	if (op == EXPR_SUB)
		return interval(bound_add(a.lo, bound_negate(b.hi)),
		                bound_add(a.hi, bound_negate(b.lo)));
	if (op == EXPR_MUL)
		return corners(a, b, bound_multiply);
	if (b.lo <= 0 && b.hi >= 0)
		return (struct value){ .state = VALUE_UNKNOWN };
	return corners(a, b, bound_divide);
}

/* Evaluates the part of an any() that does not look at the outer fact */
static void fill(struct group_result *r, const struct expr *e,
                 const struct group *group, const struct scope *s)
{
	const struct facts *facts = relations_facts(s->rel);

	r->candidates = xcalloc(group->count, sizeof(*r->candidates));
	r->unknown = xcalloc(group->count, sizeof(*r->unknown));
	for (uint32_t i = 0; i < group->count; i++) {
		struct scope inner = {
			.rel = s->rel,
			.fact = facts_get(facts, group->members[i]),
		};
		enum truth t = TRUTH_TRUE;

		if (e->left)
			t = eval_truth(e->left, &inner);
		if (t == TRUTH_FALSE)
			continue;
		r->unknown[r->n_candidates] = t == TRUTH_UNKNOWN;
		r->candidates[r->n_candidates++] = group->members[i];
		if (t == TRUTH_TRUE)
			r->n_true++;
		else
			r->n_unknown++;
	}
	r->done = true;
}

/* Takes the fact itself out again: it is not related to itself. */
static void tally_without_self(const struct group_result *r,
                               const struct expr *e, const struct scope *s,
                               uint64_t *n_true, uint64_t *n_unknown)
{
	struct scope inner = { .rel = s->rel, .fact = s->fact };
	enum truth self = TRUTH_TRUE;

	*n_true = r->n_true;
	*n_unknown = r->n_unknown;
	if (!(e->relation.kinds & FACT_KIND_BIT(s->fact->kind)))
		return;
	if (e->left)
		self = eval_truth(e->left, &inner);
	*n_true -= self == TRUTH_TRUE;
	*n_unknown -= self == TRUTH_UNKNOWN;
}

static void tally_each(const struct group_result *r, const struct expr *e,
                       const struct scope *s, uint64_t *n_true,
                       uint64_t *n_unknown)
{
	const struct facts *facts = relations_facts(s->rel);

	*n_true = 0;
	*n_unknown = 0;
	for (uint32_t i = 0; i < r->n_candidates; i++) {
		struct scope inner = {
			.rel = s->rel,
			.fact = facts_get(facts, r->candidates[i]),
			.outer = s->fact,
		};
		enum truth t = r->unknown[i] ? TRUTH_UNKNOWN : TRUTH_TRUE;

		if (inner.fact == s->fact)
			continue;
		t = truth_and(t, eval_truth(e->right, &inner));
		*n_true += t == TRUTH_TRUE;
		*n_unknown += t == TRUTH_UNKNOWN;
		if (e->op == EXPR_ANY && *n_true > 0)
			return;
	}
}

/* How many related facts fulfil the condition: from all sure to all possible */
static struct value count_related(const struct expr *e, const struct scope *s)
{
	const struct group *group;
	struct group_result *r;
	uint64_t n_true, n_unknown;
	uint32_t number;

	switch (relations_group(s->rel, &e->relation, s->fact, &group,
	                        &number)) {
	case GROUP_UNKNOWN:
		return interval(0, VALUE_MAX);
	case GROUP_EMPTY:
		return interval(0, 0);
	case GROUP_FOUND:
		break;
	}
	r = relations_result(s->rel, e, number);
	if (!r->done)
		fill(r, e, group, s);
	if (e->right)
		tally_each(r, e, s, &n_true, &n_unknown);
	else
		tally_without_self(r, e, s, &n_true, &n_unknown);
	return interval((int64_t)n_true, (int64_t)(n_true + n_unknown));
}

static struct value eval_value(const struct expr *e, const struct scope *s)
{
	enum truth t;

	switch (e->op) {
	case EXPR_LITERAL:
		return e->value;
	case EXPR_FIELD:
		return fact_get(e->outer ? s->outer : s->fact, e->field);
	case EXPR_ADD:
	case EXPR_SUB:
	case EXPR_MUL:
	case EXPR_DIV:
		return compute(e->op, eval_value(e->left, s),
		               eval_value(e->right, s));
	case EXPR_COUNT:
		return count_related(e, s);
	case EXPR_WORD:
	case EXPR_NOT:
	case EXPR_AND:
	case EXPR_OR:
	case EXPR_EQ:
	case EXPR_NE:
	case EXPR_LT:
	case EXPR_LE:
	case EXPR_GT:
	case EXPR_GE:
	case EXPR_IN:
	case EXPR_CONTAINS:
	case EXPR_HAS:
	case EXPR_KNOWN:
	case EXPR_ANY:
		break;
	}
	t = eval_truth(e, s);
	if (t == TRUTH_UNKNOWN)
		return (struct value){ .state = VALUE_UNKNOWN };
	return interval(t == TRUTH_TRUE, t == TRUTH_TRUE);
}

static enum truth equal_intervals(struct value a, struct value b)
{
	if (a.hi < b.lo || b.hi < a.lo)
		return TRUTH_FALSE;
	if (a.lo == a.hi && b.lo == b.hi)
		return TRUTH_TRUE;
	return TRUTH_UNKNOWN;
}

static bool mac_in_prefix(struct mac mac, struct mac net, int bits)
{
	for (int i = 0; i < bits; i++) {
		int differing = mac.bytes[i / 8] ^ net.bytes[i / 8];

		if (differing >> (7 - i % 8) & 1)
			return false;
	}
	return true;
}

static bool equal_text(const struct expr *a, struct value left,
                       const struct expr *b, struct value right)
{
	size_t n = a->op == EXPR_LITERAL ? a->len - 2 : strlen(left.text);
	size_t m = b->op == EXPR_LITERAL ? b->len - 2 : strlen(right.text);

	return n == m && memcmp(left.text, right.text, n) == 0;
}

/* Both are known */
static enum truth equal_values(const struct expr *left, struct value a,
                               const struct expr *right, struct value b)
{
	bool prefix = right->op == EXPR_LITERAL && right->bits >= 0;

	switch (right->type) {
	case VALUE_TYPE_BOOL:
	case VALUE_TYPE_NUMBER:
	case VALUE_TYPE_DURATION:
	case VALUE_TYPE_TIME:
	case VALUE_TYPE_ENUM:
		return equal_intervals(a, b);
	case VALUE_TYPE_IP:
		return truth_of(
			prefix ? addr_in_prefix(&a.ip, &b.ip,
		                                (unsigned int)right->bits)
			       : addr_equal(&a.ip, &b.ip));
	case VALUE_TYPE_MAC:
		return truth_of(
			prefix ? mac_in_prefix(a.mac, b.mac, right->bits)
			       : mac_equal(a.mac, b.mac));
	case VALUE_TYPE_TEXT:
		return truth_of(equal_text(left, a, right, b));
	case VALUE_TYPE_LABEL:
		return truth_of(addr_equal(&a.ip, &b.ip));
	}
	return TRUTH_UNKNOWN;
}

static enum truth less(struct value a, struct value b)
{
	if (a.hi < b.lo)
		return TRUTH_TRUE;
	return a.lo >= b.hi ? TRUTH_FALSE : TRUTH_UNKNOWN;
}

static bool contains(struct value text, const struct expr *part,
                     struct value value)
{
	size_t n =
		part->op == EXPR_LITERAL ? part->len - 2 : strlen(value.text);

	return memmem(text.text, strlen(text.text), value.text, n) != NULL;
}

static enum truth compare(const struct expr *e, struct value a, struct value b)
{
	if (a.state == VALUE_ABSENT || b.state == VALUE_ABSENT)
		return TRUTH_FALSE;
	if (a.state == VALUE_UNKNOWN || b.state == VALUE_UNKNOWN)
		return TRUTH_UNKNOWN;
	if (e->op == EXPR_EQ)
		return equal_values(e->left, a, e->right, b);
	if (e->op == EXPR_NE)
		return truth_not(equal_values(e->left, a, e->right, b));
	if (e->op == EXPR_LT)
		return less(a, b);
	if (e->op == EXPR_GE)
		return truth_not(less(a, b));
	if (e->op == EXPR_GT)
		return less(b, a);
	if (e->op == EXPR_LE)
		return truth_not(less(b, a));
	return truth_of(contains(a, e->right, b));
}

static enum truth eval_in(const struct expr *e, const struct scope *s)
{
	struct value a = eval_value(e->left, s);
	enum truth result = TRUTH_FALSE;

	if (a.state == VALUE_ABSENT)
		return TRUTH_FALSE;
	if (a.state == VALUE_UNKNOWN)
		return TRUTH_UNKNOWN;
	for (const struct expr *item = e->right; item; item = item->next) {
		struct value b = eval_value(item, s);

		if (b.state == VALUE_UNKNOWN)
			result = truth_or(result, TRUTH_UNKNOWN);
		else if (b.state == VALUE_KNOWN)
			result = truth_or(result,
			                  equal_values(e->left, a, item, b));
	}
	return result;
}

static enum truth eval_any(const struct expr *e, const struct scope *s)
{
	struct value n = count_related(e, s);

	if (n.lo > 0)
		return TRUTH_TRUE;
	return n.hi > 0 ? TRUTH_UNKNOWN : TRUTH_FALSE;
}

static enum truth eval_bool_field(const struct expr *e, const struct scope *s)
{
	struct value v = eval_value(e, s);

	if (v.state == VALUE_UNKNOWN)
		return TRUTH_UNKNOWN;
	return truth_of(v.state == VALUE_KNOWN && v.lo);
}

static enum truth eval_state(const struct expr *e, const struct scope *s)
{
	struct value v = fact_get(e->outer ? s->outer : s->fact, e->field);

	if (e->op == EXPR_KNOWN)
		return truth_of(v.state != VALUE_UNKNOWN);
	if (v.state == VALUE_UNKNOWN)
		return TRUTH_UNKNOWN;
	return truth_of(v.state == VALUE_KNOWN);
}

static enum truth eval_truth(const struct expr *e, const struct scope *s)
{
	enum truth a;

	switch (e->op) {
	case EXPR_LITERAL:
	case EXPR_FIELD:
		return eval_bool_field(e, s);
	case EXPR_NOT:
		return truth_not(eval_truth(e->left, s));
	case EXPR_AND:
		a = eval_truth(e->left, s);
		if (a == TRUTH_FALSE)
			return a;
		return truth_and(a, eval_truth(e->right, s));
	case EXPR_OR:
		a = eval_truth(e->left, s);
		if (a == TRUTH_TRUE)
			return a;
		return truth_or(a, eval_truth(e->right, s));
	case EXPR_EQ:
	case EXPR_NE:
	case EXPR_LT:
	case EXPR_LE:
	case EXPR_GT:
	case EXPR_GE:
	case EXPR_CONTAINS:
		return compare(e, eval_value(e->left, s),
		               eval_value(e->right, s));
	case EXPR_IN:
		return eval_in(e, s);
	case EXPR_HAS:
	case EXPR_KNOWN:
		return eval_state(e, s);
	case EXPR_ANY:
		return eval_any(e, s);
	case EXPR_WORD:
	case EXPR_ADD:
	case EXPR_SUB:
	case EXPR_MUL:
	case EXPR_DIV:
	case EXPR_COUNT:
		break;
	}
	return TRUTH_UNKNOWN;
}

enum truth expr_eval(const struct expr *e, struct relations *rel,
                     const struct fact *fact, const struct fact *outer)
{
	struct scope s = { .rel = rel, .fact = fact, .outer = outer };

	return eval_truth(e, &s);
}

enum truth expression_eval(const struct expression *e, struct relations *rel,
                           size_t fact)
{
	return expr_eval(e->root, rel, facts_get(relations_facts(rel), fact),
	                 NULL);
}
