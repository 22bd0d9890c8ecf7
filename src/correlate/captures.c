/*
 * Facts about the captures themselves, and what the report says of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/scene.h"

#define S INT64_C(1000000000)

/* Zones reach from 12 hours behind to 14 ahead; two are 26 apart. */
#define ZONES_MAX_H 26

/* Broadcasts tell the time of day no better than that. */
#define ALIGNED_GUARD_NS S

/* So many frames without one broadcast, in so long a time, is a filter. */
#define FILTER_PACKETS 100
#define FILTER_SPAN_NS (60 * S)
/* So many frames of a single class are one, in any time. */
#define FILTER_CLASS_PACKETS 30
/* So many exchanges of a class that passed, and none of it, is one, too. */
#define FILTER_MISSED 2

static bool has_guest(const struct scene *s, const struct observation *o)
{
	const struct station_table *t = &o->track.stations;
	const struct flow_table *ft = &o->track.flows;

	for (size_t i = 0; i < s->guest.n_macs; i++)
		if (station_table_find(t, s->guest.macs[i]))
			return true;
	for (uint32_t i = 0; i < ft->n_flows; i++) {
		const struct flow_key *k = &ft->flows[i].key;

		if (!addr_is_link_local(&k->client) &&
		    scene_is_guest_ip(s, &k->client))
			return true;
		if (!addr_is_link_local(&k->server) &&
		    scene_is_guest_ip(s, &k->server))
			return true;
	}
	return false;
}

/* Frames with the guest's address, and requests of it that NAT has hidden */
static uint64_t guest_frames(const struct scene *s, uint32_t capture)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		if (o->capture != capture)
			continue;
		for (size_t j = 0; j < s->guest.n_macs; j++) {
			const struct station *st = station_table_find(
				&o->track.stations, s->guest.macs[j]);

			if (st)
				n += st->sent + st->sent_group + st->received;
		}
	}
	for (size_t i = 0; i < s->n_chains; i++)
		for (uint32_t j = 0; s->chains[i].n > 1 && j < s->chains[i].n;
		     j++) {
			const struct sighting *at =
				&s->sightings[s->chains[i].first + j];

			n += s->points[at->point].capture == capture &&
			     s->points[at->point].hop;
		}
	return n;
}

static bool same_guest(const struct scene *s)
{
	if (s->shared_packets > 0)
		return true;
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_HOST &&
		    has_guest(s, &s->points[i]))
			return true;
	return false;
}

/* Does the guest reach, or try to reach, what is not itself? */
static void outside_use(const struct scene *s, bool *works, bool *tries)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct flow_table *t = &s->points[i].track.flows;

		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		for (uint32_t j = 0; j < t->n_flows; j++) {
			const struct flow *f = &t->flows[j];

			if (!scene_is_guest_ip(s, &f->key.client))
				continue;
			*tries |= f->n_tries > 0;
			*works |= f->n_answered > 0 &&
			          f->key.protocol != PROTOCOL_ARP;
		}
	}
}

struct window {
	bool known;
	int64_t first_ns;
	int64_t last_ns;
};

static struct window window_of(const struct scene *s, enum capture_role role)
{
	struct window w = { 0 };

	for (size_t i = 0; i < s->n_captures; i++) {
		const struct incident_capture *c = &s->incident->captures[i];

		if (s->roles[i] != role || !c->has_time)
			continue;
		if (!w.known || c->first_ns < w.first_ns)
			w.first_ns = c->first_ns;
		if (!w.known || c->last_ns > w.last_ns)
			w.last_ns = c->last_ns;
		w.known = true;
	}
	return w;
}

static int64_t overlap_of(const struct window *a, const struct window *b,
                          int64_t shift_ns)
{
	int64_t from = b->first_ns + shift_ns, to = b->last_ns + shift_ns;

	if (from < a->first_ns)
		from = a->first_ns;
	if (to > a->last_ns)
		to = a->last_ns;
	return to - from;
}

/* Clocks that show the time of other zones differ by whole hours.  With nothing
 * to compare them by, such files may well be of one time. */
static bool may_be_zones(const struct window *a, const struct window *b)
{
	int64_t span_a = a->last_ns - a->first_ns;
	int64_t span_b = b->last_ns - b->first_ns;
	int64_t half = (span_a < span_b ? span_a : span_b) / 2;

	for (int64_t hours = -ZONES_MAX_H; hours <= ZONES_MAX_H; hours++)
		if (overlap_of(a, b, hours * 3600 * S) > half)
			return true;
	return false;
}

