"""The push protocols over HTTP: what is answered, and that it can be read back."""
import struct
import time

import bn

NOW_MS = int(time.time() * 1000)
TRACE, SPAN = '5b8aa5a2d2c872e8321cf37308d69df2', '5fb397be34d26b51'


def span(**more):
    return {'traceId': TRACE, 'spanId': SPAN, 'name': 'op', 'startTimeUnixNano': str(NOW_MS * 1000000), 'endTimeUnixNano': str(NOW_MS * 1000000 + 5000), **more}


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def snappy(data):
    """The block format, as one literal."""
    return varint(len(data)) + b'\xf4' + struct.pack('<H', len(data) - 1) + data


def test_otlp_answers_in_the_content_type_of_the_request():
    with bn.Server() as s:
        reply = s.post('/v1/traces', bn.otlp_spans('shop', [span()]))
        bn.eq((reply.status, reply.json, reply.headers['Content-Type']), (200, {}, 'application/json'))
        reply = s.post('/v1/traces', b'', 'application/x-protobuf')
        bn.eq((reply.status, reply.body, reply.headers['Content-Type']), (200, b'', 'application/x-protobuf'))
        bn.eq(s.post('/v1/traces', b'{}', 'text/plain').status, 415)
        reply = s.post('/v1/traces', b'{"resourceSpans":[', 'application/json')
        bn.eq((reply.status, reply.json['code']), (400, 3))
        bn.eq(s.post('/v1/traces', b'\x0a\x05\x12', 'application/x-protobuf').status, 400)
        s.conserved()


def test_otlp_refuses_single_spans():
    with bn.Server() as s:
        reply = s.post('/v1/traces', bn.otlp_spans('shop', [span(), span(spanId='0000000000000000')]))
        bn.eq((reply.status, reply.json['partialSuccess']['rejectedSpans']), (200, '1'))


def test_otlp_metrics_and_logs_can_be_queried():
    with bn.Server() as s:
        resource = {'attributes': [{'key': 'service.name', 'value': {'stringValue': 'shop'}}]}
        point = {'timeUnixNano': str(NOW_MS * 1000000), 'asInt': '7'}
        metric = {'name': 'queue.size', 'unit': 'By', 'gauge': {'dataPoints': [point]}}
        body = {'resourceMetrics': [{'resource': resource, 'scopeMetrics': [{'metrics': [metric]}]}]}
        for path in ('/v1/metrics', '/api/v1/otlp/v1/metrics'):
            reply = s.post(path, body)
            bn.eq((reply.status, reply.json), (200, {}))
        bn.eq(list(s.samples('queue_size_bytes', job='shop').values()), ['7'])
        record = {'timeUnixNano': str(NOW_MS * 1000000), 'body': {'stringValue': 'hello otlp'}}
        bn.eq(s.post('/v1/logs', {'resourceLogs': [{'resource': resource, 'scopeLogs': [{'logRecords': [record]}]}]}).status, 200)
        bn.eq(len(s.logs('hello')), 1)
        s.conserved()


def test_a_large_body_is_decoded_in_the_pool():
    with bn.Server() as s:
        spans = [span(spanId='%016x' % (i + 1)) for i in range(3000)]
        bn.eq(s.post('/v1/traces', bn.otlp_spans('shop', spans)).status, 200)
        bn.eq(s.conserved()['traces'], 3000)


def test_remote_write():
    with bn.Server() as s:
        label = lambda name, value: field(1, field(1, name) + field(2, value))
        sample = b'\x09' + struct.pack('<d', 1.5) + b'\x10' + varint(NOW_MS)
        body = snappy(field(1, label(b'__name__', b'pushed') + label(b'a', b'b') + field(2, sample)))
        headers = {'Content-Encoding': 'snappy', 'X-Prometheus-Remote-Write-Version': '0.1.0'}
        reply = s.post('/api/v1/write', body, 'application/x-protobuf', headers)
        bn.eq((reply.status, reply.headers['X-Prometheus-Remote-Write-Samples-Written']), (204, '1'))
        bn.eq(list(s.samples('pushed', a='b').values()), ['1.5'])
        bn.eq(s.post('/api/v1/write', body, 'application/x-protobuf;proto=other', headers).status, 415)
        bn.eq(s.post('/api/v1/write', b'\xff', 'application/x-protobuf', headers).status, 400)


def test_import_of_a_metrics_page():
    with bn.Server() as s:
        bn.eq(s.post('/api/v1/import/prometheus?extra_label=job=x', 'up2{a="b"} 3\n', 'text/plain').status, 204)
        bn.eq(list(s.samples('up2', job='x').values()), ['3'])
        reply = s.post('/api/v1/import/prometheus', 'up2 one\n', 'text/plain')
        bn.eq(reply.status, 400)
        assert 'line 1' in reply.text, reply.text


def test_zipkin():
    with bn.Server() as s:
        v2 = [{'traceId': TRACE, 'id': SPAN, 'name': 'get', 'kind': 'SERVER', 'timestamp': NOW_MS * 1000, 'duration': 5,
               'localEndpoint': {'serviceName': 'zip'}, 'tags': {'k': 'v'}}]
        bn.eq(s.post('/api/v2/spans', v2).status, 202)
        bn.eq(s.post('/api/v2/spans', b'').status, 202)
        bn.eq(s.post('/api/v2/spans', [{**v2[0], 'binaryAnnotations': []}]).status, 400)
        bn.eq(s.post('/api/traces', b'x', 'text/plain').status, 400)
        bn.eq(s.post('/api/traces', b'\xff\xff', 'application/x-thrift').status, 400)
        bn.eq(len(s.traces(service='zip')), 1)


bn.main()
