/*
 * From counted losses to facts: one for each gap and direction, or one for each
 * peer where only few of them lose anything.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/losses.h"
#include "correlate/run.h"

/* So much of one peer's traffic says something of the way to him. */
#define SEGMENTS_MIN 100
#define LOST_MIN 5

/* Losses below this, per mille, are of no account. */
#define RATE_MIN_PERMILLE 5
#define CLEAN_PERMILLE 1

/* If more lose, it is not about them, nor if all others lose by so much less
 * only. */
#define OWN_PEERS_MAX 4
#define OWN_TIMES 20

/** struct toll - What one peer loses */
struct toll {
	struct in6_addr peer;
	uint64_t segments;
	uint64_t lost;
	int64_t first_ns;
	int64_t last_ns;
	uint16_t peer_port;
	size_t n_samples;
	int64_t seqs[LOSS_SAMPLES];
	int64_t ids[LOSS_SAMPLES];
};

/**
 * struct bill - All of one direction that gets lost behind one point
 * @after, @before: points; @before is NO_POINT beyond the outermost
 */
struct bill {
	struct scene *scene;
	enum path_direction direction;
	enum place place;
	uint32_t after;
	uint32_t before;
	uint64_t segments;
	uint64_t lost;
	bool by_size;
	struct toll *tolls;
	size_t n;
	struct hash_table index;
};

static struct toll *toll_of(struct bill *b, const struct in6_addr *peer)
{
	uint64_t hash = hash_bytes(peer, sizeof(*peer));
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&b->index, hash, &pos)) != HASH_TABLE_NONE)
		if (addr_equal(&b->tolls[i].peer, peer))
			return &b->tolls[i];
	return NULL;
}

static struct toll *add_toll(struct bill *b, const struct in6_addr *peer)
{
	struct toll *t = toll_of(b, peer);

	if (t || b->n == LOSS_PEERS_MAX)
		return t;
	if (!b->tolls)
		b->tolls = xcalloc(LOSS_PEERS_MAX, sizeof(*b->tolls));
	hash_table_add(&b->index, hash_bytes(peer, sizeof(*peer)),
	               (uint32_t)b->n);
	b->tolls[b->n].peer = *peer;
	return &b->tolls[b->n++];
}

/** struct way - One direction of a flow of the guest, at one point */
struct way {
	const struct in6_addr *peer;
	uint16_t peer_port;
	const struct tcp_recovery *sent;
	int64_t first_ns;
	int64_t last_ns;
};

static bool is_guests(const struct scene *s, const struct in6_addr *ip)
{
	return scene_is_guest_ip(s, ip) || scene_is_outside(s, ip);
}

/* Those packets of @f that go in the direction of @b; false: not the guest's */
static bool way_of(const struct bill *b, const struct flow *f, struct way *out)
{
	bool from = b->direction == PATH_DIRECTION_FROM_GUEST;
	bool is_client = is_guests(b->scene, &f->key.client);

	if (f->key.protocol != PROTOCOL_TCP ||
	    (!is_client && !is_guests(b->scene, &f->key.server)))
		return false;
	*out = (struct way){
		.peer = is_client ? &f->key.server : &f->key.client,
		.peer_port =
			is_client ? f->key.server_port : f->key.client_port,
		.sent = is_client == from ? &f->client_data.recovery
		                          : &f->server_data.recovery,
		.first_ns = f->first_ns,
		.last_ns = f->last_ns,
	};
	return true;
}

static void count_segments(struct bill *b)
{
	const struct flow_table *t = &b->scene->points[b->after].track.flows;
	struct way way;
	struct toll *toll;

	for (uint32_t i = 0; b->n > 0 && i < t->n_flows; i++)
		if (way_of(b, &t->flows[i], &way) &&
		    (toll = toll_of(b, way.peer)))
			toll->segments += way.sent->segments;
}

