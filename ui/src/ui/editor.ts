// The query editor proper (CodeMirror), loaded after the plain text field is on screen. It lives in a shadow root, so that its style sheets are
// adopted by script and the page's policy needs no exception.
import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus, moveCompletionSelection, selectedCompletion, type CompletionSource } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorState, Prec, type Extension } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags as t } from '@lezer/highlight';
import type { Note } from '../lib/series';

export interface EditorOptions {
  lang: 'promql' | 'lucene';
  text: string;
  hint: string;
  label: string;
  complete?: CompletionSource;
  /** What is wrong with the text as it stands (Lucene). */
  check?: (text: string, signal: AbortSignal) => Promise<Note[]>;
  /** What the last answer said of the text: marked in it while it stands unchanged. */
  notes?: () => Note[];
  onChange: (text: string) => void;
  onRun: () => void;
}
export interface EditorHandle {
  set: (text: string) => void;
  focus: () => void;
  /** The notes are others now. */
  recheck: () => void;
  destroy: () => void;
}

const COLORS = { keyword: '--acc', function: '--acc', propertyName: '--ok', string: '--brass', number: '--warn', operator: '--tx2', comment: '--tx3', invalid: '--err' };
const colors = HighlightStyle.define((['keyword', 'propertyName', 'string', 'number', 'operator'] as const).map((name) => ({ tag: t[name], color: `var(${COLORS[name]})` })));

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
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '2px 9px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--bg3)', color: 'var(--tx)' },
  '.cm-completionMatchedText': { textDecoration: 'none', color: 'var(--acc)' },
  '.cm-completionDetail': { color: 'var(--tx3)', fontStyle: 'normal' },
  '.cm-tooltip.cm-completionInfo': { padding: '6px 9px', maxWidth: '320px' },
  '.cm-completionIcon': { display: 'none' },
  '.cm-completionInfo': { font: '11.5px/1.45 var(--font)', color: 'var(--tx2)' },
  '.cm-lintRange': { backgroundImage: 'none !important', textDecoration: 'underline wavy 1px', textUnderlineOffset: '3px' },
  '.cm-lintRange-error': { textDecorationColor: 'var(--err)' },
  '.cm-lintRange-warning': { textDecorationColor: 'var(--warn)' },
  '.cm-lintRange-info': { textDecorationColor: 'var(--acc)' },
  '.cm-lintPoint::after': { borderBottomColor: 'var(--err) !important' },
  '.cm-diagnostic': { padding: '4px 9px', font: '11.5px/1.45 var(--mono)', border: '0 !important', whiteSpace: 'pre-wrap', maxWidth: '560px' },
  '.cm-diagnostic-error': { color: 'var(--err)' },
  '.cm-diagnostic-warning': { color: 'var(--warn)' },
  ...Object.fromEntries(Object.entries(COLORS).map(([name, v]) => ['.tk-' + name, { color: `var(${v})` }])),
});

interface Language {
  extension: Extension;
  source?: CompletionSource;
  recheck?: (view: EditorView) => void;
}
const languageOf = async (o: EditorOptions): Promise<Language> =>
  o.lang === 'promql' ? (await import('./editor-promql')).promql(o.notes ?? (() => [])) : { ...(await import('./editor-lucene')).lucene(o.check), source: o.complete };

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
        autocompletion({ icons: false, selectOnOpen: false, interactionDelay: 0, maxRenderedOptions: 60, override: language.source ? [language.source] : undefined }),
        language.extension,
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
    recheck: () => language.recheck?.(view),
    destroy: () => view.destroy(),
  };
}
