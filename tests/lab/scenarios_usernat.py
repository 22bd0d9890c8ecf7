"""User-mode NAT: the host opens the guest's connections anew.  Reverse proxies do the same the other way."""
import socket
import threading

import relays
import traffic
from scenario import add
from scenarios import echo, syn
from scenarios_noise import boot

OPENED = 'tcp.flags == 0x012'


def begin(s, forwards=(), ping=False):
    relays.start(s.w, forwards, ping)
    s.has_leases = True  # the NAT's own
    s.pinged = [s.w.s1.ip, s.w.s2.ip, '203.0.113.80'] if ping else []
    if s.w.engine == 'qemu':
        s.pinged.append(s.w.gateway)
    s.check('host', f'{OPENED} && ip.dst == {s.w.host.ip}', '>= 4')
    if s.w.vm.ip != s.w.host.ip:
        s.check('host', f'ip.addr == {s.w.vm.ip}', '== 0')


def send_dhcp(mac, message):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(('eth0', 0))
        sock.send(traffic.ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x800,
                                   traffic.udp('0.0.0.0', '255.255.255.255', 68, 67, message, 1, 64)))


def healthy(s, ping=False):
    """Names by the engine's resolver, an address by its DHCP server where it has one."""
    w = s.w
    begin(s, ping=ping)
    if w.engine == 'qemu':
        message = boot(1, 3, s.rng.getrandbits(32), w.vm.mac, '0.0.0.0', b'\x32\x04' + socket.inet_aton(w.vm.ip), 0x8000)
        for when in (s.rng.uniform(0.5, 1.5), s.rng.uniform(3, 5)):
            s.at(when, w.vm, send_dhcp, w.vm.mac, message)
        s.check('vm', 'dhcp.option.dhcp == 5', '>= 1')
        s.check('vm', echo(0, w.gateway, w.vm.ip), '>= 1')
    s.check('vm', f'dns.flags.response == 1 && ip.src == {w.dns}', '>= 2')
    s.check('host', f'dns.flags.response == 0 && ip.src == {w.host.ip} && ip.dst == {w.router.ip}', '>= 2')
    s.check('host', f'icmp.type == 8 && ip.src == {w.host.ip}', '>= 2' if ping else '== 0')


def no_ping(s):
    """Pings beyond the gateway: slirp says unreachable, passt nothing; TCP to the same servers works."""
    w, target = s.w, s.w.s1.ip
    begin(s)
    s.at(s.when(), w.vm, traffic.ping, target, 6, 0.8)
    s.at(s.when(), w.vm, traffic.http_client, target, 80, ['/', '/b/900'])
    s.fails(('icmp', target))
    s.check('vm', echo(8, w.vm.ip, target), '>= 5')
    s.check('vm', echo(0, target, w.vm.ip), '== 0')
    s.check('host', f'icmp.type == 8 && ip.dst == {target} && ip.src == {w.host.ip}', '== 0')
    s.expect(notes=['nat-no-answer'], absent=['icmp-unreachable', 'icmp-lost-beyond', 'icmp-lost-to-guest'])


def no_answer(s, port=443):
    """A server's firewall drops one port."""
    w, target = s.w, s.w.s2.ip
    begin(s)
    w.drop(w.s2, 'input', f'tcp dport {port}')
    s.at(s.when(), w.vm, traffic.connect, target, port, 6.5)
    s.fails(('tcp', target))
    s.check('vm', syn(w.vm.ip, target, port), '>= 4')
    s.check('host', syn(w.host.ip, target, port), '>= 4')
    s.fault('nat-no-answer', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}:{port}/tcp')


def absent(s, port=443):
    """An address of the LAN that nobody has."""
    w, target = s.w, s.w.lan_ip()
    begin(s)
    s.at(s.when(), w.vm, traffic.connect, target, port, 6.5)
    s.fails(('tcp', target))
    s.check('vm', syn(w.vm.ip, target, port), '>= 2')
    s.check('host', f'arp.opcode == 1 && arp.src.proto_ipv4 == {w.host.ip} && arp.dst.proto_ipv4 == {target}', '>= 3')
    s.check('host', syn(w.host.ip, target, port), '== 0')
    s.fault('nat-no-answer', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}:{port}/tcp')


