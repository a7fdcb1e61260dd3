import type { ResponseOf } from '../calls/steps.ts';
import type { Shown } from './route.ts';

/** The two names of one id: existing clients read either. */
export function startedView({ backup }: ResponseOf<'startBackup'>): Shown {
  const backupId = backup?.id ?? '';
  return { data: { backupId, workFlowId: backupId } };
}
