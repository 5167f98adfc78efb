// Status: how many series there are and of what, and which label to drop when they are too many.
import { cardinality, seriesOf, type NameCount } from '../lib/api';
import { dropLabel, dropMetric, labelToDrop, type Advice } from '../lib/cardinality';
import { bytes, count, dur } from '../lib/fmt';
import { T } from '../lib/i18n';
import { useData } from '../lib/live';
import { href } from '../lib/url';
import { Copy, Failure } from '../ui/parts';

const TOP = 10;
const LOOKED_AT = 5; // metrics searched for a label to drop
const SERIES_MAX = 5000; // of each

async function load(signal: AbortSignal) {
  const c = await cardinality(TOP, signal);
  const day = Date.now() - 864e5;
  const top = c.seriesCountByMetricName.slice(0, LOOKED_AT);
  const found = await Promise.all(top.map(async (m) => labelToDrop(m.name, await seriesOf(`{__name__=${JSON.stringify(m.name)}}`, day, Date.now(), SERIES_MAX, signal))));
  const advice = found.filter((a) => a !== null).sort((a, b) => b.series - b.left - (a.series - a.left))[0] ?? null;
  return { ...c, advice };
}

export function Cardinality({ at }: { at: number }) {
  const { value: c, error } = useData('', load, String(Math.floor(at / 3e4)));
  if (!c) return error ? <Failure error={error} /> : null;
  const refused = c.refusedSamplesByTarget ?? [];
  return (
    <section class="card wide">
      <h2>
        {T('Cardinality')}
        <small>{T('{0} series in memory', count(c.headStats.numSeries))}</small>
        {refused.length > 0 && <span class="tag err">{T('series limit reached: new series are refused')}</span>}
      </h2>
      {refused.length > 0 && (
        <table class="refused">
          <thead>
            <tr>
              <th>{T('Refused: whose')}</th>
              <th class="n">{T('samples')}</th>
              <th class="n">{T('last')}</th>
            </tr>
          </thead>
          <tbody>
            {refused.map((r) => (
              <tr>
                <td class="m">{r.name}</td>
                <td class="n e">{count(r.value)}</td>
                <td class="n">{T('{0} ago', dur(Math.max(0, at - r.last * 1e3)))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <div class="tops">
        <Top title={T('Metrics by series')} rows={c.seriesCountByMetricName} show={count} link={(n) => href('/metrics-explorer', { m: n, q: n, find: n })} />
        <Top title={T('Labels by number of values')} rows={c.labelValueCountByLabelName} show={count} mark={c.advice?.label} />
        <Top title={T('Label pairs by series')} rows={c.seriesCountByLabelValuePair} show={count} link={(n) => href('/metrics-explorer', { q: `count by (__name__) (${selector(n)})`, view: 'table' })} />
        <Top title={T('Labels by memory')} rows={c.memoryInBytesByLabelName} show={bytes} mark={c.advice?.label} />
      </div>
      {c.advice ? <Drop a={c.advice} /> : <p class="note">{T('No label stands out: none of the five largest metrics would lose half its series with one label.')}</p>}
    </section>
  );
}

const selector = (pair: string): string => `{${pair.slice(0, pair.indexOf('='))}=${JSON.stringify(pair.slice(pair.indexOf('=') + 1))}}`;

interface TopProps {
  title: string;
  rows: NameCount[];
  show: (v: number) => string;
  link?: (name: string) => string;
  mark?: string;
}

function Top({ title, rows, show, link, mark }: TopProps) {
  const most = Math.max(1, ...rows.map((r) => r.value));
  return (
    <div>
      <h3>{title}</h3>
      {rows.map((r) => {
        const cells = (
          <>
            <span class={'cut m' + (r.name === mark ? ' w' : '')}>{r.name}</span>
            <em>{show(r.value)}</em>
            <u style={{ width: `${(r.value / most) * 100}%` }} />
          </>
        );
        return link ? (
          <a class="fv" title={r.name} href={link(r.name)}>
            {cells}
          </a>
        ) : (
          <div class="fv" title={r.name}>
            {cells}
          </div>
        );
      })}
    </div>
  );
}

function Drop({ a }: { a: Advice }) {
  const ways: [string, string][] = [
    [T('Drop the label from this metric'), dropLabel(a, false)],
    [T('Drop the label from all metrics of the job'), dropLabel(a, true)],
    [T('Drop the whole metric'), dropMetric(a.metric)],
  ];
  return (
    <div class="drop">
      <p>
        {T('Label to drop:')} <b class="m w">{a.label}</b>{' '}
        <span class="t2">{T('{0} has {1} values of it: without it {2} series become {3}.', a.metric, count(a.values), count(a.series), count(a.left))}</span>
      </p>
      <div class="ways">
        {ways.map(([title, text]) => (
          <div>
            <h3>
              {title} <Copy text={text}>{T('Copy')}</Copy>
            </h3>
            <pre>{text}</pre>
          </div>
        ))}
      </div>
      <p class="t3">{T('Series that become alike by this collide, and all but one sample of them are rejected as duplicates: drop a label only if others tell them apart.')}</p>
    </div>
  );
}
