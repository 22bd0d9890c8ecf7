"""Gateway, ICMP, routing and NAT: the rest of the families, and their look-alikes."""
import traffic
from scenario import add
from scenarios import arp_request, echo, seen_and_lost, syn


# Gateway

def no_default(s):
    w, outside = s.w, '203.0.113.81'
    w.vm.ns.ip('route del default')
    w.dns = w.s1.ip
    s.avoid(*w.internet)
    s.at(s.when(), w.net, traffic.ping, w.vm.ip, 8, 0.6, 56, 1, ('-I', outside))
    s.at(s.when() + 0.5, w.net, traffic.connect, w.vm.ip, 80, 5)
    s.fails(('icmp', outside), ('tcp', '203.0.113.80'), ('icmp', '203.0.113.80'))
    for role in ('host', 'vm'):
        s.check(role, echo(8, outside, w.vm.ip), '>= 6')
    s.check('vm', f'ip.src == {w.vm.ip} && ip.dst == 203.0.113.0/24', '== 0')
    s.fault('gw-no-default-route', 'guest')


add('gw-no-default-route-uplink', 'The guest has no default route: requests from outside its subnet reach it unanswered, its '
    'neighbours are answered.', no_default)
add('gw-no-default-route-two-points', 'The guest has no default route: requests from outside its subnet reach it unanswered; '
    'port and uplink were captured.', no_default, point='port+uplink')


def wrong_gateway(s, forwards=False):
    w, other = s.w, s.w.s1
    w.vm.ns.ip(f'route replace default via {other.ip}')
    w.dns = other.ip
    targets = ['203.0.113.80', '203.0.113.81', '198.51.100.25']
    start = s.when(2.0, 2.4)
    if forwards:
        other.ns.sysctl(ipv4__ip_forward=1)
        for number, target in enumerate(targets):
            s.at(start + number, w.vm, traffic.ping, target, 4, 0.4)
        s.check('vm', 'icmp.type == 5', '>= 1')
        s.check('vm', 'icmp.type == 0 && ip.src == 203.0.113.0/24', '>= 4')
        s.expect(notes=['gw-wrong-gateway'])
        return
    s.avoid(*w.internet)
    for number, target in enumerate(targets):
        s.at(start + number * 0.3, w.vm, traffic.ping, target, 8, 0.6)
        s.fails(('icmp', target), ('tcp', target))
    s.at(start + 0.5, w.vm, traffic.connect, targets[0], 80, 5.5)
    s.at(start, w.guests[0], traffic.ping, targets[0], 6, 0.5)
    s.check('host', f'icmp.type == 8 && ip.src == {w.vm.ip} && ip.dst == 203.0.113.0/24', '>= 10')
    s.check('vm', 'ip.src == 203.0.113.0/24', '== 0')
    s.fault('gw-wrong-gateway', 'beyond-host', 'from-guest')


add('gw-wrong-gateway-uplink', "The guest's default gateway is a LAN server that does not forward; others reach the same "
    'targets through the router.', wrong_gateway)
add('gw-redirect-healthy', "The guest's default gateway redirects it to the router; everything works.", wrong_gateway, True)


# ICMP

def double_filter(s):
    w = s.w
    w.bridge_drop(f'ether type ip ip protocol icmp icmp type echo-request ip saddr {w.s2.ip} ip daddr {w.vm.ip}')
    w.drop(w.s2, 'input', f'icmp type echo-request ip saddr {w.vm.ip}')
    s.avoid(w.s2.ip)
    s.fails(('icmp', w.s2.ip))
    s.at(s.when(), w.s2, traffic.ping, w.vm.ip, 8, 0.6)
    s.at(s.when(), w.vm, traffic.ping, w.s2.ip, 8, 0.6)
    s.at(3, w.vm, traffic.http_client, w.s2.ip, 80, ['/', '/b/900'])
    s.check('host', echo(8, w.s2.ip, w.vm.ip), '>= 6')
    s.check('vm', echo(8, w.s2.ip, w.vm.ip), '== 0')
    s.check('host', echo(8, w.vm.ip, w.s2.ip), '>= 6')
    s.fault('icmp-double-filter', 'guest-host-path')


