"""Noise: what looks like trouble and is none of the guest's."""
import random
import socket
import struct
import threading
import time

import traffic
from scenario import add
from traffic import arp, ethernet, hexmac, ipv4, udp

ALL_PORTS = [21, 23, 25, 110, 111, 135, 139, 143, 389, 443, 445, 465, 587, 993, 995, 1433, 1521, 2049, 3306, 3389, 5060, 5432,
             5900, 5985, 6379, 8000, 8080, 8443, 8888, 9200, 11211, 27017]


def raw(frames, gap):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(('eth0', 0))
        for frame in frames:
            sock.send(frame)
            time.sleep(gap * random.uniform(0.7, 1.3))


# Virtual routers

def virtual_routers(s):
    """Virtual routers announce themselves (VRRP, HSRP, CARP, OSPF)."""
    w = s.w
    number = s.rng.randint(1, 250)
    vrrp_mac, hsrp_mac = f'00:00:5e:00:01:{number:02x}', f'00:00:0c:07:ac:{number:02x}'
    address, shared = w.lan_ip(), w.lan_ip()
    advert = struct.pack('!BBBBBBH', 0x31, number, 200, 1, 0, 100, 0) + socket.inet_aton(shared)
    advert = advert[:6] + struct.pack('!H', traffic.checksum(advert)) + advert[8:]
    hello = struct.pack('!BBBBBBBB8s4s', 0, 0, 16, 3, 10, 120, number, 0, b'cisco\0\0\0', socket.inet_aton(shared))
    carp = struct.pack('!BBBBBBH', 0x21, number, 0, 7, 0, 1, 0) + random.randbytes(28)
    frames = []
    for count in range(14):
        frames.append(ethernet(vrrp_mac, '01:00:5e:00:00:12', 0x800, ipv4(address, '224.0.0.18', 112, advert, 255, count)))
        frames.append(ethernet(hsrp_mac, '01:00:5e:00:00:02', 0x800,
                               udp(address, '224.0.0.2', 1985, 1985, hello, count)))
        if count % 3 == 0:
            frames.append(ethernet(vrrp_mac, '01:00:5e:00:00:12', 0x800, ipv4(address, '224.0.0.18', 112, carp, 255, count)))
            frames.append(arp(vrrp_mac, shared, shared))
        frames.append(ethernet(s.w.machine_mac(), '01:00:5e:00:00:05', 0x800,
                               ipv4(address, '224.0.0.5', 89, b'\x02\x01\0\x2c' + random.randbytes(40), 1, count)))
    s.at(0, w.noise, raw, frames, 0.25)


# ARP

def gratuitous(s):
    """Announcements and probes, of servers, of the guest, and of devices that come into the LAN."""
    w, frames = s.w, []
    for machine in (w.s1, w.router, w.vm):
        s.at(s.when(1, 5), machine, raw, [arp(machine.mac, machine.ip, machine.ip)] * 3, 0.8)
    for _ in range(4):
        mac, ip = w.machine_mac(), w.lan_ip()
        frames += [arp(mac, '0.0.0.0', ip)] * 3 + [arp(mac, ip, ip)] * 2 + [arp(mac, ip, ip, 'ff:ff:ff:ff:ff:ff')]
    s.at(0.4, w.noise, raw, frames, 0.3)
    s.at(s.when(2, 5), w.vm, raw, [arp(w.vm.mac, '0.0.0.0', w.vm.ip)] * 3, 0.8)


# DHCP

def boot(operation, kind, xid, mac, address, options, flags=0):
    return (struct.pack('!BBBBIHH', operation, 1, 6, 0, xid, 3, flags)
            + socket.inet_aton(address if kind in (3, 8) else '0.0.0.0')
            + socket.inet_aton(address if kind == 5 else '0.0.0.0') + b'\0' * 8 + hexmac(mac).ljust(16, b'\0')
            + b'\0' * 192 + b'\x63\x82\x53\x63\x35\x01' + bytes([kind]) + options + b'\xff').ljust(300, b'\0')


