"""Remote write 1.0 and 2.0 as a receiver: what the compliance suite of Prometheus' remote write asks, as HTTP cases. Every case asserts the status, the
X-Prometheus-Remote-Write-*-Written headers, what can be queried afterwards, and that nothing was lost uncounted."""
import json
import struct
import time

import bn
import wire

NOW = int(time.time() * 1000)
V1, V2 = 'application/x-protobuf', 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
STALE = struct.unpack('<d', struct.pack('<Q', 0x7ff0000000000002))[0]
COUNTER, GAUGE, HISTOGRAM, SUMMARY = 1, 2, 3, 5


# --- requests

def sample(v, t=NOW, start=0):
    return [(1, 'double', v), (2, 'varint', t)] + ([(3, 'varint', start)] if start else [])


def packed_doubles(values):
    return struct.pack('<%dd' % len(values), *values)


def histogram(count=7, total=2.5, t=NOW, schema=3, zero=2, positive=(-2, [2, 3]), negative=None, as_floats=False, hint=0, start=0, custom=None):
    """positive and negative: (offset, [counts])."""
    h = [(3, 'double', total), (4, 'varint', wire.sint(schema)), (14, 'varint', hint), (15, 'varint', t)]
    if schema != -53:
        h.append((5, 'double', 0.001))
    h += [(2, 'double', count), (7, 'double', zero)] if as_floats else [(1, 'varint', count), (6, 'varint', zero)]
    for span, deltas, floats, side in ((8, 9, 10, negative), (11, 12, 13, positive)):
        if not side:
            continue
        h.append((span, 'msg', [(1, 'varint', wire.sint(side[0])), (2, 'varint', len(side[1]))]))
        differences = [b - a for a, b in zip([0] + side[1], side[1])]
        h.append((floats, 'bytes', packed_doubles(side[1])) if as_floats else (deltas, 'bytes', b''.join(wire.varint(wire.sint(d)) for d in differences)))
    if custom:
        h.append((16, 'bytes', packed_doubles(custom)))
    if start:
        h.append((17, 'varint', start))
    return h


class Symbols:
    def __init__(self):
        self.list = ['']

    def ref(self, s):
        if s not in self.list:
            self.list.append(s)
        return self.list.index(s)

    def labels(self, pairs):
        return b''.join(wire.varint(self.ref(x)) for pair in pairs for x in pair)


def request_2(*series):
    """series: dicts with labels (list of pairs), samples, histograms, exemplars [(labels, v, t)], metadata (type, help, unit)"""
    symbols, out = Symbols(), []
    for s in series:
        fields = [(1, 'bytes', symbols.labels(s['labels']))]
        fields += [(2, 'msg', x) for x in s.get('samples', ())] + [(3, 'msg', x) for x in s.get('histograms', ())]
        fields += [(4, 'msg', [(1, 'bytes', symbols.labels(l)), (2, 'double', v), (3, 'varint', t)]) for l, v, t in s.get('exemplars', ())]
        if 'metadata' in s:
            kind, text, unit = s['metadata']
            fields.append((5, 'msg', [(1, 'varint', kind), (3, 'varint', symbols.ref(text)), (4, 'varint', symbols.ref(unit))]))
        out.append((5, 'msg', fields))
    return wire.pb([(4, 'bytes', x) for x in symbols.list] + out)


def request_1(*series):
    label = lambda pair: (1, 'msg', [(1, 'bytes', pair[0]), (2, 'bytes', pair[1])])
    out = []
    for s in series:
        fields = [label(p) for p in s['labels']] + [(2, 'msg', x) for x in s.get('samples', ())] + [(4, 'msg', x) for x in s.get('histograms', ())]
        fields += [(3, 'msg', [label(p) for p in l] + [(2, 'double', v), (3, 'varint', t)]) for l, v, t in s.get('exemplars', ())]
        out.append((1, 'msg', fields))
        if 'metadata' in s:
            kind, text, unit = s['metadata']
            out.append((3, 'msg', [(1, 'varint', kind), (2, 'bytes', dict(s['labels'])['__name__']), (4, 'bytes', text), (5, 'bytes', unit)]))
    return wire.pb(out)


def named(name, *labels, **rest):
    return {'labels': [('__name__', name)] + list(labels), **rest}


def send(s, body, content_type=V2, **headers):
    headers = {'Content-Encoding': 'snappy', 'X-Prometheus-Remote-Write-Version': '2.0.0' if content_type == V2 else '0.1.0', **headers}
    return s.post('/api/v1/write', wire.snappy(body), content_type, headers)


