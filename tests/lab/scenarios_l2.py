"""ARP and the virtual switch: the rest of the family, and its look-alikes."""
import traffic
from netns import link
from scenario import add
from scenarios import arp_reply, arp_request


def none_sent(s):
    w, peer = s.w, s.w.s2
    w.vm.ns.nft(f'table arp lab {{ chain output {{ type filter hook output priority 0; arp daddr ip {peer.ip} drop\n}}\n}}')
    s.avoid(peer.ip)
    s.at(s.when(), peer, traffic.ping, w.vm.ip, 8, 0.8)
    for role in ('host', 'vm'):
        s.check(role, arp_request(peer.ip, w.vm.ip), '>= 4')
        s.check(role, f'arp.src.proto_ipv4 == {w.vm.ip} && arp.dst.proto_ipv4 == {peer.ip}', '== 0')
    s.fault('arp-none-sent', 'guest')


add('arp-none-sent-uplink', "A LAN machine asks for the guest's MAC; the requests reach the guest, which sends nothing to that "
    'machine at all and works with others.', none_sent)
add('arp-none-sent-any', "A LAN machine asks for the guest's MAC; the requests reach the guest, which sends nothing to that "
    'machine at all; the host captured on all interfaces.', none_sent, point='any')


def off_subnet(s, proxy=False):
    w = s.w
    first, second, third = w.lan_prefix.split('.')
    target = f'{first}.{second}.{(int(third) + 90) % 250 + 1}.5'
    targets = [target] + [f'{first}.{second}.{(int(third) + 90 + n) % 250 + 1}.{n + 7}' for n in (1, 2, 3) if proxy]
    for address in targets:
        w.net.ns.ip(f'addr add {address}/32 dev eth0')
        w.router.ns.ip(f'route add {address}/32 via 203.0.113.80')
    w.vm.ns.ip(f'addr flush dev eth0', f'addr add {w.vm.ip}/16 brd + dev eth0', f'route add default via {w.router.ip}')
    start = s.when()
    s.at(start + 0.5, w.guests[0], traffic.ping, target, 4, 0.4)
    s.at(1, w.guests[0], traffic.http_client, target, 80, ['/'])
    if proxy:
        w.router.ns.sysctl(ipv4__conf__eth0__proxy_arp=1, ipv4__neigh__eth0__proxy_delay=1)
        for number, address in enumerate(targets):
            s.at(start + number, w.vm, traffic.ping, address, 3, 0.3)
            s.check('vm', arp_reply(address, w.vm.ip), '>= 1')
        s.expect(absent=['arp-off-subnet', 'arp-target-silent', 'arp-spoof', 'arp-duplicate-ip'], notes=['arp-proxy'])
        return
    s.tries(target)
    s.fails(('arp', target))
    for role in ('host', 'vm'):
        s.check(role, arp_request(w.vm.ip, target), '>= 4')
    s.check('host', f'icmp.type == 0 && ip.src == {target}', '>= 1')
    s.fault('arp-off-subnet', 'guest', 'from-guest', f'{w.vm.ip} > {target}')


add('arp-off-subnet-uplink', "The guest's mask is too short: it asks by ARP for an address that other machines reach through "
    'the gateway.', off_subnet)
add('arp-off-subnet-two-points', "The guest's mask is too short: it asks by ARP for an address that other machines reach "
    'through the gateway; port and uplink were captured.', off_subnet, point='port+uplink')
add('arp-proxy-healthy', "The guest's mask is too short, and the router answers ARP for the addresses behind it: all works.",
    off_subnet, True)


