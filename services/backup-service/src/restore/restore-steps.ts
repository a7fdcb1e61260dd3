/**
 * What is done about a restore beside the work of a worker. Each step may be carried out by any copy, late and more than once: the restore,
 * its source and its target know by themselves what still counts.
 */
import { restoreHold } from '../backup.ts';
import type { BackupStore } from '../backup-store.ts';
import type { CommandPublisher } from '../command-publisher.ts';
import { whyLogInTheWay } from '../log/in-the-way.ts';
import type { LogStore } from '../log/log-store.ts';
import { type Occupants, sentenceOf } from '../occupants.ts';
import type { RestoreCommand } from './decide/command.ts';
import type { Restore } from './restore.ts';
import type { RestoreStore } from './restore-store.ts';

export interface RestoreStepsDependencies {
  readonly restores: Pick<RestoreStore, 'findUnclean' | 'apply'>;
  readonly store: Pick<BackupStore, 'apply'>;
  readonly logs: Pick<LogStore, 'apply' | 'applyFirst'>;
  readonly occupants: Pick<Occupants, 'anyIn'>;
  readonly publisher: Pick<CommandPublisher, 'ringRestore'>;
}

/** What is asked again with the next ring. */
const WAITS: readonly RestoreCommand['kind'][] = ['sourceTruncating', 'targetLogs'];

/**
 * Does what is due about a restore: rings for a worker, takes what it reads and its target, or gives them back.
 *
 * @throws AppError `unavailable` when the database cannot be asked; what is left is then due a ring later
 */
export async function attendRestore(
  id: string,
  dependencies: RestoreStepsDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { restores, publisher } = dependencies;
  const rung = await restores.apply(id, { kind: 'ring' }, signal);
  if (!rung) return;
  const { decision, restore } = rung;
  if (decision.ring) await publisher.ringRestore(restore);
  if (decision.step === 'unhold') await giveBack(restore, dependencies, signal);
  if (decision.step !== 'hold') return;
  const command = await take(restore, dependencies, signal);
  await restores.apply(id, command, signal);
  if (!WAITS.includes(command.kind)) await attendRestore(id, dependencies, signal);
}

/** Takes backup, log and target, in this order. Answers what became of it. */
async function take(
  { _id: id, source, target }: Restore,
  { restores, store, logs, occupants }: RestoreStepsDependencies,
  signal: AbortSignal,
): Promise<RestoreCommand> {
  const [elsewhere, unclean] = await Promise.all([
    occupants.anyIn(target, signal),
    restores.findUnclean(target, id, signal),
  ]);
  if (elsewhere) return { kind: 'targetTaken', message: sentenceOf(target, elsewhere) };
  if (unclean !== undefined) {
    // Who sees this restore is told of the other one only where that is of the same clusters.
    const isSeen = unclean.clusterId === target.clusterId && unclean.sourceClusterId === source.clusterId;
    return { kind: 'targetUnclean', ...(isSeen && { restoreId: unclean.id }) };
  }
  const held = await store.apply(source.backupId, { kind: 'hold', id: restoreHold(id) }, signal);
  if (held?.decision.answer.kind !== 'ok') return { kind: 'sourceGone' };
  if (source.point) {
    const { generation } = source.point;
    const wish = { kind: 'hold', n: generation, from: source.tso, restoreId: id } as const;
    const answer = (await logs.apply(source.clusterId, wish, signal))?.decision.answer;
    if (answer?.kind === 'refused' && answer.why === 'truncating')
      return { kind: 'sourceTruncating', clusterId: source.clusterId };
    if (answer?.kind !== 'ok') return { kind: 'sourceGone', what: 'log' };
  }
  const blocked = await logs.applyFirst(target.clusterId, { kind: 'block', restoreId: id }, signal);
  return blocked.decision.answer.kind === 'ok'
    ? { kind: 'held' }
    : { kind: 'targetLogs', message: whyLogInTheWay(blocked.log) };
}

async function giveBack(
  { _id: id, source, target }: Restore,
  { restores, store, logs }: RestoreStepsDependencies,
  signal: AbortSignal,
): Promise<void> {
  await store.apply(source.backupId, { kind: 'unhold', id: restoreHold(id) }, signal);
  if (source.point) await logs.apply(source.clusterId, { kind: 'giveBack', restoreId: id }, signal);
  // On record also where it never had the target: a copy that was slow may still ask for it.
  await logs.applyFirst(target.clusterId, { kind: 'giveBack', restoreId: id }, signal);
  await restores.apply(id, { kind: 'unheld' }, signal);
}
