// Searches kept in this browser under a name: what the Logs page had in its URL, without the time.
import { signal } from '@preact/signals';

export interface Saved {
  name: string;
  query: string; // the URL's, "q=...&pills=..."
}
const KEY = 'logs.saved';
const KEYS = ['q', 'mode', 'pills', 'cols', 'by', 'wrap', 'f'];

function read(): Saved[] {
  try {
    const all: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(all) ? all.filter((s) => typeof s?.name === 'string' && typeof s?.query === 'string') : [];
  } catch {
    return [];
  }
}
export const saved = signal<Saved[]>(read());

function put(all: Saved[]): void {
  saved.value = all;
  localStorage.setItem(KEY, JSON.stringify(all));
}
export function save(name: string, at: URLSearchParams): void {
  const query = new URLSearchParams(KEYS.flatMap((k) => (at.get(k) ? [[k, at.get(k)!]] : [])));
  put([...saved.value.filter((s) => s.name !== name), { name, query: query.toString() }].sort((a, b) => a.name.localeCompare(b.name)));
}
export const forget = (name: string): void => put(saved.value.filter((s) => s.name !== name));
/** Every key of a search: set by the saved one, or taken away. */
export const keysOf = (s: Saved): Record<string, string | null> => {
  const q = new URLSearchParams(s.query);
  return Object.fromEntries(KEYS.map((k) => [k, q.get(k)]));
};
