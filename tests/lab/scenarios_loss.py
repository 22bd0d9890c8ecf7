"""Single packets that get lost, at every place and in both directions, and what offload makes of segments."""
import socket
import struct

import traffic
from scenario import add

UDP_SEGMENT = 103


def no_offload(machine, device='eth0', *more):
    machine.ns.run('ethtool', '-K', device, 'tso', 'off', 'gso', 'off', *more)


def small(s):
    """Headers are enough, and the files stay small."""
    s.snaplen = {'host': 96, 'vm': 96}
    s.compression = {'host': 'zst', 'vm': 'zst'}


def download(s, client, server, kilobytes, start=1.2):
    """`kilobytes` from server to client over one connection, in pieces."""
    paths = [f'/b/{kilobytes * 100}'] * 10
    s.at(start, client, traffic.http_client, server.ip, 80, paths, '', None, 0.02, 20.0)


def drops(percent, rule):
    return f'{rule} numgen random mod 1000 < {percent * 10:.0f}'


# Losses

def loss(s, where, direction, percent=5, kilobytes=700, rule='tcp-retrans-loss'):
    w, peer = s.w, s.w.s1
    s.audited = False
    small(s)
    sender, receiver = (w.vm, peer) if direction == 'from-guest' else (peer, w.vm)
    for machine in (w.vm, peer):
        no_offload(machine)
    download(s, receiver, sender, kilobytes)
    if where == 'switch':
        w.bridge_drop(drops(percent, f'ip saddr {sender.ip} ip daddr {receiver.ip} ip length > 300 tcp sport 80'),
                      'forward')
    elif where == 'nat':
        w.drop(w.host, 'forward', drops(percent, f'ip saddr {sender.ip} ip daddr {receiver.ip} ip length > 300'))
    elif where == 'beyond':
        w.bridge_drop(drops(percent, f'ip saddr {sender.ip} ip length > 300 tcp sport 80'), 'forward', w.switch)
    for role in ('host', 'vm'):
        s.check(role, f'tcp.len > 300 && ip.dst == {receiver.ip}' if direction == 'to-guest' and role == 'vm'
                else 'tcp.len > 300', '>= 150')
    if rule is None:
        s.check('host', f'tcp.analysis.retransmission && ip.src == {sender.ip}', '>= 1')
        s.expect(absent=['tcp-retrans-loss'])
        return
    place = {'switch': s.gap, 'nat': 'nat', 'beyond': 'beyond-host'}[where]
    s.fault('tcp-retrans-loss', place, direction)


add('tcp-retrans-loss-to-guest', "The host's bridge loses 5 % of what a LAN server sends to the guest; the rest of the "
    'traffic passes.', loss, 'switch', 'to-guest')
add('tcp-retrans-loss-from-guest', "The host's bridge loses 5 % of what the guest sends to a LAN machine.",
    loss, 'switch', 'from-guest')
add('tcp-retrans-loss-two-points', 'Between the uplink and the port of the guest 5 % of a download are lost.',
    loss, 'switch', 'to-guest', point='port+uplink')
add('tcp-retrans-loss-nat', "The host's forwarding loses 5 % of a download of its guest behind NAT.", loss, 'nat', 'to-guest',
    mode='nat')
add('tcp-retrans-loss-beyond', 'A switch beyond the host loses 5 % of a download of the guest.', loss, 'beyond', 'to-guest')
add('tcp-retrans-loss-beyond-out', 'A switch beyond the host loses 5 % of what the guest sends to a LAN machine.',
    loss, 'beyond', 'from-guest')
add('tcp-few-losses-healthy', 'One segment in some hundreds is lost on the way to the guest: nobody notices.',
    loss, 'switch', 'to-guest', 0.3, 1400, None)


# Offload

def bulk(s, kilobytes=500):
    w = s.w
    s.audited = False
    small(s)
    download(s, w.vm, w.s1, kilobytes)
    if s.mode == 'bridged':
        download(s, w.s1, w.vm, kilobytes, 1.6)
    s.expect(absent=['tcp-retrans-loss', 'tcp-bad-checksum', 'mtu-jumbo-blackhole', 'mtu-pmtud-broken'])


