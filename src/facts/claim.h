/*
 * A claim: "at this point, this many frames are such".  It is built once, as a
 * conjunction of terms, and has two back-ends: the display filter that somebody
 * else can run (claim_filter(), here) and the test over decoded packets that
 * counts (correlate/claim_count.h).
 */
#ifndef PCAPDIAG_FACTS_CLAIM_H
#define PCAPDIAG_FACTS_CLAIM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/strbuf.h"

/* What a term looks at.  Names in the filter depend on the link type. */
enum claim_field {
	CLAIM_INTERFACE, /* frame.interface_id; number */
	CLAIM_IFINDEX,   /* sll.ifindex; number */
	CLAIM_VXLAN,     /* inside this VNI */
	CLAIM_GENEVE,    /* likewise */
	CLAIM_GRE_KEY,   /* inside GRE with this key */
	CLAIM_GRE_PLAIN, /* inside GRE without a key; no value */
	CLAIM_TUNNELLED, /* carries or is inside a tunnel; no value */
	CLAIM_OUTGOING, /* leaves the machine, as cooked frames say; no value */
	CLAIM_DROPPED,  /* the capture says that it ended here; no value */
	CLAIM_TIME,     /* frame.time_epoch; >= lo and <= hi, ns */
	CLAIM_ETH_SRC,  /* mac */
	CLAIM_ETH_DST,  /* mac; left out on cooked link types */
	CLAIM_ETH_TYPE_GROUP, /* the destination is broadcast or multicast */
	CLAIM_ARP_OPCODE,
	CLAIM_ARP_SRC_MAC,
	CLAIM_ARP_SRC_IP,
	CLAIM_ARP_DST_IP,
	CLAIM_ARP_DST_MAC,
	CLAIM_IP_SRC, /* ip.src or ipv6.src */
	CLAIM_IP_DST,
	CLAIM_IP_PROTO, /* presence of tcp, udp, icmp or icmpv6 by number */
	CLAIM_IP_ID,
	CLAIM_TCP_SRC_PORT,
	CLAIM_TCP_DST_PORT,
	CLAIM_TCP_SEQ,  /* tcp.seq_raw */
	CLAIM_TCP_DATA, /* it carries payload; no value */
	CLAIM_TCP_SYN,  /* flag bits: 0 or 1 */
	CLAIM_TCP_ACK,
	CLAIM_TCP_RST,
	CLAIM_UDP_SRC_PORT,
	CLAIM_UDP_DST_PORT,
	CLAIM_ICMP_TYPE, /* icmp.type or, for IPv6, icmpv6.type */
	CLAIM_ICMP_CODE,
	CLAIM_ICMP_ID,
	CLAIM_ICMP_SEQ,
	CLAIM_ICMP_CUT, /* IPv4: ICMP, the first of several fragments; no value */
	CLAIM_DNS_ID,
	CLAIM_DNS_RESPONSE, /* 0 or 1 */
	CLAIM_DHCP_TYPE,
	CLAIM_ND_TARGET,
	CLAIM_QUOTED_DST, /* ip.dst of the packet that an ICMP error quotes */
	CLAIM_QUOTED_TCP_SRC_PORT, /* and its ports or its id */
	CLAIM_QUOTED_UDP_SRC_PORT,
	CLAIM_QUOTED_ICMP_ID,
	CLAIM_NOT_QUOTED, /* not an ICMP error: they quote other packets */
	CLAIM_FIELD_COUNT,
};

/**
 * struct claim_term - One condition
 * @field:	what it looks at
 * @negated:	must not hold
 * @n:		number of values; it holds if any of them is equal.  CLAIM_TIME
 *		takes pairs of them, from and to, and holds within any
 * @values:	owned by the claim
 */
union claim_value {
	int64_t number;
	struct in6_addr ip;
	struct mac mac;
};

struct claim_term {
	enum claim_field field;
	bool negated;
	uint32_t n;
	union claim_value *values;
};

#define CLAIM_FRAMES_MAX 16

/**
 * struct claim - A conjunction of terms at one point
 * @capture:	index of the capture in the incident
 * @point:	index of the point in that capture
 * @linktype:	the point's link type: names of fields depend on it
 * @what:	for people: "ARP requests of the guest for 192.168.66.20"; owned
 * @counted:	the late pass has set what follows
 * @count:	frames of the file that the filter selects
 * @frames:	the first of them
 */
struct claim {
	uint32_t capture;
	uint32_t point;
	uint32_t linktype;
	char *what;
	struct claim_term *terms;
	size_t n_terms;
	bool counted;
	uint64_t count;
	uint64_t frames[CLAIM_FRAMES_MAX];
	size_t n_frames;
};

/* Adding terms; each returns nothing and never fails. */
void claim_add_number(struct claim *c, enum claim_field field, int64_t n);
void claim_add_numbers(struct claim *c, enum claim_field field,
                       const int64_t *values, size_t n);
void claim_add_ip(struct claim *c, enum claim_field field,
                  const struct in6_addr *ip);
void claim_add_ips(struct claim *c, enum claim_field field,
                   const struct in6_addr *ips, size_t n);
void claim_add_mac(struct claim *c, enum claim_field field, struct mac mac);
void claim_add_times(struct claim *c, int64_t ranges_ns[][2], size_t n);
void claim_add_flag(struct claim *c, enum claim_field field); /* no value */
void claim_negate_last(struct claim *c);

/** claim_drop() - Take back all terms about @field */
void claim_drop(struct claim *c, enum claim_field field);

/** claim_filter() - Append the display filter (Wireshark 3.6 and later) */
void claim_filter(const struct claim *c, struct strbuf *out);

/** claim_free() - Free what @c owns, not @c */
void claim_free(struct claim *c);

#endif
