"""Metrics of spans: calls and durations per operation, with exemplars that lead back to a trace; off; over a restart."""
import time

import bn

NOW_US = int(time.time() * 1e6)
CALLS = 'traces_span_metrics_calls_total'


def push(s, service, n, name='get', ms=3, failed=False):
    spans = [{'traceId': '%032x' % (i + 1), 'spanId': '%016x' % (i + 1), 'name': name, 'kind': 2, 'startTimeUnixNano': str(NOW_US * 1000),
              'endTimeUnixNano': str((NOW_US + ms * 1000) * 1000), 'status': {'code': 2 if failed else 0}} for i in range(n)]
    bn.eq(s.post('/v1/traces', bn.otlp_spans(service, spans)).status, 200)


def ask(s, query):
    return {tuple(r['metric'].get(l, '') for l in ('service_name', 'span_name', 'status_code')): float(r['value'][1]) for r in s.get('/api/v1/query', query=query).json['data']['result']}


def test_spans_are_counted_into_metrics():
    with bn.Server({'traces.metrics-interval': '200ms'}) as s:
        push(s, 'shop', 3)
        push(s, 'shop', 2, 'put', 20000, failed=True)
        want = {('shop', 'get', 'STATUS_CODE_UNSET'): 3.0, ('shop', 'put', 'STATUS_CODE_ERROR'): 2.0}
        bn.wait_for(lambda: ask(s, CALLS) == want, 'the calls', 30, s)
        bn.eq(ask(s, 'increase(%s{span_name="get"}[1h]) > 0' % CALLS).keys(), {('shop', 'get', 'STATUS_CODE_UNSET')})
        buckets = s.get('/api/v1/query', query='traces_span_metrics_duration_milliseconds_bucket{span_name="put"}').json['data']['result']
        bn.eq({b['metric']['le']: b['value'][1] for b in buckets if b['value'][1] != '0'}, {'+Inf': '2'})
        bn.eq(len(buckets), 17)
        bn.eq(ask(s, 'traces_span_metrics_duration_milliseconds_sum'), {('shop', 'get', 'STATUS_CODE_UNSET'): 9.0, ('shop', 'put', 'STATUS_CODE_ERROR'): 40000.0})
        exemplars = s.get('/api/v1/query_exemplars', query='traces_span_metrics_duration_milliseconds_bucket', start=time.time() - 60, end=time.time() + 60).json['data']
        ids = {x['labels']['trace_id'] for e in exemplars for x in e['exemplars']}
        assert '%032x' % 3 in ids, exemplars
        bn.eq(s.get('/api/traces/' + max(ids)).status, 200)
        bn.eq(s.get('/api/v1/metadata', metric=CALLS).json['data'][CALLS][0]['type'], 'counter')
        s.conserved()


def test_a_restart_is_a_counter_reset():
    with bn.Server({'traces.metrics-interval': '1h'}) as s:
        push(s, 'shop', 3)
        bn.eq(ask(s, CALLS), {})
        s.stop()  # writes what was counted
        s.start()
        bn.eq(list(ask(s, CALLS).values()), [3.0])
        push(s, 'shop', 2)
        s.stop()
        s.start()
        bn.eq(list(ask(s, CALLS).values()), [2.0])
        bn.eq(list(ask(s, 'resets(%s[1h])' % CALLS).values()), [1.0])


def test_it_can_be_off():
    with bn.Server({'traces.metrics': 'off', 'traces.metrics-interval': '50ms'}) as s:
        push(s, 'shop', 3)
        s.stop()
        s.start()
        bn.eq(ask(s, CALLS), {})
        bn.eq(len(s.traces(service='shop')), 3)


bn.main()
