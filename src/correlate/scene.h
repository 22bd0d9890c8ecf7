/*
 * The scene: all observation points of all captures, and what is known of how
 * they belong together.  Filled step by step by the files of this folder, in the
 * order of analyse(); private to it.
 */
#ifndef PCAPDIAG_CORRELATE_SCENE_H
#define PCAPDIAG_CORRELATE_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/capture.h"
#include "correlate/analyse.h"
#include "correlate/announce.h"
#include "correlate/clock_line.h"
#include "correlate/clock_steps.h"
#include "correlate/clock_stretches.h"
#include "correlate/doubles.h"
#include "correlate/joins.h"
#include "correlate/scene_time.h"
#include "facts/incident.h"
#include "track/point.h"

#define GUEST_IPS_MAX 16
#define GUEST_MACS_MAX 8
#define SCENE_POINTS_MAX 64
/* So many may be points, those inside of tunnels included */
#define TUNNEL_POINTS_MAX 48
#define NO_POINT UINT32_MAX

/* Of the host, where one interface of a capture shows both: see sides.c */
enum side {
	SIDE_BOTH,
	SIDE_GUEST,
	SIDE_FAR,
};

/**
 * struct observation - One observation point of one capture
 * @capture:	index of the capture
 * @point_index: index among the points of the capture
 * @tunnel:	its packets come out of this tunnel, which makes a point of its own
 * @carries_tunnels: some of its packets carry others, opened or not
 * @track:	what its packets tell
 * @on_path:	unicast of the guest passes here
 * @depth:	place along the path from the guest (0), for points on it
 * @trunk:	whatever of the guest passes any point passes this one
 * @hop:	the guest's packets have been routed (TTL less) here
 * @translated:	they have been translated here
 * @relayed:	here are not they, but connections that the host opened for them
 * @forwards_only: as far as is known, only for those that others open to the guest
 * @proxied:	and they may well come from a reverse proxy
 * @lacks:	by direction: nothing of the guest that goes there is recorded
 * @missed:	by class: seconds, in the host's clock, of which the other file
 *		shows packets that passed here
 * @holes:	seconds, in the host's clock, of which nothing is recorded
 * @unread:	seconds, likewise, before ICMP errors for the guest of which it
 *		cannot be read what they are about
 * @tick_ns:	all time stamps are a multiple of it
 * @newest_ns:	stamp of its last frame
 * @backs:	where time goes backwards in the file by more than STEP_BACK_NS
 */
struct observation {
	uint32_t capture;
	uint32_t point_index;
	uint32_t interface;
	int64_t ifindex;
	enum side side;
	struct tunnel tunnel;
	bool carries_tunnels;
	uint32_t linktype;
	enum capture_role role;
	struct point track;
	bool on_path;
	bool trunk;
	uint32_t depth;
	bool hop;
	bool translated;
	bool relayed;
	bool forwards_only;
	bool proxied;
	bool lacks[2];
	struct second_set missed[TRAFFIC_CLASS_COUNT];
	struct second_set holes;
	struct second_set unread;
	int64_t tick_ns;
	int64_t newest_ns;
	struct step_back backs[STEP_BACKS_MAX];
	size_t n_backs;
	enum point_kind kind;
};

/** struct gateway - A next hop of the guest, for IPv4 or IPv6: one machine may
 * be both */
struct gateway {
	bool is_v6;
	struct in6_addr ip;
	struct mac mac;
	bool has_ip;
	bool has_mac;
	bool answers;
};

/** struct nic_path - One of several NICs: its mode; by point, as far as known,
 * what happens to its packets */
struct nic_path {
	enum network_mode mode;
	bool known[SCENE_POINTS_MAX];
	bool hop[SCENE_POINTS_MAX];
	bool translated[SCENE_POINTS_MAX];
};

