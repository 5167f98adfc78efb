"""Real programs as sources of metrics, when they are installed: Prometheus (remote write, and a page in protobuf) and vmagent (remote write)."""
import shutil
import subprocess
import tempfile

import bn


class Program:
    """A program with a folder of its own; skipped when it is not installed."""

    def __init__(self, name, config, *args):
        if not shutil.which(name):
            raise bn.Skip(name + ' is not installed')
        self.folder = tempfile.mkdtemp(prefix='binnacle-client-')
        with open(self.folder + '/config.yml', 'w') as f:
            f.write(config)
        with open(self.folder + '/log', 'w') as log:
            self.process = subprocess.Popen([name] + [a.replace('DIR', self.folder) for a in args], stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


def prometheus(port, remote_write=''):
    config = 'global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: ["127.0.0.1:%d"]}]}]\n%s' % (port, remote_write)
    return Program('prometheus', config, '--config.file=DIR/config.yml', '--storage.tsdb.path=DIR/data', '--web.listen-address=127.0.0.1:%d' % port,
                   '--enable-feature=exemplar-storage,native-histograms')


def series(s, job):
    return {tuple(sorted(m.items())) for m in s.get('/api/v1/series', **{'match[]': '{job="%s"}' % job}).json['data']}


def test_prometheus_writes_remotely():
    port = bn.free_port()
    with bn.Server() as s:
        remote = 'remote_write: [{url: "%s/api/v1/write", send_exemplars: true, send_native_histograms: true, metadata_config: {send_interval: 1s}}]\n' % s.url
        with prometheus(port, remote):
            bn.wait_for(lambda: s.samples('up', job='self'), 'samples of Prometheus', 60, s)
            bn.wait_for(lambda: s.get('/api/v1/metadata', metric='prometheus_http_requests_total').json['data'], 'its metadata', 60, s)
            assert len(series(s, 'self')) > 100
        s.conserved()
        bn.eq(s.counters()['binnacle_rejected_total{signal="metrics"}'], 0)


def test_a_page_of_a_real_program_is_the_same_in_protobuf_and_in_text():
    port = bn.free_port()
    scrape = {'scrape.target': '127.0.0.1:%d' % port, 'scrape.interval': '1s'}
    with prometheus(port), bn.Server({**scrape, 'scrape.native-histograms': 'on'}) as protobuf, bn.Server(scrape) as text:
        count = lambda s: s.samples('scrape_samples_scraped', job='static')
        settled = lambda s: bn.wait_for(lambda: any(float(v) > 100 for v in count(s).values()), 'a scrape of Prometheus', 60, s)
        settled(protobuf), settled(text)
        # series that come with the first requests of a kind may be on one page and not yet on the other
        bn.wait_for(lambda: series(protobuf, 'static') == series(text, 'static') or None, 'the same series from both', 30, text)
        bn.eq(protobuf.get('/api/v1/targets').json['data']['activeTargets'][0]['lastError'], '')
        protobuf.conserved()


def test_vmagent_writes_remotely():
    with bn.Server({'host': 'on', 'scrape.interval': '1s'}) as s:
        config = 'scrape_configs: [{job_name: vm, scrape_interval: 1s, static_configs: [{targets: ["%s"]}]}]\n' % s.url.split('//')[1]
        port = bn.free_port()
        with Program('vmagent', config, '-promscrape.config=DIR/config.yml', '-remoteWrite.url=%s/api/v1/write' % s.url, '-remoteWrite.tmpDataPath=DIR/tmp',
                     '-httpListenAddr=127.0.0.1:%d' % port):
            bn.wait_for(lambda: s.samples('binnacle_received_total', job='vm'), 'samples of vmagent', 60, s)
        s.conserved()
        bn.eq(s.counters()['binnacle_rejected_total{signal="metrics"}'], 0)


bn.main()