def duplicate_ip(s, whose='peer'):
    w = s.w
    if whose == 'own':
        double = w.lan_machine('double', w.machine_mac(), w.vm.ip)
        s.audited = False
        s.fails(('icmp', w.s1.ip))
        for number in range(4):
            s.at(1.5 + 2 * number, w.s1, w.s1.ns.run, 'ip', 'neigh', 'del', w.vm.ip, 'dev', 'eth0', may_fail=True)
            s.at(1.7 + 2 * number, w.s1, traffic.ping, w.vm.ip, 3, 0.3)
            s.at(1.9 + 2 * number, double, double.ns.run, 'ip', 'neigh', 'flush', 'all', may_fail=True)
            s.at(2.0 + 2 * number, double, traffic.ping, w.s2.ip, 2, 0.3)
        s.check('host', arp_reply(w.vm.ip, w.s1.ip), '>= 4')
        s.check('host', f'arp.opcode == 1 && arp.src.proto_ipv4 == {w.vm.ip} && arp.src.hw_mac == {double.mac}', '>= 3')
        s.fault('arp-duplicate-ip', 'beyond-host')
        return
    server = w.s2
    w.lan_machine('double', w.machine_mac(), server.ip)
    s.avoid(server.ip)
    for number in range(4):
        s.at(1.5 + 2 * number, w.vm, s.forget_neighbour, server.ip)
        s.at(1.7 + 2 * number, w.vm, traffic.ping, server.ip, 3, 0.3)
    for role in ('host', 'vm'):
        s.check(role, arp_reply(server.ip, w.vm.ip), '>= 6')
    s.fault('arp-duplicate-ip', 'beyond-host')


add('arp-duplicate-ip-peer', 'Two LAN machines claim one address: both answer each ARP request of the guest.', duplicate_ip)
add('arp-duplicate-ip-own', "A LAN machine claims the guest's address too: a server gets two answers to its ARP requests.",
    duplicate_ip, 'own')


def takeover(s):
    """An address moves to another machine, which announces it; the old owner is silent from then on."""
    w = s.w
    address = w.lan_ip()
    old, new = w.s1, w.s2
    old.ns.ip(f'addr add {address}/32 dev eth0')
    moment = s.when(4, 5)

    def move():
        old.ns.ip(f'addr del {address}/32 dev eth0')
        new.ns.ip(f'addr add {address}/32 dev eth0')
        sock = traffic.socket.socket(traffic.socket.AF_PACKET, traffic.socket.SOCK_RAW)
        sock.bind(('eth0', 0))
        for _ in range(3):
            sock.send(traffic.arp(new.mac, address, address))
            traffic.time.sleep(0.4)
    s.at(1.5, w.vm, traffic.http_client, address, 80, ['/', '/b/900'])
    s.at(moment, new, move)
    s.at(moment + 4, w.vm, traffic.http_client, address, 80, ['/', '/b/900'])
    s.check('vm', f'tcp.flags == 0x012 && ip.src == {address}', '>= 2')
    s.expect(absent=['arp-duplicate-ip', 'arp-spoof'])


add('arp-takeover-healthy', 'A service address moves to another machine, which announces it; the guest follows.', takeover)


def spoof(s):
    """A machine announces itself as the gateway again and again, and forwards what it gets."""
    w = s.w
    s.audited = False
    thief = w.lan_machine('thief', w.machine_mac(), w.lan_ip())
    thief.ns.sysctl(ipv4__ip_forward=1, ipv4__ip_nonlocal_bind=1, ipv4__conf__all__send_redirects=0,
                    ipv4__conf__eth0__send_redirects=0)
    s.at(1.5, thief, thief.ns.run, 'arping', '-A', '-c', '9', '-I', 'eth0', w.router.ip, may_fail=True)
    for number in range(6):
        s.at(1.9 + 1.2 * number, w.guests[0], w.guests[0].ns.run, 'ip', 'neigh', 'del', w.router.ip, 'dev', 'eth0', may_fail=True)
        s.at(2.0 + 1.2 * number, w.guests[0], traffic.ping, w.router.ip, 1, 0.3)
    for role in ('host', 'vm'):
        s.check(role, f'arp.opcode == 2 && arp.src.proto_ipv4 == {w.router.ip} && arp.src.hw_mac == {thief.mac}', '>= 5')
    s.check('host', f'arp.opcode == 2 && arp.src.proto_ipv4 == {w.router.ip} && arp.src.hw_mac == {w.router.mac}', '>= 3')
    s.fault('arp-spoof', 'beyond-host')


