/*
 * What a fact tells of an exchange: who asks whom, what it has in common with
 * others, and how often its tries were seen, answered and translated.
 */
#include "correlate/run.h"

static void set_server(const struct scene *s, const struct visibility *v,
                       const struct flow_key *key, struct fact *f)
{
	bool is_host = scene_is_outside(s, &key->server);
	int on_link = scene_on_link(s, &key->server);

	fact_set_ip(f, FIELD_SERVER_IP, &key->server);
	if (key->server_port)
		fact_set_number(f, FIELD_SERVER_PORT, key->server_port);
	else
		fact_set_absent(f, FIELD_SERVER_PORT);
	fact_set_bool(f, FIELD_SERVER_IS_GUEST,
	              scene_is_guest_ip(s, &key->server));
	fact_set_bool(f, FIELD_SERVER_IS_GATEWAY,
	              scene_is_gateway(s, &key->server));
	if (s->guest.mode == NETWORK_MODE_NAT ||
	    s->guest.mode == NETWORK_MODE_USER_NAT)
		is_host |= scene_is_gateway(s, &key->server);
	fact_set_bool(f, FIELD_SERVER_IS_HOST, is_host);
	if (on_link >= 0)
		fact_set_bool(f, FIELD_SERVER_ON_LINK, on_link);
	fact_set_bool(f, FIELD_SERVER_ALIVE, visibility_alive(v, &key->server));
}

static void set_labels(const struct scene *s, const struct flow_key *key,
                       enum try_role role, struct fact *f)
{
	bool from_guest = role == TRY_ROLE_FROM_GUEST;
	const struct in6_addr *peer = from_guest ? &key->server : &key->client;
	const struct gateway *gw = scene_gateway_for(s, peer);
	const struct in6_addr *hop = peer;
	struct {
		struct in6_addr server;
		uint32_t protocol;
		uint32_t port;
	} server = { key->server, key->protocol, key->server_port };
	uint8_t proto = (uint8_t)key->protocol;
	const struct in6_addr *own = from_guest ? &key->client : &key->server;
	size_t nic = s->guest.n_macs > 1 ? scene_nic_of_ip(s, own) : 0;

	if (gw && gw->has_ip && scene_on_link(s, peer) == 0)
		hop = &gw->ip;
	fact_set_label(f, FIELD_LABEL_GUEST, &s->guest.macs[0],
	               sizeof(struct mac));
	fact_set_label(f, FIELD_LABEL_SEGMENT, &s->guest.macs[nic],
	               sizeof(struct mac));
	fact_set_label(f, FIELD_LABEL_PEER, peer, sizeof(*peer));
	fact_set_label(f, FIELD_LABEL_ADDRESS, &key->server,
	               sizeof(key->server));
	fact_set_label(f, FIELD_LABEL_NEXT_HOP, hop, sizeof(*hop));
	fact_set_label(f, FIELD_LABEL_SERVER, &server, sizeof(server));
	fact_set_label(f, FIELD_LABEL_FLOW, key, sizeof(*key));
	fact_set_label(f, FIELD_LABEL_PROTO, &proto, 1);
}

static bool guest_shows_icmp(const struct scene *s, bool v4)
{
	enum traffic_class class = v4 ? TRAFFIC_ICMP : TRAFFIC_NDP;

	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM &&
		    s->points[i].track.seen[class].count > 0)
			return true;
	return false;
}

void exchange_describe(const struct scene *s, const struct visibility *v,
                       const struct flow_key *key, enum try_role role,
                       struct fact *f)
{
	fact_set_enum(f, FIELD_PROTO, (int)key->protocol);
	fact_set_ip(f, FIELD_CLIENT_IP, &key->client);
	fact_set_bool(f, FIELD_CLIENT_IS_GUEST, role == TRY_ROLE_FROM_GUEST);
	fact_set_bool(f, FIELD_CLIENT_IS_HOST,
	              scene_is_outside(s, &key->client));
	fact_set_bool(f, FIELD_GUEST_IS_END,
	              role == TRY_ROLE_FROM_GUEST || role == TRY_ROLE_TO_GUEST);
	fact_set_enum(
		f, FIELD_MODE,
		scene_mode(s, scene_nic_of_ip(s, role == TRY_ROLE_FROM_GUEST
	                                                 ? &key->client
	                                                 : &key->server)));
	if (s->uplink_seen)
		fact_set_bool(f, FIELD_UPLINK_SEEN, true);
	if (guest_shows_icmp(s, addr_is_v4(&key->server)))
		fact_set_bool(f, FIELD_REFUSALS_SEEN, true);
	set_server(s, v, key, f);
	set_labels(s, key, role, f);
}

