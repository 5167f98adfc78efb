// Lucene's query syntax in the editor: a tokenizer for the colours. What can be completed and what is wrong is the page's to say.
import { StreamLanguage } from '@codemirror/language';
import { forceLinting, linter } from '@codemirror/lint';
import type { Extension } from '@codemirror/state';
import type { EditorView } from '@codemirror/view';
import { isAbort } from '../lib/api';
import type { EditorOptions } from './editor';

const language = StreamLanguage.define<{ value: boolean }>({
  startState: () => ({ value: false }),
  token(s, state) {
    if (s.eatSpace()) return null;
    if (s.match(/^(AND|OR|NOT|TO)\b/) || s.match(/^(&&|\|\||!)/)) return 'keyword';
    if (s.match(/^"(?:[^"\\]|\\.)*"?/) || s.match(/^\/(?:[^/\\]|\\.)*\//)) return 'string';
    if (s.match(/^(?:[^\s:()[\]{}"\\]|\\.)+(?=:)/)) {
      state.value = true;
      return 'propertyName';
    }
    if (s.match(/^[:()[\]{}^~+-]/)) return 'operator';
    const number = s.match(/^-?\d+(\.\d+)?(?=[\s)\]}]|$)/);
    if (number) return 'number';
    if (s.match(/^(?:[^\s:()[\]{}"\\^~]|\\.)+/)) {
      const isValue = state.value;
      state.value = false;
      return isValue ? 'string' : null;
    }
    s.next();
    return null;
  },
});

function marks(check: NonNullable<EditorOptions['check']>): Extension {
  let stop = new AbortController();
  return linter(
    async (view) => {
      const text = view.state.doc.toString();
      stop.abort();
      stop = new AbortController();
      try {
        const last = Math.max(0, text.length - 1);
        return (await check(text, stop.signal)).map((n) => ({ from: Math.max(0, Math.min(n.at, last)), to: n.at < 0 ? text.length : Math.min(n.at + 1, text.length), severity: n.kind, message: n.text }));
      } catch (e) {
        if (isAbort(e)) return [];
        throw e;
      }
    },
    { delay: 300 },
  );
}

export const lucene = (check: EditorOptions['check']): { extension: Extension; recheck: (view: EditorView) => void } => ({
  extension: check ? [language, marks(check)] : language,
  recheck: forceLinting,
});
