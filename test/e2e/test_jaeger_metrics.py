"""Jaeger's Monitor page (/api/metrics/*), computed from spans, and /api/transform, which stores nothing."""
import time

import bn

NOW_US = int(time.time() * 1e6)


def span(number, name, duration_us, kind=2, failed=False, start_us=NOW_US):
    return {'traceId': '%032x' % number, 'spanId': '%016x' % number, 'name': name, 'kind': kind, 'startTimeUnixNano': str(start_us * 1000),
            'endTimeUnixNano': str((start_us + duration_us) * 1000), **({'status': {'code': 2}} if failed else {})}


def values(family):
    """{(service, operation): values of the last point}."""
    out = {}
    for m in family['metrics']:
        labels = {l['name']: l['value'] for l in m['labels']}
        out[labels['service_name'], labels.get('operation')] = m['metricPoints'][-1]['gaugeValue']['doubleValue']
    return out


def refused(reply, part):
    bn.eq(reply.status, 400, reply.text)
    bn.has(reply.json['errors'][0]['msg'], part)


def test_computes_service_performance():
    with bn.Server() as s:
        spans = [span(i + 1, 'get' if i < 40 else 'put', 1000 if i < 30 else 4000, failed=i < 15) for i in range(60)]
        bn.eq(s.post('/v1/traces', bn.otlp_spans('shop', spans)).status, 200)
        bn.eq(s.post('/v1/traces', bn.otlp_spans('bank', [span(100, 'pay', 10, kind=3)])).status, 200)
        window = {'service': ['shop', 'bank'], 'endTs': NOW_US // 1000 + 1000, 'lookback': 3600000, 'step': 60000, 'ratePer': 60000}
        calls = s.get('/api/metrics/calls', **window).json
        bn.eq((calls['name'], calls['type'], calls['help']), ('service_call_rate', 'GAUGE', 'calls/sec, grouped by service'))
        bn.eq(values(calls), {('shop', None): 1})
        bn.eq(len(calls['metrics'][0]['metricPoints']), 61)
        bn.eq(calls['metrics'][0]['metricPoints'][0]['gaugeValue'], {'doubleValue': 0})
        bn.eq(values(s.get('/api/metrics/calls', spanKind='client', **window).json), {('bank', None): 1 / 60})
        bn.eq(values(s.get('/api/metrics/calls', spanKind=['client', 'SPAN_KIND_SERVER'], groupByOperation='true', **window).json),
              {('bank', 'pay'): 1 / 60, ('shop', 'get'): 40 / 60, ('shop', 'put'): 20 / 60})
        bn.eq(values(s.get('/api/metrics/errors', **window).json), {('shop', None): 0.25})
        bn.eq(values(s.get('/api/metrics/errors', groupByOperation='true', **window).json), {('shop', 'get'): 15 / 40, ('shop', 'put'): 0})
        for quantile, ms in ((0.25, 1), (0.95, 4)):
            family = s.get('/api/metrics/latencies', quantile=quantile, **window).json
            bn.eq(family['name'], 'service_latencies')
            got = values(family)['shop', None]
            assert abs(got - ms) <= ms * 0.1, (got, ms)
        bn.eq(s.get('/api/metrics/minstep').json['data'], 1)
        bn.eq(s.get('/api/metrics/calls', service='nobody').json['metrics'], [])


def test_refuses_bad_questions():
    with bn.Server() as s:
        for path, part in (('calls', 'service'), ('latencies?service=a', 'quantile'), ('latencies?service=a&quantile=2', 'quantile'), ('calls?service=a&step=0', 'step'),
                           ('calls?service=a&endTs=x', 'endTs'), ('calls?service=a&spanKind=odd', 'odd'), ('calls?service=a&step=1', 'points')):
            refused(s.get('/api/metrics/' + path), part)


def test_transforms_otlp_without_storing_it():
    with bn.Server() as s:
        spans = [span(7, 'a', 5), span(3, 'b', 5), {**span(8, 'c', 5), 'traceId': '%032x' % 7}]
        reply = s.post('/api/transform', bn.otlp_spans('shop', spans))
        bn.eq(reply.status, 200, reply.text)
        bn.eq([(t['traceID'], [x['operationName'] for x in t['spans']]) for t in reply.json['data']], [('%016x' % 7, ['a', 'c']), ('%016x' % 3, ['b'])])
        bn.eq((reply.json['total'], reply.json['errors']), (2, None))
        bn.eq(s.get('/api/traces/7').status, 404)
        bn.eq(s.post('/api/transform', {'resourceSpans': []}).json['data'], [])
        refused(s.post('/api/transform', '{"resourceSpans": [', 'application/json'), 'byte')


bn.main()
