"""Several files, tunnels around the guest's frames, tags on one side, several addresses."""
import pktmon
import relay
import traffic
from netns import link
from scenario import add
from scenarios import arp_reply, arp_request, echo, syn
from topology import Machine


# A file for each point

def apart_healthy(s):
    s.check('host', f'tcp.flags == 0x012 && ip.dst == {s.w.vm.ip}', '>= 3')
    s.check('host2', f'tcp.flags == 0x012 && ip.dst == {s.w.vm.ip}', '>= 3')


add('points-apart-healthy', "The guest's port and the uplink were captured into a file each; everything works.", apart_healthy,
    point='port+uplink', apart=True)


def apart_lost(s):
    w, target = s.w, s.w.s2.ip
    w.bridge_drop(f'ether type ip ip saddr {w.vm.ip} ip daddr {target} tcp dport 80 tcp flags & (syn | ack) == syn')
    s.tries(target, pings=0)
    s.fails(('tcp', target))
    for name in ('vm', 'host'):
        s.check(name, syn(w.vm.ip, target, 80), '>= 4')
    s.check('host2', syn(w.vm.ip, target, 80), '== 0')
    s.fault('tcp-syn-unanswered', 'host', 'from-guest', f'{w.vm.ip} > {target}:80/tcp')


add('points-apart-lost', "A filter on the host's bridge drops the guest's SYNs to one server; port and uplink were captured into "
    'a file each.', apart_lost, point='port+uplink', apart=True)


# Two NICs, a file each

def second_nic(s):
    w = s.w
    w.second_segment()
    w.vm2_ip, mac = f'{w.other_prefix}.77', w.mac([w.guest_oui])
    link(w.vm.ns, 'eth1', mac, w.host.ns, 'vnet40', 'fe' + mac[2:])
    w.host.ns.ip('link set vnet40 master br1', 'link set vnet40 up')
    w.vm.ns.ip('link set eth1 up', f'addr add {w.vm2_ip}/24 brd + dev eth1')
    s.devices = ['eth0', 'eth1']
    s.expect(mode='bridged')
    for number in range(3):
        s.at(1.2 + 2.5 * number, w.vm, traffic.ping, w.g3.ip, 3, 0.4)
        s.at(1.6 + 2.5 * number, w.s3, traffic.http_client, w.vm2_ip, 80, ['/', '/b/900'])


def nics_healthy(s):
    second_nic(s)
    s.at(2, s.w.vm, traffic.ping, s.w.s3.ip, 9, 0.6)
    s.check('vm2', echo(0, s.w.s3.ip, s.w.vm2_ip), '>= 8')
    s.check('host2', echo(0, s.w.s3.ip, s.w.vm2_ip), '>= 8')


def nics_lost(s):
    second_nic(s)
    w = s.w
    w.bridge_drop(f'ether type ip ip saddr {w.s3.ip} ip daddr {w.vm2_ip} icmp type echo-reply')
    s.at(2, w.vm, traffic.ping, w.s3.ip, 9, 0.6)
    s.check('vm2', echo(8, w.vm2_ip, w.s3.ip), '>= 8')
    s.check('vm2', echo(0, w.s3.ip, w.vm2_ip), '== 0')
    s.check('host2', echo(0, w.s3.ip, w.vm2_ip), '>= 8')
    s.fault('icmp-reply-lost-host', 'guest-host-path', 'to-guest', f'{w.vm2_ip} > {w.s3.ip}')


add('points-two-nics-healthy', 'The guest has a NIC in each of two segments, each captured into a file of its own at both sides; '
    'everything works.', nics_healthy, point='uplink+nic2', apart=True)
add('points-two-nics-lost', "The guest has a NIC in each of two segments, each captured into a file of its own at both sides; a "
    "filter on the second one's bridge drops echo replies for the guest.", nics_lost, point='uplink+nic2', apart=True)


# Tunnels and tags

def overlay(s, kind):
    s.number = s.rng.randint(2, 4000)
    s.w.overlay(kind, s.number)
    field = {'vxlan': 'vxlan.vni', 'geneve': 'geneve.vni', 'gre': 'gre.key', 'vlan': 'vlan.id'}[kind]
    s.check('host', f'{field} == {s.number} && tcp.flags == 0x012 && ip.dst == {s.w.vm.ip}', '>= 2')


