"""Following log files: the behaviours that users of Fluent Bit's in_tail expect."""
import os
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


bn.main()
