/*
 * Flows and their tries at one observation point.
 *
 * A flow is a client that asks a server: the 5-tuple of TCP and UDP, the two
 * addresses and the id of ICMP echo, asker and target of ARP and NDP.  A try is
 * one request frame of it: a SYN, an echo request, a DNS query, an ARP request.
 * Copies of one frame at one point (an any-interface capture without interface
 * numbers) are one try.  Entries are indices: the arrays move when they grow.
 */
#ifndef PCAPDIAG_TRACK_FLOW_H
#define PCAPDIAG_TRACK_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "decode/packet.h"
#include "facts/vocabulary.h"
#include "track/stream_head.h"

#define FLOW_NONE UINT32_MAX

/** struct flow_key - Who asks whom; ports are 0 where there are none */
struct flow_key {
	struct in6_addr client;
	struct in6_addr server;
	uint16_t client_port; /* ICMP echo: the id */
	uint16_t server_port;
	uint32_t protocol; /* enum protocol */
};

/**
 * struct tcp_recovery - What one side of a TCP connection had to send again
 * @segments:	those with data
 * @resent:	of them, those that this point had already and that nobody had
 *		acknowledged here: it or the acknowledgement was lost beyond
 * @filled:	those that came after later ones: the first try was lost before
 *		this point
 * @again_seq, @filled_seq: the last of each
 * @hole_from, @hole_to, @hole_ns: what is missing, and since when
 * @newest_id:	IP id of the newest one: copies of a frame have an older one
 */
struct tcp_recovery {
	uint32_t segments;
	uint32_t resent;
	uint32_t filled;
	uint32_t again_seq;
	uint32_t filled_seq;
	uint32_t hole_from;
	uint32_t hole_to;
	uint16_t newest_id;
	int64_t hole_ns;
};

/**
 * struct tcp_progress - One direction of a TCP connection, in sequence numbers
 * @next:	end of the highest byte seen
 * @acked:	highest acknowledgement by the other side
 * @repeats:	segments that were sent again since @next last rose
 * @last_ns:	when @next last rose
 * @hole_from_ns, @hole_to_ns: when bytes up to @hole_end passed that were
 *		acknowledged and have not been seen; @hole_to_ns 0: none
 * @idle_ns:	how long the connection was silent before the oldest byte that is
 *		not acknowledged
 */
struct tcp_progress {
	uint32_t next;
	uint32_t acked;
	uint32_t repeats;
	int64_t last_ns;
	int64_t idle_ns;
	int64_t hole_from_ns;
	int64_t hole_to_ns;
	uint32_t hole_end;
	bool known;
	struct tcp_recovery recovery;
};

enum flow_forgot {
	FLOW_FORGOT_NOBODY,
	FLOW_FORGOT_CLIENT,
	FLOW_FORGOT_SERVER,
};

/**
 * struct flow - One flow
 * @newest:	its newest try, or FLOW_NONE
 * @sent, @received: packets of the client and of the server
 * @sent_bytes, @received_bytes: payload
 * @synacks:	SYN-ACKs, copies and repetitions included
 * @client_resets, @server_resets: TCP resets
 * @client_mac, @server_mac: last seen as sender of the client's and of the
 *		server's packets; zero: not seen
 * @next_hop:	link address that the client's packets were sent to
 * @client_ttl, @server_ttl: of the last packet of each
 * @client_data, @server_data: TCP: how far each side's bytes got
 * @client_head, @server_head: TCP: how each side's bytes begin
 * @client_last_ns, @server_last_ns: last packet of each
 * @finished:	TCP: a FIN was seen
 * @forgot:	TCP: who answered the other's data with a bare reset, as one
 *		does that does not know the connection (RFC 9293, 3.5.1)
 */
struct flow {
	struct flow_key key;
	uint32_t newest;
	uint32_t n_tries;
	uint32_t n_answered;
	uint32_t n_refused;
	uint64_t sent;
	uint64_t received;
	uint64_t sent_bytes;
	uint64_t received_bytes;
	uint32_t synacks;
	uint32_t client_resets;
	uint32_t server_resets;
	int64_t first_ns;
	int64_t last_ns;
	struct mac client_mac;
	struct mac server_mac;
	struct mac next_hop;
	uint8_t client_ttl;
	uint8_t server_ttl;
	uint16_t vlan;
	bool has_syn;
	struct tcp_progress client_data;
	struct tcp_progress server_data;
	struct stream_head client_head;
	struct stream_head server_head;
	int64_t client_last_ns;
	int64_t server_last_ns;
	bool finished;
	enum flow_forgot forgot;
};