struct guest {
	struct mac macs[GUEST_MACS_MAX];
	size_t n_macs;
	struct nic_path paths[GUEST_MACS_MAX];
	struct in6_addr ips[GUEST_IPS_MAX];
	size_t n_ips;
	struct gateway gateways[4];
	size_t n_gateways;
	uint32_t prefix_bits; /* of its IPv4 addresses; 0: not known */
	bool prefix_from_dhcp;
	enum network_mode mode;
	struct in6_addr outside[2]; /* its address behind NAT: IPv4, IPv6 */
	bool has_outside[2];
	bool unsure; /* the other end of one exchange may be the guest instead */
};

/**
 * struct sighting - One try at one point
 */
struct sighting {
	uint32_t point; /* index of the observation */
	uint32_t try;
};

/**
 * struct stall - An opened TCP connection whose bytes stop on the way
 * @stalled:	the rest is meaningful
 * @from_client: the client's bytes, else the server's
 * @after, @before: points between which they are lost
 * @seq:	sequence number of the first one that is lost
 */
struct stall {
	bool stalled;
	bool from_client;
	uint32_t after;
	uint32_t before;
	uint32_t seq;
};

/**
 * struct chain - One try at all points
 * @first:	index of its first sighting in scene.sightings
 * @n:		sightings, at most one a point
 * @host_ns:	time of the first one, in the host's clock
 * @stall:	for TCP: what became of the connection
 * @detour:	the guest answered by another NIC than it was asked on
 */
struct chain {
	uint32_t first;
	uint32_t n;
	int64_t host_ns;
	struct stall stall;
	bool detour;
};

/**
 * struct outage - Since when a point of the host lacks the guest
 * @since_ns:	last frame of the guest here, in the host's clock
 * @last_ns:	last frame of the guest in its own capture
 * @shown:	of @out, those of a class that this point shows anything of
 * @out, @in:	frames that the guest sent, unicast that it received, since then
 * @others:	frames of others that this point has seen since then
 */
struct outage {
	bool seen;
	int64_t since_ns;
	int64_t last_ns;
	uint64_t out;
	uint64_t shown;
	uint64_t in;
	uint64_t others;
};

/**
 * struct foreign - An address that another machine uses with the guest's MAC
 * @broadcasts, @inbound: ARP requests with it, those that came from outside, for
 *		these targets
 * @point:	where its frames were seen
 * @frames:	how many
 */
struct foreign {
	struct in6_addr ip;
	uint64_t broadcasts;
	uint64_t inbound;
	struct in6_addr targets[8];
	size_t n_targets;
	uint32_t point;
	uint64_t frames;
	int64_t first_ns;
	int64_t last_ns;
};

/**
 * struct peer - What all flows tell of one address
 * @guest_sent:	the guest sent it something
 * @arp_sent:	by ARP, too, between @arp_first_ns and @arp_last_ns
 * @routed:	its packets carry the MAC of somebody with another address
 * @claimed:	somebody on the link claims it
 */
struct peer {
	struct in6_addr ip;
	bool guest_sent;
	bool arp_sent;
	bool routed;
	bool claimed;
	int64_t arp_first_ns;
	int64_t arp_last_ns;
};

/** struct peer_table - Zero-initialised is empty; owns its arrays */
struct peer_table {
	struct peer *peers;
	uint32_t count;
	uint32_t capacity;
	struct hash_table index;
};

/**
 * struct scene - See above.  All times are without the steps of the clocks.
 * @steps:	of each capture
 * @clock:	what is reported: the line where both sides begin
 * @clock_shift_ns: what the steps before that add to its offset
 * @stretches:	the lines, at least one if @aligned
 * @clock_error_ns: the largest error of any of them
 */
