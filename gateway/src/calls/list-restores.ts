import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import { checkPageToken } from './page-token.ts';
import type { Steps } from './steps.ts';

export const listRestores: Steps<'listRestores'> = {
  check: checkPageToken,
  prepare(request, { asked }) {
    request.pageSize ||= DEFAULT_PAGE_SIZE;
    request.withinSight = asked.length === 0;
  },
};
