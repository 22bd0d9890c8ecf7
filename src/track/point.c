#include "track/point.h"

#include <stdlib.h>

#include "track/tracker.h"

enum traffic_class traffic_class_of(const struct packet *p)
{
	switch (p->kind) {
	case PACKET_KIND_ARP:
		return TRAFFIC_ARP;
	case PACKET_KIND_ICMP:
		return TRAFFIC_ICMP;
	case PACKET_KIND_ICMPV6:
		return p->icmp.type == ICMPV6_ECHO_REQUEST ||
		                       p->icmp.type == ICMPV6_ECHO_REPLY
		               ? TRAFFIC_ICMP
		               : TRAFFIC_NDP;
	case PACKET_KIND_TCP:
		return TRAFFIC_TCP;
	case PACKET_KIND_UDP:
		return p->dns.valid ? TRAFFIC_DNS : TRAFFIC_UDP;
	case PACKET_KIND_IP:
	case PACKET_KIND_OTHER:
		break;
	}
	return TRAFFIC_OTHER;
}

enum traffic_class traffic_class_of_protocol(enum protocol protocol)
{
	switch (protocol) {
	case PROTOCOL_ARP:
		return TRAFFIC_ARP;
	case PROTOCOL_NDP:
		return TRAFFIC_NDP;
	case PROTOCOL_ICMP:
		return TRAFFIC_ICMP;
	case PROTOCOL_TCP:
		return TRAFFIC_TCP;
	case PROTOCOL_DNS:
		return TRAFFIC_DNS;
	case PROTOCOL_UDP:
	case PROTOCOL_DHCP:
		return TRAFFIC_UDP;
	}
	return TRAFFIC_OTHER;
}

struct flow_key flow_key_of(const struct packet *p, enum protocol protocol,
                            bool reverse)
{
	struct flow_key key = { .protocol = protocol };

	key.client = reverse ? p->dst : p->src;
	key.server = reverse ? p->src : p->dst;
	key.client_port = reverse ? p->dst_port : p->src_port;
	key.server_port = reverse ? p->src_port : p->dst_port;
	return key;
}

static void note_status(struct point *point, const struct packet *p)
{
	switch (p->status) {
	case PACKET_STATUS_OK:
		break;
	case PACKET_STATUS_TRUNCATED:
		point->truncated++;
		break;
	case PACKET_STATUS_MALFORMED:
		point->malformed++;
		break;
	case PACKET_STATUS_UNSUPPORTED:
		point->unsupported++;
		break;
	}
}

/* Only options are missing: flags, ports and numbers are there. */
static bool is_cut_tcp(const struct packet *p)
{
	return p->status == PACKET_STATUS_TRUNCATED &&
	       p->kind == PACKET_KIND_TCP;
}

/* Could an exchange of its class have been seen in it? */
static bool is_usable(const struct packet *p)
{
	return p->status != PACKET_STATUS_TRUNCATED || is_cut_tcp(p);
}

void point_feed(struct point *point, const struct packet *p)
{
	static const struct {
		enum packet_kind kind;
		tracker_function *track;
	} trackers[] = {
		{ PACKET_KIND_ARP, track_arp },
		{ PACKET_KIND_ICMP, track_icmp },
		{ PACKET_KIND_ICMP, track_icmp_error },
		{ PACKET_KIND_ICMPV6, track_icmp },
		{ PACKET_KIND_ICMPV6, track_ndp },
		{ PACKET_KIND_ICMPV6, track_icmp_error },
		{ PACKET_KIND_TCP, track_tcp },
		{ PACKET_KIND_UDP, track_udp },
	};

	if (point->packets++ == 0 || p->ts_ns < point->first_ns)
		point->first_ns = p->ts_ns;
	if (p->ts_ns > point->last_ns)
		point->last_ns = p->ts_ns;
	if (p->group)
		point->group_frames++;
	note_status(point, p);
	quality_note(&point->quality, p);
	sample_set_feed(&point->samples, p);
	if (is_usable(p))
		second_set_add(&point->seen[traffic_class_of(p)], p->ts_ns);
	station_table_feed(&point->stations, p);
	if (p->status != PACKET_STATUS_OK && !is_cut_tcp(p))
		return;
	for (size_t i = 0; i < sizeof(trackers) / sizeof(trackers[0]); i++)
		if (trackers[i].kind == p->kind)
			trackers[i].track(point, p);
}

void point_free(struct point *point)
{
	for (int i = 0; i < TRAFFIC_CLASS_COUNT; i++)
		second_set_free(&point->seen[i]);
	station_table_free(&point->stations);
	flow_table_free(&point->flows);
	free(point->dns_hints);
	free(point->errors);
	free(point->leases);
	free(point->strays);
	claim_log_free(&point->claims);
	quality_free(&point->quality);
	sample_set_free(&point->samples);
}
