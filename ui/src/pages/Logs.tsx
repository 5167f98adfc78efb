// Logs: a Lucene query, what it finds over time, by field, and line by line; new lines come in while the window is live.
import type { CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { logFields, logFilter, searchLogs, strip, type Hit, type LogField } from '../lib/api';
import { serviceColor, type Severity } from '../lib/color';
import { count, dur } from '../lib/fmt';
import { T } from '../lib/i18n';
import { pageKeys } from '../lib/keys';
import { useData, utc, win } from '../lib/live';
import { advance, clause, flatten, hasClause, mergeRows, NO_LOGS, pieces, severityOf, toggleClause, toRow, type LogPage, type LogRow } from '../lib/logs';
import { clock } from '../lib/time';
import { go, href, param } from '../lib/url';
import { Histogram } from '../ui/Histogram';
import { Failure, origin, Teach } from '../ui/parts';
import { Query } from '../ui/Query';
import { VList } from '../ui/VList';

const PAGE = 200;
const ROWS_MAX = 20_000;
const BUCKETS = 120;
/** Opened at first: of each line the first field there is. */
const FIRST_FACETS = [
  ['severity_text', 'level', 'log.level', 'severity'],
  ['service.name', 'kubernetes.container_name', 'host.name'],
  ['k8s.namespace.name', 'kubernetes.namespace_name', 'log.file.path'],
];
const VALUES_SHOWN = 10;

interface Found extends LogPage {
  total: number;
  took: number;
}

/** Lines of the same millisecond need a second key, or paging would lose some. */
const SORT = [{ '@timestamp': { order: 'desc', unmapped_type: 'date' } }, { _doc: 'desc' }];

async function readPage(q: string, a: number, z: number, after: Hit | null, signal: AbortSignal): Promise<Found> {
  const r = await searchLogs({ size: PAGE, query: logFilter(q, a, z), sort: SORT, track_total_hits: true, ...(after?.sort ? { search_after: after.sort } : {}) }, signal);
  return { rows: r.hits.hits.map(toRow), total: r.hits.total.value, more: r.hits.hits.length === PAGE, took: r.took };
}

/** The newest lines, and the older ones read so far. A live window that moves on keeps what was read. */
function useRows(q: string, atTop: boolean) {
  const w = win.value;
  const first = useData(`${q} ${w.a} ${w.z}`, (s) => readPage(q, w.a, w.z, null, s));
  const [list, setList] = useState(NO_LOGS);
  const [error, setError] = useState<Error | null>(null);
  const reading = useRef(false);
  useEffect(() => {
    const scope = `${q} ${w.relative ? w.z - w.a : `${w.a} ${w.z}`}`;
    if (first.value) setList((old) => advance(old, first.value!, scope, atTop, w.a, ROWS_MAX));
  }, [first.value, atTop]);
  const older = async () => {
    const last = list.rows[list.rows.length - 1];
    if (reading.current || !list.more || !last || list.rows.length >= ROWS_MAX) return;
    reading.current = true;
    try {
      const next = await readPage(q, w.a, w.z, last.hit, new AbortController().signal);
      setList((now) => (now.scope === list.scope ? { ...now, rows: mergeRows(next.rows, now.rows, ROWS_MAX), more: next.more } : now));
      setError(null);
    } catch (e) {
      setError(e as Error);
    } finally {
      reading.current = false;
    }
  };
  return { rows: list.rows, pending: list.pending, older, total: first.value?.total ?? 0, took: first.value?.took ?? 0, loaded: first.value !== null, error: first.error ?? error };
}

export function Page() {
  const q = param('q');
  const w = win.value;
  const [atTop, setAtTop] = useState(true);
  const found = useRows(q, atTop);
  const bars = useData(`${q} ${w.a} ${w.z}`, (s) => strip(w.a, w.z, BUCKETS, q, s));
  const fields = useData(`${Math.floor(w.z / 6e4)}`, logFields);
  const complete = useCompletion(fields.value ?? []);
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
  const run = (text: string) => go(href(null, { q: text, open: null }));
  return (
    <div class="pg fill lo">
      <Facets q={q} fields={fields.value ?? []} />
      <div class="col">
        <Query lang="lucene" label="Lucene" value={q} hint={T('words, field:value, "a phrase", AND OR NOT')} complete={complete} onRun={run} main>
          <span class="stat">{found.loaded && T('{0} lines · {1}', count(found.total), dur(found.took))}</span>
        </Query>
        <Failure error={found.error} />
        <section class="card ls">
          <Histogram data={bars.value} window={w} />
          {found.pending > 0 && (
            <button class="note lnk" onClick={() => (setAtTop(true), document.querySelector('.ls .vl')?.scrollTo(0, 0))}>
              ↑ {T('{0} new lines', found.pending)}
            </button>
          )}
          {found.loaded && found.rows.length === 0 ? (
            <Nothing q={q} />
          ) : (
            <VList n={found.rows.length} size={21} open={open} at={cursor} keyOf={(i) => found.rows[i]?.id ?? i} onEnd={found.older} onTop={setAtTop} row={(i) => <Line row={found.rows[i]} open={i === open} cursor={i === cursor} toggle={() => (setCursor(i), toggle(found.rows[i]))} q={q} />} />
          )}
        </section>
      </div>
    </div>
  );
}

function Nothing({ q }: { q: string }) {
  if (q) return <Teach>{T('No line matches in this window.')}</Teach>;
  return (
    <Teach
      command={`curl -X POST ${origin()}/_bulk -H 'content-type: application/x-ndjson' --data-binary $'{"index":{"_index":"demo"}}\\n{"@timestamp":"'$(date -u +%FT%TZ)'","level":"info","message":"hello"}\\n'`}
    >
      {T('No logs in this window yet. Anything that speaks Elasticsearch bulk, OTLP or writes files can send them; for example:')}
    </Teach>
  );
}

interface LineProps {
  row: LogRow | undefined;
  open: boolean;
  cursor: boolean;
  toggle: () => void;
  q: string;
}

function Line({ row, open, cursor, toggle, q }: LineProps) {
  if (!row) return null;
  const text = row.message.length > 2000 ? row.message.slice(0, 2000) : row.message;
  return (
    <div class={`lr ${row.severity}${open ? ' open' : cursor ? ' cur' : ''}`}>
      <div class="l1" onClick={toggle}>
        <time>{clock(row.t, utc.value, { ms: true })}</time>
        <i class={'lv ' + row.severity} />
        <b class="svc" style={{ '--c': serviceColor(row.source) }}>{row.source}</b>
        <code>{pieces(text.replace(/\s+/g, ' ')).map((p) => (p.kind === 'text' ? p.text : p.kind === 'number' ? <span class="nu">{p.text}</span> : p.kind === 'key' ? <span class="kv">{p.text}</span> : p.text))}</code>
      </div>
      {open && <Detail row={row} q={q} />}
    </div>
  );
}

const asText = (v: unknown): string => (typeof v === 'string' ? v : JSON.stringify(v));

/** The opened row: the whole message, every field with a filter in and out, and where it leads. */
function Detail({ row, q }: { row: LogRow; q: string }) {
  const fields = flatten(row.hit._source);
  const source = fields.find(([k]) => ['service.name', 'kubernetes.pod_name', 'k8s.pod.name', 'container_name', 'host.name', 'log.file.path'].includes(k));
  const filter = (k: string, v: unknown, exclude: boolean) => href(null, { q: toggleClause(q, clause(k, v), exclude), open: null });
  return (
    <div class="dt">
      <pre>{row.message}</pre>
      <div class="kvs">
        {[...fields, ['_index', row.hit._index] as [string, unknown], ['_id', row.id] as [string, unknown]].map(([k, v]) => (
          <div>
            <em title={k}>{k}</em>
            <span>{asText(v)}</span>
            {typeof v !== 'object' && (
              <i class="io">
                <a title={T('only with this value')} href={filter(k, v, false)}>+</a>
                <a title={T('without this value')} href={filter(k, v, true)}>−</a>
              </i>
            )}
          </div>
        ))}
      </div>
      <div class="jumps">
        {/^[0-9a-f]{16,32}$/i.test(row.traceId) && (
          <a class="btn" href={href('/traces/' + row.traceId.toLowerCase())}>
            ◇ {T('Trace')}
          </a>
        )}
        {row.traceId && (
          <a class="btn" href={href(null, { q: clause('trace_id', row.traceId), open: row.id })}>
            {T('Lines of this trace')}
          </a>
        )}
        {source && (
          <a class="btn" href={href(null, { q: clause(source[0], source[1]), from: row.t - 30_000, to: row.t + 30_000, open: row.id })}>
            {T('± 30 s of {0}', String(source[1]))}
          </a>
        )}
      </div>
    </div>
  );
}

interface Bucket {
  key: string | number;
  key_as_string?: string;
  doc_count: number;
}

function Facets({ q, fields }: { q: string; fields: LogField[] }) {
  const exact = new Map(fields.map((f) => [f.name, f.exact]));
  const opened = param('f') ? param('f').split(',') : FIRST_FACETS.flatMap((names) => names.find((f) => exact.has(f)) ?? []);
  const [find, setFind] = useState('');
  const flip = (f: string) => {
    const next = opened.includes(f) ? opened.filter((x) => x !== f) : [...opened, f];
    go(href(null, { f: next.join(',') || 'none' }), true);
  };
  const rest = fields.map((f) => f.name).filter((f) => !opened.includes(f) && f !== '@timestamp' && (!find || f.toLowerCase().includes(find.toLowerCase())));
  return (
    <aside class="fac">
      <label>
        <input type="search" aria-label={T('Find a field')} placeholder={T('Find a field')} value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        <span class="m">{fields.length}</span>
      </label>
      <div class="scroll">
        {opened.filter((f) => f !== 'none').map((f) => <Facet key={f} q={q} field={f} exact={exact.get(f) ?? f} close={() => flip(f)} />)}
        {rest.slice(0, 300).map((f) => (
          <button class="fv t2" key={f} onClick={() => flip(f)}>
            <span class="cut">{f}</span>
          </button>
        ))}
      </div>
    </aside>
  );
}

/** The most frequent values of a field among the lines found. A click keeps only that value, the minus takes it out. */
function Facet({ q, field, exact, close }: { q: string; field: string; exact: string; close: () => void }) {
  const w = win.value;
  const { value, error } = useData(`${exact} ${q} ${w.a} ${w.z}`, (s) =>
    searchLogs({ size: 0, query: logFilter(q, w.a, w.z), aggs: { top: { terms: { field: exact, size: VALUES_SHOWN } } } }, s),
  );
  const buckets: Bucket[] = value?.aggregations?.top?.buckets ?? [];
  const rest: number = value?.aggregations?.top?.sum_other_doc_count ?? 0;
  const sum = buckets.reduce((n, b) => n + b.doc_count, rest) || 1;
  return (
    <>
      <h3 onClick={close} title={T('close')}>
        <span class="cut">{field}</span>
        <span class="t3">×</span>
      </h3>
      <Failure error={error} />
      {buckets.map((b) => {
        const text = String(b.key_as_string ?? b.key);
        const one = clause(field, b.key_as_string ?? b.key);
        return (
          <div class="fv" key={text}>
            {isLevel(field) ? <i class={'lv ' + levelOf(text)} /> : isService(field) ? <i class="sw" style={{ background: serviceColor(text) }} /> : null}
            <a class={'cut grow' + (hasClause(q, one) ? ' w' : '')} title={text} href={href(null, { q: toggleClause(q, one, false), open: null })}>
              {text || '""'}
            </a>
            <a class="minus" title={T('without this value')} href={href(null, { q: toggleClause(q, one, true), open: null })}>
              −
            </a>
            <em>{count(b.doc_count)}</em>
            <u style={{ width: `${(b.doc_count / sum) * 100}%` }} />
          </div>
        );
      })}
      {rest > 0 && <p class="fv t3">{T('{0} in other values', count(rest))}</p>}
      {value && buckets.length === 0 && <p class="fv t3">{T('none')}</p>}
    </>
  );
}

const isLevel = (field: string): boolean => /(^|\.)(level|severity|severity_text)$/.test(field);
const isService = (field: string): boolean => /service\.name$|container_name$/.test(field);
const levelOf = (text: string): Severity => severityOf(0, text);

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
      const r = await searchLogs({ size: 0, query: logFilter('', w.a, w.z), aggs: { top: { terms: { field: exact, size: 50 } } } }, stop.signal).catch(() => null);
      const buckets: Bucket[] = r?.aggregations?.top?.buckets ?? [];
      const from = c.pos - typed.length - (value.text.includes(':"') ? 1 : 0);
      return { from, options: buckets.map((b, i) => ({ boost: -i, label: clause('', b.key_as_string ?? b.key).slice(1), detail: count(b.doc_count) })), filter: true };
    }
    const word = c.matchBefore(/[\w.@-]+/);
    if (!word && !c.explicit) return null;
    return { from: word ? word.from : c.pos, options: known.current.map((f) => ({ label: f.name, apply: f.name + ':' })), validFor: /^[\w.@-]*$/ };
  }).current;
}
