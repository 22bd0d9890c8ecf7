/*
 * One decoded packet: the headers that the rest of the program looks at.
 *
 * A packet is a plain value; pointers in it borrow from the frame.  Integers are
 * in host byte order.  Nothing below a tunnel header is decoded: what it carries
 * is a packet of its own, see packet_decode_inner().
 */
#ifndef PCAPDIAG_DECODE_PACKET_H
#define PCAPDIAG_DECODE_PACKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "capture/capture.h"

/* How far decoding came; the fields up to there are valid in each case. */
enum packet_status {
	PACKET_STATUS_OK,
	PACKET_STATUS_TRUNCATED, /* cut by the snap length inside a header */
	PACKET_STATUS_MALFORMED, /* a header contradicts itself or the frame */
	PACKET_STATUS_UNSUPPORTED, /* a protocol that is not decoded here */
};

/* The innermost header that was decoded. */
enum packet_kind {
	PACKET_KIND_OTHER,
	PACKET_KIND_ARP,
	PACKET_KIND_IP, /* a later fragment or another protocol */
	PACKET_KIND_ICMP,
	PACKET_KIND_ICMPV6,
	PACKET_KIND_TCP,
	PACKET_KIND_UDP,
};

#define PACKET_VLANS_MAX 2
#define PACKET_DNS_ANSWERS_MAX 4

enum tcp_flag {
	TCP_FLAG_FIN = 0x01,
	TCP_FLAG_SYN = 0x02,
	TCP_FLAG_RST = 0x04,
	TCP_FLAG_PSH = 0x08,
	TCP_FLAG_ACK = 0x10,
};

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_QINQ_OLD 0x9100

#define IP_PROTO_ICMP 1
#define IP_PROTO_TCP 6
#define IP_PROTO_UDP 17
#define IP_PROTO_GRE 47
#define IP_PROTO_ICMPV6 58

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_REDIRECT 5
#define ICMP_ECHO_REQUEST 8
#define ICMP_TIME_EXCEEDED 11
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129
#define ICMPV6_ROUTER_SOLICIT 133
#define ICMPV6_ROUTER_ADVERT 134
#define ICMPV6_NEIGHBOR_SOLICIT 135
#define ICMPV6_NEIGHBOR_ADVERT 136

#define PORT_DNS 53
#define PORT_DHCP_SERVER 67
#define PORT_DHCP_CLIENT 68
#define VIRTIO_HEADER_MAX 12
#define PORT_VXLAN 4789
#define PORT_GENEVE 6081

/** struct arp_header - ARP for Ethernet and IPv4 (RFC 826) */
struct arp_header {
	uint16_t op; /* 1 request, 2 reply */
	struct mac sender_mac;
	struct mac target_mac;
	struct in6_addr sender_ip;
	struct in6_addr target_ip;
};

/** struct tcp_header - TCP (RFC 9293) with the options that are looked at */
struct tcp_header {
	uint32_t seq;
	uint32_t ack;
	uint16_t window;
	uint8_t flags; /* enum tcp_flag */
	uint16_t mss;  /* 0: no option */
	bool has_timestamp;
	bool unfinished_checksum; /* the pseudo-header's sum: offload */
	uint32_t ts_value;
};

/** struct quoted_packet - What an ICMP error says of the packet it is about */
struct quoted_packet {
	bool valid; /* addresses, protocol and the first 4 bytes behind IP */
	uint8_t ip_proto;
	uint16_t ip_id;
	struct in6_addr src;
	struct in6_addr dst;
	uint16_t src_port; /* ICMP echo: the id */
	uint16_t dst_port; /* ICMP echo: the sequence number */
};

/** struct icmp_header - ICMP (RFC 792) or ICMPv6 (RFC 4443, 4861) */
struct icmp_header {
	uint8_t type;
	uint8_t code;
	uint16_t id;            /* echo */
	uint16_t seq;           /* echo */
	uint16_t mtu;           /* fragmentation needed */
	uint16_t lifetime;      /* router advertisement: s; 0: not a router */
	uint8_t prefix_bits;    /* of its first on-link prefix; 0: none */
	struct in6_addr target; /* neighbour discovery; or that prefix */
	struct quoted_packet quoted;
};

/** struct dns_header - First question and A/AAAA answers (RFC 1035) */
struct dns_header {
	bool valid;
	bool response;
	bool truncated;
	uint8_t rcode;
	uint16_t id;
	uint16_t type;
	uint64_t name_hash; /* of the lower-case name; 0: not captured */
	struct in6_addr answers[PACKET_DNS_ANSWERS_MAX];
	uint8_t n_answers;
};

/**
 * struct dhcp_header - DHCP (RFC 2131) and the options of an address plan
 * @valid:	it has options
 * @known:	the fields before them were captured: @xid, @client_mac, @your_ip,
 *		@client_ip, @reply
 * @cut:	not all of it was captured: what it does not have is not known
 */
