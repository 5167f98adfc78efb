"""The Prometheus HTTP API as its clients use it: Grafana's requests, federation, administration, status, CORS."""
import json
import os
import struct
import time
import urllib.parse

import bn
import promread

STALE = struct.unpack('<d', struct.pack('<Q', 0x7ff0000000000002))[0]
FORM = 'application/x-www-form-urlencoded'


def minutes_of_data(s, now):
    """Three minutes of a counter, a classic histogram and up, each 15 s; a native histogram."""
    page = b''
    for job in ('api', 'web'):
        for i in range(13):
            t = (now - 180 + i * 15) * 1000
            page += b'up{job="%s",instance="a:1"} 1 %d\n' % (job.encode(), t)
            page += b'requests_total{job="%s",instance="a:1",code="200"} %d %d\n' % (job.encode(), 100 + i * 15, t)
            for le, n in ((b'0.1', i), (b'1', i * 2), (b'+Inf', i * 3)):
                page += b'latency_seconds_bucket{job="%s",instance="a:1",le="%s"} %d %d\n' % (job.encode(), le, n, t)
    head = b'# HELP requests_total Requests answered.\n# TYPE requests_total counter\n# TYPE up gauge\n# TYPE latency_seconds histogram\n'
    bn.eq(s.post('/api/v1/import/prometheus', head + page, 'text/plain').status, 204)
    h = {'t': now * 1000, 'count': 6.0, 'sum': 9.5, 'schema': 0, 'zero_threshold': 0.001, 'zero_count': 1.0, 'pos_spans': [(0, 2)], 'pos': [2.0, 3.0], 'neg_spans': [],
         'neg': [], 'custom': [], 'hint': 0}
    promread.push(s, [({'__name__': 'native', 'job': 'api'}, [], [h])])


def form(s, path, **params):
    return s.post(path, urllib.parse.urlencode(params, doseq=True), FORM, {'Accept-Encoding': 'gzip', 'X-Grafana-Org-Id': '1'})


def data(reply):
    bn.eq(reply.status, 200, reply.text)
    bn.eq(reply.json['status'], 'success')
    bn.eq(reply.headers['Content-Type'], 'application/json')
    return reply.json['data']


# --- what Grafana 9 to 12 sends

def test_grafana_saves_and_tests_the_data_source():
    with bn.Server() as s:
        reply = form(s, '/api/v1/query', query='1+1', time='4')
        bn.eq(data(reply), {'resultType': 'scalar', 'result': [4, '2']})
        version = data(s.get('/api/v1/status/buildinfo'))['version']
        assert tuple(map(int, version.split('.'))) >= (2, 37, 0), version
        data(s.get('/api/v1/metadata'))
        data(s.get('/api/v1/rules'))


def test_grafana_draws_panels():
    with bn.Server() as s:
        now = int(time.time()) // 15 * 15
        minutes_of_data(s, now)
        # The back end aligns start and end to the step and writes them as seconds.
        reply = form(s, '/api/v1/query_range', query='sum by (job) (rate(requests_total{job=~"api|web"}[1m0s]))', start=now - 120, end=now, step='15')
        text = reply.text
        assert text.index('"resultType"') < text.index('"result":'), 'Grafana reads the answer as a stream'
        result = data(reply)
        bn.eq(result['resultType'], 'matrix')
        bn.eq([r['metric'] for r in result['result']], [{'job': 'api'}, {'job': 'web'}])
        bn.eq([round(float(v), 9) for _, v in result['result'][0]['values']], [1.0] * 9)
        bn.eq(result['result'][0]['values'][0][0], now - 120)
        result = data(form(s, '/api/v1/query_range', query='histogram_quantile(0.9, sum by(le) (rate(latency_seconds_bucket[1m])))', start=now - 30.5, end=now, step=0.5))
        bn.eq(len(result['result'][0]['values']), 62)
        result = data(form(s, '/api/v1/query', query='topk(5, up)', time=now + 0.123))
        bn.eq(result['resultType'], 'vector')
        bn.eq(result['result'][0]['value'], [now + 0.123, '1'])
        bn.has(form(s, '/api/v1/query', query='up', time=now + 0.1).text, '[%d.100,"1"]' % now)
        packed = bn.urllib.request.Request(s.url + '/api/v1/query_range?query=up*2&start=%d&end=%d&step=0.05' % (now - 180, now), headers={'Accept-Encoding': 'gzip'})
        with bn.urllib.request.urlopen(packed) as reply:
            bn.eq((reply.headers['Content-Encoding'], reply.headers['Vary']), ('gzip', 'Accept-Encoding'))
            bn.eq(len(json.loads(bn.gzip.decompress(reply.read()))['data']['result'][0]['values']), 3601)
        # exemplars beside a panel
        data(form(s, '/api/v1/query_exemplars', query='latency_seconds_bucket', start=now - 300, end=now))
        reply = form(s, '/api/v1/query_range', query='sum by (job) (rate(requests_total[1m', start=now - 120, end=now, step='15')
        bn.eq(reply.status, 400)
        bn.eq((reply.json['status'], reply.json['errorType']), ('error', 'bad_data'))