add('arp-spoof-uplink', 'A LAN machine announces itself as the gateway every second, and the gateway still answers.', spoof)


def virtual_router(s):
    """Two routers share an address under a MAC of VRRP: it moves and comes back."""
    w = s.w
    address, virtual = w.lan_ip(), f'00:00:5e:00:01:{s.rng.randint(1, 250):02x}'
    for number, (machine, other) in enumerate([(w.s1, w.s2), (w.s2, w.s1), (w.s1, w.s2)]):
        def move(machine=machine, other=other):
            if number_of.get(other):
                other.ns.ip('link del v0')
                number_of[other] = False
            machine.ns.ip(f'link add v0 link eth0 address {virtual} type macvlan mode bridge', f'addr add {address}/32 dev v0',
                          'link set v0 up')
            number_of[machine] = True
            machine.ns.run('arping', '-A', '-c', '2', '-I', 'v0', address, may_fail=True)
        number_of = s.__dict__.setdefault('owners', {})
        s.at(0.3 + 3.4 * number, machine, move)
        s.at(1.9 + 3.4 * number, w.vm, s.forget_neighbour, address)
        s.at(2.0 + 3.4 * number, w.vm, traffic.ping, address, 3, 0.3)
    s.audited = False
    s.check('vm', f'arp.src.proto_ipv4 == {address}', '>= 3')
    s.expect(absent=['arp-duplicate-ip', 'arp-spoof', 'arp-stale-entry'])


add('arp-virtual-router-healthy', 'A virtual address under a VRRP MAC moves between two machines and back.', virtual_router)


def flux(s):
    """One machine with two NICs in one segment answers for both addresses at both NICs."""
    w = s.w
    server = w.lan_machine('twin', w.machine_mac(), w.lan_ip())
    second, mac = w.lan_ip(), w.machine_mac()
    link(server.ns, 'eth1', mac, w.switch.ns, 'twin1', w.machine_mac())
    w.switch.ns.ip('link set twin1 master lan0', 'link set twin1 up')
    server.ns.ip(f'addr add {second}/24 dev eth1', 'link set eth1 up')
    server.ns.sysctl(ipv4__conf__all__arp_ignore=0, ipv4__conf__all__arp_announce=0)
    for number in range(4):
        for address in (server.ip, second):
            s.at(1.5 + 2 * number, w.vm, s.forget_neighbour, address)
            s.at(1.7 + 2 * number, w.vm, traffic.ping, address, 3, 0.3)
    s.audited = False
    for mac_seen in (server.mac, mac):
        s.check('vm', f'arp.opcode == 2 && arp.src.hw_mac == {mac_seen} && arp.src.proto_ipv4 == {second}', '>= 2')
    s.expect(absent=['arp-duplicate-ip', 'arp-spoof'])


add('arp-flux-healthy', 'A server with two NICs in one segment answers ARP for both of its addresses at both: all works.', flux)


def stale(s, side='guest', device='eth0'):
    """The peer asks nobody by ARP: its requests would tell everyone its new MAC."""
    w, peer = s.w, s.w.s2
    s.devices = [device]
    s.avoid(peer.ip)
    moment = s.when(2.0, 2.4)
    if side == 'guest':
        new = w.machine_mac()
        s.at(0.4, w.vm, traffic.ping, peer.ip, 4, 0.4)
        peer.ns.nft('table arp lab { chain output { type filter hook output priority 0; arp operation request drop\n}\n}')
        s.at(moment, peer, peer.ns.ip, f'link set eth0 address {new}')
        s.at(moment + 0.9, w.guests[0], w.guests[0].ns.run, 'ip', 'neigh', 'del', peer.ip, 'dev', 'eth0', may_fail=True)
        s.at(moment + 1.0, w.guests[0], traffic.http_client, peer.ip, 80, ['/', '/b/900'])
        s.at(moment + 0.3, w.vm, traffic.ping, peer.ip, 10, 0.6)
        s.fails(('icmp', peer.ip), ('arp', peer.ip))
        s.check('vm', f'{"" if device == "any" else f"eth.dst == {peer.mac} && "}ip.src == {w.vm.ip} && icmp.type == 8', '>= 8')
        s.check('host', f'eth.dst == {peer.mac} && ip.src == {w.vm.ip} && icmp.type == 8', '>= 8')
        s.check('host', f'eth.src == {new}', '>= 3')
        s.fault('arp-stale-entry')
        return
    old = w.mac([w.guest_oui])
    peer.ns.ip(f'neigh replace {w.vm.ip} lladdr {old} nud permanent dev eth0')
    s.at(s.when(), peer, traffic.ping, w.vm.ip, 9, 0.6)
    s.fails(('icmp', peer.ip))
    s.check('host', f'eth.dst == {old} && icmp.type == 8', '>= 7')
    s.check('host', f'icmp.type == 0 && ip.dst == {peer.ip}', '== 0')
    s.expect(absent=['icmp-guest-silent'])
    s.fault('arp-stale-entry')



