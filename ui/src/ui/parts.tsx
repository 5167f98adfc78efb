// Small pieces every page uses.
import type { ComponentChildren } from 'preact';
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
