// PromQL as the editor needs it: a lenient tokenizer (any half-written text has tokens), the words of the language with their signatures, and what can
// be typed at a place. Whether a text is right is the server's to say (/api/v1/parse_query): there is one parser.

export type Kind = 'space' | 'comment' | 'string' | 'number' | 'duration' | 'ident' | 'op' | 'open' | 'close' | 'comma' | 'other';

export interface Token {
  kind: Kind;
  from: number;
  to: number;
  text: string;
}

const RULES: [Kind, RegExp][] = [
  ['space', /\s+/y],
  ['comment', /#[^\n]*/y],
  ['string', /"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|`[^`]*`?/y],
  ['duration', /(?:\d+(?:\.\d+)?(?:ms|[smhdwy]))+(?![\w.])/y],
  ['number', /0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y],
  ['ident', /[a-zA-Z_:][\w:.]*/y],
  ['op', /=~|!~|!=|==|>=|<=|[-+*/%^<>=@]/y],
  ['open', /[({[]/y],
  ['close', /[)}\]]/y],
  ['comma', /,/y],
];

/** Every character belongs to one token; what is no PromQL is 'other'. */
export function tokens(text: string): Token[] {
  const out: Token[] = [];
  for (let at = 0; at < text.length; ) {
    let found: Token | null = null;
    for (const [kind, rule] of RULES) {
      rule.lastIndex = at;
      const m = rule.exec(text);
      if (!m) continue;
      found = { kind, from: at, to: at + m[0].length, text: m[0] };
      break;
    }
    found ??= { kind: 'other', from: at, to: at + 1, text: text[at] };
    out.push(found);
    at = found.to;
  }
  return out;
}

// --- the words

/** Name -> [arguments, what it gives]. v: instant vector, m: range vector, s: number, t: text. */
const V1 = (does: string): [string, string] => ['v', does];
const M1 = (does: string): [string, string] => ['range', does];
export const FUNCTIONS: Record<string, [args: string, does: string]> = {
  abs: V1('absolute values'),
  absent: V1('1 if the vector is empty'),
  absent_over_time: M1('1 if there was no sample in the range'),
  acos: V1('arc cosine'),
  acosh: V1('inverse hyperbolic cosine'),
  asin: V1('arc sine'),
  asinh: V1('inverse hyperbolic sine'),
  atan: V1('arc tangent'),
  atanh: V1('inverse hyperbolic tangent'),
  avg_over_time: M1('mean of the samples in the range'),
  ceil: V1('rounded up'),
  changes: M1('how often the value changed in the range'),
  clamp: ['v, min, max', 'values kept between two bounds'],
  clamp_max: ['v, max', 'values kept below a bound'],
  clamp_min: ['v, min', 'values kept above a bound'],
  cos: V1('cosine'),
  cosh: V1('hyperbolic cosine'),
  count_over_time: M1('number of samples in the range'),
  day_of_month: ['[v]', 'day of the month (UTC), 1 to 31'],
  day_of_week: ['[v]', 'day of the week (UTC), 0 is Sunday'],
  day_of_year: ['[v]', 'day of the year (UTC), 1 to 366'],
  days_in_month: ['[v]', 'days of that month, 28 to 31'],
  deg: V1('radians to degrees'),
  delta: M1('last minus first of a gauge, stretched to the whole range'),
  deriv: M1('slope per second of a gauge, by linear regression'),
  double_exponential_smoothing: ['range, smoothing, trend', 'a smoothed gauge; both factors between 0 and 1'],
  end: ['', 'the end of the query'],
  exp: V1('e to the power of the value'),
  first_over_time: M1('oldest sample of the range'),
  floor: V1('rounded down'),
  histogram_avg: V1('mean of the observations of a native histogram'),
  histogram_count: V1('number of observations of a native histogram'),
  histogram_fraction: ['lower, upper, v', 'share of observations between two bounds'],
  histogram_quantile: ['φ, v', 'φ-quantile of a histogram: rates of its buckets by le, or native histograms'],
  histogram_quantiles: ['v, label, φ, …', 'several quantiles, told apart by a label'],
  histogram_stddev: V1('standard deviation of the observations of a native histogram'),
  histogram_stdvar: V1('variance of the observations of a native histogram'),
  histogram_sum: V1('sum of the observations of a native histogram'),
  hour: ['[v]', 'hour of the day (UTC)'],
  idelta: M1('difference of the last two samples'),
  increase: M1('by how much a counter grew in the range'),
  info: ['v, [selector]', 'adds the labels of matching info metrics'],
  irate: M1('growth per second of a counter, from the last two samples'),
  label_join: ['v, to, separator, from, …', 'joins labels into one'],
  label_replace: ['v, to, replacement, from, regex', 'sets a label by a regular expression over another'],
  last_over_time: M1('newest sample of the range'),
  ln: V1('natural logarithm'),
  log10: V1('decimal logarithm'),
  log2: V1('binary logarithm'),
  mad_over_time: M1('median absolute deviation of the range'),
  max_of: ['s, s', 'the greater of two numbers'],
  max_over_time: M1('greatest sample of the range'),
  min_of: ['s, s', 'the smaller of two numbers'],
  min_over_time: M1('smallest sample of the range'),
  minute: ['[v]', 'minute of the hour (UTC)'],
  month: ['[v]', 'month (UTC), 1 to 12'],
  pi: ['', 'π'],
  predict_linear: ['range, seconds', 'where a gauge will be, by linear regression'],
  present_over_time: M1('1 where there was any sample in the range'),
  quantile_over_time: ['φ, range', 'φ-quantile of the samples in the range'],
  rad: V1('degrees to radians'),
  range: ['', 'the length of the query in seconds'],
  rate: M1('growth per second of a counter, mean over the range'),
  resets: M1('how often a counter started anew in the range'),
  round: ['v, [to]', 'rounded to a multiple'],
  scalar: V1('the one value of a vector, as a number'),
  sgn: V1('sign: -1, 0 or 1'),
  sin: V1('sine'),
  sinh: V1('hyperbolic sine'),
  sort: V1('by value, smallest first (instant queries)'),
  sort_by_label: ['v, label, …', 'by labels (instant queries)'],
  sort_by_label_desc: ['v, label, …', 'by labels, last first (instant queries)'],
  sort_desc: V1('by value, greatest first (instant queries)'),
  sqrt: V1('square root'),
  start: ['', 'the start of the query'],
  start_timestamp: V1('when the counter was started'),
  stddev_over_time: M1('standard deviation of the range'),
  stdvar_over_time: M1('variance of the range'),
  step: ['', 'the step of the query in seconds'],
  sum_over_time: M1('sum of the samples in the range'),
  tan: V1('tangent'),
  tanh: V1('hyperbolic tangent'),
  time: ['', 'the evaluation time, Unix seconds'],
  timestamp: V1('the time of each sample, Unix seconds'),
  ts_of_first_over_time: M1('time of the oldest sample of the range'),
  ts_of_last_over_time: M1('time of the newest sample of the range'),
  ts_of_max_over_time: M1('time of the greatest sample of the range'),
  ts_of_min_over_time: M1('time of the smallest sample of the range'),
  vector: ['s', 'a number as a vector without labels'],
  year: ['[v]', 'year (UTC)'],
};

export const AGGREGATES: Record<string, [args: string, does: string]> = {
  avg: V1('mean over series'),
  bottomk: ['k, v', 'the k smallest series'],
  count: V1('number of series'),
  count_values: ['label, v', 'number of series by value'],
  group: V1('1 for every group'),
  limit_ratio: ['r, v', 'a share of the series, chosen by their labels'],
  limitk: ['k, v', 'any k series'],
  max: V1('greatest over series'),
  min: V1('smallest over series'),
  quantile: ['φ, v', 'φ-quantile over series'],
  stddev: V1('standard deviation over series'),
  stdvar: V1('variance over series'),
  sum: V1('sum over series'),
  topk: ['k, v', 'the k greatest series'],
};

const GROUPING = ['by', 'without'];
const MATCHING = ['on', 'ignoring', 'group_left', 'group_right'];
/** What can follow an operand, beside the signs. */
const AFTER = ['and', 'or', 'unless', 'atan2', 'offset', 'anchored', 'smoothed'];
export const KEYWORDS = new Set([...GROUPING, ...MATCHING, ...AFTER, 'bool', 'fill', 'fill_left', 'fill_right']);
export const DURATIONS = ['1m', '5m', '10m', '30m', '1h', '6h', '1d', '7d'];

const isCall = (name: string) => name in FUNCTIONS || name in AGGREGATES;

/** What a token is, for its colour. */
export function role(t: Token, before: Token | undefined, after: Token | undefined, inLabels: boolean): string | null {
  switch (t.kind) {
    case 'comment': return 'comment';
    case 'string': return 'string';
    case 'number': case 'duration': return 'number';
    case 'op': return 'operator';
    case 'other': return 'invalid';
    case 'ident':
      if (inLabels) return 'propertyName';
      if (KEYWORDS.has(t.text.toLowerCase())) return 'keyword';
      return isCall(t.text) && (after?.text === '(' || t.text in AGGREGATES || before?.text === '@') ? 'function' : null;
    default: return null;
  }
}

// --- what can be typed at a place

export interface Matcher {
  label: string;
  op: string;
  value: string; // as written, with its quotes
}

export type Place =
  | { kind: 'expr'; from: number; call: string } // an operand: a metric, a function; `call`: the innermost call around it
  | { kind: 'after'; from: number; aggregate: boolean } // behind an operand: an operator; by and without if it is an aggregation
  | { kind: 'label'; from: number; metric: string; matchers: Matcher[] }
  | { kind: 'operator'; from: number }
  | { kind: 'value'; from: number; to: number; label: string; op: string; metric: string; matchers: Matcher[] }
  | { kind: 'grouping'; from: number; metric: string; used: string[] }
  | { kind: 'duration'; from: number }
  | { kind: 'none' };

interface Open {
  sign: string;
  at: number; // index of the token
  before: string; // the word in front
}

const unquote = (text: string): string => text.slice(1, text.length > 1 && text.endsWith(text[0]) ? -1 : undefined).replace(/\\(.)/g, '$1');

/** The matchers of the braces opened at token `at`, without the one that holds the cursor; and the metric they belong to. */
function selectorAround(all: Token[], at: number, cursor: number): { metric: string; matchers: Matcher[] } {
  let metric = all[at - 1]?.kind === 'ident' ? all[at - 1].text : '';
  const matchers: Matcher[] = [];
  let end = at + 1;
  while (end < all.length && all[end].text !== '}') end++;
  for (let i = at + 1; i < end; i++) {
    const [name, op, value] = [all[i], all[i + 1], all[i + 2]];
    const alone = name.kind === 'string' && op?.kind !== 'op';
    if (alone && !(name.from < cursor && cursor <= name.to)) metric ||= unquote(name.text);
    if (!/^(ident|string)$/.test(name.kind) || op?.kind !== 'op' || value?.kind !== 'string') continue;
    if (!(name.from <= cursor && cursor <= value.to)) matchers.push({ label: name.kind === 'string' ? unquote(name.text) : name.text, op: op.text, value: value.text });
    i += 2;
  }
  return { metric, matchers };
}

/** The metric nearest to a place: the first behind it, else the last before it. */
function metricNear(all: Token[], at: number): string {
  const is = (t: Token, i: number) => t.kind === 'ident' && !isCall(t.text) && !KEYWORDS.has(t.text) && inBraces(all, i) === null && !isGroupingList(all, i);
  for (let i = at; i < all.length; i++) if (is(all[i], i)) return all[i].text;
  for (let i = at - 1; i >= 0; i--) if (is(all[i], i)) return all[i].text;
  return '';
}

function inBraces(all: Token[], i: number): number | null {
  for (let k = i - 1; k >= 0; k--) {
    if (all[k].text === '}') return null;
    if (all[k].text === '{') return k;
  }
  return null;
}

const LISTS = new Set([...GROUPING, ...MATCHING]);
function isGroupingList(all: Token[], i: number): boolean {
  for (let k = i - 1; k > 0; k--) {
    if (all[k].kind === 'close') return false;
    if (all[k].text === '(') return LISTS.has(all[k - 1].text.toLowerCase());
  }
  return false;
}

/** Is the `)` at token `at` the end of an aggregation that has no grouping yet? */
function closesAggregate(all: Token[], at: number): boolean {
  let depth = 0;
  for (let i = at; i >= 0; i--) {
    if (all[i].kind === 'close') depth++;
    if (all[i].kind === 'open' && --depth === 0) return all[i].text === '(' && (all[i - 1]?.text ?? '') in AGGREGATES;
  }
  return false;
}

export function placeAt(text: string, cursor: number): Place {
  const whole = tokens(text);
  const touching = whole.find((t) => t.from < cursor && cursor <= t.to);
  if (touching?.kind === 'comment') return { kind: 'none' };
  const all = whole.filter((t) => t.kind !== 'space' && t.kind !== 'comment');
  const n = all.filter((t) => t.to < cursor || (t.to === cursor && !/^(ident|string|number|duration)$/.test(t.kind))).length; // those fully before the word being typed
  const word = all[n] && all[n].from < cursor ? all[n] : null;
  const from = word && word.kind !== 'op' ? word.from : cursor;
  const open: Open[] = [];
  for (let i = 0; i < n; i++) {
    if (all[i].kind === 'open') open.push({ sign: all[i].text, at: i, before: all[i - 1]?.kind === 'ident' ? all[i - 1].text : '' });
    else if (all[i].kind === 'close') open.pop();
  }
  const inside = open[open.length - 1];
  const before = all[n - 1];
  if (inside?.sign === '[') return word?.kind === 'ident' ? { kind: 'none' } : { kind: 'duration', from };
  if (inside?.sign === '{') return placeInSelector(all, n, inside.at, cursor, word, from);
  if (word?.kind === 'string') return { kind: 'none' };
  if (inside?.sign === '(' && LISTS.has(inside.before.toLowerCase())) {
    const used = all.slice(inside.at + 1).filter((t) => t.kind === 'ident' && t !== word);
    const end = used.findIndex((t) => t.from > (all.find((c) => c.text === ')' && c.from >= cursor)?.from ?? Infinity));
    return { kind: 'grouping', from, metric: metricNear(all, all.findIndex((t) => t.text === ')' && t.from >= cursor) + 1 || all.length), used: (end < 0 ? used : used.slice(0, end)).map((t) => t.text) };
  }
  if (before?.text.toLowerCase() === 'offset') return { kind: 'duration', from };
  if (word?.kind === 'number' || word?.kind === 'duration') return { kind: 'none' };
  const list = before?.text === ')' && closesList(all, n - 1);
  const ended = before && !list && (before.kind === 'close' || before.kind === 'string' || before.kind === 'number' || before.kind === 'duration' || (before.kind === 'ident' && !KEYWORDS.has(before.text.toLowerCase())));
  if (!ended) return { kind: 'expr', from, call: open.filter((o) => o.sign === '(' && o.before).pop()?.before ?? '' };
  return { kind: 'after', from, aggregate: before.text in AGGREGATES || (before.text === ')' && closesAggregate(all, n - 1)) };
}

/** Is the `)` at token `at` the end of a list of labels: by (...), on (...)? */
function closesList(all: Token[], at: number): boolean {
  for (let i = at; i > 0; i--) if (all[i].text === '(') return LISTS.has(all[i - 1].text.toLowerCase()) && all[i - 2]?.text !== ')';
  return false;
}

function placeInSelector(all: Token[], n: number, brace: number, cursor: number, word: Token | null, from: number): Place {
  const { metric, matchers } = selectorAround(all, brace, cursor);
  const [name, op] = [all[n - 2], all[n - 1]];
  if (op?.kind === 'op' && name && word?.kind === 'string') {
    const closed = word.text.length > 1 && word.text.endsWith(word.text[0]);
    if (closed && cursor === word.to) return { kind: 'none' };
    return { kind: 'value', from: word.from + 1, to: word.to - (closed ? 1 : 0), label: name.kind === 'string' ? unquote(name.text) : name.text, op: op.text, metric, matchers };
  }
  if (op?.kind === 'op') return { kind: 'none' };
  if (op?.kind === 'ident') return { kind: 'operator', from };
  if (op?.kind === 'string') return { kind: 'none' };
  return word?.kind === 'string' ? { kind: 'none' } : { kind: 'label', from, metric, matchers };
}

export const wordsAfter = (aggregate: boolean): string[] => (aggregate ? [...GROUPING, ...AFTER] : [...AFTER, ...MATCHING, 'bool']);

/** A selector for /api/v1/labels and the like; empty if it would select everything. */
export function selectorText(metric: string, matchers: Matcher[]): string {
  const parts = matchers.filter((m) => !/^["'`].?$/.test(m.value) || m.value.length > 1).map((m) => `${JSON.stringify(m.label)}${m.op}${m.value}`);
  if (metric) parts.unshift(`__name__=${JSON.stringify(metric)}`);
  return parts.length ? `{${parts.join(',')}}` : '';
}

/** The metric names an expression mentions, in order. */
export function metricsOf(text: string): string[] {
  const all = tokens(text).filter((t) => t.kind !== 'space' && t.kind !== 'comment');
  const found = all.filter((t, i) => t.kind === 'ident' && !isCall(t.text) && !KEYWORDS.has(t.text.toLowerCase()) && inBraces(all, i) === null && !isGroupingList(all, i)).map((t) => t.text);
  return [...new Set(found)];
}
