#include "track/service.h"

#include <ndpi/ndpi_api.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"

/* Of each service: so many flows of its own and of others with its port, so many
 * packets with payload of each. */
#define FLOWS_MAX 4
#define PACKETS_MAX 8

/* A client's, of which nothing is guessed */
#define ANY_PORT 61000

#define PAYLOAD_MAX 1460
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define UDP_HEADER 8

/**
 * struct service_key - One flow; zeroed before it is set, for it is hashed
 */
struct service_key {
	struct in6_addr client;
	struct in6_addr server;
	uint16_t client_port;
	uint16_t server_port;
	uint32_t ip_proto;
};

/**
 * struct service_flow - One flow that is looked at
 * @query:	index of the service that it tells of
 * @own:	it is that server's, not only to the same port
 * @state:	nDPI's
 */
struct service_flow {
	struct service_key key;
	size_t query;
	bool own;
	bool done;
	uint8_t n_packets;
	struct ndpi_flow_struct *state;
};

/** struct service_progress - How far a query is */
struct service_progress {
	uint8_t n_own;
	uint8_t n_others;
	bool named_by_own;
};

struct service_namer {
	struct ndpi_detection_module_struct *ndpi;
	struct service_query *queries;
	struct service_progress *progress;
	size_t n_queries;
	size_t n_named;
	struct service_flow *flows;
	size_t n_flows;
	struct hash_table index;
	bool wanted[UINT16_MAX + 1]; /* ports */
};

static struct ndpi_detection_module_struct *start_ndpi(void)
{
	struct ndpi_detection_module_struct *ndpi = ndpi_init_detection_module(
		ndpi_dont_load_tor_hosts | ndpi_dont_init_libgcrypt);
	NDPI_PROTOCOL_BITMASK all;

	if (!ndpi)
		return NULL;
	NDPI_BITMASK_SET_ALL(all);
	ndpi_set_protocol_detection_bitmask2(ndpi, &all);
	ndpi_finalize_initialization(ndpi);
	return ndpi;
}

struct service_namer *service_namer_new(struct service_query *queries, size_t n)
{
	struct ndpi_detection_module_struct *ndpi = start_ndpi();
	struct service_namer *namer;

	if (!ndpi)
		return NULL;
	namer = xcalloc(1, sizeof(*namer));
	namer->ndpi = ndpi;
	namer->queries = queries;
	namer->progress = xcalloc(n + 1, sizeof(*namer->progress));
	namer->n_queries = n;
	for (size_t i = 0; i < n; i++)
		namer->wanted[queries[i].port] = true;
	return namer;
}

static void put_be16(uint8_t *p, uint16_t n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
}

static void put_be32(uint8_t *p, uint32_t n)
{
	put_be16(p, (uint16_t)(n >> 16));
	put_be16(p + 2, (uint16_t)n);
}

static size_t put_ip(uint8_t *out, const struct packet *p, size_t n)
{
	if (p->ip_version == 4) {
		out[0] = 0x45;
		put_be16(out + 2, (uint16_t)(IPV4_HEADER + n));
		out[8] = p->ttl;
		out[9] = p->ip_proto;
		put_be32(out + 12, addr_v4(&p->src));
		put_be32(out + 16, addr_v4(&p->dst));
		return IPV4_HEADER;
	}
	out[0] = 0x60;
	put_be16(out + 4, (uint16_t)n);
	out[6] = p->ip_proto;
	out[7] = p->ttl;
	memcpy(out + 8, &p->src, sizeof(p->src));
	memcpy(out + 24, &p->dst, sizeof(p->dst));
	return IPV6_HEADER;
}

