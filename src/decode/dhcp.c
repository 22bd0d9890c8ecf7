#include "decode/decoder.h"

#define DHCP_MAGIC 0x63825363u

#define BOOTREPLY 2

#define OPTION_PAD 0
#define OPTION_MASK 1
#define OPTION_ROUTER 3
#define OPTION_REQUESTED_IP 50
#define OPTION_TYPE 53
#define OPTION_SERVER_ID 54
#define OPTION_STATIC_ROUTES 121
#define OPTION_END 255

static void read_option(struct dhcp_header *dhcp, uint8_t code,
                        struct cursor body)
{
	switch (code) {
	case OPTION_MASK:
		dhcp->prefix_bits =
			(uint8_t)__builtin_popcount(cursor_be32(&body));
		break;
	case OPTION_ROUTER:
		dhcp->has_router = body.left >= 4;
		dhcp->router = cursor_ipv4(&body);
		break;
	case OPTION_REQUESTED_IP:
		dhcp->requested_ip = cursor_ipv4(&body);
		break;
	case OPTION_TYPE:
		dhcp->type = cursor_u8(&body);
		break;
	case OPTION_SERVER_ID:
		dhcp->server_id = cursor_ipv4(&body);
		break;
	case OPTION_STATIC_ROUTES:
		dhcp->has_static_routes = true;
		break;
	}
}

enum packet_status decode_dhcp(struct packet *p, struct cursor *c)
{
	struct dhcp_header *dhcp = &p->dhcp;

	dhcp->reply = cursor_u8(c) == BOOTREPLY;
	cursor_take(c, 3); /* htype, hlen, hops */
	dhcp->xid = cursor_be32(c);
	cursor_be32(c); /* secs, flags */
	dhcp->client_ip = cursor_ipv4(c);
	dhcp->your_ip = cursor_ipv4(c);
	cursor_take(c, 8); /* next server, relay */
	dhcp->client_mac = cursor_mac(c);
	dhcp->known = !c->truncated;
	cursor_take(c, 10 + 64 + 128); /* rest of chaddr, sname, file */
	if (cursor_be32(c) != DHCP_MAGIC) {
		dhcp->cut = c->truncated;
		return PACKET_STATUS_OK; /* BOOTP, or cut before the options */
	}

	dhcp->valid = true;
	while (c->left > 0 && !c->truncated) {
		uint8_t code = cursor_u8(c);

		if (code == OPTION_PAD)
			continue;
		if (code == OPTION_END)
			break;
		read_option(dhcp, code, cursor_sub(c, cursor_u8(c)));
	}
	dhcp->cut = c->truncated;
	return PACKET_STATUS_OK;
}
