"""The first set: ARP, gateway, ICMP, NAT, SYNs, findings about the captures, healthy pairs."""
import traffic
from scenario import Scenario, add


def arp_request(source, target):
    return f'arp.opcode == 1 && arp.src.proto_ipv4 == {source} && arp.dst.proto_ipv4 == {target}'


def arp_reply(source, target):
    return f'arp.opcode == 2 && arp.src.proto_ipv4 == {source} && arp.dst.proto_ipv4 == {target}'


def echo(kind, source, target):
    return f'icmp.type == {kind} && ip.src == {source} && ip.dst == {target}'


def syn(source, target, port):
    return f'tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.src == {source} && ip.dst == {target} && tcp.dstport == {port}'


def seen_and_lost(s, display_filter, least):
    """A frame of the guest: at the port if the host's file has two points, not at the last one."""
    s.check('vm', display_filter, f'>= {least}')
    if '+' in s.point:
        s.check('host', s.at_point(0, display_filter), f'>= {least}')
        s.check('host', s.at_point(1, display_filter), '== 0')
    elif s.point not in ('any', 'sll1'):
        s.check('host', display_filter, '== 0')


def back_and_lost(s, display_filter, least):
    """A frame for the guest: at the host's outermost point, not in the guest."""
    s.check('vm', display_filter, '== 0')
    s.check('host', s.at_point(1, display_filter), f'>= {least}')
    if '+' in s.point:
        s.check('host', s.at_point(0, display_filter), '== 0')


# ARP

def arp_lost(s, where='host'):
    w, target = s.w, s.w.s2.ip
    rule = f'ether type arp arp operation request arp daddr ip {target} arp saddr ip {w.vm.ip}'
    if where == 'nic':
        w.bridge_drop(rule, 'forward', w.nic)
        s.check('host', arp_request(w.vm.ip, target), '== 0')
    else:
        w.bridge_drop(rule, s.rng.choice(['prerouting', 'forward']) if s.point == 'uplink' else 'forward')
    s.tries(target)
    s.fails(('arp', target))
    seen_and_lost(s, arp_request(w.vm.ip, target), 4)
    s.check('vm', arp_reply(target, w.vm.ip), '== 0')
    s.check('host', f'arp.opcode == 1 && arp.src.proto_ipv4 == {w.vm.ip} && arp.dst.proto_ipv4 != {target}', '>= 1')
    s.fault('arp-lost-vswitch', 'guest-host-path' if where == 'nic' else s.gap, 'from-guest', f'{w.vm.ip} > {target}')


add('arp-lost-vswitch-uplink', "A filter on the host's bridge drops the guest's ARP requests for one LAN server; none "
    'reaches the uplink.', arp_lost)
add('arp-lost-vswitch-two-points', "The guest's ARP requests for one LAN server are seen at its port and not at the uplink.",
    arp_lost, point='port+uplink')
add('arp-lost-vswitch-any', "The guest's ARP requests for one LAN server are seen at its port and not at the uplink; the "
    'host captured on all interfaces.', arp_lost, point='any')
add('arp-lost-vswitch-sll1', "The guest's ARP requests for one LAN server come into the host and do not go out of it; the "
    'host captured on all interfaces in the older cooked format.', arp_lost, point='sll1')
add('arp-lost-vswitch-handoff', "The guest's ARP requests for one LAN server are lost before its port on the host.",
    arp_lost, 'nic', point='port')


def arp_lost_midway(s):
    w, target = s.w, s.w.s2.ip
    s.avoid(target)
    s.fails(('arp', target), ('icmp', target))
    moment = s.when(2.6, 3.0)
    s.at(0.8, w.vm, traffic.http_client, target, 80, ['/', '/b/900'])
    s.at(moment, w.host, w.bridge_drop, f'ether type arp arp operation request arp daddr ip {target} arp saddr ip {w.vm.ip}')
    s.at(moment + 0.2, w.vm, s.forget_neighbour, target)
    s.at(moment + 0.4, w.vm, traffic.ping, target, 8, 0.8)
    s.check('vm', f'tcp.flags == 0x012 && ip.src == {target}', '>= 1')
    seen_and_lost(s, f'frame.time_relative > 2.5 && {arp_request(w.vm.ip, target)}', 4)
    s.fault('arp-lost-vswitch', s.gap, 'from-guest', f'{w.vm.ip} > {target}')


add('arp-lost-vswitch-midway', "The guest works with a server until a filter on the host's bridge begins to drop its ARP "
    'requests for it.', arp_lost_midway)


def arp_silent(s, kind='absent'):
    w = s.w
    target = w.lan_ip() if kind == 'absent' else w.s2.ip
    if kind == 'filtered':
        w.s2.ns.nft(f'table arp lab {{ chain input {{ type filter hook input priority 0; arp saddr ip {w.vm.ip} drop\n}}\n}}')
    s.tries(target)
    s.fails(('arp', target))
    s.check('vm', arp_request(w.vm.ip, target), '>= 4')
    s.check('host', arp_request(w.vm.ip, target), '>= 4')
    s.check('host', f'arp.opcode == 2 && arp.src.proto_ipv4 == {target} && arp.dst.proto_ipv4 == {w.vm.ip}', '== 0')
    s.fault('arp-target-silent', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}')


add('arp-target-silent-uplink', 'The guest asks for an address that nobody has; the requests leave the host, no answer '
    'comes.', arp_silent)
add('arp-target-silent-any', 'The guest asks for an address that nobody has; the requests pass all interfaces of the host, '
    'no answer comes.', arp_silent, point='any')
