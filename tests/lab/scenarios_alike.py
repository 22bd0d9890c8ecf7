"""Look-alikes of single rules, variants by place, and faults that come and go."""
import os
import socket
import struct
import subprocess

import capture
import traffic
from netns import link
from scenario import add
from scenarios import arp_reply, arp_request, back_and_lost, echo, seen_and_lost, syn


# ARP and the virtual switch

def ignored(s, everybody=False):
    """The guest asks a LAN machine by ARP, and never answers that machine's own requests, or anybody's."""
    w, peer = s.w, s.w.s2
    if everybody:
        w.vm.ns.sysctl(ipv4__conf__all__arp_ignore=8)
        s.avoid(w.s1.ip)
        w.s1.ns.nft(f'table arp lab {{ chain input {{ type filter hook input priority 0; arp operation request '
                    f'arp saddr ip {w.vm.ip} drop\n}}\n}}')
        s.at(s.when(), w.s1, traffic.ping, w.vm.ip, 8, 0.8)
        for role in ('host', 'vm'):
            s.check(role, arp_request(w.s1.ip, w.vm.ip), '>= 4')
            s.check(role, f'arp.opcode == 2 && arp.src.proto_ipv4 == {w.vm.ip}', '== 0')
            s.check(role, arp_request(w.vm.ip, w.s1.ip), '== 0')
    else:
        w.vm.ns.nft(f'table arp lab {{ chain input {{ type filter hook input priority 0; arp operation request '
                    f'arp saddr ip {peer.ip} drop\n}}\n}}')
    s.avoid(peer.ip)
    start = s.when()
    for number in range(7):
        s.at(start - 0.15 + number, peer, peer.ns.run, 'ip', 'neigh', 'del', w.vm.ip, 'dev', 'eth0', may_fail=True)
    s.at(start, peer, traffic.ping, w.vm.ip, 5, 1.2)
    s.at(start + 1.5, w.vm, traffic.udp_client, peer.ip, 123, 1, 0.1)
    for role in ('host', 'vm'):
        s.check(role, arp_request(peer.ip, w.vm.ip), '>= 4')
        s.check(role, arp_reply(w.vm.ip, peer.ip), '== 0')
        s.check(role, arp_request(w.vm.ip, peer.ip), '>= 1')
    s.audited = False
    s.expect(absent=['arp-none-sent', 'arp-lost-vswitch', 'arp-reply-lost-back'])
    s.fault('arp-target-silent', 'guest', 'to-guest', *([] if everybody else [f'{peer.ip} > {w.vm.ip}']))


def reflected(s):
    """A switch sends the guest's broadcasts back to where they came from."""
    w = s.w
    w.host.ns.run('bridge', 'fdb', 'replace', w.vm.mac, 'dev', w.port_name, 'master', 'static', 'sticky')
    w.switch.ns.nft(f'''table netdev lab {{ chain mirror {{ type filter hook ingress device up0 priority 0;
        ether saddr {w.vm.mac} ether daddr ff:ff:ff:ff:ff:ff dup to up0
        }}
        }}''')
    for number in range(6):
        s.at(1.5 + 1.3 * number, w.vm, s.forget_neighbour, w.s1.ip)
        s.at(1.6 + 1.3 * number, w.vm, traffic.ping, w.s1.ip, 2, 0.3)
    s.check('host', f'eth.src == {w.vm.mac} && {arp_request(w.vm.ip, w.s1.ip)}', '>= 8')
    s.check('vm', f'eth.src == {w.vm.mac} && {arp_request(w.vm.ip, w.s1.ip)}', '>= 8')
    s.expect(absent=['l2-duplicate-mac', 'arp-duplicate-ip', 'arp-proxy', 'arp-stale-entry'])


add('l2-reflected-healthy', "A switch sends the guest's own broadcasts back to it, the same frames with its own MAC; "
    'everything works.', reflected)


def sibling_claims(s):
    """Another guest of the host has the guest's address too."""
    w, sibling = s.w, s.w.guests[1]
    sibling.ns.ip(f'addr add {w.vm.ip}/32 dev eth0')
    s.audited = False
    for number in range(4):
        s.at(1.5 + 2 * number, w.s1, w.s1.ns.run, 'ip', 'neigh', 'del', w.vm.ip, 'dev', 'eth0', may_fail=True)
        s.at(1.7 + 2 * number, w.s1, traffic.ping, w.vm.ip, 3, 0.3)
        s.at(1.9 + 2 * number, sibling, sibling.ns.run, 'ip', 'neigh', 'flush', 'all', may_fail=True)
        s.at(2.0 + 2 * number, sibling, traffic.ping, w.s2.ip, 2, 0.3, 56, 1, ('-I', w.vm.ip))
    for mac, least in [(w.vm.mac, 4), (sibling.mac, 4)]:
        s.check('host', f'arp.opcode == 2 && arp.src.proto_ipv4 == {w.vm.ip} && arp.src.hw_mac == {mac}', f'>= {least}')
    s.expect(absent=['arp-spoof', 'arp-proxy', 'l2-duplicate-mac'])
    s.fault('arp-duplicate-ip', 'host')


