"""Following log files: the behaviours that users of Fluent Bit's in_tail expect."""
import gzip
import json
import os
import shutil
import tempfile

import bn


class Files:
    """A folder of logs and the server that follows it."""

    def __init__(self, pattern='*.log', **settings):
        self.dir = tempfile.mkdtemp(prefix='binnacle-tail-')
        self.settings = {'tail': 'on', 'tail.files': os.path.join(self.dir, pattern), **settings}

    def path(self, name):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, name, text, mode='a'):
        with open(self.path(name), mode) as f:
            f.write(text)

    def server(self, **more):
        return bn.Server({**self.settings, **more})


def messages(s, query='*'):
    return [d.get('message') for d in s.logs(query)]


def wait_messages(s, want, query='*'):
    bn.wait_for(lambda: len(messages(s, query)) >= len(want), '%d lines' % len(want), server=s)
    bn.eq(sorted(messages(s, query)), sorted(want))


def test_new_files_are_read_from_their_start_and_old_ones_from_their_end():
    f = Files()
    f.write('old.log', 'before\n')
    with f.server() as s:
        f.write('old.log', 'after\n')
        f.write('new.log', 'first\nsecond\n')
        wait_messages(s, ['after', 'first', 'second'])
        doc = s.logs('first')[0]
        bn.eq(doc['log.file.path'], f.path('new.log'))
        bn.eq(doc['service.name'], 'new')


def test_from_start_reads_what_was_there():
    f = Files(**{'tail.from-start': 'on'})
    f.write('old.log', 'before\n')
    with f.server() as s:
        wait_messages(s, ['before'])


def test_rotation_by_rename_loses_nothing():
    f = Files()
    with f.server() as s:
        f.write('a.log', 'one\n')
        wait_messages(s, ['one'])
        os.rename(f.path('a.log'), f.path('a.log.1'))
        f.write('a.log.1', 'late\n')  # a writer that still holds the old file
        f.write('a.log', 'two\n')
        wait_messages(s, ['one', 'late', 'two'])


def test_copytruncate_starts_over():
    f = Files()
    with f.server() as s:
        f.write('a.log', 'one, a longer line than the next\n')
        wait_messages(s, ['one, a longer line than the next'])
        f.write('a.log', '', 'w')
        f.write('a.log', 'two\n')
        wait_messages(s, ['one, a longer line than the next', 'two'])


def test_truncation_is_noticed_even_when_the_file_grew_past_the_old_offset():
    f = Files()
    with f.server() as s:
        f.write('a.log', 'one\n')
        wait_messages(s, ['one'])
        f.write('a.log', 'two, longer\nthree\n', 'w')
        wait_messages(s, ['one', 'two, longer', 'three'])


def test_deleted_and_created_again():
    f = Files()
    with f.server() as s:
        f.write('a.log', 'one\n')
        wait_messages(s, ['one'])
        os.unlink(f.path('a.log'))
        f.write('a.log', 'two\n')
        wait_messages(s, ['one', 'two'])


def test_an_unfinished_line_waits_for_its_end():
    f = Files()
    with f.server() as s:
        f.write('a.log', 'begin')
        f.write('b.log', 'marker\n')
        wait_messages(s, ['marker'])
        f.write('a.log', ' end\n')
        wait_messages(s, ['marker', 'begin end'])


def test_restart_resumes_where_it_stopped():
    f = Files()
    with bn.tempfile.TemporaryDirectory() as data:
        s = bn.Server(f.settings, data=data)
        f.write('a.log', 'one\nhalf')
        wait_messages(s, ['one'])
        bn.eq(s.stop(), 0)
        f.write('a.log', ' and whole\ntwo\n')
        f.write('new.log', 'three\n')
        s.start()
        wait_messages(s, ['one', 'half and whole', 'two', 'three'])
        s.close()


def test_container_lines_are_joined_per_stream_and_carry_the_pod():
    f = Files('pods/*/*/*.log')
    name = 'pods/shop_cart-7f9c-abcde_0a1b2c3d/cart/0.log'
    with f.server() as s:
        f.write(name, '2026-11-22T10:00:00.5Z stdout P first \n2026-11-22T10:00:00.6Z stderr F other stream\n2026-11-22T10:00:00.7Z stdout F half\n')
        wait_messages(s, ['first half', 'other stream'])
        doc = s.logs('"first half"')[0]
        bn.eq(doc['@timestamp'], '2026-11-22T10:00:00.500Z')
        bn.eq(doc['stream'], 'stdout')
        got = {k: v for k, v in flat(doc).items() if k.startswith('kubernetes.')}
        bn.eq(got, {'kubernetes.namespace_name': 'shop', 'kubernetes.pod_name': 'cart-7f9c-abcde', 'kubernetes.pod_id': '0a1b2c3d', 'kubernetes.container_name': 'cart'})
        bn.eq(len(s.logs('kubernetes.namespace_name:shop AND stream:stderr')), 1)


