/*
 * Tests claims against decoded packets, as tshark would select them.
 */
#include "correlate/claim_holds.h"

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

static bool get_vxlan(const struct packet *p, struct subject *out)
{
	out->number = p->within.id;
	return p->within.kind == TUNNEL_KIND_VXLAN;
}

static bool get_geneve(const struct packet *p, struct subject *out)
{
	out->number = p->within.id;
	return p->within.kind == TUNNEL_KIND_GENEVE;
}

static bool get_gre_key(const struct packet *p, struct subject *out)
{
	out->number = p->within.id;
	return p->within.kind == TUNNEL_KIND_GRE && p->within.has_id;
}

static bool get_gre_plain(const struct packet *p, struct subject *out)
{
	(void)out;
	return p->within.kind == TUNNEL_KIND_GRE && !p->within.has_id;
}

static bool get_tunnelled(const struct packet *p, struct subject *out)
{
	(void)out;
	return p->within.kind != TUNNEL_KIND_NONE ||
	       p->carries.kind != TUNNEL_KIND_NONE;
}

static bool get_outgoing(const struct packet *p, struct subject *out)
{
	(void)out;
	return p->direction == FRAME_DIRECTION_OUT;
}

static bool get_dropped(const struct packet *p, struct subject *out)
{
	(void)out;
	return p->dropped;
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

static bool get_quoted_port(const struct packet *p, uint8_t ip_proto,
                            struct subject *out)
{
	out->number = p->icmp.quoted.src_port;
	return packet_is_icmp_error(p) && p->icmp.quoted.valid &&
	       p->icmp.quoted.ip_proto == ip_proto;
}

static bool get_quoted_tcp(const struct packet *p, struct subject *out)
{
	return get_quoted_port(p, IP_PROTO_TCP, out);
}

static bool get_quoted_udp(const struct packet *p, struct subject *out)
{
	return get_quoted_port(p, IP_PROTO_UDP, out);
}

static bool get_quoted_icmp_id(const struct packet *p, struct subject *out)
{
	return get_quoted_port(p, IP_PROTO_ICMP, out) ||
	       get_quoted_port(p, IP_PROTO_ICMPV6, out);
}

static bool get_icmp_cut(const struct packet *p, struct subject *out)
{
	(void)out;
	return p->ip_version == 4 && p->ip_proto == IP_PROTO_ICMP &&
	       p->more_fragments && p->fragment_offset == 0;
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
	[CLAIM_VXLAN] = { get_vxlan, COMPARE_NUMBER },
	[CLAIM_GENEVE] = { get_geneve, COMPARE_NUMBER },
	[CLAIM_GRE_KEY] = { get_gre_key, COMPARE_NUMBER },
	[CLAIM_GRE_PLAIN] = { get_gre_plain, COMPARE_NOTHING },
	[CLAIM_TUNNELLED] = { get_tunnelled, COMPARE_NOTHING },
	[CLAIM_OUTGOING] = { get_outgoing, COMPARE_NOTHING },
	[CLAIM_DROPPED] = { get_dropped, COMPARE_NOTHING },
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
	[CLAIM_ICMP_CUT] = { get_icmp_cut, COMPARE_NOTHING },
	[CLAIM_DNS_ID] = { get_dns_id, COMPARE_NUMBER },
	[CLAIM_DNS_RESPONSE] = { get_dns_response, COMPARE_NUMBER },
	[CLAIM_DHCP_TYPE] = { get_dhcp_type, COMPARE_NUMBER },
	[CLAIM_ND_TARGET] = { get_nd_target, COMPARE_IP },
	[CLAIM_QUOTED_DST] = { get_quoted_dst, COMPARE_IP },
	[CLAIM_QUOTED_TCP_SRC_PORT] = { get_quoted_tcp, COMPARE_NUMBER },
	[CLAIM_QUOTED_UDP_SRC_PORT] = { get_quoted_udp, COMPARE_NUMBER },
	[CLAIM_QUOTED_ICMP_ID] = { get_quoted_icmp_id, COMPARE_NUMBER },
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
		for (uint32_t i = 0; i + 1 < t->n; i += 2)
			if (found->number >= t->values[i].number &&
			    found->number <= t->values[i + 1].number)
				return true;
		return false;
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

/* tshark names the protocols of all layers, those around a tunnel too. */
static bool is_carrier(const struct claim_term *t, const struct packet *p)
{
	return t->field == CLAIM_IP_PROTO &&
	       (p->within.kind == TUNNEL_KIND_VXLAN ||
	        p->within.kind == TUNNEL_KIND_GENEVE) &&
	       has_number(t, IP_PROTO_UDP);
}

static bool holds(const struct claim_term *t, const struct packet *p)
{
	struct subject found = { 0 };

	if (is_carrier(t, p))
		return !t->negated;
	if (is_left_out(t, p))
		return true;
	return (fields[t->field].get(p, &found) && compare(t, &found)) !=
	       t->negated;
}

bool claim_holds(const struct claim *c, const struct packet *p)
{
	for (size_t i = 0; i < c->n_terms; i++)
		if (!holds(&c->terms[i], p))
			return false;
	return true;
}