def no_names(s):
    """The host's own resolver does not answer, so the engine's does not."""
    w = s.w
    begin(s)
    s.avoid(w.dns)
    w.drop(w.router, 'input', 'udp dport 53')
    for number, name in enumerate(['www.example.com', 'api.example.com', 'repo.example.org']):
        s.at(2.2 + number * 2.1, w.vm, traffic.dns_client, w.dns, [name])
    s.fails(('dns', w.dns))
    s.check('vm', f'dns.flags.response == 0 && ip.dst == {w.dns}', '>= 5')
    s.check('host', f'dns.flags.response == 0 && ip.src == {w.host.ip} && ip.dst == {w.router.ip}', '>= 5')
    s.check('host', f'dns.flags.response == 1 && ip.dst == {w.host.ip}', '== 0')
    s.fault('nat-no-answer', 'beyond-host', 'from-guest', f'{w.vm.ip} > {w.dns}:53/dns')


def closed(s, port=8443):
    w, target = s.w, s.w.s2.ip
    begin(s)
    s.at(s.when(), w.vm, traffic.connect, target, port, 2.5, 4, 0.9)
    s.check('host', f'tcp.flags.reset == 1 && ip.src == {target} && tcp.srcport == {port}', '>= 4')
    s.check('vm', f'tcp.flags.reset == 1 && ip.src == {target} && tcp.srcport == {port}', '>= 4')
    if w.engine == 'passt':
        s.fails(('tcp', target))  # its resets fit no SYN: the guest tries again
    s.fault('tcp-rst-closed-port', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}:{port}/tcp')


def blocked(s, port=5432):
    """The host's firewall stops the engine's own connections to one port."""
    w, target = s.w, s.w.s2.ip
    begin(s)
    w.drop(w.host, 'output', f'tcp dport {port}')
    s.at(s.when(), w.vm, traffic.connect, target, port, 6.5)
    s.fails(('tcp', target))
    s.check('vm', syn(w.vm.ip, target, port), '>= 4')
    s.check('host', f'tcp.dstport == {port}', '== 0')
    s.fault('tcp-syn-unanswered', 'nat', 'from-guest', f'{w.vm.ip} > {target}:{port}/tcp')


def other_uplink(s, port=5432):
    """The host reaches one network by another link than the one captured; one port there is dropped."""
    w = s.w
    w.second_segment()
    begin(s)
    traffic.in_thread(w.s3.ns, traffic.http_server, '0.0.0.0', 80, 'nginx')
    w.drop(w.s3, 'input', f'tcp dport {port}')
    for number in range(4):
        s.at(1.3 + number * 2.1, w.vm, traffic.http_client, w.s3.ip, 80, ['/', '/b/900'])
    s.at(s.when(), w.vm, traffic.connect, w.s3.ip, port, 6.5)
    s.fails(('tcp', w.s3.ip))
    s.check('vm', f'{OPENED} && ip.src == {w.s3.ip}', '>= 3')
    s.check('vm', syn(w.vm.ip, w.s3.ip, port), '>= 4')
    s.check('host', f'ip.addr == {w.s3.ip}', '== 0')
    s.inconclusive()


def forwarded(s):
    w, port = s.w, s.rng.choice([8080, 8443, 2222])
    begin(s, [(port, 80)])
    for number in range(4):
        s.at(s.when(1, 3) + number * 1.7, s.rng.choice([w.s1, w.s2]), traffic.http_client, w.host.ip, port, ['/', '/b/900'])
    s.check('host', f'{OPENED} && ip.src == {w.host.ip} && tcp.srcport == {port}', '>= 3')
    s.check('vm', f'{OPENED} && ip.src == {w.vm.ip} && tcp.srcport == 80', '>= 3')


def forward_missing(s):
    w, client, port = s.w, s.w.s2, s.rng.choice([8080, 8443, 3389])
    begin(s)
    s.at(s.when(), client, traffic.connect, w.host.ip, port, 2, 5, 0.9)
    s.check('host', f'tcp.flags.reset == 1 && ip.src == {w.host.ip} && tcp.srcport == {port}', '>= 4')
    s.check('vm', f'ip.dst == {w.vm.ip} && tcp.flags == 2', '== 0')
    s.fault('nat-portforward-missing', 'host', 'to-guest', f'{client.ip} > {w.host.ip}:{port}/tcp')