struct scene {
	struct capture *const *captures;
	size_t n_captures;
	enum capture_role *roles; /* as used, after an exchange */
	struct observation *points;
	uint32_t n_points;
	bool points_full;
	uint64_t two_sided; /* bit by capture: each side is a point */
	bool roles_known;   /* before, the tunnels of either file are opened */
	bool tunnels_cut; /* frames were cut inside tunnels, and say nothing */
	bool swapped;
	bool same_file;
	struct mac peer; /* fills the guest's file as the guest does; or zero */
	struct guest guest;
	struct clock_steps *steps;
	struct joins *joins; /* by capture */
	bool joined;         /* they are found */
	struct clock_line clock;
	int64_t clock_shift_ns;
	struct clock_stretch stretches[CLOCK_STEPS_MAX + 1];
	size_t n_stretches;
	int64_t clock_error_ns;
	bool aligned; /* times of both files can be compared */
	uint64_t shared_packets;
	struct sighting *sightings;
	size_t n_sightings;
	struct chain *chains; /* in order of time */
	size_t n_chains;
	uint32_t path[SCENE_POINTS_MAX]; /* guest's point first */
	uint32_t n_path;
	bool uplink_seen; /* the path's end is not just the guest's own port */
	uint32_t isolated_from; /* host-only: nothing of the guest gets here */
	struct peer_table peers;
	struct outage outages[SCENE_POINTS_MAX];
	bool outages_known; /* the second reading has been done */
	double loss_rate;   /* of requests and answers, of all kinds */
	struct announce announce;
	struct doubles doubles;
	struct foreign foreign[4];
	size_t n_foreign;
	struct hash_table relayed; /* the guest's flows that a relay repeats */
	struct incident *incident;
	const struct hints *hints;
};

/** scene_interface_of() - The interface that stands for @interface: of a switch
 * whose ports are recorded by source, and of those that are one, the first */
uint32_t scene_interface_of(const struct scene *s, uint32_t capture,
                            uint32_t interface);

/** scene_point_of() - The observation that @p of @capture belongs to; NULL */
struct observation *scene_point_of(const struct scene *s, uint32_t capture,
                                   const struct packet *p);

/** scene_open_tunnel() - What @p of @capture carries for a guest; false: it does
 * not.  A guest's own tunnels stay closed: it is their end. */
bool scene_open_tunnel(const struct scene *s, uint32_t capture,
                       const struct packet *p, struct packet *inner);

/** scene_point_id() - "host:0/2" of a point; lives as long as the incident */
const char *scene_point_id(const struct scene *s, uint32_t point);

/** scene_guest_point() - The first point of the guest's captures, or NO_POINT */
uint32_t scene_guest_point(const struct scene *s);

/** scene_point_at_depth() - The point so many steps from the guest on the path;
 * at depth 0 scene_guest_point() */
uint32_t scene_point_at_depth(const struct scene *s, uint32_t depth);

/** scene_is_guest_ip(), scene_is_guest_mac() - Is it one of the guest's? */
bool scene_is_guest_ip(const struct scene *s, const struct in6_addr *ip);
bool scene_is_guest_mac(const struct scene *s, struct mac mac);

/** scene_next_hop() - Link address that a flow of the guest goes to, as far as
 * it is known; else zero */
struct mac scene_next_hop(const struct scene *s, const struct flow *f);

/** scene_on_link() - Is @ip on the guest's own link?  -1: not known */
int scene_on_link(const struct scene *s, const struct in6_addr *ip);

/** scene_is_near() - Is the IPv4 address @ip on the guest's link, or, where that
 * is not known, likely to be: few links are smaller than a /24? */
bool scene_is_near(const struct scene *s, const struct in6_addr *ip);

/** scene_is_gateway() - Is @ip a gateway of the guest? */
bool scene_is_gateway(const struct scene *s, const struct in6_addr *ip);

/** scene_outside_for() - The guest's address behind NAT for the family of @ip,
 * or NULL */
const struct in6_addr *scene_outside_for(const struct scene *s,
                                         const struct in6_addr *ip);

/** scene_is_outside() - Is @ip one of them? */
bool scene_is_outside(const struct scene *s, const struct in6_addr *ip);

