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
    if s.point != 'port':
        s.check('host', outer, '>= 3')


for _how, _what in [('works', 'healthy'), ('closed', 'closed'), ('silent', 'silent'), ('stale', 'stale'), ('dropped', 'dropped')]:
    for _source in (True, False):
        for _point in ('uplink', 'port+uplink', 'any', 'port'):
            if _how in ('stale', 'dropped') and (_point == 'port' or _source):
                continue
            add(f'nat-forward-{_how}-{"both" if _source else "one"}-{_point.replace("port+uplink", "two-points")}',
                'forward', forward, _how, _source, mode='nat', point=_point)


# Ports and ids that move

def ranges(s, how='works', random=False):
    w = s.w
    w.host.ns.nft('delete table ip nat')
    w.host.ns.nft(f'''table ip nat {{ chain pre {{ type nat hook prerouting priority -100; }}
        chain post {{ type nat hook postrouting priority 100;
        ip saddr {w.vm_net} ip daddr != {w.vm_net} ip protocol {{ icmp, tcp, udp }} masquerade to :60000-60100 {'random' if random else ''}
        }}
        }}''')
    start = s.when()
    if how == 'works':
        s.at(start, w.vm, traffic.ping, TARGET, 4, 0.5)
        s.check('host', s.at_point(1, f'icmp.type == 8 && ip.src == {w.host.ip}'), '>= 4')
        return
    s.avoid(TARGET)
    s.fails(('icmp', TARGET), ('tcp', TARGET), ('dns', TARGET))
    s.at(start, w.vm, traffic.ping, TARGET, 8, 0.6)
    s.at(start + 0.3, w.vm, traffic.connect, TARGET, 80, 5.5)
    if how == 'silent':
        w.drop(w.net, 'input', f'ip daddr {TARGET}')
        s.fault('nat-no-answer', 'beyond-host', 'from-guest')
    else:
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {TARGET} ip daddr {w.vm.ip}')
        s.at(start + 1, w.guests[0], traffic.http_client, TARGET, 80, ['/'])
        s.fault('nat-return-dropped', 'nat', 'to-guest')


for _how in ('works', 'silent', 'dropped'):
    for _random in (False, True):
        for _point in ('uplink', 'port+uplink', 'any'):
            add(f'nat-range-{_how}-{"random" if _random else "first"}-{_point.replace("port+uplink", "two-points")}', 'range', ranges, _how, _random, mode='nat', point=_point)


def same_ids(s, how='works'):
    """Siblings and the guest ping one address with one id, from one port: the NAT moves what comes second."""
    w = s.w
    ident = s.rng.randint(100, 60000)
    for number, machine in enumerate([w.guests[0], w.guests[1], w.vm]):
        s.at(2 + 0.2 * number, machine, traffic.ping, TARGET, 8, 0.6, 56, 1, ('-e', str(ident)))
        s.at(2.3 + 0.2 * number, machine, traffic.http_client, TARGET, 80, ['/', '/b/900', '/'], '', ('0.0.0.0', 40123), 0.8)
        s.at(5 + 0.2 * number, machine, udp_session, TARGET, 4500, 4, 40124)
    traffic.in_thread(w.net.ns, traffic.udp_server, TARGET, 4500)
    if how != 'works':
        s.avoid(TARGET)
        s.fails(('icmp', TARGET), ('tcp', TARGET))
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {TARGET} ip daddr {w.vm.ip if how == "ours" else w.guests[1].ip}')
    if how == 'ours':
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


for _how in ('works', 'ours', 'theirs'):
    for _point in ('uplink', 'port+uplink', 'any'):
        add(f'nat-same-ids-{_how}-{_point.replace("port+uplink", "two-points")}', 'ids', same_ids, _how, mode='nat', point=_point)


# Siblings

