"""kill -9 at random moments while all three signals are pushed: acknowledged is found, found was sent, and the counters agree. KILLS rounds (60; ./dev ci: 500)."""
import http.client
import json
import os
import random
import sys
import tempfile
import threading
import time

import bn

KILLS = int(os.environ.get('KILLS', 60))
SEED = int(os.environ.get('SEED', random.randrange(1 << 32)))
random.seed(SEED)
print('KILLS=%d SEED=%d' % (KILLS, SEED), flush=True)


class Sender(threading.Thread):
    """Pushes numbered items of one signal until the server is gone. sent and acked are item numbers."""

    def __init__(self, port, round_n):
        super().__init__(daemon=True)
        self.port, self.round, self.sent, self.acked, self.refusals = port, round_n, 0, 0, []

    def run(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        try:
            while True:
                n = random.choice((1, 3, 20))
                first, self.sent = self.sent, self.sent + n
                path, content_type, body = self.request(range(first, first + n))
                connection.request('POST', path, body, {'Content-Type': content_type})
                reply = connection.getresponse()
                text = reply.read()
                if reply.status // 100 != 2 or not self.accepted(text):
                    self.refusals.append((reply.status, text[:300]))
                    return
                self.acked = self.sent
        except (OSError, http.client.HTTPException):
            pass  # killed

    def accepted(self, text):
        return True


class Metrics(Sender):
    def request(self, numbers):
        now = int(time.time() * 1000)
        return '/api/v1/import/prometheus', 'text/plain', ''.join('crash{round="%d",i="%d"} %d %d\n' % (self.round, i, i, now) for i in numbers)

    def found(self, s):
        reply = s.get('/api/v1/query', query='last_over_time(crash{round="%d"}[1h])' % self.round)
        bn.eq(reply.status, 200, reply.text)
        result = reply.json['data']['result']
        for r in result:
            bn.eq(r['metric']['i'], r['value'][1], 'a value of another series')
        return {int(r['metric']['i']) for r in result}


class Logs(Sender):
    def request(self, numbers):
        lines = []
        for i in numbers:
            lines.append('{"create":{"_index":"crash"}}')
            lines.append(json.dumps({'message': 'line %d' % i, 'round': self.round, 'i': i}))
        return '/_bulk', 'application/x-ndjson', '\n'.join(lines) + '\n'

    def accepted(self, text):
        return b'"errors":false' in text

    def found(self, s):
        reply = s.post('/crash/_search', {'size': 10000, 'query': {'term': {'round': self.round}}})
        if reply.status == 404:  # killed before the first document of all: no such index
            return set()
        bn.eq(reply.status, 200, reply.text)
        docs = [h['_source'] for h in reply.json['hits']['hits']]
        for d in docs:
            bn.eq(d['message'], 'line %d' % d['i'], 'a mixed document')
        bn.eq(len({d['i'] for d in docs}), len(docs), 'documents found twice')
        return {d['i'] for d in docs}


class Spans(Sender):
    def request(self, numbers):
        now = time.time_ns()
        spans = [{'traceId': '%032x' % (self.round + 1), 'spanId': '%016x' % (i + 1), 'name': 'op', 'startTimeUnixNano': str(now), 'endTimeUnixNano': str(now + 1000),
                  'attributes': [{'key': 'i', 'value': {'intValue': str(i)}}]} for i in numbers]
        return '/v1/traces', 'application/json', json.dumps(bn.otlp_spans('crash', spans))

    def found(self, s):
        reply = s.get('/api/traces/%032x' % (self.round + 1))
        if reply.status == 404:
            return set()
        bn.eq(reply.status, 200, reply.text)
        out = set()
        for span in reply.json['data'][0]['spans']:
            i = next(t['value'] for t in span['tags'] if t['key'] == 'i')
            bn.eq(int(span['spanID'], 16), i + 1, 'a mixed span')
            out.add(i)
        return out


def check(sender, s):
    kind = type(sender).__name__
    found, acked, sent = sender.found(s), set(range(sender.acked)), set(range(sender.sent))
    assert not sender.refusals, '%s: refused: %r' % (kind, sender.refusals)
    assert acked <= found, '%s round %d: acknowledged but lost: %s' % (kind, sender.round, sorted(acked - found)[:10])
    assert found <= sent, '%s round %d: found but never sent: %s' % (kind, sender.round, sorted(found - sent)[:10])
    return len(found), sender.acked


def test_kill_9_loses_nothing_that_was_acknowledged():
    totals = [0, 0]
    with tempfile.TemporaryDirectory(prefix='binnacle-crash-') as data:
        # Small heads and segments, so that kills meet sealing, merging and new segments too.
        settings = {'store.seal-age': '1s', 'metrics.head-bytes': '64KiB', 'events.head-bytes': '64KiB', 'wal.segment-bytes': '256KiB', 'wal.window': '2ms'}
        s, before = bn.Server(settings, data=data), []
        for round_n in range(KILLS):
            senders = [kind(s.port, round_n) for kind in (Metrics, Logs, Spans)]
            for sender in senders:
                sender.start()
            time.sleep(random.expovariate(1 / .1))  # the random moment is the test
            s.kill()
            for sender in senders:
                sender.join()
            s.start()
            for sender in senders:
                found, acked = check(sender, s)
                totals[0] += found
                totals[1] += acked
            for sender in before:  # and the round before, once more
                check(sender, s)
            before = senders
            s.conserved()
            if 'damaged' in s.stderr():
                raise AssertionError('damage after kill -9:\n' + s.stderr()[-2000:])
            if round_n % 100 == 99:
                print('%d kills: %d items found, %d of them acknowledged' % (round_n + 1, *totals), flush=True)
        s.close()
    assert totals[1] > KILLS, 'hardly anything was acknowledged: %r' % totals


bn.main()
