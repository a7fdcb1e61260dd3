import { digestOf, type Presence, toPeers } from '../presence.ts';
import type { Plan, PlanCheck } from './plan.ts';

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
  const able = peers.filter(({ outOfReach }) => !outOfReach);
  const [first] = peers;
  if (able.length === 0) {
    const why = first?.outOfReach?.reason.message ?? '';
    const who = peers.length === 1 ? 'The only worker' : `None of the ${peers.length} workers`;
    const cannot = peers.length === 1 ? 'cannot' : 'can';
    const message = `${who} of pool ${pool} ${cannot} use storage ${source.storage.id}, and ${waits} ${first?.worker}: ${why}`;
    return { name: NAME, result: 'warn', message };
  }
  const names = new Set(able.map(({ instance }) => instance));
  const versions = new Set(present.filter(({ _id }) => names.has(_id)).flatMap(({ brVersions }) => brVersions));
  const count = able.length === 1 ? '1 worker' : `${able.length} workers`;
  const message = `${count} of pool ${pool} can use storage ${source.storage.id}, with br ${[...versions].sort().join(', ')}.`;
  return { name: NAME, result: 'ok', message };
}
