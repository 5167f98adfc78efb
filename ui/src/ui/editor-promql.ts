// PromQL in the editor: colours from our own tokenizer, completion from this server's names, errors as its parser finds them while typing.
import { startCompletion, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { forceLinting, linter, type Diagnostic } from '@codemirror/lint';
import { RangeSetBuilder, type Extension } from '@codemirror/state';
import { Decoration, EditorView, ViewPlugin, type DecorationSet, type ViewUpdate } from '@codemirror/view';
import { isAbort, labelValues, parseQuery } from '../lib/api';
import { T } from '../lib/i18n';
import { win } from '../lib/live';
import { cached, labelsOf, metricRows } from '../lib/names';
import { AGGREGATES, DURATIONS, FUNCTIONS, placeAt, role, selectorText, tokens, wordsAfter, type Place } from '../lib/promql';
import { noteIn, type Note } from '../lib/series';

// --- colours

const marks: Record<string, Decoration> = {};
const markOf = (name: string): Decoration => (marks[name] ??= Decoration.mark({ class: 'tk-' + name }));

function paint(text: string): DecorationSet {
  const all = tokens(text).filter((t) => t.kind !== 'space');
  const out = new RangeSetBuilder<Decoration>();
  const open: boolean[] = []; // of each bracket: does it hold label names?
  all.forEach((t, i) => {
    if (t.kind === 'open') open.push(t.text === '{' || (t.text === '(' && /^(by|without|on|ignoring|group_left|group_right)$/i.test(all[i - 1]?.text ?? '')));
    else if (t.kind === 'close') open.pop();
    const name = role(t, all[i - 1], all[i + 1], open[open.length - 1] ?? false);
    if (name) out.add(t.from, t.to, markOf(name));
  });
  return out.finish();
}

const colors = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = paint(view.state.doc.toString());
    }
    update(u: ViewUpdate) {
      if (u.docChanged) this.decorations = paint(u.state.doc.toString());
    }
  },
  { decorations: (v) => v.decorations },
);

// --- completion

const never = new AbortController().signal; // what is asked here is kept for the next key, too

/** Puts a text in with the cursor `back` places before its end, and offers what fits there. */
const putIn = (text: string, back: number) => (view: EditorView, _: Completion, from: number, to: number) => {
  view.dispatch({ changes: { from, to, insert: text }, selection: { anchor: from + text.length - back }, userEvent: 'input.complete' });
  if (back) startCompletion(view);
};

const callOf = ([name, [args, does]]: [string, [string, string]], type: string): Completion => ({
  label: name,
  type,
  detail: `(${args})`,
  info: T(does),
  apply: (view, c, from, to) => putIn(view.state.sliceDoc(to, to + 1) === '(' ? name : name + '()', args && view.state.sliceDoc(to, to + 1) !== '(' ? 1 : 0)(view, c, from, to),
});

const COUNTING = /^(rate|irate|increase|resets)$/;

async function operands(call: string): Promise<Completion[]> {
  const rows = await metricRows();
  const wanted = (name: string, type: string) => (COUNTING.test(call) && (type === 'counter' || /_(total|count|sum|bucket)$/.test(name)) ? 20 : 1);
  return [
    ...rows.map(({ name, type, help }): Completion => ({ label: name, type: 'metric', detail: type, info: help || undefined, boost: wanted(name, type) })),
    ...Object.entries(FUNCTIONS).map((f) => callOf(f, 'function')),
    ...Object.entries(AGGREGATES).map((f) => callOf(f, 'aggregate')),
  ];
}

/** A value inside quotes; inside a regular expression its own signs are escaped. */
export function quoted(value: string, op: string): string {
  const text = op.endsWith('~') ? value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') : value;
  return text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');
}

const asWords = (words: string[], type: string): Completion[] => words.map((label) => ({ label, type }));

const valuesOf = (label: string, match: string) => cached(`values ${label} ${match}`, () => labelValues(label, win.peek().a, win.peek().z, never, match));

async function optionsAt(p: Place, hasOperator: boolean): Promise<Completion[]> {
  switch (p.kind) {
    case 'expr': return operands(p.call);
    case 'after': return asWords(wordsAfter(p.aggregate), 'keyword');
    case 'operator': return asWords(['=', '!=', '=~', '!~'], 'operator');
    case 'duration': return asWords(DURATIONS, 'duration');
    case 'label': {
      const used = new Set(p.matchers.filter((m) => m.op === '=').map((m) => m.label));
      const names = (await labelsOf(selectorText(p.metric, p.matchers))).filter((n) => !used.has(n) && (n !== '__name__' || !p.metric));
      return names.map((label) => ({ label, type: 'label', apply: hasOperator ? undefined : putIn(label + '=""', 1) }));
    }
    case 'grouping': {
      const names = await labelsOf(selectorText(p.metric, []));
      return asWords(names.filter((n) => n !== '__name__' && !p.used.includes(n)), 'label');
    }
    case 'value': return (await valuesOf(p.label, selectorText(p.metric, p.matchers))).map((label) => ({ label, type: 'value', apply: quoted(label, p.op) }));
    case 'none': return [];
  }
}

async function complete(c: CompletionContext): Promise<CompletionResult | null> {
  const text = c.state.doc.toString();
  const p = placeAt(text, c.pos);
  if (p.kind === 'none') return null;
  let from = p.from;
  if (p.kind === 'value' && p.op.endsWith('~')) from = Math.max(from, text.lastIndexOf('|', c.pos - 1) + 1, text.lastIndexOf('(', c.pos - 1) + 1); // an alternative of the expression
  if (!c.explicit && from === c.pos && (p.kind === 'expr' || p.kind === 'after' || p.kind === 'operator')) return null;
  try {
    const options = await optionsAt(p, /^\s*[=!]/.test(text.slice(c.pos).replace(/^[\w:.]*/, '')));
    return options.length ? { from, to: p.kind === 'value' && !p.op.endsWith('~') ? p.to : undefined, options, validFor: p.kind === 'value' ? /^[^"'`|()]*$/ : /^[\w:.]*$/ } : null;
  } catch {
    return null; // the server will be asked again with the next key
  }
}

// --- what the server says of the text

function diagnostic(text: string, n: Note): Diagnostic {
  const from = Math.min(n.at, Math.max(0, text.length - 1));
  const word = tokens(text).find((t) => t.from <= from && from < t.to && t.kind !== 'space');
  return { from, to: Math.max(word?.to ?? from + 1, Math.min(from + 1, text.length)), severity: n.kind, message: n.text };
}

/** Errors as the server's parser finds them; when there are none, the notes of the last answer to this very text. */
function check(notes: () => Note[]): Extension {
  let stop = new AbortController();
  return linter(
    async (view) => {
      const text = view.state.doc.toString();
      stop.abort();
      stop = new AbortController();
      if (!text.trim()) return [];
      try {
        await parseQuery(text, stop.signal);
      } catch (e) {
        const found = isAbort(e) ? null : noteIn((e as Error).message, text, 'error');
        return found ? [diagnostic(text, found)] : [];
      }
      return notes().filter((n) => n.at >= 0).map((n) => diagnostic(text, n));
    },
    { delay: 300 },
  );
}

export const promql = (notes: () => Note[]): { extension: Extension; source: typeof complete; recheck: (view: EditorView) => void } => ({
  extension: [colors, check(notes)],
  source: complete,
  recheck: forceLinting,
});