def test_grafana_fills_variables_and_the_query_builder():
    with bn.Server() as s:
        now = int(time.time()) // 15 * 15
        minutes_of_data(s, now)
        span = {'start': now - 3600, 'end': now}
        bn.eq(data(form(s, '/api/v1/labels', **span)), ['__name__', 'code', 'instance', 'job', 'le'])
        bn.eq(data(s.get('/api/v1/labels', **{'match[]': 'requests_total', **span})), ['__name__', 'code', 'instance', 'job'])
        bn.eq(data(s.get('/api/v1/label/job/values', **span)), ['api', 'web'])
        bn.eq(data(s.get('/api/v1/label/job/values', **{'match[]': '{__name__="native"}', **span})), ['api'])
        bn.eq(data(s.get('/api/v1/label/__name__/values', **span)), ['latency_seconds_bucket', 'native', 'requests_total', 'up'])
        bn.eq(data(s.get('/api/v1/label/__name__/values', limit=2, **span)), ['latency_seconds_bucket', 'native'])
        bn.eq(s.get('/api/v1/label/__name__/values', limit=2, **span).json['warnings'], ['results truncated due to limit'])
        series = data(form(s, '/api/v1/series', **{'match[]': ['up{job="api"}', 'native'], **span}))
        bn.eq(series, [{'__name__': 'native', 'job': 'api'}, {'__name__': 'up', 'instance': 'a:1', 'job': 'api'}])
        metadata = data(s.get('/api/v1/metadata', limit_per_metric=1))
        bn.eq(metadata['requests_total'], [{'type': 'counter', 'help': 'Requests answered.', 'unit': ''}])
        bn.eq(len(data(s.get('/api/v1/metadata', limit=1))), 1)
        bn.eq(len(data(s.get('/api/v1/metadata', limit=-1))), len(metadata))
        tree = data(form(s, '/api/v1/parse_query', query='sum by (job) (rate(requests_total{job="api"}[5m]))'))
        bn.eq((tree['type'], tree['op'], tree['expr']['func']['name'], tree['grouping']), ('aggregation', 'sum', 'rate', ['job']))
        bn.eq(data(form(s, '/api/v1/format_query', query='sum(up)by(job)')), 'sum by (job) (up)')


def test_names_the_parameter_that_is_wrong_as_prometheus_does():
    with bn.Server() as s:
        for path, params, text in (
                ('query', {}, 'invalid parameter "query": unknown position: parse error: no expression found in input'),
                ('query', {'query': 'up', 'time': 'x'}, 'invalid parameter "time": cannot parse "x" to a valid timestamp'),
                ('query', {'query': 'up', 'timeout': 'x'}, 'invalid parameter "timeout": cannot parse "x" to a valid duration'),
                ('query_range', {'query': 'up', 'start': 0, 'end': 1, 'step': 0}, 'zero or negative query resolution step widths are not accepted. Try a positive integer'),
                ('query_range', {'query': 'up', 'start': 0, 'end': 11001, 'step': 1}, 'exceeded maximum resolution of 11,000 points per timeseries'),
                ('query_range', {'query': 'up', 'start': 2, 'end': 1, 'step': 1}, 'invalid parameter "end": end timestamp must not be before start time'),
                ('series', {}, 'no match[] parameter provided'),
                ('series', {'match[]': '{'}, 'invalid parameter "match[]"'),
                ('labels', {'limit': -1}, 'limit must be non-negative'),
                ('metadata', {'limit': 'x'}, 'limit must be a number'),
                ('metadata', {'limit_per_metric': 'x'}, 'limit_per_metric must be a number'),
                ('status/tsdb', {'limit': 0}, 'limit must be a positive number'),
                ('status/tsdb', {'limit': 10001}, 'limit must not exceed 10000'),
                ('targets/metadata', {'match_target': '{'}, 'invalid parameter "match_target"')):
            reply = s.get('/api/v1/' + path, **params)
            bn.eq((reply.status, reply.json['errorType']), (400, 'bad_data'), path)
            bn.has(reply.json['error'], text)