add('arp-target-silent-filtered', "A LAN server ignores the guest's ARP requests and answers those of others; the requests "
    'leave the host.', arp_silent, 'filtered', point='port+uplink')


def arp_answered_late(s):
    """The server is up; its ARP answers to the guest come 1.5 to 2.5 s late."""
    w, server = s.w, s.w.s2
    s.avoid(server.ip)
    server.ns.nft(f'table arp lab {{ chain input {{ type filter hook input priority 0; arp saddr ip {w.vm.ip} drop\n}}\n}}')
    start = s.when()
    s.at(start, w.vm, traffic.ping, server.ip, 10, 0.4, 56, 2)

    def answer():
        sock = traffic.socket.socket(traffic.socket.AF_PACKET, traffic.socket.SOCK_RAW)
        sock.bind(('eth0', 0))
        sock.send(traffic.arp(server.mac, server.ip, w.vm.ip, w.vm.mac))
    s.at(start, server, server.ns.run, 'ip', 'neigh', 'replace', w.vm.ip, 'lladdr', w.vm.mac, 'dev', 'eth0')
    s.at(start + s.rng.uniform(1.4, 1.8), server, answer)
    s.check('vm', arp_request(w.vm.ip, server.ip), '>= 2')
    s.check('vm', arp_reply(server.ip, w.vm.ip), '== 1')
    s.check('vm', echo(0, server.ip, w.vm.ip), '>= 4')
    s.expect(absent=['arp-target-silent', 'arp-lost-vswitch', 'arp-reply-lost-back'])


add('arp-answered-late-healthy', 'A server answers the ARP requests of the guest late, at the second try; then all works.',
    arp_answered_late)


def strangers_in_trouble(s):
    """Others ask for absent addresses, ping silent machines, and are filtered; the guest is fine."""
    w, absent = s.w, [s.w.lan_ip() for _ in range(2)]
    w.drop(w.guests[0], 'input', f'icmp type echo-request ip saddr {w.s2.ip}')
    w.bridge_drop(f'ether type arp arp operation request arp saddr ip {w.guests[1].ip} arp daddr ip {w.s2.ip}')
    w.guests[1].ns.run('ip', 'neigh', 'flush', 'all', may_fail=True)
    for number, (machine, target) in enumerate([(w.s1, absent[0]), (w.guests[0], absent[1]), (w.s2, w.guests[0].ip),
                                                (w.guests[1], w.s2.ip), (w.host, absent[0])]):
        s.at(s.when(1, 4), machine, traffic.ping, target, 8, 0.6)
        s.at(s.when(1, 4), machine, traffic.connect, target, 8080 + number, 5)
    s.check('host', f'arp.opcode == 1 && arp.dst.proto_ipv4 in {{{absent[0]}, {absent[1]}}}', '>= 4')
    s.check('vm', f'arp.dst.proto_ipv4 in {{{absent[0]}, {absent[1]}}} && arp.src.proto_ipv4 != {w.vm.ip}', '>= 4')


add('strangers-in-trouble-healthy', "Other machines ask for absent addresses, are filtered and stay unanswered; the guest's "
    'own traffic works.', strangers_in_trouble)


def arp_reply_lost(s, where='host'):
    w, server = s.w, s.w.s2.ip
    rule = f'ether type arp arp operation reply arp saddr ip {server} arp daddr ip {w.vm.ip}'
    w.bridge_drop(rule, 'forward', w.nic if where == 'nic' else None)
    s.tries(server)
    s.fails(('arp', server))
    s.check('vm', arp_request(w.vm.ip, server), '>= 4')
    if where == 'nic' or s.point == 'any':
        s.check('vm', arp_reply(server, w.vm.ip), '== 0')
        s.check('host', arp_reply(server, w.vm.ip), '>= 4')
    else:
        back_and_lost(s, arp_reply(server, w.vm.ip), 4)
    s.fault('arp-reply-lost-back', 'guest-host-path' if where == 'nic' else s.gap, 'to-guest', f'{w.vm.ip} > {server}')


add('arp-reply-lost-back-uplink', "The host's bridge drops one server's ARP replies to the guest: they are at the uplink, not "
    'in the guest.', arp_reply_lost)
add('arp-reply-lost-back-two-points', "One server's ARP replies to the guest are at the uplink and not at the guest's port.",
    arp_reply_lost, point='port+uplink')
add('arp-reply-lost-back-handoff', "One server's ARP replies to the guest are at its port on the host and not in the guest.",
    arp_reply_lost, 'nic', point='port')


# Gateway

