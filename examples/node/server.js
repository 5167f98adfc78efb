// The Node sample service: Express, prom-client, spans, plain log lines on stdout.
'use strict';
const express = require('express');
const client = require('prom-client');
const tracing = require('./tracing');

const NAME = 'node';
const REMOTE = process.env.REMOTE || 'http://127.0.0.1:8081/';
const app = express();
client.collectDefaultMetrics();
const requests = new client.Counter({name: 'http_requests_total', help: 'HTTP requests served.', labelNames: ['method', 'endpoint', 'status']});
const latency = new client.Histogram({name: 'http_request_duration_seconds', help: 'Time to answer.', labelNames: ['endpoint']});

function log(level, message) {
    const s = tracing.current();
    console.log(`${new Date().toISOString()} ${level} ${message}${s ? ` trace_id=${s.traceId}` : ''}`);
}

app.use((request, response, next) => {
    const began = process.hrtime.bigint();
    const attrs = {traceparent: request.get('traceparent'), 'http.method': request.method, 'http.target': request.path};
    tracing.span(`${request.method} ${request.path}`, 'server', attrs, s => new Promise(resolve => {
        response.on('close', () => {
            const seconds = Number(process.hrtime.bigint() - began) / 1e9;
            const endpoint = request.route ? request.route.path : 'none';
            requests.inc({method: request.method, endpoint, status: response.statusCode});
            latency.observe({endpoint}, seconds);
            s.attrs['http.status_code'] = response.statusCode;
            if (response.statusCode >= 500) s.error = `HTTP ${response.statusCode}`;
            if (!['/alive', '/ready', '/metrics'].includes(endpoint))
                log(response.statusCode >= 500 ? 'ERROR' : 'INFO', `answered ${request.path} status=${response.statusCode} duration_ms=${(seconds * 1000).toFixed(3)}`);
            resolve();
        });
        next();
    }));
});

app.get('/', async (request, response) => {
    await tracing.span('compute', 'internal', {'demo.work': 'sleep'}, () => new Promise(r => setTimeout(r, 2 + Math.random() * 20)));
    response.json({service: NAME});
});
app.get('/alive', (request, response) => response.send('alive\n'));
app.get('/ready', (request, response) => response.send('ready\n'));
app.get('/metrics', async (request, response) => response.type(client.register.contentType).send(await client.register.metrics()));
app.get('/remote', async (request, response) => {
    try {
        const body = await tracing.span('GET', 'client', {'http.method': 'GET', 'http.url': REMOTE, 'peer.service': 'flask'}, async s => {
            const reply = await fetch(REMOTE, {headers: {traceparent: s.traceparent}});
            s.attrs['http.status_code'] = reply.status;
            return reply.json();
        });
        response.json({service: NAME, remote: body});
    } catch (e) {
        log('ERROR', `remote call failed: ${e}`);
        response.status(502).json({error: String(e)});
    }
});

tracing.start(NAME);
const port = Number(process.env.PORT || 8082);
app.listen(port, '127.0.0.1', () => log('INFO', `listening on ${port}`));
