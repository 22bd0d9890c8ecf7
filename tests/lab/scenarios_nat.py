"""Kernel NAT in full: ports that are forwarded and moved, siblings behind one address, a second NAT, errors translated inside."""
import socket
import time

import traffic
from scenario import add
from scenarios import echo, syn

TARGET = '203.0.113.81'


def translate(w, text, chain='post'):
    """More rules of the host's NAT, before those that are there."""
    w.host.ns.nft('\n'.join(f'insert rule ip nat {chain} {line}' for line in reversed(text.strip().splitlines())))


# Forwarded ports

def forward(s, how, source=True):
    """A port of the host leads to the guest; with `source`, the clients' addresses are translated, too."""
    w, port = s.w, s.rng.choice([8080, 8443, 2222, 9000])
    stale = w.guest_ip()
    inside = {'closed': s.rng.choice([81, 8000, 5000]), 'silent': 443}.get(how, 80)
    goal = stale if how == 'stale' else w.vm.ip
    translate(w, f'ip daddr {w.host.ip} tcp dport {port} dnat to {goal}:{inside}', 'pre')
    if source:
        translate(w, f'oifname {w.bridge_name} ip daddr {goal} tcp dport {inside} masquerade')
    client = s.rng.choice([w.s1, w.s2])
    seen = f'{w.vm_prefix}.1' if source else client.ip
    outer, inner = syn(client.ip, w.host.ip, port), syn(seen, w.vm.ip, inside)
    start = s.when(1.5, 3)
    if how == 'works':
        for number in range(5):
            s.at(start + number * 1.4, client, traffic.http_client, w.host.ip, port, ['/', '/b/900'])
        s.check('vm', f'tcp.flags == 0x012 && ip.src == {w.vm.ip} && ip.dst == {seen}', '>= 4')
        return
    if how == 'closed':
        s.at(start, client, traffic.connect, w.host.ip, port, 2, 5, 0.9)
        s.check('vm', f'tcp.flags.reset == 1 && ip.src == {w.vm.ip} && tcp.srcport == {inside}', '>= 4')
        s.fault('tcp-rst-closed-port', 'guest', 'to-guest')
        s.expect(absent=['nat-portforward-missing', 'tcp-rst-middlebox'])
    elif how == 'silent':
        w.drop(w.vm, 'input', f'tcp dport {inside}')
        s.at(start, client, traffic.connect, w.host.ip, port, 5.5, 2)
        s.check('vm', inner, '>= 4')
        s.audited = False
        s.fault('tcp-syn-unanswered', 'guest', 'to-guest')
    elif how == 'stale':
        s.at(start, client, traffic.connect, w.host.ip, port, 3.6, 2)
        s.fault('nat-portforward-missing', 'host', 'to-guest', f'{client.ip} > {w.host.ip}:{port}/tcp')
    elif how == 'dropped':
        w.drop(w.host, 'forward', f'ip daddr {w.vm.ip} tcp dport {inside}')
        s.at(start, client, traffic.connect, w.host.ip, port, 5.5, 2)
        s.check('vm', inner, '== 0')
        s.fault('nat-portforward-missing', 'host', 'to-guest', f'{client.ip} > {w.host.ip}:{port}/tcp')
    elif how == 'one':
        other = w.s1 if client is w.s2 else w.s2
        w.drop(w.host, 'forward', f'ip saddr {client.ip} ip daddr {w.vm.ip} tcp dport {inside}')
        s.at(start, client, traffic.connect, w.host.ip, port, 5.5, 2)
        for number in range(4):
            s.at(start + number * 1.4, other, traffic.http_client, w.host.ip, port, ['/', '/b/900'])
        s.check('vm', inner, '== 0')
        s.check('vm', f'tcp.flags == 0x012 && ip.src == {w.vm.ip} && ip.dst == {other.ip}', '>= 3')
        s.expect(absent=['nat-portforward-missing'])
        s.fault('tcp-syn-unanswered', 'host', 'to-guest', f'{client.ip} > {w.host.ip}:{port}/tcp')
    if s.point != 'port':
        s.check('host', outer, '>= 3')


