"""Scraping: static targets, the host, the synthetic series, staleness."""
import http.server
import threading

import bn


class Target:
    """A metrics page on loopback whose answer the test chooses."""

    def __init__(self):
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                target.asked += 1
                target.headers = self.headers
                body = target.page.encode()
                self.send_response(target.status)
                self.send_header('Content-Type', 'text/plain; version=0.0.4')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.page, self.status, self.asked = 'a_total 1\nb{x="y"} 2.5\n', 200, 0
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


bn.main()
