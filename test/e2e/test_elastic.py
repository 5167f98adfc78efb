"""The Elasticsearch API as its clients use it: log shippers in, Grafana and scripts out."""
import gzip
import json

import bn
import es

DAY = '2026-11-22T'


def logs(n=50):
    return [('web-1' if i % 2 else 'web-2', 'd%d' % i,
             {'@timestamp': DAY + '10:%02d:00.000Z' % i, 'message': 'GET /orders %d Connection refused' % i if i % 5 == 0 else 'GET /users %d ok' % i,
              'status': 500 if i % 5 == 0 else 200, 'took_ms': i + 0.5, 'user': {'name': 'Alice' if i % 3 else 'Bob'}, 'tags': ['a', 'b'] if i % 2 else ['b']})
            for i in range(n)]


def test_bulk_reply_is_what_shippers_read():
    with es.server() as s:
        reply = s.post('/_bulk', '{"create":{"_index":"x"}}\n{"log":"a"}\n', 'application/x-ndjson')
        bn.eq(reply.status, 200)
        bn.eq(reply.headers['X-Elastic-Product'], 'Elasticsearch')
        bn.eq(reply.headers['Content-Type'], 'application/json')
        assert '"errors":false,"items":[' in reply.text, reply.text  # Fluent Bit looks for this text
        bn.eq(reply.json['items'][0]['create']['status'], 201)
        body = gzip.compress(b'{"index":{}}\n{"log":"b"}\n')
        reply = s.post('/y/_bulk?filter_path=errors,items.*.error', body, 'application/vnd.elasticsearch+x-ndjson; compatible-with=8',
                       headers={'Content-Encoding': 'gzip'})
        bn.eq(reply.text, '{"errors":false}')
        bn.eq(s.get('/_count').json['count'], 2)


def test_bulk_names_the_item_that_is_wrong():
    with es.server() as s:
        reply = s.post('/_bulk', '{"index":{"_index":"x"}}\n[1]\n{"index":{"_index":"x","_id":"7"}}\n{"a":1}\n{"delete":{"_index":"x","_id":"1"}}\n')
        bn.eq(reply.status, 200)
        bn.eq(reply.json['errors'], True)
        first, second, third = (list(i.values())[0] for i in reply.json['items'])
        bn.eq(first['status'], 400)
        bn.eq((second['status'], second['_id']), (201, '7'))
        assert third['status'] >= 400 and third['error']['reason'], third
        bn.eq(s.post('/_bulk', '{"index":{"_index":"x"}}\n{"a":1}').status, 400)  # no newline at the end
        bn.eq(s.get('/x/_count').json['count'], 1)


def test_query_string_terms_phrases_fields_ranges_and_patterns():
    with es.server() as s:
        es.bulk(s, logs())
        for query, n in (('refused', 10), ('"connection refused"', 10), ('"refused connection"', 0), ('status:500', 10), ('status:>200', 10),
                         ('status:[200 TO 499]', 40), ('user.name:alice AND NOT refused', 27), ('user.name.keyword:Bob OR status:500', 23),
                         ('conn*', 10), ('/con+ection/', 10), ('conection~', 10), ('took_ms:<3', 3), ('tags:a', 25), ('_exists_:nothing', 0),
                         ('@timestamp:[%s10:10:00Z TO %s10:19:59Z]' % (DAY, DAY), 10)):
            got = s.get('/web-*/_search', q=query, size=0).json['hits']['total']['value']
            bn.eq((query, got), (query, n))
        reply = s.get('/web-*/_search', q='status:(')
        bn.eq(reply.status, 400)
        assert 'line 1, column 9' in reply.json['error']['reason'], reply.text


def test_pages_by_search_after_scroll_and_point_in_time():
    with es.server() as s:
        es.bulk(s, logs())
        body = {'size': 7, 'sort': [{'@timestamp': 'desc'}, {'_doc': 'desc'}]}
        pit = s.post('/web-*/_pit?keep_alive=1m', '').json['id']
        for start in (lambda: es.search(s, 'web-*', body), lambda: s.post('/_search', {**body, 'pit': {'id': pit, 'keep_alive': '1m'}})):
            seen, reply = [], start()
            while reply.json['hits']['hits']:
                bn.eq(reply.json['hits']['total']['value'], 50)
                seen += [h['_id'] for h in reply.json['hits']['hits']]
                after = {**body, 'search_after': reply.json['hits']['hits'][-1]['sort']}
                reply = es.search(s, 'web-*', after)
            bn.eq(seen, ['d%d' % i for i in reversed(range(50))])
        first = s.post('/web-*/_search?scroll=1m', {'size': 20, 'sort': [{'took_ms': 'asc'}]}).json
        es.bulk(s, [('web-1', 'late', {'@timestamp': DAY + '10:00:00Z', 'took_ms': 99})])
        seen, page = [], first
        while page['hits']['hits']:
            seen += [h['_id'] for h in page['hits']['hits']]
            page = s.post('/_search/scroll', {'scroll_id': page['_scroll_id'], 'scroll': '1m'}).json
        bn.eq(seen, ['d%d' % i for i in range(50)])  # without the document that came later
        hits = s.post('/_search', {'pit': {'id': pit}, 'size': 100}).json['hits']
        bn.eq(hits['total']['value'], 50)