def overlay_healthy(s, kind):
    overlay(s, kind)
    if s.point != 'uplink':
        s.expect(absent=['l2-duplicate-frames', 'l2-duplicate-mac'])


def overlay_lost(s, kind):
    """Echo requests to one server are lost in the host's bridge, before the tunnel."""
    overlay(s, kind)
    w, target = s.w, s.w.s2.ip
    w.bridge_drop(f'ether type ip ip saddr {w.vm.ip} ip daddr {target} icmp type echo-request')
    s.avoid(target)
    s.fails(('icmp', target))
    s.at(s.when(), w.vm, traffic.ping, target, 9, 0.55)
    s.at(s.when() + 1, w.vm, traffic.http_client, target, 80, ['/', '/b/2400'])
    s.check('vm', echo(8, w.vm.ip, target), '>= 8')
    s.fault('icmp-lost-to-guest', s.gap, 'from-guest', f'{w.vm.ip} > {target}')


def overlay_beyond(s, kind):
    """SYNs to one server go out in the tunnel, and nothing comes back."""
    overlay(s, kind)
    w, target = s.w, s.w.s2.ip
    w.drop(w.s2, 'input', f'ip saddr {w.vm.ip} tcp dport 8080')
    s.tries(target, 8080, pings=0)
    s.fails(('tcp', target))
    s.check('vm', syn(w.vm.ip, target, 8080), '>= 4')
    s.check('host', syn(w.vm.ip, target, 8080), '>= 4')
    s.fault('tcp-syn-unanswered', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}:8080/tcp')


for kind, title in (('vxlan', "The guest's frames leave the host in VXLAN"), ('geneve', "The guest's frames leave the host in Geneve"),
                    ('gre', "The guest's frames leave the host in GRE"),
                    ('vlan', "The guest's frames are untagged at its port and tagged at the uplink")):
    add(f'{kind}-uplink-healthy', f'{title}; everything works.', overlay_healthy, kind)
    add(f'{kind}-any-healthy', f'{title}; the host captured on all interfaces; everything works.', overlay_healthy, kind,
        point='sll1' if kind == 'vlan' else 'any')
    add(f'{kind}-lost-uplink', f'{title}; its echo requests to one server are lost before.', overlay_lost, kind)
    add(f'{kind}-lost-two-points', f'{title}; its echo requests to one server are at its port and not at the uplink.',
        overlay_lost, kind, point='port+uplink')
    add(f'{kind}-beyond-uplink', f'{title}; a server drops its SYNs to one port.', overlay_beyond, kind)


def overlay_strangers(s, macs_too=True, kind='vxlan'):
    """Another tenant has the same addresses in a tunnel of its own, and there all works."""
    overlay_beyond(s, kind)
    w = s.w
    twin = Machine('twin', w.vm.mac if macs_too else w.mac([w.guest_oui]), w.vm.ip)
    server = Machine('server', w.s2.mac if macs_too else w.machine_mac(), w.s2.ip)
    for namespace, interface, local, remote, machine in [
            (w.host.ns, w.uplink_name, f'{w.underlay}.1', f'{w.underlay}.2', twin),
            (w.switch.ns, 'up0', f'{w.underlay}.2', f'{w.underlay}.1', server)]:
        namespace.ip('link add others type bridge stp_state 0 forward_delay 0 mcast_snooping 0', 'link set others up',
                     f'link add inner2 type vxlan id {s.number + 1} local {local} remote {remote} dstport 4789 dev {interface}',
                     'link set inner2 mtu 1500 master others', 'link set inner2 up')
        link(machine.ns, 'eth0', machine.mac, namespace, 'twin0', w.machine_mac())
        namespace.ip('link set twin0 master others', 'link set twin0 up')
        w.address(machine, 'eth0', f'{machine.ip}/24', None)
    traffic.in_thread(server.ns, traffic.http_server, '0.0.0.0', 8080)
    for number in range(5):
        s.at(1 + 1.5 * number, twin, traffic.http_client, server.ip, 8080, ['/', '/b/900'])
        s.at(1.3 + 1.5 * number, twin, traffic.ping, server.ip, 2, 0.3)
    s.check('host', f'vxlan.vni == {s.number + 1} && tcp.flags == 0x012 && ip.dst == {w.vm.ip}', '>= 3')
    s.expect(absent=['l2-duplicate-mac', 'arp-duplicate-ip'])


