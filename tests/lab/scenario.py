"""One scenario: its world, its traffic, its captures, and the proof that they show what is claimed."""
import json
import operator
import os
import random
import re
import tempfile
import threading
import time

import capture
import programs
import relays
import traffic
import vm
from topology import World
from variety import Variety

ALL = {}
OFFSETS = [0, 0, 0, -0.8, 2.5, -2.9, 0.44, 37.25, -40, -37.4, 1.27, 3600, 7200, -12.6, 95]
COMPARE = {'==': operator.eq, '>=': operator.ge, '<=': operator.le, '>': operator.gt, '<': operator.lt}


class NotAsClaimed(Exception):
    pass


def add(name, why, function, *arguments, **options):
    """Registers a scenario; `options` are those of Scenario, `why` goes into expect.json."""
    ALL[name] = function, why, options, arguments


class Several:
    """Captures that begin and end together."""

    def __init__(self, parts):
        self.parts = parts

    def ready(self):
        for part in self.parts:
            part.ready()

    def pause(self, after, seconds):
        self.parts[0].pause(after, seconds)

    def stop(self):
        for part in self.parts:
            part.stop()


class Scenario(Variety):
    def __init__(self, name, seed, attempt, mode='bridged', point='uplink', seconds=None, quiet=False, overlap=False,
                 apart=False, engine=None, boots=False):
        self.name, self.seed, self.mode, self.point = name, seed, mode, point
        self.rng = rng = random.Random(f'{seed}/{name}' + (f'/{attempt}' if attempt > 1 else ''))
        random.seed(rng.random())
        self.w = World(rng, mode, overlap=overlap, engine=engine, boots=boots)
        self.programs = programs.Programs(f'{seed}/{name}/{attempt}/programs')
        self.has_leases = self.relays = False
        self.pinged = None
        self.seconds = seconds or rng.uniform(10.5, 12.0)
        self.offset = rng.choice(OFFSETS)
        if self.offset and rng.random() < 0.5:
            self.offset = round(self.offset + rng.uniform(-0.3, 0.3), 3)
        self.drift = rng.choice([0, 0, 0, 25, -18])
        self.filters = {'host': None, 'vm': None}
        self.more = {'host': [], 'vm': []}
        self.pause = {}
        self.snaplen = {role: rng.choice([None, None, None, None, 200, 128]) for role in ('host', 'vm')}
        self.nano = {role: rng.random() < 0.25 for role in ('host', 'vm')}
        self.pcapng = {role: rng.random() < 0.3 for role in ('host', 'vm')}
        self.compression = {role: rng.choice([None] * 7 + ['gz', 'zst']) for role in ('host', 'vm')}
        self.windows = {'host': (0, self.seconds), 'vm': (0, self.seconds)}
        self.synthetic = ''
        self.changes = []  # made to the files once they are verified
        self.actions, self.checks, self.troubled = [], [], set()
        self.avoided, self.quiet, self.inbound = set(), quiet, mode in ('bridged', 'routed')
        self.audited = True
        self.expected = {'verdict': 'healthy', 'diagnoses': []}
        self.swap_roles = self.same_file = False
        self.apart = apart  # each point of the host in a file of its own: host, host2 …
        self.devices = ['eth0']  # of the guest, captured into vm, vm2 …
        self.stranger = None

    # What a scenario says.

    def at(self, when, machine, function, *args, **named):
        """`when` seconds after both captures have begun (before, if negative)."""
        if machine is self.w.vm and self.w.boots:
            command = vm.command(function, *args, **named)
            if command:
                self.actions.append((when, None, lambda: self.w.guest.type(command)))
            return
        self.actions.append((when, machine, lambda: function(*args, **named)))

    def avoid(self, *addresses):
        """The guest's healthy traffic leaves these alone."""
        self.avoided.update(addresses)

    def fails(self, *exchanges):
        """(kind, peer): unanswered in the guest's file, on purpose."""
        self.troubled.update(exchanges)

    def fault(self, rule, place=None, direction=None, *subjects):
        """A diagnosis that is expected; what is not said is not compared."""
        self.expected['verdict'] = 'fault'
        diagnosis = {'rule': rule}
        if place:
            diagnosis['place'] = place
        if direction:
            diagnosis['direction'] = direction
        if subjects:
            diagnosis['subjects'] = list(subjects)
        self.expected['diagnoses'].append(diagnosis)

    def inconclusive(self, *notes):
        self.expected['verdict'] = 'inconclusive'
        self.expected['notes'] = list(notes)

    def expect(self, **keys):
        self.expected.update(keys)

    @property
    def gap(self):
        """The place of a loss between the guest's capture and the host's outermost point."""
        if '+' in self.point or self.point in ('any', 'sll1'):
            return 'nat' if self.mode == 'nat' else 'host'
        return {'bridged': 'guest-host-path', 'routed': 'host', 'nat': 'nat'}.get(self.mode, 'host')

    def at_point(self, number, display_filter):
        """The filter, at the host file's interface with this number."""
        return f'frame.interface_id == {number} && ({display_filter})' if '+' in self.point else display_filter

    def check(self, role, display_filter, claim):
        self.checks.append((role, display_filter, claim))

    def when(self, low=2.3, high=3.2):
        return self.rng.uniform(low, high)

    def tries(self, target, port=80, pings=8, start=None, syns=True):
        """The guest tries a target that is in trouble: pings, and one connection."""
        start = start or self.when()
        self.avoid(target)
        if pings:
            self.at(start, self.w.vm, traffic.ping, target, pings, self.rng.uniform(0.75, 0.9))
        if syns:
            self.at(start + self.rng.uniform(0.1, 0.9), self.w.vm, traffic.connect, target, port, 5.5)

    # Services and healthy traffic.

    def services(self):
        w = self.w
        names = {f'{label}.{w.domain}': ip for label, ip in
                 [(w.hostnames['vm'], w.vm.ip), (w.hostnames['s1'], w.s1.ip), (w.hostnames['s2'], w.s2.ip),
                  (w.hostnames['host'], w.host.ip), ('git', w.s1.ip), ('files', w.s2.ip)]}
        names.update({'www.example.com': '203.0.113.80', 'api.example.com': '203.0.113.81',
                      'repo.example.org': '203.0.113.80', 'time.example.net': '203.0.113.10'})
        self.names = names
        for machine in (*([] if w.boots else [w.vm]), w.s1, w.s2, w.net, w.host, *w.guests):
            traffic.in_thread(machine.ns, traffic.ssh_server, '0.0.0.0', 22)
            if machine is not w.host:
                self.http(machine, '0.0.0.0', 80,
                          self.rng.choice(['nginx', 'nginx/1.22.1', 'Apache/2.4.57', 'Microsoft-IIS/10.0']))
        for machine, address in [(w.router, w.router.ip), (w.s1, w.s1.ip), (w.net, '203.0.113.10'),
                                 (w.net, '198.51.100.53')]:
            self.dns(machine, address, names)
            traffic.in_thread(machine.ns, traffic.udp_server, address, 123)
        if self.mode not in ('bridged', 'user-nat'):
            if self.relays:
                self.programs.resolver(w.host, f'{w.vm_prefix}.1', names, w.router.ip)
            else:
                self.dns(w.host, f'{w.vm_prefix}.1', names,
                         w.router.ip if self.mode != 'host-only' and w.router.ip not in self.avoided else None)
            traffic.in_thread(w.host.ns, traffic.udp_server, f'{w.vm_prefix}.1', 123)
        for machine in (w.s1, w.s2, w.net, *w.guests):
            traffic.in_thread(machine.ns, programs.nc_sink, programs.SINK)
            traffic.in_thread(machine.ns, programs.nc_sink, programs.SYSLOG, '-u')
        self.leases()

    def background(self, begin, end):
        """Healthy traffic of everyone, `begin` to `end` in seconds; guests' peers are those not avoided."""
        rng, w, add = self.rng, self.w, self.at
        lan = [m.ip for m in (w.s1, w.s2)] if self.mode != 'host-only' else []
        internet = ['203.0.113.80', '203.0.113.81'] if self.mode != 'host-only' else []
        siblings = [g.ip for g in w.guests]
        own = [p for p in lan + internet + siblings if p not in self.avoided]
        pinged = [p for p in (own + [w.gateway] if self.pinged is None else self.pinged) if p not in self.avoided]
        resolvers = [p for p in [w.dns] if p not in self.avoided]

        def spread(gap):
            when = begin + rng.uniform(0, gap)
            while when < end:
                yield when
                when += gap * rng.uniform(0.5, 1.5)

        def paths():
            return [rng.choice(['/', '/b/180', '/b/900', '/b/5200', '/missing/x', '/b/2400', '/index.html'])
                    for _ in range(rng.randint(1, 3))]
        busy = rng.uniform(0.8, 1.3)
        for when in spread(1.3 * busy):
            if own:
                self.fetch(when, w.vm, rng.choice(own), paths(), rng.choice(['', 'www.example.com', w.domain]),
                           rng.uniform(0.02, 0.2))
        for when in spread(1.4 * busy):
            if resolvers:
                wanted = rng.sample(sorted(self.names), 1)
                if rng.random() < 0.2:
                    wanted.insert(0, f'{wanted[0]}.{w.domain}')
                self.ask(when, w.vm, rng.choice(resolvers), wanted, rng.random() < 0.4)
        for when in spread(3.5):
            if pinged:
                self.ping(when, w.vm, rng.choice(pinged), rng.randint(2, 4), rng.uniform(0.2, 0.5))
        self.pipes(begin, end, own)
        sshable = [p for p in own if p in lan + siblings]
        for when in spread(5.5):
            if sshable:
                add(when, w.vm, traffic.ssh_client, rng.choice(sshable), 22, rng.randint(3, 10), 0.05)
        if sshable and rng.random() < 0.8:
            add(begin, w.vm, traffic.ssh_client, rng.choice(sshable), 22, int((end - begin) * 2.5), 0.4)
        for when in spread(4):
            if resolvers:
                add(when, w.vm, traffic.udp_client, w.router.ip if w.engine else rng.choice(resolvers), 123, 1, 0.1)
        for when in spread(3.2):
            if own:
                add(when, w.vm, self.forget_neighbour, rng.choice(own + pinged))
        visitors = [m for m in (w.s1, w.s2) if m.ip not in self.avoided] if self.inbound else []
        for when in spread(2.8):
            if visitors:
                self.fetch(when, rng.choice(visitors), w.vm.ip, paths(), w.hostnames['vm'])
        for when in spread(5.0):
            if visitors:
                visitor = rng.choice(visitors)
                add(when, visitor, traffic.ping, w.vm.ip, rng.randint(2, 3), 0.3)
                add(when + 1, visitor, traffic.ssh_client, w.vm.ip, 22, rng.randint(2, 6), 0.05)
        self.others(spread, paths, lan, internet, siblings)

    def others(self, spread, paths, lan, internet, siblings):
        rng, w, add = self.rng, self.w, self.at
        crowd = 0.6 if self.quiet else 1.0
        for guest in w.guests:
            targets = lan + internet + [g for g in siblings if g != guest.ip]
            for when in spread(3.0 / crowd):
                self.fetch(when, guest, rng.choice(targets), paths())
            for when in spread(5.0):
                self.ask(when, guest, w.dns, rng.sample(sorted(self.names), 1))
                if rng.random() < 0.4:
                    add(when + 0.5, guest, traffic.connect, rng.choice(targets), rng.choice([443, 8443, 3306, 25]), 1)
            if lan and rng.random() < 0.7:
                add(rng.uniform(-1, 4), guest, traffic.ssh_client, rng.choice(lan), 22, rng.randint(5, 12), 0.2)
            if rng.random() < 0.3 and internet:
                for hop in (1, 2):
                    add(rng.uniform(1, 8), guest, traffic.ping, '203.0.113.81', 1, 0.5, 32, 1, ('-t', str(hop)))
        if w.guests and w.vm.ip not in self.avoided:
            for when in spread(4.5):
                add(when, rng.choice(w.guests), traffic.http_client, w.vm.ip, 80, paths())
        for when in spread(4.0):
            if internet:
                add(when, w.host, traffic.http_client, rng.choice(internet), 80, paths(), 'repo.example.org')
                add(when + 0.7, w.host, traffic.dns_client, w.router.ip, ['time.example.net'])
        if rng.random() < 0.7:
            add(-1, w.s2, traffic.ssh_client, w.host.ip, 22, 40, 0.4)

    def forget_neighbour(self, address):
        with self.w.vm.ns:
            self.w.vm.ns.run('ip', 'neigh', 'del', address, 'dev', 'eth0', may_fail=True)

    def chatter(self, seconds):
        rng, w = self.rng, self.w
        if self.quiet == 'silent':
            return
        devices = [(w.machine_mac(), w.lan_ip()) for _ in range(rng.randint(4, 9))]
        absent = [w.lan_ip() for _ in range(3)]
        known = [w.s1.ip, w.s2.ip, w.host.ip] + ([w.vm.ip] if self.mode == 'bridged' else [])
        noise = traffic.Noise(rng, w.lan_prefix, w.router.ip, known, devices, absent)
        self.noise = noise
        traffic.in_thread(w.noise.ns, noise.run, 'eth0', seconds, rng.uniform(3, 7))
        for machine, device in [(w.vm, 'eth0'), (w.s1, 'eth0'), (w.host, w.bridge_name)] + [(g, 'eth0') for g in w.guests]:
            if rng.random() < 0.5:
                self.at(rng.uniform(-1.5, 2), machine, machine.ns.sysctl, **{f'ipv6__conf__{device}__disable_ipv6': 0})

    # Captures.

    def points(self, point):
        w = self.w
        names = {'uplink': w.uplink_name, 'bridge': w.bridge_name, 'br1': 'br1', 'port': w.port_name, 'any': 'any', 'sll1': 'any'}
        return [names.get(part, part) for part in point.split('+')]

    def take(self, role, folder):
        """Starts the captures of a role; the returned function gives {name: path} once they have been stopped."""
        if role == 'host' and not self.apart:
            return self.take_points(folder)
        if role == 'vm' and self.w.boots:
            dump = vm.Dump(self.w.guest, os.path.join(folder, 'vm.pcap'), self.snaplen['vm'])
            self.offset = self.drift = 0
            return dump, lambda: {'vm': dump.path}
        space, interfaces = (self.w.vm.ns, self.devices) if role == 'vm' else (self.w.host.ns, self.points(self.point))
        options = {'snaplen': self.snaplen[role], 'nano': self.nano[role], 'expression': self.filters[role],
                   'more': self.more[role]}
        paths = {role + (str(number) if number > 1 else ''): interface for number, interface in enumerate(interfaces, 1)}
        parts = {name: capture.Capture(space, [interface], os.path.join(folder, name + '.pcap'), **options)
                 for name, interface in paths.items()}
        return Several(list(parts.values())), lambda: {name: part.path for name, part in parts.items()}

    def take_points(self, folder):
        role = 'host'
        path = os.path.join(folder, role + '.pcap')
        options = {'snaplen': self.snaplen[role], 'nano': self.nano[role], 'expression': self.filters[role],
                   'more': self.more[role]}
        interfaces = self.points(self.point)
        if len(interfaces) > 1 and self.rng.random() < 0.35:
            parts = [capture.Capture(self.w.host.ns, [interface], f'{path}{number}', **options)
                     for number, interface in enumerate(interfaces)]
            return Several(parts), lambda: {role: capture.to_pcapng(path, [part.path for part in parts])}
        if len(interfaces) > 1:
            path += 'ng'
        if self.point == 'sll1':
            options['linktype'] = 'LINUX_SLL'
        one = capture.Capture(self.w.host.ns, interfaces, path, **options)

        def finish():
            if len(interfaces) > 1:
                capture.plain_section_headers(path)
            return {role: path}
        return one, finish

    def start_actions(self, base, chosen):
        def later(when, machine, function):
            time.sleep(max(0, base + when - time.time()))
            try:
                if machine:
                    with machine.ns:
                        function()
                else:
                    function()
            except OSError:
                pass
        for when, machine, function in chosen:
            threading.Thread(target=later, args=(when, machine, function), daemon=True).start()

    def record(self, folder):
        """Runs it all; returns {role: path}."""
        last = max(stop for _, stop in self.windows.values())
        self.services()
        time.sleep(1.0)
        self.programs.check()
        if self.w.boots:
            self.w.guest.ready()
        self.w.flush_neighbours()
        scheduled, self.actions = self.actions, []
        self.background(-1.6, last + 1.2)
        self.chatter(last + 5)
        base = time.time() + 2.4
        self.start_actions(base, self.actions + scheduled)
        files, lock = {}, threading.Lock()
        errors = []
        late = {role: self.rng.uniform(0, 0.6) if role == self.rng.choice(['host', 'vm']) else 0 for role in ('host', 'vm')}

        def one(role):
            try:
                begin, end = self.windows[role]
                time.sleep(max(0, base + begin - 0.8 + late[role] - time.time()))
                with lock:
                    taken, finish = self.take(role, folder)
                taken.ready()
                if role in self.pause:
                    taken.pause(*self.pause[role])
                time.sleep(max(0, base + end + late[role] - 0.3 - time.time()))
                taken.stop()
                files.update(finish())
            except Exception as error:
                errors.append(error)
        threads = [threading.Thread(target=one, args=(role,)) for role in ('host', 'vm')]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return files

    def together(self, folder):
        """The host's file of this world, and the guest's file of `stranger`'s at the same time."""
        files, errors, threads = {}, [], []

        def one(role, other, subfolder):
            try:
                os.mkdir(subfolder)
                files[role] = other.record(subfolder)[role]
            except Exception as error:
                errors.append(error)
        for role, other in [('host', self), ('vm', self.stranger)]:
            threads.append(threading.Thread(target=one, args=(role, other, os.path.join(folder, role + '.d'))))
            threads[-1].start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return files

    def verify(self, files):
        for role, display_filter, claim in self.checks:
            sign, number = re.fullmatch(r'([=<>]+) *(\d+)', claim).groups()
            seen = capture.count(files[role], display_filter)
            if not COMPARE[sign](seen, int(number)):
                raise NotAsClaimed(f'{role}: {seen} frames, not {claim}: {display_filter}')
        if self.audited and not self.filters['vm']:
            surprise = capture.unanswered(files['vm'], (self.stranger or self).w.vm.ip) - self.troubled
            if surprise:
                raise NotAsClaimed(f'unanswered in the guest: {sorted(surprise)}')
            for seen, least in [('tcp.flags.syn == 1 && tcp.flags.ack == 1', 4), ('ip', 60)]:
                if capture.count(files['vm'], seen) < least:
                    raise NotAsClaimed(f'hardly any healthy traffic: {seen}')

    def write(self, files, target):
        for change in self.changes:
            change(files)
        for name in files:
            if name.startswith('vm') and (self.offset or self.drift):
                capture.shift_pcap(files[name], self.offset, self.drift)
        if self.same_file:
            files = {'host': files['host'], 'vm': files['host']}
        elif self.swap_roles:
            files = {'host': files['vm'], 'vm': files['host']}
        if self.w.boots:
            self.expect(offset_s=vm.ahead_s(files) if self.mode == 'bridged' else None)
        counts = []
        for role, path in files.items():
            name = os.path.join(target, role + '.' + path.rsplit('.', 1)[1])
            with open(path, 'rb') as source, open(name, 'wb') as copy:
                copy.write(source.read())
            if self.pcapng[role.rstrip('23')] and name.endswith('.pcap') and not self.same_file:
                name = capture.to_pcapng(name)
            method = self.compression[role.rstrip('23')]
            if os.path.getsize(name) > 230000:
                method = 'zst'
            name = capture.compress(name, method)
            counts.append(f'{os.path.basename(name)} {os.path.getsize(name) // 1024} KiB')
        expected = {key: value for key, value in self.expected.items() if value is not None}
        expected['origin'] = ('captured in network namespaces of a Linux kernel with tcpdump by tests/lab '
                              f'(seed {self.seed})' + relays.ORIGIN.get(self.w.engine, '')
                              + (vm.ORIGIN if self.w.boots else '')) + self.synthetic
        with open(os.path.join(target, 'expect.json'), 'w', encoding='utf-8') as file:
            json.dump(expected, file, indent=1, ensure_ascii=False)
            file.write('\n')
        if self.w.boots:
            counts.append(f'booted in {self.w.guest.boot_s:.1f} s')
        return ', '.join(counts)


