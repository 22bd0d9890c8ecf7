#include "rules/about.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/strbuf.h"
#include "base/xalloc.h"

/* One exchange in a form that can be hashed */
struct exchange_key {
	struct in6_addr client;
	struct in6_addr server;
	uint32_t protocol;
	uint32_t port;
};

/**
 * struct inquiry - One question while it is answered
 * @exact:	something of the asked port was tried; else what else there is of
 *		the address counts
 * @only_arp:	nothing but the address itself was asked for
 * @cause:	the diagnosis or note that concerns it, or NULL
 * @symptom:	what failed is only a symptom of that
 */
struct inquiry {
	const struct question *question;
	const struct incident *incident;
	const struct findings *findings;
	const struct root_causes *roots;
	struct judgement *j;
	struct hash_table index;
	bool exact;
	bool only_arp;
	uint64_t tried[PROTOCOL_DHCP + 1];
	uint64_t worked[PROTOCOL_DHCP + 1];
	uint64_t undecided;
	bool failed;
	struct diagnosis *cause;
	bool symptom;
};

static struct exchange_key key_of(const struct question_exchange *e)
{
	return (struct exchange_key){ e->client, e->server, e->protocol,
		                      e->port };
}

static bool is_neighbour_protocol(enum protocol protocol)
{
	return protocol == PROTOCOL_ARP || protocol == PROTOCOL_NDP;
}

/* What is asked about, and the search for its address on the link */
static bool is_asked(const struct inquiry *q, const struct question_exchange *e)
{
	return !q->exact || e->exact || is_neighbour_protocol(e->protocol);
}

static void look_up(struct inquiry *q)
{
	const struct question *question = q->question;

	q->only_arp = true;
	for (size_t i = 0; i < question->n_exchanges; i++)
		q->exact |= question->exchanges[i].exact;
	for (size_t i = 0; i < question->n_exchanges; i++) {
		const struct question_exchange *e = &question->exchanges[i];
		struct exchange_key key = key_of(e);

		if (!is_asked(q, e))
			continue;
		hash_table_add(&q->index, hash_bytes(&key, sizeof(key)),
		               (uint32_t)i);
		q->only_arp &= is_neighbour_protocol(e->protocol);
	}
	for (size_t i = 0; i < question->n_exchanges; i++) {
		const struct question_exchange *e = &question->exchanges[i];

		if (!is_asked(q, e) ||
		    (is_neighbour_protocol(e->protocol) && !q->only_arp))
			continue;
		q->tried[e->protocol] += e->tried;
		q->worked[e->protocol] += e->worked;
		q->undecided += e->undecided;
	}
}

static bool concerns(const struct inquiry *q, const struct fact *fact)
{
	struct value client, server, port, protocol;
	struct exchange_key key = { 0 };
	size_t pos = 0;
	uint64_t hash;
	uint32_t i;

	if (!(FACT_KIND_BIT(fact->kind) & FACT_KINDS_EXCHANGE))
		return false;
	client = fact_get(fact, FIELD_CLIENT_IP);
	server = fact_get(fact, FIELD_SERVER_IP);
	port = fact_get(fact, FIELD_SERVER_PORT);
	protocol = fact_get(fact, FIELD_PROTO);
	if (client.state != VALUE_KNOWN || server.state != VALUE_KNOWN ||
	    protocol.state != VALUE_KNOWN)
		return false;
	key.client = client.ip;
	key.server = server.ip;
	key.protocol = (uint32_t)protocol.lo;
	if (port.state == VALUE_KNOWN)
		key.port = (uint32_t)port.lo;
	hash = hash_bytes(&key, sizeof(key));
	while ((i = hash_table_find(&q->index, hash, &pos)) !=
	       HASH_TABLE_NONE) {
		struct exchange_key other = key_of(&q->question->exchanges[i]);

		if (memcmp(&other, &key, sizeof(key)) == 0)
			return true;
	}
	return false;
}

static bool is_made_of(const struct diagnosis *d, const struct finding *f)
{
	return !d->explained_by && strcmp(d->rule, f->rule->id) == 0 &&
	       d->variant == f->ruling->name && d->place == f->place &&
	       d->direction == f->direction;
}

