/*
 * The vocabulary: every kind of fact, every field with its type and meaning,
 * every word of every enum, and the evidence legs, in one table each
 * (vocabulary.c).  Rules are typed against it; --list-facts prints it.
 */
#ifndef PCAPDIAG_FACTS_VOCABULARY_H
#define PCAPDIAG_FACTS_VOCABULARY_H

#include <stddef.h>

#include "facts/value.h"

enum fact_kind {
	/* Exchanges: one client, one server and port, one run of tries. */
	FACT_KIND_ARP,
	FACT_KIND_NDP,
	FACT_KIND_ICMP,
	FACT_KIND_TCP,
	FACT_KIND_UDP,
	FACT_KIND_DNS,
	FACT_KIND_DHCP,
	/* One: the two captures and how they belong together. */
	FACT_KIND_CAPTURE_PAIR,
	/* One for each capture file. */
	FACT_KIND_CAPTURE,
	/* An IP address that somebody on the link claims. */
	FACT_KIND_ADDRESS,
	/* One for each NIC of the guest. */
	FACT_KIND_NIC,
	/* TCP segments that get lost at one place, on one way. */
	FACT_KIND_LOSS,
	FACT_KIND_COUNT,
	/* In rules only: any of the exchanges. */
	FACT_KIND_EXCHANGE = FACT_KIND_COUNT,
};

#define FACT_KIND_BIT(kind) (1u << (kind))
#define FACT_KINDS_EXCHANGE                                                    \
	(FACT_KIND_BIT(FACT_KIND_ARP) | FACT_KIND_BIT(FACT_KIND_NDP) |         \
	 FACT_KIND_BIT(FACT_KIND_ICMP) | FACT_KIND_BIT(FACT_KIND_TCP) |        \
	 FACT_KIND_BIT(FACT_KIND_UDP) | FACT_KIND_BIT(FACT_KIND_DNS) |         \
	 FACT_KIND_BIT(FACT_KIND_DHCP))

/* The words of the enums; the numbers are indices into enum_set.words. */

enum place {
	PLACE_GUEST,
	PLACE_GUEST_HOST_PATH,
	PLACE_HOST,
	PLACE_NAT,
	PLACE_BEYOND_HOST,
	PLACE_CAPTURE,
};

enum path_direction {
	PATH_DIRECTION_FROM_GUEST,
	PATH_DIRECTION_TO_GUEST,
};

enum lost_leg {
	LOST_LEG_NONE,
	LOST_LEG_REQUEST,   /* the request vanishes between two points */
	LOST_LEG_RESPONDER, /* it arrives at the last point, no answer is seen */
	LOST_LEG_REPLY,     /* the answer vanishes between two points */
};

enum outcome {
	OUTCOME_WORKED,
	OUTCOME_FAILED,
	OUTCOME_REFUSED,      /* answered by a reset or an ICMP error */
	OUTCOME_INTERMITTENT, /* 10 to 90 % of the tries worked */
	OUTCOME_UNDECIDED,
};

enum network_mode {
	NETWORK_MODE_BRIDGED,
	NETWORK_MODE_NAT,
	NETWORK_MODE_USER_NAT,
	NETWORK_MODE_HOST_ONLY,
	NETWORK_MODE_ROUTED,
	NETWORK_MODE_UNKNOWN,
};

/* Who sent something, as far as the captures show. */
enum party {
	PARTY_GUEST,
	PARTY_HOST,
	PARTY_GATEWAY,
	PARTY_SERVER,
	PARTY_CLIENT,
	PARTY_OTHER,
};

enum protocol {
	PROTOCOL_ARP,
	PROTOCOL_NDP,
	PROTOCOL_ICMP,
	PROTOCOL_TCP,
	PROTOCOL_UDP,
	PROTOCOL_DNS,
	PROTOCOL_DHCP,
};

enum capture_role {
	CAPTURE_ROLE_HOST,
	CAPTURE_ROLE_VM,
};

/* How a refused exchange was refused. */
enum refusal {
	REFUSAL_NONE,
	REFUSAL_RESET,
	REFUSAL_NET_UNREACHABLE,
	REFUSAL_HOST_UNREACHABLE,
	REFUSAL_PORT_UNREACHABLE,
	REFUSAL_PROHIBITED,
	REFUSAL_TTL_EXCEEDED,
	REFUSAL_OTHER,
};

/**
 * struct enum_set - The words of one enum
 * @name:	name of the enum in --list-facts
 * @words:	NULL-terminated; index is the value
 */
struct enum_set {
	const char *name;
	const char *const *words;
};

extern const struct enum_set enum_set_place;
extern const struct enum_set enum_set_direction;
extern const struct enum_set enum_set_leg;
extern const struct enum_set enum_set_outcome;
extern const struct enum_set enum_set_mode;
extern const struct enum_set enum_set_party;
extern const struct enum_set enum_set_protocol;
extern const struct enum_set enum_set_role;
extern const struct enum_set enum_set_refusal;

/** enum_set_find() - Index of @word, or -1 */
int enum_set_find(const struct enum_set *set, const char *word, size_t len);