add('tcp-syn-unanswered-forward-one', "A port of the host leads to the guest, and the host's forward filter drops what comes from "
    'one of two clients.', forward, 'one', False, mode='nat')
add('nat-forward-healthy',
    "A port of the host leads to the guest, and the clients' addresses are translated, too.", forward, 'works',
    mode='nat')
add('tcp-rst-closed-port-forward',
    "A port of the host leads to a port of the guest where nothing listens; the clients' addresses "
    'are translated, too.', forward, 'closed', mode='nat')
add('tcp-rst-closed-port-forward-two-points', 'A port of the host leads to a port of the guest where nothing listens.', forward,
    'closed', False, mode='nat', point='port+uplink')
add('tcp-syn-unanswered-forward',
    "A port of the host leads to a port that the guest's firewall drops; the clients' addresses are "
    'translated, too.', forward, 'silent', mode='nat')
add('nat-portforward-missing-stale', 'A port of the host leads to an address that no guest has.', forward, 'stale', False,
    mode='nat')
add('nat-portforward-missing-filtered', "A port of the host leads to the guest, and the host's forward filter drops what comes.",
    forward, 'dropped', False, mode='nat', point='port+uplink')


# Ports and ids that move

def ranges(s, how='works', random=False):
    """The NAT gives ports and ids of a range."""
    w, start = s.w, s.when()
    w.host.ns.nft('delete table ip nat')
    w.host.ns.nft(f'''table ip nat {{ chain post {{ type nat hook postrouting priority 100; ip saddr {w.vm_net}
        ip daddr != {w.vm_net} ip protocol {{ icmp, tcp, udp }} masquerade to :60000-60100 {'random' if random else ''}
        }}
        }}''')
    s.at(start, w.vm, traffic.ping, TARGET, 8, 0.6)
    moved = s.at_point(1, f'ip.src == {w.host.ip} && ip.dst == {TARGET}')
    s.check('host', f'{moved} && icmp.type == 8 && icmp.ident >= 60000 && icmp.ident <= 60100', '>= 6')
    s.check('host', s.at_point(1, 'tcp.srcport >= 60000 && tcp.srcport <= 60100'), '>= 10')
    if how == 'works':
        return
    s.avoid(TARGET)
    s.fails(('icmp', TARGET), ('tcp', TARGET))
    s.at(start + 0.3, w.vm, traffic.connect, TARGET, 80, 5.5)
    s.check('vm', f'ip.src == {TARGET}', '== 0')
    if how == 'silent':
        w.drop(w.net, 'input', f'ip daddr {TARGET}')
        s.fault('nat-no-answer', 'beyond-host', 'from-guest')
    else:
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {TARGET} ip daddr {w.vm.ip}')
        s.at(start + 1, w.guests[0], traffic.http_client, TARGET, 80, ['/'])
        s.fault('nat-return-dropped', 'nat', 'to-guest')


add('nat-ports-moved-healthy', "The host's NAT gives each flow another port, and each ping another id.", ranges, mode='nat')
add('nat-no-answer-ports-moved', "The guest's requests leave the host with other ports and ids; the server drops them.", ranges,
    'silent', True, mode='nat')
add('nat-return-dropped-ports-moved',
    'The answers come back to the other ports and ids that the NAT gave; the host drops them for '
    'this guest.', ranges, 'dropped', mode='nat')


def same_ids(s, how='works'):
    """Siblings and the guest ping one address with one id, from one port: the NAT moves what comes second."""
    w, ident = s.w, s.rng.randint(100, 60000)
    for number, machine in enumerate([w.guests[0], w.guests[1], w.vm]):
        s.at(2 + 0.2 * number, machine, traffic.ping, TARGET, 8, 0.6, 56, 1, ('-e', str(ident)))
        s.at(2.3 + 0.2 * number, machine, traffic.http_client, TARGET, 80, ['/', '/b/900', '/'], '', ('0.0.0.0', 40123), 0.8)
        s.at(5 + 0.2 * number, machine, udp_session, TARGET, 4500, 4, 40124)
    traffic.in_thread(w.net.ns, traffic.udp_server, TARGET, 4500)
    s.check('vm', echo(8, w.vm.ip, TARGET) + f' && icmp.ident == {ident}', '>= 6')
    if s.point in ('uplink', 'port+uplink'):
        s.check('host', s.at_point(1, f'icmp.type == 8 && ip.dst == {TARGET} && icmp.ident == {ident}'), '<= 9')
    s.avoid(TARGET)
    if how == 'works':
        return
    victim = w.vm if how == 'ours' else w.guests[1]
    w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {TARGET} ip daddr {victim.ip}')
    s.check('host', f'ip.src == {TARGET} && icmp.type == 0', '>= 18')
    if how == 'ours':
        s.fails(('icmp', TARGET), ('tcp', TARGET))
        s.check('vm', f'ip.src == {TARGET}', '== 0')
        s.fault('nat-return-dropped', 'nat', 'to-guest')


