import { untilAborted } from './abort.ts';
import { RESTORE_NAMES } from './restore-options.ts';
import type { StartedRestore } from './restore-run.ts';
import { type RestoreEnd, restoreSnapshot } from './restore-snapshot.ts';
import { restoreFields } from './restore-summary.ts';
import type { Storage } from './storage.ts';
import type { TargetHold } from './target-state.ts';

/** Brings a snapshot back, and prints how that ended. The checkpoint is still there then. */
export async function restoreWithSummary(
  started: StartedRestore,
  openBackup: () => Promise<Storage>,
  hold: TargetHold,
): Promise<RestoreEnd> {
  const { options, log, collector, signal } = started;
  const name = RESTORE_NAMES[options.kind];
  let end: RestoreEnd;
  try {
    const storage = await untilAborted(openBackup(), signal);
    end = await restoreSnapshot({ ...started, storage }, hold);
  } catch (error) {
    log.info('collector.go:224', 'units canceled', [['cancel-unit', 0]]);
    log.summary(name, 'failed', collector.fields());
    throw error;
  }
  log.summary(name, 'success', [...collector.fields(), ...restoreFields(end.totals, Date.now(), process.pid)]);
  return end;
}
