import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, clause, flatten, hasClause, mergeRows, NO_LOGS, pieces, severityOf, splitAnd, toggleClause, toRow } from '../src/lib/logs';

test('documents are flattened to dotted names; arrays stay whole', () => {
  assert.deepEqual(flatten({ a: { b: { c: 1 } }, 'x.y': 'z', tags: [1, 2] }), [['a.b.c', 1], ['x.y', 'z'], ['tags', [1, 2]]]);
});

test('a row is made of whatever the shipper called its parts', () => {
  const otlp = toRow({ _id: '1', _index: 'i', _source: { '@timestamp': '2026-11-22T14:32:10.042Z', message: 'hi\n', severity_number: 17, service: { name: 'pay' }, trace_id: 'ab' } });
  assert.deepEqual([otlp.t, otlp.severity, otlp.source, otlp.message, otlp.traceId], [Date.UTC(2026, 10, 22, 14, 32, 10, 42), 'error', 'pay', 'hi', 'ab']);
  const fluent = toRow({ _id: '2', _index: 'i', sort: [5], _source: { log: 'x', level: 'Warning', kubernetes: { container_name: 'c' } } });
  assert.deepEqual([fluent.t, fluent.severity, fluent.source, fluent.message], [5, 'warn', 'c', 'x']);
  assert.equal(toRow({ _id: '3', _index: 'i', _source: { a: 1 } }).message, '{"a":1}');
});

test('severity comes from the number first, then from the word', () => {
  assert.equal(severityOf(21, 'info'), 'error');
  assert.equal(severityOf(undefined, 'CRITICAL'), 'error');
  assert.equal(severityOf(undefined, 'W'), 'warn');
  assert.equal(severityOf(undefined, 'trace'), 'debug');
  assert.equal(severityOf(undefined, undefined), 'info');
  assert.equal(severityOf(5, ''), 'debug');
});

test('clauses quote what Lucene would misread', () => {
  assert.equal(clause('level', 'error'), 'level:error');
  assert.equal(clause('service.name', 'my-svc'), 'service.name:"my-svc"');
  assert.equal(clause('msg', 'say "hi" \\o/'), 'msg:"say \\"hi\\" \\\\o/"');
  assert.equal(clause('n', 5), 'n:5');
  assert.equal(clause('n', -5), 'n:"-5"');
  assert.equal(clause('x', 'OR'), 'x:"OR"');
  assert.equal(clause('app.kubernetes.io/name', 'a'), 'app.kubernetes.io\\/name:a');
});

test('a filter is added, turned round and taken away', () => {
  assert.equal(toggleClause('', 'a:b', false), 'a:b');
  assert.equal(toggleClause('hello world', 'a:b', true), 'hello world AND NOT a:b');
  assert.equal(toggleClause('x AND a:b', 'a:b', true), 'x AND NOT a:b');
  assert.equal(toggleClause('x AND a:b', 'a:b', false), 'x');
  assert.equal(toggleClause('x OR y', 'a:b', false), '(x OR y) AND a:b');
  assert.ok(hasClause('x AND a:b', 'a:b'));
  assert.ok(!hasClause('"x AND a:b"', 'a:b'));
});

test('AND inside quotes, brackets and ranges does not cut a query', () => {
  assert.deepEqual(splitAnd('a:"x AND y" AND (b AND c) AND d:[1 TO 2]'), ['a:"x AND y"', '(b AND c)', 'd:[1 TO 2]']);
  assert.deepEqual(splitAnd('  '), []);
});

test('new rows come on top, known ones are not doubled', () => {
  const row = (id: string, t: number) => ({ id, t }) as never;
  assert.deepEqual(mergeRows([row('c', 3), row('b', 2)], [row('b', 2), row('a', 1)], 10).map((r) => r.id), ['c', 'b', 'a']);
  assert.equal(mergeRows([row('c', 3)], [row('a', 1)], 1).length, 1);
});

test('a live list grows at its top, waits while it is scrolled, and starts anew after a gap', () => {
  const page = (more: boolean, ...ids: number[]) => ({ more, rows: ids.map((t) => ({ id: String(t), t }) as never) });
  const ids = (l: { rows: { id: string }[] }) => l.rows.map((r) => r.id).join(' ');
  const first = advance(NO_LOGS, page(true, 3, 2, 1), 'q', true, 0, 100);
  assert.deepEqual([ids(first), first.more, first.pending], ['3 2 1', true, 0]);
  const grown = advance(first, page(true, 4, 3, 2), 'q', true, 2, 100);
  assert.equal(ids(grown), '4 3 2', 'what the window left behind is gone');
  const waiting = advance(first, page(true, 6, 5, 4), 'q', false, 0, 100);
  assert.deepEqual([ids(waiting), waiting.pending], ['3 2 1', 3]);
  assert.equal(ids(advance(waiting, page(true, 6, 5, 4), 'q', true, 0, 100)), '6 5 4');
  assert.equal(ids(advance(first, page(false, 9), 'other', false, 0, 100)), '9');
});

test('messages are cut into words, pairs and numbers without losing a character', () => {
  const text = 'GET /cart 200 in 12.5ms user=u7 path="/a b" v1.2.3 heap 121Mi';
  const cut = pieces(text);
  assert.equal(cut.map((p) => p.text).join(''), text);
  assert.deepEqual(cut.filter((p) => p.kind === 'number').map((p) => p.text), ['200', '12.5ms', '121Mi']);
  assert.deepEqual(cut.filter((p) => p.kind === 'key').map((p) => p.text), ['user=', 'path=']);
});
