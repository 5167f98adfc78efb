"""The official Elasticsearch clients 7, 8 and 9 and OpenSearch's (npm) as they are, each through clients.mjs. The packages are fetched once, with npm, into
BINNACLE_CLIENTS (default: a folder of the user's cache); without node, npm or a registry the tests are skipped."""
import os
import shutil
import subprocess

import bn

PACKAGES = {'es7': '@elastic/elasticsearch@7.17.14', 'es8': '@elastic/elasticsearch@8.19.1', 'es9': '@elastic/elasticsearch@9.1.0',
            'opensearch': '@opensearch-project/opensearch@3.5.1'}
HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get('BINNACLE_CLIENTS') or os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'binnacle-test-clients')


def installed():
    if not shutil.which('node') or not shutil.which('npm'):
        raise bn.Skip('node and npm are not installed')
    os.makedirs(CACHE, exist_ok=True)
    wanted = ' '.join(sorted(PACKAGES.values()))
    stamp = os.path.join(CACHE, 'installed')
    if os.path.exists(stamp) and open(stamp).read() == wanted:
        return CACHE
    with open(os.path.join(CACHE, 'package.json'), 'w') as f:
        f.write('{"private": true}\n')
    names = ['%s@npm:%s' % item for item in PACKAGES.items()]
    try:
        npm = subprocess.run(['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', '--fetch-retries=0', *names], cwd=CACHE, capture_output=True,
                             text=True, timeout=300)
    except subprocess.TimeoutExpired:
        raise bn.Skip('npm did not answer within 5 minutes') from None
    if npm.returncode:
        raise bn.Skip('npm cannot fetch the clients: ' + npm.stderr.strip().splitlines()[-1][:200])
    with open(stamp, 'w') as f:
        f.write(wanted)
    return CACHE


def run(name):
    folder = installed()
    port = bn.free_port()
    others = ('jaeger', 'otlp-http', 'otlp-grpc', 'collector', 'jaeger-grpc', 'zipkin', 'udp-compact', 'udp-binary', 'udp-zipkin', 'loki', 'influx', 'forward',
              'syslog-tcp', 'syslog-udp')
    with bn.Server({'doors': 'on', 'door.elastic': '127.0.0.1:%d' % port, **{'door.' + d: 'off' for d in others}}) as s:
        node = subprocess.run(['node', os.path.join(HERE, 'clients.mjs'), name, 'http://127.0.0.1:%d' % port], cwd=folder, capture_output=True, text=True, timeout=120)
        lines = node.stdout.splitlines()
        failed = [line for line in lines if not line.startswith('ok ')]
        assert node.returncode == 0 and not failed and len(lines) > 20, '\n'.join(failed) + node.stderr
        print('     %s: %d steps' % (PACKAGES[name], len(lines)))
        s.conserved()


def test_elasticsearch_7():
    run('es7')


def test_elasticsearch_8():
    run('es8')


def test_elasticsearch_9():
    run('es9')


def test_opensearch():
    run('opensearch')


bn.main()
