import type { Result } from './run.ts';

const VIOLATIONS_SHOWN = 40;

/** The result of a run, for people. */
export function report(result: Result): string {
  const { seed, minutes, faults, leftOut, requests, backups, reasons, windows, runsOfBr, violations } = result;
  const injected = sum(faults);
  return [
    `seed ${seed}, ${minutes} minutes, settled after ${result.settledAfterSeconds} s`,
    '',
    line(`${injected} faults`, faults),
    `  (${leftOut} more were planned, but what they would have hit was down already, or cannot be broken here)`,
    line(`${sum(requests)} requests`, requests),
    `${runsOfBr} runs of br`,
    line(`${sum(backups)} backups`, backups),
    line(`${sum(reasons)} failed`, reasons),
    line(`${sum(result.restores)} restores`, result.restores),
    line(`${sum(result.restoreAttempts)} attempts of restores`, result.restoreAttempts),
    line(`${sum(windows)} windows`, windows),
    line(`${sum(result.logs)} logs`, result.logs),
    line(`${sum(result.points)} points of them restored`, result.points),
    '',
    `${violations.length} violations`,
    ...violations.slice(0, VIOLATIONS_SHOWN).map(({ rule, what }) => `  ${rule}: ${what}`),
    ...(violations.length > VIOLATIONS_SHOWN ? [`  and ${violations.length - VIOLATIONS_SHOWN} more`] : []),
    '',
  ].join('\n');
}

function line(title: string, counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`);
  return parts.length === 0 ? title : `${title}: ${parts.join(', ')}`;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
