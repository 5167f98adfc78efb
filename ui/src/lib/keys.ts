// The keyboard. Pages say what j, k, Enter and Esc do on them; the rest is the same everywhere.

export interface PageKeys {
  move?: (by: number) => void;
  open?: () => void;
  close?: () => void;
}

let page: PageKeys = {};
/** Sets the page's own keys; call the result when the page goes. */
export function pageKeys(keys: PageKeys): () => void {
  page = keys;
  return () => {
    if (page === keys) page = {};
  };
}

const GO_MS = 1200;
let goneAt = 0;

const typing = (e: KeyboardEvent): boolean => {
  const t = e.composedPath()[0];
  return t instanceof HTMLElement && (t.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(t.tagName));
};

export interface ShellKeys {
  goTo: (letter: string) => boolean;
  shift: (by: number) => void;
  live: () => void;
  help: (show?: boolean) => void;
  jump: () => void;
  query: () => void;
}

/** One key press; true: it was ours. */
export function press(e: KeyboardEvent, shell: ShellKeys): boolean {
  if ((e.metaKey || e.ctrlKey) && e.key === 'k') return shell.jump(), true;
  if (e.metaKey || e.ctrlKey || e.altKey) return false;
  if (typing(e)) {
    if (e.key === 'Escape') (e.composedPath()[0] as HTMLElement).blur();
    return false;
  }
  if (e.key === 'g') return (goneAt = e.timeStamp), true;
  const gone = goneAt && e.timeStamp - goneAt < GO_MS;
  goneAt = 0;
  if (gone && shell.goTo(e.key)) return true;
  switch (e.key) {
    case '/': return shell.query(), true;
    case '?': return shell.help(), true;
    case '[': return shell.shift(-1), true;
    case ']': return shell.shift(1), true;
    case '.': return shell.live(), true;
    case 'j': return page.move?.(1), true;
    case 'k': return page.move?.(-1), true;
    case 'Enter': return page.open ? (page.open(), true) : false;
    case 'Escape': return shell.help(false), page.close?.(), true;
  }
  return false;
}
