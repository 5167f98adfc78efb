"""200 queries that mean harm: each ends within its deadline with a proper answer or error, memory stays within bounds, and a well-behaved query beside
them keeps its pace."""
import json
import threading
import time
import urllib.parse

import bn

FORM = 'application/x-www-form-urlencoded'
TIMEOUT_S, SERIES = 5, 2000
# The sanitizers' build works some 20 times slower: what a deadline is late by is the step between two looks at the clock.
LATE_S = 10
ERRORS = {400: {'bad_data'}, 422: {'execution'}, 503: {'timeout', 'unavailable'}, 413: {'execution'}, 499: {'canceled'}}


def hostile(now):
    """(path, parameters, what is also right). What is right for all: 200, or an error of the table above."""
    q = []

    def instant(query, *statuses):
        q.append(('query', {'query': query, 'time': now}, statuses))

    def ranged(query, start, end, step, *statuses):
        q.append(('query_range', {'query': query, 'start': start, 'end': end, 'step': step}, statuses))

    # too many steps, times and durations at the ends of what there is
    for step in ('1e-9', '0.000001', '0', '-1', 'NaN', '1e300', '9223372036854775807', '1ns', '', 'x'):
        ranged('m', now - 1000, now, step)
    for start, end in ((0, 10 ** 9), (0, '1e18'), ('-1e18', '1e18'), ('NaN', 'NaN'), ('Inf', 'Inf'), (-10 ** 10, 10 ** 10), ('9e15', '9.1e15'), ('0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z')):
        ranged('m', start, end, '1')
        ranged('sum(m)', start, end, '1e9')
    ranged('m', 0, 10 ** 9, 1, 400)
    ranged('sum_over_time(m[1y])', now - 11000 * 60, now, 60)
    ranged('rate(m[100y])', now - 10000, now, 1)
    for d in ('1y', '100y', '290y', '300y', '99999999999y', '1ms', '0s', '9223372036854775807ms'):
        instant('count_over_time(m[%s])' % d)
        instant('m offset %s' % d)
        instant('count_over_time(m[%s:1ms])' % d)
        instant('count_over_time(m[1h:%s])' % d)
    for t in ('1e18', '-1e18', '9223372036854775.807', 'NaN', '1e400'):
        instant('m @ %s' % t)
    # nested subqueries
    for n in (2, 3, 5, 8, 20, 60):
        expr = 'm'
        for _ in range(n):
            expr = 'sum_over_time((%s)[1d:1s])' % expr
        instant(expr)
    instant('sum_over_time(sum_over_time(sum_over_time(m[1d:1ms])[1d:1ms])[1d:1ms])')
    ranged('max_over_time(rate(m[5m])[30d:1s])', now - 11000, now, 1)
    instant('count_over_time(vector(1)[100y:1ms])')
    instant('count_over_time(time()[10y:1ms])')
    instant('absent_over_time(nothing[10y:1ms])')
    # regular expressions
    bombs = ('(a+)+$', '(a|aa)+b', '(.*)*x', '(x+x+)+y', '([a-z]+)*[0-9]', '(.*a){20}', '.*.*.*.*.*.*.*.*=', '(?:(?:a?){30})a{30}', 'a{1000}', '(a{1000}){1000}', '((a{100}){100}){100}',
             '[' + 'a-z' * 5000 + ']', '|'.join('v%d' % i for i in range(20000)), '(' * 2000 + 'a' + ')' * 2000, '(?i)' + 'x*' * 2000 + 'y', '\\\\pL' * 3000, '(?P<n>.)*', '.{0,1000}.{0,1000}b')
    for b in bombs:
        instant('m{long=~"%s"}' % b)
        instant('label_replace(m, "x", "$1", "long", "%s")' % b)
    instant('{__name__=~".+",' + ','.join('long!~".*%d.*"' % i for i in range(2000)) + '}')
    instant('{' + ','.join('a%d=""' % i for i in range(20000)) + ',__name__="m"}')
    # cartesian and wrong matches
    for how in ('on()', 'on(nothing)', 'ignoring(i)', 'on() group_left', 'on() group_right', 'on(job) group_left(i)', 'on(job) group_right(i)', 'ignoring(i,long,job)'):
        for op in ('+', '==', 'and', '>'):
            if not (op == 'and' and 'group' in how):
                instant('m %s %s m' % (op, how))
    instant('m * on(job) group_left label_replace(m, "job", "a", "", "")', 422)
    # explosions of labels and results
    instant('count_values("v", m * time())')
    ranged('count_values("v", m * time() + on(i) m)', now - 11000, now, 1)
    ranged('count_values("i", rate(m[5m]) * time())', now - 5000, now, 1)
    instant('label_replace(m, "x", "%s", "long", "(.*)")' % ('$1' * 20000))
    instant('label_replace(m, "x", "%s", "i", ".*")' % ('y' * 500000))
    expr = 'm'
    for i in range(15):
        expr = 'label_join(%s, "long", "", "long", "long")' % expr
    instant(expr)
    instant('label_join(m, "x", "%s", %s)' % ('s' * 1000, ','.join(['"long"'] * 1000)))
    ranged('topk(1000000, m) or bottomk(1e18, m)', now - 11000, now, 1)
    instant('topk(1e300, m)')
    instant('topk(NaN, m)', 422)
    instant('quantile(0.5, m) by (i, i, i, i)')
    ranged('quantile_over_time(0.5, m[1h])', now - 11000, now, 1)
    ranged('mad_over_time(m[1h])', now - 11000, now, 1)
    ranged('limit_ratio(0.5, m)', now - 11000, now, 1)
    ranged('sort_by_label(m, %s)' % ','.join('"i"' for _ in range(500)), now - 11000, now, 1)
    ranged('histogram_quantile(0.5, label_replace(m, "le", "$1", "i", "(.*)"))', now - 5000, now, 1)
    ranged('info(m)', now - 11000, now, 1)
    ranged('m', now - 10999, now, 1)
    ranged('m or -m or m * 2 or m ^ 2', now - 10999, now, 1)
    ranged('predict_linear(m[1h], 1e300) ^ 1e300', now - 10000, now, 1)
    # depth, length
    for n in (100, 199, 250, 1000, 100000, 300000):
        instant('(' * n + 'm' + ')' * n)
        instant('-' * n + 'm')
        instant('abs(' * n + 'm' + ')' * n)
        instant('m' + '[1m:1s]' * n)
        instant('+'.join(['1'] * n))
        instant(' or '.join(['m'] * min(n, 200000)))
        instant('2' + '^2' * n)
    instant('{' * 100000)
    instant('m{a="' + 'x' * 1000000 + '"}')
    instant('"' + '\\\\x' * 200000 + '"')
    instant('sum by (' + ','.join('l%d' % i for i in range(100000)) + ') (m)')
    instant('m' * 1048000)
    instant('# ' + 'comment ' * 120000 + '\n m')
    instant(' ' * 1000000 + '1', 200)
    instant('1' * 1000000)
    instant('\x00')
    instant('m{a="\udcff"}'.encode('utf-8', 'surrogateescape'))
    instant('sum(' * 150 + 'm' + ')' * 150)
    instant(' or '.join('rate(m{i="%d"}[5m])' % i for i in range(5000)))
    instant(' + '.join('m{i="%d"}' % i for i in range(900)))
    instant('and '.join('m ' for _ in range(900)))
    ranged(' or '.join('(m * %d)' % i for i in range(900)), now - 5000, now, 1)
    return q


