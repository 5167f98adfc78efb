import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseColor } from '../src/lib/color';
import { bytes, count, dur, factor, num, pct } from '../src/lib/fmt';
import { destination } from '../src/lib/jump';
import { pageKeys, press, type ShellKeys } from '../src/lib/keys';
import { ratesBetween } from '../src/lib/self';
import { errorPosition, families, firstQuery, seriesNames, stacked, summary, toGrid } from '../src/lib/series';
import { clock, formatDuration, parseDuration, parseTime, parseWindow, refreshMs, stepFor, tickLabel, ticks } from '../src/lib/time';
import { unitFor, UNITS } from '../src/lib/units';
import { href, moved, type Location } from '../src/lib/url';
import { context } from '../src/ui/Strip';
import { layout } from '../src/ui/VList';

const NOW = Date.UTC(2026, 10, 22, 14, 32, 10);

test('durations are read and written', () => {
  assert.equal(parseDuration('1h30m'), 5_400_000);
  assert.equal(parseDuration('1.5s'), 1500);
  for (const bad of ['', 'h', '5', '5x', '-5m', '1h 30m']) assert.equal(parseDuration(bad), null, bad);
  for (const ms of [0, 1, 1500, 60_000, 5_400_000, 864e5 * 9]) assert.equal(parseDuration(formatDuration(ms)), ms);
});

test('times are read: relative, Unix, ISO', () => {
  assert.equal(parseTime('now', NOW), NOW);
  assert.equal(parseTime('-15m', NOW), NOW - 9e5);
  assert.equal(parseTime('now-1h', NOW), NOW - 36e5);
  assert.equal(parseTime(String(NOW), 0), NOW);
  assert.equal(parseTime('1795357930', 0), 1795357930000);
  assert.equal(parseTime('2026-11-22T14:32:10Z', 0), NOW);
  assert.equal(parseTime('2026-11-22 14:32:10', 0), NOW);
  for (const bad of ['', 'yesterday', '-5x', '12', '2026-99-99']) assert.equal(parseTime(bad, NOW), null, bad);
});

test('a window without an end is relative; nonsense becomes the last hour', () => {
  assert.deepEqual(parseWindow('-5m', '', NOW), { a: NOW - 3e5, z: NOW, relative: true });
  assert.deepEqual(parseWindow('', '', NOW), { a: NOW - 36e5, z: NOW, relative: true });
  assert.deepEqual(parseWindow('x', 'y', NOW), { a: NOW - 36e5, z: NOW, relative: false });
  assert.deepEqual(parseWindow(String(NOW - 5), String(NOW - 1), NOW), { a: NOW - 5, z: NOW - 1, relative: false });
  assert.ok(parseWindow(String(NOW), String(NOW - 1), NOW).a < NOW - 1, 'a window turned round is mended');
});

test('steps are round and give no more points than asked', () => {
  for (const span of [6e4, 36e5, 864e5, 30 * 864e5]) {
    const w = { a: NOW - span, z: NOW, relative: true };
    assert.ok(span / 1e3 / stepFor(w, 300) <= 300);
    assert.ok(ticks(w, 8, true).length <= 9);
    assert.ok(refreshMs(w) >= 3000 && refreshMs(w) <= 60_000);
  }
  assert.equal(stepFor({ a: NOW - 36e5, z: NOW, relative: true }, 240), 15);
});

test('clocks show 24 hours, dates when asked, days on long axes', () => {
  assert.equal(clock(NOW + 42, true, { ms: true }), '14:32:10.042');
  assert.equal(clock(NOW, true, { day: true }), '2026-11-22 14:32:10');
  assert.equal(tickLabel(NOW, 36e5, true), '14:32');
  assert.equal(tickLabel(NOW, 3e5, true), '14:32:10');
  assert.equal(tickLabel(NOW, 2 * 864e5, true), '22 14:32');
  assert.equal(tickLabel(NOW, 9 * 864e5, true), '11-22');
});