def written(reply):
    return tuple(int(reply.headers['X-Prometheus-Remote-Write-%s-Written' % kind]) for kind in ('Samples', 'Histograms', 'Exemplars'))


def taken(s, reply, counts):
    bn.eq((reply.status, written(reply)), (204, counts), reply.text)
    s.conserved()


def refused(s, reply, why, counts=(0, 0, 0), status=400):
    bn.eq((reply.status, written(reply)), (status, counts), reply.text)
    bn.has(reply.text, why)
    s.conserved()


def value(s, query, t=NOW):
    result = s.get('/api/v1/query', query=query, time=t / 1000).json['data']['result']
    return result[0]['value'][1] if result else None


def native(s, query, t=NOW):
    return s.get('/api/v1/query', query=query, time=t / 1000).json['data']['result'][0]['histogram'][1]


def export(s, selector):
    return [json.loads(line) for line in s.get('/api/v1/export', **{'match[]': selector}).text.splitlines()]


# --- samples

def test_samples_of_every_kind_of_value():
    with bn.Server() as s:
        values = {'zero': 0.0, 'negative': -1.5, 'tiny': 5e-324, 'huge': 1.7976931348623157e308, 'inf': float('inf'), 'minus_inf': float('-inf'), 'nan': float('nan')}
        taken(s, send(s, request_2(*[named('v_' + k, samples=[sample(v)]) for k, v in values.items()])), (7, 0, 0))
        bn.eq({k: value(s, 'v_' + k) for k in values}, {'zero': '0', 'negative': '-1.5', 'tiny': '5e-324', 'huge': '1.7976931348623157e+308', 'inf': '+Inf',
                                                 'minus_inf': '-Inf', 'nan': 'NaN'})


def test_many_samples_and_many_series():
    with bn.Server() as s:
        series = [named('m', ('i', str(i)), samples=[sample(i, NOW + k) for k in range(5)]) for i in range(300)]
        taken(s, send(s, request_2(*series)), (1500, 0, 0))
        bn.eq(value(s, 'count(m)'), '300')
        bn.eq(value(s, 'sum(count_over_time(m[1m]))', NOW + 10), '1500')


def test_staleness_markers_end_a_series():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('m', samples=[sample(1, NOW - 2000), sample(STALE, NOW - 1000)]))), (2, 0, 0))
        bn.eq((value(s, 'm', NOW - 1500), value(s, 'm', NOW)), ('1', None))


def test_start_timestamps_are_kept():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('c_total', samples=[sample(5, NOW, NOW - 60000)]), named('h', histograms=[histogram(start=NOW - 30000)]))), (1, 1, 0))
        bn.eq(export(s, 'c_total')[0]['start_timestamps'], [NOW - 60000])
        bn.eq(export(s, 'h')[0]['start_timestamps'], [NOW - 30000])


def test_the_same_sample_again_is_accepted():
    with bn.Server() as s:
        body = request_2(named('m', samples=[sample(1)]))
        taken(s, send(s, body), (1, 0, 0))
        taken(s, send(s, body), (1, 0, 0))
        bn.eq(value(s, 'm'), '1')


def test_another_value_at_the_same_time_is_refused():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('m', samples=[sample(1)]))), (1, 0, 0))
        refused(s, send(s, request_2(named('m', samples=[sample(2)]))), 'duplicate sample for timestamp')
        bn.eq(value(s, 'm'), '1')


def test_older_samples_are_refused_without_a_window():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('m', samples=[sample(1)]))), (1, 0, 0))
        refused(s, send(s, request_2(named('m', samples=[sample(2, NOW - 1000)]))), 'out of order sample')


def test_older_samples_are_taken_within_the_window():
    with bn.Server({'metrics.out-of-order': '10m'}) as s:
        taken(s, send(s, request_2(named('m', samples=[sample(3, NOW)]))), (1, 0, 0))
        taken(s, send(s, request_2(named('m', samples=[sample(1, NOW - 60000)]))), (1, 0, 0))
        taken(s, send(s, request_2(named('m', samples=[sample(2, NOW - 30000)]))), (1, 0, 0))
        taken(s, send(s, request_2(named('m', samples=[sample(2, NOW - 30000)]))), (1, 0, 0))  # the same again
        refused(s, send(s, request_2(named('m', samples=[sample(9, NOW - 30000)]))), 'duplicate sample')
        refused(s, send(s, request_2(named('m', samples=[sample(0, NOW - 3600000)]))), 'out of order sample')
        line = export(s, 'm')[0]
        bn.eq((line['timestamps'], line['values']), ([NOW - 60000, NOW - 30000, NOW], [1, 2, 3]))
        s.kill()
        s.start()
        line = export(s, 'm')[0]
        bn.eq((line['timestamps'], line['values']), ([NOW - 60000, NOW - 30000, NOW], [1, 2, 3]), 'after kill -9')


