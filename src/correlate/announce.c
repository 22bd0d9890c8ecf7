/*
 * A switch that looks for the guest elsewhere until the guest speaks: pings for
 * the guest stop to arrive, at the host as well, while the guest has nothing to
 * say, and go on with the first frame that it sends.  What is missing of their
 * sequence was sent.
 */
#include "base/strbuf.h"
#include "correlate/run.h"

#define MS INT64_C(1000000)

/* The guest answers, and then has nothing to say for so long. */
#define ANSWER_NS (200 * MS)
#define MUTE_NS (1000 * MS)

#define LOST_MIN 3
#define OTHERS_MIN 3

#define ETHERTYPE_RARP 0x8035
#define ARP_REPLY 2

/* A time that was taken in another clock and back */
#define ROUNDING_NS INT64_C(10000)

static bool is_ping_for_guest(const struct scene *s, const struct packet *p)
{
	return p->kind == PACKET_KIND_ICMP && p->ip_version == 4 &&
	       p->icmp.type == ICMP_ECHO_REQUEST &&
	       scene_is_guest_ip(s, &p->dst);
}

static struct ping *find_ping(struct announce *a, const struct packet *p)
{
	for (size_t i = 0; i < a->n_pings; i++)
		if (a->pings[i].id == p->icmp.id &&
		    addr_equal(&a->pings[i].from, &p->src) &&
		    addr_equal(&a->pings[i].to, &p->dst))
			return &a->pings[i];
	return NULL;
}

static void begin_ping(struct announce *a, const struct packet *p, int64_t ns)
{
	if (a->n_pings == ANNOUNCE_PINGS_MAX)
		return;
	a->pings[a->n_pings++] = (struct ping){
		.from = p->src,
		.to = p->dst,
		.id = p->icmp.id,
		.seq = p->icmp.seq,
		.last_ns = ns,
	};
}

static bool is_announcement(const struct packet *p)
{
	return p->ethertype == ETHERTYPE_RARP ||
	       (p->kind == PACKET_KIND_ARP &&
	        (addr_is_zero(&p->arp.sender_ip) ||
	         addr_equal(&p->arp.sender_ip, &p->arp.target_ip)));
}

/* The guest speaks.  Who was asked does not speak of his own accord. */
static void note_own(struct announce *a, const struct packet *p, int64_t ns)
{
	bool asked = p->kind == PACKET_KIND_ARP && p->arp.op == ARP_REPLY;

	if (is_announcement(p))
		a->announced_ns = ns;
	if (a->spoke && ns - a->own_ns >= MUTE_NS) {
		a->woke = !asked;
		a->silent_ns = a->own_ns;
		a->woke_ns = ns;
		a->n_own = 0;
		a->others_then = a->others;
	}
	a->spoke = true;
	a->own_ns = ns;
	a->n_own++;
}

/* What the host sees of the pings, and that it sees others */
static void note_at_host(struct scene *s, const struct packet *p, int64_t ns)
{
	struct announce *a = &s->announce;
	struct ping *g;

	if (p->has_eth_src && !scene_is_guest_mac(s, p->eth_src) &&
	    ns > a->in_ns + ANSWER_NS && !(a->woke && a->woke_ns > a->in_ns))
		a->others++;
	if (!is_ping_for_guest(s, p) || !(g = find_ping(a, p)))
		return;
	if (g->at_host && (int16_t)(p->icmp.seq - g->host_seq) >
	                          (int16_t)(g->gap_to - g->gap_from)) {
		g->gap_from = g->host_seq;
		g->gap_to = p->icmp.seq;
	}
	g->at_host = true;
	g->host_seq = p->icmp.seq;
}

/* Did it go on with the first frame of the guest after those lost? */
static bool went_on(const struct announce *a, const struct ping *g,
                    uint16_t lost, int64_t ns)
{
	int64_t period_ns = (ns - g->last_ns) / (lost + 1);

	return a->woke && a->silent_ns >= g->last_ns - ANSWER_NS &&
	       a->silent_ns <= g->last_ns + ANSWER_NS &&
	       a->woke_ns > g->last_ns + MUTE_NS &&
	       ns - a->woke_ns <= period_ns + period_ns / 2;
}

static void note_ping(struct announce *a, struct ping *g,
                      const struct packet *p, int64_t ns)
{
	int32_t lost = (int16_t)(p->icmp.seq - g->seq) - 1;

	if (lost >= LOST_MIN && lost > a->lost &&
	    a->others_then >= OTHERS_MIN && went_on(a, g, (uint16_t)lost, ns) &&
	    (a->announced_ns == 0 || a->announced_ns < g->last_ns)) {
		a->lost = lost;
		a->found = *g;
		a->found_ping = (size_t)(g - a->pings);
		a->found_seq = p->icmp.seq;
		a->found_ns = ns;
		a->found_woke_ns = a->woke_ns;
		a->found_own = a->n_own;
	}
	g->seq = p->icmp.seq;
	g->last_ns = ns;
}

