/*
 * The late pass: claims tested against decoded packets, as tshark would select
 * them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/analyse.h"
#include "decode/packet.h"

static bool has_number(const struct claim_term *t, int64_t n)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->values[i].number == n)
			return true;
	return false;
}

static bool has_ip(const struct claim_term *t, const struct in6_addr *ip)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (addr_equal(&t->values[i].ip, ip))
			return true;
	return false;
}

static bool has_mac(const struct claim_term *t, struct mac mac)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (mac_equal(t->values[i].mac, mac))
			return true;
	return false;
}

/*
 * How a term is tested, field by field: the number, address or MAC that the
 * packet has for it; false if it has none.
 */
struct subject {
	int64_t number;
	struct in6_addr ip;
	struct mac mac;
};

typedef bool get_function(const struct packet *p, struct subject *out);

static bool get_interface(const struct packet *p, struct subject *out)
{
	out->number = p->interface;
	return true;
}

static bool get_ifindex(const struct packet *p, struct subject *out)
{
	out->number = p->ifindex;
	return p->ifindex >= 0;
}

static bool get_eth_src(const struct packet *p, struct subject *out)
{
	out->mac = p->eth_src;
	return p->has_eth_src;
}

static bool get_eth_dst(const struct packet *p, struct subject *out)
{
	out->mac = p->eth_dst;
	return p->has_eth_dst;
}

static bool get_group(const struct packet *p, struct subject *out)
{
	(void)out;
	return p->group;
}

static bool get_arp_op(const struct packet *p, struct subject *out)
{
	out->number = p->arp.op;
	return p->kind == PACKET_KIND_ARP;
}

static bool get_arp_src_mac(const struct packet *p, struct subject *out)
{
	out->mac = p->arp.sender_mac;
	return p->kind == PACKET_KIND_ARP;
}

static bool get_arp_src_ip(const struct packet *p, struct subject *out)
{
	out->ip = p->arp.sender_ip;
	return p->kind == PACKET_KIND_ARP;
}

static bool get_arp_dst_ip(const struct packet *p, struct subject *out)
{
	out->ip = p->arp.target_ip;
	return p->kind == PACKET_KIND_ARP;
}

static bool get_arp_dst_mac(const struct packet *p, struct subject *out)
{
	out->mac = p->arp.target_mac;
	return p->kind == PACKET_KIND_ARP;
}

static bool get_ip_src(const struct packet *p, struct subject *out)
{
	out->ip = p->src;
	return p->ip_version != 0;
}

static bool get_ip_dst(const struct packet *p, struct subject *out)
{
	out->ip = p->dst;
	return p->ip_version != 0;
}

static bool get_ip_proto(const struct packet *p, struct subject *out)
{
	out->number = p->ip_proto;
	return p->ip_version != 0 && p->kind != PACKET_KIND_IP;
}

static bool get_ip_id(const struct packet *p, struct subject *out)
{
	out->number = p->ip_id;
	return p->ip_version == 4;
}

static bool get_tcp_src_port(const struct packet *p, struct subject *out)
{
	out->number = p->src_port;
	return p->kind == PACKET_KIND_TCP;
}

static bool get_tcp_dst_port(const struct packet *p, struct subject *out)
{
	out->number = p->dst_port;
	return p->kind == PACKET_KIND_TCP;
}

static bool get_tcp_seq(const struct packet *p, struct subject *out)
{
	out->number = p->tcp.seq;
	return p->kind == PACKET_KIND_TCP;
}

static bool get_tcp_data(const struct packet *p, struct subject *out)
{
	(void)out;
	return p->kind == PACKET_KIND_TCP && p->payload_len > 0;
}

static bool get_tcp_syn(const struct packet *p, struct subject *out)
{
	out->number = (p->tcp.flags & TCP_FLAG_SYN) != 0;
	return p->kind == PACKET_KIND_TCP;
}

static bool get_tcp_ack(const struct packet *p, struct subject *out)
{
	out->number = (p->tcp.flags & TCP_FLAG_ACK) != 0;
	return p->kind == PACKET_KIND_TCP;
}

static bool get_tcp_rst(const struct packet *p, struct subject *out)
{
	out->number = (p->tcp.flags & TCP_FLAG_RST) != 0;
	return p->kind == PACKET_KIND_TCP;
}

static bool get_udp_src_port(const struct packet *p, struct subject *out)
{
	out->number = p->src_port;
	return p->kind == PACKET_KIND_UDP;
}

static bool get_udp_dst_port(const struct packet *p, struct subject *out)
{
	out->number = p->dst_port;
	return p->kind == PACKET_KIND_UDP;
}

