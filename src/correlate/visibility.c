#include "correlate/visibility.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "correlate/defects.h"
#include "correlate/relay_path.h"

#define MS INT64_C(1000000)

/* Traffic this near in time shows that the point is awake. */
#define AROUND_S 60

/* So many connections that a relay's uplink does not show left by another. */
#define BYPASSED_MIN 2

/* A capture's first and last moments are not sharp. */
#define EDGE_NS (50 * MS)

/* So much of a frame has the header of DNS, also over IPv6 and with tags. */
#define DNS_KEPT_BYTES 96

struct visibility {
	const struct scene *scene;
	struct second_set crossed[SCENE_POINTS_MAX][2];
	uint64_t by_class[SCENE_POINTS_MAX][2][TRAFFIC_CLASS_COUNT];
	bool shows_ip[SCENE_POINTS_MAX][2]; /* something that goes that way */
	uint32_t bypassed
		[SCENE_POINTS_MAX]; /* relays: what left by another way */
	struct hash_table behind; /* hash of (point, MAC or IP) that crossed */
	struct hash_table answered; /* likewise, of who reached the guest */
	struct hash_table alive;    /* hash of IP that sent something */
};

int64_t visibility_timeout_ns(enum protocol protocol)
{
	switch (protocol) {
	case PROTOCOL_ARP:
	case PROTOCOL_NDP:
	case PROTOCOL_ICMP:
	case PROTOCOL_TCP:
		return 1000 * MS;
	case PROTOCOL_UDP:
	case PROTOCOL_DNS:
	case PROTOCOL_DHCP:
		break;
	}
	return 2000 * MS;
}

static void set_add(struct hash_table *t, uint64_t hash)
{
	size_t pos = 0;

	if (hash_table_find(t, hash, &pos) == HASH_TABLE_NONE)
		hash_table_add(t, hash, 0);
}

static bool set_has(const struct hash_table *t, uint64_t hash)
{
	size_t pos = 0;

	return hash_table_find(t, hash, &pos) != HASH_TABLE_NONE;
}

static uint64_t behind_mac(uint32_t point, struct mac mac)
{
	return hash_mix(hash_bytes(&mac, sizeof(mac)), point);
}

static uint64_t behind_ip(uint32_t point, const struct in6_addr *ip)
{
	return hash_mix(hash_bytes(ip, sizeof(*ip)), point);
}

static void note_behind(struct visibility *v, uint32_t point, struct mac mac)
{
	if (!mac_is_zero(mac) && !mac_is_group(mac) &&
	    !scene_is_guest_mac(v->scene, mac))
		set_add(&v->behind, behind_mac(point, mac));
}

static void note_crossing(struct visibility *v, uint32_t point,
                          enum path_direction direction,
                          enum traffic_class class, int64_t host_ns)
{
	second_set_add(&v->crossed[point][direction], host_ns);
	v->by_class[point][direction][class]++;
}

/* One try seen at the guest and at @host_point */
static void note_pair(struct visibility *v, const struct sighting *vm,
                      const struct sighting *host, int64_t host_ns)
{
	const struct scene *s = v->scene;
	const struct flow_table *tv = &s->points[vm->point].track.flows;
	const struct flow_table *th = &s->points[host->point].track.flows;
	const struct try *a = &tv->tries[vm->try];
	const struct try *b = &th->tries[host->try];
	const struct flow *f = &tv->flows[a->flow];
	enum traffic_class class =
		traffic_class_of_protocol((enum protocol)f->key.protocol);
	bool from_guest = scene_is_guest_ip(s, &f->key.client);
	enum path_direction there = from_guest ? PATH_DIRECTION_FROM_GUEST
	                                       : PATH_DIRECTION_TO_GUEST;
	enum path_direction back = from_guest ? PATH_DIRECTION_TO_GUEST
	                                      : PATH_DIRECTION_FROM_GUEST;

	note_crossing(v, host->point, there, class, host_ns);
	note_crossing(v, vm->point, there, class, host_ns);
	if (class != TRAFFIC_ARP && class != TRAFFIC_NDP) {
		note_behind(v, host->point,
		            from_guest ? a->dst_mac : b->src_mac);
		set_add(&v->behind,
		        behind_ip(host->point, from_guest ? &f->key.server
		                                          : &f->key.client));
	}
	if (a->answer != TRY_ANSWERED || b->answer != TRY_ANSWERED)
		return;
	note_crossing(v, host->point, back, class, host_ns);
	note_crossing(v, vm->point, back, class, host_ns);
	note_behind(v, host->point, from_guest ? b->answer_mac : b->src_mac);
	if (from_guest && (class == TRAFFIC_ARP || class == TRAFFIC_NDP))
		set_add(&v->behind, behind_ip(host->point, &f->key.server));
}

