"""The page in a headless Chromium against a running binnacle with live data: every page shows what was sent, nothing goes wrong on it, nothing is
asked of another host, and it stays within its budgets of bytes and of time to the first paint. Skipped without Chromium, or when the binary was
built without npm and so carries only the plain page."""
import gzip
import json
import re
import time
import urllib.parse

import bn
import browser

PAGE_GZ_MAX = 60 * 1024      # any page, without the editor
WHOLE_GZ_MAX = 260 * 1024    # all files together
PAINT_MS_MAX = 60            # first paint after that of a blank page

TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
SERVICES = ['frontend', 'checkout', 'payment']


def span(service, name, sid, parent, start_ns, ms, error=False, trace=TRACE):
    return service, {'traceId': trace, 'spanId': sid, 'parentSpanId': parent, 'name': name, 'kind': 2, 'startTimeUnixNano': str(start_ns),
                     'endTimeUnixNano': str(start_ns + int(ms * 1e6)), 'status': {'code': 2} if error else {},
                     'attributes': [{'key': 'http.status_code', 'value': {'intValue': '502' if error else '200'}}]}


def otlp(spans):
    by = {}
    for service, s in spans:
        by.setdefault(service, []).append(s)
    return {'resourceSpans': [{'resource': {'attributes': [{'key': 'service.name', 'value': {'stringValue': name}}]}, 'scopeSpans': [{'spans': list_}]}
                              for name, list_ in by.items()]}


def seed(s):
    now = time.time_ns()
    start = now - 60 * 10**9
    spans = [span('frontend', 'POST /checkout', 'a' * 16, '', start, 900, True),
             span('checkout', 'PlaceOrder', 'b' * 16, 'a' * 16, start + 10**7, 800),
             span('payment', 'Charge', 'c' * 16, 'b' * 16, start + 10**8, 600, True)]
    for i in range(30):
        spans.append(span('frontend', 'GET /', '%016x' % (i + 1), '', start - i * 10**9, 5 + i, trace='%032x' % (i + 1)))
    bn.eq(s.post('/v1/traces', otlp(spans)).status, 200)
    lines = []
    for i in range(600):
        t = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now / 1e9 - i)) + '.%03dZ' % (i % 1000)
        level = 'error' if i % 20 == 0 else 'info'
        lines.append(json.dumps({'index': {'_index': 'shop'}}))
        lines.append(json.dumps({'@timestamp': t, 'level': level, 'message': 'charge %s order=o-%d' % ('failed' if level == 'error' else 'done', i),
                                 'service': {'name': SERVICES[i % 3]}, 'trace_id': TRACE, 'evil': '<img src=x onerror="window.pwned=1">'}))
    r = s.post('/_bulk?refresh=true', '\n'.join(lines) + '\n', 'application/x-ndjson')
    bn.eq((r.status, r.json['errors']), (200, False))


def attr(key, value):
    return {'key': key, 'value': {'stringValue': value}}


BOUNDS = [0.01, 0.05, 0.1, 0.5, 1, 5]


def seed_metrics(s):
    """Ten minutes, every 15 s: a classic histogram with exemplars, a native one, a gauge of 12 series, and a metric flooded by one label."""
    now = int(time.time()) // 15 * 15
    start, resources = str((now - 3600) * 10**9), []
    for step, t in enumerate(range(now - 600, now + 1, 15)):
        at = str(t * 10**9)
        for k, service in enumerate(SERVICES):
            n = step * (k + 1)
            common = {'startTimeUnixNano': start, 'timeUnixNano': at}
            exemplar = {'timeUnixNano': at, 'asDouble': 0.6, 'traceId': TRACE, 'spanId': 'a' * 16}
            points = [{**common, 'attributes': [attr('code', code)], 'count': str(6 * n), 'sum': n * 1.5, 'explicitBounds': BOUNDS, 'bucketCounts': [str(n)] * 6 + ['0'],
                       'exemplars': [exemplar] if service == 'payment' and step == 20 and code == '502' else []} for code in ('200', '502')]
            native = {**common, 'attributes': [], 'count': str(3 * n), 'sum': n * 0.9, 'scale': 1, 'zeroCount': '0', 'positive': {'offset': -6, 'bucketCounts': [str(n), str(n), str(n)]}}
            memory = [{'timeUnixNano': at, 'asDouble': (i + 1) * 2.0**27 + step, 'attributes': [attr('pod', '%s-%d' % (service, i))]} for i in range(4)]
            metrics = [{'name': 'http_request_duration', 'unit': 's', 'description': 'Time to serve one request', 'histogram': {'aggregationTemporality': 2, 'dataPoints': points}},
                       {'name': 'rpc_latency', 'unit': 's', 'description': 'Native buckets', 'exponentialHistogram': {'aggregationTemporality': 2, 'dataPoints': [native]}},
                       {'name': 'pod_memory', 'unit': 'By', 'description': 'Memory of a pod', 'gauge': {'dataPoints': memory}}]
            depth = {'timeUnixNano': at, 'asDouble': (40 if t > now - 120 else 3) + step % 3, 'attributes': []}
            metrics.append({'name': 'queue_depth', 'description': 'Jobs that wait; more in the last two minutes', 'gauge': {'dataPoints': [depth]}})
            if service == 'payment' and t == now:
                flood = [{'timeUnixNano': at, 'asDouble': i, 'attributes': [attr('request_id', 'r%d' % i), attr('shard', str(i % 4))]} for i in range(400)]
                metrics.append({'name': 'flooded', 'description': 'One series per request', 'gauge': {'dataPoints': flood}})
            resources.append({'resource': {'attributes': [attr('service.name', service)]}, 'scopeMetrics': [{'metrics': metrics}]})
    bn.eq(s.post('/v1/metrics', {'resourceMetrics': resources}).status, 200)
    return now


