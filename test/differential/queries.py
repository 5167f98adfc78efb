"""queries: PromQL over data.py's series, generated: every function, aggregation, operator and modifier that Prometheus 2.42 has, in several settings each.

An item is (query, its text for 2.42): they differ where a function has been renamed since. Kept out on purpose, with the reason:
* histogram_count, _sum, _fraction: native histograms, which 2.42 takes behind a flag;
* topk, bottomk over values that tie: which of them stays is not defined;
* ranges that end on a sample or an evaluation of a subquery: 2.42 counts the left end in, later versions do not;
* rates of counters near zero beside a gap: 2.42 takes the guessed zero for the extrapolation threshold, later versions take the threshold first;
* atan2 unaggregated: 2.42 forgets to drop the metric name; `offset 0s` and label names beyond [a-zA-Z0-9_], which it refuses and later versions take.

SEED and TREES choose other trees of expressions, and how many.
"""
import os
import random

RANGES = ('1m', '5m', '37m')
COUNTERS = ('requests_total{job="api"}', 'cpu_seconds_total', 'request_duration_seconds_bucket{path="/"}', 'request_duration_seconds_sum', 'rpc_duration_seconds_count', 'job_runs')
GAUGES = ('memory_bytes', 'temperature_celsius', 'queue_length', 'sparse', 'rpc_duration_seconds', 'odd_labels')
ODD = ('odd_values', 'odd_values{instance!="host-a:8080"}')
COUNTER_FUNCTIONS = ('rate', 'increase', 'irate', 'resets')
GAUGE_FUNCTIONS = ('delta', 'idelta', 'deriv', 'changes', 'avg_over_time', 'min_over_time', 'max_over_time', 'sum_over_time', 'count_over_time', 'last_over_time', 'present_over_time', 'stddev_over_time',
                   'stdvar_over_time')
