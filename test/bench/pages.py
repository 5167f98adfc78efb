"""pages: expositions as the benchmarks use them: served to scrapers (Targets), or a recording of real ones as remote write bodies that are read back (Recording)."""
import glob
import http.client
import json
import math
import os
import re
import socket
import struct
import subprocess
import threading
import urllib.parse

import peers
from wire import varint


class Targets:
    """Scrape targets on free loopback ports: target t answers its n-th request with FOLDER/t-n.gz, the last page over and over."""

    def __init__(self, folder, targets, scrapes):
        self.replies, self.sockets, self.served = [], [], 0
        for t in range(targets):
            self.replies.append([])
            for n in range(scrapes):
                with open(os.path.join(folder, '%d-%d.gz' % (t, n)), 'rb') as f:
                    body = f.read()
                head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n' % len(body)
                self.replies[-1].append(head.encode() + body)

    def __enter__(self):
        for replies in self.replies:
            s = socket.create_server(('127.0.0.1', 0))
            self.sockets.append(s)
            threading.Thread(target=self.accept, args=(s, iter(replies), replies[-1]), daemon=True).start()
        self.ports = [s.getsockname()[1] for s in self.sockets]
        return self

    def __exit__(self, *_):
        for s in self.sockets:
            s.shutdown(socket.SHUT_RDWR)
            s.close()

    def accept(self, listener, replies, last):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(s, replies, last), daemon=True).start()

    def answer(self, s, replies, last):
        request = b''
        try:
            while True:
                while b'\r\n\r\n' not in request:
                    got = s.recv(65536)
                    if not got:
                        return
                    request += got
                request = b''
                s.sendall(next(replies, last))
                self.served += 1
        except OSError:
            pass


LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
UNESCAPE = {'\\n': '\n', '\\"': '"', '\\\\': '\\'}


def labels_of(text):
    """'name{a="b"}' as a sorted tuple of pairs."""
    name, _, rest = text.partition('{')
    pairs = [(k, re.sub(r'\\[n"\\]', lambda m: UNESCAPE[m.group()], v)) for k, v in LABEL.findall(rest)]
    return tuple(sorted([('__name__', name)] + [(k, v) for k, v in pairs if v]))  # an empty label is no label


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def snappy(data):
    """Snappy's block format with literals alone: valid, not smaller."""
    out = [varint(len(data))]
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out.append(b'\xf4' + struct.pack('<H', len(piece) - 1) + piece)
    return b''.join(out)


class Recording:
    """Every FOLDER/*.txt.zst: pages with a line `@@<unix ms>` before each. spacing_ms: time between pages; None: as recorded."""

    def __init__(self, folder, spacing_ms, scrapes=None):
        self.bodies, self.truth, self.samples = [], {}, 0
        targets = [self.read(path, scrapes) for path in sorted(glob.glob(folder + '/*.txt.zst'))]
        end_ms = max(t[-1][0] for t in targets)
        count = max(len(t) for t in targets)
        for n in range(count):
            for t in targets:
                if n < len(t):
                    self.add(t[n][1], t[n][0] if spacing_ms is None else end_ms - (count - n) * spacing_ms)
        self.first_s, self.last_s = min(min(s) for s in self.truth.values()) // 1000 - 1, max(max(s) for s in self.truth.values()) // 1000 + 1

    def read(self, path, scrapes):
        job = os.path.basename(path).split('.')[0]
        text = subprocess.run([peers.find('zstd'), '-dcq', path], capture_output=True, check=True).stdout.decode()
        out, cache = [], {}
        for page in text.split('@@')[1:][:scrapes]:
            time_ms, _, lines = page.partition('\n')
            samples = []
            for line in lines.splitlines():
                if not line or line[0] == '#':
                    continue
                series, _, value = line.rpartition(' ')
                if series not in cache:
                    labels = tuple(sorted(labels_of(series) + (('instance', job + ':9100'), ('job', job))))
                    cache[series] = labels, b''.join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in labels)
                samples.append((cache[series], float(value)))
            out.append((int(time_ms), samples))
        return out

    def add(self, samples, time_ms):
        at, body = b'\x10' + varint(time_ms), []
        for (labels, packed), value in samples:
            body.append(field(1, packed + field(2, b'\x09' + struct.pack('<d', value) + at)))
            self.truth.setdefault(labels, {})[time_ms] = value
        self.samples += len(samples)
        self.bodies.append(snappy(b''.join(body)))

    def send(self, url):
        parts = urllib.parse.urlsplit(url)
        c = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        for body in self.bodies:
            c.request('POST', parts.path, body, {'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy', 'X-Prometheus-Remote-Write-Version': '0.1.0'})
            reply = c.getresponse()
            text = reply.read()
            if reply.status // 100 != 2:
                raise SystemExit('%s: HTTP %d: %s' % (url, reply.status, text[:300]))

    def differences(self, peer):
        """Samples that the peer does not give back bit by bit, asked for by name: missing, other value, or never sent."""
        wrong = 0
        for name in sorted({dict(labels)['__name__'] for labels in self.truth}):
            reply = peer.get('/api/v1/query', query='{__name__="%s"}[%ds]' % (name, self.last_s - self.first_s), time=self.last_s, nocache=1)
            got = {tuple(sorted(r['metric'].items())): r['values'] for r in json.loads(reply)['data']['result']}
            for labels, want in self.truth.items():
                if dict(labels)['__name__'] == name:
                    have = {round(t * 1000): float(v) for t, v in got.get(labels, [])}
                    wrong += sum(1 for t in want.keys() | have.keys() if not same_bits(want.get(t), have.get(t)))
        return wrong


def same_bits(a, b):
    if a is None or b is None:
        return False
    return struct.pack('<d', a) == struct.pack('<d', b) or (math.isnan(a) and math.isnan(b))
