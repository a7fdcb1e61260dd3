import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The secrets of one stack: they reach processes as files that only their owner can read, never as arguments. */
export interface Secrets {
  /** What callers of the API present; the same as long as the data folder lives. */
  readonly token: string;
  /** The gateway's list of tokens. */
  readonly tokensFile: string;
  /** Proves that a call comes from one of our own processes. */
  readonly serviceTokenFile: string;
}

/** Reads the secrets of a data folder, or makes them: 256 random bits each. */
export function stackSecrets(dataDir: string): Secrets {
  const token = secretIn(join(dataDir, 'token'));
  const folder = join(dataDir, 'secrets');
  const serviceTokenFile = join(folder, 'service-token');
  secretIn(serviceTokenFile);
  const tokensFile = join(folder, 'tokens.json');
  const sha256 = createHash('sha256').update(token).digest('hex');
  const tokens = [{ id: 'local', name: 'npm start', sha256, role: 'admin', clusters: ['*'] }];
  writePrivately(tokensFile, `${JSON.stringify({ tokens }, undefined, 2)}\n`);
  return { token, tokensFile, serviceTokenFile };
}

/** Writes a file that only its owner can read, and that is never seen half written. */
export function writePrivately(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, path);
}

function secretIn(path: string): string {
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  const secret = randomBytes(32).toString('base64url');
  writePrivately(path, `${secret}\n`);
  return secret;
}
