"""es: what the tests of the Elasticsearch API share: documents in, queries out, the tables of $CASES/logs."""
import json
import os

import bn


OTHER_DOORS = ('jaeger', 'otlp-http', 'collector', 'zipkin', 'udp-compact', 'udp-binary', 'udp-zipkin')


def server(settings=None):
    """A server with Elasticsearch's native door open, at .elastic."""
    port = bn.free_port()
    doors = {'doors': 'on', 'door.elastic': '127.0.0.1:%d' % port, **{'door.' + d: 'off' for d in OTHER_DOORS}}
    s = bn.Server({**doors, **(settings or {})})
    s.elastic = 'http://127.0.0.1:%d' % port
    return s


def cases(name):
    path = os.path.join(bn.CASES, 'logs', name)
    if not os.path.exists(path):
        print('skipped: %s is not there' % path)
        raise SystemExit(77)
    with open(path, encoding='utf-8') as f:
        return [json.loads(line) for line in f]


def bulk(server, docs, **params):
    """docs: (index, id or None, source)."""
    lines = []
    for index, id, source in docs:
        meta = {'_index': index}
        if id is not None:
            meta['_id'] = id
        lines += [json.dumps({'index': meta}), json.dumps(source)]
    reply = server.post('/_bulk', '\n'.join(lines) + '\n', 'application/x-ndjson')
    bn.eq(reply.status, 200)
    return reply.json


def search(server, index, body, **params):
    query = '?' + '&'.join('%s=%s' % p for p in params.items()) if params else ''
    return server.post('/%s/_search%s' % (index, query), json.dumps(body), 'application/json')


def hits(reply):
    return sorted(h['_id'] for h in reply.json['hits']['hits'])


def run_hit_table(name, query_of):
    """Every case against a server that holds only its index; prints what differs and how many pass."""
    docs = cases('lucene_docs.jsonl')
    todo = cases(name)
    passed, failed = 0, []
    for index in sorted({c['index'] for c in todo}):
        with bn.Server() as server:
            bulk(server, [(d['index'], d['id'], d['source']) for d in docs if d['index'] == index])
            for case in (c for c in todo if c['index'] == index):
                reply = search(server, index, {'query': query_of(case), 'size': 1000, '_source': False})
                if case.get('error'):
                    good, got = reply.status == 400, reply.status
                else:
                    got = hits(reply) if reply.status == 200 else reply.text[:300]
                    good = got == sorted(case['hits'])
                if good:
                    passed += 1
                else:
                    failed.append('%s %s %r: expected %s, got %s' % (case['id'], index, case['query'], case.get('hits', 'an error'), got))
    for line in failed[:40]:
        print(line)
    print('%s: %d of %d' % (name.split('_')[0], passed, passed + len(failed)))
    raise SystemExit(1 if failed else 0)
