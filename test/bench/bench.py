"""./dev bench: what binnacle promises in figures, measured through its front door on this machine. bench.py BUILD_DIR [--smoke] [--readme] [--json FILE]

Every figure is the median of RUNS runs; floors are asserted with --smoke loosened by a factor that a busy CI machine needs (printed). The load comes from
this process, one connection, one request at a time, so ingest figures are of one thread of the server. Beside other programs: ./dev bench metrics."""
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../e2e'))
build = os.path.abspath(sys.argv[1])
os.environ['BINNACLE'] = os.path.join(build, 'binnacle')
import bn  # noqa: E402
import figures  # noqa: E402
from figures import cpu_seconds  # noqa: E402

SMOKE = '--smoke' in sys.argv
RUNS = 3
SLACK = 4 if SMOKE else 1
table = figures.Figures('./dev bench', ('binnacle',))


def report(what, value, unit, at_most=None, at_least=None):
    """One line of the table, with what the project promises."""
    promise = figures.at_most(at_most * SLACK) if at_most else figures.at_least(at_least / SLACK) if at_least else None
    table.line(what, unit, {'binnacle': value}, promise)


def median(f):
    return statistics.median(f() for _ in range(RUNS))


def start_to_answer_ms():
    """exec to the first answered query, empty store: polled by connecting."""
    with tempfile.TemporaryDirectory() as data:
        port = bn.free_port()
        began = time.perf_counter()
        p = subprocess.Popen([bn.BINNACLE, 'serve', '--data', data, '--listen', '127.0.0.1:%d' % port, '--doors', 'off', '--tail', 'off', '--log.level', 'error'],
                             stderr=subprocess.DEVNULL)
        while True:
            try:
                c = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
                c.request('GET', '/api/v1/query?query=1')
                assert c.getresponse().status == 200
                break
            except OSError:
                time.sleep(.0005)
        ms = (time.perf_counter() - began) * 1000
        p.terminate()
        p.wait()
        return ms


def push(path, content_type, bodies, items, headers=None):
    """Items per CPU-second of the server and per second of wall, WAL on, every reply awaited."""
    with bn.Server() as s:
        c = http.client.HTTPConnection('127.0.0.1', s.port, timeout=60)
        cpu, began = cpu_seconds(s.process.pid), time.perf_counter()
        for body in bodies:
            c.request('POST', path, body, {'Content-Type': content_type, **(headers or {})})
            reply = c.getresponse()
            text = reply.read()
            assert reply.status in (200, 202, 204), (reply.status, text[:300])
        wall, cpu = time.perf_counter() - began, cpu_seconds(s.process.pid) - cpu
        s.conserved()
        return items / cpu, items / wall


