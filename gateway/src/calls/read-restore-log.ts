import { requireAttempt } from './read-backup-log.ts';
import type { Steps } from './steps.ts';

export const readRestoreLog: Steps<'readRestoreLog'> = {
  prepare: (request, { restore }) => requireAttempt(request, restore),
};
