// The query bar: a plain text field at once, the editor when it is loaded and the page is idle. Enter runs; Shift-Enter breaks the line.
import type { CompletionSource } from '@codemirror/autocomplete';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { T } from '../lib/i18n';
import type { Note } from '../lib/series';
import type { EditorHandle } from './editor';

interface QueryProps {
  lang: 'promql' | 'lucene';
  label: string;
  /** Instead of the label: a choice. */
  picker?: ComponentChildren;
  value: string;
  hint: string;
  complete?: CompletionSource;
  /** What is wrong with a text that is being typed. */
  check?: (text: string, signal: AbortSignal) => Promise<Note[]>;
  /** What the last answer said of the text. */
  notes?: Note[];
  onRun: (text: string) => void;
  onFocus?: () => void;
  /** Takes the focus for the "/" key. */
  main?: boolean;
  children?: ComponentChildren;
}

const whenIdle = (fn: () => void): (() => void) => {
  if (!('requestIdleCallback' in window)) {
    const timer = setTimeout(fn, 200);
    return () => clearTimeout(timer);
  }
  const id = requestIdleCallback(fn, { timeout: 1500 });
  return () => cancelIdleCallback(id);
};

export function Query({ lang, label, picker, value, hint, complete, check, notes, onRun, onFocus, main = false, children }: QueryProps) {
  const [text, setText] = useState(value);
  const [ready, setReady] = useState(false);
  const host = useRef<HTMLDivElement>(null);
  const plain = useRef<HTMLTextAreaElement>(null);
  const editor = useRef<EditorHandle | null>(null);
  const latest = useRef({ text, onRun, notes, check });
  latest.current = { text, onRun, notes, check };
  const run = () => latest.current.onRun(latest.current.text.trim());

  useEffect(() => {
    setText(value);
    editor.current?.set(value);
  }, [value]);
  useEffect(() => editor.current?.recheck(), [notes, check]);
  useEffect(() => {
    let gone = false;
    const cancel = whenIdle(async () => {
      const { mount } = await import('./editor');
      if (gone || !host.current) return;
      const focused = document.activeElement === plain.current;
      const made = await mount(host.current, { lang, text: latest.current.text, hint, label, complete, check: async (t, signal) => (await latest.current.check?.(t, signal)) ?? [], notes: () => latest.current.notes ?? [], onChange: (t) => ((latest.current.text = t), setText(t)), onRun: run });
      if (gone) return made.destroy();
      editor.current = made;
      made.set(latest.current.text);
      setReady(true);
      if (focused) made.focus();
    });
    return () => {
      gone = true;
      cancel();
      editor.current?.destroy();
      editor.current = null;
    };
  }, [lang]);
  useEffect(() => {
    if (!main) return;
    const focus = () => (editor.current ? editor.current.focus() : plain.current?.focus());
    addEventListener('focus-query', focus);
    return () => removeEventListener('focus-query', focus);
  }, [main]);

  const onKey = (e: KeyboardEvent) => {
    if (e.key !== 'Enter' || e.shiftKey) return;
    e.preventDefault();
    run();
  };
  return (
    <div class="query" onFocusIn={onFocus}>
      {picker ?? <b>{label}</b>}
      <div class="editor">
        {!ready && (
          <textarea ref={plain} rows={Math.max(1, text.split('\n').length)} aria-label={label} placeholder={hint} spellcheck={false} autocapitalize="off" value={text} onInput={(e) => setText(e.currentTarget.value)} onKeyDown={onKey} />
        )}
        <div ref={host} hidden={!ready} data-editor={ready ? lang : undefined} />
      </div>
      {children}
      <button class="btn pri" onClick={run}>
        {lang === 'promql' ? T('Run') : T('Search')} ⏎
      </button>
    </div>
  );
}
