// What charts over time share: the pointer's time, where things are, the grid with its labels, and the marks of what happened.
import { signal } from '@preact/signals';
import { css } from '../lib/color';
import { utc } from '../lib/live';
import { position, valueAt, valueTicks, type Scale, type Steps } from '../lib/scale';
import { clock, tickLabel, ticks, type Window } from '../lib/time';

/** The time under the pointer (ms), on whichever chart it is: all of them show it. */
export const hoverTime = signal<number | null>(null);

export interface Axis {
  scale: Scale;
  format: (v: number) => string;
  steps: Steps;
}

export interface Mark {
  t: number; // ms
  text: string;
  color: string;
}

export interface Plot {
  left: number;
  right: number;
  top: number;
  bottom: number;
  x: (ms: number) => number;
  y: (v: number) => number;
  timeAt: (px: number) => number;
  valueAt: (px: number) => number;
}

const FONT = () => '10.5px ' + css('--mono');
const trim = (text: string): string => text.replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '');

/** Room for the labels of the values on the left and of the times below. */
export function plotOf(g: CanvasRenderingContext2D, w: number, h: number, win: Window, axis: Axis): { plot: Plot; labels: [number, string][] } {
  const labels = valueTicks(axis.scale, Math.max(2, Math.round(h / 52)), axis.steps).map((v): [number, string] => [v, trim(axis.format(v))]);
  g.font = FONT();
  const left = Math.ceil(Math.max(46, ...labels.map(([, text]) => g.measureText(text).width))) + 16;
  const [right, top, bottom] = [w - 10, 10, h - 20];
  const plot: Plot = {
    left, right, top, bottom,
    x: (ms) => left + ((ms - win.a) / (win.z - win.a)) * (right - left),
    y: (v) => bottom - position(axis.scale, v) * (bottom - top),
    timeAt: (px) => win.a + ((px - left) / (right - left)) * (win.z - win.a),
    valueAt: (px) => valueAt(axis.scale, (bottom - px) / (bottom - top)),
  };
  return { plot, labels };
}

export function drawGrid(g: CanvasRenderingContext2D, p: Plot, win: Window, labels: [number, string][]): void {
  g.font = FONT();
  g.textBaseline = 'middle';
  g.textAlign = 'right';
  for (const [v, text] of labels) {
    const y = Math.round(p.y(v)) + 0.5;
    g.fillStyle = css('--line');
    g.fillRect(p.left, y - 0.5, p.right - p.left, 1);
    g.fillStyle = css('--tx3');
    g.fillText(text, p.left - 8, y);
  }
  g.textAlign = 'center';
  let free = -Infinity; // where the last label ended
  for (const t of ticks(win, (p.right - p.left) / 72, utc.value)) {
    const x = Math.round(p.x(t));
    g.fillStyle = css('--line');
    g.fillRect(x, p.top, 1, p.bottom - p.top);
    g.fillStyle = css('--tx3');
    const label = tickLabel(t, win.z - win.a, utc.value);
    const half = g.measureText(label).width / 2;
    const at = Math.min(x, p.right - half + 8);
    if (at - half < free) continue;
    free = at + half + 8;
    g.fillText(label, at, p.bottom + 11);
  }
  g.textAlign = 'left';
  g.textBaseline = 'alphabetic';
}

export function drawMarks(g: CanvasRenderingContext2D, p: Plot, marks: Mark[]): void {
  g.setLineDash([3, 2.5]);
  g.lineWidth = 1.2;
  for (const m of marks) {
    const x = Math.round(p.x(m.t)) + 0.5;
    if (x < p.left || x > p.right) continue;
    g.strokeStyle = css(m.color);
    g.beginPath();
    g.moveTo(x, p.top);
    g.lineTo(x, p.bottom);
    g.stroke();
  }
  g.setLineDash([]);
}

export function drawCursor(g: CanvasRenderingContext2D, p: Plot, t: number): void {
  const x = Math.round(p.x(t));
  if (x < p.left || x > p.right) return;
  g.fillStyle = css('--tx3');
  g.fillRect(x, p.top, 1, p.bottom - p.top);
}

export function drawDrag(g: CanvasRenderingContext2D, p: Plot, x0: number, x1: number): void {
  const [a, z] = [Math.max(p.left, Math.min(x0, x1)), Math.min(p.right, Math.max(x0, x1))];
  g.fillStyle = css('--brass-a');
  g.fillRect(a, p.top, z - a, p.bottom - p.top);
  g.fillStyle = css('--brass');
  g.fillRect(a, p.top, 1, p.bottom - p.top);
  g.fillRect(z - 1, p.top, 1, p.bottom - p.top);
}

export const timeText = (t: number, win: Window): string => clock(t, utc.value, { day: win.z - win.a > 864e5 });