def udp_session(address, port, count, source):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(('0.0.0.0', source))
        sock.settimeout(1)
        for number in range(count):
            sock.sendto(b'question %4d' % number * 3, (address, port))
            try:
                sock.recv(2000)
            except OSError:
                pass
            time.sleep(0.4)


add('nat-same-ids-healthy', 'Three guests behind one address ping one server with one id, and connect from one port.', same_ids,
    mode='nat')
add('nat-return-dropped-same-ids',
    'Three guests behind one address use the same ids and ports; the answers to this one are dropped.',
    same_ids, 'ours', mode='nat')
add('nat-sibling-same-ids-healthy', 'Three guests behind one address use the same ids and ports; the answers to another one are '
    'dropped.', same_ids, 'theirs', mode='nat')


# Siblings

def siblings(s, whose, what):
    """All guests behind the host's address do the same, and one of them fails."""
    w, start = s.w, s.when()
    victim = w.vm if whose == 'ours' else w.guests[0]
    s.avoid(TARGET)
    s.fails(*[(kind, TARGET) for kind in ('icmp', 'tcp') if whose == 'ours'])
    traffic.in_thread(w.net.ns, traffic.udp_server, TARGET, 123)
    for machine in (w.vm, *w.guests):
        s.at(start + s.rng.uniform(0, 0.4), machine, traffic.ping, TARGET, 7, 0.7)
        s.at(start + s.rng.uniform(0, 0.4), machine, traffic.connect, TARGET, 80, 5.5)
        s.at(start + s.rng.uniform(0, 0.4), machine, traffic.udp_client, TARGET, 123, 4, 0.5)
    rule, direction = 'tcp-syn-unanswered', 'from-guest'
    if what == 'back':
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {TARGET} ip daddr {victim.ip}')
        rule, direction = 'nat-return-dropped', 'to-guest'
    elif what == 'out':
        w.drop(w.host, 'forward', f'iifname {w.bridge_name} ip saddr {victim.ip} ip daddr {TARGET} meta l4proto tcp')
    elif what == 'snat':
        w.masquerade(f'ip saddr {w.vm_net} ip saddr != {victim.ip}')
        if whose == 'ours':
            s.avoid(*w.internet, w.s1.ip, w.s2.ip)
        rule = 'nat-snat-missing'
    else:
        w.host.ns.nft(f'table ip raw {{ chain pre {{ type filter hook prerouting priority -300; iifname {w.bridge_name} '
                      f'ip saddr {victim.ip} ip daddr {TARGET} tcp dport 80 tcp flags syn drop\n}}\n}}')
    s.check('vm', f'ip.src == {TARGET} && tcp.srcport == 80 && ip.dst == {w.vm.ip}', '== 0' if whose == 'ours' else '>= 1')
    s.check('host', f'ip.dst == {TARGET} && tcp.dstport == 80 && tcp.flags.syn == 1', '>= 2')
    if whose == 'ours':
        s.fault(rule, 'nat', direction)


add('nat-return-dropped-one-guest', 'The answers to one of three guests behind one address are dropped.',
    siblings, 'ours', 'back',
    mode='nat')
add('tcp-syn-unanswered-nat-one-guest',
    'The connections of one of three guests behind one address are dropped before translation.',
    siblings, 'ours', 'raw', mode='nat')
