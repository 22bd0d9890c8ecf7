/*
 * What the user complains about, looked up in the captures.
 */
#include "base/xalloc.h"
#include "correlate/run.h"

static uint64_t bit(size_t i)
{
	return UINT64_C(1) << i;
}

static bool concerns(const struct question *q, const struct flow_key *key)
{
	return addr_equal(&q->ip, &key->server) ||
	       addr_equal(&q->ip, &key->client);
}

/* A port is a server's: nobody complains about one of a client. */
static bool concerns_port(const struct question *q, const struct flow_key *key)
{
	return !q->has_port || (addr_equal(&q->ip, &key->server) &&
	                        key->server_port == q->port);
}

struct asked questions_of(const struct scene *s, const struct chain *c)
{
	const struct incident *in = s->incident;
	struct asked asked = { 0 };

	for (uint32_t i = 0; i < c->n; i++) {
		const struct flow_key *key =
			&sighting_flow(s, &s->sightings[c->first + i])->key;

		for (size_t j = 0; j < in->n_questions; j++) {
			const struct question *q = &in->questions[j];

			if (!concerns(q, key))
				continue;
			asked.by_address |= bit(j);
			if (concerns_port(q, key))
				asked.exactly |= bit(j);
		}
	}
	return asked;
}

static bool is_power_of_two_or_zero(size_t n)
{
	return (n & (n - 1)) == 0;
}

static void add(struct question *q, const struct question_exchange *e)
{
	size_t n = q->n_exchanges;

	if (is_power_of_two_or_zero(n))
		q->exchanges = xreallocarray(q->exchanges, n ? 2 * n : 1,
		                             sizeof(*q->exchanges));
	q->exchanges[q->n_exchanges++] = *e;
}

void questions_note(struct scene *s, struct asked asked,
                    const struct question_exchange *e)
{
	for (size_t i = 0; asked.by_address && i < s->incident->n_questions;
	     i++) {
		struct question_exchange one = *e;

		if (!(asked.by_address & bit(i)))
			continue;
		one.exact = asked.exactly & bit(i);
		add(&s->incident->questions[i], &one);
	}
}

static bool is_of(const struct question *q, const struct packet *p)
{
	if (p->kind == PACKET_KIND_ARP)
		return addr_equal(&q->ip, &p->arp.sender_ip) ||
		       addr_equal(&q->ip, &p->arp.target_ip);
	return p->ip_version != 0 &&
	       (addr_equal(&q->ip, &p->src) || addr_equal(&q->ip, &p->dst));
}

static bool is_of_port(const struct question *q, const struct packet *p)
{
	if (p->kind != PACKET_KIND_TCP && p->kind != PACKET_KIND_UDP)
		return false;
	return (addr_equal(&q->ip, &p->src) && p->src_port == q->port) ||
	       (addr_equal(&q->ip, &p->dst) && p->dst_port == q->port);
}

static void count_packet(struct incident *in, enum capture_role role,
                         const struct packet *p)
{
	for (size_t i = 0; i < in->n_questions; i++) {
		struct question *q = &in->questions[i];

		if (q->n_exchanges > 0 || !is_of(q, p))
			continue;
		q->frames[role]++;
		q->port_frames[role] += q->has_port && is_of_port(q, p);
	}
}

static void count_in(struct scene *s, size_t capture)
{
	struct capture *c = s->captures[capture];
	struct frame frame;
	struct packet p, inner;

	capture_rewind(c);
	while (capture_next(c, &frame) == CAPTURE_FRAME) {
		const struct capture_interface *ci =
			capture_interface(c, frame.interface);

		if (!ci->supported)
			continue;
		packet_decode(&frame, ci->linktype, &p);
		count_packet(s->incident, s->roles[capture], &p);
		if (scene_open_tunnel(s, (uint32_t)capture, &p, &inner))
			count_packet(s->incident, s->roles[capture], &inner);
	}
}

void questions_count_frames(struct scene *s)
{
	const struct incident *in = s->incident;
	bool wanted = false;

	for (size_t i = 0; i < in->n_questions; i++)
		wanted |= in->questions[i].n_exchanges == 0;
	for (size_t i = 0; wanted && i < s->n_captures; i++)
		count_in(s, i);
}
