"""Zipkin's query API v2: spans read back equal to what Zipkin's clients sent, search by every parameter, catalogues, dependencies."""
import glob
import json
import os
import time

import bn

NOW_US = int(time.time() * 1e6)


def span(trace, number, name='get', service='front', start_us=NOW_US, duration_us=1000, **more):
    return {'traceId': '%016x' % trace, 'id': '%016x' % number, 'name': name, 'timestamp': start_us, 'duration': duration_us, 'localEndpoint': {'serviceName': service}, **more}


def push(s, spans):
    bn.eq(s.post('/api/v2/spans', spans).status, 202)


def found(s, **params):
    reply = s.get('/api/v2/traces', **params)
    bn.eq(reply.status, 200, reply.text)
    return sorted(int(t[0]['traceId'], 16) for t in reply.json)


def plain(span):
    """Without members that say nothing; ids in full."""
    out = {k: v for k, v in span.items() if v not in (None, '', {}, []) and not (k in ('shared', 'debug') and v is False)}
    for k in ('id', 'parentId'):
        if k in out:
            out[k] = out[k].rjust(16, '0')
    wide = out['traceId'].rjust(32, '0')
    out['traceId'] = wide[16:] if wide.startswith('0' * 16) else wide
    for k in ('localEndpoint', 'remoteEndpoint'):
        if k in out:
            out[k] = {n: v for n, v in out[k].items() if v not in (None, '', 0)}
            if 'ipv4' in out[k]:
                out[k]['ipv4'] = '.'.join(str(int(part)) for part in out[k]['ipv4'].split('.'))  # one example has 10.0.0.04
    return {k: v for k, v in out.items() if v != {}}


def equal(s, spans):
    push(s, spans)
    got = []
    for trace in sorted({x['traceId'] for x in spans}):
        reply = s.get('/api/v2/trace/' + trace)
        bn.eq(reply.status, 200, reply.text)
        got += reply.json
    key = lambda x: json.dumps(x, sort_keys=True)
    got, want = [sorted(map(plain, list_), key=key) for list_ in (got, spans)]
    for g, w in zip(got, want):
        bn.eq(g, w)
    bn.eq(len(got), len(want))


def test_spans_read_back_equal():
    full = span(0xa1, 2, parentId='%016x' % 1, kind='CLIENT', debug=True, shared=True, annotations=[{'timestamp': NOW_US + 5, 'value': 'ws'}, {'timestamp': NOW_US + 7, 'value': '{"a":1}'}],
                tags={'http.path': '/', 'error': 'boom', 'empty': ''}, traceId='%032x' % (1 << 100 | 0xa1))
    full['localEndpoint'] = {'serviceName': 'front', 'ipv4': '10.1.2.3', 'ipv6': '2001:db8::1', 'port': 65535}
    full['remoteEndpoint'] = {'serviceName': 'back', 'ipv4': '192.168.0.1', 'ipv6': '::1', 'port': 1}
    with bn.Server() as s:
        equal(s, [full])
        equal(s, [span(0xa2, 1, kind='SERVER'), span(0xa2, 1, kind='CLIENT', duration_us=2000), {'traceId': '%016x' % 0xa2, 'id': '%016x' % 7, 'timestamp': NOW_US, 'tags': {'k': 'v'}}])


def test_zipkins_own_examples_read_back_equal():
    files = sorted(glob.glob(os.path.join(bn.CASES, 'traces/zipkin/*.json')))
    if not files:
        raise bn.Skip('no cases')
    for path in files:
        with open(path) as f:
            spans = json.load(f)
        spans = spans if isinstance(spans, list) else [spans]
        with bn.Server() as s:  # some share trace ids
            equal(s, [x for x in spans if x.get('timestamp')])  # others are given the time they came at


