/*
 * Frames that are delivered twice: the same bytes, the same way, at one point,
 * at once.  Sightings at several points are copies and no such thing; what is sent
 * again has another number in its IP header.
 */
#include <stdlib.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/run.h"

#define TWICE_NS INT64_C(5000000)

/* So many packets of a point are remembered, by hash: more than pass in between */
#define RECENT 1024

/* Fewer packets say nothing of a point. */
#define POINT_MIN 20

struct recent {
	uint64_t hash;
	uint64_t packet_id;
	int64_t host_ns;
};

/* A retransmission of such a packet is another packet. */
static bool has_number(const struct packet *p)
{
	return (p->ip_version == 4 && p->ip_id != 0) ||
	       (p->kind == PACKET_KIND_ICMPV6 &&
	        (p->icmp.type == ICMPV6_ECHO_REQUEST ||
	         p->icmp.type == ICMPV6_ECHO_REPLY));
}

/* What a router or a switch would change is in it: only the same frame has it.
 * Few are remembered, and which must not differ from run to run. */
static uint64_t hash_of(const struct packet *p, uint64_t key)
{
	const struct {
		uint64_t key;
		struct in6_addr src, dst;
		uint16_t src_port, dst_port, icmp_id, vlan;
		uint32_t wire_len, direction;
		struct mac eth_src, eth_dst;
		uint32_t ttl;
	} all = {
		.key = key,
		.src = p->src,
		.dst = p->dst,
		.src_port = p->src_port,
		.dst_port = p->dst_port,
		.icmp_id = p->icmp.id,
		.vlan = p->n_vlans > 0 ? p->vlans[0] : 0,
		.wire_len = p->wire_len,
		.direction = p->direction,
		.eth_src = p->eth_src,
		.eth_dst = p->eth_dst,
		.ttl = p->ttl,
	};

	return hash_stable(&all, sizeof(all));
}

static void note_example(struct doubles *d, const struct packet *p,
                         int64_t host_ns)
{
	if (p->ip_version != 4 || p->more_fragments || p->fragment_offset > 0 ||
	    packet_is_icmp_error(p))
		return;
	if (d->n_ids == 0) {
		d->from = p->src;
		d->to = p->dst;
		d->first_ns = host_ns;
	}
	if (d->n_ids == DOUBLES_IDS_MAX || !addr_equal(&d->from, &p->src) ||
	    !addr_equal(&d->to, &p->dst))
		return;
	for (size_t i = 0; i < d->n_ids; i++)
		if (d->ids[i] == p->ip_id)
			return;
	d->ids[d->n_ids++] = p->ip_id;
	d->last_ns = host_ns;
}

void doubles_note(struct scene *s, uint32_t point, const struct packet *p,
                  uint64_t key, enum path_direction direction, int64_t host_ns)
{
	struct doubles *d = &s->doubles;
	struct double_count *count = &d->counts[point][direction];
	uint64_t hash;
	struct recent *slot;

	/* Any interface may be in such a file, and nobody knows which. */
	if (p->group || !has_number(p) ||
	    s->points[point].linktype == LINKTYPE_LINUX_SLL)
		return;
	if (!d->recent[point])
		d->recent[point] = xcalloc(RECENT, sizeof(struct recent));
	hash = hash_of(p, key);
	slot = &d->recent[point][hash % RECENT];
	if (slot->hash != hash || host_ns - slot->host_ns > TWICE_NS) {
		*slot = (struct recent){ hash, p->packet_id, host_ns };
		count->of++;
		return;
	}
	/* One packet, seen at several places that the capture does not name */
	if (p->packet_id != 0 && p->packet_id == slot->packet_id)
		return;
	count->twice++;
	if (s->points[point].role == CAPTURE_ROLE_VM &&
	    direction == PATH_DIRECTION_TO_GUEST)
		note_example(d, p, host_ns);
}

void doubles_free(struct doubles *d)
{
	for (uint32_t i = 0; i < SCENE_POINTS_MAX; i++)
		free(d->recent[i]);
}

static struct double_count at_guest(const struct scene *s,
                                    enum path_direction direction)
{
	struct double_count sum = { 0 };

	for (uint32_t i = 0; i < s->n_points; i++) {
		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		sum.of += s->doubles.counts[i][direction].of;
		sum.twice += s->doubles.counts[i][direction].twice;
	}
	return sum;
}

