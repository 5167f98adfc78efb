"""syslog over TCP and UDP: both framings by hand, and Debian's rsyslogd as a real client of it and of the Elasticsearch API."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import bn

OTHER_DOORS = ('elastic', 'jaeger', 'otlp-http', 'otlp-grpc', 'collector', 'jaeger-grpc', 'zipkin', 'udp-compact', 'udp-binary', 'udp-zipkin', 'loki', 'forward')
RSYSLOGD = shutil.which('rsyslogd', path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')


class Door(bn.Server):
    def __init__(self, **settings):
        self.tcp, self.udp = bn.free_port(), bn.free_port(socket.SOCK_DGRAM)
        super().__init__({'doors': 'on', 'door.syslog-tcp': '127.0.0.1:%d' % self.tcp, 'door.syslog-udp': '127.0.0.1:%d' % self.udp,
                          **{'door.' + d: 'off' for d in OTHER_DOORS}, **settings})

    def send(self, data):
        with socket.create_connection(('127.0.0.1', self.tcp), 30) as c:
            c.sendall(data)

    def packet(self, data):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
            c.sendto(data, ('127.0.0.1', self.udp))

    def wait(self, n, query='*'):
        bn.wait_for(lambda: len(self.logs(query)) >= n, '%d of %s' % (n, query), server=self)
        bn.eq(len(self.logs(query)), n)
        return self.logs(query)


def test_both_framings_and_an_unfinished_last_line():
    with Door() as s:
        s.send(b'<11>Nov 22 12:59:58 h a: one\n' + b'24 <14>1 - h app - - - two\n' + b'<14>three\n' + b'<14>the end')
        docs = {d['message'].strip(): d for d in s.wait(4)}
        bn.eq(sorted(docs), ['one', 'the end', 'three', 'two'])
        bn.eq((docs['one']['host.name'], docs['one']['service.name'], docs['one']['syslog.facility']), ('h', 'a', 'user'))
        bn.eq(len(s.logs('severity_text:err')), 1)
        bn.eq(s.conserved()['logs'], 4)


def test_packets():
    with Door() as s:
        s.packet(b'<165>1 2026-11-22T11:59:59.003Z host evntslog 42 ID47 [x@1 iut="3"] \xef\xbb\xbfhello')
        s.packet(b'<30>Nov 22 12:59:58 docker/web[7]: {"level":"error","msg":"json"}\n')
        first = s.wait(2, '*') and s.logs('hello')[0]
        bn.eq((first['process.pid'], first['syslog.structured_data']['x@1']['iut'], first['@timestamp']), (42, '3', '2026-11-22T11:59:59.003Z'))
        bn.eq(s.logs('service.name:"docker/web"')[0]['message'], 'json')
        bn.eq(s.conserved()['logs'], 2)


def test_a_broken_count_closes_the_connection_and_is_counted():
    with Door() as s:
        s.send(b'<14>before\n' + b'99 <14>cut')
        s.wait(1)
        bn.wait_for(lambda: s.counters()['binnacle_push_unreadable_total{door="syslog-tcp"}'] == 1, 'the count', server=s)
        s.conserved()


def test_many_lines_of_many_connections():
    with Door() as s:
        lines = [b''.join(b'<14>Nov 22 12:59:58 h app[%d]: line %d\n' % (c, i) for i in range(5000)) for c in range(4)]
        for block in lines:
            s.send(block)
        bn.wait_for(lambda: s.counters()['binnacle_stored_total{signal="logs"}'] == 20000, 'all lines', server=s)
        bn.eq(s.conserved()['logs'], 20000)


class Rsyslogd:
    """A private rsyslogd that reads a socket file and forwards as the configuration says."""

    def __init__(self, actions, modules=''):
        if not RSYSLOGD:
            raise bn.Skip('rsyslogd is not installed (Debian: rsyslog, rsyslog-elasticsearch)')
        self.dir = tempfile.mkdtemp(prefix='binnacle-rsyslog-')
        self.socket = os.path.join(self.dir, 'log')
        config = os.path.join(self.dir, 'rsyslog.conf')
        with open(config, 'w') as f:
            f.write('global(workDirectory="%s")\nmodule(load="imuxsock" SysSock.Use="off")\n%s\ninput(type="imuxsock" Socket="%s")\n%s\n' %
                    (self.dir, modules, self.socket, actions))
        self.log = open(os.path.join(self.dir, 'stderr'), 'w+')
        self.process = subprocess.Popen([RSYSLOGD, '-n', '-f', config, '-i', os.path.join(self.dir, 'pid')], stdout=self.log, stderr=self.log)
        bn.wait_for(lambda: os.path.exists(self.socket) or self.process.poll() is not None, 'rsyslogd')
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError('rsyslogd ended: ' + self.log.read())

    def say(self, text):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as c:
            c.connect(self.socket)
            c.send(b'<11>' + time.strftime('%b %d %H:%M:%S').encode() + b' shop[77]: ' + text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def test_rsyslogd_forwards_in_its_formats():
    with Door() as s:
        actions = ''.join('*.* action(type="omfwd" target="127.0.0.1" port="%d" protocol="%s" template="%s"%s)\n' % way for way in (
            (s.tcp, 'tcp', 'RSYSLOG_SyslogProtocol23Format', ' TCP_Framing="octet-counted"'), (s.tcp, 'tcp', 'RSYSLOG_TraditionalForwardFormat', ''),
            (s.udp, 'udp', 'RSYSLOG_ForwardFormat', '')))
        with Rsyslogd(actions) as r:
            r.say(b'hello from rsyslog')
            docs = s.wait(3, '"hello from rsyslog" AND service.name:shop')
            bn.eq({d['process.pid'] for d in docs}, {77})
            bn.eq({d['message'] for d in docs}, {'hello from rsyslog'})
            bn.eq({d['host.name'] for d in docs}, {docs[0]['host.name']})
            assert all(abs(time.time() - bn.epoch(d['@timestamp'])) < 3600 for d in docs), docs
        s.conserved()


def test_rsyslogd_writes_through_the_elasticsearch_api():
    with bn.Server() as s:
        template = ('template(name="doc" type="list") { constant(value="{\\"@timestamp\\":\\"") property(name="timereported" dateFormat="rfc3339") '
                    'constant(value="\\",\\"message\\":\\"") property(name="msg" format="json") constant(value="\\",\\"severity\\":\\"") '
                    'property(name="syslogseverity-text") constant(value="\\",\\"app\\":\\"") property(name="programname") constant(value="\\"}") }\n')
        for bulk in ('on', 'off'):
            action = ('*.* action(type="omelasticsearch" server="127.0.0.1" serverport="%d" searchIndex="syslog-%s" searchType="" bulkmode="%s" template="doc" '
                      'errorfile="/dev/stderr")\n' % (s.port, bulk, bulk))
            try:
                with Rsyslogd(template + action, 'module(load="omelasticsearch")') as r:
                    for i in range(50):
                        r.say(b'line %d of "%s"' % (i, bulk.encode()))
                    bn.wait_for(lambda: len(s.logs('_index:"syslog-%s" AND app:shop' % bulk)) == 50, '50 documents with bulkmode=' + bulk, server=s)
            except AssertionError as e:
                if 'omelasticsearch' in str(e) and 'could not load' in str(e):
                    raise bn.Skip('rsyslog-elasticsearch is not installed') from e
                raise
        bn.eq(s.logs('_index:"syslog-on" AND "line 7"')[0]['severity'], 'err')
        s.conserved()


bn.main()
