"""Scraping: static targets, the host, the synthetic series, staleness."""
import http.server
import threading
import time

import bn
import wire


class Target:
    """A metrics page on loopback whose answer the test chooses."""

    def __init__(self):
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                target.asked += 1
                target.headers = self.headers
                body = wire.as_bytes(target.page)
                self.send_response(target.status)
                if target.type:
                    self.send_header('Content-Type', target.type)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.page, self.status, self.asked, self.type = 'a_total 1\nb{x="y"} 2.5\n', 200, 0, 'text/plain; version=0.0.4'
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.address = '127.0.0.1:%d' % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def value(s, name, **labels):
    got = list(s.samples(name, **labels).values())
    return float(got[0]) if got else None


def scraping(t, **more):
    return bn.Server({'scrape.target': t.address, 'scrape.interval': '1s', **more})


def test_target_labels_and_synthetic_series():
    t = Target()
    with scraping(t) as s:
        bn.wait_for(lambda: value(s, 'scrape_series_added') is not None, 'a scrape', server=s)
        bn.eq(list(s.samples('b')), [frozenset({'__name__': 'b', 'x': 'y', 'job': 'static', 'instance': t.address}.items())])
        bn.eq(value(s, 'up'), 1)
        bn.eq(value(s, 'scrape_samples_scraped'), 2)
        bn.has(t.headers['Accept'], 'application/openmetrics-text')
        target = s.get('/api/v1/targets').json['data']['activeTargets'][0]
        bn.eq((target['health'], target['lastError'], target['scrapePool']), ('up', '', 'static'))
    t.close()


def test_a_series_that_leaves_the_page_goes_stale():
    t = Target()
    with scraping(t) as s:
        bn.wait_for(lambda: value(s, 'b') == 2.5, 'the first scrape', server=s)
        t.page = 'a_total 2\n'
        bn.wait_for(lambda: value(s, 'b') is None, 'b to end', server=s)
        bn.eq(value(s, 'a_total'), 2)
    t.close()


def test_a_failed_scrape_is_up_0_and_ends_its_series():
    t = Target()
    with scraping(t) as s:
        bn.wait_for(lambda: value(s, 'up') == 1, 'up', server=s)
        t.status = 500
        bn.wait_for(lambda: value(s, 'up') == 0, 'up 0', server=s)
        bn.eq(value(s, 'a_total'), None)
        bn.has(s.get('/api/v1/targets').json['data']['activeTargets'][0]['lastError'], '500')
    t.close()


def test_a_page_with_an_error_stores_nothing_of_itself():
    t = Target()
    t.page = 'a_total 1\nthis is not a metric line {{{\n'
    with scraping(t) as s:
        bn.wait_for(lambda: value(s, 'up') == 0, 'up 0', server=s)
        bn.eq(value(s, 'a_total'), None)
    t.close()


def test_configured_targets_have_their_labels():
    t = Target()
    config = 'scrape_configs:\n- job_name: shop\n  scrape_interval: 1s\n  static_configs:\n  - targets: [%r]\n    labels: {env: test}\n' % t.address
    with bn.Server(config=config) as s:
        bn.wait_for(lambda: value(s, 'b', env='test', job='shop') == 2.5, 'the labelled series', server=s)
    t.close()


def test_the_host_and_binnacle_itself_are_collected():
    with bn.Server({'host': 'on', 'scrape.interval': '1s'}) as s:
        bn.wait_for(lambda: value(s, 'node_memory_MemTotal_bytes', job='node'), 'host metrics', server=s)
        for name in ('node_load1', 'node_cpu_seconds_total', 'node_boot_time_seconds', 'node_uname_info', 'node_filesystem_size_bytes', 'node_network_receive_bytes_total'):
            assert s.samples(name, job='node'), name
        bn.wait_for(lambda: value(s, 'process_resident_memory_bytes', job='binnacle'), 'own metrics', server=s)
        bn.wait_for(lambda: s.get('/api/v1/query', query='rate(process_cpu_seconds_total{job="binnacle"}[1m])').json['data']['result'], 'a rate', server=s)


