/**
 * Reports ends that become known late: of runs whose worker died, and of a run whose task was lost meanwhile.
 *
 * L1. The end of one run that cannot be reported holds up no other one.
 * L2. A folder goes only once its end was answered: what stays is reported by the next worker of the host.
 */

import { log } from '../logger.ts';
import type { LeftRun, RunFolders } from './run-folders.ts';

/** Repeats the report until it is answered; false where this process cannot wait any longer. */
export type ReportLateEnd = (left: LeftRun) => Promise<boolean>;

/** Reports all of them side by side; never rejects. */
export async function reportLateEnds(
  left: readonly LeftRun[],
  report: ReportLateEnd,
  folders: Pick<RunFolders, 'remove'>,
): Promise<void> {
  await Promise.all(
    left.map(async (one) => {
      const { restoreId, claim } = one.run;
      const facts = { restoreId, end: one.end?.kind };
      try {
        const answered = await report(one);
        log.info({ ...facts, answered }, 'the end of a restore was reported late');
        if (answered) await folders.remove(claim);
      } catch (error) {
        log.error(
          { ...facts, error },
          'the late end of a restore could not be reported; it is kept for the next worker',
        );
      }
    }),
  );
}