enum try_answer {
	TRY_UNANSWERED,
	TRY_ANSWERED,
	TRY_REFUSED, /* reset or ICMP error */
};

/**
 * struct try - One request frame
 * @older:	the flow's try before it, or FLOW_NONE
 * @key:	packet_key()
 * @id:		TCP sequence number, ICMP sequence number, DNS id
 * @name:	DNS: hash of name and type of the question; 0: not captured
 * @answer_ns, @answer_frame: the first answer; meaningful if answered
 * @answer_ttl, @answer_mac: of the first answer
 * @n_answers:	answers, repetitions included
 * @refusal:	how it was refused, if it was
 * @refused_by:	who sent the refusal
 * @rcode:	DNS
 * @last_ttl:	of the newest copy of the request at this point
 * @cut:	it is the first fragment of its packet
 * @turns:	how often the same packet came by again with a smaller TTL
 * @unicast:	sent to one machine, as far as the frame tells
 * @vlan:	outermost tag of the request; 0: none
 * @dropped, @answer_dropped: the capture itself says that the request, an
 *		answer, went no further than this point
 * @undone:	the client's side refused the answer (a reset after a SYN-ACK,
 *		a port unreachable for a UDP answer)
 */
struct
try {
	uint32_t flow;
	uint32_t older;
	uint64_t key;
	uint64_t frame;
	uint64_t answer_frame;
	int64_t ts_ns;
	int64_t answer_ns;
	uint64_t name;
	uint32_t id;
	uint16_t ip_id;
	uint16_t vlan;
	uint16_t n_answers;
	struct mac dst_mac;
	struct mac src_mac;
	struct mac answer_mac;
	bool has_dst_mac;
	bool unicast;
	bool cut;
	uint8_t ttl;
	uint8_t last_ttl;
	uint8_t turns;
	uint8_t answer_ttl;
	uint8_t rcode;
	enum try_answer answer;
	enum refusal refusal;
	struct in6_addr refused_by;
	bool undone;
	bool dropped;
	bool answer_dropped;
};

/** struct flow_table - Zero-initialised is empty; owns its arrays */
struct flow_table {
	struct flow *flows;
	uint32_t n_flows;
	uint32_t flow_capacity;
	struct hash_table index;
	struct try *tries; /* in order of frame */
	uint32_t n_tries;
	uint32_t try_capacity;
	bool full; /* a limit was reached: later flows or tries are missing */
};

/** flow_key_is_resolution() - ARP, or the neighbour discovery that IPv6 has instead */
bool flow_key_is_resolution(const struct flow_key *key);

/** flow_table_find() - The flow with this key, or FLOW_NONE */
uint32_t flow_table_find(const struct flow_table *t,
                         const struct flow_key *key);

/** flow_table_get() - The same, added if it is new; FLOW_NONE if full */
uint32_t flow_table_get(struct flow_table *t, const struct flow_key *key);

/**
 * flow_table_add_try() - Note a request of @flow
 * @id:		see struct try
 *
 * Return: the try, or FLOW_NONE if it is a copy of the newest or the table full
 */
uint32_t flow_table_add_try(struct flow_table *t, uint32_t flow,
                            const struct packet *p, uint32_t id);

/** flow_table_note_client() - Note a packet of the client (any, also tries) */
void flow_table_note_client(struct flow_table *t, uint32_t flow,
                            const struct packet *p);

/** flow_table_note_server() - Note a packet of the server */
void flow_table_note_server(struct flow_table *t, uint32_t flow,
                            const struct packet *p);

/** flow_table_answer() - @p answers try @i in the way of @answer */
void flow_table_answer(struct flow_table *t, uint32_t i, const struct packet *p,
                       enum try_answer answer);

void flow_table_free(struct flow_table *t);

#endif
