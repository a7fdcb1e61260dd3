/** A stretch of time in milliseconds since 1970; an instant if both are the same. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Whether two have an instant in common, their ends included. */
export function touches(one: Span, other: Span): boolean {
  return one.from <= other.to && other.from <= one.to;
}

/** What is left of a span where others are taken from it; an instant divides it. */
export function without({ from, to }: Span, taken: readonly Span[]): Span[] {
  const left: Span[] = [];
  let rest = from;
  for (const one of taken.toSorted((some, other) => some.from - other.from)) {
    if (rest < Math.min(one.from, to)) left.push({ from: rest, to: Math.min(one.from, to) });
    rest = Math.max(rest, one.to);
  }
  if (rest < to) left.push({ from: rest, to });
  return left;
}

/** Many spans of which those of some time are quickly found. */
export class Timeline<One extends Span = Span> {
  readonly #spans: readonly One[];
  readonly #longest: number;

  constructor(spans: readonly One[]) {
    this.#spans = spans.toSorted((one, other) => one.from - other.from);
    this.#longest = spans.reduce((longest, { from, to }) => Math.max(longest, to - from), 0);
  }

  touching(span: Span): One[] {
    const found: One[] = [];
    for (let index = this.#firstFrom(span.from - this.#longest); index < this.#spans.length; index += 1) {
      const one = this.#spans[index] as One;
      if (one.from > span.to) break;
      if (touches(one, span)) found.push(one);
    }
    return found;
  }

  #firstFrom(time: number): number {
    let low = 0;
    let high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#spans[middle] as Span).from < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
