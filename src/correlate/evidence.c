/*
 * The claims behind a run: its requests and their answers at each point, with
 * the control and the twin of what is absent.
 */
#include <stdlib.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/evidence_control.h"
#include "correlate/evidence_terms.h"

#define MS INT64_C(1000000)

#define ARP_REQUEST 1
#define ARP_REPLY 2

struct maker {
	struct scene *scene;
	const struct visibility *visibility;
	const struct run *run;
	struct fact *fact;
	int32_t seen_request; /* claim with a request, for the twins */
	int32_t seen_reply;
};

static struct claim *new_claim(const struct maker *m, uint32_t point,
                               int32_t *index)
{
	return point_claim(m->scene, point, index);
}

static bool is_v4(const struct terms *t)
{
	return addr_is_v4(&t->server);
}

static void add_ids(struct claim *c, enum claim_field field, const int64_t *ids,
                    size_t n)
{
	if (n > 0 && n <= IDS_MAX)
		claim_add_numbers(c, field, ids, n);
}

static void add_ends(struct claim *c, const struct terms *t, bool reply)
{
	if (t->has_client)
		claim_add_ip(c, reply ? CLAIM_IP_DST : CLAIM_IP_SRC,
		             &t->client);
	if (t->has_server)
		claim_add_ip(c, reply ? CLAIM_IP_SRC : CLAIM_IP_DST,
		             &t->server);
}

static void add_arp(struct claim *c, const struct terms *t, bool reply)
{
	claim_add_number(c, CLAIM_ARP_OPCODE, reply ? ARP_REPLY : ARP_REQUEST);
	if (!mac_is_zero(t->client_mac))
		claim_add_mac(c, reply ? CLAIM_ARP_DST_MAC : CLAIM_ARP_SRC_MAC,
		              t->client_mac);
	claim_add_ip(c, reply ? CLAIM_ARP_DST_IP : CLAIM_ARP_SRC_IP,
	             &t->client);
	claim_add_ip(c, reply ? CLAIM_ARP_SRC_IP : CLAIM_ARP_DST_IP,
	             &t->server);
}

/* Who puts fragments together shows the ICMP header in the last of them only, or
 * nowhere if one is missing: those of IP are in each. */
static void add_icmp_cut(struct claim *c, const struct terms *t, bool reply)
{
	add_ends(c, t, reply);
	claim_add_flag(c, CLAIM_ICMP_CUT);
	if (!reply)
		add_ids(c, CLAIM_IP_ID, t->ip_ids, t->n_ip_ids);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
}

static void add_icmp(struct claim *c, const struct terms *t, bool reply)
{
	int type = is_v4(t) ? (reply ? ICMP_ECHO_REPLY : ICMP_ECHO_REQUEST)
	                    : (reply ? ICMPV6_ECHO_REPLY : ICMPV6_ECHO_REQUEST);

	add_ends(c, t, reply);
	claim_add_number(c, CLAIM_ICMP_TYPE, type);
	add_ids(c, CLAIM_ICMP_ID, t->ports, t->n_ports);
	if (!t->has_client) {
		add_ids(c, CLAIM_ICMP_SEQ, t->ids, t->n_ids);
		add_ids(c, CLAIM_IP_ID, t->ip_ids, t->n_ip_ids);
	}
	claim_add_flag(c, CLAIM_NOT_QUOTED);
}

static void add_tcp(struct claim *c, const struct terms *t, bool reply)
{
	add_ends(c, t, reply);
	if (t->has_server)
		claim_add_number(
			c, reply ? CLAIM_TCP_SRC_PORT : CLAIM_TCP_DST_PORT,
			t->server_port);
	if (t->stalled[reply]) {
		add_ids(c, CLAIM_TCP_SEQ, t->lost, t->n_lost);
		claim_add_flag(c, CLAIM_TCP_DATA);
	} else {
		claim_add_number(c, CLAIM_TCP_SYN, 1);
		claim_add_number(c, CLAIM_TCP_ACK, reply);
	}
	if (t->has_client && t->has_server)
		add_ids(c, reply ? CLAIM_TCP_DST_PORT : CLAIM_TCP_SRC_PORT,
		        t->ports, t->n_ports);
	else if (!reply && !t->stalled[0])
		add_ids(c, CLAIM_TCP_SEQ, t->ids, t->n_ids);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
}