/* Fields; the table in vocabulary.c has name, type, kinds and meaning. */
enum field {
	/* every exchange */
	FIELD_PROTO,
	FIELD_DIRECTION,
	FIELD_CLIENT_IP,
	FIELD_CLIENT_MAC,
	FIELD_CLIENT_IS_GUEST,
	FIELD_CLIENT_IS_HOST,
	FIELD_SERVER_IP,
	FIELD_SERVER_MAC,
	FIELD_SERVER_PORT,
	FIELD_SERVER_IS_GUEST,
	FIELD_SERVER_IS_HOST,
	FIELD_SERVER_FORWARDED,
	FIELD_SERVER_IS_GATEWAY,
	FIELD_SERVER_ON_LINK,
	FIELD_SERVER_ALIVE,
	FIELD_GUEST_IS_END,
	FIELD_MODE,
	FIELD_UPLINK_SEEN,
	FIELD_REFUSALS_SEEN,
	FIELD_TRIES,
	FIELD_ANSWERS,
	FIELD_OUTCOME,
	FIELD_FIRST,
	FIELD_LAST,
	FIELD_SPAN,
	FIELD_SEEN_VM,
	FIELD_SEEN_HOST,
	FIELD_SEEN_OUTERMOST,
	FIELD_ANSWERS_VM,
	FIELD_ANSWERS_HOST,
	FIELD_LOST_LEG,
	FIELD_LOST_PLACE,
	FIELD_LOST_SPLIT,
	FIELD_TRANSLATED,
	FIELD_PRIVATE_SOURCE,
	FIELD_NEXT_HOP_ALIVE,
	FIELD_GUEST_ALIVE,
	FIELD_DST_MAC_IS_GUEST,
	FIELD_REFUSAL,
	FIELD_REFUSED_BY,
	FIELD_ANSWER_REFUSED_BY_HOST,
	FIELD_CLIENT_PORTS_TRIED,
	FIELD_REFUSAL_TTL_DIFFERS,
	FIELD_FORGOTTEN_BY,
	FIELD_UNACKED_BYTES,
	FIELD_STALLED,
	FIELD_SILENT_TO_PEER,
	FIELD_NEXT_HOP_CURRENT,
	FIELD_NEXT_HOP_MAC,
	FIELD_NEXT_HOP_MAC_NOW,
	FIELD_SERVER_VIA_ROUTER,
	FIELD_DST_MAC,
	FIELD_CLIENT_ON_LINK,
	FIELD_SILENT_OFF_LINK,
	FIELD_SENDS_OFF_LINK,
	FIELD_HAS_GATEWAY,
	FIELD_GUEST_NICS,
	FIELD_LEASE_WITHOUT_ROUTER,
	FIELD_UNUSED_ANSWERS,
	FIELD_NEXT_HOP_FORWARDS,
	FIELD_NEXT_HOP_PEERS,
	FIELD_ANOTHER_ROUTER,
	FIELD_NEXT_HOP_IS_HOST,
	FIELD_USUAL_GATEWAY,
	FIELD_REDIRECTED,
	FIELD_TURNS,
	FIELD_TURNS_FROM,
	FIELD_TURNS_TO,
	FIELD_CLIENT_ALONE_LOST,
	FIELD_CLIENT_PROTOCOLS_LOST,
	FIELD_CLIENT_ROUTED_ELSEWHERE,
	FIELD_ANSWER_FROM_OTHER,
	FIELD_ANSWER_IP,
	FIELD_SENT_ON_TO,
	FIELD_ANSWER_OTHER_NIC,
	FIELD_CONCURRENT,
	FIELD_POOL_FULL,
	FIELD_ALIVE_OUTSIDE,
	FIELD_IDLE_BEFORE,
	FIELD_SERVER_OWN_HOST,
	FIELD_CLIENT_OWN_HOST,
	FIELD_NAT_PASSES_ON,
	FIELD_SERVER_SOUGHT,
	/* capture_pair */
	FIELD_PAIR_SHARED_PACKETS,
	FIELD_PAIR_SAME_GUEST,
	FIELD_PAIR_SAME_FILE,
	FIELD_PAIR_SWAPPED,
	FIELD_PAIR_GAP,
	FIELD_PAIR_OVERLAP,
	FIELD_PAIR_GUEST_WORKS_OUTSIDE,
	FIELD_PAIR_GUEST_TRIES_OUTSIDE,
	FIELD_PAIR_BOTH_GIVEN,
	FIELD_PAIR_SHARED_STATIONS,
	FIELD_PAIR_HOST_LOOPBACK,
	FIELD_PAIR_APART,
	/* capture */
	FIELD_CAPTURE_ROLE,
	FIELD_CAPTURE_FILE,
	FIELD_CAPTURE_PACKETS,
	FIELD_CAPTURE_FIRST,
	FIELD_CAPTURE_LAST,
	FIELD_CAPTURE_SPAN,
	FIELD_CAPTURE_FILTERED,
	FIELD_CAPTURE_HIDDEN,
	FIELD_CAPTURE_GUEST_FRAMES,
	FIELD_CAPTURE_SHORTENED,
	FIELD_CAPTURE_DROPS,
	FIELD_CAPTURE_CUT,
	FIELD_CAPTURE_ONE_WAY,
	FIELD_CAPTURE_LACKS,
	FIELD_CAPTURE_HEADERS_CUT,
	FIELD_CAPTURE_KEPT,
	FIELD_CAPTURE_UNSEEN_ACKS,
	FIELD_CAPTURE_TCP_PACKETS,
	FIELD_CAPTURE_GAP_SECONDS,
	FIELD_CAPTURE_GAP_FIRST,
	FIELD_CAPTURE_GAP_LAST,
	FIELD_CAPTURE_OVERSIZE,
	FIELD_CAPTURE_LARGEST,
	FIELD_CAPTURE_UNFINISHED,
	FIELD_CAPTURE_HEADER_BYTES,
	/* address */
	FIELD_ADDRESS_IP,
	FIELD_ADDRESS_FIRST_MAC,
	FIELD_ADDRESS_SECOND_MAC,
	FIELD_ADDRESS_IS_GUESTS,
	FIELD_ADDRESS_IS_GATEWAYS,
	FIELD_ADDRESS_BOTH_ALIVE,
	FIELD_ADDRESS_DOUBLES,
	FIELD_ADDRESS_REFUSED_PROBES,
	FIELD_ADDRESS_UNSOLICITED,
	FIELD_ADDRESS_PERIOD,
	FIELD_ADDRESS_ORIGINATES,
	FIELD_ADDRESS_VIRTUAL_MAC,
	FIELD_ADDRESS_ONE_MACHINE,
	FIELD_ADDRESS_PROXIED,
	/* nic */
	FIELD_NIC_MAC,
	FIELD_NIC_IP,
	FIELD_NIC_FRAMES_OUT,
	FIELD_NIC_UNICAST_IN,
	FIELD_NIC_AT_HOST,
	FIELD_NIC_HOST_FRAMES,
	FIELD_NIC_TARGETS_KNOWN,
	FIELD_NIC_BEFORE,
	FIELD_NIC_FOREIGN_IP,
	FIELD_NIC_FOREIGN_FRAMES,
	FIELD_NIC_UNHEARD,
	FIELD_NIC_UNHEARD_IP,
	FIELD_NIC_UNHEARD_TIME,
	FIELD_NIC_DOUBLED,
	FIELD_NIC_DOUBLED_OF,
	FIELD_NIC_DOUBLED_PERCENT,
	FIELD_NIC_DOUBLED_OUT_PERCENT,
	/* loss */
	FIELD_LOSS_SEGMENTS,
	FIELD_LOSS_LOST,
	FIELD_LOSS_PEERS,
	FIELD_LOSS_SENDER_IP,
	FIELD_LOSS_RECEIVER_IP,
	FIELD_LOSS_BY_SIZE,
	/* labels: facts with equal labels are related */
	FIELD_LABEL_GUEST,
	FIELD_LABEL_SEGMENT,
	FIELD_LABEL_PEER,
	FIELD_LABEL_ADDRESS,
	FIELD_LABEL_NEXT_HOP,
	FIELD_LABEL_WAY,
	FIELD_LABEL_SERVER,
	FIELD_LABEL_FLOW,
	FIELD_LABEL_VLAN,
	FIELD_LABEL_PROTO,
	FIELD_LABEL_DIRECTION,
	FIELD_COUNT,
};