add('arp-duplicate-ip-sibling', "Another guest of the host claims the guest's address too: a server gets two answers to its ARP "
    'requests.', sibling_claims, point='any')


def sibling_spoofs(s):
    """Another guest of the host announces itself as the gateway, and forwards what it gets."""
    w, thief = s.w, s.w.guests[1]
    s.audited = False
    thief.ns.sysctl(ipv4__ip_forward=1, ipv4__ip_nonlocal_bind=1, ipv4__conf__all__send_redirects=0,
                    ipv4__conf__eth0__send_redirects=0)
    s.at(1.5, thief, thief.ns.run, 'arping', '-A', '-c', '9', '-I', 'eth0', w.router.ip, may_fail=True)
    for number in range(6):
        s.at(1.9 + 1.2 * number, w.s1, w.s1.ns.run, 'ip', 'neigh', 'del', w.router.ip, 'dev', 'eth0', may_fail=True)
        s.at(2.0 + 1.2 * number, w.s1, traffic.ping, w.router.ip, 1, 0.3)
        s.at(1.9 + 1.2 * number, w.vm, s.forget_neighbour, w.router.ip)
        s.at(2.0 + 1.2 * number, w.vm, traffic.ping, w.router.ip, 1, 0.3)
    for mac, least in [(thief.mac, 5), (w.router.mac, 3)]:
        s.check('vm', f'arp.opcode == 2 && arp.src.proto_ipv4 == {w.router.ip} && arp.src.hw_mac == {mac}', f'>= {least}')
    s.expect(absent=['arp-duplicate-ip', 'arp-proxy', 'gw-wrong-gateway'])
    s.fault('arp-spoof', 'host')


add('arp-spoof-sibling', 'Another guest of the host announces itself as the gateway every second, and the gateway still answers.',
    sibling_spoofs, point='any')


def moved(s, how='unannounced'):
    """The switch comes to look for the guest at another port; the guest has nothing to say."""
    w, pinger = s.w, s.w.s1
    s.audited = False
    s.avoid(*w.internet, w.s1.ip, w.s2.ip, w.gateway, w.dns, w.vm.ip, *[g.ip for g in w.guests])
    event, speaks = s.when(4.2, 4.6), s.when(7.9, 8.3)
    period = s.rng.choice([0.2, 0.25, 0.3])
    pinger.ns.ip(f'neigh replace {w.vm.ip} lladdr {w.vm.mac} nud permanent dev eth0')
    w.vm.ns.ip(f'neigh replace {pinger.ip} lladdr {pinger.mac} nud permanent dev eth0')
    if how == 'idle':
        s.at(0.5, pinger, traffic.ping, w.vm.ip, int((event - 1) / period), period)
        s.at(speaks + 0.2, pinger, traffic.ping, w.vm.ip, 8, period)
        s.at(event, w.vm, w.vm.ns.ip, 'link set eth0 down')
        s.at(event + 0.7, w.vm, w.vm.ns.ip, 'link set eth0 up', f'route add default via {w.gateway}')
    else:
        s.at(0.5, pinger, traffic.ping, w.vm.ip, int(10.5 / period), period)
        s.at(event, w.switch, w.switch.ns.run, 'bridge', 'fdb', 'replace', w.vm.mac, 'dev', 'p3', 'master', 'dynamic')
    if how == 'announced':
        s.at(event + 0.3, w.vm, w.vm.ns.run, 'arping', '-A', '-c', '1', '-I', 'eth0', w.vm.ip, may_fail=True)
    for number in range(4):
        s.at(0.3 + 0.8 * number, w.vm, traffic.http_client, w.s2.ip, 80, ['/', '/b/900'], '', None, 0.05)
        s.at(speaks + 0.5 * number, w.vm, traffic.http_client, w.s2.ip, 80, ['/', '/b/900'], '', None, 0.05)
    silent = f'frame.time_relative > {event + 1.2:.3f} && frame.time_relative < {speaks - 1.2:.3f}'
    s.check('host', f'{silent} && !(eth.addr == {w.vm.mac})', '>= 5')
    s.check('vm', echo(0, w.vm.ip, pinger.ip), '>= 10')
    if how == 'unannounced':
        for role in ('host', 'vm'):
            s.check(role, f'{silent} && eth.addr == {w.vm.mac}', '== 0')
        s.expect(absent=['arp-stale-entry', 'icmp-lost-to-guest', 'cap-gaps'])
        s.fault('arp-no-announce', 'beyond-host')
        return
    s.check('vm', f'{silent} && eth.src == {w.vm.mac}', '>= 4' if how == 'announced' else '== 0')
    s.expect(absent=['arp-no-announce', 'arp-stale-entry'])