def gateway(s, kind='down'):
    w, router = s.w, s.w.router
    w.dns = w.s1.ip
    s.avoid(*w.internet)
    if kind != 'midway':
        s.avoid(router.ip)
    start = s.when() + (1.5 if kind == 'midway' else 0)
    s.fails(('arp', router.ip), ('icmp', router.ip))
    if kind == 'down':
        router.ns.ip('link set eth0 down')
    elif kind == 'midway':
        s.at(1.2, w.vm, traffic.http_client, '203.0.113.80', 80, ['/', '/b/900'])
        s.at(start - 0.3, router, router.ns.ip, 'link set eth0 down')
        s.at(start - 0.1, w.vm, s.forget_neighbour, router.ip)
    elif kind == 'lost':
        w.bridge_drop(f'ether type arp arp operation request arp saddr ip {w.vm.ip} arp daddr ip {router.ip}')
    elif kind == 'reply-lost':
        w.bridge_drop(f'ether type arp arp operation reply arp saddr ip {router.ip} arp daddr ip {w.vm.ip}')
    s.at(start, w.vm, traffic.ping, '203.0.113.80', 8, 0.8)
    s.at(start + s.rng.uniform(0.2, 0.8), w.vm, traffic.connect, '203.0.113.81', 80, 5)
    s.check('vm', arp_request(w.vm.ip, router.ip), '>= 4')
    s.check('vm', 'tcp.flags.syn == 1 && tcp.flags.ack == 1', '>= 4')
    if kind != 'midway':
        s.check('vm', arp_reply(router.ip, w.vm.ip), '== 0')
    else:
        s.check('vm', 'tcp.flags == 0x012 && ip.src == 203.0.113.80', '>= 1')
    if kind == 'lost':
        seen_and_lost(s, arp_request(w.vm.ip, router.ip), 4)
        s.fault('arp-lost-vswitch', s.gap, 'from-guest', f'{w.vm.ip} > {router.ip}')
    elif kind == 'reply-lost':
        back_and_lost(s, arp_reply(router.ip, w.vm.ip), 4)
        s.fault('arp-reply-lost-back', s.gap, 'to-guest', f'{w.vm.ip} > {router.ip}')
    else:
        s.check('host', arp_request(w.vm.ip, router.ip), '>= 4')
        s.fault('gw-arp-unanswered', 'beyond-host', 'from-guest', f'{w.vm.ip} > {router.ip}')


add('gw-arp-unanswered-uplink', "The default gateway is down: the guest's ARP requests for it leave the host unanswered; LAN "
    'neighbours work.', gateway)
add('gw-arp-unanswered-midway', 'The default gateway works at first and goes down during the capture.', gateway, 'midway',
    point='any')
add('gw-arp-lost-vswitch', "The guest's ARP requests for its gateway are lost in the virtual switch; other machines reach the "
    'gateway.', gateway, 'lost')
add('gw-arp-lost-two-points', "The guest's ARP requests for its gateway are at its port and not at the uplink.", gateway,
    'lost', point='port+uplink')
add('gw-arp-reply-lost', "The gateway's ARP replies reach the host and not the guest.", gateway, 'reply-lost')


def nat_gateway_gone(s):
    w = s.w
    address = f'{w.vm_prefix}.1'
    w.host.ns.ip(f'addr del {address}/24 dev {w.bridge_name}', f'link set {w.bridge_name} arp off')
    s.avoid(address, *w.internet, w.s1.ip, w.s2.ip)
    s.fails(('arp', address))
    start = s.when()
    s.at(start, w.vm, traffic.ping, '203.0.113.80', 8, 0.8)
    s.at(start + 0.4, w.vm, traffic.connect, '203.0.113.81', 80, 5)
    for role in ('host', 'vm'):
        s.check(role, arp_request(w.vm.ip, address), '>= 4')
        s.check(role, f'arp.opcode == 2 && arp.src.proto_ipv4 == {address}', '== 0')
    s.fault('gw-arp-unanswered', None, 'from-guest', f'{w.vm.ip} > {address}')


add('gw-arp-unanswered-nat', "The host's virtual network has lost its address: the guest's ARP requests for its gateway pass "
    'its port and stay unanswered; siblings answer.', nat_gateway_gone, mode='nat', point='port')


# ICMP

def guest_silent(s):
    w = s.w
    pinger = w.s2 if s.inbound else w.host
    address = w.s2.ip if s.inbound else f'{w.vm_prefix}.1'
    w.drop(w.vm, 'input', f'icmp type echo-request ip saddr {address}')
    s.at(s.when(), pinger, traffic.ping, w.vm.ip, 8, s.rng.uniform(0.5, 0.7))
    s.avoid(w.s2.ip)
    s.fails(('icmp', address))
    for role in ('host', 'vm'):
        s.check(role, echo(8, address, w.vm.ip), '>= 6')
    s.check('vm', echo(0, w.vm.ip, address), '== 0')
    s.check('vm', f'tcp.flags == 0x012 && ip.src == {w.vm.ip}', '>= 1')
    s.fault('icmp-guest-silent', 'guest', 'to-guest', f'{address} > {w.vm.ip}')


add('icmp-guest-silent-uplink', 'Echo requests of a LAN machine reach the guest, whose firewall drops them; other protocols '
    'work.', guest_silent)
add('icmp-guest-silent-any', 'Echo requests of a LAN machine reach the guest, whose firewall drops them; the host captured on '
    'all interfaces.', guest_silent, point='any')
add('icmp-guest-silent-nat', "The host pings its NAT guest, whose firewall drops the requests; seen at the guest's port.",
    guest_silent, mode='nat', point='port')
add('icmp-guest-silent-routed', 'Echo requests of a LAN machine are routed to the guest, whose firewall drops them.',
    guest_silent, mode='routed', point='port+uplink')


def guest_silent_midway(s):
    w, pinger = s.w, s.w.s2
    s.avoid(pinger.ip)
    s.fails(('icmp', pinger.ip))
    s.at(0.6, pinger, traffic.ping, w.vm.ip, 3, 0.3)
    s.at(2.6, w.vm, w.drop, w.vm, 'input', f'icmp type echo-request ip saddr {pinger.ip}')
    s.at(s.when(2.9, 3.4), pinger, traffic.ping, w.vm.ip, 9, 0.6)
    for role in ('host', 'vm'):
        one = (lambda f: s.at_point(1, f)) if role == 'host' else str
        s.check(role, one(echo(8, pinger.ip, w.vm.ip)), '>= 11')
        s.check(role, one(echo(0, w.vm.ip, pinger.ip)), '== 3')
    s.fault('icmp-guest-silent', 'guest', 'to-guest', f'{pinger.ip} > {w.vm.ip}')


add('icmp-guest-silent-midway', "The guest answers pings of a LAN machine until its firewall begins to drop them.",
    guest_silent_midway, point='port+uplink')