struct dhcp_header {
	bool valid;
	bool known;
	bool cut;
	bool reply;
	uint8_t type; /* option 53; 0: BOOTP */
	uint32_t xid;
	struct mac client_mac;
	struct in6_addr your_ip;
	struct in6_addr client_ip;
	struct in6_addr requested_ip; /* option 50, or zero */
	struct in6_addr server_id;    /* option 54, or zero */
	struct in6_addr router;       /* first of option 3, or zero */
	bool has_router;
	bool has_static_routes; /* option 121 */
	uint8_t prefix_bits;    /* option 1; 0: none */
};

enum tunnel_kind {
	TUNNEL_KIND_NONE,
	TUNNEL_KIND_VXLAN,
	TUNNEL_KIND_GENEVE,
	TUNNEL_KIND_GRE,
};

/**
 * struct tunnel - What carries a packet inside another
 * @ethertype:	of what is inside
 * @has_id:	always but for GRE without a key
 * @id:		VNI of VXLAN and Geneve, key of GRE: one network each
 */
struct tunnel {
	enum tunnel_kind kind;
	uint16_t ethertype;
	bool has_id;
	uint32_t id;
};

/**
 * struct packet - One frame, decoded
 * @ts_ns, @frame, @interface: as in struct frame
 * @packet_id, @dropped: likewise
 * @cut:	bytes of the frame that the snap length cut off
 * @direction:	from the frame's flags or the cooked header
 * @ifindex:	SLL2 interface index; -1: none
 * @eth_dst:	not in cooked captures
 * @group:	sent to a broadcast or multicast link address
 * @n_vlans:	tags, outermost first
 * @ip_version:	4, 6 or 0
 * @ip_length:	bytes of the IP packet as its header says (0: offload)
 * @payload:	captured bytes behind the last decoded header
 * @payload_len: how many there were on the wire
 * @carries:	the tunnel header that it ends with: @payload is the packet inside
 * @within:	the tunnel that it came out of
 */
struct packet {
	enum packet_status status;
	enum packet_kind kind;
	int64_t ts_ns;
	uint64_t frame;
	uint32_t interface;
	uint64_t packet_id;
	bool dropped;
	uint32_t wire_len;
	uint32_t cut_bytes; /* of the frame, by the snap length */
	bool is_quoted;     /* decoded up to the IP header only */
	uint32_t cut;
	enum frame_direction direction;
	int64_t ifindex;
	bool loopback; /* from a machine to itself */
	bool has_eth_src;
	bool has_eth_dst;
	bool group;
	struct mac eth_src;
	struct mac eth_dst;
	uint8_t n_vlans;
	uint16_t vlans[PACKET_VLANS_MAX];
	uint16_t ethertype;
	uint8_t ip_version;
	uint8_t ip_proto;
	uint8_t ttl;
	bool more_fragments;
	bool dont_fragment;
	uint16_t ip_id;
	uint16_t fragment_offset; /* bytes */
	uint32_t ip_length;
	struct in6_addr src;
	struct in6_addr dst;
	uint16_t src_port;
	uint16_t dst_port;
	struct arp_header arp;
	struct tcp_header tcp;
	struct icmp_header icmp;
	struct dns_header dns;
	struct dhcp_header dhcp;
	struct cursor payload;
	uint32_t payload_len;
	struct tunnel carries;
	struct tunnel within;
};

/**
 * packet_decode() - Decode @frame, whose interface has link type @linktype
 *
 * Never fails: @packet->status says how far it came.
 */
void packet_decode(const struct frame *frame, uint32_t linktype,
                   struct packet *packet);

/**
 * packet_decode_inner() - Decode what @outer carries through a tunnel
 *
 * Only one tunnel deep: a tunnel inside a tunnel stays closed.
 *
 * Return: false if it carries nothing
 */
bool packet_decode_inner(const struct packet *outer, struct packet *inner);

/**
 * virtio_header_bytes() - Of a header of virtio-net (VIRTIO 1.2, 5.1.6) in front of
 * an Ethernet frame that is said to be all there is
 *
 * Return: 12 or 10; 0: there is none, or what follows is no IP and no ARP
 */
uint32_t virtio_header_bytes(const struct frame *frame);

/** packet_is_icmp_error() - An ICMP or ICMPv6 message that quotes another */
bool packet_is_icmp_error(const struct packet *p);

/**
 * packet_key() - Hash of what survives a bridge, a router and a kernel NAT
 *
 * Equal for one packet at every point, whatever happened to its addresses,
 * ports, ICMP id, TTL, MACs, VLAN tags and checksums; the same in every run.
 * Snap lengths of 96 bytes and more give the same key.  0: no usable key.
 */
uint64_t packet_key(const struct packet *p);

#endif
