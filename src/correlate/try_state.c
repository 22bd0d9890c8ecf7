/*
 * What became of one try, as its client saw it, as far as the captures can tell.
 */
#include "correlate/defects.h"
#include "correlate/relay_path.h"
#include "correlate/run.h"

#define TURNS_MIN 3
#define TRACEROUTE_TTL_MAX 40

/* Nothing of the guest passes there, and others ask or answer with its address. */
static bool is_elsewhere(const struct scene *s, const struct sighting *at)
{
	const struct observation *o = &s->points[at->point];
	const struct try *try = sighting_try(s, at);

	if (s->n_path == 0 || o->on_path || o->hop || mac_is_zero(try->src_mac))
		return false;
	return scene_is_guest_ip(s, &sighting_flow(s, at)->key.client) ||
	       (try->has_dst_mac && !mac_is_group(try->dst_mac)) ||
	       (try->answer == TRY_ANSWERED &&
	        !scene_is_guest_mac(s, try->answer_mac));
}

bool try_is_namesakes(const struct scene *s, const struct sighting *at)
{
	const struct observation *o = &s->points[at->point];
	const struct try *try = sighting_try(s, at);

	if (o->role != CAPTURE_ROLE_HOST ||
	    scene_is_guest_mac(s, try->src_mac) ||
	    (try->has_dst_mac && scene_is_guest_mac(s, try->dst_mac)))
		return false;
	return (try->vlan != 0 && scene_other_vlan(s, o, try->vlan)) ||
	       is_elsewhere(s, at);
}

/* Answered by the guest: did the answer go as far as can be seen? */
static enum try_state answered_state(const struct visibility *v,
                                     const struct scene *s,
                                     const struct chain *c)
{
	struct location at = locate(v, s, c);

	return at.known && at.leg == LOST_LEG_REPLY ? TRY_STATE_FAILED
	                                            : TRY_STATE_WORKED;
}

/* The answer went another way: only what the client sends next shows whether it
 * arrived. */
static enum try_state detour_state(const struct flow *f)
{
	if (f->key.protocol != PROTOCOL_TCP)
		return TRY_STATE_UNDECIDED;
	return f->sent_bytes > 0 ? TRY_STATE_WORKED : TRY_STATE_FAILED;
}

/* A traceroute wants to hear that the TTL is used up; who begins with a large
 * one, or comes by again and again, is in a loop. */
static bool goes_round(const struct scene *s, const struct chain *c,
                       const struct try *try)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (sighting_try(s, &s->sightings[c->first + i])->turns >=
		    TURNS_MIN)
			return true;
	return try->ttl > TRACEROUTE_TTL_MAX;
}

static bool has_guest_capture(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			return true;
	return false;
}

/* Would its client's capture, or one on the way to it, have shown the answer? */
static bool is_answer_hidden(const struct visibility *v, const struct scene *s,
                             const struct chain *c, const struct sighting *at,
                             int64_t timeout_ns)
{
	bool from_guest = try_role(s, c) == TRY_ROLE_FROM_GUEST;
	enum path_direction back = from_guest ? PATH_DIRECTION_TO_GUEST
	                                      : PATH_DIRECTION_FROM_GUEST;
	enum traffic_class class = traffic_class_of_protocol(
		(enum protocol)sighting_flow(s, at)->key.protocol);

	if (defects_hide(s, at->point, back, class, c->host_ns,
	                 c->host_ns + timeout_ns))
		return true;
	if (!from_guest || s->points[at->point].role == CAPTURE_ROLE_VM ||
	    !s->aligned || !has_guest_capture(s))
		return false;
	/* The guest sent it, and its own capture lacks it: of a sibling's answer
	 * only what is known to come by a point is missing there. */
	for (uint32_t i = 0; i < s->n_path; i++)
		if (visibility_comes_by(v, c, s->path[i]) &&
		    visibility_could_see(v, s->path[i], back, class, c->host_ns,
		                         timeout_ns))
			return false;
	return true;
}