def offload_in_guest(s):
    """Large segments in the guest, small ones at the host: its virtual NIC cuts them."""
    w = s.w
    bulk(s)
    no_offload(w.nic, 'out')
    no_offload(w.s1)
    w.vm.ns.run('ethtool', '-K', 'eth0', 'gro', 'on')
    s.check('vm', f'tcp.len > 3000 && ip.src == {w.vm.ip}', '>= 5')
    s.check('host', f'tcp.len > 1500 && ip.src == {w.vm.ip}', '== 0')


def offload_on_host(s):
    """Large segments at the host, small ones in the guest."""
    w = s.w
    bulk(s)
    no_offload(w.nic, 'in')
    no_offload(w.vm)
    s.check('host', f'tcp.len > 3000 && ip.dst == {w.vm.ip}', '>= 5')
    s.check('vm', f'tcp.len > 1500 && ip.dst == {w.vm.ip}', '== 0')


def no_offload_anywhere(s):
    w = s.w
    bulk(s, 300)
    for machine in (w.vm, w.s1):
        no_offload(machine)
    for role in ('host', 'vm'):
        s.check(role, f'tcp.len > 1500 && ip.addr == {w.vm.ip} && ip.addr == {w.s1.ip}', '== 0')


def offload_behind_nat(s):
    w = s.w
    bulk(s)
    no_offload(w.nic, 'in')
    s.check('host', 'tcp.len > 3000', '>= 5')
    s.check('vm', f'tcp.len > 1500 && ip.dst == {w.vm.ip}', '== 0')


def send_datagrams(address, port, times, size, count):
    """One send() of several datagrams that the kernel cuts (UDP GSO)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack('i', size))
        for number in range(times):
            data = b''.join(struct.pack('!II', number, i) + bytes(size - 8) for i in range(count))
            sock.sendto(data[:len(data) - number], (address, port))
            traffic.time.sleep(0.05)


def udp_offload(s, cut):
    w = s.w
    s.audited = False
    small(s)
    w.nic.ns.run('ethtool', '-K', cut, 'tx-udp-segmentation', 'off', 'gso', 'off')
    pair = (w.vm, w.s1) if cut == 'out' else (w.s1, w.vm)
    traffic.in_thread(pair[1].ns, traffic.udp_server, pair[1].ip, 4433)
    s.at(1.5, pair[0], send_datagrams, pair[1].ip, 4433, 20, 1200, 12)
    whole, pieces = ('vm', 'host') if cut == 'out' else ('host', 'vm')
    s.check(whole, f'udp.length > 3000 && ip.src == {pair[0].ip}', '>= 15')
    s.check(pieces, f'udp.length == 1208 && ip.src == {pair[0].ip}', '>= 150')


add('offload-in-guest-healthy', 'Segments of up to 64 KiB in the guest, of one frame each at the host; everything works.',
    offload_in_guest, point='port')
add('offload-on-host-healthy', 'Segments of up to 64 KiB at the host, of one frame each in the guest; everything works.',
    offload_on_host)
add('offload-on-host-two-points-healthy', 'Segments of up to 64 KiB at two points of the host, of one frame each in the '
    'guest; everything works.', offload_on_host, point='port+uplink')
add('offload-nowhere-healthy', 'Segments of one frame each everywhere; everything works.', no_offload_anywhere)
add('offload-nat-healthy', 'Segments of up to 64 KiB at the host, of one frame each in its guest behind NAT; everything '
    'works.', offload_behind_nat, mode='nat')
add('offload-udp-in-guest-healthy', 'Runs of datagrams that the guest sends as one, and its virtual NIC cuts.',
    udp_offload, 'out', point='port')
add('offload-udp-on-host-healthy', 'Runs of datagrams that a server sends as one, cut on their way into the guest.',
    udp_offload, 'in')
