"""Container logs recorded on a real cluster: every line arrives once, whole, with its pod, stream and time."""
import os
import sys
import tempfile

import bn

cases = os.path.join(bn.CASES, 'kubernetes/logs')
if not os.path.isdir(cases):
    print('skipped: %s is not there' % cases)
    sys.exit(77)

want, root = {}, tempfile.mkdtemp(prefix='binnacle-logs-')
for folder, _, names in os.walk(cases):
    for name in names:
        pod = os.path.basename(folder)
        pieces, target = {}, os.path.join(root, 'pods', pod, 'main')
        os.makedirs(target)
        with open(os.path.join(folder, name)) as f, open(os.path.join(target, name), 'w') as out:
            for line in f:
                out.write(line)
                time, stream, tag, text = line.rstrip('\n').split(' ', 3)
                first, before = pieces.pop(stream, (time, ''))
                if tag == 'P':
                    pieces[stream] = first, before + text
                elif before + text:
                    key = pod.split('_')[1], stream, first[:23], before + text
                    want[key] = want.get(key, 0) + 1

with bn.Server({'tail': 'on', 'tail.files': os.path.join(root, 'pods/*/*/*.log'), 'tail.from-start': 'on', 'tail.multiline': 'off'}) as s:
    bn.wait_for(lambda: s.counters()['binnacle_stored_total{signal="logs"}'] >= sum(want.values()), 'all lines', server=s)
    got = {}
    for d in s.logs():
        key = d['kubernetes.pod_name'], d['stream'], d['@timestamp'][:23], d['message']
        got[key] = got.get(key, 0) + 1
    s.conserved()
good = sum(min(n, got.get(key, 0)) for key, n in want.items())
for key in set(want) ^ set(got):
    print('differs:', str(key)[:200])
print('container_logs: %d of %d' % (good, sum(want.values())))
sys.exit(got != want)
