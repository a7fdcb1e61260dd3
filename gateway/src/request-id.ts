import { randomUUID } from 'node:crypto';
import { isRequestId } from '@tidemark/service-kit/grpc/metadata-names';

/** Both names of the header that carries the request id: ours, and that of older clients. */
export const REQUEST_ID_HEADERS = ['x-request-id', 'em-x-trace-id'] as const;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The id that the client sent, if it is a sane one, else a new one. */
export function requestIdOf(headers: Headers): string {
  for (const name of REQUEST_ID_HEADERS) {
    const value = headers[name];
    if (typeof value === 'string' && isRequestId(value)) return value;
  }
  return randomUUID();
}
