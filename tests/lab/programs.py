"""Servers and clients that are not ours: nginx, dnsmasq, dhclient, curl, dig, ping and nc."""
import os
import random
import shutil
import subprocess
import tempfile

QUIET = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
SINK, SYSLOG = 9100, 514
SIZES = [180, 900, 2400, 5200, 40000, 60000, 80000, 90000, 150000]
NGINX = '''daemon off; master_process off; user root; pid {folder}/nginx.pid; error_log {folder}/log;
events {{ worker_connections 128; }}
http {{
    access_log off; default_type text/html; types {{ }} root {root}; {settings}
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen {listen}; {location} }}
}}
'''
LEASE = '''lease {{
  interface "eth0"; fixed-address {ip}; option subnet-mask 255.255.255.0; option dhcp-server-identifier {server};
  option dhcp-lease-time 3600; renew never; rebind never; expire never;
}}
'''


class Programs:
    """Starts them in the namespaces of their machines; all their files are in one folder, all end with the scenario."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix='programs.')
        self.started, self.root = [], None

    def new_folder(self):
        return tempfile.mkdtemp(dir=self.folder)

    def start(self, machine, folder, *command):
        with machine.ns:
            self.started.append((subprocess.Popen(command, **QUIET), folder, command))

    def check(self):
        """Servers that have ended by now could not start."""
        for process, folder, command in self.started:
            if process.poll() is not None:
                with open(os.path.join(folder, 'log'), encoding='utf-8') as log:
                    raise RuntimeError(f'{" ".join(command)}: {log.read()}')

    def pages(self):
        """The folder of files that all web servers have: /b/N holds N octets."""
        if not self.root:
            self.root = self.new_folder()
            os.mkdir(os.path.join(self.root, 'b'))
            for size in SIZES:
                with open(os.path.join(self.root, 'b', str(size)), 'wb') as file:
                    file.write(self.rng.randbytes(size))
            with open(os.path.join(self.root, 'index.html'), 'w', encoding='utf-8') as file:
                file.write('<html><body><h1>It works</h1></body></html>\n' * 6)
        return self.root

    def nginx(self, machine, address, port, settings=None, listen_more='', location=''):
        """With these settings, or any."""
        folder = self.new_folder()
        if settings is None:
            settings, listen_more = self.any_settings()
        listen = f'[{address}]:{port} ipv6only=on' if ':' in address else f'{address}:{port}'
        path = os.path.join(folder, 'conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(NGINX.format(folder=folder, root=self.pages(), settings=settings, listen=listen + listen_more,
                                    location=location))
        self.start(machine, folder, 'nginx', '-p', folder, '-e', os.path.join(folder, 'log'), '-c', path)

    def any_settings(self):
        rng = self.rng
        settings = [rng.choice(['server_tokens off;', 'server_tokens on;']),
                    f'keepalive_timeout {rng.choice([65, 65, 2, 0])};',
                    rng.choice(['', '', 'keepalive_requests 2;', 'reset_timedout_connection on;']),
                    rng.choice(['', 'tcp_nopush on; sendfile on;', 'lingering_close off;'])]
        return ' '.join(settings), rng.choice(['', '', '', ' so_keepalive=1:1:3', ' deferred'])

    def dnsmasq(self, machine, *options):
        folder = self.new_folder()
        self.start(machine, folder, 'dnsmasq', '--conf-file=/dev/null', '--keep-in-foreground', '--user=root', '--group=',
                   '--pid-file=', f'--log-facility={folder}/log', f'--dhcp-leasefile={folder}/leases', '--bind-dynamic',
                   '--no-hosts', '--no-resolv', *options)

    def resolver(self, machine, address, names, upstream=None):
        """Answers `names` (name -> address) itself, and asks `upstream` or denies the others."""
        records = [] if upstream else [f'--host-record={name},{ip}' for name, ip in names.items()]
        self.dnsmasq(machine, f'--listen-address={address}', '--local-ttl=300', *records,
                     f'--server={upstream}' if upstream else '--address=/#/')

    def dhcp_server(self, machine, device, options, fixed, pool=None, pings=False):
        """`options` (name -> value, '' for none), `fixed` MACs with their addresses, `pool` first and last of the others,
        which it `pings` before it offers them."""
        first, last = pool or (fixed[0][1], 'static')
        self.dnsmasq(machine, '--port=0', f'--interface={device}', '--dhcp-authoritative', f'--dhcp-range={first},{last},1h',
                     *[f'--dhcp-option=option:{name},{value}'.rstrip(',') for name, value in options.items()],
                     *[f'--dhcp-host={mac},{ip}' for mac, ip in fixed], *([] if pings else ['--no-ping']))

    def dhclient(self, name, known=None, server=None, seconds=12, *more):
        """Asks for an address, or for `known` again; sets nothing in the machine, which has its address already."""
        folder = self.new_folder()
        paths = {what: os.path.join(folder, what) for what in ('conf', 'leases', 'pid', 'dhclient')}
        # AppArmor lets the installed one write to /var/lib/dhcp alone; a copy is not confined.
        shutil.copy(shutil.which('dhclient', path='/usr/sbin:/sbin:' + os.environ['PATH']), paths['dhclient'])
        with open(paths['conf'], 'w', encoding='utf-8') as file:
            file.write(f'send host-name "{name}";\n' if name else '')
        with open(paths['leases'], 'w', encoding='utf-8') as file:
            file.write(LEASE.format(ip=known, server=server) if known else '')
        run(paths['dhclient'], '-4', '-d', *more, '-sf', '/bin/true', '-cf', paths['conf'], '-lf', paths['leases'],
            '-pf', paths['pid'], 'eth0', timeout=seconds)

    def run_with_names(self, resolver, domain, *command):
        """Runs a command with a resolv.conf that only it sees."""
        folder = self.new_folder()
        for name, text in [('resolv.conf', f'nameserver {resolver}\nsearch {domain}\noptions timeout:2 attempts:2\n'),
                           ('nsswitch.conf', 'hosts: dns\n')]:
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
                file.write(text)
        run('unshare', '--mount', 'sh', '-c', 'mount --bind $0/resolv.conf /etc/resolv.conf && '
            'mount --bind $0/nsswitch.conf /etc/nsswitch.conf && if [ -d /run/nscd ]; then mount -t tmpfs none /run/nscd; '
            'fi && exec "$@"', folder, *command)


def run(*command, timeout=60, data=None):
    """`data` goes to its standard input, which is empty without."""
    try:
        subprocess.run(command, input=data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout,
                       **({} if data is not None else {'stdin': subprocess.DEVNULL}))
    except subprocess.TimeoutExpired:
        pass


def dig(server, name, *options):
    run('dig', f'@{server}', '+tries=2', '+time=2', *options, name)


def nc_sink(port, *options):
    """Takes whatever anybody sends."""
    run('nc', '-n', *options, '-k', '-l', str(port))


def nc_answers_once(port, answer):
    """Sends its answer to the first that connects, and ends its half of the connection."""
    run('nc', '-n', '-N', '-l', str(port), data=answer, timeout=15)


def nc(address, port, data, *options):
    """Sends `data`, or without any keeps its own half open."""
    run('nc', '-n', *options, address, str(port), data=data, timeout=15)