static void set_overlap(const struct scene *s, struct fact *f)
{
	struct window host = window_of(s, CAPTURE_ROLE_HOST);
	struct window vm = window_of(s, CAPTURE_ROLE_VM);
	int64_t overlap;

	if (!host.known || !vm.known)
		return;
	if (s->aligned) {
		vm.first_ns -= s->clock.offset_ns;
		vm.last_ns -= s->clock.offset_ns;
	}
	overlap = overlap_of(&host, &vm, 0);
	if (overlap < 0 && !s->aligned && may_be_zones(&host, &vm))
		return;
	fact_set_number(f, FIELD_PAIR_OVERLAP, overlap > 0 ? overlap : 0);
	fact_set_number(f, FIELD_PAIR_GAP, overlap < 0 ? -overlap : 0);
}

static bool at_other_side(const struct scene *s, struct mac mac)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_HOST &&
		    station_table_find(&s->points[i].track.stations, mac))
			return true;
	return false;
}

/* Machines beside the guest that both captures know by their MAC */
static int64_t shared_stations(const struct scene *s)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;

		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		for (uint32_t j = 0; j < t->count; j++)
			n += !mac_is_zero(t->stations[j].mac) &&
			     !scene_is_guest_mac(s, t->stations[j].mac) &&
			     at_other_side(s, t->stations[j].mac);
	}
	return n;
}

/* Frames between a machine and itself make no observation point. */
static bool host_is_loopback(const struct scene *s)
{
	bool loopback = false;

	for (size_t i = 0; i < s->n_captures; i++) {
		const struct incident_capture *c = &s->incident->captures[i];

		if (s->roles[i] != CAPTURE_ROLE_HOST)
			continue;
		if (c->packets == 0 || c->unsupported > 0 || c->n_points > 0)
			return false;
		loopback = true;
	}
	return loopback;
}

static bool is_of_nic(const struct scene *s, const struct flow *f)
{
	return f->key.protocol != PROTOCOL_ARP &&
	       f->key.protocol != PROTOCOL_NDP &&
	       (scene_is_guest_mac(s, f->client_mac) ||
	        scene_is_guest_mac(s, f->server_mac));
}

/* Who has data to send on a connection has been answered, seen or not. */
static bool is_answered(const struct flow *f, const struct try *try)
{
	return try->answer == TRY_ANSWERED ||
	       (f->key.protocol == PROTOCOL_TCP &&
	        f->sent_bytes + f->received_bytes > 0);
}

/* Classes of which @o shows answered exchanges of the guest's NICs between two
 * instants of its clock, as bits */
static unsigned int answered_classes(const struct scene *s,
                                     const struct observation *o,
                                     int64_t from_ns, int64_t to_ns)
{
	const struct flow_table *t = &o->track.flows;
	unsigned int classes = 0;

	for (uint32_t i = 0; i < t->n_tries; i++) {
		const struct try *try = &t->tries[i];
		const struct flow *f = &t->flows[try->flow];

		if (is_answered(f, try) && try->ts_ns >= from_ns &&
		    try->ts_ns <= to_ns && is_of_nic(s, f))
			classes |= 1u << traffic_class_of_protocol(
					   (enum protocol)f->key.protocol);
	}
	return classes;
}

/* Is a request of the guest's NICs at @o one of @keys?  Or (@add) is now */
static bool find_keys(const struct scene *s, const struct observation *o,
                      struct hash_table *keys, bool add)
{
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_tries; i++) {
		uint64_t key = t->tries[i].key;
		size_t pos = 0;

		if (!is_of_nic(s, &t->flows[t->tries[i].flow]))
			continue;
		if (add)
			hash_table_add(keys, key, 0);
		else if (hash_table_find(keys, key, &pos) != HASH_TABLE_NONE)
			return true;
	}
	return false;
}

/* At whatever distance in time */
static bool shares_request(const struct scene *s)
{
	struct hash_table keys = { 0 };
	bool found = false;

	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			(void)find_keys(s, &s->points[i], &keys, true);
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_HOST)
			found |= find_keys(s, &s->points[i], &keys, false);
	hash_table_free(&keys);
	return found;
}