/**
 * struct field_info - One row of the vocabulary
 * @name:	as rules write it ("client.ip"); labels by their plain name
 * @type:	type of its values
 * @words:	the enum's words where @type is VALUE_TYPE_ENUM, else NULL
 * @kinds:	FACT_KIND_BIT()s of the kinds that have it
 * @meaning:	one line for --list-facts
 */
struct field_info {
	const char *name;
	enum value_type type;
	const struct enum_set *words;
	unsigned int kinds;
	const char *meaning;
};

const struct field_info *field_info(enum field field);

/**
 * field_find() - The field that a rule over facts of @kinds means by @name
 *
 * Return: the field if every kind in @kinds has one of that name, else -1.
 * Labels are not found by this but by label_find().
 */
int field_find(unsigned int kinds, const char *name, size_t len);

/** label_find() - The label field called @name, or -1 */
int label_find(const char *name, size_t len);

/** fact_kind_name() - "arp", "exchange" … */
const char *fact_kind_name(enum fact_kind kind);

/** fact_kind_find() - Bits of the kind called @name; 0: there is none */
unsigned int fact_kind_find(const char *name, size_t len);

/* Evidence sets, written LEG@POINT in rules. */
enum evidence_leg {
	EVIDENCE_REQUEST,
	EVIDENCE_REPLY,
	EVIDENCE_REFUSAL,    /* the reset or ICMP error that came as answer */
	EVIDENCE_HOST_RESET, /* the host refusing the answer */
	EVIDENCE_OTHER,      /* what else bears on it */
};

/** evidence_leg_find() - "request", "reply", "refusal", …; -1: unknown */
int evidence_leg_find(const char *name, size_t len);
const char *evidence_leg_name(enum evidence_leg leg);

#endif
