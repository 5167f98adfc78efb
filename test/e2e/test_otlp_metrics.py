"""OTLP metrics over HTTP and gRPC: every kind of metric, both temporalities, the translation strategies, promoted attributes, partial success."""
import json
import time

import bn
import h2
import wire

NOW_MS = int(time.time() * 1000)
NOW_NS = NOW_MS * 1000000
EXPORT = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
DELTA, CUMULATIVE = 1, 2


def attributes(attrs):
    return [{'key': k, 'value': {'stringValue': v}} for k, v in attrs.items()]


def point(t_ms=NOW_MS, start_ms=NOW_MS - 60000, attrs=(), **fields):
    return {'timeUnixNano': str(t_ms * 1000000), 'startTimeUnixNano': str(start_ms * 1000000), 'attributes': attributes(dict(attrs)), **fields}


def request(*metrics, **resource):
    resource = {'service.name': 'cart', 'service.namespace': 'shop', 'service.instance.id': 'pod-1', **{k.replace('__', '.'): v for k, v in resource.items()}}
    return {'resourceMetrics': [{'resource': {'attributes': attributes(resource)}, 'scopeMetrics': [{'scope': {'name': 'lib'}, 'metrics': list(metrics)}]}]}


def sum_of(name, *points, temporality=CUMULATIVE, monotonic=True, unit=''):
    return {'name': name, 'unit': unit, 'sum': {'aggregationTemporality': temporality, 'isMonotonic': monotonic, 'dataPoints': list(points)}}


def exponential(*points, temporality=CUMULATIVE):
    return {'name': 'exp', 'exponentialHistogram': {'aggregationTemporality': temporality, 'dataPoints': list(points)}}


def push(s, *metrics, **resource):
    reply = s.post('/v1/metrics', request(*metrics, **resource))
    bn.eq(reply.status, 200, reply.text)
    s.conserved()
    return reply.json.get('partialSuccess')


def lines(s, selector):
    return [json.loads(line) for line in s.get('/api/v1/export', **{'match[]': selector}).text.splitlines()]


def labels(s, name):
    [found] = s.samples(name)
    return {k: v for k, v in found if k != '__name__'}


def test_every_kind_of_metric():
    with bn.Server() as s:
        hist = {'aggregationTemporality': CUMULATIVE, 'dataPoints': [point(count='6', sum=9.5, bucketCounts=['1', '2', '3'], explicitBounds=[0.5, 2])]}
        exp = point(count='9', sum=7.5, scale=3, zeroCount='2', positive={'offset': 1, 'bucketCounts': ['3', '4']})
        summary = {'dataPoints': [point(count='4', sum=8, quantileValues=[{'quantile': 0.5, 'value': 1.5}])]}
        bn.eq(push(s, {'name': 'mem.use', 'unit': 'By', 'gauge': {'dataPoints': [point(asDouble=1.5)]}}, sum_of('req', point(asInt='5')),
                   sum_of('queue', point(asInt='-3'), monotonic=False), {'name': 'lat', 'unit': 's', 'histogram': hist}, exponential(exp), {'name': 'sum', 'summary': summary},
                   k8s__pod__name='p1'), None)
        bn.eq([list(s.samples(n).values()) for n in ('mem_use_bytes', 'req_total', 'queue', 'lat_seconds_count', 'lat_seconds_sum', 'sum_count')],
              [['1.5'], ['5'], ['-3'], ['6'], ['9.5'], ['4']])
        bn.eq({dict(k)['le']: v for k, v in s.samples('lat_seconds_bucket').items()}, {'0.5': '1', '2': '3', '+Inf': '6'})
        h = s.get('/api/v1/query', query='exp').json['data']['result'][0]['histogram'][1]
        bn.eq((h['count'], h['sum'], [b[3] for b in h['buckets']]), ('9', '7.5', ['2', '3', '4']))
        bn.eq(labels(s, 'req_total'), {'job': 'shop/cart', 'instance': 'pod-1'})
        bn.eq(labels(s, 'target_info'), {'job': 'shop/cart', 'instance': 'pod-1', 'k8s_pod_name': 'p1'})
        bn.eq(lines(s, 'req_total')[0]['start_timestamps'], [NOW_MS - 60000])
        meta = s.get('/api/v1/metadata').json['data']
        bn.eq((meta['mem_use_bytes'][0]['type'], meta['mem_use_bytes'][0]['unit'], meta['req_total'][0]['type']), ('gauge', 'bytes', 'counter'))