/* The guest's address at @point, for talk with @peer */
static const struct in6_addr *own_at(const struct scene *s, uint32_t point,
                                     const struct in6_addr *peer)
{
	if (s->points[point].translated)
		return scene_outside_for(s, peer);
	for (size_t i = 0; i < s->guest.n_ips; i++)
		if (addr_is_v4(&s->guest.ips[i]) == addr_is_v4(peer) &&
		    !addr_is_link_local(&s->guest.ips[i]))
			return &s->guest.ips[i];
	return NULL;
}

/* TCP segments of one way, as @point shows them */
static struct claim *add_claim(const struct bill *b, const struct toll *t,
                               uint32_t point, int32_t *index)
{
	bool from = b->direction == PATH_DIRECTION_FROM_GUEST;
	struct claim *c = point_claim(b->scene, point, index);

	claim_add_ip(c, from ? CLAIM_IP_SRC : CLAIM_IP_DST,
	             own_at(b->scene, point, &t->peer));
	claim_add_ip(c, from ? CLAIM_IP_DST : CLAIM_IP_SRC, &t->peer);
	claim_add_number(c, from ? CLAIM_TCP_DST_PORT : CLAIM_TCP_SRC_PORT,
	                 t->peer_port);
	claim_add_flag(c, CLAIM_TCP_DATA);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	return c;
}

static void add_samples(const struct bill *b, const struct toll *t,
                        struct claim *c)
{
	claim_add_numbers(c, CLAIM_TCP_SEQ, t->seqs, t->n_samples);
	if (b->before != NO_POINT)
		claim_add_numbers(c, CLAIM_IP_ID, t->ids, t->n_samples);
	c->what = text_copy(b->before == NO_POINT
	                            ? "segments sent again (examples)"
	                            : "lost segments (examples)");
}

static void add_evidence(const struct bill *b, const struct toll *t,
                         struct fact *f)
{
	const struct scene *s = b->scene;
	struct evidence near = { .leg = EVIDENCE_OTHER,
		                 .at = s->points[b->after].role,
		                 .control = -1,
		                 .twin = -1,
		                 .total = t->n_samples };
	struct evidence far = { .leg = EVIDENCE_OTHER };

	if (t->n_samples == 0 || !own_at(s, b->after, &t->peer))
		return;
	add_samples(b, t, add_claim(b, t, b->after, &near.claim));
	fact_add_evidence(f, &near);
	if (b->before == NO_POINT || !own_at(s, b->before, &t->peer))
		return;
	far.at = s->points[b->before].role;
	far.twin = near.claim;
	add_samples(b, t, add_claim(b, t, b->before, &far.claim));
	add_claim(b, t, b->before, &far.control)->what =
		text_copy("other segments that way");
	fact_add_evidence(f, &far);
}

static void set_ends(const struct bill *b, const struct toll *only,
                     struct fact *f)
{
	const struct scene *s = b->scene;
	bool from = b->direction == PATH_DIRECTION_FROM_GUEST;
	enum field own = from ? FIELD_LOSS_SENDER_IP : FIELD_LOSS_RECEIVER_IP;
	enum field other = from ? FIELD_LOSS_RECEIVER_IP : FIELD_LOSS_SENDER_IP;

	if (only)
		fact_set_ip(f, other, &only->peer);
	else
		fact_set_absent(f, other);
	if (s->guest.n_ips > 0)
		fact_set_ip(f, own, &s->guest.ips[0]);
	fact_set_label(f, FIELD_LABEL_GUEST, &s->guest.macs[0],
	               sizeof(struct mac));
	fact_set_label(f, FIELD_LABEL_DIRECTION, &b->direction,
	               sizeof(b->direction));
}

static const struct toll *best_sample(const struct bill *b)
{
	const struct toll *best = &b->tolls[0];

	for (size_t i = 1; i < b->n; i++)
		if (b->tolls[i].n_samples > best->n_samples)
			best = &b->tolls[i];
	return best;
}