test('numbers keep three digits and a unit', () => {
  assert.equal(num(0), '0');
  assert.equal(num(9999), '9999');
  assert.equal(num(12345), '12.3 k');
  assert.equal(num(0.5), '0.50');
  assert.equal(num(0.00012), '1.2e-4');
  assert.equal(num(null), '–');
  assert.equal(num(Infinity), '+Inf');
  assert.equal(count(1234567), '1 234 567');
  assert.equal(bytes(512), '512 B');
  assert.equal(bytes(1536), '1.50 Ki');
  assert.equal(dur(2861), '2.86 s');
  assert.equal(dur(0.4), '400 µs');
  assert.equal(dur(125_000), '2m 5s');
  assert.equal(dur(0), '0');
  assert.equal(pct(0), '0');
  assert.equal(pct(0.0001), '<0.1');
  assert.equal(pct(0.079), '7.9');
  assert.equal(pct(1), '100');
  assert.deepEqual([factor(2, 4), factor(4, 1), factor(1, 1.01), factor(1, 37), factor(0, 1), factor(0, 0), factor(-1, 1)], ['×2.0', '÷4.0', '±0', '×37', '', '±0', '']);
});

test('the unit of a chart follows the metric name', () => {
  assert.equal(UNITS[unitFor('node_memory_MemFree_bytes')].format(2 ** 30), '1.00 Gi');
  assert.equal(UNITS[unitFor('rate(node_network_receive_bytes_total[1m])')].format(2048), '2.00 Ki/s');
  assert.equal(UNITS[unitFor('histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[1m])))')].format(0.25), '250 ms');
  assert.equal(UNITS[unitFor('rate(process_cpu_seconds_total[1m])')].format(0.25), '250 m', 'seconds a second are cores');
  assert.equal(UNITS[unitFor('up')].format(1), '1');
});

test('series are named by the labels that differ', () => {
  assert.deepEqual(seriesNames([{ __name__: 'up', job: 'a', env: 'x' }, { __name__: 'up', job: 'b', env: 'x' }]), ['job=a', 'job=b']);
  assert.deepEqual(seriesNames([{ __name__: 'up', job: 'a' }]), ['up  job=a']);
  assert.deepEqual(seriesNames([{}], 'sum(up)'), ['sum(up)']);
  assert.deepEqual(seriesNames([{ __name__: 'a' }, { __name__: 'b' }]), ['a', 'b']);
});

test('samples fall on the grid and gaps stay gaps', () => {
  const g = toGrid([{ metric: { a: '1' }, values: [[10, '1'], [30, '3'], [40, 'NaN'], [99, '9']] }], 10, 50, 10, 'q');
  assert.deepEqual(g.x, [10, 20, 30, 40, 50]);
  assert.deepEqual(g.lines[0].v, [1, null, 3, null, null]);
  assert.deepEqual(summary(g.lines[0].v), { min: 1, mean: 2, max: 3, last: 3 });
  assert.deepEqual(summary([null]), { min: null, mean: null, max: null, last: null });
  assert.deepEqual(stacked([[1, null, null], [2, 3, null]]), [[1, 0, null], [3, 3, null]]);
});

test('the place of a PromQL error is found in the message', () => {
  assert.deepEqual(errorPosition('invalid parameter "query": 1:5: parse error: unclosed left parenthesis'), { line: 1, column: 5 });
  assert.equal(errorPosition('query timed out'), null);
});

test('histogram parts are one row, counters get a rate', () => {
  const rows = families(['h_bucket', 'h_count', 'h_sum', 'x_total', 'lone_sum', 'g'], { h: [{ type: 'histogram', help: 'H' }], x: [{ type: 'counter', help: '' }], g: [{ type: 'gauge', help: 'G' }] });
  assert.deepEqual(rows.map((r) => [r.name, r.type]), [['g', 'gauge'], ['h', 'histogram'], ['lone_sum', ''], ['x_total', 'counter']]);
  assert.equal(firstQuery(rows[1], '1m'), 'histogram_quantile(0.99, sum by (le) (rate(h_bucket[1m])))');
  assert.equal(firstQuery(rows[3], '1m'), 'rate(x_total[1m])');
  assert.equal(firstQuery(rows[0], '1m'), 'g');
});

const at = (url: string): Location => {
  const u = new URL(url, 'http://localhost');
  return { path: u.pathname, query: u.searchParams };
};

test('links keep the window on other pages and everything on this one', () => {
  const here = at('/logs?q=a&from=-5m&open=1');
  assert.equal(href('/traces', {}, here), '/traces?from=-5m');
  assert.equal(href(null, { open: null, q: 'x y' }, here), '/logs?q=x+y&from=-5m');
  assert.equal(href('/logs', { q: 'b', from: 5 }, here), '/logs?from=5&q=b');
});

