"""What captures of a Hyper-V host look like in pcapng, after etl2pcapng.

The frames come from captures of the lab, only the container is made up.  merge(): pktmon sees each packet wherever it
goes in the host: one interface, all sightings of a packet with one packet id, a direction, and the verdict XDP_DROP
where a packet went no further.  split(): the switch records what it gets, once, at the port that it came from.
"""
import struct

TWICE = 0.005


def frames(path):
    """(time in s, length, bytes) of a pcap file in this machine's byte order."""
    with open(path, 'rb') as file:
        data = file.read()
    unit = 10 ** 9 if data[:4] == b'\x4d\x3c\xb2\xa1' else 10 ** 6
    at = 24
    while at + 16 <= len(data):
        whole, part, kept, length = struct.unpack_from('<IIII', data, at)
        yield whole + part / unit, length, data[at + 16:at + 16 + kept]
        at += 16 + kept


def option(code, value):
    return struct.pack('<HH', code, len(value)) + value + b'\0' * (-len(value) % 4)


def block(kind, body):
    return struct.pack('<II', kind, len(body) + 12) + body + struct.pack('<I', len(body) + 12)


def head(*names):
    return block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)) + b''.join(
        block(1, struct.pack('<HHI', 1, 0, 262144) + option(2, name.encode()) + option(0, b'')) for name in names)


def packet(when, length, frame, number, outwards, dropped=False, interface=0):
    options = option(2, struct.pack('<I', 2 if outwards else 1))
    if number:
        options += option(5, struct.pack('<Q', number))
    if dropped:
        options += option(7, b'\x02' + struct.pack('<Q', 1))
    head = struct.pack('<IIIII', interface, *divmod(round(when * 10 ** 6), 2 ** 32), len(frame), length)
    return block(6, head + frame + b'\0' * (-len(frame) % 4) + options + option(0, b''))


def merge(port, uplink, path, guest_mac):
    """One file of the two; what the guest sent and the uplink lacks has been dropped in between."""
    mac = bytes.fromhex(guest_mac.replace(':', ''))
    outside = list(frames(uplink))
    inside = list(frames(port))
    known, rows = {}, []
    for number, (when, length, frame) in enumerate(inside, 1):
        known.setdefault(frame, []).append((when, number))
        rows += [(when, length, frame, number, False), (when + 2e-6, length, frame, number, False)]
    last = outside[-1][0] - 0.1
    passed = set()
    for extra, (when, length, frame) in enumerate(outside, len(inside) + 1):
        near = [number for at, number in known.get(frame, []) if abs(at - when) < TWICE]
        passed.update(near)
        rows.append((when, length, frame, near[0] if near else extra, False))
    neighbours = {frame[6:12] for _, _, frame in outside}
    for number, (when, length, frame) in enumerate(inside, 1):
        if frame[6:12] == mac and number not in passed and frame[:6] in neighbours and when < last:
            rows.append((when + 3e-6, length, frame, number, True))
    rows.sort(key=lambda row: row[0])
    with open(path, 'wb') as file:
        file.write(head('vSwitch'))
        for when, length, frame, number, dropped in rows:
            file.write(packet(when, length, frame, number, frame[6:12] == mac, dropped))


def split(uplink, path, guest_mac):
    """The frames of the guest at its port, and those for it at the port of the uplink."""
    mac = bytes.fromhex(guest_mac.replace(':', ''))
    with open(path, 'wb') as file:
        file.write(head('vNIC:Synthetic:5C0F7E2A:12:0', 'vNIC:External:19A4D0B1:3:0'))
        for when, length, frame in frames(uplink):
            own = frame[6:12] == mac
            if own or frame[:6] == mac or frame[0] & 1:
                file.write(packet(when, length, frame, 0, own, interface=not own))