class World:
    """One server and one browser for all tests."""
    server = chromium = None

    @classmethod
    def get(cls):
        if not browser.path():
            raise bn.Skip('no chromium here')
        if not cls.server:
            cls.server = bn.Server({'host': 'on', 'scrape.interval': '1s', 'self.traces': 'on'})
            if 'assets/main-' not in cls.server.get('/').text:
                cls.close()
                raise bn.Skip('this binary carries only the plain page: it was built without npm')
            seed(cls.server)
            cls.seeded = seed_metrics(cls.server)
            cls.chromium = browser.Browser()
        return cls.server, cls.chromium

    @classmethod
    def close(cls):
        if cls.chromium:
            cls.chromium.__exit__()
        if cls.server:
            cls.server.close()
        cls.server = cls.chromium = None


def clean(page, s):
    """No error on the page, and no request to anybody else."""
    bn.eq([e for e in page.errors], [], 'errors on the page')
    bn.eq([u for u in page.requests if not u.startswith((s.url + '/', 'data:', 'about:'))], [], 'requests to others')


def visit(url, *conditions):
    s, b = World.get()
    page = b.page(s.url + url)
    try:
        for c in conditions:
            page.wait(c)
        clean(page, s)
    except BaseException:
        page.close()
        raise
    return page


def text(words, where='main'):
    return 'document.querySelector(%s)?.innerText.includes(%s)' % (json.dumps(where), json.dumps(words))


def test_overview_shows_services_machines_and_errors():
    p = visit('/', text('checkout', '.sv'), text('payment', '.sv'), text('charge failed', '.feed'), 'document.querySelectorAll("td .bar i").length >= 2',
              'location.pathname == "/overview"', text('binnacle ', '.side footer'), text('/s', '.side footer'))
    p.close()


def test_metrics_draws_a_query_lists_metrics_and_shows_errors_in_place():
    p = visit('/metrics-explorer?q=node_load1&from=-5m', 'document.querySelector(".chart canvas")', text('node_load1', '.fac'), 'document.querySelectorAll(".lg tbody tr").length == 1',
              'document.querySelector("[data-editor=promql]")')
    p.press('/')
    p.type(' + on')
    p.wait('document.querySelector("[data-editor]").shadowRoot.querySelector(".cm-content").innerText.includes("+ on")')
    p.press('Escape')
    p.close()
    s, b = World.get()
    p = b.page(s.url + '/metrics-explorer?q=' + 'rate(foo')
    p.wait('document.querySelector(".note.err")?.innerText.includes("^")')
    p.close()
    p = visit('/metrics-explorer?q=up&view=table', 'document.querySelectorAll("tbody tr").length > 0')
    p.close()


def test_a_metric_is_chosen_from_the_list():
    p = visit('/metrics-explorer?from=-5m', 'document.querySelectorAll(".mi").length > 10')
    p.click('.fac input')
    p.type('node_memory_MemAvailable')
    p.wait('document.querySelectorAll(".mi").length == 1')
    p.click('.mi')
    p.wait('location.search.includes("node_memory_MemAvailable_bytes")')
    p.wait('document.querySelectorAll(".lg tbody tr").length >= 1')
    p.wait(text('i', '.lg td.n:last-child'))
    p.close()


def metrics_url(**keys):
    return '/metrics-explorer?from=-15m&' + urllib.parse.urlencode({k.replace('_', '.'): v for k, v in keys.items()})


