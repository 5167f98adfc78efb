"""Loki's push API, as Promtail, Alloy and Fluent Bit's out_loki send it."""
import gzip
import json
import struct
import time

import bn
import wire

NOW_NS = int(time.time()) * 10**9


def snappy(data):
    return wire.varint(len(data)) + b'\xf4' + struct.pack('<H', len(data) - 1) + data


def proto(labels, entries):
    """PushRequest: entries = [(ns, line, {metadata})]."""
    out = [(1, 'bytes', labels)]
    for ns, line, metadata in entries:
        stamp = wire.pb([(1, 'varint', ns // 10**9), (2, 'varint', ns % 10**9)])
        pairs = [(3, 'bytes', wire.pb([(1, 'bytes', k), (2, 'bytes', v)])) for k, v in metadata.items()]
        out.append((2, 'bytes', wire.pb([(1, 'bytes', stamp), (2, 'bytes', line)] + pairs)))
    return snappy(wire.pb([(1, 'bytes', wire.pb(out))]))


def push(s, body, content_type='application/json', **headers):
    return s.post('/loki/api/v1/push', body, content_type, headers)


def streams(*values, **labels):
    return json.dumps({'streams': [{'stream': labels, 'values': list(values)}]})


def counted(s):
    s.conserved()
    c = s.counters()
    return tuple(int(c['binnacle_%s_total{signal="logs"}' % k]) for k in ('stored', 'rejected', 'dropped', 'unreadable'))


def test_protobuf_with_structured_metadata():
    with bn.Server() as s:
        body = proto('{app="shop", namespace="demo"}', [(NOW_NS, 'level=error msg="no stock"', {'trace_id': '0af7651916cd43dd8448eb211c80319c'}),
                                                          (NOW_NS + 1, '{"level":"warn","msg":"slow"}', {})])
        bn.eq(push(s, body, 'application/x-protobuf').status, 204)
        first, second = s.logs()
        bn.eq((first['message'], first['app'], first['namespace'], first['service.name']), ('level=error msg="no stock"', 'shop', 'demo', 'shop'))
        bn.eq((second['message'], second['level']), ('slow', 'warn'))
        bn.eq(len(s.logs('trace_id:0af7651916cd43dd8448eb211c80319c')), 1)
        bn.eq(len(s.logs('app:shop AND severity_text:error')), 1)
        bn.eq(counted(s), (2, 0, 0, 0))


def test_json_plain_and_gzip():
    with bn.Server() as s:
        bn.eq(push(s, streams([str(NOW_NS), 'one'], [str(NOW_NS + 1), 'two', {'pod': 'p-1'}], job='j')).status, 204)
        bn.eq(push(s, gzip.compress(streams([str(NOW_NS + 2), 'three'], job='j').encode()), **{'Content-Encoding': 'gzip'}).status, 204)
        bn.eq([d['message'] for d in s.logs('job:j')], ['one', 'two', 'three'])
        bn.eq(s.logs('pod:"p-1"')[0]['message'], 'two')
        bn.eq(counted(s), (3, 0, 0, 0))


def test_refusals_are_told_and_counted():
    with bn.Server() as s:
        reply = push(s, streams([str(NOW_NS), 'x']))
        bn.eq(reply.status, 400)
        bn.has(reply.text, 'at least one label pair')
        bn.eq(push(s, b'hello', 'application/x-protobuf').status, 400)
        bn.eq(push(s, b'', 'application/x-protobuf').status, 400)
        bn.eq(push(s, 'x', 'text/plain').status, 415)
        bn.eq(counted(s), (0, 0, 0, 3))
        reply = push(s, streams([str(NOW_NS), 'x'], ['99999999999999999999', 'y'], a='b'))
        bn.eq(reply.status, 400)
        bn.has(reply.text, '1 entries refused, the others are stored')
        bn.eq(counted(s), (1, 1, 0, 3))


def test_the_port_of_loki():
    port = bn.free_port()
    with bn.Server({'doors': 'on', 'door.loki': '127.0.0.1:%d' % port, **{'door.' + d: 'off' for d in OTHER_DOORS}}) as s:
        url = 'http://127.0.0.1:%d' % port
        bn.eq((bn.call(url + '/ready').status, bn.call(url + '/ready').text), (200, 'ready\n'))
        headers = {'Content-Type': 'application/json'}
        bn.eq(bn.call(url + '/loki/api/v1/push', 'POST', streams([str(NOW_NS), 'x'], a='b'), headers).status, 204)
        bn.eq(len(s.logs('a:b')), 1)
        record = {'resourceLogs': [{'scopeLogs': [{'logRecords': [{'timeUnixNano': str(NOW_NS), 'body': {'stringValue': 'y'}}]}]}]}
        bn.eq(bn.call(url + '/otlp/v1/logs', 'POST', record).status, 200)
        bn.eq(bn.call(url + '/_search').status, 404)


OTHER_DOORS = ('elastic', 'jaeger', 'otlp-http', 'otlp-grpc', 'collector', 'jaeger-grpc', 'zipkin', 'udp-compact', 'udp-binary', 'udp-zipkin')

bn.main()
