import { invalidArgument } from '@tidemark/errors/app-error';
import type { Steps } from './steps.ts';

export const readBackupLog: Steps<'readBackupLog'> = {
  /** The service refuses it too, but a stream that has begun can refuse nothing. */
  prepare({ attempt, follow }, { backup }) {
    const last = backup?.attempts.length ?? 0;
    const mayCome = follow && backup?.endTime === undefined;
    if (attempt > last && !mayCome)
      throw invalidArgument([{ field: 'attempt', description: `must be one of the ${last} that there were` }]);
  },
};
