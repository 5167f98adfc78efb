// The lines of a chart by name: their values under the pointer, least, mean, greatest and last. A click shows a line alone, with Ctrl or Shift adds it.
import { useMemo } from 'preact/hooks';
import { useComputed } from '@preact/signals';
import { factor } from '../../lib/fmt';
import { T } from '../../lib/i18n';
import { win } from '../../lib/live';
import { labelText, summary, type Line } from '../../lib/series';
import { indexAt } from '../../ui/Chart';
import { hoverTime, timeText } from '../../ui/plot';

export type Shown = Line & { query: number; color: string; id: string };

interface LegendProps {
  lines: Shown[];
  x: number[];
  only: string[];
  setOnly: (only: string[]) => void;
  format: (v: number) => string;
  /** The label that tells the lines apart, if it is one. */
  label: string;
  /** The mean of a line before the window, if there is something to compare with. */
  before: ((l: Shown) => number | undefined) | null;
}

const STRIKING = 2; // times as much, or as little

export function Legend({ lines, x, only, setOnly, format, label, before }: LegendProps) {
  const stats = useMemo(() => lines.map((l) => summary(l.v)), [lines]);
  const show = (v: number | null) => (v === null ? <span class="t3">–</span> : format(v));
  const choose = (id: string, more: boolean) => {
    if (more) return setOnly(only.includes(id) ? only.filter((o) => o !== id) : [...only, id]);
    setOnly(only.length === 1 && only[0] === id ? [] : [id]);
  };
  return (
    <div class="lgs">
      <table class="lg">
        <thead>
          <tr>
            <th>{label || T('Series')}</th>
            <th class="n">
              <HoverTime x={x} />
            </th>
            <th class="n">min</th>
            <th class="n">mean</th>
            <th class="n">max</th>
            <th class="n">last</th>
            {before && <th class="n">{T('vs before')}</th>}
          </tr>
        </thead>
        <tbody>
          {lines.map((l, i) => (
            <tr key={l.id} class={only.length && !only.includes(l.id) ? 'off' : ''} onClick={(e) => choose(l.id, e.ctrlKey || e.metaKey || e.shiftKey)} title={labelText(l.labels)}>
              <td class="name">
                <button aria-pressed={only.includes(l.id)}>
                  <i class="sw" style={{ background: l.color }} />
                  {label ? l.labels[label] : l.name}
                </button>
              </td>
              <td class="n">
                <HoverValue line={l} x={x} format={format} />
              </td>
              <td class="n">{show(stats[i].min)}</td>
              <td class="n">{show(stats[i].mean)}</td>
              <td class="n">{show(stats[i].max)}</td>
              <td class="n">{show(stats[i].last)}</td>
              {before && <Change before={before(l)} now={stats[i].mean} format={format} />}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Change({ before, now, format }: { before: number | undefined; now: number | null; format: (v: number) => string }) {
  if (before === undefined || now === null) return <td class="n t3">–</td>;
  const times = Math.max(now / before, before / now);
  return (
    <td class={'n ' + (times >= STRIKING ? 'e' : 't3')} title={`${format(before)} → ${format(now)}`}>
      {factor(before, now) || '–'}
    </td>
  );
}

const under = (x: number[]): number | null => (hoverTime.value === null ? null : indexAt(x, hoverTime.value / 1e3));

function HoverTime({ x }: { x: number[] }) {
  const i = under(x);
  return <>{i === null ? '' : timeText(x[i] * 1e3, win.peek())}</>;
}

/** Rendered anew only when its text changes: there may be two hundred of them. */
function HoverValue({ line, x, format }: { line: Shown; x: number[]; format: (v: number) => string }) {
  const text = useComputed(() => {
    const i = under(x);
    const v = i === null ? null : line.v[i];
    return v === null || v === undefined ? '' : format(v);
  });
  return <>{text}</>;
}