/*
 * Answered, as a capture on the way shows; but the client's end of the path lacks
 * the try, as a capture does that has a filter or a gap: whether the answer came
 * there is not known.
 */
static bool is_end_hidden(const struct visibility *v, const struct scene *s,
                          const struct chain *c, const struct sighting *at)
{
	bool at_guest = s->points[at->point].role == CAPTURE_ROLE_VM;
	enum try_role role = try_role(s, c);
	enum traffic_class class = traffic_class_of_protocol(
		(enum protocol)sighting_flow(s, at)->key.protocol);

	if (!s->aligned || role == TRY_ROLE_TO_HOST)
		return false;
	if (role == TRY_ROLE_FROM_GUEST)
		return !at_guest && has_guest_capture(s);
	for (uint32_t i = 0; i < s->n_path && at_guest; i++)
		if (visibility_relevance(v, c, s->path[i], true) ==
		            RELEVANCE_YES &&
		    defects_hide(s, s->path[i], PATH_DIRECTION_FROM_GUEST,
		                 class, c->host_ns, c->host_ns))
			return true;
	return false;
}

static bool is_answered_somewhere(const struct scene *s, const struct chain *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (sighting_try(s, &s->sightings[c->first + i])->answer ==
		    TRY_ANSWERED)
			return true;
	return false;
}

/*
 * A relay that gives up resets the guest's connection in the server's name.
 * Whether the server did is seen at the host, where this try was not found beside
 * others of its connection.
 */
static bool is_reset_by_relay(const struct scene *s, const struct sighting *at)
{
	const struct try *try = sighting_try(s, at);

	return s->points[at->point].role == CAPTURE_ROLE_VM &&
	       try->refusal == REFUSAL_RESET &&
	       relay_repeats(s, at->point, try->flow);
}

/*
 * The guest's capture lacks all of its kind, and where it is seen nothing answers.  A
 * neighbour that is there may have answered beside the host's capture.
 */
static bool is_guest_blind(const struct visibility *v, const struct scene *s,
                           const struct sighting *at)
{
	const struct flow *f = sighting_flow(s, at);
	enum traffic_class class =
		traffic_class_of_protocol((enum protocol)f->key.protocol);

	return defects_hide_class(s, CAPTURE_ROLE_VM, class) &&
	       !((class == TRAFFIC_ARP || class == TRAFFIC_NDP) &&
	         visibility_reached_guest(v, &f->key.server));
}

/* A point on the way that it never reached shows it, though the client's own
 * capture ends too early for an answer. */
static bool is_request_lost(const struct visibility *v, const struct scene *s,
                            const struct chain *c, enum protocol protocol)
{
	struct location at = locate(v, s, c);

	return at.known && at.leg == LOST_LEG_REQUEST &&
	       visibility_could_see(v, at.before, at.direction,
	                            traffic_class_of_protocol(protocol),
	                            c->host_ns,
	                            visibility_timeout_ns(protocol));
}

/* Who asks for a lease anew may speak with his address meanwhile. */
static bool has_spoken(const struct scene *s, const struct in6_addr *ip,
                       int64_t before_ns)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		const struct flow_table *t = &o->track.flows;

		for (uint32_t j = 0; j < t->n_flows; j++)
			if (t->flows[j].sent > 0 &&
			    addr_equal(&t->flows[j].key.client, ip) &&
			    scene_host_ns(s, o, t->flows[j].first_ns) <
			            before_ns)
				return true;
	}
	return false;
}

static bool shows_guests_udp(const struct scene *s, const struct observation *o)
{
	const struct flow_table *t = &o->track.flows;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow_key *k = &t->flows[i].key;

		if ((k->protocol == PROTOCOL_UDP ||
		     k->protocol == PROTOCOL_DNS) &&
		    (scene_is_guest_ip(s, &k->client) ||
		     scene_is_guest_ip(s, &k->server)))
			return true;
	}
	return o->track.n_leases > 0;
}

