#include "facts/claim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define LINKTYPE_LINUX_SLL 113
#define LINKTYPE_LINUX_SLL2 276
#define NS_PER_S INT64_C(1000000000)

enum protocol_number {
	PROTOCOL_NUMBER_ICMP = 1,
	PROTOCOL_NUMBER_TCP = 6,
	PROTOCOL_NUMBER_UDP = 17,
	PROTOCOL_NUMBER_ICMPV6 = 58,
};

/* How the values of a field are written */
enum form {
	FORM_NUMBER,
	FORM_HEX,
	FORM_IP,
	FORM_MAC,
	FORM_TIME,
	FORM_PROTOCOL, /* the name alone */
	FORM_FLAG,     /* no value */
};

/**
 * struct name - What a field is called
 * @v6:		its name where the claim is about IPv6, or NULL: the same
 * @cooked:	its name on cooked link types, or NULL: the same
 * @not_cooked:	cooked link types have nothing of the kind
 */
struct name {
	const char *name;
	const char *v6;
	const char *cooked;
	bool not_cooked;
	enum form form;
};

static const struct name names[CLAIM_FIELD_COUNT] = {
	[CLAIM_INTERFACE] = { .name = "frame.interface_id" },
	[CLAIM_IFINDEX] = { .name = "sll.ifindex" },
	[CLAIM_VXLAN] = { .name = "vxlan.vni" },
	[CLAIM_GENEVE] = { .name = "geneve.vni" },
	[CLAIM_GRE_KEY] = { .name = "gre.key" },
	[CLAIM_GRE_PLAIN] = { .name = "gre && !gre.key", .form = FORM_FLAG },
	[CLAIM_TUNNELLED] = { .name = "vxlan || geneve || gre",
	                      .form = FORM_FLAG },
	[CLAIM_OUTGOING] = { .name = "sll.pkttype == 4", .form = FORM_FLAG },
	[CLAIM_DROPPED] = { .name = "(frame.verdict.ebpf_xdp in {0, 1} || "
	                            "frame.verdict.ebpf_tc == 2)",
	                    .form = FORM_FLAG },
	[CLAIM_TIME] = { .name = "frame.time_epoch", .form = FORM_TIME },
	[CLAIM_ETH_SRC] = { .name = "eth.src",
	                    .cooked = "sll.src.eth",
	                    .form = FORM_MAC },
	[CLAIM_ETH_DST] = { .name = "eth.dst",
	                    .not_cooked = true,
	                    .form = FORM_MAC },
	[CLAIM_ETH_TYPE_GROUP] = { .name = "eth.dst.ig == 1",
	                           .not_cooked = true,
	                           .form = FORM_FLAG },
	[CLAIM_ARP_OPCODE] = { .name = "arp.opcode" },
	[CLAIM_ARP_SRC_MAC] = { .name = "arp.src.hw_mac", .form = FORM_MAC },
	[CLAIM_ARP_SRC_IP] = { .name = "arp.src.proto_ipv4", .form = FORM_IP },
	[CLAIM_ARP_DST_IP] = { .name = "arp.dst.proto_ipv4", .form = FORM_IP },
	[CLAIM_ARP_DST_MAC] = { .name = "arp.dst.hw_mac", .form = FORM_MAC },
	[CLAIM_IP_SRC] = { .name = "ip.src",
	                   .v6 = "ipv6.src",
	                   .form = FORM_IP },
	[CLAIM_IP_DST] = { .name = "ip.dst",
	                   .v6 = "ipv6.dst",
	                   .form = FORM_IP },
	[CLAIM_IP_PROTO] = { .form = FORM_PROTOCOL },
	[CLAIM_IP_ID] = { .name = "ip.id", .form = FORM_HEX },
	[CLAIM_TCP_SRC_PORT] = { .name = "tcp.srcport" },
	[CLAIM_TCP_DST_PORT] = { .name = "tcp.dstport" },
	[CLAIM_TCP_SEQ] = { .name = "tcp.seq_raw" },
	[CLAIM_TCP_DATA] = { .name = "tcp.len > 0", .form = FORM_FLAG },
	[CLAIM_TCP_SYN] = { .name = "tcp.flags.syn" },
	[CLAIM_TCP_ACK] = { .name = "tcp.flags.ack" },
	[CLAIM_TCP_RST] = { .name = "tcp.flags.reset" },
	[CLAIM_UDP_SRC_PORT] = { .name = "udp.srcport" },
	[CLAIM_UDP_DST_PORT] = { .name = "udp.dstport" },
	[CLAIM_ICMP_TYPE] = { .name = "icmp.type", .v6 = "icmpv6.type" },
	[CLAIM_ICMP_CODE] = { .name = "icmp.code", .v6 = "icmpv6.code" },
	[CLAIM_ICMP_ID] = { .name = "icmp.ident",
	                    .v6 = "icmpv6.echo.identifier" },
	[CLAIM_ICMP_SEQ] = { .name = "icmp.seq",
	                     .v6 = "icmpv6.echo.sequence_number" },
	[CLAIM_ICMP_CUT] = { .name = "ip.proto == 1 && ip.flags.mf == 1 && "
	                             "ip.frag_offset == 0",
	                     .form = FORM_FLAG },
	[CLAIM_DNS_ID] = { .name = "dns.id", .form = FORM_HEX },
	[CLAIM_DNS_RESPONSE] = { .name = "dns.flags.response" },
	[CLAIM_DHCP_TYPE] = { .name = "dhcp.option.dhcp" },
	[CLAIM_ND_TARGET] = { .name = "icmpv6.nd.ns.target_address",
	                      .form = FORM_IP },
	[CLAIM_QUOTED_DST] = { .name = "ip.dst",
	                       .v6 = "ipv6.dst",
	                       .form = FORM_IP },
	[CLAIM_QUOTED_TCP_SRC_PORT] = { .name = "tcp.srcport" },
	[CLAIM_QUOTED_UDP_SRC_PORT] = { .name = "udp.srcport" },
	[CLAIM_QUOTED_ICMP_ID] = { .name = "icmp.ident",
	                           .v6 = "icmpv6.echo.identifier" },
	[CLAIM_NOT_QUOTED] = { .name = "!(icmp.type in {3, 4, 5, 11, 12})",
	                       .v6 = "!(icmpv6.type in {1, 2, 3, 4})",
	                       .form = FORM_FLAG },
};