add('arp-stale-entry-guest', "A server got a new MAC and said nothing: the guest keeps sending to the old one.", stale)
add('arp-stale-entry-guest-any', "A server got a new MAC and said nothing: the guest keeps sending to the old one; its capture on "
    'all interfaces does not show to whom.', stale, 'guest', 'any')
add('arp-stale-entry-peer', "A LAN machine keeps sending to an old MAC of the guest; the switch floods the frames, the guest "
    'ignores them.', stale, 'peer')


def detached(s, how='whole'):
    w = s.w
    asked = [w.host.ip] if how == 'host-answers' else [w.s1.ip, w.s2.ip, w.router.ip]
    s.audited = False
    off = f'link set {w.port_name} nomaster'
    if how == 'midway':
        moment = s.when(3.5, 4.0)
        s.at(moment, w.host, w.host.ns.ip, off)
    else:
        w.host.ns.ip(off)
        s.offset = s.drift = 0
        s.expect(offset_s=None)
    for number in range(6):
        s.at(4.2 + 0.3 * number, w.vm, traffic.ping, s.rng.choice(asked), 5, 0.9)
    own = f'eth.src == {w.vm.mac}'
    if how != 'midway':
        s.check('vm', own, '>= 15')
        s.check('vm', f'eth.dst == {w.vm.mac} && arp.src.proto_ipv4 == {w.host.ip}',
                '>= 1' if how == 'host-answers' else '== 0')
        s.check('vm', f'eth.dst == {w.vm.mac} && ip', '== 0')
        s.check('host', s.at_point(1, f'eth.addr == {w.vm.mac}'), '== 0')
    if '+' in s.point:
        s.check('host', s.at_point(0, own), '>= 15')
    s.check('host', 'ip', '>= 50')
    s.expect(mode=None)
    s.fault('l2-vnic-detached', s.gap)


add('l2-vnic-detached-midway', "The guest's port leaves the bridge during the capture: from then on nothing of the guest "
    'reaches the uplink, and nothing reaches the guest.', detached, 'midway')
add('l2-vnic-detached-uplink', "The guest's port is in no bridge: the guest asks for everybody in vain, the uplink shows its "
    'neighbours talking and no frame of the guest.', detached)
add('l2-vnic-detached-two-points', "The guest's frames are at its port and none is at the uplink; nothing reaches the port.",
    detached, point='port+uplink')
add('l2-vnic-detached-host-answers', "The guest's port is in no bridge: the host answers ARP for its own address there, with the "
    "port's MAC, and nothing else; the uplink shows its neighbours talking and no frame of the guest.", detached, 'host-answers')
add('l2-vnic-detached-host-answers-two', "The guest's port is in no bridge, and only the host answers ARP there; port and uplink "
    'were captured.', detached, 'host-answers', point='port+uplink')


