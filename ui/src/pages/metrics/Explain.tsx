// What a query did: every part with the series and samples it went through and the time it took.
import { useMemo } from 'preact/hooks';
import type { Explained } from '../../lib/api';
import { count, dur } from '../../lib/fmt';
import { T } from '../../lib/i18n';
import { chain, droppedLabels, literal, shortText } from '../../lib/explain';
import { useData } from '../../lib/live';
import { labelsOf } from '../../lib/names';

/** The chain of parts from the result down to the data, while it does not fork, and the labels that got lost on the way. */
export function ExplainLine({ root }: { root: Explained }) {
  const parts = useMemo(() => chain(root), [root]);
  const selector = parts[parts.length - 1].text.replace(/\[[^\]]*\][^\]]*$|\s+offset\s.*$/, '');
  const aggregates = parts.some((n) => /aggreg/i.test(n.type));
  const names = useData(aggregates ? selector : null, () => labelsOf(selector).catch(() => []));
  const dropped = useMemo(() => (names.value ? droppedLabels(parts, names.value) : []), [parts, names.value]);
  return (
    <p class="chain">
      {parts.map((n, i) => (
        <>
          {i > 0 && <i>→</i>}
          <span title={n.text + '\n' + T('{0} samples · {1}', count(n.samples), dur(n.seconds * 1e3))}>{shortText(n)}</span>
          <b>{count(n.series)}</b>
        </>
      ))}
      {dropped.length > 0 && <em title={dropped.join(', ')}>{T('dropped labels: {0}', dropped.join(', '))}</em>}
    </p>
  );
}

export function ExplainTree({ root, open }: { root: Explained; open: (text: string) => void }) {
  const most = Math.max(root.seconds, 1e-9);
  return (
    <table class="tree">
      <thead>
        <tr>
          <th>{T('part')}</th>
          <th class="n">{T('series')}</th>
          <th class="n">{T('samples')}</th>
          <th class="n">{T('time')}</th>
          <th />
        </tr>
      </thead>
      <tbody>{rowsOf(root, 0, most, open)}</tbody>
    </table>
  );
}

function rowsOf(n: Explained, depth: number, most: number, open: (text: string) => void): preact.ComponentChildren[] {
  const own = Math.max(0, n.seconds - n.children.reduce((t, c) => t + c.seconds, 0));
  return [
    <tr>
      <td class="m cut" style={{ paddingLeft: `${12 + depth * 16}px` }}>
        <button title={T('Run this part alone') + '\n' + n.text} onClick={() => open(n.text)}>
          {shortText(n)}
        </button>
        <span class="t3"> {n.type}</span>
      </td>
      <td class="n">{count(n.series)}</td>
      <td class="n">{count(n.samples)}</td>
      <td class="n" title={T('{0} of it in this part itself', dur(own * 1e3))}>
        {dur(n.seconds * 1e3)}
      </td>
      <td class="cost">
        <i class="whole" style={{ width: `${(n.seconds / most) * 100}%` }} />
        <i style={{ width: `${(own / most) * 100}%` }} />
      </td>
    </tr>,
    ...n.children.filter((c) => !literal(c)).flatMap((c) => rowsOf(c, depth + 1, most, open)),
  ];
}
