"""Traces end to end: in by OTLP and by the old Jaeger clients' packets, out by Jaeger's query API as 1.57 answered it."""
import gzip
import json
import socket
import time

import bn
import wire

NOW_US = int(time.time() * 1e6)


def hex_id(n, digits=16):
    return '%0*x' % (digits, n)


def attr(key, v):
    name = 'boolValue' if isinstance(v, bool) else 'intValue' if isinstance(v, int) else 'doubleValue' if isinstance(v, float) else 'stringValue'
    return {'key': key, 'value': {name: str(v) if name == 'intValue' else v}}


def span(trace, number, name, start_us=None, duration_us=1000, parent=0, attrs=(), **more):
    start_us = NOW_US if start_us is None else start_us
    return {'traceId': hex_id(trace, 32), 'spanId': hex_id(number), 'parentSpanId': hex_id(parent) if parent else '', 'name': name,
            'startTimeUnixNano': str(start_us * 1000), 'endTimeUnixNano': str((start_us + duration_us) * 1000),
            'attributes': [attr(k, v) for k, v in attrs], **more}


def push(s, service, spans, resource=()):
    body = bn.otlp_spans(service, spans)
    body['resourceSpans'][0]['resource']['attributes'] += [attr(k, v) for k, v in resource]
    reply = s.post('/v1/traces', body)
    bn.eq((reply.status, reply.json), (200, {}))


def found(s, **params):
    """Trace ids of a search, in the order answered."""
    return [int(t['traceID'], 16) for t in s.traces(**params)]


def tags(span):
    return {t['key']: t['value'] for t in span['tags']}


def refused(reply, status, part):
    """Jaeger's error envelope."""
    bn.eq(reply.status, status, reply.text)
    body = reply.json
    bn.eq((body['data'], body['total'], body['limit'], body['offset'], len(body['errors'])), (None, 0, 0, 0, 1))
    bn.eq(body['errors'][0]['code'], status)
    bn.has(body['errors'][0]['msg'], part)


# --- in and out

def test_keeps_spans_of_otlp_json():
    with bn.Server() as s:
        push(s, 'shop', [span(0xa1, 1, 'GET /', NOW_US, 1234, kind=2, attrs=[('http.status_code', 500), ('ratio', 0.5), ('ok', False)],
                              status={'code': 2, 'message': 'broken'}, events=[{'timeUnixNano': str(NOW_US * 1000), 'name': 'boom'}])])
        reply = s.get('/api/traces/a1')
        bn.eq(reply.status, 200)
        bn.has(reply.headers['Content-Type'], 'application/json')
        trace = reply.json['data'][0]
        bn.eq(reply.json['errors'], None)
        bn.eq(trace['processes'], {'p1': {'serviceName': 'shop', 'tags': []}})
        got = trace['spans'][0]
        bn.eq((got['traceID'], got['spanID'], got['operationName'], got['startTime'], got['duration']),
              ('00000000000000a1', '0000000000000001', 'GET /', NOW_US, 1234))
        bn.eq(tags(got), {'otel.scope.name': 'test', 'http.status_code': 500, 'ratio': 0.5, 'ok': False, 'span.kind': 'server',
                          'otel.status_code': 'ERROR', 'error': True, 'otel.status_description': 'broken'})
        bn.eq(got['logs'], [{'timestamp': NOW_US, 'fields': [{'key': 'event', 'type': 'string', 'value': 'boom'}]}])


def test_keeps_spans_of_otlp_protobuf_gzipped_or_not():
    with bn.Server() as s:
        for i, coding in enumerate(['', 'gzip'], 1):
            body = wire.otlp_pb_traces('pb', [wire.otlp_pb_span(hex_id(i, 32), hex_id(7), 'op', NOW_US * 1000, NOW_US * 1000 + 5000, [('k', 'v')])])
            headers = {'Content-Encoding': coding} if coding else {}
            reply = s.post('/v1/traces', gzip.compress(body) if coding else body, 'application/x-protobuf', headers)
            bn.eq((reply.status, reply.body, reply.headers['Content-Type']), (200, b'', 'application/x-protobuf'))
            got = s.get('/api/traces/%x' % i).json['data'][0]['spans'][0]
            bn.eq((got['operationName'], got['duration'], tags(got)['k']), ('op', 5, 'v'))


