"""Every item a door receives is stored, rejected or dropped, and counted as that: good and bad items together through every door."""
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import bn
import wire

NOW_MS = int(time.time() * 1000)
NOW_US, NOW_NS = NOW_MS * 1000, NOW_MS * 1000000
RESOURCE = {'attributes': [{'key': 'service.name', 'value': {'stringValue': 'shop'}}]}


def counted(s, signal):
    """(stored, rejected, dropped, unreadable) of a signal, after checking that nothing is missing."""
    s.conserved()
    c = s.counters()
    return tuple(int(c['binnacle_%s_total{signal="%s"}' % (k, signal)]) for k in ('stored', 'rejected', 'dropped', 'unreadable'))


def otlp_span(number):
    return {'traceId': '%032x' % 7, 'spanId': '%016x' % number, 'name': 'op', 'startTimeUnixNano': str(NOW_NS), 'endTimeUnixNano': str(NOW_NS + 5)}


def test_otlp_traces():
    with bn.Server() as s:
        bn.eq(s.post('/v1/traces', bn.otlp_spans('shop', [otlp_span(1), otlp_span(0), otlp_span(2)])).status, 200)
        bn.eq(counted(s, 'traces'), (2, 1, 0, 0))
        bn.eq(s.post('/v1/traces', b'\x0a\x05\x12', 'application/x-protobuf').status, 400)
        bn.eq(counted(s, 'traces'), (2, 1, 0, 1))


def test_otlp_metrics():
    with bn.Server() as s:
        point = lambda v: {'timeUnixNano': str(NOW_NS), 'asInt': str(v)}
        good = {'name': 'g', 'gauge': {'dataPoints': [point(1)]}}
        unknown = {'name': 'd', 'sum': {'isMonotonic': True, 'dataPoints': [point(1), point(2)]}}
        reply = s.post('/v1/metrics', {'resourceMetrics': [{'resource': RESOURCE, 'scopeMetrics': [{'metrics': [good, unknown]}]}]})
        bn.eq((reply.status, reply.json['partialSuccess']['rejectedDataPoints']), (200, '2'))
        stored, rejected, dropped, unreadable = counted(s, 'metrics')
        bn.eq((rejected, dropped, unreadable), (2, 0, 0))
        assert stored >= 1, stored
        bn.eq(s.counters()['binnacle_rejected_samples_total{reason="decoder"}'], 2)


def test_otlp_logs():
    with bn.Server() as s:
        record = {'timeUnixNano': str(NOW_NS), 'body': {'stringValue': 'hello'}}
        bn.eq(s.post('/v1/logs', {'resourceLogs': [{'resource': RESOURCE, 'scopeLogs': [{'logRecords': [record, record]}]}]}).status, 200)
        bn.eq(s.post('/v1/logs', b'{', 'application/json').status, 400)
        bn.eq(counted(s, 'logs'), (2, 0, 0, 1))


def test_remote_write():
    with bn.Server() as s:
        label = lambda name, value: (1, 'msg', [(1, 'bytes', name), (2, 'bytes', value)])
        sample = lambda t: (2, 'msg', [(1, 'double', 1.5), (2, 'varint', t)])
        series = [(1, 'msg', [label('__name__', 'pushed'), sample(NOW_MS), sample(NOW_MS + 1)]),
                  (1, 'msg', [label('a', 'no name'), sample(NOW_MS), sample(NOW_MS + 1), sample(NOW_MS + 2)])]
        headers = {'Content-Encoding': 'snappy'}
        reply = s.post('/api/v1/write', wire.snappy(wire.pb(series)), 'application/x-protobuf', headers)
        bn.eq((reply.status, reply.headers['X-Prometheus-Remote-Write-Samples-Written']), (400, '2'))
        bn.eq(counted(s, 'metrics'), (2, 3, 0, 0))
        bn.eq(s.post('/api/v1/write', b'\xff', 'application/x-protobuf', headers).status, 400)
        bn.eq(counted(s, 'metrics'), (2, 3, 0, 1))
        old = [(1, 'msg', [label('__name__', 'pushed'), sample(NOW_MS - 5)])]
        reply = s.post('/api/v1/write', wire.snappy(wire.pb(old)), 'application/x-protobuf', headers)
        bn.eq(reply.status, 400)
        bn.has(reply.text, 'out of order')
        bn.eq(counted(s, 'metrics'), (2, 4, 0, 1))


