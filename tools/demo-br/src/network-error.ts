/** Errors of the network, by Node.js's codes, as Go words them. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'read: connection reset by peer',
  ETIMEDOUT: 'i/o timeout',
  EHOSTUNREACH: 'connect: no route to host',
  ENOTFOUND: 'lookup: no such host',
};

interface NetworkError {
  readonly code?: unknown;
  readonly message?: string;
  readonly errors?: readonly unknown[];
  readonly cause?: unknown;
}

/**
 * What Go says about a failed connection, such as `dial tcp 127.0.0.1:9: connect: connection refused`; undefined if the
 * error is not one of the network. Vendors' clients hide it in other errors, or in their text only.
 *
 * @param host `host:port` for an error that does not name one
 */
export function networkErrorText(error: unknown, host: string): string | undefined {
  const networkError = (error ?? {}) as NetworkError;
  const { message = '', errors = [], cause } = networkError;
  const code = codeOf(networkError);
  if (code !== undefined) {
    const [, address = host] = new RegExp(`${code} (\\S+:\\d+)`).exec(message) ?? [];
    return `dial tcp ${address}: ${WORDS[code]}`;
  }
  return [...errors, ...(cause === undefined ? [] : [cause])]
    .map((inner) => networkErrorText(inner, host))
    .find((text) => text !== undefined);
}

function codeOf({ code, message = '' }: NetworkError): string | undefined {
  return Object.keys(WORDS).find((name) => code === name || message.includes(name));
}
