/*
 * The late pass: claims tested against decoded packets, as tshark would select
 * them.
 */
#include <stdlib.h>

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

static bool is_tcp(const struct packet *p)
{
	return p->kind == PACKET_KIND_TCP;
}

static bool is_udp(const struct packet *p)
{
	return p->kind == PACKET_KIND_UDP;
}

static bool is_arp(const struct packet *p)
{
	return p->kind == PACKET_KIND_ARP;
}

static bool is_icmp(const struct packet *p)
{
	return p->kind == PACKET_KIND_ICMP || p->kind == PACKET_KIND_ICMPV6;
}

static bool has_flag(const struct claim_term *t, const struct packet *p,
                     enum tcp_flag flag)
{
	return is_tcp(p) && has_number(t, (p->tcp.flags & flag) != 0);
}

static bool holds_link(const struct claim_term *t, const struct packet *p)
{
	switch (t->field) {
	case CLAIM_INTERFACE:
		return has_number(t, p->interface);
	case CLAIM_IFINDEX:
		return has_number(t, p->ifindex);
	case CLAIM_TIME:
		return p->ts_ns >= t->values[0].number &&
		       p->ts_ns <= t->values[1].number;
	case CLAIM_ETH_SRC:
		return p->has_eth_src && has_mac(t, p->eth_src);
	case CLAIM_ETH_DST:
		return !p->has_eth_dst || has_mac(t, p->eth_dst);
	case CLAIM_ETH_TYPE_GROUP:
		return !p->has_eth_dst || p->group;
	case CLAIM_ARP_OPCODE:
		return is_arp(p) && has_number(t, p->arp.op);
	case CLAIM_ARP_SRC_MAC:
		return is_arp(p) && has_mac(t, p->arp.sender_mac);
	case CLAIM_ARP_SRC_IP:
		return is_arp(p) && has_ip(t, &p->arp.sender_ip);
	case CLAIM_ARP_DST_IP:
		return is_arp(p) && has_ip(t, &p->arp.target_ip);
	case CLAIM_ARP_DST_MAC:
		return is_arp(p) && has_mac(t, p->arp.target_mac);
	default:
		return false;
	}
}

static bool holds_ip(const struct claim_term *t, const struct packet *p)
{
	switch (t->field) {
	case CLAIM_IP_SRC:
		return p->ip_version != 0 && has_ip(t, &p->src);
	case CLAIM_IP_DST:
		return p->ip_version != 0 && has_ip(t, &p->dst);
	case CLAIM_IP_PROTO:
		return p->kind != PACKET_KIND_IP && p->ip_version != 0 &&
		       has_number(t, p->ip_proto);
	case CLAIM_IP_ID:
		return p->ip_version == 4 && has_number(t, p->ip_id);
	case CLAIM_ICMP_TYPE:
		return is_icmp(p) && has_number(t, p->icmp.type);
	case CLAIM_ICMP_CODE:
		return is_icmp(p) && has_number(t, p->icmp.code);
	case CLAIM_ICMP_ID:
		return is_icmp(p) && has_number(t, p->icmp.id);
	case CLAIM_ICMP_SEQ:
		return is_icmp(p) && has_number(t, p->icmp.seq);
	case CLAIM_ND_TARGET:
		return is_icmp(p) && has_ip(t, &p->icmp.target);
	case CLAIM_NOT_QUOTED:
		return !packet_is_icmp_error(p);
	default:
		return false;
	}
}

static bool holds_transport(const struct claim_term *t, const struct packet *p)
{
	switch (t->field) {
	case CLAIM_TCP_SRC_PORT:
		return is_tcp(p) && has_number(t, p->src_port);
	case CLAIM_TCP_DST_PORT:
		return is_tcp(p) && has_number(t, p->dst_port);
	case CLAIM_TCP_SEQ:
		return is_tcp(p) && has_number(t, p->tcp.seq);
	case CLAIM_TCP_SYN:
		return has_flag(t, p, TCP_FLAG_SYN);
	case CLAIM_TCP_ACK:
		return has_flag(t, p, TCP_FLAG_ACK);
	case CLAIM_TCP_RST:
		return has_flag(t, p, TCP_FLAG_RST);
	case CLAIM_UDP_SRC_PORT:
		return is_udp(p) && has_number(t, p->src_port);
	case CLAIM_UDP_DST_PORT:
		return is_udp(p) && has_number(t, p->dst_port);
	case CLAIM_DNS_ID:
		return p->dns.valid && has_number(t, p->dns.id);
	case CLAIM_DNS_RESPONSE:
		return p->dns.valid && has_number(t, p->dns.response);
	case CLAIM_DHCP_TYPE:
		return p->dhcp.valid && has_number(t, p->dhcp.type);
	default:
		return false;
	}
}

static bool holds(const struct claim_term *t, const struct packet *p)
{
	bool true_here;

	if (t->field <= CLAIM_ARP_DST_MAC)
		true_here = holds_link(t, p);
	else if (t->field <= CLAIM_IP_ID || t->field >= CLAIM_ND_TARGET ||
	         (t->field >= CLAIM_ICMP_TYPE && t->field <= CLAIM_ICMP_SEQ))
		true_here = holds_ip(t, p);
	else
		true_here = holds_transport(t, p);
	return true_here != t->negated;
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

static void count_in(struct capture *capture, struct claim **claims, size_t n)
{
	struct frame frame;
	struct packet p;

	capture_rewind(capture);
	while (capture_next(capture, &frame) == CAPTURE_FRAME) {
		const struct capture_interface *ci =
			capture_interface(capture, frame.interface);

		if (!ci->supported)
			continue;
		packet_decode(&frame, ci->linktype, &p);
		for (size_t i = 0; i < n; i++)
			test(claims[i], &p);
	}
}

void claims_count(struct incident *incident, struct capture *const *captures,
                  const int32_t *wanted, size_t n_wanted)
{
	struct claim **claims =
		xcalloc(n_wanted ? n_wanted : 1, sizeof(struct claim *));

	for (uint32_t i = 0; i < incident->n_captures; i++) {
		size_t n = 0;

		for (size_t j = 0; j < n_wanted; j++) {
			struct claim *c = incident_claim(incident, wanted[j]);

			if (c->capture != i || c->counted)
				continue;
			c->counted = true;
			claims[n++] = c;
		}
		if (n > 0)
			count_in(captures[i], claims, n);
	}
	free(claims);
}