def forward_refused(s, silent=False):
    """The forward is there: the guest does not listen, or its firewall drops."""
    w, client, port, inner = s.w, s.w.s2, s.rng.choice([8080, 8443, 3389]), 8000
    begin(s, [(port, inner)])
    if silent:
        w.drop(w.vm, 'input', f'tcp dport {inner}')
        s.audited = False
    s.at(s.when(), client, traffic.connect, w.host.ip, port, 4, 4, 0.9)
    s.check('host', f'{OPENED} && ip.src == {w.host.ip} && tcp.srcport == {port}', '>= 3' if not silent else '>= 1')
    s.check('vm', f'tcp.flags == 2 && ip.dst == {w.vm.ip} && tcp.dstport == {inner}', '>= 4' if not silent else '>= 3')
    s.fault('tcp-syn-unanswered' if silent else 'tcp-rst-closed-port', 'guest', 'to-guest')
    s.expect(absent=['nat-portforward-missing'])


def opens_nothing(s):
    """The guest only serves."""
    w = s.w
    s.compression = {'host': 'zst', 'vm': 'zst'}
    s.avoid(w.s1.ip, w.s2.ip, '203.0.113.80', '203.0.113.81', w.dns, w.gateway, *[guest.ip for guest in w.guests])


def serves(s, how='works', client=None):
    """Through ports of the host.  Where a server speaks first, passt of 2023 does not go on before the client does."""
    w = s.w
    web, other, third = s.rng.choice([8080, 8000, 8888]), s.rng.choice([2222, 2022]), 9443
    s.snaplen = {'host': None, 'vm': None}
    begin(s, [(web, 80), (other, 22)] + ([(third, 8443)] if how in ('refused', 'silent') else []))
    s.checks = [check for check in s.checks if not check[1].startswith(OPENED)]
    opens_nothing(s)
    for number in range(12):
        page = s.rng.choice(['/', f'/?session={s.rng.getrandbits(64):x}'])
        s.at(0.6 + number * 0.8 + s.rng.uniform(0, 0.4), client or s.rng.choice([w.s1, w.s2]), traffic.http_client, w.host.ip, web,
             [page, '/b/900'])
    for number in range(2 if w.engine == 'qemu' else 0):
        s.at(2.0 + number * 3.1, client or w.s1, traffic.ssh_client, w.host.ip, other, 6, 0.2)
    s.check('vm', f'{OPENED} && ip.src == {w.vm.ip} && tcp.srcport == 80', '>= 4')
    if not client:
        s.check('host', f'{OPENED} && ip.src == {w.host.ip} && tcp.srcport == {web}', '>= 4')
    if how != 'asks':
        s.check('vm', f'tcp.flags == 2 && ip.src == {w.vm.ip}', '== 0')
    if how == 'silent':
        w.drop(w.vm, 'input', 'tcp dport 8443')
    if how in ('refused', 'silent'):
        s.audited = False
        for number in range(4):
            s.at(1.4 + number * 2.3, w.s2, traffic.connect, w.host.ip, third, 1.9)
        s.fault('tcp-rst-closed-port' if how == 'refused' else 'tcp-syn-unanswered', 'guest', 'to-guest')
        s.expect(absent=['nat-portforward-missing'])
    if how == 'missing':
        s.at(s.when(), w.s2, traffic.connect, w.host.ip, third, 2, 5, 0.9)
        s.fault('nat-portforward-missing', 'host', 'to-guest', f'{w.s2.ip} > {w.host.ip}:{third}/tcp')
    if how == 'asks':
        w.drop(w.s2, 'input', 'tcp dport 443')
        s.at(s.when(), w.vm, traffic.connect, w.s2.ip, 443, 6.5)
        s.at(s.when(), w.vm, traffic.ping, w.s1.ip, 6, 0.8)
        s.fails(('tcp', w.s2.ip), ('icmp', w.s1.ip))
        s.inconclusive()


RELAYED = {'mode': 'user-nat'}

add('healthy-usernat-slirp', "A guest behind QEMU's user-mode NAT: names, address and the gateway's pings come from the NAT "
    'itself; everything works.', healthy, engine='qemu', **RELAYED)
