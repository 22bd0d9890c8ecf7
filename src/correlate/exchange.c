/*
 * Exchanges: the tries of one client for one server and port, put together, cut
 * into runs, judged and written down as facts.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "correlate/conversation.h"
#include "correlate/pool.h"

#define S INT64_C(1000000000)

/* Between these shares of failures an exchange is intermittent. */
#define INTERMITTENT_MIN_PERCENT 10
#define INTERMITTENT_MAX_PERCENT 90

/* It fails, works and fails again so often. */
#define STRETCHES_MIN 3

/* Counts one more server port that this client tries; many are a scan. */
static uint32_t count_port(struct sorter *so, const struct flow_key *key)
{
	struct flow_key who = *key;
	uint64_t hash;
	size_t pos = 0;
	uint32_t i;

	who.server_port = 0;
	hash = hash_bytes(&who, sizeof(who));
	i = hash_table_find(&so->port_index, hash, &pos);
	if (i == HASH_TABLE_NONE) {
		i = so->n_ports++;
		so->ports[i] = 0;
		hash_table_add(&so->port_index, hash, i);
	}
	so->ports[i]++;
	return i;
}

static struct conversation *get_conversation(struct sorter *so,
                                             const struct flow_key *key)
{
	uint64_t hash = hash_bytes(key, sizeof(*key));
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&so->index, hash, &pos)) != HASH_TABLE_NONE)
		if (memcmp(&so->conversations[i].key, key, sizeof(*key)) == 0)
			return &so->conversations[i];
	if (so->n == so->capacity) {
		so->capacity = so->capacity ? 2 * so->capacity : 256;
		so->conversations =
			xreallocarray(so->conversations, so->capacity,
		                      sizeof(*so->conversations));
		so->ports = xreallocarray(so->ports, so->capacity,
		                          sizeof(*so->ports));
	}
	so->conversations[so->n] = (struct conversation){
		.key = *key,
		.newest = NO_CHAIN,
		.newest_scattered = NO_CHAIN,
		.ports = count_port(so, key),
	};
	hash_table_add(&so->index, hash, so->n);
	return &so->conversations[so->n++];
}

static struct fact *add_fact(const struct sorter *so,
                             const struct flow_key *key, enum try_role role)
{
	static const enum fact_kind kinds[] = {
		[PROTOCOL_ARP] = FACT_KIND_ARP,
		[PROTOCOL_NDP] = FACT_KIND_NDP,
		[PROTOCOL_ICMP] = FACT_KIND_ICMP,
		[PROTOCOL_TCP] = FACT_KIND_TCP,
		[PROTOCOL_UDP] = FACT_KIND_UDP,
		[PROTOCOL_DNS] = FACT_KIND_DNS,
		[PROTOCOL_DHCP] = FACT_KIND_DHCP,
	};
	struct scene *s = so->scene;
	struct fact *f = facts_add(s->incident->facts, kinds[key->protocol]);

	exchange_describe(s, so->visibility, key, role, f);
	ways_set_label(&so->ways, s, key, role, f);
	reach_describe(so->reach, key, f);
	return f;
}

static void set_times(struct fact *f, int64_t first_ns, int64_t last_ns)
{
	fact_set_number(f, FIELD_FIRST, first_ns);
	fact_set_number(f, FIELD_LAST, last_ns);
	fact_set_number(f, FIELD_SPAN, last_ns - first_ns);
}

static bool next_hop_alive(const struct scene *s, const struct in6_addr *ip)
{
	for (size_t i = 0; i < s->guest.n_gateways; i++)
		if (s->guest.gateways[i].answers &&
		    gateway_serves(&s->guest.gateways[i], ip))
			return true;
	return false;
}

