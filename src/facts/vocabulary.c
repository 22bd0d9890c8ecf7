#include "facts/vocabulary.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define ALL_KINDS (FACT_KIND_BIT(FACT_KIND_COUNT) - 1)
#define PAIR FACT_KIND_BIT(FACT_KIND_CAPTURE_PAIR)
#define CAPTURE FACT_KIND_BIT(FACT_KIND_CAPTURE)
#define ADDRESS FACT_KIND_BIT(FACT_KIND_ADDRESS)
#define NIC FACT_KIND_BIT(FACT_KIND_NIC)
#define LOSS FACT_KIND_BIT(FACT_KIND_LOSS)
/* Kinds that tell when and where */
#define PLACED (FACT_KINDS_EXCHANGE | ADDRESS | NIC | LOSS)

static const char *const place_words[] = {
	[PLACE_GUEST] = "guest",
	[PLACE_GUEST_HOST_PATH] = "guest-host-path",
	[PLACE_HOST] = "host",
	[PLACE_NAT] = "nat",
	[PLACE_BEYOND_HOST] = "beyond-host",
	[PLACE_CAPTURE] = "capture",
	NULL,
};

static const char *const direction_words[] = {
	[PATH_DIRECTION_FROM_GUEST] = "from-guest",
	[PATH_DIRECTION_TO_GUEST] = "to-guest",
	NULL,
};

static const char *const leg_words[] = {
	[LOST_LEG_NONE] = "none",
	[LOST_LEG_REQUEST] = "request",
	[LOST_LEG_RESPONDER] = "responder",
	[LOST_LEG_REPLY] = "reply",
	NULL,
};

static const char *const outcome_words[] = {
	[OUTCOME_WORKED] = "worked",
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_INTERMITTENT] = "intermittent",
	[OUTCOME_UNDECIDED] = "undecided",
	NULL,
};

static const char *const mode_words[] = {
	[NETWORK_MODE_BRIDGED] = "bridged",
	[NETWORK_MODE_NAT] = "nat",
	[NETWORK_MODE_USER_NAT] = "user-nat",
	[NETWORK_MODE_HOST_ONLY] = "host-only",
	[NETWORK_MODE_ROUTED] = "routed",
	[NETWORK_MODE_UNKNOWN] = "unknown",
	NULL,
};

static const char *const party_words[] = {
	[PARTY_GUEST] = "guest",
	[PARTY_HOST] = "host",
	[PARTY_GATEWAY] = "gateway",
	[PARTY_SERVER] = "server",
	[PARTY_CLIENT] = "client",
	[PARTY_OTHER] = "other",
	NULL,
};

static const char *const protocol_words[] = {
	[PROTOCOL_ARP] = "arp",   [PROTOCOL_NDP] = "ndp",
	[PROTOCOL_ICMP] = "icmp", [PROTOCOL_TCP] = "tcp",
	[PROTOCOL_UDP] = "udp",   [PROTOCOL_DNS] = "dns",
	[PROTOCOL_DHCP] = "dhcp", NULL,
};

static const char *const role_words[] = {
	[CAPTURE_ROLE_HOST] = "host",
	[CAPTURE_ROLE_VM] = "vm",
	NULL,
};

static const char *const refusal_words[] = {
	[REFUSAL_NONE] = "none",
	[REFUSAL_RESET] = "reset",
	[REFUSAL_NET_UNREACHABLE] = "net-unreachable",
	[REFUSAL_HOST_UNREACHABLE] = "host-unreachable",
	[REFUSAL_PORT_UNREACHABLE] = "port-unreachable",
	[REFUSAL_PROHIBITED] = "prohibited",
	[REFUSAL_TTL_EXCEEDED] = "ttl-exceeded",
	[REFUSAL_OTHER] = "other",
	NULL,
};

const struct enum_set enum_set_place = { "place", place_words };
const struct enum_set enum_set_direction = { "direction", direction_words };
const struct enum_set enum_set_leg = { "leg", leg_words };
const struct enum_set enum_set_outcome = { "outcome", outcome_words };
const struct enum_set enum_set_mode = { "mode", mode_words };
const struct enum_set enum_set_party = { "party", party_words };
const struct enum_set enum_set_protocol = { "protocol", protocol_words };
const struct enum_set enum_set_role = { "role", role_words };
const struct enum_set enum_set_refusal = { "refusal", refusal_words };

