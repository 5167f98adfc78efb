"""The disk is full: writes are refused with a clear error, queries go on, and it heals without a restart."""
import os
import shutil
import subprocess
import tempfile

import bn


def line(i):
    return '{"index":{"_index":"full"}}\n{"message":"line %d","i":%d}\n' % (i, i)


def test_nearly_full_by_the_setting_refuses_and_says_why():
    with bn.Server({'disk.free-min': '1000TiB'}) as s:
        bn.wait_for(lambda: s.post('/_bulk', line(1), 'application/x-ndjson').status == 429, 'a refusal', server=s)
        reply = s.post('/_bulk', line(2), 'application/x-ndjson')
        bn.has(reply.text, 'disk.free-min')
        bn.eq(s.get('/api/v1/query', query='1').status, 200)
        received = s.conserved()
        assert received['logs'] >= 2, received


def test_a_full_disk_refuses_keeps_answering_and_heals():
    if os.geteuid() != 0:
        raise bn.Skip('needs root to mount a small tmpfs')
    mount = tempfile.mkdtemp(prefix='binnacle-full-')
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', mount], capture_output=True).returncode:
        raise bn.Skip('cannot mount a tmpfs here')
    try:
        data = os.path.join(mount, 'data')
        os.mkdir(data)
        with bn.Server({'disk.free-min': '0'}, data=data) as s:
            bn.eq(s.post('/_bulk', line(0), 'application/x-ndjson').json['errors'], False)
            filler = os.path.join(mount, 'filler')
            with open(filler, 'wb') as f:
                try:
                    while True:
                        f.write(b'x' * 65536)
                        f.flush()
                except OSError:
                    pass
            big = ''.join('{"index":{"_index":"full"}}\n{"message":"%s","i":-1}\n' % os.urandom(4096).hex() for _ in range(50))
            reply = bn.wait_for(lambda: (lambda r: r if r.status in (429, 503) else None)(s.post('/_bulk', big, 'application/x-ndjson')), 'a refusal', server=s)
            assert 'space' in reply.text or 'full' in reply.text, reply.text
            bn.eq([d['i'] for d in s.logs('i:0')], [0])
            os.unlink(filler)
            bn.wait_for(lambda: s.post('/_bulk', line(7), 'application/x-ndjson').status == 200, 'healing without a restart', server=s)
            bn.eq([d['i'] for d in s.logs('i:7')][:1], [7])
            s.conserved()
    finally:
        subprocess.run(['umount', '-l', mount])
        shutil.rmtree(mount, ignore_errors=True)


bn.main()
