"""gRPC: OTLP and Jaeger spans pushed as clients do, read back over HTTP; what is refused, and how."""
import base64
import os
import shutil
import socket
import subprocess
import tempfile
import time

import bn
import h2
import wire

NOW_NS = time.time_ns()
TRACE, SPAN = '5b8aa5a2d2c872e8321cf37308d69df2', '5fb397be34d26b51'
OTLP = '/opentelemetry.proto.collector.%s/Export'
TRACES, LOGS, METRICS = OTLP % 'trace.v1.TraceService', OTLP % 'logs.v1.LogsService', OTLP % 'metrics.v1.MetricsService'


def server(port, **settings):
    return bn.Server({'doors': 'on', **{'door.' + d: 'off' for d in ('elastic', 'jaeger', 'otlp-http', 'collector', 'zipkin', 'udp-compact', 'udp-binary', 'udp-zipkin',
                                                                   'jaeger-grpc')}, 'door.otlp-grpc': '127.0.0.1:%d' % port, **settings})


def spans(n=1, service='shop'):
    return wire.otlp_pb_traces(service, [wire.otlp_pb_span(TRACE, '%016x' % (i + 1), 'op', NOW_NS, NOW_NS + 5000, [('k', 'v')]) for i in range(n)])


def test_otlp_of_all_signals_can_be_queried():
    port = bn.free_port()
    with server(port) as s, h2.Client(port) as c:
        for compress in (False, True):
            reply = c.call(TRACES, spans(), compress)
            bn.eq((reply.headers[':status'], reply.status, reply.messages), ('200', 0, [b'']))
        resource = (1, 'msg', wire.pb_attrs(1, [('service.name', 'shop')]))
        record = [(1, 'fixed64', NOW_NS), (5, 'msg', wire.pb_value('hello grpc'))]
        reply = c.call(LOGS, wire.pb([(1, 'msg', [resource, (2, 'msg', [(2, 'msg', record)])])]))
        bn.eq((reply.status, reply.messages), (0, [b'']))
        gauge = [(1, 'bytes', 'queue.size'), (3, 'bytes', 'By'), (5, 'msg', [(1, 'msg', [(3, 'fixed64', NOW_NS), (6, 'fixed64', 7)])])]
        reply = c.call(METRICS, wire.pb([(1, 'msg', [resource, (2, 'msg', [(2, 'msg', gauge)])])]))
        bn.eq((reply.status, reply.messages), (0, [b'']))
        bn.eq(len(s.traces(service='shop')), 1)
        bn.eq(len(s.logs('hello')), 1)
        bn.eq(list(s.samples('queue_size_bytes', job='shop').values()), ['7'])
        bn.eq(s.counters()['binnacle_grpc_calls_total{result="ok"}'], 4)
        s.conserved()


def test_large_messages_are_decoded_in_the_pool():
    port = bn.free_port()
    with server(port) as s, h2.Client(port) as c:
        message = spans(60000)
        assert len(message) > 3 << 20, len(message)
        bn.eq(c.call(TRACES, message).status, 0)
        bn.eq(s.conserved()['traces'], 60000)


def test_single_spans_are_refused_as_partial_success():
    port = bn.free_port()
    with server(port), h2.Client(port) as c:
        bad = wire.otlp_pb_traces('shop', [wire.otlp_pb_span(TRACE, '00' * 8, 'op', NOW_NS, NOW_NS), wire.otlp_pb_span(TRACE, SPAN, 'op', NOW_NS, NOW_NS)])
        reply = c.call(TRACES, bad)
        bn.eq(reply.status, 0)
        bn.eq(reply.messages[0][2:4], b'\x08\x01')


def test_refusals_have_a_status_and_a_text():
    port = bn.free_port()
    with server(port, **{'http.body-bytes': '100KiB'}), h2.Client(port) as c:
        reply = c.call(TRACES, b'\x0a\x05\x12')
        bn.eq((reply.status, reply.messages), (3, []))
        bn.has(reply.headers['grpc-message'], 'at byte')
        bn.eq(c.call('/no.Such/Method', b'').status, 12)
        bn.eq(c.call(TRACES, b'x' * 200000).status, 8)
        bn.eq(c.call(TRACES, b'', raw=b'\1\0\0\0\1x', grpc_encoding='br').status, 12)
        bn.eq(c.call(TRACES, b'', raw=b'\0\0\0\0\5x').status, 13)
        bn.eq(c.call('/grpc.health.v1.Health/Check', b'').messages, [b'\x08\x01'])
        bn.eq(c.call(TRACES, spans(), grpc_timeout='10S').status, 0)