def lost_to_guest(s, where='host'):
    w, pinger = s.w, s.w.s2
    request = echo(8, pinger.ip, w.vm.ip)
    if where == 'nic' or s.mode == 'bridged':
        w.bridge_drop(f'ether type ip ip protocol icmp icmp type echo-request ip saddr {pinger.ip} ip daddr {w.vm.ip}',
                      'forward', w.nic if where == 'nic' else None)
    else:
        w.drop(w.host, 'forward', f'icmp type echo-request ip saddr {pinger.ip} ip daddr {w.vm.ip}')
    s.avoid(pinger.ip)
    s.at(s.when(), pinger, traffic.ping, w.vm.ip, 8, s.rng.uniform(0.5, 0.7))
    s.at(s.when() + 1, pinger, traffic.http_client, w.vm.ip, 80, ['/', '/b/900'])
    if where == 'nic':
        s.check('vm', request, '== 0')
        s.check('host', request, '>= 6')
    else:
        back_and_lost(s, request, 6)
    s.fault('icmp-lost-to-guest', 'guest-host-path' if where == 'nic' else s.gap, 'to-guest', f'{pinger.ip} > {w.vm.ip}')


add('icmp-lost-to-guest-uplink', "The host's bridge drops echo requests of a LAN machine on their way to the guest.",
    lost_to_guest)
add('icmp-lost-to-guest-two-points', "Echo requests for the guest are at the uplink and not at the guest's port.",
    lost_to_guest, point='port+uplink')
add('icmp-lost-to-guest-handoff', "Echo requests for the guest are at its port on the host and not in the guest.",
    lost_to_guest, 'nic', point='port')
add('icmp-lost-to-guest-routed', "The host's forward filter drops echo requests for its routed guest.", lost_to_guest,
    mode='routed')
add('icmp-lost-to-guest-routed-two-points', "Echo requests for a routed guest are at the uplink and not at its port.",
    lost_to_guest, mode='routed', point='port+uplink')


def lost_beyond(s, where='target'):
    w = s.w
    target = w.s2.ip if where == 'target' else '203.0.113.81'
    if where == 'target':
        w.drop(w.s2, 'input', f'icmp type echo-request ip saddr {w.vm.ip}')
    else:
        w.drop(w.router, 'forward', f'icmp type echo-request ip saddr {w.vm.ip} ip daddr {target}')
    s.avoid(target)
    s.fails(('icmp', target))
    s.at(s.when(), w.vm, traffic.ping, target, 9, s.rng.uniform(0.45, 0.6))
    s.at(s.when() + 1.5, w.vm, traffic.http_client, target, 80, ['/', '/b/2400'])
    for role in ('host', 'vm'):
        s.check(role, echo(8, w.vm.ip, target), '>= 7')
    s.check('host', echo(0, target, w.vm.ip), '== 0')
    s.fault('icmp-lost-beyond', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}')


add('icmp-lost-beyond-uplink', "A LAN server's firewall drops the guest's echo requests; its web server answers the guest.",
    lost_beyond)
add('icmp-lost-beyond-bridge', "A LAN server's firewall drops the guest's echo requests; seen from the host's bridge.",
    lost_beyond, point='bridge')
add('icmp-lost-beyond-router', "The router drops the guest's echo requests to one internet address.", lost_beyond, 'router',
    point='port+uplink')
add('icmp-lost-beyond-routed', "A LAN server's firewall drops the echo requests of a routed guest.", lost_beyond,
    mode='routed')
add('icmp-lost-beyond-any', "A LAN server's firewall drops the guest's echo requests; the host captured on all interfaces.",
    lost_beyond, point='sll1')


def reply_lost(s, way='in'):
    w, server = s.w, s.w.s2
    source, target = (server.ip, w.vm.ip) if way == 'in' else (w.vm.ip, server.ip)
    if s.mode == 'bridged':
        w.bridge_drop(f'ether type ip ip protocol icmp icmp type echo-reply ip saddr {source} ip daddr {target}')
    else:
        w.drop(w.host, 'forward', f'icmp type echo-reply ip saddr {source} ip daddr {target}')
    s.avoid(server.ip)
    pinger, pinged = (w.vm, server) if way == 'in' else (server, w.vm)
    s.at(s.when(), pinger, traffic.ping, pinged.ip, 9, s.rng.uniform(0.5, 0.6))
    if way == 'in':
        s.fails(('icmp', server.ip))
        back_and_lost(s, echo(0, server.ip, w.vm.ip), 7)
        s.fault('icmp-reply-lost-host', s.gap, 'to-guest', f'{w.vm.ip} > {server.ip}')
    else:
        seen_and_lost(s, echo(0, w.vm.ip, server.ip), 7)
        s.fault('icmp-reply-lost-host', s.gap, 'from-guest', f'{server.ip} > {w.vm.ip}')


add('icmp-reply-lost-in-uplink', "A server's echo replies reach the host's uplink and not the guest.", reply_lost)
add('icmp-reply-lost-in-two-points', "A server's echo replies are at the uplink and not at the guest's port.", reply_lost,
    point='port+uplink')
add('icmp-reply-lost-out-uplink', "The guest answers a LAN machine's pings; the replies never reach the uplink.", reply_lost,
    'out')
add('icmp-reply-lost-out-two-points', "The guest's echo replies are at its port and not at the uplink.", reply_lost, 'out',
    point='port+uplink')
add('icmp-reply-lost-routed', "The host's forward filter drops echo replies to its routed guest.", reply_lost,
    mode='routed')


# NAT