static bool is_icmp(const struct packet *p)
{
	return p->kind == PACKET_KIND_ICMP || p->kind == PACKET_KIND_ICMPV6;
}

static bool get_icmp_type(const struct packet *p, struct subject *out)
{
	out->number = p->icmp.type;
	return is_icmp(p);
}

static bool get_icmp_code(const struct packet *p, struct subject *out)
{
	out->number = p->icmp.code;
	return is_icmp(p);
}

static bool get_icmp_id(const struct packet *p, struct subject *out)
{
	out->number = p->icmp.id;
	return is_icmp(p);
}

static bool get_icmp_seq(const struct packet *p, struct subject *out)
{
	out->number = p->icmp.seq;
	return is_icmp(p);
}

static bool get_dns_id(const struct packet *p, struct subject *out)
{
	out->number = p->dns.id;
	return p->dns.valid;
}

static bool get_dns_response(const struct packet *p, struct subject *out)
{
	out->number = p->dns.response;
	return p->dns.valid;
}

static bool get_dhcp_type(const struct packet *p, struct subject *out)
{
	out->number = p->dhcp.type;
	return p->dhcp.valid;
}

static bool get_nd_target(const struct packet *p, struct subject *out)
{
	out->ip = p->icmp.target;
	return p->kind == PACKET_KIND_ICMPV6;
}

static bool get_quoted_dst(const struct packet *p, struct subject *out)
{
	out->ip = p->icmp.quoted.dst;
	return packet_is_icmp_error(p) && p->icmp.quoted.valid;
}

static bool get_not_quoted(const struct packet *p, struct subject *out)
{
	(void)out;
	return !packet_is_icmp_error(p);
}

static bool get_time(const struct packet *p, struct subject *out)
{
	out->number = p->ts_ns;
	return true;
}

enum comparison {
	COMPARE_NUMBER,
	COMPARE_IP,
	COMPARE_MAC,
	COMPARE_RANGE,
	COMPARE_NOTHING, /* that the packet has it is enough */
};

static const struct {
	get_function *get;
	enum comparison comparison;
} fields[CLAIM_FIELD_COUNT] = {
	[CLAIM_INTERFACE] = { get_interface, COMPARE_NUMBER },
	[CLAIM_IFINDEX] = { get_ifindex, COMPARE_NUMBER },
	[CLAIM_TIME] = { get_time, COMPARE_RANGE },
	[CLAIM_ETH_SRC] = { get_eth_src, COMPARE_MAC },
	[CLAIM_ETH_DST] = { get_eth_dst, COMPARE_MAC },
	[CLAIM_ETH_TYPE_GROUP] = { get_group, COMPARE_NOTHING },
	[CLAIM_ARP_OPCODE] = { get_arp_op, COMPARE_NUMBER },
	[CLAIM_ARP_SRC_MAC] = { get_arp_src_mac, COMPARE_MAC },
	[CLAIM_ARP_SRC_IP] = { get_arp_src_ip, COMPARE_IP },
	[CLAIM_ARP_DST_IP] = { get_arp_dst_ip, COMPARE_IP },
	[CLAIM_ARP_DST_MAC] = { get_arp_dst_mac, COMPARE_MAC },
	[CLAIM_IP_SRC] = { get_ip_src, COMPARE_IP },
	[CLAIM_IP_DST] = { get_ip_dst, COMPARE_IP },
	[CLAIM_IP_PROTO] = { get_ip_proto, COMPARE_NUMBER },
	[CLAIM_IP_ID] = { get_ip_id, COMPARE_NUMBER },
	[CLAIM_TCP_SRC_PORT] = { get_tcp_src_port, COMPARE_NUMBER },
	[CLAIM_TCP_DST_PORT] = { get_tcp_dst_port, COMPARE_NUMBER },
	[CLAIM_TCP_SEQ] = { get_tcp_seq, COMPARE_NUMBER },
	[CLAIM_TCP_DATA] = { get_tcp_data, COMPARE_NOTHING },
	[CLAIM_TCP_SYN] = { get_tcp_syn, COMPARE_NUMBER },
	[CLAIM_TCP_ACK] = { get_tcp_ack, COMPARE_NUMBER },
	[CLAIM_TCP_RST] = { get_tcp_rst, COMPARE_NUMBER },
	[CLAIM_UDP_SRC_PORT] = { get_udp_src_port, COMPARE_NUMBER },
	[CLAIM_UDP_DST_PORT] = { get_udp_dst_port, COMPARE_NUMBER },
	[CLAIM_ICMP_TYPE] = { get_icmp_type, COMPARE_NUMBER },
	[CLAIM_ICMP_CODE] = { get_icmp_code, COMPARE_NUMBER },
	[CLAIM_ICMP_ID] = { get_icmp_id, COMPARE_NUMBER },
	[CLAIM_ICMP_SEQ] = { get_icmp_seq, COMPARE_NUMBER },
	[CLAIM_DNS_ID] = { get_dns_id, COMPARE_NUMBER },
	[CLAIM_DNS_RESPONSE] = { get_dns_response, COMPARE_NUMBER },
	[CLAIM_DHCP_TYPE] = { get_dhcp_type, COMPARE_NUMBER },
	[CLAIM_ND_TARGET] = { get_nd_target, COMPARE_IP },
	[CLAIM_QUOTED_DST] = { get_quoted_dst, COMPARE_IP },
	[CLAIM_NOT_QUOTED] = { get_not_quoted, COMPARE_NOTHING },
};

