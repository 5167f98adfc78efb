"""The same series in binnacle and in Prometheus 2.42, the same queries to both: answers are equal within 1e-9 of their size. ./dev test -L differential

Every query runs as an instant query at three times and as a range query at two steps. Prometheus is that of PATH or of build/peers (./dev bench metrics puts it
there), or PROMETHEUS=PATH; without one the test is skipped. Closing line `N of N agree`; every difference is printed with both answers.
"""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

import bn
import data
import queries

TOLERANCE = 1e-9
START_S = data.START_MS // 1000
# 17 s past the minute: no subquery's left end is one of its own evaluations.
TIMES = [('query', {'time': START_S + at + 17}) for at in (1800, 4620, 7200)]
RANGES = [('query_range', {'start': START_S + 600 + 17, 'end': START_S + 7200 + 17, 'step': step}) for step in (60, 420)]


class Prometheus:
    def __init__(self, program):
        self.folder, self.port = tempfile.mkdtemp(prefix='binnacle-differential-'), bn.free_port()
        self.url = 'http://127.0.0.1:%d' % self.port
        with open(os.path.join(self.folder, 'prometheus.yml'), 'w') as f:
            f.write('scrape_configs: []\n')
        self.log = open(os.path.join(self.folder, 'log'), 'wb')
        self.process = subprocess.Popen([program, '--config.file=' + f.name, '--storage.tsdb.path=' + os.path.join(self.folder, 'data'), '--storage.tsdb.retention.time=100y', '--web.listen-address=127.0.0.1:%d' % self.port,
                                         '--web.enable-remote-write-receiver', '--log.level=warn'], stdout=self.log, stderr=self.log)

    def __enter__(self):
        bn.wait_for(self.ready, 'Prometheus to be ready', 60)
        return self

    def ready(self):
        try:
            return bn.call(self.url + '/-/ready', timeout=5).status == 200
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def ask(url, path, query, params):
    reply = bn.call('%s/api/v1/%s' % (url, path), 'POST', urllib.parse.urlencode({'query': query, **params}), {'Content-Type': 'application/x-www-form-urlencoded'}, timeout=120)
    return json.loads(reply.body)


def normal(answer, ordered):
    """(kind of answer, {labels: {time: value}}) or, where order counts, a list of it."""
    if answer['status'] != 'success':
        return answer['errorType'], {}
    kind, result = answer['data']['resultType'], answer['data']['result']
    if kind in ('scalar', 'string'):
        return kind, {(): {result[0]: result[1]}}
    items = [(tuple(sorted(r['metric'].items())), dict(r['values'] if 'values' in r else [r['value']])) for r in result]
    return (kind, dict(enumerate(items))) if ordered and kind == 'vector' else (kind, dict(items))


def same_number(a, b):
    x, y = float(a), float(b)
    if x == y or (math.isnan(x) and math.isnan(y)):
        return True
    return math.isfinite(x) and math.isfinite(y) and abs(x - y) <= TOLERANCE * max(abs(x), abs(y))


def same(a, b):
    if isinstance(a, tuple):
        return a[0] == b[0] and same(a[1], b[1])
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    return same_number(a, b)


def first_difference(a, b):
    """Of two answers of the same kind: which series, when, both values."""
    if a[0] != b[0]:
        return '%s, %s' % (a[0], b[0])
    for key in a[1].keys() | b[1].keys():
        x, y = a[1].get(key), b[1].get(key)
        if x is None or y is None:
            return '%s: only in %s' % (key, 'binnacle' if y is None else 'Prometheus')
        if isinstance(x, tuple):
            if x[0] != y[0]:
                return 'place %s: %s, %s' % (key, x[0], y[0])
            x, y = x[1], y[1]
        for t in sorted(x.keys() | y.keys()):
            if t not in x or t not in y or not same_number(x[t], y[t]):
                return '%s at %s: %s, %s' % (key, t, x.get(t), y.get(t))
    return 'none found'


def compare(binnacle, prometheus, ours, theirs, path, params):
    """None, or what differs."""
    answers = [ask(binnacle, path, ours, params), ask(prometheus, path, theirs, params)]
    ordered = ours.startswith(('sort', 'topk', 'bottomk'))
    a, b = (normal(answer, ordered) for answer in answers)
    if same(a, b):
        return None
    texts = [json.dumps(answer.get('data', answer.get('error')))[:600] for answer in answers]
    return '%s %s\n  first (binnacle, Prometheus): %s\n  binnacle:   %s\n  Prometheus: %s' % (path, params, first_difference(a, b), *texts)


def main():
    packed = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../build/peers/usr/bin/prometheus')
    program = os.environ.get('PROMETHEUS') or shutil.which('prometheus') or shutil.which(packed)
    if not program:
        print('skipped: no prometheus in PATH or build/peers (./dev bench metrics gets it)')
        sys.exit(77)
    only = sys.argv[1] if len(sys.argv) > 1 else ''
    with bn.Server({'retention.metrics': '36500d'}) as s, Prometheus(program) as p:
        for body in data.bodies():
            for url in (s.url, p.url):
                reply = bn.call(url + '/api/v1/write', 'POST', body, {'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy', 'X-Prometheus-Remote-Write-Version': '0.1.0'})
                assert reply.status // 100 == 2, (url, reply.status, reply.text)
        pairs = [pair for pair in queries.generate() if only in pair[0]]
        agree = answers = 0
        for ours, theirs in pairs:
            found = [d for d in (compare(s.url, p.url, ours, theirs, path, params) for path, params in TIMES + RANGES) if d]
            answers += len(TIMES + RANGES)
            agree += not found
            if found:
                print('DIFFERS %s (%d of %d answers)\n  %s' % (ours, len(found), len(TIMES + RANGES), found[0]), flush=True)
    print('%d of %d agree (%d answers compared)' % (agree, len(pairs), answers))
    sys.exit(agree != len(pairs) or len(pairs) == 0)


if __name__ == '__main__':
    main()