add('nat-snat-missing-one-guest-sll1',
    'One of three guests leaves the host untranslated; the host captured on all interfaces in the older '
    'cooked format.', siblings, 'ours', 'snat', mode='nat', point='sll1')
add('nat-sibling-dropped-healthy', 'The answers to another of three guests behind one address are dropped.', siblings, 'theirs',
    'back', mode='nat', point='any')
add('nat-sibling-untranslated-healthy', 'Another guest leaves the host untranslated, and gets no answer.', siblings, 'theirs',
    'snat', mode='nat')


# A second NAT

def twice(s, how='works'):
    """The router translates again, all that goes to the internet."""
    w, start = s.w, s.when()
    w.router.ns.nft(f'''table ip nat {{ chain post {{ type nat hook postrouting priority 100;
        oifname wan masquerade {'random' if how == 'works' else ''}
        }}
        }}''')
    w.net.ns.ip(f'route del {w.lan}')
    if how == 'works':
        s.check('vm', f'tcp.flags == 0x012 && ip.src == 203.0.113.0/24 && ip.dst == {w.vm.ip}', '>= 1')
        return
    s.avoid(TARGET)
    s.fails(('icmp', TARGET), ('tcp', TARGET))
    s.at(start, w.vm, traffic.ping, TARGET, 8, 0.6)
    s.at(start + 0.3, w.vm, traffic.connect, TARGET, 80, 5.5, 3, 0.5)
    s.check('host', f'icmp.type == 8 && ip.dst == {TARGET}', '>= 6')
    if how == 'refused':
        w.drop(w.net, 'input', f'ip daddr {TARGET}', 'reject with icmp type admin-prohibited')
        s.check('vm', f'icmp.type == 3 && icmp.code == 13 && ip.src == {TARGET}', '>= 4')
        s.fault('icmp-admin-prohibited', 'beyond-host', 'from-guest')
        return
    if how == 'silent':
        w.drop(w.net, 'input', f'ip daddr {TARGET}')
    else:
        w.drop(w.router, 'forward', f'iifname wan ip saddr {TARGET} ip daddr {w.host.ip}')
    s.check('host', f'ip.src == {TARGET}', '== 0')
    s.fault('nat-no-answer', 'beyond-host', 'from-guest')


add('nat-twice-healthy', 'The router translates again what the host has translated.', twice, mode='nat')
add('bridged-behind-nat-healthy', "The router translates a bridged guest's address.", twice, mode='bridged')
add('nat-no-answer-twice', 'The router translates again what the host has translated; the server drops it.', twice, 'silent',
    mode='nat')
add('icmp-admin-prohibited-twice', 'A server refuses what host and router have translated; both translate the ICMP errors back.',
    twice, 'refused', mode='nat')


def pool(s, how='works'):
    """The host has several addresses outside, and translates to one or the other."""
    w, start = s.w, s.when()
    number = s.rng.choice([n for n in range(60, 240) if not any(m.ip.endswith(f'.{k}') for k in (n, n + 1)
                                                                 for m in (w.s1, w.s2, w.host, w.router))])
    first, last = f'{w.lan_prefix}.{number}', f'{w.lan_prefix}.{number + 1}'
    w.host.ns.ip(*[f'addr add {ip}/24 dev {w.uplink_name}' for ip in (first, last)])
    w.host.ns.nft(f'''delete table ip nat
        table ip nat {{ chain pre {{ type nat hook prerouting priority -100; }}
        chain post {{ type nat hook postrouting priority 100;
        ip saddr {w.vm_net} ip daddr != {w.vm_net} snat to {first}-{last} random
        }}
        }}''')
    for number in range(6):
        s.at(start + 0.5 * number, w.vm, traffic.http_client, w.s1.ip, 80, ['/', '/b/900'])
    s.check('host', s.at_point(1, f'ip.src == {first} && tcp.flags.syn == 1 || ip.src == {last} && tcp.flags.syn == 1'), '>= 4')
    if how == 'works':
        return
    s.avoid(TARGET)
    s.fails(('icmp', TARGET), ('tcp', TARGET))
    s.at(start, w.vm, traffic.ping, TARGET, 8, 0.6)
    s.at(start + 0.3, w.vm, traffic.connect, TARGET, 80, 4, 2)
    s.check('vm', f'ip.src == {TARGET}', '== 0')
    if how == 'silent':
        w.drop(w.net, 'input', f'ip daddr {TARGET}')
        s.fault('nat-no-answer', 'beyond-host', 'from-guest')
    else:
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {TARGET} ip daddr {w.vm.ip}')
        s.fault('nat-return-dropped', 'nat', 'to-guest')


