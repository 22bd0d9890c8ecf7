"""IPv6 beside IPv4: the same faults for the other protocol, and what is usual on a healthy link."""
import socket
import struct

import traffic
from scenario import add
from scenarios import back_and_lost

WEB, API = '2001:db8:ffff::80', '2001:db8:ffff::81'


def echo(kind, source, target):
    return f'icmpv6.type == {kind} && ipv6.src == {source} && ipv6.dst == {target}'


def syn(source, target, port):
    return f'tcp.flags.syn == 1 && tcp.flags.ack == 0 && ipv6.src == {source} && ipv6.dst == {target} && tcp.dstport == {port}'


def enable(machine, device, address, gateway=None):
    """A static address, usable at once; what the kernel does by itself (link-local, MLD, RS) comes with it."""
    machine.ns.sysctl(ipv6__conf__lo__disable_ipv6=0, **{f'ipv6__conf__{device}__disable_ipv6': 0})
    machine.ns.ip(f'addr add {address}/64 dev {device} nodad',
                  *([f'route add default via {gateway} dev {device}'] if gateway else []))


def advertisement(mac, prefix, lifetime=1800):
    """A router advertisement with its link address and one on-link prefix."""
    options = b'\1\1' + traffic.hexmac(mac)
    options += struct.pack('!BBBBIII', 3, 4, 64, 0xc0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, prefix)
    body = struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, lifetime, 0, 0) + options
    return traffic.icmp6(mac, '33:33:00:00:00:01', traffic.link_local(mac), 'ff02::1', body)


def advertise(s, router, device, prefix):
    def send():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((device, 0))
            sock.send(advertisement(router.mac, prefix))
    for when in (s.rng.uniform(0.3, 1), s.rng.uniform(4, 5), s.rng.uniform(8, 9)):
        s.at(when, router, send)


def prefixes(s):
    rng = s.rng
    start = rng.choice([f'2001:db8:{rng.randint(1, 0xfffe):x}', f'fd{rng.randint(0, 255):02x}:{rng.randint(1, 0xffff):x}:'
                        f'{rng.randint(1, 0xffff):x}'])
    lan, inner = rng.sample(range(1, 0xfff), 2)
    return f'{start}:{lan:x}::', f'{start}:{inner:x}::'


def number(s):
    return f'{s.rng.randint(1, 0xffff):x}:{s.rng.randint(1, 0xffff):x}' if s.rng.random() < 0.5 else f'{s.rng.randint(2, 0xfff):x}'


def build(s, automatic=False):
    """IPv6 for all machines of the world; `ip6` is what others know them by."""
    w, (lan, inner) = s.w, prefixes(s)
    w.lan6, w.vm_net6 = lan, lan if s.mode == 'bridged' else inner
    for machine in (w.vm, *w.guests, w.s1, w.s2, w.host):
        machine.ip6 = (w.vm_net6 if machine in (w.vm, *w.guests) else lan) + number(s)
    w.router.ip6, w.gateway6 = lan + '1', w.vm_net6 + '1'
    router, net = w.router.ns, w.net.ns
    enable(w.router, 'eth0', w.router.ip6)
    enable(w.router, 'wan', '2001:db8:ffff::1')
    enable(w.net, 'eth0', WEB, '2001:db8:ffff::1')
    net.ip(f'addr add {API}/64 dev eth0 nodad')
    router.sysctl(ipv6__conf__all__forwarding=1)
    for machine in (w.vm, *w.guests, w.s1, w.s2):
        machine.ns.sysctl(ipv6__conf__eth0__autoconf=int(automatic))
    for machine in (w.s1, w.s2):
        enable(machine, 'eth0', machine.ip6, w.router.ip6)
    if s.mode == 'bridged':
        enable(w.host, w.bridge_name, w.host.ip6, w.router.ip6)
    else:
        enable(w.host, w.uplink_name, w.host.ip6, w.router.ip6)
        enable(w.host, w.bridge_name, w.gateway6)
        w.host.ns.sysctl(ipv6__conf__all__forwarding=1)
        for machine in (w.router, w.s1, w.s2) if s.mode == 'routed' else ():
            machine.ns.ip(f'route add {inner}/64 via {w.host.ip6}')
    if s.mode == 'nat':
        w.host.ns.nft(f'''table ip6 nat {{ chain post {{
            type nat hook postrouting priority 100; oifname {w.uplink_name} ip6 saddr {inner}/64 masquerade
        }}
        }}''')
    for machine in (w.vm, *w.guests):
        enable(machine, 'eth0', machine.ip6, w.gateway6)
    if s.rng.random() < 0.6:
        advertise(s, w.router, 'eth0', lan)
    serve(s)