QUANTILE = 'histogram_quantile(0.9, sum by (job, le) (rate(http_request_duration_seconds_bucket[1m])))'
EDITOR = 'document.querySelector("[data-editor=promql]")'
EDITED = EDITOR + '.shadowRoot.querySelector(".cm-content").innerText'
OPTIONS = '[...%s.shadowRoot.querySelectorAll(".cm-tooltip-autocomplete li")].map((l) => l.innerText)' % EDITOR


def seen(selector, where='document'):
    return '%s.querySelector(%s)' % (where, json.dumps(selector))


def number(selector):
    return 'document.querySelectorAll(%s).length' % json.dumps(selector)


def point(page, selector, x, y):
    """Moves the pointer to a share of an element."""
    page.eval('document.querySelector(%s).scrollIntoView({block: "nearest"})' % json.dumps(selector))
    left, top, w, h = page.wait('(() => { const r = document.querySelector(%s).getBoundingClientRect(); return r.width && [r.x, r.y, r.width, r.height] })()' % json.dumps(selector))
    page.call('Input.dispatchMouseEvent', {'type': 'mouseMoved', 'x': left + w * x, 'y': top + h * y})
    return left + w * x, top + h * y


def test_promql_is_completed_from_the_server_with_the_keyboard():
    p = visit('/metrics-explorer?from=-15m', EDITOR)
    p.press('/')
    p.type('histogram_quan')
    p.wait(OPTIONS + '.some((o) => o.includes("histogram_quantile") && o.includes("(\u03c6, v)"))')
    p.press('Escape')
    p.wait(OPTIONS + '.length == 0')
    p.eval(EDITOR + '.shadowRoot.querySelector(".cm-content").textContent')
    p.close()
    p = visit('/metrics-explorer?from=-15m', EDITOR)
    p.press('/')
    p.type('rate(http_req')
    p.wait(OPTIONS + '.some((o) => o.includes("http_request_duration_seconds_bucket") && o.includes("histogram"))')
    p.press('Tab')
    p.wait(EDITED + '.startsWith("rate(http_request_duration_seconds_")')
    p.type('{co')
    p.wait(OPTIONS + '.join() == "code"')
    p.press('ArrowDown', 'Enter')
    p.wait(OPTIONS + '.join() == "200,502"')
    p.press('ArrowDown', 'ArrowDown', 'Enter')
    p.wait(EDITED + '.includes(\'{code="502"\')')
    p.close()
    p = visit('/metrics-explorer?from=-15m', EDITOR)
    p.press('/')
    p.type('sum(pod_memory_bytes) by (')
    p.wait(OPTIONS + '.join() == "job,pod"')
    p.press('Tab')
    p.type(')')
    p.press('Enter')
    p.wait('new URLSearchParams(location.search).get("q") == "sum(pod_memory_bytes) by (job)"')
    p.wait(number('.lg tbody tr') + ' == 3')
    p.close()


def test_errors_and_notes_are_marked_where_the_server_says():
    s, b = World.get()
    p = b.page(s.url + '/metrics-explorer')
    p.wait(EDITOR)
    p.press('/')
    p.type('sum(up{job=="x"})')
    bn.eq(p.wait(EDITOR + '.shadowRoot.querySelector(".cm-lintRange-error")?.textContent'), '=')
    p.close()
    p = visit(metrics_url(q='rate(pod_memory_bytes[1m])'), text('might not be a counter', '.note.info'), text('(1:6)', '.note.info'))
    bn.eq(p.wait(EDITOR + '?.shadowRoot.querySelector(".cm-lintRange-info")?.textContent'), 'pod_memory_bytes')
    p.close()


def test_panels_are_added_moved_and_removed_and_all_of_it_is_in_the_address():
    p = visit(metrics_url(q='node_load1', p2_q=QUANTILE), number('.panel') + ' == 2', number('.chart canvas') + ' == 4')
    p.click('.panel:nth-child(2) .order button:first-child')
    p.wait('new URLSearchParams(location.search).get("p2.q") == "node_load1"')
    p.click('.panel:nth-child(1) .ctl .btn')
    p.wait(number('.panel:nth-child(1) .query') + ' == 2')
    p.click('.panel:nth-child(2) .order button:last-child')
    p.wait(number('.panel') + ' == 1')
    p.eval('document.querySelector(".col > .row .btn").click()')
    p.wait(number('.panel') + ' == 2 && new URLSearchParams(location.search).has("p2.q")')
    p.eval('history.back()')
    p.wait(number('.panel') + ' == 1')
    p.eval('document.querySelector(".panel select").value = "ms", document.querySelector(".panel select").dispatchEvent(new Event("change", {bubbles: true}))')
    p.wait('location.search.includes("unit=ms")')
    p.click('.lg tbody tr:nth-child(2)')
    p.wait('location.search.includes("only=") && ' + number('.lg tr.off') + ' == 2')
    s, b = World.get()
    again = b.page(p.eval('location.href'))
    again.wait(number('.lg tr.off') + ' == 2 && document.querySelector(".panel select").value == "ms" && ' + number('.panel .query') + ' == 2')
    again.close()
    p.click('.lg tbody tr:nth-child(2)')
    p.wait('!location.search.includes("only=")')
    clean(p, s)
    p.close()


