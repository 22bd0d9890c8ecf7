/*
 * Who sits on the guest's side of its host's uplink.  What is on one side does
 * not send unicast to its own side by the uplink, so of two that talk there one is
 * inside and the other outside; and the guest is inside.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "correlate/reach.h"

/**
 * struct sides - The stations of one point, as trees of who talks to whom
 * @parent:	by index of the station
 * @differs:	it is on the other side than its parent
 * @mixed:	somebody is on both: it is no uplink, but a bridge or a mirror
 */
struct sides {
	const struct station_table *stations;
	uint32_t *parent;
	bool *differs;
	bool mixed;
};

/* Makers of virtual machines, and addresses that somebody made up */
static bool is_virtual(struct mac mac)
{
	static const uint8_t prefixes[][3] = {
		{ 0x00, 0x50, 0x56 }, { 0x00, 0x0c, 0x29 },
		{ 0x00, 0x05, 0x69 }, { 0x00, 0x15, 0x5d },
		{ 0x08, 0x00, 0x27 }, { 0x50, 0x6b, 0x8d },
		{ 0x00, 0x1a, 0x4a }, { 0x00, 0x16, 0x3e },
		{ 0x00, 0x1c, 0x42 }, { 0xbc, 0x24, 0x11 },
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (memcmp(prefixes[i], mac.bytes, 3) == 0)
			return true;
	return mac.bytes[0] & 0x02;
}

/* The root of @i, and whether @i is on the other side than that */
static uint32_t root_of(struct sides *sides, uint32_t i, bool *differs)
{
	uint32_t root = i;
	bool side = false;

	while (sides->parent[root] != root) {
		side ^= sides->differs[root];
		root = sides->parent[root];
	}
	*differs = side;
	while (sides->parent[i] != i) {
		uint32_t next = sides->parent[i];
		bool own = sides->differs[i];

		sides->parent[i] = root;
		sides->differs[i] = side;
		side ^= own;
		i = next;
	}
	return root;
}

static void oppose(struct sides *sides, struct mac a, struct mac b)
{
	const struct station *x = station_table_find(sides->stations, a);
	const struct station *y = station_table_find(sides->stations, b);
	uint32_t root_x, root_y;
	bool side_x, side_y;

	/* Guests on one NIC reach each other, and the NIC shows it. */
	if (!x || !y || x == y || (is_virtual(a) && is_virtual(b)))
		return;
	root_x = root_of(sides, (uint32_t)(x - sides->stations->stations),
	                 &side_x);
	root_y = root_of(sides, (uint32_t)(y - sides->stations->stations),
	                 &side_y);
	if (root_x == root_y) {
		sides->mixed |= side_x == side_y;
		return;
	}
	sides->parent[root_x] = root_y;
	sides->differs[root_x] = side_x == side_y;
}

struct sides *own_host_new(const struct scene *s)
{
	const struct observation *o;
	struct sides *sides;

	if (s->n_path == 0 || s->guest.n_macs == 0)
		return NULL;
	o = &s->points[s->path[s->n_path - 1]];
	if (o->hop || o->track.stations.count == 0)
		return NULL;
	sides = xcalloc(1, sizeof(*sides));
	sides->stations = &o->track.stations;
	sides->parent = xcalloc(sides->stations->count, sizeof(uint32_t));
	sides->differs = xcalloc(sides->stations->count, sizeof(bool));
	for (uint32_t i = 0; i < sides->stations->count; i++)
		sides->parent[i] = i;
	for (uint32_t i = 0; i < o->track.flows.n_flows; i++) {
		const struct flow *f = &o->track.flows.flows[i];

		if (f->key.protocol != PROTOCOL_ARP &&
		    f->key.protocol != PROTOCOL_NDP && f->sent > 0 &&
		    f->received > 0)
			oppose(sides, f->client_mac, f->server_mac);
	}
	return sides;
}

void own_host_free(struct sides *sides)
{
	if (!sides)
		return;
	free(sides->parent);
	free(sides->differs);
	free(sides);
}

/* Does the capture say that all frames of @mac leave the host?  -1: it does not
 * say which way they go */
static int only_leaves(const struct scene *s, struct mac mac)
{
	uint64_t in = 0, out = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station *st =
			station_table_find(&s->points[i].track.stations, mac);

		if (s->points[i].role != CAPTURE_ROLE_HOST || !st)
			continue;
		in += st->sent_in;
		out += st->sent_out;
	}
	if (in == 0 && out == 0)
		return -1;
	return in == 0;
}

/* Its frames come into the host by a port of its own: it is on a switch. */
static bool has_port(const struct scene *s)
{
	if (s->n_path > 1)
		return true;
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station *st = station_table_find(
			&s->points[i].track.stations, s->guest.macs[0]);

		if (s->points[i].role == CAPTURE_ROLE_HOST && st &&
		    st->sent_in > 0 && st->sent_out == 0)
			return true;
	}
	return false;
}

/* On the guest's side: 1; on the other: 0; not known: -1 */
static int is_beside(struct sides *sides, const struct scene *s,
                     const struct station *st)
{
	const struct station *own =
		station_table_find(sides->stations, s->guest.macs[0]);
	int leaves = only_leaves(s, st->mac);
	uint32_t root, own_root;
	bool side, own_side;

	if (leaves >= 0)
		return leaves;
	if (!own || sides->mixed)
		return -1;
	root = root_of(sides, (uint32_t)(st - sides->stations->stations),
	               &side);
	own_root = root_of(sides, (uint32_t)(own - sides->stations->stations),
	                   &own_side);
	return root != own_root ? -1 : side == own_side;
}

static void describe(struct sides *sides, const struct scene *s,
                     const struct in6_addr *ip, enum field field,
                     struct fact *f)
{
	const struct station *st = station_table_owner(sides->stations, ip);
	int beside;

	if (scene_is_guest_ip(s, ip) || !st)
		return;
	beside = is_virtual(st->mac) || has_port(s) ? 0
	                                            : is_beside(sides, s, st);
	if (beside >= 0)
		fact_set_bool(f, field, beside);
}

void own_host_describe(struct sides *sides, const struct scene *s,
                       const struct flow_key *key, struct fact *f)
{
	if (!sides)
		return;
	describe(sides, s, &key->server, FIELD_SERVER_OWN_HOST, f);
	describe(sides, s, &key->client, FIELD_CLIENT_OWN_HOST, f);
}
