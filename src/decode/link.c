#include <string.h>

#include "decode/decoder.h"

#define SLL_TYPE_BROADCAST 1
#define SLL_TYPE_MULTICAST 2
#define SLL_TYPE_OUTGOING 4
#define ARPHRD_ETHER 1
#define ARPHRD_LOOPBACK 772
#define IEEE_802_3_MAX_LENGTH 1500

#define AF_INET_ANY 2

struct mac cursor_mac(struct cursor *c)
{
	const uint8_t *bytes = cursor_take(c, 6);
	struct mac mac = { { 0 } };

	if (bytes)
		memcpy(mac.bytes, bytes, 6);
	return mac;
}

struct in6_addr cursor_ipv4(struct cursor *c)
{
	static const uint8_t zero[4];
	const uint8_t *bytes = cursor_take(c, 4);

	return addr_from_v4(bytes ? bytes : zero);
}

struct in6_addr cursor_ipv6(struct cursor *c)
{
	const uint8_t *bytes = cursor_take(c, 16);
	struct in6_addr ip = IN6ADDR_ANY_INIT;

	if (bytes)
		memcpy(&ip, bytes, 16);
	return ip;
}

static bool is_vlan_tag(uint16_t ethertype)
{
	return ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ ||
	       ethertype == ETHERTYPE_QINQ_OLD;
}

static void skip_vlan_tags(struct packet *p, struct cursor *c)
{
	while (is_vlan_tag(p->ethertype) && !c->truncated) {
		uint16_t tag = cursor_be16(c) & 0x0fff;

		if (p->n_vlans < PACKET_VLANS_MAX)
			p->vlans[p->n_vlans++] = tag;
		p->ethertype = cursor_be16(c);
	}
}

enum packet_status decode_ethertype(struct packet *p, struct cursor *c)
{
	static const struct {
		uint16_t ethertype;
		decode_function *decode;
	} decoders[] = {
		{ ETHERTYPE_IPV4, decode_ipv4 },
		{ ETHERTYPE_IPV6, decode_ipv6 },
		{ ETHERTYPE_ARP, decode_arp },
	};

	skip_vlan_tags(p, c);
	p->payload = *c;
	p->payload_len = (uint32_t)c->left;
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
		if (decoders[i].ethertype == p->ethertype)
			return decoders[i].decode(p, c);
	return PACKET_STATUS_UNSUPPORTED;
}

enum packet_status decode_ethernet(struct packet *p, struct cursor *c)
{
	p->eth_dst = cursor_mac(c);
	p->eth_src = cursor_mac(c);
	p->ethertype = cursor_be16(c);
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	p->has_eth_dst = true;
	p->has_eth_src = true;
	p->group = mac_is_group(p->eth_dst);
	p->loopback = mac_is_zero(p->eth_src) && mac_is_zero(p->eth_dst);
	if (p->ethertype <= IEEE_802_3_MAX_LENGTH) {
		p->payload = *c;
		p->payload_len = (uint32_t)c->left;
		return PACKET_STATUS_UNSUPPORTED; /* LLC: STP and the like */
	}
	return decode_ethertype(p, c);
}

static void set_sll_type(struct packet *p, unsigned int type)
{
	p->group = type == SLL_TYPE_BROADCAST || type == SLL_TYPE_MULTICAST;
	p->direction = type == SLL_TYPE_OUTGOING ? FRAME_DIRECTION_OUT
	                                         : FRAME_DIRECTION_IN;
}

static void set_sll_source(struct packet *p, uint16_t arphrd, uint16_t len,
                           const uint8_t *bytes)
{
	p->loopback = arphrd == ARPHRD_LOOPBACK;
	if (!bytes || arphrd != ARPHRD_ETHER || len != 6)
		return;
	memcpy(p->eth_src.bytes, bytes, 6);
	p->has_eth_src = true;
}

static enum packet_status decode_sll(struct packet *p, struct cursor *c)
{
	uint16_t type = cursor_be16(c);
	uint16_t arphrd = cursor_be16(c);
	uint16_t len = cursor_be16(c);
	const uint8_t *address = cursor_take(c, 8);