def duplicate_mac(s, whole=False):
    """A clone with the guest's MAC; of the whole guest, with its address, too."""
    w = s.w
    s.audited = False
    clone = w.lan_machine('clone', w.vm.mac, w.vm.ip if whole else w.lan_ip())
    for number in range(16):
        s.at(0.5 + number * 0.6, clone, traffic.http_client, s.rng.choice([w.s1.ip, w.guests[0].ip, '203.0.113.80']), 80, ['/'])
        s.at(0.7 + number * 0.6, clone, clone.ns.run, 'ip', 'neigh', 'flush', 'all', may_fail=True)
    s.check('host', f'arp.src.hw_mac == {w.vm.mac} && arp.src.proto_ipv4 == {clone.ip}', '>= 5')
    s.check('host', f'eth.src == {w.vm.mac} && ip.src == {w.vm.ip}', '>= 20')
    s.fault('l2-duplicate-mac')


add('l2-duplicate-mac-uplink', "A LAN machine has the guest's MAC and another address; both talk, and the switches send the "
    'answers now here, now there.', duplicate_mac)
add('l2-duplicate-mac-copy', 'A copy of the guest runs on another host, with the same MAC and the same address; both talk.',
    duplicate_mac, True)
add('l2-duplicate-mac-two-points', "A LAN machine has the guest's MAC and another address; port and uplink were captured.",
    duplicate_mac, point='port+uplink')


def absent_in_nat(s):
    w = s.w
    target = w.guest_ip()
    s.tries(target)
    s.fails(('arp', target))
    s.check('vm', arp_request(w.vm.ip, target), '>= 4')
    s.check('host', arp_request(w.vm.ip, target), '== 0')
    s.expect(absent=['arp-lost-vswitch', 'nat-subnet-overlap'])
    s.inconclusive()


add('arp-absent-nat-inconclusive', "The guest asks for an address of the NAT network that nobody has; only the uplink was "
    "captured, where such requests never come: missing is a capture at the guest's port.", absent_in_nat, mode='nat')


def not_found(s, shown=True):
    """The host's ARP for the guest gets lost at the hand-off: what comes back for the guest stays in the host."""
    w, target = s.w, '203.0.113.81'
    gateway = w.gateway
    mac = w.host.ns.run('ip', '-o', 'link', 'show', w.bridge_name).split('link/ether ')[1].split()[0]
    w.vm.ns.ip(f'neigh replace {gateway} lladdr {mac} nud permanent dev eth0')
    asked = f'arp operation request arp daddr ip {w.vm.ip}'
    w.bridge_drop(f'ether type arp {asked}', 'forward', w.nic)
    w.host.ns.nft(f'table arp lab {{ chain input {{ type filter hook input priority 0; arp saddr ip {w.vm.ip} drop\n}}\n}}')
    s.avoid(gateway, w.dns, w.s1.ip, w.s2.ip, *w.internet)
    s.audited = False
    start = s.when()
    s.at(start, w.vm, traffic.ping, target, 8, s.rng.uniform(0.6, 0.8))
    s.at(start + 0.3, w.vm, traffic.connect, target, 80, 5.5)
    s.check('host', arp_request(gateway, w.vm.ip), '>= 4')
    s.check('host', f'arp.opcode == 2 && arp.src.proto_ipv4 == {w.vm.ip} && arp.dst.proto_ipv4 == {gateway}', '== 0')
    s.check('host', f'tcp.flags == 0x012 && ip.src == {target} && ip.dst == {w.host.ip}', '>= 3')
    s.check('vm', arp_request(gateway, w.vm.ip), '== 0')
    s.check('vm', f'ip.src == {target}', '== 0')
    if shown:
        s.expect(absent=['nat-no-answer'])
        s.fault('arp-lost-vswitch', 'guest-host-path', 'to-guest', f'{gateway} > {w.vm.ip}')
        return
    s.filters['vm'] = 'not arp'
    s.fault('nat-return-dropped', 'nat', 'to-guest')


add('nat-guest-not-found', "The host translates for the guest and asks for its MAC in vain when the answers come: its ARP requests "
    'never reach the guest.', not_found, mode='nat', point='port+uplink')
add('nat-guest-not-found-filtered', "The host translates for the guest and asks for its MAC in vain when the answers come; the "
    "guest's capture leaves ARP out.", not_found, False, mode='nat', point='sll1')
