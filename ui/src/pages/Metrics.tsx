// Metrics: what there is on the left, queries and their lines on the right.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { labelValues, metadata, queryGrid, queryInstant, type Instant, type Labels } from '../lib/api';
import { lineColor } from '../lib/color';
import { dur, num, unitOf } from '../lib/fmt';
import { T } from '../lib/i18n';
import { useData, win } from '../lib/live';
import { errorPosition, families, firstQuery, seriesNames, summary, toGrid, type Line, type MetricRow } from '../lib/series';
import { formatDuration, parseDuration, stepFor } from '../lib/time';
import { go, href, loc, param } from '../lib/url';
import { Chart, cursorTime } from '../ui/Chart';
import { Failure, Tabs, Teach } from '../ui/parts';
import { Query } from '../ui/Query';
import { VList } from '../ui/VList';

const LINES_MAX = 120;
const POINTS = 360;
const key = (i: number) => (i === 0 ? 'q' : `q${i + 1}`);

/** The queries in the URL: q, q2, q3... up to the last one there is. */
function queriesInUrl(): string[] {
  let last = 0;
  for (const k of loc.value.query.keys()) {
    const m = /^q(\d+)$/.exec(k);
    if (m && Number(m[1]) <= 9) last = Math.max(last, Number(m[1]) - 1);
  }
  return Array.from({ length: last + 1 }, (_, i) => param(key(i)));
}

export function Page() {
  const inUrl = queriesInUrl();
  const [more, setMore] = useState(0);
  const [active, setActive] = useState(0);
  const queries = [...inUrl, ...Array<string>(more).fill('')];
  const view = param('view', 'lines');
  const run = (i: number, text: string) => {
    if (i >= inUrl.length) setMore(Math.max(0, more - 1));
    go(href(null, { [key(i)]: text }));
  };
  const remove = (i: number) => {
    const rest = queries.filter((_, k) => k !== i);
    setMore(0);
    setActive(0);
    go(href(null, Object.fromEntries(queries.map((_, k) => [key(k), rest[k] ?? null]))));
  };
  return (
    <div class="pg fill mx">
      <MetricList chosen={queries[active] ?? ''} choose={(q) => run(active, q)} />
      <div class="col">
        {queries.map((q, i) => (
          <QueryRow key={i} i={i} q={q} run={(text) => run(i, text)} focus={() => setActive(i)} remove={queries.length > 1 ? () => remove(i) : undefined} />
        ))}
        {view === 'table' ? <Table queries={queries} /> : <Graph queries={queries} stack={view === 'stack'} add={queries.length < 9 ? () => (setMore(more + 1), setActive(queries.length)) : undefined} />}
      </div>
    </div>
  );
}

function QueryRow({ i, q, run, focus, remove }: { i: number; q: string; run: (text: string) => void; focus: () => void; remove?: () => void }) {
  return (
    <Query lang="promql" label={String.fromCharCode(65 + i)} value={q} hint={T('PromQL expression, for example up')} onRun={run} onFocus={focus} main={i === 0}>
      {remove && (
        <button class="ib" title={T('Remove')} onClick={remove}>
          ×
        </button>
      )}
    </Query>
  );
}

function MetricList({ chosen, choose }: { chosen: string; choose: (query: string) => void }) {
  const [find, setFind] = useState('');
  const w = win.value;
  const minute = Math.floor(w.z / 6e4);
  const names = useData(`${minute} ${w.z - w.a}`, (s) => labelValues('__name__', w.a, w.z, s));
  const meta = useData(`${minute}`, (s) => metadata(s).catch(() => ({})));
  const rows = useMemo(() => families(names.value ?? [], meta.value ?? {}), [names.value, meta.value]);
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = words.length ? rows.filter((r) => words.every((x) => r.name.toLowerCase().includes(x) || r.help.toLowerCase().includes(x))) : rows;
  const pick = (r: MetricRow) => choose(firstQuery(r, '1m'));
  return (
    <aside class="fac">
      <label>
        <input type="search" aria-label={T('Find a metric')} placeholder={T('Find a metric')} value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        <span class="m">{shown.length}</span>
      </label>
      <Failure error={names.error} />
      {names.value && rows.length === 0 && <Teach>{T('No metrics in this window.')}</Teach>}
      <VList
        n={shown.length}
        size={45}
        keyOf={(i) => shown[i]?.name ?? i}
        row={(i) => {
          const r = shown[i];
          if (!r) return null;
          const on = new RegExp(`(^|[^\\w:])${r.name}(_bucket)?($|[^\\w:])`).test(chosen);
          return (
            <a class={'mi' + (on ? ' on' : '')} title={r.help} onClick={() => pick(r)}>
              <b>{r.name}</b>
              <span>
                {r.type && <em class={r.type}>{r.type}</em>}
                {r.help || ' '}
              </span>
            </a>
          );
        }}
      />
    </aside>
  );
}