	p->ethertype = cursor_be16(c);
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	set_sll_type(p, type);
	set_sll_source(p, arphrd, len, address);
	return decode_ethertype(p, c);
}

static enum packet_status decode_sll2(struct packet *p, struct cursor *c)
{
	uint32_t ifindex;
	uint16_t arphrd;
	uint8_t type, len;
	const uint8_t *address;

	p->ethertype = cursor_be16(c);
	cursor_be16(c); /* reserved */
	ifindex = cursor_be32(c);
	arphrd = cursor_be16(c);
	type = cursor_u8(c);
	len = cursor_u8(c);
	address = cursor_take(c, 8);
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	p->ifindex = ifindex;
	set_sll_type(p, type);
	set_sll_source(p, arphrd, len, address);
	return decode_ethertype(p, c);
}

static enum packet_status decode_raw_ip(struct packet *p, struct cursor *c)
{
	if (c->left == 0)
		return PACKET_STATUS_TRUNCATED;
	switch (c->next[0] >> 4) {
	case 4:
		p->ethertype = ETHERTYPE_IPV4;
		break;
	case 6:
		p->ethertype = ETHERTYPE_IPV6;
		break;
	default:
		return PACKET_STATUS_MALFORMED;
	}
	return decode_ethertype(p, c);
}

/* The family is in the byte order of the machine that wrote the file, and the
 * number of IPv6 differs from system to system. */
static enum packet_status decode_family(struct packet *p, struct cursor *c)
{
	uint32_t family = cursor_be32(c);

	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case AF_INET_ANY:
		p->ethertype = ETHERTYPE_IPV4;
		break;
	case 10: /* Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		p->ethertype = ETHERTYPE_IPV6;
		break;
	default:
		p->payload = *c;
		p->payload_len = (uint32_t)c->left;
		return PACKET_STATUS_UNSUPPORTED;
	}
	return decode_ethertype(p, c);
}

static decode_function *link_decoder(uint32_t linktype)
{
	static const struct {
		uint32_t linktype;
		decode_function *decode;
	} decoders[] = {
		{ LINKTYPE_EN10MB, decode_ethernet },
		{ LINKTYPE_LINUX_SLL, decode_sll },
		{ LINKTYPE_LINUX_SLL2, decode_sll2 },
		{ LINKTYPE_RAW_BSD, decode_raw_ip },
		{ LINKTYPE_RAW_OPENBSD, decode_raw_ip },
		{ LINKTYPE_RAW_IP, decode_raw_ip },
		{ LINKTYPE_RAW_IPV4, decode_raw_ip },
		{ LINKTYPE_RAW_IPV6, decode_raw_ip },
		{ LINKTYPE_BSD_NULL, decode_family },
		{ LINKTYPE_BSD_LOOP, decode_family },
	};

	for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
		if (decoders[i].linktype == linktype)
			return decoders[i].decode;
	return NULL;
}

void packet_decode(const struct frame *frame, uint32_t linktype,
                   struct packet *packet)
{
	struct cursor c = cursor_of(frame->bytes, frame->caplen);
	decode_function *decode = link_decoder(linktype);

	*packet = (struct packet){
		.ts_ns = frame->ts_ns,
		.frame = frame->number,
		.interface = frame->interface,
		.packet_id = frame->packet_id,
		.dropped = frame->dropped,
		.wire_len = frame->len,
		.cut_bytes = frame->len - frame->caplen,
		.cut = frame->len - frame->caplen,
		.direction = frame->direction,
		.ifindex = -1,
	};
	if (!decode) {
		packet->status = PACKET_STATUS_UNSUPPORTED;
		return;
	}
	packet->status = decode(packet, &c);
	if (packet->status == PACKET_STATUS_TRUNCATED &&
	    frame->caplen >= frame->len)
		packet->status = PACKET_STATUS_MALFORMED;
}
