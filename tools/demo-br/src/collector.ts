import { errorFields } from './log.ts';
import type { Fields, FieldValue } from './log-line.ts';

/** What a run has found out for its summary so far; a failure prints it too (br-contract 14.6). */
export interface Collector {
  /** Ranges that count as done, once all are. */
  succeed(ranges: number): void;
  /** A unit that failed: of a restore whose files could not be loaded, nothing else is counted. */
  fail(unit: string, error: Error): void;
  add(key: string, value: FieldValue): void;
  /** Both summaries begin with these. */
  fields(): Fields;
}

export function createCollector(): Collector {
  let succeeded = 0;
  let failed: Fields = [];
  const pairs: Array<readonly [string, FieldValue]> = [];
  return {
    succeed(ranges) {
      succeeded = ranges;
    },
    fail(unit, error) {
      failed = [['unit-name', unit], ...errorFields(error).filter(([key]) => key !== 'stack')];
    },
    add(key, value) {
      pairs.push([key, value]);
    },
    fields() {
      const failures = failed.length === 0 ? 0 : 1;
      return [
        ['total-ranges', succeeded + failures],
        ['ranges-succeed', succeeded],
        ['ranges-failed', failures],
        ...pairs,
        ...failed,
      ];
    },
  };
}
