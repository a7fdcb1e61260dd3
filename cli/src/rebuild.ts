/** `tidemark rebuild`: has a worker look for manifests, waits for it, and prints what became of each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from './api.ts';
import type { StorageCheck } from './api-types.ts';

/** A check, as far as it is looked at here. */
export type Check = Pick<StorageCheck, 'id' | 'pool' | 'state' | 'ok' | 'totalSteps'> & {
  /** The first is the count of all. */
  readonly steps: readonly Pick<StorageCheck['steps'][number], 'name' | 'ok' | 'message'>[];
};

export interface Asked {
  readonly storage: string;
  readonly pool: string;
  readonly apply: boolean;
}

export interface RebuildDependencies {
  readonly begin: () => Promise<Check>;
  readonly look: (checkId: string) => Promise<Check>;
  /** Prints a line. */
  readonly say: (line: string) => void;
  /** Aborts when nobody wants to wait any longer. */
  readonly stop: AbortSignal;
  /** How the command line is called here. */
  readonly command: string;
}

const LOOK_MS = 300;
/** A gateway that restarts is waited for. */
const PATIENCE_MS = 30_000;
const VERDICT = /^(known|missing|rebuilt|refused|unreadable): (.*)$/s;
const WIDTH = 'unreadable'.length;

/** @returns whether all is fine @throws ApiError */
export async function rebuild(
  { storage, pool, apply }: Asked,
  { begin, look, say, stop, command }: RebuildDependencies,
): Promise<boolean> {
  let check: Check;
  try {
    check = await begin();
  } catch (error) {
    if (!stop.aborted) throw error;
    say('Stopped before Tidemark answered: the rebuild may have begun.');
    return false;
  }
  const { id } = check;
  say(`Looking for manifests in storage ${storage}, by a worker of pool ${check.pool} (check ${id}).`);
  let answeredAt = performance.now();
  while (check.state !== 'Done') {
    try {
      await sleep(LOOK_MS, undefined, { signal: stop });
      check = await look(id);
      answeredAt = performance.now();
    } catch (error) {
      if (stop.aborted) {
        say(`No longer waiting; the ${apply ? 'rebuild' : 'search'} goes on without you as check ${id}.`);
        return false;
      }
      const passes = error instanceof ApiError && error.passing && performance.now() - answeredAt < PATIENCE_MS;
      if (!passes) throw error;
    }
  }
  tell(check, { storage, pool, apply }, command, say);
  return check.ok;
}

function tell(
  { steps, totalSteps, ok }: Check,
  { storage, pool, apply }: Asked,
  command: string,
  say: (line: string) => void,
): void {
  const [first] = steps;
  const counts = first && /^\d+ known, /.test(first.message) ? first : undefined;
  for (const step of steps) {
    if (step === counts) continue;
    const [, verdict = step.ok ? '' : 'failed', message = step.message] = VERDICT.exec(step.message) ?? [];
    say(`${verdict.padEnd(WIDTH)}  ${step.name}  ${message}`);
  }
  if (totalSteps > steps.length) say(`… and ${totalSteps - steps.length} more, which are not shown.`);
  if (!ok) say('Not all is fine: see the lines above that say refused, unreadable or failed.');
  if (!apply) {
    const again = `${command} rebuild --storage ${storage}${pool === '' ? '' : ` --pool ${pool}`} --apply`;
    const missing = /, [1-9]\d* missing,/.test(counts?.message ?? '');
    say(`This was a dry run: nothing was changed.${missing ? ` To make the missing records: ${again}` : ''}`);
  }
  if (counts) say(counts.message);
}
