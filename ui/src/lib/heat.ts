// Histograms over time as rows of a heat map: from native histograms, or from the cumulative buckets (le) of classic ones.
import type { Series } from './api';

export interface HeatRow {
  lo: number;
  hi: number;
  v: (number | null)[];
}

const ROWS_MAX = 400;

/** The rows, lowest first; none if the series are no histogram. */
export function heatRows(series: Series[], start: number, step: number, n: number): HeatRow[] {
  const rows = series.some((s) => s.histograms?.length) ? native(series, start, step, n) : classic(series, start, step, n);
  return rows.sort((a, b) => a.hi - b.hi || a.lo - b.lo).slice(0, ROWS_MAX);
}

function native(series: Series[], start: number, step: number, n: number): HeatRow[] {
  const rows = new Map<string, HeatRow>();
  for (const s of series) {
    for (const [t, h] of s.histograms ?? []) {
      const i = Math.round((t - start) / step);
      if (i < 0 || i >= n) continue;
      for (const [, lo, hi, c] of h.buckets ?? []) {
        const key = lo + ' ' + hi;
        let row = rows.get(key);
        if (!row) rows.set(key, (row = { lo: Number(lo), hi: Number(hi), v: new Array(n).fill(null) }));
        row.v[i] = (row.v[i] ?? 0) + Number(c);
      }
    }
  }
  return [...rows.values()];
}

function classic(series: Series[], start: number, step: number, n: number): HeatRow[] {
  const total = new Map<number, (number | null)[]>();
  for (const s of series) {
    const le = s.metric.le === undefined ? NaN : Number(s.metric.le.replace('+Inf', 'Infinity'));
    if (Number.isNaN(le)) continue;
    let v = total.get(le);
    if (!v) total.set(le, (v = new Array(n).fill(null)));
    for (const [t, text] of s.values ?? []) {
      const i = Math.round((t - start) / step);
      if (i >= 0 && i < n && Number.isFinite(Number(text))) v[i] = (v[i] ?? 0) + Number(text);
    }
  }
  const bounds = [...total.keys()].sort((a, b) => a - b);
  if (bounds.length < 2) return [];
  return bounds.map((hi, k) => {
    const below = k ? total.get(bounds[k - 1])! : null;
    const lo = k ? bounds[k - 1] : Math.min(0, hi);
    return { lo, hi, v: total.get(hi)!.map((c, i) => (c === null ? null : Math.max(0, c - (below?.[i] ?? 0)))) };
  });
}
