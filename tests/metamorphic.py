#!/usr/bin/env python3
"""What must not change the diagnosis, and what may only make it vaguer.

    tests/metamorphic.py [--pcapdiag PROGRAM] [--rules DIR] [--samples DIR] [--only WORD] [--transform WORD] [-v]

Every sample is diagnosed as it is and transformed.  After a lossless transformation the verdict and the diagnoses
(rule, place, direction) are the same.  After a lossy one they are the same, or vaguer: inconclusive, some of the
diagnoses or of their symptoms, one without its place or direction, or one that says of itself that what it was before
cannot be excluded; or unnamed: inconclusive, and the report has no
note or limit that says what the files lack; or hidden: healthy, and the report says that a
file hides something, or the protocol that failed was taken out of a file, so that what was lost before the other file
is in neither.  Never another fault, never a fault in a healthy pair.  Exit status 1 if anything else happened.
"""
import argparse
import collections
import concurrent.futures
import functools
import gzip
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

SECOND = 10**9
PCAP_MAGIC = {b'\xd4\xc3\xb2\xa1': ('<', 1000), b'\xa1\xb2\xc3\xd4': ('>', 1000),
              b'\x4d\x3c\xb2\xa1': ('<', 1), b'\xa1\xb2\x3c\x4d': ('>', 1)}
# How the report says that a file lacks something
HINTS = {'cap-filtered', 'cap-gaps', 'cap-one-way', 'cap-truncated'}
HIDING = [f'no-{protocol}-{role}' for protocol in ('arp', 'icmp', 'tcp', 'dns') for role in ('host', 'vm')]
COLUMNS = ('same', 'vaguer', 'unnamed', 'hidden', 'changed')
ETHERTYPE_AT = {1: 12, 113: 14, 276: 0}
PAYLOAD_AT = {1: 14, 113: 16, 276: 20}


class Interface:
    """One interface: link type, snap length, name and filter as pcapng options, ticks a second"""

    def __init__(self, linktype, snaplen, options=b'', ticks=10**6):
        self.linktype, self.snaplen, self.options, self.ticks = linktype, snaplen, options, ticks


class Frame:
    """One frame, and what it carries: 'arp', 'icmp', 'tcp', 'dns' or None"""
    __slots__ = ('interface', 'ns', 'data', 'length', 'options', 'protocol')

    def __init__(self, interface, ns, data, length, options=b''):
        self.interface, self.ns, self.data, self.length, self.options = interface, ns, data, length, options
        self.protocol = None

    def cut(self, snaplen):
        return Frame(self.interface, self.ns, self.data[:snaplen], self.length, self.options)

    def on(self, interface):
        return Frame(interface, self.ns, self.data, self.length, self.options)

    def shifted(self, ns):
        return Frame(self.interface, self.ns + ns, self.data, self.length, self.options)


class Capture:
    def __init__(self, pcapng, interfaces, frames, path=None):
        self.pcapng, self.interfaces, self.frames, self.path = pcapng, interfaces, frames, path

    def having(self, frames):
        return Capture(self.pcapng, self.interfaces, list(frames))

    def span(self):
        times = [f.ns for f in self.frames]
        return (min(times), max(times)) if times else (0, 0)


def protocol_of(linktype, data):
    at = PAYLOAD_AT.get(linktype)
    if at is None:
        return None
    kind, = struct.unpack_from('>H', data, ETHERTYPE_AT[linktype])
    while kind in (0x8100, 0x88a8):
        kind, = struct.unpack_from('>H', data, at + 2)
        at += 4
    if kind == 0x806:
        return 'arp'
    if kind == 0x800 and len(data) >= at + 20:
        proto, at = data[at + 9], at + (data[at] & 15) * 4
    elif kind == 0x86dd and len(data) >= at + 40:
        proto, at = data[at + 6], at + 40
    else:
        return None
    if proto in (1, 58):
        return 'icmp'
    if proto == 6:
        return 'tcp'
    if proto == 17 and 53 in struct.unpack_from('>HH', data.ljust(at + 4, b'\0'), at):
        return 'dns'
    return None


