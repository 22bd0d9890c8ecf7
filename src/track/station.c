#include "track/station.h"

#include <stdlib.h>

#include "base/xalloc.h"

#define STATIONS_MAX 65536

static uint32_t find(const struct station_table *t, struct mac mac,
                     uint64_t hash)
{
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&t->index, hash, &pos)) != HASH_TABLE_NONE)
		if (mac_equal(t->stations[i].mac, mac))
			return i;
	return HASH_TABLE_NONE;
}

static struct station *get(struct station_table *t, struct mac mac)
{
	uint64_t hash = hash_bytes(&mac, sizeof(mac));
	uint32_t i = find(t, mac, hash);

	if (i != HASH_TABLE_NONE)
		return &t->stations[i];
	if (t->count == STATIONS_MAX) {
		t->full = true;
		return NULL;
	}
	if (t->count == t->capacity) {
		t->capacity = t->capacity ? 2 * t->capacity : 32;
		t->stations = xreallocarray(t->stations, t->capacity,
		                            sizeof(*t->stations));
	}
	t->stations[t->count] = (struct station){ .mac = mac };
	hash_table_add(&t->index, hash, t->count);
	return &t->stations[t->count++];
}

static bool contains(const struct in6_addr *ips, uint8_t n,
                     const struct in6_addr *ip)
{
	for (uint8_t i = 0; i < n; i++)
		if (addr_equal(&ips[i], ip))
			return true;
	return false;
}

static void note_claim(struct station *s, const struct in6_addr *ip)
{
	if (!addr_is_unicast(ip) || contains(s->claimed, s->n_claimed, ip))
		return;
	if (s->n_claimed < STATION_IPS_MAX)
		s->claimed[s->n_claimed++] = *ip;
}

static void note_ip(struct station *s, const struct in6_addr *ip)
{
	if (!addr_is_unicast(ip) || contains(s->ips, s->n_ips, ip))
		return;
	if (s->n_ips < STATION_IPS_MAX)
		s->ips[s->n_ips++] = *ip;
	else
		s->many_ips = true;
}

static void note_sender(struct station *s, const struct packet *p)
{
	if (p->group)
		s->sent_group++;
	else
		s->sent++;
	if (p->direction == FRAME_DIRECTION_IN)
		s->sent_in++;
	if (p->direction == FRAME_DIRECTION_OUT)
		s->sent_out++;
	s->vlan = p->n_vlans > 0 ? p->vlans[0] : 0;
	if (p->ip_version != 0)
		note_ip(s, &p->src);
	if (p->dhcp.known && addr_is_zero(&p->src) &&
	    mac_equal(p->dhcp.client_mac, s->mac))
		s->asks_lease = true;
	if (p->kind == PACKET_KIND_ARP && mac_equal(p->arp.sender_mac, s->mac))
		note_claim(s, &p->arp.sender_ip);
	if (p->kind == PACKET_KIND_ICMPV6 &&
	    p->icmp.type == ICMPV6_NEIGHBOR_ADVERT)
		note_claim(s, &p->icmp.target);
}

void station_table_feed(struct station_table *t, const struct packet *p)
{
	struct station *s;

	if (!p->group)
		t->unicast++;
	if (p->has_eth_src && !mac_is_group(p->eth_src) &&
	    (s = get(t, p->eth_src)))
		note_sender(s, p);
	if (p->has_eth_dst && !p->group && (s = get(t, p->eth_dst)))
		s->received++;
}

const struct station *station_table_find(const struct station_table *t,
                                         struct mac mac)
{
	uint32_t i = find(t, mac, hash_bytes(&mac, sizeof(mac)));

	return i == HASH_TABLE_NONE ? NULL : &t->stations[i];
}

const struct station *station_table_owner(const struct station_table *t,
                                          const struct in6_addr *ip)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (contains(t->stations[i].claimed, t->stations[i].n_claimed,
		             ip))
			return &t->stations[i];
	return NULL;
}

bool station_has_ip(const struct station *s, const struct in6_addr *ip)
{
	return contains(s->ips, s->n_ips, ip) ||
	       contains(s->claimed, s->n_claimed, ip);
}

bool station_is_slirp(const struct station *s)
{
	struct in6_addr ip = addr_from_v4(s->mac.bytes + 2);

	return s->mac.bytes[0] == 0x52 && s->mac.bytes[1] == 0x55 &&
	       contains(s->claimed, s->n_claimed, &ip);
}

void station_table_free(struct station_table *t)
{
	free(t->stations);
	hash_table_free(&t->index);
}
