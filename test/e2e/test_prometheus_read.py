"""Remote read: what was written comes back to the bit, in both forms of the answer; bad requests are named."""
import math
import random
import socket
import struct

import bn
import promread
from promread import bits

T0 = 1_700_000_000_000
SETTINGS = {'retention.metrics': '20y'}
STALE = struct.unpack('<d', struct.pack('<Q', 0x7ff0000000000002))[0]


def histogram(t, **more):
    h = {'t': t, 'count': 12.0, 'sum': 33.25, 'schema': 1, 'zero_threshold': 2.0 ** -128, 'zero_count': 2.0, 'pos_spans': [(-2, 2), (3, 1)], 'pos': [1.0, 2.0, 3.0],
         'neg_spans': [(0, 2)], 'neg': [1.5, 2.5], 'custom': [], 'hint': 0}
    return {**h, **more}


def custom(t, n):
    return histogram(t, schema=-53, zero_threshold=0.0, zero_count=0.0, neg_spans=[], neg=[], pos_spans=[(0, 3)], pos=[n, n, n], count=3 * n,
                     custom=[0.25, 0.1 + 0.2, 1e12])


def awkward_floats():
    r = random.Random(7)
    steps = [15000] * 200 + [15001, 14999, 1, 40000, 8193, 100000, 10 ** 6, 10 ** 9, 15000, 15000]
    values = [1.0] * 130 + [float(i) for i in range(40)] + [r.random() for _ in range(20)]
    values += [math.inf, -math.inf, math.nan, STALE, 0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e-300, -1e300]
    values += [struct.unpack('<d', struct.pack('<Q', r.getrandbits(63)))[0] for _ in range(len(steps) - len(values))]
    t, out = T0, []
    for step, v in zip(steps, values):
        out.append((v, t))
        t += step
    return out


def histograms():
    counters = [histogram(T0 + i * 15000, count=12.0 + i, pos=[1.0 + i, 2.0, 3.0]) for i in range(150)]
    reset = [histogram(T0 + 3_000_000, count=4.0, pos=[0.0, 1.0, 0.0], neg=[0.5, 0.5])]
    other_layout = [histogram(T0 + 3_015_000, count=11.0, schema=0, zero_threshold=0.001, pos_spans=[(0, 1)], pos=[9.0], neg_spans=[], neg=[])]
    stale = [histogram(T0 + 3_030_000, count=0.0, zero_count=0.0, sum=STALE, schema=0, zero_threshold=0.0, pos_spans=[], pos=[], neg_spans=[], neg=[])]
    gauges = [histogram(T0 + 3_045_000 + i * 1000, hint=3, count=15.0 - i, pos=[4.0 - i, 2.0, 3.0]) for i in range(4)]
    return counters + reset + other_layout + stale + gauges + [custom(T0 + 4_000_000 + i, 1.0 + i) for i in range(3)]


def plain(samples, with_layout=True):
    """Comparable: floats as bits; of a histogram everything but the hint, of a stale one the sum alone."""
    out = []
    for t, v in samples:
        if not isinstance(v, dict):
            out.append((t, bits(v)))
        elif bits(v['sum']) == bits(STALE):
            out.append((t, 'stale'))
        else:
            out.append((t, tuple(sorted((k, repr(x)) for k, x in v.items() if k != 'hint'))))
    return out


def name_is(name):
    return [(0, 1 << 60, [('=', '__name__', name)])]


def test_gives_back_every_float_to_the_bit_in_both_forms():
    with bn.Server(SETTINGS) as s:
        written = awkward_floats()
        promread.push(s, [({'__name__': 'f', 'job': 'x'}, written, [])])
        want = plain((t, v) for v, t in written)
        for chunks in (False, True):
            (series,) = promread.read(s, name_is('f'), chunks)
            bn.eq([labels for labels, _ in series], [(('__name__', 'f'), ('job', 'x'))])
            got = plain(series[0][1])
            bn.eq(len(got), len(want))
            for g, w in zip(got, want):
                bn.eq(g, w)


def test_gives_back_native_histograms_in_both_forms():
    with bn.Server(SETTINGS) as s:
        written = histograms()
        promread.push(s, [({'__name__': 'h'}, [], written)])
        want = plain((h['t'], h) for h in written)
        for chunks in (False, True):
            (series,) = promread.read(s, name_is('h'), chunks)
            for g, w in zip(plain(series[0][1]), want):
                bn.eq(g, w, 'chunks' if chunks else 'samples')
            bn.eq(len(series[0][1]), len(want))
        hints = {h['t']: h['hint'] for _, h in series[0][1]}
        bn.eq(hints[T0 + 3_046_000], 3, 'a gauge stays one')
        bn.eq(hints[T0 + 15000], 2, 'not reset within a chunk')
        bn.eq(hints[T0 + 3_000_000], 0, 'a reset begins a chunk')


