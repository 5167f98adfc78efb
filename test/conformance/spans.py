"""Payloads of Zipkin and OTLP ($CASES/traces/{zipkin,otlp}, Apache-2.0): accepted, and read back equal.

The payloads are of 2016 to 2019; the server keeps 20 years. Prints what differs and how many payloads pass.
"""
import glob
import json
import os
import sys

import bn

ROOT = os.path.join(bn.CASES, 'traces')
if not os.path.isdir(os.path.join(ROOT, 'zipkin')):
    print('skipped: %s is not there' % os.path.join(ROOT, 'zipkin'))
    sys.exit(77)
SETTINGS = {'retention.traces': '20y', 'retention.logs': '20y', 'retention.metrics': '20y'}


def ipv4(text):
    a, b, c, d = (int(part) for part in text.split('.'))
    return a << 24 | b << 16 | c << 8 | d


def short(trace_id):
    """Jaeger writes 64-bit trace ids with 16 digits."""
    wide = trace_id.rjust(32, '0')
    return wide[16:] if wide.startswith('0' * 16) else wide


def zipkin_span(z):
    """A Zipkin span as Jaeger's query API shows it; start None: it names no time."""
    local, remote = z.get('localEndpoint') or {}, z.get('remoteEndpoint') or {}
    tags = dict(z.get('tags') or {})
    if z.get('kind'):
        tags['span.kind'] = z['kind'].lower()
    for name, key in (('peer.service', 'serviceName'), ('peer.ipv6', 'ipv6'), ('peer.port', 'port')):
        if remote.get(key):
            tags[name] = remote[key]
    if remote.get('ipv4'):
        tags['peer.ipv4'] = ipv4(remote['ipv4'])
    return {'trace': short(z['traceId']), 'id': z['id'].rjust(16, '0'), 'parent': z.get('parentId', '').rjust(16, '0') if z.get('parentId') else None,
            'name': z.get('name') or '', 'start': z.get('timestamp'), 'duration': z.get('duration', 0), 'service': local.get('serviceName') or 'unknown-service-name',
            'ip': ipv4(local['ipv4']) if local.get('ipv4') else None, 'tags': tags,
            'logs': sorted((a['timestamp'], a['value']) for a in z.get('annotations') or [])}


def shown_span(span, process):
    tags = {t['key']: t['value'] for t in span['tags']}
    parents = [r['spanID'] for r in span['references'] if r['refType'] == 'CHILD_OF']
    return {'trace': span['traceID'], 'id': span['spanID'], 'parent': parents[0] if parents else None, 'name': span['operationName'],
            'start': span['startTime'], 'duration': span['duration'], 'service': process['serviceName'],
            'ip': {t['key']: t['value'] for t in process['tags']}.get('ip'), 'tags': tags,
            'logs': sorted((l['timestamp'], l['fields'][0]['value']) for l in span['logs'])}


def in_order(spans):
    return sorted(spans, key=lambda s: (json.dumps({k: v for k, v in s.items() if k != 'start'}, sort_keys=True), s['start'] or 0))


def zipkin(server, payload):
    spans = payload if isinstance(payload, list) else [payload]
    reply = server.post('/api/v2/spans', spans)
    bn.eq(reply.status, 202, reply.text)
    want, got = in_order(zipkin_span(z) for z in spans), []
    for trace in sorted({s['trace'] for s in want}):
        reply = server.get('/api/traces/' + trace, raw='true')
        bn.eq(reply.status, 200, reply.text)
        shown = reply.json['data'][0]
        got += [shown_span(s, shown['processes'][s['processID']]) for s in shown['spans']]
    got = in_order(got)
    bn.eq(len(got), len(want), 'spans')
    for g, w in zip(got, want):
        if w['start'] is None:
            w['start'] = g['start']  # the time it came at
        bn.eq(g, w)


def attrs(list_):
    return {a['key']: next(iter(a['value'].values())) for a in list_}


