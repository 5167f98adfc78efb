// Every state of the page is its URL: /page/sub?key=value. `loc` is that URL as a signal; links made by href() change it without a page load.
import { signal } from '@preact/signals';
import { fromPrometheus } from './panels';

export interface Location {
  path: string;
  query: URLSearchParams;
}

/** These travel from page to page; all other keys belong to the page that set them. */
const TRAVEL = ['from', 'to', 'live', 'tz', 'lang', 'theme'];

const read = (): Location => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const loc = signal<Location>(read());

export const param = (key: string, otherwise = ''): string => loc.value.query.get(key) ?? otherwise;

/** Goes to a URL; `replace` leaves no step for the back button. */
export function go(url: string, replace = false): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', url);
  loc.value = read();
}

export type Changes = Record<string, string | number | null>;

/** A URL of this page (path null) or of another one, with some keys set; null or '' removes a key. */
export function href(path: string | null, set: Changes = {}, at: Location = loc.value): string {
  const query = new URLSearchParams(at.query);
  if (path !== null) for (const key of [...query.keys()]) if (!TRAVEL.includes(key)) query.delete(key);
  for (const [key, value] of Object.entries(set)) value === null || value === '' ? query.delete(key) : query.set(key, String(value));
  const text = query.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%2F', '/');
  return (path ?? at.path) + (text ? '?' + text : '');
}

/** Jaeger's search keys: start, end in µs; lookback "1h" or "custom". */
const jaeger = (q: URLSearchParams): Changes => {
  const set: Changes = {};
  for (const [theirs, ours] of [['service', 'service'], ['operation', 'op'], ['tags', 'tags'], ['minDuration', 'min'], ['maxDuration', 'max'], ['limit', 'limit']]) {
    const value = q.get(theirs);
    if (value && value !== 'all') set[ours] = value;
  }
  const lookback = q.get('lookback');
  if (lookback && lookback !== 'custom') set.from = '-' + lookback;
  else if (q.get('start') && q.get('end')) Object.assign(set, { from: Math.floor(Number(q.get('start')) / 1000), to: Math.ceil(Number(q.get('end')) / 1000) });
  return set;
};

/** Where a bookmark of Prometheus, Jaeger or an older name of a page leads; null: nowhere else. */
export function moved(at: Location): string | null {
  const none: Location = { path: '/', query: new URLSearchParams() };
  if (at.path === '/graph' || at.path === '/query') {
    const state = fromPrometheus(at.query);
    return '/metrics-explorer' + (state ? '?' + state : '');
  }
  if (at.path === '/search') return href('/traces', jaeger(at.query), none);
  const trace = /^\/trace\/([0-9a-fA-F]+)$/.exec(at.path);
  if (trace) return href('/traces/' + trace[1].toLowerCase(), {}, none);
  if (at.path === '/targets') return href('/status', {}, at);
  return null;
}

/** Back and forward buttons, and clicks on links of this page. */
export function listen(): void {
  addEventListener('popstate', () => (loc.value = read()));
  addEventListener('click', (e) => {
    const a = (e.target as Element).closest?.('a');
    if (!a || !a.href || e.defaultPrevented || e.metaKey || e.ctrlKey || e.shiftKey || e.button || a.target || a.origin !== location.origin) return;
    if (a.hasAttribute('data-server')) return;
    e.preventDefault();
    go(a.pathname + a.search);
  });
}