test('bookmarks of the peers lead to the same thing here', () => {
  assert.equal(moved(at('/graph?g0.expr=up&g0.tab=0&g0.range_input=30m&g1.expr=x')), '/metrics-explorer?from=-30m&q=up&p2.q=x');
  assert.equal(moved(at('/graph?g0.expr=up&g0.tab=1')), '/metrics-explorer?q=up&view=table');
  assert.equal(moved(at('/search?service=shop&operation=all&lookback=2h&minDuration=5ms')), '/traces?service=shop&min=5ms&from=-2h');
  assert.equal(moved(at('/search?service=shop&start=5000&end=9000')), '/traces?service=shop&from=5&to=9');
  assert.equal(moved(at('/trace/ABC123')), '/traces/abc123');
  assert.equal(moved(at('/logs')), null);
});

test('the jump box tells trace ids, services, PromQL and words apart', () => {
  assert.equal(destination('4BF92F3577B34DA6A3CE929D0E0E4736'), '/traces/4bf92f3577b34da6a3ce929d0e0e4736');
  assert.equal(destination('service:checkout'), '/traces?service=checkout');
  assert.match(destination('rate(http_requests_total[1m])'), /^\/metrics-explorer\?q=/);
  assert.match(destination('node_load1'), /^\/metrics-explorer/);
  assert.match(destination('{job="x"}'), /^\/metrics-explorer/);
  assert.match(destination('connection refused'), /^\/logs\?q=/);
});

test('keys go to pages, move rows, and leave fields alone', () => {
  const did: string[] = [];
  const shell: ShellKeys = {
    goTo: (k) => (did.push('go ' + k), 'omlts'.includes(k)),
    shift: (n) => did.push('shift ' + n),
    live: () => did.push('live'),
    help: (s) => did.push('help ' + s),
    jump: () => did.push('jump'),
    query: () => did.push('query'),
  };
  const key = (k: string, more: object = {}) => press({ key: k, timeStamp: 1, composedPath: () => [{}], ...more } as unknown as KeyboardEvent, shell);
  const off = pageKeys({ move: (n) => did.push('move ' + n) });
  for (const k of ['g', 'l', '/', '[', ']', '.', 'j', 'k', '?']) key(k);
  assert.deepEqual(did, ['go l', 'query', 'shift -1', 'shift 1', 'live', 'move 1', 'move -1', 'help undefined']);
  did.length = 0;
  key('g');
  key('l', { timeStamp: 5000 });
  assert.deepEqual(did, [], 'too late for g l');
  key('k', { metaKey: true });
  assert.deepEqual(did, ['jump']);
  off();
  did.length = 0;
  key('j');
  assert.deepEqual(did, []);
});

test('colours differ while there are enough, and stay for a name', () => {
  const taken = new Set<number>();
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l']) {
    const c = chooseColor(name, taken);
    assert.ok(!taken.has(c));
    taken.add(c);
  }
  assert.equal(chooseColor('m', taken), chooseColor('m', new Set()));
});

test('rates come from two readings of one process', () => {
  const status = (now_ms: number, start_ms: number, received: number) => ({ now_ms, start_ms, metrics: { received }, logs: { received }, spans: { received }, process: { cpu_ms: received } }) as never;
  assert.deepEqual(ratesBetween(status(0, 1, 0), status(2000, 1, 100)), { samples: 50, logs: 50, spans: 50, cpu: 0.05 });
  assert.equal(ratesBetween(status(0, 1, 0), status(2000, 2, 100)), null, 'a restart in between');
});

test('the strip shows a chosen window inside what leads up to now', () => {
  const w = { a: NOW - 6e5, z: NOW - 5e5, relative: false };
  assert.deepEqual(context(w, NOW), { a: NOW - 36e5, z: NOW, relative: true });
  const old = { a: NOW - 90 * 864e5, z: NOW - 90 * 864e5 + 1000, relative: false };
  assert.deepEqual(context(old, NOW), { a: old.a - 2000, z: old.z + 2000, relative: false });
});

test('rows of a long list are found by arithmetic, with one of them open', () => {
  const plain = layout(1000, 20, -1, 0);
  assert.equal(plain.total, 20_000);
  assert.equal(plain.at(199), 9);
  const open = layout(1000, 20, 5, 100);
  assert.equal(open.total, 20_100);
  assert.deepEqual([open.top(5), open.top(6)], [100, 220]);
  assert.deepEqual([open.at(99), open.at(119), open.at(150), open.at(219), open.at(220), open.at(1e9)], [4, 5, 5, 5, 6, 999]);
});
