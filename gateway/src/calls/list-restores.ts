import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import { seesRestore } from './find-restore.ts';
import { checkPageToken } from './page-token.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const listRestores: Steps<'listRestores'> = {
  check: checkPageToken,
  prepare(request, { asked }) {
    request.pageSize ||= DEFAULT_PAGE_SIZE;
    request.withinSight = asked.length === 0;
  },
  /** The service leaves out what reads a backup of a foreign cluster, where it can be told what the caller sees. */
  async act(request, { scope, dependencies }) {
    const answer = await dependencies.backends.restores.listRestores(request, callOptions(scope, dependencies));
    answer.restores = answer.restores.filter((restore) => seesRestore(scope.caller, restore));
    return answer;
  },
};