def snat_missing(s, whole=False):
    w = s.w
    if whole:
        w.host.ns.nft('delete table ip nat')
    else:
        w.masquerade(f'ip saddr {w.vm_net} ip daddr != {w.vm_net} ip saddr != {w.vm.ip}')
    s.avoid(w.s1.ip, w.s2.ip, *w.internet)
    target = s.rng.choice(['203.0.113.80', '203.0.113.81'])
    s.at(s.when(), w.vm, traffic.ping, target, 8, s.rng.uniform(0.5, 0.7))
    s.at(s.when(), w.vm, traffic.connect, target, 80, 5.5)
    s.fails(('icmp', target), ('tcp', target))
    s.check('host', echo(8, w.vm.ip, target), '>= 6')
    s.check('host', syn(w.vm.ip, target, 80), '>= 4')
    s.check('host', s.at_point(1, f'ip.dst == {w.vm.ip}'), '== 0')
    s.check('vm', f'ip.src == {target}', '== 0')
    s.expect(mode=None)
    s.fault('nat-snat-missing', 'nat', 'from-guest')


add('nat-snat-missing-one-guest', "The host's masquerade rule leaves this guest out: its packets leave with their private "
    "source, those of its siblings are translated.", snat_missing, mode='nat')
add('nat-snat-missing-subnet', 'The host forwards its private subnet without a masquerade rule; the guest gets no answer.',
    snat_missing, True, mode='nat')
add('nat-snat-missing-two-points', "The host's masquerade rule leaves this guest out: its packets pass port and uplink with "
    'their private source.', snat_missing, mode='nat', point='port+uplink')


def nat_no_answer(s, protocols='icmp tcp'):
    w = s.w
    target = '198.51.100.53' if 'udp' in protocols else s.rng.choice(['203.0.113.80', '203.0.113.81'])
    w.drop(w.net, 'input', f'ip daddr {target}')
    s.avoid(target)
    start = s.when()
    s.at(start, w.vm, traffic.ping, target, 8, s.rng.uniform(0.5, 0.7))
    s.at(start + 0.4, w.vm, traffic.connect, target, 80, 5.5)
    s.fails(('icmp', target), ('tcp', target), ('dns', target))
    for role, source in [('vm', w.vm.ip), ('host', w.host.ip)]:
        s.check(role, echo(8, source, target), '>= 6')
        s.check(role, syn(source, target, 80), '>= 4')
        s.check(role, f'ip.src == {target}', '== 0')
    if 'udp' in protocols:
        s.at(start + 0.8, w.vm, traffic.dns_client, target, ['www.example.com', 'repo.example.org'], 2, 1.2)
        s.check('host', f'udp.dstport == 53 && ip.src == {w.host.ip} && ip.dst == {target}', '>= 3')
    s.fault('nat-no-answer', 'beyond-host', 'from-guest')


add('nat-no-answer-uplink', "The guest's requests leave the host translated; the server drops them without a word.",
    nat_no_answer, mode='nat')
add('nat-no-answer-two-points', "The guest's requests leave the host translated and stay unanswered; port and uplink were "
    'captured.', nat_no_answer, mode='nat', point='port+uplink')
add('nat-no-answer-any', "The guest's requests leave the host translated and stay unanswered; the host captured on all "
    'interfaces.', nat_no_answer, mode='nat', point='any')
add('nat-no-answer-all-protocols', 'One dead server behind the NAT: ping, TCP and DNS of the guest to it fail, for one '
    'reason.', nat_no_answer, 'icmp tcp udp', mode='nat')


def host_in_trouble(s):
    """The host itself gets no answer; the guest behind its NAT talks to others and is fine."""
    w, target = s.w, '203.0.113.81'
    s.avoid(target)
    w.drop(w.net, 'input', f'ip daddr {target}')
    s.at(s.when(), w.host, traffic.ping, target, 8, 0.6)
    s.at(s.when(), w.host, traffic.connect, target, 443, 5.5)
    s.check('host', syn(w.host.ip, target, 443), '>= 4')
    s.check('vm', f'ip.addr == {target}', '== 0')
    s.expect(absent=['nat-no-answer', 'tcp-syn-unanswered', 'icmp-lost-beyond'])


add('nat-host-in-trouble-healthy', "The host's own requests to a dead server stay unanswered beside the guest's translated "
    'flows, which all work.', host_in_trouble, mode='nat')


def return_dropped(s, how='forward'):
    w, target = s.w, '203.0.113.81'
    s.avoid(target)
    start = s.when()
    s.fails(('icmp', target), ('tcp', target))
    if how == 'forward':
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {target} ip daddr {w.vm.ip}')
        s.at(start, w.vm, traffic.ping, target, 8, s.rng.uniform(0.5, 0.7))
        s.check('host', echo(0, target, w.host.ip), '>= 6')
    else:
        w.host.ns.nft(f'table ip raw {{ chain pre {{ type filter hook prerouting priority -300; iifname {w.uplink_name} '
                      f'ip saddr {target} tcp sport 80 notrack\n}}\n}}')
        s.check('host', f'tcp.flags.reset == 1 && ip.src == {w.host.ip} && ip.dst == {target}', '>= 4')
    s.at(start + 0.3, w.vm, traffic.connect, target, 80, 5.5)
    s.check('host', s.at_point(1, f'tcp.flags == 0x012 && ip.src == {target} && ip.dst == {w.host.ip}'), '>= 4')
    s.check('vm', f'ip.src == {target}', '== 0')
    s.fault('nat-return-dropped', 'nat', 'to-guest')


add('nat-return-dropped-forward', "The answers to translated requests reach the uplink; the host's forward filter drops them.",
    return_dropped, mode='nat')