def siblings(s, whose, what):
    """One of the guests behind the host's address fails, all do the same."""
    w = s.w
    victim = w.vm if whose == 'ours' else w.guests[0]
    s.avoid(TARGET)
    s.audited = False
    start = s.when()
    for machine in (w.vm, *w.guests):
        s.at(start + s.rng.uniform(0, 0.4), machine, traffic.ping, TARGET, 7, 0.7)
        s.at(start + s.rng.uniform(0, 0.4), machine, traffic.connect, TARGET, 80, 5.5)
        s.at(start + s.rng.uniform(0, 0.4), machine, traffic.udp_client, TARGET, 123, 4, 0.5)
    traffic.in_thread(w.net.ns, traffic.udp_server, TARGET, 123)
    if what == 'back':
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {TARGET} ip daddr {victim.ip}')
        s.fault('nat-return-dropped', 'nat', 'to-guest')
    elif what == 'out':
        w.drop(w.host, 'forward', f'iifname {w.bridge_name} ip saddr {victim.ip} ip daddr {TARGET} meta l4proto tcp')
        s.fault('tcp-syn-unanswered', 'nat', 'from-guest')
    elif what == 'snat':
        w.masquerade(f'ip saddr {w.vm_net} ip saddr != {victim.ip}')
        s.avoid(*w.internet, w.s1.ip, w.s2.ip)
        s.fault('nat-snat-missing', 'nat', 'from-guest')
    else:
        w.host.ns.nft(f'table ip raw {{ chain pre {{ type filter hook prerouting priority -300; iifname {w.bridge_name} '
                      f'ip saddr {victim.ip} ip daddr {TARGET} tcp dport 80 tcp flags syn drop\n}}\n}}')
        s.fault('tcp-syn-unanswered', 'nat', 'from-guest')
    if whose != 'ours':
        s.expected['verdict'], s.expected['diagnoses'] = 'healthy', []


for _whose in ('ours', 'theirs'):
    for _what in ('back', 'out', 'snat', 'raw'):
        for _point in ('uplink', 'port+uplink', 'any', 'port'):
            if _whose == 'ours' and _point == 'port':
                continue
            add(f'nat-siblings-{_whose}-{_what}-{_point.replace("port+uplink", "two-points")}', 'siblings', siblings, _whose,
                _what, mode='nat', point=_point)


# A second NAT

def twice(s, how, moved=False):
    """The router translates again, all that goes to the internet."""
    w = s.w
    w.router.ns.nft(f'''table ip nat {{ chain post {{ type nat hook postrouting priority 100; oifname wan masquerade {'random' if moved else ''}
        }}
        }}''')
    w.net.ns.ip(f'route del {w.lan}')
    start = s.when()
    if how == 'works':
        return
    s.avoid(TARGET)
    s.fails(('icmp', TARGET), ('tcp', TARGET))
    s.at(start, w.vm, traffic.ping, TARGET, 8, 0.6)
    s.at(start + 0.3, w.vm, traffic.connect, TARGET, 80, 5.5)
    if how == 'silent':
        w.drop(w.net, 'input', f'ip daddr {TARGET}')
    elif how == 'back':
        w.drop(w.router, 'forward', f'iifname wan ip saddr {TARGET} ip daddr {w.host.ip if s.mode == "nat" else w.vm.ip}')
    elif how == 'untranslated':
        w.router.ns.nft('delete table ip nat')
        s.avoid(*w.internet)
        if s.mode != 'nat':
            s.avoid(w.router.ip)
    elif how == 'refused':
        w.drop(w.net, 'input', f'ip daddr {TARGET}', 'reject with icmp type admin-prohibited')
        s.fault('icmp-admin-prohibited', 'beyond-host', 'from-guest')
        return
    if s.mode == 'nat':
        s.fault('nat-no-answer', 'beyond-host', 'from-guest')
    else:
        s.expected['verdict'] = 'fault'
        del s.expected['diagnoses']


for _how in ('works', 'silent', 'back', 'refused'):
    for _mode in ('nat', 'bridged'):
        add(f'nat-twice-{_how}-{_mode}', 'twice', twice, _how, _how == 'works', mode=_mode, point='uplink')


# ICMP errors

