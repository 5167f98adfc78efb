// What a query did: every part with the series and samples it went through and the time it took.
import type { Explained } from '../../lib/api';
import { count, dur } from '../../lib/fmt';
import { T } from '../../lib/i18n';
import { chain, shortText } from '../../lib/explain';

/** The chain of parts from the result down to the data, while it does not fork. */
export function ExplainLine({ root }: { root: Explained }) {
  return (
    <p class="chain">
      {chain(root).map((n, i) => (
        <>
          {i > 0 && <i>→</i>}
          <span title={T('{0} samples · {1}', count(n.samples), dur(n.seconds * 1e3))}>
            {shortText(n)} <b>{count(n.series)}</b>
          </span>
        </>
      ))}
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
    ...n.children.flatMap((c) => rowsOf(c, depth + 1, most, open)),
  ];
}
