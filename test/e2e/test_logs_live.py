"""What the Logs page and `binnacle query logs` ask of the server beyond Elasticsearch's API: the live tail, patterns, the DSL in the histogram."""
import http.client
import json
import subprocess
import time
import urllib.parse

import bn


def iso(t):
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(t)) + '.%03dZ' % (t * 1000 % 1000)


def push(s, lines, at=None, **more):
    now = at or time.time()
    docs = [{'@timestamp': iso(now + i * 0.001), 'message': m, 'service': {'name': 'pay'}, **more} for i, m in enumerate(lines)]
    body = ''.join('{"index":{"_index":"shop"}}\n%s\n' % json.dumps(d) for d in docs)
    bn.eq(s.post('/_bulk', body, 'application/x-ndjson').json['errors'], False)


class Tail:
    def __init__(self, s, **params):
        host, port = s.url[len('http://'):].split(':')
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30)
        self.connection.request('GET', '/ui/api/tail?' + urllib.parse.urlencode(params))
        self.reply = self.connection.getresponse()

    def event(self):
        """The next one: (kind, data)."""
        kind = 'message'
        while True:
            line = self.reply.readline().decode().rstrip('\n')
            if line.startswith('event: '):
                kind = line[7:]
            if line.startswith('data: '):
                return kind, json.loads(line[6:])
            assert line is not None

    def lines(self, n):
        out = []
        while len(out) < n:
            kind, data = self.event()
            bn.eq(kind, 'message')
            out += [h['_source']['message'] for h in reversed(data['hits'])]
        return out

    def close(self):
        self.connection.close()


def test_the_tail_sends_what_the_query_wants_and_only_what_is_new():
    with bn.Server() as s:
        push(s, ['charge old'])
        t = Tail(s, q='charge')
        bn.eq((t.reply.status, t.reply.headers['content-type']), (200, 'text/event-stream'))
        bn.eq(t.event()[0], 'hello')
        push(s, ['charge one', 'refund', 'charge two'])
        bn.eq(t.lines(2), ['charge one', 'charge two'])
        push(s, ['charge late'], at=time.time() - 120)  # its time is before what was sent
        bn.eq(t.lines(1), ['charge late'])
        t.close()


def test_the_tail_takes_a_field_that_comes_later_and_a_filter_of_the_dsl():
    with bn.Server() as s:
        t = Tail(s, q='color:red', dsl=json.dumps({'bool': {'must_not': [{'match': {'message': 'boring'}}]}}))
        bn.eq(t.event()[0], 'hello')
        push(s, ['boring'], color='red')
        push(s, ['nice'], color='red')
        push(s, ['nice'], color='blue')
        push(s, ['last'], color='red')
        bn.eq(t.lines(2), ['nice', 'last'])
        t.close()


def test_a_bad_query_is_refused_before_the_stream_begins():
    with bn.Server() as s:
        r = s.get('/ui/api/tail', q='level:(error')
        bn.eq(r.status, 400)
        bn.has(r.json['error'], 'column')
        bn.eq(s.get('/ui/api/tail', dsl='{"nonsense":{}}').status, 400)
        bn.eq(s.get('/ui/api/tail', dsl='{').status, 400)


def test_a_flood_is_skipped_and_counted():
    with bn.Server() as s:
        t = Tail(s, q='')
        t.event()
        push(s, ['line %d' % i for i in range(2000)])
        got = skipped = 0
        while got + skipped < 2000:
            _, data = t.event()
            got, skipped = got + len(data['hits']), skipped + data['skipped']
        bn.eq(got + skipped, 2000)
        assert got >= 500 and skipped > 0, (got, skipped)
        t.close()


def test_a_client_that_does_not_read_costs_nothing_and_is_told():
    with bn.Server() as s:
        t = Tail(s, q='')
        t.event()
        big = 'x' * 30000
        total = 0
        for _ in range(60):
            push(s, [big] * 30)
            total += 30
        seen = skipped = 0
        while seen + skipped < total:
            _, data = t.event()
            seen, skipped = seen + len(data['hits']), skipped + data['skipped']
        bn.eq(seen + skipped, total)
        t.close()


def test_a_server_that_stops_ends_its_tails():
    s = bn.Server()
    with s:
        tails = [Tail(s, q='') for _ in range(3)]
        for t in tails:
            t.event()
        s.stop()
        for t in tails:
            bn.eq(t.reply.read().decode().strip(), '')


