/*
 * Tunnels that carry a guest's frames between hosts: VXLAN (RFC 7348), Geneve
 * (RFC 8926), and GRE (RFC 2784, 2890) with Ethernet or IP inside.
 */
#include "decode/decoder.h"

#define ETHERTYPE_BRIDGED 0x6558 /* an Ethernet frame is inside */

#define VXLAN_HAS_VNI 0x08

#define GENEVE_VERSION_MASK 0xc0
#define GENEVE_OPTION_WORDS 0x3f
#define GENEVE_CONTROL 0x80

#define GRE_CHECKSUM 0x8000
#define GRE_ROUTING 0x4000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_VERSION_MASK 0x0007

/* The rest of @c is the inner packet, if it is of a kind that is decoded. */
static bool begin_inner(struct packet *p, const struct cursor *c,
                        struct tunnel tunnel)
{
	uint32_t header = (uint32_t)(c->next - p->payload.next);

	/* Of a packet in pieces no piece is the inner packet. */
	if (c->truncated || p->more_fragments || p->payload_len < header)
		return false;
	if (tunnel.ethertype != ETHERTYPE_BRIDGED &&
	    tunnel.ethertype != ETHERTYPE_IPV4 &&
	    tunnel.ethertype != ETHERTYPE_IPV6)
		return false;
	p->carries = tunnel;
	p->payload = *c;
	p->payload_len -= header;
	return true;
}

enum packet_status decode_vxlan(struct packet *p, struct cursor *c)
{
	uint32_t flags = cursor_be32(c);
	uint32_t vni = cursor_be32(c) >> 8;

	if (flags >> 24 & VXLAN_HAS_VNI)
		(void)begin_inner(p, c,
		                  (struct tunnel){
					  .kind = TUNNEL_KIND_VXLAN,
					  .ethertype = ETHERTYPE_BRIDGED,
					  .has_id = true,
					  .id = vni,
				  });
	return PACKET_STATUS_OK;
}

enum packet_status decode_geneve(struct packet *p, struct cursor *c)
{
	uint8_t version_length = cursor_u8(c);
	uint8_t flags = cursor_u8(c);
	uint16_t ethertype = cursor_be16(c);
	uint32_t vni = cursor_be32(c) >> 8;

	cursor_take(c, (version_length & GENEVE_OPTION_WORDS) * 4u);
	if (!(version_length & GENEVE_VERSION_MASK) &&
	    !(flags & GENEVE_CONTROL))
		(void)begin_inner(p, c,
		                  (struct tunnel){
					  .kind = TUNNEL_KIND_GENEVE,
					  .ethertype = ethertype,
					  .has_id = true,
					  .id = vni,
				  });
	return PACKET_STATUS_OK;
}

enum packet_status decode_gre(struct packet *p, struct cursor *c)
{
	uint16_t flags = cursor_be16(c);
	struct tunnel tunnel = {
		.kind = TUNNEL_KIND_GRE,
		.ethertype = cursor_be16(c),
		.has_id = flags & GRE_KEY,
	};

	if (flags & (GRE_ROUTING | GRE_VERSION_MASK))
		return PACKET_STATUS_UNSUPPORTED;
	if (flags & GRE_CHECKSUM)
		cursor_be32(c);
	if (flags & GRE_KEY)
		tunnel.id = cursor_be32(c);
	if (flags & GRE_SEQUENCE)
		cursor_be32(c);
	return begin_inner(p, c, tunnel) ? PACKET_STATUS_OK
	                                 : PACKET_STATUS_UNSUPPORTED;
}

bool packet_decode_inner(const struct packet *outer, struct packet *inner)
{
	struct cursor c = outer->payload;

	if (outer->carries.kind == TUNNEL_KIND_NONE ||
	    outer->within.kind != TUNNEL_KIND_NONE)
		return false;
	*inner = (struct packet){
		.ts_ns = outer->ts_ns,
		.frame = outer->frame,
		.interface = outer->interface,
		.packet_id = outer->packet_id,
		.dropped = outer->dropped,
		.wire_len = outer->payload_len,
		.cut_bytes = outer->payload_len > c.left
		                     ? outer->payload_len - (uint32_t)c.left
		                     : 0,
		.direction = outer->direction,
		.ifindex = outer->ifindex,
		.ethertype = outer->carries.ethertype,
		.within = outer->carries,
	};
	inner->cut = inner->cut_bytes;
	inner->status = inner->ethertype == ETHERTYPE_BRIDGED
	                        ? decode_ethernet(inner, &c)
	                        : decode_ethertype(inner, &c);
	if (inner->status == PACKET_STATUS_TRUNCATED && inner->cut_bytes == 0)
		inner->status = PACKET_STATUS_MALFORMED;
	return true;
}
