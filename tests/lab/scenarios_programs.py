"""What ordinary programs do that looks like trouble and is none; services of the NAT host itself that are silent."""
import socket
import time

import programs
import traffic
from scenario import add
from scenarios import syn


def pooled_client(address, port, rounds, pause):
    """Keeps its connection longer than the server does: its next request meets a reset, and it connects anew."""
    request = b'GET / HTTP/1.1\r\nHost: lab\r\n\r\n'
    for _ in range(rounds):
        try:
            with socket.create_connection((address, port), 3) as sock:
                sock.sendall(request)
                sock.recv(4096)
                time.sleep(pause)
                sock.sendall(request)
                sock.recv(4096)
                sock.sendall(request)
                sock.recv(4096)
        except OSError:
            pass


def ordinary(s):
    """Connections that wait before they ask, or outlive the server's patience, a proxy, probes for duplicates, a lease that is
    refused and one that is given back."""
    w, rng, real = s.w, s.rng, s.programs
    s.has_leases, s.snaplen['vm'], s.compression = True, None, {'host': 'zst', 'vm': 'zst'}
    server, device, address = (w.s1, 'eth0', w.s1.ip) if s.mode == 'bridged' else (w.host, w.bridge_name, w.gateway)
    target = w.s2.ip
    real.nginx(w.s2, '0.0.0.0', 8080, 'keepalive_timeout 60;', ' deferred')
    real.nginx(w.s2, '0.0.0.0', 8081, 'keepalive_timeout 1; reset_timedout_connection on;')
    real.nginx(w.vm, '0.0.0.0', 8082, 'keepalive_timeout 60;', location=f'location / {{ proxy_pass http://{target}:8081; }}')
    for number in range(3):
        s.at(rng.uniform(0.5, 4), w.vm, programs.nc, target, 8080, None, '-w', '6')
        s.at(0.6 + 1.7 * number, w.vm, pooled_client, target, 8081, 2, 1.4)
        s.at(1 + 2.4 * number, w.guests[0], traffic.http_client, w.vm.ip, 8082, ['/', '/b/2400', '/missing'])
    s.at(rng.uniform(2, 6), w.vm, programs.nc, target, 8443, b'', '-z')
    for options in (('-U',), ('-D',)):
        s.at(rng.uniform(1, 6), w.vm, programs.run, 'arping', '-q', '-c', '3', '-w', '3', *options, '-I', 'eth0', w.vm.ip)
    real.dhcp_server(server, device, {'router': w.gateway, 'dns-server': w.dns}, [(w.vm.mac, w.vm.ip)])
    s.at(1.2, w.vm, real.dhclient, w.hostnames['vm'], '10.254.254.9', address, 4)
    s.at(6.5, w.vm, real.dhclient, w.hostnames['vm'], w.vm.ip, address, 2, '-r')
    s.check('vm', 'dhcp.option.dhcp == 6', '>= 1')
    s.check('vm', 'dhcp.option.dhcp == 5', '>= 1')
    s.check('vm', 'dhcp.option.dhcp == 7', '>= 1')
    s.check('vm', f'ip.src == {target} && tcp.srcport == 8081 && tcp.flags.reset == 1', '>= 3')
    s.check('vm', f'ip.src == {target} && tcp.srcport == 8443 && tcp.flags.reset == 1', '== 1')
    s.check('vm', f'arp.opcode == 1 && arp.src.proto_ipv4 == 0.0.0.0 && arp.dst.proto_ipv4 == {w.vm.ip}', '>= 2')
    s.expect(absent=['tcp-half-open', 'tcp-rst-closed-port', 'tcp-synack-lost', 'arp-duplicate-ip', 'arp-target-silent'])


for mode, point in [('bridged', 'uplink'), ('nat', 'port+uplink'), ('routed', 'any')]:
    add(f'programs-{mode}-healthy', "Ordinary programs on a healthy network: connections that wait before they ask or outlive the "
        "server's patience, a proxy, a look at a closed port, probes for duplicates, a lease refused and one given back.",
        ordinary, mode=mode, point=point, quiet=True)


def relay_alone(s):
    """The host's resolver asks another, which is dead: the guest gets no answers."""
    w, s.relays, s.compression = s.w, True, {'host': 'zst', 'vm': 'zst'}
    s.avoid(w.dns)
    w.drop(w.router, 'input', f'udp dport 53 ip saddr {w.host.ip}')
    start = s.when()
    for number, name in enumerate(['www.example.com', 'api.example.com', 'repo.example.org']):
        s.at(start + number * 0.5, w.vm, traffic.dns_client, w.dns, [name], 3, 1.7)
    s.fails(('dns', w.dns))
    s.check('vm', f'udp.dstport == 53 && ip.dst == {w.dns}', '>= 7')
    s.check('vm', f'udp.srcport == 53 && ip.src == {w.dns} && ip.dst == {w.vm.ip}', '== 0')
    if s.point != 'port':
        asked = s.at_point(1, f'udp.dstport == 53 && ip.src == {w.host.ip} && ip.dst == {w.router.ip}')
        s.check('host', asked, '>= 3')
    if s.point == 'uplink':
        s.inconclusive()
    else:
        s.fault('dns-no-answer', 'beyond-host' if s.point == 'port' else 'host', 'from-guest')


for point in ('uplink', 'port', 'port+uplink'):
    add(f'dns-no-answer-relay-{point.replace("port+uplink", "two-points")}', "The host's resolver asks another one, which is dead, "
        'for the guest: the guest gets no answers.' + (' Missing is a capture at its port.' if point == 'uplink' else ''),
        relay_alone, mode='nat', point=point, quiet=True)


def own_port(s):
    """The host's firewall hides one of the host's own ports from the guest."""
    w, port, s.compression = s.w, s.rng.choice([22, 8006, 5900]), {'host': 'zst', 'vm': 'zst'}
    w.drop(w.host, 'input', f'ip saddr {w.vm.ip} tcp dport {port}')
    s.at(s.when(), w.vm, traffic.connect, w.gateway, port, 5.5)
    s.fails(('tcp', w.gateway))
    s.check('vm', syn(w.vm.ip, w.gateway, port), '>= 3')
    s.check('host', s.at_point(0, syn(w.vm.ip, w.gateway, port)), '>= 3')
    s.fault('tcp-syn-unanswered', 'host', 'from-guest', f'{w.vm.ip} > {w.gateway}:{port}/tcp')


add('tcp-syn-unanswered-own-port', "The guest tries a port of its NAT host, whose firewall drops the SYNs.", own_port, mode='nat',
    point='port+uplink', quiet=True)
