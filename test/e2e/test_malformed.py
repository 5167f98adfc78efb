"""Malformed bodies on every endpoint that takes one: 4xx with a reason in the protocol's own error form, no crash, no hang, and the next good request
works. What a protocol allows (an empty OTLP message, a bad item among good ones in _bulk) may answer 2xx; nothing may answer 5xx."""
import gzip
import http.client
import json
import random
import socket
import struct
import time
import zlib

import bn
import wire

NOW_NS = int(time.time() * 1e9)
DEEP = 100_000


# --- error forms

def plain(reply):
    assert reply.text.strip() and reply.text[0] not in '{<', reply.text[:200]


def rpc_json(reply):
    bn.eq(sorted(reply.json), ['code', 'message'])
    assert reply.json['message'], reply.text


def rpc_pb(reply):
    bn.eq(reply.headers['Content-Type'], 'application/x-protobuf')
    assert reply.body and reply.body[0] == 1 << 3, reply.body[:100]  # code, then a message
    at = reply.body.index(b'\x12')
    assert len(reply.body) - at > 5, reply.body[:100]


def elastic(reply):
    bn.eq(reply.json['status'], reply.status, reply.text)
    assert reply.json['error']['type'] and reply.json['error']['reason'], reply.text


def prometheus(reply):
    bn.eq(reply.json['status'], 'error')
    assert reply.json['errorType'] and reply.json['error'], reply.text


# --- bodies

def snappy(data):
    """Literals only."""
    out = wire.varint(len(data))
    for at in range(0, len(data), 60):
        part = data[at:at + 60]
        out += bytes([(len(part) - 1) << 2]) + part
    return out


def deep_json(before=b'', after=b''):
    return before + b'[' * DEEP + b']' * DEEP + after


