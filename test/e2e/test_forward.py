"""Fluentd's forward protocol over TCP: modes, acknowledgements, the shared key, what happens when the store is full."""
import threading
import time

import bn
import forward
from forward import event_time, message, pack

OTHER_DOORS = ('elastic', 'jaeger', 'otlp-http', 'otlp-grpc', 'collector', 'jaeger-grpc', 'zipkin', 'udp-compact', 'udp-binary', 'udp-zipkin', 'loki', 'syslog-tcp',
               'syslog-udp')
NOW = int(time.time())
RECORD = {'log': '{"level":"error","msg":"no stock"}\n', 'stream': 'stdout',
          'kubernetes': {'pod_name': 'web-1', 'namespace_name': 'demo', 'container_name': 'web', 'labels': {'app': 'shop'}}}


class Door(bn.Server):
    def __init__(self, **settings):
        self.forward = bn.free_port()
        super().__init__({'doors': 'on', 'door.forward': '127.0.0.1:%d' % self.forward, **{'door.' + d: 'off' for d in OTHER_DOORS}, **settings})

    def stored(self, n):
        bn.wait_for(lambda: self.counters()['binnacle_stored_total{signal="logs"}'] >= n, '%d logs' % n, server=self)
        return self.conserved()['logs']


def test_records_arrive_as_the_filter_made_them():
    with Door() as s, forward.Client(s.forward) as c:
        c.send(message('kube.web', [(event_time(NOW, 250000000), RECORD)]))
        c.send(pack(['app', NOW, {'message': 'plain', 'level': 'warn'}]))
        bn.eq(s.stored(2), 2)
        doc, = s.logs('kubernetes.pod_name:"web-1" AND kubernetes.labels.app:shop AND tag:"kube.web"')
        bn.eq((doc['message'], doc['level'], doc['service.name'], doc['stream']), ('no stock', 'error', 'shop', 'stdout'))
        bn.eq(doc['log'].rstrip('\n'), RECORD['log'].rstrip('\n'))
        assert doc['@timestamp'].endswith('.250Z'), doc['@timestamp']
        bn.eq(len(s.logs('log:stock')), 1)
        bn.eq([d['message'] for d in s.logs('severity_text:warn')], ['plain'])


def test_every_mode_is_acknowledged_once_durable():
    with Door() as s, forward.Client(s.forward) as c:
        for i, mode in enumerate(('forward', 'packed', 'gzip')):
            c.send(message('t', [(NOW, {'message': 'm%d' % k}) for k in range(10)], mode, chunk='chunk-%d' % i))
            bn.eq(c.read(), {'ack': 'chunk-%d' % i})
            bn.eq(int(s.counters()['binnacle_stored_total{signal="logs"}']), 10 * (i + 1))
        c.send(pack(None))  # heartbeat
        c.send(message('t', [(NOW, {'message': 'x'})], chunk='after'))
        bn.eq(c.read(), {'ack': 'after'})
        bn.eq(s.stored(31), 31)


def test_acknowledged_chunks_survive_kill():
    s = Door()
    try:
        with forward.Client(s.forward) as c:
            c.send(message('t', [(NOW, {'message': 'kept'})] * 100, 'packed', chunk='a'))
            c.read()
        s.kill()
        s.start()
        bn.eq(len(s.logs('kept')), 100)
    finally:
        s.close()


def test_large_chunks_come_in_pieces():
    with Door() as s, forward.Client(s.forward) as c:
        entries = [(NOW, {'message': 'line %d ' % i + 'x' * 200}) for i in range(20000)]
        for mode in ('packed', 'forward'):
            whole = message('t', entries, mode, chunk=mode)
            assert len(whole) > 4 << 20
            for at in range(0, len(whole), 99991):
                c.send(whole[at:at + 99991])
            bn.eq(c.read(), {'ack': mode})
        bn.eq(s.stored(40000), 40000)