def test_a_full_disk_asks_to_come_again():
    port = bn.free_port()
    with server(port, **{'disk.free-min': '1000TiB'}) as s, h2.Client(port) as c:
        reply = bn.wait_for(lambda: next((r for r in [c.call(TRACES, spans())] if r.status), None), 'a refusal', server=s)
        assert reply.status in (8, 14), reply.headers
        bn.has(base64.b64decode(reply.headers['grpc-status-details-bin'] + '=='), b'google.rpc.RetryInfo')


def test_jaeger_spans():
    port = bn.free_port()
    with server(bn.free_port(), **{'door.jaeger-grpc': '127.0.0.1:%d' % port}) as s, h2.Client(port) as c:
        now = [(1, 'varint', NOW_NS // 10**9), (2, 'varint', NOW_NS % 10**9)]
        span = [(1, 'bytes', bytes.fromhex(TRACE)), (2, 'bytes', bytes.fromhex(SPAN)), (3, 'bytes', 'get'), (6, 'msg', now), (7, 'msg', [(2, 'varint', 5000)]),
                (8, 'msg', [(1, 'bytes', 'n'), (2, 'varint', 2), (5, 'varint', 7)])]
        reply = c.call('/jaeger.api_v2.CollectorService/PostSpans', wire.pb([(1, 'msg', [(1, 'msg', span), (2, 'msg', [(1, 'bytes', 'old')])])]))
        bn.eq((reply.status, reply.messages), (0, [b'']))
        [trace] = s.traces(service='old')
        bn.eq((trace['traceID'], trace['spans'][0]['operationName'], trace['spans'][0]['duration']), (TRACE, 'get', 5))


def test_a_taken_port_is_a_warning():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        with server(taken.getsockname()[1]) as s:
            bn.has(s.stderr(), 'door not open: door.otlp-grpc: 127.0.0.1:%d is in use by ' % taken.getsockname()[1])


def test_http1_is_answered_readably_and_shutdown_says_goodbye():
    port = bn.free_port()
    with server(port) as s:
        with socket.create_connection(('127.0.0.1', port)) as plain:
            plain.sendall(b'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n')
            bn.has(plain.recv(1000).decode(), '505 HTTP Version Not Supported')
        with h2.Client(port) as c:
            bn.eq(c.call(TRACES, spans()).status, 0)
            s.stop()
            try:
                c.take(None)
                raise AssertionError('no GOAWAY')
            except ConnectionError as e:
                bn.has(str(e), 'GOAWAY, error 0')


def test_the_real_javascript_client():
    """@grpc/grpc-js from the registry, or from a folder named by GRPC_JS (with node_modules in it)."""
    folder = os.environ.get('GRPC_JS') or tempfile.mkdtemp(prefix='binnacle-grpc-js-')
    try:
        if not shutil.which('node') or not shutil.which('npm'):
            raise bn.Skip('node and npm are not installed')
        if not os.path.isdir(os.path.join(folder, 'node_modules/@grpc/grpc-js')):
            got = subprocess.run(['npm', 'install', '--no-audit', '--no-fund', '@grpc/grpc-js@1'], cwd=folder, capture_output=True, timeout=120, text=True)
            if got.returncode:
                raise bn.Skip('npm could not install @grpc/grpc-js: ' + got.stderr.strip()[:200])
        port = bn.free_port()
        with server(port) as s:
            script = '''
const grpc = require('@grpc/grpc-js'), same = b => b;
const c = new grpc.Client('127.0.0.1:%d', grpc.credentials.createInsecure(), {'grpc.default_compression_algorithm': 2});
const call = (path, body) => new Promise(done => c.makeUnaryRequest(path, same, same, Buffer.from(body, 'hex'), {deadline: Date.now() + 10000}, (e, r) => done(e ? e.code : r.length)));
(async () => {
  const out = await Promise.all([...Array(50)].map(() => call('%s', '%s')));
  console.log(new Set(out).size, out[0], await call('/no.Such/Method', ''));
  c.close();
})();''' % (port, TRACES, spans(3).hex())
            got = subprocess.run(['node', '-e', script], cwd=folder, capture_output=True, timeout=60, text=True)
            bn.eq(got.stdout.split(), ['1', '0', '12'], got.stderr)
            bn.eq(s.conserved()['traces'], 150)
    finally:
        if 'GRPC_JS' not in os.environ:
            shutil.rmtree(folder, ignore_errors=True)


bn.main()
