import { authorizeCluster } from '../authorize.ts';
import type { Steps } from './steps.ts';

export const putDrill: Steps<'putDrill'> = {
  // Each run restores into the target, and empties it before.
  async prepare({ targetClusterId }, { scope }) {
    authorizeCluster(scope.caller, 'operator', targetClusterId);
  },
};
