"""binnacle serve: start, stop, settings and the errors a user meets first."""
import os
import re
import socket
import subprocess
import tempfile

import bn

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(*args, env=None):
    return subprocess.run([bn.BINNACLE, *args], capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})})


def test_answers_and_stops_cleanly():
    s = bn.Server()
    bn.eq(s.get('/-/healthy').status, 200)
    bn.has(s.get('/metrics').text, 'binnacle_build_info')
    bn.eq(s.close(), 0)


def test_unknown_setting_names_the_nearest():
    r = run('serve', '--lisen', 'x')
    bn.eq(r.returncode, 2)
    bn.eq(r.stderr, 'binnacle: unknown setting "lisen"; did you mean "listen"?\n')


def test_config_error_names_file_line_and_column():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, 'b.yml')
        with open(path, 'w') as f:
            f.write('data: x\nretention:\n  log: 3d\n')
        r = run('serve', '--config', path)
    bn.eq(r.returncode, 2)
    bn.eq(r.stderr, 'binnacle: %s:3:3: unknown key "retention.log"; did you mean "retention.logs"?\n' % path)


def test_missing_config_is_one_clear_line():
    r = run('serve', '--config', '/no/such.yml')
    bn.eq(r.returncode, 3)
    bn.has(r.stderr, '/no/such.yml')
    bn.eq(len(r.stderr.splitlines()), 1)


def test_taken_port_names_its_owner():
    with bn.Server() as s, tempfile.TemporaryDirectory() as d:
        r = run('serve', '--data', d, '--listen', '127.0.0.1:%d' % s.port, '--doors', 'off')
        bn.eq(r.returncode, 7)
        bn.has(r.stderr, '127.0.0.1:%d is in use by binnacle (pid %d)' % (s.port, s.process.pid))


def test_locked_data_folder_names_its_owner():
    with bn.Server() as s:
        r = run('serve', '--data', s.data, '--listen', '127.0.0.1:0', '--doors', 'off')
        bn.eq(r.returncode, 4)
        bn.eq(r.stderr, 'binnacle: the data folder %s is in use by process %d\n' % (s.data, s.process.pid))


def test_data_folder_that_cannot_be():
    with tempfile.NamedTemporaryFile() as f:
        r = run('serve', '--data', f.name + '/below', '--listen', '127.0.0.1:0', '--doors', 'off')
    bn.eq(r.returncode, 7)
    bn.has(r.stderr, 'cannot create the data folder')


def test_taken_native_door_is_a_warning():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        off = {'door.' + d: 'off' for d in ('jaeger', 'otlp-http', 'collector', 'zipkin', 'udp-compact', 'udp-binary', 'udp-zipkin')}
        with bn.Server({**off, 'doors': 'on', 'door.elastic': '127.0.0.1:%d' % port}) as s:
            bn.eq(s.get('/-/ready').status, 200)
            bn.has(s.stderr(), 'door not open: door.elastic: 127.0.0.1:%d is in use by python' % port)


def test_environment_and_file_set_what_flags_do():
    with bn.Server(config='query:\n  lookback: 3m\n', env={'BINNACLE_QUERY_TIMEOUT': '7s'}) as s:
        flags = s.get('/api/v1/status/flags').json['data']
        bn.eq(flags['query.lookback'], '3m')
        bn.eq(flags['query.timeout'], '7s')


def test_help_and_the_operations_page_list_every_setting():
    text = run('serve', '--help').stdout
    names = re.findall(r'^  --(\S+) ', text, re.M)
    assert len(names) > 50, names
    bn.eq(len(names), len(set(names)), 'a setting listed twice')
    with open(os.path.join(ROOT, 'doc/operations.md')) as f:
        page = f.read()
    table = run('serve', '--help=markdown').stdout
    assert table in page, 'doc/operations.md is out of date: paste the output of `binnacle serve --help=markdown`'


def test_own_requests_are_traces_and_own_lines_are_logs():
    with bn.Server({'self.traces': 'on', 'self.logs': 'on'}) as s:
        s.get('/api/v1/query', query='up')
        found = bn.wait_for(lambda: s.traces(service='binnacle', operation='GET /api/v1/query'), 'a trace of the request', server=s)
        tags = {t['key']: t['value'] for t in found[0]['spans'][0]['tags']}
        bn.eq(tags['http.response.status_code'], 200)
        bn.eq(tags['span.kind'], 'server')
        bn.wait_for(lambda: s.logs('ready AND service.name:binnacle'), 'the own log line', server=s)


def test_a_traceparent_header_is_continued():
    with bn.Server({'self.traces': 'on'}) as s:
        trace, parent = '0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'
        s.get('/-/ready', headers={'traceparent': '00-%s-%s-01' % (trace, parent)})
        found = bn.wait_for(lambda: s.get('/api/traces/' + trace).json['data'], 'the trace', server=s)
        bn.eq(found[0]['spans'][0]['references'][0]['spanID'], parent)


bn.main()