static struct diagnosis *find(struct diagnosis *list, size_t n,
                              const struct finding *f)
{
	for (size_t i = 0; i < n; i++)
		if (is_made_of(&list[i], f))
			return &list[i];
	return NULL;
}

/* Is @a, found just now, to be named rather than @b? */
static bool ranks_before(const struct diagnosis *a, const struct diagnosis *b)
{
	if (!b)
		return true;
	if (a->class != b->class)
		return a->class == RULE_CLASS_FAULT ||
		       (a->class == RULE_CLASS_GATE &&
		        b->class == RULE_CLASS_NOTE);
	return a < b; /* both are of one list, which is in order */
}

static void note_finding(struct inquiry *q, size_t finding)
{
	size_t root = finding_root(q->findings, finding);
	const struct finding *f = &q->findings->all[root];
	struct diagnosis *d = find(q->j->diagnoses, q->j->n_diagnoses, f);
	bool symptom = root != finding;

	if (!d)
		d = find(q->j->notes, q->j->n_notes, f);
	if (!d)
		return;
	d->asked = true;
	if (d == q->cause) {
		q->symptom &= symptom;
	} else if (ranks_before(d, q->cause)) {
		q->cause = d;
		q->symptom = symptom;
	}
}

static bool is_failure(const struct fact *fact)
{
	struct value outcome = fact_get(fact, FIELD_OUTCOME);

	return outcome.state == VALUE_KNOWN && outcome.lo != OUTCOME_WORKED &&
	       outcome.lo != OUTCOME_UNDECIDED;
}

/* Findings stand in the order of their facts. */
static void find_cause(struct inquiry *q)
{
	const struct facts *facts = q->incident->facts;
	size_t next = 0;

	for (size_t i = 0; i < facts_count(facts); i++) {
		const struct fact *fact = facts_get(facts, i);
		bool asked = concerns(q, fact), found = false;

		for (; next < q->findings->count &&
		       q->findings->all[next].fact == i;
		     next++) {
			found = true;
			if (asked)
				note_finding(q, next);
		}
		if (!asked || !is_failure(fact))
			continue;
		q->failed = true;
		if (!found) {
			size_t cause = root_causes_cause(q->roots, fact);

			if (cause != FINDING_NONE) {
				note_finding(q, cause);
				q->symptom = true;
			}
		}
	}
}

static void put_counts(const struct inquiry *q, struct strbuf *out)
{
	static const char *const nouns[] = {
		[PROTOCOL_ARP] = "ARP requests",
		[PROTOCOL_NDP] = "neighbour solicitations",
		[PROTOCOL_ICMP] = "pings",
		[PROTOCOL_TCP] = "connections",
		[PROTOCOL_UDP] = "UDP requests",
		[PROTOCOL_DNS] = "DNS queries",
		[PROTOCOL_DHCP] = "DHCP requests",
	};
	static const enum protocol order[] = {
		PROTOCOL_TCP,  PROTOCOL_DNS, PROTOCOL_UDP, PROTOCOL_ICMP,
		PROTOCOL_DHCP, PROTOCOL_ARP, PROTOCOL_NDP,
	};
	bool first = true;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		enum protocol p = order[i];

		if (q->tried[p] == 0)
			continue;
		strbuf_printf(out, "%s%" PRIu64 " of %" PRIu64 " %s",
		              first ? "" : ", ", q->worked[p], q->tried[p],
		              nouns[p]);
		first = false;
	}
	strbuf_puts(out, " worked");
	if (q->undecided)
		strbuf_printf(out, " (%" PRIu64 " undecided)", q->undecided);
}

static uint64_t total(const uint64_t n[PROTOCOL_DHCP + 1])
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= PROTOCOL_DHCP; i++)
		sum += n[i];
	return sum;
}

static const struct diagnosis *gate_of(const struct judgement *j)
{
	for (size_t i = 0; i < j->n_notes; i++)
		if (j->notes[i].class == RULE_CLASS_GATE)
			return &j->notes[i];
	return NULL;
}