/** scene_is_guest_end() - Is @ip the guest's, there or beyond NAT? */
bool scene_is_guest_end(const struct scene *s, const struct in6_addr *ip);

/** gateway_serves() - Is it one for the family of @ip? */
bool gateway_serves(const struct gateway *gw, const struct in6_addr *ip);

/** scene_gateway_for() - The guest's first gateway for the family of @ip, or
 * NULL */
const struct gateway *scene_gateway_for(const struct scene *s,
                                        const struct in6_addr *ip);

/** link_v6_holds() - scene_on_link() for IPv6: the prefixes that routers
 * advertise and those of the guest's own addresses */
int link_v6_holds(const struct scene *s, const struct in6_addr *ip);

/* The steps, one file each. */

/** survey_run() - Read all captures once; make the points */
void survey_run(struct scene *s);

/** survey_again() - Read one of them once more, into points made anew */
void survey_again(struct scene *s, uint32_t capture);

/** side_of() - The side of the host that @p of @capture was seen at */
enum side side_of(const struct scene *s, uint32_t capture,
                  const struct packet *p);

/** sides_split() - Make a point of each side, where one shows both */
void sides_split(struct scene *s);

/** sides_limit_claims() - Limit what is claimed of such points to their side */
void sides_limit_claims(struct scene *s);

/** survey_settle() - Read again what was read before the roles were known, if it
 * matters */
void survey_settle(struct scene *s);
/** survey_retimed() - Likewise, into the same points: its times have changed */
void survey_retimed(struct scene *s, uint32_t capture);

/** roles_check_same() - Is it one file twice? */
void roles_check_same(struct scene *s);

/** roles_check() - Is it one file twice?  Are host and guest exchanged? */
void roles_check(struct scene *s);

/** guest_find() - Whose file is whose; the guest's MACs and addresses */
void guest_find(struct scene *s);

/** guest_fills() - Is there, at each point of the captures of @role, one machine
 * that nearly all unicast is of? */
bool guest_fills(const struct scene *s, enum capture_role role);

/** guest_find_sure() - The same, only if nearly all of its file is the guest's */
void guest_find_sure(struct scene *s);

/** guest_plan() - Its prefix and gateways; needs chains for the host's view */
void guest_plan(struct scene *s);

/** relay_find() - User-mode NAT: which points show the guest's connections opened
 * anew by the host?  Their tries take the keys of the guest's. */
void relay_find(struct scene *s);

/** relay_is_reversed() - Are host and guest exchanged, by what the host relays? */
bool relay_is_reversed(const struct scene *s);

/** align_run() - Offset of the clocks, packets that the files share */
void align_run(struct scene *s);

/** chains_build() - The same try at all points */
void chains_build(struct scene *s);

/** chain_at() - The first sighting of @c in a capture of @role, or NULL */
const struct sighting *chain_at(const struct scene *s, const struct chain *c,
                                enum capture_role role);

/** chain_at_point() - The sighting of @c at @point, or NULL */
const struct sighting *chain_at_point(const struct scene *s,
                                      const struct chain *c, uint32_t point);

/** tunnel_title() - "VXLAN 100"; owned by the caller; NULL for no tunnel */
char *tunnel_title(const struct tunnel *t);

/** tunnels_settle() - Forget the networks of others in tunnels */
void tunnels_settle(struct scene *s);

/** path_find() - Points in order, network mode, addresses behind NAT */
void path_find(struct scene *s);

/** path_place() - The place between two points of the path of a NIC, the inner
 * one given first */
enum place path_place(const struct scene *s, size_t nic, uint32_t inner,
                      uint32_t outer);

/** path_mode_of() - The mode of one NIC of the guest */
enum network_mode path_mode_of(const struct scene *s, size_t nic);

/** nic_paths_find() - Modes and points of each NIC, where there are several */
void nic_paths_find(struct scene *s);

/** scene_nic_of_flow(), scene_nic_of_ip() - Which NIC of the guest it goes by;
 * the first if nobody knows */
