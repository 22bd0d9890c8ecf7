#!/usr/bin/env python3
"""Checks every claim of every sample's report with tshark.

A claim says that FILTER selects COUNT frames of FILE, beginning with FRAMES;
`tshark -r FILE -Y FILTER` must say the same.  Controls and twins must select
something.

Starting tshark takes longer than filtering a sample, so sharkd, the same
dissection and filters as a server, answers for each file in one go, and tshark
itself is asked for a spread of the claims, or with --tshark for all of them.
"""
import argparse
import collections
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

CAPTURE_NAME = re.compile(r'(host|vm)[0-9]*\.(pcap|pcapng|cap)(\.gz|\.zst)?$')

Claim = collections.namedtuple('Claim', 'sample where file filter count frames may_be_zero')


def ask_tshark(file, display_filter):
    """The frames that tshark selects."""
    command = ['tshark', '-n', '-r', file, '-Y', display_filter, '-T', 'fields', '-e', 'frame.number']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # A file that ends in the middle was read up to there.
    if done.returncode != 0 and 'cut short in the middle' not in done.stderr:
        raise RuntimeError(done.stderr.strip())
    return [int(line) for line in done.stdout.split()]


class Sharkd:
    """One sharkd process.  What it does not answer as expected is None."""

    def __init__(self):
        self.process = subprocess.Popen(['sharkd', '-'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, encoding='utf-8')
        self.requests = 0
        self.loads = 0

    def call(self, method, params):
        """The result of a call, or None; a load that half works is not answered at all."""
        self.requests += 2
        asked = self.requests
        # "status" is always answered, and so ends the wait.
        requests = ({'jsonrpc': '2.0', 'id': asked, 'method': method, 'params': params},
                    {'jsonrpc': '2.0', 'id': asked + 1, 'method': 'status'})
        try:
            for request in requests:
                self.process.stdin.write(json.dumps(request, ensure_ascii=False) + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        result = None
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get('id') == asked:
                result = answer.get('result')
            elif answer.get('id') == asked + 1:
                return result
        return None

    def frames(self, file, display_filters):
        """Yields the frames of a file that each filter selects."""
        self.loads += 1
        loaded = self.call('load', {'file': os.path.abspath(file)})
        for display_filter in display_filters:
            # It remembers what a filter selected, also across files: spaces
            # make each file's filters other ones.
            unique = display_filter + ' ' * self.loads
            rows = loaded and self.call('frames', {'filter': unique, 'column0': 'frame.number:1'})
            yield None if rows is None else [row['num'] for row in rows]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Judge:
    """What filters select of files, by sharkd as far as it answers, else by tshark."""

    def __init__(self, jobs, use_sharkd):
        self.jobs = jobs
        self.use_sharkd = use_sharkd
        self.known = {}
        self.tshark_runs = 0
        self.lock = threading.Lock()

    def run_tshark(self, file, display_filter):
        with self.lock:
            self.tshark_runs += 1
        try:
            return ask_tshark(file, display_filter)
        except RuntimeError as error:
            return error

    def work_off(self, files):
        """Takes files until none is left; the filters of each are answered by one process."""
        sharkd = Sharkd() if self.use_sharkd else None
        while True:
            with self.lock:
                if not files:
                    break
                file, filters = files.popitem()
            answers = sharkd.frames(file, filters) if sharkd else [None] * len(filters)
            for display_filter, frames in zip(filters, answers):
                if frames is None:
                    frames = self.run_tshark(file, display_filter)
                self.known[file, display_filter] = frames
        if sharkd:
            sharkd.close()

    def learn(self, questions):
        """Finds the frames for each (file, filter)."""
        files = {}
        for file, display_filter in dict.fromkeys(questions):
            if (file, display_filter) not in self.known:
                files.setdefault(file, []).append(display_filter)
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            for done in [pool.submit(self.work_off, files) for _ in range(self.jobs)]:
                done.result()

    def refute(self, claim):
        """What is wrong with a claim, or None."""
        seen = self.known[claim.file, claim.filter]
        about = f'{claim.sample}: {claim.where}'
        ask = f'{claim.file}: {claim.filter}'
        if isinstance(seen, RuntimeError):
            return f'{about}: {ask}: {seen}'
        if len(seen) != claim.count:
            return f'{about}: {claim.count} claimed, tshark has {len(seen)}: {ask}'
        if claim.frames is not None and seen[:16] != claim.frames:
            return f'{about}: frames {claim.frames} claimed, tshark has {seen[:16]}: {ask}'
        if not claim.may_be_zero and claim.count == 0:
            return f'{about}: selects nothing: {ask}'
        return None

    def doubt(self, claim):
        """Whether tshark itself says otherwise than known, in words, or None."""
        seen, expected = self.run_tshark(claim.file, claim.filter), self.known[claim.file, claim.filter]
        if seen == expected or isinstance(expected, RuntimeError):
            return None
        return f'{claim.sample}: {claim.where}: sharkd has {expected}, tshark {seen}: {claim.file}: {claim.filter}'


def captures_of(folder, role):
    names = sorted(p.name for p in folder.iterdir() if CAPTURE_NAME.match(p.name) and p.name.startswith(role))
    return [str(folder / name) for name in names]


def report_of(pcapdiag, rules, folder):
    command = [pcapdiag, '-R', rules, '-f', 'json']
    for role in ('host', 'vm'):
        for file in captures_of(folder, role):
            command += ['--' + role, file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(f'{folder.name}: {done.stderr.strip()}')
    return json.loads(done.stdout)


def claims_of(sample, report):
    for finding in report['diagnoses'] + report['symptoms'] + report['notes']:
        for evidence in finding['evidence']:
            where = f"{finding['rule']}: {evidence['point']}: {evidence['what']}"
            yield Claim(sample, where, evidence['file'], evidence['filter'], evidence['count'],
                        evidence['frames'], True)
            control, twin = evidence.get('control'), evidence.get('twin')
            if control:
                yield Claim(sample, where + ': control', evidence['file'], control['filter'], control['count'],
                            None, False)
            if twin:
                yield Claim(sample, where + ': twin', twin['file'], twin['filter'], twin['count'], None, False)


def unproved_absences(sample, report):
    """An absence without a control, or without both a twin and a reason, proves nothing."""
    for finding in report['diagnoses']:
        for evidence in finding['evidence']:
            if evidence['count'] > 0:
                continue
            where = f"{sample}: {finding['rule']}: {evidence['point']}: {evidence['what']}"
            if not evidence.get('control'):
                yield where + ': absent, and no control'
            if not evidence.get('twin') and not evidence.get('twin_reason'):
                yield where + ': absent, and neither twin nor reason'


def spread(claims, most):
    """At most so many claims, no two of one sample, as if drawn by lot but always the same."""
    def lot(claim):
        return hashlib.sha256('\0'.join((claim.sample, claim.where, claim.filter)).encode()).digest()

    first = {}
    for claim in sorted(claims, key=lot):
        first.setdefault(claim.sample, claim)
    return list(first.values())[:most]


def mutate(display_filter):
    """The same filter about another address, or None if it names none."""
    def other(match):
        return match.group(1) + str((int(match.group(2)) + 101) % 256)

    mutated = re.sub(r'(== \d+\.\d+\.\d+\.)(\d+)', other, display_filter)
    if mutated == display_filter:
        mutated = re.sub(r'(ipv6\.(?:src|dst) == [0-9a-f:]*:)[0-9a-f]{1,4}', r'\1dead', display_filter)
    if mutated == display_filter:
        mutated = re.sub(r'(== (?:[0-9a-f]{2}:){5})[0-9a-f]{2}', r'\1ee', display_filter)
    return mutated if mutated != display_filter else None


def surviving_mutants(judge, claims, enough=20):
    """Claims that stay confirmed although their filter or count was falsified."""
    # Where all but one address is selected, another address selects as much.
    candidates = [claim for claim in claims
                  if claim.count > 0 and '!(eth.src' not in claim.filter and mutate(claim.filter)][:enough]
    if not candidates:
        return ['no claim names an address, so none could be falsified']
    mutants = []
    for claim in candidates:
        mutants.append(claim._replace(filter=mutate(claim.filter)))
        mutants.append(claim._replace(count=claim.count + 1))
    judge.learn((mutant.file, mutant.filter) for mutant in mutants)
    return [f'{mutant.sample}: {mutant.where}: still confirmed when falsified: {mutant.count}: {mutant.filter}'
            for mutant in mutants if not judge.refute(mutant)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--parallel', action='store_true', help='as many at a time as there are cores')
    parser.add_argument('--tshark', action='store_true', help='ask tshark itself for every claim')
    parser.add_argument('--spread', type=int, default=60, help='claims that tshark itself is asked for (%(default)s)')
    parser.add_argument('pcapdiag')
    parser.add_argument('rules')
    parser.add_argument('samples', type=pathlib.Path)
    args = parser.parse_args()

    folders = sorted(p for p in args.samples.iterdir() if p.is_dir() and captures_of(p, ''))
    judge = Judge(os.cpu_count() if args.parallel else 1, not args.tshark and shutil.which('sharkd'))
    with concurrent.futures.ThreadPoolExecutor(judge.jobs) as pool:
        reports = list(pool.map(functools.partial(report_of, args.pcapdiag, args.rules), folders))
        claims, wrong = [], []
        for folder, report in zip(folders, reports):
            claims += claims_of(folder.name, report)
            wrong += unproved_absences(folder.name, report)
        judge.learn((claim.file, claim.filter) for claim in claims)
        wrong += [line for line in map(judge.refute, claims) if line]
        if judge.use_sharkd:
            wrong += [line for line in pool.map(judge.doubt, spread(claims, args.spread)) if line]
    if not claims:
        wrong.append('no report claims anything')
    wrong += surviving_mutants(judge, claims)

    for line in wrong:
        print(line)
    print(f'{len(claims)} claims of {len(folders)} samples, {len(judge.known)} filters, {judge.tshark_runs} by tshark '
          'itself: ' + (f'{len(wrong)} wrong' if wrong else 'all confirmed'))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
