/*
 * Link-layer and IP addresses as values.  An IPv4 address is an IPv4-mapped
 * IPv6 address (RFC 4291, 2.5.5.2) everywhere inside the program.
 */
#ifndef PCAPDIAG_BASE_ADDR_H
#define PCAPDIAG_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct mac {
	uint8_t bytes[6];
};

#define ADDR_TEXT_MAX 64

/** addr_from_v4() - The mapped form of 4 bytes in network order */
struct in6_addr addr_from_v4(const uint8_t bytes[4]);

bool addr_is_v4(const struct in6_addr *ip);

/** addr_v4() - An IPv4 address in host byte order; 0 if it is not IPv4 */
uint32_t addr_v4(const struct in6_addr *ip);

static inline bool addr_equal(const struct in6_addr *a,
                              const struct in6_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/** addr_is_zero() - 0.0.0.0 or :: */
bool addr_is_zero(const struct in6_addr *ip);

/** addr_is_unicast() - Neither zero nor multicast nor 255.255.255.255 */
bool addr_is_unicast(const struct in6_addr *ip);

/** addr_is_link_local() - 169.254/16 or fe80::/10 */
bool addr_is_link_local(const struct in6_addr *ip);

/** addr_is_private() - RFC 1918, RFC 6598 or RFC 4193 */
bool addr_is_private(const struct in6_addr *ip);

/**
 * addr_in_prefix() - Is @ip in @net/@bits?
 * @bits: of the address family's own length (32 or 128); an address of the
 *        other family is never in it
 */
bool addr_in_prefix(const struct in6_addr *ip, const struct in6_addr *net,
                    unsigned int bits);

/** addr_text() - Write @ip as tshark shows it (dotted quad or RFC 5952) */
const char *addr_text(const struct in6_addr *ip, char out[ADDR_TEXT_MAX]);

/** addr_parse() - Read a dotted quad or an IPv6 address; false if it is none */
bool addr_parse(const char *text, struct in6_addr *ip);

static inline bool mac_equal(struct mac a, struct mac b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

bool mac_is_zero(struct mac mac);

/** mac_is_group() - Broadcast or multicast */
bool mac_is_group(struct mac mac);
bool mac_is_broadcast(struct mac mac);

/** mac_text() - Write aa:bb:cc:dd:ee:ff */
const char *mac_text(struct mac mac, char out[ADDR_TEXT_MAX]);

/** mac_parse() - Read aa:bb:cc:dd:ee:ff; false if it is not that */
bool mac_parse(const char *text, struct mac *mac);

#endif
