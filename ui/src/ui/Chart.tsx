// Lines, stacked areas or bars over time, on two canvases: the picture, and over it what follows the pointer. All charts of a page share the pointer's
// time (plot.ts); drag to zoom, gaps stay gaps, diamonds are exemplars.
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { utc } from '../lib/live';
import { trace } from '../lib/path';
import { linear, type Steps } from '../lib/scale';
import { stacked, type Exemplar } from '../lib/series';
import type { Window } from '../lib/time';
import { href } from '../lib/url';
import { useCanvas, useDrag, type Drag } from './canvas';
import { drawCursor, drawDrag, drawGrid, drawMarks, hoverTime, plotOf, timeText, type Mark, type Plot } from './plot';

export interface ChartLine {
  name: string;
  color: string;
  v: (number | null)[];
}

interface ChartProps {
  x: number[]; // s
  lines: ChartLine[];
  window: Window;
  shape: 'lines' | 'stack' | 'bars';
  zero?: boolean;
  h?: number;
  format: (v: number) => string;
  steps?: Steps;
  marks?: Mark[];
  exemplars?: Exemplar[];
  onZoom: (a: number, z: number) => void;
}

const POINTS_MAX = 40; // lines that get a point under the pointer
const FEW = 12; // more lines than this are drawn thin, at a quarter of the cost: rasterizers have a way of their own for lines of one pixel

export function Chart({ x, lines, window: w, shape, zero = false, h = 320, format, steps = 'decimal', marks = [], exemplars = [], onZoom }: ChartProps) {
  const plot = useRef<Plot | null>(null);
  const [at, setAt] = useState<{ x: number; y: number } | null>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const [on, setOn] = useState<Exemplar | null>(null);
  const links = useRef<HTMLDivElement>(null);
  const tops = useMemo(() => (shape === 'lines' ? lines.map((l) => l.v) : shape === 'stack' ? stacked(lines.map((l) => l.v)) : piled(lines.map((l) => l.v)).top), [lines, shape]);
  const scale = useMemo(() => {
    let lo = Infinity;
    let hi = -Infinity;
    for (const v of tops) for (const y of v) if (y !== null) (y < lo && (lo = y), y > hi && (hi = y));
    return linear(lo, hi, zero || shape !== 'lines');
  }, [tops, zero, shape]);

  const base = useCanvas(
    (g, width, height) => {
      const began = performance.now();
      const { plot: p, labels } = plotOf(g, width, height, w, { scale, format, steps });
      plot.current = p;
      drawGrid(g, p, w, labels);
      g.save();
      g.beginPath();
      g.rect(p.left, p.top - 2, p.right - p.left, p.bottom - p.top + 3);
      g.clip();
      const xs = x.map((s) => p.x(s * 1e3));
      if (shape === 'bars') drawBars(g, p, xs, lines);
      else drawLines(g, p, xs, lines, tops, shape === 'stack');
      drawMarks(g, p, marks);
      g.restore();
      exemplars.forEach((e, i) => ((links.current!.children[i] as HTMLElement).style.transform = place(p, e)));
      base.ref.current!.dataset.ms = (performance.now() - began).toFixed(1);
    },
    [x, lines, tops, w, scale, shape, format, marks, exemplars, utc.value],
  );

  const near = at && plot.current ? nearest(plot.current, x, lines, tops, at) : null;
  const over = useCanvas(
    (g) => {
      const p = plot.current;
      const t = hoverTime.peek();
      if (!p) return;
      if (drag) return drawDrag(g, p, drag.x0, drag.x1);
      if (t === null) return;
      drawCursor(g, p, t);
      const i = indexAt(x, t / 1e3);
      if (i === null) return;
      lines.forEach((l, k) => {
        const v = tops[k][i];
        if (v === null || (lines.length > POINTS_MAX && k !== near?.k) || shape === 'bars') return;
        g.fillStyle = l.color;
        g.beginPath();
        g.arc(p.x(x[i] * 1e3), p.y(v), k === near?.k ? 4 : 2.2, 0, 7);
        g.fill();
      });
    },
    [at, drag, x, lines],
  );
  useEffect(() => hoverTime.subscribe(() => over.repaint()), []);

  const leave = () => ((hoverTime.value = null), setAt(null));
  const handlers = useDrag(setDrag, (d) => {
    const p = plot.current!;
    onZoom(Math.round(p.timeAt(Math.max(p.left, d.x0))), Math.round(p.timeAt(Math.min(p.right, d.x1))));
  });
  const move = (e: PointerEvent) => {
    const p = plot.current;
    handlers.onPointerMove(e);
    if (!p || e.offsetX < p.left || e.offsetX > p.right) return leave();
    hoverTime.value = p.timeAt(e.offsetX);
    setAt({ x: e.offsetX, y: e.offsetY });
  };
  const show = (v: number | null) => (v === null ? '–' : format(v));
  return (
    <div class="chart" style={{ height: `${h}px` }}>
      <canvas ref={base.ref} role="img" aria-label={lines.slice(0, 20).map((l) => l.name).join(', ')} />
      <canvas ref={over.ref} {...handlers} onPointerMove={move} onPointerLeave={leave} />
      <div ref={links} onKeyDown={alongExemplars}>
        {exemplars.map((e, i) => (
          <a tabIndex={i ? -1 : 0} class={'exemplar' + (e.failed ? ' bad' : '')} href={href('/traces/' + e.trace)} aria-label={`${timeText(e.t, w)} ${format(e.v)} ${e.text}`} onPointerEnter={() => setOn(e)} onFocus={() => setOn(e)} onPointerLeave={() => setOn(null)} onBlur={() => setOn(null)} />
        ))}
      </div>
      {on && plot.current && (
        <Tip p={plot.current} x={plot.current.x(on.t)} y={plot.current.y(on.v)} time={timeText(on.t, w)}>
          <b>{format(on.v)}</b> {on.text}
        </Tip>
      )}
      {!on && at && !drag && near && (
        <Tip p={plot.current!} x={at.x} y={at.y} time={timeText(x[near.i] * 1e3, w)}>
          <i class="sw" style={{ background: lines[near.k].color }} />
          {lines[near.k].name} <b>{show(lines[near.k].v[near.i])}</b>
        </Tip>
      )}
    </div>
  );
}

