/*
 * The second reading: a merge in time that pairs every packet of the guest in
 * its own capture with the same packet at the host.  Only packets of the last
 * second are kept, so memory does not grow with the captures.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/scene.h"
#include "track/tracker.h"

#define WINDOW_NS INT64_C(1000000000)

/* So long before one capture begins a packet may have left that it has */
#define TRAVEL_NS INT64_C(500000000)

/* One packet that waits for its twin, or stays a while to catch copies of it */
struct waiting {
	uint64_t key;
	int64_t host_ns;
	enum path_direction direction;
	uint64_t points; /* bit by point: where it was seen */
	uint64_t packet_id;
	bool at_guest;
	bool at_host;
	bool may_stay; /* it need not pass all points */
};

struct reader {
	struct capture *capture;
	uint32_t index;
	bool at_end;
	int64_t host_ns;
	struct packet packet;
	struct packet inner; /* what it carries: the next one */
	bool has_inner;
	const struct observation *point;
};

struct merge {
	struct scene *scene;
	struct reader *readers;
	struct waiting *queue; /* ring, in order of time */
	size_t head;           /* number of the oldest entry */
	size_t tail;
	size_t capacity; /* power of two */
	struct hash_table index;
	struct hash_table flows; /* of the guest, behind NAT */
	int64_t from_ns;         /* what both files cover */
	int64_t to_ns;
	int64_t margin_ns; /* neither end is known better */
};

static struct waiting *entry(struct merge *m, size_t i)
{
	return &m->queue[i & (m->capacity - 1)];
}

/* The next packet, be it inside the last one; false at the end */
static bool next_packet(const struct scene *s, struct reader *r)
{
	struct frame frame;

	if (r->has_inner) {
		r->packet = r->inner;
		r->has_inner = false;
		return true;
	}
	while (capture_next(r->capture, &frame) == CAPTURE_FRAME) {
		const struct capture_interface *ci =
			capture_interface(r->capture, frame.interface);

		if (!ci->supported)
			continue;
		frame.ts_ns =
			scene_read_ns(s, r->index, frame.number, frame.ts_ns);
		packet_decode(&frame, ci->linktype, &r->packet);
		r->has_inner =
			scene_open_tunnel(s, r->index, &r->packet, &r->inner);
		return true;
	}
	return false;
}

static void advance(struct merge *m, struct reader *r)
{
	while (next_packet(m->scene, r)) {
		r->point = scene_point_of(m->scene, r->index, &r->packet);
		if (!r->point)
			continue;
		r->host_ns = scene_host_ns(m->scene, r->point, r->packet.ts_ns);
		return;
	}
	r->at_end = true;
}

static uint64_t flow_hash(const struct flow_key *key)
{
	return hash_bytes(key, sizeof(*key));
}

static bool is_guest_flow(const struct merge *m, const struct packet *p,
                          enum protocol protocol, bool reverse)
{
	struct flow_key key = flow_key_of(p, protocol, reverse);
	size_t pos = 0;

	if (protocol == PROTOCOL_ICMP) {
		key.client_port = p->icmp.id;
		key.server_port = 0;
	}
	return hash_table_find(&m->flows, flow_hash(&key), &pos) !=
	       HASH_TABLE_NONE;
}

static enum protocol protocol_of(const struct packet *p)
{
	if (p->kind == PACKET_KIND_TCP)
		return PROTOCOL_TCP;
	if (p->kind == PACKET_KIND_UDP)
		return p->dns.valid ? PROTOCOL_DNS : PROTOCOL_UDP;
	return PROTOCOL_ICMP;
}

/* Is it the guest's?  Sets the direction. */
static bool is_guests(const struct merge *m, const struct reader *r,
                      enum path_direction *direction)
{
	const struct scene *s = m->scene;
	const struct packet *p = &r->packet;
	bool from = p->has_eth_src && scene_is_guest_mac(s, p->eth_src);
	bool to = p->has_eth_dst && scene_is_guest_mac(s, p->eth_dst);