def test_a_partial_write_says_what_was_written():
    with bn.Server() as s:
        body = request_2(named('good', samples=[sample(1), sample(2, NOW + 1)]), {'labels': [('a', 'no name')], 'samples': [sample(1)] * 3},
                         named('h', histograms=[histogram()], exemplars=[([('trace_id', 'x')], 1.0, NOW)]),
                         named('bad_h', histograms=[histogram(count=1)]))
        reply = send(s, body)
        bn.eq((reply.status, written(reply)), (400, (2, 1, 1)), reply.text)
        bn.eq((value(s, 'good', NOW + 1), value(s, 'count({a="no name"})')), ('2', None))
        c = s.counters()
        bn.eq((c['binnacle_stored_total{signal="metrics"}'], c['binnacle_rejected_total{signal="metrics"}']), (3, 4))
        s.conserved()


def test_series_beyond_the_limit_do_not_hold_up_the_others():
    with bn.Server({'limit.series': '1', 'host': 'off'}) as s:
        taken(s, send(s, request_2(named('known', samples=[sample(1)]))), (1, 0, 0))
        reply = send(s, request_2(named('known', samples=[sample(2, NOW + 1)]), named('more', samples=[sample(1)])))
        bn.eq((reply.status, written(reply)), (400, (1, 0, 0)), reply.text)
        bn.has(reply.text, 'the limit of 1 active series is reached')
        reply = send(s, request_2(named('more', samples=[sample(1)])))
        bn.eq((reply.status, written(reply)), (400, (0, 0, 0)), 'nothing to be sent again')
        bn.eq(s.counters()['binnacle_dropped_total{signal="metrics"}'], 2)
        s.conserved()


def test_a_series_of_nothing_is_refused():
    with bn.Server() as s:
        refused(s, send(s, request_2(named('m', metadata=(COUNTER, 'm', '')), named('good', samples=[sample(1)]))), 'a series without a sample or histogram', (1, 0, 0))


# --- labels

def test_labels_come_in_any_order():
    with bn.Server() as s:
        taken(s, send(s, request_2({'labels': [('z', '1'), ('__name__', 'm'), ('a', '2')], 'samples': [sample(1)]})), (1, 0, 0))
        bn.eq(list(s.samples('m')), [frozenset({'__name__': 'm', 'z': '1', 'a': '2'}.items())])


def test_special_characters_in_labels():
    with bn.Server() as s:
        odd = {'utf8': 'grüße 日本 🎉', 'quotes': 'a"b\'c', 'back': 'a\\b', 'line': 'a\nb\tc', 'blank': '  ', 'nul': 'a\0b'}
        taken(s, send(s, request_2(named('m', *odd.items(), samples=[sample(1)]))), (1, 0, 0))
        bn.eq(dict(list(s.samples('m'))[0]), {'__name__': 'm', **odd})


def test_utf8_names():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('my.metric größe', ('label.x', 'v'), samples=[sample(1)]))), (1, 0, 0))
        bn.eq(value(s, '{"my.metric größe","label.x"="v"}'), '1')


def test_empty_values_are_absent_labels():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('m', ('gone', ''), ('a', 'b'), samples=[sample(1)]))), (1, 0, 0))
        bn.eq(dict(list(s.samples('m'))[0]), {'__name__': 'm', 'a': 'b'})


def test_wrong_labels_are_refused():
    cases = [([('a', 'b')], 'without a metric name'), ([('__name__', 'm'), ('a', '1'), ('a', '2')], 'a'), ([('__name__', '')], 'without a metric name'),
             ([('__name__', 'm'), ('', 'x')], 'empty')]
    with bn.Server() as s:
        for labels, why in cases:
            refused(s, send(s, request_2({'labels': labels, 'samples': [sample(1)]})), why)
        bad = wire.pb([(4, 'bytes', ''), (4, 'bytes', '__name__'), (4, 'bytes', b'\xff\xfe'), (5, 'msg', [(1, 'bytes', b'\1\2'), (2, 'msg', sample(1))])])
        refused(s, send(s, bad), 'UTF-8')


def test_references_beyond_the_symbols_or_without_a_partner_are_refused():
    with bn.Server() as s:
        for refs in (b'\1\7', b'\1\2\1'):
            bad = wire.pb([(4, 'bytes', ''), (4, 'bytes', '__name__'), (4, 'bytes', 'm'), (5, 'msg', [(1, 'bytes', refs), (2, 'msg', sample(1))])])
            reply = send(s, bad)
            bn.eq((reply.status, written(reply)), (400, (0, 0, 0)))
            s.conserved()