def errors(s, kind, victim='ours'):
    """What a machine beyond the NAT refuses with an ICMP error."""
    w = s.w
    machine = w.vm if victim == 'ours' else w.guests[0]
    start, place, target = s.when(), 'beyond-host', TARGET
    s.avoid(TARGET)
    s.fails(('icmp', TARGET), ('tcp', TARGET), ('dns', TARGET))
    s.audited = False
    rule = 'icmp-unreachable'
    if kind == 'port':
        s.at(start, machine, traffic.udp_client, TARGET, 5060, 6, 0.9)
        code = 3
    elif kind == 'reject':
        w.drop(w.net, 'input', f'ip daddr {TARGET} tcp dport 8443', 'reject')
        s.at(start, machine, traffic.connect, TARGET, 8443, 3, 3, 1)
        code = 3
    elif kind == 'absent':
        target, code = '203.0.113.199', 1
        s.at(start, machine, traffic.ping, target, 9, 0.7)
        s.at(start + 0.2, machine, traffic.connect, target, 443, 6)
    elif kind == 'lan':
        target, code = w.lan_ip(), 1
        s.at(start, machine, traffic.ping, target, 9, 0.7)
        s.at(start + 0.2, machine, traffic.connect, target, 443, 6)
        place = 'host'
    elif kind == 'prohibited':
        w.drop(w.router, 'forward', f'ip daddr {TARGET}', 'reject with icmp type admin-prohibited')
        s.at(start, machine, traffic.ping, target, 6, 0.9)
        s.at(start + 0.2, machine, traffic.connect, target, 443, 3, 3, 1)
        code, rule = 13, 'icmp-admin-prohibited'
    elif kind == 'target':
        w.drop(w.net, 'input', f'ip daddr {TARGET}', 'reject with icmp type admin-prohibited')
        s.at(start, machine, traffic.ping, target, 6, 0.9)
        s.at(start + 0.2, machine, traffic.connect, target, 443, 3, 3, 1)
        code, rule = 13, 'icmp-admin-prohibited'
    elif kind == 'host':
        w.drop(w.host, 'forward', f'iifname {w.bridge_name} ip saddr {machine.ip} ip daddr {TARGET}', 'reject')
        s.at(start, machine, traffic.ping, target, 6, 0.9)
        s.at(start + 0.2, machine, traffic.connect, target, 443, 3, 3, 1)
        code, place = 3, 'host'
    s.check('vm', f'icmp.type == 3 && icmp.code == {code}', '>= 2' if victim == 'ours' else '== 0')
    if victim == 'ours':
        s.fault(rule, place, 'from-guest')


for _kind in ('port', 'reject', 'absent', 'lan', 'prohibited', 'target', 'host'):
    for _point in ('uplink', 'port+uplink', 'any'):
        add(f'nat-errors-{_kind}-{_point.replace("port+uplink", "two-points")}', 'errors', errors, _kind, mode='nat', point=_point)
    add(f'nat-errors-{_kind}-others', 'errors', errors, _kind, 'theirs', mode='nat', point='any')


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
    for ns, device in [(w.vm.ns, 'eth0'), (w.host.ns, w.uplink_name)]:
        ns.run('ethtool', '-K', device, 'tso', 'off', 'gso', 'off', may_fail=True) if False else None
    traffic.in_thread(w.net.ns, sink, TARGET, 8088)
    s.at(s.when(), w.vm, uploads, TARGET, 8088, 30000)
    s.check('vm', 'icmp.type == 3 && icmp.code == 4', '>= 1')


for _mode, _point in [('nat', 'uplink'), ('nat', 'any'), ('bridged', 'uplink'), ('routed', 'port+uplink')]:
    add(f'narrow-healthy-{_mode}-{_point}', 'narrow', narrow, mode=_mode, point=_point)


# UDP