def leases(s):
    """The guest renews its lease; it and others ask for options that nobody gives; a stranger looks for a server."""
    w = s.w
    server = w.router if s.mode == 'bridged' else w.host
    server_ip, xid = w.gateway, s.rng.getrandbits(32)
    given = b'\x36\x04' + socket.inet_aton(server_ip) + b'\x33\x04\0\0\x0e\x10\x01\x04\xff\xff\xff\0'
    given += b'\x03\x04' + socket.inet_aton(w.gateway) + b'\x06\x04' + socket.inet_aton(w.dns)

    def renew():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(('0.0.0.0', 68))
            sock.settimeout(1)
            sock.sendto(boot(1, 3, xid, w.vm.mac, w.vm.ip, b'\x37\x03\x01\x03\x06'), (server_ip, 67))
            try:
                sock.recv(2000)
            except OSError:
                pass

    def serve():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((server_ip, 67))
            sock.settimeout(60)
            _, client = sock.recvfrom(2000)
            sock.sendto(boot(2, 5, xid, w.vm.mac, w.vm.ip, given), client)
    traffic.in_thread(server.ns, serve)
    s.at(s.when(2, 4), w.vm, renew)
    inform = boot(1, 8, s.rng.getrandbits(32), w.vm.mac, w.vm.ip, b'\x37\x03\x01\x03\x06')
    s.at(s.when(2, 6), w.vm, raw, [ethernet(w.vm.mac, 'ff:ff:ff:ff:ff:ff', 0x800,
                                            udp(w.vm.ip, '255.255.255.255', 68, 67, inform, 7, 64))] * 3, 1.3)
    mac = w.machine_mac()
    discover = boot(1, 1, s.rng.getrandbits(32), mac, '0.0.0.0', b'\x37\x03\x01\x03\x06', 0x8000)
    s.at(1, w.noise, raw, [ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x800,
                                    udp('0.0.0.0', '255.255.255.255', 68, 67, discover, 8, 64))] * 4, 2.0)


# Scanners

def half_scan(address, ports, times=2):
    """SYNs of a scanner; its kernel resets what answers."""
    for _ in range(times):
        for port in ports:
            with socket.socket() as sock:
                sock.setblocking(False)
                sock.connect_ex((address, port))
                time.sleep(0.02)
        time.sleep(0.4)


def udp_scan(address, ports):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(2):
            for port in ports:
                sock.sendto(b'\0' * 12, (address, port))
                time.sleep(0.03)


def scanners(s):
    """Ports are scanned, of the host, a server, siblings, and of the guest where it can be reached."""
    w, rng = s.w, s.rng
    ports = rng.sample(ALL_PORTS, 20)
    targets = [w.s1.ip, w.host.ip] + ([w.vm.ip] if s.inbound else [])
    for target in targets:
        s.at(s.when(1, 3), w.s2, traffic.scan, target, ports, 0.03)
        s.at(s.when(4, 5), w.s2, traffic.scan, target, ports, 0.03)
        s.at(s.when(5, 7), w.s2, half_scan, target, ports)
        s.at(s.when(6, 8), w.s2, udp_scan, target, [p for p in ports if p != 53][:12])
    s.at(s.when(1, 3), w.guests[0], traffic.scan, w.guests[1].ip, ports, 0.03)
    if s.mode != 'bridged':
        s.at(s.when(1, 3), w.guests[0], traffic.scan, w.vm.ip, ports, 0.03)
        s.at(s.when(4, 5), w.guests[0], udp_scan, w.vm.ip, ports[:9])


def filtered_scan(s):
    """Ports are scanned, and the guest's firewall drops what it does not offer."""
    w = s.w
    w.drop(w.vm, 'input', 'ct state new tcp dport != {22, 80}')
    s.audited = False
    scanners(s)


