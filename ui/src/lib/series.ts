// Series of a range query, prepared for a chart and its legend.
import type { Labels, Series } from './api';
import { tokens } from './promql';

export interface Line {
  name: string;
  labels: Labels;
  v: (number | null)[];
}

export interface Grid {
  x: number[]; // s
  lines: Line[];
}

/** Label values that tell the series of one answer apart; the shared ones are left out. */
export function seriesNames(all: Labels[], whole = ''): string[] {
  if (all.length === 0) return [];
  const shared = Object.entries(all[0]).filter(([k, v]) => all.every((l) => l[k] === v)).map(([k]) => k);
  const own = (l: Labels) => Object.entries(l).filter(([k]) => k !== '__name__' && (!shared.includes(k) || all.length === 1));
  return all.map((l) => {
    const metric = l.__name__ && (!shared.includes('__name__') || all.length === 1) ? l.__name__ : '';
    const labels = own(l).map(([k, v]) => `${k}=${v}`).join('  ');
    return [metric, labels].filter(Boolean).join('  ') || l.__name__ || whole || '{}';
  });
}

/** A series as it is written: name{label="value", ...}. */
export const labelText = (l: Labels): string =>
  (l.__name__ ?? '') + '{' + Object.entries(l).filter(([k]) => k !== '__name__').map(([k, v]) => `${k}=${JSON.stringify(v)}`).join(', ') + '}';

/** All lines over one grid from `start` by `step` (s); gaps are null. Values that are no numbers are gaps, too. */
export function toGrid(series: Series[], start: number, end: number, step: number, whole: string): Grid {
  const n = Math.max(1, Math.floor((end - start) / step + 1e-6) + 1);
  const x = Array.from({ length: n }, (_, i) => start + i * step);
  const names = seriesNames(series.map((s) => s.metric), whole);
  const lines = series.map((s, k) => {
    const v: (number | null)[] = new Array(n).fill(null);
    for (const [t, text] of s.values ?? []) {
      const i = Math.round((t - start) / step);
      const value = Number(text);
      if (i >= 0 && i < n && Number.isFinite(value)) v[i] = value;
    }
    return { name: names[k], labels: s.metric, v };
  });
  return { x, lines };
}

/** One observation behind a series, and the trace it was made in. */
export interface Exemplar {
  t: number; // ms
  v: number;
  trace: string;
  failed: boolean;
  text: string;
}

export interface Summary {
  min: number | null;
  mean: number | null;
  max: number | null;
  last: number | null;
}

export function summary(v: (number | null)[]): Summary {
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let n = 0;
  let last: number | null = null;
  for (const x of v) {
    if (x === null) continue;
    min = Math.min(min, x);
    max = Math.max(max, x);
    sum += x;
    n++;
    last = x;
  }
  return n ? { min, mean: sum / n, max, last } : { min: null, mean: null, max: null, last: null };
}

/** Running sums from the first line up; a gap counts as zero while any line has a value there. */
export function stacked(lines: (number | null)[][]): (number | null)[][] {
  const n = lines[0]?.length ?? 0;
  const total = new Array<number>(n).fill(0);
  const any = Array.from({ length: n }, (_, i) => lines.some((l) => l[i] !== null));
  return lines.map((l) => l.map((x, i) => (any[i] ? (total[i] += x ?? 0) : null)));
}