add('arp-no-announce-uplink', "A switch looks for the guest at another port and nobody announces it: pings for it do not come to "
    'the host until the guest itself sends something.', moved, quiet='silent')
add('arp-no-announce-two-points', "A switch looks for the guest at another port and nobody announces it: pings for it do not "
    'come to the host until the guest itself sends something; port and uplink were captured.', moved, quiet='silent',
    point='port+uplink')
add('arp-announced-healthy', 'A switch looks for the guest at another port for a moment, until the guest announces itself.',
    moved, 'announced', quiet='silent')
add('link-flap-healthy', "The guest's link goes down and comes back without an announcement; nobody sends it anything "
    'meanwhile.', moved, 'idle', quiet='silent')


def over_wifi(s):
    """The host's adapter puts its own MAC into all that the guest sends."""
    w = s.w
    own, guest = w.host.mac, w.vm.mac
    w.host.ns.nft(f'''table netdev wifi {{
        chain out {{ type filter hook egress device {w.uplink_name} priority 0;
            ether saddr {guest} ether type arp arp saddr ether set {own}
            ether saddr {guest} ether saddr set {own}
        }}
        chain in {{ type filter hook ingress device {w.uplink_name} priority 0;
            ether daddr {own} ether type arp arp daddr ip {w.vm.ip} arp daddr ether set {guest} ether daddr set {guest}
            ether daddr {own} ip daddr {w.vm.ip} ether daddr set {guest}
        }}
        }}''')
    s.check('host', f'eth.src == {guest}', '== 0')
    s.check('host', f'eth.src == {own} && ip.src == {w.vm.ip}', '>= 30')
    s.check('vm', f'eth.dst == {guest} && ip.dst == {w.vm.ip}', '>= 30')
    s.expect(absent=['l2-duplicate-mac', 'arp-duplicate-ip', 'arp-stale-entry', 'arp-spoof', 'arp-proxy', 'l2-vnic-detached'])


add('l2-wifi-bridge-healthy', "The host bridges its guest over an adapter that puts its own MAC into all frames of the guest; "
    'everything works.', over_wifi)


add('arp-target-silent-guest', 'A LAN machine asks for the MAC of the guest, again and again; the guest does not answer it, '
    'and asks for that machine itself.', ignored)
add('arp-target-silent-guest-all', "The guest answers nobody's ARP, and asks for some of those that ask for it.", ignored, True)


# Gateway

def nat_gateway_goes(s):
    w = s.w
    address = f'{w.vm_prefix}.1'
    s.avoid(address, *w.internet, w.s1.ip, w.s2.ip)
    s.fails(('arp', address), ('icmp', '203.0.113.80'))
    start = s.when(3.4, 3.8)
    for number in range(3):
        s.at(0.5 + 0.6 * number, w.vm, traffic.http_client, '203.0.113.80', 80, ['/', '/b/900'])
    s.at(start - 0.4, w.host, w.host.ns.ip, f'addr del {address}/24 dev {w.bridge_name}', f'link set {w.bridge_name} arp off')
    s.at(start - 0.2, w.vm, s.forget_neighbour, address)
    s.at(start, w.vm, traffic.ping, '203.0.113.80', 8, 0.8)
    s.at(start + 0.4, w.vm, traffic.connect, '203.0.113.81', 80, 5)
    s.check('vm', arp_request(w.vm.ip, address), '>= 4')
    s.check('host', s.at_point(0, arp_request(w.vm.ip, address)), '>= 4')
    s.check('vm', 'tcp.flags == 0x012 && ip.src == 203.0.113.80', '>= 3')
    s.expect(absent=['gw-wrong-gateway', 'arp-target-silent', 'nat-no-answer', 'arp-lost-vswitch'])
    s.fault('gw-arp-unanswered', 'host', 'from-guest', f'{w.vm.ip} > {address}')


add('gw-arp-unanswered-nat-midway', "The NAT works until the host's virtual network loses its address: then the guest's ARP "
    'requests for its gateway pass its port and stay unanswered.', nat_gateway_goes, mode='nat', point='port+uplink')


# ICMP