add('nat-pool-healthy', 'The host translates to several addresses of its own.', pool, mode='nat')
add('nat-return-dropped-pool', 'The host translates to several addresses of its own, and drops the answers of one server.', pool,
    'back', mode='nat')


def redirect(s, how='works'):
    """The host sends what the guest asks one address on to another, and translates the guest's address."""
    w, start, asked = s.w, s.when(), '198.51.100.99'
    translate(w, f'''iifname {w.bridge_name} ip daddr {asked} udp dport 53 dnat to {w.s1.ip}
        iifname {w.bridge_name} ip daddr {asked} tcp dport 80 dnat to {w.s1.ip}''', 'pre')
    for number in range(5):
        s.at(start + number, w.vm, traffic.dns_client, asked, ['www.example.com'], 2, 1.6)
        s.at(start + 0.9 * number, w.vm, traffic.http_client, asked, 80, ['/', '/b/900'], '', None, 0.1, 4)
    s.check('host', s.at_point(1, f'udp.dstport == 53 && ip.src == {w.host.ip} && ip.dst == {w.s1.ip}'), '>= 4')
    if how == 'silent':
        s.avoid(w.s1.ip)
        w.drop(w.s1, 'input', f'ip saddr {w.host.ip}')
        s.fails(('dns', asked), ('tcp', asked))
        s.fault('nat-no-answer', 'beyond-host', 'from-guest')
    elif how == 'back':
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {w.s1.ip} ip daddr {w.vm.ip}')
        s.avoid(w.s1.ip)
        s.fails(('dns', asked), ('tcp', asked))
        s.fault('nat-return-dropped', 'nat', 'to-guest')
    elif how == 'closed':
        s.fails(('dns', asked), ('tcp', asked))
        w.drop(w.s1, 'input', f'ip saddr {w.host.ip} tcp dport 80', 'reject with tcp reset')
        s.avoid(w.s1.ip)
        s.fault('tcp-rst-closed-port', 'beyond-host', 'from-guest')


add('nat-redirect-healthy', 'The host sends what the guest asks one resolver and server on to others.', redirect, mode='nat')
add('nat-no-answer-redirected', 'The host sends what the guest asks one resolver and server on to others, who drop it.', redirect,
    'silent', mode='nat')
add('tcp-rst-closed-port-redirected', 'The host sends what the guest asks one server on to another, where nothing listens.',
    redirect,
    'closed', mode='nat')


def closed_gate(s):
    """The host forwards nothing: its policy is to drop."""
    w, start = s.w, s.when()
    w.drop(w.host, 'forward', 'meta nfproto ipv4')
    s.avoid(*w.internet, w.s1.ip, w.s2.ip)
    s.fails(('icmp', '203.0.113.80'), ('tcp', '203.0.113.81'), ('tcp', w.s1.ip))
    s.at(start, w.vm, traffic.ping, '203.0.113.80', 8, 0.6)
    s.at(start + 0.5, w.vm, traffic.connect, '203.0.113.81', 443, 5.5)
    s.at(start + 0.5, w.vm, traffic.connect, w.s1.ip, 80, 5.5)
    s.check('host', s.at_point(1, 'icmp.type == 8 && ip.dst == 203.0.113.80 && ip.ttl == 63'), '== 0')
    s.expect(mode=None)
    s.fault('nat-hostonly-isolated', 'host', 'from-guest')


add('nat-hostonly-policy',
    "The host has a network for its guests, and its policy is to forward nothing: nothing of the guest is at the "
    'uplink.', closed_gate, mode='nat', point='port+uplink')


add('nat-no-answer-twice-sll1',
    "The guest's translated requests stay unanswered; the host captured on all interfaces in the older "
    'cooked format, which names none.', twice, 'silent', mode='nat', point='sll1')


# ICMP errors