def test_pages():
    with bn.Server() as s:
        bn.eq(s.post('/api/v1/import/prometheus', 'a 1\nb{x="y"} 2\n', 'text/plain').status, 204)
        bn.eq(s.post('/api/v1/import/prometheus', 'a 1\nb two\n', 'text/plain').status, 400)
        bn.eq(counted(s, 'metrics'), (2, 0, 0, 1))


def test_pages_in_protobuf():
    with bn.Server() as s:
        page = (wire.prom_family('c_total', 'counter', [({'a': 'b'}, [(1, 'double', 5.0)])]) +
                wire.prom_family('h', 'histogram', [({}, wire.prom_native(7, 2.5, 3, 2, (-2, [2, 3])))]))
        bn.eq(s.post('/api/v1/import/prometheus', page, wire.PROM_PROTOBUF).status, 204)
        bn.eq(s.post('/api/v1/import/prometheus', page[:-1], wire.PROM_PROTOBUF).status, 400)
        bn.eq(counted(s, 'metrics'), (2, 0, 0, 1))


def test_differences_are_summed_up_and_refused_ones_counted():
    with bn.Server({'otlp.delta-series': '1'}) as s:
        def push(name, *points):
            points = [{'timeUnixNano': str(NOW_NS + t * 1000000), 'startTimeUnixNano': str(NOW_NS - 1000000), 'asInt': str(v)} for t, v in points]
            metric = {'name': name, 'sum': {'aggregationTemporality': 1, 'isMonotonic': True, 'dataPoints': points}}
            reply = s.post('/v1/metrics', {'resourceMetrics': [{'scopeMetrics': [{'metrics': [metric]}]}]})
            bn.eq(reply.status, 200)
            return reply.json.get('partialSuccess', {})
        bn.eq(push('d', (1, 5), (2, 7)), {})
        twice = push('d', (2, 7), (3, 1))
        bn.eq(twice['rejectedDataPoints'], '1')
        bn.has(twice['errorMessage'], 'out of order, or was sent twice')
        bn.has(push('other', (1, 1))['errorMessage'], 'too many series with delta temporality')
        bn.eq(counted(s, 'metrics'), (3, 2, 0, 0))
        line = s.get('/api/v1/export', **{'match[]': 'd_total'}).json
        bn.eq((line['values'], line['start_timestamps']), ([5, 12, 13], [NOW_MS - 1] * 3))
        c = s.counters()
        bn.eq([c['binnacle_otlp_delta_refused_total{reason="%s"}' % r] for r in ('order', 'limit')], [1, 1])


def test_influx_lines():
    with bn.Server() as s:
        lines = 'cpu,host=a user=1.5,sys=2i,note="text" %d\nbroken\nmem free=3u %d\n' % (NOW_NS, NOW_NS)
        reply = s.post('/write?db=telegraf', lines)
        bn.eq((reply.status, reply.json), (400, {'error': "partial write: line 2: unable to parse 'broken': missing fields dropped=1"}))
        bn.eq(counted(s, 'metrics'), (3, 2, 0, 0))  # the line, and the text
        bn.eq(dict(list(s.samples('cpu_user'))[0]), {'__name__': 'cpu_user', 'host': 'a', 'db': 'telegraf'})
        reply = s.post('/api/v2/write?org=o&bucket=b&precision=ms', 'cpu note="text",v=1 %d' % NOW_MS)
        bn.eq((reply.status, reply.headers['X-Binnacle-Skipped-Strings']), (204, '1'))
        bn.eq(counted(s, 'metrics'), (4, 3, 0, 0))
        bn.eq(s.post('/write?precision=fortnight', 'cpu v=1').status, 400)
        bn.eq(counted(s, 'metrics'), (4, 3, 0, 1))