static void write_run(const struct sorter *so, struct run *run, uint32_t ports)
{
	struct scene *s = so->scene;
	const struct sighting *ref = try_reference(s, run->chains[0]);
	const struct flow *flow = sighting_flow(s, ref);
	struct fact *f;

	run->location = run_majority(so->scene, so->visibility, run);
	f = add_fact(so, &run->key, run->role);
	f->n_failed = 1;
	fact_set_number(f, FIELD_TRIES, (int64_t)run->n_chains);
	fact_set_number(f, FIELD_ANSWERS,
	                run->outcome == OUTCOME_INTERMITTENT
	                        ? (int64_t)run->n_worked
	                        : 0);
	fact_set_enum(f, FIELD_OUTCOME, run->outcome);
	set_times(f, run->chains[0]->host_ns,
	          run->chains[run->n_chains - 1]->host_ns);
	if (!mac_is_zero(flow->client_mac))
		fact_set_mac(f, FIELD_CLIENT_MAC, flow->client_mac);
	if (!mac_is_zero(flow->server_mac))
		fact_set_mac(f, FIELD_SERVER_MAC, flow->server_mac);
	run_add_counts(s, run, f);
	run_add_location(s, run, f);
	run_add_refusal(s, so->visibility, run, f);
	run_add_refusal_ttl(s, run, f);
	fact_set_absent(f, FIELD_FORGOTTEN_BY);
	fact_set_bool(f, FIELD_STALLED, run->chains[0]->stall.stalled);
	fact_set_number(f, FIELD_CLIENT_PORTS_TRIED, ports);
	fact_set_bool(f, FIELD_NEXT_HOP_ALIVE,
	              next_hop_alive(s, &run->key.server));
	fact_set_bool(f, FIELD_GUEST_ALIVE,
	              visibility_alive(so->visibility,
	                               run->role == TRY_ROLE_FROM_GUEST
	                                       ? &run->key.client
	                                       : &run->key.server));
	run_add_neighbour(s, run, f);
	run_add_evidence(s, so->visibility, run, f);
	reach_describe_run(so->reach, s, run, f);
}

static void write_worked(const struct sorter *so, const struct conversation *cv)
{
	struct fact *f = add_fact(so, &cv->key, cv->role);

	fact_set_number(f, FIELD_TRIES, (int64_t)cv->n_worked);
	fact_set_number(f, FIELD_ANSWERS, (int64_t)cv->n_worked);
	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_WORKED);
	set_times(f, cv->first_ns, cv->last_ns);
}

static void write_undecided(const struct sorter *so,
                            const struct conversation *cv, uint64_t tries,
                            int64_t first_ns, int64_t last_ns)
{
	struct fact *f = add_fact(so, &cv->key, cv->role);

	fact_set_number(f, FIELD_TRIES, (int64_t)tries);
	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_UNDECIDED);
	set_times(f, first_ns, last_ns);
}

/* Nothing of it is known to have worked, and gaps of a capture hide why. */
static void write_hidden(const struct sorter *so, const struct conversation *cv)
{
	if (!cv->told && cv->n_worked == 0 && cv->n_hidden > 0 &&
	    cv->n_hidden + cv->n_failed >= RUN_QUORUM_TRIES)
		write_undecided(so, cv, cv->n_hidden, cv->hidden_first_ns,
		                cv->hidden_last_ns);
}

/* The run of the @n chains that end with @newest, oldest first */
static struct run make_run(const struct sorter *so,
                           const struct conversation *cv, uint32_t newest,
                           uint32_t n)
{
	struct run run = {
		.key = cv->key,
		.role = cv->role,
		.outcome = OUTCOME_FAILED,
		.n_chains = n,
		.n_worked = cv->n_worked,
		.n_undecided = cv->n_undecided,
	};

	run.chains = xcalloc(n, sizeof(struct chain *));
	for (uint32_t i = newest; i != NO_CHAIN; i = so->older[i])
		run.chains[--n] = &so->scene->chains[i];
	for (size_t i = 0; i < run.n_chains; i++)
		if (chain_is_refused(so->scene, so->visibility, run.chains[i]))
			run.outcome = OUTCOME_REFUSED;
	return run;
}

static void end_stretch(struct conversation *cv)
{
	if (cv->n_open == 0)
		return;
	cv->stretches = xreallocarray(cv->stretches, cv->n_stretches + 1,
	                              sizeof(*cv->stretches));
	cv->stretches[cv->n_stretches++] =
		(struct stretch){ cv->newest, cv->n_open };
	cv->newest = NO_CHAIN;
	cv->n_open = 0;
}

/* Puts the tries of @st before those kept aside. */
static void set_aside(struct sorter *so, struct conversation *cv,
                      const struct stretch *st)
{
	uint32_t oldest = st->newest;

	while (so->older[oldest] != NO_CHAIN)
		oldest = so->older[oldest];
	so->older[oldest] = cv->newest_scattered;
	cv->newest_scattered = st->newest;
	cv->n_scattered += st->n;
}