def end_after(files, display_filter, number):
    """The guest's file ends shortly after so many frames."""
    moments = capture.rows(files['vm'], display_filter, 'frame.time_epoch')
    cut = files['vm'] + '.cut'
    subprocess.run(['editcap', '-F', 'pcap', '-B', f'{float(moments[number - 1][0]) + 0.1:.6f}', files['vm'], cut], check=True)
    os.replace(cut, files['vm'])


def requests_lost(s, last=False):
    """The guest's echo requests are lost in the host; `last`: just before the guest's capture ends."""
    w, target = s.w, s.w.s2.ip
    w.bridge_drop(f'ether type ip ip protocol icmp icmp type echo-request ip saddr {w.vm.ip} ip daddr {target}')
    s.avoid(target)
    s.fails(('icmp', target))
    if last:
        s.changes.append(lambda files: end_after(files, echo(8, w.vm.ip, target), 4))
        s.at(8, w.vm, traffic.ping, target, 4, 0.2)
    else:
        s.at(s.when(), w.vm, traffic.ping, target, 9, 0.5)
    s.at(s.when() + 1, w.vm, traffic.http_client, target, 80, ['/', '/b/900'])
    seen_and_lost(s, echo(8, w.vm.ip, target), 4 if last else 7)
    s.expect(absent=['icmp-lost-beyond', 'arp-stale-entry', 'icmp-double-filter'])
    s.fault('icmp-lost-to-guest', s.gap, 'from-guest', f'{w.vm.ip} > {target}')


add('icmp-lost-from-guest-uplink', "The host's bridge drops the guest's echo requests to one server; its web server answers the "
    'guest.', requests_lost)
add('icmp-lost-from-guest-two-points', "The guest's echo requests to one server are at its port and not at the uplink.",
    requests_lost, point='port+uplink')
add('icmp-lost-from-guest-last', "The guest's echo requests to one server are at its port and not at the uplink; its own capture "
    'ends before they could have been answered.', requests_lost, True, point='port+uplink')


def one_filter_both_ways(s):
    """All ICMP between two machines is lost at one place."""
    w, other = s.w, s.w.s2
    w.bridge_drop(f'ether type ip ip protocol icmp icmp type echo-request ip saddr {{{w.vm.ip}, {other.ip}}} '
                  f'ip daddr {{{w.vm.ip}, {other.ip}}}')
    s.avoid(other.ip)
    s.fails(('icmp', other.ip))
    s.at(s.when(2.0, 2.4), other, traffic.ping, w.vm.ip, 8, 0.6)
    s.at(s.when(2.7, 3.2), w.vm, traffic.ping, other.ip, 8, 0.6)
    s.at(3, w.vm, traffic.http_client, other.ip, 80, ['/', '/b/900'])
    back_and_lost(s, echo(8, other.ip, w.vm.ip), 6)
    seen_and_lost(s, echo(8, w.vm.ip, other.ip), 6)
    s.expect(absent=['icmp-double-filter', 'icmp-lost-beyond', 'icmp-guest-silent'])
    s.fault('icmp-lost-to-guest', s.gap, 'to-guest', f'{other.ip} > {w.vm.ip}')
    s.fault('icmp-lost-to-guest', s.gap, 'from-guest', f'{w.vm.ip} > {other.ip}')


add('icmp-lost-both-ways', "One filter on the host's bridge drops the echo requests of both sides: one place, not two filters.",
    one_filter_both_ways, point='port+uplink')


def two_filters(s):
    """Each side's requests are dropped elsewhere: here in the host, there by the other side."""
    w, other = s.w, s.w.s2
    w.drop(w.host, 'forward', f'icmp type echo-request ip saddr {other.ip} ip daddr {w.vm.ip}')
    w.drop(other, 'input', f'icmp type echo-request ip saddr {w.vm.ip}')
    s.avoid(other.ip)
    s.fails(('icmp', other.ip))
    s.at(s.when(), other, traffic.ping, w.vm.ip, 8, 0.6)
    s.at(s.when(), w.vm, traffic.ping, other.ip, 8, 0.6)
    s.at(3, w.vm, traffic.http_client, other.ip, 80, ['/', '/b/900'])
    back_and_lost(s, echo(8, other.ip, w.vm.ip), 6)
    s.check('host', s.at_point(1, echo(8, w.vm.ip, other.ip)), '>= 6')
    s.fault('icmp-double-filter', 'host')


add('icmp-double-filter-routed', "Pings fail both ways for two reasons: the host's forward filter drops those for its routed "
    "guest, the other side's firewall those of the guest.", two_filters, mode='routed', point='port+uplink')