def test_json_lines():
    with bn.Server() as s:
        line = lambda name, n: json.dumps({'metric': {'__name__': name}, 'values': [1] * n, 'timestamps': [NOW_MS + i for i in range(3)]})
        bn.eq(s.post('/api/v1/import', line('good', 3) + '\n').status, 204)
        reply = s.post('/api/v1/import', '\n'.join([line('bad', 2), '{', line('more', 3)]))
        bn.eq(reply.status, 400)
        bn.has(reply.text, '4 samples refused: line 1: values has 2 items, timestamps 3')
        bn.eq(counted(s, 'metrics'), (6, 4, 0, 0))


def test_elasticsearch_documents():
    with bn.Server() as s:
        lines = ['{"index":{"_index":"logs"}}', '{"message":"good"}', '{"index":{"_index":"logs"}}', '{"message":', '{"delete":{"_index":"logs","_id":"1"}}']
        reply = s.post('/_bulk', '\n'.join(lines) + '\n', 'application/x-ndjson')
        bn.eq((reply.status, reply.json['errors'], len(reply.json['items'])), (200, True, 3))
        bn.eq(counted(s, 'logs'), (1, 2, 0, 0))
        bn.eq(s.post('/logs/_doc', '[1]', 'application/json').status, 400)
        bn.eq(s.post('/logs/_doc', '{"message":"good"}', 'application/json').status, 201)
        bn.eq(s.post('/_bulk', '{"index":{"_index":"logs"}}', 'application/x-ndjson').status, 400)
        bn.eq(counted(s, 'logs'), (2, 3, 0, 1))


def test_jaeger_over_http():
    with bn.Server() as s:
        spans = [wire.jaeger_span(5, number, 0, 'op', NOW_US, 10) for number in (1, 0, 2)]
        for content_type in ('application/x-thrift', 'application/vnd.apache.thrift.binary'):
            bn.eq(s.post('/api/traces', wire.binary(wire.jaeger_batch('old', spans)), content_type).status, 202)
        bn.eq(s.post('/api/traces', b'\xff\xff', 'application/x-thrift').status, 400)
        bn.eq(counted(s, 'traces'), (4, 2, 0, 1))
        bn.eq({p['serviceName'] for p in s.get('/api/traces/5').json['data'][0]['processes'].values()}, {'old'})


def zipkin_v1(number):
    host = {'serviceName': 'zip', 'ipv4': '10.0.0.1', 'port': 80}
    return {'traceId': '%016x' % 6, 'id': '%016x' % number, 'name': 'get', 'timestamp': NOW_US, 'duration': 9,
            'annotations': [{'timestamp': NOW_US, 'value': 'sr', 'endpoint': host}, {'timestamp': NOW_US + 9, 'value': 'ss', 'endpoint': host}],
            'binaryAnnotations': [{'key': 'http.path', 'value': '/', 'endpoint': host}]}


def zipkin_v2(number):
    return {'traceId': '%016x' % 6, 'id': '%016x' % number, 'name': 'get', 'kind': 'SERVER', 'timestamp': NOW_US, 'duration': 9,
            'localEndpoint': {'serviceName': 'zip', 'ipv4': '10.0.0.1'}, 'tags': {'http.path': '/'}}


def zipkin_thrift(number):
    return wire.zipkin_span(6, number, 0, 'get', 'zip', NOW_US, 9, [('http.path', '/')])