static void add_udp(struct claim *c, const struct terms *t, bool reply)
{
	add_ends(c, t, reply);
	claim_add_number(c, reply ? CLAIM_UDP_SRC_PORT : CLAIM_UDP_DST_PORT,
	                 t->server_port);
	add_ids(c, reply ? CLAIM_UDP_DST_PORT : CLAIM_UDP_SRC_PORT, t->ports,
	        t->n_ports);
	/* It is about the tunnel, not about what is inside. */
	if (t->server_port == PORT_VXLAN || t->server_port == PORT_GENEVE)
		claim_drop(c, CLAIM_TUNNELLED);
	if (!t->has_client)
		add_ids(c, CLAIM_IP_ID, t->ip_ids, t->n_ip_ids);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
}

static void add_dns(struct claim *c, const struct terms *t, bool reply)
{
	add_ends(c, t, reply);
	claim_add_number(c, reply ? CLAIM_UDP_SRC_PORT : CLAIM_UDP_DST_PORT,
	                 t->server_port);
	claim_add_number(c, CLAIM_DNS_RESPONSE, reply);
	add_ids(c, CLAIM_DNS_ID, t->ids, t->n_ids);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
}

static void add_terms(const struct maker *m, struct claim *c,
                      const struct terms *t, bool reply)
{
	switch ((enum protocol)m->run->key.protocol) {
	case PROTOCOL_ARP:
		add_arp(c, t, reply);
		break;
	case PROTOCOL_ICMP:
		if (t->cut && is_v4(t))
			add_icmp_cut(c, t, reply);
		else
			add_icmp(c, t, reply);
		break;
	case PROTOCOL_TCP:
		add_tcp(c, t, reply);
		break;
	case PROTOCOL_DNS:
		add_dns(c, t, reply);
		break;
	case PROTOCOL_UDP:
		add_udp(c, t, reply);
		break;
	case PROTOCOL_NDP:
	case PROTOCOL_DHCP:
		add_ends(c, t, reply);
		break;
	}
}

static int64_t first_ns(const struct run *run)
{
	return run->chains[0]->host_ns;
}

static int64_t last_ns(const struct run *run)
{
	return run->chains[run->n_chains - 1]->host_ns;
}

/* What else the same client sent the same server is kept out by the time. */
static void add_time(const struct maker *m, struct claim *c,
                     const struct terms *t)
{
	const struct run *run = m->run;
	const struct scene *s = m->scene;
	const struct observation *o = &s->points[t->point];
	int64_t margin_ns = 2 * MS + s->clock_error_ns;

	if (run->n_worked + run->n_undecided == 0 && !t->by_time)
		return;
	scene_claim_time(s, o, c,
	                 scene_point_ns(s, o, first_ns(run)) - margin_ns,
	                 scene_point_ns(s, o, last_ns(run)) + margin_ns +
	                         visibility_timeout_ns(
					 (enum protocol)run->key.protocol) /
	                                 2);
}

static char *describe(const struct maker *m, const struct terms *t, bool reply)
{
	static const char *const requests[] = {
		[PROTOCOL_ARP] = "ARP requests",
		[PROTOCOL_NDP] = "neighbour solicitations",
		[PROTOCOL_ICMP] = "echo requests",
		[PROTOCOL_TCP] = "connection attempts (SYN)",
		[PROTOCOL_UDP] = "UDP packets",
		[PROTOCOL_DNS] = "DNS queries",
		[PROTOCOL_DHCP] = "DHCP requests",
	};
	static const char *const replies[] = {
		[PROTOCOL_ARP] = "ARP replies",
		[PROTOCOL_NDP] = "neighbour advertisements",
		[PROTOCOL_ICMP] = "echo replies",
		[PROTOCOL_TCP] = "answers (SYN-ACK)",
		[PROTOCOL_UDP] = "UDP answers",
		[PROTOCOL_DNS] = "DNS answers",
		[PROTOCOL_DHCP] = "DHCP answers",
	};
	uint32_t protocol = m->run->key.protocol;
	struct strbuf sb = { 0 };
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];

	addr_text(&t->client, a);
	addr_text(&t->server, b);
	if (t->stalled[reply])
		strbuf_printf(&sb, "data of %s to %s", reply ? b : a,
		              reply ? a : b);
	else if (reply)
		strbuf_printf(&sb, "%s of %s to %s", replies[protocol], b, a);
	else
		strbuf_printf(&sb, "%s of %s to %s", requests[protocol], a, b);
	if (t->server_port)
		strbuf_printf(&sb, " port %u", t->server_port);
	return strbuf_steal(&sb);
}

