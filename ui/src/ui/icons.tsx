// Line icons of the shell, drawn on a 16 x 16 grid.

const PATHS: Record<string, string> = {
  Overview: 'M2.5 2.5h4.5v6H2.5zM9 2.5h4.5v3.5H9zM9 8h4.5v5.5H9zM2.5 10.5h4.5v3H2.5z',
  Metrics: 'M2 2v12h12M4.5 10.5l3-4 2.5 2 4-5',
  Logs: 'M2.5 3.5h11M2.5 6.5h7M2.5 9.5h11M2.5 12.5h5',
  Traces: 'M2.5 4h7M5 8h6M8 12h5.5',
  Status: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.5V11M8 5v.4',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5l3 3',
  clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.5V8l2.5 1.5',
  sun: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9',
  link: 'M6.5 9.5l3-3M7 4.5l1.3-1.3a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5l-1.3 1.3a3 3 0 0 1-4.5-4.5L4.5 7',
  help: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.3 6.3a1.8 1.8 0 1 1 2.5 1.7c-.5.2-.8.6-.8 1.2M8 11.3v.3',
};

export const Icon = ({ n, s = 15 }: { n: string; s?: number }) => (
  <svg width={s} height={s} viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.25" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    <path d={PATHS[n]} />
  </svg>
);

/** A compass card in its housing: a binnacle. */
export const Logo = () => (
  <svg width="18" height="18" viewBox="0 0 16 16" fill="none" stroke="var(--brass)" stroke-width="1.1" aria-hidden="true">
    <circle cx="8" cy="8" r="6.6" />
    <path d="M8 3.4 9.6 8 8 12.6 6.4 8z" fill="var(--brass)" stroke="none" />
    <circle cx="8" cy="8" r=".8" fill="var(--bg)" stroke="none" />
  </svg>
);
