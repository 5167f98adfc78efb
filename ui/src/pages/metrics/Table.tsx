// The values of a query at the end of the window: a row per series, a column per label that tells them apart.
import { useMemo, useState } from 'preact/hooks';
import { queryInstant, type Histogram, type Instant, type Labels } from '../../lib/api';
import { num } from '../../lib/fmt';
import { T } from '../../lib/i18n';
import { useData, utc, win } from '../../lib/live';
import { metricMeta } from '../../lib/names';
import type { Panel } from '../../lib/panels';
import { labelText, noteIn } from '../../lib/series';
import { clock } from '../../lib/time';
import { UNITS, unitFor } from '../../lib/units';
import { NoteLine } from './Panel';

const ROWS_MAX = 1000;
const COLUMNS_MAX = 8;
const VALUE = '#';

interface Row {
  metric: Labels;
  value?: [number, string];
  values?: [number, string][];
  histogram?: [number, Histogram];
  histograms?: [number, Histogram][];
}

export function Table({ query, at, panel, sort }: { query: string; at: number; panel: Panel; sort: (by: string) => void }) {
  const w = win.value;
  const { value, error } = useData(`${query} ${w.relative ? w.z - w.a : at}`, (s) => queryInstant(query, at, s), String(at));
  const meta = useData('', metricMeta);
  if (error) return <NoteLine query={query} note={noteIn(error.message, query, 'error')} />;
  if (!value) return null;
  const unit = panel.unit in UNITS ? panel.unit : unitFor(query, (m) => meta.value?.[m]?.[0]?.unit);
  return (
    <>
      {value.warnings.map((t) => <NoteLine query={query} note={noteIn(t, query, 'warning')} />)}
      {value.infos.map((t) => <NoteLine query={query} note={noteIn(t, query, 'info')} />)}
      {value.resultType === 'scalar' || value.resultType === 'string' ? (
        <p class="note m">
          {value.resultType} <b>{value.result[1]}</b>
        </p>
      ) : (
        <Rows value={value} query={query} by={panel.sort} sort={sort} format={UNITS[unit].format} />
      )}
    </>
  );
}

/** Label names that differ between rows; all of a single row. */
export function columnsOf(rows: { metric: Labels }[]): string[] {
  const names = [...new Set(rows.flatMap((r) => Object.keys(r.metric)))];
  return rows.length < 2 ? names : names.filter((n) => rows.some((r) => r.metric[n] !== rows[0].metric[n]));
}

const valueOf = (r: Row): number => Number(r.value?.[1] ?? r.histogram?.[1].count ?? r.values?.[r.values.length - 1]?.[1] ?? NaN);

/** By a label or by value ('#'); a '-' in front turns it round. */
export function sorted<R extends Row>(rows: R[], by: string): R[] {
  if (!by) return rows;
  const down = by.startsWith('-') ? -1 : 1;
  const name = by.replace(/^-/, '');
  const order = name === VALUE ? (a: R, b: R) => valueOf(a) - valueOf(b) : (a: R, b: R) => (a.metric[name] ?? '').localeCompare(b.metric[name] ?? '', 'en', { numeric: true });
  return [...rows].sort((a, b) => down * order(a, b));
}

function Rows({ value, query, by, sort, format }: { value: Instant; query: string; by: string; sort: (by: string) => void; format: (v: number) => string }) {
  const all = value.result as Row[];
  const names = useMemo(() => columnsOf(all), [value]);
  const rows = useMemo(() => sorted(all, by), [value, by]);
  const shared = all.length > 1 ? labelText(Object.fromEntries(Object.entries(all[0].metric).filter(([k]) => k !== '__name__' && !names.includes(k)))) : '';
  const wide = names.length > COLUMNS_MAX;
  const head = (name: string, word: string, number = false) => (
    <th class={number ? 'n' : ''} aria-sort={by === name ? 'ascending' : by === '-' + name ? 'descending' : undefined}>
      <button onClick={() => sort(by === name ? '-' + name : by === '-' + name ? '' : name)}>
        {word} {by === name ? '↑' : by === '-' + name ? '↓' : ''}
      </button>
    </th>
  );
  if (!all.length) return <p class="note">{T('The query is fine, but no series matches it in this window.')}</p>;
  return (
    <>
      <p class="note m">
        {query} <span class="t3">{T('{0} rows', all.length)} {shared && shared !== '{}' ? shared : ''}</span>
      </p>
      <div class="wide-table">
        <table class="rows">
          <thead>
            <tr>
              {wide ? head('__name__', T('Series')) : names.map((n) => head(n, n))}
              {head(VALUE, T('value'), true)}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, ROWS_MAX).map((r) => (
              <tr title={labelText(r.metric)}>
                {wide ? <td class="m">{labelText(r.metric)}</td> : names.map((n) => <td class="m">{r.metric[n] ?? <span class="t3">–</span>}</td>)}
                <td class="n">{cell(r, format)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > ROWS_MAX && <p class="note warn">{T('{0} rows; the first {1} are shown.', rows.length, ROWS_MAX)}</p>}
    </>
  );
}

function cell(r: Row, format: (v: number) => string) {
  if (r.histogram) return <Buckets h={r.histogram[1]} format={format} />;
  if (r.histograms?.length) return <Buckets h={r.histograms[r.histograms.length - 1][1]} format={format} />;
  if (r.values) return r.values.slice(-50).map(([t, v]) => <div title={clock(t * 1e3, utc.value, { day: true, ms: true })}>{v} <span class="t3">{clock(t * 1e3, utc.value, { ms: true })}</span></div>);
  const text = r.value?.[1] ?? '';
  return <span title={text}>{Number.isFinite(Number(text)) ? format(Number(text)) : text}</span>;
}

/** A native histogram: its count and sum, and its buckets when asked. */
function Buckets({ h, format }: { h: Histogram; format: (v: number) => string }) {
  const [open, setOpen] = useState(false);
  const buckets = h.buckets ?? [];
  const most = Math.max(...buckets.map((b) => Number(b[3])), 0);
  return (
    <div class="buckets">
      <button aria-expanded={open} onClick={() => setOpen(!open)}>
        {T('count {0} · sum {1} · {2} buckets', num(Number(h.count)), format(Number(h.sum)), buckets.length)} {open ? '▾' : '▸'}
      </button>
      {open &&
        buckets.map(([kind, lo, hi, n]) => (
          <div>
            <span class="t2">
              {kind === 1 || kind === 3 ? '[' : '('}
              {format(Number(lo))}, {format(Number(hi))}
              {kind === 0 || kind === 3 ? ']' : ')'}
            </span>
            <i style={{ width: `${(Number(n) / (most || 1)) * 160}px` }} />
            <b>{num(Number(n))}</b>
          </div>
        ))}
    </div>
  );
}
