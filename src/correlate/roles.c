/*
 * Whose file is whose: the same file twice, or host and guest exchanged.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "correlate/scene.h"

/* So much more often it looks as if the guest were beyond the host */
#define PEER_VOTES_MIN 4

/* So many sightings at the host may be of one request */
#define SIGHTINGS_MAX 8

/* So many packets at exactly one distance in time, of all that both have */
#define SAME_TIMES_MIN 10
#define SAME_TIMES_PERCENT 95

/* So many requests are passed on by the host, and by hardly a guest */
#define PASSED_ON_MIN 3

/* Of one conversation both machines are on so many packets. */
#define PEER_SHARE_PERCENT 80

/* Same requests, answered alike, at the same distances in time from the first
 * packet: two taps on one cable agree in the number of packets, by chance also in
 * the time between the first and the last, and never in all between. */
static bool same_tries(const struct observation *a, int64_t a_first_ns,
                       const struct observation *b, int64_t b_first_ns)
{
	const struct flow_table *x = &a->track.flows, *y = &b->track.flows;

	if (x->n_tries != y->n_tries)
		return false;
	for (uint32_t i = 0; i < x->n_tries; i++)
		if (x->tries[i].key != y->tries[i].key ||
		    x->tries[i].answer != y->tries[i].answer ||
		    x->tries[i].ts_ns - a_first_ns !=
		            y->tries[i].ts_ns - b_first_ns ||
		    (x->tries[i].answer != TRY_UNANSWERED &&
		     x->tries[i].answer_ns - a_first_ns !=
		             y->tries[i].answer_ns - b_first_ns))
			return false;
	return true;
}

static bool same_point(const struct observation *a, int64_t a_first_ns,
                       const struct observation *b, int64_t b_first_ns)
{
	return a->track.packets == b->track.packets &&
	       a->track.first_ns - a_first_ns ==
	               b->track.first_ns - b_first_ns &&
	       a->track.last_ns - a_first_ns == b->track.last_ns - b_first_ns &&
	       same_tries(a, a_first_ns, b, b_first_ns);
}

/* One file given twice, though the clock of one may have been set right since. */
static bool same_file(const struct scene *s)
{
	const struct incident_capture *a, *b;

	if (s->n_captures != 2)
		return false;
	a = &s->incident->captures[0];
	b = &s->incident->captures[1];
	if (a->packets == 0 || a->packets != b->packets ||
	    a->last_ns - a->first_ns != b->last_ns - b->first_ns)
		return false;
	for (uint32_t i = 0; i < s->n_points; i++) {
		bool found = false;

		if (s->points[i].capture != 0)
			continue;
		for (uint32_t j = 0; j < s->n_points && !found; j++)
			found = s->points[j].capture == 1 &&
			        same_point(&s->points[i], a->first_ns,
			                   &s->points[j], b->first_ns);
		if (!found)
			return false;
	}
	return true;
}

/* One try that is found once at each side, and answered at both */
struct wait {
	uint64_t key;
	int64_t wait_ns;
	int64_t ts_ns;
	int64_t tick_ns; /* of its capture's stamps */
	struct in6_addr client;
	struct in6_addr server;
	uint32_t point;
	uint8_t ttl;
	bool at_vm;
	bool for_all; /* ARP passes everywhere */
};

static int by_key(const void *a, const void *b)
{
	const struct wait *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (int)x->at_vm - (int)y->at_vm;
}