add('nat-return-dropped-two-points', "The answers are at the uplink and not at the guest's port.", return_dropped, mode='nat',
    point='port+uplink')
add('nat-return-dropped-any', "The answers are at the uplink and nowhere further in; the host captured on all interfaces.",
    return_dropped, mode='nat', point='any')
add('nat-return-dropped-sll1', 'The answers come into the host and do not go out to the guest; the host captured on all '
    'interfaces in the older cooked format.', return_dropped, mode='nat', point='sll1')
add('nat-return-dropped-untracked', 'The host does not recognise the answers as those of a translated connection and resets '
    'them itself.', return_dropped, 'notrack', mode='nat')


def conntrack_lost(s):
    w, target = s.w, '203.0.113.81'
    s.avoid(target)
    traffic.in_thread(w.net.ns, traffic.http_server, target, 8088, 'nginx', 1.6)
    start = s.when(2.0, 2.6)
    for number in range(4):
        s.at(start + number * 1.1, w.vm, traffic.http_client, target, 8088, ['/b/900'], '', None, 0.1, 20)
        s.at(start + number * 1.1 + 0.8, w.host, w.host.ns.run, 'conntrack', '-D', '-p', 'tcp', '--dport', '8088', may_fail=True)
    s.check('host', f'tcp.flags.reset == 1 && ip.src == {w.host.ip} && ip.dst == {target} && tcp.dstport == 8088', '>= 3')
    s.check('vm', f'ip.src == {target} && tcp.srcport == 8088 && tcp.len > 0', '== 0')
    s.check('vm', f'ip.src == {target} && tcp.srcport == 8088 && tcp.flags == 0x012', '== 4')
    s.fault('nat-return-dropped', 'nat', 'to-guest')


add('nat-return-dropped-flushed', "The host's connection table loses the guest's connections while the server is thinking; the "
    'host resets the late answers.', conntrack_lost, mode='nat')


def forward_missing(s, how='rst', port=None):
    w, client, port = s.w, s.w.s2, s.rng.choice([8080, 8443, 2222, 3389])
    if how == 'silent':
        w.drop(w.host, 'input', f'tcp dport {port}')
        s.at(s.when(), client, traffic.connect, w.host.ip, port, 5.5)
        s.check('host', f'ip.src == {w.host.ip} && tcp.srcport == {port}', '== 0')
    else:
        s.at(s.when(), client, traffic.connect, w.host.ip, port, 2, 5, 0.9)
        s.check('host', f'tcp.flags.reset == 1 && ip.src == {w.host.ip} && tcp.srcport == {port}', '>= 4')
    s.check('host', syn(client.ip, w.host.ip, port), '>= 4')
    s.check('vm', f'tcp.dstport == {port} && ip.dst == {w.vm.ip}', '== 0')
    s.fault('nat-portforward-missing', 'host', 'to-guest', f'{client.ip} > {w.host.ip}:{port}/tcp')


add('nat-portforward-missing-rst', "A LAN client tries a port of the host that should lead to the guest; the host resets it.",
    forward_missing, mode='nat')
add('nat-portforward-missing-silent', "A LAN client tries a port of the host that should lead to the guest; the host is "
    'silent.', forward_missing, 'silent', mode='nat')
add('nat-portforward-missing-two-points', 'A LAN client tries a port of the host that should lead to the guest; the host '
    "resets it, nothing goes to the guest's port.", forward_missing, mode='nat', point='port+uplink')


def forward_works(s):
    w, port = s.w, s.rng.choice([8080, 8443, 2222])
    w.host.ns.nft(f'table ip nat {{ chain pre {{ ip daddr {w.host.ip} tcp dport {port} dnat to {w.vm.ip}:80\n}}\n}}')
    for number in range(4):
        s.at(s.when(1, 3) + number * 1.7, s.rng.choice([w.s1, w.s2]), traffic.http_client, w.host.ip, port, ['/', '/b/900'])
    s.check('host', f'tcp.flags == 0x012 && ip.src == {w.host.ip} && tcp.srcport == {port}', '>= 3')
    s.check('vm', f'tcp.flags == 0x012 && ip.src == {w.vm.ip} && tcp.srcport == 80', '>= 3')


add('nat-portforward-healthy', "LAN clients reach the guest through a port of the host.", forward_works, mode='nat')


def scanned(s):
    w, scanner = s.w, s.w.s2
    ports = s.rng.sample([21, 23, 25, 110, 111, 135, 139, 143, 443, 445, 993, 1433, 3306, 3389, 5432, 5900, 8080, 8443], 14)
    s.at(s.when(1, 3), scanner, traffic.scan, w.host.ip, ports, 0.05)
    s.check('host', f'tcp.flags.reset == 1 && ip.src == {w.host.ip} && ip.dst == {scanner.ip}', '>= 10')
    if s.inbound:
        s.at(s.when(3, 5), scanner, traffic.scan, w.vm.ip, ports, 0.05)
        s.check('vm', f'tcp.flags.reset == 1 && ip.src == {w.vm.ip} && ip.dst == {scanner.ip}', '>= 10')


add('nat-scanned-healthy', 'A LAN machine scans the ports of the host, which resets them; the NAT guest is not concerned.',
    scanned, mode='nat')
add('bridged-scanned-healthy', 'A LAN machine scans the ports of host and guest once; both reset the closed ones.', scanned)


# TCP

