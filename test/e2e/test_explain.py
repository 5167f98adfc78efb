"""What a PromQL query says about itself: explain=1 and stats=all."""
import time

import bn

NOW_MS = int(time.time() * 1000) // 1000 * 1000
QUERY = 'sum by (job) (rate(hits_total[1m])) * 2'


def fill(s):
    lines = ['# TYPE hits_total counter']
    for ago in range(120, -1, -15):
        lines += ['hits_total{job="a",i="%d"} %d %d' % (i, 120 - ago, NOW_MS - ago * 1000) for i in range(3)]
    bn.eq(s.post('/api/v1/import/prometheus', '\n'.join(lines) + '\n', 'text/plain').status // 100, 2)


def test_explain_is_the_tree_with_what_each_node_cost():
    with bn.Server() as s:
        fill(s)
        data = s.get('/api/v1/query', query=QUERY, time=NOW_MS / 1000, explain='1').json['data']
        root = data['explain']
        bn.eq((root['type'], root['text'], root['start'], root['end']), ('binary', QUERY, 0, len(QUERY)))
        total, two = root['children']
        bn.eq((two['type'], two['text'], two['children']), ('number', '2', []))
        bn.eq((total['type'], total['series'], total['samples']), ('aggregation', 1, 12))
        rate, = total['children']
        bn.eq((rate['type'], rate['text'], rate['series']), ('call', 'rate(hits_total[1m])', 3))
        bn.eq(QUERY[rate['start']:rate['end']], rate['text'])
        matrix, = rate['children']
        bn.eq((matrix['type'], matrix['series'], matrix['samples'], matrix['children']), ('matrix', 3, 12, []))
        bn.eq(0 < matrix['seconds'] <= rate['seconds'] <= total['seconds'] <= root['seconds'], True)
        bn.eq('explain' in s.get('/api/v1/query', query=QUERY).json['data'], False)


def test_a_long_text_is_cut_and_a_deep_tree_too():
    with bn.Server() as s:
        data = s.get('/api/v1/query', query='-' * 100 + '1' + '+1' * 500, explain='1').json['data']
        bn.eq(len(data['explain']['text']), 203)


def test_stats_are_those_of_prometheus():
    with bn.Server() as s:
        fill(s)
        range_ = dict(query=QUERY, start=NOW_MS / 1000 - 30, end=NOW_MS / 1000, step=15)
        stats = s.get('/api/v1/query_range', stats='all', **range_).json['data']['stats']
        bn.eq(sorted(stats['timings']),
              ['evalTotalTime', 'execQueueTime', 'execTotalTime', 'innerEvalTime', 'queryPreparationTime', 'resultSortTime'])
        bn.eq(stats['samples']['totalQueryableSamples'], 36)
        bn.eq([n for _, n in stats['samples']['totalQueryableSamplesPerStep']], [12, 12, 12])
        stats = s.get('/api/v1/query_range', stats='1', **range_).json['data']['stats']
        bn.eq(sorted(stats['samples']), ['peakSamples', 'totalQueryableSamples'])


bn.main()
