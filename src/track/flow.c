#include "track/flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define FLOWS_MAX (4u << 20)
#define TRIES_MAX (4u << 20)

/* Copies of one frame reach an any-interface capture within this time; nothing
 * is sent again so soon. */
#define COPY_NS INT64_C(5000000)

/* A packet that goes round in circles comes back within this time. */
#define TURN_NS INT64_C(500000000)

static uint64_t hash_key(const struct flow_key *key)
{
	return hash_bytes(key, sizeof(*key));
}

bool flow_key_is_resolution(const struct flow_key *key)
{
	return key->protocol == PROTOCOL_ARP || key->protocol == PROTOCOL_NDP;
}

uint32_t flow_table_find(const struct flow_table *t, const struct flow_key *key)
{
	uint64_t hash = hash_key(key);
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&t->index, hash, &pos)) != HASH_TABLE_NONE)
		if (memcmp(&t->flows[i].key, key, sizeof(*key)) == 0)
			return i;
	return FLOW_NONE;
}

uint32_t flow_table_get(struct flow_table *t, const struct flow_key *key)
{
	uint32_t i = flow_table_find(t, key);

	if (i != FLOW_NONE)
		return i;
	if (t->n_flows == FLOWS_MAX) {
		t->full = true;
		return FLOW_NONE;
	}
	if (t->n_flows == t->flow_capacity) {
		t->flow_capacity = t->flow_capacity ? 2 * t->flow_capacity : 64;
		t->flows = xreallocarray(t->flows, t->flow_capacity,
		                         sizeof(*t->flows));
	}
	t->flows[t->n_flows] = (struct flow){
		.key = *key,
		.newest = FLOW_NONE,
	};
	hash_table_add(&t->index, hash_key(key), t->n_flows);
	return t->n_flows++;
}

static bool is_copy(struct flow_table *t, const struct flow *f,
                    const struct packet *p, uint64_t key)
{
	struct try *newest;
	int64_t gap_ns;
	bool turned;

	if (f->newest == FLOW_NONE)
		return false;
	newest = &t->tries[f->newest];
	gap_ns = p->ts_ns - newest->ts_ns;
	if (newest->key != key || gap_ns <= -COPY_NS)
		return false;
	turned = p->ttl < newest->last_ttl &&
	         gap_ns < TURN_NS * (newest->turns + 1);
	if (turned) {
		newest->last_ttl = p->ttl;
		newest->turns++; /* at most as often as the TTL allows */
	}
	if (!turned && gap_ns >= COPY_NS)
		return false;
	newest->dropped = p->dropped; /* where it was seen last */
	return true;
}

uint32_t flow_table_add_try(struct flow_table *t, uint32_t flow,
                            const struct packet *p, uint32_t id)
{
	struct flow *f = &t->flows[flow];
	uint64_t key = packet_key(p);

	if (is_copy(t, f, p, key))
		return FLOW_NONE;
	if (t->n_tries == TRIES_MAX) {
		t->full = true;
		return FLOW_NONE;
	}
	if (t->n_tries == t->try_capacity) {
		t->try_capacity = t->try_capacity ? 2 * t->try_capacity : 64;
		t->tries = xreallocarray(t->tries, t->try_capacity,
		                         sizeof(*t->tries));
	}
	t->tries[t->n_tries] = (struct try){
		.flow = flow,
		.older = f->newest,
		.key = key,
		.frame = p->frame,
		.ts_ns = p->ts_ns,
		.id = id,
		.ip_id = p->ip_id,
		.cut = p->more_fragments,
		.vlan = p->n_vlans > 0 ? p->vlans[0] : 0,
		.src_mac = p->eth_src,
		.dst_mac = p->eth_dst,
		.has_dst_mac = p->has_eth_dst,
		.unicast = !p->group && (p->has_eth_dst ||
		                         p->direction == FRAME_DIRECTION_IN),
		.ttl = p->ttl,
		.last_ttl = p->ttl,
		.dropped = p->dropped,
	};
	f->newest = t->n_tries;
	f->n_tries++;
	return t->n_tries++;
}

static void note_time(struct flow *f, const struct packet *p)
{
	if (f->sent + f->received == 0)
		f->first_ns = p->ts_ns;
	f->last_ns = p->ts_ns;
	f->vlan = p->n_vlans > 0 ? p->vlans[0] : 0;
}

void flow_table_note_client(struct flow_table *t, uint32_t flow,
                            const struct packet *p)
{
	struct flow *f = &t->flows[flow];

	note_time(f, p);
	f->sent++;
	f->sent_bytes += p->payload_len;
	f->client_last_ns = p->ts_ns;
	f->client_ttl = p->ttl;
	f->client_mac = p->eth_src;
	if (p->has_eth_dst)
		f->next_hop = p->eth_dst;
}

void flow_table_note_server(struct flow_table *t, uint32_t flow,
                            const struct packet *p)
{
	struct flow *f = &t->flows[flow];

	note_time(f, p);
	f->received++;
	f->received_bytes += p->payload_len;
	f->server_last_ns = p->ts_ns;
	f->server_ttl = p->ttl;
	f->server_mac = p->eth_src;
}

void flow_table_answer(struct flow_table *t, uint32_t i, const struct packet *p,
                       enum try_answer answer)
{
	struct try *try = &t->tries[i];
	struct flow *f = &t->flows[try->flow];

	try->answer_dropped = p->dropped;
	if (try->n_answers < UINT16_MAX)
		try->n_answers++;
	if (try->answer == TRY_ANSWERED ||
	    (try->answer == TRY_REFUSED && answer == TRY_REFUSED))
		return;
	if (try->answer == TRY_REFUSED)
		f->n_refused--;
	try->answer = answer;
	try->answer_ns = p->ts_ns;
	try->answer_frame = p->frame;
	try->answer_ttl = p->ttl;
	try->answer_mac = p->eth_src;
	if (answer == TRY_ANSWERED)
		f->n_answered++;
	else
		f->n_refused++;
}

void flow_table_free(struct flow_table *t)
{
	free(t->flows);
	free(t->tries);
	hash_table_free(&t->index);
}