def test_the_pointer_is_shared_by_all_panels_and_a_drag_zooms():
    p = visit(metrics_url(q=QUANTILE, p2_q='sum by (job) (pod_memory_bytes)', p2_view='stack'), number('.lg tbody tr') + ' == 6')
    point(p, '.panel:nth-child(1) .chart', 0.7, 0.5)
    p.wait(seen('.panel:nth-child(1) .tip b'))
    for panel in (1, 2):
        p.wait('/\\d m?s|Mi|Gi/.test(document.querySelector(".panel:nth-child(%d) .lg tbody td:nth-child(2)").innerText)' % panel)
        p.wait('/\\d\\d:\\d\\d:\\d\\d/.test(document.querySelector(".panel:nth-child(%d) .lg th:nth-child(2)").innerText)' % panel)
    bn.eq(p.eval(number('.tip')), 1)
    x, y = point(p, '.panel:nth-child(1) .chart', 0.5, 0.4)
    p.drag(x, y, x + 200, y)
    p.wait('/from=\\d+/.test(location.search) && /to=\\d+/.test(location.search)')
    s, _ = World.get()
    clean(p, s)
    p.close()


def test_views_bars_heat_maps_and_tables():
    p = visit(metrics_url(q='sum by (job) (rate(http_request_duration_seconds_count[1m]))', view='bars'), seen('.chart canvas[data-ms]'), text('/s', '.lg'))
    p.close()
    p = visit(metrics_url(q='sum by (le) (rate(http_request_duration_seconds_bucket[1m]))', view='heat', p2_q='rate(rpc_latency_seconds[1m])'), number('.heat canvas') + ' == 4')
    for panel in (1, 2):
        for y in (i / 20 for i in range(1, 19)):
            point(p, '.panel:nth-child(%d) .heat' % panel, 0.85, y)
            p.eval('new Promise((r) => requestAnimationFrame(() => setTimeout(r)))')
            if p.eval('/m?s \u2013 .*m?s/.test(document.querySelector(".tip")?.innerText)'):
                break
        else:
            raise AssertionError('no cell says its bucket: ' + str(p.eval('document.querySelector(".tip")?.innerText')))
    p.close()
    p = visit(metrics_url(q='pod_memory_bytes', view='table', sort='-#'), number('.rows tbody tr') + ' == 12')
    bn.eq(p.eval('[...document.querySelectorAll(".rows th")].map((t) => t.innerText.trim())'), ['job', 'pod', 'value \u2193'])
    bn.eq(p.eval('document.querySelector(".rows tbody tr td:last-child").innerText'), '512 Mi')
    p.click('.rows th:nth-child(2) button')
    p.wait('location.search.includes("sort=pod") && document.querySelector(".rows tbody td:nth-child(2)").innerText == "checkout-0"')
    p.close()
    p = visit(metrics_url(q='rpc_latency_seconds{job="payment"}', view='table'), text('3 buckets', '.rows'))
    p.click('.buckets button')
    p.wait(number('.buckets > div') + ' == 3')
    p.close()


def test_a_query_is_explained_part_by_part():
    p = visit(metrics_url(q=QUANTILE), text('http_request_duration_seconds_bucket', '.chain'), number('.chain b') + ' == 4', text('dropped labels: code', '.chain'))
    counts = p.eval('[...document.querySelectorAll(".chain b")].map((b) => Number(b.innerText))')
    assert counts[0] == 3 and counts[-1] == 42, counts
    p.click('.query .btn[aria-pressed]')
    p.wait('location.search.includes("tree=1") && ' + number('.tree tbody tr') + ' == 4')
    assert re.search(r'[\d.]+ (ms|\u00b5s|s|ns)', p.eval('document.querySelector(".tree tbody tr td:nth-child(4)").innerText'))
    p.eval('[...document.querySelectorAll(".tree button")].find((b) => b.innerText.startsWith("rate(")).click()')
    p.wait('new URLSearchParams(location.search).get("q") == "rate(http_request_duration_seconds_bucket[1m])"')
    p.close()