static bool is_chance(const struct sorter *so, const struct run *run)
{
	return run->outcome == OUTCOME_FAILED &&
	       chance_explains_run(&so->chance,
	                           (enum protocol)run->key.protocol, run->role,
	                           run->n_chains);
}

/* Single losses are kept aside: they count only if they are many. */
static void close_stretch(struct sorter *so, struct conversation *cv,
                          const struct stretch *st)
{
	struct run run = make_run(so, cv, st->newest, st->n);

	cv->by_chance |= is_chance(so, &run);
	if (run_has_quorum(so->scene, &run) && !is_chance(so, &run)) {
		write_run(so, &run, so->ports[cv->ports]);
		cv->told = true;
	} else {
		set_aside(so, cv, st);
	}
	free(run.chains);
}

/* Does it come and go?  Not if most of it is one failure that began and ended,
 * or a refusal, or connections that were opened. */
static bool comes_and_goes(const struct sorter *so,
                           const struct conversation *cv)
{
	uint64_t n_tries = cv->n_worked + cv->n_failed;

	if (cv->n_stretches < STRETCHES_MIN ||
	    cv->n_failed * 100 < n_tries * INTERMITTENT_MIN_PERCENT ||
	    cv->n_failed * 100 > n_tries * INTERMITTENT_MAX_PERCENT)
		return false;
	for (uint32_t i = 0; i < cv->n_stretches; i++) {
		if (cv->stretches[i].n * UINT64_C(2) >= cv->n_failed)
			return false;
		for (uint32_t j = cv->stretches[i].newest; j != NO_CHAIN;
		     j = so->older[j])
			if (so->scene->chains[j].stall.stalled ||
			    chain_is_refused(so->scene, so->visibility,
			                     &so->scene->chains[j]))
				return false;
	}
	return true;
}

static void close_scattered(struct sorter *so, struct conversation *cv)
{
	struct run run;

	cv->n_untold = cv->n_scattered;
	if (cv->n_worked == 0 || cv->n_scattered < RUN_QUORUM_TRIES ||
	    cv->n_scattered * 100 <
	            (cv->n_worked + cv->n_failed) * INTERMITTENT_MIN_PERCENT ||
	    chance_explains_share(&so->chance, (enum protocol)cv->key.protocol,
	                          cv->role, cv->n_worked + cv->n_failed,
	                          cv->n_scattered))
		return;
	run = make_run(so, cv, cv->newest_scattered, cv->n_scattered);
	run.outcome = OUTCOME_INTERMITTENT;
	write_run(so, &run, so->ports[cv->ports]);
	cv->n_untold = 0;
	free(run.chains);
}

/* A refusal is an answer; and who is asked by many may be scanned. */
static bool may_be_pooled(const struct sorter *so,
                          const struct conversation *cv)
{
	if (cv->role != TRY_ROLE_FROM_GUEST ||
	    cv->key.protocol == PROTOCOL_ARP || cv->told || cv->by_chance)
		return false;
	for (uint32_t i = cv->newest_scattered; i != NO_CHAIN; i = so->older[i])
		if (chain_is_refused(so->scene, so->visibility,
		                     &so->scene->chains[i]))
			return false;
	return true;
}

/* What is too little of each server may be enough of all together. */
static void close_pooled(struct sorter *so)
{
	struct pool pool = { 0 };

	for (uint32_t i = 0; i < so->n; i++) {
		const struct conversation *cv = &so->conversations[i];

		if (cv->role == TRY_ROLE_FROM_GUEST)
			pool_note(&pool, so->scene, &cv->key.server,
			          may_be_pooled(so, cv) ? cv->n_untold : 0,
			          cv->n_worked);
	}
	for (uint32_t i = 0; i < so->n; i++) {
		struct conversation *cv = &so->conversations[i];
		struct run run;

		if (cv->n_untold == 0 || !may_be_pooled(so, cv) ||
		    !pool_is_enough(&pool, so->scene, &cv->key.server))
			continue;
		run = make_run(so, cv, cv->newest_scattered, cv->n_scattered);
		if (run_majority(so->scene, so->visibility, &run).known) {
			write_run(so, &run, so->ports[cv->ports]);
			cv->n_untold = 0;
		} else {
			write_undecided(so, cv, run.n_chains,
			                run.chains[0]->host_ns,
			                run.chains[run.n_chains - 1]->host_ns);
		}
		cv->told = true;
		free(run.chains);
	}
	pool_free(&pool);
}

