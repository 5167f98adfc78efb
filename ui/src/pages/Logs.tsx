// Logs: a search and filters, what they find over time, by field, by shape and line by line; new lines come in while the window is live.
import type { CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { logFields, logFilter, searchLogs, strip, parseLogs, type Hit, type LogField } from '../lib/api';
import { css, serviceColor } from '../lib/color';
import { count, dur } from '../lib/fmt';
import { T } from '../lib/i18n';
import { pageKeys } from '../lib/keys';
import { live, useData, win } from '../lib/live';
import { advance, arrive, clause, dslOf, mergeRows, modeQuery, MODES, NO_LOGS, partsOf, pillsText, readPills, togglePill, toRow, type LogPage, type LogRow, type Mode, type Pill, type Search } from '../lib/logs';
import type { Note } from '../lib/series';
import { useTail } from '../lib/tail';
import { go, href, loc, param } from '../lib/url';
import { Facets, type Bucket } from '../ui/Facets';
import { bySeverity, Histogram, type Bars } from '../ui/Histogram';
import { Line } from '../ui/LogLine';
import { Failure, origin, Teach } from '../ui/parts';
import { Patterns } from '../ui/Patterns';
import { Pills } from '../ui/Pills';
import { Query } from '../ui/Query';
import { SavedSearches } from '../ui/Saved';
import { VList } from '../ui/VList';
import { Why } from '../ui/Why';

const PAGE = 200;
const ROWS_MAX = 20_000;
const BUCKETS = 120;
const FEW = 5; // hits below which it is asked why
const LAYERS = 6; // values of a field in the histogram
const NAMES: Record<Mode, string> = { lucene: 'Lucene', kql: 'KQL', text: 'Text' };

interface Found extends LogPage {
  total: number;
  took: number;
}

/** Lines of the same millisecond need a second key, or paging would lose some. */
const SORT = [{ '@timestamp': { order: 'desc', unmapped_type: 'date' } }, { _doc: 'desc' }];

async function readPage(parts: object[], a: number, z: number, after: Hit | null, signal: AbortSignal): Promise<Found> {
  const r = await searchLogs({ size: PAGE, query: logFilter(parts, a, z), sort: SORT, track_total_hits: true, ...(after?.sort ? { search_after: after.sort } : {}) }, signal);
  return { rows: r.hits.hits.map(toRow), total: r.hits.total.value, more: r.hits.hits.length === PAGE, took: r.took };
}

/** The newest lines, and the older ones read so far. A live window that moves on keeps what was read; new lines come by the tail, too. */
function useRows(search: Search, atTop: boolean) {
  const w = win.value;
  const dsl = dslOf(search);
  const scope = `${dsl} ${w.relative ? w.z - w.a : `${w.a} ${w.z}`}`;
  const first = useData(scope, (s) => readPage(partsOf(search), w.a, w.z, null, s), `${w.a} ${w.z}`);
  const [list, setList] = useState(NO_LOGS);
  const [error, setError] = useState<Error | null>(null);
  const reading = useRef(false);
  const top = useRef(atTop);
  top.current = atTop;
  useEffect(() => {
    if (first.value) setList((old) => advance(old, first.value!, scope, top.current, w.a, ROWS_MAX));
  }, [first.value]);
  useEffect(() => {
    if (atTop) setList((old) => (old.waiting.length ? arrive(old, [], 0, false, true, w.a, ROWS_MAX) : old));
  }, [atTop]);
  useTail(dsl, live.value, (news) => {
    setList((old) => (old.scope === scope ? arrive(old, news.hits.map(toRow), news.skipped, false, top.current, win.peek().a, ROWS_MAX) : old));
  });
  const older = async () => {
    const last = list.rows[list.rows.length - 1];
    if (reading.current || !list.more || !last || list.rows.length >= ROWS_MAX) return;
    reading.current = true;
    try {
      const next = await readPage(partsOf(search), w.a, w.z, last.hit, new AbortController().signal);
      setList((now) => (now.scope === list.scope ? { ...now, rows: mergeRows(next.rows, now.rows, ROWS_MAX), more: next.more } : now));
      setError(null);
    } catch (e) {
      setError(e as Error);
    } finally {
      reading.current = false;
    }
  };
  return { rows: list.rows, pending: list.waiting.length + list.missed, older, total: first.value?.total ?? 0, took: first.value?.took ?? 0, loaded: first.value !== null, error: first.error ?? error };
}

/** The lines over time: by severity, or by the most frequent values of a field. */
function useBars(search: Search, by: string, fields: LogField[]): Bars | null {
  const w = win.value;
  const dsl = dslOf(search);
  const exact = fields.find((f) => f.name === by)?.exact ?? by;
  const read = async (signal: AbortSignal): Promise<Bars> => {
    if (!by) return bySeverity(await strip(w.a, w.z, BUCKETS, dsl, signal));
    const step = Math.max(1, Math.ceil((w.z - w.a) / BUCKETS));
    const over = { date_histogram: { field: '@timestamp', fixed_interval: `${step}ms` } };
    const r = await searchLogs({ size: 0, query: logFilter(partsOf(search), w.a, w.z), aggs: { all: over, top: { terms: { field: exact, size: LAYERS }, aggs: { over } } } }, signal);
    const from = Math.floor(w.a / step) * step;
    const spread = (buckets: Bucket[]) => {
      const counts = new Array<number>(BUCKETS + 1).fill(0);
      for (const b of buckets) counts[Math.round((Number(b.key) - from) / step)] += b.doc_count;
      return counts;
    };
    const top: (Bucket & { over: { buckets: Bucket[] } })[] = r.aggregations?.top?.buckets ?? [];
    const layers = top.map((b) => ({ name: String(b.key_as_string ?? b.key), color: () => serviceColor(String(b.key_as_string ?? b.key)), counts: spread(b.over.buckets) }));
    const rest = spread(r.aggregations?.all?.buckets ?? []).map((n, i) => Math.max(0, n - layers.reduce((sum, l) => sum + l.counts[i], 0)));
    return { from, step, layers: [...layers, { name: T('other'), color: () => css('--line2'), counts: rest }] };
  };
  return useData(`${dsl} ${by} ${exact} ${w.relative ? w.z - w.a : `${w.a} ${w.z}`}`, read, `${w.a} ${w.z}`).value;
}

const PINS = 'logs.pins';

/** Filters of the URL; those that are pinned are remembered, and come back when the URL says nothing of filters. */
function usePills(): Pill[] {
  const text = param('pills');
  const pills = useMemo(() => readPills(text), [text]);
  const begun = useRef(false);
  useEffect(() => {
    const kept = readPills(localStorage.getItem(PINS) ?? '');
    const first = !begun.current;
    begun.current = true;
    if (first && !loc.value.query.has('pills') && kept.length) return go(href(null, { pills: pillsText(kept) }), true);
    localStorage.setItem(PINS, pillsText(pills.filter((p) => p.pin)));
  }, [text]);
  return pills;
}

export function Page() {
  const q = param('q');
  const mode = MODES.find((m) => m === param('mode')) ?? 'lucene';
  const pills = usePills();
  const search = useMemo((): Search => ({ q, mode, pills }), [q, mode, pills]);
  const by = param('by');
  const cols = param('cols') ? param('cols').split(',') : [];
  const wrap = param('wrap') === '1';
  const [atTop, setAtTop] = useState(true);
  const [asking, setAsking] = useState(false);
  const found = useRows(search, atTop);
  const fields = useData(`${Math.floor(win.value.z / 6e4)}`, logFields).value ?? [];
  const bars = useBars(search, by, fields);
  const complete = useCompletion(fields);
  const check = useMemo(() => (mode === 'text' ? undefined : (text: string, signal: AbortSignal) => notesOf(text, mode, signal)), [mode]);
  const [cursor, setCursor] = useState(-1);
  const openId = param('open');
  const open = useMemo(() => found.rows.findIndex((r) => r.id === openId), [found.rows, openId]);
  const toggle = (row: LogRow | undefined) => row && go(href(null, { open: row.id === openId ? null : row.id }), true);
  useEffect(
    () =>
      pageKeys({
        move: (by) => setCursor((c) => Math.max(0, Math.min(found.rows.length - 1, c + by))),
        open: () => toggle(found.rows[cursor]),
        close: () => go(href(null, { open: null }), true),
      }),
    [found.rows, cursor, openId],
  );
  const setPills = (next: Pill[]) => go(href(null, { pills: pillsText(next), open: null }));
  const filter = (text: string, not: boolean) => href(null, { pills: pillsText(togglePill(pills, text, not)), open: null });
  const column = (f: string) => go(href(null, { cols: (cols.includes(f) ? cols.filter((c) => c !== f) : [...cols, f]).join(',') }), true);
  const few = found.loaded && found.total < FEW && (q.trim() !== '' || pills.some((p) => !p.off));
  return (
    <div class="pg fill lo">
      <Facets search={search} fields={fields} cols={cols} filter={filter} column={column} />
      <div class="col">
        <Query
          lang="lucene"
          label={NAMES[mode]}
          picker={<ModePicker mode={mode} />}
          value={q}
          hint={mode === 'text' ? T('any part of a message') : T('words, field:value, "a phrase", AND OR NOT')}
          complete={complete}
          check={check}
          onRun={(text) => go(href(null, { q: text, open: null }))}
          main
        >
          <span class="stat">{found.loaded && T('{0} lines · {1}', count(found.total), dur(found.took))}</span>
          <SavedSearches pinned={pills.filter((p) => p.pin)} />
        </Query>
        <Pills pills={pills} set={setPills} />
        <Failure error={found.error} />
        {param('pat') !== 'off' && <Patterns search={search} filter={filter} />}
        <section class="card ls">
          <Tools by={by} wrap={wrap} fields={fields} few={few && found.total > 0} asking={asking} ask={() => setAsking(!asking)} />
          <Histogram data={bars} window={win.value} />
          {found.pending > 0 && (
            <button class="note lnk" onClick={() => (setAtTop(true), document.querySelector('.ls .vl')?.scrollTo(0, 0))}>
              ↑ {T('{0} new lines', count(found.pending))}
            </button>
          )}
          {few && (asking || found.total === 0) && <Why search={search} fields={fields} />}
          {cols.length > 0 && found.rows.length > 0 && <Heads cols={cols} />}
          {found.loaded && found.rows.length === 0 ? (
            <Nothing searching={few} />
          ) : (
            <VList
              n={found.rows.length}
              size={21}
              open={open}
              grow={wrap}
              at={cursor}
              keyOf={(i) => found.rows[i]?.id ?? i}
              onEnd={found.older}
              onTop={setAtTop}
              row={(i) => <Line row={found.rows[i]} open={i === open} cursor={i === cursor} wrap={wrap} cols={cols} toggle={() => (setCursor(i), toggle(found.rows[i]))} filter={filter} column={column} />}
            />
          )}
        </section>
      </div>
    </div>
  );
}

const ModePicker = ({ mode }: { mode: Mode }) => (
  <select class="mode" aria-label={T('Query language')} value={mode} onChange={(e) => go(href(null, { mode: e.currentTarget.value === 'lucene' ? null : e.currentTarget.value }))}>
    {MODES.map((m) => (
      <option value={m}>{NAMES[m]}</option>
    ))}
  </select>
);

/** What the server's parser says of a text, and where: "... (line 1, column 7, byte 6)". */
async function notesOf(text: string, mode: Mode, signal: AbortSignal): Promise<Note[]> {
  const error = text.trim() ? await parseLogs(modeQuery(text, mode), signal) : '';
  if (!error) return [];
  const at = /\(line (\d+), column (\d+)/.exec(error);
  const before = text.split('\n').slice(0, Number(at?.[1] ?? 1) - 1);
  return [{ kind: 'error', text: error, at: at ? before.reduce((n, l) => n + l.length + 1, 0) + Number(at[2]) - 1 : -1 }];
}

interface ToolsProps {
  by: string;
  wrap: boolean;
  fields: LogField[];
  few: boolean;
  asking: boolean;
  ask: () => void;
}
const Tools = ({ by, wrap, fields, few, asking, ask }: ToolsProps) => (
  <div class="ctl">
    <label>
      {T('by')}
      <select value={by} onChange={(e) => go(href(null, { by: e.currentTarget.value }), true)}>
        <option value="">{T('level')}</option>
        {by && !fields.some((f) => f.name === by) && <option value={by}>{by}</option>}
        {fields.filter((f) => f.type !== 'date').map((f) => <option value={f.name}>{f.name}</option>)}
      </select>
    </label>
    <label>
      <input type="checkbox" checked={wrap} onChange={(e) => go(href(null, { wrap: e.currentTarget.checked ? 1 : null }), true)} />
      {T('wrap')}
    </label>
    {param('pat') === 'off' && <a class="lnk" href={href(null, { pat: null })}>{T('Patterns')}</a>}
    {few && <button class="lnk" aria-expanded={asking} onClick={ask}>{T('Why so few?')}</button>}
  </div>
);

const Heads = ({ cols }: { cols: string[] }) => {
  const set = (next: string[]) => go(href(null, { cols: next.join(',') }), true);
  return (
    <div class="l1 heads">
      <span class="hs" />
      {cols.map((c, i) => (
        <span class="cc" title={c}>
          {i > 0 && <button title={T('move left')} aria-label={`${T('move left')}: ${c}`} onClick={() => set([...cols.slice(0, i - 1), c, cols[i - 1], ...cols.slice(i + 1)])}>‹</button>}
          <span class="cut">{c}</span>
          <button title={T('remove')} aria-label={`${T('remove')}: ${c}`} onClick={() => set(cols.filter((x) => x !== c))}>×</button>
        </span>
      ))}
    </div>
  );
};

function Nothing({ searching }: { searching: boolean }) {
  if (searching) return <Teach>{T('No line matches in this window.')}</Teach>;
  return (
    <Teach
      command={`curl -X POST ${origin()}/_bulk -H 'content-type: application/x-ndjson' --data-binary $'{"index":{"_index":"demo"}}\\n{"@timestamp":"'$(date -u +%FT%TZ)'","level":"info","message":"hello"}\\n'`}
    >
      {T('No logs in this window yet. Anything that speaks Elasticsearch bulk, OTLP or writes files can send them; for example:')}
    </Teach>
  );
}

/** Field names, and behind a colon the most frequent values of that field. */
function useCompletion(fields: LogField[]) {
  const known = useRef(fields);
  known.current = fields;
  return useRef(async (c: CompletionContext): Promise<CompletionResult | null> => {
    const value = c.matchBefore(/([\w.@-]+):"?([^\s:()"]*)/);
    if (value) {
      const [, field, typed] = /^([\w.@-]+):"?(.*)$/.exec(value.text)!;
      const w = win.peek();
      const exact = known.current.find((f) => f.name === field)?.exact ?? field;
      const stop = new AbortController();
      c.addEventListener('abort', () => stop.abort());
      const r = await searchLogs({ size: 0, query: logFilter([], w.a, w.z), aggs: { top: { terms: { field: exact, size: 50 } } } }, stop.signal).catch(() => null);
      const buckets: Bucket[] = r?.aggregations?.top?.buckets ?? [];
      const from = c.pos - typed.length - (value.text.includes(':"') ? 1 : 0);
      return { from, options: buckets.map((b, i) => ({ boost: -i, label: clause('', b.key_as_string ?? b.key).slice(1), detail: count(b.doc_count) })), filter: true };
    }
    const word = c.matchBefore(/[\w.@-]+/);
    if (!word && !c.explicit) return null;
    return { from: word ? word.from : c.pos, options: known.current.map((f) => ({ label: f.name, apply: f.name + ':', detail: f.type })), validFor: /^[\w.@-]*$/ };
  }).current;
}