def serve(s):
    w = s.w
    for machine in (w.vm, w.s1, w.s2, w.net, *w.guests):
        traffic.in_thread(machine.ns, traffic.ssh_server, '::', 22)
        s.http(machine, '::', 80, s.rng.choice(['nginx', 'nginx/1.22.1', 'Apache/2.4.57']))
    for machine in (w.router, w.s1):
        s.dns(machine, machine.ip6, {'www.example.com': '203.0.113.80', f'git.{w.domain}': w.s1.ip})


def healthy(s, *avoided):
    """Traffic of the guest that works, and of others; whom the fault concerns is left out."""
    w, rng = s.w, s.rng
    peers = [p for p in (w.s1.ip6, w.s2.ip6, w.guests[0].ip6, WEB, API) if p not in avoided]
    pinged = [p for p in peers + [w.gateway6] if p not in avoided]
    visitors = [m for m in (w.s1, w.s2) if m.ip6 not in avoided] if s.inbound else w.guests
    for when in range(1, int(s.seconds)):
        s.at(when + rng.uniform(-0.4, 0.4), w.vm, traffic.http_client, rng.choice(peers), 80, ['/', '/b/900'])
        s.at(when + rng.uniform(-0.4, 0.4), rng.choice(w.guests), traffic.http_client, rng.choice(peers), 80, ['/b/180'])
        if when % 3 == 0:
            s.at(when, w.vm, traffic.curl, rng.choice(peers), '/b/2400')
            s.at(when, w.vm, traffic.ping, rng.choice(pinged), 3, 0.3)
            s.at(when + 0.3, rng.choice(visitors), traffic.ping, w.vm.ip6, 2, 0.3)
        if when % 3 == 1:
            s.at(when, w.vm, traffic.dns_client, rng.choice([w.s1.ip6, w.router.ip6]), ['www.example.com'])
            s.at(when, rng.choice(visitors), traffic.http_client, w.vm.ip6, 80, ['/', '/b/180'])
    strangers(s)


def strangers(s):
    """Solicitations of machines that nobody answers, probes for duplicates, and hosts that look for a router."""
    w, rng = s.w, s.rng
    macs = [w.machine_mac() for _ in range(3)]
    w.absent6 = absent = w.lan6 + f'dead:{rng.randint(1, 0xffff):x}'

    def solicit(mac, wanted, probe):
        raw = socket.inet_pton(socket.AF_INET6, wanted)
        group = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, 'ff02::1:ff00:0')[:13] + raw[13:])
        body = b'\x87' + b'\0' * 7 + raw + (b'' if probe else b'\1\1' + traffic.hexmac(mac))
        return traffic.icmp6(mac, '33:33:ff:' + ':'.join(f'{b:02x}' for b in raw[13:]),
                             '::' if probe else traffic.link_local(mac), group, body)

    def run(mac):
        own = traffic.link_local(mac)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(('eth0', 0))
            sock.send(solicit(mac, own, True))
            sock.send(traffic.icmp6(mac, '33:33:00:00:00:02', own, 'ff02::2', b'\x85' + b'\0' * 7 + b'\1\1' + traffic.hexmac(mac)))
            for _ in range(3):
                sock.send(solicit(mac, absent, False))
                traffic.time.sleep(1)
    for mac in macs:
        s.at(rng.uniform(1, 6), w.noise, run, mac)


def all_well(s):
    w = s.w
    build(s, True)
    healthy(s)
    s.at(s.when(), w.vm, w.vm.ns.ip, f'addr add {w.vm_net6}{number(s)}:9/64 dev eth0 preferred_lft 0')
    s.at(s.when(), w.vm, w.vm.ns.run, 'ip', '-6', 'neigh', 'flush', 'dev', 'eth0', may_fail=True)
    for role in ('host', 'vm'):
        if s.inbound:
            s.check(role, f'icmpv6.type == 129 && ipv6.src == {w.vm.ip6}', '>= 2')
        s.check(role, 'ipv6 && tcp.flags == 0x012', '>= 4')
        s.check(role, 'ipv6 && udp.srcport == 53', '>= 2')
    s.check('host', f'icmpv6.nd.ns.target_address == {w.absent6}', '>= 3')
    s.check('vm', 'icmpv6.type == 136', '>= 2')