static bool compare(const struct claim_term *t, const struct subject *found)
{
	switch (fields[t->field].comparison) {
	case COMPARE_NUMBER:
		return has_number(t, found->number);
	case COMPARE_IP:
		return has_ip(t, &found->ip);
	case COMPARE_MAC:
		return has_mac(t, found->mac);
	case COMPARE_RANGE:
		return found->number >= t->values[0].number &&
		       found->number <= t->values[1].number;
	case COMPARE_NOTHING:
		break;
	}
	return true;
}

/* Cooked link types have no destination: the filter leaves such a term out. */
static bool is_left_out(const struct claim_term *t, const struct packet *p)
{
	return !p->has_eth_dst &&
	       (t->field == CLAIM_ETH_DST || t->field == CLAIM_ETH_TYPE_GROUP);
}

static bool holds(const struct claim_term *t, const struct packet *p)
{
	struct subject found = { 0 };

	if (is_left_out(t, p))
		return true;
	return (fields[t->field].get(p, &found) && compare(t, &found)) !=
	       t->negated;
}

static void test(struct claim *c, const struct packet *p)
{
	for (size_t i = 0; i < c->n_terms; i++)
		if (!holds(&c->terms[i], p))
			return;
	if (c->n_frames < CLAIM_FRAMES_MAX)
		c->frames[c->n_frames++] = p->frame;
	c->count++;
}

/*
 * Claims by the address that they are about: most packets are about nobody that
 * any claim names, and are not tested at all.
 */
#define MANY_CLAIMS 64

struct claim_index {
	struct claim **claims;
	size_t n;
	struct hash_table by_ip;
	const struct in6_addr **pivots;
	uint32_t *rest; /* claims without one single address */
	size_t n_rest;
};

/* Claims that name @ip, up to where it no longer matters */
static uint32_t claims_of(const struct claim_index *index,
                          const struct in6_addr *ip)
{
	uint64_t hash = hash_bytes(ip, sizeof(*ip));
	uint32_t n = 0;
	size_t pos = 0;

	while (n < MANY_CLAIMS &&
	       hash_table_find(&index->by_ip, hash, &pos) != HASH_TABLE_NONE)
		n++;
	return n;
}

/* Of the claim's addresses the one that fewest claims name: the guest is in all
 * of them. */
static const struct in6_addr *pivot_of(const struct claim_index *index,
                                       const struct claim *c)
{
	const struct in6_addr *best = NULL;
	uint32_t fewest = UINT32_MAX;

	for (size_t i = 0; i < c->n_terms; i++) {
		const struct claim_term *t = &c->terms[i];
		uint32_t n;

		if ((t->field != CLAIM_IP_SRC && t->field != CLAIM_IP_DST) ||
		    t->n != 1 || t->negated)
			continue;
		n = claims_of(index, &t->values[0].ip);
		if (n < fewest) {
			best = &t->values[0].ip;
			fewest = n;
		}
	}
	return best;
}

static void count_addresses(struct claim_index *index)
{
	for (size_t i = 0; i < index->n; i++)
		for (size_t j = 0; j < index->claims[i]->n_terms; j++) {
			const struct claim_term *t =
				&index->claims[i]->terms[j];

			if ((t->field == CLAIM_IP_SRC ||
			     t->field == CLAIM_IP_DST) &&
			    t->n == 1 &&
			    claims_of(index, &t->values[0].ip) < MANY_CLAIMS)
				hash_table_add(
					&index->by_ip,
					hash_bytes(&t->values[0].ip,
				                   sizeof(t->values[0].ip)),
					(uint32_t)i);
		}
}

