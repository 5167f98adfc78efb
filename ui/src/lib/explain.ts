// The plan of a query, as the server explains it, in short words.
import type { Explained } from './api';
import { AGGREGATES, tokens } from './promql';

export const literal = (n: Explained) => /number|string|duration/i.test(n.type);

/** The parts from the result down, as long as each stands on one other. */
export function chain(root: Explained): Explained[] {
  const out = [root];
  for (let n = root; ; n = out[out.length - 1]) {
    const below = n.children.filter((c) => !literal(c));
    if (below.length !== 1) return out;
    out.push(below[0]);
  }
}

/** The text of a part with those below it left out. Places are bytes of the query; they are used only where the text proves them right. */
export function shortText(n: Explained): string {
  let text = n.text;
  for (const c of n.children.filter((k) => !literal(k)).sort((a, b) => b.start - a.start)) {
    const at = c.start - n.start;
    const place = text.startsWith(c.text, at) ? at : text.indexOf(c.text);
    if (place >= 0 && c.text) text = text.slice(0, place) + '…' + text.slice(place + c.text.length);
  }
  return text.replace(/\s+/g, ' ').trim();
}

/** The labels a chain starts with that its aggregations leave out. */
export function droppedLabels(parts: Explained[], all: string[]): string[] {
  let left = all.filter((l) => l !== '__name__');
  for (const n of [...parts].reverse()) {
    const t = tokens(shortText(n)).filter((k) => k.kind !== 'space');
    if (!((t[0]?.text ?? '') in AGGREGATES) || /^(topk|bottomk|limitk|limit_ratio)$/.test(t[0].text)) continue;
    const at = t.findIndex((k) => /^(by|without)$/i.test(k.text));
    const end = t.findIndex((k, i) => i > at && k.text === ')');
    const listed = at < 0 ? [] : t.slice(at + 2, end).filter((k) => k.kind === 'ident').map((k) => k.text);
    left = left.filter((l) => listed.includes(l) !== (t[at]?.text.toLowerCase() === 'without'));
  }
  return all.filter((l) => l !== '__name__' && !left.includes(l));
}
