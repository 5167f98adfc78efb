import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JaegerSpan, JaegerTrace } from '../src/lib/api';
import { buildTrace, parseTags, selfTime, spanHas, summarise, visibleSpans } from '../src/lib/traces';
import { lanes } from '../src/ui/Flame';

const span = (id: string, parent: string | null, startTime: number, duration: number, more: Partial<JaegerSpan> = {}): JaegerSpan => ({
  traceID: 't', spanID: id, operationName: 'op ' + id, references: parent ? [{ refType: 'CHILD_OF', traceID: 't', spanID: parent }] : [], startTime, duration, tags: [], logs: [], processID: 'p1', ...more,
});
const trace = (...spans: JaegerSpan[]): JaegerTrace => ({ traceID: 't', spans, processes: { p1: { serviceName: 'shop', tags: [] }, p2: { serviceName: 'db', tags: [{ key: 'host', value: 'h1' }] } } });

const SHOP = trace(
  span('c', 'a', 1050, 40, { processID: 'p2', tags: [{ key: 'error', value: true }] }),
  span('a', null, 1000, 100),
  span('b', 'a', 1010, 30),
  span('d', 'c', 1060, 10),
);

test('spans become a tree in time order', () => {
  const t = buildTrace(SHOP);
  assert.deepEqual(t.spans.map((s) => [s.id, s.depth, s.size, s.start]), [['a', 0, 4, 0], ['b', 1, 1, 10], ['c', 1, 2, 50], ['d', 2, 1, 60]]);
  assert.deepEqual([t.start, t.duration, t.errors, t.services], [1000, 100, 1, ['shop', 'db']]);
});

test('missing parents, circles and doubled ids do not hang or lose spans', () => {
  assert.equal(buildTrace(trace(span('x', 'gone', 1, 1), span('y', 'x', 1, 1))).roots.length, 1);
  const circle = buildTrace(trace(span('x', 'y', 1, 1), span('y', 'x', 1, 1)));
  assert.equal(circle.spans.length, 2);
  assert.equal(buildTrace(trace(span('x', 'x', 1, 1))).spans.length, 1);
  assert.equal(buildTrace(trace()).spans.length, 0);
});

test('a chain of 20 000 spans is built without recursion', () => {
  const chain = Array.from({ length: 20_000 }, (_, i) => span(String(i), i ? String(i - 1) : null, i, 20_000 - i));
  const began = performance.now();
  const t = buildTrace(trace(...chain.reverse()));
  assert.equal(t.spans[19_999].depth, 19_999);
  assert.ok(performance.now() - began < 5000);
});

test('the critical path follows the child that ended last', () => {
  const t = buildTrace(SHOP);
  assert.deepEqual(t.spans.filter((s) => s.critical).map((s) => s.id), ['a', 'b', 'c', 'd']);
  const parallel = buildTrace(trace(span('a', null, 0, 100), span('b', 'a', 0, 50), span('c', 'a', 0, 90)));
  assert.deepEqual(parallel.spans.filter((s) => s.critical).map((s) => s.id), ['a', 'c']);
});

test('self time is what no child covers', () => {
  const t = buildTrace(SHOP);
  assert.equal(selfTime(t.spans[0]), 30);
  const overlapping = buildTrace(trace(span('a', null, 0, 100), span('b', 'a', 10, 50), span('c', 'a', 40, 500)));
  assert.equal(selfTime(overlapping.spans[0]), 10);
});

test('folding hides a whole subtree', () => {
  const t = buildTrace(SHOP);
  assert.deepEqual(visibleSpans(t, new Set(['c'])).map((s) => s.id), ['a', 'b', 'c']);
  assert.deepEqual(visibleSpans(t, new Set(['a'])).map((s) => s.id), ['a']);
  assert.equal(visibleSpans(t, new Set()), t.spans);
});

test('one line of a list tells root, span of time, services and errors', () => {
  assert.deepEqual(summarise(SHOP), { id: 't', start: 1, duration: 0.1, name: 'op a', service: 'shop', spans: 4, services: ['db', 'shop'], errors: 1 });
});

test('tags are read as Jaeger writes them', () => {
  assert.deepEqual(parseTags('error=true http.url="/a b" x=5'), { error: 'true', 'http.url': '/a b', x: '5' });
  assert.deepEqual(parseTags(''), {});
  assert.equal(parseTags('error'), null);
});

test('a text is found in names, tags, processes and events', () => {
  const t = buildTrace(SHOP);
  assert.deepEqual(t.spans.filter((s) => spanHas(s, 'h1')).map((s) => s.id), ['c']);
  assert.deepEqual(t.spans.filter((s) => spanHas(s, 'error=true')).map((s) => s.id), ['c']);
  assert.deepEqual(t.spans.filter((s) => spanHas(s, 'op d')).map((s) => s.id), ['d']);
});

test('overlapping siblings get lanes of their own in the flame chart', () => {
  const boxes = lanes(buildTrace(trace(span('a', null, 0, 100), span('b', 'a', 0, 50), span('c', 'a', 20, 50), span('d', 'a', 80, 10))));
  assert.deepEqual(boxes.map((b) => [b.span.id, b.lane]), [['a', 0], ['b', 1], ['c', 2], ['d', 1]]);
});
