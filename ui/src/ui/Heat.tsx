// A histogram over time: a column per step, a cell per bucket, the fuller the brighter. Buckets stand on their true values, by their logarithm if they span much.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { css } from '../lib/color';
import type { HeatRow } from '../lib/heat';
import { num } from '../lib/fmt';
import { utc } from '../lib/live';
import { linear, type Scale, type Steps } from '../lib/scale';
import type { Window } from '../lib/time';
import { useCanvas, useDrag, type Drag } from './canvas';
import { indexAt, Tip } from './Chart';
import { drawCursor, drawDrag, drawGrid, hoverTime, plotOf, timeText, type Plot } from './plot';

interface HeatProps {
  x: number[]; // s
  rows: HeatRow[];
  window: Window;
  h?: number;
  format: (v: number) => string;
  steps?: Steps;
  onZoom: (a: number, z: number) => void;
}

/** The stretch of the finite bounds of filled buckets; a logarithm if they are positive and the greatest is ten times the least. */
export function heatScale(rows: HeatRow[]): Scale {
  const filled = rows.filter((r) => r.v.some((c) => c));
  const bounds = (filled.length ? filled : rows).flatMap((r) => [r.lo, r.hi]).filter(Number.isFinite);
  if (!bounds.length) return linear(0, 1, true);
  const positive = bounds.filter((b) => b > 0);
  const least = Math.min(...positive);
  const greatest = Math.max(...positive);
  if (bounds.every((b) => b >= 0) && greatest >= least * 10) return { lo: least / 1.5, hi: greatest * 1.5, log: true };
  return linear(Math.min(...bounds), Math.max(...bounds), false);
}

export function Heat({ x, rows, window: w, h = 320, format, steps = 'decimal', onZoom }: HeatProps) {
  const plot = useRef<Plot | null>(null);
  const [at, setAt] = useState<{ x: number; y: number } | null>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const scale = useMemo(() => heatScale(rows), [rows]);
  const most = useMemo(() => rows.reduce((m, r) => r.v.reduce<number>((k, c) => Math.max(k, c ?? 0), m), 0), [rows]);
  const edges = (p: Plot, r: HeatRow): [number, number] => [
    Math.max(p.top, Number.isFinite(r.hi) ? p.y(r.hi) : p.top),
    Math.min(p.bottom, Number.isFinite(r.lo) && (r.lo > 0 || !scale.log) ? p.y(r.lo) : p.bottom),
  ];
  const base = useCanvas(
    (g, width, height) => {
      const { plot: p, labels } = plotOf(g, width, height, w, { scale, format, steps });
      plot.current = p;
      drawGrid(g, p, w, labels);
      g.fillStyle = css('--brass');
      const wide = x.length > 1 ? p.x(x[1] * 1e3) - p.x(x[0] * 1e3) : 8;
      for (const r of rows) {
        const [top, foot] = edges(p, r);
        for (let i = 0; i < x.length; i++) {
          const c = r.v[i];
          if (!c) continue;
          const left = Math.max(p.left, Math.round(p.x(x[i] * 1e3) - wide / 2)); // whole pixels: no seams between columns
          const right = Math.min(p.right, Math.round(p.x(x[i] * 1e3) + wide / 2));
          if (right <= left) continue;
          g.globalAlpha = 0.1 + 0.9 * Math.sqrt(c / most);
          g.fillRect(left, top, right - left - (wide > 6 ? 1 : 0), Math.max(1, foot - top - 0.6));
        }
      }
      g.globalAlpha = 1;
    },
    [x, rows, w, scale, format, utc.value],
  );
  const over = useCanvas(
    (g) => {
      const t = hoverTime.peek();
      if (!plot.current) return;
      if (drag) return drawDrag(g, plot.current, drag.x0, drag.x1);
      if (t !== null) drawCursor(g, plot.current, t);
    },
    [at, drag],
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
  const i = at && plot.current ? indexAt(x, plot.current.timeAt(at.x) / 1e3) : null;
  const under = i === null ? undefined : rows.find((r) => r.v[i] && edges(plot.current!, r)[0] <= at!.y && at!.y <= edges(plot.current!, r)[1]);
  return (
    <div class="chart heat" style={{ height: `${h}px` }}>
      <canvas ref={base.ref} role="img" />
      <canvas ref={over.ref} {...handlers} onPointerMove={move} onPointerLeave={leave} />
      {under && !drag && (
        <Tip p={plot.current!} x={at!.x} y={at!.y} time={timeText(x[i!] * 1e3, w)}>
          {format(under.lo)} – {Number.isFinite(under.hi) ? format(under.hi) : '+Inf'} <b>{num(under.v[i!])}</b>
        </Tip>
      )}
    </div>
  );
}