	if (!from && !to && p->ip_version != 0) {
		from = scene_is_guest_ip(s, &p->src);
		to = scene_is_guest_ip(s, &p->dst);
	}
	if (!from && !to && r->point->translated && p->ip_version != 0) {
		from = is_guest_flow(m, p, protocol_of(p), false);
		to = !from && is_guest_flow(m, p, protocol_of(p), true);
	}
	*direction = from ? PATH_DIRECTION_FROM_GUEST : PATH_DIRECTION_TO_GUEST;
	return from || to;
}

/* Only what has to pass the host's points can be lost before them: 1, 0, or -1
 * if that is not known. */
static int has_to_cross(const struct merge *m, const struct packet *p,
                        enum path_direction direction)
{
	const struct scene *s = m->scene;
	bool hop = s->n_path > 0 && s->points[s->path[0]].hop;
	const struct in6_addr *peer =
		direction == PATH_DIRECTION_FROM_GUEST ? &p->dst : &p->src;

	if (s->n_path == 0)
		return 0;
	if (!hop)
		return 1;
	if (p->ip_version == 0 || p->group || scene_is_gateway(s, peer) ||
	    scene_is_outside(s, peer))
		return 0;
	switch (scene_on_link(s, peer)) {
	case 0:
		return 1;
	case 1:
		return 0;
	default:
		return -1;
	}
}

/* Near the ends the other file need not have it. */
static bool is_lost(const struct merge *m, const struct waiting *w)
{
	return w->at_guest != w->at_host && !w->may_stay &&
	       w->host_ns >= m->from_ns + m->margin_ns &&
	       w->host_ns <= m->to_ns - m->margin_ns;
}

static void expire(struct merge *m, int64_t now_ns)
{
	struct incident *in = m->scene->incident;

	while (m->head < m->tail) {
		struct waiting *w = entry(m, m->head);

		if (w->host_ns + WINDOW_NS >= now_ns)
			return;
		if (is_lost(m, w) && w->at_guest &&
		    w->direction == PATH_DIRECTION_FROM_GUEST)
			in->from_guest.lost++;
		if (is_lost(m, w) && w->at_host &&
		    w->direction == PATH_DIRECTION_TO_GUEST)
			in->to_guest.lost++;
		hash_table_remove(&m->index, w->key,
		                  (uint32_t)(m->head & UINT32_MAX));
		m->head++;
	}
}

static void grow(struct merge *m)
{
	size_t capacity = m->capacity ? 2 * m->capacity : 1024;
	struct waiting *queue = xcalloc(capacity, sizeof(*queue));

	for (size_t i = m->head; i < m->tail; i++)
		queue[i & (capacity - 1)] = *entry(m, i);
	free(m->queue);
	m->queue = queue;
	m->capacity = capacity;
}

static void push(struct merge *m, const struct waiting *w)
{
	if (m->tail - m->head == m->capacity)
		grow(m);
	*entry(m, m->tail) = *w;
	hash_table_add(&m->index, w->key, (uint32_t)(m->tail & UINT32_MAX));
	m->tail++;
}

/* A packet of the guest: pair it, or let it wait.  Where one point shows the same
 * bytes twice these are two packets; at another point it is the same one. */
static void feed(struct merge *m, const struct reader *r, uint64_t key,
                 enum path_direction direction)
{
	struct incident *in = m->scene->incident;
	bool at_guest = r->point->role == CAPTURE_ROLE_VM;
	uint64_t point = UINT64_C(1) << (r->point - m->scene->points);
	struct waiting fresh = {
		.key = key,
		.host_ns = r->host_ns,
		.direction = direction,
		.points = point,
		.packet_id = r->packet.packet_id,
		.at_guest = at_guest,
		.at_host = !at_guest,
	};
	size_t pos = 0;
	int crosses;
	uint32_t i;

	while ((i = hash_table_find(&m->index, key, &pos)) != HASH_TABLE_NONE) {
		struct waiting *w = entry(m, i);

		if (w->points & point && w->packet_id != 0 &&
		    w->packet_id == r->packet.packet_id)
			return; /* its way through one machine */
		if (w->points & point)
			continue;
		w->points |= point;
		if (w->packet_id == 0)
			w->packet_id = r->packet.packet_id;
		if (at_guest ? w->at_guest : w->at_host)
			return;
		w->at_guest = true;
		w->at_host = true;
		if (direction == PATH_DIRECTION_FROM_GUEST)
			in->from_guest.both++;
		else
			in->to_guest.both++;
		return;
	}
	crosses = has_to_cross(m, &r->packet, direction);
	fresh.may_stay = crosses < 0;
	if (crosses != 0)
		push(m, &fresh);
}

