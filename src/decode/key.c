#include <string.h>

#include "base/hash.h"
#include "decode/packet.h"

/* So much of a payload is within every snap length from 96 bytes up. */
#define KEY_PAYLOAD_BYTES 16

struct key_bytes {
	uint8_t bytes[80];
	size_t n;
};

static void put(struct key_bytes *k, const void *bytes, size_t n)
{
	if (n > 0)
		memcpy(k->bytes + k->n, bytes, n);
	k->n += n;
}

static void put_u32(struct key_bytes *k, uint32_t value)
{
	put(k, &value, sizeof(value));
}

static void put_payload(struct key_bytes *k, const struct packet *p)
{
	size_t n = p->payload.left;

	put(k, p->payload.next, n < KEY_PAYLOAD_BYTES ? n : KEY_PAYLOAD_BYTES);
}

static void put_arp(struct key_bytes *k, const struct arp_header *arp)
{
	put_u32(k, arp->op);
	put(k, &arp->sender_mac, sizeof(arp->sender_mac));
	put(k, &arp->sender_ip.s6_addr[12], 4);
	put(k, &arp->target_ip.s6_addr[12], 4);
}

static void put_tcp(struct key_bytes *k, const struct packet *p)
{
	put_u32(k, p->tcp.seq);
	put_u32(k, p->tcp.ack);
	put_u32(k, p->tcp.flags);
	put_u32(k, p->payload_len); /* offload cuts otherwise */
	/* The options of a SYN do not fit into short snap lengths. */
	put_u32(k, p->tcp.flags & TCP_FLAG_SYN ? 0 : p->tcp.ts_value);
}

static void put_icmp(struct key_bytes *k, const struct packet *p)
{
	put_u32(k, (uint32_t)p->icmp.type << 8 | p->icmp.code);
	if (packet_is_icmp_error(p))
		return; /* NAT rewrites what is quoted */
	put_u32(k, p->icmp.seq);
	put_payload(k, p);
}

/* Nobody translates link-local IPv6, and much of it says nothing else. */
static bool stays_on_link(const struct packet *p)
{
	return p->dst.s6_addr[0] == 0xff || addr_is_link_local(&p->src) ||
	       addr_is_link_local(&p->dst);
}

uint64_t packet_key(const struct packet *p)
{
	struct key_bytes k = { .n = 0 };
	uint64_t key;

	put_u32(&k, (uint32_t)p->kind << 16 | p->ip_proto);
	if (p->ip_version == 6 && stays_on_link(p)) {
		put(&k, &p->src, sizeof(p->src));
		put(&k, &p->dst, sizeof(p->dst));
	}
	put_u32(&k, (uint32_t)p->ip_id << 16 | p->fragment_offset);
	switch (p->kind) {
	case PACKET_KIND_ARP:
		put_arp(&k, &p->arp);
		break;
	case PACKET_KIND_TCP:
		put_tcp(&k, p);
		break;
	case PACKET_KIND_ICMP:
	case PACKET_KIND_ICMPV6:
		put_icmp(&k, p);
		break;
	case PACKET_KIND_UDP:
	case PACKET_KIND_IP:
		put_u32(&k, p->payload_len);
		put_payload(&k, p);
		break;
	case PACKET_KIND_OTHER:
		if (p->ethertype == 0)
			return 0;
		put_u32(&k, p->ethertype);
		put_payload(&k, p);
		break;
	}
	key = hash_stable(k.bytes, k.n);
	return key ? key : 1;
}
