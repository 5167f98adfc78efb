// The strip: one band of time on every page, with the logs by severity and what happened to targets. Dragging on it chooses the window; a click
// goes back to the last relative one.
import { useMemo, useState } from 'preact/hooks';
import { strip, type Strip as StripData } from '../lib/api';
import { css } from '../lib/color';
import { T } from '../lib/i18n';
import { useData, utc, win } from '../lib/live';
import { tickLabel, ticks, type Window } from '../lib/time';
import { go, href, param } from '../lib/url';
import { useDrag, useCanvas, type Drag } from './canvas';

const BUCKETS = 200;
const SPANS = [36e5, 6 * 36e5, 864e5, 7 * 864e5, 30 * 864e5];

/** The stretch of time shown around a chosen window: up to now if that still shows the window well, else five times the window. */
export function context(w: Window, now: number): Window {
  if (w.relative) return w;
  const span = SPANS.find((s) => now - s <= w.a && w.z <= now + 6e4 && (w.z - w.a) * 60 > s);
  if (span) return { a: now - span, z: now, relative: true };
  const len = w.z - w.a;
  return { a: w.a - 2 * len, z: w.z + 2 * len, relative: false };
}

let lastRelative = '';

function markText(m: StripData['marks'][number]): string {
  if (m.kind === 'down') return T('{0} went down', m.name);
  return m.kind === 'up' ? T('{0} is up again', m.name) : T('{0} was started anew', m.name);
}

export function Strip() {
  const w = win.value;
  if (w.relative) lastRelative = param('from');
  const shown = useMemo(() => context(w, Date.now()), [w]);
  const { value } = useData(`${Math.round(shown.a / 1e3)} ${Math.round(shown.z / 1e3)}`, (s) => strip(shown.a, shown.z, BUCKETS, '', s));
  const [drag, setDrag] = useState<Drag | null>(null);

  const { ref } = useCanvas(
    (g, width, height) => {
      const base = height - 14;
      const x = (t: number) => ((t - shown.a) / (shown.z - shown.a)) * width;
      if (value) drawBars(g, value, x, base);
      g.font = '10px ' + css('--mono');
      g.fillStyle = css('--tx3');
      for (const t of ticks(shown, width / 130, utc.value)) {
        g.fillText(tickLabel(t, shown.z - shown.a, utc.value), x(t) + 4, height - 3);
        g.fillRect(x(t), base, 1, 4);
      }
      if (value) drawMarks(g, value, x, base);
      const chosen = drag ? [drag.x0, drag.x1].sort((p, q) => p - q) : w.relative ? null : [x(w.a), x(w.z)];
      if (chosen) drawChoice(g, chosen[0], chosen[1], width, height);
    },
    [value, shown, drag, w, utc.value],
  );

  const timeAt = (px: number) => Math.round(shown.a + (px / ref.current!.clientWidth) * (shown.z - shown.a));
  const handlers = useDrag(
    setDrag,
    (d) => go(href(null, { from: timeAt(d.x0), to: timeAt(d.x1) })),
    () => !w.relative && go(href(null, { from: lastRelative, to: null })),
  );
  const hint = (e: PointerEvent) => {
    const t = timeAt(e.offsetX);
    const reach = ((shown.z - shown.a) / ref.current!.clientWidth) * 6;
    ref.current!.title = value?.marks.filter((m) => Math.abs(m.t - t) < reach).map(markText).join('\n') ?? '';
    handlers.onPointerMove(e);
  };
  return <canvas class="strip" ref={ref} role="img" aria-label={T('Logs by severity over time; drag to choose a window')} {...handlers} onPointerMove={hint} />;
}

/** Square roots, so that a burst does not flatten everything else; errors in front. */
function drawBars(g: CanvasRenderingContext2D, s: StripData, x: (t: number) => number, base: number): void {
  const n = s.error.length;
  const all = (i: number) => s.error[i] + s.warn[i] + s.info[i] + s.debug[i];
  let max = 1;
  for (let i = 0; i < n; i++) max = Math.max(max, Math.sqrt(all(i)));
  const bar = (value: (i: number) => number, color: string, alpha: number) => {
    g.fillStyle = css(color);
    g.globalAlpha = alpha;
    for (let i = 0; i < n; i++) {
      const v = value(i);
      if (!v) continue;
      const left = x(s.from + i * s.step);
      const h = Math.max(1, (Math.sqrt(v) / max) * (base - 12));
      g.fillRect(left, base - h, Math.max(1, x(s.from + (i + 1) * s.step) - left - 1), h);
    }
  };
  bar(all, '--tx3', 0.5);
  bar((i) => s.error[i] + s.warn[i], '--warn', 0.6);
  bar((i) => s.error[i], '--err', 1);
  g.globalAlpha = 1;
}

function drawMarks(g: CanvasRenderingContext2D, s: StripData, x: (t: number) => number, base: number): void {
  for (const m of s.marks) {
    const at = x(m.t);
    g.fillStyle = css(m.kind === 'down' ? '--err' : m.kind === 'up' ? '--ok' : '--acc');
    g.beginPath();
    g.moveTo(at, base - 1);
    g.lineTo(at - 4, base + 6);
    g.lineTo(at + 4, base + 6);
    g.fill();
    g.globalAlpha = 0.45;
    g.fillRect(at - 0.5, 4, 1, base - 4);
    g.globalAlpha = 1;
  }
}

export function drawChoice(g: CanvasRenderingContext2D, a: number, z: number, w: number, h: number): void {
  g.fillStyle = css('--bg');
  g.globalAlpha = 0.62;
  g.fillRect(0, 0, a, h);
  g.fillRect(z, 0, w - z, h);
  g.globalAlpha = 1;
  g.fillStyle = css('--brass');
  g.fillRect(a - 0.75, 0, 1.5, h);
  g.fillRect(z - 0.75, 0, 1.5, h);
}
