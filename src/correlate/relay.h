/*
 * What relay.c and relay_offset.c share: requests that user-mode NAT may repeat,
 * the guest's at the host, or those for the host, by ports that it forwards, at
 * the guest.
 */
#ifndef PCAPDIAG_CORRELATE_RELAY_H
#define PCAPDIAG_CORRELATE_RELAY_H

#include "correlate/scene.h"

/* What is the same for sure: so much is no accident. */
#define RELAY_WEIGHT_MIN 3

/**
 * struct call - One request that a relay may repeat
 * @to:		hash of what it asks: server and port, or name; 0: not known
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

/* So many ports are forwarded, at most. */
#define RELAY_PORTS_MAX 32

/** struct relay_port - A port of the host that may stand for one of the guest */
struct relay_port {
	uint16_t host;
	uint16_t guest;
	uint32_t votes;
};

/**
 * struct relay - One point of the host that may show the guest's requests again
 * @guest, @host: the requests of the guest, and all of those at the point
 * @inbound:	what is opened anew are connections to the guest
 * @reversed:	to be tried: what is said to be the guest relays
 * @own:	the host's own address, by family: IPv4, IPv6
 * @ports:	those that inbound connections may be for; none: not looked for yet
 * @line:	offset of the clocks, as far as needed to tell what belongs together
 * @weight:	how much is the same for sure
 * @again:	an offset is known: of others, after a step of a clock
 */
struct relay {
	struct scene *scene;
	uint32_t point;
	bool inbound;
	bool reversed;
	struct call_list guest;
	struct call_list host;
	struct in6_addr own[2];
	bool has_own[2];
	struct relay_port ports[RELAY_PORTS_MAX];
	size_t n_ports;
	struct clock_line line;
	uint32_t weight;
	bool again;
};

/** call_try(), call_flow() - What a call is made of */
const struct try *call_try(const struct scene *s, const struct call *c);
const struct flow *call_flow(const struct scene *s, const struct call *c);

/** relay_collect() - Add those of @point to @list: of a guest's only the guest's,
 * or those for it */
void relay_collect(const struct relay *r, uint32_t point,
                   struct call_list *list);

/** call_by_to() - Order for qsort(): what they ask, then time */
int call_by_to(const void *a, const void *b);

/** relay_own() - The end of a flow at the host that is the host itself */
const struct in6_addr *relay_own(const struct relay *r, const struct flow *f);

/** relay_host_asks() - Are the host's requests the earlier ones? */
bool relay_host_asks(const struct relay *r);

/** relay_vote_ports() - Each pair that is found so far has one more vote for its
 * ports */
void relay_vote_ports(struct relay *r);

/** relay_settle_ports() - From now on a call is for the port of the guest that was
 * voted for; all pairs are to be found anew */
void relay_settle_ports(struct relay *r);

/** relay_find_offset() - At which offset of the clocks do the requests of one side
 * follow the other's, but those that have a counterpart?  Sorts the lists; sets
 * own, line and weight; false: at none */
bool relay_find_offset(struct relay *r);

#endif
