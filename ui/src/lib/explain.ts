// The plan of a query, as the server explains it, in short words.
import type { Explained } from './api';

const literal = (n: Explained) => /number|string|duration/i.test(n.type);

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
