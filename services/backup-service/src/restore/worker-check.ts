import { fittingVersion } from '@tidemark/br-options/fitting-version';
import { isBefore, readVersion } from '@tidemark/br-options/version';
import { FIRST_RESTORE } from '@tidemark/br-restore/versions';
import { digestOf, type Presence, toPeers } from '../presence.ts';
import type { Plan, PlanCheck } from './plan.ts';
import type { RestoreTarget } from './restore.ts';

const NAME = 'worker';

/**
 * Whether a worker is there that could do what a plan says, by what the workers of the target's pool reported last; pure.
 *
 * @param present those of the pool
 */
export function workerCheck({ source, target }: Plan, present: readonly Presence[]): PlanCheck {
  const { pool } = target;
  const peers = toPeers(present, digestOf(source.storage));
  const waits = 'the restore waits until that has changed.';
  if (peers.length === 0)
    return { name: NAME, result: 'warn', message: `No worker of pool ${pool} is there that takes work: ${waits}` };
  const versionsOf = (some: typeof peers) => {
    const names = new Set(some.map(({ instance }) => instance));
    return [...new Set(present.filter(({ _id }) => names.has(_id)).flatMap(({ brVersions }) => brVersions))].sort();
  };
  if (!fits(versionsOf(peers), target)) {
    const message = `${noneFits(target, versionsOf(peers))} A restore that begins before that has changed fails at once.`;
    return { name: NAME, result: 'blocked', message };
  }
  const fitting = peers.filter((peer) => fits(versionsOf([peer]), target));
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

type Fitted = Pick<RestoreTarget, 'version' | 'pool'>;

/** Whether one of these versions of `br` restores into the target. */
export function fits(brVersions: readonly string[], { version }: Pick<Fitted, 'version'>): boolean {
  return (
    fittingVersion(
      brVersions.filter((one) => !isBefore(one, FIRST_RESTORE)),
      version,
    ) !== undefined
  );
}

/** Those that the workers of a pool have, which take work. */
export function versionsIn(present: readonly Presence[]): string[] {
  return present.filter(({ draining, slots }) => !draining && slots > 0).flatMap(({ brVersions }) => brVersions);
}

/** Which versions are there and which one is needed, as sentences. */
export function noneFits({ version, pool }: Fitted, brVersions: readonly string[]): string {
  const [major, minor] = readVersion(version) ?? [];
  const there = brVersions.length === 0 ? 'they have none' : `they have ${[...new Set(brVersions)].sort().join(', ')}`;
  const needed = major === undefined ? 'br' : `br of v${major}, best of v${major}.${minor}`;
  return `No worker of pool ${pool} has a br that fits a target of version ${version}: ${there}. Give one of them ${needed} (TIDEMARK_BR).`;
}