def flat(doc, prefix=''):
    out = {}
    for k, v in doc.items():
        out.update(flat(v, prefix + k + '.') if isinstance(v, dict) else {prefix + k: v})
    return out


def test_json_lines_become_fields():
    f = Files()
    with f.server() as s:
        f.write('a.log', '{"time":"2026-11-22T10:00:00Z","level":"warn","message":"slow","ms":1200,"user":{"name":"ada"}}\n')
        doc = bn.wait_for(lambda: s.logs('ms:>1000 AND user.name:ada'), 'the document', server=s)[0]
        bn.eq(doc['message'], 'slow')
        bn.eq(doc['ms'], 1200)
        bn.eq(len(s.logs('severity_number:13')), 1)


def test_long_lines_are_cut_and_counted():
    f = Files(**{'tail.line-bytes': '1KiB'})
    with f.server() as s:
        f.write('a.log', 'x' * 5000 + '\nnext\n')
        bn.wait_for(lambda: messages(s, 'next'), 'the line after the long one', server=s)
        bn.eq(sorted(len(m) for m in messages(s)), [4, 1024])
        bn.eq(s.counters()['binnacle_tail_cut_lines_total'], 1)


def test_ten_thousand_lines_arrive_once():
    f = Files()
    with f.server() as s:
        want = ['line %d' % i for i in range(10000)]
        f.write('a.log', '\n'.join(want) + '\n')
        bn.wait_for(lambda: s.counters()['binnacle_tail_lines_total'] >= 10000, 'all lines', server=s)
        bn.eq(sorted(messages(s)), sorted(want))
        s.conserved()


JAVA = ['ERROR order failed', 'java.lang.IllegalStateException: no stock', '\tat com.example.Shop.order(Shop.java:12)', 'Caused by: java.io.IOException: gone',
        '\t... 17 more']
PYTHON = ['Traceback (most recent call last):', '  File "/app/shop.py", line 7, in order', '    stock[item]', "KeyError: 'pear'"]


def cri(stream, lines, second=0):
    return ''.join('2026-11-22T10:00:%02d.%06dZ %s F %s\n' % (second, i, stream, line) for i, line in enumerate(lines))


def test_stack_traces_are_one_event():
    f = Files()
    with f.server() as s:
        f.write('a.log', '\n'.join(['INFO first'] + JAVA + ['INFO between'] + PYTHON + ['INFO last', '']))
        wait_messages(s, ['INFO first', '\n'.join(JAVA), 'INFO between', '\n'.join(PYTHON), 'INFO last'])
        bn.eq(s.counters()['binnacle_tail_joined_lines_total'], 7)
        bn.eq(len(s.logs('severity_text:ERROR AND IOException')), 0)  # java.io.IOException is one word
        bn.eq(len(s.logs('severity_text:ERROR AND java.io.IOException')), 1)


def test_a_trace_that_is_written_bit_by_bit_is_still_one_event():
    f = Files()
    with f.server() as s:
        f.write('a.log', 'INFO first\n' + PYTHON[0] + '\n')
        wait_messages(s, ['INFO first'])
        for line in PYTHON[1:]:
            f.write('a.log', line + '\n')
        wait_messages(s, ['INFO first', '\n'.join(PYTHON)])  # by the time, nothing follows


def test_streams_and_pods_are_not_mixed():
    f = Files('pods/*/*/*.log')
    names = ['pods/shop_%s_u%d/c/0.log' % (pod, i) for i, pod in enumerate(('a', 'b'))]
    mixed = [line for pair in zip(JAVA, PYTHON) for line in (cri('stderr', [pair[0]]), cri('stdout', [pair[1]]))]
    with f.server() as s:
        for name in names:
            f.write(name, ''.join(mixed) + cri('stderr', JAVA[4:]) + cri('stdout', ['done']) + cri('stderr', ['done']))
        wait_messages(s, 2 * ['\n'.join(JAVA), '\n'.join(PYTHON), 'done', 'done'])
        for pod in ('a', 'b'):
            bn.eq(len(s.logs('kubernetes.pod_name:%s AND stream:stderr AND message:java.io.IOException' % pod)), 1)


def test_multiline_can_be_switched_off():
    f = Files(**{'tail.multiline': 'off'})
    with f.server() as s:
        f.write('a.log', '\n'.join(JAVA + ['']))
        wait_messages(s, JAVA)


def test_a_trace_across_a_restart_arrives_once():
    f = Files(**{'tail.idle-flush': '60s'})
    data = tempfile.mkdtemp(prefix='binnacle-test-')
    with bn.Server({**f.settings}, data=data) as s:
        f.write('a.log', 'INFO first\n')
        wait_messages(s, ['INFO first'])
        f.write('a.log', PYTHON[0] + '\n' + PYTHON[1] + '\n')
        bn.wait_for(lambda: s.counters()['binnacle_tail_bytes_total'] > 60, 'the beginning of the trace', server=s)
        s.stop()
        f.write('a.log', '\n'.join(PYTHON[2:] + ['INFO last', '']))
        s.start()
        wait_messages(s, ['INFO first', '\n'.join(PYTHON), 'INFO last'])
    shutil.rmtree(data)


