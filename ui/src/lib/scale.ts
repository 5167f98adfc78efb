// The value axis of a chart: which stretch is shown, and the round values its lines are drawn at.

export interface Scale {
  lo: number;
  hi: number;
  log: boolean;
}

/** A stretch with a little room; from zero if wanted, or if zero is near. */
export function linear(lo: number, hi: number, zero: boolean): Scale {
  if (!(lo <= hi)) return { lo: 0, hi: 1, log: false };
  let a = zero ? Math.min(0, lo) : lo;
  let z = zero ? Math.max(0, hi) : hi;
  if (a === z) {
    if (a === 0) return { lo: 0, hi: 1, log: false };
    return { lo: Math.min(0, a * 2), hi: Math.max(0, a * 2), log: false };
  }
  const room = (z - a) * 0.08;
  if (a > 0 && a < room * 2) a = 0;
  else if (a !== 0) a -= room;
  if (z !== 0) z += room;
  return { lo: a, hi: z, log: false };
}

/** From 0 (lo) to 1 (hi); beyond the ends outside of that. */
export const position = (s: Scale, v: number): number =>
  s.log ? (v <= 0 ? -Infinity : Math.log(v / s.lo) / Math.log(s.hi / s.lo)) : (v - s.lo) / (s.hi - s.lo);

export const valueAt = (s: Scale, p: number): number => (s.log ? s.lo * (s.hi / s.lo) ** p : s.lo + p * (s.hi - s.lo));

export type Steps = 'decimal' | 'binary' | 'time';
const CLOCK = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

/** A round step near `want`: 1, 2 or 5 times a power of ten; powers of two; or, from a minute up, of a clock. */
export function roundStep(want: number, steps: Steps): number {
  if (steps === 'binary' && want >= 1) return 2 ** Math.ceil(Math.log2(want));
  if (steps === 'time' && want > 30) return CLOCK.find((s) => s >= want) ?? Math.ceil(want / 604800) * 604800;
  const power = 10 ** Math.floor(Math.log10(want));
  return [1, 2, 5, 10].map((m) => m * power).find((s) => s >= want * 0.999)!;
}

/** Round values inside the scale, about n of them. */
export function valueTicks(s: Scale, n: number, steps: Steps = 'decimal'): number[] {
  const out: number[] = [];
  if (s.log) {
    const decades = Math.log10(s.hi / s.lo);
    const marks = decades > n ? [1] : decades * 2 > n ? [1, 3] : [1, 2, 5];
    for (let e = Math.floor(Math.log10(s.lo)); e <= Math.log10(s.hi); e++) for (const m of marks) out.push(m * 10 ** e);
    const every = Math.ceil(out.length / (n * 1.5));
    return out.filter((v, i) => v >= s.lo && v <= s.hi && i % every === 0);
  }
  const step = roundStep((s.hi - s.lo) / Math.max(1, n), steps);
  for (let i = Math.ceil(s.lo / step - 1e-9); i * step <= s.hi * (1 + 1e-12) && out.length < 100; i++) out.push(i * step);
  return out;
}
