// What else moved in the chosen window: the metrics whose values in it are unlike those of the four windows before it.
import { moved, type MovedMetric } from '../../lib/api';
import { count, dur, factor } from '../../lib/fmt';
import { T } from '../../lib/i18n';
import { useData, win } from '../../lib/live';
import { seriesNames } from '../../lib/series';
import { formatDuration } from '../../lib/time';
import { unitFor, UNITS } from '../../lib/units';
import { Failure } from '../../ui/parts';
import { Spark } from '../../ui/Spark';

/** The metric as a query: a counter by its growth. */
const queryOf = (m: MovedMetric): string => (m.rate ? `rate(${m.metric.__name__}[1m])` : m.metric.__name__);

export function Moved({ add }: { add: (query: string) => void }) {
  const w = win.value;
  const { value, error, busy } = useData(w.relative ? null : `${w.a} ${w.z}`, async (s) => {
    const began = performance.now();
    return { ...(await moved(w.a, w.z, s)), ms: performance.now() - began };
  });
  if (w.relative) return <p class="note">{T('Drag over a chart to choose a window: what else moved in it is listed here.')}</p>;
  return (
    <section class="moved">
      <h2>
        {T('Moved together in this window')}{' '}
        <small>{value ? T('Kolmogorov–Smirnov against the {0} before, over {1} series, {2}', formatDuration(Math.round((value.from - value.base) / 1e3) * 1e3), count(value.compared), dur(value.ms)) : busy ? '…' : ''}</small>
      </h2>
      <Failure error={error} />
      {value && !value.moved.length && <p class="note">{T('Nothing moved beyond chance.')}</p>}
      <div>
        {value?.moved.map((m) => {
          const query = queryOf(m);
          const { format } = UNITS[unitFor(query)];
          return (
            <button class="card" title={T('Add as a panel') + '\n' + query} onClick={() => add(query)}>
              <b class="m cut">{m.metric.__name__}</b>
              <em>{m.d.toFixed(2)}</em>
              <span class="m cut">{seriesNames([m.metric])[0].replace(m.metric.__name__, '').trim() || '\u00a0'}</span>
              <i>{factor(m.before, m.inside)}</i>
              <Spark v={m.points} w={196} h={34} color="var(--warn)" />
              <small>
                {format(m.before)} → {format(m.inside)}
                {m.others > 0 && ' · ' + T('and {0} more', count(m.others))}
              </small>
            </button>
          );
        })}
      </div>
    </section>
  );
}
