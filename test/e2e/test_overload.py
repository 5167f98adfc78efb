"""Overload: every door refuses as its protocol wants, says when to come again, counts it, and takes the next good request once there is room."""
import concurrent.futures
import http.client
import json
import struct
import time

import bn
import wire

NOW_MS = int(time.time() * 1000)
NOW_US, NOW_NS = NOW_MS * 1000, NOW_MS * 1000000
RESOURCE = {'attributes': [{'key': 'service.name', 'value': {'stringValue': 'shop'}}]}
DISK_FULL = {'disk.free-min': '1000TiB'}
PROTOBUF = 'application/x-protobuf'


def otlp_span(number, **more):
    return {'traceId': '%032x' % 7, 'spanId': '%016x' % number, 'name': 'op', 'startTimeUnixNano': str(NOW_NS), 'endTimeUnixNano': str(NOW_NS + 5), **more}


def otlp_log(text):
    return {'resourceLogs': [{'resource': RESOURCE, 'scopeLogs': [{'logRecords': [{'timeUnixNano': str(NOW_NS), 'body': {'stringValue': text}}]}]}]}


def otlp_gauge(v):
    point = {'timeUnixNano': str(NOW_NS + v * 1000000), 'asInt': str(v)}
    return {'resourceMetrics': [{'resource': RESOURCE, 'scopeMetrics': [{'metrics': [{'name': 'g', 'gauge': {'dataPoints': [point]}}]}]}]}


def remote_write(samples, name='pushed'):
    series = [(1, 'msg', [(1, 'msg', [(1, 'bytes', '__name__'), (2, 'bytes', name)])] + [(2, 'msg', [(1, 'double', 1.5), (2, 'varint', t)]) for t in samples])]
    data = wire.pb(series)
    return wire.varint(len(data)) + b'\xf4' + struct.pack('<H', len(data) - 1) + data


def bulk(n):
    return ''.join('{"index":{"_index":"logs"}}\n{"message":"line %d"}\n' % i for i in range(n))


JAEGER = wire.binary(wire.jaeger_batch('old', [wire.jaeger_span(5, 1, 0, 'op', NOW_US, 10)]))
ZIPKIN = json.dumps([{'traceId': '6', 'id': '1', 'name': 'get', 'timestamp': NOW_US, 'duration': 9, 'localEndpoint': {'serviceName': 'zip'}}])
SNAPPY = {'Content-Encoding': 'snappy'}
# name, signal, items, path, body, content type, headers, good status
DOORS = [
    ('otlp traces', 'traces', 1, '/v1/traces', json.dumps(bn.otlp_spans('shop', [otlp_span(1)])), 'application/json', {}, 200),
    ('otlp traces, protobuf', 'traces', 1, '/v1/traces', wire.otlp_pb_traces('pb', [wire.otlp_pb_span('7' * 32, '8' * 16, 'op', NOW_NS, NOW_NS + 5)]), PROTOBUF, {}, 200),
    ('otlp logs', 'logs', 1, '/v1/logs', json.dumps(otlp_log('hello')), 'application/json', {}, 200),
    ('otlp metrics', 'metrics', None, '/v1/metrics', json.dumps(otlp_gauge(1)), 'application/json', {}, 200),
    ('remote write', 'metrics', 2, '/api/v1/write', remote_write([NOW_MS, NOW_MS + 1]), PROTOBUF, SNAPPY, 204),
    ('metrics page', 'metrics', 2, '/api/v1/import/prometheus', 'a 1\nb 2\n', 'text/plain', {}, 204),
    ('elastic bulk', 'logs', 3, '/_bulk', bulk(3), 'application/x-ndjson', {}, 200),
    ('elastic document', 'logs', 1, '/logs/_doc', '{"message":"one"}', 'application/json', {}, 201),
    ('jaeger', 'traces', 1, '/api/traces', JAEGER, 'application/x-thrift', {}, 202),
    ('zipkin', 'traces', 1, '/api/v2/spans', ZIPKIN, 'application/json', {}, 202),
]


def push(s, door):
    name, signal, items, path, body, content_type, headers, good = door
    return s.post(path, body, content_type, headers)


def refused(door, reply, status, reason):
    """The refusal as the door's protocol words it."""
    name, path = door[0], door[3]
    bn.eq(reply.status, status, name + ': ' + reply.text)
    bn.eq(reply.headers['Retry-After'], '1', name)
    if path.startswith('/v1/'):
        bn.eq(reply.headers['Content-Type'], door[5], name)
        if door[5] == PROTOBUF:  # google.rpc.Status{1: code, 2: message}
            bn.eq(reply.body[:1], b'\x08', name)
            assert reply.body[1] in (8, 14), reply.body
        else:
            assert reply.json['code'] in (8, 14), reply.text
    elif 'elastic' in name:
        bn.eq((reply.json['status'], reply.json['error']['type']), (429, 'es_rejected_execution_exception'), name)
    bn.has(reply.text, reason)


