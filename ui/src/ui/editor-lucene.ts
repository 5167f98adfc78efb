// Lucene's query syntax in the editor: a tokenizer for the colours, completion from the server's fields and values.
import { autocompletion, type CompletionSource } from '@codemirror/autocomplete';
import { StreamLanguage } from '@codemirror/language';
import type { Extension } from '@codemirror/state';

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

export const lucene = (complete?: CompletionSource): Extension => [language, complete ? autocompletion({ override: [complete] }) : []];
