// Queries that were run in this browser, newest first.
import { signal } from '@preact/signals';

const KEEP = 60;

function read(): string[] {
  try {
    const all: unknown = JSON.parse(localStorage.getItem('promql') ?? '[]');
    return Array.isArray(all) ? all.filter((q) => typeof q === 'string') : [];
  } catch {
    return [];
  }
}

export const ran = signal<string[]>(read());

export function remember(query: string): void {
  if (!query.trim() || ran.value[0] === query) return;
  ran.value = [query, ...ran.value.filter((q) => q !== query)].slice(0, KEEP);
  localStorage.setItem('promql', JSON.stringify(ran.value));
}