def test_writes_128_bit_ids_with_32_digits_and_finds_them_without_leading_zeros():
    with bn.Server() as s:
        push(s, 'shop', [span(0x1000000000000000a, 1, 'op')])
        for text in ('1000000000000000a', '0000000000000001000000000000000a', '0000000000000001000000000000000A'):
            bn.eq(s.get('/api/traces/' + text).json['data'][0]['traceID'], '0000000000000001000000000000000a')


def test_keeps_packets_of_every_udp_door():
    ports = {name: bn.free_port(socket.SOCK_DGRAM) for name in ('udp-compact', 'udp-binary', 'udp-zipkin')}
    doors = {'door.' + name: '127.0.0.1:%d' % port for name, port in ports.items()}
    doors.update({'door.' + name: 'off' for name in ('elastic', 'jaeger', 'otlp-http', 'collector', 'zipkin')})
    with bn.Server({**doors, 'doors': 'on'}) as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        trace = 0
        for protocol in (wire.compact, wire.binary):
            for door, port in ports.items():
                trace += 1
                one = wire.jaeger_span(trace, 1, 9, 'op', NOW_US, 77, [('error', True), ('n', 5), ('x', 0.5), ('b', b'\0\1'), ('span.kind', 'client')],
                                       [(1, 0, 99, 98)], [(NOW_US, [('event', 'e'), ('k', 'v')])])
                batch = wire.jaeger_batch('udp', [one], [('hostname', 'h')])
                client.sendto(wire.message(protocol, 'emitBatch', [(1, 'struct', batch)]), ('127.0.0.1', port))
                bn.wait_for(lambda: s.get('/api/traces/%x' % trace).status == 200, '%s to keep a packet' % door, 10, s)
                got = s.get('/api/traces/%x' % trace).json['data'][0]
                bn.eq(got['processes']['p1'], {'serviceName': 'udp', 'tags': [{'key': 'hostname', 'type': 'string', 'value': 'h'}]})
                one = got['spans'][0]
                bn.eq(tags(one), {'error': True, 'n': 5, 'x': 0.5, 'b': 'AAE=', 'span.kind': 'client'})
                bn.eq((one['flags'], one['duration'], one['startTime']), (1, 77, NOW_US))
                bn.eq(one['references'], [{'refType': 'CHILD_OF', 'traceID': hex_id(trace), 'spanID': hex_id(9)},
                                          {'refType': 'FOLLOWS_FROM', 'traceID': hex_id(99), 'spanID': hex_id(98)}])
                bn.eq([f['key'] for f in one['logs'][0]['fields']], ['event', 'k'])
            trace += 1
            zipkin = wire.zipkin_span(trace, 1, 0, 'get', 'old', NOW_US, 55, [('k', 'v')])
            client.sendto(wire.message(protocol, 'emitZipkinBatch', [(1, 'list', ('struct', [zipkin]))]), ('127.0.0.1', ports['udp-zipkin']))
            bn.wait_for(lambda: s.get('/api/traces/%x' % trace).status == 200, 'a Zipkin packet to be kept', 10, s)
            got = s.get('/api/traces/%x' % trace).json['data'][0]
            bn.eq((got['processes']['p1']['serviceName'], got['spans'][0]['duration'], tags(got['spans'][0])['span.kind']), ('old', 55, 'server'))
        client.sendto(b'\x82\x81\x00 nonsense', ('127.0.0.1', ports['udp-compact']))
        errors = 'binnacle_udp_decode_errors_total{door="udp-compact"}'
        bn.wait_for(lambda: s.counters().get(errors) == 1, 'a bad packet to be counted', 10, s)