PROHIBITED = 'reject with icmp type admin-prohibited'


def errors(s, kind, victim='ours'):
    """What a machine beyond the NAT, or the host, refuses with an ICMP error."""
    w, start, target = s.w, s.when(), TARGET
    machine = w.vm if victim == 'ours' else w.guests[0]
    code, rule = {'absent': (1, 'icmp-unreachable'), 'lan': (1, 'icmp-unreachable'), 'dns': (3, 'dns-no-answer'),
                  'prohibited': (13, 'icmp-admin-prohibited'), 'target': (13, 'icmp-admin-prohibited'),
                  }.get(kind, (3, 'icmp-unreachable'))
    if kind == 'absent':
        target = '203.0.113.199'
    elif kind == 'lan':
        target = w.lan_ip()
    elif kind == 'reject':
        w.drop(w.net, 'input', f'ip daddr {target} tcp dport 443', 'reject')
    elif kind == 'prohibited':
        w.drop(w.router, 'forward', f'ip daddr {target}', PROHIBITED)
    elif kind == 'target':
        w.drop(w.net, 'input', f'ip daddr {target}', PROHIBITED)
    elif kind == 'host':
        w.drop(w.host, 'forward', f'iifname {w.bridge_name} ip saddr {machine.ip} ip daddr {target}', 'reject')
    s.avoid(target)
    s.fails(('icmp', target), ('tcp', target), ('dns', target))
    if kind == 'port':
        s.at(start, machine, traffic.udp_client, target, 5060, 6, 0.9)
    elif kind != 'dns':
        s.at(start, machine, traffic.connect, target, 443, 5, 3, 1)
    if kind not in ('port', 'dns', 'reject'):
        s.at(start + 0.2, machine, traffic.ping, target, 8, 0.8)
    if kind in ('dns', 'absent', 'prohibited'):
        for number in range(3):
            s.at(start + 0.3 + number, machine, traffic.dns_client, target, ['www.example.com'], 2, 1.6)
    s.check('vm', f'icmp.type == 3 && icmp.code == {code} && ip.dst == {w.vm.ip}', '>= 2' if victim == 'ours' else '== 0')
    if kind not in ('lan', 'host') or victim == 'ours' and '+' in s.point:
        s.check('host', f'icmp.type == 3 && icmp.code == {code}', '>= 2')
    if victim == 'ours':
        s.fault(rule, 'host' if kind in ('lan', 'host') else 'beyond-host', 'from-guest')


add('icmp-unreachable-nat-port', 'Nothing listens on a UDP port of a server; the host translates the ICMP errors back.', errors,
    'port', mode='nat', point='port+uplink')
add('icmp-unreachable-nat-reject', "A server's firewall rejects connections with ICMP port unreachable.", errors, 'reject',
    mode='nat')
add('icmp-unreachable-nat-absent', 'The router finds nobody at the address that a NAT guest asks, and says so.', errors, 'absent',
    mode='nat')
add('icmp-unreachable-nat-lan', 'The host finds nobody at the address in its LAN that its NAT guest asks, and says so.', errors,
    'lan', mode='nat')
add('icmp-unreachable-nat-host',
    'The host rejects pings and connections of its NAT guest to one server with ICMP port unreachable.',
    errors, 'host', mode='nat', point='port+uplink')
add('icmp-admin-prohibited-nat',
    "The router refuses one target to a NAT guest; the host translates the ICMP errors back.", errors,
    'prohibited', mode='nat')
add('dns-no-answer-nat-closed', 'The address that a NAT guest asks for names has no resolver, and says so.',
    errors, 'dns', mode='nat')
for _kind in ('port', 'absent', 'host'):
    add(f'nat-sibling-refused-{_kind}-healthy', 'ICMP errors about what another guest behind the same address wanted.',
        errors, _kind,
        'theirs', mode='nat', point='any')


