/** A page as the request of a list asks for it, and as it is answered. */
import type { FieldViolation } from '@tidemark/errors/app-error';
import { MAX_PAGE, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { readPageToken, type TokenScope, toPageToken } from './page-token.ts';
import type { Page, PageWish } from './pages.ts';
import type { Position } from './selection.ts';

export interface PageRequest {
  readonly page: number;
  readonly pageSize: number;
  readonly pageToken: string;
  readonly withoutTotal: boolean;
}

/** What an answer says of its page. */
export interface PageAnswer {
  /** Where older callers go on with a page that does not fit. */
  readonly nextPageToken: string;
  readonly followingPageToken: string;
  readonly total: bigint;
  readonly totalLeftOut: boolean;
  readonly totalIsAtLeast: boolean;
  readonly offset: bigint;
}

export interface AskedPage {
  readonly wish: PageWish;
  /** What is wrong with the request. */
  readonly violations: readonly FieldViolation[];
  /**
   * What the answer says of the page.
   *
   * @param last of those that fit into the answer, and its number in the page, where not all fit
   */
  answer(page: Page<unknown>, last?: { readonly at: Date; readonly id: string; readonly number: number }): PageAnswer;
}

/** Where older callers go on with a page that did not fit: how many of it were told, and time and id of the last one. */
const REST_TOKEN = /^(\d{1,3})_(\d{1,15})_([\w:.-]{1,200})$/;
/** How much of the caller's time goes into page and total. */
const SHARE = 0.7;
const PATIENCE_MS = 10_000;

/** @param timeLeftMs until the caller gives up */
export function askedPage(
  { page, pageSize, pageToken, withoutTotal }: PageRequest,
  { scope, exactTotal, timeLeftMs }: { scope: TokenScope; exactTotal: number; timeLeftMs: number },
): AskedPage {
  const [, told = '0', at, lastId] = REST_TOKEN.exec(pageToken) ?? [];
  const rest: Position | undefined =
    lastId === undefined ? undefined : { before: 0, at: new Date(Number(at)), id: lastId };
  const after = rest ?? (pageToken === '' ? undefined : readPageToken(pageToken, scope));
  const skip = after ? 0 : (page - 1) * pageSize;
  const isToken = pageToken === '' || (after !== undefined && (!rest || Number(told) < pageSize));
  const violations = [
    { fine: after !== undefined || (page >= 1 && page <= MAX_PAGE), field: 'page', is: `from 1 to ${MAX_PAGE}` },
    { fine: pageSize >= 1 && pageSize <= MAX_PAGE_SIZE, field: 'pageSize', is: `from 1 to ${MAX_PAGE_SIZE}` },
    {
      fine: isToken,
      field: 'pageToken',
      is: 'the whole token of an answer to the same list with the same filters, or be left out',
    },
  ];
  return {
    wish: {
      skip,
      limit: pageSize - Number(told),
      ...(after && { after }),
      mayBePartial: after ? !rest : withoutTotal && page === 1,
      withoutTotal: withoutTotal || rest !== undefined,
      exactTotal,
      withinMs: Math.min(SHARE * timeLeftMs, PATIENCE_MS),
    },
    violations: violations.flatMap(({ fine, field, is }) => (fine ? [] : [{ field, description: `must be ${is}` }])),
    answer({ total: counted, isAtLeast, next }, last) {
      const before = after?.before ?? 0;
      const total = rest ? undefined : counted;
      const following = last ? { before: before + skip + last.number, at: last.at, id: last.id } : next;
      return {
        nextPageToken: last ? `${Number(told) + last.number}_${+last.at}_${last.id}` : '',
        followingPageToken: following && !rest ? toPageToken(following, scope) : '',
        total: BigInt(total ?? 0),
        totalLeftOut: total === undefined,
        totalIsAtLeast: isAtLeast,
        offset: BigInt(before),
      };
    },
  };
}