def test_an_exemplar_leads_to_its_trace():
    p = visit(metrics_url(q=QUANTILE, live='off'), EDITOR, number('a.exemplar') + ' == 1', seen('a.exemplar.bad'), text('1 exemplar', '.ctl'))
    p.eval('document.querySelector("a.exemplar").focus()')
    p.wait(text('600 ms', '.tip'))
    p.click('a.exemplar')
    p.wait('location.pathname == "/traces/%s"' % TRACE)
    p.wait(number('.wfr') + ' == 3')
    p.close()


def test_metrics_are_explored_by_help_labels_and_values():
    p = visit(metrics_url(q='node_load1'), text('node_load1', '.mi.on'), number('.mi') + ' > 10')
    p.click('.fac input')
    p.type('memory pod')
    p.wait(number('.mi') + ' == 1 && location.search.includes("find=memory")')
    p.press('ArrowDown')
    p.wait('document.activeElement.innerText.startsWith("pod_memory_bytes")')
    p.eval('document.querySelector(".mi .plus").click()')
    p.wait('new URLSearchParams(location.search).get("p2.q") == "pod_memory_bytes"')
    p.wait(text('pod', '.det') + ' && ' + text('12', '.det'))
    p.eval('[...document.querySelectorAll(".det .fv")].find((b) => b.innerText.startsWith("job")).click()')
    p.wait(number('.det .fv.val') + ' == 3')
    p.eval('[...document.querySelectorAll(".det .fv.val")].find((b) => b.innerText.startsWith("payment")).click()')
    p.wait('new URLSearchParams(location.search).get("p2.q") == \'pod_memory_bytes{job="payment"}\'')
    p.wait(number('.panel:nth-child(2) .lg tbody tr') + ' == 4')
    p.click('.panel:nth-child(2) .query .menu button')
    p.wait('[...document.querySelectorAll(".past button")].map((b) => b.innerText).join().startsWith(\'pod_memory_bytes{job="payment"},pod_memory_bytes\')')
    p.click('.past button:nth-of-type(2)')
    p.wait('new URLSearchParams(location.search).get("p2.q") == "pod_memory_bytes"')
    s, _ = World.get()
    clean(p, s)
    p.close()


def test_a_window_shows_what_else_moved_in_it():
    World.get()
    now = World.seeded * 1000 + 1000
    p = visit(metrics_url(q='sum(pod_memory_bytes)').replace('from=-15m', 'from=%d&to=%d' % (now - 120000, now)), text('Kolmogorov', '.moved'), number('.moved .card') + ' >= 1')
    p.wait(text('vs before', '.lg'))
    p.wait(text('queue_depth', '.moved') + ' && ' + text('and 2 more', '.moved'))
    p.eval('[...document.querySelectorAll(".moved .card")].find((b) => b.innerText.includes("queue_depth")).click()')
    p.wait('new URLSearchParams(location.search).get("p2.q") == "queue_depth"')
    p.close()
    s, _ = World.get()
    got = s.get('/ui/api/moved?from=%d&to=%d' % (now - 120000, now)).json
    bn.eq(got['from'] - got['base'], 480000)
    assert got['series'] > 400 and got['compared'] > 3 and all(0 < m['d'] <= 1 and len(m['points']) == 60 for m in got['moved']), got
    bn.eq(s.get('/ui/api/moved?from=5&to=5').status, 400)


def test_links_of_prometheus_open_here_with_all_panels():
    p = visit('/graph?g0.expr=' + urllib.parse.quote('sum(up)') + '&g0.tab=0&g0.range_input=10m&g0.stacked=1&g1.expr=pod_memory_bytes&g1.tab=1', number('.panel') + ' == 2',
              number('.rows tbody tr') + ' == 12', 'location.pathname == "/metrics-explorer" && location.search.includes("from=-10m") && location.search.includes("view=stack")')
    p.close()
    end = time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())
    p = visit('/query?' + urllib.parse.urlencode({'g0.expr': 'node_load1', 'g0.tab': 'graph', 'g0.range_input': '5m', 'g0.end_input': end}), number('.lg tbody tr') + ' == 1')
    a, z = (int(x) for x in re.findall(r'(?:from|to)=(\d+)', p.eval('location.search')))
    bn.eq(z - a, 300000)
    p.close()


SLOW = """
const real = window.fetch;
window.asked = [], window.given_up = [];
window.fetch = async (url, init) => {
    if (!String(url).includes('query_range')) return real(url, init);
    window.asked.push(String(url));
    init.signal.addEventListener('abort', () => window.given_up.push(String(url)));
    await new Promise((r) => setTimeout(r, 5000));
    return real(url, init);
};"""