def syn_unanswered(s, where):
    w, server, port = s.w, s.w.s2, s.rng.choice([443, 8443, 5432, 3306])
    start = s.when()
    if where == 'guest':
        w.drop(w.vm, 'input', f'tcp dport {port}')
        s.at(start, server, traffic.connect, w.vm.ip, port, 5.5)
        s.fails(('tcp', server.ip))
        for role in ('host', 'vm'):
            s.check(role, syn(server.ip, w.vm.ip, port), '>= 4')
        s.check('vm', f'ip.src == {w.vm.ip} && tcp.srcport == {port}', '== 0')
        s.fault('tcp-syn-unanswered', 'guest', 'to-guest', f'{server.ip} > {w.vm.ip}:{port}/tcp')
        return
    target = server.ip
    s.http(server, '0.0.0.0', port)
    s.fails(('tcp', target))
    s.at(start, w.vm, traffic.connect, target, port, 5.5)
    s.at(start + 1.3, w.guests[0], traffic.http_client, target, port, ['/'])
    if where == 'beyond':
        w.drop(server, 'input', f'tcp dport {port} ip saddr {w.vm.ip}')
        for role in ('host', 'vm'):
            s.check(role, syn(w.vm.ip, target, port), '>= 4')
        s.check('host', f'ip.src == {target} && ip.dst == {w.vm.ip} && tcp.srcport == {port}', '== 0')
        s.fault('tcp-syn-unanswered', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}:{port}/tcp')
        return
    if where == 'nic' or s.mode == 'bridged':
        w.bridge_drop(f'ether type ip ip protocol tcp ip saddr {w.vm.ip} ip daddr {target} tcp dport {port}', 'forward',
                      w.nic if where == 'nic' else None)
    else:
        w.drop(w.host, 'forward', f'ip saddr {w.vm.ip} ip daddr {target} tcp dport {port}')
    seen_and_lost(s, syn(w.vm.ip, target, port), 4)
    s.fault('tcp-syn-unanswered', 'guest-host-path' if where == 'nic' else s.gap, 'from-guest',
            f'{w.vm.ip} > {target}:{port}/tcp')


add('tcp-syn-unanswered-guest', "SYNs for one port of the guest reach it and its firewall drops them; other ports answer.",
    syn_unanswered, 'guest')
add('tcp-syn-unanswered-guest-routed', "SYNs for one port of a routed guest reach it and its firewall drops them.",
    syn_unanswered, 'guest', mode='routed')
add('tcp-syn-unanswered-vswitch', "A filter on the host's bridge drops the guest's SYNs to one port of a server.",
    syn_unanswered, 'host')
add('tcp-syn-unanswered-two-points', "The guest's SYNs to one port of a server are at its port and not at the uplink.",
    syn_unanswered, 'host', point='port+uplink')
add('tcp-syn-unanswered-handoff', "The guest's SYNs to one port of a server are lost before its port on the host.",
    syn_unanswered, 'nic', point='port')
add('tcp-syn-unanswered-routed', "The host's forward filter drops the SYNs of its routed guest to one port of a server.",
    syn_unanswered, 'host', mode='routed')
add('tcp-syn-unanswered-routed-two-points', "The SYNs of a routed guest to one port of a server are at its port and not at "
    'the uplink.', syn_unanswered, 'host', mode='routed', point='port+uplink')
add('tcp-syn-unanswered-beyond-sll1', "A server's firewall drops the guest's SYNs to one port; the host captured on all "
    'interfaces in the older cooked format.', syn_unanswered, 'beyond', point='sll1')
add('tcp-syn-unanswered-beyond', "A server's firewall drops the guest's SYNs to one port, and answers other machines.",
    syn_unanswered, 'beyond')
add('tcp-syn-unanswered-beyond-any', "A server's firewall drops the guest's SYNs to one port; the host captured on all "
    'interfaces.', syn_unanswered, 'beyond', point='any')


# Findings about the captures

def no_overlap(s):
    first, second = ('vm', 'host') if s.rng.random() < 0.5 else ('host', 'vm')
    s.windows = {first: (0, 7.5), second: (9.3, 17)}
    s.offset = s.drift = 0
    s.expect(offset_s=None, mode=None)
    s.inconclusive('cap-no-overlap')


add('cap-no-overlap', "One capture ended before the other began: missing is a capture of both sides at the same time.",
    no_overlap, quiet=True)


def unrelated(s, other_mode='nat'):
    s.stranger = Scenario(s.name, f'{s.seed}/stranger', 1, mode=other_mode)
    while s.stranger.w.lan_prefix == s.w.lan_prefix or s.stranger.w.vm_prefix == s.w.vm_prefix:
        s.stranger = Scenario(s.name, f'{s.rng.random()}', 1, mode=other_mode)
    s.offset = s.drift = 0
    s.expect(offset_s=None, mode=None)
    s.check('host', f'ip.addr == {s.stranger.w.vm.ip}', '== 0')
    s.check('vm', f'ip.addr == {s.w.lan_prefix}.0/24', '== 0')
    s.inconclusive('cap-unrelated')


add('cap-unrelated', 'Captures of two different hosts: no address, no packet in common; missing is the capture of the other '
    'side.', unrelated)
add('cap-unrelated-bridged', 'Captures of two different bridged LANs: no address, no packet in common; missing is the capture '
    'of the other side.', unrelated, 'bridged')


def swapped(s, kind):
    s.swap_roles = True
    kind(s)
    s.expect(notes=['cap-input-mixup'])


def healthy(s):
    """Nothing is wrong."""
    s.check('vm', 'icmp.type == 0', '>= 4')
    s.check('vm', 'dns.flags.response == 1', '>= 2')


add('cap-swapped-bridged', "The guest's file was given as the host's and the other way round; a LAN server is absent.",
    swapped, arp_silent)
add('cap-swapped-nat', "The guest's file was given as the host's and the other way round; everything works.", swapped,
    healthy, mode='nat')