def test_keeps_thrift_over_http():
    with bn.Server() as s:
        body = wire.binary(wire.jaeger_batch('collected', [wire.jaeger_span(5, 1, 0, 'op', NOW_US, 10, trace_hi=1)]))
        for kind in ('application/x-thrift', 'application/vnd.apache.thrift.binary'):
            reply = s.post('/api/traces?format=jaeger.thrift', body, kind)
            bn.eq((reply.status, reply.body), (202, b''))
        bn.eq(len(s.get('/api/traces/' + hex_id(1) + hex_id(5)).json['data'][0]['spans']), 2)
        bn.eq(s.post('/api/traces', body, 'text/plain').status, 400)


# --- catalogues

def test_lists_services_operations_and_dependencies():
    with bn.Server() as s:
        push(s, 'front', [span(1, 1, 'GET /', kind=2), span(1, 2, 'call', kind=3, parent=1), span(1, 5, 'GET /', kind=3, parent=1)])
        push(s, 'back/end', [span(1, 3, 'handle', kind=2, parent=2), span(1, 4, 'inner', kind=1, parent=3)])
        bn.eq(s.get('/api/services').json, {'data': ['back/end', 'front'], 'total': 2, 'limit': 0, 'offset': 0, 'errors': None})
        bn.eq(s.get('/api/services/front/operations').json['data'], ['GET /', 'call'])
        bn.eq(s.get('/api/services/back%2Fend/operations').json['data'], ['handle', 'inner'])
        bn.eq(s.get('/api/services/none/operations').json['data'], [])
        bn.eq(s.get('/api/operations', service='front').json['data'], [{'name': 'GET /', 'spanKind': 'server'}, {'name': 'GET /', 'spanKind': 'client'},
                                                                      {'name': 'call', 'spanKind': 'client'}])
        bn.eq(s.get('/api/operations', service='front', spanKind='server').json['data'], [{'name': 'GET /', 'spanKind': 'server'}])
        refused(s.get('/api/operations'), 400, "parameter 'service' is required")
        edge = [{'parent': 'front', 'child': 'back/end', 'callCount': 1}]
        params = {'endTs': NOW_US // 1000 + 60000, 'lookback': 3600000}
        bn.eq(s.get('/api/dependencies', **params).json['data'], edge)
        bn.eq(s.get('/api/dependencies', service='front', **params).json['data'], edge)
        bn.eq(s.get('/api/dependencies', service='other', **params).json['data'], [])
        bn.eq(s.get('/api/dependencies', endTs=1000000, lookback=1000).json['data'], [])
        refused(s.get('/api/dependencies', endTs='x'), 400, "unable to parse param 'endTs'")
        refused(s.get('/api/dependencies', endTs='5', lookback='6'), 400, 'out of range')


# --- search

def test_searches_by_every_parameter():
    with bn.Server() as s:
        push(s, 'shop', [span(1, 1, 'GET /', NOW_US, 1000, kind=2, attrs=[('http.status_code', 200), ('user', 'ann b')]),
                         span(2, 1, 'GET /', NOW_US - 10, 2000, kind=2, attrs=[('http.status_code', 500)], status={'code': 2}),
                         span(3, 1, 'POST /', NOW_US - 20, 3000, kind=3, events=[{'timeUnixNano': '1', 'name': 'retry', 'attributes': [attr('try', 2)]}])],
             [('pod', 'p-1')])
        push(s, 'bank', [span(4, 1, 'pay', NOW_US - 30, 4000, links=[{'traceId': hex_id(1, 32), 'spanId': hex_id(1), 'attributes': [attr('why', 'x')]}])])
        bn.eq(found(s), [1, 2, 3, 4])
        bn.eq(found(s, service='shop'), [1, 2, 3])
        bn.eq(found(s, service='none'), [])
        bn.eq(found(s, service='shop', operation='GET /'), [1, 2])
        bn.eq(found(s, service='bank', operation='GET /'), [])
        bn.eq(found(s, minDuration='2ms'), [2, 3, 4])
        bn.eq(found(s, maxDuration='0.002s'), [1, 2])
        bn.eq(found(s, minDuration='1500us', maxDuration='3ms'), [2, 3])
        bn.eq(found(s, start=NOW_US - 20, end=NOW_US - 10), [2, 3])
        bn.eq(found(s, start=NOW_US - 30, end=NOW_US - 30), [4])
        bn.eq(found(s, limit=2), [1, 2])
        bn.eq(found(s, tag='http.status_code:500'), [2])
        bn.eq(found(s, tag=['http.status_code:200', 'user:ann b']), [1])
        bn.eq(found(s, tag=['http.status_code:500', 'user:ann b']), [])
        bn.eq(found(s, tags='{"http.status_code":"200"}'), [1])
        bn.eq(found(s, tags='{"http.status_code":200}'), [1])
        bn.eq(found(s, tags='http.status_code=200 user="ann b"'), [1])
        bn.eq(found(s, tag='pod:p-1'), [1, 2, 3])
        bn.eq(found(s, tag='resource.pod:p-1'), [1, 2, 3])
        bn.eq(found(s, tag='try:2'), [3])
        bn.eq(found(s, tag='event:retry'), [3])
        bn.eq(found(s, tag='why:x'), [4])
        bn.eq(found(s, tag='error:true'), [2])
        bn.eq(found(s, tag='error:false'), [1, 3, 4])
        bn.eq(found(s, tag='span.kind:client'), [3])
        bn.eq(found(s, tag='otel.status_code:ERROR'), [2])
        bn.eq(found(s, tag='otel.scope.name:test', service='bank'), [4])
        bn.eq(found(s, traceID=['4', '1']), [4, 1])


def test_asks_all_conditions_of_one_span():
    with bn.Server() as s:
        push(s, 'shop', [span(1, 1, 'a', attrs=[('k', '1')]), span(1, 2, 'b', attrs=[('k', '2')])])
        bn.eq(found(s, operation='a', tag='k:1'), [1])
        bn.eq(found(s, operation='a', tag='k:2'), [])


def test_shows_a_found_trace_whole_even_beyond_the_asked_time():
    with bn.Server() as s:
        push(s, 'shop', [span(1, 1, 'a', NOW_US), span(1, 2, 'b', NOW_US - 10_000_000, parent=1)])
        trace = s.traces(start=NOW_US - 1000, end=NOW_US + 1000)[0]
        bn.eq([x['operationName'] for x in trace['spans']], ['b', 'a'])


def test_reports_unknown_ones_of_several_ids():
    with bn.Server() as s:
        push(s, 'shop', [span(1, 1, 'a')])
        body = s.get('/api/traces', traceID=['1', 'ff']).json
        bn.eq([t['traceID'] for t in body['data']], [hex_id(1)])
        bn.eq(body['errors'], [{'msg': 'trace not found', 'traceID': hex_id(0xff)}])


def test_refuses_what_it_cannot_read_in_jaegers_form():
    with bn.Server() as s:
        refused(s.get('/api/traces/1'), 404, 'trace not found')
        refused(s.get('/api/traces/xyz'), 400, 'not a trace id')
        refused(s.get('/api/traces/' + '1' * 33), 400, 'not a trace id')
        for params, part in (({'start': 'x'}, "unable to parse param 'start'"), ({'end': '1.5'}, "unable to parse param 'end'"),
                             ({'end': '9223372036854775807'}, 'out of range'), ({'limit': '0'}, "'limit' must be 1 to"),
                             ({'limit': '-1'}, "'limit' must be 1 to"), ({'limit': '1000000'}, "'limit' must be 1 to"),
                             ({'minDuration': '5'}, "unable to parse param 'minDuration'"), ({'maxDuration': '5 s'}, "unable to parse param 'maxDuration'"),
                             ({'minDuration': '2s', 'maxDuration': '1s'}, "'maxDuration' should be greater than 'minDuration'"),
                             ({'tag': 'novalue'}, "malformed 'tag' parameter, expecting key:value, received: novalue"),
                             ({'tags': '{"a":'}, "malformed 'tags' parameter, cannot unmarshal JSON"), ({'tags': 'a="b'}, 'no closing quote'),
                             ({'traceID': 'zz'}, 'not a trace id')):
            refused(s.get('/api/traces', **params), 400, part)


# --- size, adjusters, life

def test_answers_gzipped_when_asked():
    with bn.Server() as s:
        push(s, 'shop', [span(1, i, 'operation') for i in range(1, 200)])
        reply = s.get('/api/traces/1', headers={'Accept-Encoding': 'gzip'})
        bn.eq(reply.headers['Content-Encoding'], 'gzip')
        bn.eq(len(reply.json['data'][0]['spans']), 199)


def test_keeps_and_shows_a_trace_of_10008_spans():
    with bn.Server() as s:
        spans = [span(1, i, 'op-%d' % (i % 10), NOW_US + i, parent=i // 2, attrs=[('i', i)]) for i in range(1, 10009)]
        for at in range(0, len(spans), 1000):
            push(s, 'large', spans[at:at + 1000])
        trace = s.get('/api/traces/1').json['data'][0]
        bn.eq(len(trace['spans']), 10008)
        bn.eq(len({x['spanID'] for x in trace['spans']}), 10008)
        bn.eq([x['startTime'] for x in trace['spans']], [NOW_US + i for i in range(1, 10009)])
        bn.eq(len(s.traces(service='large', end=NOW_US + 20000)[0]['spans']), 10008)


def test_answers_the_newest_traces_first_up_to_the_limit():
    with bn.Server() as s:
        for trace in range(1, 151):
            push(s, 'many', [span(trace, 1, 'op', NOW_US - 1000 * (trace * 37 % 151))])
        order = sorted(range(1, 151), key=lambda t: t * 37 % 151)
        bn.eq(found(s, service='many'), order[:100])
        bn.eq(found(s, service='many', limit=5), order[:5])
        bn.eq(found(s, service='many', limit=1000), order)


def test_gives_shared_ids_of_zipkin_clients_apart_unless_raw():
    with bn.Server() as s:
        zipkin = [{'traceId': 'a', 'id': '1', 'kind': k, 'name': 'get', 'timestamp': NOW_US, 'duration': 10, 'localEndpoint': {'serviceName': n}}
                  for k, n in (('CLIENT', 'front'), ('SERVER', 'back'))]
        bn.eq(s.post('/api/v2/spans', zipkin).status, 202)
        ids = lambda **p: sorted((x['spanID'], [r['spanID'] for r in x['references']]) for x in s.get('/api/traces/a', **p).json['data'][0]['spans'])
        bn.eq(ids(), [(hex_id(1), []), (hex_id(2), [hex_id(1)])])
        bn.eq(ids(raw='true'), [(hex_id(1), []), (hex_id(1), [])])


def test_keeps_acknowledged_spans_over_kill_9():
    with bn.Server() as s:
        for trace in range(1, 21):
            push(s, 'durable', [span(trace, 1, 'op', NOW_US + trace, attrs=[('i', trace)])])
        s.kill()
        s.start()
        bn.eq(found(s, service='durable', end=NOW_US + 1000), list(range(20, 0, -1)))
        bn.eq(tags(s.get('/api/traces/7').json['data'][0]['spans'][0])['i'], 7)
        bn.eq(s.get('/api/services').json['data'], ['durable'])
        bn.eq(s.get('/api/services/durable/operations').json['data'], ['op'])


# --- api_v3

def test_answers_api_v3_with_otlp_inside():
    with bn.Server() as s:
        sent = [span(1, 1, 'GET /', NOW_US, 1000, kind=2, attrs=[('n', 5), ('ok', True), ('x', 0.5)], status={'code': 2, 'message': 'm'}),
                span(1, 2, 'orphan', NOW_US, 10, parent=9)]
        push(s, 'shop', sent)
        bn.eq(s.get('/api/v3/services').json, {'services': ['shop']})
        bn.eq(s.get('/api/v3/operations', service='shop', spanKind='server').json, {'operations': [{'name': 'GET /', 'spanKind': 'server'}]})
        resource = s.get('/api/v3/traces/1').json['result']['resourceSpans'][0]
        bn.eq(resource['resource'], {'attributes': [attr('service.name', 'shop')]})
        for got, want in zip(resource['scopeSpans'][0]['spans'], sent):
            bn.eq({k: v for k, v in got.items() if k in want}, {k: want[k] for k in want if want[k] not in ('', [])})
        iso = lambda us: time.strftime('%Y-%m-%dT%H:%M:%S+00:00', time.gmtime(us / 1e6))
        when = {'query.startTimeMin': iso(NOW_US - 10_000_000), 'query.startTimeMax': iso(NOW_US + 10_000_000)}
        found = s.get('/api/v3/traces', **{'query.serviceName': 'shop', 'query.attributes': '{"n":"5"}', **when}).json['result']['resourceSpans']
        bn.eq(found, [resource])
        # Grafana: snake_case, and times that are not percent-encoded
        plain = s.get('/api/v3/traces?query.service_name=shop&query.start_time_min=%s&query.start_time_max=%s&query.num_traces=1' % tuple(when.values()))
        bn.eq(plain.json['result']['resourceSpans'], [resource])
        bn.eq(s.get('/api/v3/traces', **{'query.serviceName': 'none', **when}).json, {'result': {'resourceSpans': []}})
        bn.eq(s.get('/api/v3/trace-summaries', **when).json, {'summaries': [{
            'traceId': hex_id(1, 32), 'rootServiceName': 'shop', 'rootOperationName': 'GET /', 'minStartTimeUnixNano': str(NOW_US * 1000),
            'maxEndTimeUnixNano': str((NOW_US + 1000) * 1000), 'spanCount': 2, 'errorSpanCount': 1, 'orphanSpanCount': 1,
            'services': [{'name': 'shop', 'spanCount': 2, 'errorSpanCount': 1}]}]})


def test_refuses_in_the_form_of_api_v3():
    with bn.Server() as s:
        when = {'query.startTimeMin': '2026-01-01T00:00:00Z', 'query.startTimeMax': '2026-01-02T00:00:00Z'}
        for path, params, status, part in (('/api/v3/traces/1', {}, 404, 'trace not found'), ('/api/v3/traces/x', {}, 400, 'not a trace id'),
                                           ('/api/v3/operations', {}, 400, "parameter 'service' is required"),
                                           ('/api/v3/traces', {}, 400, 'query.startTimeMin is required'),
                                           ('/api/v3/traces', {**when, 'query.startTimeMax': 'x'}, 400, 'malformed parameter query.startTimeMax'),
                                           ('/api/v3/traces', {**when, 'query.durationMin': '1'}, 400, 'malformed parameter query.durationMin'),
                                           ('/api/v3/trace-summaries', {**when, 'query.attributes': '[]'}, 400, 'malformed parameter query.attributes'),
                                           ('/api/v3/traces', {**when, 'query.searchDepth': '0'}, 400, "'query.searchDepth' must be 1 to")):
            reply = s.get(path, **params)
            bn.eq((reply.status, reply.json['error']['httpCode']), (status, status), path)
            bn.has(reply.json['error']['message'], part)


bn.main()
