"""The scenarios of the first set: ARP, ICMP, NAT, SYNs, capture findings, healthy pairs."""
import traffic
from scenario import setting


def arp_from(source, target):
    return f'arp.opcode == 1 && arp.src.proto_ipv4 == {source} && arp.dst.proto_ipv4 == {target}'


def arp_reply(source, target):
    return f'arp.opcode == 2 && arp.src.proto_ipv4 == {source} && arp.dst.proto_ipv4 == {target}'


# ARP.

def vswitch_drops_arp(s, target, place=None, hook='prerouting', port=None):
    s.avoid(target)
    s.fails(('arp', target))
    s.w.bridge_drop(f'iifname "{port or s.w.port_name}" ether type arp arp operation request arp daddr ip {target}', hook,
                    place)
    s.check('vm', arp_from(s.w.vm.ip, target), '>= 4')
    s.check('vm', arp_reply(target, s.w.vm.ip), '== 0')


@setting(mode='bridged', point='uplink')
def arp_lost_vswitch_uplink(s):
    """A filter on the host's bridge drops the guest's ARP requests for one LAN server: none reaches the uplink."""
    vswitch_drops_arp(s, s.w.s2.ip)
    s.tries(s.w.s2.ip)
    s.inbound = False
    s.check('host', arp_from(s.w.vm.ip, s.w.s2.ip), '== 0')
    s.check('host', arp_from(s.w.vm.ip, s.w.s1.ip), '>= 1')
    s.fault('arp-lost-vswitch', 'guest-host-path', 'from-guest', f'{s.w.vm.ip} > {s.w.s2.ip}')


@setting(mode='bridged', point='port+uplink')
def arp_lost_vswitch_two_points(s):
    """The guest's ARP requests for one LAN server are seen at its port and dropped before the uplink."""
    vswitch_drops_arp(s, s.w.s2.ip, hook='forward')
    s.tries(s.w.s2.ip)
    s.inbound = False
    s.check('host', 'frame.interface_id == 0 && ' + arp_from(s.w.vm.ip, s.w.s2.ip), '>= 4')
    s.check('host', 'frame.interface_id == 1 && ' + arp_from(s.w.vm.ip, s.w.s2.ip), '== 0')
    s.fault('arp-lost-vswitch', 'host', 'from-guest', f'{s.w.vm.ip} > {s.w.s2.ip}')


@setting(mode='bridged', point='uplink')
def arp_target_silent_uplink(s):
    """The guest asks for an address that nobody has; the requests leave the host, other addresses answer."""
    target = s.w.lan_ip()
    s.tries(target)
    s.fails(('arp', target))
    s.check('vm', arp_from(s.w.vm.ip, target), '>= 4')
    s.check('host', arp_from(s.w.vm.ip, target), '>= 4')
    s.check('host', f'arp.opcode == 2 && arp.src.proto_ipv4 == {target}', '== 0')
    s.fault('arp-target-silent', 'beyond-host', 'from-guest', f'{s.w.vm.ip} > {target}')


@setting(mode='bridged', point='uplink')
def arp_reply_lost_back_uplink(s):
    """The host's bridge drops one server's ARP replies to the guest: they are at the uplink, not in the guest."""
    s.avoid(s.w.s2.ip)
    s.inbound = False
    s.fails(('arp', s.w.s2.ip))
    s.w.bridge_drop(f'ether type arp arp operation reply arp saddr ip {s.w.s2.ip} arp daddr ip {s.w.vm.ip}')
    s.tries(s.w.s2.ip)
    s.check('vm', arp_from(s.w.vm.ip, s.w.s2.ip), '>= 4')
    s.check('vm', arp_reply(s.w.s2.ip, s.w.vm.ip), '== 0')
    s.check('host', arp_reply(s.w.s2.ip, s.w.vm.ip), '>= 4')
    s.fault('arp-reply-lost-back', 'guest-host-path', 'to-guest', f'{s.w.vm.ip} > {s.w.s2.ip}')


@setting(mode='bridged', point='uplink')
def icmp_guest_silent_uplink(s):
    """Echo requests of a LAN machine reach the guest, whose firewall drops them; other protocols work."""
    s.w.drop(s.w.vm, 'input', f'icmp type echo-request ip saddr {s.w.s2.ip}')
    s.at(s.when(), s.w.s2, traffic.ping, s.w.vm.ip, 8, 0.6)
    s.avoid(s.w.s2.ip)
    s.fails(('icmp', s.w.s2.ip))
    request = f'icmp.type == 8 && ip.src == {s.w.s2.ip} && ip.dst == {s.w.vm.ip}'
    s.check('host', request, '>= 6')
    s.check('vm', request, '>= 6')
    s.check('vm', f'icmp.type == 0 && ip.dst == {s.w.s2.ip}', '== 0')
    s.fault('icmp-guest-silent', 'guest', 'to-guest', f'{s.w.s2.ip} > {s.w.vm.ip}')


@setting(mode='bridged', point='uplink')
def healthy_bridged_uplink(s):
    """A bridged guest, everything works; seen from the host's uplink."""


@setting(mode='nat', point='uplink')
def healthy_nat_uplink(s):
    """A guest behind the host's NAT, everything works; seen from the uplink, after translation."""
    s.check('host', f'ip.addr == {s.w.vm.ip}', '== 0')
