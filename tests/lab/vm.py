"""A real guest: QEMU emulates a PC that boots Debian's kernel and busybox; the lab types into its serial line."""
import fcntl
import functools
import json
import lzma
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time

import capture
import traffic

NEEDS = ['qemu-system-x86_64', 'setpriv', 'apt-get', 'apt-cache', 'dpkg-deb', 'cpio']
KERNEL, BUSYBOX = 'linux-image-cloud-amd64', 'busybox-static'
ORIGIN = "; the guest is a Debian kernel that QEMU emulates, captured by QEMU's filter-dump"
MODULES = ['failover', 'net_failover', 'virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci',
           'virtio_net']
PAGES = [180, 900, 2400, 5200]
VNET_HEADER = 12  # octets
HEADED = '.headed'
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, NOBODY = 0x400454ca, 0x0002, 0x1000, 0x4000, 65534
INIT = '''#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t devtmpfs none /dev
for module in {modules}; do insmod /lib/$module.ko; done
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
ip addr add $lab_ip/24 brd + dev eth0
ip link set eth0 up
ip route add default via $lab_gateway
printf 'search %s\\nnameserver %s\\n' $lab_domain $lab_dns >/etc/resolv.conf
httpd -h /www
nc -ll -p 22 -e /bin/keys &
echo lab: ready
while read -r line; do
	sh -c "$line" >/dev/null 2>&1 </dev/null &
done
'''
KEYS = '#!/bin/sh\necho SSH-2.0-dropbear_2022.83\nexec cat\n'


# What it boots

def cache():
    return os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'pcapdiag-lab')


def unpacked(package, folder):
    """The files of a Debian package, which is not installed: installing a kernel changes how the machine boots."""
    if os.path.isdir(folder):
        return folder
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        subprocess.run(['apt-get', 'download', '-q', '-o', 'APT::Sandbox::User=root', package], cwd=scratch, check=True,
                       capture_output=True, timeout=300)
        archive = os.path.join(scratch, os.listdir(scratch)[0])
        subprocess.run(['dpkg-deb', '-x', archive, os.path.join(scratch, 'files')], check=True, timeout=120)
        os.rename(os.path.join(scratch, 'files'), folder)
    return folder


def find(root, wanted, inside=''):
    """The file of this name, in a folder whose name ends with `inside`."""
    return next((os.path.join(folder, wanted) for folder, _, names in os.walk(root)
                 if wanted in names and folder.endswith(inside)), None)


