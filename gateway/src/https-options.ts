import type { SecureContextOptions } from 'node:tls';
import type { Certificate } from '@tidemark/service-kit/certificate';

/** Options of a listener that speaks TLS. */
export type HttpsOptions = Pick<SecureContextOptions, 'cert' | 'key' | 'minVersion'>;

/** TLS 1.2 at least; what is older was broken long ago. */
export function httpsOptions({ cert, key }: Certificate): HttpsOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}
