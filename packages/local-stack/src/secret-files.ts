import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hashToken, parseTokensFile, type TokenEntry, type TokensFile } from '@tidemark/tokens/tokens-file';
import { tryLock } from './file-lock.ts';

const LOCK_PATIENCE_MS = 10_000;
const LOCK_POLL_MS = 20;

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
  letIn(token, tokensFile);
  return { token, tokensFile, serviceTokenFile };
}

/** Writes a file that only its owner can read, and that is never seen half written. */
export function writePrivately(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, path);
}

/** Puts our token into the gateway's list, beside those that `tidemark token` made. */
function letIn(token: string, tokensFile: string): void {
  const own: TokenEntry = {
    id: 'local',
    name: 'npm start',
    sha256: hashToken(token),
    role: 'admin',
    clusters: ['*'],
    labels: {},
  };
  mkdirSync(dirname(tokensFile), { recursive: true, mode: 0o700 });
  using _lock = lockNow(`${tokensFile}.lock`);
  const known = existsSync(tokensFile) ? readTokens(tokensFile) : { tokens: [] };
  if (known.tokens.some(({ id, sha256 }) => id === own.id && sha256 === own.sha256)) return;
  const tokens = [own, ...known.tokens.filter(({ id }) => id !== own.id)];
  writePrivately(tokensFile, `${JSON.stringify({ ...known, tokens }, undefined, 2)}\n`);
}

function readTokens(tokensFile: string): TokensFile {
  try {
    return parseTokensFile(readFileSync(tokensFile, 'utf8'));
  } catch (cause) {
    throw new Error(
      `${tokensFile} cannot be used (${(cause as Error).message}): mend it, or remove it to begin anew.`,
      {
        cause,
      },
    );
  }
}

/** Whoever else has it makes or revokes a token, which takes a moment. */
function lockNow(path: string): Disposable {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (const until = performance.now() + LOCK_PATIENCE_MS; ; ) {
    const lock = tryLock(path);
    if (!('holder' in lock)) return lock;
    if (performance.now() > until) throw new Error(`Process ${lock.holder.pid} holds ${path} for too long.`);
    Atomics.wait(clock, 0, 0, LOCK_POLL_MS);
  }
}

function secretIn(path: string): string {
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  const secret = randomBytes(32).toString('base64url');
  writePrivately(path, `${secret}\n`);
  return secret;
}