static size_t collect(const struct scene *s, struct wait **out)
{
	struct wait *waits;
	size_t n = 0;

	for (uint32_t i = 0; i < s->n_points; i++)
		n += s->points[i].track.flows.n_tries;
	waits = xcalloc(n ? n : 1, sizeof(*waits));
	n = 0;
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct flow_table *t = &o->track.flows;

		for (uint32_t j = 0; j < t->n_tries; j++) {
			const struct try *try = &t->tries[j];
			const struct flow *f = &t->flows[try->flow];

			/* Requests that look alike are told apart by none. */
			if (flow_key_is_resolution(&f->key) && f->n_tries != 1)
				continue;
			waits[n++] = (struct wait){
				.key = try->key,
				.wait_ns =
					try->answer == TRY_UNANSWERED
						? -1
						: try->answer_ns - try->ts_ns,
				.client = f->key.client,
				.server = f->key.server,
				.point = i,
				.ttl = try->ttl,
				.ts_ns = try->ts_ns,
				.tick_ns = o->tick_ns,
				.at_vm = o->role == CAPTURE_ROLE_VM,
				.for_all = flow_key_is_resolution(&f->key),
			};
		}
	}
	if (n > 0)
		qsort(waits, n, sizeof(*waits), by_key);
	*out = waits;
	return n;
}

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* How many of @n numbers are equal, at most; sorts them */
static size_t most_equal(int64_t *numbers, size_t n)
{
	size_t best = 0;

	if (n > 0)
		qsort(numbers, n, sizeof(*numbers), by_number);
	for (size_t i = 0, from = 0; i < n; i++) {
		if (numbers[i] != numbers[from])
			from = i;
		if (i - from + 1 > best)
			best = i - from + 1;
	}
	return best;
}

/* Two captures never see all requests, and their answers, exactly equally late:
 * a file is compared with a part of itself. */
static bool same_times(const struct scene *s)
{
	struct wait *waits;
	size_t n = collect(s, &waits), n_pairs = 0, n_offsets = 0, best;
	int64_t *offsets = xcalloc(n ? n : 1, sizeof(*offsets));

	for (size_t i = 0; i + 1 < n; i++) {
		if (waits[i].key != waits[i + 1].key || waits[i].at_vm ||
		    !waits[i + 1].at_vm)
			continue;
		n_pairs++;
		if (waits[i].wait_ns == waits[i + 1].wait_ns)
			offsets[n_offsets++] =
				waits[i + 1].ts_ns - waits[i].ts_ns;
	}
	best = most_equal(offsets, n_offsets);
	free(offsets);
	free(waits);
	return best >= SAME_TIMES_MIN &&
	       best * 100 >= n_pairs * SAME_TIMES_PERCENT;
}

/* The address that most tries share is the guest's, from either file. */
static struct in6_addr common_end(const struct scene *s, enum capture_role role)
{
	struct scene probe = *s;

	probe.guest = (struct guest){ 0 };
	if (role == CAPTURE_ROLE_HOST) {
		probe.points = xcalloc(s->n_points, sizeof(*probe.points));
		memcpy(probe.points, s->points,
		       s->n_points * sizeof(*probe.points));
		for (uint32_t i = 0; i < s->n_points; i++)
			probe.points[i].role =
				s->points[i].role == CAPTURE_ROLE_HOST
					? CAPTURE_ROLE_VM
					: CAPTURE_ROLE_HOST;
	}
	if (mac_is_zero(s->peer))
		guest_find_sure(&probe);
	else
		guest_find(&probe);
	if (probe.points != s->points)
		free(probe.points);
	for (size_t i = 0; i < probe.guest.n_ips; i++)
		if (!addr_is_link_local(&probe.guest.ips[i]))
			return probe.guest.ips[i];
	return (struct in6_addr)IN6ADDR_ANY_INIT;
}

/** struct votes - How many say that host and guest are as said, and are not */
struct votes {
	int64_t yes;
	int64_t no;
};

/*
 * Nested round trips and TTLs: the nearer point waits longer for what the guest
 * asks, shorter for what the guest is asked, and sees the guest's packets before
 * a router has counted their TTL down.  Positive: host and guest are as said.
 */