/* Appends a term with room for @n values, all zero */
static union claim_value *add_term(struct claim *c, enum claim_field field,
                                   size_t n)
{
	union claim_value *values = NULL;

	assert(n <= UINT32_MAX);
	if (n)
		values = xcalloc(n, sizeof(*values));
	c->terms = xreallocarray(c->terms, c->n_terms + 1, sizeof(*c->terms));
	c->terms[c->n_terms++] = (struct claim_term){
		.field = field,
		.n = (uint32_t)n,
		.values = values,
	};
	return values;
}

void claim_add_number(struct claim *c, enum claim_field field, int64_t n)
{
	add_term(c, field, 1)->number = n;
}

void claim_add_numbers(struct claim *c, enum claim_field field,
                       const int64_t *values, size_t n)
{
	union claim_value *copies = add_term(c, field, n);

	for (size_t i = 0; i < n; i++)
		copies[i].number = values[i];
}

void claim_add_ip(struct claim *c, enum claim_field field,
                  const struct in6_addr *ip)
{
	add_term(c, field, 1)->ip = *ip;
}

void claim_add_ips(struct claim *c, enum claim_field field,
                   const struct in6_addr *ips, size_t n)
{
	union claim_value *values = add_term(c, field, (uint32_t)n);

	for (size_t i = 0; i < n; i++)
		values[i].ip = ips[i];
}

void claim_add_mac(struct claim *c, enum claim_field field, struct mac mac)
{
	add_term(c, field, 1)->mac = mac;
}