add('icmp-double-filter-uplink', "Pings fail both ways for two reasons: the host's bridge drops those for the guest, the other "
    "side's firewall those of the guest.", double_filter)


def prohibited(s, who='router'):
    w = s.w
    target = {'target': w.s2.ip, 'router': '203.0.113.81', 'host': '203.0.113.10'}[who]
    verdict = 'reject with icmp type admin-prohibited'
    if who == 'target':
        w.drop(w.s2, 'input', f'ip saddr {w.vm.ip} meta l4proto {{icmp, tcp}}', verdict)
    elif who == 'router':
        w.drop(w.router, 'forward', f'ip saddr {w.vm.ip} ip daddr {target}', verdict)
    else:
        w.drop(w.host, 'forward', f'ip saddr {w.vm.ip} ip daddr {target}', verdict)
    s.avoid(target)
    s.fails(('icmp', target), ('tcp', target))
    s.at(s.when(), w.vm, traffic.ping, target, 6, 0.9)
    s.at(s.when() + 0.5, w.vm, traffic.connect, target, 443, 3, 2, 1)
    s.check('vm', 'icmp.type == 3 && icmp.code == 13', '>= 3')
    s.check('vm', f'ip.src == {target} && icmp.type == 0', '== 0')
    if who == 'host':
        s.check('host', s.at_point(1, f'icmp.type == 8 && ip.dst == {target}'), '== 0')
        s.fault('icmp-admin-prohibited', 'host')
    else:
        s.check('host', 'icmp.type == 3 && icmp.code == 13', '>= 3')
        s.fault('icmp-admin-prohibited', 'beyond-host')


add('icmp-admin-prohibited-router', 'The router refuses one target to the guest and says so.', prohibited)
add('icmp-admin-prohibited-target', "A server's firewall refuses the guest and says so.", prohibited, 'target', point='any')
add('icmp-admin-prohibited-host', 'The host refuses one target to its NAT guest and says so.', prohibited, 'host', mode='nat',
    point='port+uplink')
add('icmp-admin-prohibited-host-routed', 'The host refuses one target to its routed guest and says so; only the uplink was '
    'captured.', prohibited, 'host', mode='routed')


def unreachable(s, what='port'):
    w = s.w
    if what == 'port':
        target = w.s2.ip
        s.at(s.when(), w.vm, traffic.udp_client, target, 5140, 6, 0.9)
        code = 3
    else:
        target = '198.51.77.9'
        w.router.ns.ip(f'route add unreachable {target}/32')
        s.at(s.when(), w.vm, traffic.ping, target, 5, 1.3)
        s.at(s.when(), w.vm, traffic.connect, target, 80, 3, 2, 1)
        s.fails(('icmp', target), ('tcp', target))
        code = 1
    for role in ('host', 'vm'):
        s.check(role, f'icmp.type == 3 && icmp.code == {code}', '>= 2')
    s.fault('icmp-unreachable', 'beyond-host')


add('icmp-unreachable-port', 'The guest sends to a UDP port of a server where nothing listens; the server says so.',
    unreachable)
add('icmp-unreachable-host', 'The router has no way to the target and says so.', unreachable, 'host')
add('icmp-unreachable-nat', 'The router has no way to the target of a NAT guest and says so.', unreachable, 'host',
    mode='nat')


# Routing