/* Is there a point that would have shown an offer, whole? */
static bool shows_dhcp(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].track.shortened == 0 &&
		    shows_guests_udp(s, &s->points[i]))
			return true;
	return false;
}

/* DHCP servers ask for an address before they offer it (RFC 2131 2.2).  A capture
 * with a filter may lack the offer that another one has.  Where none could show
 * one, the guest has the address from its first word on. */
static bool is_before_offer(const struct scene *s, const struct chain *c,
                            const struct sighting *at)
{
	const struct flow_key *key = &sighting_flow(s, at)->key;

	for (uint32_t p = 0; key->protocol == PROTOCOL_ARP && p < s->n_points;
	     p++) {
		const struct observation *o = &s->points[p];

		for (size_t i = 0; i < o->track.n_leases; i++) {
			const struct dhcp_lease *l = &o->track.leases[i];

			if (l->offered && addr_equal(&l->ip, &key->server) &&
			    scene_is_guest_mac(s, l->client_mac) &&
			    c->host_ns <= scene_host_ns(s, o, l->ts_ns))
				return !has_spoken(s, &l->ip, c->host_ns);
		}
	}
	return key->protocol == PROTOCOL_ARP &&
	       scene_is_guest_ip(s, &key->server) && !shows_dhcp(s) &&
	       !has_spoken(s, &key->server, c->host_ns) &&
	       has_spoken(s, &key->server, INT64_MAX);
}

enum try_state try_state(const struct visibility *v, const struct scene *s,
                         const struct chain *c)
{
	const struct sighting *at = try_client_end(s, c);
	const struct try *try = sighting_try(s, at);
	const struct observation *o = &s->points[at->point];
	enum protocol protocol =
		(enum protocol)sighting_flow(s, at)->key.protocol;
	int64_t timeout_ns = visibility_timeout_ns(protocol);

	if (try->answer == TRY_ANSWERED && c->stall.stalled)
		return TRY_STATE_FAILED;
	if (try->answer == TRY_ANSWERED)
		return is_end_hidden(v, s, c, at) ? TRY_STATE_UNDECIDED
		                                  : TRY_STATE_WORKED;
	if (try->answer == TRY_REFUSED &&
	    try->refusal == REFUSAL_TTL_EXCEEDED && !goes_round(s, c, try))
		return TRY_STATE_UNDECIDED;
	if (try->answer == TRY_REFUSED && c->n == 1 && is_reset_by_relay(s, at))
		return defects_lost(s, c->host_ns, c->host_ns + timeout_ns)
		               ? TRY_STATE_HIDDEN
		               : TRY_STATE_UNDECIDED;
	if (try->answer == TRY_REFUSED)
		return TRY_STATE_REFUSED;
	/* Nobody has to answer UDP; but an answer that was given is missed. */
	if (protocol == PROTOCOL_UDP && !is_answered_somewhere(s, c))
		return TRY_STATE_UNDECIDED;
	if (try->ts_ns + timeout_ns > s->incident->captures[o->capture].last_ns)
		return !c->detour && is_request_lost(v, s, c, protocol)
		               ? TRY_STATE_FAILED
		               : TRY_STATE_UNDECIDED;
	if (c->detour)
		return detour_state(sighting_flow(s, at));
	if (is_before_offer(s, c, at))
		return TRY_STATE_UNDECIDED;
	if (is_answer_hidden(v, s, c, at, timeout_ns))
		return defects_lost(s, c->host_ns, c->host_ns + timeout_ns) ||
		                       is_guest_blind(v, s, at)
		               ? TRY_STATE_HIDDEN
		               : TRY_STATE_UNDECIDED;
	if (try_role(s, c) != TRY_ROLE_TO_GUEST)
		return TRY_STATE_FAILED;
	return is_answered_somewhere(s, c) ? answered_state(v, s, c)
	                                   : TRY_STATE_FAILED;
}
