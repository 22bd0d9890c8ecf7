/*
 * Facts about the guest's NIC: whether its frames cross to the host at all.
 */
#include <stdlib.h>

#include "base/strbuf.h"
#include "correlate/run.h"

#define TARGETS_MAX 64

static bool is_for_guest(const struct scene *s, const struct packet *p)
{
	if (p->group || p->direction == FRAME_DIRECTION_OUT)
		return false;
	return p->has_eth_dst ? scene_is_guest_mac(s, p->eth_dst)
	                      : p->direction == FRAME_DIRECTION_IN;
}

/*
 * A host answers ARP for its own address at a port that is in no bridge, with the
 * MAC of the port: nobody at @outer knows that MAC, and the address has another
 * one there.  Such an answer has crossed nothing.
 */
static bool is_port_itself(const struct observation *vm, struct mac mac,
                           const struct observation *outer)
{
	const struct station *st = station_table_find(&vm->track.stations, mac);

	if (!st || st->n_ips > 0 || st->n_claimed == 0 ||
	    station_table_find(&outer->track.stations, mac))
		return false;
	for (uint8_t i = 0; i < st->n_claimed; i++)
		if (!station_table_owner(&outer->track.stations,
		                         &st->claimed[i]))
			return false;
	return true;
}

/* Something of the guest has crossed: the time before counts no more. */
static void restart(struct outage *at, int64_t host_ns)
{
	*at = (struct outage){ .seen = true, .since_ns = host_ns };
}

void outage_note(struct scene *s, uint32_t point, const struct packet *p,
                 int64_t host_ns)
{
	bool own = p->has_eth_src && scene_is_guest_mac(s, p->eth_src);
	bool in = !own && is_for_guest(s, p);
	struct outage *at = &s->outages[point];

	if (s->points[point].role == CAPTURE_ROLE_HOST) {
		if (own)
			restart(at, host_ns);
		else
			at->others++;
		return;
	}
	for (uint32_t i = 0; (own || in) && i < s->n_points; i++) {
		at = &s->outages[i];
		if (in && p->kind == PACKET_KIND_ARP &&
		    is_port_itself(&s->points[point], p->eth_src,
		                   &s->points[i]))
			continue;
		at->in += in;
		if (in && at->seen)
			restart(at, host_ns);
		if (own) {
			at->out++;
			at->shown += s->points[i]
			                     .track.seen[traffic_class_of(p)]
			                     .count > 0;
			at->last_ns = host_ns;
		}
	}
}

/* What a port itself answered the guest, as @outer shows it */
static uint64_t port_answers(const struct scene *s,
                             const struct observation *outer)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct station_table *t = &o->track.stations;

		for (uint32_t j = 0; o->role == CAPTURE_ROLE_VM && j < t->count;
		     j++)
			if (is_port_itself(o, t->stations[j].mac, outer))
				n += t->stations[j].sent;
	}
	return n;
}

/* Without a common clock: the whole captures */
static void count_whole(const struct scene *s, struct outage *all)
{
	uint64_t out = 0, in = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;
		uint64_t own = 0, to_own = 0, sent_in = 0;

		for (uint32_t j = 0; j < t->count; j++) {
			const struct station *st = &t->stations[j];

			if (scene_is_guest_mac(s, st->mac)) {
				own += st->sent + st->sent_group;
				to_own += st->received;
			} else if (!st->received && st->sent_in > 0) {
				sent_in += st->sent;
			}
		}
		if (s->points[i].role == CAPTURE_ROLE_VM) {
			out += own;
			in += to_own + sent_in;
			continue;
		}
		all[i].seen = own > 0;
		all[i].others = s->points[i].track.packets - own;
	}
	for (uint32_t i = 0; i < s->n_points; i++) {
		uint64_t port = port_answers(s, &s->points[i]);

		all[i].out = out;
		all[i].shown = out;
		all[i].in = in > port ? in - port : 0;
	}
}

/* Addresses that the guest asked for and that speak at @point */
static int64_t targets_known(const struct scene *s, uint32_t point)
{
	const struct claim_log *log = &s->points[point].track.claims;
	struct in6_addr known[TARGETS_MAX];
	int64_t n = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct flow_table *t = &s->points[i].track.flows;

		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		for (uint32_t j = 0; j < t->n_flows && n < TARGETS_MAX; j++) {
			const struct flow *f = &t->flows[j];
			bool again = false;

			if (f->key.protocol != PROTOCOL_ARP ||
			    !scene_is_guest_ip(s, &f->key.client) ||
			    claim_log_find(log, &f->key.server) ==
			            CLAIM_LOG_NONE)
				continue;
			for (int64_t k = 0; k < n; k++)
				again |= addr_equal(&known[k], &f->key.server);
			if (!again)
				known[n++] = f->key.server;
		}
	}
	return n;
}

/* The host's point that lacks the guest while others speak there; NO_POINT */
static uint32_t outer_point(const struct scene *s, const struct outage *all)
{
	uint32_t best = NO_POINT;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		if (o->role != CAPTURE_ROLE_HOST || o->hop)
			continue;
		if (best == NO_POINT || all[i].out > all[best].out ||
		    (all[i].out == all[best].out &&
		     all[i].others > all[best].others))
			best = i;
	}
	return best;
}

static bool is_seen_meanwhile(const struct scene *s, const struct outage *all,
                              uint32_t outer, uint32_t i)
{
	return s->points[i].role == CAPTURE_ROLE_HOST && i != outer &&
	       all[i].seen && all[i].out < all[outer].out / 2 &&
	       (!all[outer].seen || all[i].since_ns > all[outer].since_ns);
}