/** Where a PromQL error points: Prometheus writes "line:column: parse error: ...". */
export function errorPosition(message: string): { line: number; column: number } | null {
  const m = /(?:^|[\s"])(\d+):(\d+): (?:parse error|.*error)/.exec(message);
  return m ? { line: Number(m[1]), column: Number(m[2]) } : null;
}

/** What the server said of a query: a place in its text, -1 if it names none. */
export interface Note {
  kind: 'error' | 'warning' | 'info';
  text: string;
  at: number;
}

/** The note of a message that may name its place as line:column (errors, in front) or (line:column) (annotations, at the end). */
export function noteIn(message: string, query: string, kind: Note['kind']): Note {
  const m = errorPosition(message) ?? tailPosition(message);
  const before = query.split('\n').slice(0, (m?.line ?? 1) - 1);
  return { kind, text: message, at: m ? before.reduce((n, l) => n + l.length + 1, 0) + Math.max(0, m.column - 1) : -1 };
}
function tailPosition(message: string): { line: number; column: number } | null {
  const m = /\((\d+):(\d+)\)$/.exec(message);
  return m ? { line: Number(m[1]), column: Number(m[2]) } : null;
}

export interface MetricRow {
  name: string;
  type: string;
  help: string;
}

/** Metric names as families: the parts of a histogram or summary become one row. */
export function families(names: string[], meta: Record<string, { type: string; help: string }[]>): MetricRow[] {
  const rows = new Map<string, MetricRow>();
  for (const name of names) {
    const base = name.replace(/_(bucket|count|sum)$/, '');
    const whole = meta[base]?.[0];
    const part = base !== name && !meta[name] && (whole?.type === 'histogram' || whole?.type === 'summary');
    const own = meta[name]?.[0] ?? meta[name.replace(/_total$/, '')]?.[0];
    const row = part ? { name: base, ...whole } : { name, type: own?.type ?? guess(name), help: own?.help ?? '' };
    rows.set(row.name, { name: row.name, type: row.type === 'unknown' ? '' : row.type, help: row.help });
  }
  return [...rows.values()].sort((a, b) => Number(isOwn(a.name)) - Number(isOwn(b.name)) || (a.name < b.name ? -1 : 1));
}
/** What binnacle says of itself stands behind what it was given. */
const isOwn = (name: string): boolean => name.startsWith('binnacle_');
const guess = (name: string): string => (name.endsWith('_total') ? 'counter' : '');

/** The query most people want of a metric of this type. */
export function firstQuery(row: MetricRow, range: string): string {
  if (row.type === 'counter') return `rate(${row.name}[${range}])`;
  if (row.type === 'histogram') return `histogram_quantile(0.99, sum by (le) (rate(${row.name}_bucket[${range}])))`;
  return row.name;
}

export interface LabelCount {
  name: string;
  values: [value: string, series: number][]; // most series first
}

/** The labels of some series with their values, those with the fewest values first. */
export function labelCounts(all: Labels[]): LabelCount[] {
  const by = new Map<string, Map<string, number>>();
  for (const l of all) {
    for (const [k, v] of Object.entries(l)) {
      if (k === '__name__') continue;
      let values = by.get(k);
      if (!values) by.set(k, (values = new Map()));
      values.set(v, (values.get(v) ?? 0) + 1);
    }
  }
  return [...by]
    .map(([name, values]): LabelCount => ({ name, values: [...values].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)) }))
    .sort((a, b) => a.values.length - b.values.length || (a.name < b.name ? -1 : 1));
}

/** The query with one more matcher at every selector of the metric, in place of one for the same label and value. */
export function withMatcher(query: string, metric: string, label: string, value: string): string {
  const matcher = `${label}=${JSON.stringify(value)}`;
  const all = tokens(query);
  let out = '';
  for (let i = 0; i < all.length; i++) {
    out += all[i].text;
    if (all[i].kind !== 'ident' || all[i].text !== metric) continue;
    if (all[i + 1]?.text !== '{') {
      out += `{${matcher}}`;
      continue;
    }
    const end = all.findIndex((t, k) => k > i && t.text === '}');
    const inside = query.slice(all[i + 1].to, end < 0 ? query.length : all[end].from);
    const rest = inside.split(/,(?=\s*[\w"]+\s*[=!])/).filter((m) => m.trim() && m.split(/[=!]/)[0].trim() !== label);
    out += `{${[...rest.map((m) => m.trim()), matcher].join(', ')}}`;
    i = end < 0 ? all.length : end;
  }
  return out;
}