def loop(s):
    w, target = s.w, f'10.253.{s.rng.randint(1, 250)}.9'
    w.router.ns.ip(f'route add {target}/32 via {w.host.ip}')
    for machine in (w.router, w.host):
        machine.ns.sysctl(ipv4__conf__all__send_redirects=0, ipv4__conf__default__send_redirects=0,
                          **{f'ipv4__conf__{"eth0" if machine is w.router else w.uplink_name}__send_redirects': 0})
    s.at(s.when(), w.vm, traffic.ping, target, 4, 1.0, 56, 1, ('-t', '20'))
    s.at(s.when(), w.vm, traffic.connect, target, 80, 3)
    s.fails(('icmp', target), ('tcp', target))
    s.check('host', f'icmp.type == 8 && ip.dst == {target}', '>= 40')
    s.check('vm', 'icmp.type == 11', '>= 1')
    s.fault('ip-ttl-loop')


add('ip-ttl-loop-routed', 'The host sends packets for one network to the router, and the router sends them back.', loop,
    mode='routed')


def traceroute(s):
    w = s.w
    for number, hop in enumerate((1, 2, 3)):
        s.at(3 + number * 0.7, w.vm, traffic.ping, '203.0.113.81', 1, 0.5, 32, 1, ('-t', str(hop)))
    s.fails(('icmp', '203.0.113.81'))
    s.check('vm', 'icmp.type == 11', '>= 1')
    s.expect(absent=['ip-ttl-loop'])


add('traceroute-healthy', 'The guest traces the route to a server with small TTLs; the routers answer, the server too.',
    traceroute)


def reverse_path(s):
    w, source = s.w, '203.0.113.81'
    w.host.ns.ip(f'route add {source}/32 dev {w.bridge_name}')
    w.host.ns.sysctl(ipv4__conf__all__rp_filter=1, **{f'ipv4__conf__{w.uplink_name}__rp_filter': 1})
    s.avoid(source)
    s.at(s.when(), w.net, traffic.ping, w.vm.ip, 8, 0.6, 56, 1, ('-I', source))
    s.at(s.when(), w.net, traffic.http_client, w.vm.ip, 80, ['/'], '', (source, 0), 0.1, 5)
    s.at(s.when(), w.net, traffic.ping, w.vm.ip, 5, 0.6)
    for display_filter, least in [(echo(8, source, w.vm.ip), 6), (syn(source, w.vm.ip, 80), 4)]:
        s.check('host', s.at_point(1, display_filter), f'>= {least}')
        s.check('vm', display_filter, '== 0')
    s.check('vm', echo(0, w.vm.ip, '203.0.113.80'), '>= 3')
    s.fault('ip-rp-filter', 'host', 'to-guest')


add('ip-rp-filter-two-points', "The host drops everything of one source, which its routes place elsewhere; other sources reach "
    'the routed guest.', reverse_path, mode='routed', point='port+uplink')


# NAT

def exhausted(s):
    w, target = s.w, '203.0.113.81'
    s.avoid(target)
    w.host.ns.nft('delete table ip nat')
    w.host.ns.nft(f'''table ip nat {{ chain post {{ type nat hook postrouting priority 100;
        oifname {w.uplink_name} ip saddr {w.vm_net} ip daddr {target} ip protocol tcp masquerade to :60000-60003
        oifname {w.uplink_name} ip saddr {w.vm_net} masquerade
        }}
        }}''')
    for number in range(4):
        s.at(0.6 + 0.2 * number, w.vm, traffic.ssh_client, target, 22, 40, 0.4)
    for number in range(3):
        s.at(2.6 + 0.4 * number, w.vm, traffic.connect, target, 22, 5.2)
    s.fails(('tcp', target))
    s.check('vm', syn(w.vm.ip, target, 22), '>= 12')
    s.check('host', s.at_point(1, f'tcp.flags == 0x012 && ip.src == {target} && tcp.srcport == 22'), '<= 4')
    s.check('host', f'ip.src == {w.host.ip} && ip.dst == {target} && tcp.dstport == 22 && tcp.len > 0', '>= 20')
    s.fault('nat-port-exhaustion', 'nat', 'from-guest')


add('nat-port-exhaustion-uplink', 'The NAT has four ports for one server: the fifth and later connections of the guest never '
    'leave the host, the four go on.', exhausted, mode='nat')
