"""data: two hours of series of every kind that PromQL treats in its own way, always the same, as remote write bodies.

Counters with resets, gaps and stale markers; gauges that are negative, NaN or infinite; integers with ties; histograms, a summary, info series to join;
series that come and go; label values with quotes and beyond ASCII. Samples are 15 s apart at 7.3 s, 3.1 s or 11.9 s past: never on a whole second, so that
no range with whole seconds ends on one (Prometheus 2.42 counts the left end of a range in, later versions do not).
"""
import random
import struct

from wire import pb

START_MS, STEP_MS, STEPS = 1700000000000 // 60000 * 60000, 15000, 480
STALE = struct.unpack('<d', struct.pack('<Q', 0x7ff0000000000002))[0]
NAN = struct.unpack('<d', struct.pack('<Q', 0x7ff8000000000001))[0]
INSTANCES = (('api', 'host-a:8080', 7300), ('api', 'host-b:8080', 3100), ('web', 'host-c:9000', 11900))
BOUNDS = ('0.005', '0.01', '0.025', '0.1', '0.25', '1', '5', '+Inf')


def counter(rnd, rate, start, decimals=0, reset_at=()):
    """Grows by about rate a step; falls to nearly nothing at the steps of reset_at."""
    v, out = start, []
    for i in range(STEPS):
        v = rnd.random() * rate if i in reset_at else v + rnd.random() * 2 * rate
        out.append(float(int(v)) if decimals == 0 else round(v, decimals))
    return out


def walk(rnd, start, step, decimals):
    v, out = start, []
    for _ in range(STEPS):
        v += (rnd.random() - .5) * step
        out.append(round(v, decimals))
    return out


def without(values, *holes):
    """Steps [from, to) of each hole have no sample; a third element puts a stale marker at its beginning."""
    for first, last, *stale in holes:
        for i in range(first, last):
            values[i] = None
        if stale:
            values[first] = STALE
    return values


def histogram(rnd, series, base, labels, rate):
    counts, total, seconds = [9000 + 1000 * i for i in range(len(BOUNDS))], 16000, 800.
    columns = [[] for _ in range(len(BOUNDS) + 2)]
    for _ in range(STEPS):
        for _ in range(rnd.randrange(1, 2 * rate)):
            v = rnd.lognormvariate(-3, 1.3)
            first = next(i for i, b in enumerate(BOUNDS) if v <= float(b))
            for i in range(first, len(BOUNDS)):
                counts[i] += 1
            total, seconds = total + 1, seconds + v
        for i, c in enumerate(counts):
            columns[i].append(float(c))
        columns[-2].append(float(total))
        columns[-1].append(round(seconds, 9))
    for i, bound in enumerate(BOUNDS):
        series.append(({**labels, '__name__': base + '_bucket', 'le': bound}, columns[i]))
    series.append(({**labels, '__name__': base + '_count'}, columns[-2]))
    series.append(({**labels, '__name__': base + '_sum'}, columns[-1]))


