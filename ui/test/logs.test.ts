import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ansiPieces, stripAnsi } from '../src/lib/ansi';
import { advance, arrive, clause, clausesOf, dslOf, fieldOf, flatten, hasPill, mergeRows, NO_LOGS, partsOf, patternClause, pieces, pillsText, readPills, severityOf, streamOf, togglePill, toRow } from '../src/lib/logs';
import { nearest } from '../src/ui/Why';

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
  const one = togglePill([], 'a:b', false);
  assert.deepEqual(one, [{ text: 'a:b', not: false, off: false, pin: false }]);
  assert.ok(hasPill(one, 'a:b'));
  const turned = togglePill(one, 'a:b', true);
  assert.deepEqual([turned.length, turned[0].not, hasPill(turned, 'a:b')], [1, true, false]);
  assert.deepEqual(togglePill(turned, 'a:b', true), []);
  const off = [{ ...one[0], off: true, pin: true }];
  assert.deepEqual(togglePill(off, 'a:b', false), [{ ...off[0], off: false }], 'a filter that is off is switched on');
});

test('filters travel in the URL, and what is no filter is passed over', () => {
  const pills = [{ text: 'a:"x, y"', not: true, off: true, pin: true }, { text: 'n:5', not: false, off: false, pin: false }];
  assert.deepEqual(readPills(pillsText(pills)), pills);
  assert.equal(pillsText([]), '');
  for (const bad of ['', '{', '5', '["level:error", 5]']) assert.deepEqual(readPills(bad), []);
});

test('a search is its text in its language and the filters that are on', () => {
  const pills = readPills('["+ a:b","-~ c:d","- e:f"]');
  const parts = partsOf({ q: 'x y', mode: 'lucene', pills }) as { query_string: { query: string } }[];
  assert.deepEqual(parts.map((p) => p.query_string.query), ['x y', 'a:b', 'NOT e:f']);
  assert.deepEqual(partsOf({ q: 'a: b', mode: 'kql', pills: [] }), [{ kql: { query: 'a: b' } }]);
  assert.match(dslOf({ q: '50% *?', mode: 'text', pills: [] }), /"value":"\*50% \\\\\*\\\\\?\*"/);
  assert.equal(dslOf({ q: ' ', mode: 'kql', pills: [] }), '');
});

test('a query is cut into its clauses; quotes, brackets, ranges and expressions stay whole', () => {
  const cut = (q: string) => clausesOf(q).map((c) => (c.not ? '!' : '') + c.text);
  assert.deepEqual(cut('a:"x AND y" AND (b AND c) OR d:[1 TO 2]'), ['a:"x AND y"', '(b AND c)', 'd:[1 TO 2]']);
  assert.deepEqual(cut('NOT a -b !c +d e-f ! g'), ['!a', '!b', '!c', 'd', 'e-f', '!g']);
  assert.deepEqual(cut('path:/a b(c/ /etc x\\ y'), ['path:/a b(c/', '/etc x\\ y']);
  assert.deepEqual(cut('  "open'), ['"open']);
  assert.deepEqual(fieldOf('a\\ b.c:"d:e"'), { field: 'a b.c', value: '"d:e"' });
  assert.deepEqual(fieldOf('"d:e"'), { field: '', value: '"d:e"' });
});

test('the lines of a shape are found by a wildcard', () => {
  assert.equal(patternClause('message', 'charge failed order=o-\u2039*\u203a: (\u2039*\u203a)'), 'message.keyword:charge\\ failed\\ order=o\\-*\\:\\ \\(*\\)*');
  assert.equal(patternClause('log', 'a * b \u2039*\u203a'), 'log.keyword:a\\ \\*\\ b\\ *');
});

