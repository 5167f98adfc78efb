// Shapes of the lines found, with counts, against the time before: new and vanished ones first to see. A click keeps only the lines of a shape.
import { useState } from 'preact/hooks';
import { logPatterns, type LogPattern } from '../lib/api';
import { serviceColor } from '../lib/color';
import { count, dur, factor } from '../lib/fmt';
import { T } from '../lib/i18n';
import { useData, win } from '../lib/live';
import { dslOf, patternClause, severityOf, type Search } from '../lib/logs';
import { param } from '../lib/url';
import { Failure, Tabs } from './parts';
import { Spark } from './Spark';

const FEW = 4;
const GROWN = 3;
/** While it is live: read again after a share of the window, never sooner than that. */
const AGAIN_MS = 3e4;

const grown = (p: LogPattern): boolean => p.before === 0 || p.count === 0 || p.count >= GROWN * p.before;
/** What is new or gone counts as if there had been one before, or was one now. */
const surprise = (p: LogPattern): number => Math.abs(Math.log((p.count + 1) / (p.before + 1)));

export function Patterns({ search, filter }: { search: Search; filter: (text: string, not: boolean) => string }) {
  const w = win.value;
  const view = param('pat');
  const [all, setAll] = useState(false);
  const dsl = dslOf(search);
  const every = Math.max(AGAIN_MS, (w.z - w.a) / 20);
  const { value, error } = useData(`${dsl} ${w.relative ? w.z - w.a : `${w.a} ${w.z}`}`, (s) => logPatterns(w.a, w.z, dsl, s), w.relative ? String(Math.floor(w.z / every)) : '');
  const rows = value ? (view === 'all' ? value.patterns.filter((p) => p.count) : value.patterns.filter(grown).sort((a, b) => surprise(b) - surprise(a))) : [];
  const shown = all ? rows : rows.slice(0, FEW);
  return (
    <section class="card pat">
      <h2>
        {T('Patterns')}
        {value && <small>{T('{0} lines → {1} shapes', count(value.lines), count(value.patterns.filter((p) => p.count).length))}{value.partial ? ' · ' + T('the newest counted only') : ''}</small>}
        <span class="grow" />
        <Tabs name="pat" at={view} of={[['', 'vs before'], ['all', 'all'], ['off', 'off']]} />
      </h2>
      <Failure error={error} />
      <div class="scroll">
        {value && rows.length === 0 && <p class="note">{T('Nothing new against the {0} before.', dur(w.z - w.a))}</p>}
        {shown.map((p) => {
          const one = patternClause(p.field, p.text);
          return (
            <div class={'pl' + (p.count ? '' : ' t3')} key={p.field + p.text}>
              <em>{count(p.count || p.before)}</em>
              <i class={'lv ' + severityOf(p.severity, '')} />
              <b class="svc cut" style={{ '--c': serviceColor(p.service) }}>{p.service}</b>
              <a class="cut grow" href={filter(one, false)} title={`${p.text}\n${T('only these lines')}`}><code>{p.text}</code></a>
              <a class="minus" href={filter(one, true)} title={T('without these lines')} aria-label={T('without these lines')}>−</a>
              {p.points.length > 0 && <Spark v={p.points} w={72} h={16} />}
              <Change p={p} />
            </div>
          );
        })}
        {rows.length > FEW && <button class="note lnk" aria-expanded={all} onClick={() => setAll(!all)}>{all ? T('fewer') : T('{0} more', rows.length - FEW)}</button>}
      </div>
    </section>
  );
}

function Change({ p }: { p: LogPattern }) {
  if (!p.before) return <span class="tag err">{T('new')}</span>;
  if (!p.count) return <span class="tag">{T('gone')}</span>;
  return <span class={'tag' + (p.count >= GROWN * p.before ? ' warn' : '')}>{factor(p.before, p.count)}</span>;
}
