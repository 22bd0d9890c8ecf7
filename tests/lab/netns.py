"""Network namespaces without names: the kernel removes them with the process."""
import ctypes
import os
import subprocess
import threading

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f'{what}: {os.strerror(number)}')


def unshare(flags):
    check(libc.unshare(flags), 'unshare')


def die_with_parent():
    """SIGKILL for this process when the thread that made it ends."""
    libc.prctl(1, 9, 0, 0, 0)


def private_mounts():
    """Nothing mounted from now on is seen outside; /sys shows the current namespace."""
    unshare(CLONE_NEWNS)
    check(libc.mount(b'none', b'/', None, 0x4000 | 0x40000, None), 'mount')


class Namespace:
    """`with namespace:` puts the calling thread, and what it starts, into it."""

    def __init__(self, name):
        self.name = name
        self.saved = threading.local()
        made = []

        def make():
            unshare(CLONE_NEWNET)
            made.append(os.open('/proc/thread-self/ns/net', os.O_RDONLY))
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if not made:
            raise OSError('no network namespace could be made')
        self.fd = made[0]

    def __enter__(self):
        home = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
        check(libc.setns(self.fd, CLONE_NEWNET), 'setns')
        if not hasattr(self.saved, 'stack'):
            self.saved.stack = []
        self.saved.stack.append(home)
        return self

    def __exit__(self, *_):
        home = self.saved.stack.pop()
        libc.setns(home, CLONE_NEWNET)
        os.close(home)

    def run(self, *command, text=None, fds=(), may_fail=False, timeout=20):
        with self:
            done = subprocess.run(command, input=text, capture_output=True, text=True,
                                  pass_fds=fds, timeout=timeout)
        if done.returncode and not may_fail:
            raise RuntimeError(f'{self.name}: {" ".join(command)}: {done.stderr.strip()}\n{text or ""}')
        return done.stdout

    def ip(self, *lines, fds=()):
        self.run('ip', '-batch', '-', text='\n'.join(lines) + '\n', fds=fds)

    def nft(self, rules):
        self.run('nft', '-f', '-', text=rules)

    def sysctl(self, **values):
        with self:
            for key, value in values.items():
                path = '/proc/sys/net/' + key.replace('__', '/').replace('bridge_nf_call_', 'bridge-nf-call-')
                try:
                    with open(path, 'w') as file:
                        file.write(str(value))
                except FileNotFoundError:
                    pass


def link(left, left_name, left_mac, right, right_name, right_mac, mtu=1500):
    """A cable between two namespaces."""
    left.ip(f'link add {left_name} address {left_mac} mtu {mtu} type veth peer name {right_name} '
            f'address {right_mac} mtu {mtu} netns /proc/self/fd/{right.fd}', fds=(right.fd,))