def strangers(s):
    """Closed ports and dead machines, tried by others."""
    w, rng = s.w, s.rng
    for machine in (w.s2, w.guests[0], w.guests[1]):
        for target in rng.sample([w.s1.ip, '203.0.113.80', w.guests[1].ip if machine is not w.guests[1] else w.guests[0].ip], 2):
            if s.mode in ('nat', 'host-only') and machine is w.s2 and target.startswith(w.vm_prefix):
                continue
            s.at(s.when(1, 5), machine, traffic.connect, target, rng.choice(ALL_PORTS), 2, 5, 0.7)
            s.at(s.when(1, 5), machine, traffic.udp_client, target, rng.choice([514, 161, 69]), 5, 0.6)
    s.at(s.when(1, 4), w.guests[0], traffic.ping, '203.0.113.199', 6, 0.9)
    s.at(s.when(1, 4), w.s2, traffic.ping, '203.0.113.198', 6, 0.9)
    s.at(s.when(1, 4), w.guests[1], traffic.connect, '203.0.113.197', 443, 5)
    w.drop(w.router, 'forward', 'ip daddr 198.51.100.25', 'reject with icmp type admin-prohibited')
    s.at(s.when(1, 4), w.guests[1], traffic.connect, '198.51.100.25', 25, 3, 3, 1)
    s.at(s.when(1, 4), w.s1, traffic.connect, '198.51.100.25', 25, 3, 3, 1)


# Slow servers

def slow(s):
    """Names and pages that take 2 to 4 s."""
    w, rng = s.w, s.rng
    server = w.s1 if s.mode != 'host-only' else w.guests[0]
    traffic.in_thread(server.ns, traffic.http_server, server.ip, 8001, 'nginx', rng.uniform(2, 4))
    for number in range(3):
        s.at(1 + 0.7 * number, w.vm, traffic.http_client, server.ip, 8001, ['/', '/b/900'], '', None, 0.1, 10)
    second = w.lan_ip() if s.mode != 'host-only' else w.guest_ip()
    server.ns.ip(f'addr add {second}/24 dev eth0')
    traffic.in_thread(server.ns, slow_resolver, second, rng.uniform(2, 3.5))
    for number in range(4):
        s.at(1 + 1.1 * number, w.vm, traffic.dns_client, second, [f'host{number}.example.com'], 2, rng.choice([2.2, 5.0]))