def make(name, seed, attempt, target):
    """Makes one scenario into the folder `target`; says what it made."""
    function, why, options, arguments = ALL[name]
    if options.get('synthetic'):
        return function(random.Random(f'{seed}/{name}'), target, why)
    one = Scenario(name, seed, attempt, **options)
    if one.mode == 'bridged' or one.point not in ('port', 'bridge'):
        one.expect(mode=one.mode)
    one.expect(offset_s=one.offset, why=why)
    function(one, *arguments)
    absent = one.expected.get('absent', [])
    one.expect(absent=absent + [rule for rule in scenarios_alike.must_not_fire(name) if rule not in absent] or None)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as folder:
        files = one.together(folder) if one.stranger else one.record(folder)
        one.verify(files)
        return one.write(files, target)


import scenarios  # noqa: E402,F401
import scenarios_alike  # noqa: E402,F401
import scenarios_gw_nat  # noqa: E402,F401
import scenarios_l2  # noqa: E402,F401
import scenarios_l3  # noqa: E402,F401
import scenarios_l4  # noqa: E402,F401
import scenarios_loss  # noqa: E402,F401
import scenarios_nat  # noqa: E402,F401
import scenarios_clock  # noqa: E402,F401
import scenarios_noise  # noqa: E402,F401
import scenarios_points  # noqa: E402,F401
import scenarios_programs  # noqa: E402,F401
import scenarios_usernat  # noqa: E402,F401
import scenarios_v6  # noqa: E402,F401
import scenarios_vm  # noqa: E402,F401
import synthetic  # noqa: E402,F401
