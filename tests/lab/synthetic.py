"""Pairs that no kernel here can show: NAT engines that run on Windows only.  Every byte is written here."""
import json
import os
import socket
import struct

import capture
import traffic
from scenario import add

HOST, LAN_GATEWAY, DAY = '192.168.1.23', '192.168.1.1', 1760000000


class Side:
    """One capture: frames of an address that speaks Ethernet with one gateway."""

    def __init__(self, rng, ip, mac, gateway_mac, ttl, offset):
        self.rng, self.ip, self.mac, self.gateway_mac = rng, ip, mac, gateway_mac
        self.ttl, self.offset, self.frames, self.number = ttl, offset, [], rng.randint(1, 60000)

    def ip_packet(self, when, source, protocol, body, peer, ttl=None):
        self.number = self.number % 65535 + 1
        own = source == self.ip
        packet = traffic.ipv4(source, peer, protocol, body, self.ttl if own else ttl, self.number)
        macs = (self.mac, self.gateway_mac) if own else (self.gateway_mac, self.mac)
        self.frames.append((when + self.offset, traffic.ethernet(*macs, 0x800, packet)))

    def udp(self, when, source, target, sport, dport, data, ttl=64):
        head = struct.pack('!HHHH', sport, dport, 8 + len(data), 0)
        pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack('!BBH', 0, 17, 8 + len(data))
        head = head[:6] + struct.pack('!H', traffic.checksum(pseudo + head + data) or 0xffff)
        self.ip_packet(when, source, 17, head + data, target, ttl)

    def tcp(self, when, source, target, sport, dport, seq, ack, flags, data=b'', ttl=64, window=64240):
        options = struct.pack('!BBH', 2, 4, 1460) if flags & 2 else b''
        body = struct.pack('!HHIIBBHHH', sport, dport, seq, ack, (20 + len(options)) // 4 << 4, flags, window, 0, 0)
        body += options + data
        pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack('!BBH', 0, 6, len(body))
        body = body[:16] + struct.pack('!H', traffic.checksum(pseudo + body)) + body[18:]
        self.ip_packet(when, source, 6, body, target, ttl)

    def echo(self, when, target, ident, number, data, after, ttl):
        for kind, source, peer, at in [(8, self.ip, target, when), (0, target, self.ip, when + after)]:
            body = struct.pack('!BBHHH', kind, 0, 0, ident, number) + data
            body = body[:2] + struct.pack('!H', traffic.checksum(body)) + body[4:]
            self.ip_packet(at, source, 1, body, peer, ttl)

    def arp(self, when, wanted, answer):
        self.frames.append((when + self.offset, traffic.arp(self.mac, self.ip, wanted)))
        if answer:
            self.frames.append((when + self.offset + 0.0003, traffic.arp(answer, wanted, self.ip, self.mac)))

    def dns(self, when, resolver, ident, name, address, after, port):
        question = traffic.dns_name(name) + struct.pack('!HH', 1, 1)
        self.udp(when, self.ip, resolver, port, 53, struct.pack('!HHHHHH', ident, 0x100, 1, 0, 0, 0) + question)
        answer = b'\xc0\x0c' + struct.pack('!HHIH', 1, 1, 300, 4) + socket.inet_aton(address)
        self.udp(when + after, resolver, self.ip, 53, port,
                 struct.pack('!HHHHHH', ident, 0x8180, 1, 1, 0, 0) + question + answer)

    def connection(self, when, server, port, own_port, reply_after, exchange, ttl, cut):
        """Opens, carries `exchange` [(from the client?, bytes, when)], closes; segments of `cut` bytes."""
        seq, ack = self.rng.getrandbits(32), self.rng.getrandbits(32)

        def send(at, client, flags, data=b''):
            nonlocal seq, ack
            if client:
                self.tcp(at, self.ip, server, own_port, port, seq, ack if flags & 16 else 0, flags, data)
                seq = (seq + len(data) + (flags & 3 > 0)) % 2 ** 32
            else:
                self.tcp(at, server, self.ip, port, own_port, ack, seq, flags, data, ttl, 65535)
                ack = (ack + len(data) + (flags & 3 > 0)) % 2 ** 32
        send(when, True, 2)
        send(when + reply_after, False, 18)
        send(when + reply_after + 0.0002, True, 16)
        at = when
        for client, data, at in exchange:
            for start in range(0, len(data), cut):
                send(at + start * 1e-8, client, 24, data[start:start + cut])
            send(at + 0.0004, not client, 16)
        send(at + 0.01, True, 17)
        send(at + 0.0105, False, 17)
        send(at + 0.0107, True, 16)

    def write(self, path):
        with open(path, 'wb') as file:
            file.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
            for when, frame in sorted(self.frames, key=lambda pair: pair[0]):
                stamp = round((DAY + when) * 1e6)
                file.write(struct.pack('<IIII', stamp // 10 ** 6, stamp % 10 ** 6, len(frame), len(frame)) + frame)


class Pair:
    """A guest behind an engine on a Windows host.  The engine takes `lag` seconds each way."""

    def __init__(self, rng, guest_ip, guest_mac, engine_mac, early=False):
        self.rng, self.early, self.offset = rng, early, rng.choice([-3.2, 1.7, 3600.4])
        self.vm = Side(rng, guest_ip, guest_mac, engine_mac, 64, self.offset)
        self.host = Side(rng, HOST, '3c:7c:3f:1d:20:9b', '24:a4:3c:0e:51:aa', 128, 0)
        self.ports = [rng.randint(49152, 60000), rng.randint(49152, 60000)]
        for number in range(10):
            self.host.arp(1.3 * number, LAN_GATEWAY, self.host.gateway_mac)

    def lag(self):
        return self.rng.uniform(0.0004, 0.003)

    def port(self, side):
        self.ports[side] += self.rng.randint(1, 9)
        return self.ports[side]

    def connection(self, when, server, port=443):
        """Random bytes, as of TLS; the two sides cut them differently."""
        rng, trip = self.rng, self.rng.uniform(0.008, 0.03)
        late, back = self.lag(), self.lag()
        inner, outer, at = [], [], when + late + trip + back + 0.002
        for size in [rng.randint(200, 600), rng.randint(900, 4000), rng.randint(60, 300), rng.randint(200, 9000)]:
            client = len(inner) % 2 == 0
            data = b'\x16\x03\x01' + rng.randbytes(size)
            inner.append((client, data, at if client else at + back))
            outer.append((client, data, at + late if client else at))
            at += trip + late + back
        self.vm.connection(when, server, port, self.port(0), 0.0005 if self.early else late + trip + back, inner, 128, 1460)
        self.host.connection(when + late, server, port, self.port(1), trip, outer, 52, 1400)

    def name(self, when, resolver, name, address, asked=True):
        trip, late = self.rng.uniform(0.004, 0.02), self.lag()
        self.vm.dns(when, resolver, self.rng.getrandbits(16), name, address, trip + 2 * late, self.port(0))
        if asked:
            self.host.dns(when + late, LAN_GATEWAY, self.rng.getrandbits(16), name, address, trip, self.port(1))

    def write(self, target, why, expected, adapter=False):
        """`adapter`: the host's file also has the guest's own link, 20 us away from the guest."""
        self.vm.write(os.path.join(target, 'vm.pcap'))
        self.host.write(os.path.join(target, 'host.pcap'))
        if adapter:
            own = traffic.hexmac(self.vm.mac)
            self.vm.frames = [(when - self.offset + (20e-6 if frame[6:12] == own else -20e-6), frame)
                              for when, frame in self.vm.frames]
            self.vm.write(os.path.join(target, 'adapter'))
            os.rename(os.path.join(target, 'host.pcap'), os.path.join(target, 'uplink'))
            capture.to_pcapng(os.path.join(target, 'host.pcap'),
                              [os.path.join(target, part) for part in ('adapter', 'uplink')])
        expected.update(mode='user-nat', offset_s=self.offset, why=why,
                        origin='synthetic: written by tests/lab/synthetic.py, no kernel or NAT engine was involved')
        with open(os.path.join(target, 'expect.json'), 'w', encoding='utf-8') as file:
            json.dump(expected, file, indent=1)
            file.write('\n')
        return 'synthetic'


SERVERS = ['198.51.100.7', '203.0.113.80', '198.51.100.93', '203.0.113.44']


def vmware(rng, target, why):
    """The resolver asks with numbers of its own, pings are sent anew by the host with another id."""
    pair = Pair(rng, '192.168.88.128', '00:0c:29:4e:7a:10', '00:50:56:f3:0c:11')
    pair.vm.arp(0.1, '192.168.88.2', '00:50:56:f3:0c:11')
    for number in range(7):
        pair.name(0.5 + number * 1.4, '192.168.88.2', f'www{number}.example.com', SERVERS[number % 4])
        pair.connection(0.6 + number * 1.4, SERVERS[number % 4])
    for number in range(4):
        data = rng.randbytes(32)
        pair.vm.echo(3 + number, '203.0.113.44', 0x17, number + 1, data, 0.021, 128)
        pair.host.echo(3.001 + number, '203.0.113.44', 1, 9000 + number, data, 0.018, 52)
    return pair.write(target, why, {'verdict': 'healthy', 'diagnoses': []})


def vmware_blocked(rng, target, why):
    """Captured at the host's adapter of the guest's network, too: what passes there does not go out."""
    pair = Pair(rng, '192.168.88.128', '00:0c:29:4e:7a:10', '00:50:56:f3:0c:11')
    pair.vm.arp(0.1, '192.168.88.2', '00:50:56:f3:0c:11')
    for number in range(7):
        pair.name(0.5 + number * 1.4, '192.168.88.2', f'www{number}.example.com', SERVERS[number % 4])
        pair.connection(0.6 + number * 1.4, SERVERS[number % 4])
    port, seq = pair.port(0), rng.getrandbits(32)
    for when in (0, 1.02, 2.04, 3.06, 4.08):
        pair.vm.tcp(2.5 + when, pair.vm.ip, '198.51.100.25', port, 5432, seq, 0, 2)
    return pair.write(target, why, {'verdict': 'fault', 'diagnoses': [
        {'rule': 'tcp-syn-unanswered', 'place': 'nat', 'direction': 'from-guest',
         'subjects': ['192.168.88.128 > 198.51.100.25:5432/tcp']}]}, adapter=True)


def virtualbox(rng, target, why):
    """The host's timers are others than the guest's; names come from its cache, pings from the engine."""
    pair = Pair(rng, '10.0.2.15', '08:00:27:5a:33:c2', '52:54:00:12:35:02')
    pair.vm.arp(0.1, '10.0.2.2', '52:54:00:12:35:02')
    for number in range(6):
        pair.name(0.5 + number * 1.9, '10.0.2.3', f'www{number}.example.com', SERVERS[number % 4], asked=False)
        pair.connection(0.6 + number * 1.9, SERVERS[number % 4])
        pair.vm.echo(1 + number, '203.0.113.44', 0x2201, number + 1, rng.randbytes(48), 0.02, 255)
    ports, seqs = (pair.port(0), pair.port(1)), (rng.getrandbits(32), rng.getrandbits(32))
    for when in (0, 1.02, 2.04, 3.06, 4.08):
        pair.vm.tcp(2.5 + when, '10.0.2.15', '198.51.100.25', ports[0], 1433, seqs[0], 0, 2)
    for when in (0, 0.5, 1.5, 3.5, 7.5):
        pair.host.tcp(2.502 + when, HOST, '198.51.100.25', ports[1], 1433, seqs[1], 0, 2)
    return pair.write(target, why, {'verdict': 'fault', 'diagnoses': [
        {'rule': 'nat-no-answer', 'place': 'beyond-host', 'direction': 'from-guest',
         'subjects': ['10.0.2.15 > 198.51.100.25:1433/tcp']}]})


def early(rng, target, why):
    """A relay that opens the guest's connection before its own, and resets it when it gives up."""
    pair = Pair(rng, '10.0.2.15', '52:54:00:9d:41:07', '52:55:0a:00:02:02', early=True)
    pair.vm.arp(0.1, '10.0.2.2', '52:55:0a:00:02:02')
    for number in range(6):
        pair.name(0.5 + number * 1.9, '10.0.2.3', f'www{number}.example.com', SERVERS[number % 4])
        pair.connection(0.6 + number * 1.9, SERVERS[number % 4])
    for number in range(4):
        when, ports = 1.3 + number * 1.1, (pair.port(0), pair.port(1))
        seq, ack = rng.getrandbits(32), rng.getrandbits(32)
        pair.vm.tcp(when, '10.0.2.15', '198.51.100.25', ports[0], 1433, seq, 0, 2)
        pair.vm.tcp(when + 0.0004, '198.51.100.25', '10.0.2.15', 1433, ports[0], ack, seq + 1, 18, ttl=255)
        pair.vm.tcp(when + 0.0006, '10.0.2.15', '198.51.100.25', ports[0], 1433, seq + 1, ack + 1, 16)
        pair.vm.tcp(when + 5, '198.51.100.25', '10.0.2.15', 1433, ports[0], ack + 1, seq + 1, 20, ttl=255)
        for late in (0, 1, 3):
            pair.host.tcp(when + 0.001 + late, HOST, '198.51.100.25', ports[1], 1433, seq ^ 0x5a5a5a5a, 0, 2)
    return pair.write(target, why, {'verdict': 'fault', 'diagnoses': [
        {'rule': 'nat-no-answer', 'place': 'beyond-host', 'direction': 'from-guest',
         'subjects': ['10.0.2.15 > 198.51.100.25:1433/tcp']}]})


add('synthetic-vmware-nat-healthy', "VMware's NAT on a Windows host: its resolver and its pings have numbers of their own; everything "
    'works.', vmware, synthetic=True)
add('synthetic-vmware-nat-blocked', "VMware's NAT on a Windows host: SYNs for one server pass the host's adapter of the guest's "
    'network and go no further.', vmware_blocked, synthetic=True)
add('synthetic-virtualbox-nat-no-answer', "VirtualBox's NAT on a Windows host: a server does not answer, and the host's timers are "
    "others than the guest's.", virtualbox, synthetic=True)
add('synthetic-early-handshake', "A relay that answers the guest's SYN before it has the server's answer, which never comes.", early,
    synthetic=True)