static void add_fact(const struct bill *b, const struct toll *only)
{
	struct scene *s = b->scene;
	struct fact *f = facts_add(s->incident->facts, FACT_KIND_LOSS);
	int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;

	for (size_t i = 0; i < b->n; i++) {
		const struct toll *t = &b->tolls[i];

		if (only && t != only)
			continue;
		first_ns = t->first_ns < first_ns ? t->first_ns : first_ns;
		last_ns = t->last_ns > last_ns ? t->last_ns : last_ns;
	}
	fact_set_number(f, FIELD_LOSS_SEGMENTS,
	                (int64_t)(only ? only->segments : b->segments));
	fact_set_number(f, FIELD_LOSS_LOST,
	                (int64_t)(only ? only->lost : b->lost));
	fact_set_number(f, FIELD_LOSS_PEERS, only ? 1 : (int64_t)b->n);
	fact_set_bool(f, FIELD_LOSS_BY_SIZE, b->by_size);
	fact_set_enum(f, FIELD_LOST_PLACE, b->place);
	fact_set_enum(f, FIELD_DIRECTION, b->direction);
	fact_set_number(f, FIELD_FIRST, first_ns);
	fact_set_number(f, FIELD_LAST, last_ns);
	fact_set_number(f, FIELD_SPAN, last_ns - first_ns);
	set_ends(b, only, f);
	f->after = scene_point_id(s, b->after);
	if (b->before != NO_POINT)
		f->before = scene_point_id(s, b->before);
	add_evidence(b, only ? only : best_sample(b), f);
}

static bool is_lossy(const struct toll *t)
{
	return t->segments >= SEGMENTS_MIN && t->lost >= LOST_MIN &&
	       t->lost * 1000 >= t->segments * RATE_MIN_PERMILLE;
}

/* Is it about few, while the traffic of all others passes? */
static bool is_about_few(const struct bill *b)
{
	struct toll few = { .segments = 0 }, rest;
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		if (!is_lossy(&b->tolls[i]))
			continue;
		n++;
		few.segments += b->tolls[i].segments;
		few.lost += b->tolls[i].lost;
	}
	if (n == 0 || n > OWN_PEERS_MAX || few.segments >= b->segments ||
	    few.lost > b->lost)
		return false;
	rest.segments = b->segments - few.segments;
	rest.lost = b->lost - few.lost;
	return rest.segments >= SEGMENTS_MIN &&
	       rest.lost * 1000 < rest.segments * CLEAN_PERMILLE &&
	       (double)rest.lost / (double)rest.segments * OWN_TIMES <
	               (double)few.lost / (double)few.segments;
}

/* Lost at random, it hits all that passes there alike. */
static void note_rate(const struct bill *b)
{
	const struct toll all = { .segments = b->segments, .lost = b->lost };

	if (is_lossy(&all) && !b->by_size)
		b->scene->loss_rate += (double)b->lost / (double)b->segments;
}

static void settle_bill(struct bill *b)
{
	bool few;

	if (b->lost > 0) {
		note_rate(b);
		count_segments(b);
		few = is_about_few(b);
		for (size_t i = 0; few && i < b->n; i++)
			if (is_lossy(&b->tolls[i]))
				add_fact(b, &b->tolls[i]);
		if (!few)
			add_fact(b, NULL);
	}
	free(b->tolls);
	hash_table_free(&b->index);
}

static void take_samples(struct toll *to, const struct peer_loss *from)
{
	to->peer_port = from->samples[0].peer_port;
	for (size_t i = 0; i < from->n_samples; i++) {
		const struct lost_segment *g = &from->samples[i];

		/* What was sent again has the same number and another id. */
		if (g->peer_port != to->peer_port || g->ip_id == 0)
			continue;
		to->seqs[to->n_samples] = g->seq;
		to->ids[to->n_samples++] = g->ip_id;
	}
}

