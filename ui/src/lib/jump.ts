// The jump box: what a text most likely means, as a URL.
import { href } from './url';

export function destination(text: string): string {
  const t = text.trim();
  if (/^([0-9a-f]{32}|[0-9a-f]{16})$/i.test(t)) return href('/traces/' + t.toLowerCase());
  const service = /^service:"?([^"\s]+)"?$/.exec(t);
  if (service) return href('/traces', { service: service[1] });
  const promql = /^[a-zA-Z_:][a-zA-Z0-9_:]*(\s*[{([]|$)/.test(t) && (/[{([]/.test(t) || /_(total|bytes|seconds|count|sum|bucket|info|ratio)$/.test(t) || /^(up|node_|process_|go_)/.test(t));
  return promql || /^[{(]/.test(t) ? href('/metrics-explorer', { q: t }) : href('/logs', { q: t });
}
