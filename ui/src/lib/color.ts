// Colours: one per service name, the same on every page; the rest are the style sheet's variables.

const PALETTE = ['#6ea8fe', '#58c4b6', '#a78bfa', '#ef8fb1', '#e5c26b', '#86c97a', '#f0986c', '#8fa3c7', '#5fb8de', '#c58fe0', '#b5c46a', '#d4a58a'];

/** Colours given away so far, by name; kept in the browser, so that a service looks the same tomorrow. */
const given = new Map<string, number>(readGiven());
const GIVEN_MAX = 500;

function readGiven(): [string, number][] {
  try {
    return Object.entries(JSON.parse(localStorage.getItem('colors') ?? '{}'));
  } catch {
    return [];
  }
}

/** FNV-1a. */
export function hash(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return h >>> 7;
}

/** The name's own colour; if another name has it, the next that is still free; when none is, its own all the same. */
export function chooseColor(name: string, taken: ReadonlySet<number>): number {
  const own = hash(name) % PALETTE.length;
  for (let i = 0; i < PALETTE.length; i++) {
    const c = (own + i) % PALETTE.length;
    if (!taken.has(c)) return c;
  }
  return own;
}

export function serviceColor(name: string): string {
  let c = given.get(name);
  if (c === undefined) {
    c = chooseColor(name, new Set(given.values()));
    if (given.size < GIVEN_MAX) {
      given.set(name, c);
      localStorage.setItem('colors', JSON.stringify(Object.fromEntries(given)));
    }
  }
  return PALETTE[c % PALETTE.length];
}

/** The n-th line of a chart. */
export const lineColor = (n: number): string => PALETTE[n % PALETTE.length];

/** A variable of the style sheet, for canvases. */
export const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const SEVERITIES = ['error', 'warn', 'info', 'debug'] as const;
export type Severity = (typeof SEVERITIES)[number];
export const SEVERITY_VAR: Record<Severity, string> = { error: '--err', warn: '--warn', info: '--info', debug: '--line2' };