def test_searches_by_every_parameter():
    with bn.Server() as s:
        push(s, [span(1, 1, 'get /', tags={'http.method': 'GET', 'retry': 'no'}, remoteEndpoint={'serviceName': 'db'}),
                 span(2, 1, 'get /x', 'back', duration_us=5000, tags={'http.method': 'POST'}, annotations=[{'timestamp': NOW_US, 'value': 'retry'}]),
                 span(3, 1, 'get /', 'back', duration_us=100, tags={'error': ''}),
                 span(4, 1, 'old', 'front', start_us=NOW_US - 7200 * 1000000)])
        bn.eq(found(s), [1, 2, 3, 4])
        for want, params in (([1, 4], {'serviceName': 'front'}), ([1, 3], {'spanName': 'get /'}), ([3], {'serviceName': 'back', 'spanName': 'get /'}),
                             ([1], {'remoteServiceName': 'db'}), ([], {'serviceName': 'back', 'remoteServiceName': 'db'}),
                             ([1], {'annotationQuery': 'http.method=GET'}), ([1, 2], {'annotationQuery': 'http.method'}), ([1, 2], {'annotationQuery': 'retry'}),
                             ([2], {'annotationQuery': 'retry and http.method=POST'}), ([], {'annotationQuery': 'retry and http.method=PUT'}), ([3], {'annotationQuery': 'error'}),
                             ([2], {'minDuration': 1001}), ([1, 2, 4], {'minDuration': 1000}), ([1, 4], {'minDuration': 500, 'maxDuration': 1000}),
                             ([1, 2, 3], {'lookback': 3600000}), ([4], {'endTs': NOW_US // 1000 - 3600000}), ([], {'endTs': 1000})):
            bn.eq(found(s, **params), want, params)
        bn.eq(len(found(s, limit=2)), 2)
        for params, part in (({'limit': 0}, 'limit'), ({'endTs': 'x'}, 'endTs'), ({'lookback': -1}, 'lookback'), ({'minDuration': -1}, 'minDuration'),
                             ({'annotationQuery': '=x'}, 'byte 0'), ({'minDuration': 2, 'maxDuration': 1}, 'maxDuration')):
            reply = s.get('/api/v2/traces', **params)
            bn.eq(reply.status, 400, params)
            bn.has(reply.text, part)


def test_catalogues_and_ids():
    with bn.Server() as s:
        push(s, [span(1, 1, 'get', kind='CLIENT', remoteEndpoint={'serviceName': 'mysql'}), span(1, 2, 'serve', 'back', parentId='%016x' % 1, kind='SERVER', tags={'error': 'x'}),
                 span(2, 1, 'post', remoteEndpoint={'serviceName': 'kafka'})])
        bn.eq(s.get('/api/v2/services').json, ['back', 'front'])
        bn.eq(s.get('/api/v2/spans', serviceName='front').json, ['get', 'post'])
        bn.eq(s.get('/api/v2/spans', serviceName='nobody').json, [])
        bn.eq(s.get('/api/v2/remoteServices', serviceName='front').json, ['kafka', 'mysql'])
        bn.eq(s.get('/api/v2/remoteServices', serviceName='back').json, [])
        bn.eq(s.get('/api/v2/dependencies', endTs=NOW_US // 1000 + 60000).json, [{'parent': 'front', 'child': 'back', 'callCount': 1, 'errorCount': 1}])
        bn.eq([len(t) for t in s.get('/api/v2/traceMany', traceIds='1,2,3').json], [2, 1])
        bn.eq((s.get('/api/v2/autocompleteKeys').json, s.get('/api/v2/autocompleteValues', key='k').json), ([], []))
        for path, status in (('/api/v2/trace/99', 404), ('/api/v2/trace/x', 400), ('/api/v2/traceMany', 400), ('/api/v2/traceMany?traceIds=1', 400), ('/api/v2/traceMany?traceIds=1,1', 400),
                             ('/api/v2/traceMany?traceIds=1,,2', 400), ('/api/v2/spans', 400), ('/api/v2/remoteServices', 400), ('/api/v2/dependencies', 400),
                             ('/api/v2/autocompleteValues', 400)):
            bn.eq(s.get(path).status, status, path)


def test_its_own_port_answers_probes():
    port = bn.free_port()
    with bn.Server({'doors': 'on', 'door.zipkin': '127.0.0.1:%d' % port}) as s:
        url = 'http://127.0.0.1:%d' % port
        bn.eq(bn.call(url + '/health').json['status'], 'UP')
        bn.eq(bn.call(url + '/config.json').json['queryLimit'], 10)
        bn.has(bn.call(url + '/info').json['zipkin']['version'], 'binnacle')
        bn.eq(bn.call(url + '/api/v2/spans', 'POST', [span(5, 1)]).status, 202)
        bn.eq(bn.call(url + '/api/v2/trace/5').json[0]['name'], 'get')


bn.main()
