/*
 * What relay.c and relay_offset.c share: requests that user-mode NAT may repeat.
 */
#ifndef PCAPDIAG_CORRELATE_RELAY_H
#define PCAPDIAG_CORRELATE_RELAY_H

#include "correlate/scene.h"

/* What is the same for sure: so much is no accident. */
#define RELAY_WEIGHT_MIN 3

/**
 * struct call - One request that a relay may repeat
 * @to:		hash of what it asks: server and port, or name
 * @same:	hash of what only the same exchange has; 0: not known
 * @first:	not sent again
 * @taken:	its counterpart is found
 * @twin:	of the guest's: the try at the host
 */
struct call {
	uint64_t to;
	uint64_t same;
	int64_t ts_ns;
	uint32_t point;
	uint32_t try;
	uint32_t twin;
	bool first;
	bool taken;
};

/** struct call_list - Owns its items */
struct call_list {
	struct call *items;
	size_t n;
	size_t capacity;
};

/**
 * struct relay - One point of the host that may show the guest's requests again
 * @guest, @host: the requests of the guest, and all of those at the point
 * @reversed:	to be tried: what is said to be the guest relays
 * @client:	the host's own address, by family: IPv4, IPv6
 * @line:	offset of the clocks, as far as needed to tell what belongs together
 * @weight:	how much is the same for sure
 * @again:	an offset is known: of others, after a step of a clock
 */
struct relay {
	struct scene *scene;
	uint32_t point;
	bool reversed;
	struct call_list guest;
	struct call_list host;
	struct in6_addr client[2];
	bool has_client[2];
	struct clock_line line;
	uint32_t weight;
	bool again;
};

/** call_try(), call_flow() - What a call is made of */
const struct try *call_try(const struct scene *s, const struct call *c);
const struct flow *call_flow(const struct scene *s, const struct call *c);

/** call_by_to() - Order for qsort(): what they ask, then time */
int call_by_to(const void *a, const void *b);

/** relay_find_offset() - At which offset of the clocks do the host's requests
 * follow the guest's, but those that have a counterpart?  Sorts the lists; sets
 * client, line and weight; false: at none */
bool relay_find_offset(struct relay *r);

#endif
