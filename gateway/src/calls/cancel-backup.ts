import type { Steps } from './steps.ts';

export const cancelBackup: Steps<'cancelBackup'> = {
  clusterStands: true,
  prepare(request, { backup }) {
    if (backup) request.clusterId = backup.clusterId;
  },
};
