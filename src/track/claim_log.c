#include "track/claim_log.h"

#include <stdlib.h>

#include "base/xalloc.h"

#define BINDINGS_MAX 65536

/* An address has few owners: who claims it with ever new MACs gets no more. */
#define OWNERS_MAX 16

/* Answers of two machines to one request come this near to each other. */
#define DOUBLE_NS INT64_C(500000000)

#define ARP_REPLY 2

static uint64_t hash_ip(const struct in6_addr *ip)
{
	return hash_bytes(ip, sizeof(*ip));
}

uint32_t claim_log_find(const struct claim_log *log, const struct in6_addr *ip)
{
	uint64_t hash = hash_ip(ip);
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&log->index, hash, &pos)) !=
	       HASH_TABLE_NONE)
		if (addr_equal(&log->bindings[i].ip, ip))
			return i;
	return CLAIM_LOG_NONE;
}

const struct arp_binding *claim_log_get(const struct claim_log *log,
                                        const struct in6_addr *ip,
                                        struct mac mac)
{
	for (uint32_t i = claim_log_find(log, ip); i != CLAIM_LOG_NONE;
	     i = log->bindings[i].next)
		if (mac_equal(log->bindings[i].mac, mac))
			return &log->bindings[i];
	return NULL;
}

/* Appends a binding; @last is the newest one of the same address. */
static struct arp_binding *append(struct claim_log *log, uint32_t last,
                                  const struct packet *p)
{
	uint32_t i = log->count;

	if (i == BINDINGS_MAX) {
		log->full = true;
		return NULL;
	}
	if (i == log->capacity) {
		log->capacity = log->capacity ? 2 * log->capacity : 32;
		log->bindings = xreallocarray(log->bindings, log->capacity,
		                              sizeof(*log->bindings));
	}
	log->bindings[i] = (struct arp_binding){
		.ip = p->arp.sender_ip,
		.mac = p->arp.sender_mac,
		.next = CLAIM_LOG_NONE,
		.first_ns = p->ts_ns,
	};
	if (last == CLAIM_LOG_NONE)
		hash_table_add(&log->index, hash_ip(&p->arp.sender_ip), i);
	else
		log->bindings[last].next = i;
	log->count++;
	return &log->bindings[i];
}

static struct arp_binding *get(struct claim_log *log, const struct packet *p)
{
	uint32_t last = CLAIM_LOG_NONE, n = 0;

	for (uint32_t i = claim_log_find(log, &p->arp.sender_ip);
	     i != CLAIM_LOG_NONE; i = log->bindings[i].next) {
		if (mac_equal(log->bindings[i].mac, p->arp.sender_mac))
			return &log->bindings[i];
		last = i;
		n++;
	}
	if (n >= OWNERS_MAX) {
		log->full = true;
		return NULL;
	}
	return append(log, last, p);
}

bool claim_log_other_network(uint16_t vlan, uint16_t other)
{
	return vlan != 0 && other != 0 && vlan != other;
}

/* What the other owners of the address did meanwhile */
static void compare_owners(const struct claim_log *log, struct arp_binding *b,
                           const struct packet *p, bool is_answer)
{
	int64_t before_ns = b->claims > 0 ? b->last_ns : p->ts_ns;
	bool returned = false, doubled = false;

	for (uint32_t i = claim_log_find(log, &b->ip); i != CLAIM_LOG_NONE;
	     i = log->bindings[i].next) {
		const struct arp_binding *o = &log->bindings[i];

		if (o == b || claim_log_other_network(o->vlan, b->vlan))
			continue;
		returned |= b->claims > 0 && o->last_ns > before_ns;
		doubled |= is_answer && o->replies > 0 &&
		           p->ts_ns - o->answered_ns < DOUBLE_NS &&
		           mac_equal(o->answered_mac, p->arp.target_mac);
	}
	b->returns += returned;
	b->doubles += doubled;
}

static void note_unsolicited(struct arp_binding *b, int64_t ts_ns)
{
	if (b->unsolicited++ == 0)
		b->unsolicited_first_ns = ts_ns;
	b->unsolicited_last_ns = ts_ns;
}

void claim_log_feed(struct claim_log *log, const struct packet *p,
                    bool solicited)
{
	bool gratuitous = addr_equal(&p->arp.sender_ip, &p->arp.target_ip);
	bool is_reply = p->arp.op == ARP_REPLY && !gratuitous;
	bool is_answer = is_reply && solicited;
	struct arp_binding *b;

	if (!addr_is_unicast(&p->arp.sender_ip) ||
	    mac_is_zero(p->arp.sender_mac) || mac_is_group(p->arp.sender_mac))
		return;
	b = get(log, p);
	if (!b)
		return;
	b->vlan = p->n_vlans > 0 ? p->vlans[0] : 0;
	compare_owners(log, b, p, is_answer);
	b->claims++;
	b->last_ns = p->ts_ns;
	if (gratuitous || (is_reply && !solicited))
		note_unsolicited(b, p->ts_ns);
	if (is_reply && addr_is_zero(&p->arp.target_ip))
		b->refused_probes++;
	if (!is_answer)
		return;
	b->replies++;
	b->answered_ns = p->ts_ns;
	b->answered_mac = p->arp.target_mac;
}

void claim_log_free(struct claim_log *log)
{
	free(log->bindings);
	hash_table_free(&log->index);
}