static void put_reason(const struct inquiry *q, struct strbuf *out)
{
	uint64_t tried = total(q->tried), worked = total(q->worked);
	bool all_worked = worked + q->undecided >= tried;

	if (q->cause) {
		strbuf_puts(out, all_worked ? "; but " : ": ");
		if (q->symptom)
			strbuf_printf(out, "a symptom of %s: ", q->cause->rule);
		strbuf_puts(out, q->cause->statement);
	} else if (all_worked && tried > worked) {
		strbuf_puts(out, "; the captures do not show what became of "
		                 "the others");
	} else if (!all_worked && gate_of(q->j)) {
		strbuf_printf(out, ", and the captures cannot tell why: %s",
		              gate_of(q->j)->statement);
	} else if (!all_worked && q->failed) {
		strbuf_puts(out, ", and nothing here tells why");
	} else if (!all_worked) {
		strbuf_puts(out, "; too few failed to tell what is wrong");
	}
}

static void put_tried(const struct inquiry *q, struct strbuf *out)
{
	const struct question *question = q->question;
	char text[ADDR_TEXT_MAX];

	if (question->has_port && !q->exact)
		strbuf_printf(out,
		              "the guest tried nothing at port %u of %s; of "
		              "what it tried there, ",
		              question->port, addr_text(&question->ip, text));
	put_counts(q, out);
	put_reason(q, out);
}

static void put_frames(const uint64_t frames[2], struct strbuf *out)
{
	bool both = frames[CAPTURE_ROLE_HOST] && frames[CAPTURE_ROLE_VM];

	if (frames[CAPTURE_ROLE_HOST])
		strbuf_printf(out, "%" PRIu64 " frames of it at the host",
		              frames[CAPTURE_ROLE_HOST]);
	if (frames[CAPTURE_ROLE_VM])
		strbuf_printf(out, "%s%" PRIu64 "%s in the guest",
		              both ? " and " : "", frames[CAPTURE_ROLE_VM],
		              both ? "" : " frames of it");
}

static void put_untried(const struct inquiry *q, struct strbuf *out)
{
	const struct question *question = q->question;
	const uint64_t *frames =
		question->has_port ? question->port_frames : question->frames;
	const char *nothing = q->incident->n_captures == 1
	                              ? "the capture has nothing"
	                              : "neither capture has anything";
	char text[ADDR_TEXT_MAX];

	(void)addr_text(&question->ip, text);
	if (frames[0] + frames[1] > 0) {
		strbuf_printf(out,
		              "the captures do not show the guest begin "
		              "anything with %s, though there are ",
		              question->asked);
		put_frames(frames, out);
		return;
	}
	if (question->frames[0] + question->frames[1] == 0) {
		strbuf_printf(out, "%s to or from %s", nothing, text);
		return;
	}
	strbuf_printf(out, "%s of port %u of %s, though there are ", nothing,
	              question->port, text);
	put_frames(question->frames, out);
}

static struct about answer(struct inquiry *q)
{
	struct strbuf out = { 0 };
	struct about about = { .asked = q->question->asked };

	look_up(q);
	about.tried = total(q->tried);
	about.worked = total(q->worked);
	if (about.tried > 0) {
		find_cause(q);
		put_tried(q, &out);
	} else {
		put_untried(q, &out);
	}
	if (out.len && out.text[out.len - 1] != '.')
		strbuf_puts(&out, ".");
	about.answer = strbuf_steal(&out);
	about.rule = q->cause ? q->cause->rule : NULL;
	hash_table_free(&q->index);
	return about;
}

void about_answer(struct judgement *j, const struct incident *incident,
                  const struct findings *findings,
                  const struct root_causes *roots)
{
	j->about = xcalloc(incident->n_questions + 1, sizeof(*j->about));
	for (size_t i = 0; i < incident->n_questions; i++) {
		struct inquiry q = {
			.question = &incident->questions[i],
			.incident = incident,
			.findings = findings,
			.roots = roots,
			.j = j,
		};

		j->about[j->n_about++] = answer(&q);
	}
}