/** Tab goes to the first exemplar and on to what follows them all; arrows go from one to the next. */
function alongExemplars(e: KeyboardEvent): void {
  const at = e.target as HTMLElement;
  const to = e.key === 'ArrowRight' ? at.nextElementSibling : e.key === 'ArrowLeft' ? at.previousElementSibling : null;
  if (!to) return;
  e.preventDefault();
  (to as HTMLElement).focus();
}

interface TipProps {
  p: Plot;
  x: number;
  y: number;
  time: string;
  children: ComponentChildren;
}

/** What is under the pointer, on the side of it that has the room. */
export function Tip({ p, x, y, time, children }: TipProps) {
  return (
    <div class={'tip' + (x > (p.left + p.right) / 2 ? ' left' : '')} style={{ left: `${x}px`, top: `${Math.max(p.top, Math.min(p.bottom, y))}px` }}>
      <time>{time}</time>
      <span>{children}</span>
    </div>
  );
}

/** The point of the grid nearest to a time (s); null if it is beyond the ends. */
export function indexAt(x: number[], t: number): number | null {
  if (!x.length) return null;
  const step = x.length > 1 ? x[1] - x[0] : 1;
  const i = Math.round((t - x[0]) / step);
  return i >= 0 && i < x.length ? i : null;
}

function nearest(p: Plot, x: number[], lines: ChartLine[], tops: (number | null)[][], at: { x: number; y: number }): { i: number; k: number } | null {
  const i = indexAt(x, p.timeAt(at.x) / 1e3);
  if (i === null) return null;
  let best: { i: number; k: number } | null = null;
  let least = Infinity;
  for (let k = 0; k < lines.length; k++) {
    const v = tops[k][i];
    if (v === null) continue;
    const far = Math.abs(p.y(v) - at.y);
    if (far < least) [least, best] = [far, { i, k }];
  }
  return best;
}

/** Bars stand on each other, those below zero hang: the two ends of each. */
export function piled(lines: (number | null)[][]): { top: (number | null)[][]; foot: number[][] } {
  const n = lines[0]?.length ?? 0;
  const up = new Array<number>(n).fill(0);
  const down = new Array<number>(n).fill(0);
  const foot: number[][] = [];
  const top = lines.map((l) => {
    const feet: number[] = [];
    foot.push(feet);
    return l.map((v, i) => {
      const side = v !== null && v < 0 ? down : up;
      feet.push(side[i]);
      return v === null ? null : (side[i] += v);
    });
  });
  return { top, foot };
}

function drawLines(g: CanvasRenderingContext2D, p: Plot, xs: number[], lines: ChartLine[], tops: (number | null)[][], filled: boolean): void {
  const dots = (color: string) => (x: number, y: number) => {
    g.fillStyle = color;
    g.fillRect(x - 1.5, y - 1.5, 3, 3);
  };
  for (let k = lines.length - 1; k >= 0; k--) {
    if (filled) fillBand(g, p, xs, tops[k], k ? tops[k - 1] : null, lines[k].color);
    g.strokeStyle = lines[k].color;
    g.lineWidth = filled || lines.length > FEW ? 1 : 1.4;
    g.lineJoin = 'bevel'; // half the cost of round ones, and no spikes
    g.beginPath();
    trace(g, xs, tops[k], p.y, dots(lines[k].color));
    g.stroke();
  }
}

/** Between a line and the one below, run by run. */
function fillBand(g: CanvasRenderingContext2D, p: Plot, xs: number[], top: (number | null)[], below: (number | null)[] | null, color: string): void {
  g.fillStyle = color;
  g.globalAlpha = 0.3;
  for (let i = 0; i < top.length; ) {
    if (top[i] === null) {
      i++;
      continue;
    }
    let end = i;
    g.beginPath();
    for (; end < top.length && top[end] !== null; end++) g.lineTo(xs[end], p.y(top[end]!));
    for (let k = end - 1; k >= i; k--) g.lineTo(xs[k], p.y(below?.[k] ?? 0));
    g.fill();
    i = end;
  }
  g.globalAlpha = 1;
}

function drawBars(g: CanvasRenderingContext2D, p: Plot, xs: number[], lines: ChartLine[]): void {
  const { top, foot } = piled(lines.map((l) => l.v));
  const slot = xs.length > 1 ? xs[1] - xs[0] : 8;
  const wide = Math.max(1, slot - Math.min(2, slot * 0.3));
  lines.forEach((l, k) => {
    g.fillStyle = l.color;
    for (let i = 0; i < xs.length; i++) {
      const v = top[k][i];
      if (v === null || v === foot[k][i]) continue;
      const [a, z] = [p.y(v), p.y(foot[k][i])].sort((m, n) => m - n);
      g.fillRect(xs[i] - wide / 2, a, wide, Math.max(0.5, z - a));
    }
  });
}

/** Where an exemplar stands: what is beyond the scale stays at its edge, what is beyond the window is not shown. */
function place(p: Plot, e: Exemplar): string {
  const x = p.x(e.t);
  if (x < p.left || x > p.right) return 'scale(0)';
  return `translate(${x.toFixed(1)}px, ${Math.max(p.top, Math.min(p.bottom, p.y(e.v))).toFixed(1)}px)`;
}
