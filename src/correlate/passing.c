#include "correlate/passing.h"

#include <string.h>

#define START_BYTES 16

/* What the two ends are, from the guest's point of view */
struct ends {
	bool from;
	bool to;
};

static struct ends by_mac(const struct scene *s, const struct packet *p)
{
	return (struct ends){
		.from = p->has_eth_src && scene_is_guest_mac(s, p->eth_src),
		.to = p->has_eth_dst && scene_is_guest_mac(s, p->eth_dst),
	};
}

static struct ends by_ip(const struct scene *s, const struct packet *p)
{
	return (struct ends){
		.from = scene_is_guest_ip(s, &p->src),
		.to = scene_is_guest_ip(s, &p->dst),
	};
}

static struct ends by_outside(const struct scene *s, const struct packet *p)
{
	return (struct ends){
		.from = scene_is_outside(s, &p->src),
		.to = scene_is_outside(s, &p->dst),
	};
}

static bool asks_for_guest(const struct scene *s, const struct packet *p)
{
	if (p->kind == PACKET_KIND_ARP)
		return scene_is_guest_ip(s, &p->arp.target_ip);
	return p->kind == PACKET_KIND_ICMPV6 &&
	       p->icmp.type == ICMPV6_NEIGHBOR_SOLICIT &&
	       scene_is_guest_ip(s, &p->icmp.target);
}

/* Sets the direction and how sure it is; false: not the guest's. */
static bool belongs(const struct scene *s, const struct observation *o,
                    const struct packet *p, struct passing *out)
{
	struct ends e = by_mac(s, p);

	out->sure = true;
	if (!e.from && !e.to && p->ip_version != 0)
		e = by_ip(s, p);
	if (!e.from && !e.to && p->group && !o->hop) {
		e.to = true;
		out->for_all = !asks_for_guest(s, p);
	}
	if (!e.from && !e.to && o->translated && p->ip_version != 0) {
		e = by_outside(s, p);
		out->sure = false;
	}
	out->direction =
		e.from ? PATH_DIRECTION_FROM_GUEST : PATH_DIRECTION_TO_GUEST;
	return e.from || e.to;
}

static bool leaves_link(const struct scene *s, const struct packet *p,
                        const struct in6_addr *peer)
{
	if (s->n_path == 0 || !s->points[s->path[s->n_path - 1]].hop)
		return false; /* nobody asks */
	return p->ip_version != 0 && !p->group && scene_on_link(s, peer) == 0 &&
	       !scene_is_gateway(s, peer) && !scene_is_outside(s, peer);
}

struct nat_flow {
	struct in6_addr peer;
	uint16_t peer_port;
	uint16_t own_port;
	uint32_t ip_proto;
};

static void set_flow(const struct packet *p, bool out, struct passing *to)
{
	struct nat_flow f = {
		.peer = to->peer,
		.peer_port = out ? p->dst_port : p->src_port,
		.own_port = out ? p->src_port : p->dst_port,
		.ip_proto = p->ip_proto,
	};

	if (packet_is_icmp_error(p) && p->icmp.quoted.valid) {
		/* It belongs to the flow that it is about. */
		f = (struct nat_flow){
			.peer = p->icmp.quoted.dst,
			.peer_port = p->icmp.quoted.dst_port,
			.own_port = p->icmp.quoted.src_port,
			.ip_proto = p->icmp.quoted.ip_proto,
		};
		if (f.ip_proto == IP_PROTO_ICMP)
			f.peer_port = 0;
	} else if (p->kind == PACKET_KIND_ICMP) {
		f.own_port = p->icmp.id;
	}
	to->flow = hash_bytes(&f, sizeof(f)) | 1;
	to->service =
		hash_mix(f.ip_proto, p->kind == PACKET_KIND_ICMP ? p->icmp.type
	                                                         : f.own_port) |
		1;
}

static void set_cut(const struct packet *p, struct passing *out)
{
	uint8_t head[START_BYTES + sizeof(p->ip_id)] = { 0 };
	size_t n = p->payload.left;

	out->start = out->key;
	out->len = p->payload_len;
	if (p->kind == PACKET_KIND_TCP && p->payload_len > 0 &&
	    !(p->tcp.flags & (TCP_FLAG_SYN | TCP_FLAG_RST))) {
		out->cut = PASSING_BYTES;
		out->seq = p->tcp.seq;
		out->start = hash_mix(PASSING_BYTES, p->tcp.seq);
	} else if (p->kind == PACKET_KIND_UDP && n > 0) {
		out->cut = PASSING_DATAGRAMS;
		memcpy(head, p->payload.next,
		       n < START_BYTES ? n : START_BYTES);
		memcpy(head + START_BYTES, &p->ip_id, sizeof(p->ip_id));
		out->start = hash_bytes(head, sizeof(head));
	}
}

bool passing_make(const struct scene *s, uint32_t point, const struct packet *p,
                  int64_t host_ns, struct passing *out)
{
	const struct observation *o = &s->points[point];
	bool from;

	*out = (struct passing){ .points = UINT64_C(1) << point,
		                 .host_ns = host_ns };
	if (!belongs(s, o, p, out))
		return false;
	out->key = packet_key(p);
	if (out->key == 0)
		return false;
	from = out->direction == PATH_DIRECTION_FROM_GUEST;
	out->class = traffic_class_of(p);
	out->peer = from ? p->dst : p->src;
	out->peer_port = from ? p->dst_port : p->src_port;
	out->ip_id = p->ip_id;
	out->packet_id = p->packet_id;
	out->group = p->group;
	out->doubled = o->linktype == LINKTYPE_LINUX_SLL;
	if (!o->hop && (from ? p->has_eth_dst : p->has_eth_src))
		out->station = from ? p->eth_dst : p->eth_src;
	out->leaves = leaves_link(s, p, &out->peer);
	if (o->translated && p->ip_version != 0)
		set_flow(p, from, out);
	set_cut(p, out);
	return true;
}