void claim_add_times(struct claim *c, int64_t ranges_ns[][2], size_t n)
{
	union claim_value *values = add_term(c, CLAIM_TIME, 2 * n);

	/* No file has anything from before the epoch. */
	for (size_t i = 0; i < 2 * n; i++)
		values[i].number = ranges_ns[i / 2][i % 2] > 0
		                           ? ranges_ns[i / 2][i % 2]
		                           : 0;
}

void claim_add_flag(struct claim *c, enum claim_field field)
{
	add_term(c, field, 0);
}

void claim_negate_last(struct claim *c)
{
	assert(c->n_terms > 0);
	c->terms[c->n_terms - 1].negated = true;
}

void claim_drop(struct claim *c, enum claim_field field)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n_terms; i++)
		if (c->terms[i].field == field)
			free(c->terms[i].values);
		else
			c->terms[kept++] = c->terms[i];
	c->n_terms = kept;
}

static bool term_is_v6(const struct claim_term *t)
{
	switch (t->field) {
	case CLAIM_IP_SRC:
	case CLAIM_IP_DST:
	case CLAIM_QUOTED_DST:
		return t->n > 0 && !addr_is_v4(&t->values[0].ip);
	case CLAIM_IP_PROTO:
		return t->n > 0 &&
		       t->values[0].number == PROTOCOL_NUMBER_ICMPV6;
	case CLAIM_ND_TARGET:
		return true;
	case CLAIM_INTERFACE:
	case CLAIM_IFINDEX:
	case CLAIM_VXLAN:
	case CLAIM_GENEVE:
	case CLAIM_GRE_KEY:
	case CLAIM_GRE_PLAIN:
	case CLAIM_TUNNELLED:
	case CLAIM_OUTGOING:
	case CLAIM_DROPPED:
	case CLAIM_TIME:
	case CLAIM_ETH_SRC:
	case CLAIM_ETH_DST:
	case CLAIM_ETH_TYPE_GROUP:
	case CLAIM_ARP_OPCODE:
	case CLAIM_ARP_SRC_MAC:
	case CLAIM_ARP_SRC_IP:
	case CLAIM_ARP_DST_IP:
	case CLAIM_ARP_DST_MAC:
	case CLAIM_IP_ID:
	case CLAIM_TCP_SRC_PORT:
	case CLAIM_TCP_DST_PORT:
	case CLAIM_TCP_SEQ:
	case CLAIM_TCP_DATA:
	case CLAIM_TCP_SYN:
	case CLAIM_TCP_ACK:
	case CLAIM_TCP_RST:
	case CLAIM_UDP_SRC_PORT:
	case CLAIM_UDP_DST_PORT:
	case CLAIM_ICMP_TYPE:
	case CLAIM_ICMP_CODE:
	case CLAIM_ICMP_ID:
	case CLAIM_ICMP_SEQ:
	case CLAIM_ICMP_CUT:
	case CLAIM_DNS_ID:
	case CLAIM_DNS_RESPONSE:
	case CLAIM_DHCP_TYPE:
	case CLAIM_QUOTED_TCP_SRC_PORT:
	case CLAIM_QUOTED_UDP_SRC_PORT:
	case CLAIM_QUOTED_ICMP_ID:
	case CLAIM_NOT_QUOTED:
	case CLAIM_FIELD_COUNT:
		break;
	}
	return false;
}

static bool is_v6(const struct claim *c)
{
	for (size_t i = 0; i < c->n_terms; i++)
		if (term_is_v6(&c->terms[i]))
			return true;
	return false;
}

static const char *protocol_name(int64_t number)
{
	switch (number) {
	case PROTOCOL_NUMBER_ICMP:
		return "icmp";
	case PROTOCOL_NUMBER_TCP:
		return "tcp";
	case PROTOCOL_NUMBER_UDP:
		return "udp";
	case PROTOCOL_NUMBER_ICMPV6:
		return "icmpv6";
	default:
		return NULL;
	}
}

static void put_value(const union claim_value *v, enum form form,
                      struct strbuf *out)
{
	char text[ADDR_TEXT_MAX];

