/*
 * Facts about the guest's NIC: whether its frames cross to the host at all, and
 * whether somebody else uses its MAC.
 */
#include <stdlib.h>

#include "base/strbuf.h"
#include "correlate/run.h"

/* So many frames of one address are no accident. */
#define FOREIGN_FRAMES 5

#define TARGETS_MAX 64

static bool is_resolution(const struct flow *f)
{
	return f->key.protocol == PROTOCOL_ARP ||
	       f->key.protocol == PROTOCOL_NDP;
}

/* Packets that were sent from @ip with the guest's MAC; sets when and where */
static uint64_t frames_from(const struct scene *s, const struct observation *o,
                            const struct in6_addr *ip, struct foreign *found)
{
	const struct flow_table *t = &o->track.flows;
	uint64_t n = 0;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		uint64_t frames = 0;

		if (is_resolution(f))
			continue;
		if (addr_equal(&f->key.client, ip) &&
		    scene_is_guest_mac(s, f->client_mac))
			frames = f->sent;
		else if (addr_equal(&f->key.server, ip) &&
		         scene_is_guest_mac(s, f->server_mac))
			frames = f->received;
		if (frames == 0)
			continue;
		if (n == 0 ||
		    scene_host_ns(s, o, f->first_ns) < found->first_ns)
			found->first_ns = scene_host_ns(s, o, f->first_ns);
		if (n == 0 || scene_host_ns(s, o, f->last_ns) > found->last_ns)
			found->last_ns = scene_host_ns(s, o, f->last_ns);
		n += frames;
	}
	return n;
}

/* Is @ip used with the guest's MAC at the host, and not by the guest?  A point
 * nearer to the guest that has the frames too speaks for the guest. */
static bool is_foreign(const struct scene *s, const struct in6_addr *ip,
                       struct foreign *found)
{
	uint64_t most = 0;
	struct foreign at = { .ip = *ip };

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		bool inner = o->role == CAPTURE_ROLE_VM ||
		             (s->n_path > 1 && i == s->path[0]);
		uint64_t n = o->hop ? 0 : frames_from(s, o, ip, &at);

		if (n > 0 && inner)
			return false;
		if (n <= most)
			continue;
		most = n;
		*found = at;
		found->point = i;
		found->frames = n;
	}
	return most >= FOREIGN_FRAMES;
}

/* The guest's own addresses: its packets from there are in its capture */
static bool has_own(const struct scene *s)
{
	struct foreign unused = { 0 };

	for (uint32_t i = 0; i < s->n_points; i++)
		for (size_t j = 0; j < s->guest.n_ips; j++)
			if (s->points[i].role == CAPTURE_ROLE_VM &&
			    frames_from(s, &s->points[i], &s->guest.ips[j],
			                &unused) >= FOREIGN_FRAMES)
				return true;
	return false;
}

static void forget_ip(struct guest *g, const struct in6_addr *ip)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->n_ips; i++)
		if (!addr_equal(&g->ips[i], ip))
			g->ips[kept++] = g->ips[i];
	g->n_ips = kept;
}

static void look_at(struct scene *s, const struct in6_addr *ip)
{
	const size_t max = sizeof(s->foreign) / sizeof(s->foreign[0]);
	struct foreign found = { 0 };

	for (size_t i = 0; i < s->n_foreign; i++)
		if (addr_equal(&s->foreign[i].ip, ip))
			return;
	if (addr_is_link_local(ip) || s->n_foreign == max ||
	    !is_foreign(s, ip, &found))
		return;
	s->foreign[s->n_foreign++] = found;
	forget_ip(&s->guest, ip);
}

void clones_find(struct scene *s)
{
	if (s->guest.mode != NETWORK_MODE_BRIDGED || !has_own(s))
		return;
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		if (o->role != CAPTURE_ROLE_HOST || o->hop)
			continue;
		for (size_t j = 0; j < s->guest.n_macs; j++) {
			const struct station *st = station_table_find(
				&o->track.stations, s->guest.macs[j]);

			for (uint8_t k = 0; st && k < st->n_ips; k++)
				look_at(s, &st->ips[k]);
		}
	}
}

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