/* Where both show the guest at work and nothing of it is the same, they are of
 * different times, whatever the clocks say.  Broadcasts that happen to look alike
 * may have told an offset; the host's view counts where it says that both look. */
static bool is_apart(const struct scene *s)
{
	struct window vm = window_of(s, CAPTURE_ROLE_VM);
	int64_t from_ns = INT64_MIN, to_ns = INT64_MAX;
	unsigned int classes[2] = { 0, 0 };

	if (s->shared_packets > 0 || shares_request(s))
		return false;
	if (s->aligned) {
		from_ns = vm.first_ns - s->clock.offset_ns + ALIGNED_GUARD_NS;
		to_ns = vm.last_ns - s->clock.offset_ns - ALIGNED_GUARD_NS;
	}
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		if (o->role == CAPTURE_ROLE_VM)
			classes[o->role] |=
				answered_classes(s, o, INT64_MIN, INT64_MAX);
		else
			classes[o->role] |=
				answered_classes(s, o, from_ns, to_ns);
	}
	return (classes[CAPTURE_ROLE_HOST] & classes[CAPTURE_ROLE_VM]) != 0;
}

static void add_pair_fact(struct scene *s)
{
	struct fact *f = facts_add(s->incident->facts, FACT_KIND_CAPTURE_PAIR);
	struct window host = window_of(s, CAPTURE_ROLE_HOST);
	struct window vm = window_of(s, CAPTURE_ROLE_VM);
	bool works = false, tries = false;

	outside_use(s, &works, &tries);
	fact_set_bool(f, FIELD_PAIR_BOTH_GIVEN, host.known && vm.known);
	fact_set_bool(f, FIELD_PAIR_SAME_FILE, s->same_file);
	fact_set_bool(f, FIELD_PAIR_SWAPPED, s->swapped);
	fact_set_bool(f, FIELD_PAIR_GUEST_WORKS_OUTSIDE, works);
	fact_set_bool(f, FIELD_PAIR_GUEST_TRIES_OUTSIDE, tries);
	if (!host.known || !vm.known)
		return;
	fact_set_number(f, FIELD_PAIR_SHARED_PACKETS,
	                (int64_t)s->shared_packets);
	fact_set_bool(f, FIELD_PAIR_SAME_GUEST, same_guest(s));
	fact_set_number(f, FIELD_PAIR_SHARED_STATIONS, shared_stations(s));
	fact_set_bool(f, FIELD_PAIR_HOST_LOOPBACK, host_is_loopback(s));
	fact_set_bool(f, FIELD_PAIR_APART, is_apart(s));
	set_overlap(s, f);
}

static const char *const class_names[TRAFFIC_CLASS_COUNT] = {
	[TRAFFIC_ARP] = "ARP",   [TRAFFIC_NDP] = "ICMPv6",
	[TRAFFIC_ICMP] = "ping", [TRAFFIC_TCP] = "TCP",
	[TRAFFIC_DNS] = "DNS",   [TRAFFIC_UDP] = "UDP",
	[TRAFFIC_OTHER] = NULL,
};

static uint64_t count_class(const struct scene *s, uint32_t capture, int class)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].capture == capture)
			n += s->points[i].track.seen[class].count;
	return n;
}

/* Exchanges that passed, as the other side shows */
static uint64_t count_missed(const struct scene *s, uint32_t capture, int class)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].capture == capture)
			n += s->points[i].missed[class].count;
	return n;
}

/* The classes that the capture lacks altogether, in words; where the other side
 * shows of some that they passed, these */
static char *missing_classes(const struct scene *s, uint32_t capture,
                             unsigned int *n_present)
{
	struct strbuf sb = { 0 };
	bool proven = false;

	for (int class = 0; class < TRAFFIC_CLASS_COUNT; class ++)
		proven |= count_class(s, capture, class) == 0 &&
		          count_missed(s, capture, class) > 0;
	*n_present = 0;
	for (int class = 0; class < TRAFFIC_CLASS_COUNT; class ++) {
		if (count_class(s, capture, class) > 0)
			(*n_present)++;
		else if (class_names[class] &&
		         (!proven || count_missed(s, capture, class) > 0))
			strbuf_printf(&sb, "%s%s", sb.len ? ", " : "",
			              class_names[class]);
	}
	return strbuf_steal(&sb);
}