static void close_conversation(struct sorter *so, struct conversation *cv)
{
	bool partial;

	partial = comes_and_goes(so, cv);
	for (uint32_t i = 0; i < cv->n_stretches; i++)
		if (partial)
			set_aside(so, cv, &cv->stretches[i]);
		else
			close_stretch(so, cv, &cv->stretches[i]);
	close_scattered(so, cv);
	free(cv->stretches);
}

static void add_failure(struct sorter *so, struct conversation *cv,
                        uint32_t chain)
{
	so->older[chain] = cv->newest;
	cv->newest = chain;
	cv->n_open++;
	cv->n_failed++;
}

static void note_questions(const struct scene *s, const struct chain *c,
                           struct conversation *cv)
{
	struct asked asked = questions_of(s, c);

	cv->asked.by_address |= asked.by_address;
	cv->asked.exactly |= asked.exactly;
}

static void answer_questions(struct scene *s, const struct conversation *cv)
{
	const struct question_exchange e = {
		.protocol = cv->key.protocol,
		.client = cv->key.client,
		.server = cv->key.server,
		.port = cv->key.server_port,
		.tried = cv->n_worked + cv->n_failed + cv->n_undecided,
		.worked = cv->n_worked,
		.undecided = cv->n_undecided + cv->n_untold,
	};

	questions_note(s, cv->asked, &e);
}

static void sort_chain(struct sorter *so, uint32_t i)
{
	struct scene *s = so->scene;
	const struct chain *c = &s->chains[i];
	enum try_role role = try_role(s, c);
	struct conversation *cv;
	struct flow_key key;

	if (role == TRY_ROLE_STRANGER)
		return;
	/* What is asked of a guest that may be another machine tells nothing. */
	if (role == TRY_ROLE_TO_GUEST && s->guest.unsure &&
	    s->shared_packets == 0)
		return;
	key = sighting_flow(s, try_reference(s, c))->key;
	/* Only requests that somebody has to answer can fail. */
	if (key.protocol == PROTOCOL_NDP)
		return;
	key.client_port = 0;
	cv = get_conversation(so, &key);
	cv->role = role;
	if (s->incident->n_questions > 0)
		note_questions(s, c, cv);
	switch (try_state(so->visibility, s, c)) {
	case TRY_STATE_HIDDEN:
		if (cv->n_hidden++ == 0)
			cv->hidden_first_ns = c->host_ns;
		cv->hidden_last_ns = c->host_ns;
		cv->n_undecided++;
		break;
	case TRY_STATE_UNDECIDED:
		cv->n_undecided++;
		break;
	case TRY_STATE_WORKED:
		end_stretch(cv);
		if (cv->n_worked++ == 0)
			cv->first_ns = c->host_ns;
		cv->last_ns = c->host_ns;
		ways_note(&so->ways, s, &key, role, true, c->host_ns);
		break;
	case TRY_STATE_REFUSED:
		ways_note(&so->ways, s, &key, role, true, c->host_ns);
		add_failure(so, cv, i);
		break;
	case TRY_STATE_FAILED:
		ways_note(&so->ways, s, &key, role, false, c->host_ns);
		add_failure(so, cv, i);
		break;
	}
}

void exchanges_judge(struct scene *s)
{
	struct sorter so = {
		.scene = s,
		.visibility = visibility_new(s),
		.reach = reach_new(s),
		.older = xcalloc(s->n_chains, sizeof(uint32_t)),
	};

	for (size_t i = 0; i < s->n_chains; i++)
		sort_chain(&so, (uint32_t)i);
	for (uint32_t i = 0; i < so.n; i++)
		end_stretch(&so.conversations[i]);
	conversations_count_failures(&so);
	for (uint32_t i = 0; i < so.n; i++)
		close_conversation(&so, &so.conversations[i]);
	close_pooled(&so);
	for (uint32_t i = 0; i < so.n; i++) {
		write_hidden(&so, &so.conversations[i]);
		if (so.conversations[i].n_worked > 0)
			write_worked(&so, &so.conversations[i]);
		answer_questions(s, &so.conversations[i]);
	}
	conversations_count_checked(&so);
	visibility_free(so.visibility);
	reach_free(so.reach);
	free(so.conversations);
	free(so.older);
	hash_table_free(&so.index);
	free(so.ports);
	hash_table_free(&so.port_index);
	ways_free(&so.ways);
}
