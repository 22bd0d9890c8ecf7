"""User-mode NAT: real engines (QEMU's slirp, passt) between the guest's namespace and the host's."""
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time

import vm

NEEDS = {'qemu': ['qemu-system-x86_64', 'setpriv'], 'passt': ['pasta'], 'passt-same': ['pasta']}
ORIGIN = {'qemu': ", user-mode NAT by QEMU's libslirp", 'passt': ', user-mode NAT by passt',
          'passt-same': ', user-mode NAT by passt'}
TUNSETIFF, IFF_TAP, IFF_NO_PI, NOBODY = 0x400454ca, 0x0002, 0x1000, 65534


def missing(engine):
    path = '/usr/sbin:/sbin:' + os.environ['PATH']
    return [tool for tool in NEEDS.get(engine, []) if not shutil.which(tool, path=path)]


def resolver(address):
    """What /etc/resolv.conf says from now on to the processes of this scenario."""
    with tempfile.NamedTemporaryFile('w') as file:
        file.write(f'nameserver {address}\n')
        file.flush()
        os.chmod(file.name, 0o644)
        subprocess.run(['mount', '--bind', file.name, '/etc/resolv.conf'], check=True)


def qemu(w, forwards):
    """QEMU without a machine: a hub joins its user-mode network and the guest's NIC.  It runs as nobody."""
    with w.vm.ns:
        tap = os.open('/dev/net/tun', os.O_RDWR)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack('16sH22x', b'eth0', IFF_TAP | IFF_NO_PI))
    w.vm.ns.ip(f'link set eth0 address {w.vm.mac}')
    user = ''.join(f',hostfwd=tcp::{port}-:{inner}' for port, inner in forwards)
    return ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', 'qemu-system-x86_64', '-M', 'none',
            '-display', 'none', '-monitor', 'none', '-nodefaults', '-netdev', f'user,id=user{user}',
            '-netdev', f'tap,id=tap,fd={tap}', '-netdev', 'hubport,id=left,hubid=0,netdev=user',
            '-netdev', 'hubport,id=right,hubid=0,netdev=tap'], tap


def passt(w, forwards):
    command = ['pasta', '-f', '-q', '-4', '--runas', '0', '--netns-only', '--netns', f'/proc/self/fd/{w.vm.ns.fd}',
               '-I', 'eth0', '--ns-mac-addr', w.vm.mac, '-a', w.vm.ip, '-n', '24', '-g', w.gateway,
               '-T', 'none', '-u', 'none', '-U', 'none']
    command += ['--dns-forward', w.dns] if w.engine == 'passt' else ['--no-map-gw']
    for port, inner in forwards:
        command += ['-t', f'{port}:{inner}']
    return command + ([] if forwards else ['-t', 'none']), w.vm.ns.fd


def start(w, forwards=(), ping=False):
    """The guest gets a NIC and the way out; `forwards` are (port of the host, port of the guest)."""
    resolver(w.router.ip)
    w.host.ns.sysctl(ipv4__ping_group_range='0 2147483647' if ping else '1 0')
    if w.boots:
        w.guest = vm.user(w, forwards)
        return
    command, handle = (qemu if w.engine == 'qemu' else passt)(w, forwards)
    with w.host.ns:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, pass_fds=[handle])
    end = time.time() + 8
    while time.time() < end and process.poll() is None:
        if 'eth0' in w.vm.ns.run('ip', 'link'):
            break
        time.sleep(0.05)
    time.sleep(0.5)
    if process.poll() is not None:
        raise RuntimeError(f'{w.engine}: ended with {process.returncode}')
    w.address(w.vm, 'eth0', f'{w.vm.ip}/24', w.gateway)
