"""Against a real Prometheus (2.42, Debian's), which reads its data from binnacle by remote read: the same queries must give the same numbers on both.

Samples, and the steps of subqueries, lie off every range's left end, which is in the range in 2.42 and not in 3; so subqueries are not nested. Nothing newer than
2.42 is asked; its remote read knows no native histograms."""
import json
import math
import os
import random
import shutil
import struct
import subprocess
import tempfile
import time

import bn
import promread

STEP, POINTS = 15, 480
STALE = struct.unpack('<d', struct.pack('<Q', 0x7ff0000000000002))[0]
SEED = int(os.environ.get('SEED', '42'))
QUERIES = int(os.environ.get('QUERIES', '600'))


class Prometheus:
    def __init__(self, binnacle_url):
        program = shutil.which('prometheus')
        if not program:
            raise bn.Skip('prometheus is not installed')
        self.folder = tempfile.mkdtemp(prefix='binnacle-test-')
        self.url = 'http://127.0.0.1:%d' % bn.free_port()
        with open(self.folder + '/prometheus.yml', 'w') as f:
            f.write('remote_read:\n- url: %s/api/v1/read\n  read_recent: true\n' % binnacle_url)
        self.log = open(self.folder + '/log', 'wb')
        self.process = subprocess.Popen([program, '--config.file', self.folder + '/prometheus.yml', '--storage.tsdb.path', self.folder + '/data',
                                         '--web.listen-address', self.url[7:]],
                                        stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        try:
            bn.wait_for(self.ready, 'prometheus to be ready')
        except AssertionError:
            self.__exit__()
            raise

    def ready(self):
        try:
            return bn.call(self.url + '/-/ready', timeout=5).status == 200
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


# --- data: counters without gaps, gauges with gaps, staleness, NaN and infinities, classic histograms

def series(t0):
    r = random.Random(SEED)
    times = [(t0 + i * STEP) * 1000 + 7 for i in range(POINTS)]
    out = []
    for job in ('api', 'web', 'db'):
        for instance in ('0', '1', '2'):
            labels = {'job': job, 'instance': instance, 'host': 'h' + str(r.randrange(3))}
            v, counter = r.randrange(1000, 100000), []
            for t in times:
                v = r.randrange(500, 600) if r.random() < 0.004 else v + r.randrange(0, 300)
                counter.append((float(v), t))
            out.append(({'__name__': 'requests_total', **labels}, counter, []))
            gauge = [(r.choice((r.uniform(-50, 50), float(r.randrange(5)))), t) for t in times if r.random() < 0.8]
            gauge = [(STALE if r.random() < 0.03 else v, t) for v, t in gauge]
            out.append(({'__name__': 'temperature', **labels}, gauge, []))
            counts = {le: 1000 for le in ('0.1', '0.5', '1', '5', '+Inf')}
            buckets = {le: [] for le in counts}
            for t in times:
                for le in counts:
                    counts[le] += r.randrange(3)
                total = 0
                for le in counts:
                    total = max(total, counts[le])
                    buckets[le].append((float(total), t))
            for le, samples in buckets.items():
                out.append(({'__name__': 'latency_bucket', 'le': le, **labels}, samples, []))
    odd = [math.nan, math.inf, -math.inf, 0.0, 1e20, -1e-300, 3.0]
    out.append(({'__name__': 'odd', 'job': 'api'}, [(r.choice(odd), t) for t in times], []))
    out.append(({'__name__': 'info', 'job': 'api', 'version': '1.2', 'path': '/a/b'}, [(1.0, t) for t in times], []))
    out.append(({'__name__': 'info', 'job': 'web', 'version': '1.3', 'path': '/a/c'}, [(1.0, t) for t in times], []))
    return out


# --- random expressions

class Maker:
    SELECTORS = ('requests_total', 'temperature', 'requests_total{job="api"}', 'temperature{job=~"a.*|db"}', 'requests_total{instance!="0"}',
                 'temperature{instance!~"1|2"}', 'latency_bucket{le="0.5"}', 'odd', 'info', '{job="web",__name__="temperature"}', 'nothing')
    COUNTERS = ('requests_total', 'requests_total{job="api"}', 'requests_total{instance!="0"}', 'latency_bucket{le="0.5"}', 'info')
    RANGES = ('rate', 'increase', 'delta', 'irate', 'idelta', 'changes', 'resets', 'deriv', 'avg_over_time', 'min_over_time', 'max_over_time', 'sum_over_time',
              'count_over_time', 'last_over_time', 'present_over_time', 'stddev_over_time', 'stdvar_over_time', 'absent_over_time')
    PLAIN = ('abs', 'ceil', 'floor', 'ln', 'log2', 'log10', 'sqrt', 'sgn', 'atan', 'deg', 'rad', 'absent', 'day_of_month',
             'day_of_week', 'hour', 'minute', 'month', 'year', 'days_in_month', 'day_of_year')
    AGGREGATES = ('sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar')
    GROUPS = ('', ' by (job)', ' by (instance, host)', ' without (instance)', ' without (host, job)', ' by (nothing)')

    def __init__(self, r, now):
        self.r, self.now, self.in_subquery = r, now, False

    def one(self, options):
        return self.r.choice(options)

    def shift(self):
        return self.one(('', '', '', ' offset 5m', ' offset 90s', ' offset -2m', ' @ %d' % (self.now - 1000), ' @ start()', ' @ end()',
                         ' @ %d offset 1m' % (self.now - 700)))

    def duration(self):
        return self.one(('1m', '2m', '5m', '10m', '47s', '20m'))

    def ranged(self, depth):
        if depth > 0 and not self.in_subquery and self.r.random() < 0.3:
            self.in_subquery = True
            inner = self.wrapped(depth - 1)
            self.in_subquery = False
            return '%s[%s:%s]%s' % (inner, self.duration(), self.one(('', '30s', '1m', '15s')), self.shift())
        return '%s[%s]%s' % (self.one(self.SELECTORS), self.duration(), self.shift())

    def wrapped(self, depth):
        return '(%s)' % self.vector(depth)

    def scalar(self, depth):
        return self.one(('2', '-1.5', '0', '1e3', 'NaN', 'Inf', 'scalar(sum(temperature))', 'time()', 'pi()', '(1 + 2 ^ 3 % 5)'))

    def vector(self, depth):
        if depth <= 0:
            return self.one(self.SELECTORS) + self.shift()
        kind = self.r.random()
        if kind < 0.3:
            f = self.one(self.RANGES)
            # 2.42 stretches the first sample of a window with gaps in another way.
            if f in ('rate', 'increase'):
                return '%s(%s[%s]%s)' % (f, self.one(self.COUNTERS), self.duration(), self.shift())
            return '%s(%s)' % (f, self.ranged(depth - 1))
        if kind < 0.34:
            return 'quantile_over_time(%s, %s)' % (self.one(('0.5', '0', '1', '0.9', '-1', '2')), self.ranged(depth - 1))
        if kind < 0.37:
            return 'predict_linear(%s[%s], %s)' % (self.one(self.SELECTORS), self.duration(), self.one(('60', '3600', '-100')))  # not @: 2.42 gives one step only
        if kind < 0.5:
            return '%s(%s)' % (self.one(self.PLAIN), self.vector(depth - 1))
        if kind < 0.54:
            return self.one(('timestamp(requests_total) + (%s)', 'clamp(%s, -1, 10)', 'clamp_min(%s, 0)', 'clamp_max(%s, 3)', 'round(%s, 0.5)', 'label_replace(%s, "x", "$1-y", "job", "(.).*")',
                             'label_join(%s, "x", "/", "job", "instance")', 'label_replace(%s, "job", "", "instance", "1")')) % self.vector(depth - 1)
        if kind < 0.7:
            inner = self.vector(depth - 1)
            # 2.42: the deviation of a single NaN or infinity is 0
            finite = not any(word in inner for word in ('odd', 'Inf', 'NaN', 'quantile', 'ln(', 'log', '/', 'sqrt', '%'))
            return '%s%s (%s)' % (self.one(self.AGGREGATES if finite else self.AGGREGATES[:6]), self.one(self.GROUPS), inner)
        if kind < 0.74:
            if self.r.random() < 0.5:  # of distinct values: which of equal ones is kept is nobody's promise
                return self.one(('topk%s (2, %s)', 'bottomk%s (1, %s)')) % (self.one(self.GROUPS), 'requests_total' + self.shift())
            return self.one(('quantile%s (0.3, %s)', 'count_values%s ("v", floor(%s))')) % (self.one(self.GROUPS), self.vector(depth - 1))
        if kind < 0.78:
            return 'histogram_quantile(%s, %s)' % (self.one(('0.5', '0.99', '0.2', '-1', '3')),
                                                   self.one(('rate(latency_bucket[5m])', 'sum by (le, job) (rate(latency_bucket[10m]))', 'latency_bucket', 'sum by (le) (latency_bucket)')))
        if kind < 0.9:
            op = self.one(('+', '-', '*', '/', '^', '==', '!=', '>', '<', '>=', '<=', '== bool', '> bool'))
            if self.r.random() < 0.5:
                return '%s %s %s' % (self.wrapped(depth - 1), op, self.scalar(depth)) if self.r.random() < 0.7 else '%s %s %s' % (self.scalar(depth), op, self.wrapped(depth - 1))
            how = self.one(('', ' on (job, instance)', ' ignoring (host)', ' on (job) group_left', ' on (instance) group_right (host)'))
            return '%s %s%s %s' % (self.wrapped(depth - 1), op, how, self.wrapped(depth - 1))
        if kind < 0.97:
            return '%s %s%s %s' % (self.wrapped(depth - 1), self.one(('and', 'or', 'unless')), self.one(('', ' on (job)', ' ignoring (host, instance)')), self.wrapped(depth - 1))
        return '-' + self.wrapped(depth - 1)



# --- comparison

def close(a, b):
    x, y = float(a), float(b)
    return (math.isnan(x) and math.isnan(y)) or x == y or abs(x - y) <= 1e-9 * max(abs(x), abs(y)) or abs(x - y) < 1e-12


def points(item):
    return dict(map(tuple, item['values'] if 'values' in item else [item['value']]))


def same(a, b):
    if a['resultType'] != b['resultType']:
        return False
    if a['resultType'] in ('scalar', 'string'):
        return close(a['result'][1], b['result'][1])
    x, y = ({json.dumps(i['metric'], sort_keys=True): points(i) for i in d['result']} for d in (a, b))
    if x.keys() != y.keys():
        return False
    for key, left in x.items():
        right = y[key]
        if left.keys() != right.keys():
            return False
        if not all(close(v, right[t]) for t, v in left.items()):
            return False
    return True


def ask(url, expr, path, params):
    reply = bn.call(url + path, 'POST', bn.urllib.parse.urlencode({'query': expr, **params}), {'Content-Type': 'application/x-www-form-urlencoded'})
    return reply.json


def test_a_real_prometheus_reads_from_binnacle_and_both_compute_the_same():
    with bn.Server() as s, Prometheus(s.url) as p:
        now = int(time.time()) // 60 * 60
        data = series(now - POINTS * STEP)
        for i in range(0, len(data), 10):
            promread.push(s, data[i:i + 10])
        r, differ, asked, failed_alike = random.Random(SEED), [], 0, 0
        maker = Maker(r, now)
        exprs = [maker.vector(r.choice((1, 2, 2, 3, 4))) for _ in range(QUERIES)]
        for expr in exprs:
            for path, params in (('/api/v1/query', {'time': now - 587}), ('/api/v1/query_range', {'start': now - 1987, 'end': now - 287, 'step': 100})):
                ours, theirs = (ask(url, expr, path, params) for url in (s.url, p.url))
                asked += 1
                if ours['status'] != theirs['status']:
                    differ.append((expr, path, ours.get('error', 'an answer'), theirs.get('error', 'an answer')))
                elif ours['status'] == 'error':
                    failed_alike += 1
                elif not same(ours['data'], theirs['data']):
                    differ.append((expr, path, json.dumps(ours['data'])[:300], json.dumps(theirs['data'])[:300]))
        for expr, path, ours, theirs in differ[:20]:
            print('%s %s\n  binnacle   %s\n  prometheus %s' % (path, expr, ours, theirs))
        print('%d queries, %d refused by both, %d differ (seed %d)' % (asked, failed_alike, len(differ), SEED))
        bn.eq(len(differ), 0, 'differing answers:')


bn.main()