void announce_note(struct scene *s, uint32_t point, const struct packet *p,
                   int64_t host_ns)
{
	struct announce *a = &s->announce;
	struct ping *g;

	a->known = true;
	if (s->points[point].role == CAPTURE_ROLE_HOST) {
		if (s->n_path > 0 && point == s->path[s->n_path - 1])
			note_at_host(s, p, host_ns);
		return;
	}
	if (p->has_eth_src && scene_is_guest_mac(s, p->eth_src)) {
		note_own(a, p, host_ns);
		return;
	}
	if (p->group)
		return;
	if (is_ping_for_guest(s, p)) {
		g = find_ping(a, p);
		if (g)
			note_ping(a, g, p, host_ns);
		else
			begin_ping(a, p, host_ns);
	}
	a->others = 0;
	a->in_ns = host_ns;
}

static void limit(const struct scene *s, uint32_t point, struct claim *c,
                  int64_t from_ns, int64_t to_ns)
{
	const struct observation *o = &s->points[point];

	scene_claim_time(s, o, c, scene_point_ns(s, o, from_ns),
	                 scene_point_ns(s, o, to_ns));
}

/* The first frames of the guest after its silence, until the pings are back */
static int32_t add_first_words(const struct scene *s, struct fact *f,
                               uint32_t point)
{
	const struct announce *a = &s->announce;
	struct evidence e = { .leg = EVIDENCE_OTHER,
		              .at = CAPTURE_ROLE_VM,
		              .control = -1,
		              .twin = -1,
		              .total = a->found_own };
	struct claim *c = point_claim(s, point, &e.claim);

	claim_add_mac(c, CLAIM_ETH_SRC, s->guest.macs[0]);
	limit(s, point, c, a->found_woke_ns - ROUNDING_NS,
	      a->found_ns - ROUNDING_NS);
	c->what = text_copy("first frames of the guest after its silence");
	fact_add_evidence(f, &e);
	return e.claim;
}

/* No ping at the host meanwhile, though others are seen there */
static void add_missing(const struct scene *s, struct fact *f, uint32_t point,
                        int32_t twin)
{
	const struct announce *a = &s->announce;
	struct evidence e = { .leg = EVIDENCE_OTHER,
		              .at = CAPTURE_ROLE_HOST,
		              .twin = twin };
	int64_t from_ns = a->found.last_ns + ANSWER_NS;
	struct claim *c = point_claim(s, point, &e.claim);
	char text[ADDR_TEXT_MAX];

	claim_add_ip(c, CLAIM_IP_SRC, &a->found.from);
	claim_add_ip(c, CLAIM_IP_DST, &a->found.to);
	claim_add_number(c, CLAIM_ICMP_TYPE, ICMP_ECHO_REQUEST);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	limit(s, point, c, from_ns, a->found_woke_ns);
	c->what = text_format("echo requests of %s while the guest is silent",
	                      addr_text(&a->found.from, text));
	c = point_claim(s, point, &e.control);
	claim_add_mac(c, CLAIM_ETH_SRC, s->guest.macs[0]);
	claim_negate_last(c);
	limit(s, point, c, from_ns, a->found_woke_ns);
	c->what = text_copy("frames of others meanwhile");
	fact_add_evidence(f, &e);
}

/* The two captures tell the same time only nearly, so what the host missed is
 * compared when all is read. */
bool announce_found(const struct scene *s)
{
	const struct announce *a = &s->announce;
	const struct ping *g = &a->pings[a->found_ping];

	return a->lost > 0 && g->gap_from == a->found.seq &&
	       g->gap_to == a->found_seq && s->n_path > 0 &&
	       scene_guest_point(s) != NO_POINT;
}

void announce_fact(struct scene *s, struct fact *f)
{
	const struct announce *a = &s->announce;
	int32_t words = add_first_words(s, f, scene_guest_point(s));

	add_missing(s, f, s->path[s->n_path - 1], words);
	fact_set_number(f, FIELD_NIC_UNHEARD, a->lost);
	fact_set_ip(f, FIELD_NIC_UNHEARD_IP, &a->found.from);
	fact_set_number(f, FIELD_NIC_UNHEARD_TIME,
	                a->found_woke_ns - a->found.last_ns);
	fact_set_number(f, FIELD_FIRST, a->found.last_ns);
	fact_set_number(f, FIELD_LAST, a->found_ns);
}
