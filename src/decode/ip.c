#include "decode/decoder.h"

#define IPV6_HEADER_BYTES 40

#define EXTENSION_HOP_BY_HOP 0
#define EXTENSION_ROUTING 43
#define EXTENSION_FRAGMENT 44
#define EXTENSION_AUTHENTICATION 51
#define EXTENSION_DESTINATION 60

enum packet_status decode_transport(struct packet *p, struct cursor *c)
{
	static const struct {
		uint8_t proto;
		uint8_t version; /* of IP; 0: both */
		decode_function *decode;
	} decoders[] = {
		{ IP_PROTO_TCP, 0, decode_tcp },
		{ IP_PROTO_UDP, 0, decode_udp },
		{ IP_PROTO_GRE, 0, decode_gre },
		{ IP_PROTO_ICMP, 4, decode_icmp },
		{ IP_PROTO_ICMPV6, 6, decode_icmpv6 },
	};

	p->kind = PACKET_KIND_IP;
	p->payload = *c;
	if (p->fragment_offset > 0 || p->is_quoted)
		return PACKET_STATUS_OK;
	for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
		if (decoders[i].proto == p->ip_proto &&
		    (decoders[i].version == 0 ||
		     decoders[i].version == p->ip_version))
			return decoders[i].decode(p, c);
	return PACKET_STATUS_UNSUPPORTED;
}

enum packet_status decode_ipv4(struct packet *p, struct cursor *c)
{
	uint8_t version_ihl = cursor_u8(c);
	size_t header_bytes = (size_t)(version_ihl & 0x0f) * 4;
	uint16_t fragment;

	cursor_u8(c); /* DSCP, ECN */
	p->ip_length = cursor_be16(c);
	p->ip_id = cursor_be16(c);
	fragment = cursor_be16(c);
	p->ttl = cursor_u8(c);
	p->ip_proto = cursor_u8(c);
	cursor_be16(c); /* checksum: often left to the hardware */
	p->src = cursor_ipv4(c);
	p->dst = cursor_ipv4(c);
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	if (version_ihl >> 4 != 4 || header_bytes < 20)
		return PACKET_STATUS_MALFORMED;
	if (p->ip_length != 0 && p->ip_length < header_bytes)
		return PACKET_STATUS_MALFORMED;

	p->ip_version = 4;
	p->kind = PACKET_KIND_IP;
	p->dont_fragment = fragment & 0x4000;
	p->more_fragments = fragment & 0x2000;
	p->fragment_offset = (uint16_t)((fragment & 0x1fff) * 8);
	cursor_take(c, header_bytes - 20); /* options */
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	if (p->ip_length == 0) {
		/* Segmentation offload: the length did not fit. */
		p->payload_len = (uint32_t)c->left + p->cut;
	} else {
		p->payload_len = p->ip_length - (uint32_t)header_bytes;
		cursor_limit(c, p->payload_len);
	}
	return decode_transport(p, c);
}

static bool is_extension(uint8_t next)
{
	return next == EXTENSION_HOP_BY_HOP || next == EXTENSION_ROUTING ||
	       next == EXTENSION_FRAGMENT || next == EXTENSION_AUTHENTICATION ||
	       next == EXTENSION_DESTINATION;
}

/* Reads one extension header; returns its length on the wire. */
static uint32_t read_extension(struct packet *p, struct cursor *c)
{
	uint8_t this = p->ip_proto;
	uint8_t next = cursor_u8(c);
	uint8_t len = cursor_u8(c);
	uint32_t bytes;

	p->ip_proto = next;
	if (this == EXTENSION_FRAGMENT) {
		uint16_t fragment = cursor_be16(c);

		p->fragment_offset = fragment & 0xfff8;
		p->more_fragments = fragment & 1;
		p->ip_id = (uint16_t)cursor_be32(c);
		return 8;
	}
	bytes = this == EXTENSION_AUTHENTICATION ? (uint32_t)(len + 2) * 4
	                                         : (uint32_t)(len + 1) * 8;
	cursor_take(c, bytes - 2);
	return bytes;
}

enum packet_status decode_ipv6(struct packet *p, struct cursor *c)
{
	uint32_t version = cursor_be32(c) >> 28;
	uint16_t length = cursor_be16(c);

	p->ip_proto = cursor_u8(c);
	p->ttl = cursor_u8(c);
	p->src = cursor_ipv6(c);
	p->dst = cursor_ipv6(c);
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	if (version != 6)
		return PACKET_STATUS_MALFORMED;

	p->ip_version = 6;
	p->kind = PACKET_KIND_IP;
	p->ip_length = length ? length + IPV6_HEADER_BYTES : 0;
	p->payload_len = length ? length : (uint32_t)c->left + p->cut;
	cursor_limit(c, p->payload_len);
	while (is_extension(p->ip_proto) && p->fragment_offset == 0) {
		uint32_t bytes = read_extension(p, c);

		if (c->truncated)
			return PACKET_STATUS_TRUNCATED;
		if (bytes > p->payload_len)
			return PACKET_STATUS_MALFORMED;
		p->payload_len -= bytes;
	}
	return decode_transport(p, c);
}
