"""One guest on one hypervisor host in one LAN with a router and an internet."""
import ipaddress

import relay
import vm
from netns import Namespace, link

GUEST_OUIS = ['52:54:00', '00:50:56', '00:0c:29', '08:00:27', '00:15:5d', 'bc:24:11', '00:16:3e']
MACHINE_OUIS = ['00:1b:21', 'a0:36:9f', 'ac:1f:6b', '3c:ec:ef', '00:25:90', '94:18:82', 'd4:ae:52',
                '18:66:da', 'f8:bc:12', '90:b1:1c']
ROUTER_OUIS = ['24:a4:3c', '00:0d:b9', '4c:5e:0c', '00:1a:8c', '78:8a:20', 'e4:8d:8c']
DEVICE_OUIS = ['b8:27:eb', 'dc:a6:32', '3c:07:54', '00:11:32', '00:26:0b', '70:b3:d5', '00:1b:a9',
               '00:17:88', 'f4:39:09', '9c:8e:99', '30:05:5c', '00:80:77']
NAMES = ['atlas', 'borg', 'ceres', 'delta', 'ember', 'falcon', 'gizmo', 'hydra', 'iris', 'jade',
         'krill', 'lotus', 'mango', 'nova', 'onyx', 'pluto', 'quartz', 'raven', 'sable', 'tango']
NAT_PREFIXES = ['192.168.122', '192.168.124', '192.168.100', '10.0.122', '10.8.44', '172.16.122', '172.20.5']


class Machine:
    """A namespace with the address that the others know it by."""

    def __init__(self, name, mac='', ip=''):
        self.name, self.mac, self.ip = name, mac, ip
        self.ns = Namespace(name)
        self.ns.sysctl(ipv6__conf__all__disable_ipv6=1, ipv6__conf__default__disable_ipv6=1,
                       ipv4__conf__all__rp_filter=0, ipv4__conf__default__rp_filter=0,
                       bridge__bridge_nf_call_iptables=0, bridge__bridge_nf_call_ip6tables=0,
                       bridge__bridge_nf_call_arptables=0)
        self.ns.ip('link set lo up')