def test_slow_queries_are_neither_repeated_nor_kept_when_the_page_is_left():
    s, b = World.get()
    p = b.page(s.url + metrics_url(q='node_load1') + '&from=-1m', before=SLOW)
    p.wait('window.asked.length == 1')
    p.wait(number('.lg tbody tr') + ' == 1')  # the window moved on meanwhile, and the answer came all the same
    bn.eq(p.eval('[window.asked.length <= 2, window.given_up.length]'), [True, 0])
    p.wait('window.asked.length == 2')
    p.press('g', 's')
    p.wait('location.pathname == "/status" && window.given_up.length == 1')
    clean(p, s)
    p.close()


def test_panels_out_of_sight_ask_nothing():
    keys = {'p%d_q' % i: 'rate(http_request_duration_seconds_count[1m])' for i in range(2, 31)}
    p = visit(metrics_url(q='node_load1', **keys), number('.panel') + ' == 30', seen('.panel:nth-child(1) .lg'))
    asked = sum('query_range' in u for u in p.requests)
    assert asked < 10, asked
    p.eval('document.querySelector(".panel:nth-child(30)").scrollIntoView()')
    p.wait(number('.panel:nth-child(30) .lg tbody tr') + ' == 6')
    asked = sum('query_range' in u for u in p.requests)
    assert asked < 20, asked
    p.close()


MANY = """
const real = window.fetch;
window.fetch = async (url, init) => {
    const u = new URL(url, location.href);
    if (!u.pathname.endsWith('query_range')) return real(url, init);
    const start = Number(u.searchParams.get('start')), step = Number(u.searchParams.get('step')), end = Number(u.searchParams.get('end'));
    const n = Math.floor((end - start) / step) + 1;
    const result = Array.from({length: 50}, (_, k) => ({metric: {__name__: 'x', k: String(k)}, values: Array.from({length: n}, (_, i) => [start + i * step, String(Math.sin(i / 20 + k) * 10 + k)])}));
    return new Response(JSON.stringify({status: 'success', data: {resultType: 'matrix', result}}));
};
window.drawn = 0;
addEventListener('DOMContentLoaded', () => new MutationObserver((all) => {
    const canvas = all.find((m) => m.attributeName == 'data-ms')?.target;
    if (!canvas) return;
    canvas.getContext('2d').getImageData(0, 0, 1, 1);  // waits for what was recorded to be in the pixels
    window.drawn++;
}).observe(document, {subtree: true, attributes: true, attributeFilter: ['data-ms']}));"""


def test_fifty_lines_of_a_thousand_points_are_drawn_at_once():
    s, b = World.get()
    now = int(time.time()) * 1000
    p = b.page(s.url + '/metrics-explorer?q=x&step=1s&from=%d&to=%d' % (now - 1000000, now), before=MANY)
    p.wait(number('.lg tbody tr') + ' == 50')
    p.call('Performance.enable', {'timeDomain': 'threadTicks'})
    cpu = lambda: next(m['value'] for m in p.call('Performance.getMetrics')['metrics'] if m['name'] == 'TaskDuration') * 1000
    costs = []
    for i in range(15):
        began, drawn = cpu(), p.eval('window.drawn')
        p.eval('document.querySelector(".chart").style.width = "%dpx"' % (900 - i))
        p.wait('window.drawn > %d' % drawn)
        costs.append(cpu() - began)
    print('     50 lines of 1000 points: %.1f ms of CPU at best, median %.1f ms, layout and pixels included' % (min(costs), sorted(costs)[7]))
    assert min(costs) < 50, costs
    clean(p, s)
    p.close()


def test_logs_lists_filters_opens_and_keeps_html_as_text():
    p = visit('/logs', 'document.querySelectorAll(".lr").length > 20', text('charge', '.ls'), 'document.querySelector("[data-editor=lucene]")')
    rows = p.eval('document.querySelectorAll(".lr").length')
    assert rows < 120, 'rows in the document: %d' % rows
    p.click('.lr .l1')
    p.wait('document.querySelector(".lr.open .kvs")?.innerText.includes("onerror")')
    bn.eq(p.eval('window.pwned === undefined && !document.querySelector("img")'), True)
    p.wait('location.search.includes("open=")')
    p.press('Escape')
    p.wait('!document.querySelector(".lr.open")')
    p.press('j', 'j', 'k', 'Enter')
    p.wait('document.querySelector(".lr.open")')
    s, _ = World.get()
    clean(p, s)
    p.go(s.url + '/logs?q=level:error')
    p.wait('document.querySelectorAll(".lr.error").length > 10 && document.querySelectorAll(".lr:not(.error)").length == 0')
    p.wait(text('30 ', '.query .stat'))
    clean(p, s)
    p.close()