def write(path, content, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(path, mode)


def initramfs(kernel, busybox, target):
    with tempfile.TemporaryDirectory(dir=cache()) as root:
        for name in ('bin', 'lib', 'proc', 'dev', 'etc'):
            os.mkdir(os.path.join(root, name))
        shutil.copy(find(busybox, 'busybox', 'bin'), os.path.join(root, 'bin/busybox'))
        for name in MODULES:
            path = find(kernel, name + '.ko') or find(kernel, name + '.ko.xz')
            with (lzma.open if path.endswith('.xz') else open)(path, 'rb') as module:
                write(os.path.join(root, 'lib', name + '.ko'), module.read())
        write(os.path.join(root, 'init'), INIT.format(modules=' '.join(MODULES)), 0o755)
        write(os.path.join(root, 'bin/keys'), KEYS, 0o755)
        write(os.path.join(root, 'www/index.html'), '<html><body><h1>It works</h1></body></html>\n' * 6)
        for size in PAGES:
            write(os.path.join(root, f'www/b/{size}'), 'a page of the guest\n' * (size // 20))
        names = subprocess.run(['find', '.'], cwd=root, check=True, capture_output=True).stdout
        made = subprocess.run(['cpio', '-o', '-H', 'newc', '--quiet', '-R', '0:0'], cwd=root, input=names, check=True,
                              capture_output=True).stdout
    write(f'{target}.{os.getpid()}', made)
    os.rename(f'{target}.{os.getpid()}', target)


@functools.cache
def boot_files():
    """(kernel, initramfs), downloaded and made where they are not yet."""
    os.makedirs(cache(), exist_ok=True)
    said = subprocess.run(['apt-cache', 'depends', KERNEL], check=True, capture_output=True, text=True).stdout
    package = re.search(r'Depends: (linux-image-\S+)', said).group(1)
    kernel = unpacked(package, os.path.join(cache(), package))
    busybox = unpacked(BUSYBOX, os.path.join(cache(), BUSYBOX))
    ramdisk = os.path.join(cache(), 'initramfs')
    initramfs(kernel, busybox, ramdisk)
    return find(kernel, 'vmlinuz-' + package.removeprefix('linux-image-')), ramdisk


def missing():
    """What keeps the guest from booting here."""
    path = '/usr/sbin:/sbin:' + os.environ['PATH']
    lacks = [tool for tool in NEEDS if not shutil.which(tool, path=path)]
    if lacks:
        return lacks
    try:
        boot_files()
    except (OSError, AttributeError, subprocess.SubprocessError):
        return [f"Debian's {KERNEL} and {BUSYBOX}, which could not be downloaded"]
    return []


# The guest

class Guest:
    """A running QEMU; `netdev` says what its NIC is attached to.  It runs as nobody, as on a desktop."""

    def __init__(self, w, netdev, handles=()):
        kernel, ramdisk = boot_files()
        self.mac = w.vm.mac
        near, far = socket.socketpair()
        near.settimeout(30)
        self.monitor = near.makefile('rw')
        settings = f'lab_ip={w.vm.ip} lab_gateway={w.gateway} lab_dns={w.dns} lab_domain={w.domain}'
        files = [os.open(path, os.O_RDONLY) for path in (kernel, ramdisk)]
        command = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', 'qemu-system-x86_64', '-S',
                   '-accel', 'tcg', '-nodefaults', '-display', 'none', '-m', '128', '-no-reboot', '-serial', 'stdio',
                   '-kernel', f'/proc/self/fd/{files[0]}', '-initrd', f'/proc/self/fd/{files[1]}',
                   '-append', f'console=ttyS0 quiet panic=-1 {settings}', '-netdev', netdev + ',id=net',
                   '-device', f'virtio-net-pci,netdev=net,mac={w.vm.mac},romfile=',
                   '-chardev', f'socket,id=mon,fd={far.fileno()}', '-mon', 'chardev=mon,mode=control']
        with w.host.ns:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, bufsize=0, pass_fds=[far.fileno(), *files, *handles])
        for handle in files:
            os.close(handle)
        far.close()
        self.said, self.booted, self.boot_s = b'', threading.Event(), None
        self.reply()  # the greeting
        self.order('qmp_capabilities')
        threading.Thread(target=self.listen, daemon=True).start()
        self.began = time.time()
        self.order('cont')

    def listen(self):
        while piece := self.process.stdout.read(4096):
            self.said += piece
            if b'lab: ready' in self.said:
                self.boot_s = self.boot_s or time.time() - self.began
                self.booted.set()

    def ready(self, timeout=60):
        if not self.booted.wait(timeout):
            raise RuntimeError(f'the guest does not boot: {self.said[-300:].decode(errors="replace")}')

    def reply(self):
        """What QEMU says next."""
        message = json.loads(self.monitor.readline() or '{}')
        if not message or 'error' in message:
            raise RuntimeError(f'QEMU: {message.get("error", self.said[-300:])}')
        return message

    def order(self, name, **arguments):
        """One command of QEMU's monitor."""
        self.monitor.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
        self.monitor.flush()
        while 'return' not in self.reply():
            pass

    def type(self, command):
        self.process.stdin.write(command.encode() + b'\n')


def bridged(w):
    """The guest's NIC is a tap of the host, in its bridge."""
    with w.host.ns:
        tap = os.open('/dev/net/tun', os.O_RDWR)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack('16sH22x', w.port_name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    w.host.ns.ip(f'link set {w.port_name} address fe{w.vm.mac[2:]} master {w.bridge_name}', f'link set {w.port_name} up')
    return Guest(w, f'tap,fd={tap}', [tap])


def user(w, forwards=()):
    """The guest's NIC is QEMU's user-mode network (libslirp)."""
    return Guest(w, 'user' + ''.join(f',hostfwd=tcp::{port}-:{inner}' for port, inner in forwards))


class Dump:
    """QEMU's own capture of the guest's NIC.

    Its time stamps are the emulated machine's clock, which began with 0, and the
    whole second in which the capture began: they are ahead by some seconds.
    """

    def __init__(self, guest, path, snaplen=None):
        self.guest, self.path, self.mac = guest, path, traffic.hexmac(guest.mac)
        with open(path, 'wb'):
            pass
        os.chmod(path, 0o666)
        for folder in (os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
            os.chmod(folder, 0o711)
        guest.order('object-add', **{'qom-type': 'filter-dump'}, id='dump', netdev='net', file=path, maxlen=snaplen or 65536)

    def ready(self):
        pass

    def stop(self):
        time.sleep(0.15)
        self.guest.order('object-del', id='dump')
        if self.headed():
            os.replace(self.path, self.path + HEADED)
            subprocess.run(['editcap', '-F', 'pcap', '-L', '-C', str(VNET_HEADER), self.path + HEADED, self.path], check=True,
                           capture_output=True, timeout=30)

    def headed(self):
        """QEMU 7.2 writes the header of virtio-net in front of each frame of a tap, later versions do not."""
        with open(self.path, 'rb') as file:
            data = file.read()
        at, counts = 24, [0, 0]
        while at + 16 <= len(data):
            for which, begin in enumerate((at + 16, at + 16 + VNET_HEADER)):
                counts[which] += self.mac in (data[begin:begin + 6], data[begin + 6:begin + 12])
            at += 16 + struct.unpack_from('<I', data, at + 8)[0]
        return counts[1] > counts[0]


def with_header(files):
    """The guest's file as QEMU wrote it."""
    if not os.path.exists(files['vm'] + HEADED):
        raise RuntimeError('this QEMU writes no header of virtio-net')
    os.replace(files['vm'] + HEADED, files['vm'])


def ahead_s(files):
    """How far the guest's clock is ahead of the host's, by the pings that are in both files; None: there are none."""
    sent = [{(row[0], row[1]): float(row[2]) for row in
             reversed(capture.rows(files[role], 'icmp.type == 8', 'icmp.ident', 'icmp.seq', 'frame.time_epoch'))}
            for role in ('host', 'vm')]
    ahead = [when - sent[0][ping] for ping, when in sent[1].items() if ping in sent[0]]
    return round(statistics.median(ahead), 3) if ahead else None


# What it does: the lab's clients (traffic.py, programs.py) by name, as commands of busybox

def http_client(address, port, paths, host='', source=None, gap=0.1, timeout=3.0):
    return '; '.join(f'timeout {timeout:.0f} wget -q -O /dev/null http://{address}:{port}{path}; sleep {gap:.2f}' for path in paths)


def dns_client(address, names, tries=2, timeout=1.5, port=53, both=False):
    return '; '.join(f'nslookup {"" if both else "-type=a "}{name} {address}' for name in names)


def ssh_client(address, port, keys, gap, timeout=3.0):
    return (f'(echo SSH-2.0-dropbear_2022.83; for key in $(seq {keys}); do sleep {gap:.2f}; echo $key-$key-$key; done)'
            f' | nc {address} {port}')


def connect(address, port, hold=6.0, times=1, gap=0.5):
    hold += 2  # this kernel waits 1, 2 and 4 seconds for an answer to its SYNs
    return (f'for n in $(seq {times}); do printf "GET / HTTP/1.0\\r\\n\\r\\n" | timeout {hold:.1f} nc {address} {port}; '
            f'sleep {gap:.2f}; done')


def ping(address, count, gap=0.5, size=56, wait=1, more=()):
    return f'ping -q -c {count} -i {gap:.2f} -s {size} -W {wait} {address}'


def nc(address, port, data, *options):
    return f'head -c {len(data)} /dev/urandom | timeout 5 nc {address} {port}' if '-u' not in options else None


def dig(server, name, *options):
    return f'nslookup {"-type=" + options[1].lower() + " " if options[0] == "-t" else ""}{name} {server}'


def run(*command):
    if command[0] == 'ping':
        return ' '.join(command)
    return '; '.join(f'timeout 4 wget -q -O /dev/null {word}' for word in command if word.startswith('http://'))


def run_with_names(resolver, domain, *command):
    return run(*command)


def forget_neighbour(address):
    return f'arp -d {address}'


def send_dhcp(mac, message):
    return 'udhcpc -f -n -q -t 3 -i eth0 -s /bin/true'


CLIENTS = {function.__name__: function for function in (http_client, dns_client, ssh_client, connect, ping, nc, dig,
                                                        run, run_with_names, forget_neighbour, send_dhcp)}


def command(function, *arguments, **named):
    """The same for the guest; None for what busybox has no client for."""
    client = CLIENTS.get(function.__name__)
    return client(*arguments, **named) if client else None
