#include "rules/root_cause.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "rules/signature_ids.h"

#define SLACK_NS INT64_C(2000000000)

/* Causes before consequences; the first that matches counts. */
static const char *const order[] = {
	"cap-*",
	"l2-vnic-detached",
	"l2-storm-loop",
	"vlan-*",
	"l2-access-control",
	"l2-mac-policy",
	"dhcp-*",
	"time-snapshot-revert",
	"arp-duplicate-ip",
	"l2-duplicate-mac",
	"arp-spoof",
	"ndp-dad-conflict",
	"arp-stale-entry",
	"l2-*",
	"arp-off-subnet",
	"arp-none-sent",
	"arp-lost-vswitch",
	"arp-reply-lost-back",
	"gw-*",
	"arp-*",
	"ndp-*",
	"nat-snat-missing",
	"nat-return-dropped",
	"nat-*",
	"ip-*",
	"icmp-admin-prohibited",
	"icmp-unreachable",
	"mtu-*",
	"icmp-double-filter",
	"icmp-*",
	"tcp-syn-unanswered",
	"tcp-*",
	"dns-*",
	"app-*",
	"perf-*",
};

#define N_ORDER (sizeof(order) / sizeof(order[0]))

/* What must be equal at cause and symptom; zero where a rule does not ask */
struct key {
	struct in6_addr labels[RELATION_LABELS_MAX];
	int place;
	int direction;
};

/**
 * struct cover - One "explains" of one rule
 * @table:	from the hash of a key to the index of its entry
 * @keys:	what the findings of the rule cover
 * @earliest:	of each key, the first finding in time: what it does not
 *		explain, no later one can
 */
struct cover {
	const struct rule *rule;
	const struct explains *explains;
	struct hash_table table;
	struct key *keys;
	size_t *earliest;
	size_t count;
};

struct root_causes {
	struct findings *findings;
	const struct facts *facts;
	struct cover *covers;
	size_t n_covers;
	int64_t slack_ns;
};

static size_t rank(const struct rule *rule)
{
	for (size_t i = 0; i < N_ORDER; i++)
		if (glob_matches(order[i], rule->id))
			return i;
	return N_ORDER;
}

size_t finding_root(const struct findings *findings, size_t i)
{
	while (findings->all[i].parent != FINDING_NONE)
		i = findings->all[i].parent;
	return i;
}

static bool key_of(const struct explains *e, const struct fact *fact, int place,
                   int direction, struct key *key)
{
	*key = (struct key){ 0 };
	for (size_t i = 0; i < e->n_labels; i++) {
		struct value v = fact_get(fact, e->labels[i]);

		if (v.state != VALUE_KNOWN)
			return false;
		key->labels[i] = v.ip;
	}
	if ((e->same_place && place < 0) ||
	    (e->same_direction && direction < 0))
		return false;
	key->place = e->same_place ? place : 0;
	key->direction = e->same_direction ? direction : 0;
	return true;
}

static size_t find_key(const struct cover *c, const struct key *key)
{
	uint64_t hash = hash_bytes(key, sizeof(*key));
	size_t pos = 0;
	uint32_t i;

	do {
		i = hash_table_find(&c->table, hash, &pos);
	} while (i != HASH_TABLE_NONE &&
	         memcmp(&c->keys[i], key, sizeof(*key)) != 0);
	return i == HASH_TABLE_NONE ? FINDING_NONE : i;
}

static int64_t start_of(const struct finding *f)
{
	return f->has_time ? f->first_ns : INT64_MIN;
}

static void cover_add(struct cover *c, const struct root_causes *roots,
                      size_t finding)
{
	const struct finding *f = &roots->findings->all[finding];
	const struct fact *fact = facts_get(roots->facts, f->fact);
	struct key key;
	size_t at;

	if (!key_of(c->explains, fact, f->place, f->direction, &key))
		return;
	at = find_key(c, &key);
	if (at != FINDING_NONE) {
		const struct finding *old =
			&roots->findings->all[c->earliest[at]];

		if (start_of(f) < start_of(old))
			c->earliest[at] = finding;
		return;
	}
	c->keys = xreallocarray(c->keys, c->count + 1, sizeof(*c->keys));
	c->earliest =
		xreallocarray(c->earliest, c->count + 1, sizeof(*c->earliest));
	c->keys[c->count] = key;
	c->earliest[c->count] = finding;
	hash_table_add(&c->table, hash_bytes(&key, sizeof(key)),
	               (uint32_t)c->count++);
}

static void add_covers(struct root_causes *roots, const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_explains; i++) {
		struct cover c = {
			.rule = rule,
			.explains = &rule->explains[i],
		};

		for (size_t j = 0; j < roots->findings->count; j++) {
			const struct finding *f = &roots->findings->all[j];

			if (f->rule == rule &&
			    f->ruling->class != RULE_CLASS_NOTE)
				cover_add(&c, roots, j);
		}
		if (c.count == 0)
			continue;
		roots->covers =
			xreallocarray(roots->covers, roots->n_covers + 1,
		                      sizeof(*roots->covers));
		roots->covers[roots->n_covers++] = c;
	}
}

/* What fails on one way at one place has one cause, whichever of it was tried
 * first. */
