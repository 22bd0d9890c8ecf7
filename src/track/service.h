/*
 * What a service is called, by the content of its first packets (nDPI), or else
 * by its port.  The only place that knows nDPI.
 */
#ifndef PCAPDIAG_TRACK_SERVICE_H
#define PCAPDIAG_TRACK_SERVICE_H

#include "decode/packet.h"

#define SERVICE_QUERY_NAME_MAX 32

/**
 * struct service_query - One service and, when it is done, its name
 * @ip_proto:	IP_PROTO_TCP or IP_PROTO_UDP
 * @name:	"" if it cannot be told
 * @by_content:	the packets say so, not only the port
 */
struct service_query {
	uint8_t ip_proto;
	struct in6_addr server;
	uint16_t port;
	char name[SERVICE_QUERY_NAME_MAX];
	bool by_content;
};

struct service_namer;

/** service_namer_new() - For the @n services of @queries, which are borrowed;
 * NULL if nDPI cannot be had */
struct service_namer *service_namer_new(struct service_query *queries,
                                        size_t n);

/** service_namer_packet() - A packet at the one point that is looked at
 *
 * Of a server the first packets of few flows are looked at; where it says
 * nothing, those of others with the same port stand for it.
 *
 * Return: false once no more packet is needed
 */
bool service_namer_packet(struct service_namer *namer, const struct packet *p);

/** service_namer_finish() - Set the names, free @namer; NULL is allowed */
void service_namer_finish(struct service_namer *namer);

#endif