static int64_t percent(struct double_count c)
{
	return c.of ? (int64_t)(c.twice * 100 / c.of) : 0;
}

bool doubles_found(const struct scene *s)
{
	return s->doubles.n_ids > 0;
}

/* The frames of the examples at @point */
static struct claim *examples(const struct scene *s, uint32_t point,
                              int32_t *index)
{
	const struct doubles *d = &s->doubles;
	const struct observation *o = &s->points[point];
	struct claim *c = point_claim(s, point, index);
	int64_t margin_ns = 2 * TWICE_NS + s->clock_error_ns;
	int64_t ids[DOUBLES_IDS_MAX];
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < d->n_ids; i++)
		ids[i] = d->ids[i];
	claim_add_ip(c, CLAIM_IP_SRC, &d->from);
	if (!o->translated)
		claim_add_ip(c, CLAIM_IP_DST, &d->to);
	claim_add_numbers(c, CLAIM_IP_ID, ids, d->n_ids);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	scene_claim_time(s, o, c, scene_point_ns(s, o, d->first_ns - margin_ns),
	                 scene_point_ns(s, o, d->last_ns + margin_ns));
	c->what = text_format("packets of %s for the guest, for example",
	                      addr_text(&d->from, text));
	return c;
}

static void add_evidence(struct scene *s, struct fact *f, uint32_t point)
{
	struct evidence e = {
		.leg = EVIDENCE_OTHER,
		.at = s->points[point].role,
		.control = -1,
		.twin = -1,
		.total = s->doubles.n_ids,
	};

	examples(s, point, &e.claim);
	fact_add_evidence(f, &e);
}

static uint32_t vm_point(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM &&
		    s->doubles.counts[i][PATH_DIRECTION_TO_GUEST].twice > 0)
			return i;
	return NO_POINT;
}

/* From the network inwards: where do single frames become double ones? */
static void place(const struct scene *s, struct fact *f)
{
	int64_t share = percent(at_guest(s, PATH_DIRECTION_TO_GUEST));
	uint32_t single = NO_POINT, twice = NO_POINT;

	for (uint32_t i = s->n_path; i-- > 0;) {
		struct double_count here =
			s->doubles.counts[s->path[i]][PATH_DIRECTION_TO_GUEST];

		if (here.of < POINT_MIN)
			continue;
		if (percent(here) * 2 >= share && twice == NO_POINT)
			twice = s->path[i];
		else if (percent(here) * 4 < share && twice == NO_POINT)
			single = s->path[i];
	}
	if (single == NO_POINT && twice == NO_POINT)
		return;
	f->after = scene_point_id(s, single == NO_POINT ? twice : single);
	if (single == NO_POINT) {
		fact_set_enum(f, FIELD_LOST_PLACE, PLACE_BEYOND_HOST);
		return;
	}
	f->before = scene_point_id(s, twice == NO_POINT ? vm_point(s) : twice);
	fact_set_enum(f, FIELD_LOST_PLACE,
	              twice == NO_POINT && !s->points[single].hop
	                      ? PLACE_GUEST_HOST_PATH
	                      : PLACE_HOST);
}

void doubles_fact(struct scene *s, struct fact *f)
{
	const struct doubles *d = &s->doubles;
	struct double_count in = at_guest(s, PATH_DIRECTION_TO_GUEST);
	struct double_count out = at_guest(s, PATH_DIRECTION_FROM_GUEST);

	fact_set_number(f, FIELD_NIC_DOUBLED, (int64_t)in.twice);
	fact_set_number(f, FIELD_NIC_DOUBLED_OF, (int64_t)in.of);
	fact_set_number(f, FIELD_NIC_DOUBLED_PERCENT, percent(in));
	fact_set_number(f, FIELD_NIC_DOUBLED_OUT_PERCENT, percent(out));
	fact_set_number(f, FIELD_FIRST, d->first_ns);
	fact_set_number(f, FIELD_LAST, d->last_ns);
	place(s, f);
	add_evidence(s, f, vm_point(s));
	for (uint32_t i = s->n_path; i-- > 0;)
		if (d->counts[s->path[i]][PATH_DIRECTION_TO_GUEST].of >=
		    POINT_MIN)
			add_evidence(s, f, s->path[i]);
}
