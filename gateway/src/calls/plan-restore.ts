import { requireVisibleSource } from './find-backup.ts';
import type { Steps } from './steps.ts';

export const planRestore: Steps<'planRestore'> = {
  prepare: (request, { scope, dependencies }) => requireVisibleSource(scope, dependencies, request),
};