def text_bodies():
    """20 scrapes of 20,000 series, as node_exporter and cAdvisor write them: many constant, some counters, some floats."""
    rnd = random.Random(1)
    series = ['container_thing_%d_total{namespace="n%d",pod="pod-%d",container="c%d"}' % (i % 50, i % 7, i // 50, i % 3) for i in range(20000)]
    values = [rnd.randrange(1 << 30) for _ in series]
    bodies, t = [], int(time.time() * 1000) - 600000
    for step in range(20):
        lines = []
        for i, name in enumerate(series):
            if i % 3 == 0:
                values[i] += rnd.randrange(1000)
            lines.append('%s %s %d' % (name, values[i] if i % 5 else '%.3f' % (values[i] / 1000), t + step * 15000))
        bodies.append('\n'.join(lines) + '\n')
    return bodies, 20 * len(series)


def log_bodies():
    rnd, bodies = random.Random(2), []
    for _ in range(40):
        lines = []
        for _ in range(2500):
            lines.append('{"index":{"_index":"app"}}')
            lines.append(json.dumps({'@timestamp': time.strftime('%Y-%m-%dT%H:%M:%S.', time.gmtime()) + '%03dZ' % rnd.randrange(1000), 'level': rnd.choice(['info', 'info', 'info', 'warn', 'error']),
                                     'service': 'svc%d' % rnd.randrange(12), 'message': 'request %s /api/v1/items/%d took %d ms' % (rnd.choice(['GET', 'POST']), rnd.randrange(100000), rnd.randrange(500)),
                                     'trace_id': '%032x' % rnd.getrandbits(128), 'status': rnd.choice([200, 200, 200, 404, 500])}))
        bodies.append('\n'.join(lines) + '\n')
    return bodies, 40 * 2500


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(num, data):
    return varint(num << 3 | 2) + varint(len(data)) + data


def attribute(key, value):
    any_value = field(1, value.encode()) if isinstance(value, str) else b'\x18' + varint(value)
    return field(1, key.encode()) + field(2, any_value)


def span_bodies():
    """OTLP protobuf, 1,000 spans a request, 7 attributes a span."""
    rnd, bodies = random.Random(3), []
    for _ in range(60):
        spans = b''
        for i in range(1000):
            start = time.time_ns()
            body = field(1, rnd.randbytes(16)) + field(2, rnd.randbytes(8)) + field(5, b'GET /api/items/:id') + b'\x30\x02'
            body += b'\x39' + start.to_bytes(8, 'little') + b'\x41' + (start + rnd.randrange(10**8)).to_bytes(8, 'little')
            for k, v in (('http.method', 'GET'), ('http.route', '/api/items/:id'), ('http.status_code', rnd.choice([200, 200, 500])), ('net.peer.ip', '10.0.%d.%d' % (i % 7, i % 250)),
                         ('user.id', rnd.randrange(100000)), ('http.user_agent', 'bench/1.0'), ('db.rows', rnd.randrange(50))):
                body += field(9, attribute(k, v))
            spans += field(2, body)
        resource = field(1, field(1, attribute('service.name', 'svc%d' % rnd.randrange(10))))
        bodies.append(field(1, resource + field(2, spans)))
    return bodies, 60 * 1000


def ingest(name, path, content_type, make, floor):
    bodies, items = make()
    runs = [push(path, content_type, bodies, items) for _ in range(RUNS)]
    report('ingest %s, per server CPU-second' % name, statistics.median(r[0] for r in runs), '1/s', at_least=floor)
    report('ingest %s, wall, one connection awaiting each reply' % name, statistics.median(r[1] for r in runs), '1/s')


def idle():
    with bn.Server({'host': 'on', 'self.logs': 'on', 'self.traces': 'on', 'scrape.interval': '1s'}) as s:
        bn.wait_for(lambda: s.counters().get('binnacle_scrapes_total', 0) >= 10, 'ten scrapes', server=s)
        cpu = cpu_seconds(s.process.pid)
        time.sleep(5)  # the measured stretch
        return figures.memory_bytes(s.process.pid) / 2**20, (cpu_seconds(s.process.pid) - cpu) / 5 * 100


def main():
    version = subprocess.run([bn.BINNACLE, 'version'], capture_output=True, text=True).stdout.strip()
    about = {'machine': figures.machine(), 'versions': {'binnacle': version}, 'runs': RUNS, 'smoke': SMOKE}
    table.head('%s; %s; medians of %d runs%s' % (version, about['machine'], RUNS, '; smoke: floors loosened x%d' % SLACK if SMOKE else ''))
    report('binary', os.path.getsize(bn.BINNACLE) / 2**20, 'MB', at_most=8)
    report('start to first answered query', median(start_to_answer_ms), 'ms', at_most=50)
    rss, cpu = idle()
    report('memory (RSS), collecting the host every second', rss, 'MB', at_most=20)
    report('CPU, collecting the host every second', cpu, '%')
    ingest('text exposition samples', '/api/v1/import/prometheus', 'text/plain', text_bodies, 1e6)
    ingest('OTLP spans (protobuf)', '/v1/traces', 'application/x-protobuf', span_bodies, 200e3)
    ingest('log lines (_bulk)', '/_bulk', 'application/x-ndjson', log_bodies, 200e3)
    json_path = sys.argv[sys.argv.index('--json') + 1] if '--json' in sys.argv else None
    sys.exit(table.finish(json_path, '--readme' in sys.argv, about))


main()