add('vxlan-strangers', "A server drops the guest's SYNs; another tenant with the same addresses, in another VXLAN, works.",
    overlay_strangers)


add('vxlan-strangers-any', "A server drops the guest's SYNs; another tenant with the same addresses, in another VXLAN and bridge of "
    'the host, works; the host captured on all interfaces.', overlay_strangers, False, point='any')


def routed_gre(s, lost=False):
    w = s.w
    w.routed_tunnel(number := s.rng.choice([0, 7007]))
    tunnel = f'gre.key == {number}' if number else 'gre'
    s.check('host', f'{tunnel} && tcp.flags == 0x012 && ip.dst == {w.vm.ip}', '>= 3')
    if not lost:
        return
    target = w.s2.ip
    w.drop(w.s2, 'input', f'icmp type echo-request ip saddr {w.vm.ip}')
    s.avoid(target)
    s.fails(('icmp', target))
    s.at(s.when(), w.vm, traffic.ping, target, 9, 0.55)
    s.at(s.when() + 1, w.vm, traffic.http_client, target, 80, ['/', '/b/2400'])
    for role in ('host', 'vm'):
        s.check(role, echo(8, w.vm.ip, target), '>= 8')
    s.fault('icmp-lost-beyond', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}')


add('gre-routed-healthy', "The host routes its guest's packets to the router inside GRE; everything works.", routed_gre,
    mode='routed')
add('gre-routed-lost', "The host routes its guest's packets to the router inside GRE; a server drops its echo requests.",
    routed_gre, True, mode='routed')


# One packet seen many times

def pktmon_file(s):
    w = s.w
    s.snaplen['host'] = None
    s.nano['host'] = s.pcapng['host'] = False

    def change(files):
        path = files['host'] + 'ng'
        pktmon.merge(files['host'], files.pop('host2'), path, w.vm.mac)
        files['host'] = path
    s.changes.append(change)
    s.synthetic = ('; synthetic: tests/lab/pktmon.py put the frames of two host captures into one, with packet ids, directions '
                   'and verdicts')
    s.expect(absent=['l2-duplicate-frames'])


def pktmon_healthy(s):
    pktmon_file(s)
    s.check('host2', f'tcp.flags == 0x012 && ip.dst == {s.w.vm.ip}', '>= 3')


def pktmon_drop(s):
    apart_lost(s)
    pktmon_file(s)


add('pktmon-healthy', "The host's capture shows each packet at three places under one packet id, as pktmon does; everything works.",
    pktmon_healthy, point='port+uplink', apart=True)
add('pktmon-drop', "The host's capture shows each packet at several places under one packet id, and for SYNs to one server that its "
    'virtual switch dropped them.', pktmon_drop, point='port+uplink', apart=True)


# A switch that records what it gets, by the port that it came from

def switch_file(s):
    s.snaplen['host'] = None
    s.nano['host'] = s.pcapng['host'] = False

    def change(files):
        pktmon.split(files['host'], files['host'] + 'ng', s.w.vm.mac)
        files['host'] += 'ng'
    s.changes.append(change)
    s.synthetic = '; synthetic: tests/lab/pktmon.py put the frames of the guest and those for it at two ports of one switch'


def switch_healthy(s):
    switch_file(s)
    s.check('host', f'tcp.flags == 0x012 && ip.dst == {s.w.vm.ip}', '>= 3')


def switch_beyond(s):
    switch_file(s)
    w, target = s.w, s.w.s2.ip
    w.drop(w.s2, 'input', f'ip saddr {w.vm.ip} tcp dport 8080')
    s.tries(target, 8080, pings=0)
    s.fails(('tcp', target))
    for role in ('host', 'vm'):
        s.check(role, syn(w.vm.ip, target, 8080), '>= 4')
    s.fault('tcp-syn-unanswered', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}:8080/tcp')


add('vswitch-by-source-healthy', "The host's switch records each packet once, at the port that it came from, as on Hyper-V; everything "
    'works.', switch_healthy)