size_t scene_nic_of_flow(const struct scene *s, const struct flow *f);
size_t scene_nic_of_ip(const struct scene *s, const struct in6_addr *ip);

/** scene_mode(), scene_hop(), scene_translated() - As in struct guest and struct
 * observation, for one NIC */
enum network_mode scene_mode(const struct scene *s, size_t nic);
bool scene_hop(const struct scene *s, size_t nic, uint32_t point);
bool scene_translated(const struct scene *s, size_t nic, uint32_t point);

/** isolation_find() - Is the guest in a host-only network? */
void isolation_find(struct scene *s);

/** defects_find() - What the captures lack although it passed */
void defects_find(struct scene *s);

/** stalls_find() - Opened connections whose bytes are lost on the way */
void stalls_find(struct scene *s);

/** exchanges_judge() - Runs of tries to facts */
void exchanges_judge(struct scene *s);

/** clone_fact() - Into @f: what tells of @x */
void clone_fact(struct scene *s, struct fact *f, const struct foreign *x);

/** nic_frames() - A new claim of the guest's frames at @point; sets its index */
struct claim *nic_frames(const struct scene *s, uint32_t point, int32_t *index);

/** clones_find() - Addresses that others use with the guest's MAC: they are not
 * the guest's */
void clones_find(struct scene *s);

/** neighbours_find() - What all flows tell of each address */
void neighbours_find(struct scene *s);
void neighbours_free(struct peer_table *t);

/** scene_other_vlan() - Is this another VLAN than the guest's at @o? */
bool scene_other_vlan(const struct scene *s, const struct observation *o,
                      uint16_t vlan);

/** neighbours_talked() - Did the guest send @ip anything? */
bool neighbours_talked(const struct scene *s, const struct in6_addr *ip);

/** point_last_spoke() - When @mac last spoke as @ip at @o; false: never */
bool point_last_spoke(const struct observation *o, const struct in6_addr *ip,
                      struct mac mac, int64_t *last_ns);

/** address_facts() - Addresses that two claim, and who answers for others */
void address_facts(struct scene *s);

/** outage_note() - A packet of the second reading, seen at @point */
void outage_note(struct scene *s, uint32_t point, const struct packet *p,
                 int64_t host_ns);

/** announce_note() - A packet of the second reading, seen at @point */
void announce_note(struct scene *s, uint32_t point, const struct packet *p,
                   int64_t host_ns);

/** announce_found() - Did something go astray until the guest spoke? */
bool announce_found(const struct scene *s);

/** announce_fact() - Into @f: what went astray */
void announce_fact(struct scene *s, struct fact *f);

/** nics_describe() - The guest's NICs for the report */
void nics_describe(struct scene *s);

/** nic_facts() - The facts about the guest's NIC */
void nic_facts(struct scene *s);

/** struct asked - Bits of the questions that something is about: by address,
 * and by port as well */
struct asked {
	uint64_t by_address;
	uint64_t exactly;
};

/** questions_of() - Which questions is @chain about?  At any point: the address
 * may be one before or after translation */
struct asked questions_of(const struct scene *s, const struct chain *c);

/** questions_note() - Add @e to the questions that it is about */
void questions_note(struct scene *s, struct asked asked,
                    const struct question_exchange *e);

/** questions_count_frames() - Reading for the questions that no exchange is
 * about: what is there of them at all? */
void questions_count_frames(struct scene *s);

/** forgotten_find() - Connections that one side does not know any more */
void forgotten_find(struct scene *s);

/** capture_facts() - The facts about the captures themselves */
void capture_facts(struct scene *s);

/** capture_quality_facts() - Of them, what tells the quality of @capture */
void capture_quality_facts(const struct scene *s, uint32_t capture,
                           struct fact *f);

/** matching_run() - Second reading: every packet of the guest accounted for, and
 * how many get lost */
void matching_run(struct scene *s);

void scene_free(struct scene *s);

#endif
