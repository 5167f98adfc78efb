// Lines over time (uPlot): one window for all, drag to zoom, gaps stay gaps.
import uPlot from 'uplot';
import { useEffect, useRef } from 'preact/hooks';
import { css } from '../lib/color';
import { theme } from '../lib/theme';
import { stacked } from '../lib/series';
import { clock, tickLabel, type Window } from '../lib/time';
import { utc } from '../lib/live';

export interface ChartLine {
  name: string;
  color: string;
  v: (number | null)[];
}

interface ChartProps {
  x: number[]; // s
  lines: ChartLine[];
  window: Window;
  stack?: boolean;
  zero?: boolean;
  h?: number;
  format: (v: number) => string;
  onHover?: (i: number | null) => void;
  onZoom?: (a: number, z: number) => void;
}

export function Chart({ x, lines, window: w, stack = false, zero = false, h = 300, format, onHover, onZoom }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const now = useRef({ format, onHover, onZoom, w });
  now.current = { format, onHover, onZoom, w };
  const data = [x, ...(stack ? stacked(lines.map((l) => l.v)) : lines.map((l) => l.v))] as uPlot.AlignedData;
  const shape = JSON.stringify([format(1024), lines.map((l) => [l.name, l.color]), stack, zero, h, theme.value, utc.value]);

  useEffect(() => {
    const axis = { stroke: css('--tx3'), grid: { stroke: css('--line'), width: 1 }, ticks: { show: false }, font: '10.5px ' + css('--mono') };
    const made = new uPlot(
      {
        width: box.current!.clientWidth,
        height: h,
        legend: { show: false },
        padding: [10, 8, 0, 0],
        cursor: { y: false, points: { size: 5 }, drag: { x: true, y: false, setScale: false }, sync: { key: 'time' } },
        scales: {
          x: { time: false, range: () => [now.current.w.a / 1e3, now.current.w.z / 1e3] },
          y: { range: (_, lo, hi) => yRange(lo, hi, zero || stack) },
        },
        axes: [
          { ...axis, size: 24, space: 90, incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800], values: (_, ts) => ts.map((t) => tickLabel(t * 1e3, now.current.w.z - now.current.w.a, utc.value)) },
          { ...axis, size: 64, space: 34, incrs: format(1024).includes('Ki') ? POWERS_OF_TWO : undefined, values: (_, vs) => vs.map((v) => now.current.format(v)) },
        ],
        series: [
          {},
          ...lines.map((l) => ({ label: l.name, stroke: l.color, width: 1.25, fill: stack ? l.color + '55' : undefined, points: { show: (u: uPlot, i: number) => lonely(u.data[i] as (number | null)[]), size: 4 } })),
        ],
        bands: stack ? lines.slice(1).map((_, i) => ({ series: [i + 2, i + 1] as [number, number] })) : [],
        hooks: {
          setCursor: [(u) => now.current.onHover?.(u.cursor.idx ?? null)],
          setSelect: [
            (u) => {
              if (u.select.width < 4) return;
              now.current.onZoom?.(Math.round(u.posToVal(u.select.left, 'x') * 1e3), Math.round(u.posToVal(u.select.left + u.select.width, 'x') * 1e3));
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
        },
      },
      data,
      box.current!,
    );
    plot.current = made;
    const sizes = new ResizeObserver(() => made.setSize({ width: box.current!.clientWidth, height: h }));
    sizes.observe(box.current!);
    return () => {
      sizes.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [x, lines, w]);
  return <div class="chart" ref={box} style={{ height: `${h}px` }} />;
}

/** Round steps for bytes. */
const POWERS_OF_TWO = Array.from({ length: 70 }, (_, i) => 2 ** (i - 10));

/** Samples without neighbours would be invisible as a line. */
const lonely = (v: (number | null)[]): boolean => v.every((x, i) => x === null || (v[i - 1] == null && v[i + 1] == null));

function yRange(lo: number | null, hi: number | null, zero: boolean): [number, number] {
  if (lo === null || hi === null || !Number.isFinite(lo) || !Number.isFinite(hi)) return [0, 1];
  let a = zero ? Math.min(0, lo) : lo;
  let z = zero ? Math.max(0, hi) : hi;
  if (a === z) return a === 0 ? [0, 1] : [Math.min(0, a * 2), Math.max(0, a * 2)];
  const room = (z - a) * 0.08;
  if (a > 0 && a < room * 2) a = 0;
  else if (a !== 0) a -= room;
  if (z !== 0) z += room;
  return [a, z];
}

export const cursorTime = (x: number[], i: number | null): string => (i === null || x[i] === undefined ? '' : clock(x[i] * 1e3, utc.value));
