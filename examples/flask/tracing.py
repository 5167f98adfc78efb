"""tracing: spans in 80 lines. OTLP over HTTP in JSON (OTEL_EXPORTER_OTLP_ENDPOINT), W3C traceparent in and out, sent in the background once a second."""
import contextlib
import json
import os
import queue
import random
import threading
import time
import urllib.request

ENDPOINT = os.environ.get('OTEL_EXPORTER_OTLP_ENDPOINT', 'http://127.0.0.1:4318') + '/v1/traces'
KINDS = {'internal': 1, 'server': 2, 'client': 3}
_finished = queue.Queue(maxsize=2048)
_current = threading.local()


def _attribute(key, value):
    kind = 'boolValue' if isinstance(value, bool) else 'intValue' if isinstance(value, int) else 'doubleValue' if isinstance(value, float) else 'stringValue'
    return {'key': key, 'value': {kind: str(value) if kind in ('intValue', 'stringValue') else value}}


class Span:
    def __init__(self, name, kind, traceparent=None):
        parent = getattr(_current, 'span', None)
        parts = (traceparent or '').split('-')
        self.trace_id = parts[1] if len(parts) == 4 else parent.trace_id if parent else '%032x' % random.getrandbits(128)
        self.parent_id = parts[2] if len(parts) == 4 else parent.span_id if parent else ''
        self.span_id = '%016x' % random.getrandbits(64)
        self.name, self.kind, self.attributes, self.error = name, kind, {}, None
        self.start = time.time_ns()

    @property
    def traceparent(self):
        return '00-%s-%s-01' % (self.trace_id, self.span_id)

    def encode(self):
        span = {'traceId': self.trace_id, 'spanId': self.span_id, 'name': self.name, 'kind': KINDS[self.kind],
                'startTimeUnixNano': str(self.start), 'endTimeUnixNano': str(time.time_ns()),
                'attributes': [_attribute(k, v) for k, v in self.attributes.items()]}
        if self.parent_id:
            span['parentSpanId'] = self.parent_id
        if self.error:
            span['status'] = {'code': 2, 'message': self.error}
        return span


@contextlib.contextmanager
def span(name, kind='internal', traceparent=None, **attributes):
    s, before = Span(name, kind, traceparent), getattr(_current, 'span', None)
    s.attributes.update(attributes)
    _current.span = s
    try:
        yield s
    except Exception as e:
        s.error = s.error or repr(e)
        raise
    finally:
        _current.span = before
        with contextlib.suppress(queue.Full):
            _finished.put_nowait(s.encode())


def current():
    return getattr(_current, 'span', None)


def _send(service):
    resource = {'attributes': [_attribute('service.name', service), _attribute('process.pid', os.getpid())]}
    while True:
        spans = [_finished.get()]
        time.sleep(1)
        while not _finished.empty():
            spans.append(_finished.get())
        body = {'resourceSpans': [{'resource': resource, 'scopeSpans': [{'scope': {'name': 'demo'}, 'spans': spans}]}]}
        request = urllib.request.Request(ENDPOINT, json.dumps(body).encode(), {'Content-Type': 'application/json'})
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=5).read()


def start(service):
    threading.Thread(target=_send, args=(service,), daemon=True).start()
