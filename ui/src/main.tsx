// The shell: navigation, time, the strip, keys; and below it the page that the path names. Pages but the overview are loaded when first seen.
import { signal } from '@preact/signals';
import { render, type ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { chooseLang, lang, LANGUAGES, T } from './lib/i18n';
import { bytes, num } from './lib/fmt';
import { press } from './lib/keys';
import { live, startClock } from './lib/live';
import { destination } from './lib/jump';
import { diskBytes, lost, rates, self, watchSelf } from './lib/self';
import { chooseTheme, theme } from './lib/theme';
import { go, href, listen, loc, moved } from './lib/url';
import { Icon, Logo } from './ui/icons';
import { Strip } from './ui/Strip';
import { shiftWindow, TimePicker, toggleLive } from './ui/TimePicker';

interface PageRow {
  name: string;
  path: string;
  key: string;
  load: () => Promise<{ Page: ComponentType }>;
}
const PAGES: PageRow[] = [
  { name: 'Overview', path: '/overview', key: 'o', load: () => import('./pages/Overview') },
  { name: 'Metrics', path: '/metrics-explorer', key: 'm', load: () => import('./pages/Metrics') },
  { name: 'Logs', path: '/logs', key: 'l', load: () => import('./pages/Logs') },
  { name: 'Traces', path: '/traces', key: 't', load: () => import('./pages/Traces') },
  { name: 'Status', path: '/status', key: 's', load: () => import('./pages/Status') },
];
const pageAt = (path: string): PageRow => PAGES.find((p) => path === p.path || path.startsWith(p.path + '/')) ?? PAGES[0];
const loaded = signal<Record<string, ComponentType>>({});
const broken = signal('');

function Side({ at }: { at: PageRow }) {
  return (
    <aside class="side">
      <a class="brand" href={href('/overview')}>
        <Logo />
        <span>binnacle</span>
      </a>
      <nav>
        {PAGES.map((p) => (
          <>
            {p.name === 'Metrics' && <h4>{T('Explore')}</h4>}
            {p.name === 'Status' && <h4>{T('Observe')}</h4>}
            <a key={p.name} class={p === at ? 'on' : ''} aria-current={p === at ? 'page' : undefined} title={`g ${p.key}`} href={href(p.path)}>
              <Icon n={p.name} />
              {T(p.name)}
            </a>
          </>
        ))}
      </nav>
      <Cost />
    </aside>
  );
}

/** The process's own cost. */
function Cost() {
  const s = self.value;
  const r = rates.value;
  return (
    <footer>
      <div>
        <i class={'dot ' + (lost.value ? 'err' : s ? 'ok' : '')} />
        {lost.value ? T('the server does not answer') : s ? `binnacle ${s.version}` : '…'}
      </div>
      <dl>
        <dt>{T('samples')}</dt>
        <dd>{r ? num(r.samples) + '/s' : '–'}</dd>
        <dt>{T('logs')}</dt>
        <dd>{r ? num(r.logs) + '/s' : '–'}</dd>
        <dt>{T('spans')}</dt>
        <dd>{r ? num(r.spans) + '/s' : '–'}</dd>
        <dt>{T('memory')}</dt>
        <dd>{s ? bytes(s.process.rss_bytes) : '–'}</dd>
        <dt>{T('disk')}</dt>
        <dd>{s ? bytes(diskBytes(s)) : '–'}</dd>
      </dl>
    </footer>
  );
}

function Top({ jump }: { jump: { current: HTMLInputElement | null } }) {
  const other = LANGUAGES.find(([code]) => code !== lang.value)!;
  const leap = (e: KeyboardEvent & { currentTarget: HTMLInputElement }) => {
    const text = e.currentTarget.value.trim();
    if (e.key !== 'Enter' || !text) return;
    e.currentTarget.value = '';
    e.currentTarget.blur();
    go(destination(text));
  };
  return (
    <header class="top">
      <label class="jump">
        <Icon n="search" s={13} />
        <input ref={jump} aria-label={T('Jump to')} placeholder={T('Jump to: words in logs, service:name, trace id, PromQL')} onKeyDown={leap} />
        <kbd>⌘K</kbd>
      </label>
      <span class="grow" />
      <TimePicker />
      <button class={'sel' + (live.value ? ' on' : '')} aria-pressed={live.value} title="." onClick={toggleLive}>
        <i class={'dot' + (live.value ? ' ok pulse' : '')} />
        {T('Live')}
      </button>
      <button class="ib word" title={T('Language')} onClick={() => (chooseLang(other[0]), go(href(null, { lang: null }), true))}>
        {lang.value === 'zh' ? 'EN' : '中'}
      </button>
      <button class="ib" title={T('Theme')} onClick={() => (chooseTheme(theme.value === 'dark' ? 'light' : 'dark'), go(href(null, { theme: null }), true))}>
        <Icon n="sun" />
      </button>
    </header>
  );
}

function Help({ close }: { close: () => void }) {
  const rows: [string, string][] = [
    ['g o m l t s', T('go to overview, metrics, logs, traces, status')],
    ['/', T('to the query')],
    ['⌘K', T('jump box')],
    ['[ ]', T('previous or next window')],
    ['.', T('live on or off')],
    ['j k ⏎ Esc', T('next or previous row, open, close')],
    ['?', T('this help')],
  ];
  return (
    <div class="help" role="dialog" aria-label={T('Keys')} onClick={close}>
      <div>
        <b>{T('Keys')}</b>
        <dl>
          {rows.map(([keys, what]) => (
            <>
              <dt>{keys.split(' ').map((k) => <><kbd>{k}</kbd> </>)}</dt>
              <dd>{what}</dd>
            </>
          ))}
        </dl>
      </div>
    </div>
  );
}

function App() {
  const at = pageAt(loc.value.path);
  const Page = loaded.value[at.name];
  const [help, setHelp] = useState(false);
  const jump = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = `${T(at.name)} · binnacle`;
    if (loaded.peek()[at.name]) return;
    at.load().then(
      (m) => ((loaded.value = { ...loaded.peek(), [at.name]: m.Page }), (broken.value = '')),
      (e: Error) => (broken.value = e.message),
    );
  }, [at, lang.value]);
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const ours = press(e, {
        goTo(letter) {
          const p = PAGES.find((x) => x.key === letter);
          if (p) go(href(p.path));
          return Boolean(p);
        },
        shift: shiftWindow,
        live: toggleLive,
        help: (show) => setHelp((h) => show ?? !h),
        jump: () => jump.current?.focus(),
        query: () => dispatchEvent(new Event('focus-query')),
      });
      if (ours) e.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  return (
    <>
      <Side at={at} />
      <Top jump={jump} />
      <main>
        <Strip />
        {Page ? <Page /> : broken.value ? <p class="note err">{broken.value}</p> : <div class="pg" />}
      </main>
      {help && <Help close={() => setHelp(false)} />}
    </>
  );
}

const elsewhere = moved(loc.value);
if (elsewhere) go(elsewhere, true);
else if (loc.value.path === '/') go(href('/overview'), true);
listen();
startClock();
watchSelf();
const root = document.getElementById('app')!;
root.textContent = '';
render(<App />, root);