test('a line comes from its pod and container, or the next best it names', () => {
  const of = (doc: object) => streamOf({ _id: '1', _index: 'i', _source: doc as Record<string, unknown> });
  assert.deepEqual(of({ kubernetes: { pod_name: 'p', container_name: 'c' }, service: { name: 's' } }), [['kubernetes.pod_name', 'p'], ['kubernetes.container_name', 'c']]);
  assert.deepEqual(of({ service: { name: 's' } }), [['service.name', 's']]);
  assert.deepEqual(of({ a: 1 }), []);
});

test('terminal colours become pieces; other sequences go', () => {
  const cut = ansiPieces('\x1b[1;31mERROR\x1b[0m \x1b[38;5;208mfull\x1b[39m\x1b[2K \x1b[48;2;1;2;3;4mx\x1b]0;title\x07y');
  assert.deepEqual(cut.map((p) => [p.text, p.cls, p.color]), [['ERROR', 'a1 ab', ''], [' ', '', ''], ['full', '', 'rgb(255 135 0)'], [' ', '', ''], ['x', 'au', ''], ['y', 'au', '']]);
  assert.equal(stripAnsi('\x1b[32mok\x1b[m'), 'ok');
});

test('a field that was meant is found by its path and by its letters', () => {
  const fields = ['kubernetes.namespace_name', 'level', 'service.name'];
  assert.equal(nearest('namespace_name', fields), 'kubernetes.namespace_name');
  assert.equal(nearest('levle', fields), 'level');
  assert.equal(nearest('nothing', fields), '');
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
  assert.deepEqual([ids(first), first.more, first.waiting.length], ['3 2 1', true, 0]);
  const grown = advance(first, page(true, 4, 3, 2), 'q', true, 2, 100);
  assert.equal(ids(grown), '4 3 2', 'what the window left behind is gone');
  const waiting = advance(first, page(true, 6, 5, 4), 'q', false, 0, 100);
  assert.deepEqual([ids(waiting), waiting.waiting.length], ['3 2 1', 3]);
  assert.equal(ids(advance(waiting, page(true, 6, 5, 4), 'q', true, 0, 100)), '6 5 4');
  assert.equal(ids(advance(first, page(false, 9), 'other', false, 0, 100)), '9');
});

test('lines that come while the list is scrolled wait, however they come', () => {
  const rows = (...ids: number[]) => ids.map((t) => ({ id: String(t), t }) as never);
  const ids = (l: { rows: { id: string }[] }) => l.rows.map((r) => r.id).join(' ');
  const list = { ...NO_LOGS, scope: 'q', rows: rows(2, 1) };
  const one = arrive(list, rows(3), 0, false, false, 0, 100);
  const two = arrive(one, rows(4), 0, false, false, 0, 100);
  assert.deepEqual([ids(two), two.waiting.length, two.missed], ['2 1', 2, 0]);
  assert.equal(ids(arrive(two, [], 0, false, true, 0, 100)), '4 3 2 1');
  const torn = arrive(two, rows(9), 4, false, false, 0, 100);
  assert.deepEqual([torn.waiting.length, torn.missed, torn.gap], [1, 6, true], 'what is known to be newer is counted');
  const anew = arrive(torn, [], 0, false, true, 0, 100);
  assert.deepEqual([ids(anew), anew.more, anew.gap], ['9', true, false]);
  const slow = arrive(list, [], 5, false, true, 0, 100);
  assert.deepEqual([ids(slow), slow.gap], ['2 1', true]);
  assert.equal(ids(arrive(slow, rows(9, 8), 0, true, true, 0, 100)), '9 8');
});

test('messages are cut into words, pairs and numbers without losing a character', () => {
  const text = 'GET /cart 200 in 12.5ms user=u7 path="/a b" v1.2.3 heap 121Mi';
  const cut = pieces(text);
  assert.equal(cut.map((p) => p.text).join(''), text);
  assert.deepEqual(cut.filter((p) => p.kind === 'number').map((p) => p.text), ['200', '12.5ms', '121Mi']);
  assert.deepEqual(cut.filter((p) => p.kind === 'key').map((p) => p.text), ['user=', 'path=']);
});