def test_an_unfinished_line_is_sent_when_nothing_more_comes():
    f = Files(**{'tail.idle-flush': '1s'})
    with f.server() as s:
        f.write('a.log', 'whole\nunfinis')
        wait_messages(s, ['whole', 'unfinis'])
        f.write('a.log', 'hed\nnext\n')
        wait_messages(s, ['whole', 'unfinis', 'hed', 'next'])


def test_archives_are_read_once():
    f = Files('*', **{'tail.from-start': 'on'})
    data = tempfile.mkdtemp(prefix='binnacle-test-')
    lines = ['archived %d' % i for i in range(20000)]
    with gzip.open(f.path('a.log.1.gz'), 'wt') as g:
        g.write('\n'.join(lines) + '\n')
    with open(f.path('damaged.gz'), 'wb') as g:
        g.write(b'\x1f\x8b\x08 this is none')
    f.write('a.log', 'fresh\n')
    stored = lambda s: s.counters()['binnacle_stored_total{signal="logs"}']
    with bn.Server(f.settings, data=data) as s:
        bn.wait_for(lambda: stored(s) == 20001, 'all lines', server=s)
        os.rename(f.path('a.log'), f.path('a.log.2'))
        with gzip.open(f.path('a.log.2.gz'), 'wt') as g:  # has been followed before it was packed
            g.write('fresh\n')
        os.unlink(f.path('a.log.2'))
        f.write('a.log', 'new\n')
        bn.wait_for(lambda: stored(s) == 20002, 'the new line', server=s)
        s.stop()
        s.start()
        f.write('a.log', 'newer\n')
        bn.wait_for(lambda: len(s.logs('newer')) == 1, 'the newer line', server=s)
        bn.eq(len(s.logs('fresh')), 1)
        bn.eq(len(s.logs('"archived 7"')), 1)
        s.conserved()
    shutil.rmtree(data)


def test_archives_that_are_asked_for_are_read_whenever_they_appear():
    f = Files('*.gz')
    with f.server() as s:
        with gzip.open(f.path('.a'), 'wt') as g:
            g.write('one\ntwo\nunfinished')
        os.rename(f.path('.a'), f.path('a.gz'))
        wait_messages(s, ['one', 'two', 'unfinished'])


def test_a_symlink_that_leads_elsewhere_is_followed():
    f = Files('containers/*.log')
    link = 'containers/web_shop_nginx-%s.log' % ('0123456789abcdef' * 4)
    with f.server() as s:
        f.write('pods/0.log', '')
        f.path(link)
        os.symlink(f.path('pods/0.log'), f.path(link))
        f.write('pods/0.log', cri('stdout', ['one']))
        wait_messages(s, ['one'])
        f.write('pods/1.log', cri('stdout', ['two']))
        os.symlink(f.path('pods/1.log'), f.path('containers/.new'))
        os.rename(f.path('containers/.new'), f.path(link))
        f.write('pods/0.log', cri('stdout', ['late']))
        wait_messages(s, ['one', 'two', 'late'])
        doc = flat(s.logs('two')[0])
        bn.eq((doc['kubernetes.pod_name'], doc['kubernetes.namespace_name'], doc['kubernetes.container_name'], doc['kubernetes.docker_id']),
              ('web', 'shop', 'nginx', '0123456789abcdef' * 4))


def test_several_rotations_at_once():
    f = Files('*.log*')
    with f.server() as s:
        f.write('a.log', 'one\n')
        wait_messages(s, ['one'])
        for i in range(2, 6):
            os.rename(f.path('a.log'), f.path('a.log.%d' % i))
            f.write('a.log', 'line %d\n' % i)
        wait_messages(s, ['one'] + ['line %d' % i for i in range(2, 6)])


def test_docker_lines_are_joined_until_their_newline():
    f = Files()
    docker = lambda log, stream='stdout': json.dumps({'log': log, 'stream': stream, 'time': '2026-11-22T10:00:00.5Z'}) + '\n'
    with f.server() as s:
        f.write('a.log', docker('first ') + docker('error\n', 'stderr') + docker('half\n') + docker('{"level":"warn","msg":"json"}\n'))
        wait_messages(s, ['first half', 'error', 'json'])
        bn.eq(s.logs('json')[0]['level'], 'warn')


def test_new_pods_are_seen_when_they_appear():
    f = Files('pods/*/*/*.log')
    f.write('pods/a_b_c/d/0.log', '')
    with f.server() as s:
        for i in range(5):
            f.write('pods/shop_p%d_u/c/0.log' % i, cri('stdout', ['pod %d' % i]))
            bn.wait_for(lambda: len(s.logs('"pod %d"' % i)) == 1, 'its line', 3, server=s)  # not only with the next look around


bn.main()