def test_the_shared_key_is_asked_for():
    with Door(**{'forward.shared-key': 'secret'}) as s:
        with forward.Client(s.forward, key='secret') as c:
            assert c.authenticated
            c.send(message('t', [(NOW, {'message': 'in'})], chunk='a'))
            bn.eq(c.read(), {'ack': 'a'})
        with forward.Client(s.forward, key='guess') as c:
            bn.eq((c.authenticated, c.reason), (False, 'shared_key mismatch'))
            ends(c)
        with forward.Client(s.forward) as c:
            c.read()  # HELO
            c.send(message('t', [(NOW, {'message': 'out'})]))
            bn.eq(c.read()[1], False)
            ends(c)
        bn.eq([d['message'] for d in s.logs()], ['in'])
        assert 'secret' not in s.get('/api/v1/status/flags').text.replace('<secret>', '')
        s.conserved()


def ends(c):
    try:
        c.read()
    except EOFError:
        return
    raise AssertionError('still open')


def test_garbage_closes_only_its_connection():
    with Door() as s, forward.Client(s.forward) as good:
        for garbage in (b'GET / HTTP/1.1\r\n\r\n', b'\xc1', pack(['tag']), pack([1, 2, 3])):
            with forward.Client(s.forward) as bad:
                bad.send(message('t', [(NOW, {'message': 'before'})]) + garbage)
                ends(bad)
        good.send(message('t', [(NOW, 'no map'), (NOW, {'message': 'good'})], chunk='a'))
        bn.eq(good.read(), {'ack': 'a'})
        bn.eq(sorted(d['message'] for d in s.logs()), ['before'] * 4 + ['good'])
        c = s.counters()
        bn.eq((c['binnacle_push_unreadable_total{door="forward"}'], c['binnacle_rejected_total{signal="logs"}']), (4, 1))
        s.conserved()


def test_a_message_beyond_the_limit_closes_the_connection():
    with Door(**{'push.message-bytes': '1MiB'}) as s, forward.Client(s.forward) as c:
        try:
            c.send(message('t', [(NOW, {'message': 'x' * (3 << 20)})]))
        except OSError:
            pass
        bn.wait_for(lambda: s.counters()['binnacle_push_unreadable_total{door="forward"}'] == 1, 'the refusal', server=s)
        with forward.Client(s.forward) as again:  # unpacked it would be too large
            again.send(message('t', [(NOW, {'message': 'x' * (3 << 20)})], 'gzip', chunk='bomb'))
            bn.eq(again.read(), {'ack': 'bomb'})
        bn.eq(s.counters()['binnacle_push_unreadable_total{door="forward"}'], 2)
        s.conserved()


def test_while_the_store_is_full_the_client_waits_and_nothing_is_lost():
    with Door(**{'disk.free-min': '1000TiB'}) as s:
        done = threading.Event()
        with forward.Client(s.forward) as c:
            c.send(message('t', [(NOW, {'message': 'one'})], chunk='a'))
            bn.wait_for(lambda: s.counters()['binnacle_push_retries_total{door="forward"}'] >= 1, 'a retry', server=s)

            def send_much():
                try:
                    for _ in range(400):
                        c.send(message('t', [(NOW, {'message': 'x' * 200000})]))
                    done.set()
                except OSError:
                    pass
            sender = threading.Thread(target=send_much)
            sender.start()
            bn.wait_for(lambda: s.counters()['binnacle_push_retries_total{door="forward"}'] >= 2, 'another retry', server=s)
            assert not done.is_set()
            assert s.counters()['binnacle_push_bytes_total{door="forward"}'] < 2 << 20
            c.socket.shutdown(2)
            sender.join()
        bn.eq(s.logs(), [])
        s.conserved()


def test_stopping_answers_what_is_stored():
    with Door() as s, forward.Client(s.forward) as c:
        c.send(message('t', [(NOW, {'message': 'last'})], chunk='a'))
        bn.eq(c.read(), {'ack': 'a'})
        bn.eq(s.stop(), 0)
        ends(c)
        s.start()
        bn.eq(len(s.logs('last')), 1)


bn.main()
