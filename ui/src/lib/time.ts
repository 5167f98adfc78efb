// Time windows. A window is two texts in the URL: `from` ("-1h", Unix ms, an ISO date) and `to` (the same; absent: now). It is relative, and can be
// live, when it ends now.

const UNIT: Record<string, number> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };

/** "90s", "1h30m", "2d" in ms; null: not a duration. */
export function parseDuration(text: string): number | null {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/.test(text)) return null;
  let total = 0;
  for (const [, n, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) total += Number(n) * UNIT[unit];
  return total;
}

/** The shortest exact text of a duration: 5400000 is "1h30m". */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  let text = '';
  for (const unit of ['w', 'd', 'h', 'm', 's', 'ms']) {
    const n = Math.floor(rest / UNIT[unit]);
    if (n > 0) text += n + unit;
    rest -= n * UNIT[unit];
  }
  return text || '0s';
}

/** "now", "-1h", "now-1h", Unix ms or s, ISO date (local unless it names a zone); null: none of them. */
export function parseTime(text: string, now: number): number | null {
  const t = text.trim();
  if (t === '' || t === 'now') return t ? now : null;
  const back = /^(?:now)?-(.+)$/.exec(t);
  if (back) {
    const d = parseDuration(back[1]);
    return d === null ? null : now - d;
  }
  if (/^\d{12,14}$/.test(t)) return Number(t);
  if (/^\d{9,11}(\.\d+)?$/.test(t)) return Math.round(Number(t) * 1e3);
  if (!/^\d{4}-\d\d/.test(t)) return null;
  const parsed = Date.parse(t.replace(' ', 'T'));
  return Number.isNaN(parsed) ? null : parsed;
}

export interface Window {
  a: number;
  z: number;
  relative: boolean;
}

export const DEFAULT_FROM = '-1h';

export function parseWindow(from: string, to: string, now: number): Window {
  const relative = to === '' || to === 'now';
  const z = relative ? now : parseTime(to, now) ?? now;
  let a = parseTime(from || DEFAULT_FROM, now) ?? z - 36e5;
  if (a >= z) a = z - 36e5;
  return { a, z, relative };
}

/** How often a live window is read again. */
export const refreshMs = (w: Window): number => Math.min(6e4, Math.max(3e3, (w.z - w.a) / 720));

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

/** A round step in seconds that gives at most n points. */
export function stepFor(w: Window, n: number): number {
  const want = (w.z - w.a) / 1e3 / n;
  return STEPS.find((s) => s >= want) ?? Math.ceil(want / 604800) * 604800;
}

/** Round times for an axis, about one per `n`; in local time unless utc. */
export function ticks(w: Window, n: number, utc: boolean): number[] {
  const step = stepFor(w, Math.max(1, n)) * 1e3;
  const zone = utc ? 0 : new Date(w.a).getTimezoneOffset() * 6e4;
  const out: number[] = [];
  for (let t = Math.ceil((w.a - zone) / step) * step + zone; t <= w.z; t += step) out.push(t);
  return out;
}

const two = (n: number) => String(n).padStart(2, '0');

/** "14:32:10", with ms "14:32:10.042"; the day is put before it when `day` is set. */
export function clock(t: number, utc: boolean, { ms = false, day = false, seconds = true } = {}): string {
  const d = new Date(utc ? t : t - new Date(t).getTimezoneOffset() * 6e4);
  const date = day ? `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())} ` : '';
  const tail = seconds ? ':' + two(d.getUTCSeconds()) + (ms ? '.' + String(d.getUTCMilliseconds()).padStart(3, '0') : '') : '';
  return `${date}${two(d.getUTCHours())}:${two(d.getUTCMinutes())}${tail}`;
}

/** An axis label: the clock within a day or two, else the date. */
export function tickLabel(t: number, span: number, utc: boolean): string {
  if (span > 3 * 864e5) return clock(t, utc, { day: true }).slice(5, 10);
  if (span > 864e5) return clock(t, utc, { day: true, seconds: false }).slice(8);
  return clock(t, utc, { seconds: span < 6e5 });
}
