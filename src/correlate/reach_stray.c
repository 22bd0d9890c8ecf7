/*
 * Answers that fit no request at the point where they were seen: somebody else
 * answered, or the guest did so by another of its NICs.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/reach.h"

static uint64_t of_answer(uint32_t protocol, const struct in6_addr *to,
                          uint16_t port, uint32_t id)
{
	return hash_mix(hash_mix(hash_bytes(to, sizeof(*to)),
	                         (uint64_t)protocol << 16 | port),
	                id);
}

void strays_index(struct reach *r, uint32_t point)
{
	const struct point *track = &r->scene->points[point].track;

	if (track->n_strays == 0)
		return;
	r->stray_list =
		xreallocarray(r->stray_list, r->n_strays + track->n_strays,
	                      sizeof(*r->stray_list));
	for (size_t i = 0; i < track->n_strays; i++) {
		const struct stray_answer *a = &track->strays[i];

		hash_table_add(
			&r->strays,
			of_answer(a->protocol, &a->to, a->to_port, a->id),
			r->n_strays);
		r->stray_list[r->n_strays++] = (struct stray_at){
			.stray = a,
			.point = point,
		};
	}
}

/* An answer to chain @c that came from another address (@from_other), or left by
 * another NIC */
static const struct stray_at *find_stray(const struct reach *r,
                                         const struct chain *c, bool from_other)
{
	const struct scene *s = r->scene;
	const struct sighting *at = try_reference(s, c);
	const struct flow_key *k = &sighting_flow(s, at)->key;
	const struct try *try = sighting_try(s, at);
	uint64_t hash =
		of_answer(k->protocol, &k->client, k->client_port, try->id);
	size_t pos = 0;
	uint32_t i;

	while ((i = hash_table_find(&r->strays, hash, &pos)) !=
	       HASH_TABLE_NONE) {
		const struct stray_answer *a = r->stray_list[i].stray;
		bool same = addr_equal(&a->from, &k->server);

		if (!addr_equal(&a->to, &k->client) || a->id != try->id)
			continue;
		if (from_other
		            ? !same && s->points[r->stray_list[i].point].role ==
		                               CAPTURE_ROLE_VM
		            : same && scene_is_guest_mac(s, a->from_mac) &&
		                      try->has_dst_mac &&
		                      !mac_equal(a->from_mac, try->dst_mac))
			return &r->stray_list[i];
	}
	return NULL;
}

void strays_mark(const struct reach *r, struct scene *s)
{
	if (r->n_strays == 0)
		return;
	for (size_t i = 0; i < s->n_chains; i++)
		s->chains[i].detour =
			try_role(s, &s->chains[i]) == TRY_ROLE_TO_GUEST &&
			find_stray(r, &s->chains[i], false) != NULL;
}

static void add_stray(struct scene *s, const struct stray_at *at,
                      const struct run *run, struct fact *f)
{
	const struct stray_answer *a = at->stray;
	struct evidence e = {
		.leg = EVIDENCE_OTHER,
		.at = s->points[at->point].role,
		.control = -1,
		.twin = -1,
		.total = 1,
	};
	struct claim *c = point_claim(s, at->point, &e.claim);
	char from[ADDR_TEXT_MAX];

	claim_add_ip(c, CLAIM_IP_SRC, &a->from);
	claim_add_ip(c, CLAIM_IP_DST, &a->to);
	if (run->key.protocol == PROTOCOL_TCP) {
		claim_add_number(c, CLAIM_TCP_SYN, 1);
		claim_add_number(c, CLAIM_TCP_ACK, 1);
		claim_add_number(c, CLAIM_TCP_SRC_PORT, a->from_port);
	} else {
		claim_add_number(c, CLAIM_ICMP_TYPE, ICMP_ECHO_REPLY);
		claim_add_number(c, CLAIM_ICMP_ID, a->to_port);
	}
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_format("answers of %s that fit no request here",
	                      addr_text(&a->from, from));
	fact_add_evidence(f, &e);
}

void strays_describe_run(const struct reach *r, struct scene *s,
                         const struct run *run, struct fact *f)
{
	bool from_guest = run->role == TRY_ROLE_FROM_GUEST;

	if (run->key.protocol != PROTOCOL_TCP &&
	    run->key.protocol != PROTOCOL_ICMP)
		return;
	for (size_t i = 0; i < run->n_chains; i++) {
		const struct stray_at *at =
			find_stray(r, run->chains[i], from_guest);

		if (!at)
			continue;
		if (from_guest)
			fact_set_ip(f, FIELD_ANSWER_IP, &at->stray->from);
		fact_set_bool(f,
		              from_guest ? FIELD_ANSWER_FROM_OTHER
		                         : FIELD_ANSWER_OTHER_NIC,
		              true);
		add_stray(s, at, run, f);
		return;
	}
	fact_set_bool(f, FIELD_ANSWER_FROM_OTHER, false);
	if (s->guest.n_macs > 1)
		fact_set_bool(f, FIELD_ANSWER_OTHER_NIC, false);
}