static int vote(const struct wait *host, const struct wait *vm,
                const struct in6_addr *vm_ip, const struct in6_addr *host_ip)
{
	bool from_vm = addr_equal(&vm->client, vm_ip);
	bool to_vm = addr_equal(&vm->server, vm_ip);
	bool from_host = addr_equal(&host->client, host_ip);
	bool to_host = addr_equal(&host->server, host_ip);
	bool out = from_vm || from_host;

	if (!out && !to_vm && !to_host)
		return 0;
	/* Between these two it looks the same, whichever is the guest. */
	if ((from_vm && to_host) || (from_host && to_vm))
		return 0;
	if (vm->ttl != host->ttl)
		return (vm->ttl > host->ttl) == out ? 1 : -1;
	if (vm->wait_ns < 0 || host->wait_ns < 0 ||
	    llabs(vm->wait_ns - host->wait_ns) < vm->tick_ns + host->tick_ns)
		return 0;
	return (vm->wait_ns > host->wait_ns) == out ? 1 : -1;
}

/* A host's capture of all interfaces has each request several times. */
static struct votes count_votes(const struct scene *s,
                                const struct in6_addr *vm_ip,
                                const struct in6_addr *host_ip)
{
	struct wait *waits;
	size_t n = collect(s, &waits);
	struct votes votes = { 0, 0 };

	for (size_t i = 1; i < n; i++)
		for (size_t j = i;
		     waits[i].at_vm && j-- > 0 && i - j <= SIGHTINGS_MAX &&
		     waits[j].key == waits[i].key && !waits[j].at_vm;) {
			int x = vote(&waits[j], &waits[i], vm_ip, host_ip);

			votes.yes += x > 0;
			votes.no += x < 0;
		}
	free(waits);
	return votes;
}

/* Of the requests that both files show: how many does each show at several points?
 * Whose file that is passes them on. */
static void count_passed_on(const struct scene *s, uint64_t by_role[2])
{
	struct wait *waits;
	size_t n = collect(s, &waits);

	for (size_t i = 0, to; i < n; i = to) {
		bool seen[2] = { false, false }, several[2] = { false, false };

		for (to = i; to < n && waits[to].key == waits[i].key; to++) {
			enum capture_role role =
				s->points[waits[to].point].role;

			seen[role] = true;
			several[role] |=
				to > i &&
				s->points[waits[to - 1].point].role == role &&
				waits[to - 1].point != waits[to].point;
		}
		for (int role = 0; role < 2; role++)
			by_role[role] += !waits[i].for_all && seen[0] &&
			                 seen[1] && several[role];
	}
	free(waits);
}

/* So many more of them, or all of the few that there are */
static bool is_clear(int64_t most, int64_t others)
{
	return most - others >= PEER_VOTES_MIN || (most > 0 && others == 0);
}

/* It may not have an address yet. */
static bool has_guest(const struct scene *s)
{
	struct scene probe = *s;

	guest_find_sure(&probe);
	return probe.guest.n_macs > 0 || probe.guest.n_ips > 0;
}

/* Interfaces that hosts have, and hardly a guest: taps, their bridges, Proxmox's
 * firewall, VMware's networks */
