/**
 * Where lists go on, as people are given it. Most services make such tokens themselves; where a service goes on behind the last id that it
 * told, its token is wrapped here, so that any other text is refused.
 */
import { createHash } from 'node:crypto';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_PAGE_TOKEN, MAX_TEXT } from '@tidemark/limits/limits';
import { unless } from './steps.ts';

/** What a page token must be, for callers; the service that made it knows the rest. */
export const WHOLE_TOKEN = 'must be the whole pageToken of an answer to the same list with the same filters';

/** Whether a text may be a token that was answered to people: those between services begin with a digit. */
export function isPageToken(text: string): boolean {
  return text.length <= MAX_PAGE_TOKEN && /^[A-Za-z][A-Za-z0-9_-]*$/.test(text);
}

/** What is wrong with the page token of a list. */
export function checkPageToken({ pageToken }: { readonly pageToken: string }): FieldViolation[] {
  // What is longer than any text may be was found out already.
  const fine = pageToken === '' || pageToken.length > MAX_TEXT || isPageToken(pageToken);
  return unless(fine, 'pageToken', WHOLE_TOKEN);
}

/** What a token is for, and for nothing else. */
export interface TokenScope {
  /** A letter and the version of its tokens. */
  readonly list: string;
  /** What narrows the list, in an order of its own. */
  readonly filters: readonly unknown[];
}

const WRAPPED = /^([a-z]\d) ([\w:-]{1,200}) ([A-Za-z0-9_-]{11})$/;
/** Tells by mistake wrong tokens from right ones; nobody is kept from anything by it. */
const DIGEST_CHARACTERS = 11;

/** @param inner the token of the service; the wrapped one is empty where that is */
export function wrapToken(inner: string, scope: TokenScope): string {
  if (inner === '') return '';
  return Buffer.from(`${scope.list} ${inner} ${digestOf(inner, scope)}`).toString('base64url');
}

/** The token of the service. @throws AppError `invalid_argument` where it was not made for this list */
export function unwrapToken(token: string, scope: TokenScope): string {
  if (token === '') return '';
  const [, list, inner = '', digest] = WRAPPED.exec(Buffer.from(token, 'base64url').toString()) ?? [];
  if (list === scope.list && digest === digestOf(inner, scope)) return inner;
  throw invalidArgument([{ field: 'pageToken', description: WHOLE_TOKEN }]);
}

function digestOf(inner: string, { filters }: TokenScope): string {
  const text = JSON.stringify([inner, filters]);
  return createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_CHARACTERS);
}
