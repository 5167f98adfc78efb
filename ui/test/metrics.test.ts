import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Explained } from '../src/lib/api';
import { dropLabel, dropMetric, labelToDrop } from '../src/lib/cardinality';
import { chain, droppedLabels, shortText } from '../src/lib/explain';
import { heatRows } from '../src/lib/heat';
import { ran, remember } from '../src/lib/history';
import { fromPrometheus, nameKey, readPanels, writePanels } from '../src/lib/panels';
import { trace } from '../src/lib/path';
import { AGGREGATES, FUNCTIONS, KEYWORDS, metricsOf, placeAt, selectorText, tokens } from '../src/lib/promql';
import { linear, position, roundStep, valueAt, valueTicks } from '../src/lib/scale';
import { labelCounts, noteIn, withMatcher } from '../src/lib/series';
import { observedUnit, unitFor, unitOfAll, UNITS } from '../src/lib/units';
import { columnsOf, sorted } from '../src/pages/metrics/Table';
import { indexAt, piled } from '../src/ui/Chart';
import { heatScale } from '../src/ui/Heat';

/** The place of the | in a text. */
const at = (text: string) => placeAt(text.replace('|', ''), text.indexOf('|'));

test('every character of a query belongs to one token', () => {
  for (const q of ['', 'up', 'sum by (job) (rate(x{a="b",c=~\'d.*\'}[5m] offset -1h)) # end', '"open', '`raw', '{"a.b", c="d"}', 'é ☃ $', '1e3 + 0x1f - .5', 'a:b:c @ start()']) {
    assert.equal(tokens(q).map((t) => t.text).join(''), q);
  }
  assert.deepEqual(tokens('rate(x[1h30m])').map((t) => t.kind), ['ident', 'open', 'ident', 'open', 'duration', 'close', 'close']);
});