add('healthy-usernat-passt', 'A guest behind passt, which also passes pings on; everything works.', healthy, True,
    engine='passt', **RELAYED)
add('healthy-usernat-same-address', "passt as it is by default: the guest has the host's address, gateway and resolver; everything "
    'works.', healthy, engine='passt-same', **RELAYED)
add('usernat-no-answer-same-address', "A server drops one port; passt gave the guest the host's address.", no_answer,
    engine='passt-same', **RELAYED)
add('usernat-forward-healthy', 'LAN clients reach the guest through a port that QEMU forwards.', forwarded, engine='qemu',
    **RELAYED)


def serves_host(s):
    """Only the host itself, which shows nothing of that but to itself."""
    serves(s, client=s.w.host)
    s.expect(offset_s=None, absent=['tcp-syn-unanswered'])
    s.inconclusive()


add('usernat-serves-qemu-host', 'Only the host itself reaches a guest behind QEMU: that is in no capture of a network.', serves_host,
    engine='qemu', point='any', **RELAYED)
SERVES = {'works': 'everything works', 'refused': 'one port of the guest is closed', 'silent': "the guest's firewall drops one port",
          'missing': 'one port is not forwarded',
          'asks': 'what it asks for itself fails, and nothing else shows how that would pass the host'}
for _engine, _how, _point in [('qemu', 'works', 'uplink'), ('qemu', 'works', 'any'), ('qemu', 'refused', 'uplink'),
                              ('qemu', 'silent', 'any'), ('qemu', 'missing', 'uplink'), ('qemu', 'asks', 'uplink'),
                              ('passt', 'works', 'uplink'), ('passt', 'silent', 'uplink'), ('passt', 'asks', 'any')]:
    add(f'usernat-serves-{_engine}-{_how}' + ('-any' if _point == 'any' else ''),
        f'A guest behind {_engine}, none of whose own connections works, is reached through ports of the host; {SERVES[_how]}.', serves,
        _how, engine=_engine, point=_point, **RELAYED)
add('usernat-no-ping-slirp', "QEMU's user-mode NAT may not ping: it says that the protocol is unreachable. TCP works.", no_ping,
    engine='qemu', **RELAYED)
add('usernat-no-ping-passt', 'passt may not ping: the pings vanish in it. TCP works.', no_ping, engine='passt', **RELAYED)
add('usernat-no-answer-slirp', "A server drops one port: QEMU's own SYNs stay unanswered like the guest's.", no_answer,
    engine='qemu', **RELAYED)
add('healthy-usernat-any', "A guest behind QEMU's user-mode NAT, the host captured at all its interfaces; everything works.", healthy,
    engine='qemu', point='any', **RELAYED)
add('usernat-no-answer-any', "A server drops one port: QEMU's own SYNs stay unanswered, seen at all interfaces of the host.", no_answer,
    engine='qemu', point='any', **RELAYED)
add('usernat-no-answer-passt', "A server drops one port: passt's own SYNs stay unanswered like the guest's.", no_answer,
    engine='passt', **RELAYED)
add('usernat-no-answer-absent', 'The guest connects to an address of the LAN that nobody has: the host asks for it by ARP.', absent,
    engine='qemu', **RELAYED)
add('usernat-no-answer-dns', "The host's resolver does not answer what the NAT's resolver passes on.", no_names, engine='qemu',
    **RELAYED)
add('usernat-closed-port-slirp', 'A server refuses a port; QEMU passes the reset on.', closed, engine='qemu', **RELAYED)
add('usernat-closed-port-passt', 'A server refuses a port; what passt makes of the reset fits no SYN of the guest.', closed,
    engine='passt', **RELAYED)
add('usernat-blocked', "The host's firewall drops what its own programs send to one port.", blocked, engine='qemu', **RELAYED)
add('usernat-other-uplink', 'A server drops one port; the host reaches it by another link than the captured one, so nothing of it is '
    "in the host's file.", other_uplink, engine='qemu', **RELAYED)
add('usernat-portforward-missing', 'A LAN client tries a port of the host that QEMU does not forward; the host resets it.',
    forward_missing, engine='qemu', **RELAYED)
add('usernat-forward-refused', 'QEMU forwards a port of the host to one where nothing listens in the guest.', forward_refused,
    engine='qemu', **RELAYED)
