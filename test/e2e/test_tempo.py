"""Tempo's query API as Grafana's data source asks it: a trace as protobuf and JSON, search by tags and TraceQL."""
import time

import bn

NOW_US = int(time.time() * 1e6)


def span(trace, number, name, parent=0, duration_us=1000, failed=False, **attrs):
    return {'traceId': '%032x' % trace, 'spanId': '%016x' % number, 'parentSpanId': '%016x' % parent if parent else '', 'name': name, 'kind': 2,
            'startTimeUnixNano': str(NOW_US * 1000), 'endTimeUnixNano': str((NOW_US + duration_us) * 1000), 'status': {'code': 2 if failed else 0},
            'attributes': [{'key': k, 'value': {'stringValue': v}} for k, v in attrs.items()]}


def push(s, service, spans):
    bn.eq(s.post('/v1/traces', bn.otlp_spans(service, spans)).status, 200)


def found(s, **params):
    reply = s.get('/tempo/api/search', **params)
    bn.eq(reply.status, 200, reply.text)
    return sorted(int(t['traceID'], 16) for t in reply.json['traces'])


def test_a_trace_comes_as_protobuf_and_as_json():
    port = bn.free_port()
    with bn.Server({'doors': 'on', 'door.tempo': '127.0.0.1:%d' % port}) as s, bn.Server() as other:
        url = 'http://127.0.0.1:%d' % port
        push(s, 'shop', [span(7, 1, 'GET /', k='v'), span(7, 2, 'query', 1, failed=True)])
        bn.eq(bn.call(url + '/api/echo').text, 'echo')
        bn.eq(bn.call(url + '/ready').status, 200)
        batches = bn.call(url + '/api/traces/7').json['batches']
        bn.eq([x['name'] for x in batches[0]['scopeSpans'][0]['spans']], ['GET /', 'query'])
        bn.eq(bn.call(url + '/api/v2/traces/7').json['trace']['resourceSpans'], batches)
        proto = bn.call(url + '/api/traces/' + '7'.zfill(32), headers={'Accept': 'application/protobuf'})
        bn.eq((proto.status, proto.headers['Content-Type']), (200, 'application/protobuf'))
        bn.eq(other.post('/v1/traces', proto.body, 'application/x-protobuf').status, 200)  # the message is an export request too
        bn.eq(other.get('/tempo/api/traces/7').json['batches'], batches)
        for path, status in (('8', 404), ('x', 400)):
            bn.eq(bn.call(url + '/api/traces/' + path).status, status)


def test_searches_by_tags_and_traceql():
    with bn.Server() as s:
        push(s, 'shop', [span(1, 1, 'GET /', k='v', n='500'), span(1, 2, 'query', 1, 50, failed=True)])
        push(s, 'bank', [span(2, 1, 'pay', duration_us=2000000, k='v')])
        for want, params in (([1, 2], {}), ([1, 2], {'q': '{}'}), ([1], {'tags': 'service.name=shop'}), ([2], {'tags': 'k=v name=pay'}), ([2], {'minDuration': '1s'}),
                             ([1], {'q': '{ resource.service.name = "shop" && span.n = 500 }'}), ([1], {'q': '{ status = error }'}), ([2], {'q': '{ duration > 1s }'}),
                             ([], {'q': '{ duration > 1s && name = "GET /" }'}), ([1, 2], {'q': '{ .k = "v" && kind = server }'}), ([], {'end': 1000}),
                             ([1, 2], {'start': NOW_US // 1000000 - 60, 'end': NOW_US // 1000000 + 60})):
            bn.eq(found(s, **params), want, params)
        bn.eq(len(found(s, limit=1)), 1)
        shop = [t for t in s.get('/tempo/api/search').json['traces'] if t['rootServiceName'] == 'shop'][0]
        bn.eq((shop['traceID'], shop['rootTraceName'], shop['durationMs'], shop['startTimeUnixNano']), ('1'.zfill(32), 'GET /', 1, str(NOW_US * 1000)))
        bn.eq(shop['serviceStats'], {'shop': {'spanCount': 2, 'errorCount': 1}})
        for params, part in (({'q': '{ .a =~ "x" }'}, 'byte 5'), ({'q': 'x'}, 'expected {'), ({'limit': 0}, 'limit'), ({'minDuration': 'x'}, 'minDuration'), ({'start': 'x'}, 'start')):
            reply = s.get('/tempo/api/search', **params)
            bn.eq(reply.status, 400, params)
            bn.has(reply.text, part)


bn.main()
