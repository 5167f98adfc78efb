// The same spans on a canvas, one row per depth. Spans narrower than a pixel are merged with their neighbours, so the cost is bounded by pixels, not
// by spans.
import { useMemo } from 'preact/hooks';
import { css, serviceColor } from '../lib/color';
import { dur } from '../lib/fmt';
import { T } from '../lib/i18n';
import type { Span, Trace } from '../lib/traces';
import { useCanvas } from './canvas';

const ROW = 22;
const ROWS_MAX = 400;

interface Box {
  span: Span;
  lane: number;
}

/** Siblings that overlap get lanes of their own; the children of a span lie below it. */
export function lanes(trace: Trace): Box[] {
  const ends: number[] = [];
  const laneOf = new Map<Span, number>();
  return trace.spans.map((span) => {
    let lane = span.parent ? laneOf.get(span.parent)! + 1 : 0;
    while (lane < ROWS_MAX && (ends[lane] ?? -1) > span.start) lane++;
    ends[lane] = span.start + span.duration;
    laneOf.set(span, lane);
    return { span, lane };
  });
}

interface FlameProps {
  trace: Trace;
  chosen: Span | null;
  hits: Set<Span> | null;
  choose: (s: Span | null) => void;
}

export function Flame({ trace, chosen, hits, choose }: FlameProps) {
  const boxes = useMemo(() => lanes(trace), [trace]);
  const depth = boxes.reduce((m, b) => Math.max(m, b.lane), 0) + 1;
  const total = trace.duration || 1;
  const { ref } = useCanvas(
    (g, width) => {
      g.font = '11px ' + css('--font');
      const err = css('--err');
      const drawnTo: number[] = [];
      for (const { span: s, lane } of boxes) {
        const x = (s.start / total) * width;
        const w = Math.max(1, (s.duration / total) * width - 1);
        if (w <= 1 && x + w <= (drawnTo[lane] ?? -1)) continue;
        drawnTo[lane] = Math.ceil(x + w);
        const y = lane * ROW + 4;
        g.globalAlpha = hits && !hits.has(s) ? 0.2 : s === chosen ? 1 : 0.82;
        g.fillStyle = serviceColor(s.service);
        g.fillRect(x, y, w, ROW - 2);
        if (s.error || s === chosen) {
          g.strokeStyle = s === chosen ? css('--brass') : err;
          g.lineWidth = s === chosen ? 2 : 1;
          g.strokeRect(x + 0.5, y + 0.5, Math.max(1, w - 1), ROW - 3);
        }
        if (w < 34) continue;
        g.save();
        g.beginPath();
        g.rect(x, y, w - 4, ROW);
        g.clip();
        g.fillStyle = '#0a0d12';
        g.fillText(`${s.service} · ${s.name}  ${dur(s.duration / 1e3)}`, x + 6, y + 14);
        g.restore();
      }
    },
    [boxes, chosen, hits],
  );
  const at = (e: MouseEvent): Span | null => {
    const t = (e.offsetX / ref.current!.clientWidth) * total;
    const slack = total / ref.current!.clientWidth;
    const lane = Math.floor((e.offsetY - 4) / ROW);
    return boxes.find((b) => b.lane === lane && b.span.start - slack <= t && t <= b.span.start + b.span.duration + slack)?.span ?? null;
  };
  const hint = (e: MouseEvent) => {
    const s = at(e);
    ref.current!.title = s ? `${s.service}: ${s.name}\n${dur(s.duration / 1e3)}` : '';
  };
  return (
    <div class="wf" style={{ overflow: 'auto' }}>
      <canvas class="flame" ref={ref} style={{ height: `${depth * ROW + 10}px` }} role="img" aria-label={T('Flame')} onClick={(e) => choose(at(e))} onMouseMove={hint} />
    </div>
  );
}

/** The whole trace at a glance: two pixels a row at most. */
export function Minimap({ trace }: { trace: Trace }) {
  const { ref } = useCanvas(
    (g, width, height) => {
      const n = trace.spans.length;
      const total = trace.duration || 1;
      const row = Math.min(3, height / n);
      const seen = new Set<number>();
      trace.spans.forEach((s, i) => {
        const x = Math.floor((s.start / total) * width);
        const y = Math.floor(i * row);
        const w = Math.max(1, (s.duration / total) * width);
        const cell = y * 8192 + x;
        if (w <= 1 && seen.has(cell)) return;
        seen.add(cell);
        g.fillStyle = s.error ? css('--err') : serviceColor(s.service);
        g.fillRect(x, y, w, Math.max(1, row - (row > 2 ? 1 : 0)));
      });
    },
    [trace],
  );
  return <canvas class="mini" ref={ref} aria-hidden="true" />;
}