def slow_resolver(address, delay):
    """Like a forwarder that works on many queries at a time."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    while True:
        query, client = sock.recvfrom(1500)

        def answer(query=query, client=client):
            time.sleep(delay)
            sock.sendto(query[:2] + b'\x81\x83' + query[4:6] + b'\0' * 6 + query[12:], client)
        threading.Thread(target=answer, daemon=True).start()


# Losses

def few_losses(s):
    """Of 1000 packets 3 are lost somewhere between the switch and the host, and sent again."""
    w = s.w
    w.switch.ns.nft('''table bridge lossy { chain forward { type filter hook forward priority 0;
        meta l4proto tcp numgen random mod 1000 < 3 counter drop
        }
        }''')
    server = w.s1 if s.mode != 'host-only' else w.guests[0]
    for number in range(6):
        s.at(0.5 + 1.6 * number, w.vm, traffic.http_client, server.ip, 80, ['/b/60000'] * 2, '', None, 0.1, 8)
    s.snaplen = {'host': 128, 'vm': 128}
    s.audited = False


# Multitudes

def storm(s):
    """Many broadcasts of many machines: a busy segment."""
    w, frames = s.w, []
    devices = [(w.machine_mac(), w.lan_ip()) for _ in range(15)]
    for number in range(350):
        mac, ip = s.rng.choice(devices)
        frames.append(arp(mac, ip, f'{w.lan_prefix}.{s.rng.randint(1, 254)}') if number % 2 else
                      ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x800,
                               udp(ip, f'{w.lan_prefix}.255', 137, 137, random.randbytes(50), number, 64)))
    s.at(0.5, w.noise, raw, frames, 0.02)


def router_wanted(s):
    """Hosts look for IPv6 routers; there are none."""
    w, frames = s.w, []
    for _ in range(3):
        mac = w.machine_mac()
        own = traffic.link_local(mac)
        frames += [traffic.icmp6(mac, '33:33:00:00:00:02', own, 'ff02::2', b'\x85' + b'\0' * 7 + b'\1\1' + hexmac(mac))] * 3
    s.at(1, w.noise, raw, frames, 0.8)
    own = traffic.link_local(w.vm.mac)
    s.at(1, w.vm, raw, [traffic.icmp6(w.vm.mac, '33:33:00:00:00:02', own, 'ff02::2',
                                      b'\x85' + b'\0' * 7 + b'\1\1' + hexmac(w.vm.mac))] * 3, 2.5)


def names_on_the_link(s):
    """The guest itself asks by multicast and broadcast, and nobody knows."""
    w = s.w

    def query():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            for _ in range(4):
                wpad = random.randbytes(2) + b'\0\0\0\1' + b'\0' * 6 + traffic.dns_name('wpad') + b'\0\1\0\1'
                mdns = b'\0' * 5 + b'\1' + b'\0' * 6 + traffic.dns_name('_http._tcp.local') + b'\0\x0c\0\1'
                for address, port, data in [('224.0.0.252', 5355, wpad), ('224.0.0.251', 5353, mdns),
                                            (f'{w.vm_prefix}.255', 137, random.randbytes(50)),
                                            ('239.255.255.250', 1900, b'M-SEARCH * HTTP/1.1\r\nMX: 1\r\nST: ssdp:all\r\n\r\n'),
                                            ('255.255.255.255', 6666, b'anybody?')]:
                    sock.sendto(data, (address, port))
                    time.sleep(0.05)
                time.sleep(1.5)
    s.at(1, w.vm, query)


# Connections

def quitters(s):
    """Clients that reset what they do not want any more."""
    w, server = s.w, (s.w.s1 if s.mode != 'host-only' else s.w.guests[0])

    def abort(address, port, talk):
        with socket.create_connection((address, port), 3) as sock:
            if talk:
                sock.sendall(b'GET /b/60000 HTTP/1.1\r\nHost: x\r\n\r\n')
                sock.recv(300)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    for number in range(6):
        s.at(1 + 1.2 * number, w.vm, abort, server.ip, 80, number % 2)
        if s.inbound:
            s.at(1.5 + 1.2 * number, w.s2, abort, w.vm.ip, 80, number % 2)


def patient(s):
    """Connections that are idle, kept alive by probes, or opened long before and left open."""
    w, server = s.w, (s.w.s1 if s.mode != 'host-only' else s.w.guests[0])

    def idle(address, port, seconds, probes):
        with socket.create_connection((address, port), 3) as sock:
            if probes:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
            sock.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
            sock.recv(4096)
            time.sleep(seconds)
            sock.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
            sock.recv(4096)
    for number in range(3):
        s.at(-2 + number * 1.5, w.vm, idle, server.ip, 80, 8, number % 2)
        s.at(-2 + number, w.vm, idle, server.ip, 80, 30, 1)
        if s.inbound:
            s.at(-2 + number, w.s2, idle, w.vm.ip, 80, 9, 1)
    s.at(0.4, w.vm, traffic.http_client, server.ip, 80, ['/', '/b/180', '/b/900', '/', '/b/2400'] * 2, '', None, 0.8)


def ends(s):
    """Connections and questions in the air when the captures begin and end."""
    w, server = s.w, (s.w.s1 if s.mode != 'host-only' else s.w.guests[0])
    silent = w.s2 if s.mode != 'host-only' else w.guests[1]
    w.drop(silent, 'input', 'tcp dport 8099')
    end = s.seconds - 0.3
    s.at(end - 0.7, w.vm, traffic.connect, silent.ip, 8099, 5)
    s.at(end - 0.2, w.vm, traffic.dns_client, w.dns, ['www.example.com'])
    s.at(end - 0.05, w.vm, traffic.ping, server.ip, 3, 0.3)
    for number in range(4):
        s.at(-1.2 + 0.35 * number, w.vm, traffic.http_client, server.ip, 80, ['/b/900'] * 4, '', None, 0.3)
        s.at(end - 0.8 + 0.25 * number, w.vm, traffic.http_client, server.ip, 80, ['/b/900'] * 4, '', None, 0.2)
    s.audited = False


def host_trouble(s):
    """The host has troubles of its own."""
    w, rng = s.w, s.rng
    w.drop(w.net, 'input', 'ip daddr 198.51.100.25')
    s.at(s.when(1, 2), w.host, traffic.ping, '198.51.100.25', 8, 0.7)
    s.at(s.when(1, 2), w.host, traffic.connect, '198.51.100.25', 443, 6)
    s.at(s.when(1, 2), w.host, traffic.dns_client, '198.51.100.25', ['www.example.com', 'api.example.com'], 3, 1)
    s.at(s.when(1, 2), w.host, traffic.ping, w.lan_ip(), 6, 0.9)
    s.at(s.when(1, 2), w.host, traffic.connect, w.s1.ip, rng.choice([5432, 8443]), 2, 6, 0.6)
    s.at(s.when(1, 2), w.host, traffic.udp_client, w.s1.ip, 514, 6, 0.6)
    if s.mode == 'bridged':
        w.drop(w.host, 'input', f'ip saddr {w.s2.ip} tcp dport 3128')
        s.at(s.when(1, 2), w.s2, traffic.connect, w.host.ip, 3128, 6)
        s.at(s.when(1, 2), w.s2, traffic.connect, w.host.ip, 8006, 2, 5, 0.6)


def names_wrong(s):
    """Names that do not exist, asked for again and again."""
    w = s.w
    for number in range(6):
        s.at(1 + 1.2 * number, w.vm, traffic.dns_client, w.dns, [f'no-such-{number}.{w.domain}', f'db{number}.corp.example'])


def late_closes(s):
    """Servers that reset or leave connections when they are done."""
    w, server = s.w, (s.w.s1 if s.mode != 'host-only' else s.w.guests[0])

    def handle(sock):
        sock.recv(500)
        sock.sendall(b'HTTP/1.0 200 OK\r\n\r\nbye\n')
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        time.sleep(0.05)
        sock.close()
    traffic.in_thread(server.ns, traffic.listen, server.ip, 8090, handle)
    for number in range(5):
        s.at(1 + 1.3 * number, w.vm, traffic.connect, server.ip, 8090, 3)


def oddities(s):
    """Frames that are none of IP, of other VLANs, or broken."""
    w, rng = s.w, s.rng
    frames = []
    for number in range(8):
        mac, ip = w.machine_mac(), w.lan_ip() if number < 4 else f'{w.lan_prefix}.251'
        frames += [
            ethernet(mac, '01:80:c2:00:00:0e', 0x88cc, b'\x02\x07\x04' + hexmac(mac) + b'\x04\x02\x07p\x06\x02\0\x78\0\0'),
            ethernet(mac, '01:00:0c:cc:cc:cc', 30, b'\xaa\xaa\x03\0\0\x0c\x20\0\x02\xb4' + random.randbytes(20)),
            ethernet(mac, '01:80:c2:00:00:03', 0x888e, b'\x01\x01\0\0'),
            ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x0842, b'\xff' * 6 + hexmac(w.s1.mac) * 16),
            ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x8899, b'\x23' + b'\0' * 20),
            ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x88e1, random.randbytes(40)),
            ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x8100,
                     struct.pack('!HH', rng.randint(2, 4000), 0x806) + arp(mac, ip, f'{w.lan_prefix}.252')[14:]),
            ethernet(mac, '01:00:5e:00:00:01', 0x800,
                     ipv4(ip, '224.0.0.1', 2, b'\x11\x64\xee\x9b\0\0\0\0', 1, number, b'\x94\4\0\0')),
            ethernet(mac, '01:00:5e:00:00:0a', 0x800, ipv4(ip, '224.0.0.10', 88, random.randbytes(40), 2, number)),
            ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x800,
                     ipv4(ip, f'{w.lan_prefix}.255', 1, b'\x08\0\0\0\0\1\0\1' + b'x' * 32, 64, number)),
            ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x800, b'\x45\0\xff\xff' + random.randbytes(20)),
            ethernet(mac, 'ff:ff:ff:ff:ff:ff', 0x800, b'\x4f\0\0\x20' + random.randbytes(10)),
            ethernet(mac, '33:33:00:00:00:01', 0x86dd, b'\x60' + random.randbytes(30))]
    rng.shuffle(frames)
    s.at(0.5, w.noise, raw, frames, 0.09)


def guest_scans(s):
    """The guest looks for open ports of its neighbours, like an inventory tool."""
    w, rng = s.w, s.rng
    servers = [w.s1.ip, w.s2.ip] if s.mode != 'host-only' else [g.ip for g in w.guests]
    for number, server in enumerate(servers):
        s.at(1.5 + 3 * number, w.vm, traffic.scan, server, rng.sample(ALL_PORTS, 14), 0.03)
    s.at(4.5, w.vm, traffic.scan, servers[0], [rng.choice(ALL_PORTS)], 0.03)


def servfail(s):
    """A resolver that cannot resolve."""
    w = s.w
    server = w.s2 if s.mode != 'host-only' else w.guests[0]
    address = w.lan_ip() if s.mode != 'host-only' else w.guest_ip()
    server.ns.ip(f'addr add {address}/24 dev eth0')

    def serve():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((address, 53))
        while True:
            query, client = sock.recvfrom(1500)
            sock.sendto(query[:2] + b'\x81\x82' + query[4:6] + b'\0' * 6 + query[12:], client)
    traffic.in_thread(server.ns, serve)
    s.at(s.when(1, 3), w.vm, traffic.dns_client, address, ['a.example.com', 'b.example.com'])


KINDS = {f.__name__: f for f in (virtual_routers, gratuitous, leases, scanners, filtered_scan, strangers, slow, few_losses,
                                 storm, router_wanted, names_on_the_link, quitters, patient, ends, host_trouble,
                                 names_wrong, late_closes, oddities, guest_scans, servfail)}


def noise(s, *names):
    """The noises of these names, or some that the seed chooses."""
    chosen = list(names) or s.rng.sample(sorted(set(KINDS) - {'few_losses', 'filtered_scan'}), 6)
    for name in chosen:
        KINDS[name](s)
    s.audited = False
    s.expect(why=s.expected['why'] + ' ' + ' '.join(KINDS[name].__doc__.splitlines()[0] for name in chosen))
    s.expect(absent=['cap-input-mixup'])
    if s.mode == 'host-only':
        s.expect(mode=None)


for _mode, _points in [('bridged', ['uplink', 'bridge', 'port', 'any', 'port+uplink']),
                       ('nat', ['uplink', 'port', 'any', 'port+uplink']),
                       ('routed', ['uplink', 'any', 'port']), ('host-only', ['port', 'any', 'bridge'])]:
    for _point in _points:
        add(f'noise-{_mode}-{_point.replace("port+uplink", "two-points")}-healthy',
            'Much goes on, and nothing is wrong with the guest.', noise, mode=_mode, point=_point)
add('bridged-scanned-any-healthy', 'Nothing is wrong with the guest.', noise, 'scanners', point='any')
add('noise-losses-healthy', 'Nothing is wrong with the guest.', noise, 'few_losses', point='port+uplink')
add('noise-filtered-scan-healthy', 'Nothing is wrong with the guest.', noise, 'filtered_scan')
