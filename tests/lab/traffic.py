"""Servers and clients: threads that live in the namespace of their machine."""
import random
import socket
import struct
import subprocess
import threading
import time

SSH_BANNERS = [b'SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n', b'SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13\r\n',
               b'SSH-2.0-OpenSSH_8.7\r\n', b'SSH-2.0-OpenSSH_9.3\r\n']


def in_thread(namespace, function, *args):
    def run():
        try:
            with namespace:
                function(*args)
        except OSError:
            pass
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def family(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


def listen(address, port, handler, backlog=64):
    server = socket.socket(family(address))
    if server.family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(backlog)
    while True:
        client, _ = server.accept()
        client.settimeout(40)
        threading.Thread(target=guarded, args=(handler, client), daemon=True).start()


def guarded(handler, sock):
    try:
        handler(sock)
    except OSError:
        pass
    finally:
        sock.close()


def http_server(address, port, server_name='nginx', delay=0.0):
    def handle(sock):
        while True:
            request = b''
            while b'\r\n\r\n' not in request:
                piece = sock.recv(4096)
                if not piece:
                    return
                request += piece
            path = request.split(b' ')[1].decode('latin-1')
            status, body = '200 OK', b'<html><body><h1>It works</h1></body></html>\n' * 6
            if path.startswith('/b/'):
                body = random.randbytes(min(int(path[3:]), 200000))
            elif path.startswith('/missing'):
                status, body = '404 Not Found', b'<html><body>404 Not Found</body></html>\n'
            if delay:
                time.sleep(delay)
            sock.sendall(f'HTTP/1.1 {status}\r\nServer: {server_name}\r\nContent-Type: text/html\r\n'
                         f'Content-Length: {len(body)}\r\n\r\n'.encode())
            sock.sendall(body)
    listen(address, port, handle)


def http_client(address, port, paths, host='', source=None, gap=0.1, timeout=3.0):
    try:
        sock = socket.create_connection((address, port), timeout, source_address=source)
        with sock:
            for path in paths:
                sock.sendall(f'GET {path} HTTP/1.1\r\nHost: {host or address}\r\nUser-Agent: curl/8.5.0\r\n'
                             'Accept: */*\r\n\r\n'.encode())
                answer = b''
                while b'\r\n\r\n' not in answer:
                    piece = sock.recv(65536)
                    if not piece:
                        return
                    answer += piece
                head, body = answer.split(b'\r\n\r\n', 1)
                if b'content-length:' not in head.lower():
                    while sock.recv(65536):
                        pass
                    return
                length = int(head.lower().split(b'content-length:')[1].split(b'\r\n')[0])
                while len(body) < length:
                    piece = sock.recv(65536)
                    if not piece:
                        return
                    body += piece
                if b'connection: close' in head.lower():
                    return
                time.sleep(gap * random.uniform(0.3, 1.6))
    except OSError:
        pass


def ssh_server(address, port):
    banner = random.choice(SSH_BANNERS)

    def handle(sock):
        sock.sendall(banner)
        sock.recv(256)
        sock.sendall(random.randbytes(1080))
        while True:
            if not sock.recv(4096):
                return
            sock.sendall(random.randbytes(random.choice([36, 52, 68, 100, 180])))
    listen(address, port, handle)


def ssh_client(address, port, keys, gap, timeout=3.0):
    """An interactive session: about `gap` seconds between `keys` keystrokes."""
    try:
        with socket.create_connection((address, port), timeout) as sock:
            sock.recv(256)
            sock.sendall(random.choice(SSH_BANNERS))
            sock.recv(4096)
            for _ in range(keys):
                sock.sendall(random.randbytes(random.choice([36, 36, 52, 84])))
                sock.recv(4096)
                time.sleep(gap * random.uniform(0.2, 2.0))
    except OSError:
        pass


def dns_name(name):
    return b''.join(bytes([len(label)]) + label.encode() for label in name.split('.')) + b'\0'


def dns_server(address, port, zone, delay=0.0):
    """Answers names of `zone` (name -> address); all others do not exist."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.bind((address, port))
    while True:
        query, client = sock.recvfrom(1500)
        labels, at = [], 12
        while at < len(query) and query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode('latin-1'))
            at += 1 + query[at]
        question, name = query[12:at + 5], '.'.join(labels)
        kind = struct.unpack('!H', query[at + 1:at + 3])[0]
        known, answer = name in zone, b''
        if known and kind == 1:
            answer = b'\xc0\x0c' + struct.pack('!HHIH', 1, 1, 300, 4) + socket.inet_aton(zone[name])
        head = struct.pack('!HHHHH', 0x8180 if known else 0x8183, 1, bool(answer), 0, 0)
        if delay:
            time.sleep(delay)
        try:
            sock.sendto(query[:2] + head + question + answer, client)
        except OSError:
            pass


def dns_client(address, names, tries=2, timeout=1.5, port=53, both=False):
    """Asks for each name like a stub resolver, with the same id on each retry."""
    for name in names:
        for kind in ([1, 28] if both else [1]):
            with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
                sock.settimeout(timeout)
                query = random.randbytes(2) + b'\x01\0\0\1\0\0\0\0\0\0' + dns_name(name) + struct.pack('!HH', kind, 1)
                for _ in range(tries):
                    try:
                        sock.sendto(query, (address, port))
                        sock.recv(1500)
                        break
                    except OSError:
                        continue


def udp_server(address, port, size=48):
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.bind((address, port))
    while True:
        data, client = sock.recvfrom(2000)
        try:
            sock.sendto((b'\x24\x01' + random.randbytes(size))[:len(data)], client)
        except OSError:
            pass  # no way back to who asks


def udp_client(address, port, count, gap, size=48, timeout=1.0):
    with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        for _ in range(count):
            try:
                sock.sendto(b'\x23' + random.randbytes(size - 1), (address, port))
                sock.recv(2000)
            except OSError:
                pass
            time.sleep(gap)


def connect(address, port, hold=6.0, times=1, gap=0.5):
    """Tries to connect, each time from a new port, and gives up after `hold` seconds."""
    for _ in range(times):
        try:
            with socket.create_connection((address, port), hold) as sock:
                sock.settimeout(1)
                sock.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
                sock.recv(4096)
        except OSError:
            pass
        time.sleep(gap)


def ping(address, count, gap=0.5, size=56, wait=1, more=()):
    subprocess.run(['ping', '-n', '-q', '-c', str(count), '-i', f'{gap:.2f}', '-s', str(size), '-W', str(wait), *more,
                    address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                   timeout=60)


def curl(address, path='/', port=80, timeout=4):
    host = f'[{address}]' if ':' in address else address
    subprocess.run(['curl', '-g', '-s', '-o', '/dev/null', '-m', str(timeout), f'http://{host}:{port}{path}'],
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def scan(address, ports, gap=0.05):
    for port in ports:
        with socket.socket() as sock:
            sock.settimeout(0.3)
            sock.connect_ex((address, port))
        time.sleep(gap)


# Frames of machines that do not exist.

def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def hexmac(mac):
    return bytes.fromhex(mac.replace(':', ''))


def ethernet(source, target, kind, payload):
    return (hexmac(target) + hexmac(source) + struct.pack('!H', kind) + payload).ljust(60, b'\0')


def arp(source, ip, wanted, reply_to=None):
    body = struct.pack('!HHBBH', 1, 0x800, 6, 4, 2 if reply_to else 1) + hexmac(source) + socket.inet_aton(ip)
    return ethernet(source, reply_to or 'ff:ff:ff:ff:ff:ff', 0x806,
                    body + (hexmac(reply_to) if reply_to else b'\0' * 6) + socket.inet_aton(wanted))


def ipv4(source, target, protocol, payload, ttl, number, options=b''):
    head = struct.pack('!BBHHHBBH4s4s', 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), number, 0, ttl,
                       protocol, 0, socket.inet_aton(source), socket.inet_aton(target)) + options
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + payload


def udp(source, target, sport, dport, data, number, ttl=1):
    length = 8 + len(data)
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack('!BBH', 0, 17, length)
    head = struct.pack('!HHHH', sport, dport, length, 0)
    total = checksum(pseudo + head + data) or 0xffff
    return ipv4(source, target, 17, struct.pack('!HHHH', sport, dport, length, total) + data, ttl, number)


def icmp6(mac, target_mac, source, target, body, hops=255):
    src, dst = socket.inet_pton(socket.AF_INET6, source), socket.inet_pton(socket.AF_INET6, target)
    sum6 = checksum(src + dst + struct.pack('!II', len(body), 58) + body)
    body = body[:2] + struct.pack('!H', sum6) + body[4:]
    return ethernet(mac, target_mac, 0x86dd, struct.pack('!IHBB', 0x60000000, len(body), 58, hops) + src + dst + body)


def link_local(mac):
    raw = bytearray(hexmac(mac))
    raw[0] ^= 2
    return socket.inet_ntop(socket.AF_INET6, b'\xfe\x80' + b'\0' * 6 + bytes(raw[:3]) + b'\xff\xfe' + bytes(raw[3:]))


class Noise:
    """The chatter of a LAN: every frame is a broadcast, a multicast or an ARP answer."""

    def __init__(self, rng, prefix, router, known, devices, absent):
        self.rng, self.prefix, self.router, self.known = rng, prefix, router, known
        self.devices, self.absent = devices, absent
        self.bridge_mac = rng.choice(devices)[0]
        self.kinds = rng.sample(['ssdp', 'mdns', 'mdns6', 'nbns', 'llmnr', 'dropbox', 'igmp', 'rs', 'ns', 'mld',
                                 'inform', 'announce'], rng.randint(5, 11)) + ['arp', 'arp', 'arp']

    def frame(self, kind, mac, ip):
        rng, number = self.rng, self.rng.randint(1, 65535)
        broadcast = self.prefix + '.255'

        def multicast(group, sport, dport, data, ttl=1, mac_to=None):
            to = mac_to or '01:00:5e:' + ':'.join(f'{int(part) & (127 if n == 0 else 255):02x}'
                                                  for n, part in enumerate(group.split('.')[1:]))
            return ethernet(mac, to, 0x800, udp(ip, group, sport, dport, data, number, ttl))
        if kind == 'arp':
            return arp(mac, ip, rng.choice(self.absent + [self.router] + self.known))
        if kind == 'announce':
            return arp(mac, ip, ip)
        if kind == 'ssdp':
            return multicast('239.255.255.250', rng.randint(49152, 65535), 1900,
                             b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n'
                             b'ST: ' + rng.choice([b'ssdp:all', b'upnp:rootdevice',
                                                   b'urn:dial-multiscreen-org:service:dial:1']) + b'\r\n\r\n')
        query = dns_name(rng.choice(['_spotify-connect._tcp.local', '_smb._tcp.local', '_ipp._tcp.local',
                                     '_companion-link._tcp.local', '_googlecast._tcp.local']))
        mdns = b'\0' * 5 + b'\1' + b'\0' * 6 + query + b'\0\x0c\0\1'
        if kind == 'mdns':
            return multicast('224.0.0.251', 5353, 5353, mdns, 255)
        if kind == 'llmnr':
            return multicast('224.0.0.252', rng.randint(49152, 65535), 5355,
                             rng.randbytes(2) + b'\0\0\0\1' + b'\0' * 6 + dns_name('wpad') + b'\0\1\0\1')
        if kind == 'nbns':
            name = f'WORKGROUP{rng.randint(0, 9)}'.ljust(16)[:16]
            coded = ''.join(chr(65 + (ord(c) >> 4)) + chr(65 + (ord(c) & 15)) for c in name)
            return multicast(broadcast, 137, 137, rng.randbytes(2) + b'\x01\x10\0\1' + b'\0' * 6 + dns_name(coded)
                             + b'\0\x20\0\1', 64, 'ff:ff:ff:ff:ff:ff')
        if kind == 'dropbox':
            return multicast('255.255.255.255', 17500, 17500, b'{"version": [2, 0], "port": 17500, "host_int": '
                             + str(rng.getrandbits(60)).encode() + b', "displayname": "", "namespaces": []}', 64,
                             'ff:ff:ff:ff:ff:ff')
        if kind == 'inform':
            boot = struct.pack('!BBBBIHH4s12s16s', 1, 1, 6, 0, rng.getrandbits(32), 0, 0, socket.inet_aton(ip), b'',
                               hexmac(mac)) + b'\0' * 192 + b'\x63\x82\x53\x63\x35\x01\x08\x37\x03\x01\x03\x06\xff'
            return multicast('255.255.255.255', 68, 67, boot.ljust(300, b'\0'), 128, 'ff:ff:ff:ff:ff:ff')
        if kind == 'igmp':
            group = rng.choice(['224.0.0.251', '239.255.255.250', '224.0.0.252'])
            body = struct.pack('!BBH4s', 0x16, 0, 0, socket.inet_aton(group))
            body = body[:2] + struct.pack('!H', checksum(body)) + body[4:]
            return ethernet(mac, '01:00:5e:' + ':'.join(f'{int(p) & 127 if n == 0 else int(p):02x}' for n, p in
                                                        enumerate(group.split('.')[1:])), 0x800,
                            ipv4(ip, group, 2, body, 1, number, b'\x94\4\0\0'))
        if kind == 'stp':
            bridge = b'\x80\0' + hexmac(self.bridge_mac)
            return (hexmac('01:80:c2:00:00:00') + hexmac(self.bridge_mac) + b'\0\x26\x42\x42\x03\0\0\0\0\0' + bridge
                    + b'\0\0\0\0' + bridge + b'\x80\x01\0\0\x14\0\x02\0\x0f\0').ljust(60, b'\0')
        own = link_local(mac)
        if kind == 'mdns6':
            data = struct.pack('!HHHH', 5353, 5353, 8 + len(mdns), 0) + mdns
            src, dst = (socket.inet_pton(socket.AF_INET6, a) for a in (own, 'ff02::fb'))
            data = data[:6] + struct.pack('!H', checksum(src + dst + struct.pack('!II', len(data), 17) + data)) + data[8:]
            return ethernet(mac, '33:33:00:00:00:fb', 0x86dd,
                            struct.pack('!IHBB', 0x60000000, len(data), 17, 255) + src + dst + data)
        if kind == 'rs':
            return icmp6(mac, '33:33:00:00:00:02', own, 'ff02::2', b'\x85' + b'\0' * 7 + b'\1\1' + hexmac(mac))
        if kind == 'mld':
            body = b'\x8f' + b'\0' * 6 + b'\1\4\0\0\0' + socket.inet_pton(socket.AF_INET6, 'ff02::fb')
            return icmp6(mac, '33:33:00:00:00:16', own, 'ff02::16', body, 1)
        wanted = link_local(rng.choice(self.devices)[0])
        raw = socket.inet_pton(socket.AF_INET6, wanted)
        group = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, 'ff02::1:ff00:0')[:13] + raw[13:])
        return icmp6(mac, '33:33:ff:' + ':'.join(f'{b:02x}' for b in raw[13:]), own, group,
                     b'\x87' + b'\0' * 7 + raw + b'\1\1' + hexmac(mac))

    def run(self, device, seconds, rate):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sock.bind((device, 0))
        end, next_hello = time.time() + seconds, 0
        while time.time() < end:
            if time.time() > next_hello:
                next_hello = time.time() + 2
                sock.send(self.frame('stp', '', ''))
            mac, ip = self.rng.choice(self.devices)
            kind = self.rng.choice(self.kinds)
            for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
                sock.send(self.frame(kind, mac, ip))
            time.sleep(self.rng.expovariate(rate))