add('nat-port-exhaustion-two-points', 'The NAT has four ports for one server: later connections of the guest are at its port '
    'and not at the uplink.', exhausted, mode='nat', point='port+uplink')


def hairpin(s):
    w, port = s.w, 8080
    w.host.ns.nft(f'table ip nat {{ chain pre {{ ip daddr {w.host.ip} tcp dport {port} dnat to {w.guests[0].ip}:80\n}}\n}}')
    w.host.ns.sysctl(ipv4__conf__all__send_redirects=0, **{f'ipv4__conf__{w.bridge_name}__send_redirects': 0})
    s.at(s.when(), w.vm, traffic.connect, w.host.ip, port, 5.5)
    s.at(s.when() + 0.7, w.vm, traffic.connect, w.host.ip, port, 5)
    for number in range(3):
        s.at(2 + number * 2, w.s1, traffic.http_client, w.host.ip, port, ['/'])
    s.audited = False
    s.check('vm', syn(w.vm.ip, w.host.ip, port), '>= 4')
    s.check('vm', f'tcp.flags == 0x012 && ip.src == {w.guests[0].ip} && tcp.srcport == 80 && tcp.dstport > 1024', '>= 2')
    s.check('host', f'tcp.flags == 0x012 && tcp.srcport == {port} && ip.dst == {w.s1.ip}', '>= 2')
    s.fault('nat-hairpin')


add('nat-hairpin-two-points', "The guest connects to a sibling through the host's forwarded port; the answer comes straight "
    "from the sibling's own address, and the guest resets it. LAN clients succeed.", hairpin, mode='nat', point='port+uplink')
add('nat-hairpin-any', "The guest connects to a sibling through the host's forwarded port; the answer comes straight from the "
    "sibling's own address, and the guest resets it. LAN clients succeed.", hairpin, mode='nat', point='any')


def isolated(s):
    w = s.w
    w.vm.ns.ip(f'route add default via {w.vm_prefix}.1')
    start = s.when()
    for number, target in enumerate(['203.0.113.80', w.s1.ip]):
        s.at(start + number * 0.4, w.vm, traffic.ping, target, 8, 0.6)
        s.at(start + number * 0.4, w.vm, traffic.connect, target, 80, 5.5)
        s.fails(('icmp', target), ('tcp', target))
        seen_and_lost(s, echo(8, w.vm.ip, target), 6)
    s.check('host', f'frame.interface_id == 1 && (ip.addr == {w.vm.ip} || ip.addr == 203.0.113.80 && icmp)', '== 0')
    s.fault('nat-hostonly-isolated', 'host', 'from-guest')


add('nat-hostonly-isolated', 'The guest is in a host-only network: it talks to host and siblings, nothing of it is forwarded.',
    isolated, mode='host-only', point='port+uplink')


def unforwarded(s):
    w = s.w
    s.avoid(w.s1.ip, w.s2.ip, *w.internet)
    s.audited = False
    w.host.ns.sysctl(ipv4__ip_forward=0)
    start = s.when()
    for number, target in enumerate(['203.0.113.80', '203.0.113.81', w.s1.ip]):
        s.at(start + number * 0.4, w.vm, traffic.ping, target, 2, 0.6)
        s.at(start + 2 + number * 0.4, w.vm, traffic.connect, target, 80, 1.5)
        s.check('vm', f'ip.src == {w.vm.ip} && ip.dst == {target}', '>= 3')
        s.check('host', f'ip.addr == {w.vm.ip} && ip.addr == {target} && sll.pkttype == 4', '== 0')
    s.check('host', f'ip.dst == {w.vm.ip} && sll.pkttype == 4', '>= 5')
    s.expect(mode='host-only')
    s.fault('nat-hostonly-isolated', 'host', 'from-guest')