static struct reader *earliest(struct merge *m)
{
	struct reader *best = NULL;

	for (size_t i = 0; i < m->scene->n_captures; i++) {
		struct reader *r = &m->readers[i];

		if (!r->at_end && (!best || r->host_ns < best->host_ns))
			best = r;
	}
	return best;
}

/* Behind NAT a flow is the guest's if one of its requests was paired. */
static void learn_flows(struct merge *m)
{
	const struct scene *s = m->scene;

	for (size_t i = 0; i < s->n_chains; i++) {
		const struct chain *c = &s->chains[i];

		for (uint32_t j = 0; c->n > 1 && j < c->n; j++) {
			const struct sighting *at = &s->sightings[c->first + j];
			const struct flow_table *t =
				&s->points[at->point].track.flows;
			uint64_t hash;
			size_t pos = 0;

			if (!s->points[at->point].translated)
				continue;
			hash = flow_hash(&t->flows[t->tries[at->try].flow].key);
			if (hash_table_find(&m->flows, hash, &pos) ==
			    HASH_TABLE_NONE)
				hash_table_add(&m->flows, hash, 0);
		}
	}
}

static void common_window(struct merge *m)
{
	const struct scene *s = m->scene;

	m->margin_ns = s->clock_error_ns;
	m->from_ns = INT64_MIN;
	m->to_ns = INT64_MAX;
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct incident_capture *c =
			&s->incident->captures[o->capture];
		int64_t first = scene_host_ns(s, o, c->first_ns);
		int64_t last = scene_host_ns(s, o, c->last_ns);

		if (first > m->from_ns)
			m->from_ns = first;
		if (last < m->to_ns)
			m->to_ns = last;
	}
}

/* It lies in what both files cover, by at least @margin_ns */
static bool is_covered(const struct merge *m, const struct reader *r,
                       int64_t margin_ns)
{
	return r->host_ns >= m->from_ns + margin_ns &&
	       r->host_ns <= m->to_ns - margin_ns;
}

static void note(struct merge *m, const struct reader *r)
{
	struct scene *s = m->scene;
	uint32_t point = (uint32_t)(r->point - s->points);
	uint64_t key = packet_key(&r->packet);
	bool covered = is_covered(m, r, 0);
	enum path_direction direction;

	if (covered)
		announce_note(s, point, &r->packet, r->host_ns);
	if (key == 0 || !is_covered(m, r, -m->margin_ns - TRAVEL_NS))
		return;
	if (covered)
		outage_note(s, point, &r->packet, r->host_ns);
	if (is_guests(m, r, &direction)) {
		if (covered)
			doubles_note(s, point, &r->packet, key, direction,
			             r->host_ns);
		feed(m, r, key, direction);
	} else if (covered && r->point->role == CAPTURE_ROLE_HOST &&
	           !r->has_inner) {
		s->incident->host_others++;
	}
}

static void run(struct merge *m)
{
	struct reader *r;

	while ((r = earliest(m)) != NULL) {
		expire(m, r->host_ns);
		note(m, r);
		advance(m, r);
	}
	expire(m, INT64_MAX);
}

void matching_run(struct scene *s)
{
	struct merge m = { .scene = s };

	if (!s->aligned)
		return;
	m.readers = xcalloc(s->n_captures, sizeof(*m.readers));
	learn_flows(&m);
	common_window(&m);
	for (uint32_t i = 0; i < s->n_captures; i++) {
		m.readers[i].capture = s->captures[i];
		m.readers[i].index = i;
		capture_rewind(s->captures[i]);
		advance(&m, &m.readers[i]);
	}
	run(&m);
	s->outages_known = true;
	free(m.readers);
	free(m.queue);
	hash_table_free(&m.index);
	hash_table_free(&m.flows);
}
