#include <stdlib.h>
#include <string.h>

#include "rules/diagnosis.h"

static const char *protocol_of(const struct fact *fact)
{
	struct value v = fact_get(fact, FIELD_PROTO);

	if (fact->kind == FACT_KIND_LOSS)
		return enum_set_protocol.words[PROTOCOL_TCP];
	if (v.state == VALUE_KNOWN)
		return enum_set_protocol.words[v.lo];
	return fact_kind_name(fact->kind);
}

bool subject_of(const struct fact *fact, struct subject *out)
{
	bool is_loss = fact->kind == FACT_KIND_LOSS;
	struct value src, dst, port;

	*out = (struct subject){ 0 };
	if (!is_loss && !(FACT_KIND_BIT(fact->kind) & FACT_KINDS_EXCHANGE))
		return false;
	src = fact_get(fact, is_loss ? FIELD_LOSS_SENDER_IP : FIELD_CLIENT_IP);
	dst = fact_get(fact,
	               is_loss ? FIELD_LOSS_RECEIVER_IP : FIELD_SERVER_IP);
	port = fact_get(fact, FIELD_SERVER_PORT);
	out->has_src = src.state == VALUE_KNOWN;
	out->has_dst = dst.state == VALUE_KNOWN;
	out->has_port = port.state == VALUE_KNOWN;
	if (out->has_src)
		out->src = src.ip;
	if (out->has_dst)
		out->dst = dst.ip;
	if (out->has_port)
		out->port = (uint16_t)port.lo;
	out->proto = protocol_of(fact);
	return out->has_src || out->has_dst;
}

static int compare_addresses(bool has_a, const struct in6_addr *a, bool has_b,
                             const struct in6_addr *b)
{
	char x[ADDR_TEXT_MAX] = "", y[ADDR_TEXT_MAX] = "";

	if (has_a)
		addr_text(a, x);
	if (has_b)
		addr_text(b, y);
	return strcmp(x, y);
}

static int compare_subjects(const void *p, const void *q)
{
	const struct subject *a = p, *b = q;
	int order = compare_addresses(a->has_src, &a->src, b->has_src, &b->src);

	if (order == 0)
		order = compare_addresses(a->has_dst, &a->dst, b->has_dst,
		                          &b->dst);
	if (order == 0)
		order = strcmp(a->proto, b->proto);
	if (order == 0)
		order = (int)a->has_port - (int)b->has_port;
	return order ? order : (int)a->port - (int)b->port;
}

size_t subjects_sort(struct subject *subjects, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(subjects, n, sizeof(*subjects), compare_subjects);
	for (size_t i = 1; i < n; i++)
		if (compare_subjects(&subjects[kept], &subjects[i]) != 0)
			subjects[++kept] = subjects[i];
	return kept + 1;
}
