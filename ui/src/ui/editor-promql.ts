// PromQL in the editor: Prometheus' own grammar, checks and completion, asking this server for names.
import type { Extension } from '@codemirror/state';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';

export const promql = (): Extension =>
  new PromQLExtension().setComplete({ remote: { url: '', httpMethod: 'GET', cache: { maxAge: 60_000 } } }).asExtension();
