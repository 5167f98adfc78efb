"""Jaeger's query service over gRPC: api_v3 whole, the catalogues of api_v2; traces are streamed as OTLP, one message each."""
import time

import bn
import h2
import wire

NOW_S = int(time.time())
V2, V3 = '/jaeger.api_v2.QueryService/', '/jaeger.api_v3.QueryService/'


def at(seconds):
    return [(1, 'varint', seconds)]


def query(**fields):
    kinds = {'service': (1, 'bytes'), 'operation': (2, 'bytes'), 'depth': (8, 'varint')}
    out = [(*kinds[k], v) for k, v in fields.items() if k in kinds]
    out += [(3, 'msg', [(1, 'bytes', k), (2, 'bytes', v)]) for k, v in fields.get('tags', {}).items()]
    out += [(n, 'msg', at(fields[k])) for n, k in ((4, 'start'), (5, 'end'), (6, 'min')) if k in fields]
    return wire.pb([(1, 'msg', out)])


def test_answers_over_grpc():
    port = bn.free_port()
    with bn.Server({'doors': 'on', 'door.jaeger-query-grpc': '127.0.0.1:%d' % port}) as s, bn.Server() as other:
        for service, n in (('bank', 2), ('shop', 1)):
            spans = [{'traceId': '%032x' % (10 * n), 'spanId': '%016x' % (i + 1), 'name': 'get', 'kind': 2, 'startTimeUnixNano': str(NOW_S * 10**9),
                      'endTimeUnixNano': str((NOW_S + n) * 10**9), 'attributes': [{'key': 'k', 'value': {'stringValue': service}}]} for i in range(n)]
            bn.eq(s.post('/v1/traces', bn.otlp_spans(service, spans)).status, 200)
        with h2.Client(port) as c:
            for v in (V2, V3):
                reply = c.call(v + 'GetServices', b'')
                bn.eq((reply.status, reply.messages), (0, [wire.pb([(1, 'bytes', 'bank'), (1, 'bytes', 'shop')])]))
                reply = c.call(v + 'GetOperations', wire.pb([(1, 'bytes', 'shop')]))
                bn.eq((reply.status, reply.messages), (0, [wire.pb([(2 if v == V2 else 1, 'msg', [(1, 'bytes', 'get'), (2, 'bytes', 'server')])])]))
            bn.eq(c.call(V3 + 'GetOperations', wire.pb([(1, 'bytes', 'shop'), (2, 'bytes', 'client')])).messages, [b''])
            reply = c.call(V3 + 'GetTrace', wire.pb([(1, 'bytes', '14')]))
            bn.eq((reply.status, len(reply.messages)), (0, 1))
            bn.eq(other.post('/v1/traces', reply.messages[0], 'application/x-protobuf').status, 200)  # TracesData is an export request too
            bn.eq(other.get('/api/v3/traces/14').json, s.get('/api/v3/traces/14').json)
            for want, params in ((2, {}), (1, {'service': 'shop'}), (0, {'operation': 'put'}), (1, {'tags': {'k': 'bank'}}), (1, {'depth': 1}), (1, {'min': 2}),
                                 (0, {'end': NOW_S - 60}), (2, {'start': NOW_S - 60, 'end': NOW_S + 60})):
                reply = c.call(V3 + 'FindTraces', query(**params))
                bn.eq((reply.status, len(reply.messages)), (0, want), params)
            for method, message, status in (('GetTrace', wire.pb([(1, 'bytes', '99')]), 5), ('GetTrace', wire.pb([(1, 'bytes', 'x')]), 3), ('GetTrace', b'\x0a\x7f', 3),
                                            ('GetOperations', b'', 3), ('FindTraces', b'\x0a\x7f', 3), ('FindTraces', query(depth=30000), 3), ('FindTraces', b'\x0a\x02\x22\x7f', 3)):
                bn.eq(c.call(V3 + method, message).status, status, method)


bn.main()