MATHS = ('abs', 'ceil', 'floor', 'round', 'exp', 'ln', 'log2', 'log10', 'sqrt', 'sgn', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh', 'deg', 'rad')
DATES = ('day_of_month', 'day_of_week', 'day_of_year', 'days_in_month', 'hour', 'minute', 'month', 'year')
AGGREGATIONS = ('sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar')
MATCHERS = ('requests_total', 'requests_total{status="500"}', 'requests_total{status!="500"}', 'requests_total{path=~"/.+"}', 'requests_total{path!~"/.+"}', 'requests_total{status=~"4..|5.."}',
            'requests_total{missing=""}', 'requests_total{instance!=""}', 'requests_total{method=~"(?i:GET)",status!~"2.*"}', '{__name__=~"mem.*|temp.*"}', '{__name__="up",job!~"web"}', '{job="batch",text=~".*[ñ\\"].*"}',
            'odd_labels{text="with \\"quotes\\""}', "odd_labels{text='back\\\\slash'}", 'odd_labels{text="a.b+c(d)"}', 'odd_labels{text=~"a[.]b.*"}', 'no_such_metric', '{__name__=~".*_info"}')
MODIFIERS = ('offset 5m', 'offset 1h7m', 'offset -3m', '@ 1700003617', '@ start()', '@ end()', '@ 1700003617 offset 10m', 'offset 2m @ end()')
ARITHMETIC = ('+', '-', '*', '/', '%', '^', 'atan2')
COMPARISONS = ('==', '!=', '>', '<', '>=', '<=')


def over_time():
    for f in COUNTER_FUNCTIONS:
        for r in RANGES:
            yield from ('%s(%s[%s])' % (f, s, r) for s in COUNTERS)
    for f in GAUGE_FUNCTIONS:
        for r in RANGES:
            yield from ('%s(%s[%s])' % (f, s, r) for s in GAUGES)
        yield from ('%s(%s[3m])' % (f, s) for s in ODD if f not in ('deriv', 'stddev_over_time', 'stdvar_over_time'))
    for q in ('0', '0.5', '0.95', '1', '-1', '2'):
        yield 'quantile_over_time(%s, temperature_celsius[11m])' % q
    for s in GAUGES[:4]:
        yield 'predict_linear(%s[10m], 3600)' % s
        yield 'holt_winters(%s[10m], 0.3, 0.6)' % s
        yield 'absent_over_time(%s[5m])' % s
    yield 'absent_over_time(no_such_metric{a="b",c=~"d"}[5m])'
    yield 'quantile_over_time(scalar(up{instance="host-a:8080"}) / 2, memory_bytes[10m])'


def elementwise():
    for f in MATHS:
        yield '%s(temperature_celsius)' % f
        yield '%s(odd_values)' % f
        yield '%s(rate(cpu_seconds_total{mode="user"}[5m]))' % f
    for f in DATES:
        yield '%s()' % f
        yield '%s(last_success_timestamp_seconds)' % f
        yield '%s(vector(1709210096))' % f
    for s in GAUGES[:3] + ODD:
        yield 'clamp(%s, -1, 2.5)' % s
        yield 'clamp_min(%s, 1.5)' % s
        yield 'clamp_max(%s, 1.5)' % s
        yield 'round(%s, 0.3)' % s
        yield 'timestamp(%s)' % s
        yield '-%s' % s
    yield from ('clamp(memory_bytes, 2, 1)', 'sort(requests_total{job="web"})', 'sort_desc(cpu_seconds_total)', 'absent(no_such_metric{a="b"})', 'absent(up)', 'absent(sum(no_such_metric))',
                'scalar(up{instance="host-a:8080"})', 'scalar(up)', 'vector(scalar(temperature_celsius{instance="host-b:8080"}))', 'vector(time())', 'time()', 'pi()', 'vector(pi() * 2)', 'timestamp(-up)',
                'timestamp(timestamp(up))', 'label_replace(up, "host", "$1", "instance", "(.*):.*")', 'label_replace(up, "job", "", "instance", "host-a.*")', 'label_replace(up, "x", "$2-$1", "instance", "(host)-(.).*")',
                'label_replace(up, "instance", "no", "missing", "x")', 'label_join(up, "where", "/", "job", "instance")', 'label_join(up, "job", "", "missing")', 'label_join(requests_total{path="/"}, "x", "-", "method", "status", "job")')


def aggregations():
    groupings = ('', 'by (job) ', 'by (job, instance) ', 'without (instance) ', 'by (missing) ', 'without (job, instance, status, method, path, kind, cpu, mode) ', 'by () ')
    for f in AGGREGATIONS:
        for g in groupings:
            for s in ('requests_total', 'memory_bytes', 'rate(cpu_seconds_total[5m])'):
                yield '%s %s(%s)' % (f, g, s)
        if not f.startswith('std'):
            yield '%s(odd_values)' % f
    for q in ('0', '0.25', '0.9', '1', '-1', '3', 'NaN'):
        yield 'quantile by (job) (%s, requests_total)' % q
    for f in ('topk', 'bottomk'):
        for k in ('1', '3', '100', '0'):
            yield '%s(%s, temperature_celsius)' % (f, k)
            yield '%s by (job) (%s, rate(cpu_seconds_total[5m]))' % (f, k)
    yield from ('count_values("value", queue_length)', 'count_values by (job) ("value", up)', 'count_values without (instance, queue) ("job", queue_length)', 'sum(sum by (job) (requests_total))',
                'topk(1, sum by (job, instance) (rate(requests_total[5m])))', 'sum by (job) (rate(requests_total[5m])) * 60', 'max by (instance) (rate(requests_total[5m])) > 0.5')


def operators():
    for op in ARITHMETIC:
        made = ('memory_bytes %s 3' % op, '7 %s temperature_celsius' % op, 'temperature_celsius %s on (instance) up' % op, 'odd_values %s temperature_celsius' % op, 'odd_values %s odd_values' % op,
                    'cpu_seconds_total %s ignoring (mode) group_left cpu_seconds_total{mode="idle"}' % op, 'time() %s 1000' % op, '3 %s 2' % op)
        yield from (q if op != 'atan2' else 'sum without () (%s)' % q for q in made[:-2])
        yield from made[-2:]
    for op in COMPARISONS:
        yield from ('queue_length %s 2' % op, 'queue_length %s bool 2' % op, '2 %s queue_length' % op, '2 %s bool queue_length' % op, 'odd_values %s bool odd_values' % op, 'requests_total %s requests_total offset 5m' % op,
                    'memory_bytes{kind="heap"} %s on (job, instance) memory_bytes{kind="stack"}' % op, '3 %s bool 2' % op, 'requests_total %s on (job, instance) group_left up * 1e5' % op)
    for op in ('and', 'or', 'unless'):
        yield from ('requests_total %s requests_total{status="500"}' % op, 'up %s on (instance) temperature_celsius > 0' % op, 'memory_bytes %s ignoring (kind) up' % op, 'sparse %s on () vector(1)' % op,
                    'rate(requests_total[5m]) > 1 %s rate(requests_total[5m]) < 2' % op, 'up == 0 %s no_such_metric' % op)
    yield from ('requests_total * on (job, instance) group_left (version) build_info', 'build_info * on (job, instance) group_right (version) memory_bytes', 'up * on (instance) group_left (version, revision) build_info',
                'sum by (job) (requests_total) / on (job) group_left sum by (job) (up)', 'memory_bytes / ignoring (kind, resource) group_left limits', 'requests_total * on (job) build_info', 'up + on (job) up',
                'requests_total{status="500"} / ignoring (status) requests_total{status="200"}', '1 + 2 * 3 ^ 2 ^ 0.5 - -4 % 3', '-2 ^ 2', 'up == bool 1 + 1', 'requests_total > bool 0 == 1', '1 > 2', 'up and 1',
                'up * on (job, instance) group_left () up', 'sum(up) by (job) or vector(0)', '(up == 0) or (up * 2)', 'memory_bytes - (memory_bytes offset 10m)', 'NaN == bool NaN', 'Inf - Inf', '0x1F + 1e3', 'vector(1) / 0')


def modifiers():
    for m in MODIFIERS:
        yield from ('up %s' % m, 'rate(requests_total{method="get"}[5m] %s)' % m, 'max_over_time(temperature_celsius[10m:30s] %s)' % m, 'sum by (job) (memory_bytes %s)' % m, 'sparse %s' % m)
    yield from ('up offset 5m - up', 'rate(cpu_seconds_total[5m] offset 1h) / rate(cpu_seconds_total[5m])', 'timestamp(up offset 5m)', 'requests_total offset 1d')


def subqueries():
    for f in GAUGE_FUNCTIONS:
        yield from ('%s(temperature_celsius[10m:30s])' % f, '%s(sum by (job) (requests_total)[10m:1m])' % f, '%s(rate(requests_total{status="200",method="get"}[2m])[9m:1m])' % f)
    yield from ('max_over_time(rate(requests_total[1m])[5m:10s])', 'avg_over_time((temperature_celsius > 0)[10m:30s])', 'count_over_time((queue_length == 3)[30m:30s])', 'sum_over_time(time()[5m:30s])',
                'max_over_time(min_over_time(temperature_celsius[4m10s:30s])[20m:1m])', 'quantile_over_time(0.9, (sum(rate(requests_total[1m])))[10m:30s])', 'rate(requests_total[10m:])', 'increase(sum by (job) (requests_total)[10m:1m])', 'rate(sum(cpu_seconds_total{mode="idle"})[10m:30s])', 'avg_over_time(vector(1)[5m:1m])',
                'max_over_time(temperature_celsius[10m:1m] offset 3m)', 'last_over_time(up[10m:1m])', 'deriv(sum(memory_bytes)[15m:1m])', 'absent_over_time(no_such_metric[10m:1m])', 'present_over_time(sparse[30m:1m])')


def histograms():
    for q in ('0', '0.5', '0.9', '0.99', '1', '-0.5', '1.5', 'NaN'):
        yield from ('histogram_quantile(%s, request_duration_seconds_bucket)' % q, 'histogram_quantile(%s, rate(request_duration_seconds_bucket[5m]))' % q,
                    'histogram_quantile(%s, sum by (le) (rate(request_duration_seconds_bucket[5m])))' % q, 'histogram_quantile(%s, sum by (le, path) (increase(request_duration_seconds_bucket[10m])))' % q)
    yield from ('rate(request_duration_seconds_sum[5m]) / rate(request_duration_seconds_count[5m])', 'histogram_quantile(0.9, memory_bytes)', 'histogram_quantile(0.9, request_duration_seconds_bucket{le!="+Inf"})',
                'sum by (path) (rate(request_duration_seconds_bucket{le="0.1"}[5m])) / sum by (path) (rate(request_duration_seconds_count[5m]))', 'histogram_quantile(scalar(up{job="web"}) * 0.5, request_duration_seconds_bucket)')


def wrong():
    """What both must refuse, with the same kind of error."""
    yield from ('rate(up)', 'sum(', 'up{', 'up[5m]', '{}', '{a=~".*"}', 'no_such_function(up)', 'rate(up[5m:])[', 'sum by (job) up', 'up + "a"', 'topk(up, up)', 'label_replace(up, "a", "$1", "job", "(")',
                'up offset up', '1 == 2', 'up == bool', 'abs(1)', 'vector(up)', 'clamp(up)', 'histogram_quantile(up, up)', 'up @ foo', '"text" + 1', 'up on (job) up', 'up[0s]', 'up[5m:0s]')


# --- trees of expressions, from a fixed seed

PLAIN = ('requests_total', 'requests_total{job="api",path!="/pay"}', 'cpu_seconds_total{mode!="idle"}', 'memory_bytes', 'temperature_celsius', 'queue_length', 'up', 'sparse', 'rpc_duration_seconds{quantile="0.9"}',
         'request_duration_seconds_count', 'request_duration_seconds_bucket{path="/items"}', 'build_info', 'limits', 'last_success_timestamp_seconds', 'job_runs')
LABELS = ('job', 'instance', 'path', 'method', 'status', 'kind', 'cpu', 'mode', 'queue')


def leaf(rnd):
    """An instant vector, straight from series."""
    s = rnd.choice(PLAIN)
    moved = rnd.choice(('', '', '', ' offset 4m', ' offset 31m', ' @ 1700003617', ' @ end()'))
    kind = rnd.randrange(4)
    if kind == 0:
        return s + moved
    f = rnd.choice(('rate', 'increase') if '_total' in s or '_count' in s or '_bucket' in s else GAUGE_FUNCTIONS)
    if kind == 1 and f in ('max_over_time', 'min_over_time', 'avg_over_time', 'count_over_time'):
        return '%s(%s[%s]%s)' % (f, s, rnd.choice(('7m:30s', '13m:1m')), moved)
    return '%s(%s[%s]%s)' % (f, s, rnd.choice(('2m', '5m', '10m')), moved)


def grouping(rnd):
    names = ', '.join(sorted(rnd.sample(LABELS, rnd.randrange(4))))
    return rnd.choice((' by (%s)' % names, ' by (%s)' % names, ' without (%s)' % names, ''))


def tree(rnd, depth):
    """An instant vector. Nothing that jumps (%, round, floor): it would make a difference in the last bit a whole one."""
    if depth == 0:
        return leaf(rnd)
    kind = rnd.randrange(7)
    if kind < 2:
        return '%s%s (%s)' % (rnd.choice(('sum', 'max', 'min', 'avg', 'count', 'group')), grouping(rnd), tree(rnd, depth - 1))
    if kind == 2:
        return '%s(%s)' % (rnd.choice(('abs', 'sgn', 'sqrt', 'ln', 'exp', 'timestamp')), tree(rnd, depth - 1))
    if kind == 3:
        return '(%s) %s %s' % (tree(rnd, depth - 1), rnd.choice(('+', '-', '*', '/', '>', '<=', '== bool', '> bool')), rnd.choice(('2', '0.5', '100', 'time()', 'scalar(up{job="web"})')))
    if kind == 4:
        return '(%s) %s (%s)' % (tree(rnd, depth - 1), rnd.choice(('and', 'or', 'unless')) + rnd.choice(('', ' on (job, instance)', ' ignoring (path)')), tree(rnd, depth - 1))
    if kind == 5:
        both = rnd.choice(('job', 'job, instance'))
        one = rnd.choice(('sum by (%s) (%s)', 'max by (%s) (%s)')) % (both, tree(rnd, depth - 1))
        return '(%s) %s on (%s) group_left () (%s)' % (tree(rnd, depth - 1), rnd.choice(('+', '-', '*', '/', '>', '!=')), both, one)
    return 'label_replace(%s, "new", "$1-x", "%s", "(.*)")' % (tree(rnd, depth - 1), rnd.choice(LABELS))


def trees():
    rnd = random.Random(int(os.environ.get('SEED', '7')))
    return (tree(rnd, rnd.randrange(1, 4)) for _ in range(int(os.environ.get('TREES', '500'))))


KINDS = (over_time, elementwise, aggregations, operators, modifiers, subqueries, histograms, wrong, lambda: MATCHERS, trees)


def generate():
    """[(query for binnacle, query for Prometheus 2.42)], each once, always in the same order."""
    seen = {}
    for kind in KINDS:
        for q in kind():
            seen.setdefault(q, q.replace('holt_winters(', 'double_exponential_smoothing('))
    return [(ours, theirs) for theirs, ours in seen.items()]