def test_answers_get_head_and_options_from_other_origins():
    with bn.Server({'http.cors-origin': r'https?://grafana\.example(:\d+)?'}) as s:
        for method in ('GET', 'HEAD', 'OPTIONS'):
            reply = bn.call(s.url + '/api/v1/query?query=1', method, headers={'Origin': 'http://grafana.example:3000'})
            bn.eq(reply.status, 204 if method == 'OPTIONS' else 200)
            bn.eq(reply.headers['Access-Control-Allow-Origin'], 'http://grafana.example:3000')
            bn.eq(reply.headers['Access-Control-Allow-Headers'], 'Accept, Authorization, Content-Type, Origin')
            bn.eq(reply.headers['Access-Control-Allow-Methods'], 'GET, POST, OPTIONS')
            bn.eq(reply.headers['Access-Control-Expose-Headers'], 'Date')
        for headers in ({'Origin': 'http://evil.example'}, {}):
            bn.eq(bn.call(s.url + '/api/v1/query?query=1', headers=headers).headers['Access-Control-Allow-Origin'], None)
    with bn.Server() as s:
        bn.eq(bn.call(s.url + '/api/v1/labels', headers={'Origin': 'http://any'}).headers['Access-Control-Allow-Origin'], 'http://any')
        bn.eq(bn.call(s.url + '/', headers={'Origin': 'http://any'}).headers['Access-Control-Allow-Origin'], None)


# --- federation

def test_federates_the_newest_samples_by_family():
    with bn.Server({'external-labels': 'cluster=dev,job=outer'}) as s:
        now = int(time.time())
        promread.push(s, [({'__name__': 'b', 'x': '1'}, [(1.0, (now - 30) * 1000), (2.5, (now - 10) * 1000)], []), ({'__name__': 'a', 'job': 'in"n\\er'}, [(3.0, (now - 5) * 1000)], []),
                          ({'__name__': 'b', 'x': '2'}, [(1.0, (now - 5) * 1000)], []), ({'__name__': 'gone'}, [(1.0, (now - 9) * 1000), (STALE, (now - 8) * 1000)], []),
                          ({'__name__': 'old'}, [(1.0, (now - 400) * 1000)], [])])
        reply = s.get('/federate', **{'match[]': ['{__name__=~".+"}', 'b']})
        bn.eq(reply.headers['Content-Type'], 'text/plain; version=0.0.4; charset=utf-8')
        bn.eq(reply.text, '# TYPE a untyped\na{job="in\\"n\\\\er",cluster="dev"} 3 %d\n# TYPE b untyped\nb{x="1",cluster="dev",job="outer"} 2.5 %d\nb{x="2",cluster="dev",job="outer"} 1 %d\n'
              % ((now - 5) * 1000, (now - 10) * 1000, (now - 5) * 1000))
        bn.eq(s.get('/federate').text, '')
        bn.eq(s.get('/federate', **{'match[]': '{'}).status, 400)