def test_delta_temporality_is_summed_up():
    with bn.Server() as s:
        step = lambda i, **fields: point(NOW_MS + i * 1000, NOW_MS + i * 1000 - 1000, **fields)
        hist = lambda i: {'name': 'lat', 'histogram': {'aggregationTemporality': DELTA, 'dataPoints': [step(i, count='6', sum=2.5, bucketCounts=['1', '2', '3'], explicitBounds=[0.5, 2])]}}
        exp = lambda i: exponential(step(i, count='5', sum=1, scale=3, positive={'offset': 0, 'bucketCounts': ['2', '3']}), temporality=DELTA)
        for i in range(3):
            bn.eq(push(s, sum_of('req', step(i, asInt='5'), temporality=DELTA), hist(i), exp(i)), None)
        bn.eq(lines(s, 'req_total')[0]['values'], [5, 10, 15])
        bn.eq(lines(s, 'req_total')[0]['start_timestamps'], [NOW_MS - 1000] * 3)
        bn.eq({r['metric']['le']: r['values'] for r in lines(s, 'lat_bucket')}, {'0.5': [1, 2, 3], '2': [3, 6, 9], '+Inf': [6, 12, 18]})
        bn.eq([h['count'] for h in lines(s, 'exp')[0]['histograms']], [5, 10, 15])
        bn.eq(lines(s, 'exp')[0]['histograms'][2]['positive_counts'], [6, 9])
        again = push(s, sum_of('req', step(2, asInt='5'), temporality=DELTA))
        bn.eq(again['rejectedDataPoints'], '1')
        s.kill()
        s.start()
        bn.eq(push(s, sum_of('req', step(3, asInt='5'), temporality=DELTA)), None)  # begins again, and says since when
        bn.eq((lines(s, 'req_total')[0]['values'][-1], lines(s, 'req_total')[0]['start_timestamps'][-1]), (5, NOW_MS + 2000))
        bn.eq(s.get('/api/v1/query', query='resets(req_total[1m])', time=NOW_MS / 1000 + 5).json['data']['result'][0]['value'][1], '1')


def test_translation_strategies():
    names = {'UnderscoreEscapingWithSuffixes': ('http_server_req_total', 'http_method'), 'NoUTF8EscapingWithSuffixes': ('http.server.req_total', 'http.method'),
             'UnderscoreEscapingWithoutSuffixes': ('http_server_req', 'http_method'), 'NoTranslation': ('http.server.req', 'http.method')}
    for strategy, (name, label) in names.items():
        with bn.Server({'otlp.translation-strategy': strategy}) as s:
            push(s, sum_of('http.server.req', point(asInt='5', attrs={'http.method': 'GET'})))
            found = s.get('/api/v1/query', query='{"%s"}' % name).json['data']['result']
            bn.eq([r['metric'] for r in found], [{'__name__': name, label: 'GET', 'job': 'shop/cart', 'instance': 'pod-1'}], strategy)


def test_an_unknown_strategy_is_refused_at_the_start():
    with bn.Server({'otlp.translation-strategy': 'Mine'}, wait=False) as s:
        bn.eq(s.process.wait(30), 2)
        bn.has(s.stderr(), 'unknown otlp.translation-strategy "Mine"')


def test_promoted_resource_attributes():
    with bn.Server({'otlp.promote-resource-attributes': 'k8s.pod.name,service.name', 'otlp.keep-identifying-resource-attributes': 'on'}) as s:
        push(s, sum_of('req', point(asInt='5')), k8s__pod__name='p1', host='h1')
        bn.eq(labels(s, 'req_total'), {'job': 'shop/cart', 'instance': 'pod-1', 'k8s_pod_name': 'p1', 'service_name': 'cart'})
        bn.eq(labels(s, 'target_info'), {'job': 'shop/cart', 'instance': 'pod-1', 'k8s_pod_name': 'p1', 'host': 'h1', 'service_name': 'cart', 'service_namespace': 'shop',
                                         'service_instance_id': 'pod-1'})


def test_grpc_does_the_same():
    port = bn.free_port()
    others = ('elastic', 'jaeger', 'otlp-http', 'jaeger-grpc', 'collector', 'zipkin', 'loki', 'influx', 'forward', 'syslog-tcp', 'syslog-udp', 'udp-compact', 'udp-binary', 'udp-zipkin')
    with bn.Server({'doors': 'on', 'door.otlp-grpc': '127.0.0.1:%d' % port, **{'door.' + o: 'off' for o in others}}) as s, h2.Client(port) as c:
        def export(t_ms, v, temporality):
            p = [(2, 'fixed64', (t_ms - 1000) * 1000000), (3, 'fixed64', t_ms * 1000000), (6, 'fixed64', v), *wire.pb_attrs(7, [('a', 'b')])]
            metric = [(1, 'bytes', 'req'), (7, 'msg', [(1, 'msg', p), (2, 'varint', temporality), (3, 'bool', True)])]
            body = [(1, 'msg', [(1, 'msg', wire.pb_attrs(1, [('service.name', 'cart')])), (2, 'msg', [(2, 'msg', metric)])])]
            return c.call(EXPORT, wire.pb(body))
        for i in range(3):
            reply = export(NOW_MS + i * 1000, 5, DELTA)
            bn.eq((reply.status, reply.messages), (0, [b'']))
        bn.eq(lines(s, 'req_total')[0]['values'], [5, 10, 15])
        bn.eq(lines(s, 'req_total')[0]['metric'], {'__name__': 'req_total', 'a': 'b', 'job': 'cart'})
        reply = export(NOW_MS, 5, DELTA)
        bn.eq((reply.status, reply.messages[0][2:4]), (0, b'\x08\x01'))  # partial_success.rejected_data_points 1
        bn.has(reply.messages[0], b'sent twice')
        s.conserved()


bn.main()