def host_has_no_way(s):
    w, target = s.w, '198.51.77.9'
    w.host.ns.ip(f'route add unreachable {target}/32')
    s.at(s.when(), w.vm, traffic.ping, target, 5, 1.3)
    s.at(s.when(), w.vm, traffic.connect, target, 80, 3, 2, 1)
    s.fails(('icmp', target), ('tcp', target))
    s.check('vm', 'icmp.type == 3 && icmp.code == 1', '>= 2')
    s.check('host', s.at_point(1, f'ip.dst == {target} && !(icmp.type == 3)'), '== 0')
    s.expect(absent=['icmp-admin-prohibited', 'nat-no-answer', 'nat-hostonly-isolated'])
    s.fault('icmp-unreachable', 'host')


add('icmp-unreachable-routed', 'The host has no route to the target of its routed guest and says so.', host_has_no_way,
    mode='routed', point='port+uplink')


# Routing

def strict_guest(s):
    """The guest has a NIC in each of two segments, and drops what its routes expect elsewhere."""
    w = s.w
    w.second_segment()
    address, mac = f'{w.other_prefix}.77', w.mac([w.guest_oui])
    link(w.vm.ns, 'eth1', mac, w.host.ns, 'vnet40', 'fe' + mac[2:])
    w.host.ns.ip('link set vnet40 master br1', 'link set vnet40 up')
    w.vm.ns.ip('link set eth1 up', f'addr add {address}/24 brd + dev eth1')
    w.vm.ns.sysctl(ipv4__conf__all__rp_filter=1, ipv4__conf__eth1__rp_filter=1)
    s.offset, s.drift, plain = 0, 0, s.take

    def take(role, folder):
        if role == 'host':
            return plain(role, folder)
        path = f'{folder}/vm.pcapng'
        one = capture.Capture(w.vm.ns, ['eth0', 'eth1'], path)

        def finish():
            capture.plain_section_headers(path)
            return {role: path}
        return one, finish
    s.take = take
    s.expect(offset_s=0, mode=None, absent=['ip-asymmetric-route', 'gw-no-default-route'])
    start = s.when()
    s.at(start, w.net, traffic.ping, address, 8, 0.6)
    s.at(start + 0.3, w.net, traffic.connect, address, 80, 5.5)
    s.at(start, w.s3, traffic.ping, address, 5, 0.5)
    s.audited = False
    s.check('vm', f'frame.interface_id == 1 && {echo(8, "203.0.113.80", address)}', '>= 6')
    s.check('vm', echo(0, address, '203.0.113.80'), '== 0')
    s.check('vm', f'frame.interface_id == 1 && {echo(0, address, w.s3.ip)}', '>= 4')
    s.check('vm', syn('203.0.113.80', address, 80), '>= 3')
    s.fault('ip-rp-filter', 'guest', 'to-guest')


add('ip-rp-filter-guest', 'Requests of the internet come in on the second NIC of the guest, whose routes lead there by the first: '
    'its strict rp_filter drops them. Neighbours are answered on both.', strict_guest, point='uplink+nic2')


def all_sources(s):
    """The host's forward filter drops the pings of everybody; their connections pass."""
    w = s.w
    w.drop(w.host, 'forward', f'icmp type echo-request ip daddr {w.vm.ip}')
    s.inbound = False
    w.guests[0].ns.sysctl(ipv4__icmp_echo_ignore_all=0)
    s.at(s.when(), w.s2, traffic.ping, w.vm.ip, 8, 0.6)
    for number in range(3):
        s.at(2 + 2 * number, w.s2, traffic.http_client, w.vm.ip, 80, ['/', '/b/900'])
        s.at(1 + 2 * number, w.s1, traffic.http_client, w.vm.ip, 80, ['/', '/b/900'])
    back_and_lost(s, echo(8, w.s2.ip, w.vm.ip), 6)
    s.expect(absent=['ip-rp-filter', 'icmp-guest-silent', 'icmp-double-filter', 'gw-no-default-route'])
    s.fault('icmp-lost-to-guest', s.gap, 'to-guest', f'{w.s2.ip} > {w.vm.ip}')


add('icmp-lost-to-guest-all-sources', "The host's forward filter drops echo requests of all sources for its routed guest; their "
    'connections pass.', all_sources, mode='routed', point='port+uplink')


# NAT

