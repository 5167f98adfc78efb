"""peers: binnacle and the programs it is measured against, each started on a free loopback port with a data folder of its own.

    with peers.Prometheus(folder) as p:
        p.port, p.pid, p.write_path
        p.get('/api/v1/query', query='up')

Where a program is: the path given, else PATH, else build/peers (./dev bench puts Debian's packages there, unpacked and not installed).
"""
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.parse

import bn
import figures

paths = {}  # name -> path given by the user
running = set()


def find(name):
    """The program's path, or None."""
    return paths.get(name) or shutil.which(name) or shutil.which(os.path.join(figures.ROOT, 'build/peers/usr/bin', name))


def end_all():
    """Whatever still runs when the benchmark ends."""
    for process in list(running):
        process.kill()
        process.wait()


class Peer:
    """A running server. data: its folder, which stays when it ends."""
    name, program, write_path, version_flag = '', '', '', '--version'

    def __init__(self, data, **options):
        os.makedirs(data, exist_ok=True)
        self.data, self.options, self.port, self.process = data, options, bn.free_port(), None
        self.url = 'http://127.0.0.1:%d' % self.port

    @classmethod
    def available(cls):
        return find(cls.program) is not None

    @classmethod
    def version(cls):
        done = subprocess.run([find(cls.program), cls.version_flag], capture_output=True, text=True)
        if not done.stdout.strip():  # Debian's victoria-metrics was built without one
            done = subprocess.run(['dpkg-query', '-W', '-f=${Version}', cls.program], capture_output=True, text=True)
        found = re.search(r'\d+\.\d+[.\d]*', done.stdout)
        return found.group() if found else '(no version)'

    def arguments(self):
        raise NotImplementedError

    def start(self):
        self.log = open(os.path.join(self.data, 'bench.log'), 'ab')
        self.process = subprocess.Popen([find(self.program)] + self.arguments(), stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, cwd=self.data)
        self.pid = self.process.pid
        running.add(self.process)
        self.wait_ready()
        return self

    def wait_ready(self, seconds=300):
        """Until it answers a query: what a user waits for."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit('%s ended with %d:\n%s' % (self.name, self.process.returncode, self.said()[-3000:]))
            try:
                if bn.call(self.url + '/api/v1/query?query=1', timeout=5).status == 200:
                    return
            except OSError:
                pass
            time.sleep(.002)
        raise SystemExit('%s was not ready after %d s:\n%s' % (self.name, seconds, self.said()[-3000:]))

    def said(self):
        with open(os.path.join(self.data, 'bench.log'), 'rb') as f:
            return f.read().decode('utf-8', 'replace')

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(120)
        running.discard(self.process)
        self.log.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is not None and self.process.poll() is not None:
            print('%s ended with %s:\n%s' % (self.name, self.process.returncode, self.said()[-3000:]))
        self.stop(signal.SIGKILL if kind is not None else signal.SIGTERM)

    def get(self, path, **params):
        reply = bn.call(self.url + path + '?' + urllib.parse.urlencode(params, doseq=True), timeout=600)
        if reply.status != 200:
            raise SystemExit('%s answered %s with HTTP %d: %s' % (self.name, params or path, reply.status, reply.text[:500]))
        return reply.body

    def query(self, expression, time_s=None):
        """The result of an instant query."""
        params = {'query': expression, **({'time': '%.3f' % time_s} if time_s else {})}
        return json.loads(self.get('/api/v1/query', **params))['data']['result']

    def scalar(self, expression, time_s=None):
        """The one value of an instant query; 0 when the result is empty."""
        return sum(float(r['value'][1]) for r in self.query(expression, time_s))

    def metric_names(self):
        return json.loads(self.get('/api/v1/label/__name__/values'))['data']

    def cpu(self):
        return figures.cpu_seconds(self.pid)

    def settle(self, seconds=90):
        """Until its background work is done: less than 3 % of a core over a second, twice."""
        end, quiet = time.monotonic() + seconds, 0
        while quiet < 2 and time.monotonic() < end:
            before = self.cpu()
            time.sleep(1)
            quiet = quiet + 1 if self.cpu() - before < .03 else 0


class Binnacle(Peer):
    name, program, write_path, version_flag = 'binnacle', 'binnacle', '/api/v1/write', 'version'

    def arguments(self):
        settings = {**bn.Server.QUIET, 'listen': '127.0.0.1:%d' % self.port, 'data': os.path.join(self.data, 'store'), 'log.level': 'warn', 'retention.metrics': '60d',
                    'query.samples': 10**9, 'query.bytes': '4GiB', 'limit.series': 20000000, **self.options.get('settings', {})}
        args = ['serve']
        for name, value in settings.items():
            args += ['--' + name, str(value)]
        if 'scrape' in self.options:
            path = os.path.join(self.data, 'binnacle.yml')
            with open(path, 'w') as f:
                f.write(scrape_configs(self.options['scrape']))
            args += ['--config', path]
        return args

    def counters(self):
        lines = (line.rsplit(' ', 1) for line in self.get('/metrics').decode().splitlines() if line and line[0] != '#')
        return {name: float(value) for name, value in lines}


class Prometheus(Peer):
    name, program, write_path = 'Prometheus', 'prometheus', '/api/v1/write'

    def arguments(self):
        path = os.path.join(self.data, 'prometheus.yml')
        with open(path, 'w') as f:
            f.write(scrape_configs(self.options['scrape']) if 'scrape' in self.options else 'scrape_configs: []\n')
        return ['--config.file=' + path, '--storage.tsdb.path=' + os.path.join(self.data, 'store'), '--storage.tsdb.retention.time=60d', '--web.listen-address=127.0.0.1:%d' % self.port,
                '--web.enable-remote-write-receiver', '--web.enable-admin-api', '--log.level=warn', '--query.max-samples=1000000000', *self.options.get('arguments', [])]


class Victoria(Peer):
    name, program, write_path, version_flag = 'VictoriaMetrics', 'victoria-metrics', '/api/v1/write', '-version'

    def arguments(self):
        args = ['-storageDataPath=' + os.path.join(self.data, 'store'), '-httpListenAddr=127.0.0.1:%d' % self.port, '-retentionPeriod=12', '-loggerLevel=WARN', '-search.maxUniqueTimeseries=10000000',
                '-search.maxSeries=1000000', '-search.latencyOffset=0s']
        if 'scrape' in self.options:
            path = os.path.join(self.data, 'scrape.yml')
            with open(path, 'w') as f:
                f.write(scrape_configs(self.options['scrape']))
            args += ['-promscrape.config=' + path]
        return args


ALL = (Binnacle, Prometheus, Victoria)


def scrape_configs(ports):
    return ('scrape_configs:\n- job_name: kubelet\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  static_configs:\n'
            '  - targets: [%s]\n' % ', '.join("'127.0.0.1:%d'" % p for p in ports))