add('vswitch-by-source-beyond', "The host's switch records each packet once, at the port that it came from; a server drops the guest's "
    'SYNs to one port.', switch_beyond)


# Delivered twice

def doubled(s, where='network'):
    """All that goes to the guest is there twice: from the uplink on, or from its port on."""
    w = s.w
    namespace, inside, outside = {'network': (w.switch.ns, 'up0', ['p0', 'p1', 'p2']), 'port': (w.nic.ns, 'in', ['out'])}[where]
    for device in outside:
        namespace.nft(f'''table netdev lab{device} {{ chain double {{ type filter hook ingress device {device} priority 0;
            ether daddr {w.vm.mac} dup to {inside}
            }}
            }}''')
    for number in range(4):
        s.at(1.5 + 2 * number, w.vm, traffic.ping, w.s1.ip, 4, 0.3)
    s.check('vm', echo(0, w.s1.ip, w.vm.ip), '>= 20')
    s.fault('l2-duplicate-frames', 'beyond-host' if where == 'network' else 'guest-host-path', 'to-guest')


add('l2-duplicate-frames-network', 'The switch sends all frames for the guest to the host twice.', doubled)
add('l2-duplicate-frames-port', "All frames for the guest are at the host's uplink and at the guest's port once, and in the guest "
    'twice.', doubled, 'port', point='port+uplink')


def lossy(s):
    """One in twelve segments is lost on the way to the guest: they are sent again, and are no double frames."""
    w = s.w
    w.bridge_drop(f'ether daddr {w.vm.mac} ip protocol tcp tcp flags & (syn | ack) == ack numgen random mod 100 < 8')
    for number in range(5):
        s.at(1 + 1.7 * number, w.vm, traffic.http_client, w.s1.ip, 80, ['/b/120000'])
    s.audited = False
    s.expect(absent=['l2-duplicate-frames'])
    s.fault('tcp-retrans-loss', 'host', 'to-guest')


add('tcp-sent-again', 'One in twelve TCP segments for the guest is lost in the host and sent again; everything works.', lossy,
    point='port+uplink')


# The guest sits on the host's NIC

def on_the_nic(s, who='guest'):
    w = s.w
    w.macvtap()
    s.avoid(w.host.ip)
    for number in range(3):
        s.at(1 + 3 * number, w.s1, traffic.ping, w.host.ip, 3, 0.4)
        s.at(1.5 + 3 * number, w.host, traffic.http_client, w.s1.ip, 80, ['/', '/b/900'])
    s.check('host', echo(0, w.host.ip, w.s1.ip), '>= 6')
    if who == 'host':
        s.at(s.when(), w.host, traffic.ping, w.vm.ip, 8, 0.8)
        s.check('host', arp_request(w.host.ip, w.vm.ip), '>= 4')
        s.check('vm', arp_request(w.host.ip, w.vm.ip), '== 0')
        s.expect(absent=['arp-lost-vswitch'])
        s.fault('l2-macvtap-isolation', 'host', 'to-guest', f'{w.host.ip} > {w.vm.ip}')
    if who != 'guest':
        return
    s.fails(('arp', w.host.ip))
    s.at(s.when(), w.vm, traffic.ping, w.host.ip, 8, 0.8)
    for role in ('host', 'vm'):
        s.check(role, arp_request(w.vm.ip, w.host.ip), '>= 4')
        s.check(role, arp_reply(w.host.ip, w.vm.ip), '== 0')
    s.expect(absent=['arp-target-silent', 'arp-lost-vswitch'])
    s.fault('l2-macvtap-isolation', 'host', 'from-guest', f'{w.vm.ip} > {w.host.ip}')


add('l2-macvtap-isolation', "The guest sits on the host's NIC (macvlan): it reaches the LAN, and never its own host.", on_the_nic)
add('l2-macvtap-healthy', "The guest sits on the host's NIC (macvlan) and has nothing to say to its host.", on_the_nic, 'nobody')
add('l2-macvtap-from-host', "The guest sits on the host's NIC (macvlan): its host never reaches it, and others do.", on_the_nic, 'host')