static void add_set(struct maker *m, const struct terms *t, bool reply)
{
	const struct scene *s = m->scene;
	struct evidence e = {
		.leg = reply ? EVIDENCE_REPLY : EVIDENCE_REQUEST,
		.at = s->points[t->point].role,
		.control = -1,
		.twin = -1,
		.total = reply ? t->n_answered : t->n_seen,
	};
	bool from_guest = m->run->role == TRY_ROLE_FROM_GUEST;
	const struct absence absence = {
		.scene = m->scene,
		.visibility = m->visibility,
		.run = m->run,
		.point = t->point,
		.direction = from_guest != reply ? PATH_DIRECTION_FROM_GUEST
		                                 : PATH_DIRECTION_TO_GUEST,
	};
	struct claim *c;

	if (e.total == 0 && !control_is_possible(&absence))
		return;
	/* Nothing tells an answer to what was not seen from those to others. */
	if (reply && !t->has_client && m->run->key.protocol != PROTOCOL_DNS)
		return;
	c = new_claim(m, t->point, &e.claim);
	add_terms(m, c, t, reply);
	add_time(m, c, t);
	c->what = describe(m, t, reply);
	if (e.total == 0) {
		e.control = control_add(&absence);
		e.twin = reply ? m->seen_reply : m->seen_request;
		if (e.twin < 0)
			e.twin_reason =
				reply ? "no answer was seen at any point"
				      : "not seen at any point";
	}
	fact_add_evidence(m->fact, &e);
}

/* What tells one request from another in the ICMP error that quotes it */
static enum claim_field quoted_field(uint32_t protocol)
{
	if (protocol == PROTOCOL_TCP)
		return CLAIM_QUOTED_TCP_SRC_PORT;
	if (protocol == PROTOCOL_ICMP)
		return CLAIM_QUOTED_ICMP_ID;
	return CLAIM_QUOTED_UDP_SRC_PORT;
}

/* What the capture itself says went no further */
static void add_dropped(struct maker *m, const struct terms *t, bool reply)
{
	struct evidence e = {
		.leg = reply ? EVIDENCE_REPLY : EVIDENCE_REQUEST,
		.at = m->scene->points[t->point].role,
		.control = -1,
		.twin = -1,
		.total = t->n_dropped[reply],
	};
	struct claim *c;

	if (e.total == 0)
		return;
	c = new_claim(m, t->point, &e.claim);
	add_terms(m, c, t, reply);
	claim_add_flag(c, CLAIM_DROPPED);
	add_time(m, c, t);
	c->what = text_copy("of them that the capture marks as dropped there");
	fact_add_evidence(m->fact, &e);
}

/* The reset or ICMP error that came instead of an answer */
static void add_refusal(struct maker *m, const struct terms *t)
{
	struct evidence e = {
		.leg = EVIDENCE_REFUSAL,
		.at = m->scene->points[t->point].role,
		.control = -1,
		.twin = -1,
		.total = t->n_refused,
	};
	char by[ADDR_TEXT_MAX];
	struct claim *c = new_claim(m, t->point, &e.claim);

	addr_text(&t->refused_by, by);
	claim_add_ip(c, CLAIM_IP_SRC, &t->refused_by);
	claim_add_ip(c, CLAIM_IP_DST, &t->client);
	if (t->refusal == REFUSAL_RESET) {
		claim_add_number(c, CLAIM_TCP_RST, 1);
		claim_add_number(c, CLAIM_TCP_SRC_PORT, t->server_port);
		add_ids(c, CLAIM_TCP_DST_PORT, t->ports, t->n_ports);
		claim_add_flag(c, CLAIM_NOT_QUOTED);
		c->what = text_format("resets by %s", by);
	} else {
		static const int64_t v4[] = { ICMP_UNREACHABLE,
			                      ICMP_TIME_EXCEEDED };
		static const int64_t v6[] = { ICMPV6_UNREACHABLE, 3 };

		/* Of the quoted packet tshark sees the addresses, too. */
		claim_add_ip(c, CLAIM_QUOTED_DST, &t->server);
		add_ids(c, quoted_field(m->run->key.protocol), t->ports,
		        t->n_ports);
		claim_add_numbers(c, CLAIM_ICMP_TYPE, is_v4(t) ? v4 : v6, 2);
		c->what = text_format("ICMP errors of %s", by);
	}
	add_time(m, c, t);
	fact_add_evidence(m->fact, &e);
}