static void put_transport(uint8_t *out, const struct packet *p, size_t payload)
{
	put_be16(out, p->src_port);
	put_be16(out + 2, p->dst_port);
	if (p->kind == PACKET_KIND_UDP) {
		put_be16(out + 4, (uint16_t)(UDP_HEADER + payload));
		return;
	}
	put_be32(out + 4, p->tcp.seq);
	put_be32(out + 8, p->tcp.ack);
	out[12] = TCP_HEADER / 4 << 4;
	out[13] = p->tcp.flags;
	put_be16(out + 14, p->tcp.window);
}

/*
 * A packet as nDPI wants it, made anew from what was decoded: no options, no
 * fragments, all lengths true.
 */
static size_t rebuild(uint8_t *out, const struct packet *p)
{
	size_t payload =
		p->payload.left < PAYLOAD_MAX ? p->payload.left : PAYLOAD_MAX;
	size_t header = p->kind == PACKET_KIND_TCP ? TCP_HEADER : UDP_HEADER;
	size_t at = put_ip(out, p, header + payload);

	put_transport(out + at, p, payload);
	memcpy(out + at + header, p->payload.next, payload);
	return at + header + payload;
}

static const char *known_name(const struct service_namer *namer,
                              ndpi_protocol protocol)
{
	uint16_t id = protocol.master_protocol != NDPI_PROTOCOL_UNKNOWN
	                      ? protocol.master_protocol
	                      : protocol.app_protocol;

	return id == NDPI_PROTOCOL_UNKNOWN
	               ? NULL
	               : ndpi_get_proto_name(namer->ndpi, id);
}

static void set_name(struct service_query *q, const char *name)
{
	size_t n = strnlen(name, sizeof(q->name) - 1);

	memcpy(q->name, name, n);
	q->name[n] = '\0';
}

/* A flow of the server's own outweighs those of others. */
static void note_name(struct service_namer *namer, const struct service_flow *f,
                      ndpi_protocol protocol)
{
	struct service_query *q = &namer->queries[f->query];
	struct service_progress *progress = &namer->progress[f->query];
	const char *name = known_name(namer, protocol);

	if (!name || f->state->confidence != NDPI_CONFIDENCE_DPI ||
	    progress->named_by_own || (q->by_content && !f->own))
		return;
	set_name(q, name);
	q->by_content = true;
	progress->named_by_own = f->own;
	namer->n_named += f->own;
}

static void look(struct service_namer *namer, struct service_flow *f,
                 const struct packet *p)
{
	uint8_t packet[IPV6_HEADER + TCP_HEADER + PAYLOAD_MAX] = { 0 };
	size_t n = rebuild(packet, p);
	ndpi_protocol protocol = ndpi_detection_process_packet(
		namer->ndpi, f->state, packet, (unsigned short)n,
		(uint64_t)p->ts_ns / 1000000);
	uint8_t guessed;

	f->n_packets++;
	f->done = f->n_packets == PACKETS_MAX || known_name(namer, protocol);
	if (f->n_packets == PACKETS_MAX && !known_name(namer, protocol))
		protocol = ndpi_detection_giveup(namer->ndpi, f->state, 0,
		                                 &guessed);
	if (f->done)
		note_name(namer, f, protocol);
}

static uint64_t hash_of(const struct service_key *key)
{
	return hash_bytes(key, sizeof(*key));
}

static struct service_flow *find_flow(const struct service_namer *namer,
                                      const struct service_key *key)
{
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&namer->index, hash_of(key), &pos)) !=
	       HASH_TABLE_NONE)
		if (memcmp(&namer->flows[i].key, key, sizeof(*key)) == 0)
			return &namer->flows[i];
	return NULL;
}

/* The service that a new flow can tell of: its own, or one with its port */
static size_t query_for(const struct service_namer *namer,
                        const struct service_key *key, bool *own)
{
	size_t other = SIZE_MAX;

	for (size_t i = 0; i < namer->n_queries; i++) {
		const struct service_query *q = &namer->queries[i];

		if (q->port != key->server_port || q->ip_proto != key->ip_proto)
			continue;
		*own = addr_equal(&q->server, &key->server);
		if (*own)
			return namer->progress[i].n_own < FLOWS_MAX ? i
			                                            : SIZE_MAX;
		if (other == SIZE_MAX &&
		    namer->progress[i].n_others < FLOWS_MAX)
			other = i;
	}
	*own = false;
	return other;
}