def test_patterns_count_shapes_in_the_window_and_before():
    with bn.Server() as s:
        now = time.time()
        push(s, ['charge done order=o-%d' % i for i in range(40)], at=now - 90)
        push(s, ['old way %d' % i for i in range(5)], at=now - 90)
        push(s, ['charge done order=o-%d' % i for i in range(20)], at=now - 30)
        push(s, ['charge failed order=o-%d: deadline exceeded (2.%ds)' % (i, i) for i in range(7)], at=now - 30, severity_number=17)
        to, wide = int(now * 1000), 60000
        r = s.get('/ui/api/patterns', **{'from': to - wide, 'to': to}).json
        bn.eq((r['lines'], r['before'], r['partial']), (27, 45, False))
        by = {p['text']: p for p in r['patterns']}
        hole = '\u2039*\u203a'
        done, failed, old = by['charge done order=o-' + hole], by['charge failed order=o-%s: deadline exceeded (%s)' % (hole, hole)], by['old way ' + hole]
        bn.eq([(p['count'], p['before']) for p in (done, failed, old)], [(20, 40), (7, 0), (0, 5)])
        bn.eq((done['service'], done['field'], sum(done['points'])), ('pay', 'message', 20))
        # the shape finds its lines again
        wild = done['text'].replace('=', '\\=').replace(' ', '\\ ').replace('-', '\\-').replace(hole, '*')
        bn.eq(s.post('/_count', {'query': {'query_string': {'query': 'message.keyword:' + wild + '*'}}}).json['count'], 60)
        bn.eq(s.get('/ui/api/patterns', q='failed', **{'from': to - wide, 'to': to}).json['lines'], 7)
        bn.eq(s.get('/ui/api/patterns', q='a:(', **{'from': to - wide, 'to': to}).status, 400)
        bn.eq(s.get('/ui/api/patterns', **{'from': to, 'to': to - 1}).status, 400)


def test_a_query_that_is_typed_is_read_without_being_run():
    with bn.Server() as s:
        bn.eq(s.get('/ui/api/parse', q='level:error').json, {'error': ''})
        r = s.get('/ui/api/parse', dsl=json.dumps({'query_string': {'query': 'a AND (b'}}))
        bn.eq(r.status, 200)
        bn.has(r.json['error'], 'line 1, column 9')


def test_the_histogram_takes_the_dsl():
    with bn.Server() as s:
        now = int(time.time() * 1000)
        push(s, ['a', 'b', 'b'], at=now / 1000 - 5)
        dsl = json.dumps({'match': {'message': 'b'}})
        r = s.get('/ui/api/strip', n=10, dsl=dsl, **{'from': now - 60000, 'to': now}).json
        bn.eq(sum(r['info']), 2)


def query(s, *args):
    return subprocess.Popen([bn.BINNACLE, 'query', '--server', s.url, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_query_logs_prints_follows_and_speaks_json():
    with bn.Server() as s:
        push(s, ['charge old'], at=time.time() - 7200)
        push(s, ['charge one', 'refund'])
        out, err = query(s, 'logs', '--since', '1h', 'charge').communicate(timeout=30)
        bn.eq(([' '.join(l.split()[1:]) for l in out.splitlines()], err), (['pay charge one'], ''))
        p = query(s, 'logs', '-f', '--json', 'charge')
        first = [json.loads(p.stdout.readline())['_source']['message'] for _ in range(2)]
        bn.eq(first, ['charge old', 'charge one'])
        push(s, ['refund', 'charge two', 'charge three'])
        bn.eq([json.loads(p.stdout.readline())['_source']['message'] for _ in range(2)], ['charge two', 'charge three'])
        s.stop()
        p.wait(30)
        bn.eq(p.returncode != 0, True)
        bn.has(p.stderr.read(), 'is gone')
        p.stdout.close()
        p.stderr.close()


def test_query_logs_says_what_is_wrong_with_a_query():
    with bn.Server() as s:
        for flags in ([], ['-f']):
            p = query(s, 'logs', *flags, 'a:(b')
            out, err = p.communicate(timeout=30)
            assert p.returncode and 'column' in err, (out, err)
        p = query(s, 'metrics', '-f', 'up')
        bn.has(p.communicate(timeout=30)[1], 'usage')


if __name__ == '__main__':
    bn.main()