#define ROW(kinds_, name_, type_, meaning_)                                    \
	{                                                                      \
		.name = (name_), .type = VALUE_TYPE_##type_,                   \
		.kinds = (kinds_), .meaning = (meaning_)                       \
	}
#define WORD(kinds_, name_, set_, meaning_)                                    \
	{                                                                      \
		.name = (name_), .type = VALUE_TYPE_ENUM,                      \
		.words = &enum_set_##set_, .kinds = (kinds_),                  \
		.meaning = (meaning_)                                          \
	}
#define EXCHANGE(...) ROW(FACT_KINDS_EXCHANGE, __VA_ARGS__)
#define EXCHANGE_WORD(...) WORD(FACT_KINDS_EXCHANGE, __VA_ARGS__)

static const struct field_info fields[FIELD_COUNT] = {
	[FIELD_PROTO] = EXCHANGE_WORD("proto", protocol, "protocol"),
	[FIELD_DIRECTION] =
		WORD(FACT_KINDS_EXCHANGE | LOSS, "direction", direction,
	             "which way the lost packet travelled"),
	[FIELD_CLIENT_IP] = EXCHANGE("client.ip", IP, "who asked"),
	[FIELD_CLIENT_MAC] = EXCHANGE("client.mac", MAC, "who asked"),
	[FIELD_CLIENT_IS_GUEST] =
		EXCHANGE("client.is_guest", BOOL, "the guest asked"),
	[FIELD_CLIENT_IS_HOST] =
		EXCHANGE("client.is_host", BOOL, "the host itself asked"),
	[FIELD_SERVER_IP] = EXCHANGE("server.ip", IP, "who was asked"),
	[FIELD_SERVER_MAC] =
		EXCHANGE("server.mac", MAC, "who was asked, where it is known"),
	[FIELD_SERVER_PORT] = EXCHANGE("server.port", NUMBER,
	                               "the port that was asked; absent where "
	                               "the protocol has none"),
	[FIELD_SERVER_IS_GUEST] =
		EXCHANGE("server.is_guest", BOOL, "the guest was asked"),
	[FIELD_SERVER_IS_HOST] =
		EXCHANGE("server.is_host", BOOL, "the host itself was asked"),
	[FIELD_SERVER_FORWARDED] =
		EXCHANGE("server.forwarded", BOOL,
	                 "others reach the guest by that port of the host"),
	[FIELD_SERVER_OWN_HOST] = EXCHANGE(
		"server.own_host", BOOL,
		"the guest is on no switch of its host, and a machine on its "
		"side of the uplink, no virtual one, was asked: its host"),
	[FIELD_CLIENT_OWN_HOST] =
		EXCHANGE("client.own_host", BOOL, "likewise, it asked"),
	[FIELD_SERVER_IS_GATEWAY] = EXCHANGE("server.is_gateway", BOOL,
	                                     "the guest's gateway was asked"),
	[FIELD_SERVER_ON_LINK] =
		EXCHANGE("server.on_link", BOOL,
	                 "the server is on the guest's own link"),
	[FIELD_SERVER_ALIVE] =
		EXCHANGE("server.alive", BOOL,
	                 "somebody at the server's address answered something"),
	[FIELD_GUEST_IS_END] =
		EXCHANGE("guest.is_end", BOOL, "the guest asked or was asked"),
	[FIELD_MODE] =
		EXCHANGE_WORD("mode", mode, "how the guest is connected"),
	[FIELD_UPLINK_SEEN] = EXCHANGE(
		"uplink.seen", BOOL,
		"the host's captures reach farther than the guest's own "
		"port; unknown where only the guest is seen"),
	[FIELD_REFUSALS_SEEN] = EXCHANGE(
		"refusals.seen", BOOL,
		"the guest's capture has ICMP, so that it would show a refusal "
		"by it; unknown where it has none"),
	[FIELD_TRIES] = EXCHANGE("tries", NUMBER, "requests, copies removed"),
	[FIELD_ANSWERS] =
		EXCHANGE("answers", NUMBER, "answers that reached the client"),
	[FIELD_OUTCOME] =
		EXCHANGE_WORD("outcome", outcome, "what became of it"),
	[FIELD_FIRST] = ROW(PLACED, "first", TIME, "first request"),
	[FIELD_LAST] = ROW(PLACED, "last", TIME, "last request"),
	[FIELD_SPAN] = ROW(PLACED, "span", DURATION,
	                   "from the first request to the last"),
	[FIELD_SEEN_VM] =
		EXCHANGE("seen.vm", NUMBER, "requests in the guest's capture"),
	[FIELD_SEEN_HOST] =
		EXCHANGE("seen.host", NUMBER, "requests in the host's capture"),
	[FIELD_SEEN_OUTERMOST] =
		EXCHANGE("seen.outermost", NUMBER,
	                 "requests at the point farthest from the guest"),
	[FIELD_ANSWERS_VM] = EXCHANGE("answers.vm", NUMBER,
	                              "answers in the guest's capture"),
	[FIELD_ANSWERS_HOST] = EXCHANGE("answers.host", NUMBER,
	                                "answers in the host's capture"),
	[FIELD_LOST_LEG] = EXCHANGE_WORD(
		"lost.leg", leg,
		"what was lost: the request, its answer, or the responder "
		"said nothing"),
	[FIELD_LOST_PLACE] =
		WORD(PLACED, "lost.place", place, "where it was lost"),
	[FIELD_LOST_SPLIT] =
		EXCHANGE("lost.split", BOOL,
	                 "several places lie in the gap: it is not narrowed"),
	[FIELD_TRANSLATED] =
		EXCHANGE("translated", BOOL, "seen with addresses translated"),
	[FIELD_PRIVATE_SOURCE] =
		EXCHANGE("private_source", BOOL,
	                 "leaves the host with the guest's private source"),
	[FIELD_NEXT_HOP_ALIVE] =
		EXCHANGE("next_hop.alive", BOOL,
	                 "the next hop answered or forwarded something"),
	[FIELD_GUEST_ALIVE] =
		EXCHANGE("guest.alive", BOOL,
	                 "the guest answered other things meanwhile"),
	[FIELD_DST_MAC_IS_GUEST] =
		EXCHANGE("dst_mac_is_guest", BOOL,
	                 "the requests carry the guest's MAC as destination"),
	[FIELD_REFUSAL] =
		EXCHANGE_WORD("refusal", refusal, "how it was refused"),
	[FIELD_REFUSED_BY] =
		EXCHANGE_WORD("refused_by", party, "who refused it"),
	[FIELD_ANSWER_REFUSED_BY_HOST] =
		EXCHANGE("answer_refused_by_host", BOOL,
	                 "the host itself refused the answer (reset or ICMP)"),
	[FIELD_REFUSAL_TTL_DIFFERS] =
		EXCHANGE("refusal.ttl_differs", BOOL,
	                 "the reset came with another TTL than the server's "
	                 "other packets"),
	[FIELD_FORGOTTEN_BY] =
		EXCHANGE_WORD("forgotten_by", party,
	                      "who resets open connections as unknown; absent "
	                      "where nobody does"),
	[FIELD_UNACKED_BYTES] = EXCHANGE(
		"unacked.bytes", NUMBER,
		"bytes of an open connection that the guest sends again "
		"and again, and nobody acknowledges"),
	[FIELD_STALLED] = EXCHANGE("stalled", BOOL,
	                           "connections open, and their data is lost "
	                           "on the way"),
	[FIELD_CLIENT_PORTS_TRIED] =
		EXCHANGE("client.ports_tried", NUMBER,
	                 "distinct ports of the server that the client tried"),
	[FIELD_SILENT_TO_PEER] =
		EXCHANGE("silent_to_peer", BOOL,
	                 "the guest sent the other address no ARP meanwhile"),
	[FIELD_NEXT_HOP_CURRENT] = EXCHANGE(
		"next_hop.mac_is_current", BOOL,
		"the guest sends to the MAC that the next hop uses now"),
	[FIELD_NEXT_HOP_MAC] = EXCHANGE("next_hop.mac", MAC,
	                                "the MAC that the guest sends to"),
	[FIELD_NEXT_HOP_MAC_NOW] = EXCHANGE(
		"next_hop.mac_now", MAC, "the MAC that the next hop uses now"),
	[FIELD_SERVER_VIA_ROUTER] =
		EXCHANGE("server.via_router", BOOL,
	                 "other machines reach the server through a router"),
	[FIELD_DST_MAC] = EXCHANGE("dst_mac", MAC,
	                           "the MAC that requests to the guest carry "
	                           "instead of its own"),
	[FIELD_CLIENT_ON_LINK] =
		EXCHANGE("client.on_link", BOOL,
	                 "the client is on the guest's own link"),
	[FIELD_SILENT_OFF_LINK] = EXCHANGE(
		"guest.silent_off_link", BOOL,
		"the guest answers clients on its link and none beyond it"),
	[FIELD_SENDS_OFF_LINK] =
		EXCHANGE("guest.sends_off_link", BOOL,
	                 "the guest sent something beyond its link"),
	[FIELD_HAS_GATEWAY] =
		EXCHANGE("guest.has_gateway", BOOL,
	                 "a gateway of the guest is known, or it asks for one"),
	[FIELD_GUEST_NICS] = EXCHANGE("guest.nics", NUMBER,
	                              "NICs of the guest that were captured"),
	[FIELD_LEASE_WITHOUT_ROUTER] =
		EXCHANGE("guest.lease_without_router", BOOL,
	                 "DHCP gave the guest an address and no router"),
	[FIELD_UNUSED_ANSWERS] =
		EXCHANGE("guest.unused_answers", NUMBER,
	                 "addresses beyond its link that the guest was told by "
	                 "DNS and never tried"),
	[FIELD_NEXT_HOP_FORWARDS] = EXCHANGE(
		"next_hop.forwards", BOOL,
		"anything from beyond the link came by way of the next hop"),
	[FIELD_NEXT_HOP_PEERS] = EXCHANGE("next_hop.peers", NUMBER,
	                                  "addresses beyond the link that the "
	                                  "guest tried by this next hop"),
	[FIELD_ANOTHER_ROUTER] = EXCHANGE(
		"another_router", BOOL,
		"another MAC brings packets from beyond the guest's link"),
	[FIELD_NEXT_HOP_IS_HOST] =
		EXCHANGE("next_hop.is_host", BOOL,
	                 "the next hop is the guest's own host"),
	[FIELD_USUAL_GATEWAY] = EXCHANGE(
		"usual_gateway", IP,
		"the first address of the guest's link, where another machine "
		"than the next hop has it"),
	[FIELD_REDIRECTED] = EXCHANGE(
		"redirected", BOOL,
		"a router told the guest to use another one (ICMP redirect)"),
	[FIELD_TURNS] = EXCHANGE(
		"turns", NUMBER,
		"how often one packet came by again with a smaller TTL"),
	[FIELD_TURNS_FROM] =
		EXCHANGE("turns.from", MAC, "who sent it into the circle"),
	[FIELD_TURNS_TO] = EXCHANGE("turns.to", MAC, "who sends it back"),
	[FIELD_CLIENT_ALONE_LOST] =
		EXCHANGE("client.alone_lost", BOOL,
	                 "nothing of this client reaches the guest, where "
	                 "others beyond the link get through"),
	[FIELD_CLIENT_PROTOCOLS_LOST] = EXCHANGE(
		"client.protocols_lost", NUMBER,
		"protocols of this client of which nothing reaches the guest"),
	[FIELD_CLIENT_ROUTED_ELSEWHERE] =
		EXCHANGE("client.routed_elsewhere", BOOL,
	                 "the host looks for the client on the wrong link"),
	[FIELD_ANSWER_FROM_OTHER] =
		EXCHANGE("answer.from_other", BOOL,
	                 "the answer came from another address than was asked"),
	[FIELD_ANSWER_IP] =
		EXCHANGE("answer.ip", IP, "the address that answered instead"),
	[FIELD_SENT_ON_TO] =
		EXCHANGE("sent_on_to", IP,
	                 "where the host sends the guest's requests instead of "
	                 "the address that it asked"),
	[FIELD_ANSWER_OTHER_NIC] =
		EXCHANGE("answer.other_nic", BOOL,
	                 "the guest answered by another of its NICs"),
	[FIELD_CONCURRENT] =
		EXCHANGE("concurrent", NUMBER,
	                 "translated connections of the guest to the same "
	                 "server and port that worked meanwhile"),
	[FIELD_POOL_FULL] =
		EXCHANGE("pool.full", BOOL,
	                 "those fill a range of the NAT's ports without a gap"),
	[FIELD_ALIVE_OUTSIDE] = EXCHANGE("server.alive_outside", BOOL,
	                                 "the address that the guest asks for "
	                                 "on its link is used beyond the host"),
	[FIELD_IDLE_BEFORE] = EXCHANGE("idle_before", DURATION,
	                               "how long the connection was silent "
	                               "before the bytes that are lost"),
	[FIELD_NAT_PASSES_ON] =
		EXCHANGE("nat.passes_on", BOOL,
	                 "user-mode NAT passed something of this protocol on"),
	[FIELD_SERVER_SOUGHT] =
		EXCHANGE("server.sought_in_vain", BOOL,
	                 "behind user-mode NAT: the host asks for its MAC in "
	                 "vain"),

	[FIELD_PAIR_SHARED_PACKETS] = ROW(PAIR, "shared_packets", NUMBER,
	                                  "packets found in both captures"),
	[FIELD_PAIR_SAME_GUEST] =
		ROW(PAIR, "same_guest", BOOL,
	            "the guest of one is known by MAC or IP in the other"),
	[FIELD_PAIR_SAME_FILE] = ROW(PAIR, "same_file", BOOL,
	                             "both are one and the same capture"),
	[FIELD_PAIR_SWAPPED] =
		ROW(PAIR, "swapped", BOOL,
	            "the host's was given as the guest's and vice versa"),
	[FIELD_PAIR_GAP] =
		ROW(PAIR, "gap", DURATION,
	            "from the end of the earlier to the start of the later"),
	[FIELD_PAIR_OVERLAP] =
		ROW(PAIR, "overlap", DURATION, "time that both cover"),
	[FIELD_PAIR_GUEST_WORKS_OUTSIDE] =
		ROW(PAIR, "guest_works_outside", BOOL,
	            "the guest had answers from beyond its link"),
	[FIELD_PAIR_GUEST_TRIES_OUTSIDE] =
		ROW(PAIR, "guest_tries_outside", BOOL,
	            "the guest sent something beyond its link"),
	[FIELD_PAIR_BOTH_GIVEN] = ROW(PAIR, "both_given", BOOL,
	                              "there are captures of both sides"),
	[FIELD_PAIR_SHARED_STATIONS] =
		ROW(PAIR, "shared_stations", NUMBER,
	            "unicast MAC addresses, not the guest's, known in both"),
	[FIELD_PAIR_HOST_LOOPBACK] =
		ROW(PAIR, "host_loopback", BOOL,
	            "the host's captures are of its loopback interface only"),
	[FIELD_PAIR_APART] =
		ROW(PAIR, "apart", BOOL,
	            "exchanges of one protocol of the guest are answered in "
	            "both, and no packet of the guest is in both"),

	[FIELD_CAPTURE_ROLE] =
		WORD(CAPTURE, "role", role, "which side it was taken on"),
	[FIELD_CAPTURE_FILE] = ROW(CAPTURE, "file", TEXT, "its file"),
	[FIELD_CAPTURE_PACKETS] = ROW(CAPTURE, "packets", NUMBER, "frames"),
	[FIELD_CAPTURE_FIRST] = ROW(CAPTURE, "first", TIME, "first frame"),
	[FIELD_CAPTURE_LAST] = ROW(CAPTURE, "last", TIME, "last frame"),
	[FIELD_CAPTURE_SPAN] = ROW(CAPTURE, "span", DURATION,
	                           "from the first frame to the last"),
	[FIELD_CAPTURE_FILTERED] = ROW(CAPTURE, "filtered", BOOL,
	                               "a capture filter hides protocols"),
	[FIELD_CAPTURE_HIDDEN] =
		ROW(CAPTURE, "hidden", TEXT, "what the filter hides"),
	[FIELD_CAPTURE_GUEST_FRAMES] = ROW(CAPTURE, "guest_frames", NUMBER,
	                                   "frames of the guest in it"),
	[FIELD_CAPTURE_SHORTENED] =
		ROW(CAPTURE, "shortened", NUMBER,
	            "frames of which the snaplen cut a part off"),
	[FIELD_CAPTURE_DROPS] =
		ROW(CAPTURE, "drops", NUMBER, "frames that the capture missed"),
	[FIELD_CAPTURE_CUT] =
		ROW(CAPTURE, "cut", BOOL, "the file ends within a frame"),
	[FIELD_CAPTURE_ONE_WAY] =
		ROW(CAPTURE, "one_way", BOOL,
	            "it records the guest's packets of one direction only"),
	[FIELD_CAPTURE_LACKS] = WORD(CAPTURE, "lacks", direction,
	                             "the direction that it does not record"),
	[FIELD_CAPTURE_HEADERS_CUT] =
		ROW(CAPTURE, "headers_cut", NUMBER,
	            "frames that the snaplen cut within a header"),
	[FIELD_CAPTURE_KEPT] =
		ROW(CAPTURE, "kept", NUMBER,
	            "bytes kept of the frames that were cut; absent if none "
	            "was"),
	[FIELD_CAPTURE_UNSEEN_ACKS] =
		ROW(CAPTURE, "unseen_acks", NUMBER,
	            "TCP acknowledgements of data that it never had"),
	[FIELD_CAPTURE_TCP_PACKETS] =
		ROW(CAPTURE, "tcp_packets", NUMBER, "TCP packets"),
	[FIELD_CAPTURE_GAP_SECONDS] =
		ROW(CAPTURE, "gap_seconds", NUMBER,
	            "seconds in which it lost packets, as far as proven"),
	[FIELD_CAPTURE_GAP_FIRST] =
		ROW(CAPTURE, "gap_first", TIME, "start of the first of them"),
	[FIELD_CAPTURE_GAP_LAST] =
		ROW(CAPTURE, "gap_last", TIME, "end of the last of them"),
	[FIELD_CAPTURE_OVERSIZE] =
		ROW(CAPTURE, "oversize", NUMBER,
	            "TCP frames larger than an ordinary Ethernet frame"),
	[FIELD_CAPTURE_LARGEST] = ROW(CAPTURE, "largest", NUMBER,
	                              "bytes of its largest TCP frame"),
	[FIELD_CAPTURE_UNFINISHED] =
		ROW(CAPTURE, "unfinished", NUMBER,
	            "TCP checksums that were left to the hardware"),
	[FIELD_CAPTURE_HEADER_BYTES] =
		ROW(CAPTURE, "header_bytes", NUMBER,
	            "bytes of a virtio-net header in front of each frame: none "
	            "can be read"),

	[FIELD_ADDRESS_IP] = ROW(ADDRESS, "ip", IP, "the address"),
	[FIELD_ADDRESS_FIRST_MAC] =
		ROW(ADDRESS, "first_mac", MAC, "who claimed it first"),
	[FIELD_ADDRESS_SECOND_MAC] = ROW(ADDRESS, "second_mac", MAC,
	                                 "who else claims it; absent: nobody"),
	[FIELD_ADDRESS_IS_GUESTS] =
		ROW(ADDRESS, "is_guests", BOOL, "it is the guest's own"),
	[FIELD_ADDRESS_IS_GATEWAYS] =
		ROW(ADDRESS, "is_gateways", BOOL, "it is its gateway's"),
	[FIELD_ADDRESS_BOTH_ALIVE] =
		ROW(ADDRESS, "both_alive", BOOL,
	            "the first speaks for it after the second began"),
	[FIELD_ADDRESS_DOUBLES] =
		ROW(ADDRESS, "doubles", NUMBER, "requests that both answered"),
	[FIELD_ADDRESS_REFUSED_PROBES] =
		ROW(ADDRESS, "refused_probes", NUMBER,
	            "probes for a free address that the owner answered"),
	[FIELD_ADDRESS_UNSOLICITED] =
		ROW(ADDRESS, "unsolicited", NUMBER,
	            "claims of the second that nobody asked for"),
	[FIELD_ADDRESS_PERIOD] = ROW(ADDRESS, "period", DURATION,
	                             "between two of them, on average"),
	[FIELD_ADDRESS_ORIGINATES] =
		ROW(ADDRESS, "originates", BOOL,
	            "the second sends packets of its own from it"),
	[FIELD_ADDRESS_VIRTUAL_MAC] =
		ROW(ADDRESS, "virtual_mac", BOOL,
	            "one of them is a MAC of VRRP, HSRP, GLBP or CARP"),
	[FIELD_ADDRESS_ONE_MACHINE] =
		ROW(ADDRESS, "one_machine", BOOL,
	            "both claim another address together: NICs of one machine"),
	[FIELD_ADDRESS_PROXIED] =
		ROW(ADDRESS, "proxied", NUMBER,
	            "addresses of others that one MAC answers for"),

	[FIELD_NIC_MAC] = ROW(NIC, "mac", MAC, "its address"),
	[FIELD_NIC_IP] = ROW(NIC, "ip", IP, "its first IP address"),
	[FIELD_NIC_FRAMES_OUT] =
		ROW(NIC, "frames_out", NUMBER, "frames that it sent meanwhile"),
	[FIELD_NIC_UNICAST_IN] =
		ROW(NIC, "unicast_in", NUMBER,
	            "frames that came in for it alone meanwhile"),
	[FIELD_NIC_AT_HOST] =
		ROW(NIC, "at_host", NUMBER,
	            "its frames at the host's outer point meanwhile"),
	[FIELD_NIC_HOST_FRAMES] = ROW(NIC, "host_frames", NUMBER,
	                              "frames of others there meanwhile"),
	[FIELD_NIC_TARGETS_KNOWN] =
		ROW(NIC, "targets_known", NUMBER,
	            "addresses that it asked for and that speak there"),
	[FIELD_NIC_BEFORE] = ROW(NIC, "seen_before", BOOL,
	                         "its frames were there before that time"),
	[FIELD_NIC_FOREIGN_IP] =
		ROW(NIC, "foreign.ip", IP,
	            "an address used with its MAC, not by it; absent: none"),
	[FIELD_NIC_FOREIGN_FRAMES] =
		ROW(NIC, "foreign.frames", NUMBER,
	            "frames with its MAC at the host that it did not send"),
	[FIELD_NIC_UNHEARD] =
		ROW(NIC, "unheard.pings", NUMBER,
	            "pings for it that never came to the host, while it was "
	            "silent, and came again once it spoke"),
	[FIELD_NIC_UNHEARD_IP] =
		ROW(NIC, "unheard.ip", IP, "who sent them; absent: nobody"),
	[FIELD_NIC_UNHEARD_TIME] =
		ROW(NIC, "unheard.time", DURATION,
	            "from the last that arrived until it spoke"),
	[FIELD_NIC_DOUBLED] =
		ROW(NIC, "doubled.packets", NUMBER,
	            "packets for it that came twice at once, to the letter"),
	[FIELD_NIC_DOUBLED_OF] =
		ROW(NIC, "doubled.of", NUMBER, "packets for it in all"),
	[FIELD_NIC_DOUBLED_PERCENT] =
		ROW(NIC, "doubled.percent", NUMBER, "their share of these"),
	[FIELD_NIC_DOUBLED_OUT_PERCENT] =
		ROW(NIC, "doubled.out_percent", NUMBER,
	            "the same share of what it sent: as large where the "
	            "capture itself takes everything twice"),

	[FIELD_LOSS_SEGMENTS] = ROW(LOSS, "segments", NUMBER,
	                            "TCP segments with data that came there"),
	[FIELD_LOSS_LOST] =
		ROW(LOSS, "lost", NUMBER, "those of them that were lost"),
	[FIELD_LOSS_PEERS] = ROW(LOSS, "peers", NUMBER,
	                         "addresses that lose some; 1000: or more"),
	[FIELD_LOSS_SENDER_IP] = ROW(LOSS, "sender.ip", IP,
	                             "who sends what is lost; absent: several"),
	[FIELD_LOSS_RECEIVER_IP] =
		ROW(LOSS, "receiver.ip", IP, "whom it is for; absent: several"),
	[FIELD_LOSS_BY_SIZE] =
		ROW(LOSS, "by_size", BOOL,
	            "all that is lost is larger than all that passes"),

	[FIELD_LABEL_GUEST] = ROW(ALL_KINDS, "guest", LABEL, "the guest's NIC"),
	[FIELD_LABEL_SEGMENT] =
		ROW(ALL_KINDS, "segment", LABEL, "the link of the guest's NIC"),
	[FIELD_LABEL_PEER] = ROW(ALL_KINDS, "peer", LABEL,
	                         "the guest and the other address"),
	[FIELD_LABEL_ADDRESS] =
		ROW(ALL_KINDS, "address", LABEL, "the address asked for"),
	[FIELD_LABEL_WAY] =
		ROW(ALL_KINDS, "way", LABEL,
	            "what nothing passes any more: all of the guest's, that of "
	            "one next hop, or else the peer"),
	[FIELD_LABEL_NEXT_HOP] = ROW(ALL_KINDS, "next_hop", LABEL,
	                             "who the frame must reach on the link"),
	[FIELD_LABEL_SERVER] =
		ROW(ALL_KINDS, "server", LABEL, "server, protocol and port"),
	[FIELD_LABEL_FLOW] =
		ROW(ALL_KINDS, "flow", LABEL, "both addresses and both ports"),
	[FIELD_LABEL_VLAN] = ROW(ALL_KINDS, "vlan", LABEL, "the VLAN"),
	[FIELD_LABEL_PROTO] = ROW(ALL_KINDS, "proto", LABEL, "the protocol"),
	[FIELD_LABEL_DIRECTION] =
		ROW(ALL_KINDS, "direction", LABEL, "which way it is lost"),
};