static void index_claims(struct claim_index *index)
{
	struct hash_table by_pivot = { 0 };

	index->rest = xcalloc(index->n, sizeof(*index->rest));
	index->pivots = xcalloc(index->n, sizeof(*index->pivots));
	count_addresses(index);
	for (size_t i = 0; i < index->n; i++) {
		const struct in6_addr *ip = pivot_of(index, index->claims[i]);

		index->pivots[i] = ip;
		if (ip)
			hash_table_add(&by_pivot, hash_bytes(ip, sizeof(*ip)),
			               (uint32_t)i);
		else
			index->rest[index->n_rest++] = (uint32_t)i;
	}
	hash_table_free(&index->by_ip);
	index->by_ip = by_pivot;
}

static void test_address(const struct claim_index *index,
                         const struct in6_addr *ip, const struct packet *p)
{
	uint64_t hash = hash_bytes(ip, sizeof(*ip));
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&index->by_ip, hash, &pos)) !=
	       HASH_TABLE_NONE)
		if (addr_equal(index->pivots[i], ip))
			test(index->claims[i], p);
}

static void count_in(struct capture *capture, struct claim **claims, size_t n)
{
	struct claim_index index = { .claims = claims, .n = n };
	struct frame frame;
	struct packet p;

	index_claims(&index);
	capture_rewind(capture);
	while (capture_next(capture, &frame) == CAPTURE_FRAME) {
		const struct capture_interface *ci =
			capture_interface(capture, frame.interface);

		if (!ci->supported)
			continue;
		packet_decode(&frame, ci->linktype, &p);
		if (p.ip_version != 0) {
			test_address(&index, &p.src, &p);
			if (!addr_equal(&p.src, &p.dst))
				test_address(&index, &p.dst, &p);
		}
		for (size_t i = 0; i < index.n_rest; i++)
			test(claims[index.rest[i]], &p);
	}
	free(index.rest);
	free(index.pivots);
	hash_table_free(&index.by_ip);
}

/* The claim among the @n before it that selects the same frames, or itself */
static struct claim *same_claim(struct claim **claims, char **filters,
                                struct hash_table *index, size_t n,
                                struct claim *c)
{
	struct strbuf filter = { 0 };
	uint64_t hash;
	size_t pos = 0;
	uint32_t i;

	claim_filter(c, &filter);
	hash = hash_bytes(strbuf_text(&filter), filter.len);
	while ((i = hash_table_find(index, hash, &pos)) != HASH_TABLE_NONE)
		if (strcmp(filters[i], strbuf_text(&filter)) == 0) {
			strbuf_free(&filter);
			return claims[i];
		}
	hash_table_add(index, hash, (uint32_t)n);
	claims[n] = c;
	filters[n] = strbuf_steal(&filter);
	return c;
}

static void copy_count(struct claim *to, const struct claim *from)
{
	to->count = from->count;
	to->n_frames = from->n_frames;
	memcpy(to->frames, from->frames, sizeof(to->frames));
}

/* Counts those of the @wanted claims that are about capture @i. */
static void count_capture(struct incident *incident, struct capture *capture,
                          uint32_t i, const int32_t *wanted, size_t n_wanted)
{
	struct claim **claims = xcalloc(n_wanted, sizeof(struct claim *));
	struct claim **same = xcalloc(n_wanted, sizeof(struct claim *));
	char **filters = xcalloc(n_wanted, sizeof(char *));
	struct hash_table index = { 0 };
	size_t n = 0;

	for (size_t j = 0; j < n_wanted; j++) {
		struct claim *c = incident_claim(incident, wanted[j]);

		if (c->capture != i || c->counted)
			continue;
		c->counted = true;
		same[j] = same_claim(claims, filters, &index, n, c);
		n += same[j] == c;
	}
	if (n > 0)
		count_in(capture, claims, n);
	for (size_t j = 0; j < n_wanted; j++)
		if (same[j] && same[j] != incident_claim(incident, wanted[j]))
			copy_count(incident_claim(incident, wanted[j]),
			           same[j]);
	for (size_t j = 0; j < n; j++)
		free(filters[j]);
	free(filters);
	free(claims);
	free(same);
	hash_table_free(&index);
}

void claims_count(struct incident *incident, struct capture *const *captures,
                  const int32_t *wanted, size_t n_wanted)
{
	for (uint32_t i = 0; n_wanted > 0 && i < incident->n_captures; i++)
		count_capture(incident, captures[i], i, wanted, n_wanted);
}