static void bill_gap(struct scene *s, const struct losses *l,
                     enum path_direction direction, uint32_t after,
                     uint32_t before)
{
	const struct gap_loss *g = &l->gaps[before][direction];
	uint32_t inner = after < before ? after : before;
	uint32_t outer = after < before ? before : after;
	struct bill b = {
		.scene = s,
		.direction = direction,
		.after = scene_point_at_depth(s, after),
		.before = scene_point_at_depth(s, before),
		.place = path_place(s, 0, scene_point_at_depth(s, inner),
		                    scene_point_at_depth(s, outer)),
		.by_size = g->smallest_lost > g->largest_passed,
	};

	for (size_t i = 0; i < l->n_peers; i++) {
		const struct peer_loss *p = &l->peers[i];
		struct toll *t;

		if (p->direction != direction || p->after != after ||
		    p->before != before)
			continue;
		t = add_toll(&b, &p->peer);
		t->lost = p->lost;
		t->first_ns = p->first_ns;
		t->last_ns = p->last_ns;
		take_samples(t, p);
		b.lost += p->lost;
	}
	/* Peers that found no room in the table are lost from this one. */
	if (b.lost > 0 && l->n_peers == LOSS_PEERS_MAX)
		b.lost = g->lost;
	b.segments = g->passed + b.lost;
	settle_bill(&b);
}

/* Beyond the outermost point: what the guest sends again though it passed, and
 * what comes late because the first of it never came. */
static void bill_beyond(struct scene *s, enum path_direction direction)
{
	uint32_t point = s->path[s->n_path - 1];
	const struct observation *o = &s->points[point];
	struct bill b = { .scene = s,
		          .direction = direction,
		          .after = point,
		          .before = NO_POINT,
		          .place = PLACE_BEYOND_HOST };
	bool from = direction == PATH_DIRECTION_FROM_GUEST;

	for (uint32_t i = 0; i < o->track.flows.n_flows; i++) {
		const struct flow *f = &o->track.flows.flows[i];
		struct toll *t;
		struct way w;
		uint32_t lost;

		if (!way_of(&b, f, &w))
			continue;
		b.segments += w.sent->segments;
		lost = from ? w.sent->resent : w.sent->filled;
		b.lost += lost;
		if (lost == 0 || !(t = add_toll(&b, w.peer)))
			continue;
		if (t->lost == 0 || f->first_ns < t->first_ns)
			t->first_ns = scene_host_ns(s, o, f->first_ns);
		if (t->lost == 0 || f->last_ns > t->last_ns)
			t->last_ns = scene_host_ns(s, o, f->last_ns);
		t->lost += lost;
		if (t->n_samples > 0 && t->peer_port != w.peer_port)
			continue;
		t->peer_port = w.peer_port;
		if (t->n_samples < LOSS_SAMPLES)
			t->seqs[t->n_samples++] =
				from ? w.sent->again_seq : w.sent->filled_seq;
	}
	settle_bill(&b);
}

void losses_facts(struct scene *s, const struct losses *l)
{
	uint32_t n = s->n_path + 1 < LOSS_DEPTHS ? s->n_path + 1 : LOSS_DEPTHS;

	if (s->n_path == 0 || s->guest.n_macs == 0)
		return;
	for (uint32_t after = 0; after < n; after++)
		for (uint32_t before = 0; before < n; before++)
			if (after != before)
				bill_gap(s, l,
				         after < before
				                 ? PATH_DIRECTION_FROM_GUEST
				                 : PATH_DIRECTION_TO_GUEST,
				         after, before);
	/* A cooked capture without interfaces shows each packet twice. */
	if (s->points[s->path[s->n_path - 1]].linktype == LINKTYPE_LINUX_SLL)
		return;
	bill_beyond(s, PATH_DIRECTION_FROM_GUEST);
	bill_beyond(s, PATH_DIRECTION_TO_GUEST);
}