add('healthy-bridged-v6', 'A guest with IPv4 and IPv6: everything works, neighbour discovery of others stays unanswered.',
    all_well)
add('healthy-bridged-v6-any', 'A guest with IPv4 and IPv6, captured on all interfaces of the host: everything works.',
    all_well, point='any')
add('healthy-nat-v6', 'A guest whose IPv4 and IPv6 the host translates: everything works.', all_well, mode='nat')
add('healthy-routed-v6', 'A routed guest with IPv4 and IPv6: everything works.', all_well, mode='routed')


def return_dropped(s):
    w, target = s.w, API
    build(s)
    healthy(s, target)
    w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip6 saddr {target} ip6 daddr {w.vm.ip6}')
    s.at(s.when(), w.vm, traffic.ping, target, 8, s.rng.uniform(0.5, 0.7))
    s.at(s.when(), w.vm, traffic.connect, target, 80, 5.5)
    s.check('host', s.at_point(1, echo(129, target, w.host.ip6)), '>= 6')
    s.check('vm', f'ipv6.src == {target}', '== 0')
    s.fault('nat-return-dropped', 'nat', 'to-guest')


add('nat-return-dropped-v6', "The answers to the guest's translated IPv6 requests reach the uplink; the host's forward filter "
    'drops them.', return_dropped, mode='nat', point='port+uplink')


def guest_silent(s):
    w, pinger = s.w, s.w.s2
    build(s)
    w.drop(w.vm, 'input', f'icmpv6 type echo-request ip6 saddr {pinger.ip6}')
    s.at(s.when(), pinger, traffic.ping, w.vm.ip6, 8, s.rng.uniform(0.5, 0.7))
    healthy(s, pinger.ip6)
    for role in ('host', 'vm'):
        s.check(role, echo(128, pinger.ip6, w.vm.ip6), '>= 6')
    s.check('vm', echo(129, w.vm.ip6, pinger.ip6), '== 0')
    s.fault('icmp-guest-silent', 'guest', 'to-guest', f'{pinger.ip6} > {w.vm.ip6}')


add('icmp-guest-silent-v6', 'Echo requests over IPv6 reach the guest, whose firewall drops them; IPv4 works.', guest_silent)


def lost_to_guest(s):
    w, pinger = s.w, s.w.s2
    build(s)
    w.bridge_drop(f'ether type ip6 icmpv6 type echo-request ip6 saddr {pinger.ip6} ip6 daddr {w.vm.ip6}')
    s.at(s.when(), pinger, traffic.ping, w.vm.ip6, 8, s.rng.uniform(0.5, 0.7))
    healthy(s, pinger.ip6)
    back_and_lost(s, echo(128, pinger.ip6, w.vm.ip6), 6)
    s.fault('icmp-lost-to-guest', s.gap, 'to-guest', f'{pinger.ip6} > {w.vm.ip6}')


add('icmp-lost-to-guest-v6', "The host's bridge drops IPv6 echo requests for the guest: they are at the uplink, not at its "
    'port.', lost_to_guest, point='port+uplink')


def lost_beyond(s):
    w = s.w
    build(s)
    target = w.s2.ip6
    w.drop(w.s2, 'input', f'icmpv6 type echo-request ip6 saddr {w.vm.ip6}')
    s.at(s.when(), w.vm, traffic.ping, target, 9, s.rng.uniform(0.45, 0.6))
    healthy(s, target)
    for role in ('host', 'vm'):
        s.check(role, echo(128, w.vm.ip6, target), '>= 7')
        s.check(role, echo(129, target, w.vm.ip6), '== 0')
    s.fault('icmp-lost-beyond', 'beyond-host', 'from-guest', f'{w.vm.ip6} > {target}')


add('icmp-lost-beyond-v6', "A LAN server's firewall drops the guest's IPv6 echo requests; IPv4 works.", lost_beyond)
add('icmp-lost-beyond-v6-routed', "A LAN server's firewall drops the IPv6 echo requests of a routed guest.", lost_beyond,
    mode='routed')


