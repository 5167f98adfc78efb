// Lucene's query syntax in the editor: a tokenizer for the colours. What can be completed is the page's to say.
import { StreamLanguage } from '@codemirror/language';

export const lucene = StreamLanguage.define<{ value: boolean }>({
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
