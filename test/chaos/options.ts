import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { FAULT_KINDS, type FaultKind } from './plan.ts';

/** What `npm run chaos` was asked for. */
export interface ChaosOptions {
  /** For how long faults are injected; coming up, healing and checking take their time beside it. */
  readonly minutes: number;
  readonly seed: number;
  /** The kinds of faults to choose among. */
  readonly kinds: readonly FaultKind[];
  /** Absolute path of the file that the result is written to. */
  readonly json?: string;
  /** Plants bugs instead, and sees that they are found. */
  readonly planted: boolean;
}

export const HELP = `Breaks things under a running Tidemark, then checks that nothing was lost.

  npm run chaos                             five minutes of everything
  npm run chaos -- --minutes 60             an hour
  npm run chaos -- --seed 7                 the same faults and requests as in the run that printed this seed
  npm run chaos -- --only kill              one kind of fault; may be given several times, or as the start of names
  npm run chaos -- --planted                bugs planted into a copy of this checkout, each of which must be found

Options (after "--", or npm keeps them for itself)
  --minutes <n>    for how long (default 5)
  --seed <n>       which plan (default: by chance; it is printed)
  --only <kind>    only these faults
  --json <file>    writes the result there too
  --planted        proves the checks themselves (docs/proof.md); takes half an hour
  --help           this text

Everything runs on servers and a storage of its own. Storage faults need root and Linux, and are left out elsewhere.
Ctrl-C stops cleanly. A violation makes the exit code 1, and the logs are kept.
`;

const SPEC = {
  minutes: { type: 'string' },
  seed: { type: 'string' },
  only: { type: 'string', multiple: true },
  json: { type: 'string' },
  planted: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const LONGEST_MINUTES = 24 * 60;
const DEFAULT_MINUTES = 5;

/**
 * Decides what the arguments mean.
 *
 * @param folder that relative paths are meant from
 * @param chance a seed for when none is given
 * @returns `'help'` when that was asked for
 * @throws a sentence that says which argument is wrong and what would be right
 */
export function parseChaosOptions(args: readonly string[], folder: string, chance: number): ChaosOptions | 'help' {
  const { help, minutes, seed, only = [], json, planted = false } = parse(args);
  if (help) return 'help';
  if (json === '') throw new Error('--json must name a file.');
  return {
    minutes: minutes === undefined ? DEFAULT_MINUTES : toNumber('--minutes', minutes, 0.1, LONGEST_MINUTES),
    seed: seed === undefined ? chance : toNumber('--seed', seed, 0, 2 ** 32 - 1),
    kinds: only.length === 0 ? FAULT_KINDS : only.flatMap(kindsNamed),
    planted,
    ...(json !== undefined && { json: resolve(folder, json) }),
  };
}

function toNumber(name: string, text: string, from: number, to: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= from && value <= to) return value;
  throw new Error(`${name} must be a number from ${from} to ${to}.`);
}

function kindsNamed(name: string): FaultKind[] {
  const found = FAULT_KINDS.filter((kind) => kind === name || kind.startsWith(`${name}-`));
  if (found.length > 0) return found;
  throw new Error(`There is no fault "${name}": ${FAULT_KINDS.join(', ')} are known.`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: SPEC, allowPositionals: false }).values;
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split('. ');
    throw new Error(`${sentence.replace(/\.$/, '')}. npm run chaos -- --help lists the options.`, { cause: error });
  }
}