def syn_unanswered(s, where):
    w, server, port = s.w, s.w.s2, s.rng.choice([443, 8443, 5432, 3306])
    build(s)
    healthy(s, server.ip6)
    client, target = (server, w.vm) if where == 'guest' else (w.vm, server)
    w.drop(target, 'input', f'tcp dport {port} ip6 saddr {client.ip6}')
    s.at(s.when(), client, traffic.connect, target.ip6, port, 5.5)
    for role in ('host', 'vm'):
        s.check(role, syn(client.ip6, target.ip6, port), '>= 4')
        s.check(role, f'ipv6.src == {target.ip6} && ipv6.dst == {client.ip6} && tcp.srcport == {port}', '== 0')
    s.fault('tcp-syn-unanswered', 'guest' if where == 'guest' else 'beyond-host',
            'to-guest' if where == 'guest' else 'from-guest', f'{client.ip6} > [{target.ip6}]:{port}/tcp')


add('tcp-syn-unanswered-v6-beyond', "A server's firewall drops the guest's SYNs over IPv6 to one port.", syn_unanswered, 'beyond')
add('tcp-syn-unanswered-v6-guest', 'SYNs over IPv6 for one port of the guest reach it and its firewall drops them.',
    syn_unanswered, 'guest', point='port+uplink')


def closed_port(s):
    w, server, port = s.w, s.w.s2, s.rng.choice([443, 8443, 5432, 3306])
    build(s)
    healthy(s, server.ip6)
    s.at(s.when(), w.vm, traffic.connect, server.ip6, port, 2, 6, 0.9)
    for role in ('host', 'vm'):
        s.check(role, f'tcp.flags.reset == 1 && ipv6.src == {server.ip6} && tcp.srcport == {port}', '>= 5')
    s.fault('tcp-rst-closed-port', 'beyond-host')


add('tcp-rst-closed-port-v6', 'Nothing listens at the IPv6 port of a server that the guest tries again and again.', closed_port)


def refused(s, code):
    w, target = s.w, API
    build(s)
    healthy(s, target)
    if code == 1:
        w.drop(w.router, 'forward', f'ip6 saddr {w.vm.ip6} ip6 daddr {target}', 'reject with icmpv6 type admin-prohibited')
    else:
        target = '2001:db8:77::9'
        w.router.ns.ip(f'route add unreachable {target}/128')
    s.at(s.when(), w.vm, traffic.ping, target, 6, 0.9)
    s.at(s.when() + 0.5, w.vm, traffic.connect, target, 443, 3, 2, 1)
    for role in ('host', 'vm'):
        s.check(role, f'icmpv6.type == 1 && icmpv6.code == {code}', '>= 3')
    s.check('vm', echo(129, target, w.vm.ip6), '== 0')
    s.fault('icmp-admin-prohibited' if code == 1 else 'icmp-unreachable', 'beyond-host')


add('icmp-admin-prohibited-v6', 'The router refuses one IPv6 target to the guest and says so.', refused, 1)
add('icmp-unreachable-v6', 'The router has no way to an IPv6 target and says so.', refused, 0)


def dns_silent(s):
    w, resolver = s.w, s.w.s2
    build(s)
    healthy(s, resolver.ip6)
    s.dns(resolver, resolver.ip6, {'www.example.com': '203.0.113.80'})
    w.drop(resolver, 'input', f'udp dport 53 ip6 saddr {w.vm.ip6}')
    start = s.when()
    for n, name in enumerate(['www.example.com', 'api.example.com', 'repo.example.org']):
        s.at(start + n * 0.5, w.vm, traffic.dns_client, resolver.ip6, [name], 3, 1.7)
    for role in ('host', 'vm'):
        s.check(role, f'udp.dstport == 53 && ipv6.src == {w.vm.ip6} && ipv6.dst == {resolver.ip6}', '>= 7')
        s.check(role, f'udp.srcport == 53 && ipv6.src == {resolver.ip6} && ipv6.dst == {w.vm.ip6}', '== 0')
    s.fault('dns-no-answer', 'beyond-host', 'from-guest')


add('dns-no-answer-v6', "A server's firewall drops the guest's DNS queries over IPv6.", dns_silent)
