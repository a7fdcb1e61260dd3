import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import type { Acting } from './steps.ts';

interface ListRequest {
  page: number;
  pageSize: number;
  withinSight: boolean;
}

/** Sets what was left out, and whether the list is of all that the caller sees. */
export function setPage(request: ListRequest, { asked }: Pick<Acting, 'asked'>): void {
  request.page ||= 1;
  request.pageSize ||= DEFAULT_PAGE_SIZE;
  request.withinSight = asked.length === 0;
}