interface Answer {
  lines: (Line & { query: number })[];
  x: number[];
  errors: (Error | null)[];
  notes: string[];
  total: number;
  ms: number;
}

async function ask(queries: string[], a: number, z: number, step: number, signal: AbortSignal): Promise<Answer> {
  const began = performance.now();
  const start = Math.ceil(a / 1e3 / step) * step;
  const end = Math.max(start, z / 1e3);
  const results = await Promise.allSettled(queries.map((q) => (q ? queryGrid(q, start, end, step, signal) : null)));
  const out: Answer = { lines: [], x: toGrid([], start, end, step, '').x, errors: [], notes: [], total: 0, ms: 0 };
  results.forEach((r, i) => {
    out.errors.push(r.status === 'rejected' ? (r.reason as Error) : null);
    if (r.status === 'rejected' || !r.value) return;
    const room = Math.max(0, LINES_MAX - out.lines.length);
    out.total += r.value.series.length;
    out.notes.push(...r.value.notes);
    for (const line of toGrid(r.value.series.slice(0, room), start, end, step, queries[i]).lines) out.lines.push({ ...line, query: i });
  });
  signal.throwIfAborted();
  out.ms = performance.now() - began;
  return out;
}

function Graph({ queries, stack, add }: { queries: string[]; stack: boolean; add?: () => void }) {
  const w = win.value;
  const chosenStep = (parseDuration(param('step')) ?? 0) / 1e3;
  const step = Math.max(chosenStep || Math.max(1, stepFor(w, POINTS)), (w.z - w.a) / 1e3 / 11_000);
  const any = queries.some(Boolean);
  const { value, error, busy } = useData(any ? JSON.stringify([queries, w.a, w.z, step]) : null, (s) => ask(queries, w.a, w.z, step, s));
  const [hover, setHover] = useState<number | null>(null);
  const [only, setOnly] = useState<string | null>(null);
  const lines = value?.lines ?? [];
  const colored = useMemo(() => lines.map((l, i) => ({ ...l, id: `${l.query} ${l.name}`, color: lineColor(i) })), [value]);
  useEffect(() => setOnly(null), [queries.join('\n')]);
  const drawn = useMemo(() => (only ? colored.filter((l) => l.id === only) : colored), [colored, only]);
  const format = useMemo(() => (queries.filter(Boolean).length === 1 ? unitOf(queries.find(Boolean)!) : num), [queries.join('\n')]);
  return (
    <>
      {value?.errors.map((e, i) => e && <QueryError key={i} query={queries[i]} error={e} />)}
      <Failure error={error} />
      <section class="card">
        <div class="ctl">
          <Tabs name="view" at={stack ? 'stack' : 'lines'} of={[['lines', 'Lines'], ['stack', 'Stacked'], ['table', 'Table']]} />
          {add && <button class="btn" onClick={add}>+ {T('query')}</button>}
          <span class="grow" />
          {any && value && (
            <span class="m t3">
              {T('{0} series · {1} points · {2}', value.total, value.x.length, dur(value.ms))}
              {busy ? ' …' : ''}
            </span>
          )}
          <label>
            {T('step')}
            <input key={param('step')} defaultValue={param('step')} placeholder={formatDuration(step * 1e3)} onChange={(e) => go(href(null, { step: parseDuration(e.currentTarget.value) ? e.currentTarget.value : null }))} />
          </label>
          <label>
            <input type="checkbox" style={{ width: 'auto' }} checked={param('y0') === '1'} onChange={(e) => go(href(null, { y0: e.currentTarget.checked ? 1 : null }), true)} />
            {T('from zero')}
          </label>
        </div>
        {!any ? (
          <Teach>{T('Choose a metric on the left, or write a query: the lines come here.')}</Teach>
        ) : value && lines.length === 0 && !value.errors.some(Boolean) ? (
          <Teach>{T('The query is fine, but no series matches it in this window.')}</Teach>
        ) : (
          <Chart x={value?.x ?? []} lines={drawn} window={w} stack={stack} zero={param('y0') === '1'} h={320} format={format} onHover={setHover} onZoom={(a, z) => go(href(null, { from: a, to: z }))} />
        )}
        {value && value.total > lines.length && <p class="note warn">{T('{0} series; the first {1} are drawn. Aggregate, or narrow the selector.', value.total, lines.length)}</p>}
        {value?.notes.map((n) => <p class="note warn">{n}</p>)}
        {lines.length > 0 && <Legend lines={colored} x={value!.x} hover={hover} only={only} setOnly={setOnly} format={format} />}
      </section>
    </>
  );
}

