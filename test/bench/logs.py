"""./dev bench logs: what the logs cost: pushed through _bulk, on disk, in memory, asked and started again.

    logs.py BUILD_DIR [--quick] [--mb N] [--work DIR] [--json FILE] [--readme]

The lines are loggen's (../shared/corpus/loggen.c, seed 42, compiled here; without it there is nothing to measure and the exit code is 77). Two runs of the same
messages: through a server (_bulk with all of the JSON around them, write-ahead log on: CPU is the server's, user and system), and by bench_logs straight into the
store, where each question is asked nine times and the median CPU time printed. --work DIR keeps what loggen and bench_logs wrote.
"""
import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../e2e'))
import figures  # noqa: E402
import peers  # noqa: E402
from figures import at_least, at_most  # noqa: E402

SHARED = os.environ.get('SHARED', os.path.join(figures.ROOT, '../shared'))
BULK_BYTES = 4 << 20

# question of bench_logs -> promised milliseconds on 300 MB
PROMISED_MS = {'rare word': 1, 'unknown word': 1, 'trace id': 1, 'rare phrase': 1, 'proximity': 5, 'leading wildcard *edle2': 5, 'wildcard *imeoutexcep*': 5,
               'regexp need.e[0-9]': 5, 'regexp .*nullpointer.*': 5, 'fuzzy timeuot~2': 5, 'fuzzy needel3~2': 5, 'histogram of everything': 20}


class Bench:
    def __init__(self, args, work):
        self.args, self.work, self.build = args, work, os.path.abspath(args.build)
        self.mb = args.mb or (20 if args.quick else 300)
        self.figures = figures.Figures('./dev bench logs', ('binnacle',))
        self.loggen = os.path.join(work, 'loggen')
        subprocess.run(['cc', '-O2', '-w', '-o', self.loggen, os.path.join(SHARED, 'corpus/loggen.c'), '-lm'], check=True)

    def say(self, what, unit, value, promise=None):
        self.figures.line(what, unit, {'binnacle': value}, promise)

    def tool(self, *words):
        done = subprocess.run([os.path.join(self.build, 'bench_logs')] + list(words), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit('bench_logs %s: %s' % (words[0], done.stderr))
        return {row['what']: row for row in map(json.loads, done.stdout.splitlines())}


def bodies(stream):
    """Pieces of a _bulk stream that end behind a document, and how many documents each has."""
    lines, size = [], 0
    for line in stream:
        lines.append(line)
        size += len(line)
        if size >= BULK_BYTES and len(lines) % 2 == 0:
            yield b''.join(lines), len(lines) // 2
            lines, size = [], 0
    if lines:
        yield b''.join(lines), len(lines) // 2


def push(b, p):
    """Sends all of it; documents sent, documents refused, message bytes."""
    gen = subprocess.Popen([b.loggen, '42', str(b.mb), 'bulk'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    connection = http.client.HTTPConnection('127.0.0.1', p.port, timeout=120)
    sent = refused = 0
    for body, n in bodies(gen.stdout):
        while True:
            connection.request('POST', '/_bulk?filter_path=errors', body, {'Content-Type': 'application/x-ndjson'})
            reply = connection.getresponse()
            text = reply.read()
            if reply.status != 429:
                break
            time.sleep(.1)
        sent += n
        refused += n if reply.status != 200 or json.loads(text).get('errors') else 0
    told = dict(word.split(b'=') for word in gen.stderr.read().split() if b'=' in word)
    gen.wait()
    return sent, refused, int(told[b'message_bytes'])


def line_bulk(b):
    folder = tempfile.mkdtemp(prefix='bulk-', dir=b.work)
    with peers.Binnacle(folder, settings={'retention.logs': '36500d'}) as p:
        cpu = p.cpu()
        sent, refused, message_bytes = push(b, p)
        cpu = p.cpu() - cpu
        rss = figures.memory_bytes(p.pid, 'VmHWM')
        b.say('_bulk, all JSON and the log on disk included: messages', 'MB/s/core', message_bytes / cpu / 1e6, at_least(60))
        b.say('documents refused of %d' % sent, '', refused, at_most(0))
        b.say('highest RSS while they came', 'MB', rss / 2**20, at_most(150))
        p.stop()
        began = time.monotonic()
        p.start()
        b.say('restart', 's', time.monotonic() - began, at_most(1))
        p.stop()
    shutil.rmtree(folder)


def line_questions(b):
    lines, store = os.path.join(b.work, 'cri-%d' % b.mb), os.path.join(b.work, 'store-%d' % b.mb)
    if not os.path.exists(store):
        if not os.path.exists(lines):
            with open(lines, 'wb') as f:
                subprocess.run([b.loggen, '42', str(b.mb), 'cri'], stdout=f, stderr=subprocess.DEVNULL, check=True)
        os.mkdir(store)
        loaded = b.tool('load', store, lines)['load']
        b.say('store alone, sealing and merging included: messages', 'MB/s/core', loaded['message_bytes'] / loaded['cpu_s'] / 1e6)
        b.say('bytes on disk / bytes of messages', '', loaded['disk_ratio'], at_most(.16))
    for what, row in b.tool('query', store).items():
        limit = PROMISED_MS.get(what)
        promise = at_most(limit) if limit and not b.args.quick else None
        for key, name in (('count_ms', 'count'), ('newest_ms', 'newest 100')):
            if key in row:
                b.say(what if 'newest_ms' not in row else '%s: %s' % (what, name), 'ms', row[key], promise)


def main():
    a = argparse.ArgumentParser(prog='./dev bench logs', description='what the logs cost')
    a.add_argument('build')
    a.add_argument('--quick', action='store_true', help='20 MB, and nothing promised of the questions')
    a.add_argument('--mb', type=int, help='millions of message bytes (300)')
    a.add_argument('--only', default='bulk,questions')
    a.add_argument('--work', help='keep the data there')
    a.add_argument('--json')
    a.add_argument('--readme', action='store_true')
    args = a.parse_args()
    if not os.path.exists(os.path.join(SHARED, 'corpus/loggen.c')):
        print('skipped: no %s (SHARED names the folder)' % os.path.join(SHARED, 'corpus/loggen.c'))
        return 77
    peers.paths['binnacle'] = os.path.join(os.path.abspath(args.build), 'binnacle')
    if args.work:
        os.makedirs(args.work, exist_ok=True)
    work = args.work or tempfile.mkdtemp(prefix='binnacle-bench-')
    try:
        b = Bench(args, work)
        about = {'machine': figures.machine(), 'mb': b.mb}
        b.figures.head('%s; %d MB of messages' % (about['machine'], b.mb))
        for name in args.only.split(','):
            {'bulk': line_bulk, 'questions': line_questions}[name](b)
    finally:
        peers.end_all()
        if not args.work:
            shutil.rmtree(work, ignore_errors=True)
    return b.figures.finish(args.json, args.readme, about)


if __name__ == '__main__':
    sys.exit(main())
