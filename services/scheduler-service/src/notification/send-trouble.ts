/** What was wrong with a try to send something, in a sentence without any secret, address or word of the other side. */
import { NoAddress } from './addresses.ts';
import { SecretsTrouble } from './secrets.ts';

/** It was answered, and not taken. */
export class NotTaken extends Error {
  override name = 'NotTaken';
}

/** Codes of Node and nodemailer that say in themselves what was wrong. */
const KINDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'It refused the connection.',
  ECONNRESET: 'It broke the connection off.',
  EPIPE: 'It broke the connection off.',
  ETIMEDOUT: 'It could not be reached in time.',
  EHOSTUNREACH: 'It cannot be reached.',
  ENETUNREACH: 'It cannot be reached.',
  EAUTH: 'The mail server refused the user or the password.',
  EENVELOPE: 'The mail server refused the sender or all of the addresses.',
  EMESSAGE: 'The mail server refused the mail.',
  ETLS: 'The mail server offers no STARTTLS that could be used.',
  // That of a certificate, too: nodemailer writes its own over that of Node.
  ESOCKET: 'The connection to the mail server failed, or its certificate was not accepted.',
};

/** For people, without what the other side said. @param within of the try, which lasts so long */
export function troubleOf(error: unknown, within: AbortSignal, withinMs: number): string {
  if (within.aborted) return `It did not answer within ${withinMs / 1_000} s.`;
  if (error instanceof NoAddress || error instanceof SecretsTrouble || error instanceof NotTaken) return error.message;
  const { code, responseCode } = error as { readonly code?: unknown; readonly responseCode?: unknown };
  if (typeof code !== 'string') return 'It could not be sent.';
  if (/CERT|TLS|SSL|SELF_SIGNED|VERIFY/.test(code) && !KINDS[code])
    return `Its certificate was not accepted (${code}).`;
  const status = typeof responseCode === 'number' ? ` (${responseCode})` : '';
  return `${KINDS[code] ?? `It could not be sent (${code}).`}${status}`;
}