def host_ignores(s, kind='ping'):
    """The host's firewall drops what its bridged guest sends to the host."""
    w = s.w
    s.avoid(w.host.ip)
    s.audited = False
    if kind == 'arp':
        w.host.ns.nft(f'table arp lab {{ chain input {{ type filter hook input priority 0; arp saddr ip {w.vm.ip} drop\n}}\n}}')
    else:
        w.drop(w.host, 'input', f'icmp type echo-request ip saddr {w.vm.ip}')
    for number in range(3):
        s.at(1 + 3 * number, w.s1, traffic.ping, w.host.ip, 3, 0.4)
    s.at(s.when(), w.vm, traffic.ping, w.host.ip, 8, 0.8)
    s.expect(absent=['l2-macvtap-isolation'])
    if kind == 'arp':
        s.check('vm', arp_request(w.vm.ip, w.host.ip), '>= 4')
        s.fault('arp-target-silent', None, 'from-guest', f'{w.vm.ip} > {w.host.ip}')
    else:
        s.check('vm', echo(8, w.vm.ip, w.host.ip), '>= 7')
        s.fault('icmp-lost-beyond', None, 'from-guest', f'{w.vm.ip} > {w.host.ip}')


add('l2-macvtap-host-firewall', "The host's firewall drops its bridged guest's pings to the host itself; the host captured at its "
    'bridge.', host_ignores, point='bridge')
add('l2-macvtap-host-arp', "The host does not answer its bridged guest's ARP requests for the host itself; port and "
    'uplink were captured.', host_ignores, 'arp', point='port+uplink')


# Several addresses on one NIC

def more_addresses(s):
    w = s.w
    s.second, s.global6 = w.guest_ip(), 'fd00:77::' + w.vm.ip.split('.')[-1]
    w.vm.ns.ip(f'addr add {s.second}/24 brd + dev eth0')
    for machine in (w.vm, w.s1, w.s2):
        machine.ns.sysctl(ipv6__conf__all__disable_ipv6=0, ipv6__conf__eth0__disable_ipv6=0, ipv6__conf__eth0__accept_dad=0)
    w.vm.ns.ip(f'addr add {s.global6}/64 dev eth0 nodad', f'addr add fd00:77::a{w.vm.ip.split(".")[-1]}/64 dev eth0 nodad')
    w.s1.ns.ip('addr add fd00:77::1/64 dev eth0 nodad')
    traffic.in_thread(w.vm.ns, traffic.http_server, '::', 80)
    s.avoid(w.s2.ip)
    for number in range(3):
        s.at(1.2 + 2.5 * number, w.s1, traffic.http_client, s.second, 80, ['/', '/b/900'])
        s.at(1.7 + 2.5 * number, w.vm, traffic.ping, w.s1.ip, 2, 0.3, more=('-I', s.second))
        s.at(2.2 + 2.5 * number, w.s1, traffic.ping, s.global6, 2, 0.3)
        s.at(2.4 + 2.5 * number, w.s1, traffic.http_client, s.global6, 80, ['/'])
    s.check('vm', f'tcp.flags == 0x012 && ip.src == {s.second}', '>= 2')
    s.check('vm', f'icmpv6.type == 129 && ipv6.src == {s.global6}', '>= 4')


def one_address_lost(s, family=4):
    """What a LAN server sends to one of the guest's addresses is lost in the host's bridge."""
    more_addresses(s)
    w = s.w
    start = s.when()
    if family == 4:
        w.bridge_drop(f'ether type ip ip saddr {w.s2.ip} ip daddr {s.second} icmp type echo-request')
        s.at(start, w.s2, traffic.ping, s.second, 8, 0.5)
        s.at(start + 0.2, w.s2, traffic.ping, w.vm.ip, 4, 0.5)
        s.check('vm', echo(8, w.s2.ip, s.second), '== 0')
        s.check('vm', echo(0, w.vm.ip, w.s2.ip), '>= 4')
        s.fault('icmp-lost-to-guest', 'guest-host-path', 'to-guest', f'{w.s2.ip} > {s.second}')
        return
    w.s2.ns.ip('addr add fd00:77::2/64 dev eth0 nodad')
    other = f'fd00:77::a{w.vm.ip.split(".")[-1]}'
    w.bridge_drop(f'ether type ip6 ip6 saddr fd00:77::2 ip6 daddr {other} icmpv6 type echo-request')
    s.at(start, w.s2, traffic.ping, other, 8, 0.5)
    s.at(start + 0.2, w.s2, traffic.ping, s.global6, 4, 0.5)
    s.check('vm', f'icmpv6.type == 128 && ipv6.dst == {other}', '== 0')
    s.check('host', f'icmpv6.type == 128 && ipv6.dst == {other}', '>= 7')
    s.fault('icmp-lost-to-guest', 'guest-host-path', 'to-guest', f'fd00:77::2 > {other}')