def zipkin_pb(number):
    return (1, 'msg', [(1, 'bytes', b'\0' * 7 + b'\6'), (3, 'bytes', struct.pack('>Q', number)), (4, 'varint', 2), (5, 'bytes', 'get'),
                       (6, 'fixed64', NOW_US), (7, 'varint', 9), (8, 'msg', [(1, 'bytes', 'zip'), (2, 'bytes', b'\x0a\0\0\1')]),
                       (11, 'msg', [(1, 'bytes', 'http.path'), (2, 'bytes', '/')])])


def test_zipkin_in_all_its_formats():
    thrift_list = lambda spans: wire.binary_value('list', ('struct', spans))
    formats = [('/api/v1/spans', zipkin_v1, json.dumps, 'application/json'), ('/api/v2/spans', zipkin_v2, json.dumps, 'application/json'),
               ('/api/v1/spans', zipkin_thrift, thrift_list, 'application/x-thrift'), ('/api/v2/spans', zipkin_pb, wire.pb, 'application/x-protobuf')]
    for path, make, encode, content_type in formats:
        with bn.Server() as s:
            reply = s.post(path, encode([make(1), make(0), make(2)]), content_type)
            bn.eq(reply.status, 202, content_type + ': ' + reply.text)
            bn.eq(s.post(path, b'\xff[', content_type).status, 400)
            bn.eq(counted(s, 'traces'), (2, 1, 0, 1), content_type)
            trace = s.get('/api/traces/6').json['data'][0]
            bn.eq([(x['spanID'], x['operationName'], x['duration']) for x in trace['spans']], [('%016x' % n, 'get', 9) for n in (1, 2)])
            tags = {t['key']: t['value'] for t in trace['spans'][0]['tags']}
            bn.eq((tags['http.path'], tags['span.kind'], trace['processes']['p1']['serviceName']), ('/', 'server', 'zip'))


def test_jaeger_over_udp():
    port = bn.free_port(socket.SOCK_DGRAM)
    others = ('elastic', 'jaeger', 'otlp-http', 'collector', 'zipkin', 'udp-binary', 'udp-zipkin')
    with bn.Server({'doors': 'on', 'door.udp-compact': '127.0.0.1:%d' % port, **{'door.' + o: 'off' for o in others}}) as s:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            spans = [wire.jaeger_span(5, number, 0, 'op', NOW_US, 10) for number in (1, 0, 2)]
            client.sendto(b'nonsense', ('127.0.0.1', port))
            client.sendto(wire.message(wire.compact, 'emitBatch', [(1, 'struct', wire.jaeger_batch('old', spans))]), ('127.0.0.1', port))
        bn.wait_for(lambda: counted(s, 'traces') == (2, 1, 0, 1), 'two spans, one refused and one packet nobody can read', server=s)


def test_a_scraped_page_that_breaks_half_way_is_not_stored_in_part():
    pages = [b'first 1\nsecond 2\nthird three\n']

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Type', 'text/plain')
            self.end_headers()
            self.wfile.write(pages[0])

        def log_message(self, *args):
            pass

    target = HTTPServer(('127.0.0.1', 0), Page)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    with bn.Server({'scrape.target': 'http://127.0.0.1:%d/metrics' % target.server_port, 'scrape.interval': '100ms', 'scrape.timeout': '100ms'}) as s:
        up = lambda: [v for k, v in s.samples('up').items() if ('instance', '127.0.0.1:%d' % target.server_port) in k]
        bn.wait_for(lambda: s.counters()['binnacle_unreadable_total{signal="metrics"}'] >= 2 and up() == ['0'], 'two pages nobody can read', server=s)
        bn.eq(s.samples('first'), {})
        counted(s, 'metrics')
        pages[0] = b'first 1\nsecond 2\nthird 3\n'
        bn.wait_for(lambda: up() == ['1'] and len(s.samples('third')) == 1, 'the page that is whole', server=s)
        counted(s, 'metrics')
    target.shutdown()


bn.main()
