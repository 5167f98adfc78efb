// Small pieces every page uses.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { T } from '../lib/i18n';
import { href, type Changes } from '../lib/url';

/** What went wrong, in the server's words. */
export const Failure = ({ error }: { error: Error | null }) => (error ? <p class="note err" role="alert">{error.message}</p> : null);

/** An empty place that says how to fill it. */
export const Teach = ({ children, command }: { children: ComponentChildren; command?: string }) => (
  <div class="teach">
    <p>{children}</p>
    {command && <pre>{command}</pre>}
  </div>
);

/** Choices of which the URL holds one: [value, word]; the first is the default and leaves the URL clean. */
export function Tabs({ name, at, of }: { name: string; at: string; of: [string, string][] }) {
  return (
    <span class="tabs" role="tablist">
      {of.map(([value, word], i) => (
        <a role="tab" aria-selected={at === value} class={at === value ? 'on' : ''} href={href(null, { [name]: i ? value : null } as Changes)}>
          {T(word)}
        </a>
      ))}
    </span>
  );
}

/** The address this page came from, for commands to copy. */
export const origin = (): string => location.origin;

/** What opens under a button: closed by Escape and by a press anywhere else. */
export function useMenu() {
  const [open, setOpen] = useState(false);
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const close = (e: Event) => {
      if (e instanceof KeyboardEvent ? e.key === 'Escape' : !ref.current?.contains(e.target as Node)) setOpen(false);
    };
    addEventListener('pointerdown', close);
    addEventListener('keydown', close);
    return () => (removeEventListener('pointerdown', close), removeEventListener('keydown', close));
  }, [open]);
  return { open, setOpen, ref };
}

/** A button that copies a text and says so. */
export function Copy({ text, children }: { text: string; children: ComponentChildren }) {
  const [done, setDone] = useState(false);
  const copy = () => void navigator.clipboard.writeText(text).then(() => (setDone(true), setTimeout(() => setDone(false), 1500)));
  return (
    <button class="btn" onClick={copy}>
      {done ? T('Copied') : children}
    </button>
  );
}
