import type { FieldViolation } from '@tidemark/errors/app-error';
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