/* A connection that worked, and the relay's uplink does not show it: it left by
 * another. */
static void note_bypass(struct visibility *v, uint32_t point,
                        const struct sighting *vm, const struct flow *f)
{
	const struct scene *s = v->scene;
	const struct flow_table *t = &s->points[vm->point].track.flows;

	if (s->points[point].relayed && f->key.protocol == PROTOCOL_TCP &&
	    scene_is_guest_ip(s, &f->key.client) &&
	    scene_on_link(s, &f->key.server) == 0 &&
	    !scene_is_gateway(s, &f->key.server) && f->received_bytes > 0 &&
	    !relay_repeats(s, vm->point, t->tries[vm->try].flow))
		v->bypassed[point]++;
}

/* Somebody's packet reached the guest: a point that it did not pass is not on
 * the way to him, if it was awake. */
static void note_answered(struct visibility *v, const struct chain *c,
                          const struct sighting *vm)
{
	const struct scene *s = v->scene;
	const struct flow_table *t = &s->points[vm->point].track.flows;
	const struct try *try = &t->tries[vm->try];
	const struct flow *f = &t->flows[try->flow];
	bool from_guest = scene_is_guest_ip(s, &f->key.client);
	struct mac mac = from_guest ? try->answer_mac : try->src_mac;

	if (from_guest && try->answer != TRY_ANSWERED)
		return;
	if (!from_guest && flow_key_is_resolution(&f->key))
		return; /* a broadcast comes by every port */
	set_add(&v->answered,
	        behind_ip(vm->point,
	                  from_guest ? &f->key.server : &f->key.client));
	for (uint32_t i = 0; i < s->n_path; i++) {
		const struct observation *o = &s->points[s->path[i]];
		const struct incident_capture *ic =
			&s->incident->captures[o->capture];
		int64_t ts_ns = scene_point_ns(s, o, c->host_ns);

		if (ts_ns < ic->first_ns + EDGE_NS ||
		    ts_ns > ic->last_ns - EDGE_NS)
			continue;
		note_bypass(v, s->path[i], vm, f);
		set_add(&v->answered,
		        behind_ip(s->path[i], from_guest ? &f->key.server
		                                         : &f->key.client));
		if (!mac_is_zero(mac))
			set_add(&v->answered, behind_mac(s->path[i], mac));
	}
}

static void note_chain(struct visibility *v, const struct chain *c)
{
	const struct scene *s = v->scene;

	for (uint32_t i = 0; i < c->n; i++) {
		const struct sighting *vm = &s->sightings[c->first + i];

		if (s->points[vm->point].role != CAPTURE_ROLE_VM)
			continue;
		note_answered(v, c, vm);
		for (uint32_t j = 0; j < c->n; j++) {
			const struct sighting *h = &s->sightings[c->first + j];

			if (s->points[h->point].role != CAPTURE_ROLE_VM)
				note_pair(v, vm, h, c->host_ns);
		}
	}
}

static void note_alive(struct visibility *v, const struct observation *o)
{
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];

		if (f->sent > 0)
			set_add(&v->alive, behind_ip(0, &f->key.client));
		if (f->received > 0)
			set_add(&v->alive, behind_ip(0, &f->key.server));
	}
}

/* A filter for what goes to the guest, or comes from it, leaves nothing but that.
 * ARP may be let through beside; but where the guest gets ARP replies and nothing
 * else, the network may be to blame: one-way filters show in other ways, too. */
static void note_ways(struct visibility *v, uint32_t point)
{
	const struct scene *s = v->scene;
	const struct flow_table *t = &s->points[point].track.flows;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		bool out = scene_is_guest_end(s, &f->key.client);
		bool in = scene_is_guest_end(s, &f->key.server);
		bool own = out || in;

		if (flow_key_is_resolution(&f->key)) {
			v->shows_ip[point][PATH_DIRECTION_TO_GUEST] |=
				out && f->received > 0;
			continue;
		}
		v->shows_ip[point][PATH_DIRECTION_FROM_GUEST] |=
			!own || (out ? f->sent : f->received) > 0;
		v->shows_ip[point][PATH_DIRECTION_TO_GUEST] |=
			!own || (out ? f->received : f->sent) > 0;
	}
}

struct visibility *visibility_new(const struct scene *s)
{
	struct visibility *v = xcalloc(1, sizeof(*v));

	v->scene = s;
	for (size_t i = 0; i < s->n_chains; i++)
		note_chain(v, &s->chains[i]);
	for (uint32_t i = 0; i < s->n_points; i++)
		note_alive(v, &s->points[i]);
	for (uint32_t i = 0; i < s->n_points; i++)
		note_ways(v, i);
	return v;
}