def deep_pb(outer):
    """An AnyValue of arrays of arrays; `outer`: the field numbers on the way to it."""
    heads, length = [], 0
    for number in reversed(outer + [5, 1] * (DEEP // 2)):
        head = wire.varint(number << 3 | 2) + wire.varint(length)
        heads.append(head)
        length += len(head)
    return b''.join(reversed(heads))


def otlp_json(kind):
    value = {'attributes': [{'key': 'k', 'value': {'stringValue': 'v'}}]}
    items = {'traces': ('resourceSpans', 'scopeSpans', 'spans', {'traceId': '0' * 31 + '1', 'spanId': '0' * 15 + '1', 'name': 'op', 'startTimeUnixNano': str(NOW_NS),
                                                             'endTimeUnixNano': str(NOW_NS), **value}),
             'logs': ('resourceLogs', 'scopeLogs', 'logRecords', {'timeUnixNano': str(NOW_NS), 'body': {'stringValue': 'hello'}, **value}),
             'metrics': ('resourceMetrics', 'scopeMetrics', 'metrics', {'name': 'm', 'gauge': {'dataPoints': [{'timeUnixNano': str(NOW_NS), 'asDouble': 1, **value}]}})}
    a, b, c, item = items[kind]
    return json.dumps({a: [{'resource': {}, b: [{c: [item]}]}]}).encode()


def otlp_pb(kind):
    attrs = wire.pb_attrs({'traces': 9, 'logs': 6, 'metrics': 7}[kind], [('k', 'v')])
    item = {'traces': wire.otlp_pb_span('0' * 31 + '1', '0' * 15 + '1', 'op', NOW_NS, NOW_NS, [('k', 'v')]),
            'logs': [(1, 'fixed64', NOW_NS), (5, 'msg', [(1, 'bytes', 'hello')])] + attrs,
            'metrics': [(1, 'bytes', 'm'), (5, 'msg', [(1, 'msg', [(3, 'fixed64', NOW_NS), (4, 'double', 1.0)] + attrs)])]}[kind]
    return wire.pb([(1, 'msg', [(2, 'msg', [(2, 'msg', item)])])])


def write_body(name):
    return wire.pb([(1, 'msg', [(1, 'msg', [(1, 'bytes', '__name__'), (2, 'bytes', name)]), (2, 'msg', [(1, 'double', 1.0), (2, 'varint', NOW_NS // 10**6)])])])


WRITE = write_body('m')
THRIFT = wire.binary(wire.jaeger_batch('s', [wire.jaeger_span(1, 1, 0, 'op', NOW_NS // 1000, 5, [('k', 'v')])]))
ZIPKIN_THRIFT = wire.binary_value('list', ('struct', [wire.zipkin_span(1, 1, 0, 'op', 's', NOW_NS // 1000, 5)]))
ZIPKIN_2 = json.dumps([{'traceId': '1', 'id': '1', 'name': 'op', 'timestamp': NOW_NS // 1000, 'duration': 5, 'localEndpoint': {'serviceName': 's'}}]).encode()
ZIPKIN_1 = json.dumps([{'traceId': '1', 'id': '1', 'name': 'op', 'annotations': [{'timestamp': NOW_NS // 1000, 'value': 'sr', 'endpoint': {'serviceName': 's'}}]}]).encode()
BULK = b'{"index":{"_index":"i"}}\n{"message":"hello"}\n'
MSEARCH = b'{}\n{"query":{"match_all":{}}}\n'

HUGE = 2**31 - 1
BAD_JSON = {
    'not JSON': b'hello', 'open object': b'{', 'lone quote': b'"', 'a number': b'5', 'a string': b'"x"', 'true': b'true', 'nested too deep': deep_json(),
    'nested too deep in a key': deep_json(b'{"query":', b'}'), 'bad UTF-8': b'{"\xff\xfe":"\xc3"}', 'bad escape': b'{"a":"\\q"}', 'lone surrogate': b'{"\\ud800":1',
    'NUL bytes': b'\0' * 100, 'trailing comma': b'{"a":1,}', 'huge number': b'{"a":1' + b'0' * 100000 + b'e999999999999,}', 'UTF-16': '{"a":1}'.encode('utf-16'),
}
BAD_PB = {
    'length beyond the body': b'\x0a' + wire.varint(HUGE), 'length of 2^63': b'\x0a' + wire.varint(2**63), 'open varint': b'\x80' * 5, 'long varint': b'\x08' + b'\xff' * 20,
    'field number 0': b'\x00\x01', 'wire type 7': b'\x0f\x01', 'lone group end': b'\x0c', 'JSON': b'{"resourceSpans":[]}',
    'wrong wire type': b'\x0a\x02\x08\x01'[:3],
}
BAD_THRIFT = {
    'length of 2^31-1': b'\x0b\x00\x01' + struct.pack('>i', HUGE), 'negative length': b'\x0b\x00\x01' + struct.pack('>i', -1),
    'list of 2^31-1': b'\x0f\x00\x02\x0c' + struct.pack('>i', HUGE), 'nested too deep': b'\x0c\x00\x63' * DEEP, 'unknown type': b'\x7f\x00\x01',
    'map of 2^31-1': b'\x0d\x00\x63\x0b\x0b' + struct.pack('>i', HUGE), 'JSON': b'{"process":{}}', 'zeros in a list': b'\x0f\x00\x02\x0b' + struct.pack('>i', HUGE) + b'\0' * 1000,
}
BAD_SNAPPY = {'not snappy': b'\xff' * 50, 'bomb': wire.varint(2**32 - 1) + b'\0', 'copy before the start': b'\x05\x01\x05', 'protobuf as it is': WRITE}


def influx_1(reply):
    assert reply.json['error'], reply.text


def influx_2(reply):
    assert reply.json['code'] == 'invalid' and reply.json['message'], reply.text


class Endpoint:
    """One way to send one body. good: answered `ok`; bad: answered 4xx in `form`; empty_ok: the protocol takes an empty body."""

    def __init__(self, name, path, content_type, good, bad, form, ok=200, encode=None, headers=None, empty_ok=False, any_type=False, after=None):
        self.after = after or good  # the good request behind the bad ones: of a series that no flipped byte has given a later sample
        self.name, self.path, self.type, self.good, self.bad, self.form, self.ok = name, path, content_type, good, bad, form, ok
        self.encode, self.headers, self.empty_ok, self.any_type = encode or (lambda b: b), headers or {}, empty_ok, any_type

    def post(self, s, body, content_type=None, headers=None):
        return s.post(self.path, body, self.type if content_type is None else content_type, {**self.headers, **(headers or {})})


def endpoints():
    for kind, outer in (('traces', [1, 2, 2, 9, 2]), ('logs', [1, 2, 2, 5]), ('metrics', [1, 2, 2, 5, 1, 7, 2])):
        yield Endpoint('OTLP JSON ' + kind, '/v1/' + kind, 'application/json', otlp_json(kind),
                       {**BAD_JSON, 'wrong type': b'{"resource%s":5}' % kind.replace('traces', 'spans').capitalize().encode()}, rpc_json)
        deep = {'nested too deep': deep_pb(outer)}
        yield Endpoint('OTLP protobuf ' + kind, '/v1/' + kind, 'application/x-protobuf', otlp_pb(kind), {**BAD_PB, **deep}, rpc_pb, empty_ok=True)
    yield Endpoint('remote write', '/api/v1/write', 'application/x-protobuf', WRITE, {k: v for k, v in BAD_PB.items() if k != 'JSON'}, plain, 204, snappy,
                   {'Content-Encoding': 'snappy'}, after=write_body('after_write'))
    yield Endpoint('remote write, snappy', '/api/v1/write', 'application/x-protobuf', snappy(WRITE), BAD_SNAPPY, plain, 204, None, {'Content-Encoding': 'snappy'},
                   after=snappy(write_body('after_snappy')))
    yield Endpoint('metrics page', '/api/v1/import/prometheus', 'text/plain', b'm 1\n',
                   {'no value': b'm\n', 'bad name': b'0m 1\n', 'open label': b'm{a="b\n', 'bad UTF-8': b'm{a="\xff"} 1\n', 'bad number': b'm 1x\n', 'NUL': b'\0\0\0'},
                   plain, 204, empty_ok=True, any_type=True, after=b'after_page 1\n')
    proto_page = lambda name: (wire.prom_family(name, 'counter', [({'a': 'b'}, [(1, 'double', 5.0)])]) +
                               wire.prom_family(name + '_h', 'histogram', [({}, wire.prom_native(7, 2.5, 3, 2, (-2, [2, 3]), [(1, 3)]))]))
    yield Endpoint('metrics page, protobuf', '/api/v1/import/prometheus', wire.PROM_PROTOBUF, proto_page('m_p'),
                   {**{k: wire.varint(len(v)) + v for k, v in BAD_PB.items()}, 'length of 2^62': wire.varint(2**62) + b'x', 'no name': b'\0'},
                   plain, 204, empty_ok=True, any_type=True, after=proto_page('after_p'))
    json_line = lambda name: json.dumps({'metric': {'__name__': name, 'a': 'b'}, 'values': [1.5], 'timestamps': [NOW_NS // 1000000]}).encode()
    yield Endpoint('JSON lines', '/api/v1/import', 'application/json', json_line('m_j'), BAD_JSON, plain, 204, empty_ok=True, any_type=True, after=json_line('after_j'))
    for path, form in (('/write', influx_1), ('/api/v2/write', influx_2)):
        name = path.replace('/', '_')
        yield Endpoint('InfluxDB ' + path, path, 'text/plain', b'm%s,a=b v=1.5,n=2i,s="text" %d\n' % (name.encode(), NOW_NS),
                       {'no field': b'm\n', 'bad number': b'm v=x\n', 'open string': b'm v="x\n', 'bad UTF-8': b'm\xff v=1\n', 'NUL': b'\0\0\0', 'bad time': b'm v=1 x\n',
                        'huge number': b'm v=1' + b'0' * 100000 + b'\n', 'JSON': b'{"a":1}'},
                       form, 204, empty_ok=True, any_type=True, after=b'after%s v=1 %d\n' % (name.encode(), NOW_NS))
    yield Endpoint('Jaeger thrift', '/api/traces', 'application/x-thrift', THRIFT, BAD_THRIFT, plain, 202)
    yield Endpoint('Zipkin thrift', '/api/v1/spans', 'application/x-thrift', ZIPKIN_THRIFT, {'list of 2^31-1': b'\x0c' + struct.pack('>i', HUGE), 'JSON': ZIPKIN_1,
                   'nested too deep': b'\x0c\0\0\0\1' + b'\x0c\x00\x63' * DEEP, 'negative length': b'\x0c' + struct.pack('>i', -1)}, plain, 202, empty_ok=True)
    yield Endpoint('Zipkin v2', '/api/v2/spans', 'application/json', ZIPKIN_2, {**BAD_JSON, 'version 1': ZIPKIN_1}, plain, 202, empty_ok=True)
    yield Endpoint('Zipkin v1', '/api/v1/spans', 'application/json', ZIPKIN_1, {**BAD_JSON, 'version 2': ZIPKIN_2}, plain, 202, empty_ok=True)
    yield Endpoint('Elasticsearch _bulk', '/_bulk', 'application/x-ndjson', BULK, {k: v + b'\n' for k, v in BAD_JSON.items()}, elastic, any_type=True)
    for path in ('/_search', '/i/_search', '/_count', '/i/_count'):
        yield Endpoint('Elasticsearch ' + path, path, 'application/json', b'{"query":{"match_all":{}}}',
                       {**BAD_JSON, 'unknown query': b'{"query":{"nonsense":{}}}', 'query of the wrong type': b'{"query":[1]}'}, elastic, empty_ok=True, any_type=True)
    yield Endpoint('Elasticsearch _doc', '/i/_doc', 'application/json', b'{"message":"hello"}', BAD_JSON, elastic, 201, any_type=True)
    yield Endpoint('Elasticsearch _msearch', '/_msearch', 'application/x-ndjson', MSEARCH, {k: v + b'\n' for k, v in BAD_JSON.items()}, elastic, any_type=True)


ENDPOINTS = list(endpoints())


def refused(e, what, reply):
    try:
        assert 400 <= reply.status < 500, 'status %d' % reply.status
        e.form(reply)
    except Exception as problem:
        raise AssertionError('%s: %s: %s (answer %d: %r)' % (e.name, what, problem, reply.status, reply.text[:300])) from None


def each(check):
    """Runs the check for every endpoint on one server; all failures are told at once."""
    problems = []
    with bn.Server() as s:
        pid = s.process.pid
        for e in ENDPOINTS:
            try:
                check(s, e)
                reply = e.post(s, e.encode(e.after))
                assert reply.status in (e.ok, 200), 'good body afterwards: %d: %r' % (reply.status, reply.text[:300])
            except (AssertionError, OSError, ValueError, KeyError, http.client.HTTPException) as problem:
                problems.append('%s: %s: %s' % (e.name, type(problem).__name__, problem))
                if s.process.poll() is not None:
                    break
        alive = s.process.poll() is None and s.process.pid == pid
        text = s.stderr()
    if problems or not alive:
        raise AssertionError('alive: %s\n  %s\n%s' % (alive, '\n  '.join(problems), '' if alive else text[-3000:]))


# --- tests

def test_refuses_bodies_that_are_wrong():
    def check(s, e):
        for what, body in e.bad.items():
            refused(e, what, e.post(s, e.encode(body)))
    each(check)


def test_refuses_bodies_that_are_cut_off():
    def check(s, e):
        for at in range(1, len(e.good), max(1, len(e.good) // 40)):
            body = e.good[:at]
            reply = e.post(s, e.encode(body))
            assert reply.status < 500, 'cut at %d: %d' % (at, reply.status)
            if e.type == 'application/json' and body.strip():
                refused(e, 'cut at %d' % at, reply)
            elif e.type != 'text/plain' and 'ndjson' not in e.type and at == len(e.good) - 1:
                refused(e, 'cut at %d' % at, reply)
    each(check)


def test_survives_any_flipped_bytes():
    def check(s, e):
        random.seed(e.name)
        connection = http.client.HTTPConnection('127.0.0.1', s.port, timeout=30)
        for i in range(300):
            body = bytearray(e.good)
            for _ in range(random.randint(1, 4)):
                body[random.randrange(len(body))] = random.randrange(256)
            connection.request('POST', e.path, e.encode(bytes(body)), {'Content-Type': e.type, **e.headers})
            reply = connection.getresponse()
            text = reply.read()
            assert reply.status < 500, '%r: %d %r' % (bytes(body), reply.status, text[:300])
        connection.close()
    each(check)


def test_refuses_empty_bodies_where_the_protocol_does():
    def check(s, e):
        reply = e.post(s, b'')
        if e.empty_ok:
            assert reply.status < 300, 'an empty body: %d %r' % (reply.status, reply.text[:200])
        else:
            refused(e, 'an empty body', reply)
    each(check)


def test_refuses_content_types_and_codings_it_does_not_know():
    def check(s, e):
        if not e.any_type:
            reply = e.post(s, e.encode(e.good), 'image/png')
            assert 400 <= reply.status < 500 and reply.body, 'image/png: %d %r' % (reply.status, reply.text[:200])
        for coding in ('br', 'nonsense', 'gzip, gzip'):
            reply = e.post(s, e.encode(e.good), headers={'Content-Encoding': coding})
            assert 400 <= reply.status < 500 and reply.body, '%s: %d %r' % (coding, reply.status, reply.text[:200])
        if 'Content-Encoding' not in e.headers:
            for body in (e.good, gzip.compress(e.good)[:-9], b'\x1f\x8b' + b'\xff' * 50, gzip.compress(e.good)[:10]):
                reply = e.post(s, body, headers={'Content-Encoding': 'gzip'})
                assert 400 <= reply.status < 500 and reply.body, 'not gzip: %d %r' % (reply.status, reply.text[:200])
    each(check)


def memory_kb(s, name):
    with open('/proc/%d/status' % s.process.pid) as f:
        return int(next(line for line in f if line.startswith(name)).split()[1])


def bomb():
    """1 GiB of zeros."""
    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    chunk = bytes(1 << 20)
    return b''.join(c.compress(chunk) for _ in range(1024)) + c.flush()


def test_stays_small_under_gzip_bombs():
    packed = bomb()
    limit_kb = 8 << 10
    with bn.Server({'http.decoded-bytes': '8MiB'}, env={'ASAN_OPTIONS': 'quarantine_size_mb=1'}) as s:
        for e in ENDPOINTS:
            e.post(s, e.encode(e.good))
        before = memory_kb(s, 'VmHWM')
        for e in ENDPOINTS:
            if 'Content-Encoding' in e.headers:
                continue
            reply = e.post(s, packed, headers={'Content-Encoding': 'gzip'})
            bn.eq(reply.status, 413, e.name)
            assert reply.body
        grown = memory_kb(s, 'VmHWM') - before
        assert grown < 4 * limit_kb, 'peak memory grew by %d KiB' % grown
        bn.eq(s.get('/-/ready').status, 200)


def test_refuses_parameters_that_are_wrong():
    with bn.Server() as s:
        for path in ('/api/v1/query?query=up%7B', '/api/v1/query?query=', '/api/v1/query?query=up&time=x', '/api/v1/query_range?query=up&start=0&end=1&step=0',
                     '/api/v1/query_range?query=up&start=5&end=1&step=1', '/api/v1/series', '/api/v1/series?match[]=%7B', '/api/v1/query?query=%ff',
                     '/api/v1/query?query=' + '(' * 20000, '/api/v1/query?query=up&timeout=x', '/api/v1/labels?start=x', '/api/v1/label/a/values?match[]=x%7B'):
            reply = s.get(path)
            assert 400 <= reply.status < 500, '%s: %d %s' % (path[:80], reply.status, reply.text[:200])
            prometheus(reply)
        for path in ('/_search?q=a:(', '/_search?size=x', '/i/_search?size=20000'):
            reply = s.get(path)
            assert 400 <= reply.status < 500, '%s: %d %s' % (path, reply.status, reply.text[:200])
            elastic(reply)
        bn.eq(s.get('/api/v1/query', query='1').status, 200)


def test_survives_hostile_packets():
    port = bn.free_port(socket.SOCK_DGRAM)
    doors = {'door.' + name: 'off' for name in ('elastic', 'jaeger', 'otlp-http', 'collector', 'zipkin', 'udp-binary', 'udp-zipkin')}
    with bn.Server({**doors, 'doors': 'on', 'door.udp-compact': '127.0.0.1:%d' % port}) as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        args = [(1, 'struct', wire.jaeger_batch('s', [wire.jaeger_span(7, 1, 0, 'op', NOW_NS // 1000, 5, [('k', 'v')])]))]
        random.seed(7)
        packets = 0
        for protocol in (wire.compact, wire.binary):
            good = wire.message(protocol, 'emitBatch', args)
            head = wire.message(protocol, 'emitBatch', [])[:-1]
            hostile = [good[:at] for at in range(1, len(good))] + [head + b'\x1c' * 60000, head + b'\x0c\0\1' * 20000, head + b'\x18' + wire.varint(HUGE),
                                                                   head + b'\x19\xfc' + wire.varint(HUGE), b'\0', b'\x82', b'\x80\1\0\4\x7f\xff\xff\xff']
            for _ in range(500):
                body = bytearray(good)
                body[random.randrange(len(body))] ^= 1 << random.randrange(8)
                hostile.append(bytes(body))
            for packet in hostile:
                client.sendto(packet, ('127.0.0.1', port))
                packets += 1
                if packets % 100 == 0:
                    bn.wait_for(lambda: s.counters()['binnacle_udp_packets_total{door="udp-compact"}'] >= packets, 'packets to be read', 20, s)
        client.sendto(wire.message(wire.compact, 'emitBatch', [(1, 'struct', wire.jaeger_batch('after', [wire.jaeger_span(99, 1, 0, 'op', NOW_NS // 1000, 5)]))]),
                      ('127.0.0.1', port))
        bn.wait_for(lambda: s.get('/api/traces/63').status == 200, 'a good packet after bad ones', 20, s)
        assert s.counters()['binnacle_udp_decode_errors_total{door="udp-compact"}'] > 100


bn.main()