struct counts {
	int64_t seen_vm, seen_host, seen_outermost;
	int64_t answers_vm, answers_host;
	int64_t undone_host, undone_vm;
	int64_t translated, untranslated, private_source;
	int64_t dst_mac_guest, dst_mac_other;
	const struct in6_addr *sent_on_to;
};

/* To whom the frame was sent on the guest's link.  A MAC that speaks with the
 * guest's address carries its frames: bridging over Wi-Fi. */
static void count_destination(const struct scene *s, const struct run *run,
                              const struct observation *o,
                              const struct try *try, struct counts *n)
{
	const struct station *st;

	if (run->role != TRY_ROLE_TO_GUEST || o->hop || !try->has_dst_mac ||
	    mac_is_group(try->dst_mac))
		return;
	st = station_table_find(&o->track.stations, try->dst_mac);
	if (scene_is_guest_mac(s, try->dst_mac))
		n->dst_mac_guest++;
	else if (!st || !station_has_ip(st, &run->key.server))
		n->dst_mac_other++;
}

static void count_sighting(const struct scene *s, const struct run *run,
                           const struct chain *c, const struct sighting *at,
                           struct counts *n)
{
	const struct observation *o = &s->points[at->point];
	const struct try *try = sighting_try(s, at);
	const struct flow *f = sighting_flow(s, at);

	if (o->role == CAPTURE_ROLE_VM) {
		n->seen_vm++;
		n->answers_vm += try->answer != TRY_UNANSWERED;
		n->undone_vm += try->undone;
		count_destination(s, run, o, try, n);
		return;
	}
	if (s->n_path > 0 && at->point == s->path[s->n_path - 1])
		n->seen_outermost++;
	count_destination(s, run, o, try, n);
	n->undone_host +=
		try->undone || (c->stall.stalled && f->client_resets > 0);
	/* A relay translates nothing: that it is the same try is inferred. */
	if (run->role != TRY_ROLE_FROM_GUEST || o->relayed ||
	    !scene_hop(s, scene_nic_of_ip(s, &run->key.client), at->point))
		return;
	if (!addr_equal(&f->key.server, &run->key.server))
		n->sent_on_to = &f->key.server;
	if (addr_equal(&f->key.client, &run->key.client)) {
		n->untranslated++;
		n->private_source += addr_is_private(&f->key.client);
	} else {
		n->translated++;
	}
}

static void count_chain(const struct scene *s, const struct run *run,
                        const struct chain *c, struct counts *n)
{
	bool seen = false, answered = false;

	for (uint32_t i = 0; i < c->n; i++) {
		const struct sighting *at = &s->sightings[c->first + i];

		count_sighting(s, run, c, at, n);
		if (s->points[at->point].role == CAPTURE_ROLE_VM)
			continue;
		seen = true;
		answered |= sighting_try(s, at)->answer != TRY_UNANSWERED;
	}
	n->seen_host += seen;
	n->answers_host += answered;
}

void run_add_counts(const struct scene *s, const struct run *run,
                    struct fact *f)
{
	struct counts n = { 0 };

	for (size_t i = 0; i < run->n_chains; i++)
		count_chain(s, run, run->chains[i], &n);
	fact_set_number(f, FIELD_SEEN_VM, n.seen_vm);
	fact_set_number(f, FIELD_ANSWERS_VM, n.answers_vm);
	if (n.seen_host > 0 || run->location.known) {
		fact_set_number(f, FIELD_SEEN_HOST, n.seen_host);
		fact_set_number(f, FIELD_SEEN_OUTERMOST, n.seen_outermost);
		fact_set_number(f, FIELD_ANSWERS_HOST, n.answers_host);
	} else {
		fact_set_interval(f, FIELD_SEEN_HOST, 0, VALUE_MAX);
		fact_set_interval(f, FIELD_ANSWERS_HOST, 0, VALUE_MAX);
	}
	if (n.translated + n.untranslated > 0) {
		fact_set_bool(f, FIELD_TRANSLATED,
		              n.translated > n.untranslated);
		fact_set_bool(f, FIELD_PRIVATE_SOURCE,
		              n.private_source > n.translated);
	} else if (s->guest.mode == NETWORK_MODE_BRIDGED) {
		fact_set_bool(f, FIELD_TRANSLATED, false);
		fact_set_bool(f, FIELD_PRIVATE_SOURCE, false);
	}
	fact_set_bool(f, FIELD_ANSWER_REFUSED_BY_HOST,
	              n.undone_host > 0 && n.undone_vm == 0);
	if (n.sent_on_to)
		fact_set_ip(f, FIELD_SENT_ON_TO, n.sent_on_to);
	else
		fact_set_absent(f, FIELD_SENT_ON_TO);
	if (n.dst_mac_guest + n.dst_mac_other > 0)
		fact_set_bool(f, FIELD_DST_MAC_IS_GUEST,
		              n.dst_mac_guest >= n.dst_mac_other);
}

