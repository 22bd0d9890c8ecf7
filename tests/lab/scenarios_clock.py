"""A clock that is set while the capture runs: time jumps in a file, and nothing else changes."""
import capture
from scenario import add
from scenarios import healthy, lost_to_guest, no_overlap


def clock_set(s, role, seconds, function, *arguments):
    function(s, *arguments)
    s.compression = {'host': 'zst', 'vm': 'gz'}
    s.changes.append(lambda files: capture.step_pcap(files[role], seconds))


add('clock-set-back-healthy', "Nothing is wrong; the guest's clock was set back by an hour meanwhile.", clock_set, 'vm', -3600,
    healthy)
add('clock-set-host-healthy', "Nothing is wrong; the host's clock was set back by five seconds meanwhile.", clock_set, 'host', -5,
    healthy, mode='nat')
add('clock-set-forward-icmp', "The host's bridge drops echo requests of a LAN machine on their way to the guest, whose clock was "
    'set forward by half a second meanwhile.', clock_set, 'vm', 0.5, lost_to_guest)


def earlier(s, change):
    """The host's capture ended before the guest's began, and its clock says otherwise."""
    no_overlap(s)
    s.windows = {'host': (0, 7.5), 'vm': (9.3, 17)}
    s.compression = {'host': 'zst', 'vm': 'zst'}
    s.changes.append(lambda files: change(files['host']))


add('cap-no-overlap-clock-set', "One capture ended before the other began, but the host's clock was set forward by an hour meanwhile, "
    'so that its times surround the other; missing is a capture of both sides at the same time.', earlier,
    lambda path: capture.step_pcap(path, 3600), quiet=True)
add('cap-no-overlap-clock-wrong', "One capture ended before the other began, but the host's clock was wrong by as much; missing is a "
    'capture of both sides at the same time.', earlier, lambda path: capture.shift_pcap(path, 9.3), quiet=True)