def test_federates_native_histograms_in_protobuf():
    with bn.Server() as s:
        now = int(time.time())
        minutes_of_data(s, now)
        bn.eq(s.get('/federate', **{'match[]': 'native'}).text, '')
        accept = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.8,text/plain;version=0.0.4;q=0.5'
        reply = s.get('/federate', **{'match[]': ['native', 'up'], 'headers': {'Accept': accept}})
        bn.eq(reply.headers['Content-Type'], 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited')
        families, at = {}, 0
        while at < len(reply.body):
            n = shift = 0
            while True:
                byte = reply.body[at]
                at += 1
                n |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            message = promread.fields(reply.body[at:at + n])
            at += n
            families[dict(message)[1].decode()] = (dict(message)[3], [promread.fields(v) for k, v in message if k == 4])
        bn.eq((families['up'][0], len(families['up'][1])), (3, 2))
        kind, metrics = families['native']
        bn.eq(kind, 4)
        histogram = promread.fields(dict(metrics[0])[7])
        bn.eq([promread.f64(v) for k, v in histogram if k == 14], [2.0, 3.0])
        bn.eq(promread.f64(dict(histogram)[4]), 6.0)
        bn.eq(dict(metrics[0])[6], now * 1000)


# --- administration and status

def test_deletes_series_and_takes_snapshots_when_allowed():
    with bn.Server() as s:
        for path in ('delete_series', 'clean_tombstones', 'snapshot'):
            reply = s.post('/api/v1/admin/tsdb/' + path, '')
            bn.eq((reply.status, reply.json['errorType'], reply.json['error']), (403, 'unavailable', 'admin APIs disabled'))
    with bn.Server({'http.admin-api': 'on'}) as s:
        now = int(time.time())
        minutes_of_data(s, now)
        bn.eq(s.post('/api/v1/admin/tsdb/delete_series', '').status, 400)
        bn.eq(form(s, '/api/v1/admin/tsdb/delete_series', **{'match[]': ['up{job="api"}', 'native']}).status, 204)
        bn.eq(set(dict(k)['job'] for k in s.samples('up')), {'web'})
        bn.eq(s.samples('native'), {})
        bn.eq(form(s, '/api/v1/admin/tsdb/delete_series', **{'match[]': 'requests_total', 'start': now - 1000, 'end': now - 50}).status, 204)
        left = data(s.get('/api/v1/query', query='count_over_time(requests_total{job="api"}[10m])', time=now))['result']
        bn.eq(left[0]['value'][1], '4')
        bn.eq(s.post('/api/v1/admin/tsdb/clean_tombstones', '').status, 204)
        name = data(s.post('/api/v1/admin/tsdb/snapshot?skip_head=false', ''))['name']
        bn.eq(s.post('/api/v1/admin/tsdb/snapshot?skip_head=x', '').status, 400)
        assert os.path.isdir(os.path.join(s.data, 'metrics/snapshots', name)), name
        blocks = data(s.get('/api/v1/status/tsdb/blocks'))['blocks']  # the snapshot has sealed the head
        bn.eq([b['ulid'] + '.part' for b in blocks], [f for f in os.listdir(os.path.join(s.data, 'metrics')) if f.endswith('.part')])
        bn.eq((blocks[0]['compaction'], blocks[0]['version'], blocks[0]['resolution']), ({'level': 1, 'sources': [blocks[0]['ulid']]}, 1, 0))
        assert blocks[0]['stats']['numSamples'] > 0 and blocks[0]['minTime'] < blocks[0]['maxTime'], blocks


def test_shows_targets_and_what_is_known_of_them():
    with bn.Server() as source:
        address = source.url[7:]
        config = 'scrape_configs:\n- job_name: b\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  static_configs:\n  - targets: ["%s"]\n    labels: {env: dev}\n' % address
        with bn.Server({'scrape.target': 'http://127.0.0.1:1/metrics'}, config=config) as s:
            def ready():
                return {t['scrapePool']: t for t in data(s.get('/api/v1/targets'))['activeTargets'] if t['health'] != 'unknown'}
            up = bn.wait_for(lambda: len(ready()) == 2 and ready(), 'both targets to be scraped', 40, s)
            bn.eq((up['b']['health'], up['b']['lastError'], up['static']['health']), ('up', '', 'down'))
            bn.eq(up['b']['labels'], {'env': 'dev', 'instance': address, 'job': 'b'})
            bn.eq((up['b']['scrapeInterval'], up['b']['scrapeTimeout']), ('1s', '1s'))
            assert up['static']['lastError']
            bn.eq(len(data(s.get('/api/v1/targets', scrapePool='b'))['activeTargets']), 1)
            bn.eq(data(s.get('/api/v1/targets', state='dropped'))['activeTargets'], [])
            bn.eq(len(data(s.get('/api/v1/targets', state='ACTIVE'))['activeTargets']), 2)
            bn.eq(data(s.get('/api/v1/scrape_pools')), {'scrapePools': ['b', 'static']})
            some = bn.wait_for(lambda: (lambda r: r.status == 200 and r.json['data'])(
                s.get('/api/v1/targets/metadata', match_target='{job="b"}', limit=3)), 'metadata', 20, s)
            bn.eq((len(some), some[0]['target']['job'], sorted(some[0])), (3, 'b', ['help', 'metric', 'target', 'type', 'unit']))
            one = data(s.get('/api/v1/targets/metadata', metric='binnacle_scrapes_total'))
            bn.eq([(m['type'], 'metric' in m) for m in one], [('counter', False)])
            bn.eq(s.get('/api/v1/targets/metadata', metric='nothing').status, 404)


def test_says_how_it_is():
    with bn.Server({'retention.metrics': '30d', 'retention.metrics-bytes': '2GiB', 'limit.series': '3'}) as s:
        bn.eq(data(s.get('/api/v1/status/runtimeinfo'))['storageRetention'], '30d or 2048MiB')
        bn.eq(data(s.get('/api/v1/status/walreplay')), {'min': 0, 'max': 0, 'current': 0, 'state': 'done'})
        bn.eq(data(s.get('/api/v1/notifications')), [])
        bn.eq(data(s.get('/api/v1/status/flags'))['limit.series'], '3')
        bn.has(data(s.get('/api/v1/status/config'))['yaml'], 'retention')
        features = data(s.get('/api/v1/features'))
        bn.eq((features['promql_functions']['rate'], features['api']['remote_read'], features['promql']['fill']), (True, True, True))
        now = int(time.time())
        s.post('/api/v1/import/prometheus', ''.join('m{job="greedy",instance="i:1",n="%d"} 1 %d\n' % (i, now * 1000) for i in range(10)), 'text/plain')
        status = data(s.get('/api/v1/status/tsdb', limit=1))
        bn.eq(status['headStats']['numSeries'], 3)
        bn.eq(status['seriesCountByMetricName'], [{'name': 'm', 'value': 3}])
        bn.eq([(r['name'], r['value']) for r in status['refusedSamplesByTarget']], [('{instance="i:1", job="greedy"}', 7)])


bn.main()