def counts(s, signal):
    s.conserved()
    c = s.counters()
    return [int(c['binnacle_%s_total{signal="%s"}' % (k, signal)]) for k in ('stored', 'rejected', 'dropped')]


def test_a_nearly_full_disk_refuses_whole_requests_at_every_door():
    with bn.Server(DISK_FULL) as s:
        for door in DOORS:
            name, signal, items, *_ = door
            before = counts(s, signal)
            refused(door, push(s, door), 429, 'disk.free-min')
            after = counts(s, signal)
            bn.eq(after[:2], before[:2], name)
            if items:
                bn.eq(after[2] - before[2], items, name)
            else:
                assert after[2] > before[2], name
        s.settings['disk.free-min'] = '0'
        s.stop()
        s.start()
        for door in DOORS:
            bn.eq(push(s, door).status, door[-1], door[0])
            assert counts(s, door[1])[0] >= (door[2] or 1), door[0]
        bn.eq([len(s.logs()), len(s.samples('a')), len(s.samples('pushed'))], [5, 1, 1])


def test_a_disk_that_is_behind_refuses_until_it_has_caught_up():
    with bn.Server({'wal.queue-bytes': '1', 'wal.window': '1s'}) as s, concurrent.futures.ThreadPoolExecutor(4) as pool:
        for i, door in enumerate(DOORS):
            before = counts(s, 'logs')[0]
            first = pool.submit(s.post, '/v1/logs', otlp_log('first%d' % i))  # waits a second for company, in the queue
            bn.wait_for(lambda: counts(s, 'logs')[0] > before, 'the first to be in the queue', server=s)
            dropped = counts(s, door[1])[2]
            refused(door, push(s, door), 429, 'the disk is behind')
            assert counts(s, door[1])[2] > dropped, door[0]
            bn.eq(first.result().status, 200)
            bn.eq(push(s, door).status, door[-1], door[0])
        for signal in ('logs', 'traces', 'metrics'):
            counts(s, signal)


def test_a_full_queue_of_jobs_refuses_large_bodies():
    """They are decoded in the pool: one worker with a queue of one."""
    items = 15000
    bodies = {'/v1/traces': (json.dumps(bn.otlp_spans('shop', [otlp_span(i + 1, attributes=[{'key': 'k', 'value': {'stringValue': 'v' * 40}}]) for i in range(items)])),
                             'application/json', 200, 'traces'),
              '/_bulk': (bulk(items), 'application/x-ndjson', 200, 'logs')}
    with bn.Server({'threads': '1', 'queue': '1'}) as s, concurrent.futures.ThreadPoolExecutor(12) as pool:
        for path, (body, content_type, good, signal) in bodies.items():
            refused_before = s.counters()
            replies = list(pool.map(lambda _: s.post(path, body, content_type), range(12)))
            taken = [r for r in replies if r.status == good]
            others = [r for r in replies if r.status != good]
            assert taken and others, [r.status for r in replies]
            for r in others:
                bn.eq((r.status, r.headers['Retry-After'], r.headers['Content-Type']), (429, '1', 'application/json'), r.text[:300])
            after = s.counters()
            lanes = ['binnacle_jobs_refused_total{lane="%s"}' % lane for lane in ('query', 'background')]
            bn.eq(sum(after[l] - refused_before[l] for l in lanes), len(others), path)
            bn.eq(counts(s, signal), [len(taken) * items, 0, 0], path)
            bn.eq(s.post(path, body, content_type).status, good)


def test_too_many_series_drops_new_ones_and_keeps_old_ones():
    with bn.Server({'limit.series': '10'}) as s:
        bn.eq(s.post('/api/v1/import/prometheus', ''.join('old%d 1\n' % i for i in range(10)), 'text/plain').status, 204)
        reply = s.post('/api/v1/import/prometheus', 'new 1\n', 'text/plain')
        bn.eq(reply.status, 400)  # sent again it would be dropped again
        bn.has(reply.text, 'active series')
        reply = s.post('/api/v1/import/prometheus?timestamp=%d' % (NOW_MS + 60000), 'new 1\nold3 2\n', 'text/plain')
        bn.eq(reply.status, 400)  # a part is stored: to be sent again it must not be
        bn.has(reply.text, '1 samples refused')
        reply = s.post('/api/v1/write', remote_write([NOW_MS]), PROTOBUF, SNAPPY)
        bn.eq((reply.status, reply.headers['X-Prometheus-Remote-Write-Samples-Written']), (400, '0'))
        reply = s.post('/v1/metrics', otlp_gauge(1))
        bn.eq((reply.status, reply.json['partialSuccess']['rejectedDataPoints']), (200, '1'), reply.text)
        bn.eq(counts(s, 'metrics')[:2], [11, 0])
        assert s.counters()['binnacle_dropped_samples_total{reason="series_limit"}'] >= 4


