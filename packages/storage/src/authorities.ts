import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { MAX_AUTHORITIES_FILE_BYTES } from '@tidemark/limits/limits';
import { readFileWithinSync, UnfitError } from '@tidemark/service-kit/bounded-read';
import type { Env } from '@tidemark/service-kit/env';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Lets every TLS connection of this process believe the authorities that `SSL_CERT_FILE` and `SSL_CERT_DIR` name,
 * beside those that Node.js knows: `br` honours these variables (Go's crypto/x509), so that a worker sees the same
 * storages as its `br`.
 *
 * @returns why a file that is named cannot be used, a sentence each
 */
export function trustNamedAuthorities(env: Env): readonly string[] {
  const problems: string[] = [];
  const named = [
    ...(env.SSL_CERT_FILE ? [env.SSL_CERT_FILE] : []),
    ...(env.SSL_CERT_DIR ?? '').split(':').flatMap((folder) => filesIn(folder)),
  ];
  const own = named.flatMap((file) => {
    try {
      const found = readFileWithinSync(file, MAX_AUTHORITIES_FILE_BYTES).toString('utf8').match(CERTIFICATE) ?? [];
      if (found.length === 0 && file === env.SSL_CERT_FILE) throw new Error('it holds no certificate in PEM form');
      return found;
    } catch (error) {
      const { message } = error as Error;
      const why = error instanceof UnfitError ? `it ${message}` : message;
      problems.push(`${file} names authorities for TLS and cannot be used: ${why}`);
      return [];
    }
  });
  if (own.length > 0) setDefaultCACertificates([...getCACertificates('default'), ...own]);
  return problems;
}

function filesIn(folder: string): string[] {
  if (folder === '') return [];
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [folder]; // and the reason is given when it is read
  }
}