class World:
    """Machines, cables and addresses; every choice comes from `rng`.

    Modes: bridged, nat (kernel masquerade), routed, host-only, user-nat (an engine
    of relays.py gives the guest its NIC).  Machines: vm (the guest), nic (the
    hand-off between the guest and its port), host, g1 and g2 (other guests), switch,
    router, s1 and s2 (LAN servers), net (the internet) and noise (many devices that
    only raw frames are made for).  With `boots` the guest is no namespace but a QEMU
    that boots (vm.py).
    """

    def __init__(self, rng, mode, guests=2, overlap=False, engine=None, boots=False):
        self.boots, self.guest = boots, None
        self.rng, self.mode, self.engine, self.used_macs = rng, mode, engine, set()
        prefix = rng.choice([f'192.168.{rng.randint(1, 99)}', f'10.{rng.randint(1, 200)}.{rng.randint(0, 250)}',
                             f'172.{rng.randint(21, 31)}.{rng.randint(0, 250)}'])
        self.lan = ipaddress.ip_network(prefix + '.0/24')
        self.lan_prefix = prefix
        self.numbers = rng.sample([n for n in range(5, 250)], 60)
        self.vm_prefix = prefix if mode == 'bridged' or overlap else rng.choice(NAT_PREFIXES)
        if engine:
            self.vm_prefix = {'qemu': '10.0.2', 'passt-same': prefix}.get(engine, self.vm_prefix)
        self.vm_net = ipaddress.ip_network(self.vm_prefix + '.0/24')
        self.guest_oui = rng.choice(GUEST_OUIS)
        names = rng.sample(NAMES, 8)
        self.hostnames = dict(zip(['vm', 'g1', 'g2', 's1', 's2', 'host', 'www', 'api'], names))
        self.domain = rng.choice(['lan', 'home.arpa', 'corp.test', 'lab.internal'])
        self.port_name = f'vnet{rng.randint(0, 19)}'
        self.bridge_name = 'br0' if mode == 'bridged' else 'virbr0'
        self.uplink_name = rng.choice(['eth0', 'eno1', 'enp3s0', 'enp0s31f6', 'ens18'])

        self.router = Machine('router', self.mac(ROUTER_OUIS), f'{prefix}.{254 if overlap else rng.choice([1, 254])}')
        self.s1 = Machine('s1', self.mac(MACHINE_OUIS), self.lan_ip())
        self.s2 = Machine('s2', self.mac(MACHINE_OUIS), self.lan_ip())
        self.host = Machine('host', self.mac(MACHINE_OUIS), self.lan_ip())
        self.vm = Machine('vm', self.mac([self.guest_oui]), f'{self.vm_prefix}.15' if engine else self.guest_ip())
        if engine == 'passt-same':
            self.vm.ip = self.host.ip
        self.guests = [Machine(f'g{n + 1}', self.mac([self.guest_oui]), self.guest_ip())
                       for n in range(0 if engine else guests)]
        self.nic, self.switch = Machine('nic'), Machine('switch')
        self.noise, self.net = Machine('noise'), Machine('net', self.mac(ROUTER_OUIS), '203.0.113.80')
        self.internet = ['203.0.113.80', '203.0.113.81', '203.0.113.10', '198.51.100.25', '198.51.100.53']
        self.gateway = self.router.ip if mode == 'bridged' else f'{self.vm_prefix}.{2 if engine else 1}'
        self.dns = self.gateway if mode != 'bridged' else rng.choice([self.router.ip, self.s1.ip])
        if engine:
            self.dns = f'{self.vm_prefix}.3'
        if engine == 'passt-same':
            self.gateway = self.dns = self.router.ip
        self.build()

    def mac(self, ouis):
        while True:
            mac = self.rng.choice(ouis) + ''.join(f':{self.rng.randint(0, 255):02x}' for _ in range(3))
            if mac not in self.used_macs:
                self.used_macs.add(mac)
                return mac

    def lan_ip(self):
        return f'{self.lan_prefix}.{self.numbers.pop()}'

    def guest_ip(self):
        return f'{self.vm_prefix}.{self.numbers.pop()}'

    def machine_mac(self):
        return self.mac(DEVICE_OUIS)

    def build(self):
        switch, host, router = self.switch.ns, self.host.ns, self.router.ns
        switch.ip('link add lan0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0', 'link set lan0 up')
        self.nic.ns.ip('link add pass type bridge stp_state 0 forward_delay 0 mcast_snooping 0 ageing_time 0',
                       'link set pass up')
        for number, machine in enumerate([self.router, self.s1, self.s2, self.noise]):
            link(machine.ns, 'eth0', machine.mac or self.machine_mac(), switch, f'p{number}', self.machine_mac())
            switch.ip(f'link set p{number} master lan0', f'link set p{number} up')
            self.address(machine, 'eth0', f'{machine.ip}/24' if machine.ip else None,
                         None if machine is self.router else self.router.ip)
        link(host, self.uplink_name, self.host.mac, switch, 'up0', self.machine_mac())
        switch.ip('link set up0 master lan0', 'link set up0 up')
        if self.engine:
            self.address(self.host, self.uplink_name, f'{self.host.ip}/24', self.router.ip)
        else:
            self.virtual_switch(host)
        link(router, 'wan', self.mac(ROUTER_OUIS), self.net.ns, 'eth0', self.net.mac)
        router.sysctl(ipv4__ip_forward=1)
        router.ip('addr add 203.0.113.1/24 dev wan', 'link set wan up')
        self.net.ns.ip('link set eth0 up', *[f'addr add {ip}/{24 if ip.startswith("203") else 32} dev eth0'
                                             for ip in self.internet],
                       f'route add {self.lan} via 203.0.113.1')
        router.ip('route add 198.51.100.0/24 via 203.0.113.80')
        if self.mode == 'routed':
            router.ip(f'route add {self.vm_net} via {self.host.ip}')
            self.net.ns.ip(f'route add {self.vm_net} via 203.0.113.1')
            for machine in (self.s1, self.s2):
                machine.ns.ip(f'route add {self.vm_net} via {self.host.ip}')
        if self.vm_prefix == self.lan_prefix and self.mode != 'bridged' and not self.engine:
            host.ip(*[f'route add {m.ip}/32 dev {self.bridge_name}' for m in (self.vm, *self.guests)])
            self.masquerade(f'iifname {self.bridge_name}')
        elif self.mode == 'nat':
            self.masquerade(f'ip saddr {self.vm_net} ip daddr != {self.vm_net}')
        for machine in (self.vm, *self.guests, self.s1, self.s2):
            machine.ns.sysctl(ipv4__ip_default_ttl=self.rng.choice([64, 64, 64, 128]))

    def virtual_switch(self, host):
        """The bridge that the guests are attached to, and its way out."""
        bridge_mac = self.host.mac if self.mode == 'bridged' else '52:54:00' + self.mac(['52:54:00'])[8:]
        host.ip(f'link add {self.bridge_name} address {bridge_mac} type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
                f'link set {self.bridge_name} up', f'link set {self.uplink_name} up')
        self.bridge_mac = bridge_mac
        if self.mode == 'bridged':
            host.ip(f'link set {self.uplink_name} master {self.bridge_name}')
            self.address(self.host, self.bridge_name, f'{self.host.ip}/24', self.router.ip)
        else:
            self.address(self.host, self.uplink_name, f'{self.host.ip}/24', self.router.ip)
            host.ip(f'addr add {self.vm_prefix}.1/24 brd + dev {self.bridge_name}')
            if self.mode != 'host-only':
                host.sysctl(ipv4__ip_forward=1)
        default = None if self.mode == 'host-only' else self.gateway
        if self.boots:
            self.guest = vm.bridged(self)
        else:
            self.guest_port(host, default)
        for number, guest in enumerate(self.guests):
            port = f'vnet{20 + number}'
            link(guest.ns, 'eth0', guest.mac, host, port, 'fe' + guest.mac[2:])
            host.ip(f'link set {port} master {self.bridge_name}', f'link set {port} up')
            self.address(guest, 'eth0', f'{guest.ip}/24', default)

    def guest_port(self, host, default):
        vm_port = 'fe' + self.vm.mac[2:]
        link(self.vm.ns, 'eth0', self.vm.mac, self.nic.ns, 'in', self.machine_mac())
        link(host, self.port_name, vm_port, self.nic.ns, 'out', self.machine_mac())
        self.nic.ns.ip('link set in master pass', 'link set out master pass', 'link set in up', 'link set out up')
        host.ip(f'link set {self.port_name} master {self.bridge_name}', f'link set {self.port_name} up')
        self.address(self.vm, 'eth0', f'{self.vm.ip}/24', default)

    def lan_machine(self, name, mac, ip):
        """One more machine in the LAN."""
        machine = Machine(name, mac, ip)
        port = f'x{len(self.used_macs)}'
        link(machine.ns, 'eth0', mac, self.switch.ns, port, self.machine_mac())
        self.switch.ns.ip(f'link set {port} master lan0', f'link set {port} up')
        self.address(machine, 'eth0', f'{ip}/24', self.router.ip)
        return machine

    def second_segment(self):
        """Another VLAN of the same router, with a NIC, a bridge br1, a guest and a server of its own."""
        host, router = self.host.ns, self.router
        self.other_prefix = f'10.{self.rng.randint(201, 250)}.{self.rng.randint(0, 250)}'
        prefix = self.other_prefix
        self.s3 = Machine('s3', self.mac(MACHINE_OUIS), f'{prefix}.{self.rng.randint(10, 90)}')
        self.g3 = Machine('g3', self.mac([self.guest_oui]), f'{prefix}.{self.rng.randint(100, 200)}')
        switch = self.switch.ns
        switch.ip('link add lan1 type bridge stp_state 0 forward_delay 0 mcast_snooping 0', 'link set lan1 up')
        host.ip('link add br1 type bridge stp_state 0 forward_delay 0 mcast_snooping 0', 'link set br1 up')
        for space, name, mac, far, port, bridge in [
                (router.ns, 'vlan20', router.mac, switch, 'q0', 'lan1'), (self.s3.ns, 'eth0', self.s3.mac, switch, 'q1', 'lan1'),
                (host, 'nic2', self.mac(MACHINE_OUIS), switch, 'q2', 'lan1'), (self.g3.ns, 'eth0', self.g3.mac, host, 'vnet30', 'br1')]:
            link(space, name, mac, far, port, self.machine_mac())
            far.ip(f'link set {port} master {bridge}', f'link set {port} up')
        host.ip('link set nic2 master br1', 'link set nic2 up', f'addr add {prefix}.9/24 brd + dev br1')
        router.ns.ip(f'addr add {prefix}.1/24 brd + dev vlan20', 'link set vlan20 up')
        self.net.ns.ip(f'route add {prefix}.0/24 via 203.0.113.1')
        for machine in (self.s3, self.g3):
            self.address(machine, 'eth0', f'{machine.ip}/24', f'{prefix}.1')

    def overlay(self, kind, number):
        """The guests' frames leave the host in a tunnel (vxlan, geneve, gre) to the switch, or with a tag (vlan)."""
        self.underlay = f'10.{self.rng.randint(251, 254)}.{self.rng.randint(0, 250)}'
        ends = [(self.host.ns, self.uplink_name, self.bridge_name, f'{self.underlay}.1', f'{self.underlay}.2'),
                (self.switch.ns, 'up0', 'lan0', f'{self.underlay}.2', f'{self.underlay}.1')]
        for namespace, interface, bridge, local, remote in ends:
            namespace.ip(f'link set {interface} nomaster mtu 1600')
            if kind != 'vlan':
                namespace.ip(f'addr add {local}/24 dev {interface}')
        for namespace, interface, bridge, local, remote in ends:
            if kind == 'vxlan':
                namespace.ip(f'link add inner type vxlan id {number} local {local} remote {remote} dstport 4789 dev {interface}')
            else:
                file = relay.device(namespace, 'inner')
                carrier = {'geneve': lambda: relay.Geneve(namespace, local, remote, number),
                           'gre': lambda: relay.Gre(namespace, local, remote, number),
                           'vlan': lambda: relay.Vlan(namespace, interface, number)}[kind]()
                relay.connect(file, carrier)
            namespace.ip(f'link set inner mtu 1500 master {bridge}', 'link set inner up')

    def macvtap(self):
        """The guests sit on the host's NIC itself, not on a bridge: what they send to the host leaves by the wire."""
        host = self.host.ns
        host.ip(f'link set {self.uplink_name} nomaster', f'link del {self.bridge_name}',
                f'addr add {self.host.ip}/24 brd + dev {self.uplink_name}', f'route add default via {self.router.ip}')
        self.bridge_name = self.uplink_name
        for machine in (self.vm, *self.guests):
            machine.ns.ip('link del eth0')
            host.ip(f'link add link {self.uplink_name} name mv0 address {machine.mac} netns /proc/self/fd/{machine.ns.fd} '
                    'type macvlan mode bridge', fds=(machine.ns.fd,))
            machine.ns.ip('link set mv0 name eth0')
            self.address(machine, 'eth0', f'{machine.ip}/24', self.gateway)

    def routed_tunnel(self, number=0):
        """The host routes its guests' packets to the router inside GRE, IP in IP."""
        self.host.ns.ip(f'link set {self.uplink_name} mtu 1600')
        self.switch.ns.ip('link set up0 mtu 1600', 'link set p0 mtu 1600')
        self.router.ns.ip('link set eth0 mtu 1600')
        self.router.ns.sysctl(ipv4__conf__all__send_redirects=0, ipv4__conf__eth0__send_redirects=0)
        for machine, peer in ((self.host, self.router), (self.router, self.host)):
            file = relay.device(machine.ns, 'inner', relay.IFF_TUN)
            relay.connect(file, relay.Gre(machine.ns, machine.ip, peer.ip, number, 0x800))
            machine.ns.ip('link set inner mtu 1500 up')
        self.host.ns.ip(f'rule add iif {self.bridge_name} lookup 100 priority 100', f'route add default dev inner table 100',
                        f'route add {self.vm_net} dev {self.bridge_name} table 100')
        self.router.ns.ip(f'route replace {self.vm_net} dev inner')
        for machine in (self.s1, self.s2):
            machine.ns.ip(f'route replace {self.vm_net} via {self.router.ip}')

    def address(self, machine, device, address, gateway):
        lines = [f'link set {device} up']
        if address:
            lines.append(f'addr add {address} brd + dev {device}')
        if address and gateway:
            lines.append(f'route add default via {gateway}')
        machine.ns.ip(*lines)

    def masquerade(self, match):
        """Source NAT on the host for packets that match, instead of what was there."""
        self.host.ns.nft(f'''table ip nat {{}}
            delete table ip nat
            table ip nat {{
                chain pre {{ type nat hook prerouting priority -100; }}
                chain post {{ type nat hook postrouting priority 100; oifname {self.uplink_name} {match} masquerade; }}
            }}''')

    def bridge_drop(self, rule, hook='forward', place=None):
        """Frames that match are lost in the host's virtual switch, or at `place`."""
        (place or self.host).ns.nft(f'''table bridge lab {{ chain {hook} {{
            type filter hook {hook} priority 0; policy accept; {rule} counter drop
        }}
        }}''')

    def drop(self, machine, hook, rule, verdict='drop'):
        """What `rule` selects is dropped by the machine's own firewall."""
        machine.ns.nft(f'''table inet lab {{ chain {hook} {{
            type filter hook {hook} priority 0; policy accept; {rule} counter {verdict}
        }}
        }}''')

    def clear(self, machine, table='inet lab'):
        machine.ns.run('nft', 'delete', 'table', *table.split())

    def flush_neighbours(self):
        for machine in (self.vm, self.host, self.router, self.s1, self.s2, *self.guests):
            machine.ns.run('ip', 'neigh', 'flush', 'all', may_fail=True)