static uint32_t vm_point(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			return i;
	return NO_POINT;
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
	uint32_t guest = vm_point(s);

	own_frames(s, guest, at, false, &vm.claim);
	fact_add_evidence(f, &vm);
	own_frames(s, outer, at, false, &host.claim);
	own_frames(s, outer, at, true, &host.control);
	host.twin = vm.claim;
	fact_add_evidence(f, &host);
}

static void add_outage(struct scene *s, struct fact *f)
{
	struct outage *all = s->outages;
	uint32_t outer, inner;
	const struct outage *at;

	if (!s->outages_known)
		count_whole(s, all);
	outer = outer_point(s, all);
	if (outer == NO_POINT || vm_point(s) == NO_POINT ||
	    goes_elsewhere(s, all, outer))
		return;
	at = &all[outer];
	inner = inner_point(s, all, outer);
	fact_set_number(f, FIELD_NIC_FRAMES_OUT, (int64_t)at->out);
	fact_set_number(f, FIELD_NIC_UNICAST_IN, (int64_t)at->in);
	fact_set_number(f, FIELD_NIC_HOST_FRAMES, (int64_t)at->others);
	fact_set_number(f, FIELD_NIC_AT_HOST,
	                !s->outages_known && at->seen ? 1 : 0);
	fact_set_number(f, FIELD_NIC_TARGETS_KNOWN, targets_known(s, outer));
	fact_set_bool(f, FIELD_NIC_BEFORE, at->seen);
	fact_set_enum(f, FIELD_LOST_PLACE,
	              inner == NO_POINT ? PLACE_GUEST_HOST_PATH : PLACE_HOST);
	f->after = scene_point_id(s, inner == NO_POINT ? vm_point(s) : inner);
	f->before = scene_point_id(s, outer);
	if (at->seen && s->outages_known)
		fact_set_number(f, FIELD_FIRST, at->since_ns);
	add_outage_evidence(s, f, at, outer);
}

static struct claim *foreign_frames(const struct scene *s, uint32_t point,
                                    const struct foreign *x, int32_t *index)
{
	struct claim *c = point_claim(s, point, index);
	char text[ADDR_TEXT_MAX];

	claim_add_mac(c, CLAIM_ETH_SRC, s->guest.macs[0]);
	claim_add_ip(c, CLAIM_IP_SRC, &x->ip);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_format("packets of %s with the guest's MAC",
	                      addr_text(&x->ip, text));
	return c;
}

static void add_foreign(struct scene *s, struct fact *f,
                        const struct foreign *x)
{
	struct evidence host = { .leg = EVIDENCE_OTHER,
		                 .at = CAPTURE_ROLE_HOST,
		                 .control = -1,
		                 .twin = -1,
		                 .total = x->frames };
	struct evidence vm = { .leg = EVIDENCE_OTHER,
		               .at = CAPTURE_ROLE_VM,
		               .control = -1,
		               .twin = -1 };
	struct outage whole = { 0 };
	uint32_t guest = vm_point(s);

	fact_set_ip(f, FIELD_NIC_FOREIGN_IP, &x->ip);
	fact_set_number(f, FIELD_NIC_FOREIGN_FRAMES, (int64_t)x->frames);
	fact_set_number(f, FIELD_FIRST, x->first_ns);
	fact_set_number(f, FIELD_LAST, x->last_ns);
	foreign_frames(s, x->point, x, &host.claim);
	fact_add_evidence(f, &host);
	if (guest == NO_POINT)
		return;
	foreign_frames(s, guest, x, &vm.claim);
	own_frames(s, guest, &whole, false, &vm.control);
	vm.twin = host.claim;
	fact_add_evidence(f, &vm);
}

static struct fact *add_fact(struct scene *s)
{
	struct fact *f = facts_add(s->incident->facts, FACT_KIND_NIC);

	fact_set_mac(f, FIELD_NIC_MAC, s->guest.macs[0]);
	if (s->guest.n_ips > 0)
		fact_set_ip(f, FIELD_NIC_IP, &s->guest.ips[0]);
	fact_set_label(f, FIELD_LABEL_GUEST, &s->guest.macs[0],
	               sizeof(struct mac));
	fact_set_label(f, FIELD_LABEL_SEGMENT, "", 1);
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
		add_foreign(s, add_fact(s), &s->foreign[i]);
}