void visibility_free(struct visibility *v)
{
	for (uint32_t i = 0; i < SCENE_POINTS_MAX; i++) {
		second_set_free(&v->crossed[i][0]);
		second_set_free(&v->crossed[i][1]);
	}
	hash_table_free(&v->behind);
	hash_table_free(&v->alive);
	hash_table_free(&v->answered);
	free(v);
}

bool visibility_reached_guest(const struct visibility *v,
                              const struct in6_addr *ip)
{
	for (uint32_t i = 0; i < v->scene->n_points; i++)
		if (v->scene->points[i].role == CAPTURE_ROLE_VM &&
		    set_has(&v->answered, behind_ip(i, ip)))
			return true;
	return false;
}

bool visibility_alive(const struct visibility *v, const struct in6_addr *ip)
{
	return set_has(&v->alive, behind_ip(0, ip));
}

/* Behind a router or NAT: only what has to leave the guest's link. */
static enum relevance relevance_behind_hop(const struct scene *s,
                                           const struct flow *f)
{
	bool from_guest = scene_is_guest_ip(s, &f->key.client);
	const struct in6_addr *peer =
		from_guest ? &f->key.server : &f->key.client;

	if (f->key.protocol == PROTOCOL_ARP || f->key.protocol == PROTOCOL_NDP)
		return RELEVANCE_NO;
	if (scene_is_gateway(s, peer) || scene_is_outside(s, peer))
		return RELEVANCE_NO;
	switch (scene_on_link(s, peer)) {
	case 1:
		return RELEVANCE_NO;
	case 0:
		return RELEVANCE_YES;
	default:
		break;
	}
	/* A gateway whose address is not known may be the peer itself. */
	for (size_t i = 0; i < s->guest.n_gateways; i++)
		if ((s->guest.gateways[i].has_ip || !scene_is_near(s, peer)) &&
		    s->guest.gateways[i].has_mac &&
		    mac_equal(s->guest.gateways[i].mac, scene_next_hop(s, f)))
			return RELEVANCE_YES;
	return RELEVANCE_UNKNOWN;
}

/* Was it sent to everybody?  A known neighbour is asked alone (RFC 1122, 2.3.2.1). */
static bool is_for_everybody(const struct scene *s, const struct chain *c,
                             const struct flow *f)
{
	for (uint32_t i = 0; i < c->n; i++) {
		const struct sighting *at = &s->sightings[c->first + i];

		if (s->points[at->point].track.flows.tries[at->try].unicast)
			return false;
	}
	return flow_key_is_resolution(&f->key);
}

/* The relay opens connections and asks questions of its own, and repeats them
 * when it likes; of other protocols it need not pass anything on. */
static enum relevance relevance_behind_relay(const struct visibility *v,
                                             const struct sighting *at,
                                             const struct flow *f,
                                             uint32_t point)
{
	const struct scene *s = v->scene;
	const struct flow_table *t = &s->points[at->point].track.flows;
	enum traffic_class class =
		traffic_class_of_protocol((enum protocol)f->key.protocol);

	if (!scene_is_guest_ip(s, &f->key.client))
		return RELEVANCE_NO;
	if (s->points[point].forwards_only)
		return RELEVANCE_UNKNOWN;
	if (class != TRAFFIC_TCP &&
	    v->by_class[point][PATH_DIRECTION_FROM_GUEST][class] == 0)
		return RELEVANCE_NO;
	if (relay_repeats(s, at->point, t->tries[at->try].flow) ||
	    v->bypassed[point] >= BYPASSED_MIN)
		return RELEVANCE_UNKNOWN;
	return relevance_behind_hop(s, f);
}

static enum relevance relevance_on_bridge(const struct visibility *v,
                                          const struct chain *chain,
                                          const struct flow *f,
                                          const struct try *try, uint32_t point,
                                          bool reply)
{
	const struct scene *s = v->scene;
	bool from_guest = scene_is_guest_ip(s, &f->key.client);
	const struct in6_addr *ip =
		from_guest ? &f->key.server : &f->key.client;
	struct mac mac = from_guest ? try->dst_mac : try->src_mac;

	if (!reply && is_for_everybody(s, chain, f))
		return RELEVANCE_YES;
	if (from_guest && (!try->has_dst_mac || mac_is_group(mac)))
		mac = scene_next_hop(s, f);
	if (set_has(&v->behind, behind_ip(point, ip)) ||
	    set_has(&v->behind, behind_mac(point, mac)))
		return RELEVANCE_YES;
	if (set_has(&v->answered, behind_ip(point, ip)) ||
	    set_has(&v->answered, behind_mac(point, mac)))
		return RELEVANCE_NO;
	/* It shows all interfaces of the host but the guest's port. */
	if (s->points[point].side == SIDE_FAR && scene_on_link(s, ip) == 0)
		return RELEVANCE_YES;
	/* Past the outermost point a stranger may be a sibling of the guest. */
	if (s->points[point].trunk &&
	    (reply || s->points[point].depth < s->n_path))
		return RELEVANCE_YES;
	return RELEVANCE_UNKNOWN;
}

