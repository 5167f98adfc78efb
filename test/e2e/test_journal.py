"""Uploads of systemd's journal: by hand, and by systemd-journal-upload itself where it is installed."""
import os
import shutil
import struct
import subprocess
import tempfile
import time

import bn

TYPE = 'application/vnd.fdo.journal'
NOW_US = int(time.time() * 1e6)
TOOLS = [shutil.which('systemd-journal-' + name, path='/lib/systemd:/usr/lib/systemd') for name in ('remote', 'upload')]


def entry(message, us=NOW_US, **fields):
    out = ''.join('%s=%s\n' % kv for kv in {'__REALTIME_TIMESTAMP': us, '__MONOTONIC_TIMESTAMP': 1, '_BOOT_ID': '0' * 31 + '1', **fields}.items()).encode()
    data = message.encode()
    return out + b'MESSAGE\n' + struct.pack('<Q', len(data)) + data + b'\n\n'


def test_entries_become_logs():
    with bn.Server() as s:
        body = entry('two\nlines', _HOSTNAME='node', _SYSTEMD_UNIT='nginx.service', PRIORITY=3) + entry('plain', _COMM='sh', CONTAINER_NAME='web')
        reply = s.post('/upload', body, TYPE)
        bn.eq((reply.status, reply.text), (202, 'OK.\n'))
        doc, = s.logs('service.name:nginx AND severity_text:err')
        bn.eq((doc['message'], doc['host.name'], doc['_SYSTEMD_UNIT']), ('two\nlines', 'node', 'nginx.service'))
        bn.eq([d['message'] for d in s.logs('service.name:web')], ['plain'])
        bn.eq(s.conserved()['logs'], 2)


def test_refusals():
    with bn.Server() as s:
        bn.eq(s.post('/upload', entry('x'), 'text/plain').status, 415)
        reply = s.post('/upload', entry('x')[:-4], TYPE)
        bn.eq(reply.status, 400)
        bn.has(reply.text, 'at byte')
        bn.eq(s.counters()['binnacle_unreadable_total{signal="logs"}'], 1)
        s.conserved()


def test_systemd_journal_upload():
    if None in TOOLS:
        raise bn.Skip('systemd-journal-remote and systemd-journal-upload are not installed (Debian: systemd-journal-remote)')
    remote, upload = TOOLS
    folder = tempfile.mkdtemp(prefix='binnacle-journal-')
    entries = b''.join(entry('message %d\nof many' % i, NOW_US + i, _HOSTNAME='node', SYSLOG_IDENTIFIER='shop', PRIORITY=6) for i in range(500))
    made = subprocess.run([remote, '-o', os.path.join(folder, 'a.journal'), '-'], input=entries, capture_output=True, timeout=60)
    if made.returncode:
        raise bn.Skip('systemd-journal-remote cannot write a journal here: ' + made.stderr.decode()[-200:])
    with bn.Server() as s:
        sent = subprocess.run([upload, '-u', s.url, '-D', folder, '--follow=no', '--save-state=' + os.path.join(folder, 'state')], capture_output=True, text=True,
                              timeout=60)
        bn.eq(sent.returncode, 0, sent.stderr)
        bn.eq(len(s.logs('service.name:shop AND severity_text:info')), 500)
        bn.eq(len(s.logs('"message 7"')), 1)
        s.conserved()
    shutil.rmtree(folder, ignore_errors=True)


bn.main()