add('nat-hostonly-isolated-sll1', 'The host forwards nothing of its guests; it captured on all interfaces in the older cooked format.',
    unforwarded, mode='nat', point='sll1')


def wrong_sibling(s, near=False):
    """The guest takes another guest of its host for the gateway; the host would translate.  `near`: also for an address that
    differs little from its own."""
    w, other = s.w, s.w.guests[0]
    targets = ['203.0.113.80', '203.0.113.81', w.s1.ip]
    if near:
        first, second, third = w.vm_prefix.split('.')
        targets[2] = f'{first}.{second}.{(int(third) + 90) % 250 + 1}.5'
        w.net.ns.ip(f'addr add {targets[2]}/32 dev eth0')
        w.router.ns.ip(f'route add {targets[2]}/32 via 203.0.113.80')
        s.at(1, w.host, traffic.ping, targets[2], 3, 0.3)
    s.avoid(other.ip, w.s1.ip, w.s2.ip, *w.internet)
    s.audited = False
    w.vm.ns.ip(f'route replace default via {other.ip}')
    start = s.when()
    for number, target in enumerate(targets):
        s.at(start + number * 0.4, w.vm, traffic.ping, target, 6, 0.6)
        seen_and_lost(s, echo(8, w.vm.ip, target), 5)
        s.check('vm', f'eth.dst == {other.mac} && ip.dst == {target}', '>= 5')
    s.check('vm', f'ip.src == {w.gateway} && ip.dst == {w.vm.ip}', '>= 3')
    s.check('host', s.at_point(1, f'ip.src == {w.host.ip} && tcp.flags.syn == 1'), '>= 2')
    s.expect(mode=None, absent=['nat-hostonly-isolated', 'icmp-lost-beyond'])
    s.fault('gw-wrong-gateway', 'host', 'from-guest')


add('gw-wrong-gateway-sibling', "The guest's default gateway is another guest of its host, which forwards nothing; the host with its NAT "
    'is there, too.', wrong_sibling, mode='nat', point='port+uplink')
add('gw-wrong-gateway-sibling-any', "The guest's default gateway is another guest of its host, which forwards nothing; the host captured "
    'on all interfaces, and shows that the frames of that gateway come in.', wrong_sibling, True, mode='nat', point='any')


def overlap(s):
    w, server = s.w, s.w.s2
    start = s.when()
    s.tries(server.ip, start=start)
    s.avoid(w.s1.ip)
    s.fails(('arp', server.ip))
    s.check('vm', arp_request(w.vm.ip, server.ip), '>= 4')
    s.check('host', s.at_point(1, arp_request(w.vm.ip, server.ip)), '== 0')
    if '+' in s.point:
        unseen = w.lan_ip()
        s.fails(('arp', unseen))
        s.at(start + 1, w.vm, traffic.ping, unseen, 6, 0.8)
        s.check('host', s.at_point(0, arp_request(w.vm.ip, unseen)), '>= 3')
        s.check('host', s.at_point(1, f'arp.src.proto_ipv4 == {unseen} || ip.addr == {unseen}'), '== 0')
    s.check('host', f'arp.src.proto_ipv4 == {server.ip} || ip.src == {server.ip}', '>= 3')
    s.at(3, server, traffic.http_client, w.host.ip, 22, [])
    s.at(1, w.host, traffic.http_client, server.ip, 80, ['/', '/b/900'])
    s.at(6, w.host, traffic.http_client, server.ip, 80, ['/', '/b/900'])
    s.fault('nat-subnet-overlap')


add('nat-subnet-overlap', "The NAT network has the numbers of the LAN: the guest asks by ARP, in vain, for a LAN server that is "
    'alive at the uplink.', overlap, mode='nat', overlap=True)
add('nat-subnet-overlap-two-points', "The NAT network has the numbers of the LAN: the guest asks by ARP, in vain, for a LAN server "
    'that is alive at the uplink, and for an address of which nothing is seen there.', overlap, mode='nat', overlap=True,
    point='port+uplink')