def up_is(s, v):
    return lambda: value(s, 'up') == v


def last_error(s):
    return s.get('/api/v1/targets').json['data']['activeTargets'][0]['lastError']


def test_native_histograms_come_in_protobuf():
    t = Target()
    began = 1700000000.5
    t.type = wire.PROM_PROTOBUF
    native = wire.prom_native(7, 2.5, 3, 2, (-2, [2, 3]), [(1, 3), (2, 5)], [wire.prom_time(15, began), wire.prom_exemplar(16, 0.7, {'trace_id': 'abc'}, began)])
    t.page = (wire.prom_family('c_total', 'counter', [({'a': 'b'}, [(1, 'double', 5.0), wire.prom_time(3, began)])]) +
              wire.prom_family('h', 'histogram', [({'job': 'own'}, native)]))
    with scraping(t, **{'scrape.native-histograms': 'on'}) as s:
        bn.wait_for(up_is(s, 1), 'up', server=s)
        assert t.headers['Accept'].startswith('application/vnd.google.protobuf;'), t.headers['Accept']
        bn.eq(list(s.samples('c_total').values()), ['5'])
        result = s.get('/api/v1/query', query='h').json['data']['result'][0]
        bn.eq(result['metric'], {'__name__': 'h', 'exported_job': 'own', 'job': 'static', 'instance': t.address})
        bn.eq((result['histogram'][1]['count'], result['histogram'][1]['sum']), ('7', '2.5'))
        bn.eq([b[3] for b in result['histogram'][1]['buckets']], ['2', '2', '3'])
        bn.eq(value(s, 'scrape_samples_scraped'), 2)
        bn.eq(s.samples('h_bucket'), {})
        exemplars = s.get('/api/v1/query_exemplars', query='h', start=began - 1, end=began + 1).json['data']
        bn.eq([x['labels'] for x in exemplars[0]['exemplars']], [{'trace_id': 'abc'}])
        bn.eq(s.get('/api/v1/metadata', metric='h').json['data']['h'][0]['type'], 'histogram')
    t.close()


def test_without_native_histograms_the_classic_buckets_are_read():
    t = Target()
    t.type = wire.PROM_PROTOBUF
    t.page = wire.prom_family('h', 'histogram', [({}, wire.prom_native(7, 2.5, 3, 2, (-2, [2, 3]), [(1, 3), (2, 5)]))])
    with scraping(t) as s:
        bn.wait_for(up_is(s, 1), 'up', server=s)
        assert 'protobuf' not in t.headers['Accept'], t.headers['Accept']
        bn.eq({dict(k)['le']: v for k, v in s.samples('h_bucket').items()}, {'1.0': '3', '2.0': '5', '+Inf': '7'})
        bn.eq((value(s, 'h_count'), value(s, 'h_sum')), (7, 2.5))
    t.close()


def test_a_page_without_a_known_content_type_fails_unless_there_is_a_fallback():
    t = Target()
    for content_type, why in (('', 'blank Content-Type'), ('text/html', 'unsupported Content-Type \"text/html\"')):
        t.type = content_type
        with scraping(t) as s:
            bn.wait_for(up_is(s, 0), 'up 0', server=s)
            bn.has(last_error(s), why)
            bn.eq(s.samples('b'), {})
        with scraping(t, **{'scrape.fallback-protocol': 'PrometheusText0.0.4'}) as s:
            bn.wait_for(up_is(s, 1), 'up', server=s)
            bn.eq(value(s, 'b'), 2.5)
    t.close()