static bool is_of_one_way(const struct explains *e)
{
	for (size_t i = 0; i < e->n_labels; i++)
		if (e->labels[i] == FIELD_LABEL_WAY)
			return true;
	return false;
}

/* The finding that covers what lies at @place, or FINDING_NONE */
static size_t covered_by(const struct root_causes *roots, const struct cover *c,
                         const struct fact *fact, int place, int direction)
{
	int64_t first_ns, last_ns, start_ns;
	struct key key;
	size_t at;

	if (!key_of(c->explains, fact, place, direction, &key))
		return FINDING_NONE;
	at = find_key(c, &key);
	if (at == FINDING_NONE)
		return FINDING_NONE;
	start_ns = start_of(&roots->findings->all[c->earliest[at]]);
	if (!is_of_one_way(c->explains) && start_ns != INT64_MIN &&
	    fact_times(fact, &first_ns, &last_ns) &&
	    first_ns < start_ns - roots->slack_ns)
		return FINDING_NONE;
	return c->earliest[at];
}

/* Is the cause @a to be preferred to @b, which may be FINDING_NONE? */
static bool better(const struct findings *findings, size_t a, size_t b)
{
	const struct finding *x, *y;

	if (b == FINDING_NONE)
		return true;
	x = &findings->all[a];
	y = &findings->all[b];
	if (rank(x->rule) != rank(y->rule))
		return rank(x->rule) < rank(y->rule);
	if (x->ruling->severity != y->ruling->severity)
		return x->ruling->severity < y->ruling->severity;
	return a < b;
}

/* The best cause that a rule names for finding @i */
static size_t explained_by(const struct root_causes *roots, size_t i)
{
	const struct finding *f = &roots->findings->all[i];
	const struct fact *fact = facts_get(roots->facts, f->fact);
	size_t best = FINDING_NONE;

	for (size_t j = 0; j < roots->n_covers; j++) {
		const struct cover *c = &roots->covers[j];
		size_t cause;

		if (c->rule == f->rule ||
		    !rule_explains(c->explains, f->rule->id))
			continue;
		cause = covered_by(roots, c, fact, f->place, f->direction);
		if (cause != FINDING_NONE &&
		    better(roots->findings, cause, best))
			best = cause;
	}
	return best;
}

/* Findings of one fact stand side by side: the highest of those of @i's fact */
static size_t highest_of_fact(const struct findings *findings, size_t i)
{
	size_t from = i, best = FINDING_NONE;

	while (from > 0 &&
	       findings->all[from - 1].fact == findings->all[i].fact)
		from--;
	for (size_t j = from; j < findings->count &&
	                      findings->all[j].fact == findings->all[i].fact;
	     j++)
		if (findings->all[j].ruling->class != RULE_CLASS_NOTE &&
		    better(findings, j, best))
			best = j;
	return best;
}

static void set_parent(struct findings *findings, size_t i, size_t parent)
{
	/* An explained cause must not come back to what it explains. */
	if (parent != FINDING_NONE && finding_root(findings, parent) != i)
		findings->all[i].parent = parent;
}

static void find_parents(struct root_causes *roots)
{
	struct findings *findings = roots->findings;

	for (size_t i = 0; i < findings->count; i++) {
		size_t cause, highest;

		if (findings->all[i].ruling->class != RULE_CLASS_FAULT)
			continue;
		cause = explained_by(roots, i);
		highest = highest_of_fact(findings, i);
		if (highest != i && highest != FINDING_NONE &&
		    better(findings, highest, cause))
			cause = highest;
		set_parent(findings, i, cause);
	}
}

struct root_causes *root_causes_find(struct findings *findings,
                                     const struct rule_set *rules,
                                     const struct incident *incident)
{
	struct root_causes *roots = xcalloc(1, sizeof(*roots));

	roots->findings = findings;
	roots->facts = incident->facts;
	roots->slack_ns = SLACK_NS;
	if (incident->clock.known)
		roots->slack_ns += incident->clock.error_ns;
	for (size_t i = 0; i < rules->count; i++)
		add_covers(roots, rules->rules[i]);
	find_parents(roots);
	return roots;
}

void root_causes_free(struct root_causes *roots)
{
	if (!roots)
		return;
	for (size_t i = 0; i < roots->n_covers; i++) {
		hash_table_free(&roots->covers[i].table);
		free(roots->covers[i].keys);
		free(roots->covers[i].earliest);
	}
	free(roots->covers);
	free(roots);
}

size_t root_causes_cause(const struct root_causes *roots,
                         const struct fact *fact)
{
	struct value place = fact_get(fact, FIELD_LOST_PLACE);
	struct value direction = fact_get(fact, FIELD_DIRECTION);
	int p = place.state == VALUE_KNOWN ? (int)place.lo : -1;
	int d = direction.state == VALUE_KNOWN ? (int)direction.lo : -1;

	for (size_t i = 0; i < roots->n_covers; i++) {
		size_t cause = covered_by(roots, &roots->covers[i], fact, p, d);

		if (cause != FINDING_NONE)
			return cause;
	}
	return FINDING_NONE;
}

bool root_causes_cover(const struct root_causes *roots, const struct fact *fact)
{
	return root_causes_cause(roots, fact) != FINDING_NONE;
}
