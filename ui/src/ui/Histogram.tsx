// Logs by severity over the window, stacked; dragging chooses a narrower window.
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

interface HistogramProps {
  data: Strip | null;
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
      const n = data.error.length;
      let max = 1;
      for (let i = 0; i < n; i++) max = Math.max(max, data.error[i] + data.warn[i] + data.info[i] + data.debug[i]);
      for (let i = 0; i < n; i++) {
        const left = x(data.from + i * data.step);
        const wide = Math.max(1, x(data.from + (i + 1) * data.step) - left - 1);
        let y = base;
        for (const s of [...SEVERITIES].reverse()) {
          if (!data[s][i]) continue;
          const h = Math.max(1, (data[s][i] / max) * (base - 14));
          g.fillStyle = css(SEVERITY_VAR[s]);
          g.fillRect(left, y - h, wide, h);
          y -= h;
        }
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
    if (!data || i < 0 || i >= data.error.length) return;
    ref.current!.title = `${clock(data.from + i * data.step, utc.value)}\n` + SEVERITIES.map((s) => `${T(s)} ${count(data[s][i])}`).join('\n');
  };
  return <canvas class={cls} ref={ref} role="img" aria-label={T('Logs by severity over time; drag to choose a window')} {...handlers} onPointerMove={hint} />;
}