static bool is_host_name(const char *name)
{
	static const char *const prefixes[] = {
		"vnet", "tap",  "macvtap", "vif",  "fwpr",
		"fwln", "fwbr", "virbr",   "vmbr", "vmnet",
	};

	for (size_t i = 0; name && i < sizeof(prefixes) / sizeof(prefixes[0]);
	     i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool has_host_names(const struct scene *s, enum capture_role role)
{
	for (size_t i = 0; i < s->n_captures; i++)
		for (size_t j = 0; s->roles[i] == role &&
		                   j < s->incident->captures[i].n_points;
		     j++)
			if (is_host_name(
				    s->incident->captures[i].points[j].name))
				return true;
	return false;
}

static bool is_swapped(const struct scene *s)
{
	struct in6_addr vm_ip = common_end(s, CAPTURE_ROLE_VM);
	struct in6_addr host_ip = common_end(s, CAPTURE_ROLE_HOST);
	struct votes votes = count_votes(s, &vm_ip, &host_ip);
	uint64_t passed_on[2] = { 0, 0 };

	count_passed_on(s, passed_on);
	if ((passed_on[0] >= PASSED_ON_MIN) != (passed_on[1] >= PASSED_ON_MIN))
		return passed_on[CAPTURE_ROLE_VM] >= PASSED_ON_MIN;
	if (votes.yes == votes.no &&
	    has_host_names(s, CAPTURE_ROLE_VM) !=
	            has_host_names(s, CAPTURE_ROLE_HOST))
		return has_host_names(s, CAPTURE_ROLE_VM);
	if (addr_is_zero(&host_ip))
		return false;
	if (votes.yes != votes.no && !addr_is_zero(&vm_ip))
		return votes.no > votes.yes;
	return guest_fills(s, CAPTURE_ROLE_HOST) &&
	       (!has_guest(s) || !guest_fills(s, CAPTURE_ROLE_VM));
}

static uint32_t most_stations(const struct scene *s, enum capture_role role)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;
		uint32_t n = 0;

		for (uint32_t j = 0; j < t->count; j++)
			n += t->stations[j].sent + t->stations[j].received > 0;
		if (s->points[i].role == role && n > most)
			most = n;
	}
	return most;
}

/* Is this address, too, on nearly all that the guest's capture shows? */
static bool is_on_most(const struct scene *s, const struct in6_addr *ip)
{
	uint64_t own = 0, all = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;

		if (s->points[i].role != CAPTURE_ROLE_VM)
			continue;
		all += t->unicast;
		for (uint32_t j = 0; j < t->count; j++)
			if (station_has_ip(&t->stations[j], ip))
				own += t->stations[j].sent +
				       t->stations[j].received;
	}
	return own * 100 >= all * PEER_SHARE_PERCENT;
}

/* A capture of one conversation has two machines on each of its packets; the one
 * that waits longer at the host is not the guest.  The other file, which has more
 * machines, is the host's. */
static void find_peer(struct scene *s)
{
	static const struct in6_addr nobody = IN6ADDR_ANY_INIT;
	struct in6_addr vm_ip = common_end(s, CAPTURE_ROLE_VM);
	struct votes votes;

	if (addr_is_zero(&vm_ip) || most_stations(s, CAPTURE_ROLE_HOST) <=
	                                    most_stations(s, CAPTURE_ROLE_VM))
		return;
	votes = count_votes(s, &vm_ip, &nobody);
	if (!is_clear(votes.no, votes.yes))
		return;
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;

		for (uint32_t j = 0; j < t->count; j++)
			if (s->points[i].role == CAPTURE_ROLE_VM &&
			    station_has_ip(&t->stations[j], &vm_ip))
				s->peer = t->stations[j].mac;
	}
	vm_ip = common_end(s, CAPTURE_ROLE_VM);
	votes = count_votes(s, &vm_ip, &nobody);
	if (addr_is_zero(&vm_ip) || !is_clear(votes.yes, votes.no) ||
	    !is_on_most(s, &vm_ip))
		s->peer = (struct mac){ { 0 } };
}

void roles_check_same(struct scene *s)
{
	s->same_file = same_file(s) || same_times(s);
}

void roles_check(struct scene *s)
{
	roles_check_same(s);
	if (s->same_file || s->n_captures != 2 || s->roles[0] == s->roles[1])
		return;
	find_peer(s);
	if (!is_swapped(s) && !relay_is_reversed(s))
		return;
	s->swapped = true;
	for (size_t i = 0; i < s->n_captures; i++)
		s->roles[i] = s->roles[i] == CAPTURE_ROLE_HOST
		                      ? CAPTURE_ROLE_VM
		                      : CAPTURE_ROLE_HOST;
	for (uint32_t i = 0; i < s->n_points; i++)
		s->points[i].role = s->roles[s->points[i].capture];
	s->peer = (struct mac){ { 0 } };
	find_peer(s);
}