def nat_filter(s):
    """A forward filter for one port, while the guest's connections to other ports of the server go on."""
    w, target, port = s.w, '203.0.113.81', s.rng.choice([443, 8443, 5222])
    s.avoid(target)
    w.drop(w.host, 'forward', f'ip saddr {w.vm.ip} ip daddr {target} tcp dport {port}')
    for number in range(4):
        s.at(0.6 + 0.2 * number, w.vm, traffic.ssh_client, target, 22, 20, 0.4)
    for number in range(3):
        s.at(2.6 + 0.4 * number, w.vm, traffic.connect, target, port, 5.2)
    s.fails(('tcp', target))
    seen_and_lost(s, syn(w.vm.ip, target, port), 12)
    s.check('host', s.at_point(1, f'tcp.dstport == {port} && ip.dst == {target}'), '== 0')
    s.check('host', f'ip.src == {w.host.ip} && ip.dst == {target} && tcp.dstport == 22 && tcp.len > 0', '>= 20')
    s.expect(absent=['nat-port-exhaustion', 'nat-no-answer', 'nat-return-dropped', 'nat-snat-missing'])
    s.fault('tcp-syn-unanswered', 'nat', 'from-guest', f'{w.vm.ip} > {target}:{port}/tcp')


add('tcp-syn-unanswered-nat-forward', "The host's forward filter drops the guest's connections to one port before their "
    'translation; those to another port of the same server work.', nat_filter, mode='nat', point='port+uplink')


def translated_and_lost(s):
    """The answers are translated back, and lost before the guest."""
    w, target = s.w, '203.0.113.81'
    s.avoid(target)
    w.bridge_drop(f'ether type ip ip saddr {target} ip daddr {w.vm.ip}', 'forward', w.nic)
    start = s.when()
    s.fails(('icmp', target), ('tcp', target))
    s.at(start, w.vm, traffic.ping, target, 8, s.rng.uniform(0.5, 0.7))
    s.at(start + 0.3, w.vm, traffic.connect, target, 80, 5.5)
    for point in (0, 1):
        source = f'ip.src == {target}'
        s.check('host', s.at_point(point, f'icmp.type == 0 && {source}'), '>= 6')
        s.check('host', s.at_point(point, f'tcp.flags == 0x012 && {source}'), '>= 4')
    s.check('vm', f'ip.src == {target}', '== 0')
    s.expect(absent=['nat-no-answer', 'nat-idle-timeout', 'icmp-reply-lost-host'])
    s.fault('nat-return-dropped', 'guest-host-path', 'to-guest')


add('nat-return-dropped-handoff', "The answers are translated back and at the guest's port, and not in the guest.",
    translated_and_lost, mode='nat', point='port+uplink')


def hairpin_works(s):
    """The host translates the source as well: the sibling's answers come back through it."""
    w, port = s.w, 8080
    w.host.ns.nft(f'''table ip nat {{ chain pre {{ ip daddr {w.host.ip} tcp dport {port} dnat to {w.guests[0].ip}:80
        }}
        chain post {{ ip saddr {w.vm_net} ip daddr {w.guests[0].ip} tcp dport 80 masquerade
        }}
        }}''')
    w.host.ns.sysctl(ipv4__conf__all__send_redirects=0, **{f'ipv4__conf__{w.bridge_name}__send_redirects': 0})
    for number in range(5):
        s.at(1.5 + 1.5 * number, w.vm, traffic.http_client, w.host.ip, port, ['/', '/b/900'])
    s.check('vm', f'tcp.flags == 0x012 && ip.src == {w.host.ip} && tcp.srcport == {port}', '>= 4')
    s.expect(absent=['nat-hairpin', 'nat-portforward-missing'])


add('nat-hairpin-healthy', "The guest reaches a sibling through the host's forwarded port: the host translates both addresses.",
    hairpin_works, mode='nat')


# TCP

