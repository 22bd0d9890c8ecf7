"""Captures: taking them, and what is done to the files afterwards."""
import os
import signal
import struct
import subprocess
import time


class Capture:
    """One tcpdump, or one dumpcap where several interfaces go into one file."""

    def __init__(self, namespace, interfaces, path, snaplen=None, nano=False, linktype=None, expression=None,
                 more=()):
        self.path = path
        if len(interfaces) > 1:
            command = ['dumpcap', '-q', '-w', path]
            for interface in interfaces:
                command += ['-i', interface] + (['-f', expression] if expression else [])
                command += ['-s', str(snaplen)] if snaplen else []
        else:
            command = ['tcpdump', '-n', '-U', '-Z', 'root', '-i', interfaces[0], '-w', path, *more]
            command += ['-s', str(snaplen)] if snaplen else []
            command += ['--nano'] if nano else []
            command += ['-y', linktype] if linktype else []
            command += [expression] if expression else []
        with namespace:
            self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL)
        os.set_blocking(self.process.stderr.fileno(), False)
        self.messages = b''

    def ready(self, timeout=8):
        end = time.time() + timeout
        while time.time() < end:
            self.messages += self.process.stderr.read() or b''
            if b'listening on' in self.messages or b'File: ' in self.messages:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f'no capture: {self.messages.decode(errors="replace")}')

    def pause(self, after, seconds):
        """Stops reading for a while: the kernel's buffer overflows and packets are not captured."""
        time.sleep(after)
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        time.sleep(0.15)
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def shift_pcap(path, seconds, drift_ppm=0.0):
    """Moves the time stamps of a pcap file, and lets them drift."""
    with open(path, 'rb') as file:
        data = bytearray(file.read())
    unit = 10 ** 9 if data[:4] == b'\x4d\x3c\xb2\xa1' else 10 ** 6
    at, first = 24, None
    while at + 16 <= len(data):
        whole, part, length = struct.unpack_from('<III', data, at)
        stamp = whole * unit + part
        first = stamp if first is None else first
        stamp += round(seconds * unit) + round((stamp - first) * drift_ppm / 1e6)
        struct.pack_into('<II', data, at, stamp // unit, stamp % unit)
        at += 16 + length
    with open(path, 'wb') as file:
        file.write(data)


def step_pcap(path, seconds):
    """Sets the clock of a pcap file at two fifths of its frames."""
    with open(path, 'rb') as file:
        data = bytearray(file.read())
    unit = 10 ** 9 if data[:4] == b'\x4d\x3c\xb2\xa1' else 10 ** 6
    frames, at = [], 24
    while at + 16 <= len(data):
        frames.append(at)
        at += 16 + struct.unpack_from('<I', data, at + 8)[0]
    for at in frames[len(frames) * 2 // 5:]:
        whole, part = struct.unpack_from('<II', data, at)
        stamp = whole * unit + part + round(seconds * unit)
        struct.pack_into('<II', data, at, stamp // unit, stamp % unit)
    with open(path, 'wb') as file:
        file.write(data)


def plain_section_headers(path):
    """Removes the options of section headers: they name the machine that captured."""
    with open(path, 'rb') as file:
        data = file.read()
    out, at = b'', 0
    while at < len(data):
        kind, length = struct.unpack_from('<II', data, at)
        block = data[at:at + length]
        if kind == 0x0a0d0d0a:
            block = struct.pack('<II', kind, 28) + block[8:24] + struct.pack('<I', 28)
        out += block
        at += length
    with open(path, 'wb') as file:
        file.write(out)


def to_pcapng(path, parts=None):
    """Rewrites a pcap as pcapng; several `parts` become one file with an interface each."""
    target = path + 'ng'
    tool = ['mergecap', '-I', 'none', '-w', target, *parts] if parts else ['editcap', '-F', 'pcapng', path, target]
    subprocess.run(tool, check=True, capture_output=True, timeout=30)
    plain_section_headers(target)
    for part in parts or [path]:
        os.remove(part)
    return target


def compress(path, method):
    if method == 'gz':
        subprocess.run(['gzip', '-9n', path], check=True, timeout=30)
        return path + '.gz'
    if method == 'zst':
        subprocess.run(['zstd', '-q', '-19', '--rm', path], check=True, timeout=30)
        return path + '.zst'
    return path


def rows(path, display_filter, *fields):
    """What tshark shows of the frames that a filter selects."""
    command = ['tshark', '-n', '-r', path, '-Y', display_filter, '-T', 'fields', '-E', 'occurrence=f']
    for field in fields or ['frame.number']:
        command += ['-e', field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f'tshark: {display_filter}: {done.stderr.strip().splitlines()[-1]}')
    return [line.split('\t') for line in done.stdout.splitlines()]


def count(path, display_filter):
    return len(rows(path, display_filter))


def unanswered(path, vm_ip, guard=2.0):
    """Peers of the guest with an exchange that got no answer, for the guest's file: {(kind, peer)}."""
    pending, last = {}, 0.0
    for row in rows(path, f'(arp && !arp.isgratuitous) || ip.addr == {vm_ip}', 'frame.time_relative', 'arp.opcode',
                    'arp.src.proto_ipv4', 'arp.dst.proto_ipv4', 'ip.src', 'ip.dst', 'icmp.type', 'icmp.ident',
                    'icmp.seq', 'tcp.flags', 'tcp.srcport', 'tcp.dstport', 'dns.id', 'dns.flags.response',
                    'udp.srcport', 'udp.dstport'):
        row += [''] * (16 - len(row))
        (when, op, spa, tpa, src, dst, kind, ident, seq, flags, sport, dport, dns, response, uport, vport) = row
        last = when = float(when)
        if kind not in ('', '0', '8'):
            continue
        if op == '1' and spa == vm_ip:
            pending.setdefault(('arp', tpa, ''), []).append(when)
        elif op == '2' and tpa == vm_ip:
            pending.pop(('arp', spa, ''), None)
        elif kind == '8':
            pending.setdefault(('icmp', dst if src == vm_ip else src, ident + '/' + seq), []).append(when)
        elif kind == '0':
            pending.pop(('icmp', dst if src == vm_ip else src, ident + '/' + seq), None)
        elif flags:
            bits = int(flags, 16)
            if bits & 0x12 == 2:
                pending.setdefault(('tcp', dst if src == vm_ip else src, src + sport + dport), []).append(when)
            elif bits & 0x16:
                pending.pop(('tcp', dst if src == vm_ip else src, dst + dport + sport), None)
        elif dns and not dst.startswith(('224.', '239.', '255.')) and not dst.endswith('.255'):
            key = ('dns', dst if response in ('0', 'False') else src, dns)
            if response in ('1', 'True'):
                pending.pop(key, None)
            else:
                pending.setdefault(key, []).append(when)
    return {key[:2] for key, times in pending.items() if times[0] < last - guard}
