"""JSON lines in and out: an import of an export gives the same data, bit for bit; InfluxDB's doors as its clients use them."""
import gzip
import json
import time
import urllib.parse

import bn
import wire

NOW = int(time.time() * 1000)


def export(s, *selectors, **params):
    reply = s.get('/api/v1/export', **{'match[]': list(selectors), **params})
    bn.eq(reply.status, 200, reply.text[:500])
    return reply.text


def fill(s):
    """Floats of all kinds, histograms, start times."""
    page = ''.join('many{i="%d",text="a\\"b\\\\n\\u00e4"} %r %d\n' % (i, i * 0.1, NOW + k * 1000) for k in range(3) for i in range(200))
    bn.eq(s.post('/api/v1/import/prometheus', page.encode(), 'text/plain').status, 204)
    odd = ['5e-324', '1.7976931348623157e308', '-0', 'NaN', '+Inf', '-Inf', '0.1', '123456789.125']
    page = ''.join('odd %s %d\n' % (v, NOW + i) for i, v in enumerate(odd))
    bn.eq(s.post('/api/v1/import/prometheus', page, 'text/plain').status, 204)
    native = wire.prom_native(7, 2.5, 3, 2, (-2, [2, 3]), more=[wire.prom_time(15, NOW // 1000 - 60)])
    bn.eq(s.post('/api/v1/import/prometheus', wire.prom_family('h', 'histogram', [({'a': 'b'}, native)]), wire.PROM_PROTOBUF).status, 204)
    lines = [{'metric': {'__name__': 'ends'}, 'values': [1, None, 'NaN', 'NaN:fff8000000000abc'], 'timestamps': [NOW, NOW + 1, NOW + 2, NOW + 3],
              'start_timestamps': [0, NOW - 5, NOW - 5, 0]}]
    bn.eq(s.post('/api/v1/import', '\n'.join(map(json.dumps, lines))).status, 204)


def test_an_import_of_an_export_gives_the_same_bytes_again():
    with bn.Server() as a, bn.Server() as b:
        fill(a)
        text = export(a, '{__name__!=""}')
        bn.eq(len(text.splitlines()), 203)
        bn.eq(b.post('/api/v1/import', gzip.compress(text.encode()), headers={'Content-Encoding': 'gzip'}).status, 204)
        bn.eq(export(b, '{__name__!=""}'), text)
        bn.eq(b.conserved()['metrics'], sum(len(json.loads(line)['values']) for line in text.splitlines()))
        b.kill()
        b.start()
        bn.eq(export(b, '{__name__!=""}'), text, 'after kill -9')


def test_bounds_lines_and_several_selectors():
    with bn.Server() as s:
        fill(s)
        rows = lambda text: [(r['metric']['__name__'], r['timestamps']) for r in map(json.loads, text.splitlines())]
        bn.eq(rows(export(s, 'odd', start=(NOW + 2) / 1000, end=(NOW + 4) / 1000)), [('odd', [NOW + 2, NOW + 3, NOW + 4])])
        bn.eq(rows(export(s, 'odd', max_rows_per_line=3)), [('odd', [NOW, NOW + 1, NOW + 2]), ('odd', [NOW + 3, NOW + 4, NOW + 5]), ('odd', [NOW + 6, NOW + 7])])
        bn.eq([r[0] for r in rows(export(s, 'odd', '{__name__=~"o.*|ends"}', 'odd'))], ['ends', 'odd'])  # each once
        bn.eq(export(s, 'nothing'), '')
        bn.eq(s.get('/api/v1/export').status, 400)
        bn.eq(s.get('/api/v1/export', **{'match[]': '{'}).status, 400)
        bn.eq(s.post('/api/v1/export', urllib.parse.urlencode({'match[]': 'odd'}), 'application/x-www-form-urlencoded').text, export(s, 'odd'))


def test_a_large_export_is_sent_in_pieces():
    with bn.Server() as s:
        n = 4000
        for k in range(3):
            page = ''.join('many{i="%05d",text="%s"} %d %d\n' % (i, 'x' * 200, k, NOW + k * 1000) for i in range(n))
            bn.eq(s.post('/api/v1/import/prometheus', page, 'text/plain').status, 204)
        rows = [json.loads(line) for line in export(s, 'many').splitlines()]
        bn.eq([r['metric']['i'] for r in rows], ['%05d' % i for i in range(n)])
        bn.eq({tuple(r['values']) for r in rows}, {(0, 1, 2)})


def test_extra_labels():
    with bn.Server() as s:
        line = json.dumps({'metric': {'__name__': 'm', 'a': 'own'}, 'values': [1], 'timestamps': [NOW]})
        bn.eq(s.post('/api/v1/import?extra_label=a=x&extra_label=b=y', line).status, 204)
        bn.eq(dict(list(s.samples('m'))[0]), {'__name__': 'm', 'a': 'own', 'b': 'y'})
        bn.eq(s.post('/api/v1/import?extra_label=b', line).status, 400)


# --- InfluxDB

def test_influx_on_its_own_port_as_telegraf_starts():
    port = bn.free_port()
    others = ('elastic', 'jaeger', 'otlp-http', 'otlp-grpc', 'jaeger-grpc', 'collector', 'zipkin', 'loki', 'udp-compact', 'udp-binary', 'udp-zipkin')
    with bn.Server({'doors': 'on', 'door.influx': '127.0.0.1:%d' % port, **{'door.' + o: 'off' for o in others}}) as s:
        url = 'http://127.0.0.1:%d' % port
        reply = bn.call(url + '/ping')
        bn.eq((reply.status, reply.headers['X-Influxdb-Version'] != ''), (204, True))
        bn.eq(bn.call(url + '/health').json['status'], 'pass')
        form = {'Content-Type': 'application/x-www-form-urlencoded'}
        bn.eq(bn.call(url + '/query', 'POST', 'q=CREATE+DATABASE+%22telegraf%22', form).json, {'results': [{'statement_id': 0}]})
        bn.eq(bn.call(url + '/query', 'POST', 'q=SELECT+1', form).status, 400)
        lines = gzip.compress(b'cpu,cpu=cpu-total,host=box usage_user=1.5,usage_idle=97i %d\n' % (NOW * 1000000))
        bn.eq(bn.call(url + '/write?db=telegraf&consistency=any&precision=ns', 'POST', lines, {'Content-Encoding': 'gzip'}).status, 204)
        bn.eq(dict(list(s.samples('cpu_usage_idle'))[0]), {'__name__': 'cpu_usage_idle', 'cpu': 'cpu-total', 'host': 'box', 'db': 'telegraf'})
        bn.eq(bn.call(url + '/api/v2/write?org=o&bucket=b', 'POST', 'm v=oops').json,
              {'code': 'invalid', 'message': "partial write: line 1: unable to parse 'm v=oops': invalid number, boolean or string dropped=1"})
        bn.eq(list(bn.call(url + '/nothing').json), ['error'])
        s.conserved()


def test_influx_precisions_and_old_samples():
    with bn.Server() as s:
        for precision, unit in (('n', 1), ('u', 1000), ('ms', 1000000), ('s', 1000000000)):
            at = NOW // 1000 * 1000000000
            bn.eq(s.post('/write?precision=' + precision, 'p_%s v=1 %d' % (precision, at // unit)).status, 204)
            bn.eq(json.loads(export(s, 'p_%s_v' % precision))['timestamps'], [at // 1000000])
        bn.eq(s.post('/write?precision=s', 'p_s v=1 %d' % (NOW // 1000 - 60)).status, 400)
        s.conserved()


bn.main()
