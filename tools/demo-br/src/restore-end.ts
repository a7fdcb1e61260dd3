import { setTimeout as pause } from 'node:timers/promises';
import { misbehave } from './misbehave.ts';
import type { StartedRestore } from './restore-run.ts';

/** How long BR takes to drop the tables of its checkpoint after a success; the script's `waitScale` of it passes here. */
const DROP_SECONDS = 3;
/** How long a run waits for others before it leaves things behind. */
const CLEAN_UP_MS = 30_000;

/** Removes checkpoints after the last success summary: a signal no longer changes the end, a kill leaves them behind. */
export async function removeCheckpoints(
  { script, target, ...run }: StartedRestore,
  checkpoints: readonly { remove(): Promise<void> }[],
): Promise<void> {
  const { outcome } = script;
  if (outcome.step === 'summary') await misbehave(outcome, { ...run, signal: new AbortController().signal });
  if (checkpoints.length === 0) return;
  if (outcome.kind === 'checkpoint-stays') {
    run.log.warn('restore.go:733', 'failed to remove checkpoint data for snapshot restore', [
      ['error', '[schema:8028]Information schema is changed during the execution of the statement'],
    ]);
    return;
  }
  await pause(DROP_SECONDS * 1000 * script.waitScale);
  await target.alone(AbortSignal.timeout(CLEAN_UP_MS), async () => {
    for (const checkpoint of checkpoints) await checkpoint.remove();
  });
  run.log.info('restore.go:738', 'all the checkpoint data is removed.');
}