def read_pcap(raw):
    order, scale = PCAP_MAGIC[raw[:4]]
    snaplen, linktype = struct.unpack_from(order + 'II', raw, 16)
    frames, at = [], 24
    while at + 16 <= len(raw):
        s, fraction, caplen, length = struct.unpack_from(order + 'IIII', raw, at)
        frames.append(Frame(0, s * SECOND + fraction * scale, raw[at + 16:at + 16 + caplen], length))
        at += 16 + caplen
    return Capture(False, [Interface(linktype, snaplen)], frames)


def options_of(order, raw):
    at = 0
    while at + 4 <= len(raw):
        code, n = struct.unpack_from(order + 'HH', raw, at)
        yield code, raw[at + 4:at + 4 + n], raw[at:at + 4 + (n + 3) // 4 * 4]
        at += 4 + (n + 3) // 4 * 4


def read_interface(order, body):
    linktype, _, snaplen = struct.unpack_from(order + 'HHI', body)
    ticks, kept = 10**6, b''
    for code, value, whole in options_of(order, body[8:]):
        if code == 9:
            ticks = 2**(value[0] & 127) if value[0] & 128 else 10**value[0]
        elif code:
            kept += whole
    return Interface(linktype, snaplen, kept, ticks)


def read_pcapng(raw):
    out, at, base, order = Capture(True, [], []), 0, 0, '<'
    while at + 12 <= len(raw):
        if raw[at:at + 4] == b'\x0a\x0d\x0d\x0a':
            order = '<' if raw[at + 8:at + 12] == b'\x4d\x3c\x2b\x1a' else '>'
            base = len(out.interfaces)
        kind, n = struct.unpack_from(order + 'II', raw, at)
        body = raw[at + 8:at + n - 4]
        if kind == 1:
            out.interfaces.append(read_interface(order, body))
        elif kind == 6:
            i, high, low, caplen, length = struct.unpack_from(order + 'IIIII', body)
            ticks = out.interfaces[base + i].ticks
            out.frames.append(Frame(base + i, ((high << 32) + low) * SECOND // ticks, body[20:20 + caplen], length,
                                    body[20 + (caplen + 3) // 4 * 4:]))
        at += n
    return out


def read(path):
    raw = path.read_bytes()
    if raw[:2] == b'\x1f\x8b':
        raw = gzip.decompress(raw)
    elif raw[:4] == b'\x28\xb5\x2f\xfd':
        raw = subprocess.run(['zstd', '-dcq', path], stdout=subprocess.PIPE, check=True).stdout
    capture = read_pcap(raw) if raw[:4] in PCAP_MAGIC else read_pcapng(raw)
    capture.path = path
    for f in capture.frames:
        f.protocol = protocol_of(capture.interfaces[f.interface].linktype, f.data)
    return capture


def write_pcap(c, nanoseconds=False):
    scale = 1 if nanoseconds else 1000
    i = c.interfaces[0]
    out = [struct.pack('<IHHiIII', 0xa1b23c4d if nanoseconds else 0xa1b2c3d4, 2, 4, 0, 0, i.snaplen, i.linktype)]
    for f in c.frames:
        out.append(struct.pack('<IIII', f.ns // SECOND, f.ns % SECOND // scale, len(f.data), f.length))
        out.append(f.data)
    return b''.join(out)


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack('<II', kind, len(body) + 12) + body + struct.pack('<I', len(body) + 12)


def write_pcapng(c, nanoseconds=False):
    digits = 9 if nanoseconds else 6
    out = [block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1))]
    for i in c.interfaces:
        options = i.options + struct.pack('<HHB3x', 9, 1, digits) + bytes(4)
        out.append(block(1, struct.pack('<HHI', i.linktype, 0, i.snaplen) + options))
    for f in c.frames:
        ticks = f.ns // 10**(9 - digits)
        head = struct.pack('<IIIII', f.interface, ticks >> 32, ticks & 0xffffffff, len(f.data), f.length)
        out.append(block(6, head + f.data + bytes(-len(f.data) % 4) + f.options))
    return b''.join(out)


def write(c, pcapng=None, nanoseconds=None):
    if nanoseconds is None:
        nanoseconds = any(f.ns % 1000 for f in c.frames)
    return (write_pcapng if (c.pcapng if pcapng is None else pcapng) else write_pcap)(c, nanoseconds)


def zstd(raw):
    return subprocess.run(['zstd', '-1cq'], input=raw, stdout=subprocess.PIPE, check=True).stdout


def on(role, change):
    """A lossy transformation of one file: CHANGE(capture) gives frames"""
    def transform(pair):
        return {r: write(c.having(change(c))) if r == role else c.path for r, c in pair.items()}
    return transform


def on_both(make):
    return lambda pair: {role: make(c) for role, c in pair.items()}


def without(protocol):
    return lambda c: (f for f in c.frames if f.protocol != protocol)


def without_time(first, last):
    """Without what lies between two instants, given as functions of the file's span"""
    def change(c):
        a, b = c.span()
        return (f for f in c.frames if not first(a, b) <= f.ns < last(a, b))
    return change


def stepped(ns):
    """As if the clock had been set at 40 % of the file"""
    def change(c):
        at = len(c.frames) * 2 // 5
        return (f.shifted(ns if i >= at else 0) for i, f in enumerate(c.frames))
    return change


def stretched(role, ppm):
    """As if the clock of ROLE ran fast; one file that is given twice has one clock"""
    def change(c):
        start, _ = c.span()
        return (f.shifted((f.ns - start) * ppm // 10**6) for f in c.frames)

    def transform(pair):
        twice = [f.data for f in pair['host'].frames] == [f.data for f in pair['vm'].frames]
        return {r: write(c.having(change(c))) if twice or r == role else c.path for r, c in pair.items()}
    return transform


def split(pair):
    """Each interface in a file of its own; but each port of a Hyper-V switch, as etl2pcapng names it, has one direction
    only: they stay together"""
    files = {}
    for role, c in pair.items():
        parts = [[f for f in c.frames if f.interface == i] for i in range(len(c.interfaces))]
        files[role] = c.path
        if sum(map(bool, parts)) > 1 and not any(b'vNIC:' in i.options for i in c.interfaces):
            files[role] = [write(Capture(True, [c.interfaces[i]], [f.on(0) for f in part]))
                           for i, part in enumerate(parts) if part]
    return files


def merged(pair):
    """As if each file had been cut in the middle and put together again: each half is an interface"""
    def change(c):
        n = len(c.interfaces)
        frames = [f.on(f.interface + n * (i >= len(c.frames) // 2)) for i, f in enumerate(c.frames)]
        return write(Capture(True, c.interfaces * 2, frames))
    return {role: change(c) for role, c in pair.items()}


def addresses(c):
    """MAC and private IPv4 addresses of a capture with Ethernet headers"""
    found = set()
    for f in c.frames:
        if c.interfaces[f.interface].linktype != 1:
            continue
        found |= {mac for mac in (f.data[:6], f.data[6:12]) if not mac[0] & 1}
        for at in {b'\x08\x00': (26, 30), b'\x08\x06': (28, 38)}.get(f.data[12:14], ()):
            ip = f.data[at:at + 4]
            if ip[:1] == b'\x0a' or ip[:2] == b'\xc0\xa8' or (ip[:1] == b'\xac' and ip[1] & 0xf0 == 16):
                found.add(ip)
    return found


def stranger_in(pairs):
    """Adds the frames of another sample's guest, as a third machine beyond the host"""
    guests = [(addresses(p['vm']), p['vm']) for p in pairs if p['vm'].interfaces[0].linktype == 1]

    def transform(pair):
        role = 'vm' if are_exchanged(pair) else 'host'
        c = pair[role]
        at = len(c.interfaces) - 1
        known = addresses(pair['host']) | addresses(pair['vm'])
        other = next((g for a, g in guests if a and not a & known), None)
        if c.interfaces[at].linktype != 1 or not other:
            return {role: c.path for role, c in pair.items()}
        shift = c.span()[0] - other.span()[0]
        more = [f.shifted(shift).on(at) for f in other.frames]
        frames = sorted(c.frames + more, key=lambda f: f.ns) if is_sorted(c) else c.frames + more
        return {r: write(c.having(frames)) if r == role else other.path for r, other in pair.items()}
    return transform


def are_exchanged(pair):
    """Is the file that is given as the host's the guest's?"""
    expected = json.loads((pair['host'].path.parent / 'expect.json').read_text())
    return 'cap-input-mixup' in expected.get('notes', [])


def is_sorted(c):
    return all(a.ns <= b.ns for a, b in zip(c.frames, c.frames[1:]))


def transformations(pairs):
    """name, lossless, transformation: pair of captures -> bytes by role"""
    yield 'shift-host', True, on('host', lambda c: (f.shifted(3 * 3600 * SECOND) for f in c.frames))
    yield 'shift-vm', True, on('vm', lambda c: (f.shifted(3 * 3600 * SECOND) for f in c.frames))
    for role, ms in (('vm', 300), ('vm', -300), ('vm', 5000), ('vm', -3600000), ('host', -300), ('host', -5000)):
        yield f'step-{role}{ms:+}ms', True, on(role, stepped(ms * 10**6))
    for role, ppm in (('vm', 100), ('vm', -20), ('host', 50)):
        yield f'stretch-{role}{ppm:+}ppm', True, stretched(role, ppm)
    yield 'pcapng', True, on_both(lambda c: write(c, pcapng=True))
    yield 'nanoseconds', True, on_both(lambda c: write(c, nanoseconds=True))
    yield 'gzip', True, on_both(lambda c: gzip.compress(write(c), 1))
    yield 'zstd', True, on_both(lambda c: zstd(write(c)))
    yield 'swap', True, lambda pair: {'host': pair['vm'].path, 'vm': pair['host'].path}
    yield 'split', True, split
    yield 'merge', True, merged
    yield 'stranger', False, stranger_in(pairs)
    yield 'snap-96', False, on_both(lambda c: write(c.having(f.cut(96) for f in c.frames)))
    for role in ('host', 'vm'):
        yield f'no-first-{role}', False, on(role, without_time(lambda a, b: a, lambda a, b: a + SECOND))
        yield f'no-last-{role}', False, on(role, without_time(lambda a, b: b - SECOND, lambda a, b: b + 1))
        yield f'hole-{role}', False, on(role, without_time(lambda a, b: (a + b - SECOND) // 2,
                                                           lambda a, b: (a + b + SECOND) // 2))
        for protocol in ('arp', 'icmp', 'tcp', 'dns'):
            yield f'no-{protocol}-{role}', False, on(role, without(protocol))


class Result:
    """What the program tells of one pair"""

    def __init__(self, report=None, error=None):
        report = report or {}
        self.error, self.verdict = error, report.get('verdict')
        self.diagnoses = self.named(report.get('diagnoses', []))
        self.symptoms = self.named(report.get('symptoms', []))
        self.rules = {d['rule'] for d in report.get('diagnoses', [])}
        # By diagnosis: what the report itself says that it cannot exclude
        self.doubts = collections.defaultdict(set)
        for d in report.get('diagnoses', []):
            self.doubts[self.named([d])[0]] |= {b.split(' cannot be excluded')[0] for b in d['because']}
        self.protocols = {s['proto'] for d in report.get('diagnoses', []) for s in d['subjects']}
        self.hints = sorted({n['rule'] for n in report.get('notes', [])}) + report.get('limits', [])

    @staticmethod
    def named(diagnoses):
        return sorted(f"{d['rule']} ({d['place']}, {d['direction']})" for d in diagnoses)

    def __eq__(self, other):
        return (self.verdict, self.diagnoses, self.error) == (other.verdict, other.diagnoses, other.error)

    def __str__(self):
        return self.error or ': '.join([self.verdict] + ['; '.join(self.diagnoses)] * bool(self.diagnoses))


def diagnose(command, files):
    """FILES: by role, each a list"""
    if all(len(names) == 1 for names in files.values()):
        arguments = files['host'] + files['vm']
    else:
        arguments = [word for role in ('host', 'vm') for name in files[role] for word in ('--' + role, name)]
    run = subprocess.run([*command, '-f', 'json', *arguments], capture_output=True, check=False)
    if run.returncode not in (0, 1, 3):
        return Result(error=f'status {run.returncode}: {run.stderr.decode().strip()}')
    return Result(json.loads(run.stdout))


def weaken(diagnosis):
    """The same diagnosis without its place or its direction"""
    rule, _, rest = diagnosis.partition(' (')
    place, _, direction = rest.rstrip(')').partition(', ')
    return {f'{rule} ({p}, {d})' for p in (place, 'None') for d in (direction, 'None')}


def compare(before, after, name, lossless):
    """'same', 'vaguer', 'unnamed', 'hidden' or 'changed'"""
    if before.error or after.error:
        return 'changed'
    if after == before:
        return 'same'
    if lossless:
        return 'changed'
    if after.verdict == 'inconclusive' and not after.hints:
        return 'unnamed'
    known = set().union(*map(weaken, before.diagnoses + before.symptoms))
    vaguer = all(d in known or after.doubts[d] & before.rules for d in after.diagnoses)
    if after.verdict == 'inconclusive' or (after.diagnoses and vaguer):
        return 'vaguer'
    if after.verdict == 'healthy' and before.verdict != 'healthy' and (
            set(after.hints) & HINTS or name in HIDING and before.protocols <= {name.split('-')[1]}):
        return 'hidden'
    return 'changed'


def save(folder, role, contents):
    names = []
    for i, content in enumerate(contents):
        names.append(pathlib.Path(folder) / f'{role}{i or ""}')
        names[-1].write_bytes(content)
    return names


class Run:
    def __init__(self, options):
        self.command = [options.pcapdiag] + (['-R', options.rules] if options.rules else [])
        self.verbose = options.verbose
        self.pairs = {}
        for folder in sorted(p.parent for p in pathlib.Path(options.samples).glob('*/expect.json')):
            files = {role: list(folder.glob(role + '.*')) for role in ('host', 'vm')}
            if options.only in folder.name and all(len(f) == 1 for f in files.values()):
                self.pairs[folder.name] = {role: read(f[0]) for role, f in files.items()}
        self.transformations = [t for t in transformations(list(self.pairs.values())) if options.transform in t[0]]

    def result(self, transform, pair):
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for role, content in transform(pair).items():
                files[role] = [content]
                if not isinstance(content, pathlib.Path):
                    files[role] = save(folder, role, content if isinstance(content, list) else [content])
            return diagnose(self.command, files)

    def results(self, transform):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return dict(zip(self.pairs, pool.map(functools.partial(self.result, transform), self.pairs.values())))

    def all(self):
        before = self.results(lambda pair: {role: c.path for role, c in pair.items()})
        counts, listed = {}, []
        for name, lossless, transform in self.transformations:
            after = self.results(transform)
            counts[name] = collections.Counter()
            for sample in self.pairs:
                result = compare(before[sample], after[sample], name, lossless)
                counts[name][result] += 1
                if result == 'changed' or (self.verbose and result != 'same'):
                    listed.append(f'{result}: {sample} {name}: {before[sample]} -> {after[sample]}')
        return counts, listed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--pcapdiag', default='./pcapdiag', metavar='PROGRAM')
    parser.add_argument('--rules', metavar='DIR')
    parser.add_argument('--samples', default='samples', metavar='DIR')
    parser.add_argument('--only', default='', metavar='WORD', help='samples whose name has this word')
    parser.add_argument('--transform', default='', metavar='WORD', help='transformations whose name has this word')
    parser.add_argument('-v', '--verbose', action='store_true', help='list all that is not the same')
    run = Run(parser.parse_args())
    counts, listed = run.all()
    print(f"{str(len(run.pairs)) + ' samples':18}" + ''.join(f'{column:>8}' for column in COLUMNS))
    for name, lossless, _ in run.transformations:
        columns = ''.join(f'{counts[name][column]:8}' for column in COLUMNS)
        print(f"{name + (' ' if lossless else ' *'):18}{columns}")
    print('* lossy')
    print(*listed, sep='\n')
    return 1 if any(c['changed'] for c in counts.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
