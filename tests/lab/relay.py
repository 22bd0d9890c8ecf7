"""Encapsulation that the kernel need not know: a tap or tun device, and a thread for each direction."""
import fcntl
import os
import socket
import struct
import threading

TUNSETIFF, IFF_TUN, IFF_TAP, IFF_NO_PI = 0x400454ca, 1, 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING, ALL = 263, 8, 4, 3
TAG_VALID = 0x10
BRIDGED = 0x6558


def device(namespace, name, kind=IFF_TAP):
    """A tap (Ethernet) or tun (IP) device; what it sends is read from the returned file."""
    with namespace:
        file = os.open('/dev/net/tun', os.O_RDWR)
        fcntl.ioctl(file, TUNSETIFF, struct.pack('16sH22x', name.encode(), kind | IFF_NO_PI))
    return file


def forever(function):
    def run():
        while True:
            try:
                function()
            except OSError:
                pass
    threading.Thread(target=run, daemon=True).start()


class Geneve:
    """UDP 6081, an empty list of options."""

    def __init__(self, namespace, local, remote, number):
        self.remote = remote
        self.head = struct.pack('!BBHI', 0, 0, BRIDGED, number << 8)
        with namespace:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((local, 6081))

    def send(self, frame):
        self.socket.sendto(self.head + frame, (self.remote, 6081))

    def receive(self):
        data = self.socket.recv(65535)
        return data[8:] if data[:8] == self.head else b''


class Gre:
    """IP protocol 47 with a key, or without one; Ethernet or IPv4 inside."""

    def __init__(self, namespace, local, remote, number, kind=BRIDGED):
        self.remote = remote
        self.head = struct.pack('!HHI', 0x2000, kind, number) if number else struct.pack('!HH', 0, kind)
        with namespace:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
            self.socket.bind((local, 0))

    def send(self, frame):
        self.socket.sendto(self.head + frame, (self.remote, 0))

    def receive(self):
        data = self.socket.recv(65535)[20:]
        return data[len(self.head):] if data.startswith(self.head) else b''


class Vlan:
    """A tag on one side of an interface only."""

    def __init__(self, namespace, interface, number):
        self.number = number
        with namespace:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
            self.socket.bind((interface, ALL))
            self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)

    def send(self, frame):
        self.socket.send(frame[:12] + struct.pack('!HH', 0x8100, self.number) + frame[12:])

    def receive(self):
        frame, more, _, address = self.socket.recvmsg(65535, 256)
        for level, kind, data in more:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and address[2] != PACKET_OUTGOING:
                status, tag = struct.unpack_from('=I', data)[0], struct.unpack_from('=H', data, 16)[0]
                if status & TAG_VALID and tag & 0xfff == self.number:
                    return frame
        return b''


def connect(file, carrier):
    """Carries what the device sends, and gives it what arrives."""
    forever(lambda: carrier.send(os.read(file, 65535)))

    def inwards():
        frame = carrier.receive()
        if frame:
            os.write(file, frame)
    forever(inwards)
