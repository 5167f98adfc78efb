// Logs over the window in stacked layers (by severity, or by the values of a field); dragging chooses a narrower window.
import { useState } from 'preact/hooks';
import type { Strip } from '../lib/api';
import { css, SEVERITIES, SEVERITY_VAR } from '../lib/color';
import { count } from '../lib/fmt';
import { T } from '../lib/i18n';
import { utc } from '../lib/live';
import { clock, tickLabel, ticks, type Window } from '../lib/time';
import { go, href } from '../lib/url';
import { useDrag, useCanvas, type Drag } from './canvas';
import { drawChoice } from './Strip';

export interface Layer {
  name: string;
  color: () => string;
  counts: number[];
}
export interface Bars {
  from: number;
  step: number;
  layers: Layer[]; // the lowest first
}
export const bySeverity = (s: Strip): Bars => ({
  from: s.from,
  step: s.step,
  layers: [...SEVERITIES].reverse().map((name) => ({ name: T(name), color: () => css(SEVERITY_VAR[name]), counts: s[name] })),
});

interface HistogramProps {
  data: Bars | null;
  window: Window;
  class?: string;
}

export function Histogram({ data, window: w, class: cls = 'hist' }: HistogramProps) {
  const [drag, setDrag] = useState<Drag | null>(null);
  const { ref } = useCanvas(
    (g, width, height) => {
      if (!data) return;
      const base = height - 13;
      const x = (t: number) => ((t - w.a) / (w.z - w.a)) * width;
      const n = data.layers[0]?.counts.length ?? 0;
      const colors = data.layers.map((l) => l.color());
      let max = 1;
      for (let i = 0; i < n; i++) max = Math.max(max, data.layers.reduce((sum, l) => sum + l.counts[i], 0));
      for (let i = 0; i < n; i++) {
        const left = x(data.from + i * data.step);
        const wide = Math.max(1, x(data.from + (i + 1) * data.step) - left - 1);
        let y = base;
        data.layers.forEach((l, k) => {
          if (!l.counts[i]) return;
          const h = Math.max(1, (l.counts[i] / max) * (base - 14));
          g.fillStyle = colors[k];
          g.fillRect(left, y - h, wide, h);
          y -= h;
        });
      }
      g.font = '10px ' + css('--mono');
      g.fillStyle = css('--tx3');
      g.fillText(count(max), 4, 11);
      for (const t of ticks(w, width / 120, utc.value)) g.fillText(tickLabel(t, w.z - w.a, utc.value), x(t) + 3, height - 2), g.fillRect(x(t), base, 1, 4);
      if (drag) drawChoice(g, Math.min(drag.x0, drag.x1), Math.max(drag.x0, drag.x1), width, base);
    },
    [data, w, drag, utc.value],
  );
  const timeAt = (px: number) => Math.round(w.a + (px / ref.current!.clientWidth) * (w.z - w.a));
  const handlers = useDrag(setDrag, (d) => go(href(null, { from: timeAt(d.x0), to: timeAt(d.x1) })));
  const hint = (e: PointerEvent) => {
    handlers.onPointerMove(e);
    const i = data ? Math.floor((timeAt(e.offsetX) - data.from) / data.step) : -1;
    if (!data || i < 0 || i >= (data.layers[0]?.counts.length ?? 0)) return;
    ref.current!.title = `${clock(data.from + i * data.step, utc.value)}\n` + [...data.layers].reverse().map((l) => `${l.name} ${count(l.counts[i])}`).join('\n');
  };
  return <canvas class={cls} ref={ref} role="img" aria-label={T('Logs over time; drag to choose a window')} {...handlers} onPointerMove={hint} />;
}
