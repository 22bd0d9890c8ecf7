"""Guests with two NICs, leases without a router, loops far away, and NAT that forgets."""
import socket
import time

import capture
import traffic
from netns import link
from scenario import add
from scenarios import echo, syn


# Gateway

def lease(s, router):
    """The guest renews its lease: with a router in it, or without."""
    w, s.has_leases, s.snaplen['vm'] = s.w, True, None
    s.programs.dhcp_server(w.s1, 'eth0', {'router': w.router.ip if router else '', 'dns-server': w.dns}, [(w.vm.mac, w.vm.ip)])
    s.at(s.rng.uniform(1.3, 1.8), w.vm, s.programs.dhclient, w.hostnames['vm'], w.vm.ip, w.s1.ip)
    s.check('vm', 'dhcp.option.dhcp == 5', '>= 1')
    s.check('vm', f'dhcp.option.dhcp == 5 && dhcp.option.router == {w.router.ip}', '== 1' if router else '== 0')


def lease_without_router(s):
    w = s.w
    w.vm.ns.ip('route del default')
    w.dns = w.s1.ip
    s.avoid(*w.internet)
    lease(s, False)
    for number, name in enumerate(['www.example.com', 'api.example.com', 'time.example.net']):
        s.at(2.2 + number * 0.6, w.vm, traffic.dns_client, w.dns, [name])
    s.check('vm', f'ip.src == {w.vm.ip} && ip.dst == 203.0.113.0/24', '== 0')
    s.check('vm', 'dns.a == 203.0.113.80 || dns.a == 203.0.113.81', '>= 2')
    s.fault('gw-no-default-route', 'guest', 'from-guest')


def lease_with_router(s):
    s.w.dns = s.w.s1.ip
    lease(s, True)
    s.expect(absent=['gw-no-default-route'])


add('gw-no-default-route-lease', 'DHCP gives the guest no router: it resolves names of the internet and sends nothing there; '
    'its neighbours are reached.', lease_without_router)
add('gw-lease-healthy', 'DHCP gives the guest a router; everything works.', lease_with_router)


# Routing

def loop_far_away(s):
    """The router and the internet send the packets back and forth: the host sees them once."""
    w, target = s.w, f'10.253.{s.rng.randint(1, 250)}.9'
    w.router.ns.ip(f'route add {target}/32 via 203.0.113.80')
    w.net.ns.ip(f'route add {target}/32 via 203.0.113.1')
    w.net.ns.sysctl(ipv4__ip_forward=1, ipv4__conf__all__send_redirects=0, ipv4__conf__eth0__send_redirects=0)
    w.router.ns.sysctl(ipv4__conf__all__send_redirects=0, ipv4__conf__wan__send_redirects=0)
    s.at(s.when(), w.vm, traffic.ping, target, 5, 1.1)
    s.fails(('icmp', target))
    s.check('vm', 'icmp.type == 11', '>= 2')
    s.check('host', f'icmp.type == 8 && ip.dst == {target} && !(icmp.type == 11)', '<= 6')
    s.fault('ip-ttl-loop', 'beyond-host', 'from-guest')


add('ip-ttl-loop-unseen', 'Two routers beyond the host send the packets for one address back and forth; their TTL is used up.',
    loop_far_away)


def two_nics(s, strict):
    """The guest has a NIC in each of two segments and one default route."""
    w = s.w
    w.second_segment()
    address, mac = f'{w.other_prefix}.77', w.mac([w.guest_oui])
    link(w.vm.ns, 'eth1', mac, w.host.ns, 'vnet40', 'fe' + mac[2:])
    w.host.ns.ip('link set vnet40 master br1', 'link set vnet40 up')
    w.vm.ns.ip('link set eth1 up', f'addr add {address}/24 brd + dev eth1')
    if strict:
        w.router.ns.sysctl(ipv4__conf__all__rp_filter=1)
    s.offset, s.drift, plain = 0, 0, s.take

    def take(role, folder):
        if role == 'host':
            return plain(role, folder)
        path = f'{folder}/vm.pcapng'
        one = capture.Capture(w.vm.ns, ['eth0', 'eth1'], path)

        def finish():
            capture.plain_section_headers(path)
            return {role: path}
        return one, finish
    s.take = take
    s.expect(offset_s=0, mode=None)
    start = s.when()
    s.at(start, w.net, traffic.ping, address, 8, 0.6)
    s.at(start + 0.3, w.net, traffic.connect, address, 80, 5.5)
    s.at(start, w.s3, traffic.ping, address, 4, 0.5)
    s.audited = False
    s.check('vm', f'frame.interface_id == 1 && {echo(8, "203.0.113.80", address)}', '>= 6')
    s.check('vm', f'frame.interface_id == 1 && {echo(0, address, "203.0.113.80")}', '== 0')
    s.check('vm', f'frame.interface_id == 0 && {echo(0, address, "203.0.113.80")}', '>= 6')
    if strict:
        s.check('vm', syn('203.0.113.80', address, 80), '>= 3')
        s.fault('ip-asymmetric-route', 'guest', 'from-guest')
    else:
        s.expect(absent=['ip-rp-filter', 'gw-no-default-route'])


add('ip-asymmetric-route-two-nics', 'Requests come in on the second NIC of the guest, its answers leave by the first, where '
    'the router drops them (strict rp_filter).', two_nics, True, point='uplink+nic2')
add('ip-asymmetric-route-healthy', 'Requests come in on the second NIC of the guest, its answers leave by the first and arrive.',
    two_nics, False, point='uplink+nic2')


# NAT

def late_server(address, port, pause):
    def handle(sock):
        sock.recv(100)
        sock.sendall(b'hello\n')
        sock.settimeout(pause + 20)
        time.sleep(pause)
        sock.sendall(b'still there?\n' * 4)
        sock.recv(100)
    traffic.listen(address, port, handle)


def patient_client(address, port, wait):
    try:
        with socket.create_connection((address, port), 3) as sock:
            sock.settimeout(wait)
            sock.sendall(b'hello\n')
            sock.recv(100)
            sock.sendall(sock.recv(100))
    except OSError:
        pass


def idle(s, forgets):
    w, target, port = s.w, '203.0.113.81', 5222
    if forgets:
        w.host.ns.sysctl(netfilter__nf_conntrack_tcp_timeout_established=18)
    traffic.in_thread(w.net.ns, late_server, target, port, 24)
    for number in range(2):
        s.at(1.0 + number * 0.4, w.vm, patient_client, target, port, 34)
    uplink = f'tcp.srcport == {port} && tcp.len == 52'
    s.check('host', uplink, '>= 2')
    if forgets:
        s.check('vm', uplink, '== 0')
        s.check('host', f'ip.src == {w.host.ip} && tcp.dstport == {port} && tcp.flags.reset == 1', '>= 2')
        s.fault('nat-idle-timeout', 'nat', 'to-guest')
    else:
        s.check('vm', uplink, '>= 2')
        s.expect(absent=['nat-idle-timeout'])


add('nat-idle-timeout-uplink', "Connections of the guest are silent for 24 s; the host's NAT forgets them after 18, and resets "
    'what the server then sends.', idle, True, mode='nat', seconds=32, quiet='silent')
add('nat-idle-healthy', 'Connections of the guest are silent for 24 s and go on.', idle, False, mode='nat', seconds=32,
    quiet='silent')
