#!/usr/bin/env python3
"""Checks every claim of every sample's report with tshark.

A claim says that FILTER selects COUNT frames of FILE, beginning with FRAMES;
`tshark -r FILE -Y FILTER` must say the same.  Controls and twins must select
something.
"""
import argparse
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

CAPTURE_NAME = re.compile(r'(host|vm)[0-9]*\.(pcap|pcapng|cap)(\.gz|\.zst)?$')


class Tshark:
    """Frames that a filter selects; each pair of file and filter is run once."""

    def __init__(self):
        self.known = {}
        self.lock = threading.Lock()

    def frames(self, file, display_filter):
        key = (file, display_filter)
        with self.lock:
            future = self.known.get(key)
            if not future:
                future = self.known[key] = concurrent.futures.Future()
                mine = True
            else:
                mine = False
        if mine:
            try:
                future.set_result(self.run(file, display_filter))
            except RuntimeError as error:
                future.set_exception(error)
        return future.result()

    @staticmethod
    def run(file, display_filter):
        command = ['tshark', '-n', '-r', file, '-Y', display_filter, '-T', 'fields', '-e', 'frame.number']
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # A file that ends in the middle was read up to there.
        if done.returncode != 0 and 'cut short in the middle' not in done.stderr:
            raise RuntimeError(done.stderr.strip())
        return [int(line) for line in done.stdout.split()]


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


def claims_of(report):
    """Yields (words for people, file, filter, count, frames or None, may be 0)."""
    findings = report['diagnoses'] + report['symptoms'] + report['notes']
    for finding in findings:
        for evidence in finding['evidence']:
            where = f"{finding['rule']}: {evidence['point']}: {evidence['what']}"
            yield where, evidence['file'], evidence['filter'], evidence['count'], evidence['frames'], True
            control, twin = evidence.get('control'), evidence.get('twin')
            if control:
                yield where + ': control', evidence['file'], control['filter'], control['count'], None, False
            if twin:
                yield where + ': twin', twin['file'], twin['filter'], twin['count'], None, False


def unproved_absences(report):
    """An absence without a control, or without both a twin and a reason, proves nothing."""
    for finding in report['diagnoses']:
        for evidence in finding['evidence']:
            if evidence['count'] > 0:
                continue
            where = f"{finding['rule']}: {evidence['point']}: {evidence['what']}"
            if not evidence.get('control'):
                yield where + ': absent, and no control'
            if not evidence.get('twin') and not evidence.get('twin_reason'):
                yield where + ': absent, and neither twin nor reason'


def refute(tshark, claim):
    """What is wrong with a claim, or None."""
    where, file, display_filter, count, frames, may_be_zero = claim
    try:
        seen = tshark.frames(file, display_filter)
    except RuntimeError as error:
        return f'{where}: {display_filter}: {error}'
    if len(seen) != count:
        return f'{where}: {count} claimed, tshark has {len(seen)}: {file}: {display_filter}'
    if frames is not None and seen[:16] != frames:
        return f'{where}: frames {frames} claimed, tshark has {seen[:16]}: {file}: {display_filter}'
    if not may_be_zero and count == 0:
        return f'{where}: selects nothing: {file}: {display_filter}'
    return None


def mutate(display_filter):
    """The same filter about another address, or None if it names none."""
    def other(match):
        return match.group(1) + str((int(match.group(2)) + 101) % 256)

    mutated = re.sub(r'(== \d+\.\d+\.\d+\.)(\d+)', other, display_filter)
    if mutated == display_filter:
        mutated = re.sub(r'(== (?:[0-9a-f]{2}:){5})[0-9a-f]{2}', r'\1ee', display_filter)
    return mutated if mutated != display_filter else None


def surviving_mutants(tshark, claims, enough=20):
    """Claims that stay confirmed although their filter or count was falsified."""
    tried, survivors = 0, []
    for claim in claims:
        where, file, display_filter, count, frames, may_be_zero = claim
        mutated = mutate(display_filter)
        if not mutated or count == 0:
            continue
        tried += 1
        if not refute(tshark, (where, file, mutated, count, frames, may_be_zero)):
            survivors.append(f'{where}: still confirmed when falsified: {mutated}')
        if not refute(tshark, (where, file, display_filter, count + 1, frames, may_be_zero)):
            survivors.append(f'{where}: still confirmed with a count of one more')
        if tried == enough:
            break
    if not tried:
        survivors.append('no claim names an address, so none could be falsified')
    return survivors


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--parallel', action='store_true', help='as many at a time as there are cores')
    parser.add_argument('pcapdiag')
    parser.add_argument('rules')
    parser.add_argument('samples', type=pathlib.Path)
    args = parser.parse_args()

    folders = sorted(p for p in args.samples.iterdir() if p.is_dir() and captures_of(p, ''))
    tshark = Tshark()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() if args.parallel else 1) as pool:
        reports = list(pool.map(functools.partial(report_of, args.pcapdiag, args.rules), folders))
        claims = [claim for report in reports for claim in claims_of(report)]
        wrong = [line for report in reports for line in unproved_absences(report)]
        wrong += [line for line in pool.map(functools.partial(refute, tshark), claims) if line]
    if not claims:
        wrong.append('no report claims anything')
    runs = len(tshark.known)
    wrong += surviving_mutants(tshark, claims)

    for line in wrong:
        print(line)
    print(f'{len(claims)} claims of {len(folders)} samples, {runs} tshark runs: '
          + (f'{len(wrong)} wrong' if wrong else 'all confirmed'))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
