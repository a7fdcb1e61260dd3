/** The page that a list tells where none is asked for. */
export const DEFAULT_PAGE_SIZE = 10;

export function setPage(request: { page: number; pageSize: number }): void {
  request.page ||= 1;
  request.pageSize ||= DEFAULT_PAGE_SIZE;
}
