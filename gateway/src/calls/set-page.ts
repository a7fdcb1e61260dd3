import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';

/** Sets the page of a list where none is asked for. */
export function setPage(request: { page: number; pageSize: number }): void {
  request.page ||= 1;
  request.pageSize ||= DEFAULT_PAGE_SIZE;
}