def otlp_traces(server, payload):
    reply = server.post('/v1/traces', payload)
    bn.eq((reply.status, reply.json), (200, {}))
    for r in payload['resourceSpans']:
        for c in r['scopeSpans']:
            for s in c['spans']:
                trace = server.get('/api/traces/' + s['traceId'], raw='true').json['data'][0]
                got = shown_span(trace['spans'][0], trace['processes']['p1'])
                bn.eq((got['trace'], got['id'], got['parent'], got['name']), (s['traceId'].lower(), s['spanId'].lower(), s['parentSpanId'].lower(), s['name']))
                bn.eq((got['start'] * 1000, got['duration'] * 1000), (int(s['startTimeUnixNano']), int(s['endTimeUnixNano']) - int(s['startTimeUnixNano'])))
                bn.eq(got['service'], attrs(r['resource']['attributes'])['service.name'])
                bn.eq(got['tags'], {**attrs(s['attributes']), **attrs(c['scope']['attributes']), 'otel.scope.name': c['scope']['name'],
                                    'otel.scope.version': c['scope']['version'], 'span.kind': 'server'})


def otlp_logs(server, payload):
    reply = server.post('/v1/logs', payload)
    bn.eq((reply.status, reply.json), (200, {}))
    records = [l for r in payload['resourceLogs'] for c in r['scopeLogs'] for l in c['logRecords']]
    documents = server.logs()[-len(records):]
    bn.eq(len(documents), len(records))
    for l, d in zip(records, documents):
        body = l.get('body', {}).get('stringValue')
        if body is not None:
            bn.eq(d['message'], body)
        for a in l['attributes']:
            if 'stringValue' in a['value']:
                bn.eq(d[a['key']], a['value']['stringValue'], json.dumps(d))
        for key, name in (('severityText', 'severity_text'), ('traceId', 'trace_id'), ('spanId', 'span_id')):
            if key in l:
                bn.eq(d[name].lower(), l[key].lower(), name)


def otlp_metrics(server, payload):
    """Every point is taken; of delta temporality the first of a series is its total."""
    reply = server.post('/v1/metrics', payload)
    bn.eq((reply.status, reply.json), (200, {}))
    number = lambda p: float(p.get('asDouble', p.get('asInt', 0)))  # noqa: E731
    kinds = {'gauge': ('{__name__=~"%s(_ratio)?"}', number), 'sum': ('{__name__=~"%s(_ratio)?(_total)?"}', number),
             'histogram': ('{__name__=~"%s(_ratio)?_count"}', lambda p: float(p['count'])),
             'exponentialHistogram': ('histogram_count({__name__=~"%s(_ratio)?"})', lambda p: float(p['count']))}
    for m in (m for r in payload['resourceMetrics'] for c in r['scopeMetrics'] for m in c['metrics']):
        for kind, (query, value) in kinds.items():
            for point in m.get(kind, {}).get('dataPoints', []):
                reply = server.get('/api/v1/query', query=query % m['name'].replace('.', '_'), time=int(point['timeUnixNano']) // 10**9 + 1)
                bn.eq([float(r['value'][1]) for r in reply.json['data']['result']], [value(point)], m['name'])


cases = [(path, zipkin) for path in sorted(glob.glob(os.path.join(ROOT, 'zipkin/*.json')))]
cases += [(os.path.join(ROOT, 'otlp', name + '.json'), check) for name, check in
          (('trace', otlp_traces), ('logs', otlp_logs), ('events', otlp_logs), ('metrics', otlp_metrics))]
passed = 0
for path, check in cases:
    with open(path) as f, bn.Server(SETTINGS) as server:
        try:
            check(server, json.load(f))
            server.conserved()
            passed += 1
        except AssertionError as e:
            print('FAIL %s: %s' % (os.path.relpath(path, ROOT), str(e)[:1500]))
print('spans: %d of %d' % (passed, len(cases)))
sys.exit(passed != len(cases))
