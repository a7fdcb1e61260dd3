/**
 * A certificate that is renewed while the process runs.
 *
 * 1. What is in use always fits together: a pair of which only one file was replaced is not used, and the old one stays.
 * 2. Files are read by their names at each look, so that it does not matter whether they are written over, renamed
 *    into place, or reached through a link that is turned (as Kubernetes does).
 */
import { statSync } from 'node:fs';
import { MAX_TLS_FILE_BYTES } from '@tidemark/limits/limits';
import { readFileWithin, readFileWithinSync, whyUnread } from './bounded-read.ts';
import { type Certificate, type CertificateContent, type CertificateFiles, checkCertificate } from './certificate.ts';
import type { ConfigReader } from './env.ts';
import type { Logger } from './logging.ts';
import { gauge } from './metrics.ts';

/** A certificate as the settings name it: it was there, and in order, when they were read. */
export interface CertificateSetting {
  readonly files: CertificateFiles;
  readonly certificate: Certificate;
}

export interface WatchedCertificate extends Disposable {
  /** The newest that is in order. */
  readonly current: Certificate;
  /** Calls `listener` after each renewal; the answer ends that. */
  onRenewed(listener: (certificate: Certificate) => void): () => void;
}

/** How often the files are looked at. */
const LOOK_EVERY_MS = 5_000;

const ABOUT = {
  CERT: 'PEM file of the certificate, and those between it and its authority.',
  KEY: 'PEM file of its key.',
  CA: 'PEM file of the authority of all processes; with it only they can connect.',
} as const;

const expiry = gauge('tidemark_certificate_expiry_timestamp_seconds', 'When the certificate in use expires.', ['file']);

/**
 * The certificate that the settings `<prefix>_CERT_FILE` and `<prefix>_KEY_FILE` name (and `<prefix>_CA_FILE`, if
 * `mutual`); nothing if none of them is set. What is wrong with it is a problem of the reader.
 */
export function readCertificateSetting(
  reader: ConfigReader,
  prefix: string,
  { mutual }: { readonly mutual: boolean },
): CertificateSetting | undefined {
  const named = (kind: keyof typeof ABOUT) => ({
    setting: `${prefix}_${kind}_FILE`,
    path: reader.text(`${prefix}_${kind}_FILE`, { about: ABOUT[kind], default: '' }),
  });
  const files: CertificateFiles = { cert: named('CERT'), key: named('KEY'), ca: mutual ? named('CA') : undefined };
  const all = [files.cert, files.key, files.ca].filter((file) => file !== undefined);
  const left = all.filter(({ path }) => path === '');
  if (left.length === all.length) return undefined;
  if (left.length > 0) {
    const names = (some: typeof all) => some.map(({ setting }) => setting).join(', ');
    reader.problem(`${names(all)} go together: ${names(left)} must be set too`);
    return undefined;
  }
  const found = checkFiles(files);
  if (typeof found !== 'string') return { files, certificate: found };
  reader.problem(found);
  return undefined;
}

/** What an operator should know about the file of a key: whether all the world may read it. */
export function keyWarning({ key }: CertificateFiles): string | undefined {
  const mode = statSync(key.path, { throwIfNoEntry: false })?.mode ?? 0;
  return mode & 0o007
    ? `${key.setting} names ${key.path}, which everybody on this machine can read (mode ${(mode & 0o777).toString(8)}): take that away`
    : undefined;
}

/** Uses the certificate of a setting from now on, and each renewed one once all its files are in place. */
export function watchCertificate(
  { files, certificate }: CertificateSetting,
  { log, everyMs = LOOK_EVERY_MS }: { readonly log: Logger; readonly everyMs?: number },
): WatchedCertificate {
  const listeners = new Set<(certificate: Certificate) => void>();
  const file = files.cert.path;
  let current = certificate;
  let trouble: string | undefined;
  let expired: Certificate | undefined;
  let looking = false;
  const tellExpiry = () => expiry.set({ file }, Math.floor(current.expiresAt.getTime() / 1000));

  const tellExpired = () => {
    if (current.expiresAt > new Date() || expired === current) return;
    expired = current;
    log.error({ file, expiresAt: current.expiresAt }, 'the certificate in use has expired: others refuse it; renew it');
  };

  const look = async (): Promise<void> => {
    tellExpired();
    const content = await readContent(files);
    if (typeof content !== 'string' && isSame(content, current)) {
      trouble = undefined;
      return;
    }
    const found = typeof content === 'string' ? content : checkCertificate(content, files, new Date());
    if (typeof found === 'string') {
      // Logged once: between the two halves of a renewal it passes, and otherwise it stays until somebody comes.
      if (found !== trouble) log.warn({ file, expiresAt: current.expiresAt }, `${found}; the one in use stays in use`);
      trouble = found;
      return;
    }
    trouble = undefined;
    current = found;
    tellExpiry();
    for (const listener of listeners) listener(found);
    log.info({ file, certificate: found.name, expiresAt: found.expiresAt }, 'a renewed certificate is in use');
  };
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => {
      looking = false;
    });
  }, everyMs).unref();
  tellExpiry();
  return {
    get current() {
      return current;
    },
    onRenewed(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      listeners.clear();
    },
  };
}

function isSame(one: CertificateContent, other: CertificateContent): boolean {
  return (
    one.cert.equals(other.cert) &&
    one.key.equals(other.key) &&
    (one.ca === other.ca || (one.ca !== undefined && other.ca !== undefined && one.ca.equals(other.ca)))
  );
}

function checkFiles(files: CertificateFiles): Certificate | string {
  const problems: string[] = [];
  const read = ({ setting, path }: CertificateFiles['cert']): Buffer => {
    try {
      return readFileWithinSync(path, MAX_TLS_FILE_BYTES);
    } catch (error) {
      problems.push(unreadable(setting, path, error));
      return Buffer.alloc(0);
    }
  };
  const content = { cert: read(files.cert), key: read(files.key), ca: files.ca && read(files.ca) };
  return problems.length > 0 ? problems.join('; ') : checkCertificate(content, files, new Date());
}

async function readContent(files: CertificateFiles): Promise<CertificateContent | string> {
  const read = async ({ setting, path }: CertificateFiles['cert']): Promise<Buffer> => {
    try {
      return await readFileWithin(path, MAX_TLS_FILE_BYTES);
    } catch (error) {
      throw new Error(unreadable(setting, path, error), { cause: error });
    }
  };
  try {
    const [cert, key, ca] = await Promise.all([read(files.cert), read(files.key), files.ca && read(files.ca)]);
    return { cert, key, ca };
  } catch (error) {
    return (error as Error).message;
  }
}

function unreadable(setting: string, path: string, error: unknown): string {
  return `${setting} names ${path}, which ${whyUnread(error)}`;
}