def test_logs_come_in_while_the_page_is_open():
    p = visit('/logs?from=-5m', 'document.querySelectorAll(".lr").length > 20')
    s, _ = World.get()
    line = {'@timestamp': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'message': 'just now arrived', 'level': 'warn'}
    s.post('/_bulk', json.dumps({'index': {'_index': 'shop'}}) + '\n' + json.dumps(line) + '\n', 'application/x-ndjson')
    p.wait(text('just now arrived', '.ls'))
    p.close()


def test_traces_are_searched_and_one_is_shown():
    p = visit('/traces', text('POST /checkout'), 'document.querySelectorAll(".rl").length > 10', text('payment', '.form'))
    p.close()
    p = visit('/traces?service=payment&tags=error%3Dtrue', text('POST /checkout'), 'document.querySelectorAll("a.rl").length == 1')
    p.click('a.rl')
    p.wait('location.pathname == "/traces/%s"' % TRACE)
    p.wait('document.querySelectorAll(".wfr").length == 3')
    p.click('.wfr')
    p.wait(text('http.status_code', '.sd'))
    p.wait('document.querySelectorAll(".bang").length == 2')
    s, _ = World.get()
    clean(p, s)
    p.eval('history.back()')
    p.wait('location.pathname == "/traces" && location.search.includes("payment")')
    p.go(s.url + '/traces/%s?view=flame' % TRACE)
    p.wait('document.querySelector("canvas.flame")')
    p.close()
    p = visit('/trace/' + TRACE, 'location.pathname == "/traces/%s"' % TRACE, text('Charge'))
    p.close()