def udp_service(s, how):
    w, port, start = s.w, s.rng.choice([5004, 4500, 1194, 51820, 3478]), s.when(1.5, 2.5)
    traffic.in_thread(w.net.ns, traffic.udp_server, TARGET, port)
    traffic.in_thread(w.vm.ns, traffic.udp_server, w.vm.ip, port)
    if how in ('in', 'in-closed', 'in-both', 'in-dropped'):
        inner = 5999 if how == 'in-closed' else port
        translate(w, f'ip daddr {w.host.ip} udp dport {port} dnat to {w.vm.ip}:{inner}', 'pre')
        if how == 'in-both':
            translate(w, f'oifname {w.bridge_name} ip daddr {w.vm.ip} udp dport {inner} masquerade')
        if how == 'in-dropped':
            w.drop(w.vm, 'input', f'udp dport {inner}')
        s.at(start, w.s1, udp_session, w.host.ip, port, 10, 40333)
        s.at(start + 1, w.s2, traffic.udp_client, w.host.ip, port, 6, 0.3)
        s.check('vm', f'udp.dstport == {inner} && ip.dst == {w.vm.ip}', '>= 5')
        if how == 'in-closed':
            s.fault('icmp-unreachable', 'guest', 'to-guest')
        elif how == 'in-dropped':
            s.audited = False
            s.expected['verdict'] = 'fault'
            del s.expected['diagnoses']
        return
    if how == 'one-way':
        w.drop(w.net, 'input', f'udp dport {{514, 8125}}')
        s.at(start, w.vm, traffic.udp_client, '203.0.113.80', 514, 10, 0.5, 200, 0.01)
        s.at(start, w.vm, one_way, TARGET, 8125, 30)
        return
    s.at(start, w.vm, udp_session, TARGET, port, 10, 40333)
    s.at(start + 1, w.vm, traffic.udp_client, TARGET, port, 6, 0.3)
    s.at(start + 1.5, w.guests[0], traffic.udp_client, TARGET, port, 6, 0.3)
    if how == 'dropped':
        w.drop(w.host, 'forward', f'iifname {w.uplink_name} ip saddr {TARGET} udp sport {port} ip daddr {w.vm.ip}')
        s.fault('nat-return-dropped', 'nat', 'to-guest')
    elif how == 'untracked':
        w.host.ns.nft(f'table ip raw {{ chain pre {{ type filter hook prerouting priority -300; iifname {w.uplink_name} '
                      f'ip saddr {TARGET} udp sport {port} notrack\n}}\n}}')
        s.fault('nat-return-dropped', 'nat', 'to-guest')
    elif how == 'silent':
        w.drop(w.net, 'input', f'udp dport {port}')
        s.fault('nat-no-answer', 'beyond-host', 'from-guest')


def one_way(address, port, count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(count):
            sock.sendto(b'lab.requests:1|c', (address, port))
            time.sleep(0.2)


for _how in ('out', 'in', 'in-both', 'in-closed', 'in-dropped', 'dropped', 'untracked', 'silent', 'one-way'):
    for _point in ('uplink', 'port+uplink'):
        add(f'nat-udp-{_how}-{_point.replace("port+uplink", "two-points")}', 'udp', udp_service, _how, mode='nat', point=_point)


# State that is lost

def flushed(s):
    """The host's connection table is emptied while connections go on; it takes them up again."""
    w = s.w
    for number in range(4):
        s.at(2.5 + 1.9 * number, w.host, w.host.ns.run, 'conntrack', '-F', may_fail=True)
    for number in range(3):
        s.at(1 + 0.3 * number, w.vm, traffic.ssh_client, s.w.s1.ip, 22, 25, 0.3)
    s.audited = False


for _point in ('uplink', 'port+uplink', 'any'):
    add(f'nat-flushed-healthy-{_point}', 'flushed', flushed, mode='nat', point=_point)


def docker(s, how='both'):
    """The host's filter for what it forwards sees bridged frames, too, and its policy is to drop."""
    w = s.w
    w.host.ns.sysctl(bridge__bridge_nf_call_iptables=1)
    allowed = {'both': '', 'in': 'ct state new ip saddr ' + w.vm.ip + ' accept',
               'out': 'ct state new ip daddr ' + w.vm.ip + ' accept'}[how]
    state = '' if how == 'both' else 'ct state established,related accept'
    w.host.ns.nft(f'''table ip lab {{ chain forward {{ type filter hook forward priority 0; policy drop;
        {state}
        {allowed}
        }}
        }}''')
    s.audited = False
    s.expected['verdict'] = 'fault'
    del s.expected['diagnoses']


for _how in ('both', 'in', 'out'):
    for _point in ('uplink', 'port+uplink', 'port', 'any'):
        add(f'docker-{_how}-{_point}', 'docker', docker, _how, mode='bridged', point=_point)