def same_file(s):
    s.same_file = True
    s.expect(offset_s=None, mode=None)
    s.inconclusive('cap-input-mixup')


add('cap-same-file', 'The same file was given twice: missing is the other side.', same_file)


def wrong_interface(s):
    w = s.w
    w.second_segment()
    for machine in (w.s3, w.g3):
        s.http(machine, '0.0.0.0', 80)
        traffic.in_thread(machine.ns, traffic.ssh_server, '0.0.0.0', 22)
    devices = [(w.machine_mac(), f'{w.other_prefix}.{n}') for n in s.rng.sample(range(201, 250), 5)]
    noise = traffic.Noise(s.rng, w.other_prefix, f'{w.other_prefix}.1', [w.s3.ip], devices, [f'{w.other_prefix}.77'])
    traffic.in_thread(w.s3.ns, noise.run, 'eth0', s.seconds + 8, 4)
    for number in range(7):
        s.at(-1 + number * 1.6, w.g3, traffic.http_client, s.rng.choice([w.s3.ip, '203.0.113.80', w.s1.ip]), 80, ['/', '/b/900'])
        s.at(-0.5 + number * 1.8, w.s3, traffic.http_client, w.g3.ip, 80, ['/'])
    s.at(0.5, w.g3, traffic.dns_client, w.s1.ip, ['www.example.com', 'repo.example.org'])
    s.at(-1, w.s3, traffic.ssh_client, w.g3.ip, 22, 30, 0.3)
    s.check('host', f'ip.addr == {w.vm.ip} || arp.src.proto_ipv4 == {w.vm.ip}', '== 0')
    s.check('host', 'ip', '>= 100')
    s.expect(offset_s=None, mode=None)
    s.inconclusive('cap-wrong-interface')


add('cap-wrong-interface', "The host captured on another bridge than the guest's, in another VLAN; the guest works, so its "
    "packets went elsewhere: missing is a capture of the guest's own path.", wrong_interface, point='br1')


def filtered(s, role, expression):
    s.filters[role] = expression
    s.expect(notes=['cap-filtered'])
    if role == 'vm':
        for number in range(5):
            s.at(0.5 + number * 2, s.w.vm, traffic.ping, s.rng.choice([s.w.s1.ip, s.w.s2.ip, s.w.gateway]), 5, 0.3)
        s.check('vm', '!icmp', '== 0')
        s.check('vm', 'icmp.type == 0', '>= 15')
    else:
        s.check('host', '!(tcp.port == 80)', '== 0')
        s.check('host', 'tcp.flags == 0x012', '>= 8')


add('cap-filtered-host', "The host's capture has a filter for TCP port 80; nothing failed.", filtered, 'host', 'tcp port 80')
add('cap-filtered-guest', "The guest's capture has a filter for ICMP; nothing failed.", filtered, 'vm', 'icmp')
add('cap-filtered-nat', "The host's capture has a filter for TCP port 80; nothing failed behind the NAT.", filtered, 'host',
    'tcp port 80', mode='nat')


# Several faults

def two_faults(s):
    arp_silent(s)
    w = s.w
    w.drop(w.vm, 'input', f'icmp type echo-request ip saddr {w.s2.ip}')
    s.avoid(w.s2.ip)
    s.at(4.2, w.s2, traffic.ping, w.vm.ip, 8, 0.5)
    s.fails(('icmp', w.s2.ip))
    for role in ('host', 'vm'):
        s.check(role, echo(8, w.s2.ip, w.vm.ip), '>= 6')
    s.fault('icmp-guest-silent', 'guest', 'to-guest', f'{w.s2.ip} > {w.vm.ip}')


add('two-faults-arp-icmp', 'Two independent faults: a LAN address is absent, and the guest drops echo requests of a LAN '
    'machine.', two_faults)


def two_faults_switch(s):
    arp_lost(s)
    w, target, port = s.w, s.w.s1.ip, 8443
    w.drop(w.s1, 'input', f'tcp dport {port} ip saddr {w.vm.ip}')
    s.at(4, w.vm, traffic.connect, target, port, 5)
    s.fails(('tcp', target))
    for role in ('host', 'vm'):
        s.check(role, syn(w.vm.ip, target, port), '>= 4')
    s.fault('tcp-syn-unanswered', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}:{port}/tcp')


add('two-faults-arp-tcp', 'Two independent faults: ARP for one server is lost in the virtual switch, and another server drops '
    'the SYNs to one port.', two_faults_switch)


# Healthy

for _mode, _point, _what in [
        ('bridged', 'uplink', 'seen from the uplink'), ('bridged', 'bridge', 'seen from the bridge'),
        ('bridged', 'port', "seen from the guest's port"), ('bridged', 'any', 'seen from all interfaces of a busy host'),
        ('bridged', 'sll1', 'seen from all interfaces in the older cooked format'),
        ('bridged', 'port+uplink', "seen from the guest's port and the uplink"),
        ('nat', 'uplink', 'seen from the uplink, after translation'), ('nat', 'port', "seen from the guest's port"),
        ('nat', 'any', 'seen from all interfaces'),
        ('nat', 'sll1', 'seen from all interfaces in the older cooked format'), ('nat', 'port+uplink', "seen from the guest's port and the uplink"),
        ('routed', 'uplink', 'seen from the uplink'), ('routed', 'any', 'seen from all interfaces'),
        ('host-only', 'port', "seen from the guest's port")]:
    add(f'healthy-{_mode}-{_point.replace("port+uplink", "two-points")}', f'A {_mode} guest, everything works; {_what}.',
        healthy, mode=_mode, point=_point)