# --- native histograms

def test_integer_histograms():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('h', histograms=[histogram(9, negative=(0, [2]))]))), (0, 1, 0))
        h = native(s, 'h')
        bn.eq((h['count'], h['sum'], [b[3] for b in h['buckets']]), ('9', '2.5', ['2', '2', '2', '3']))


def test_float_histograms():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('h', histograms=[histogram(7.5, zero=1.5, positive=(0, [2.25, 3.75]), as_floats=True)]))), (0, 1, 0))
        bn.eq([b[3] for b in native(s, 'h')['buckets']], ['1.5', '2.25', '3.75'])


def test_custom_buckets():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('h', histograms=[histogram(6, schema=-53, zero=0, positive=(0, [1, 2, 3]), custom=[0.5, 1.0])]))), (0, 1, 0))
        bn.eq([b[1:] for b in native(s, 'h')['buckets']], [['-Inf', '0.5', '1'], ['0.5', '1', '2'], ['1', '+Inf', '3']])


def test_reset_hints_and_gauge_histograms():
    with bn.Server() as s:
        taken(s, send(s, request_2(*[named('h', ('hint', str(i)), histograms=[histogram(hint=i)]) for i in range(4)])), (0, 4, 0))
        bn.eq([line['histograms'][0]['reset'] for line in export(s, 'h')],
              ['unknown', 'yes', 'unknown', 'gauge'])  # "no reset" is not believed: a sample between may be lost


def test_a_stale_histogram_ends_a_series():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('h', histograms=[histogram(t=NOW - 1000), [(3, 'double', STALE), (15, 'varint', NOW)]]))), (0, 2, 0))
        bn.eq(s.get('/api/v1/query', query='h', time=NOW / 1000).json['data']['result'], [])


def test_wrong_histograms_are_refused():
    cases = [(histogram(schema=9), 'schema 9'), (histogram(count=5), 'the count is 5'), (histogram(positive=(0, [1, 2, -1]), count=4), 'negative count'),
             (histogram(schema=-53, zero=0, count=5, positive=(0, [2, 3]), custom=[2.0, 1.0]), 'custom bound'),
             (histogram(schema=-53, zero=0, count=5, positive=(5, [2, 3]), custom=[1.0]), 'custom bucket'),
             (histogram()[:-1] + [(12, 'bytes', b'\2')], 'counts were given')]
    with bn.Server() as s:
        for h, why in cases:
            refused(s, send(s, request_2(named('h', histograms=[h]))), why)


# --- exemplars and metadata

def test_exemplars():
    with bn.Server() as s:
        x = [([('trace_id', 'abc'), ('span', '1')], 0.5, NOW - 5), ([('trace_id', 'def')], 0.7, NOW)]
        taken(s, send(s, request_2(named('c_total', samples=[sample(1)], exemplars=x), named('h', histograms=[histogram()], exemplars=x[:1]))), (1, 1, 3))
        found = {e['seriesLabels']['__name__']: [y['labels'] for y in e['exemplars']]
                 for e in s.get('/api/v1/query_exemplars', query='{__name__=~"c_total|h"}', start=NOW / 1000 - 60, end=NOW / 1000 + 60).json['data']}
        bn.eq(found, {'c_total': [{'trace_id': 'abc', 'span': '1'}, {'trace_id': 'def'}], 'h': [{'trace_id': 'abc', 'span': '1'}]})


def test_metadata_comes_with_its_series():
    with bn.Server() as s:
        series = [named('a_total', samples=[sample(1)], metadata=(COUNTER, 'Things done.', '')), named('b_seconds', samples=[sample(1)], metadata=(GAUGE, 'Längë', 'seconds')),
                  named('h', histograms=[histogram()], metadata=(HISTOGRAM, '', ''))]
        taken(s, send(s, request_2(*series)), (2, 1, 0))
        got = s.get('/api/v1/metadata').json['data']
        bn.eq({k: got[k] for k in ('a_total', 'b_seconds', 'h')},
              {'a_total': [{'type': 'counter', 'help': 'Things done.', 'unit': ''}], 'b_seconds': [{'type': 'gauge', 'help': 'Längë', 'unit': 'seconds'}],
               'h': [{'type': 'histogram', 'help': '', 'unit': ''}]})


