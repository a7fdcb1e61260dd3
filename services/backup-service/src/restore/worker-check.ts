import { fittingVersion } from '@tidemark/br-options/fitting-version';
import { isBefore, readVersion } from '@tidemark/br-options/version';
import { FIRST_REFUSING_TABLES, FIRST_RESTORE, refusesTables } from '@tidemark/br-restore/versions';
import { digestOf, type Presence, toPeers } from '../presence.ts';
import { EXISTING_TABLES, type Plan, type PlanCheck } from './plan.ts';
import type { Restore } from './restore.ts';

const NAME = 'worker';

/**
 * Whether a worker is there that could do what a plan says, by what the workers of the target's pool reported last; pure.
 *
 * @param present those of the pool
 */
export function workerCheck(plan: Plan, present: readonly Presence[]): PlanCheck {
  const { source } = plan;
  const needed = neededFor(plan);
  const { pool } = needed;
  const peers = toPeers(present, digestOf(source.storage));
  const waits = 'the restore waits until that has changed.';
  if (peers.length === 0)
    return { name: NAME, result: 'warn', message: `No worker of pool ${pool} is there that takes work: ${waits}` };
  const versionsOf = (some: typeof peers) => {
    const names = new Set(some.map(({ instance }) => instance));
    return [...new Set(present.filter(({ _id }) => names.has(_id)).flatMap(({ brVersions }) => brVersions))].sort();
  };
  if (!fits(versionsOf(peers), needed)) {
    const message = `${noneFits(needed, versionsOf(peers))} A restore that begins before that has changed fails at once.`;
    return { name: NAME, result: 'blocked', message };
  }
  const fitting = peers.filter((peer) => fits(versionsOf([peer]), needed));
  const able = fitting.filter(({ outOfReach }) => !outOfReach);
  if (able.length === 0) {
    const [first] = fitting;
    const why = first?.outOfReach?.reason.message ?? '';
    const who =
      fitting.length === 1
        ? `The only worker of pool ${pool} with a br that fits cannot`
        : `None of the ${fitting.length} workers of pool ${pool} with a br that fits can`;
    const message = `${who} use storage ${source.storage.id}, and ${waits} ${first?.worker}: ${why}`;
    return { name: NAME, result: 'warn', message };
  }
  const count = able.length === 1 ? '1 worker' : `${able.length} workers`;
  const message = `${count} of pool ${pool} can use storage ${source.storage.id}, with br ${versionsOf(able).join(', ')}.`;
  return { name: NAME, result: 'ok', message };
}

/** Which `br` a restore needs. */
export interface NeededBr {
  /** Of the target, and the pool whose workers restore into it. */
  readonly version: string;
  readonly pool: string;
  /** It must refuse tables that the target has already: a filter chooses what is restored, and nobody said that there are none. */
  readonly mustRefuseTables: boolean;
}

/** Of a restore that was accepted. */
export const neededBy = ({ target, options, plan }: Pick<Restore, 'target' | 'options' | 'plan'>): NeededBr => ({
  ...{ version: target.version, pool: target.pool },
  mustRefuseTables: options.filter !== undefined && !plan.acknowledged.includes(EXISTING_TABLES),
});

/** Of one that a plan is about: where the check is blocked, whoever starts it says that there are no such tables. */
export const neededFor = ({ target, checks }: Pick<Plan, 'target' | 'checks'>): NeededBr => ({
  ...{ version: target.version, pool: target.pool },
  mustRefuseTables: checks.some(({ name, result }) => name === EXISTING_TABLES && result !== 'blocked'),
});

/** Of these versions of `br` the one that is needed; undefined where none is. */
export function fittingOf(
  brVersions: readonly string[],
  { version, mustRefuseTables }: Omit<NeededBr, 'pool'>,
): string | undefined {
  const able = brVersions.filter((one) => !isBefore(one, FIRST_RESTORE) && (!mustRefuseTables || refusesTables(one)));
  return fittingVersion(able, version);
}

/** Whether one of these versions of `br` is the one that is needed. */
export const fits = (brVersions: readonly string[], needed: Omit<NeededBr, 'pool'>): boolean =>
  fittingOf(brVersions, needed) !== undefined;

/** Those that the workers of a pool have, which take work. */
export function versionsIn(present: readonly Presence[]): string[] {
  return present.filter(({ draining, slots }) => !draining && slots > 0).flatMap(({ brVersions }) => brVersions);
}

/** Which versions are there and which one is needed, as sentences. */
export function noneFits({ version, pool, mustRefuseTables }: NeededBr, brVersions: readonly string[]): string {
  const [major, minor] = readVersion(version) ?? [];
  const there = brVersions.length === 0 ? 'they have none' : `they have ${[...new Set(brVersions)].sort().join(', ')}`;
  const needed = major === undefined ? 'br' : `br of v${major}, best of v${major}.${minor}`;
  const ofFilter = mustRefuseTables
    ? ` With a filter that is a br from ${FIRST_REFUSING_TABLES} on, which refuses tables that the target has already.`
    : '';
  return `No worker of pool ${pool} has a br that fits a target of version ${version}: ${there}.${ofFilter} Give one of them ${needed} (TIDEMARK_BR).`;
}
