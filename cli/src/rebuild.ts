/** `tidemark rebuild`: has a worker look for manifests, waits for it, and prints what became of each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, type CallApi } from './api.ts';
import type { Asked } from './options.ts';

/** A check as the API returns it, as far as it is looked at here. */
interface Check {
  readonly id: string;
  readonly pool: string;
  readonly state: 'Queued' | 'Running' | 'Done';
  readonly ok: boolean;
  readonly worker: string;
  /** The first is the count of all. */
  readonly steps: readonly { readonly name: string; readonly ok: boolean; readonly message: string }[];
  readonly totalSteps: number;
}

export interface RebuildDependencies {
  readonly call: CallApi;
  /** Prints a line. */
  readonly say: (line: string) => void;
  /** Aborts when nobody wants to wait any longer. */
  readonly stop: AbortSignal;
}

const LOOK_MS = 300;
/** A gateway that restarts is waited for. */
const PATIENCE_MS = 30_000;
const VERDICT = /^(known|missing|rebuilt|refused|unreadable): (.*)$/s;
const WIDTH = 'unreadable'.length;

/** @returns whether all is fine @throws ApiError */
export async function rebuild(
  { storage, pool, apply }: Extract<Asked, { command: 'rebuild' }>,
  { call, say, stop }: RebuildDependencies,
): Promise<boolean> {
  const path = `/storages/${encodeURIComponent(storage)}`;
  let check: Check;
  try {
    check = toCheck(await call('POST', `${path}/rebuild`, { pool, apply }));
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
      check = toCheck(await call('GET', `${path}/checks/${id}`));
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
  tell(check, { storage, pool, apply }, say);
  return check.ok;
}

function toCheck({ check }: Record<string, unknown>): Check {
  if (typeof check !== 'object' || check === null)
    throw new ApiError('Tidemark answered without a check: is it of another version?', { passing: false });
  return check as Check;
}

function tell(
  { steps, totalSteps, ok }: Check,
  { storage, pool, apply }: Pick<Extract<Asked, { command: 'rebuild' }>, 'storage' | 'pool' | 'apply'>,
  say: (line: string) => void,
): void {
  const [first] = steps;
  const counts = first && /^\d+ known, /.test(first.message) ? first : undefined;
  for (const step of steps) {
    if (step === counts) continue;
    const [, verdict = step.ok ? '' : 'failed', message = step.message] = VERDICT.exec(step.message) ?? [];
    // Names come from the storage: what steers terminals is not passed on to this one.
    say(`${verdict.padEnd(WIDTH)}  ${step.name}  ${message}`.replaceAll(/\p{Cc}/gu, '?'));
  }
  if (totalSteps > steps.length) say(`… and ${totalSteps - steps.length} more, which are not shown.`);
  if (!ok) say('Not all is fine: see the lines above that say refused, unreadable or failed.');
  if (!apply) {
    const again = `npm run tidemark -- rebuild --storage ${storage}${pool === '' ? '' : ` --pool ${pool}`} --apply`;
    const missing = /, [1-9]\d* missing,/.test(counts?.message ?? '');
    say(`This was a dry run: nothing was changed.${missing ? ` To make the missing records: ${again}` : ''}`);
  }
  if (counts) say(counts.message);
}