def test_all_of_it_in_one_request():
    with bn.Server() as s:
        x = [([('trace_id', 'abc')], 0.5, NOW)]
        taken(s, send(s, request_2(named('m', samples=[sample(1), sample(2, NOW + 1)], exemplars=x, metadata=(COUNTER, 'm', '')),
                                   named('h', histograms=[histogram(), histogram(t=NOW + 1, as_floats=True)], exemplars=x, metadata=(HISTOGRAM, 'h', '')))), (2, 2, 2))


# --- the protocol

def test_content_types():
    with bn.Server() as s:
        good_1, good_2 = request_1(named('one', samples=[sample(1)])), request_2(named('two', samples=[sample(1)]))
        accepted = [(V1, good_1), ('application/x-protobuf;proto=prometheus.WriteRequest', good_1), (V2, good_2),
                    ('application/x-protobuf; proto=io.prometheus.write.v2.Request', good_2)]
        for content_type, body in accepted:
            bn.eq(send(s, body, content_type).status, 204, content_type)
        for content_type in ('application/json', 'text/plain', 'application/x-protobuf;proto=io.prometheus.write.v3.Request', 'x'):
            bn.eq(send(s, good_2, content_type).status, 415, content_type)
        bn.eq(value(s, 'count({__name__=~"one|two"})'), '2')
        s.conserved()


def test_content_encodings():
    with bn.Server() as s:
        body = request_2(named('m', samples=[sample(1)]))
        bn.eq(send(s, body, **{'Content-Encoding': 'br'}).status, 415)
        bn.eq(s.post('/api/v1/write', body, V2, {'Content-Encoding': 'snappy'}).status, 400)  # it is not
        s.conserved()


def test_bodies_that_cannot_be_read():
    with bn.Server() as s:
        for body in (b'\xff\xff\xff', wire.pb([(5, 'bytes', b'\x0a\x05ab')]), request_2(named('m', samples=[sample(1)]))[:-3]):
            reply = send(s, body)
            bn.eq((reply.status, written(reply)), (400, (0, 0, 0)), reply.text)
        bn.eq(s.post('/api/v1/write', b'', V2, {'Content-Encoding': 'snappy'}).status, 400)
        bn.eq(s.counters()['binnacle_unreadable_total{signal="metrics"}'], 4)
        s.conserved()


def test_an_empty_request_is_nothing():
    with bn.Server() as s:
        taken(s, send(s, b''), (0, 0, 0))
        taken(s, send(s, request_2()), (0, 0, 0))


def test_only_post():
    with bn.Server() as s:
        bn.eq(s.get('/api/v1/write').status, 405)


def test_a_request_that_is_too_large():
    with bn.Server() as s:
        reply = s.post('/api/v1/write', wire.varint(300 << 20) + b'\0\0', V2, {'Content-Encoding': 'snappy'})
        bn.eq(reply.status, 413, reply.text)


# --- 1.0

def test_version_1_samples_histograms_exemplars_metadata():
    with bn.Server() as s:
        body = request_1(named('m', ('z', '1'), ('a', '2'), samples=[sample(1), sample(2, NOW + 1)], exemplars=[([('trace_id', 'x')], 1.0, NOW)],
                               metadata=(COUNTER, 'help', 'unit')),
                         named('h', histograms=[histogram(), histogram(t=NOW + 1, as_floats=True)]))
        taken(s, send(s, body, V1), (2, 2, 1))
        bn.eq((value(s, 'm', NOW + 1), native(s, 'h', NOW + 1)['count']), ('2', '7'))
        bn.eq(s.get('/api/v1/metadata', metric='m').json['data']['m'], [{'type': 'counter', 'help': 'help', 'unit': 'unit'}])


def test_version_1_wrong_series():
    with bn.Server() as s:
        refused(s, send(s, request_1({'labels': [('a', 'b')], 'samples': [sample(1)]}, named('good', samples=[sample(1)])), V1), 'without a metric name', (1, 0, 0))
        refused(s, send(s, request_1(named('m', ('a', '1'), ('a', '2'), samples=[sample(1)])), V1), 'a')


def test_everything_is_there_after_kill_9():
    with bn.Server() as s:
        taken(s, send(s, request_2(named('m', samples=[sample(1, NOW, NOW - 1000)], exemplars=[([('trace_id', 'abc')], 0.5, NOW)], metadata=(COUNTER, 'm', '')),
                                   named('h', histograms=[histogram(hint=2, start=NOW - 500)]))), (1, 1, 1))
        before = export(s, '{__name__=~"m|h"}')
        s.kill()
        s.start()
        bn.eq(export(s, '{__name__=~"m|h"}'), before)
        bn.eq(len(s.get('/api/v1/query_exemplars', query='m', start=NOW / 1000 - 60, end=NOW / 1000 + 60).json['data']), 1)


bn.main()