/* Does another point of the host show the guest's frames in that time? */
static uint32_t inner_point(const struct scene *s, const struct outage *all,
                            uint32_t outer)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (is_seen_meanwhile(s, all, outer, i))
			return i;
	return NO_POINT;
}

/* Past its own port the guest's frames go on: what lacks them is the port of
 * somebody else. */
static bool goes_elsewhere(const struct scene *s, const struct outage *all,
                           uint32_t outer)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if ((s->n_path == 0 || i != s->path[0]) &&
		    s->points[i].on_path && is_seen_meanwhile(s, all, outer, i))
			return true;
	return false;
}

/* Frames of the guest at @point since the outage began */
static struct claim *own_frames(const struct scene *s, uint32_t point,
                                const struct outage *at, bool of_others,
                                int32_t *index)
{
	const struct observation *o = &s->points[point];
	struct claim *c = point_claim(s, point, index);

	claim_add_mac(c, CLAIM_ETH_SRC, s->guest.macs[0]);
	if (of_others)
		claim_negate_last(c);
	if (at->seen)
		scene_claim_time(s, o, c,
		                 scene_point_ns(s, o, at->since_ns) + 1000000,
		                 scene_point_ns(s, o, at->last_ns));
	c->what = text_copy(of_others ? "frames of others meanwhile"
	                              : "frames of the guest's NIC");
	return c;
}

struct claim *nic_frames(const struct scene *s, uint32_t point, int32_t *index)
{
	const struct outage whole = { 0 };

	return own_frames(s, point, &whole, false, index);
}

static void add_outage_evidence(struct scene *s, struct fact *f,
                                const struct outage *at, uint32_t outer)
{
	struct evidence vm = { .leg = EVIDENCE_REQUEST,
		               .at = CAPTURE_ROLE_VM,
		               .control = -1,
		               .twin = -1,
		               .total = at->out };
	struct evidence host = { .leg = EVIDENCE_REQUEST,
		                 .at = CAPTURE_ROLE_HOST,
		                 .twin = -1,
		                 .control = -1 };
	uint32_t guest = scene_guest_point(s);

	own_frames(s, guest, at, false, &vm.claim);
	fact_add_evidence(f, &vm);
	own_frames(s, outer, at, false, &host.claim);
	own_frames(s, outer, at, true, &host.control);
	host.twin = vm.claim;
	fact_add_evidence(f, &host);
}

static bool guest_lacks_inbound(const struct scene *s)
{
	uint32_t guest = scene_guest_point(s);

	return s->points[guest].lacks[PATH_DIRECTION_TO_GUEST];
}

static void add_outage(struct scene *s, struct fact *f)
{
	struct outage *all = s->outages;
	uint32_t outer, inner;
	const struct outage *at;

	if (!s->outages_known)
		count_whole(s, all);
	outer = outer_point(s, all);
	if (outer == NO_POINT || scene_guest_point(s) == NO_POINT ||
	    goes_elsewhere(s, all, outer))
		return;
	at = &all[outer];
	inner = inner_point(s, all, outer);
	/* Of what @outer shows nothing of at all, nothing can be missing. */
	fact_set_interval(f, FIELD_NIC_FRAMES_OUT,
	                  at->shown > 0 ? (int64_t)at->out : 0,
	                  (int64_t)at->out);
	fact_set_interval(f, FIELD_NIC_UNICAST_IN, (int64_t)at->in,
	                  guest_lacks_inbound(s) ? VALUE_MAX : (int64_t)at->in);
	fact_set_number(f, FIELD_NIC_HOST_FRAMES, (int64_t)at->others);
	fact_set_number(f, FIELD_NIC_AT_HOST,
	                !s->outages_known && at->seen ? 1 : 0);
	fact_set_number(f, FIELD_NIC_TARGETS_KNOWN, targets_known(s, outer));
	fact_set_bool(f, FIELD_NIC_BEFORE, at->seen);
	fact_set_enum(f, FIELD_LOST_PLACE,
	              inner == NO_POINT ? PLACE_GUEST_HOST_PATH : PLACE_HOST);
	f->after = scene_point_id(s, inner == NO_POINT ? scene_guest_point(s)
	                                               : inner);
	f->before = scene_point_id(s, outer);
	if (at->seen && s->outages_known)
		fact_set_number(f, FIELD_FIRST, at->since_ns);
	add_outage_evidence(s, f, at, outer);
}

static struct fact *add_fact(struct scene *s)
{
	struct fact *f = facts_add(s->incident->facts, FACT_KIND_NIC);

	fact_set_mac(f, FIELD_NIC_MAC, s->guest.macs[0]);
	if (s->guest.n_ips > 0)
		fact_set_ip(f, FIELD_NIC_IP, &s->guest.ips[0]);
	fact_set_label(f, FIELD_LABEL_GUEST, &s->guest.macs[0],
	               sizeof(struct mac));
	fact_set_label(f, FIELD_LABEL_SEGMENT, &s->guest.macs[0],
	               sizeof(struct mac));
	return f;
}

void nic_facts(struct scene *s)
{
	struct fact *f;

	if (s->guest.n_macs == 0)
		return;
	f = add_fact(s);
	add_outage(s, f);
	fact_set_absent(f, FIELD_NIC_FOREIGN_IP);
	if (s->announce.known)
		fact_set_absent(f, FIELD_NIC_UNHEARD_IP);
	if (s->outages_known && !doubles_found(s))
		fact_set_number(f, FIELD_NIC_DOUBLED, 0);
	if (doubles_found(s))
		doubles_fact(s, add_fact(s));
	if (announce_found(s))
		announce_fact(s, add_fact(s));
	for (size_t i = 0; i < s->n_foreign; i++)
		clone_fact(s, add_fact(s), &s->foreign[i]);
}