def test_answers_grafana():
    with es.server() as s:
        es.bulk(s, logs())
        bn.eq(s.get('/_cluster/health', wait_for_status='yellow').json['status'], 'green')
        bn.eq(bn.call(s.elastic + '/').json['version']['number'][:2], '8.')
        bn.eq(s.get('/web-*/_field_caps', fields='@timestamp').json['fields']['@timestamp']['date']['type'], 'date')
        bn.eq(s.get('/web-1/_mapping').json['web-1']['mappings']['properties']['user']['properties']['name']['fields']['keyword']['type'], 'keyword')
        when = {'gte': 1795341600000, 'lte': 1795345200000, 'format': 'epoch_millis'}
        query = {'bool': {'filter': [{'range': {'@timestamp': when}}, {'query_string': {'analyze_wildcard': True, 'query': 'refused'}}]}}
        series = {'size': 0, 'query': query, 'aggs': {'2': {
            'date_histogram': {'field': '@timestamp', 'fixed_interval': '10m', 'min_doc_count': 0, 'format': 'epoch_millis',
                               'extended_bounds': {'min': when['gte'], 'max': when['lte']}},
            'aggs': {'1': {'avg': {'field': 'took_ms'}}, '3': {'derivative': {'buckets_path': '1'}}}}}}
        lines = {'size': 3, 'query': query, 'sort': [{'@timestamp': {'order': 'desc', 'unmapped_type': 'boolean'}}, {'_doc': {'order': 'desc'}}],
                 'fields': [{'field': '*'}, {'field': '@timestamp', 'format': 'strict_date_optional_time_nanos'}],
                 'highlight': {'fields': {'*': {}}, 'pre_tags': ['@HIGHLIGHT@'], 'post_tags': ['@/HIGHLIGHT@'], 'fragment_size': 2147483647}}
        header = {'search_type': 'query_then_fetch', 'ignore_unavailable': True, 'index': 'web-*'}
        body = ''.join(json.dumps(x) + '\n' for x in (header, series, header, lines))
        first, second = s.post('/_msearch?max_concurrent_shard_requests=5', body, 'application/x-ndjson').json['responses']
        buckets = first['aggregations']['2']['buckets']
        bn.eq([b['doc_count'] for b in buckets], [2, 2, 2, 2, 2, 0, 0])
        bn.eq(buckets[1]['key'] - buckets[0]['key'], 600000)
        bn.eq((buckets[0]['1']['value'], buckets[1]['3']['value']), (3.0, 10.0))
        hit = second['hits']['hits'][0]
        bn.eq(hit['highlight']['message'], ['GET /orders 45 Connection @HIGHLIGHT@refused@/HIGHLIGHT@'])
        bn.eq(hit['fields']['@timestamp'], [DAY + '10:45:00Z'])
        bn.eq(hit['fields']['user.name'], ['Bob'])


