"""TCP, DNS, and captures that do not show all."""
import socket
import struct
import time

import traffic
from scenario import add
from scenarios import back_and_lost, seen_and_lost, syn


# TCP

def synack_lost(s, way='in'):
    w, port = s.w, s.rng.choice([443, 8443, 5432])
    client, server = (w.vm, w.s2) if way == 'in' else (w.s2, w.vm)
    s.http(server, '0.0.0.0', port)
    rule = f'ip saddr {server.ip} ip daddr {client.ip} tcp sport {port} tcp flags & (syn | ack) == syn | ack'
    if s.mode == 'bridged':
        w.bridge_drop('ether type ip ip protocol tcp ' + rule)
    else:
        w.drop(w.host, 'forward', rule)
    s.at(s.when(), client, traffic.connect, server.ip, port, 5.5)
    s.at(s.when() + 1, w.guests[0], traffic.connect, w.s2.ip, port, 2)
    answer = f'tcp.flags == 0x012 && ip.src == {server.ip} && ip.dst == {client.ip} && tcp.srcport == {port}'
    if way == 'in':
        s.fails(('tcp', server.ip))
        back_and_lost(s, answer, 4)
        s.fault('tcp-synack-lost', s.gap, 'to-guest', f'{client.ip} > {server.ip}:{port}/tcp')
    else:
        seen_and_lost(s, answer, 4)
        s.fault('tcp-synack-lost', s.gap, 'from-guest', f'{client.ip} > {server.ip}:{port}/tcp')


add('tcp-synack-lost-in-uplink', "A server's SYN-ACKs reach the host's uplink and not the guest.", synack_lost)
add('tcp-synack-lost-in-two-points', "A server's SYN-ACKs are at the uplink and not at the guest's port.", synack_lost,
    point='port+uplink')
add('tcp-synack-lost-out-uplink', "The guest's SYN-ACKs to a LAN client never reach the uplink.", synack_lost, 'out')
add('tcp-synack-lost-routed', "The host's forward filter drops a server's SYN-ACKs to the routed guest.", synack_lost,
    mode='routed')


def closed_port(s, where='beyond'):
    w, port = s.w, s.rng.choice([443, 8443, 5432, 3306])
    client, server = (w.s2, w.vm) if where == 'guest' else (w.vm, w.s2)
    s.at(s.when(), client, traffic.connect, server.ip, port, 2, 6, 0.9)
    for role in ('host', 'vm'):
        s.check(role, f'tcp.flags.reset == 1 && ip.src == {server.ip} && tcp.srcport == {port}', '>= 5')
    if where == 'guest':
        s.fault('tcp-rst-closed-port', 'guest')
    else:
        s.fault('tcp-rst-closed-port', 'beyond-host')


add('tcp-rst-closed-port-beyond', 'Nothing listens at the port of a server that the guest tries again and again.', closed_port)
add('tcp-rst-closed-port-beyond-any', 'Nothing listens at the port of a server that the guest tries again and again; the host '
    'captured on all interfaces.', closed_port, point='any')
add('tcp-rst-closed-port-guest', 'Nothing listens at the port of the guest that a LAN machine tries again and again.',
    closed_port, 'guest')


def middlebox(s):
    w, port, target = s.w, s.rng.choice([443, 8443]), s.w.s2.ip
    s.http(w.s2, '0.0.0.0', port)
    if s.mode == 'bridged':
        w.host.ns.sysctl(bridge__bridge_nf_call_iptables=1)
    w.drop(w.host, 'forward', f'ip saddr {w.vm.ip} ip daddr {target} tcp dport {port}', 'reject with tcp reset')
    s.at(s.when(), w.vm, traffic.connect, target, port, 2, 6, 0.9)
    s.at(3, w.guests[0], traffic.http_client, target, port, ['/'])
    s.check('vm', f'tcp.flags.reset == 1 && ip.src == {target} && tcp.srcport == {port}', '>= 5')
    seen_and_lost(s, syn(w.vm.ip, target, port), 5)
    s.check('host', s.at_point(1, f'tcp.flags.reset == 1 && ip.src == {target} && ip.dst == {w.vm.ip}'), '== 0')
    s.fault('tcp-rst-middlebox', s.gap)


add('tcp-rst-middlebox-uplink', "Something between guest and uplink resets the guest's connections to one port in the server's "
    'name; neither SYN nor RST is at the uplink.', middlebox)
add('tcp-rst-middlebox-routed', "The host's forward filter resets connections of its routed guest in the server's name.",
    middlebox, mode='routed', point='port+uplink')


