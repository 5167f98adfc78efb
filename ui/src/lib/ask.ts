// The queries of a panel, answered: all at once, over one grid of times.
import { useMemo } from 'preact/hooks';
import { queryExemplars, queryGrid, scatter, type Labels, type RangeResult } from './api';
import { useData } from './live';
import { summary, toGrid, type Exemplar, type Line } from './series';
import type { Window } from './time';

export const LINES_MAX = 200;
/** A chosen window is compared with this many of its lengths before it. */
const WINDOWS_BEFORE = 4;
const POINTS_BEFORE = 240;

/** The means of the lines before a chosen window, by seriesKey(); null while the window is a relative one. */
export function useBefore(queries: string[], w: Window): Map<string, number> | null {
  const key = w.relative || !queries.length ? null : JSON.stringify([queries, w.a, w.z]);
  return useData(key, async (s) => {
    const step = Math.max(1, Math.ceil(((w.z - w.a) * WINDOWS_BEFORE) / 1e3 / POINTS_BEFORE));
    const end = Math.floor(w.a / 1e3) - 1;
    const start = Math.floor(w.a / 1e3 - ((w.z - w.a) * WINDOWS_BEFORE) / 1e3);
    const all = await Promise.all(queries.map((q) => queryGrid(q, start, end, step, s)));
    const means = new Map<string, number>();
    all.forEach((r, i) => {
      for (const { metric, values } of r.series) {
        const mean = summary((values ?? []).map(([, v]) => Number(v)).filter(Number.isFinite)).mean;
        if (mean !== null) means.set(seriesKey(queries[i], metric), mean);
      }
    });
    return means;
  }).value;
}
export const seriesKey = (query: string, labels: Labels): string => JSON.stringify([query, Object.entries(labels).sort()]);

const EXEMPLARS_MAX = 500;

export interface Grid {
  start: number; // s
  end: number;
  step: number;
}

export interface Answer {
  queries: string[];
  lines: (Line & { query: number })[];
  x: number[]; // s
  step: number;
  results: (RangeResult | null)[];
  errors: (Error | null)[];
  total: number;
  ms: number;
}

/** What a query is called in its panel. */
export const letter = (i: number): string => String.fromCharCode(65 + i);

export async function ask(queries: string[], { start, end, step }: Grid, signal: AbortSignal): Promise<Answer> {
  const began = performance.now();
  const settled = await Promise.allSettled(queries.map((q) => (q ? queryGrid(q, start, end, step, signal, true) : null)));
  signal.throwIfAborted();
  const out: Answer = { queries, lines: [], x: toGrid([], start, end, step, '').x, step, results: [], errors: [], total: 0, ms: performance.now() - began };
  const several = queries.filter(Boolean).length > 1;
  settled.forEach((r, i) => {
    const result = r.status === 'fulfilled' ? r.value : null;
    out.results.push(result);
    out.errors.push(r.status === 'rejected' ? (r.reason as Error) : null);
    if (!result) return;
    out.total += result.series.length;
    const room = Math.max(0, LINES_MAX - out.lines.length);
    const floats = result.series.filter((s) => s.values?.length);
    for (const line of toGrid(floats.slice(0, room), start, end, step, queries[i]).lines) out.lines.push({ ...line, name: several ? `${letter(i)}  ${line.name}` : line.name, query: i });
  });
  return out;
}

const ID = /^[0-9a-f]{16}([0-9a-f]{16})?$/i;

/** The exemplars of some queries that name a trace; those of failed traces are marked so. */
export function useExemplars(queries: string[], w: Window): Exemplar[] {
  const wanted = queries.filter(Boolean);
  const key = wanted.length ? JSON.stringify([wanted, w.z - w.a, w.relative || w.z]) : null;
  const found = useData(key, async (s) => (await Promise.all(wanted.map((q) => queryExemplars(q, w.a, w.z, s).catch(() => [])))).flat(), String(Math.floor(w.z / 1e4)));
  const points = useMemo(() => {
    const out: Exemplar[] = [];
    const known = new Set<string>(); // two queries may stand on the same series
    for (const of of found.value ?? []) {
      for (const e of of.exemplars) {
        const trace = e.labels.trace_id ?? e.labels.traceID ?? e.labels.traceId ?? '';
        const key = `${trace} ${e.timestamp} ${e.value}`;
        if (!ID.test(trace) || known.has(key)) continue;
        known.add(key);
        const { __name__: _, le: __, ...rest } = of.seriesLabels;
        out.push({ t: e.timestamp * 1e3, v: Number(e.value), trace: trace.toLowerCase(), failed: false, text: Object.entries(rest).map(([k, v]) => `${k}=${v}`).join(' ') });
      }
    }
    return out.filter((p) => Number.isFinite(p.v)).slice(-EXEMPLARS_MAX);
  }, [found.value]);
  const traces = useData(points.length ? key : null, (s) => scatter(w.a, w.z, {}, s).catch(() => null), String(Math.floor(w.z / 6e4)));
  return useMemo(() => {
    const failed = new Set(traces.value?.trace.filter((_, i) => traces.value!.error[i]));
    return failed.size ? points.map((p) => ({ ...p, failed: failed.has(p.trace) })) : points;
  }, [points, traces.value]);
}
