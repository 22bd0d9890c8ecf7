#include "decode/decoder.h"

#define ICMP_SOURCE_QUENCH 4
#define ICMP_PARAMETER_PROBLEM 12

#define OPTION_PREFIX 3
#define PREFIX_ON_LINK 0x80

bool packet_is_icmp_error(const struct packet *p)
{
	if (p->kind == PACKET_KIND_ICMPV6)
		return p->icmp.type < 128;
	if (p->kind != PACKET_KIND_ICMP)
		return false;
	return p->icmp.type == ICMP_UNREACHABLE ||
	       p->icmp.type == ICMP_SOURCE_QUENCH ||
	       p->icmp.type == ICMP_REDIRECT ||
	       p->icmp.type == ICMP_TIME_EXCEEDED ||
	       p->icmp.type == ICMP_PARAMETER_PROBLEM;
}

/* Only 8 bytes behind the quoted IP header are there for sure. */
static void read_quoted(struct icmp_header *icmp, struct cursor c, bool v6)
{
	struct packet quoted = { .is_quoted = true };
	struct quoted_packet *q = &icmp->quoted;
	enum packet_status status;

	status = v6 ? decode_ipv6(&quoted, &c) : decode_ipv4(&quoted, &c);
	if (status != PACKET_STATUS_OK || quoted.fragment_offset > 0)
		return;
	*q = (struct quoted_packet){
		.ip_proto = quoted.ip_proto,
		.ip_id = quoted.ip_id,
		.src = quoted.src,
		.dst = quoted.dst,
	};
	c = quoted.payload;
	if (q->ip_proto == IP_PROTO_ICMP || q->ip_proto == IP_PROTO_ICMPV6)
		cursor_be32(&c); /* type, code, checksum */
	q->src_port = cursor_be16(&c);
	q->dst_port = cursor_be16(&c);
	q->valid = !c.truncated;
}

static enum packet_status read_head(struct packet *p, struct cursor *c)
{
	p->icmp.type = cursor_u8(c);
	p->icmp.code = cursor_u8(c);
	cursor_be16(c); /* checksum */
	p->icmp.id = cursor_be16(c);
	p->icmp.seq = cursor_be16(c);
	return c->truncated ? PACKET_STATUS_TRUNCATED : PACKET_STATUS_OK;
}

static void set_payload(struct packet *p, struct cursor *c)
{
	p->payload = *c;
	p->payload_len = p->payload_len > 8 ? p->payload_len - 8 : 0;
}

enum packet_status decode_icmp(struct packet *p, struct cursor *c)
{
	enum packet_status status = read_head(p, c);

	if (status != PACKET_STATUS_OK)
		return status;
	p->kind = PACKET_KIND_ICMP;
	p->icmp.mtu = p->icmp.seq;
	set_payload(p, c);
	if (packet_is_icmp_error(p))
		read_quoted(&p->icmp, *c, false);
	return PACKET_STATUS_OK;
}

/* Router lifetime and the first prefix that is said to be on the link */
static void read_advert(struct packet *p, struct cursor c)
{
	p->icmp.lifetime = p->icmp.seq;
	cursor_take(&c, 8); /* reachable and retransmission time */
	while (!c.truncated && c.left >= 8 && p->icmp.prefix_bits == 0) {
		uint8_t type = cursor_u8(&c);
		size_t bytes = (size_t)cursor_u8(&c) * 8;
		struct cursor option = c;

		if (bytes < 8)
			return;
		cursor_take(&c, bytes - 2);
		if (c.truncated || type != OPTION_PREFIX || bytes != 32)
			continue;
		p->icmp.prefix_bits = cursor_u8(&option);
		if (!(cursor_u8(&option) & PREFIX_ON_LINK))
			p->icmp.prefix_bits = 0;
		cursor_take(&option, 12); /* lifetimes, reserved */
		p->icmp.target = cursor_ipv6(&option);
	}
}

enum packet_status decode_icmpv6(struct packet *p, struct cursor *c)
{
	enum packet_status status = read_head(p, c);

	if (status != PACKET_STATUS_OK)
		return status;
	p->kind = PACKET_KIND_ICMPV6;
	set_payload(p, c);
	if (p->icmp.type == ICMPV6_NEIGHBOR_SOLICIT ||
	    p->icmp.type == ICMPV6_NEIGHBOR_ADVERT) {
		struct cursor body = *c;

		p->icmp.target = cursor_ipv6(&body);
		if (body.truncated)
			return PACKET_STATUS_TRUNCATED;
	}
	if (p->icmp.type == ICMPV6_ROUTER_ADVERT)
		read_advert(p, *c);
	if (packet_is_icmp_error(p))
		read_quoted(&p->icmp, *c, true);
	return PACKET_STATUS_OK;
}
