/*
 * The requests of one point that a relay may have repeated, or repeats.
 */
#include "base/xalloc.h"
#include "correlate/relay.h"

const struct try *call_try(const struct scene *s, const struct call *c)
{
	return &s->points[c->point].track.flows.tries[c->try];
}

const struct flow *call_flow(const struct scene *s, const struct call *c)
{
	return &s->points[c->point].track.flows.flows[call_try(s, c)->flow];
}

/* What it asks, in words that survive; 0: no relay repeats it */
static uint64_t call_to(const struct flow *f, const struct try *try)
{
	uint64_t server = hash_bytes(&f->key.server, sizeof(f->key.server));
	uint64_t what = (uint64_t)f->key.protocol << 32;

	switch ((enum protocol)f->key.protocol) {
	case PROTOCOL_TCP:
		return f->has_syn ? hash_mix(server, what | f->key.server_port)
		                  : 0;
	case PROTOCOL_DNS:
		return try->name ? hash_mix(try->name, what) : 0;
	case PROTOCOL_ICMP:
		return hash_mix(server, what | try->id);
	case PROTOCOL_ARP:
	case PROTOCOL_NDP:
	case PROTOCOL_UDP:
	case PROTOCOL_DHCP:
		break;
	}
	return 0;
}

static bool is_long_enough(const struct stream_head *h)
{
	return h->known && h->n >= STREAM_HEAD_SHORT;
}

/* The bytes of both directions, or the number of the query */
static uint64_t call_same(const struct flow *f, const struct try *try,
                          uint64_t to)
{
	if (f->key.protocol == PROTOCOL_DNS)
		return hash_mix(to, try->id);
	if (f->key.protocol != PROTOCOL_TCP ||
	    !is_long_enough(&f->client_head) ||
	    !is_long_enough(&f->server_head))
		return 0;
	return hash_mix(hash_mix(to, f->client_head.all), f->server_head.all);
}

static void add_call(struct call_list *list, const struct call *call)
{
	if (list->n == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : 256;
		list->items = xreallocarray(list->items, list->capacity,
		                            sizeof(*list->items));
	}
	list->items[list->n++] = *call;
}

/* How both sides begin: that is within any snap length.  0: not known */
static uint64_t call_alike(const struct flow *f)
{
	if (!is_long_enough(&f->client_head) ||
	    !is_long_enough(&f->server_head))
		return 0;
	return hash_mix(f->client_head.first, f->server_head.first);
}

static bool is_candidate(const struct relay *r, const struct flow *f,
                         bool at_guest)
{
	const struct scene *s = r->scene;
	bool from = scene_is_guest_ip(s, &f->key.client);
	bool to = scene_is_guest_ip(s, &f->key.server);

	if (r->inbound && (f->key.protocol != PROTOCOL_TCP || !f->has_syn))
		return false;
	return !at_guest || (r->inbound ? to && !from : from && !to);
}

void relay_collect(const struct relay *r, uint32_t point,
                   struct call_list *list)
{
	const struct scene *s = r->scene;
	const struct observation *o = &s->points[point];
	const struct flow_table *t = &o->track.flows;
	bool at_guest = o->role == CAPTURE_ROLE_VM;

	for (uint32_t i = 0; i < t->n_tries; i++) {
		const struct try *try = &t->tries[i];
		const struct flow *f = &t->flows[try->flow];
		struct call call = {
			.to = r->inbound ? call_alike(f) : call_to(f, try),
			.ts_ns = try->ts_ns,
			.point = point,
			.try = i,
			.first = try->older == FLOW_NONE,
		};

		if ((call.to == 0 && !r->inbound) ||
		    !is_candidate(r, f, at_guest))
			continue;
		/* Who asks twice with one number is not told apart. */
		call.same = call.first ? call_same(f, try, call.to) : 0;
		add_call(list, &call);
	}
}
