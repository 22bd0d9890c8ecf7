/*
 * UDP: DNS queries (RFC 1035) and DHCP (RFC 2131) as tries; of other UDP only who
 * speaks to whom, since silence means nothing there.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "track/tracker.h"

#define DNS_HINTS_MAX 65536
#define LEASES_MAX 4096
#define SEARCH_MAX 4096

#define UDP_TRIES_MAX 16

#define DHCP_OFFER 2
#define DHCP_ACK 5

static void note_hints(struct point *point, const struct packet *p)
{
	for (uint8_t i = 0; i < p->dns.n_answers; i++) {
		size_t n = point->n_dns_hints;

		if (n == DNS_HINTS_MAX) {
			point->full = true;
			return;
		}
		if ((n & (n - 1)) == 0)
			point->dns_hints =
				xreallocarray(point->dns_hints, n ? 2 * n : 1,
			                      sizeof(*point->dns_hints));
		point->dns_hints[point->n_dns_hints++] = (struct dns_hint){
			.ts_ns = p->ts_ns,
			.asker = p->dst,
			.address = p->dns.answers[i],
		};
	}
}

static void track_dns(struct point *point, const struct packet *p)
{
	struct flow_table *t = &point->flows;
	struct flow_key key = flow_key_of(p, PROTOCOL_DNS, p->dns.response);
	uint32_t flow, i;

	if (!p->dns.response) {
		if (p->dst_port != PORT_DNS)
			return;
		flow = flow_table_get(t, &key);
		if (flow == FLOW_NONE)
			return;
		i = flow_table_add_try(t, flow, p, p->dns.id);
		if (i != FLOW_NONE && p->dns.name_hash)
			t->tries[i].name =
				hash_mix(p->dns.name_hash, p->dns.type);
		flow_table_note_client(t, flow, p);
		return;
	}
	note_hints(point, p);
	flow = flow_table_find(t, &key);
	if (flow == FLOW_NONE)
		return;
	flow_table_note_server(t, flow, p);
	i = t->flows[flow].newest;
	for (int n = 0; i != FLOW_NONE && n < SEARCH_MAX; n++) {
		if (t->tries[i].id == p->dns.id) {
			flow_table_answer(t, i, p, TRY_ANSWERED);
			t->tries[i].rcode = p->dns.rcode;
		}
		i = t->tries[i].older;
	}
}

/* Without its type: a reply to somebody who has no address */
static bool is_offer(const struct dhcp_header *dhcp)
{
	if (dhcp->type != 0 || !dhcp->cut)
		return dhcp->type == DHCP_OFFER;
	return dhcp->reply && addr_is_zero(&dhcp->client_ip);
}

static void track_dhcp(struct point *point, const struct packet *p)
{
	const struct dhcp_header *dhcp = &p->dhcp;
	size_t n = point->n_leases;

	if (dhcp->type != DHCP_ACK && !is_offer(dhcp))
		return;
	if (addr_is_zero(&dhcp->your_ip))
		return;
	if (n == LEASES_MAX) {
		point->full = true;
		return;
	}
	if ((n & (n - 1)) == 0)
		point->leases = xreallocarray(point->leases, n ? 2 * n : 1,
		                              sizeof(*point->leases));
	point->leases[point->n_leases++] = (struct dhcp_lease){
		.ts_ns = p->ts_ns,
		.offered = is_offer(dhcp),
		.cut = dhcp->cut,
		.client_mac = dhcp->client_mac,
		.ip = dhcp->your_ip,
		.router = dhcp->router,
		.server = dhcp->server_id,
		.has_router = dhcp->has_router,
		.has_static_routes = dhcp->has_static_routes,
		.prefix_bits = dhcp->prefix_bits,
	};
}

static void track_other(struct point *point, const struct packet *p)
{
	struct flow_key as_client = flow_key_of(p, PROTOCOL_UDP, false);
	struct flow_key as_server = flow_key_of(p, PROTOCOL_UDP, true);
	uint32_t flow = flow_table_find(&point->flows, &as_server);

	if (flow != FLOW_NONE) {
		flow_table_note_server(&point->flows, flow, p);
		flow = point->flows.flows[flow].newest;
		if (flow != FLOW_NONE)
			flow_table_answer(&point->flows, flow, p, TRY_ANSWERED);
		return;
	}
	flow = flow_table_get(&point->flows, &as_client);
	if (flow == FLOW_NONE)
		return;
	/* Each packet may be a request; the first ones tell enough. */
	if (point->flows.flows[flow].n_tries < UDP_TRIES_MAX)
		flow_table_add_try(&point->flows, flow, p, p->ip_id);
	flow_table_note_client(&point->flows, flow, p);
}

void track_udp(struct point *point, const struct packet *p)
{
	if (p->dhcp.valid || (p->dhcp.known && p->dhcp.cut)) {
		track_dhcp(point, p);
		return;
	}
	if (p->group || !addr_is_unicast(&p->dst) || !addr_is_unicast(&p->src))
		return;
	if (p->dns.valid)
		track_dns(point, p);
	else
		track_other(point, p);
}