/* The host resets what reaches it for a connection that it does not know. */
static void add_host_reset(struct maker *m, const struct terms *t)
{
	struct evidence e = {
		.leg = EVIDENCE_HOST_RESET,
		.at = m->scene->points[t->point].role,
		.control = -1,
		.twin = -1,
		.total = t->n_host_resets,
	};
	struct claim *c = new_claim(m, t->point, &e.claim);

	add_ends(c, t, false);
	claim_add_number(c, CLAIM_TCP_RST, 1);
	claim_add_number(c, CLAIM_TCP_DST_PORT, t->server_port);
	add_ids(c, CLAIM_TCP_SRC_PORT, t->ports, t->n_ports);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_copy("resets that the host itself sent for the guest");
	fact_add_evidence(m->fact, &e);
}

/* The first claim of a leg that selects something is the others' twin. */
static void find_twins(struct maker *m, const struct terms *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct claim *c;

		if (all[i].n_seen > 0 && m->seen_request < 0) {
			c = new_claim(m, all[i].point, &m->seen_request);
			add_terms(m, c, &all[i], false);
			add_time(m, c, &all[i]);
			c->what = describe(m, &all[i], false);
		}
		if (all[i].n_answered > 0 && m->seen_reply < 0) {
			c = new_claim(m, all[i].point, &m->seen_reply);
			add_terms(m, c, &all[i], true);
			add_time(m, c, &all[i]);
			c->what = describe(m, &all[i], true);
		}
	}
}

/* The guest's point of the run, then the points on the path that matter to it */
static size_t points_of(const struct scene *s, const struct visibility *v,
                        const struct run *run,
                        uint32_t points[SCENE_POINTS_MAX + 1])
{
	const struct sighting *ref = try_reference(s, run->chains[0]);
	uint32_t guest = scene_guest_point(s);
	size_t n = 0;

	if (s->points[ref->point].role == CAPTURE_ROLE_VM)
		guest = ref->point;
	if (guest != NO_POINT)
		points[n++] = guest;
	for (uint32_t i = 0; i < s->n_path; i++)
		/* The other NIC's points are no part of the way here. */
		if ((!run->chains[0]->detour &&
		     visibility_relevance(v, run->chains[0], s->path[i],
		                          false) == RELEVANCE_YES) ||
		    run_sighting(s, run, 0, s->path[i]))
			points[n++] = s->path[i];
	return n;
}

void run_add_evidence(struct scene *s, const struct visibility *v,
                      const struct run *run, struct fact *fact)
{
	struct maker m = {
		.scene = s,
		.visibility = v,
		.run = run,
		.fact = fact,
		.seen_request = -1,
		.seen_reply = -1,
	};
	uint32_t points[SCENE_POINTS_MAX + 1];
	size_t n = points_of(s, v, run, points);
	struct terms *all = xcalloc(n ? n : 1, sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = terms_make(m.scene, m.run, points[i]);
	find_twins(&m, all, n);
	for (size_t i = 0; i < n; i++) {
		add_set(&m, &all[i], false);
		add_dropped(&m, &all[i], false);
		add_dropped(&m, &all[i], true);
		/* What never got to the guest needs no answer of it. */
		if (run->role != TRY_ROLE_TO_HOST ||
		    (s->points[all[i].point].hop && all[i].n_refused == 0))
			add_set(&m, &all[i], true);
		if (all[i].n_refused > 0)
			add_refusal(&m, &all[i]);
		if (all[i].n_host_resets > 0 &&
		    run->key.protocol == PROTOCOL_TCP &&
		    s->points[all[i].point].role == CAPTURE_ROLE_HOST)
			add_host_reset(&m, &all[i]);
	}
	free(all);
}
