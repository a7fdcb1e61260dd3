import { MAX_PAGE_TOKEN } from '@tidemark/limits/limits';

/** What a page token must be, for callers; the service that made it knows the rest. */
export const WHOLE_TOKEN = 'must be the whole pageToken of an answer to the same list with the same filters';

/** Whether a text may be a token that was answered to people: those between services begin with a digit. */
export function isPageToken(text: string): boolean {
  return text.length <= MAX_PAGE_TOKEN && /^[A-Za-z][A-Za-z0-9_-]*$/.test(text);
}