def second_address_silent(s):
    """The guest's firewall drops pings for its second address only."""
    more_addresses(s)
    w = s.w
    w.drop(w.vm, 'input', f'icmp type echo-request ip daddr {s.second}')
    s.at(s.when(), w.s2, traffic.ping, s.second, 8, 0.5)
    s.at(s.when() + 0.4, w.s2, traffic.ping, w.vm.ip, 4, 0.5)
    s.check('vm', echo(8, w.s2.ip, s.second), '>= 7')
    s.check('vm', echo(0, s.second, w.s2.ip), '== 0')
    s.fault('icmp-guest-silent', 'guest', 'to-guest', f'{w.s2.ip} > {s.second}')


add('addresses-healthy', 'The guest has two IPv4 and several IPv6 addresses on one NIC; all of them work.', more_addresses)
add('addresses-one-lost', "The guest has several addresses; a server's pings for its second IPv4 address are lost on the host's bridge, "
    'those for the first arrive.', one_address_lost)
add('addresses-one-lost-v6', "The guest has several addresses; a server's pings for one of its IPv6 addresses are lost on the host's "
    'bridge, those for another arrive.', one_address_lost, 6)
add('addresses-one-silent', "The guest's firewall drops pings for its second IPv4 address; the first answers.", second_address_silent,
    point='port+uplink')


# Two NICs, bridged and behind NAT

def mixed_nics(s, lost=None):
    """One NIC is bridged, the other behind the host's NAT; both leave by one uplink."""
    w = s.w
    inner, mac = '10.99.7', w.mac([w.guest_oui])
    w.vm2_ip = f'{inner}.77'
    link(w.vm.ns, 'eth1', mac, w.host.ns, 'vnet40', 'fe' + mac[2:])
    w.host.ns.ip('link add virbr0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0', 'link set virbr0 up',
                 'link set vnet40 master virbr0', 'link set vnet40 up', f'addr add {inner}.1/24 brd + dev virbr0')
    w.host.ns.sysctl(ipv4__ip_forward=1)
    w.host.ns.nft(f'''table ip nat {{ chain post {{ type nat hook postrouting priority 100;
        ip saddr {inner}.0/24 ip daddr != {inner}.0/24 masquerade; }}
        }}''')
    w.vm.ns.ip('link set eth1 up', f'addr add {w.vm2_ip}/24 brd + dev eth1', f'route add 203.0.113.10/32 via {inner}.1 dev eth1',
               f'route add 198.51.100.25/32 via {inner}.1 dev eth1')
    traffic.in_thread(w.net.ns, traffic.http_server, '198.51.100.25', 8000)
    s.devices = ['eth0', 'eth1']
    s.expect(mode='bridged')
    for number in range(4):
        s.at(1 + 2 * number, w.vm, traffic.ping, '203.0.113.10', 3, 0.4)
        s.at(1.5 + 2 * number, w.vm, traffic.http_client, '198.51.100.25', 8000, ['/', '/b/900'])
    s.check('vm2', echo(0, '203.0.113.10', w.vm2_ip), '>= 6')
    s.check('host', echo(0, '203.0.113.10', w.host.ip), '>= 6')
    if not lost:
        return
    start = s.when()
    if lost == 'nat':
        w.drop(w.host, 'forward', f'ip saddr 198.51.100.25 ip daddr {w.vm2_ip} tcp sport 8001')
        traffic.in_thread(w.net.ns, traffic.http_server, '198.51.100.25', 8001)
        s.at(start, w.vm, traffic.connect, '198.51.100.25', 8001, 5.5)
        s.check('vm2', syn(w.vm2_ip, '198.51.100.25', 8001), '>= 4')
        s.check('host', f'tcp.flags == 0x012 && tcp.srcport == 8001 && ip.dst == {w.host.ip}', '>= 4')
        s.fault('nat-return-dropped', 'nat', 'to-guest', f'{w.vm2_ip} > 198.51.100.25:8001/tcp')
    else:
        w.bridge_drop(f'ether type ip ip saddr {w.vm.ip} ip daddr {w.s2.ip} icmp type echo-request')
        s.avoid(w.s2.ip)
        s.fails(('icmp', w.s2.ip))
        s.at(start, w.vm, traffic.ping, w.s2.ip, 9, 0.5)
        s.at(start + 1, w.vm, traffic.http_client, w.s2.ip, 80, ['/', '/b/900'])
        s.check('vm', echo(8, w.vm.ip, w.s2.ip), '>= 8')
        s.fault('icmp-lost-to-guest', 'guest-host-path', 'from-guest', f'{w.vm.ip} > {w.s2.ip}')