type Colored = Line & { color: string; id: string };

function Legend({ lines, x, hover, only, setOnly, format }: { lines: Colored[]; x: number[]; hover: number | null; only: string | null; setOnly: (id: string | null) => void; format: (v: number) => string }) {
  const stats = useMemo(() => lines.map((l) => summary(l.v)), [lines]);
  const show = (v: number | null) => (v === null || v === undefined ? <span class="t3">–</span> : format(v));
  return (
    <table class="lg">
      <thead>
        <tr>
          <th>{T('Series')}</th>
          <th class="n">{hover === null ? '' : cursorTime(x, hover)}</th>
          <th class="n">min</th>
          <th class="n">mean</th>
          <th class="n">max</th>
          <th class="n">last</th>
        </tr>
      </thead>
      <tbody>
        {lines.map((l, i) => (
          <tr key={l.id} class={only && only !== l.id ? 'off' : ''} onClick={() => setOnly(only === l.id ? null : l.id)} title={labelText(l.labels)}>
            <td class="name">
              <i class="sw" style={{ background: l.color }} />
              {l.name}
            </td>
            <td class="n">{hover === null ? '' : show(l.v[hover])}</td>
            <td class="n">{show(stats[i].min)}</td>
            <td class="n">{show(stats[i].mean)}</td>
            <td class="n">{show(stats[i].max)}</td>
            <td class="n">{show(stats[i].last)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const labelText = (l: Labels): string =>
  (l.__name__ ?? '') + '{' + Object.entries(l).filter(([k]) => k !== '__name__').map(([k, v]) => `${k}=${JSON.stringify(v)}`).join(', ') + '}';

/** The server's words, and a mark under the place it means. */
function QueryError({ query, error }: { query: string; error: Error }) {
  const at = errorPosition(error.message);
  const line = at ? query.split('\n')[at.line - 1] : undefined;
  return (
    <p class="note err" role="alert">
      {at && line !== undefined ? `${line}\n${' '.repeat(Math.max(0, at.column - 1))}^\n` : ''}
      {error.message}
    </p>
  );
}

function Table({ queries }: { queries: string[] }) {
  const w = win.value;
  return (
    <section class="card">
      <div class="ctl">
        <Tabs name="view" at="table" of={[['lines', 'Lines'], ['stack', 'Stacked'], ['table', 'Table']]} />
      </div>
      {queries.filter(Boolean).map((q) => (
        <TableOf key={q} query={q} at={w.z} />
      ))}
      {!queries.some(Boolean) && <Teach>{T('Choose a metric on the left, or write a query: the lines come here.')}</Teach>}
    </section>
  );
}

const ROWS_MAX = 1000;

function TableOf({ query, at }: { query: string; at: number }) {
  const { value, error } = useData(`${query} ${at}`, (s) => queryInstant(query, at, s));
  if (error) return <QueryError query={query} error={error} />;
  const rows = value ? tableRows(value, query) : [];
  return (
    <table>
      <thead>
        <tr>
          <th>{query}</th>
          <th class="n">{T('value')}</th>
        </tr>
      </thead>
      <tbody>
        {rows.slice(0, ROWS_MAX).map(([name, text]) => (
          <tr>
            <td class="m">{name}</td>
            <td class="n">{text}</td>
          </tr>
        ))}
        {value && rows.length === 0 && (
          <tr>
            <td class="t2" colSpan={2}>
              {T('The query is fine, but no series matches it in this window.')}
            </td>
          </tr>
        )}
        {rows.length > ROWS_MAX && (
          <tr>
            <td class="w" colSpan={2}>
              {T('{0} rows; the first {1} are shown.', rows.length, ROWS_MAX)}
            </td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

interface TableRow {
  metric: Labels;
  value?: [number, string];
  values?: [number, string][];
  histogram?: [number, { count: string; sum: string }];
}

function tableRows(r: Instant, query: string): [string, string][] {
  if (r.resultType === 'scalar' || r.resultType === 'string') return [[r.resultType, r.result[1]]];
  const rows = r.result as TableRow[];
  const names = rows.length === 1 ? seriesNames(rows.map((x) => x.metric), query) : rows.map((x) => labelText(x.metric));
  return rows.map((x, i) => {
    if (x.values) return [names[i], x.values.map(([t, v]) => `${v} @${t}`).join('  ')];
    if (x.histogram) return [names[i], `count ${x.histogram[1].count}, sum ${x.histogram[1].sum}`];
    return [names[i], x.value?.[1] ?? ''];
  });
}
