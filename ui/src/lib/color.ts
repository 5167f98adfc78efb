// Colours: one per service name, the same on every page; the rest are the style sheet's variables.

const PALETTE = ['#6ea8fe', '#58c4b6', '#a78bfa', '#ef8fb1', '#e5c26b', '#86c97a', '#f0986c', '#8fa3c7', '#5fb8de', '#c58fe0'];

/** FNV-1a of the name picks the colour: no table to keep, the same in every window. */
export function serviceColor(name: string): string {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return PALETTE[(h >>> 7) % PALETTE.length];
}

/** The n-th line of a chart. */
export const lineColor = (n: number): string => PALETTE[n % PALETTE.length];

/** A variable of the style sheet, for canvases. */
export const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const SEVERITIES = ['error', 'warn', 'info', 'debug'] as const;
export type Severity = (typeof SEVERITIES)[number];
export const SEVERITY_VAR: Record<Severity, string> = { error: '--err', warn: '--warn', info: '--info', debug: '--line2' };
