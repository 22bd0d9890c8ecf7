"""Which program serves and which asks, one of the real world or one of ours: the seed decides."""
import programs
import traffic


class Variety:
    """The part of a scenario that has `programs`, whose `rng` alone makes these choices: addresses stay what they are."""

    def http(self, machine, address, port, server_name='nginx'):
        """A web server: nginx, or one of ours under that name."""
        if self.programs.rng.random() < 0.5:
            self.programs.nginx(machine, address, port)
        else:
            traffic.in_thread(machine.ns, traffic.http_server, address, port, server_name)

    def dns(self, machine, address, names, upstream=None):
        """A resolver: dnsmasq, which may ask `upstream`, or one of ours."""
        if self.programs.rng.random() < 0.6:
            self.programs.resolver(machine, address, names, self.programs.rng.choice([None, upstream]))
        else:
            traffic.in_thread(machine.ns, traffic.dns_server, address, 53, names)

    def leases(self):
        """DHCP for the guest, if it is set up as a lease would, and for siblings, which may ask in vain."""
        w, rng = self.w, self.programs.rng
        servers = ([(w.router, 'eth0', w.router.ip), (w.s1, 'eth0', w.s1.ip)] if self.mode == 'bridged' else
                   [(w.host, w.bridge_name, f'{w.vm_prefix}.1')])
        servers = [server for server in servers if server[2] not in self.avoided]
        for guest in w.guests:
            if rng.random() < 0.4:
                self.at(rng.uniform(-1.6, -1.2), guest, self.programs.dhclient, rng.choice(['', guest.name]))
        if self.has_leases or self.mode == 'host-only' or not servers or rng.random() < 0.4:
            return
        machine, device, address = rng.choice(servers)
        options = {'router': w.gateway, 'dns-server': w.dns, **rng.choice([{}, {'T1': 3}, {'T1': 4}])}
        self.programs.dhcp_server(machine, device, options, [(w.vm.mac, w.vm.ip)],
                                  (f'{w.vm_prefix}.251', f'{w.vm_prefix}.253'), rng.choice([True, True, False]))
        if f'default via {w.gateway} ' in w.vm.ns.run('ip', 'route') and f'{w.vm.ip}/24' in w.vm.ns.run('ip', '-o', 'addr'):
            self.at(rng.uniform(2.4, 5), w.vm, self.programs.dhclient, w.hostnames['vm'],
                    *rng.choice([(w.vm.ip, address), (w.vm.ip, address), ()]))

    def named(self, address):
        """A name of the address that the resolver of all is sure to know, if it can be asked."""
        names = [name for name, ip in self.names.items() if ip == address]
        return self.programs.rng.choice(names) if names and self.w.dns not in self.avoided else None

    def fetch(self, when, machine, address, paths, host='', gap=0.1):
        rng = self.programs.rng
        if rng.random() < 0.6:
            return self.at(when, machine, traffic.http_client, address, 80, paths, host, None, gap)
        name = self.named(address) if machine in (self.w.vm, *self.w.guests) else None
        command = ['curl', '-s', '-m', '4', *rng.choice([[], ['-I'], ['--no-keepalive'], ['--http1.0'],
                                                         ['-m', '0.4', '--limit-rate', '600']])]
        for path in paths:
            command += ['-o', '/dev/null', f'http://{name or address}{path}']
        if name:
            return self.at(when, machine, self.programs.run_with_names, self.w.dns, self.w.domain, *command)
        return self.at(when, machine, programs.run, *command)

    def ask(self, when, machine, resolver, names, both=False):
        rng = self.programs.rng
        if rng.random() < 0.6:
            return self.at(when, machine, traffic.dns_client, resolver, names, both=both)
        options = rng.choice([('-t', 'A'), ('-t', 'A', '+noedns'), ('-t', 'AAAA'), ('-t', 'MX'), ('-t', 'SRV'), ('-x',), ('-x',)])
        for name in names:
            wanted = self.names.get(name, resolver) if options == ('-x',) else name
            self.at(when, machine, programs.dig, resolver, wanted, *options)

    def ping(self, when, machine, address, count, gap):
        name = self.named(address) if self.programs.rng.random() < 0.4 else None
        if not name:
            return self.at(when, machine, traffic.ping, address, count, gap)
        return self.at(when, machine, self.programs.run_with_names, self.w.dns, self.w.domain, 'ping', '-c', str(count),
                       '-i', f'{gap:.2f}', name)

    def pipes(self, begin, end, own):
        """The guest's exchanges by nc: halves that end one after the other, lines for a log, a look at a
        port, a connection that both leave idle."""
        w, rng = self.w, self.programs.rng
        peers = [m for m in (w.s1, w.s2, w.net, *w.guests) if m.ip in own]
        for number in range(int((end - begin) / 3) if peers else 0):
            when, peer, data = rng.uniform(begin, end), rng.choice(peers), rng.randbytes(rng.choice([60, 700, 9000]))
            kind = rng.choice(['whole', 'whole', 'answer', 'log', 'look', 'idle'])
            if kind == 'whole':
                self.at(when, w.vm, programs.nc, peer.ip, programs.SINK, data, *rng.choice([('-N',), ('-q', '0'), ('-w', '1')]))
            elif kind == 'answer':
                self.at(when - 0.6, peer, programs.nc_answers_once, 7000 + number, rng.randbytes(2000))
                self.at(when, w.vm, programs.nc, peer.ip, 7000 + number, *rng.choice([(data, '-N'), (b'', '-d')]))
            elif kind == 'log':
                line = b'<13>Jan  1 00:00:00 guest lab: a line\n'
                self.at(when, w.vm, programs.nc, peer.ip, programs.SYSLOG, line, '-u', '-w', '1')
            elif kind == 'look':
                self.at(when, w.vm, programs.nc, peer.ip, rng.choice([22, 80]), b'', '-z')
            else:
                self.at(when, w.vm, programs.nc, peer.ip, 80, b'GET / HTTP/1.1\r\nHost: lab\r\n\r\n', '-w', '5')