static const char *const kind_names[] = {
	[FACT_KIND_ARP] = "arp",
	[FACT_KIND_NDP] = "ndp",
	[FACT_KIND_ICMP] = "icmp",
	[FACT_KIND_TCP] = "tcp",
	[FACT_KIND_UDP] = "udp",
	[FACT_KIND_DNS] = "dns",
	[FACT_KIND_DHCP] = "dhcp",
	[FACT_KIND_CAPTURE_PAIR] = "capture_pair",
	[FACT_KIND_CAPTURE] = "capture",
	[FACT_KIND_ADDRESS] = "address",
	[FACT_KIND_NIC] = "nic",
	[FACT_KIND_LOSS] = "loss",
	[FACT_KIND_EXCHANGE] = "exchange",
	NULL,
};

static const char *const evidence_leg_names[] = {
	[EVIDENCE_REQUEST] = "request", [EVIDENCE_REPLY] = "reply",
	[EVIDENCE_REFUSAL] = "refusal", [EVIDENCE_HOST_RESET] = "host-reset",
	[EVIDENCE_OTHER] = "other",     NULL,
};

static bool is_word(const char *word, const char *text, size_t len)
{
	return strncmp(word, text, len) == 0 && word[len] == '\0';
}

static int find_word(const char *const *words, const char *text, size_t len)
{
	for (int i = 0; words[i]; i++)
		if (is_word(words[i], text, len))
			return i;
	return -1;
}

