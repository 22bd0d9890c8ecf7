/*
 * What the report says of the guest's NICs: whose addresses are whose, how each
 * reaches the world, and what the guest runs on.
 */
#include <string.h>

#include "base/xalloc.h"
#include "correlate/scene.h"

static bool has_ip(const struct scene *s, struct mac mac,
                   const struct in6_addr *ip)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct station *st =
			station_table_find(&s->points[i].track.stations, mac);

		if (s->points[i].role == CAPTURE_ROLE_VM && st &&
		    station_has_ip(st, ip))
			return true;
	}
	return false;
}

/* Is it one of the others' only? */
static bool is_of_another(const struct scene *s, size_t nic,
                          const struct in6_addr *ip)
{
	const struct guest *g = &s->guest;
	bool others = false;

	if (nic >= g->n_macs || has_ip(s, g->macs[nic], ip))
		return false;
	for (size_t i = 0; i < g->n_macs; i++)
		others |= has_ip(s, g->macs[i], ip);
	return others;
}

/* A gateway of the guest that only other NICs of it have met */
static bool is_met_by_another(const struct scene *s, size_t nic,
                              const struct gateway *gw)
{
	const struct guest *g = &s->guest;
	bool others = false;

	for (uint32_t i = 0; gw->has_mac && i < s->n_points; i++) {
		const struct station_table *t = &s->points[i].track.stations;

		if (s->points[i].role != CAPTURE_ROLE_VM ||
		    !station_table_find(t, gw->mac))
			continue;
		if (nic < g->n_macs && station_table_find(t, g->macs[nic]))
			return false;
		others = true;
	}
	return others;
}

static void add_gateways(const struct scene *s, size_t nic,
                         struct incident_nic *out)
{
	const struct guest *g = &s->guest;

	out->gateways = xcalloc(g->n_gateways + 1, sizeof(*out->gateways));
	for (size_t i = 0; i < g->n_gateways; i++) {
		const struct gateway *gw = &g->gateways[i];

		if (!gw->has_ip || is_met_by_another(s, nic, gw))
			continue;
		out->gateways[out->n_gateways++] = (struct incident_gateway){
			.ip = gw->ip,
			.has_mac = gw->has_mac,
			.mac = gw->mac,
			.answers = gw->answers,
		};
	}
}

static void add_vlans(const struct scene *s, struct incident_nic *nic)
{
	uint16_t vlan = 0;

	for (uint32_t i = 0; i < s->n_points && nic->has_mac; i++) {
		const struct station *st = station_table_find(
			&s->points[i].track.stations, nic->mac);

		if (st && st->vlan)
			vlan = st->vlan;
	}
	if (vlan) {
		nic->vlans = xcalloc(1, sizeof(*nic->vlans));
		nic->vlans[nic->n_vlans++] = vlan;
	}
}

static void add_nic(const struct scene *s, size_t i)
{
	struct incident_nic *nic = &s->incident->nics[i];
	const struct guest *g = &s->guest;

	*nic = (struct incident_nic){ .mode = scene_mode(s, i) };
	if (i < g->n_macs) {
		nic->mac = g->macs[i];
		nic->has_mac = true;
	}
	nic->ips = xcalloc(GUEST_IPS_MAX, sizeof(*nic->ips));
	for (size_t j = 0; j < g->n_ips; j++)
		if (!is_of_another(s, i, &g->ips[j]))
			nic->ips[nic->n_ips++] = g->ips[j];
	add_gateways(s, i, nic);
	add_vlans(s, nic);
}

/* A registered prefix alone is a hint, not proof; the report only picks its
 * words by it. */
static const char *platform_of(const struct guest *g)
{
	static const struct {
		uint8_t prefix[3];
		const char *platform;
	} prefixes[] = {
		{ { 0x00, 0x50, 0x56 }, "esxi" },
		{ { 0x00, 0x0c, 0x29 }, "vmware-workstation" },
		{ { 0x00, 0x05, 0x69 }, "esxi" },
		{ { 0x00, 0x15, 0x5d }, "hyper-v" },
		{ { 0x08, 0x00, 0x27 }, "virtualbox" },
		{ { 0x52, 0x54, 0x00 }, "kvm" },
		{ { 0xbc, 0x24, 0x11 }, "kvm" },
		{ { 0x50, 0x6b, 0x8d }, "kvm" },
		{ { 0x00, 0x1a, 0x4a }, "kvm" },
		{ { 0xfa, 0x16, 0x3e }, "kvm" },
		{ { 0x00, 0x0d, 0x3a }, "cloud" },
		{ { 0x00, 0x22, 0x48 }, "cloud" },
		{ { 0x60, 0x45, 0xbd }, "cloud" },
		{ { 0x7c, 0x1e, 0x52 }, "cloud" },
	};

	for (size_t i = 0;
	     g->n_macs > 0 && i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (memcmp(prefixes[i].prefix, g->macs[0].bytes, 3) == 0)
			return prefixes[i].platform;
	return NULL;
}

void nics_describe(struct scene *s)
{
	struct incident *in = s->incident;
	size_t n = s->guest.n_macs;

	if (n == 0 && s->guest.n_ips > 0)
		n = 1;
	in->nics = xcalloc(n ? n : 1, sizeof(*in->nics));
	in->n_nics = n;
	for (size_t i = 0; i < n; i++)
		add_nic(s, i);
	in->platform = platform_of(&s->guest);
}
