// The query editor proper (CodeMirror), loaded after the plain text field is on screen. It lives in a shadow root, so that its style sheets are
// adopted by script and the page's policy needs no exception.
import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus, moveCompletionSelection, selectedCompletion, type CompletionSource } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorState, Prec, type Extension } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags as t } from '@lezer/highlight';

export interface EditorOptions {
  lang: 'promql' | 'lucene';
  text: string;
  hint: string;
  label: string;
  complete?: CompletionSource;
  onChange: (text: string) => void;
  onRun: () => void;
}
export interface EditorHandle {
  set: (text: string) => void;
  focus: () => void;
  destroy: () => void;
}

const colors = HighlightStyle.define([
  { tag: [t.keyword, t.modifier, t.function(t.variableName)], color: 'var(--acc)' },
  { tag: [t.labelName, t.propertyName], color: 'var(--ok)' },
  { tag: [t.string, t.special(t.string)], color: 'var(--brass)' },
  { tag: t.number, color: 'var(--warn)' },
  { tag: t.operator, color: 'var(--tx2)' },
  { tag: t.invalid, color: 'var(--err)' },
  { tag: t.comment, color: 'var(--tx3)' },
]);

const look = EditorView.theme({
  '&': { fontSize: '12.5px', color: 'var(--tx)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '20px' },
  '.cm-content': { padding: '2px 0', caretColor: 'var(--acc)' },
  '.cm-line': { padding: '0' },
  '.cm-cursor': { borderLeftColor: 'var(--acc)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, ::selection': { backgroundColor: 'color-mix(in srgb, var(--acc) 30%, transparent)' },
  '.cm-placeholder': { color: 'var(--tx3)' },
  '.cm-matchingBracket': { backgroundColor: 'var(--bg3) !important' },
  '.cm-tooltip': { backgroundColor: 'var(--bg1)', border: '1px solid var(--line2)', borderRadius: '6px', color: 'var(--tx)', zIndex: '40' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', fontSize: '11.5px', maxHeight: '240px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--bg3)', color: 'var(--tx)' },
  '.cm-completionMatchedText': { textDecoration: 'none', color: 'var(--acc)' },
  '.cm-completionDetail': { color: 'var(--tx3)', fontStyle: 'normal' },
  '.cm-tooltip.cm-completionInfo': { padding: '6px 9px', maxWidth: '320px' },
  '.cm-completionIcon': { display: 'none' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--err)' },
  '.cm-diagnostic': { padding: '4px 9px' },
});

const languageOf = async (o: EditorOptions): Promise<Extension> =>
  o.lang === 'promql' ? (await import('./editor-promql')).promql() : (await import('./editor-lucene')).lucene(o.complete);

export async function mount(parent: HTMLElement, o: EditorOptions): Promise<EditorHandle> {
  const language = await languageOf(o);
  const root = parent.shadowRoot ?? parent.attachShadow({ mode: 'open' });
  root.replaceChildren();
  const run = (view: EditorView): boolean => {
    if (selectedCompletion(view.state)) return false;
    o.onRun();
    return true;
  };
  const complete = (view: EditorView): boolean =>
    completionStatus(view.state) === 'active' && (selectedCompletion(view.state) !== null || moveCompletionSelection(true)(view)) && acceptCompletion(view);
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: o.text,
      extensions: [
        history(),
        closeBrackets(),
        bracketMatching(),
        autocompletion({ icons: false, selectOnOpen: false }),
        language,
        syntaxHighlighting(colors),
        placeholder(o.hint),
        look,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': o.label }),
        EditorView.updateListener.of((u) => u.docChanged && o.onChange(u.state.doc.toString())),
        Prec.highest(keymap.of([{ key: 'Enter', run }, { key: 'Tab', run: complete }])),
        keymap.of([{ key: 'Escape', run: (v) => (v.contentDOM.blur(), true) }, ...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
      ],
    }),
  });
  return {
    set(text) {
      if (text !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
