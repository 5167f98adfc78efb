"""The Python sample service: visits counted in Redis, Prometheus metrics, spans, JSON log lines on stdout."""
import json
import os
import random
import sys
import time
import urllib.request

import flask
import prometheus_client
import redis

import tracing

NAME = 'flask'
REMOTE = os.environ.get('REMOTE', 'http://127.0.0.1:8082/')
store = redis.Redis(host=os.environ.get('REDIS_HOST', '127.0.0.1'), port=int(os.environ.get('REDIS_PORT', 6379)), socket_timeout=2)
app = flask.Flask(NAME)

requests = prometheus_client.Counter('http_requests_total', 'HTTP requests served.', ['method', 'endpoint', 'status'])
latency = prometheus_client.Histogram('http_request_duration_seconds', 'Time to answer.', ['endpoint'])
visits = prometheus_client.Gauge('demo_visits', 'Visits counted in Redis.')


def log(level, message, **fields):
    span = tracing.current()
    if span:
        fields.update(trace_id=span.trace_id, span_id=span.span_id)
    now = time.time()
    stamp = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now)) + '.%03dZ' % (now % 1 * 1000)
    print(json.dumps({'time': stamp, 'level': level, 'service': NAME, 'message': message, **fields}), flush=True)


@app.before_request
def begin():
    flask.g.began = time.perf_counter()
    flask.g.scope = tracing.span('%s %s' % (flask.request.method, flask.request.path), 'server', flask.request.headers.get('traceparent'),
                                 **{'http.method': flask.request.method, 'http.target': flask.request.path})
    flask.g.span = flask.g.scope.__enter__()


@app.after_request
def end(response):
    seconds = time.perf_counter() - flask.g.began
    endpoint = flask.request.url_rule.rule if flask.request.url_rule else 'none'
    requests.labels(flask.request.method, endpoint, response.status_code).inc()
    latency.labels(endpoint).observe(seconds)
    flask.g.span.attributes['http.status_code'] = response.status_code
    if response.status_code >= 500:
        flask.g.span.error = 'HTTP %d' % response.status_code
    if endpoint not in ('/alive', '/ready', '/metrics'):
        log('error' if response.status_code >= 500 else 'info', 'answered %s' % flask.request.path, status=response.status_code,
            duration_ms=round(seconds * 1000, 3))
    flask.g.scope.__exit__(None, None, None)
    return response


@app.route('/')
def index():
    with tracing.span('INCR visits', 'client', **{'db.system': 'redis', 'db.statement': 'INCR visits'}):
        n = store.incr('visits')
    visits.set(n)
    return flask.jsonify(service=NAME, visits=n)


@app.route('/alive')
def alive():
    return 'alive\n'


@app.route('/ready')
def ready():
    try:
        store.ping()
    except redis.RedisError as e:
        log('warn', 'not ready', reason=str(e))
        return 'not ready\n', 503
    return 'ready\n'


@app.route('/metrics')
def metrics():
    return flask.Response(prometheus_client.generate_latest(), content_type=prometheus_client.CONTENT_TYPE_LATEST)


@app.route('/remote')
def remote():
    if random.random() < .02:
        log('error', 'giving up before the call', reason='simulated failure')
        return flask.jsonify(error='simulated failure'), 500
    with tracing.span('GET', 'client', **{'http.method': 'GET', 'http.url': REMOTE, 'peer.service': 'node'}) as s:
        request = urllib.request.Request(REMOTE, headers={'traceparent': s.traceparent})
        with urllib.request.urlopen(request, timeout=5) as reply:
            s.attributes['http.status_code'] = reply.status
            return flask.jsonify(service=NAME, remote=json.load(reply))


if __name__ == '__main__':
    tracing.start(NAME)
    log('info', 'starting', pid=os.getpid())
    import logging
    logging.getLogger('werkzeug').setLevel(logging.ERROR)
    sys.modules['flask.cli'].show_server_banner = lambda *a: None
    app.run('127.0.0.1', int(os.environ.get('PORT', 8081)), threaded=True)