def half_open(s):
    """Servers that forget a connection without a word; the guest's next data is reset."""
    w, server, port = s.w, s.w.s2, 5222

    def serve():
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(('0.0.0.0', port))
        listener.listen(8)
        held = []
        while len(held) < 3:
            sock, _ = listener.accept()
            held.append(sock)
            sock.sendall(b'<?xml version="1.0"?><stream>')
            sock.recv(100)
        time.sleep(0.6)
        w.drop(server, 'output', f'tcp sport {port}')
        for sock in held:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            sock.close()
        listener.close()
        w.clear(server)

    def session():
        with socket.create_connection((server.ip, port), 4) as sock:
            sock.recv(100)
            sock.sendall(b'<presence/>')
            time.sleep(4.0)
            sock.sendall(b'<message>still there</message>')
            sock.settimeout(1)
            sock.recv(100)
    s.at(0, server, serve)
    for number in range(3):
        s.at(1.5 + 0.3 * number, w.vm, session)
    for role in ('host', 'vm'):
        s.check(role, f'tcp.flags.reset == 1 && ip.src == {server.ip} && tcp.srcport == {port}', '>= 3')
    s.fault('tcp-half-open')


add('tcp-half-open-uplink', 'A server has forgotten the connections that the guest still holds: it resets their next data.',
    half_open)


def begins_midway(s):
    w, server, port = s.w, s.w.s2, 8443
    s.http(server, '0.0.0.0', port)
    for number in range(3):
        s.at(0.6 + 0.7 * number, w.vm, traffic.http_client, server.ip, port, ['/'], '', None, 0.05)
    s.at(3.2, server, w.drop, server, 'input', f'tcp dport {port} ip saddr {w.vm.ip}')
    s.at(3.6, w.vm, traffic.connect, server.ip, port, 5.2)
    s.at(4.0, w.vm, traffic.connect, server.ip, port, 5.0)
    s.fails(('tcp', server.ip))
    for role in ('host', 'vm'):
        s.check(role, syn(w.vm.ip, server.ip, port), '>= 11')
        s.check(role, f'tcp.flags == 0x012 && ip.src == {server.ip} && ip.dst == {w.vm.ip} && tcp.srcport == {port}', '== 3')
    s.fault('tcp-syn-unanswered', 'beyond-host', 'from-guest', f'{w.vm.ip} > {server.ip}:{port}/tcp')


add('tcp-syn-unanswered-midway', "A server answers the guest's first connections and drops the later ones: its firewall "
    'changed.', begins_midway)


def ends_midway(s):
    w, server, port = s.w, s.w.s2, 8443
    s.http(server, '0.0.0.0', port)
    w.drop(server, 'input', f'tcp dport {port} ip saddr {w.vm.ip}')
    s.at(0.8, w.vm, traffic.connect, server.ip, port, 3.4)
    s.at(1.3, w.vm, traffic.connect, server.ip, port, 3.4)
    s.at(5.2, server, w.clear, server)
    for number in range(3):
        s.at(5.8 + 0.8 * number, w.vm, traffic.http_client, server.ip, port, ['/'], '', None, 0.05)
    s.fails(('tcp', server.ip))
    for role in ('host', 'vm'):
        s.check(role, syn(w.vm.ip, server.ip, port), '>= 10')
        s.check(role, f'tcp.flags == 0x012 && ip.src == {server.ip} && ip.dst == {w.vm.ip} && tcp.srcport == {port}', '== 3')
    s.fault('tcp-syn-unanswered', 'beyond-host', 'from-guest', f'{w.vm.ip} > {server.ip}:{port}/tcp')


add('tcp-syn-unanswered-ends', "A server drops the guest's first connections and answers the later ones: its firewall was "
    'mended.', ends_midway)


# DNS

def dns_silent(s, where='beyond'):
    w = s.w
    resolver = w.s2.ip if s.mode == 'bridged' else '198.51.100.53'
    if s.mode == 'bridged':
        s.dns(w.s2, resolver, {'www.example.com': '203.0.113.80'})
    source = w.host.ip if s.mode == 'nat' else w.vm.ip
    query = f'udp.dstport == 53 && ip.dst == {resolver}'
    answer = f'udp.srcport == 53 && ip.src == {resolver}'
    start = s.when()
    for number, name in enumerate(['www.example.com', 'api.example.com', 'repo.example.org']):
        s.at(start + number * 0.5, w.vm, traffic.dns_client, resolver, [name], 3, 1.7)
    s.fails(('dns', resolver))
    s.check('vm', f'{query} && ip.src == {w.vm.ip}', '>= 7')
    s.check('vm', f'{answer} && ip.dst == {w.vm.ip}', '== 0')
    if where == 'beyond':
        w.drop(w.s2 if s.mode == 'bridged' else w.net, 'input', f'udp dport 53 ip daddr {resolver} ip saddr {source}'
               if s.mode == 'bridged' else f'udp dport 53 ip daddr {resolver}')
        s.check('host', s.at_point(1, f'{query} && ip.src == {source}'), '>= 7')
        s.check('host', f'{answer} && ip.dst == {source}', '== 0')
        s.fault('dns-no-answer' if s.mode == 'bridged' else 'nat-no-answer', 'beyond-host', 'from-guest')
    elif where == 'lost':
        w.bridge_drop(f'ether type ip ip protocol udp udp dport 53 ip saddr {w.vm.ip} ip daddr {resolver}')
        seen_and_lost(s, f'{query} && ip.src == {w.vm.ip}', 7)
        s.fault('dns-no-answer', s.gap, 'from-guest')
    else:
        w.bridge_drop(f'ether type ip ip protocol udp udp sport 53 ip saddr {resolver} ip daddr {w.vm.ip}')
        back_and_lost(s, f'{answer} && ip.dst == {w.vm.ip}', 7)
        s.fault('dns-no-answer', s.gap, 'to-guest')