def load(s, now):
    for part in range(0, SERIES, 500):
        lines = []
        for i in range(part, part + 500):
            for t in range(now - 600, now, 60):
                lines.append('m{job="%s",i="%d",long="%s"} %d %d' % ('ab'[i % 2], i, 'a' * 200, i + t % 97, t * 1000))
        bn.eq(s.post('/api/v1/import/prometheus', '\n'.join(lines) + '\n', 'text/plain').status, 204)


class Good(threading.Thread):
    """A well-behaved dashboard query, again and again."""

    def __init__(self, s, now):
        super().__init__(daemon=True)
        self.s, self.now, self.took, self.bad, self.stopped = s, now, [], [], False

    def run(self):
        while not self.stopped:
            began = time.monotonic()
            reply = self.s.get('/api/v1/query_range', query='sum by (job) (rate(m{i=~"1.?"}[2m]))', start=self.now - 600, end=self.now, step=15)
            self.took.append(time.monotonic() - began)
            if reply.status != 200 or len(reply.json['data']['result']) != 2:
                self.bad.append(reply.text[:200])
            time.sleep(0.01)

    def p99_ms(self):
        return 1000 * sorted(self.took)[int(len(self.took) * 0.99)]


def resident_mib(s):
    with open('/proc/%d/status' % s.process.pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmHWM')) >> 10


def judge(path, params, statuses, reply, took):
    """None, or what is wrong."""
    if took > TIMEOUT_S + LATE_S:
        return 'took %.1f s' % took
    if statuses and reply.status not in statuses + (200,) * (200 in statuses):
        return 'status %d instead of %s' % (reply.status, statuses)
    if reply.status == 200:
        return None if json.loads(reply.body)['status'] == 'success' else 'no success'
    body = json.loads(reply.body)
    if reply.status not in ERRORS or body.get('errorType') not in ERRORS[reply.status] or not body.get('error'):
        return 'a strange error'
    return None


def test_two_hundred_hostile_queries_harm_nobody():
    with bn.Server({'query.timeout': '%ds' % TIMEOUT_S, 'query.bytes': '256MiB', 'query.samples': '5000000', 'threads': '2'}) as s:
        now = int(time.time()) // 60 * 60
        load(s, now)
        good = Good(s, now)
        good.start()
        time.sleep(1)
        alone, good.took = good.p99_ms(), []
        queries, wrong, outcomes, slowest = hostile(now), [], {}, (0, '')
        for path, params, statuses in queries:
            began = time.monotonic()
            reply = s.post('/api/v1/' + path, urllib.parse.urlencode(params), FORM)
            took = time.monotonic() - began
            slowest = max(slowest, (took, str(params)[:120]))
            outcomes[reply.status] = outcomes.get(reply.status, 0) + 1
            problem = judge(path, params, statuses, reply, took)
            if problem:
                wrong.append('%s %s: %s: %d %s' % (path, str(params)[:200], problem, reply.status, reply.text[:200]))
        good.stopped = True
        good.join()
        for line in wrong:
            print(line)
        print('%d hostile queries: %s; slowest %.1f s: %s' % (len(queries), ', '.join('%d: %d' % o for o in sorted(outcomes.items())), *slowest))
        print('a good query beside them: p99 %.0f ms in %d runs (alone %.0f ms), %d failed; memory at most %d MiB'
              % (good.p99_ms(), len(good.took), alone, len(good.bad), resident_mib(s)))
        assert len(queries) >= 200, len(queries)
        bn.eq(wrong, [])
        bn.eq(good.bad, [])
        bn.eq(s.get('/api/v1/query', query='1').status, 200)


bn.main()