def test_too_many_attributes_refuses_the_item_alone():
    with bn.Server({'limit.attributes': '3'}) as s:
        many = [{'key': 'k%d' % i, 'value': {'stringValue': 'v'}} for i in range(9)]
        reply = s.post('/v1/traces', bn.otlp_spans('shop', [otlp_span(1), otlp_span(2, attributes=many)]))
        bn.eq((reply.status, reply.json['partialSuccess']['rejectedSpans']), (200, '1'))
        bn.eq(counts(s, 'traces'), [1, 1, 0])
        reply = s.post('/_bulk', '{"index":{"_index":"logs"}}\n{"a":1}\n{"index":{"_index":"logs"}}\n{"a":1,"b":2,"c":3,"d":4,"e":5}\n', 'application/x-ndjson')
        bn.eq((reply.status, reply.json['errors'], [i['index']['status'] for i in reply.json['items']]), (200, True, [201, 400]))
        bn.eq(counts(s, 'logs'), [1, 1, 0])
        log = otlp_log('many')
        log['resourceLogs'][0]['scopeLogs'][0]['logRecords'][0]['attributes'] = many
        reply = s.post('/v1/logs', log)
        bn.eq((reply.status, reply.json['partialSuccess']['rejectedLogRecords']), (200, '1'))
        bn.eq(counts(s, 'logs'), [1, 2, 0])


def elastic_door():
    """Settings of a server whose one native door is Elasticsearch's, and the door's URL."""
    port = bn.free_port()
    others = ('jaeger', 'otlp-http', 'collector', 'zipkin', 'udp-compact', 'udp-binary', 'udp-zipkin')
    return {'doors': 'on', 'door.elastic': '127.0.0.1:%d' % port, **{'door.' + o: 'off' for o in others}}, 'http://127.0.0.1:%d' % port


def test_too_large_bodies_are_413_in_the_words_of_the_door():
    door, url = elastic_door()
    with bn.Server({'http.body-bytes': '1000B', **door}) as s:
        for d in DOORS:
            body = d[4] if isinstance(d[4], bytes) else d[4].encode()
            reply = s.post(d[3], body + b' ' * 1000, d[5], d[6])
            bn.eq(reply.status, 413, d[0])
            bn.has(reply.text, '--http.body-bytes')
            if d[3].startswith('/v1/'):
                bn.eq(reply.headers['Content-Type'], d[5], d[0])
                bn.eq(reply.body[1] if d[5] == PROTOBUF else reply.json['code'], 8, d[0])
            bn.eq(push(s, d).status, d[-1], d[0])
        reply = bn.call(url + '/_bulk', 'POST', bulk(40), {'Content-Type': 'application/x-ndjson'})
        bn.eq((reply.status, reply.json['error']['type']), (413, 'content_too_long_exception'))
        bn.eq(s.counters()['binnacle_http_refused_total{reason="body"}'], len(DOORS) + 1)
        for signal in ('logs', 'traces', 'metrics'):
            bn.eq(counts(s, signal)[1:], [0, 0])


def test_too_many_bodies_in_memory_are_503_until_one_leaves():
    with bn.Server({'http.in-flight-bytes': '4000B'}) as s:
        body = json.dumps(otlp_log('x' * 3000))
        slow = http.client.HTTPConnection('127.0.0.1', s.port)
        slow.putrequest('POST', '/v1/logs')
        slow.putheader('Content-Type', 'application/json')
        slow.putheader('Content-Length', str(len(body)))
        slow.endheaders()
        slow.send(body[:-1].encode())
        bn.wait_for(lambda: s.counters()['binnacle_http_received_bytes_total'] >= len(body) - 1, 'the slow body', server=s)
        reply = s.post('/v1/logs', body, 'application/json')
        bn.eq((reply.status, reply.headers['Retry-After'], reply.json['code']), (503, '1', 14))
        bn.has(reply.text, '--http.in-flight-bytes')
        bn.eq(s.counters()['binnacle_http_refused_total{reason="busy"}'], 1)
        slow.send(body[-1:].encode())
        bn.eq(slow.getresponse().status, 200)
        slow.close()
        bn.eq(s.post('/v1/logs', body, 'application/json').status, 200)
        bn.eq(counts(s, 'logs'), [2, 0, 0])


bn.main()