def of_instance(rnd, n, base):
    """All series of one instance: [(labels, value a step or None)]."""
    out = []

    def add(name, values, **labels):
        out.append(({**base, '__name__': name, **labels}, values))

    for method in ('get', 'post'):
        for path in ('/', '/items', '/pay'):
            for status in ('200', '404', '500'):
                values = counter(rnd, {'200': 40, '404': 3, '500': 1}[status], 5000 + rnd.randrange(10**6), reset_at=(133, 340) if n == 1 else ())
                add('requests_total', without(values, *(((200, 215),) if path == '/pay' and n == 2 else ())), method=method, path=path, status=status)
    for cpu in ('0', '1'):
        for mode in ('idle', 'user', 'system'):
            add('cpu_seconds_total', counter(rnd, {'idle': 12, 'user': 2, 'system': .8}[mode], rnd.random() * 1e5, 2, (250,) if n == 0 else ()), cpu=cpu, mode=mode)
    for path in ('/', '/items', '/pay'):
        histogram(rnd, out, 'request_duration_seconds', {**base, 'path': path}, 8)
    for kind in ('heap', 'stack', 'cache'):
        add('memory_bytes', [float(int(v / 4096) * 4096) for v in walk(rnd, 2e8 + 1e8 * n, 3e6, 0)], kind=kind)
    add('temperature_celsius', walk(rnd, -2, 3, 3))
    add('queue_length', [float(rnd.randrange(4)) for _ in range(STEPS)], queue='mail')
    add('queue_length', [float(rnd.randrange(40)) for _ in range(STEPS)], queue='orders')
    add('up', [0. if n == 1 and 100 <= i < 130 else 1. for i in range(STEPS)])
    add('build_info', [1.] * STEPS, version=('1.2.3', '1.2.4', '2.0.0')[n], revision='r%d' % n)
    add('last_success_timestamp_seconds', [float((START_MS + i // 40 * 40 * STEP_MS) // 1000) for i in range(STEPS)])
    for q in ('0.5', '0.9', '0.99'):
        add('rpc_duration_seconds', [NAN if i < 40 else v for i, v in enumerate(walk(rnd, 1 + float(q), .05, 9))], quantile=q)
    add('rpc_duration_seconds_count', counter(rnd, 9, 10000))
    add('rpc_duration_seconds_sum', counter(rnd, 4.5, 10000, 9))
    add('odd_values', [(NAN, float('inf'), float('-inf'), -0.0, 1e-300, 1e300, -1.5, 7.0)[(i + n) % 8] for i in range(STEPS)])
    add('sparse', without(walk(rnd, 100, 10, 2), (20, 60), (61, 95), (200, 290, 'stale'), (300, 301, 'stale')))
    return out


def series():
    """[(labels, values, phase in ms)], a value a step."""
    rnd, out = random.Random(42), []
    for n, (job, instance, phase) in enumerate(INSTANCES):
        out += [(labels, values, phase) for labels, values in of_instance(rnd, n, {'job': job, 'instance': instance})]
    out += [({'__name__': 'job_runs', 'job': 'batch', 'instance': 'cron', 'run': str(i)}, without(counter(rnd, 5, 100), (0, i * 60), (i * 60 + 70, STEPS, 'stale')), 7300) for i in range(6)]
    out += [({'__name__': 'odd_labels', 'job': 'batch', 'instance': 'cron', 'text': text}, walk(rnd, 10, 1, 4), 7300) for text in ('plain', 'with "quotes"', 'back\\slash', 'línea ñ 線', 'a.b+c(d)')]
    out += [({'__name__': 'limits', 'job': job, 'instance': instance, 'resource': r}, [500. + n * 100 + i for i in range(STEPS)], phase)
            for n, (job, instance, phase) in enumerate(INSTANCES) for r in ('memory',)]
    return out


def snappy(data):
    """Snappy's block format with literals alone."""
    n, head = len(data), bytearray()
    while n > 127:
        head.append(n & 127 | 128)
        n >>= 7
    out = [bytes(head) + bytes([n])]
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out.append(b'\xf4' + struct.pack('<H', len(piece) - 1) + piece)
    return b''.join(out)


def bodies():
    """WriteRequests in order of time, ten steps each."""
    made = [(pb([(1, 'msg', [(1, 'bytes', k), (2, 'bytes', v)]) for k, v in sorted(labels.items())]), values, phase) for labels, values, phase in series()]
    for first in range(0, STEPS, 10):
        request = []
        for labels, values, phase in made:
            samples = [(2, 'msg', [(1, 'double', values[i]), (2, 'varint', START_MS + phase + i * STEP_MS)]) for i in range(first, min(first + 10, STEPS)) if values[i] is not None]
            if samples:
                request.append((1, 'bytes', labels + pb(samples)))
        yield snappy(pb(request))