def test_openmetrics_created_is_the_start_of_its_series():
    t = Target()
    t.type = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
    t.page = '# TYPE a counter\na_total 5\na_created 1700000000.5\n# EOF\n'
    with scraping(t) as s:
        bn.wait_for(up_is(s, 1), 'up', server=s)
        lines = s.get('/api/v1/export', **{'match[]': 'a_total'}).text.splitlines()
        bn.has(lines[0], '"start_timestamps":[1700000000500')
        bn.eq(value(s, 'a_created'), 1700000000.5)
    t.close()


def test_a_sample_limit_fails_the_scrape():
    t = Target()
    config = """
scrape_configs:
  - job_name: limited
    sample_limit: 1
    static_configs: [{targets: ["%s"]}]
""" % t.address
    with bn.Server({'scrape.interval': '200ms', 'scrape.timeout': '200ms', 'scrape.extra-metrics': 'on'}, config=config) as s:
        bn.wait_for(up_is(s, 0), 'up 0', server=s)
        bn.has(last_error(s), 'sample limit exceeded: the page has 2 samples, sample_limit is 1')
        bn.eq((value(s, 'scrape_samples_scraped'), value(s, 'scrape_sample_limit'), s.samples('b')), (2, 1, {}))
        s.conserved()
        t.page = 'b 1\n'
        bn.wait_for(up_is(s, 1), 'up', server=s)
        bn.eq((value(s, 'b'), value(s, 'scrape_body_size_bytes')), (1, 4))
    t.close()


def test_a_series_that_vanishes_while_binnacle_is_down_ends_with_the_lookback():
    """As with Prometheus, which does not know after a restart either what a target had before it."""
    t = Target()
    with scraping(t, **{'query.lookback': '3s', 'scrape.interval': '500ms', 'scrape.timeout': '500ms'}) as s:
        bn.wait_for(lambda: value(s, 'b') == 2.5, 'the first scrape', server=s)
        s.kill()
        t.page = 'a_total 2\n'
        s.start()
        bn.wait_for(lambda: value(s, 'a_total') == 2, 'a scrape after the restart', server=s)
        bn.wait_for(lambda: value(s, 'b') is None, 'b to end', server=s)
        bn.wait_for(up_is(s, 1), 'up', server=s)
    t.close()


def test_a_failing_target_that_heals_goes_on():
    t = Target()
    with scraping(t, **{'scrape.interval': '200ms', 'scrape.timeout': '200ms'}) as s:
        bn.wait_for(up_is(s, 1), 'up', server=s)
        t.status = 500
        bn.wait_for(lambda: up_is(s, 0)() and value(s, 'b') is None, 'b to end', server=s)
        t.status = 200
        bn.wait_for(lambda: value(s, 'b') == 2.5, 'b to be back', server=s)
        values = s.get('/api/v1/export', **{'match[]': 'b'}).json['values']
        bn.eq(values.count(None), 1, 'one staleness marker: ')  # failing again and again writes no more
        s.conserved()
    t.close()


def test_the_same_series_twice_on_a_page_counts_once():
    t = Target()
    t.page = 'b 1\nb 1\nc 1\nc 2\n'
    with scraping(t) as s:
        bn.wait_for(up_is(s, 1), 'up', server=s)
        bn.eq((value(s, 'b'), value(s, 'c'), value(s, 'scrape_samples_scraped')), (1, 1, 4))
        bn.has(last_error(s), 'duplicate sample')
        s.conserved()
    t.close()


def test_times_on_the_page_are_kept_and_do_not_go_stale():
    t = Target()
    t.page = 'old 1 %d\nb 2\n' % (int(time.time() * 1000) - 20000)
    with scraping(t, **{'scrape.interval': '200ms', 'scrape.timeout': '200ms'}) as s:
        bn.wait_for(up_is(s, 1), 'up', server=s)
        t.page = 'b 2\n'
        bn.wait_for(lambda: value(s, 'scrape_samples_scraped') == 1, 'the shorter page', server=s)
        bn.eq(value(s, 'old'), 1)  # until the lookback ends it, as in Prometheus
    t.close()


bn.main()
