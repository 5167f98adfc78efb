"""bn: what every end-to-end test uses: a binnacle of its own on free loopback ports, HTTP calls, waiting for a condition, a tiny runner.

    import bn

    def test_answers_ready():
        with bn.Server() as s:
            bn.eq(s.get('/-/ready').status, 200)

    bn.main()       # runs every test_* of the calling file; closing line "N passed, N failed, N skipped"; exit 1 on failure, 77 if all skipped
"""
import datetime
import gzip
import inspect
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

BINNACLE = os.environ.get('BINNACLE') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../build/asan/binnacle')
SHARED = os.environ.get('SHARED', '')
CASES = os.environ.get('CASES') or os.path.join(SHARED, 'cases')  # folder of peers' cases for test/conformance; may not exist


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode('utf-8', 'replace')

    @property
    def json(self):
        return json.loads(self.body)


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def call(url, method='GET', body=None, headers=None, timeout=60):
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
        headers = {'Content-Type': 'application/json', **(headers or {})}
    if isinstance(body, str):
        body = body.encode()
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as r:
            status, got, data = r.status, r.headers, r.read()
    except urllib.error.HTTPError as e:
        status, got, data = e.code, e.headers, e.read()
    if got.get('Content-Encoding') == 'gzip':
        data = gzip.decompress(data)
    return Reply(status, got, data)


class Server:
    """`binnacle serve` with its own data folder. Nothing collects by itself unless asked: host, tail, self logs and traces are off."""

    QUIET = {'host': 'off', 'tail': 'off', 'self.logs': 'off', 'self.traces': 'off', 'doors': 'off'}

    def __init__(self, settings=None, data=None, config=None, env=None, wait=True):
        self.own_data = data is None
        self.data = data or tempfile.mkdtemp(prefix='binnacle-test-')
        self.port = free_port()
        self.settings = {**self.QUIET, 'listen': '127.0.0.1:%d' % self.port, 'data': self.data, **(settings or {})}
        if config is not None:
            path = os.path.join(self.data, 'binnacle.yml')
            with open(path, 'w') as f:
                f.write(config)
            self.settings['config'] = path
        self.url = 'http://127.0.0.1:%d' % self.port
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.start(wait)

    def start(self, wait=True):
        args = [BINNACLE, 'serve']
        for name, value in self.settings.items():
            for v in value if isinstance(value, list) else [value]:
                args += ['--' + name, str(v)]
        self.log = open(os.path.join(self.data, 'stderr.log'), 'ab')
        self.process = subprocess.Popen(args, stderr=self.log, stdout=self.log, stdin=subprocess.DEVNULL, env=self.env)
        if wait:
            wait_for(self.ready, 'server to be ready', 60, self)

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError('server ended with %d:\n%s' % (self.process.returncode, self.stderr()[-4000:]))
        try:
            return call(self.url + '/-/ready', timeout=5).status == 200
        except OSError:
            return False

    def stderr(self):
        with open(os.path.join(self.data, 'stderr.log'), 'rb') as f:
            return f.read().decode('utf-8', 'replace')

    def get(self, path, **params):
        headers = params.pop('headers', None)
        return call(self.url + path + ('?' + urllib.parse.urlencode(params, doseq=True) if params else ''), headers=headers)

    def post(self, path, body, content_type=None, headers=None):
        headers = dict(headers or {})
        if content_type:
            headers['Content-Type'] = content_type
        return call(self.url + path, 'POST', body, headers)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError('server did not stop within 60 s of SIGTERM:\n' + self.stderr()[-4000:])
        return self.process.returncode

    def close(self):
        code = self.stop()
        self.log.close()
        text = self.stderr()
        if self.own_data:
            shutil.rmtree(self.data, ignore_errors=True)
        if 'ERROR: AddressSanitizer' in text or 'runtime error:' in text or 'LeakSanitizer' in text or 'WARNING: ThreadSanitizer' in text:
            raise AssertionError('sanitizer report:\n' + text[-8000:])
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            sys.stderr.write(self.stderr()[-4000:])
        self.close()


    # --- the three signals, in and out

    def samples(self, name, **labels):
        """{frozenset of labels: value} of an instant query."""
        selector = name + '{' + ','.join('%s="%s"' % kv for kv in labels.items()) + '}'
        reply = self.get('/api/v1/query', query=selector)
        eq(reply.status, 200, reply.text)
        return {frozenset(r['metric'].items()): r['value'][1] for r in reply.json['data']['result']}

    def logs(self, query='*', size=10000):
        """Documents that fit a Lucene query, oldest first."""
        reply = self.post('/_search', {'size': size, 'query': {'query_string': {'query': query, 'default_field': 'message'}}, 'sort': [{'@timestamp': 'asc'}]})
        eq(reply.status, 200, reply.text)
        return [hit['_source'] for hit in reply.json['hits']['hits']]

    def traces(self, **params):
        reply = self.get('/api/traces', **params)
        eq(reply.status, 200, reply.text)
        return reply.json['data']

    def counters(self):
        """binnacle's own metrics: {'name{labels}': value}."""
        lines = (line.rsplit(' ', 1) for line in self.get('/metrics').text.splitlines() if line and line[0] != '#')
        return {name: float(value) for name, value in lines}

    def conserved(self):
        """received = stored + rejected + dropped for every signal; the received counts."""
        c, received = self.counters(), {}
        for signal_name in ('metrics', 'logs', 'traces'):
            r, st, rj, d = (c['binnacle_%s_total{signal="%s"}' % (k, signal_name)] for k in ('received', 'stored', 'rejected', 'dropped'))
            eq(r, st + rj + d, signal_name + ': received = stored + rejected + dropped:')
            received[signal_name] = int(r)
        return received


def otlp_spans(service, spans):
    """OTLP/JSON body: spans = [{'traceId','spanId','name','startTimeUnixNano','endTimeUnixNano',...}]."""
    return {'resourceSpans': [{'resource': {'attributes': [{'key': 'service.name', 'value': {'stringValue': service}}]},
                               'scopeSpans': [{'scope': {'name': 'test'}, 'spans': spans}]}]}


def wait_for(condition, what, seconds=30, server=None):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError('waited %d s for %s%s' % (seconds, what, ':\n' + server.stderr()[-3000:] if server else ''))
        time.sleep(0.02)


def epoch(iso):
    """Seconds since 1970 of "2026-11-22T12:00:00.123Z"."""
    return datetime.datetime.fromisoformat(iso.replace('Z', '+00:00')).timestamp()


def eq(got, want, what=''):
    if got != want:
        raise AssertionError('%s got %r, want %r' % (what, got, want))


def has(text, part):
    if part not in text:
        raise AssertionError('%r is not in %r' % (part, text[:3000]))


def main():
    module = inspect.stack()[1].frame.f_globals
    only = sys.argv[1:]
    passed = failed = skipped = 0
    for name, test in list(module.items()):
        if not name.startswith('test_') or not callable(test) or (only and name not in only):
            continue
        began = time.monotonic()
        try:
            test()
            passed += 1
            print('ok   %s (%.1f s)' % (name, time.monotonic() - began), flush=True)
        except Skip as e:
            skipped += 1
            print('skip %s: %s' % (name, e), flush=True)
        except Exception:
            failed += 1
            print('FAIL %s\n%s' % (name, traceback.format_exc()), flush=True)
    print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    sys.exit(1 if failed else 77 if passed == 0 else 0)