static struct service_flow *add_flow(struct service_namer *namer,
                                     const struct service_key *key)
{
	bool own;
	size_t query = query_for(namer, key, &own);
	struct service_flow *f;

	if (query == SIZE_MAX)
		return NULL;
	if (own)
		namer->progress[query].n_own++;
	else
		namer->progress[query].n_others++;
	namer->flows = xreallocarray(namer->flows, namer->n_flows + 1,
	                             sizeof(*namer->flows));
	f = &namer->flows[namer->n_flows];
	*f = (struct service_flow){
		.key = *key,
		.query = query,
		.own = own,
		.state = xcalloc(1, sizeof(*f->state)),
	};
	hash_table_add(&namer->index, hash_of(key), (uint32_t)namer->n_flows++);
	return f;
}

static struct service_key key_of(const struct packet *p, bool from_client)
{
	struct service_key key = { .ip_proto = p->ip_proto };

	key.client = from_client ? p->src : p->dst;
	key.server = from_client ? p->dst : p->src;
	key.client_port = from_client ? p->src_port : p->dst_port;
	key.server_port = from_client ? p->dst_port : p->src_port;
	return key;
}

bool service_namer_packet(struct service_namer *namer, const struct packet *p)
{
	struct service_key to, from;
	struct service_flow *f;

	if ((p->kind != PACKET_KIND_TCP && p->kind != PACKET_KIND_UDP) ||
	    p->status != PACKET_STATUS_OK || p->payload.left == 0 ||
	    (!namer->wanted[p->src_port] && !namer->wanted[p->dst_port]))
		return true;
	to = key_of(p, true);
	from = key_of(p, false);
	f = find_flow(namer, &to);
	if (!f)
		f = find_flow(namer, &from);
	if (!f)
		f = add_flow(namer, namer->wanted[p->dst_port] ? &to : &from);
	if (f && !f->done)
		look(namer, f, p);
	return namer->n_named < namer->n_queries;
}

static void name_by_port(const struct service_namer *namer,
                         struct service_query *q)
{
	const char *name = known_name(
		namer,
		ndpi_guess_undetected_protocol(namer->ndpi, NULL, q->ip_proto,
	                                       0, ANY_PORT, 0, q->port));

	if (name)
		set_name(q, name);
}

/* What was found out of one server's port holds for the others, too. */
static void borrow_name(const struct service_namer *namer,
                        struct service_query *q)
{
	for (size_t i = 0; i < namer->n_queries; i++) {
		const struct service_query *other = &namer->queries[i];

		if (!other->by_content || other->port != q->port ||
		    other->ip_proto != q->ip_proto)
			continue;
		set_name(q, other->name);
		q->by_content = true;
		return;
	}
	name_by_port(namer, q);
}

void service_namer_finish(struct service_namer *namer)
{
	if (!namer)
		return;
	for (size_t i = 0; i < namer->n_flows; i++) {
		struct service_flow *f = &namer->flows[i];
		uint8_t guessed;

		if (!f->done)
			note_name(namer, f,
			          ndpi_detection_giveup(namer->ndpi, f->state,
			                                0, &guessed));
	}
	for (size_t i = 0; i < namer->n_queries; i++)
		if (!namer->queries[i].by_content)
			borrow_name(namer, &namer->queries[i]);
	for (size_t i = 0; i < namer->n_flows; i++) {
		ndpi_free_flow_data(namer->flows[i].state);
		free(namer->flows[i].state);
	}
	ndpi_exit_detection_module(namer->ndpi);
	hash_table_free(&namer->index);
	free(namer->flows);
	free(namer->progress);
	free(namer);
}