test('the words of the language are those of the engine', () => {
  const root = join(import.meta.uiRoot, '../src/query/promql');
  const names = (file: string, pattern: RegExp) => [...readFileSync(join(root, file), 'utf8').matchAll(pattern)].map((m) => m[1]).sort();
  assert.deepEqual(Object.keys(FUNCTIONS).sort(), names('functions.c', /\{STR_INIT\("(\w+)"\), \{/g));
  assert.deepEqual(Object.keys(AGGREGATES).sort(), names('lex.c', /\{STR_INIT\("(\w+)"\), TOK_AGG/g));
  for (const word of names('lex.c', /\{STR_INIT\("(\w+)"\), TOK_KEYWORD/g)) assert.ok(KEYWORDS.has(word) || word in FUNCTIONS, word);
});

test('an operand, an operator or a keyword is expected where one can stand', () => {
  assert.deepEqual(at('|'), { kind: 'expr', from: 0, call: '' });
  assert.deepEqual(at('ra|'), { kind: 'expr', from: 0, call: '' });
  assert.deepEqual(at('rate(no|'), { kind: 'expr', from: 5, call: 'rate' });
  assert.deepEqual(at('sum by (a) (x|'), { kind: 'expr', from: 12, call: '' });
  assert.deepEqual(at('1 + fo|o'), { kind: 'expr', from: 4, call: '' });
  assert.deepEqual(at('up |'), { kind: 'after', from: 3, aggregate: false });
  assert.deepEqual(at('up an|'), { kind: 'after', from: 3, aggregate: false });
  assert.deepEqual(at('sum |'), { kind: 'after', from: 4, aggregate: true });
  assert.deepEqual(at('sum(rate(x[5m])) b|'), { kind: 'after', from: 17, aggregate: true });
  assert.equal(at('a # comm|').kind, 'none');
  assert.equal(at('x offset |').kind, 'duration');
  assert.equal(at('x[|').kind, 'duration');
  assert.equal(at('x[5|]').kind, 'duration');
  assert.equal(at('12|').kind, 'none');
});

test('inside braces labels, operators and values are expected, with what is known of the selector', () => {
  assert.deepEqual(at('up{|}'), { kind: 'label', from: 3, metric: 'up', matchers: [] });
  assert.deepEqual(at('up{job="a", in|'), { kind: 'label', from: 12, metric: 'up', matchers: [{ label: 'job', op: '=', value: '"a"' }] });
  assert.equal(at('up{job |').kind, 'operator');
  assert.deepEqual(at('up{a="b", job="x|y", c!="d"}'), {
    kind: 'value', from: 15, to: 17, label: 'job', op: '=', metric: 'up', matchers: [{ label: 'a', op: '=', value: '"b"' }, { label: 'c', op: '!=', value: '"d"' }],
  });
  assert.deepEqual(at('up{job=~"|'), { kind: 'value', from: 9, to: 9, label: 'job', op: '=~', metric: 'up', matchers: [] });
  assert.equal(at('up{job="x"|}').kind, 'none');
  assert.deepEqual(at('{"some.metric", |}'), { kind: 'label', from: 16, metric: 'some.metric', matchers: [] });
  assert.equal(selectorText('up', [{ label: 'a', op: '=~', value: '"b.*"' }]), '{__name__="up","a"=~"b.*"}');
  assert.equal(selectorText('', []), '');
});

test('a grouping knows the metric it groups, wherever that stands', () => {
  assert.deepEqual(at('sum by (|) (rate(foo[1m]))'), { kind: 'grouping', from: 8, metric: 'foo', used: [] });
  assert.deepEqual(at('sum(rate(foo[1m])) by (a, b|)'), { kind: 'grouping', from: 26, metric: 'foo', used: ['a'] });
  assert.deepEqual(at('a / on(|) b'), { kind: 'grouping', from: 7, metric: 'b', used: [] });
  assert.deepEqual(metricsOf('sum by (job) (rate(foo{a="b"}[1m])) / on(x) bar + time()'), ['foo', 'bar']);
});

test('panels go into the URL and come back', () => {
  const text = 'q=up&q2=down&view=stack&only=a.b&p2.q=x%7By%3D%22z%22%7D&p2.unit=bytes&p2.ex=0&p3.q=&p3.view=table&p3.sort=-%23&find=abc';
  const panels = readPanels(new URLSearchParams(text));
  assert.equal(panels.length, 3);
  assert.deepEqual(panels[0].queries, ['up', 'down']);
  assert.deepEqual([panels[0].view, panels[0].only], ['stack', ['a', 'b']]);
  assert.deepEqual([panels[1].queries, panels[1].unit, panels[1].exemplars], [['x{y="z"}'], 'bytes', false]);
  assert.deepEqual([panels[2].queries, panels[2].sort], [[''], '-#']);
  const written = new URLSearchParams(writePanels(panels, new URLSearchParams(text)));
  assert.deepEqual(readPanels(written), panels);
  assert.equal(written.get('find'), 'abc');
  assert.equal(writePanels(readPanels(new URLSearchParams()), new URLSearchParams()), '');
  assert.equal(readPanels(new URLSearchParams('p99.q=a&p0.q=b&view=nonsense&step=x')).length, 1);
});

test("links of Prometheus' own page keep their panels, shapes and window", () => {
  const to = (q: string) => decodeURIComponent(fromPrometheus(new URLSearchParams(q)));
  assert.equal(to('g0.expr=up&g0.tab=1'), 'q=up&view=table');
  assert.equal(to('g0.expr=up&g0.tab=graph&g0.range_input=2h&g0.stacked=1&g1.expr=x&g1.display_mode=heatmap&g1.step_input=30'), 'from=-2h&q=up&view=stack&p2.q=x&p2.view=heat&p2.step=30s');
  assert.equal(to('g0.expr=a&g0.range_input=1h&g0.end_input=2026-11-22 14:00:00'), `from=${Date.UTC(2026, 10, 22, 13)}&to=${Date.UTC(2026, 10, 22, 14)}&q=a`);
  assert.equal(to('g0.expr=a&g0.moment_input=2026-11-22T14:00:00Z&g0.show_tree=1'), `from=${Date.UTC(2026, 10, 22, 13)}&to=${Date.UTC(2026, 10, 22, 14)}&q=a&tree=1`);
  assert.equal(to(''), '');
});

test('axes have round values', () => {
  assert.equal(roundStep(0.7, 'decimal'), 1);
  assert.equal(roundStep(3000, 'binary'), 4096);
  assert.equal(roundStep(100, 'time'), 120);
  assert.deepEqual(valueTicks(linear(0, 10, false), 5).map((v) => Number(v.toFixed(9))), [0, 5, 10]);
  const s = { lo: 0.01, hi: 100, log: true };
  assert.ok(Math.abs(position(s, 1) - 0.5) < 1e-12 && Math.abs(valueAt(s, 0.5) - 1) < 1e-12);
  assert.ok(valueTicks(s, 6).every((v) => v >= 0.01 && v <= 100));
  for (const [lo, hi] of [[NaN, NaN], [Infinity, -Infinity], [5, 5], [0, 0], [-3, -3]]) {
    const any = linear(lo, hi, false);
    assert.ok(any.lo < any.hi && valueTicks(any, 5).length > 1, `${lo} ${hi}`);
  }
});

/** A pen that writes down what it is told. */
function recorder() {
  const calls: string[] = [];
  return { calls, moveTo: (x: number, y: number) => void calls.push(`M${x},${y}`), lineTo: (x: number, y: number) => void calls.push(`L${x},${y}`) };
}

test('lines break at gaps, lonely samples are dots, crowded columns keep their extremes', () => {
  const pen = recorder();
  const dots: number[] = [];
  trace(pen, [0, 10, 20, 30, 40, 50], [1, 2, null, 3, null, 4], (v) => v, (x) => dots.push(x));
  assert.deepEqual(pen.calls, ['M0,1', 'L10,2']);
  assert.deepEqual(dots, [30, 50]);
  const many = recorder();
  const n = 10_000;
  const v = Array.from({ length: n }, (_, i) => (i === 4321 ? 99 : i % 7));
  trace(many, v.map((_, i) => i / 100), v, (y) => y, () => {});
  assert.ok(many.calls.length <= 4 * 101, String(many.calls.length));
  assert.ok(many.calls.some((c) => c.endsWith(',99')), 'the peak is drawn');
});

test('the pointer finds the step it is over; bars pile up and hang', () => {
  assert.deepEqual([indexAt([10, 20, 30], 24), indexAt([10, 20, 30], 3), indexAt([], 3)], [1, null, null]);
  assert.deepEqual(piled([[1, -1, null], [2, -2, 3]]), { top: [[1, -1, null], [3, -3, 3]], foot: [[0, 0, 0], [1, -1, 0]] });
});

test('buckets become rows of a heat map, classic and native', () => {
  const le = (bound: string, ...v: number[]) => ({ metric: { le: bound }, values: v.map((x, i): [number, string] => [i * 10, String(x)]) });
  const rows = heatRows([le('+Inf', 6, 9), le('0.1', 1, 2), le('1', 5, 5)], 0, 10, 2);
  assert.deepEqual(rows.map((r) => [r.lo, r.hi, ...r.v]), [[0, 0.1, 1, 2], [0.1, 1, 4, 3], [1, Infinity, 1, 4]]);
  const native = heatRows([{ metric: {}, histograms: [[10, { count: '3', sum: '4', buckets: [[0, '1', '2', '3'], [0, '2', '4', '0.5']] }]] }], 0, 10, 2);
  assert.deepEqual(native.map((r) => [r.lo, r.hi, ...r.v]), [[1, 2, null, 3], [2, 4, null, 0.5]]);
  assert.deepEqual(heatRows([{ metric: { job: 'a' }, values: [[0, '1']] }], 0, 10, 2), []);
  assert.equal(heatScale(rows).log, true);
  assert.equal(heatScale(native).log, false);
});

test('units follow metadata, names and what is done to them', () => {
  const unit = (q: string, want: string) => assert.equal(unitFor(q), want, q);
  unit('node_memory_MemFree_bytes', 'bytes');
  unit('rate(node_network_receive_bytes_total[1m])', 'Bps');
  unit('rate(http_requests_total[5m])', 'ops');
  unit('histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))', 's');
  unit('rate(x_seconds_sum[5m]) / rate(x_seconds_count[5m])', 's');
  unit('sum(rate(x_seconds_count[5m]))', 'ops');
  unit('rate(container_cpu_usage_seconds_total[5m])', 'cores');
  unit('100 * a_bytes / b_bytes', 'percent');
  unit('process_start_time_seconds', 'date');
  unit('time() - process_start_time_seconds', 's');
  unit('count(up)', 'num');
  unit('1 + 1', 'num');
  assert.equal(unitFor('latency', () => 'seconds'), 's');
  assert.equal(unitOfAll(['a_bytes', 'b_bytes', '']), 'bytes');
  assert.equal(unitOfAll(['a_bytes', 'b_seconds']), 'num');
  assert.equal(observedUnit('sum by (le) (rate(x_seconds_bucket[1m]))'), 's');
  for (const u of Object.values(UNITS)) for (const v of [0, 1, -1, 1e-9, 1e15, NaN, Infinity, -Infinity]) assert.ok(u.format(v).length > 0 && !/undefined/.test(u.format(v)));
});

test('what the server says of a query finds its place in it', () => {
  assert.deepEqual(noteIn('invalid parameter "query": 2:3: parse error: x', 'ab\ncdef', 'error').at, 5);
  assert.deepEqual(noteIn('PromQL info: metric might not be a counter (1:6)', 'rate(up[1m])', 'info').at, 5);
  assert.deepEqual(noteIn('too many series', 'x', 'error').at, -1);
});

test('labels are counted, and a matcher is put where the metric stands', () => {
  assert.deepEqual(labelCounts([{ __name__: 'x', a: '1', b: '1' }, { __name__: 'x', a: '1', b: '2' }]), [{ name: 'a', values: [['1', 2]] }, { name: 'b', values: [['1', 1], ['2', 1]] }]);
  assert.equal(withMatcher('rate(x[1m]) + y', 'x', 'a', 'b'), 'rate(x{a="b"}[1m]) + y');
  assert.equal(withMatcher('x{a="1", c=~"d,e"}', 'x', 'a', '2'), 'x{c=~"d,e", a="2"}');
  assert.equal(withMatcher('x{}', 'x', 'a', 'say "hi"'), 'x{a="say \\"hi\\""}');
});

const part = (text: string, start: number, children: Explained[] = [], type = 'call'): Explained => ({ type, text, start, end: start + text.length, series: 1, samples: 1, seconds: 1, children });

test('a plan is a chain until it forks, each part with what is below left out', () => {
  const leaf = part('x_bucket[1m]', 34, [], 'matrix_selector');
  const rate = part('rate(x_bucket[1m])', 29, [leaf]);
  const sum = part('sum by (le) (rate(x_bucket[1m]))', 16, [rate], 'aggregation');
  const root = part('histogram_quantile(0.9, sum by (le) (rate(x_bucket[1m])))', 0, [part('0.9', 19, [], 'number_literal'), { ...sum, start: 24 }]);
  assert.deepEqual(chain(root).map(shortText), ['histogram_quantile(0.9, …)', 'sum by (le) (…)', 'rate(…)', 'x_bucket[1m]']);
  assert.deepEqual(droppedLabels(chain(root), ['__name__', 'le', 'pod', 'code']), ['pod', 'code']);
  assert.deepEqual(droppedLabels([part('sum without (pod) (x)', 0, [part('x', 18)]), part('x', 18)], ['pod', 'code']), ['pod']);
  assert.deepEqual(droppedLabels([part('sum(x)', 0, [part('x', 4)]), part('x', 4)], ['pod', 'code']), ['pod', 'code']);
  assert.deepEqual(droppedLabels([part('rate(x[1m])', 0)], ['pod']), []);
  assert.equal(chain(part('a + b', 0, [part('a', 0), part('b', 4)])).length, 1);
});

test('tables show the labels that differ, and sort by numbers inside names', () => {
  const rows = [{ metric: { job: 'a', pod: 'p10' }, value: [0, '3'] as [number, string] }, { metric: { job: 'a', pod: 'p9' }, value: [0, '4'] as [number, string] }];
  assert.deepEqual(columnsOf(rows), ['pod']);
  assert.deepEqual(columnsOf(rows.slice(0, 1)), ['job', 'pod']);
  assert.deepEqual(sorted(rows, 'pod').map((r) => r.metric.pod), ['p9', 'p10']);
  assert.deepEqual(sorted(rows, '-#').map((r) => r.metric.pod), ['p9', 'p10']);
});

test('queries that were run are remembered once, newest first', () => {
  for (const q of ['a', 'b', 'a', ' ']) remember(q);
  assert.deepEqual(ran.value, ['a', 'b']);
  for (let i = 0; i < 100; i++) remember('q' + i);
  assert.equal(ran.value.length, 60);
  assert.equal(nameKey('x'), nameKey('x'));
});

test('the label to drop is the one whose absence leaves fewest series', () => {
  const all = Array.from({ length: 400 }, (_, i) => ({ __name__: 'x', job: 'a', code: String(i % 4), request_id: 'r' + i, pod: 'p' + (i % 25) }));
  assert.deepEqual(labelToDrop('x', all), { metric: 'x', label: 'request_id', values: 400, series: 400, left: 100 });
  assert.equal(labelToDrop('x', all.slice(0, 100).map((l) => ({ ...l, request_id: '1' })))?.label, 'pod');
  assert.equal(labelToDrop('x', Array.from({ length: 100 }, (_, i) => ({ __name__: 'x', instance: 'i' + i }))), null, 'instance stays');
  assert.match(dropLabel(labelToDrop('x', all)!, true), /action: labeldrop\n    regex: request_id\n/);
  assert.match(dropMetric('a.b'), /regex: a\\\.b\n/);
});