/* TTL of what the server sends otherwise, as the guest sees it; 0: unknown */
static uint8_t usual_ttl(const struct scene *s, const struct sighting *at)
{
	const struct flow_table *t = &s->points[at->point].track.flows;
	const struct flow *f = sighting_flow(s, at);

	for (uint32_t i = 0; i < t->n_flows; i++)
		if (t->flows[i].key.protocol == PROTOCOL_TCP &&
		    t->flows[i].received > 1 &&
		    addr_equal(&t->flows[i].key.server, &f->key.server))
			return t->flows[i].server_ttl;
	return 0;
}

void run_add_refusal_ttl(const struct scene *s, const struct run *run,
                         struct fact *f)
{
	for (size_t i = 0; i < run->n_chains; i++) {
		const struct sighting *at = run_refusal_at(s, run->chains[i]);
		const struct try *try = sighting_try(s, at);
		uint8_t ttl;

		if (try->answer != TRY_REFUSED || try->refusal != REFUSAL_RESET)
			continue;
		/* Behind a translated address there are several machines. */
		if (!addr_equal(&sighting_flow(s, at)->key.server,
		                &run->key.server))
			return;
		ttl = usual_ttl(s, at);
		if (ttl && s->guest.mode != NETWORK_MODE_USER_NAT)
			fact_set_bool(f, FIELD_REFUSAL_TTL_DIFFERS,
			              ttl != try->answer_ttl);
		return;
	}
}

void run_add_location(const struct scene *s, const struct run *run,
                      struct fact *f)
{
	const struct location *at = &run->location;
	uint8_t direction = (uint8_t)at->direction;

	if (!at->known)
		return;
	fact_set_enum(f, FIELD_LOST_LEG, at->leg);
	if (!at->wide)
		fact_set_enum(f, FIELD_LOST_PLACE, at->place);
	fact_set_bool(f, FIELD_LOST_SPLIT, at->split);
	fact_set_enum(f, FIELD_DIRECTION, at->direction);
	fact_set_label(f, FIELD_LABEL_DIRECTION, &direction, 1);
	if (at->after != NO_POINT)
		f->after = scene_point_id(s, at->after);
	if (at->before != NO_POINT)
		f->before = scene_point_id(s, at->before);
}

enum party run_party(const struct scene *s, const struct run *run,
                     const struct in6_addr *ip)
{
	if (scene_is_guest_ip(s, ip))
		return PARTY_GUEST;
	if (addr_equal(ip, &run->key.server))
		return PARTY_SERVER;
	if (scene_is_outside(s, ip))
		return PARTY_HOST;
	if (scene_is_gateway(s, ip))
		return PARTY_GATEWAY;
	return PARTY_OTHER;
}

/* Did the guest send the refusal?  Beyond NAT it carries the host's address. */
static bool guest_refused(const struct scene *s, const struct run *run)
{
	for (size_t i = 0; i < run->n_chains; i++) {
		const struct chain *c = run->chains[i];

		for (uint32_t j = 0; j < c->n; j++) {
			const struct sighting *at = &s->sightings[c->first + j];
			const struct try *try = sighting_try(s, at);

			if (s->points[at->point].role == CAPTURE_ROLE_VM &&
			    try->answer == TRY_REFUSED &&
			    scene_is_guest_ip(s, &try->refused_by))
				return true;
		}
	}
	return false;
}

void run_add_refusal(const struct scene *s, const struct visibility *v,
                     const struct run *run, struct fact *f)
{
	const struct try *try = run_refused_try(s, v, run);

	fact_set_enum(f, FIELD_REFUSAL,
	              (int)(try ? try->refusal : REFUSAL_NONE));
	if (!try)
		fact_set_absent(f, FIELD_REFUSED_BY);
	else if (guest_refused(s, run))
		fact_set_enum(f, FIELD_REFUSED_BY, PARTY_GUEST);
	else
		fact_set_enum(f, FIELD_REFUSED_BY,
		              run_party(s, run, &try->refused_by));
}
