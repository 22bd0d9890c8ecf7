#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

struct in6_addr addr_from_v4(const uint8_t bytes[4])
{
	struct in6_addr ip;

	memcpy(ip.s6_addr, v4_prefix, sizeof(v4_prefix));
	memcpy(ip.s6_addr + sizeof(v4_prefix), bytes, 4);
	return ip;
}

bool addr_is_v4(const struct in6_addr *ip)
{
	return memcmp(ip->s6_addr, v4_prefix, sizeof(v4_prefix)) == 0;
}

uint32_t addr_v4(const struct in6_addr *ip)
{
	const uint8_t *p = ip->s6_addr + sizeof(v4_prefix);

	if (!addr_is_v4(ip))
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

bool addr_is_zero(const struct in6_addr *ip)
{
	static const struct in6_addr zero;

	if (addr_is_v4(ip))
		return addr_v4(ip) == 0;
	return addr_equal(ip, &zero);
}

bool addr_is_unicast(const struct in6_addr *ip)
{
	if (addr_is_zero(ip))
		return false;
	if (!addr_is_v4(ip))
		return ip->s6_addr[0] != 0xff;
	return addr_v4(ip) >> 28 != 0xe && addr_v4(ip) != UINT32_MAX;
}

static bool v4_in(const struct in6_addr *ip, uint32_t net, unsigned int bits)
{
	return addr_is_v4(ip) && (addr_v4(ip) ^ net) >> (32 - bits) == 0;
}

bool addr_is_link_local(const struct in6_addr *ip)
{
	if (addr_is_v4(ip))
		return v4_in(ip, 0xa9fe0000, 16);
	return ip->s6_addr[0] == 0xfe && (ip->s6_addr[1] & 0xc0) == 0x80;
}

bool addr_is_private(const struct in6_addr *ip)
{
	if (!addr_is_v4(ip))
		return (ip->s6_addr[0] & 0xfe) == 0xfc;
	return v4_in(ip, 0x0a000000, 8) || v4_in(ip, 0xac100000, 12) ||
	       v4_in(ip, 0xc0a80000, 16) || v4_in(ip, 0x64400000, 10);
}

bool addr_in_prefix(const struct in6_addr *ip, const struct in6_addr *net,
                    unsigned int bits)
{
	unsigned int bytes, rest;
	uint8_t differing;

	if (addr_is_v4(ip) != addr_is_v4(net))
		return false;
	if (addr_is_v4(net))
		bits = bits > 32 ? 128 : bits + 96;
	if (bits > 128)
		bits = 128;

	bytes = bits / 8;
	rest = bits % 8;
	if (memcmp(ip->s6_addr, net->s6_addr, bytes) != 0)
		return false;
	if (rest == 0)
		return true;
	differing = ip->s6_addr[bytes] ^ net->s6_addr[bytes];
	return differing >> (8 - rest) == 0;
}

const char *addr_text(const struct in6_addr *ip, char out[ADDR_TEXT_MAX])
{
	if (addr_is_v4(ip))
		return inet_ntop(AF_INET, ip->s6_addr + sizeof(v4_prefix), out,
		                 ADDR_TEXT_MAX);
	return inet_ntop(AF_INET6, ip, out, ADDR_TEXT_MAX);
}

bool addr_parse(const char *text, struct in6_addr *ip)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ip = addr_from_v4((const uint8_t *)&v4);
		return true;
	}
	return inet_pton(AF_INET6, text, ip) == 1;
}

bool mac_is_zero(struct mac mac)
{
	static const struct mac zero;

	return mac_equal(mac, zero);
}

bool mac_is_group(struct mac mac)
{
	return mac.bytes[0] & 1;
}

bool mac_is_broadcast(struct mac mac)
{
	static const struct mac broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff,
		                                0xff } };

	return mac_equal(mac, broadcast);
}

const char *mac_text(struct mac mac, char out[ADDR_TEXT_MAX])
{
	const uint8_t *b = mac.bytes;

	(void)snprintf(out, ADDR_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x",
	               b[0], b[1], b[2], b[3], b[4], b[5]);
	return out;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool mac_parse(const char *text, struct mac *mac)
{
	struct mac parsed;

	for (size_t i = 0; i < sizeof(parsed.bytes); i++) {
		int high = hex_digit(*text);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0)
			return false;
		parsed.bytes[i] = (uint8_t)(high << 4 | low);
		text += 2;
		if (*text++ != (i + 1 < sizeof(parsed.bytes) ? ':' : '\0'))
			return false;
	}
	*mac = parsed;
	return true;
}