add('usernat-forward-silent', "QEMU forwards a port of the host to one that the guest's firewall drops.", forward_refused, True,
    engine='qemu', **RELAYED)


# A reverse proxy on the host whose upstream is the guest

def proxy(address, port, upstream):
    """Passes each connection on; where there is no upstream it answers 502 or 504 itself."""
    def copy(source, target):
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def handle(client):
        request = client.recv(65536)
        try:
            inner = socket.create_connection(upstream, 4.5)
        except OSError as error:
            status = '504 Gateway Timeout' if isinstance(error, TimeoutError) else '502 Bad Gateway'
            client.sendall(f'HTTP/1.1 {status}\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n'.encode())
            return
        inner.sendall(request)
        threading.Thread(target=copy, args=(client, inner), daemon=True).start()
        copy(inner, client)
    traffic.listen(address, port, handle)


def behind_proxy(s, how, alone=False):
    w, port, inner = s.w, s.rng.choice([8080, 8000, 8888]), {'works': 80, 'refused': 8000, 'silent': 8000}[how]
    traffic.in_thread(w.host.ns, proxy, w.host.ip, port, (w.vm.ip, inner))
    if how == 'silent':
        w.drop(w.vm, 'input', f'tcp dport {inner}')
    near = f'{w.vm_prefix}.1'
    if alone:
        opens_nothing(s)
        s.expect(mode='unknown')
    for number in range(8 if alone else 4):
        page = f'/?session={s.rng.getrandbits(64):x}' if alone else '/'
        s.at(1.5 + number * (1.1 if alone else 2.0), w.s2, traffic.http_client, w.host.ip, port, [page, '/b/900'], 'www.example.com', None, 0.1, 6)
    s.check('host', f'{OPENED} && ip.src == {w.host.ip} && tcp.srcport == {port}', '>= 3')
    s.check('vm', syn(near, w.vm.ip, inner), '>= 3')
    s.expect(absent=['nat-portforward-missing'])
    if how == 'works':
        return
    s.audited = how != 'silent'
    s.check('host', f'http.response.code == {502 if how == "refused" else 504} && ip.src == {w.host.ip}', '>= 2')
    s.fault('tcp-rst-closed-port' if how == 'refused' else 'tcp-syn-unanswered', 'guest', 'to-guest',
            f'{near} > {w.vm.ip}:{inner}/tcp')


for _how, _what in [('works', 'which answers'), ('refused', 'which refuses the port'), ('silent', "whose firewall drops it")]:
    for _point in ['uplink'] if _how == 'works' else ['uplink', 'port+uplink']:
        _name = f'proxy-upstream-{_how}' + ('-two-points' if '+' in _point else '')
        add(_name if _how != 'works' else 'proxy-upstream-healthy', f'A reverse proxy on the host asks the guest, {_what}.',
            behind_proxy, _how, mode='nat', point=_point)


add('proxy-alone', 'The only one whom a guest exchanges anything with is a reverse proxy on the host.', behind_proxy, 'works', True,
    mode='nat', point='uplink')


# What looks like it

def same_servers(s):
    """Guest and host use the same servers, by different links of the host; the capture is on the host's."""
    w = s.w
    w.second_segment()
    for space in (w.s3.ns,):
        traffic.in_thread(space, traffic.http_server, '0.0.0.0', 80, 'nginx')
    s.avoid(w.s3.ip)
    for number in range(5):
        when = 1.2 + number * 1.8
        for machine, late in ((w.vm, 0), (w.host, s.rng.uniform(0.2, 1.2))):
            s.at(when + late, machine, traffic.http_client, w.s3.ip, 80, ['/', '/b/900'], 'www.example.com')
    s.check('vm', f'{OPENED} && ip.src == {w.s3.ip}', '>= 4')
    s.check('host', f'{OPENED} && ip.src == {w.s3.ip} && ip.dst == {w.other_prefix}.9', '>= 4')
    s.check('host', f'ip.addr == {w.vm.ip}', '== 0')
    s.expect(mode=None, offset_s=None)
    s.inconclusive()


add('usernat-alike-same-servers', 'A bridged guest and its host fetch the same pages from one server; the capture is of another link '
    'of the host, where the guest never passes.', same_servers, point='nic2')