static const char *declared_filter(const struct scene *s, uint32_t capture)
{
	uint32_t n = capture_interface_count(s->captures[capture]);

	for (uint32_t i = 0; i < n; i++) {
		const char *filter =
			capture_interface(s->captures[capture], i)->filter;

		if (filter && filter[0])
			return filter;
	}
	return NULL;
}

static bool looks_filtered(const struct scene *s, uint32_t capture,
                           unsigned int n_present)
{
	const struct incident_capture *c = &s->incident->captures[capture];
	uint64_t group = 0;

	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].capture == capture)
			group += s->points[i].track.group_frames;
	/* Who sends nothing but ARP has found nobody to talk to. */
	if (n_present == 1 && c->packets >= FILTER_CLASS_PACKETS &&
	    count_class(s, capture, TRAFFIC_ARP) == 0)
		return true;
	for (int class = 0; class < TRAFFIC_CLASS_COUNT; class ++)
		if (count_class(s, capture, class) == 0 &&
		    count_missed(s, capture, class) >= FILTER_MISSED)
			return true;
	return group == 0 && c->packets >= FILTER_PACKETS &&
	       c->last_ns - c->first_ns > FILTER_SPAN_NS;
}

static void add_capture_fact(struct scene *s, uint32_t i)
{
	struct incident *in = s->incident;
	const struct incident_capture *c = &in->captures[i];
	struct fact *f = facts_add(in->facts, FACT_KIND_CAPTURE);
	uint64_t shortened = 0;
	unsigned int n_present;
	char *missing = missing_classes(s, i, &n_present);

	for (uint32_t j = 0; j < s->n_points; j++)
		if (s->points[j].capture == i)
			shortened += s->points[j].track.shortened;
	fact_set_enum(f, FIELD_CAPTURE_ROLE, (int)s->roles[i]);
	fact_set_text(in->facts, f, FIELD_CAPTURE_FILE, c->file);
	fact_set_number(f, FIELD_CAPTURE_PACKETS, (int64_t)c->packets);
	fact_set_number(f, FIELD_CAPTURE_SHORTENED, (int64_t)shortened);
	fact_set_number(f, FIELD_CAPTURE_GUEST_FRAMES,
	                (int64_t)guest_frames(s, i));
	fact_set_bool(f, FIELD_CAPTURE_CUT, c->cut_text != NULL);
	if (c->has_time) {
		fact_set_number(f, FIELD_CAPTURE_FIRST, c->first_ns);
		fact_set_number(f, FIELD_CAPTURE_LAST, c->last_ns);
		fact_set_number(f, FIELD_CAPTURE_SPAN,
		                c->last_ns - c->first_ns);
	}
	fact_set_bool(f, FIELD_CAPTURE_FILTERED,
	              declared_filter(s, i) || looks_filtered(s, i, n_present));
	fact_set_text(in->facts, f, FIELD_CAPTURE_HIDDEN,
	              missing ? missing : "nothing");
	free(missing);
	capture_quality_facts(s, i, f);
}

/* A step of one clock is in all captures of its side. */
static uint32_t n_steps(const struct scene *s)
{
	size_t most[2] = { 0, 0 };

	for (size_t i = 0; i < s->n_captures; i++)
		if (s->steps[i].n > most[s->roles[i]])
			most[s->roles[i]] = s->steps[i].n;
	return (uint32_t)(most[0] + most[1]);
}

void capture_facts(struct scene *s)
{
	struct incident *in = s->incident;

	nics_describe(s);
	in->clock = (struct incident_clock){
		.known = s->clock.known,
		.one_sided = s->clock.one_sided,
		.offset_ns = s->clock.offset_ns + s->clock_shift_ns,
		.error_ns = s->clock.error_ns,
		.drift_known = s->clock.known && !s->clock.one_sided,
		.drift_ppb = s->clock.drift_ppb,
		.pairs = s->clock.pairs,
		.steps = n_steps(s),
	};
	add_pair_fact(s);
	for (uint32_t i = 0; i < s->n_captures; i++)
		add_capture_fact(s, i);
	for (uint32_t i = 0; i < s->n_points; i++)
		in->captures[s->points[i].capture]
			.points[s->points[i].point_index]
			.kind = s->points[i].kind;
}