def test_a_trace_of_ten_thousand_spans_scrolls():
    s, b = World.get()
    trace, now = 'f' * 32, time.time_ns() - 30 * 10**9
    spans = [span('frontend', 'root', '%016x' % 1, '', now, 10000, trace=trace)]
    spans += [span(SERVICES[i % 3], 'op %d' % i, '%016x' % i, '%016x' % max(1, i // 5), now + i * 10**5, 50, trace=trace) for i in range(2, 10001)]
    for at in range(0, len(spans), 2000):
        bn.eq(s.post('/v1/traces', otlp(spans[at:at + 2000])).status, 200)
    p = b.page(s.url + '/traces/' + trace)
    p.wait('document.querySelectorAll(".wfr").length > 10')
    p.wait(text('10 000'))
    worst = p.eval('''(async () => {
        const list = document.querySelector('.wf .vl');
        let worst = 0, rows = 0;
        for (let i = 0; i < 40; i++) {
            const began = performance.now();
            list.scrollTop += 6000;
            await new Promise((r) => requestAnimationFrame(() => setTimeout(r)));
            worst = Math.max(worst, performance.now() - began);
            rows = Math.max(rows, document.querySelectorAll('.wfr').length);
        }
        return [worst, rows, list.scrollTop];
    })()''')
    print('     worst step of scrolling %.0f ms, at most %d rows in the document' % (worst[0], worst[1]))
    assert worst[1] < 120 and worst[2] > 100000, worst
    clean(p, s)
    p.close()


def test_status_balances_and_lists_settings():
    p = visit('/status', text('balanced'), text('listen'), text('Write-ahead log'))
    bn.eq(p.eval('document.body.innerText.includes("unaccounted") || document.body.innerText.includes("NaN")'), False)
    p.close()


def test_status_names_the_label_to_drop():
    p = visit('/status', text('Cardinality'), text('request_id', '.drop'), text('regex: request_id', '.drop'))
    bn.eq(p.eval('document.querySelector(".drop b").innerText'), 'request_id')
    p.wait(text('400', '.drop > p') + ' && ' + text('flooded', '.tops'))
    p.close()


def test_status_names_whose_series_are_refused():
    World.get()
    with bn.Server({'limit.series': '20'}) as s:
        points = [{'timeUnixNano': str(time.time_ns()), 'asDouble': i, 'attributes': [attr('i', str(i))]} for i in range(50)]
        metric = {'name': 'too_many', 'gauge': {'dataPoints': points}}
        s.post('/v1/metrics', {'resourceMetrics': [{'resource': {'attributes': [attr('service.name', 'flooder')]}, 'scopeMetrics': [{'metrics': [metric]}]}]})
        p = World.chromium.page(s.url + '/status')
        p.wait(text('flooder', '.refused') + ' && ' + text('30', '.refused'))
        clean(p, s)
        p.close()


def test_keys_windows_and_the_strip():
    p = visit('/overview', text('checkout', '.sv'))
    for key, path in (('m', '/metrics-explorer'), ('l', '/logs'), ('t', '/traces'), ('s', '/status'), ('o', '/overview')):
        p.press('g', key)
        p.wait('location.pathname == %s' % json.dumps(path))
    p.press('?')
    p.wait('document.querySelector(".help")')
    p.press('Escape')
    p.wait('!document.querySelector(".help")')
    p.press('[')
    p.wait('/from=\\d+&to=\\d+/.test(location.search)')
    p.eval('history.back()')
    p.wait('!location.search.includes("from")')
    box = p.eval('(() => { const r = document.querySelector(".strip").getBoundingClientRect(); return [r.x, r.y + 20, r.width] })()')
    p.drag(box[0] + box[2] * 0.5, box[1], box[0] + box[2] * 0.75, box[1])
    p.wait('/from=\\d+&to=\\d+/.test(location.search)')
    a, z = (int(x) for x in re.findall(r'(?:from|to)=(\d+)', p.eval('location.search')))
    assert abs((z - a) / 1000 - 900) < 60, (a, z)
    p.press('.')
    p.wait('!location.search.includes("from")')
    p.press('.')
    p.wait('location.search.includes("live=off")')
    p.press('g', 'l')
    p.wait('location.pathname == "/logs" && location.search.includes("live=off")')
    s, _ = World.get()
    clean(p, s)
    p.close()


def test_theme_and_language_are_chosen_and_kept():
    p = visit('/overview?theme=light&lang=zh', text('总览', '.side'), 'document.documentElement.dataset.theme == "light"')
    bn.eq(p.eval('getComputedStyle(document.body).backgroundColor'), 'rgb(247, 247, 245)')
    p.close()


def test_the_metrics_page_speaks_chinese():
    p = visit(metrics_url(q=QUANTILE, lang='zh', theme='light'), text('堆叠', '.ctl'), text('热力图', '.ctl'), text('单位', '.ctl'), text('解释', '.query'))
    p.close()


def assets(s):
    """Path -> (gzipped size, text) of every file reachable from the page."""
    found, todo = {}, ['/']
    while todo:
        path = todo.pop()
        if path in found:
            continue
        r = s.get(path, headers={'Accept-Encoding': 'gzip'})
        bn.eq(r.status, 200, path)
        found[path] = (len(gzip.compress(r.body, 9)), r.text)
        base = '/assets/' if path.startswith('/assets/') else '/'
        todo += [base + n for n in re.findall(r'["\']\./([\w.-]+-[A-Z0-9]{8}\.(?:js|css))["\']', r.text)]
        todo += re.findall(r'"(/assets/[\w.-]+)"', r.text)
    return found


def test_budget_of_bytes():
    s, b = World.get()
    every = assets(s)
    whole = sum(size for size, _ in every.values())
    print('     %d files, %.1f KiB gzipped together' % (len(every), whole / 1024))
    assert whole <= WHOLE_GZ_MAX, whole
    for url, ready in (('/overview', text('checkout', '.sv')), ('/metrics-explorer?q=node_load1', 'document.querySelector(".chart canvas")'), ('/logs', 'document.querySelector(".lr")'),
                       ('/traces', 'document.querySelector("a.rl")'), ('/traces/' + TRACE, 'document.querySelector(".wfr")'), ('/status', text('balanced'))):
        p = visit(url, ready)
        files = {u[len(s.url):].split('?')[0] for u in p.requests if '/assets/' in u} | {'/'}
        editor = {f for f in files if any(n in every[f][1] for n in ('cm-content', 'cm-lineNumbers')) or 'editor' in f}
        size = sum(every[f][0] for f in files - editor)
        print('     %-32s %.1f KiB gzipped%s' % (url, size / 1024, ' and %.1f of the editor' % (sum(every[f][0] for f in editor) / 1024) if editor else ''))
        assert size <= PAGE_GZ_MAX, (url, size)
        p.close()


def test_first_paint_is_near_that_of_a_blank_page():
    s, b = World.get()

    def paint(url):
        p = b.page(s.url + url)
        ms = p.wait('performance.getEntriesByName("first-contentful-paint")[0]?.startTime')
        p.close()
        return ms
    blank, page = [], []
    for _ in range(9):
        blank.append(paint('/-/healthy'))
        page.append(paint('/overview'))
    print('     first paint: blank page %.0f ms, overview %.0f ms (least of 9 each; medians %.0f and %.0f)' % (min(blank), min(page), sorted(blank)[4], sorted(page)[4]))
    assert min(page) - min(blank) <= PAINT_MS_MAX, (blank, page)


if __name__ == '__main__':
    try:
        bn.main()
    finally:
        World.close()
