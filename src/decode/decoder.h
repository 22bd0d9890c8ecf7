/*
 * The decoders behind packet_decode().  Each reads one header from the cursor,
 * fills its part of the packet, and says what comes next.
 */
#ifndef PCAPDIAG_DECODE_DECODER_H
#define PCAPDIAG_DECODE_DECODER_H

#include "decode/packet.h"

/* A decoder returns what it found; the caller goes on or stops. */
typedef enum packet_status decode_function(struct packet *p, struct cursor *c);

decode_function decode_arp;
decode_function decode_ipv4;
decode_function decode_ipv6;
decode_function decode_icmp;
decode_function decode_icmpv6;
decode_function decode_tcp;
decode_function decode_udp;
decode_function decode_dns;
decode_function decode_dhcp;
decode_function decode_vxlan;
decode_function decode_geneve;
decode_function decode_gre;
decode_function decode_ethernet;

/** decode_ethertype() - Go on behind a link header with @p->ethertype */
enum packet_status decode_ethertype(struct packet *p, struct cursor *c);

/** decode_transport() - Go on behind an IP header with @p->ip_proto */
enum packet_status decode_transport(struct packet *p, struct cursor *c);

/** cursor_mac(), cursor_ipv4(), cursor_ipv6() - Addresses off the wire */
struct mac cursor_mac(struct cursor *c);
struct in6_addr cursor_ipv4(struct cursor *c);
struct in6_addr cursor_ipv6(struct cursor *c);

#endif