def test_aggregates():
    with es.server() as s:
        es.bulk(s, logs())
        aggs = {
            'by_user': {'terms': {'field': 'user.name.keyword', 'order': {'slow': 'desc'}}, 'aggs': {'slow': {'max': {'field': 'took_ms'}}}},
            'by_status': {'terms': {'field': 'status'}},
            'tags': {'cardinality': {'field': 'tags.keyword'}},
            'times': {'percentiles': {'field': 'took_ms', 'percents': [50, 100]}},
            'stats': {'extended_stats': {'field': 'took_ms'}},
            'bad': {'filter': {'term': {'status': 500}}, 'aggs': {'last': {'top_hits': {'size': 1, 'sort': [{'@timestamp': 'desc'}], '_source': ['status']}}}},
            'steps': {'histogram': {'field': 'took_ms', 'interval': 25}},
            'ranges': {'range': {'field': 'took_ms', 'ranges': [{'to': 10}, {'from': 10, 'key': 'rest'}]}},
            'which': {'filters': {'filters': {'a': {'match': {'tags': 'a'}}, 'refused': {'match': {'message': 'refused'}}}}},
            'none': {'missing': {'field': 'nothing'}},
            'pages': {'composite': {'size': 2, 'sources': [{'u': {'terms': {'field': 'user.name.keyword'}}}, {'s': {'terms': {'field': 'status'}}}]}},
            'peak': {'max_bucket': {'buckets_path': 'steps>_count'}},
        }
        got = es.search(s, 'web-*', {'size': 0, 'aggs': aggs}).json['aggregations']
        bn.eq([(b['key'], b['doc_count'], b['slow']['value']) for b in got['by_user']['buckets']], [('Alice', 33, 49.5), ('Bob', 17, 48.5)])
        bn.eq([(b['key'], b['doc_count']) for b in got['by_status']['buckets']], [(200, 40), (500, 10)])
        bn.eq(got['tags']['value'], 2)
        bn.eq(got['times']['values'], {'50.0': 25.0, '100.0': 49.5})
        bn.eq((got['stats']['count'], got['stats']['sum']), (50, 1250.0))
        bn.eq(got['bad']['doc_count'], 10)
        bn.eq(got['bad']['last']['hits']['hits'][0]['_source'], {'status': 500})
        bn.eq([b['doc_count'] for b in got['steps']['buckets']], [25, 25])
        bn.eq([(b['key'], b['doc_count']) for b in got['ranges']['buckets']], [('*-10.0', 10), ('rest', 40)])
        bn.eq({k: b['doc_count'] for k, b in got['which']['buckets'].items()}, {'a': 25, 'refused': 10})
        bn.eq(got['none']['doc_count'], 50)
        bn.eq(got['pages']['after_key'], {'u': 'Alice', 's': 500})
        bn.eq(got['peak']['value'], 25)
        reply = es.search(s, 'web-*', {'aggs': {'x': {'significant_text': {'field': 'message'}}}})
        bn.eq(reply.status, 400)
        assert 'significant_text' in reply.json['error']['reason'], reply.text


def test_documents_one_by_one():
    with es.server() as s:
        reply = bn.call(s.url + '/notes/_doc/7?refresh=true', 'PUT', {'text': 'hello'})
        bn.eq((reply.status, reply.json['_id'], reply.json['result']), (201, '7', 'created'))
        got = s.get('/notes/_doc/7').json
        bn.eq((got['found'], got['_source']), (True, {'text': 'hello'}))
        bn.eq(s.get('/notes/_doc/8').status, 404)
        bn.eq(len(s.post('/notes/_doc', {'text': 'x'}).json['_id']), 20)
        bn.eq(bn.call(s.elastic + '/notes', 'HEAD').status, 200)
        bn.eq(bn.call(s.elastic + '/other', 'HEAD').status, 404)
        rows = s.get('/_cat/indices', format='json', h='index,docs.count').json
        bn.eq(rows, [{'index': 'notes', 'docs.count': '2'}])


def test_refuses_by_name_what_it_does_not_offer():
    with es.server() as s:
        es.bulk(s, logs(1))
        for body, word in (({'query': {'more_like_this': {}}}, 'more_like_this'), ({'query': {'nested': {'path': 'a', 'query': {'match_all': {}}}}}, 'nested'),
                           ({'suggest': {}}, 'suggest'), ({'from': 9999, 'size': 2}, 'Result window'), ({'sort': [{'_script': {}}]}, '_script'),
                           ({'query': {'term': {'a': 1, 'b': 2}}}, 'multiple fields')):
            reply = es.search(s, 'web-2', body)
            assert reply.status in (400, 501), reply.text
            assert word in reply.json['error']['reason'], reply.text
            assert reply.json['error']['root_cause'][0]['type'], reply.text
        reply = es.search(s, 'nothing', {})
        bn.eq((reply.status, reply.json['error']['type'], reply.json['error']['index']), (404, 'index_not_found_exception', 'nothing'))
        bn.eq(es.search(s, 'nothing', {}, ignore_unavailable='true').status, 200)


def test_documents_survive_a_restart():
    with es.server() as s:
        es.bulk(s, logs())
        s.stop()
        s.start()
        bn.eq(s.get('/web-*/_count', q='refused').json['count'], 10)


bn.main()
