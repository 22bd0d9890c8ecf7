/*
 * A passing: one packet of the guest as one point shows it, in terms that are
 * the same at all points.
 */
#ifndef PCAPDIAG_CORRELATE_PASSING_H
#define PCAPDIAG_CORRELATE_PASSING_H

#include "correlate/scene.h"

/* How offload may cut a packet differently at another point */
enum passing_cut {
	PASSING_WHOLE,     /* never */
	PASSING_BYTES,     /* TCP data: a range of sequence numbers */
	PASSING_DATAGRAMS, /* UDP: several in one */
};

/**
 * struct passing - See above
 * @key:	packet_key()
 * @start:	equal for packets that begin with the same byte
 * @points:	bit of the point
 * @host_ns:	time in the host's clock
 * @direction:	the packet's
 * @class:	its class
 * @cut:	whether @seq and @len say what it carries
 * @seq, @len:	TCP sequence number and payload bytes, or just the bytes
 * @peer, @peer_port: the other end: NAT does not touch it
 * @station:	link address of the other end's side, on the guest's link; zero where
 *		that is not known
 * @ip_id:	0: none
 * @packet_id:	pcapng packet id; 0: none
 * @flow, @service: behind NAT: the flow as the host sees it, and the guest's
 *		port of it; 0 elsewhere
 * @sure:	it is the guest's; else it may be, if it is seen there
 * @group:	broadcast or multicast
 * @for_all:	of somebody else, and not asking for the guest
 * @doubled:	the point shows each frame several times
 * @leaves:	it is for somebody beyond the guest's link
 */
struct passing {
	uint64_t key;
	uint64_t start;
	uint64_t points;
	int64_t host_ns;
	uint64_t flow;
	uint64_t service;
	uint64_t packet_id;
	struct in6_addr peer;
	struct mac station;
	uint16_t peer_port;
	uint16_t ip_id;
	uint32_t seq;
	uint32_t len;
	enum path_direction direction;
	enum traffic_class class;
	enum passing_cut cut;
	bool sure;
	bool group;
	bool for_all;
	bool doubled;
	bool leaves;
};

/** passing_make() - What @point shows at @host_ns; false: not the guest's */
bool passing_make(const struct scene *s, uint32_t point, const struct packet *p,
                  int64_t host_ns, struct passing *out);

#endif
