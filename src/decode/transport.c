#include "decode/decoder.h"

#define TCP_HEADER_BYTES 20
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MSS 2
#define TCP_OPTION_TIMESTAMP 8

static void read_tcp_options(struct tcp_header *tcp, struct cursor options)
{
	while (options.left > 0 && !options.truncated) {
		uint8_t kind = cursor_u8(&options);
		struct cursor body;
		uint8_t len;

		if (kind == TCP_OPTION_END)
			return;
		if (kind == TCP_OPTION_NOP)
			continue;
		len = cursor_u8(&options);
		if (len < 2)
			return;
		body = cursor_sub(&options, len - 2u);
		if (kind == TCP_OPTION_MSS && len == 4)
			tcp->mss = cursor_be16(&body);
		if (kind == TCP_OPTION_TIMESTAMP && len == 10) {
			tcp->ts_value = cursor_be32(&body);
			tcp->has_timestamp = !body.truncated;
		}
	}
}

static uint32_t add_words(uint32_t sum, const struct in6_addr *ip)
{
	for (unsigned int i = addr_is_v4(ip) ? 12 : 0; i < 16; i += 2)
		sum += (uint32_t)(ip->s6_addr[i] << 8 | ip->s6_addr[i + 1]);
	return sum;
}

/* What the stack leaves in the checksum field for the hardware to finish */
static uint16_t pseudo_header_sum(const struct packet *p)
{
	uint32_t sum = add_words(add_words(0, &p->src), &p->dst);

	sum += IP_PROTO_TCP + (p->payload_len >> 16) +
	       (p->payload_len & 0xffff);
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

static void set_payload(struct packet *p, struct cursor *c, uint32_t header)
{
	p->payload = *c;
	p->payload_len = p->payload_len > header ? p->payload_len - header : 0;
}

enum packet_status decode_tcp(struct packet *p, struct cursor *c)
{
	uint16_t offset_flags, checksum;
	uint32_t header_bytes;
	struct cursor options;

	p->src_port = cursor_be16(c);
	p->dst_port = cursor_be16(c);
	p->tcp.seq = cursor_be32(c);
	p->tcp.ack = cursor_be32(c);
	offset_flags = cursor_be16(c);
	p->tcp.window = cursor_be16(c);
	checksum = cursor_be16(c);
	cursor_be16(c); /* urgent pointer */
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	header_bytes = (uint32_t)(offset_flags >> 12) * 4;
	if (header_bytes < TCP_HEADER_BYTES || header_bytes > p->payload_len)
		return PACKET_STATUS_MALFORMED;

	p->kind = PACKET_KIND_TCP;
	p->tcp.flags = offset_flags & 0x3f;
	p->tcp.unfinished_checksum = checksum == pseudo_header_sum(p);
	/* What the snap length cut off the options is not needed to track it. */
	if (c->left < header_bytes - TCP_HEADER_BYTES) {
		read_tcp_options(&p->tcp, *c);
		c->left = 0;
		set_payload(p, c, header_bytes);
		return PACKET_STATUS_TRUNCATED;
	}
	options = cursor_sub(c, header_bytes - TCP_HEADER_BYTES);
	read_tcp_options(&p->tcp, options);
	set_payload(p, c, header_bytes);
	return PACKET_STATUS_OK;
}

enum packet_status decode_udp(struct packet *p, struct cursor *c)
{
	static const struct {
		uint16_t port;
		decode_function *decode;
	} decoders[] = {
		{ PORT_DNS, decode_dns },
		{ PORT_DHCP_SERVER, decode_dhcp },
		{ PORT_DHCP_CLIENT, decode_dhcp },
		{ PORT_VXLAN, decode_vxlan },
		{ PORT_GENEVE, decode_geneve },
	};

	p->src_port = cursor_be16(c);
	p->dst_port = cursor_be16(c);
	cursor_be32(c); /* length, checksum */
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;

	p->kind = PACKET_KIND_UDP;
	set_payload(p, c, 8);
	for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
		if (decoders[i].port == p->dst_port ||
		    decoders[i].port == p->src_port)
			return decoders[i].decode(p, c);
	return PACKET_STATUS_OK;
}
