#!/usr/bin/env python3
"""Makes two-sided captures of real network faults in network namespaces."""
import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import netns  # noqa: E402
import relays  # noqa: E402
import scenario  # noqa: E402
import vm  # noqa: E402

TOOLS = ['ip', 'nft', 'tcpdump', 'dumpcap', 'tshark', 'editcap', 'mergecap', 'ping', 'gzip', 'zstd',
         'conntrack', 'curl', 'arping', 'dig', 'nc', 'dnsmasq', 'dhclient', 'nginx', 'unshare', 'ethtool']
TRIES, LIMIT_SECONDS = 3, 150


def why_not():
    if os.geteuid() != 0:
        return 'the lab needs root'
    missing = [tool for tool in TOOLS if not shutil.which(tool, path='/usr/sbin:/sbin:' + os.environ['PATH'])]
    if missing:
        return 'the lab needs ' + ', '.join(missing)
    pid = os.fork()
    if pid == 0:
        try:
            space = netns.Namespace('probe')
            space.nft('table inet probe {}\ntable bridge probe {}')
            space.ip('link add br0 type bridge', 'link add left0 type veth peer name right0')
        except Exception:
            os._exit(1)
        os._exit(0)
    return 'the lab needs network namespaces with nftables' if os.waitpid(pid, 0)[1] else None


def work(name, seed, attempt, target):
    """Process 1 of a new PID namespace: all that it starts ends with it."""
    status = 1
    try:
        netns.private_mounts()
        tempfile.tempdir = os.path.dirname(target)
        made = scenario.make(name, seed, attempt, target)
        print(f'{name}: {made}', flush=True)
        status = 0
    except scenario.NotAsClaimed as error:
        print(f'{name}: not as claimed: {error}', file=sys.stderr, flush=True)
    except Exception:
        print(f'{name}: ' + traceback.format_exc(limit=-3), file=sys.stderr)
        sys.stderr.flush()
    os._exit(status)


def start(name, seed, attempt, target):
    """Starts one attempt at one scenario; returns the process to wait for."""
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    netns.die_with_parent()
    netns.unshare(netns.CLONE_NEWPID)
    inner = os.fork()
    if inner == 0:
        netns.die_with_parent()
        work(name, seed, attempt, target)
    signal.alarm(LIMIT_SECONDS)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) != 0)


def run(names, seed, out, jobs, scratch):
    waiting, running, failed = [(name, 1) for name in names], {}, []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name, attempt = waiting.pop(0)
                target = os.path.join(scratch, f'{name}.{attempt}')
                os.mkdir(target)
                running[start(name, seed, attempt, target)] = (name, attempt, target)
                time.sleep(0.3)
            pid, status = os.wait()
            name, attempt, target = running.pop(pid)
            if status == 0:
                shutil.rmtree(os.path.join(out, name), ignore_errors=True)
                shutil.move(target, os.path.join(out, name))
            elif attempt < TRIES:
                waiting.insert(0, (name, attempt + 1))
            else:
                failed.append(name)
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', metavar='DIR', help='writes DIR/NAME/ for every scenario')
    parser.add_argument('--seed', type=int, default=1, help='other addresses, names, traffic and timing (default 1)')
    parser.add_argument('--only', metavar='NAME[,NAME]', help='these scenarios; a trailing * stands for the rest')
    parser.add_argument('--list', action='store_true', help='names the scenarios')
    parser.add_argument('--jobs', type=int, default=1, help='scenarios at the same time (default 1)')
    options = parser.parse_args()
    names = list(scenario.ALL)
    if options.only:
        names = [name for name in names for wish in options.only.split(',')
                 if name == wish or wish.endswith('*') and name.startswith(wish[:-1])]
    if options.list:
        for name in names:
            print(f'{name}: {scenario.ALL[name][1]}')
        return 0
    if not names or not options.out:
        parser.error('no such scenario' if options.out else '--out is missing')
    reason = why_not()
    if reason:
        print(f'skipped: {reason}')
        return 77
    for name in list(names):
        wants = scenario.ALL[name][2]
        lacks = vm.missing() if wants.get('boots') else relays.missing(wants.get('engine'))
        if lacks:
            print(f'{name}: skipped: needs {", ".join(lacks)}')
            names.remove(name)
    os.makedirs(options.out, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    random.seed()
    with tempfile.TemporaryDirectory(prefix='lab.') as scratch:
        failed = run(names, options.seed, options.out, max(1, options.jobs), scratch)
    for name in failed:
        print(f'{name}: failed {TRIES} times', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
