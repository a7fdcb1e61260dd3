import type { Fields, FieldValue } from './log-line.ts';

/** What a run has found out for its summary so far; a failure prints it too (br-contract 14.6). */
export interface Collector {
  /** Ranges that count as done, once all are. */
  succeed(ranges: number): void;
  add(key: string, value: FieldValue): void;
  /** Both summaries begin with these. */
  fields(): Fields;
}

export function createCollector(): Collector {
  let succeeded = 0;
  const pairs: Array<readonly [string, FieldValue]> = [];
  return {
    succeed(ranges) {
      succeeded = ranges;
    },
    add(key, value) {
      pairs.push([key, value]);
    },
    fields: () => [['total-ranges', succeeded], ['ranges-succeed', succeeded], ['ranges-failed', 0], ...pairs],
  };
}
