#!/usr/bin/env python3
"""Offsets of clocks and counts of matches against what is known of captures that nobody here wrote.

    tests/clock.py PROGRAM RULES SHARED [GEN_PAIR]

Each two-sided pair below SHARED/captures in both orders: the median difference of its README.md lies within the stated
error, the packets that both files have are matched, and nothing of a healthy pair is called a fault.  GEN_PAIR, the
generator of SHARED/bench, says the truth of what it makes: the offset is within the error at any drift.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

MININET = 'Romain-Ly__PRES/mininet/python/TCPvsMPTCP/output/exp001_TC_tcpdump_'
PINGS = 'mike-albano__network-impairment/pcaps/'

# Guest's file, host's, median of host minus guest in s, packets in both.  The README counts a segment that was sent
# again once (by tcp.seq, tcp.ack, tcp.len and tcp.flags, 14 of mininet eth0), and no ARP; here each frame that both
# have counts (by tshark 3824 and 1010), but for the first of mininet eth1, a stranger's broadcast at the very start.
PAIRS = [
    ('chrissanders__packets/ip_ttl_source.pcapng', 'chrissanders__packets/ip_ttl_dest.pcapng', -48.850822, 2),
    ('chrissanders__packets/stranded_clientside.pcapng', 'chrissanders__packets/stranded_branchdns.pcapng',
     5958.961459, 2),
    ('chrissanders__packets/dns_recursivequery_client.pcapng', 'chrissanders__packets/dns_recursivequery_server.pcapng',
     0, 2),
    (MININET + 'h1-eth0.pcap', MININET + 'sv_mp1-eth0.pcap', 0.010287, 3824),
    (MININET + 'h1-eth1.pcap', MININET + 'sv_mp1-eth1.pcap', -0.000006, 1010 - 1),
    (PINGS + 'client_pings_delayed.pcap', PINGS + 'server_pings_delayed.pcap', 0.250673, 6),
]
WRONG_PAIR = (MININET + 'h1-eth0.pcap', MININET + 'sv_mp1-eth1.pcap')


class Checker:
    def __init__(self, program, rules):
        self.command = [program, '-R', rules, '-f', 'json']
        self.checked, self.wrong = 0, []

    def report(self, host, vm):
        return json.loads(subprocess.run([*self.command, host, vm], stdout=subprocess.PIPE, check=False).stdout)

    def expect(self, what, holds, found):
        self.checked += 1
        if not holds:
            self.wrong.append(f'{what}: {found}')

    def offset(self, what, report, offset_ns):
        clock = report['clock']
        self.expect(what, clock['offset_ns'] is not None and
                    abs(clock['offset_ns'] - offset_ns) <= clock['error_ns'] and clock['steps'] == 0, clock)

    def captures(self, folder):
        for vm, host, median_s, both in PAIRS:
            for first, second in ((host, vm), (vm, host)):
                report = self.report(folder / first, folder / second)
                is_vm = folder / vm == pathlib.Path(next(c['file'] for c in report['captures'] if c['role'] == 'vm'))
                self.offset(f'{first} {second}: clock', report, -median_s * 1e9 * (1 if is_vm else -1))
                match = report['match']
                self.expect(f'{first} {second}: matches', both == match['from_guest']['both'] +
                            match['to_guest']['both'], match)
                self.no_fault(first, second, report)
        for first, second in (WRONG_PAIR, WRONG_PAIR[::-1]):
            self.no_fault(first, second, self.report(folder / first, folder / second))

    def no_fault(self, first, second, report):
        self.expect(f'{first} {second}: verdict', report['verdict'] != 'fault', report['summary'])

    def generated(self, generator):
        with tempfile.TemporaryDirectory() as folder:
            host, vm, truth = (f'{folder}/{name}' for name in ('host.pcap', 'vm.pcap', 'truth.json'))
            for seed, drift_ppm in enumerate((0, 20, -20, 50, -50, 100, -100), 1):
                for nat in ([], ['--nat']):
                    subprocess.run([generator, '--preset', 'small', '--packets', '10000', '--flows', '300', '--rate',
                                    '300', '--snaplen', '128', '--seed', str(seed), '--offset-ms',
                                    str((seed - 4) * 3600000 + 2500), '--drift-ppm', str(drift_ppm), *nat, '--host',
                                    host, '--vm', vm, '--truth', truth], check=True)
                    known = json.loads(pathlib.Path(truth).read_text())
                    what = ' '.join([f'generated, seed {seed}, {drift_ppm} ppm', *nat])
                    report = self.report(host, vm)
                    self.offset(what, report, known['offset_ns'])
                    self.expect(what, abs(report['clock']['drift_ppb'] - drift_ppm * 1000) < 5000, report['clock'])


def main():
    program, rules, shared, *generator = sys.argv[1:]
    checker = Checker(program, rules)
    checker.captures(pathlib.Path(shared) / 'captures')
    if generator:
        checker.generated(generator[0])
    print(*checker.wrong, f'{checker.checked} checked, {len(checker.wrong)} wrong', sep='\n')
    return 1 if checker.wrong else 0


if __name__ == '__main__':
    sys.exit(main())
