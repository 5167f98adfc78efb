"""The demo application: ./dev run's script starts it, its metrics, logs and traces arrive, and one signal ends all of it."""
import os
import shutil
import signal
import subprocess
import tempfile

import bn

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def needs():
    if not shutil.which('redis-server'):
        raise bn.Skip('redis-server is not installed')
    if subprocess.run(['/usr/bin/python3', '-c', 'import flask, redis, prometheus_client'], capture_output=True).returncode:
        raise bn.Skip("Debian's python3-flask, python3-redis and python3-prometheus-client are not installed")


def running(group):
    """Processes of the group that are not zombies."""
    out = subprocess.run(['ps', '-eo', 'pgid=,stat=,args='], capture_output=True, text=True).stdout
    rows = (line.split(None, 2) for line in out.splitlines())
    return [r[2] for r in rows if int(r[0]) == group and not r[1].startswith('Z')]


def test_all_three_signals_of_the_demo_arrive_and_it_stops_cleanly():
    needs()
    ports = {name: bn.free_port() for name in ('main', 'otlp', 'redis', 'flask', 'node')}
    with tempfile.TemporaryDirectory(prefix='binnacle-demo-') as data:
        env = {**os.environ, 'BINNACLE_DEMO_DATA': data, 'DEMO_REDIS_PORT': str(ports['redis']), 'DEMO_FLASK_PORT': str(ports['flask']), 'DEMO_NODE_PORT': str(ports['node']),
               'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:%d' % ports['otlp']}
        off = [a for d in ('elastic', 'jaeger', 'collector', 'zipkin', 'udp-compact', 'udp-binary', 'udp-zipkin') for a in ('--door.' + d, 'off')]
        with open(os.path.join(data, 'run.log'), 'wb') as log:
            p = subprocess.Popen(['bash', os.path.join(ROOT, 'examples/run.sh'), bn.BINNACLE, '--listen', '127.0.0.1:%d' % ports['main'], '--door.otlp-http',
                                  '127.0.0.1:%d' % ports['otlp'], '--scrape.interval', '1s', '--tail.files', data + '/demo/*.log', *off],
                                 env=env, stdout=log, stderr=log, start_new_session=True)
        url = 'http://127.0.0.1:%d' % ports['main']

        def answer(path):
            try:
                return bn.call(url + path).json
            except (OSError, ValueError):
                return None

        def services():
            return set((answer('/api/services') or {}).get('data') or [])

        def up():
            result = (answer('/api/v1/query?query=up%7Bjob%3D%22static%22%7D%20%3D%3D%201') or {}).get('data', {}).get('result', [])
            return len(result)

        want = {'flask', 'node', 'binnacle'} if shutil.which('npm') else {'flask', 'binnacle'}
        try:
            bn.wait_for(lambda: want <= services(), 'traces of %s' % sorted(want), 180)
            bn.wait_for(lambda: up() == len(want) - 1, 'the services to be scraped', 60)
            bn.wait_for(lambda: (answer('/_search?q=service.name:flask+AND+level:info') or {}).get('hits', {}).get('total', {}).get('value'), 'JSON log lines', 60)
            bn.wait_for(lambda: (answer('/api/traces?service=flask&operation=GET+%2Fremote&limit=50') or {}).get('data'), 'a trace of /remote', 60)
        finally:
            p.send_signal(signal.SIGINT)
            try:
                p.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                raise AssertionError('the demo did not stop within 30 s of SIGINT')
        bn.wait_for(lambda: not running(p.pid), 'every process of the demo to end', 10)


bn.main()
