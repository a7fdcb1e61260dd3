import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import { checkPageToken } from './page-token.ts';
import type { Steps } from './steps.ts';

export const listDeliveries: Steps<'listDeliveries'> = {
  check: checkPageToken,
  prepare(request) {
    request.pageSize ||= DEFAULT_PAGE_SIZE;
  },
};