add('dns-no-answer-beyond', "A resolver drops the guest's queries; they leave the host.", dns_silent)
add('dns-no-answer-vswitch', "The host's bridge drops the guest's queries to one resolver.", dns_silent, 'lost')
add('dns-no-answer-two-points', "The guest's queries to one resolver are at its port and not at the uplink.", dns_silent, 'lost',
    point='port+uplink')
add('dns-no-answer-back', "A resolver's answers reach the uplink and not the guest.", dns_silent, 'back')


add('nat-no-answer-dns', 'A resolver on the internet drops the queries that leave the NAT.', dns_silent, mode='nat')


def dns_slow(s):
    w, resolver = s.w, s.w.s2.ip
    traffic.in_thread(w.s2.ns, traffic.dns_server, resolver, 53, s_names(), 0.9)
    for number, name in enumerate(s_names()):
        s.at(1.5 + number * 1.5, w.vm, traffic.dns_client, resolver, [name], 2, 2.5)
    s.check('vm', f'udp.srcport == 53 && ip.src == {resolver}', '>= 3')
    s.expect(absent=['dns-no-answer'])


def s_names():
    return {'www.example.com': '203.0.113.80', 'api.example.com': '203.0.113.81', 'repo.example.org': '203.0.113.80'}


add('dns-slow-healthy', 'A second resolver takes 0.9 s for each answer and answers all.', dns_slow)


# Captures that do not show all

def one_way(s, role):
    s.more[role] = ['-Q', 'in'] if role == 'vm' else []
    if role == 'host':
        s.filters['host'] = f'src host {s.w.vm.ip if s.mode == "bridged" else s.w.host.ip} or arp'
        s.check('host', f'ip.dst == {s.w.vm.ip if s.mode == "bridged" else s.w.host.ip}', '== 0')
    else:
        s.check('vm', f'ip.src == {s.w.vm.ip}', '== 0')
    s.audited = False
    s.expect(notes=['cap-one-way'])


add('cap-one-way-host', "The host's capture has a filter for the guest's address as source; nothing failed.", one_way, 'host')
add('cap-one-way-nat', "The host's capture holds only what the host sent; nothing failed behind the NAT.", one_way, 'host',
    mode='nat')


def truncated(s, size):
    s.snaplen = {'host': size, 'vm': s.rng.choice([None, size])}
    s.expect(notes=['cap-truncated'])


add('cap-truncated-68', 'Packets were cut after 68 octets; nothing failed.', truncated, 68)
add('cap-truncated-96-nat', 'Packets were cut after 96 octets; nothing failed behind the NAT.', truncated, 96, mode='nat')


def gaps(s, role):
    """A capture that could not keep up: the kernel dropped packets for a while."""
    w = s.w
    s.more[role] = ['-B', '2']
    s.pause[role] = (4.0, 2.5)
    for number in range(10):
        s.at(3.5 + 0.3 * number, w.vm, traffic.http_client, w.s1.ip, 80, ['/b/90000', '/b/60000'], '', None, 0.01)
        s.at(0.8 + 1.0 * number, w.vm, traffic.http_client, w.s1.ip, 80, ['/b/40000'], '', None, 0.01)
    s.snaplen = {'host': 200, 'vm': 200}
    s.audited = False
    s.check(role, 'tcp.analysis.lost_segment && tcp.len > 0', '>= 2')
    s.expect(notes=['cap-gaps'])


add('cap-gaps-guest', "The guest's capture lost packets for two seconds; the network did not.", gaps, 'vm')
add('cap-gaps-host', "The host's capture lost packets for two seconds; the network did not.", gaps, 'host')


def offload(s):
    w = s.w
    s.snaplen = {'host': 200, 'vm': 200}
    for number in range(4):
        s.at(1 + number * 2, w.vm, traffic.http_client, w.s1.ip, 80, ['/b/150000', '/b/80000'])
    for role in ('host', 'vm'):
        s.check(role, 'tcp.len > 3000', '>= 4')
    s.expect(notes=['cap-offload-artifact'], absent=['tcp-bad-checksum', 'mtu-blackhole'])


add('cap-offload-healthy', 'Frames larger than the MTU and unfinished checksums everywhere, from offload; everything works.',
    offload)
