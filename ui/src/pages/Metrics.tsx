// Metrics: what there is on the left, panels on the right. Everything chosen is in the URL (lib/panels.ts).
import { useMemo, useState } from 'preact/hooks';
import { strip } from '../lib/api';
import { remember } from '../lib/history';
import { T } from '../lib/i18n';
import { refresh, useData, win } from '../lib/live';
import { emptyPanel, PANELS_MAX, readPanels, writePanels, type Panel } from '../lib/panels';
import { go, loc } from '../lib/url';
import type { Mark } from '../ui/plot';
import { Explorer } from './metrics/Explorer';
import { Moved } from './metrics/Moved';
import { PanelView } from './metrics/Panel';

/** Deploys, restarts and outages, as lines in every chart. */
function useMarks(): Mark[] {
  const w = win.value;
  const { value } = useData(`${Math.floor(w.z / 3e4)} ${w.z - w.a}`, (s) => strip(w.a, w.z, 2, '', s));
  return useMemo(() => (value?.marks ?? []).map((m) => ({ t: m.t, text: m.name, color: m.kind === 'down' ? '--err' : m.kind === 'up' ? '--ok' : '--acc' })), [value]);
}

export function Page() {
  const query = loc.value.query;
  const panels = useMemo(() => readPanels(query), [query]);
  const [focus, setFocus] = useState({ panel: 0, query: 0 });
  const marks = useMarks();
  const at = Math.min(focus.panel, panels.length - 1);
  const chosen = panels[at].queries[focus.query] ?? '';
  const put = (next: Panel[], replace = false) => {
    const text = writePanels(next, loc.value.query);
    go(loc.value.path + (text ? '?' + text : ''), replace);
  };
  const set = (i: number, change: Partial<Panel>, replace = false) => put(panels.map((p, k) => (k === i ? { ...p, ...change } : p)), replace);
  const run = (i: number, k: number, text: string) => {
    remember(text);
    if (panels[i].queries[k] === text) return refresh();
    set(i, { queries: panels[i].queries.map((q, n) => (n === k ? text : q)), only: [] });
  };
  const add = (text: string) => {
    remember(text);
    const blank = panels.findIndex((p) => p.queries.every((q) => !q));
    if (blank >= 0) return run(blank, 0, text);
    if (panels.length >= PANELS_MAX) return;
    put([...panels, emptyPanel(text)]);
    setFocus({ panel: panels.length, query: 0 });
  };
  const move = (i: number, by: number) => {
    const next = [...panels];
    next.splice(i + by, 0, ...next.splice(i, 1));
    put(next);
    setFocus({ panel: i + by, query: 0 });
  };
  return (
    <div class="pg fill mx">
      <Explorer chosen={chosen} choose={(q) => run(at, Math.min(focus.query, panels[at].queries.length - 1), q)} add={add} />
      <div class="col">
        {panels.map((p, i) => (
          <PanelView
            key={i}
            panel={p}
            first={i === 0}
            marks={marks}
            run={(k, text) => run(i, k, text)}
            set={(change, replace) => set(i, change, replace)}
            focus={(k) => setFocus({ panel: i, query: k })}
            up={i > 0 ? () => move(i, -1) : undefined}
            down={i < panels.length - 1 ? () => move(i, 1) : undefined}
            remove={panels.length > 1 ? () => put(panels.filter((_, k) => k !== i)) : undefined}
          />
        ))}
        {panels.length < PANELS_MAX && (
          <p class="row">
            <button class="btn" onClick={() => (put([...panels, emptyPanel()]), setFocus({ panel: panels.length, query: 0 }))}>
              + {T('panel')}
            </button>
          </p>
        )}
        {panels.some((p) => p.queries.some(Boolean)) && <Moved add={add} />}
      </div>
    </div>
  );
}