int enum_set_find(const struct enum_set *set, const char *word, size_t len)
{
	return find_word(set->words, word, len);
}

const struct field_info *field_info(enum field field)
{
	assert((unsigned int)field < FIELD_COUNT);
	return &fields[field];
}

int field_find(unsigned int kinds, const char *name, size_t len)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		if (fields[i].type == VALUE_TYPE_LABEL ||
		    (fields[i].kinds & kinds) != kinds)
			continue;
		if (is_word(fields[i].name, name, len))
			return i;
	}
	return -1;
}

int label_find(const char *name, size_t len)
{
	for (int i = 0; i < FIELD_COUNT; i++)
		if (fields[i].type == VALUE_TYPE_LABEL &&
		    is_word(fields[i].name, name, len))
			return i;
	return -1;
}

const char *fact_kind_name(enum fact_kind kind)
{
	assert((unsigned int)kind <= FACT_KIND_EXCHANGE);
	return kind_names[kind];
}

unsigned int fact_kind_find(const char *name, size_t len)
{
	int kind = find_word(kind_names, name, len);

	if (kind < 0)
		return 0;
	return kind == FACT_KIND_EXCHANGE ? FACT_KINDS_EXCHANGE
	                                  : FACT_KIND_BIT((unsigned int)kind);
}

int evidence_leg_find(const char *name, size_t len)
{
	return find_word(evidence_leg_names, name, len);
}

const char *evidence_leg_name(enum evidence_leg leg)
{
	assert((unsigned int)leg <= EVIDENCE_OTHER);
	return evidence_leg_names[leg];
}