	switch (form) {
	case FORM_NUMBER:
		strbuf_printf(out, "%lld", (long long)v->number);
		break;
	case FORM_HEX:
		strbuf_printf(out, "0x%04llx", (long long)v->number);
		break;
	case FORM_IP:
		strbuf_puts(out, addr_text(&v->ip, text));
		break;
	case FORM_MAC:
		strbuf_puts(out, mac_text(v->mac, text));
		break;
	case FORM_TIME:
		strbuf_printf(out, "%lld.%09lld",
		              (long long)(v->number / NS_PER_S),
		              (long long)(v->number % NS_PER_S));
		break;
	case FORM_PROTOCOL:
	case FORM_FLAG:
		break;
	}
}

static void put_times(const struct claim_term *t, const char *name,
                      struct strbuf *out)
{
	bool many = t->n > 2;

	strbuf_puts(out, many ? "(" : "");
	for (uint32_t i = 0; i + 1 < t->n; i += 2) {
		strbuf_puts(out, i > 0 ? " || " : "");
		strbuf_printf(out, "%s%s >= ", many ? "(" : "", name);
		put_value(&t->values[i], FORM_TIME, out);
		strbuf_printf(out, " && %s <= ", name);
		put_value(&t->values[i + 1], FORM_TIME, out);
		strbuf_puts(out, many ? ")" : "");
	}
	strbuf_puts(out, many ? ")" : "");
}

static void put_protocols(const struct claim_term *t, struct strbuf *out)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const char *name = protocol_name(t->values[i].number);

		if (i)
			strbuf_puts(out, " || ");
		if (name)
			strbuf_puts(out, name);
		else
			strbuf_printf(out, "ip.proto == %lld",
			              (long long)t->values[i].number);
	}
}

static void put_comparison(const struct claim_term *t, const char *name,
                           enum form form, struct strbuf *out)
{
	if (t->n == 1) {
		strbuf_printf(out, "%s == ", name);
		put_value(&t->values[0], form, out);
		return;
	}
	strbuf_printf(out, "%s in {", name);
	for (uint32_t i = 0; i < t->n; i++) {
		if (i)
			strbuf_puts(out, ", ");
		put_value(&t->values[i], form, out);
	}
	strbuf_puts(out, "}");
}

static void put_condition(const struct claim_term *t, const char *name,
                          enum form form, struct strbuf *out)
{
	switch (form) {
	case FORM_FLAG:
		strbuf_puts(out, name);
		break;
	case FORM_PROTOCOL:
		put_protocols(t, out);
		break;
	case FORM_TIME:
		put_times(t, name, out);
		break;
	case FORM_NUMBER:
	case FORM_HEX:
	case FORM_IP:
	case FORM_MAC:
		put_comparison(t, name, form, out);
		break;
	}
}

static void put_term(const struct claim_term *t, const char *name,
                     enum form form, struct strbuf *out)
{
	bool alternatives = form == FORM_PROTOCOL && t->n > 1;

	if (t->negated)
		strbuf_puts(out, "!(");
	else if (alternatives)
		strbuf_puts(out, "(");
	put_condition(t, name, form, out);
	if (t->negated || alternatives)
		strbuf_puts(out, ")");
}

void claim_filter(const struct claim *c, struct strbuf *out)
{
	bool cooked = c->linktype == LINKTYPE_LINUX_SLL ||
	              c->linktype == LINKTYPE_LINUX_SLL2;
	bool v6 = is_v6(c);
	bool first = true;

	for (size_t i = 0; i < c->n_terms; i++) {
		const struct name *n = &names[c->terms[i].field];
		const char *name = n->name;

		if (cooked && n->not_cooked)
			continue;
		if (v6 && n->v6)
			name = n->v6;
		if (cooked && n->cooked)
			name = n->cooked;

		if (!first)
			strbuf_puts(out, " && ");
		put_term(&c->terms[i], name, n->form, out);
		first = false;
	}
	if (first)
		strbuf_puts(out, "frame");
}

void claim_free(struct claim *c)
{
	for (size_t i = 0; i < c->n_terms; i++)
		free(c->terms[i].values);
	free(c->terms);
	free(c->what);
	*c = (struct claim){ 0 };
}