def test_answers_several_queries_with_every_kind_of_matcher():
    with bn.Server(SETTINGS) as s:
        promread.push(s, [({'__name__': 'up', 'job': j}, [(1.0, T0), (2.0, T0 + 1000)], []) for j in ('a', 'b', 'c')])
        queries = [(T0, T0, [('=', '__name__', 'up'), ('=~', 'job', 'a|b')]), (T0 + 1, T0 + 1000, [('=', '__name__', 'up'), ('!=', 'job', 'a'), ('!~', 'job', 'b.*')]),
                   (T0 + 5000, T0 + 6000, [('=', '__name__', 'up')])]
        for chunks in (False, True):
            first, second, third = promread.read(s, queries, chunks)
            bn.eq([(dict(labels)['job'], samples) for labels, samples in first], [('a', [(T0, 1.0)]), ('b', [(T0, 1.0)])])
            bn.eq([(dict(labels)['job'], samples) for labels, samples in second], [('c', [(T0 + 1000, 2.0)])])
            bn.eq(third, [])


def test_streams_more_than_a_piece():
    with bn.Server(SETTINGS) as s:
        r = random.Random(1)
        written = {}
        for i in range(40):
            samples = [(r.random(), T0 + k * 1000) for k in range(10000)]
            written[str(i)] = [(t, v) for v, t in samples]
            promread.push(s, [({'__name__': 'big', 'i': str(i)}, samples, [])])
        body = promread.post(s, promread.request(name_is('big'), (1,))).body
        assert len(body) > 2 << 20, len(body)
        bn.eq(sum(1 for _ in promread.frames(body)), 40)
        (series,) = promread.read(s, [(T0, T0 + 100_000, [('=', '__name__', 'big')])], True)
        bn.eq({dict(labels)['i']: samples for labels, samples in series}, {i: samples[:101] for i, samples in written.items()})


def stalled_client(s, body):
    """Asks for a long answer and reads only its beginning."""
    c = socket.create_connection(('127.0.0.1', s.port))
    c.sendall(b'POST /api/v1/read HTTP/1.1\r\nHost: x\r\nContent-Encoding: snappy\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
    bn.eq(c.recv(15), b'HTTP/1.1 200 OK')
    return c


def test_outlives_clients_that_stall_and_leave_and_stops_beside_them():
    s = bn.Server(SETTINGS)
    try:
        r = random.Random(3)
        for i in range(120):
            promread.push(s, [({'__name__': 'big', 'i': str(i)}, [(r.random(), T0 + k * 1000) for k in range(10000)], [])])
        body = promread.request(name_is('big'), (1,))
        leaving = [stalled_client(s, body) for _ in range(4)]
        staying = [stalled_client(s, body) for _ in range(2)]
        for c in leaving:
            c.close()
        (series,) = promread.read(s, [(T0, T0 + 5000, [('=', '__name__', 'big'), ('=', 'i', '7')])], True)
        bn.eq(len(series[0][1]), 6)
    finally:
        bn.eq(s.close(), 0)
    for c in staying:  # what they get of the rest has no proper end
        rest = b''
        try:
            while piece := c.recv(1 << 16):
                rest += piece
        except ConnectionError:
            pass
        assert not rest.endswith(b'0\r\n\r\n'), 'an answer that was cut looks whole'
        c.close()


def test_names_what_is_wrong_with_a_request():
    with bn.Server({**SETTINGS, 'query.samples': '100'}) as s:
        promread.push(s, [({'__name__': 'many'}, [(1.0, T0 + i) for i in range(101)], [])])
        for body, status, text in ((b'\xff\xff', 400, 'snappy'), (promread.snappy(b'\x0a\x7f'), 400, 'not a remote read request (at byte'),
                                   (promread.request([(0, 1, [('=~', 'a', '(')])]), 400, 'missing closing'),
                                   (promread.request([(0, 1, [])] * 65), 400, 'more than 64 queries'),
                                   (promread.request(name_is('up'), (9,)), 400, 'does not support any of the requested response types'),
                                   (promread.request(name_is('many')), 400, 'exceeded sample limit (100)')):
            reply = promread.post(s, body)
            bn.eq(reply.status, status, reply.text)
            bn.has(reply.text, text)
        (series,) = promread.read(s, name_is('many'), True)
        bn.eq(len(series[0][1]), 101)


bn.main()
