"""Storms of new series, pushed and scraped: the ones that were there go on without a gap, memory stays where it is, and the refused ones have a name: in
the reply, in status/tsdb and in the log."""
import http.server
import re
import threading
import time

import bn

LIMIT, STORM, ROUNDS = 2000, 20000, 6
NOW_MS = int(time.time() * 1000)


def rss_kb(server):
    with open('/proc/%d/status' % server.process.pid) as f:
        return int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1))


def refused(server):
    rows = server.get('/api/v1/status/tsdb').json['data']['refusedSamplesByTarget']
    return {row['name']: row['value'] for row in rows}


def points(server, selector):
    reply = server.get('/api/v1/query_range', query='count(%s)' % selector, start=NOW_MS / 1000, end=NOW_MS / 1000 + ROUNDS - 1, step=1).json
    return [int(v) for _, v in reply['data']['result'][0]['values']]


def test_a_storm_of_pushes_leaves_the_known_series_without_a_gap():
    # Memory that was freed counts only once a sanitizer's quarantine is full.
    with bn.Server({'limit.series': LIMIT, 'log.level': 'warn'}, env={'ASAN_OPTIONS': 'quarantine_size_mb=1'}) as s:
        known = ''.join('known_%d{job="steady"} 1\n' % i for i in range(LIMIT))
        after_first = 0
        for n in range(ROUNDS):
            at = '?timestamp=%d' % (NOW_MS + n * 1000)
            bn.eq(s.post('/api/v1/import/prometheus' + at, known, 'text/plain').status, 204)
            storm = ''.join('new{job="storm",instance="s:1",id="%d-%d"} 1\n' % (n, i) for i in range(STORM))
            reply = s.post('/api/v1/import/prometheus' + at, storm, 'text/plain')
            bn.eq(reply.status, 400)
            bn.has(reply.text, 'the limit of %d active series is reached' % LIMIT)
            bn.has(reply.text, 'job="storm"')
            after_first = after_first or rss_kb(s)
        assert rss_kb(s) < after_first + 8192, (after_first, rss_kb(s))
        bn.eq(points(s, '{job="steady"}'), [LIMIT] * ROUNDS)
        bn.eq(refused(s), {'{instance="s:1", job="storm"}': STORM * ROUNDS})
        bn.eq(s.counters()['binnacle_dropped_samples_total{reason="series_limit"}'], STORM * ROUNDS)
        s.conserved()
        bn.wait_for(lambda: '{instance="s:1", job="storm"}' in s.stderr(), 'the log to name the storm', server=s)


class Exposition(http.server.BaseHTTPRequestHandler):
    round = 0

    def do_GET(self):
        Exposition.round += 1
        lines = ['known_%d 1' % i for i in range(100)] + ['new{id="%d-%d"} 1' % (Exposition.round, i) for i in range(STORM)]
        body = ('\n'.join(lines) + '\n').encode()
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain; version=0.0.4')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_storm_on_a_scraped_page_is_refused_by_name():
    target = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Exposition)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    where = '127.0.0.1:%d' % target.server_port
    try:
        with bn.Server({'limit.series': LIMIT, 'scrape.target': 'http://%s/metrics' % where, 'scrape.interval': '1s', 'scrape.timeout': '1s'}) as s:
            bn.wait_for(lambda: sum(refused(s).values()) > 3 * STORM, 'three storms', server=s)
            bn.eq(len(s.samples('known_7', instance=where)), 1)
            assert all(where in name for name in refused(s)), refused(s)
            head = s.get('/api/v1/status/tsdb').json['data']['headStats']
            assert head['numSeries'] <= LIMIT, head
            s.conserved()
    finally:
        target.shutdown()


bn.main()
