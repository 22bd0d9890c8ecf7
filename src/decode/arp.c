#include "decode/decoder.h"

#define ARP_HARDWARE_ETHERNET 1

enum packet_status decode_arp(struct packet *p, struct cursor *c)
{
	uint16_t hardware = cursor_be16(c);
	uint16_t protocol = cursor_be16(c);
	uint8_t hardware_len = cursor_u8(c);
	uint8_t protocol_len = cursor_u8(c);

	p->arp.op = cursor_be16(c);
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	if (hardware != ARP_HARDWARE_ETHERNET || protocol != ETHERTYPE_IPV4 ||
	    hardware_len != 6 || protocol_len != 4)
		return PACKET_STATUS_UNSUPPORTED;

	p->arp.sender_mac = cursor_mac(c);
	p->arp.sender_ip = cursor_ipv4(c);
	p->arp.target_mac = cursor_mac(c);
	p->arp.target_ip = cursor_ipv4(c);
	if (c->truncated)
		return PACKET_STATUS_TRUNCATED;
	p->kind = PACKET_KIND_ARP;
	return PACKET_STATUS_OK;
}