def in_a_hurry(s):
    """Both sides close connections with data unread: resets after a normal exchange."""
    w, server, port = s.w, s.w.s2, 5222

    def reset(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    def serve(sock):
        sock.sendall(b'<?xml version="1.0"?><stream>' + b'.' * 900)
        if sock.recv(100).startswith(b'bye'):
            reset(sock)

    def session(word):
        with socket.create_connection((server.ip, port), 4) as sock:
            sock.recv(20)
            sock.sendall(word)
            traffic.time.sleep(0.2)
            if word == b'quit':
                reset(sock)
    traffic.in_thread(server.ns, traffic.listen, '0.0.0.0', port, serve)
    for number in range(8):
        s.at(1.2 + 0.9 * number, w.vm, session, b'bye' if number % 2 else b'quit')
    for source in (server.ip, w.vm.ip):
        s.check('vm', f'tcp.flags.reset == 1 && ip.src == {source} && tcp.port == {port}', '>= 3')
    s.expect(absent=['tcp-half-open', 'tcp-rst-closed-port', 'tcp-rst-middlebox'])


add('tcp-closed-in-a-hurry-healthy', 'Server and guest end their connections by resets, right after a normal exchange; nothing '
    'is wrong.', in_a_hurry)


# Faults that come and go

def often_lost(s, what):
    """40 % of one kind of packet is lost in the host, at random."""
    w, target = s.w, s.w.s2.ip
    s.avoid(target)
    chance = 'numgen random mod 100 < 40'
    if what == 'icmp':
        rule = f'icmp type echo-request ip saddr {w.vm.ip} ip daddr {target}'
        s.at(1.2, w.vm, traffic.ping, target, 32, 0.25)
        asked, answer = echo(8, w.vm.ip, target), echo(0, target, w.vm.ip)
    else:
        port = 8443
        rule = f'tcp flags & (syn | ack) == syn ip saddr {w.vm.ip} ip daddr {target} tcp dport {port}'
        s.http(w.s2, '0.0.0.0', port)
        for number in range(26):
            s.at(1.0 + 0.3 * number, w.vm, traffic.connect, target, port, 0.9)
        asked = syn(w.vm.ip, target, port)
        answer = f'tcp.flags == 0x012 && ip.src == {target} && ip.dst == {w.vm.ip} && tcp.srcport == {port}'
    w.bridge_drop(f'ether type ip {rule} {chance}' if what == 'tcp' else f'ether type ip ip protocol icmp {rule} {chance}')
    s.fails((what, target))
    s.check('vm', asked, '>= 26')
    s.check('vm', answer, '>= 8')
    s.check('vm', answer, '<= 23')
    s.check('host', s.at_point(0, asked), '>= 26')
    s.check('host', s.at_point(1, answer), '>= 8')
    if what == 'icmp':
        s.expect(absent=['icmp-lost-beyond', 'icmp-reply-lost-host', 'cap-gaps'])
        s.fault('icmp-lost-to-guest', s.gap, 'from-guest', f'{w.vm.ip} > {target}')
    else:
        s.expect(absent=['tcp-synack-lost', 'cap-gaps'])
        s.fault('tcp-syn-unanswered', s.gap, 'from-guest', f'{w.vm.ip} > {target}:{port}/tcp')


add('icmp-lost-now-and-then', "Two in five of the guest's echo requests to one server are lost between its port and the uplink.",
    often_lost, 'icmp', point='port+uplink')
add('tcp-syn-lost-now-and-then', "Two in five of the guest's SYNs to one port are lost between its port and the uplink.",
    often_lost, 'tcp', point='port+uplink')


# Samples of other rules that look like these, and where these must not fire

ALIKE = {
    'cap-no-overlap': ['cap-unrelated', 'cap-unrelated-bridged', 'cap-wrong-interface', 'clock-set-host-healthy'],
    'cap-unrelated': ['cap-no-overlap', 'cap-wrong-interface', 'l2-vnic-detached-uplink', 'healthy-usernat-slirp'],
    'cap-input-mixup': ['cap-unrelated', 'cap-wrong-interface', 'l2-wifi-bridge-healthy',
                        'healthy-usernat-same-address'],
    'cap-wrong-interface': ['l2-vnic-detached-uplink', 'cap-unrelated-bridged', 'cap-no-overlap',
                            'healthy-usernat-passt'],
    'cap-filtered': ['l2-vnic-detached-uplink', 'cap-wrong-interface', 'healthy-host-only-port'],
    'cap-one-way': ['l2-vnic-detached-uplink', 'l2-vnic-detached-two-points', 'cap-filtered-host'],
    'cap-truncated': ['cap-offload-healthy', 'cap-gaps-guest', 'cap-gaps-host'],
    'cap-gaps': ['l2-vnic-detached-midway', 'cap-offload-healthy'],
    'cap-offload-artifact': ['cap-truncated-68', 'cap-truncated-96-nat'],
    'dns-no-answer': ['nat-no-answer-dns', 'arp-target-silent-uplink', 'usernat-no-answer-dns'],
    'gw-arp-unanswered': ['arp-target-silent-uplink', 'gw-wrong-gateway-uplink'],
    'gw-wrong-gateway': ['nat-hostonly-isolated', 'icmp-lost-beyond-router', 'nat-snat-missing-one-guest', 'icmp-admin-prohibited-router'],
    'gw-no-default-route': ['icmp-guest-silent-uplink', 'gw-lease-healthy'],
    'icmp-lost-to-guest': ['icmp-reply-lost-out-uplink', 'icmp-guest-silent-uplink', 'ip-asymmetric-route-healthy',
                           'usernat-no-ping-passt'],
    'icmp-lost-beyond': ['icmp-reply-lost-in-uplink', 'icmp-unreachable-host'],
    'icmp-guest-silent': ['icmp-lost-to-guest-uplink', 'icmp-reply-lost-out-uplink'],
    'icmp-reply-lost-host': ['icmp-lost-beyond-uplink', 'icmp-guest-silent-uplink'],
    'icmp-admin-prohibited': ['icmp-unreachable-host', 'tcp-rst-middlebox-uplink'],
    'icmp-unreachable': ['icmp-admin-prohibited-router', 'icmp-admin-prohibited-target', 'usernat-no-ping-slirp'],
    'icmp-double-filter': ['two-faults-arp-icmp', 'icmp-lost-to-guest-uplink'],
    'ip-ttl-loop': ['healthy-routed-any', 'icmp-unreachable-host'],
    'ip-rp-filter': ['icmp-lost-to-guest-routed', 'tcp-syn-unanswered-guest-routed'],
    'ip-asymmetric-route': ['icmp-guest-silent-uplink', 'nat-hairpin-two-points'],
    'l2-vnic-detached': ['cap-wrong-interface', 'nat-hostonly-isolated'],
    'l2-duplicate-mac': ['arp-duplicate-ip-own', 'arp-virtual-router-healthy'],
    'arp-none-sent': ['cap-filtered-guest', 'gw-no-default-route-uplink', 'arp-stale-entry-peer'],
    'arp-lost-vswitch': ['cap-wrong-interface', 'arp-target-silent-uplink'],
    'arp-target-silent': ['arp-reply-lost-back-uplink', 'gw-arp-unanswered-uplink'],
    'arp-reply-lost-back': ['arp-target-silent-uplink', 'arp-lost-vswitch-uplink'],
    'arp-off-subnet': ['arp-target-silent-uplink', 'gw-no-default-route-uplink'],
    'arp-stale-entry': ['icmp-guest-silent-uplink', 'arp-takeover-healthy'],
    'arp-duplicate-ip': ['l2-duplicate-mac-uplink', 'arp-spoof-uplink'],
    'arp-spoof': ['arp-duplicate-ip-peer'],
    'arp-no-announce': ['arp-stale-entry-guest', 'arp-stale-entry-peer', 'l2-vnic-detached-midway'],
    'arp-proxy': ['arp-flux-healthy', 'arp-off-subnet-uplink', 'arp-spoof-uplink'],
    'nat-snat-missing': ['healthy-routed-uplink', 'nat-no-answer-uplink'],
    'nat-no-answer': ['nat-return-dropped-forward', 'nat-snat-missing-one-guest', 'usernat-blocked',
                      'usernat-closed-port-slirp', 'usernat-forward-silent'],
    'nat-return-dropped': ['nat-no-answer-uplink', 'nat-idle-healthy', 'usernat-no-answer-passt'],
    'nat-portforward-missing': ['nat-portforward-healthy', 'nat-scanned-healthy', 'usernat-forward-healthy',
                                'usernat-forward-refused', 'proxy-upstream-refused'],
    'nat-port-exhaustion': ['nat-no-answer-uplink', 'tcp-syn-unanswered-routed-two-points'],
    'nat-hairpin': ['nat-portforward-healthy', 'nat-portforward-missing-rst'],
    'nat-idle-timeout': ['nat-return-dropped-forward'],
    'nat-hostonly-isolated': ['gw-wrong-gateway-sibling', 'healthy-host-only-port', 'nat-snat-missing-two-points'],
    'nat-subnet-overlap': ['arp-target-silent-uplink'],
    'tcp-syn-unanswered': ['tcp-synack-lost-in-uplink', 'tcp-rst-closed-port-beyond', 'usernat-no-answer-slirp',
                           'usernat-no-answer-absent', 'usernat-other-uplink'],
    'tcp-synack-lost': ['tcp-syn-unanswered-beyond', 'nat-return-dropped-two-points'],
    'tcp-rst-closed-port': ['tcp-rst-middlebox-uplink', 'tcp-half-open-uplink', 'bridged-scanned-healthy',
                            'usernat-portforward-missing'],
    'tcp-rst-middlebox': ['tcp-rst-closed-port-beyond', 'nat-portforward-missing-rst', 'usernat-closed-port-passt'],
    'tcp-half-open': ['tcp-rst-closed-port-beyond', 'nat-idle-timeout-uplink'],
    'tcp-retrans-loss': ['tcp-few-losses-healthy', 'offload-in-guest-healthy', 'cap-gaps-guest', 'healthy-bridged-sll1'],
}


def must_not_fire(name):
    """The rules that must not fire in the scenario `name`, beside those that it says itself."""
    return [rule for rule, names in ALIKE.items() if name in names]
