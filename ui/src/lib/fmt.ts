// Numbers as people read them: three significant digits, one space before the unit.

const three = (v: number): string => {
  const a = Math.abs(v);
  return a >= 100 ? v.toFixed(0) : a >= 10 ? v.toFixed(1) : v.toFixed(2);
};

/** 1234567 is "1.23 M"; below 10 000 whole numbers stay whole. */
export function num(v: number | null | undefined): string {
  if (v === null || v === undefined) return '–';
  if (!Number.isFinite(v)) return Number.isNaN(v) ? 'NaN' : v > 0 ? '+Inf' : '-Inf';
  const a = Math.abs(v);
  if (Number.isInteger(v) && a < 1e4) return String(v);
  for (const [scale, unit] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const) if (a >= scale) return three(v / scale) + ' ' + unit;
  if (a >= 0.01 || a === 0) return three(v);
  return a >= 1e-3 ? v.toPrecision(2) : v.toExponential(1);
}

/** A whole count with thin groups: 1 234 567. */
export const count = (v: number): string => String(Math.round(v)).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');

export function bytes(v: number): string {
  const a = Math.abs(v);
  for (const [scale, unit] of [[2 ** 40, 'Ti'], [2 ** 30, 'Gi'], [2 ** 20, 'Mi'], [2 ** 10, 'Ki']] as const) if (a >= scale) return three(v / scale) + ' ' + unit;
  return `${Math.round(v)} B`;
}

/** A duration given in ms. */
export function dur(ms: number): string {
  const a = Math.abs(ms);
  if (a >= 864e5) return `${Math.floor(ms / 864e5)}d ${Math.round((ms % 864e5) / 36e5)}h`;
  if (a >= 36e5) return `${Math.floor(ms / 36e5)}h ${Math.round((ms % 36e5) / 6e4)}m`;
  if (a >= 6e4) return `${Math.floor(ms / 6e4)}m ${Math.round((ms % 6e4) / 1e3)}s`;
  if (a >= 1e3) return three(ms / 1e3) + ' s';
  if (a >= 1) return three(ms) + ' ms';
  if (a === 0) return '0';
  return a >= 1e-3 ? three(ms * 1e3) + ' µs' : `${Math.round(ms * 1e6)} ns`;
}

/** A share 0..1 as percent; the smallest non-zero never reads as zero. */
export function pct(share: number): string {
  const p = share * 100;
  if (p > 0 && p < 0.1) return '<0.1';
  return p >= 99.95 || p === 0 ? p.toFixed(0) : p.toFixed(1);
}

/** How many times as much there is now, "×2.4", or how much less, "÷3.0"; "±0" within a twentieth, empty if that cannot be said. */
export function factor(before: number, now: number): string {
  const ratio = before === now ? 1 : now / before;
  if (!Number.isFinite(ratio) || ratio <= 0) return '';
  if (Math.abs(ratio - 1) < 0.05) return '±0';
  const times = ratio > 1 ? ratio : 1 / ratio;
  return (ratio > 1 ? '×' : '÷') + (times >= 9.95 ? times.toFixed(0) : times.toFixed(1));
}
