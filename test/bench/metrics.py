"""./dev bench metrics: binnacle's metrics beside Prometheus and VictoriaMetrics: the same bytes sent to each, one after the other, in one run.

    metrics.py BUILD_DIR [--only LINE,...] [--quick] [--runs N] [--peers NAME,...] [--work DIR] [--json FILE] [--readme] [--prometheus PATH] [--victoria PATH]

Lines: write million scrape disk query storm. --quick: small sizes, to try the harness and for a first look. --work DIR keeps the stores that the query line
loaded, and loads only what is not there (the peers' hours of data do not change from build to build); without it all data is in a temporary folder and goes.

The load is made beforehand (bench_gen) and replayed by bench_load, which takes 0.03 CPU-seconds a million samples. CPU is the server's, user and system, from its own
clock; figures are medians of the runs. A line says which program it is measured against; ratios count, wall time on a shared machine does not.
"""
import argparse
import concurrent.futures
import glob
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../e2e'))
import bn  # noqa: E402
import figures  # noqa: E402
import pages  # noqa: E402
import peers  # noqa: E402
from figures import at_most, below_all, share_of  # noqa: E402

HOUR_MS = 3600 * 1000


class Bench:
    """What the lines share: sizes, the folder, the programs."""

    def __init__(self, args, work):
        self.args, self.work, self.build = args, work, os.path.abspath(args.build)
        self.peers = [p for p in peers.ALL if p.available() and (not args.peers or p.name.lower() in args.peers.lower().split(','))]
        self.figures = figures.Figures('./dev bench metrics')
        self.quick, self.runs = args.quick, args.runs

    def tool(self, name, *words):
        done = subprocess.run([os.path.join(self.build, name)] + [str(w) for w in words], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit('%s %s: %s' % (name, words[0], done.stderr))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def folder(self, name):
        return tempfile.mkdtemp(prefix=name + '-', dir=self.work)

    def bodies(self, series, steps, step_ms=15000, end_ms=None, name='load', node=0):
        """A file of remote write bodies of the cluster from that node on, whose last step is at end_ms (now)."""
        start_ms = (end_ms or int(time.time() * 1000) - step_ms) - (steps - 1) * step_ms
        path = os.path.join(self.work, '%s-%d-%d.bodies' % (name, series, steps))
        self.tool('bench_gen', 'encode', series, steps, start_ms, step_ms, node, path)
        return path, start_ms

    def send(self, peer, path, first, last, connections=4):
        r = self.tool('bench_load', 'send', path, peer.port, peer.write_path, connections, peer.pid, first, last)[0]
        if r['refused']:
            raise SystemExit('%s refused %d samples (HTTP %d)' % (peer.name, r['refused'], r['last_refusal']))
        return r

    def each(self, measure):
        """{peer: [what measure(peer, fresh folder) returned, a run]}; programs take turns, so that a noisy minute meets all of them."""
        out = {p.name: [] for p in self.peers}
        for _ in range(self.runs):
            for p in self.peers:
                folder = self.folder(p.name)
                out[p.name].append(measure(p, folder))
                shutil.rmtree(folder)
        return out

    def line(self, what, unit, results, key, promise=None):
        self.figures.line(what, unit, {name: statistics.median(r[key] for r in runs) for name, runs in results.items()}, promise)


def size_name(n):
    return '%d M' % (n // 10**6) if n >= 10**6 else '%d k' % (n // 1000)


def send_new_and_known(b, path, series, steps):
    """Measures a peer taking `steps` steps: the first, in which every series is new, and the others."""
    def measure(kind, folder):
        with kind(folder) as p:
            time.sleep(.5)
            empty = figures.memory_bytes(p.pid)
            new = b.send(p, path, 0, 1)
            known = b.send(p, path, 1, steps)
            rss = figures.memory_bytes(p.pid)
            return {'new': new['cpu_s'] / new['samples'] * 1e6, 'known': known['cpu_s'] / known['samples'] * 1e6, 'rate': known['samples'] / known['wall_s'], 'other': known['other_cpu_s'] / known['wall_s'],
                    'per_series': (rss - empty) / series, 'total_per_series': rss / series, 'rss': rss, 'peak': figures.memory_bytes(p.pid, 'VmHWM'), 'disk': figures.folder_bytes(os.path.join(folder, 'store'))}
    return measure


def line_write(b):
    """Remote write 1.0, write-ahead log on, 4 connections."""
    for series, steps in ((5000, 20),) if b.quick else ((100000, 40),):
        path, _ = b.bodies(series, steps)
        results = b.each(send_new_and_known(b, path, series, steps))
        os.unlink(path)
        b.line('remote write, %s series: CPU' % size_name(series), 'cpu-s/M', results, 'known', share_of('VictoriaMetrics', 1 / 4, '<= 1/4 of VM'))
        b.line('remote write, new series: CPU', 'cpu-s/M', results, 'new', at_most(3))
        b.line('remote write, %s series: rate on all cores' % size_name(series), '1/s', results, 'rate')
        b.line('memory at %s series, RSS over empty' % size_name(series), 'B/series', results, 'per_series', at_most(400))
        b.line('memory at %s series, whole RSS' % size_name(series), 'B/series', results, 'total_per_series', None if b.quick else at_most(400))


def line_million(b):
    """A million series: memory, and the restart after kill -9 with all of them in the log."""
    series, steps = (100000, 4) if b.quick else (1000000, 4)
    path, start_ms = b.bodies(series, steps)
    end_s = (start_ms + steps * 15000) / 1000

    def measure(kind, folder):
        p = kind(folder).start()
        empty = figures.memory_bytes(p.pid)
        sent = b.send(p, path, 0, steps)
        rss, peak = figures.memory_bytes(p.pid), figures.memory_bytes(p.pid, 'VmHWM')
        p.stop(signal.SIGKILL)
        began = time.monotonic()
        p.start()
        restart, restart_cpu = time.monotonic() - began, p.cpu()
        kept = sum(p.scalar('sum(count_over_time({__name__="%s"}[1h]))' % name, end_s) for name in p.metric_names())
        result = {'cpu': sent['cpu_s'] / sent['samples'] * 1e6, 'per_series': (rss - empty) / series, 'total_per_series': rss / series, 'peak_per_series': peak / series, 'restart': restart,
                  'restart_cpu': restart_cpu, 'lost': (sent['samples'] - kept) / sent['samples'] * 100}
        p.stop(signal.SIGKILL)
        return result

    results = b.each(measure)
    os.unlink(path)
    what = size_name(series)
    b.line('remote write, %s series x %d: CPU' % (what, steps), 'cpu-s/M', results, 'cpu')
    b.line('memory at %s series, RSS over empty' % what, 'B/series', results, 'per_series', at_most(400))
    b.line('memory at %s series, whole RSS' % what, 'B/series', results, 'total_per_series', None if b.quick else at_most(400))
    b.line('memory at %s series, highest RSS' % what, 'B/series', results, 'peak_per_series')
    b.line('restart after kill -9, %s series in the log' % what, 's', results, 'restart', at_most(1.5))
    b.line('the same: CPU', 'cpu-s', results, 'restart_cpu')
    b.line('acknowledged samples lost by it', '%', results, 'lost', at_most(0))


def line_scrape(b):
    """5 targets of 20,000 cAdvisor lines, gzipped, every second."""
    targets, lines, scrapes, seconds, warm = (2, 2000, 12, 4, 2) if b.quick else (5, 20000, 40, 25, 6)
    folder = b.folder('pages')
    b.tool('bench_gen', 'pages', targets, lines, scrapes, folder)

    def measure(kind, data):
        with pages.Targets(folder, targets, scrapes) as served, kind(data, scrape=served.ports) as p:
            bn.wait_for(lambda: served.served >= targets * warm, 'the first scrapes', 60)
            before, cpu = served.served, p.cpu()
            bn.wait_for(lambda: served.served >= before + targets * seconds, 'scrapes', 300)
            cpu = p.cpu() - cpu
            return {'cpu': cpu / ((served.served - before) * lines) * 1e6, 'rss': figures.memory_bytes(p.pid) / 2**20}

    results = b.each(measure)
    shutil.rmtree(folder)
    b.line('scrape of %d x %d cAdvisor lines, gzip: CPU' % (targets, lines), 'cpu-s/M', results, 'cpu', at_most(.8))
    b.line('the same: RSS', 'MB', results, 'rss')


# --- disk

def compact(p):
    """Everything out of memory and merged; the folder that then holds the data and its index."""
    store = os.path.join(p.data, 'store')
    if p.name == 'Prometheus':
        name = json.loads(bn.call(p.url + '/api/v1/admin/tsdb/snapshot', 'POST').body)['data']['name']
        return os.path.join(store, 'snapshots', name)
    if p.name == 'VictoriaMetrics':
        p.get('/internal/force_flush')
        p.get('/internal/force_merge')
        p.settle()
        return store
    p.stop()
    p.options['settings'] = {**p.options.get('settings', {}), 'store.seal-age': '1s'}
    p.start()
    bn.wait_for(lambda: p.counters()['binnacle_head_bytes{signal="metrics"}'] == 0, 'binnacle to seal', 120)
    p.settle()
    return os.path.join(store, 'metrics')


def line_disk(b):
    """Recorded expositions of five real exporters, 1,200 scrapes: bytes on disk with the index, and what comes back."""
    corpus = os.path.join(figures.ROOT, '../shared/corpus/metrics')
    if not glob.glob(corpus + '/*.zst'):
        print('disk: left out (the recorded pages are not in ../shared/corpus/metrics)')
        return
    for spacing_ms in (None, 15000):
        recording = pages.Recording(corpus, spacing_ms, scrapes=60 if b.quick else None)

        def measure(kind, folder):
            with kind(folder) as p:
                recording.send(p.url + p.write_path)
                path = compact(p)
                used = figures.folder_bytes(path)
                wrong = recording.differences(p)
                return {'bytes': used / recording.samples, 'wrong': wrong / recording.samples * 100}

        runs, b.runs = b.runs, 1  # the same bytes every time
        results = b.each(measure)
        b.runs = runs
        every = 'as recorded, 1 s' if spacing_ms is None else 'spaced 15 s'
        b.line('disk with index, recorded pages, %s' % every, 'B/sample', results, 'bytes', share_of('VictoriaMetrics', .75, '<= 0.75 of VM'))
        b.line('samples that come back with other bits', '%', results, 'wrong', at_most(0))


# --- query

SELECTOR = 'container_memory_usage_bytes{image!="",namespace="default"}'
QUANTILE = 'histogram_quantile(0.95, sum(rate(http_request_duration_seconds_bucket[5m])) by (le, method, endpoint))'
ERRORS = 'sum(rate(http_request_duration_seconds_count{status_code=~"5.."}[5m])) / sum(rate(http_request_duration_seconds_count[5m]))'
BOOK = (  # name, path, expression, hours, step; hours 0: instant
    ('instant selector', 'query', SELECTOR, 0, 0),
    ('instant sum by (name)', 'query', 'sum by (name) (%s)' % SELECTOR, 0, 0),
    ('instant topk(5)', 'query', 'topk(5, %s)' % SELECTOR, 0, 0),
    ('instant count_values', 'query', 'count_values("bytes", %s)' % SELECTOR, 0, 0),
    ('instant histogram_quantile', 'query', QUANTILE, 0, 0),
    ('instant error ratio', 'query', ERRORS, 0, 0),
    ('instant count of all series', 'query', 'count({__name__=~".+"})', 0, 0),
    ('1 h / 15 s selector', 'query_range', SELECTOR, 1, 15),
    ('6 h / 60 s selector', 'query_range', SELECTOR, 6, 60),
    ('6 h sum by (name)', 'query_range', 'sum by (name) (%s)' % SELECTOR, 6, 60),
    ('6 h topk(5)', 'query_range', 'topk(5, %s)' % SELECTOR, 6, 60),
    ('6 h count_values', 'query_range', 'count_values("bytes", %s)' % SELECTOR, 6, 60),
    ('1 h histogram_quantile', 'query_range', QUANTILE, 1, 15),
    ('6 h histogram_quantile', 'query_range', QUANTILE, 6, 60),
    ('6 h error ratio', 'query_range', ERRORS, 6, 60),
    ('6 h CPU by namespace and pod', 'query_range', 'sum(rate(container_cpu_usage_seconds_total[5m])) by (namespace, pod)', 6, 60),
    ('label names', 'labels', None, 6, 0),
    ('label values of __name__', 'label/__name__/values', None, 6, 0),
    ('label values of namespace', 'label/namespace/values', None, 6, 0),
    ('label values of pod', 'label/pod/values', None, 6, 0),
    ('label values of name', 'label/name/values', None, 6, 0),
    ('series of one selector', 'series', SELECTOR, 6, 0),
    ('series of pod=~checkout.*', 'series', '{pod=~"checkout.*"}', 6, 0),
)


def book_lines(start_s, end_s, scale):
    """One `NAME <tab> PATH` a query, at the end of the data; scale shortens the ranges with the data."""
    for name, path, expression, hours, step in BOOK:
        params, begin = {}, max(start_s, end_s - hours * 3600 * scale)
        if path in ('query', 'query_range'):
            params['query'] = expression
        elif expression:
            params['match[]'] = expression
        if path == 'query':
            params['time'] = end_s
        else:
            params.update(start=begin, end=end_s)
        if path == 'query_range':
            params.update(step=step, nocache=1)
        yield '%s\t/api/v1/%s?%s\n' % (name, path, urllib.parse.urlencode(params))


def load_for_queries(b, kind, series, steps):
    """A peer that holds the data of the query line: loaded, or found in the work folder as an earlier run left it."""
    folder = os.path.join(b.work, 'query-%s-%d-%d' % (kind.name, series, steps))
    about = os.path.join(folder, 'about.json')
    if os.path.exists(about):
        with open(about) as f:
            return kind(folder).start(), json.load(f)['end_ms']
    path = os.path.join(b.work, 'query-%d-%d.bodies' % (series, steps))
    if not os.path.exists(path):
        made, _ = b.bodies(series, steps)
        os.rename(made, path)
        with open(path + '.end', 'w') as f:
            f.write(str(int(time.time() * 1000) - 15000))
    with open(path + '.end') as f:
        end_ms = int(f.read())
    shutil.rmtree(folder, ignore_errors=True)
    p = kind(folder).start()
    recent = min(120, steps // 2) if kind is peers.Binnacle else 0
    b.send(p, path, 0, steps - recent)
    if recent:  # six hours that arrive in minutes would still be in memory: all but the last 30 minutes is sealed, as at the end of six real hours
        compact(p)
        p.stop()
        p.options.clear()
        p.start()
        b.send(p, path, steps - recent, steps)
    p.settle()
    p.stop()
    with open(about, 'w') as f:
        json.dump({'end_ms': end_ms}, f)
    return p.start(), end_ms


def line_query(b):
    """The book's queries over six hours of 30,000 series: caches of results off, one connection, 3 passes."""
    series, steps, requests, seconds = (3000, 240, 10, 1) if b.quick else (30000, 1440, 40, 10)
    results, rss = {}, {}
    for kind in b.peers:
        p, end_ms = load_for_queries(b, kind, series, steps)
        p.settle()
        end_s = end_ms // 1000
        listing = os.path.join(b.work, 'queries')
        with open(listing, 'w') as f:
            f.writelines(book_lines(end_s - (steps - 1) * 15, end_s, steps / 1440))
        passes = [b.tool('bench_load', 'query', listing, p.port, p.pid, requests, seconds) for _ in range(b.runs)]
        for q in passes[0]:
            if q['status'] != 200:
                print('%s refuses "%s" with HTTP %d' % (p.name, q['name'], q['status']))
                b.figures.missed += kind is peers.Binnacle
        results[kind.name] = passes
        rss[kind.name] = figures.memory_bytes(p.pid) / 2**20
        p.stop()
    for field, unit in (('p50_ms', 'ms p50'), ('p99_ms', 'ms p99'), ('cpu_ms', 'cpu-ms')):
        table = {name: [statistics.median(one[i][field] for one in passes) if passes[0][i]['status'] == 200 else None for i in range(len(BOOK))] for name, passes in results.items()}
        for i, (name, *_) in enumerate(BOOK):
            b.figures.line(name, unit, {peer: v[i] for peer, v in table.items()}, below_all(), detail=True)
        summary(b, unit, table)
    b.figures.line('RSS after the queries', 'MB', rss)


def summary(b, unit, table):
    """Of one measure of all queries: how many times the others take of what binnacle takes."""
    if 'binnacle' not in table:
        return
    for peer, factor in (('Prometheus', 4), ('VictoriaMetrics', 1.7)):
        if peer in table:
            ratios = [theirs / own for theirs, own in zip(table[peer], table['binnacle']) if theirs and own]
            b.figures.line('book queries, times %s over binnacle, geometric mean' % peer, unit, {'binnacle': math.exp(statistics.mean(map(math.log, ratios)))}, figures.at_least(factor))
            b.figures.line('the same, least of %d queries' % len(ratios), unit, {'binnacle': min(ratios)})


# --- storm

def line_storm(b):
    """Ten million distinct series are offered while a few thousand go on: those stay whole, memory stays below a cap, refusals are counted."""
    if peers.Binnacle not in b.peers:
        return
    offered, known, limit, steps = (300000, 2000, 50000, 20) if b.quick else (10000000, 10000, 500000, 200)
    path, start_ms = b.bodies(known, steps, step_ms=1000, end_ms=int(time.time() * 1000) - 60000, name='known')
    flood, _ = b.bodies(offered, 1, name='flood', node=1000)  # later than all of the known: the count below is of those alone
    folder = b.folder('storm')
    with peers.Binnacle(folder, settings={'limit.series': limit}) as p:
        b.send(p, path, 0, 1)
        before = p.metric_names()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            storm = pool.submit(b.tool, 'bench_load', 'send', flood, p.port, p.write_path, 4, p.pid, 0, 1)
            sent = 1
            while sent < steps and not (storm.done() and sent >= steps // 2):
                b.send(p, path, sent, sent + 1, 1)
                sent += 1
                time.sleep(.25)
            result = storm.result()[0]
        kept = sum(p.scalar('sum(count_over_time({__name__="%s"}[%ds]))' % (name, steps + 10), start_ms / 1000 + steps + 1) for name in before)
        c, peak = p.counters(), figures.memory_bytes(p.pid, 'VmHWM')
        received, stored, rejected, dropped = (c['binnacle_%s_total{signal="metrics"}' % k] for k in ('received', 'stored', 'rejected', 'dropped'))
        named = sum(v for k, v in c.items() if 'reason="series_limit"' in k or 'series_limit' in k)
    shutil.rmtree(folder)
    os.unlink(flood)
    os.unlink(path)
    say = lambda what, unit, value, promise=None: b.figures.line(what, unit, {'binnacle': value}, promise)  # noqa: E731
    say('%s new series offered, limit %s: highest RSS' % (size_name(offered), size_name(limit)), 'MB', peak / 2**20, at_most(14 + limit * 400 / 2**20 + 128))
    say('the same: CPU', 'cpu-s/M', result['cpu_s'] / offered * 1e6)
    say('the same: samples missing in series that were there', '', known * sent - kept, at_most(0))
    say('the same: received - stored - rejected - dropped', '', abs(received - stored - rejected - dropped), at_most(0))
    say('the same: refusals counted under their reason', '%', 100 * named / max(1, rejected + dropped), figures.at_least(100))


LINES = {'write': line_write, 'million': line_million, 'scrape': line_scrape, 'disk': line_disk, 'query': line_query, 'storm': line_storm}


def main():
    a = argparse.ArgumentParser(prog='./dev bench metrics', description='binnacle beside Prometheus and VictoriaMetrics')
    a.add_argument('build')
    a.add_argument('--only', default=','.join(LINES), help='lines to measure, comma separated: ' + ' '.join(LINES))
    a.add_argument('--quick', action='store_true', help='small sizes')
    a.add_argument('--runs', type=int, default=3)
    a.add_argument('--peers', help='binnacle,prometheus,victoriametrics')
    a.add_argument('--work', help='keep the data of the query line there')
    a.add_argument('--json')
    a.add_argument('--readme', action='store_true')
    a.add_argument('--prometheus')
    a.add_argument('--victoria')
    args = a.parse_args()
    unknown = set(args.only.split(',')) - set(LINES)
    if unknown:
        a.error('no line %s (there are %s)' % (', '.join(sorted(unknown)), ' '.join(LINES)))
    peers.paths.update({'binnacle': os.path.join(os.path.abspath(args.build), 'binnacle'), 'prometheus': args.prometheus, 'victoria-metrics': args.victoria})
    if args.work:
        os.makedirs(args.work, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that finally is passed
    work = args.work or tempfile.mkdtemp(prefix='binnacle-bench-')
    try:
        b = Bench(args, work)
        versions = {p.name: p.version() for p in b.peers}
        about = {'machine': figures.machine(), 'versions': versions, 'runs': args.runs, 'quick': args.quick}
        b.figures.head('%s; %s; medians of %d%s' % (about['machine'], ', '.join('%s %s' % v for v in versions.items()), args.runs, '; quick sizes' if args.quick else ''))
        for name in args.only.split(','):
            LINES[name](b)
    finally:
        peers.end_all()
        if not args.work:
            shutil.rmtree(work, ignore_errors=True)
    sys.exit(b.figures.finish(args.json, args.readme, about))


if __name__ == '__main__':
    main()
