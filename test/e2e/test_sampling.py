"""Sampling strategies as Jaeger's clients ask for them: the agent's port 5778, the collector's 14268, gRPC 14250; the file, and its reloading."""
import json
import os
import struct

import bn
import h2
import wire

METHOD = '/jaeger.api_v2.SamplingManager/GetSamplingStrategy'
ALL = {'strategyType': 'PROBABILISTIC', 'probabilisticSampling': {'samplingRate': 1}}
FILE = {'default_strategy': {'type': 'probabilistic', 'param': 0.5, 'operation_strategies': [{'operation': 'op0', 'type': 'probabilistic', 'param': 0.2}]},
        'service_strategies': [{'service': 'bar', 'type': 'ratelimiting', 'param': 5}]}
CLOSED = ('elastic', 'jaeger', 'otlp-http', 'otlp-grpc', 'collector', 'jaeger-grpc', 'zipkin', 'influx', 'loki', 'udp-compact', 'udp-binary', 'udp-zipkin', 'forward', 'journal',
          'syslog-tcp', 'syslog-udp', 'jaeger-sampling')


def server(ports, path='', wait=True, data=None):
    settings = {**{'door.' + d: 'off' for d in CLOSED}, 'doors': 'on', 'traces.sampling-file': path}
    settings.update({'door.' + d: '127.0.0.1:%d' % p for d, p in ports.items()})
    return bn.Server(settings, wait=wait, data=data)


def ask(port, path):
    return bn.call('http://127.0.0.1:%d%s' % (port, path))


def write(path, text):
    with open(path + '.new', 'w') as f:
        f.write(text)
    os.replace(path + '.new', path)


def test_without_a_file_every_trace_is_kept():
    ports = {d: bn.free_port() for d in ('jaeger-sampling', 'collector', 'jaeger-grpc')}
    with server(ports) as s:
        agent = ports['jaeger-sampling']
        bn.eq(ask(agent, '/sampling?service=shop').json, ALL)
        bn.eq(ask(agent, '/any/path?service=shop').json, ALL)
        bn.eq(ask(ports['collector'], '/api/sampling?service=shop').json, ALL)
        bn.eq(s.get('/api/sampling', service='shop').json, ALL)
        bn.eq(ask(agent, '/?service=shop').json, {**ALL, 'strategyType': 0})
        bn.eq(ask(agent, '/baggageRestrictions?service=shop').json, [])
        for path in ('/sampling', '/', '/sampling?service=a&service=b'):
            reply = ask(agent, path)
            bn.eq(reply.status, 400)
            bn.has(reply.text, "'service' parameter must be provided once")
        bn.eq(s.get('/sampling/x').status, 404)
        with h2.Client(ports['jaeger-grpc']) as c:
            reply = c.call(METHOD, wire.pb([(1, 'bytes', 'shop')]))
            bn.eq((reply.status, reply.messages), (0, [b'\x08\x00\x12\x09\x09' + struct.pack('<d', 1)]))
            bn.eq(c.call(METHOD, b'\x0a\x7f').status, 3)


def test_a_file_is_read_again_when_it_changes():
    port = bn.free_port()
    with bn.Server() as folder:  # only its folder is wanted
        path = os.path.join(folder.data, 'sampling.json')
        write(path, json.dumps(FILE))
        with server({'jaeger-sampling': port}, path) as s:
            operations = {'defaultSamplingProbability': 0.5, 'defaultLowerBoundTracesPerSecond': 0, 'defaultUpperBoundTracesPerSecond': 0,
                          'perOperationStrategies': [{'operation': 'op0', 'probabilisticSampling': {'samplingRate': 0.2}}]}
            bn.eq(ask(port, '/sampling?service=foo').json,
                  {'strategyType': 'PROBABILISTIC', 'probabilisticSampling': {'samplingRate': 0.5}, 'operationSampling': operations})
            bn.eq(ask(port, '/sampling?service=bar').json['rateLimitingSampling'], {'maxTracesPerSecond': 5})
            write(path, '{"default_strategy": {"type": "probabilistic", "param": 0.25}}')
            bn.wait_for(lambda: ask(port, '/sampling?service=foo').json['probabilisticSampling'] == {'samplingRate': 0.25}, 'the new file')
            write(path, '{"default_strategy":\n {"type": "probabilistic", "param": 25}}')

            def complains():
                bn.eq(ask(port, '/sampling?service=foo').json['probabilisticSampling'], {'samplingRate': 0.25})
                return 'sampling.json:2:37: expected a share from 0 to 1' in s.stderr()
            bn.wait_for(complains, 'the message')
            os.unlink(path)
            bn.wait_for(lambda: ask(port, '/sampling?service=foo').status == 200 and 'No such file' in s.stderr(), 'the message about the missing file')
            bn.eq(ask(port, '/sampling?service=foo').json['probabilisticSampling'], {'samplingRate': 0.25})


def test_a_file_that_is_wrong_stops_the_start():
    with bn.Server() as folder:
        path = os.path.join(folder.data, 'sampling.json')
        write(path, '{\n"default_strategy": {"type": "sometimes"}}')
        s = server({}, path, wait=False)
        bn.eq(s.process.wait(60), 2)
        bn.has(s.stderr(), 'sampling.json:2:30: expected the type "probabilistic" or "ratelimiting"')
        s.close()


bn.main()
