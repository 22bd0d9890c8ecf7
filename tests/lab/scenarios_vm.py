"""Guests that boot: QEMU's emulation with a kernel of its own, captured by QEMU itself (filter-dump)."""
import scenarios_usernat
import traffic
import vm
from scenario import add
from scenarios import echo
from scenarios_l4 import synack_lost


def small(s, function, *arguments):
    s.compression = {'host': 'zst', 'vm': 'zst'}
    function(s, *arguments)


def healthy(s):
    """On a tap in the host's bridge, from where others also come to it."""
    w = s.w
    for number in range(3):
        s.at(1.2 + number * 2.4, w.s2, traffic.ping, w.vm.ip, 2, 0.3)
    for role in ('host', 'vm'):
        s.check(role, f'tcp.flags == 0x012 && ip.dst == {w.vm.ip}', '>= 3')
        s.check(role, f'tcp.flags == 0x012 && ip.src == {w.vm.ip}', '>= 2')
        s.check(role, echo(0, w.vm.ip, w.s2.ip), '>= 4')
        s.check(role, f'dns.flags.response == 1 && ip.dst == {w.vm.ip}', '>= 2')


def headed(s):
    """A fault, and QEMU's capture as it is, with the header of virtio-net in front of each frame."""
    synack_lost(s)
    s.changes.append(vm.with_header)
    s.expected['diagnoses'] = []
    s.inconclusive('cap-offload-artifact')
    s.expect(absent=['cap-unrelated', 'cap-filtered', 'cap-wrong-interface'], mode='unknown')


add('healthy-vm-tap', "A guest that QEMU emulates, its virtio NIC at a tap in the host's bridge; everything works.", small, healthy,
    point='port+uplink', boots=True)
add('tcp-synack-lost-vm-tap', "A server's SYN-ACKs are at the uplink and not at the tap of a guest that QEMU emulates.",
    small, synack_lost, point='port+uplink', boots=True)
add('cap-virtio-header', "A server's SYN-ACKs are lost on the way to a guest that QEMU emulates, but QEMU 7.2 wrote the header of "
    'virtio-net in front of each frame of its capture: that can be read only once editcap has removed it.', small, headed,
    point='port+uplink', boots=True)
add('healthy-vm-user', "A guest that QEMU emulates, behind QEMU's user-mode NAT; everything works.", small,
    scenarios_usernat.healthy, True, engine='qemu', mode='user-nat', boots=True)
add('usernat-no-answer-vm-user', "A server drops one port: the SYNs of QEMU's user-mode NAT stay unanswered like those of the guest that "
    'it emulates.', small, scenarios_usernat.no_answer, engine='qemu', mode='user-nat', boots=True)