add('points-mixed-nics-healthy', 'The guest has a bridged NIC and one behind NAT, and both use one uplink; everything works.', mixed_nics)
add('points-mixed-nics-nat', "The guest has a bridged NIC and one behind NAT; answers for the second are at the uplink and dropped by "
    "the host's forward filter.", mixed_nics, 'nat')
add('points-mixed-nics-bridged', "The guest has a bridged NIC and one behind NAT; echo requests of the first are lost on the host's "
    'bridge.', mixed_nics, 'bridged')


# The same addresses once more in another VLAN of the uplink

def vlan_strangers(s, lost=False):
    overlay(s, 'vlan')
    w = s.w
    twin = Machine('twin', w.mac([w.guest_oui]), w.vm.ip)
    servers = [Machine('twin-s2', w.machine_mac(), w.s2.ip), Machine('twin-router', w.machine_mac(), w.router.ip)]
    for namespace, interface, machines in [(w.host.ns, w.uplink_name, [twin]), (w.switch.ns, 'up0', servers)]:
        namespace.ip('link add others type bridge stp_state 0 forward_delay 0 mcast_snooping 0', 'link set others up')
        relay.connect(relay.device(namespace, 'inner2'), relay.Vlan(namespace, interface, s.number + 1))
        namespace.ip('link set inner2 master others', 'link set inner2 up')
        for number, machine in enumerate(machines):
            link(machine.ns, 'eth0', machine.mac, namespace, f'twin{number}', w.machine_mac())
            namespace.ip(f'link set twin{number} master others', f'link set twin{number} up')
            w.address(machine, 'eth0', f'{machine.ip}/24', None)
    traffic.in_thread(servers[0].ns, traffic.http_server, '0.0.0.0', 8080)
    for number in range(5):
        for machine in servers:
            s.at(0.8 + 1.5 * number, twin, twin.ns.run, 'ip', 'neigh', 'del', machine.ip, 'dev', 'eth0', may_fail=True)
            s.at(1.3 + 1.5 * number, twin, traffic.ping, machine.ip, 2, 0.3)
        s.at(1 + 1.5 * number, twin, traffic.http_client, w.s2.ip, 8080, ['/', '/b/900'])
        s.at(1.1 + 1.5 * number, w.vm, s.forget_neighbour, w.s2.ip)
    s.check('host', f'vlan.id == {s.number + 1} && tcp.flags == 0x012 && ip.dst == {w.vm.ip}', '>= 3')
    s.expect(absent=['l2-duplicate-mac', 'arp-duplicate-ip', 'arp-spoof', 'arp-stale-entry', 'arp-proxy'])
    if not lost:
        return
    target = w.s2.ip
    w.drop(w.s2, 'input', f'ip saddr {w.vm.ip} tcp dport 8080')
    s.tries(target, 8080, pings=0)
    s.fails(('tcp', target))
    for role in ('host', 'vm'):
        s.check(role, syn(w.vm.ip, target, 8080), '>= 4')
    s.fault('tcp-syn-unanswered', 'beyond-host', 'from-guest', f'{w.vm.ip} > {target}:8080/tcp')


add('vlan-strangers-healthy', 'Another VLAN of the uplink has the same addresses once more, of other machines; everything works.',
    vlan_strangers)
add('vlan-strangers-beyond', "Another VLAN of the uplink has the same addresses once more, and there all works; a server drops the "
    "guest's SYNs to one port.", vlan_strangers, True)