def uploads(address, port, size, times=3):
    for _ in range(times):
        try:
            with socket.create_connection((address, port), 3) as sock:
                sock.sendall(b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' % size + b'x' * size)
                sock.recv(4096)
        except OSError:
            pass
        time.sleep(0.5)


def sink(address, port):
    def handle(sock):
        got = 0
        while got < 30000:
            piece = sock.recv(65536)
            if not piece:
                return
            got += len(piece)
        sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    traffic.listen(address, port, handle)


def narrow(s):
    """The router's way out is narrower: it says so, and the guest sends smaller packets."""
    w = s.w
    w.router.ns.ip('link set wan mtu 1400')
    traffic.in_thread(w.net.ns, sink, TARGET, 8088)
    s.at(s.when(), w.vm, uploads, TARGET, 8088, 30000)
    s.check('vm', 'icmp.type == 3 && icmp.code == 4', '>= 1')
    s.check('vm', f'tcp.srcport == 8088 && http.response.code == 200', '>= 2')


add('nat-narrow-healthy', 'The way is narrower beyond the router: it says so, the host translates that back, and the guest sends '
    'smaller packets.', narrow, mode='nat')
add('bridged-narrow-healthy', 'The way is narrower beyond the router: it says so, and the guest sends smaller packets.', narrow)


# UDP

def one_way(address, port, count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(count):
            sock.sendto(b'lab.requests:1|c', (address, port))
            time.sleep(0.2)


def udp_service(s, how):
    """Questions and answers by UDP, of the guest, or to it through a port of the host."""
    w, port, start = s.w, s.rng.choice([5004, 4500, 1194, 51820, 3478]), s.when(1.5, 2.5)
    traffic.in_thread(w.net.ns, traffic.udp_server, TARGET, port)
    traffic.in_thread(w.vm.ns, traffic.udp_server, w.vm.ip, port)
    if how.startswith('in'):
        inner = 5999 if how == 'in-closed' else port
        translate(w, f'ip daddr {w.host.ip} udp dport {port} dnat to {w.vm.ip}:{inner}', 'pre')
        if how == 'in-both':
            translate(w, f'oifname {w.bridge_name} ip daddr {w.vm.ip} udp dport {inner} masquerade')
        s.at(start, w.s1, udp_session, w.host.ip, port, 10, 40333)
        s.at(start + 1, w.s2, traffic.udp_client, w.host.ip, port, 6, 0.3)
        s.check('vm', f'udp.dstport == {inner} && ip.dst == {w.vm.ip} && !icmp', '>= 5')
        s.check('vm', f'udp.srcport == {inner} && ip.src == {w.vm.ip} && !icmp', '== 0' if how == 'in-closed' else '>= 5')
        if how == 'in-closed':
            s.fault('icmp-unreachable', 'guest', 'to-guest')
        return
    if how == 'one-way':
        w.drop(w.net, 'input', 'udp dport {514, 8125}')
        s.at(start, w.vm, traffic.udp_client, '203.0.113.80', 514, 10, 0.5, 200, 0.01)
        s.at(start, w.vm, one_way, TARGET, 8125, 30)
        s.check('host', f'udp.dstport == 8125 && ip.src == {w.host.ip}', '>= 20')
        s.expect(absent=['nat-no-answer', 'nat-return-dropped'])
        return
    s.at(start, w.vm, udp_session, TARGET, port, 10, 40333)
    s.at(start + 1, w.vm, traffic.udp_client, TARGET, port, 6, 0.3)
    s.at(start + 1.5, w.guests[0], traffic.udp_client, TARGET, port, 6, 0.3)
    s.check('host', s.at_point(1, f'udp.srcport == {port} && ip.src == {TARGET} && !icmp'), '>= 10')
    s.check('vm', f'udp.srcport == {port} && ip.src == {TARGET}', '>= 10' if how == 'out' else '== 0')
    if how == 'dropped':
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {TARGET} udp sport {port} ip daddr {w.vm.ip}')
        s.fault('nat-return-dropped', 'nat', 'to-guest')
    elif how == 'untracked':
        w.host.ns.nft(f'table ip raw {{ chain pre {{ type filter hook prerouting priority -300; iifname {w.uplink_name} '
                      f'ip saddr {TARGET} udp sport {port} notrack\n}}\n}}')
        s.fault('nat-return-dropped', 'nat', 'to-guest')


add('nat-udp-healthy', 'The guest asks a UDP service on the internet.', udp_service, 'out', mode='nat')
add('nat-udp-forward-healthy',
    "LAN clients ask a UDP service of the guest through a port of the host; their addresses are translated, "
    'too.', udp_service, 'in-both', mode='nat')
add('icmp-unreachable-udp-forward', 'A UDP port of the host leads to a port of the guest where nothing listens.', udp_service,
    'in-closed', mode='nat')
add('nat-return-dropped-udp', 'The answers of a UDP service reach the uplink, and the host drops them.', udp_service, 'dropped',
    mode='nat')
add('nat-return-dropped-udp-untracked', 'The host refuses the answers of a UDP service: it does not know whose they are.',
    udp_service, 'untracked', mode='nat', point='port+uplink')
add('nat-udp-one-way-healthy', 'The guest sends logs and counters by UDP, which nobody answers.',
    udp_service, 'one-way', mode='nat')


# State that is lost

def flushed(s):
    """The host's connection table is emptied while connections go on; it takes them up again."""
    w = s.w
    for number in range(4):
        s.at(2.5 + 1.9 * number, w.host, w.host.ns.run, 'conntrack', '-F', may_fail=True)
    for number in range(3):
        s.at(1 + 0.3 * number, w.vm, traffic.ssh_client, w.s1.ip, 22, 25, 0.3)
    s.audited = False


add('nat-flushed-healthy', "The host's connection table is emptied now and then; connections go on.", flushed, mode='nat')


def policy(s, how='both'):
    """The host's filter for what it forwards sees bridged frames, too, and its policy is to drop."""
    w = s.w
    w.host.ns.sysctl(bridge__bridge_nf_call_iptables=1)
    state = '' if how == 'both' else 'ct state established,related accept'
    allowed = {'both': '', 'in': f'ct state new ip saddr {w.vm.ip} accept', 'out': f'ct state new ip daddr {w.vm.ip} accept'}[how]
    w.host.ns.nft(f'''table ip lab {{ chain forward {{ type filter hook forward priority 0; policy drop;
        {state}
        {allowed}
        }}
        }}''')
    s.audited = False
    if how != 'in':
        s.check('vm', f'tcp.flags == 0x012 && ip.dst == {w.vm.ip}', '== 0')
    if how != 'out':
        s.check('vm', f'tcp.flags == 0x002 && ip.dst == {w.vm.ip}', '== 0')
    s.expect(absent=['arp-lost-vswitch', 'gw-arp-unanswered', 'gw-wrong-gateway', 'tcp-synack-lost', 'icmp-guest-silent'])
    s.expected['verdict'] = 'fault'
    del s.expected['diagnoses']


for _how, _what in [('both', 'all of them'), ('in', 'what comes for the guest'), ('out', 'what the guest begins')]:
    for _point in ('uplink', 'port+uplink'):
        add(f'bridge-policy-{_how}-{_point.replace("port+uplink", "two-points")}',
            'The filter for what the host forwards sees bridged '
            f'frames, too, and drops {_what}.', policy, _how, point=_point)


def tcp_alone(s):
    """The host translates TCP and lets all else leave as it is."""
    w = s.w
    w.masquerade(f'ip saddr {w.vm_net} ip daddr != {w.vm_net} ip protocol tcp')
    s.pinged = []
    start = s.when()
    for number, target in enumerate([w.s1.ip, w.s2.ip]):
        s.fails(('icmp', target))
        s.at(start + 0.2 * number, w.vm, traffic.ping, target, 20, 0.25)
        s.check('host', echo(8, w.vm.ip, target), '>= 12')
        s.check('vm', echo(0, target, w.vm.ip), '== 0')
    s.check('host', f'tcp.flags == 0x012 && ip.dst == {w.host.ip}', '>= 2')
    s.check('vm', f'tcp.flags == 0x012 && ip.src in {{{", ".join([w.s1.ip, w.s2.ip, *w.internet])}}}', '>= 2')
    s.expect(absent=['icmp-lost-beyond'])
    s.fault('nat-snat-missing', 'nat', 'from-guest')


add('nat-snat-missing-but-tcp', "The host's masquerade rule is for TCP only: the guest's pings leave with their private source.",
    tcp_alone, mode='nat')
