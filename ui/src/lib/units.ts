// Units of values: how a chart writes its numbers. Which one suits a query is told by its metrics' metadata, their names (OpenMetrics: a name ends with
// its unit) and what is done to them; it can be chosen, too.
import { bytes, dur, num, pct } from './fmt';
import { metricsOf } from './promql';
import type { Steps } from './scale';
import { clock } from './time';

export interface Unit {
  name: string;
  format: (v: number) => string;
  steps: Steps;
}

const finite = (format: (v: number) => string) => (v: number) => (Number.isFinite(v) ? format(v) : num(v));
const scaled = (suffix: string) => (v: number) => num(v) + (/\d$/.test(num(v)) ? ' ' : '') + suffix;

export const UNITS: Record<string, Unit> = {
  num: { name: 'number', format: num, steps: 'decimal' },
  ops: { name: 'per second', format: (v) => num(v) + '/s', steps: 'decimal' },
  s: { name: 'seconds', format: finite((v) => dur(v * 1e3)), steps: 'time' },
  ms: { name: 'milliseconds', format: finite(dur), steps: 'decimal' },
  bytes: { name: 'bytes', format: finite(bytes), steps: 'binary' },
  Bps: { name: 'bytes per second', format: finite((v) => bytes(v) + '/s'), steps: 'binary' },
  bps: { name: 'bits per second', format: finite(scaled('bit/s')), steps: 'decimal' },
  ratio: { name: 'share (0–1)', format: finite((v) => pct(v) + ' %'), steps: 'decimal' },
  percent: { name: 'percent', format: finite((v) => pct(v / 100) + ' %'), steps: 'decimal' },
  cores: { name: 'CPU cores', format: finite((v) => (Math.abs(v) < 1 && v !== 0 ? num(v * 1e3) + ' m' : num(v))), steps: 'decimal' },
  celsius: { name: 'degrees Celsius', format: (v) => num(v) + ' °C', steps: 'decimal' },
  date: { name: 'date', format: finite((v) => clock(v * 1e3, false, { day: true })), steps: 'decimal' },
};

/** Metric -> unit of its metadata, as far as it is known. */
export type Known = (metric: string) => string | undefined;

const SUFFIX = /_(seconds|bytes|ratio|celsius|percent)(?:_(?:total|sum|bucket|created|avg|max|min))*$/;
const COUNTS = /^\s*(count|count_values|absent)\b|\b(changes|resets|count_over_time|histogram_count)\s*\(/;

function base(metric: string, known: Known): string {
  if (/_(info|count)$/.test(metric)) return '';
  if (/_(timestamp|time)_seconds$/.test(metric) || /_created$/.test(metric)) return 'date';
  const told = known(metric.replace(/_(bucket|sum|total)$/, '')) || known(metric);
  return told && /^(seconds|bytes|ratio|celsius|percent)$/.test(told) ? told : SUFFIX.exec(metric)?.[1] ?? '';
}

/** The unit that suits a query; "num" when in doubt. */
export function unitFor(query: string, known: Known = () => undefined): string {
  const text = query.replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, '""').replace(/\{[^}]*\}/g, '');
  const metrics = metricsOf(query);
  if (!metrics.length || COUNTS.test(text)) return 'num';
  const of = base(metrics[0], known);
  const mean = /_sum\b[^/]*\/[\s\S]*_count\b/.test(text);
  if (/\//.test(text) && !mean) return /\*\s*100\b|\b100\s*\*/.test(text) ? 'percent' : 'num';
  const rate = /\b(rate|irate|deriv)\s*\(/.test(text) && !mean && !/\bhistogram_(quantile|avg|stddev)/.test(text);
  if (/_bucket$/.test(metrics[0]) && !/histogram_quantile/.test(text)) return rate ? 'ops' : 'num';
  switch (of) {
    case 'bytes': return rate ? 'Bps' : 'bytes';
    case 'seconds': return rate ? (/cpu/.test(metrics[0]) ? 'cores' : 'num') : 's';
    case 'date': return /\btime\s*\(\)/.test(text) ? 's' : 'date';
    case 'ratio': case 'celsius': case 'percent': return of;
  }
  return rate ? 'ops' : 'num';
}

/** The unit of what a histogram observed: that of its buckets' bounds. */
export function observedUnit(query: string, known: Known = () => undefined): string {
  const of = base(metricsOf(query)[0] ?? '', known);
  return of === 'seconds' ? 's' : of in UNITS ? of : 'num';
}

/** The unit of several queries in one chart: theirs if they agree. */
export function unitOfAll(queries: string[], known?: Known): string {
  const all = new Set(queries.filter(Boolean).map((q) => unitFor(q, known)));
  return all.size === 1 ? [...all][0] : 'num';
}
