/*
 * Which port of the host stands for which of the guest.  At first that is not
 * known: connections that begin alike at about the same time tell it, and those
 * whose bytes are the same for certain.
 */
#include "correlate/relay.h"

/* One connection that only begins alike may be an accident; one with the same
 * bytes has two votes. */
#define VOTES_MIN 2

static void vote(struct relay *r, uint16_t host, uint16_t guest)
{
	for (size_t i = 0; i < r->n_ports; i++)
		if (r->ports[i].host == host && r->ports[i].guest == guest) {
			r->ports[i].votes++;
			return;
		}
	if (r->n_ports < RELAY_PORTS_MAX)
		r->ports[r->n_ports++] = (struct relay_port){ host, guest, 1 };
}

void relay_vote_ports(struct relay *r)
{
	for (size_t i = 0; i < r->guest.n; i++) {
		const struct call *g = &r->guest.items[i];
		struct call h = { .point = r->point, .try = g->twin };

		if (g->taken)
			vote(r, call_flow(r->scene, &h)->key.server_port,
			     call_flow(r->scene, g)->key.server_port);
	}
}

/* The one that most say of this port of the host, if they are enough */
static bool is_chosen(const struct relay *r, const struct relay_port *p)
{
	for (size_t i = 0; i < r->n_ports; i++)
		if (r->ports[i].host == p->host && r->ports[i].votes > p->votes)
			return false;
	return p->votes >= VOTES_MIN;
}

/* The guest's port that is meant, for both sides; 0: not known */
static uint64_t port_to(const struct relay *r, uint16_t port, bool at_guest)
{
	for (size_t i = 0; i < r->n_ports; i++)
		if (port == (at_guest ? r->ports[i].guest : r->ports[i].host) &&
		    is_chosen(r, &r->ports[i]))
			return hash_mix(1, r->ports[i].guest);
	return 0;
}

static void settle(struct relay *r, struct call_list *list, bool at_guest)
{
	for (size_t i = 0; i < list->n; i++) {
		struct call *c = &list->items[i];
		uint16_t port = call_flow(r->scene, c)->key.server_port;

		c->to = port_to(r, port, at_guest);
		c->taken = false;
	}
}

void relay_settle_ports(struct relay *r)
{
	settle(r, &r->guest, true);
	settle(r, &r->host, false);
}