enum relevance visibility_relevance(const struct visibility *v,
                                    const struct chain *chain, uint32_t point,
                                    bool reply)
{
	const struct scene *s = v->scene;
	const struct sighting *at = &s->sightings[chain->first];
	const struct flow_table *t;
	const struct flow *f;

	for (uint32_t i = 0; i < chain->n; i++)
		if (s->points[s->sightings[chain->first + i].point].role ==
		    CAPTURE_ROLE_VM)
			at = &s->sightings[chain->first + i];
	t = &s->points[at->point].track.flows;
	f = &t->flows[t->tries[at->try].flow];
	if (s->points[point].role == CAPTURE_ROLE_VM)
		return RELEVANCE_YES;
	for (uint32_t i = 0; i < chain->n; i++)
		if (s->sightings[chain->first + i].point == point &&
		    !(reply && flow_key_is_resolution(&f->key)))
			return RELEVANCE_YES;
	if (s->points[point].relayed)
		return relevance_behind_relay(v, at, f, point);
	if (scene_hop(s, scene_nic_of_flow(s, f), point))
		return relevance_behind_hop(s, f);
	return relevance_on_bridge(v, chain, f, &t->tries[at->try], point,
	                           reply);
}

bool visibility_comes_by(const struct visibility *v, const struct chain *chain,
                         uint32_t point)
{
	const struct scene *s = v->scene;
	const struct sighting *at = &s->sightings[chain->first];
	const struct flow_table *t = &s->points[at->point].track.flows;
	const struct flow *f = &t->flows[t->tries[at->try].flow];

	if (visibility_relevance(v, chain, point, true) != RELEVANCE_YES)
		return false;
	return scene_hop(s, scene_nic_of_flow(s, f), point) ||
	       set_has(&v->behind, behind_ip(point, &f->key.server)) ||
	       set_has(&v->behind, behind_mac(point, scene_next_hop(s, f)));
}

/* Nobody leaves DNS out at one point of a side and not at another; but where
 * packets are cut early it may not be known as such. */
static bool records_dns(const struct scene *s, const struct observation *o,
                        int64_t ts_ns)
{
	if (o->missed[TRAFFIC_DNS].count > 0 ||
	    !second_set_near(&o->track.seen[TRAFFIC_UDP], ts_ns, AROUND_S) ||
	    (o->track.shortened > 0 &&
	     s->incident->captures[o->capture].snaplen < DNS_KEPT_BYTES))
		return false;
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == o->role &&
		    second_set_near(&s->points[i].track.seen[TRAFFIC_DNS],
		                    ts_ns, AROUND_S))
			return true;
	return false;
}

/* Does the capture record @class about then? */
static bool records(const struct scene *s, const struct observation *o,
                    enum traffic_class class, int64_t ts_ns)
{
	return second_set_near(&o->track.seen[class], ts_ns, AROUND_S) ||
	       (class == TRAFFIC_DNS && records_dns(s, o, ts_ns));
}

bool visibility_shows_way(const struct visibility *v, uint32_t point,
                          enum path_direction direction,
                          enum traffic_class class)
{
	return class == TRAFFIC_ARP || class == TRAFFIC_NDP ||
	       v->shows_ip[point][direction];
}

bool visibility_could_see(const struct visibility *v, uint32_t point,
                          enum path_direction direction,
                          enum traffic_class class, int64_t host_ns,
                          int64_t after_ns)
{
	const struct scene *s = v->scene;
	const struct observation *o = &s->points[point];
	const struct incident_capture *c = &s->incident->captures[o->capture];
	int64_t ts_ns = scene_point_ns(s, o, host_ns);
	int64_t guard_ns = 2 * s->clock_error_ns + EDGE_NS;

	if (!s->aligned)
		return false;
	if (ts_ns < c->first_ns + guard_ns ||
	    ts_ns + after_ns > c->last_ns - guard_ns)
		return false;
	if (defects_hide(s, point, direction, class, host_ns,
	                 host_ns + after_ns))
		return false;
	if (!records(s, o, class, ts_ns))
		return false;
	if (!visibility_shows_way(v, point, direction, class))
		return false;
	return second_set_near(&v->crossed[point][direction], host_ns,
	                       AROUND_S);
}

bool visibility_crossed(const struct visibility *v, uint32_t point,
                        enum path_direction direction, enum traffic_class class)
{
	return v->by_class[point][direction][class] > 0;
}

bool visibility_crossed_any(const struct visibility *v, uint32_t point,
                            enum path_direction direction)
{
	return v->crossed[point][direction].count > 0;
}
