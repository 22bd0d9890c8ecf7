/*
 * A run in the terms of one point: what was seen there, and the addresses, ports
 * and ids that it has there.
 */
#ifndef PCAPDIAG_CORRELATE_EVIDENCE_TERMS_H
#define PCAPDIAG_CORRELATE_EVIDENCE_TERMS_H

#include "correlate/run.h"

/* So many ports or ids fit into a filter that a person can still read. */
#define IDS_MAX 32

/** struct terms - The run in the terms of one point */
struct terms {
	uint32_t point;
	bool seen;       /* at least one try was */
	bool has_client; /* its address here is known */
	bool has_server;
	bool cut;     /* all requests were sent in fragments */
	bool by_time; /* nothing else tells it from the same of others */
	struct in6_addr client;
	struct in6_addr server;
	uint16_t server_port;
	struct mac client_mac;
	size_t n_seen;
	size_t n_dropped[2]; /* requests, replies: right there */
	size_t n_answered;
	int64_t ports[IDS_MAX];
	size_t n_ports; /* IDS_MAX + 1: too many */
	int64_t ids[IDS_MAX];
	size_t n_ids;
	int64_t ip_ids[IDS_MAX];
	size_t n_ip_ids; /* none if a request has none */
	bool stalled[2]; /* requests, replies: the bytes of a connection */
	int64_t lost[IDS_MAX]; /* their sequence numbers */
	size_t n_lost;
	size_t n_refused;
	size_t n_host_resets;
	struct in6_addr refused_by;
	enum refusal refusal;
};

/** terms_make() - What @point tells of the run */
struct terms terms_make(const struct scene *s, const struct run *run,
                        uint32_t point);

#endif
