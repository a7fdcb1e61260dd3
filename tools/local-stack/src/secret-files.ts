import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { tryLock } from '@tidemark/processes/file-lock';
import { hashToken, parseTokensFile, type TokenEntry, type TokensFile } from '@tidemark/tokens/tokens-file';

const LOCK_PATIENCE_MS = 10_000;
const LOCK_POLL_MS = 20;
/** What a file of one secret may hold: a text that somebody put there himself counts, too, but not a part of one. */
const SECRET = /^\S{16,}$/;

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

/** Writes a file that only its owner can read, and that is never seen half written, after a power cut neither. */
export function writePrivately(path: string, text: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, text, { mode: 0o600, flush: true });
  renameSync(unfinished, path);
  syncFolder(folder);
}

/** Who a stack is to a server of its own. */
export interface ServerUser {
  readonly user: string;
  /** 192 random bits in hexadecimal digits: URLs and configuration files take it as it is. */
  readonly password: string;
}

/** A new name with a new password. */
export function newServerUser(): ServerUser {
  return { user: `tidemark-${randomBytes(4).toString('hex')}`, password: randomBytes(24).toString('hex') };
}

/**
 * Reads a small JSON file of texts, or makes it where there is none.
 *
 * @param fields the texts it must hold
 * @param advice what to do about a damaged one, as the end of a sentence
 * @throws a sentence that names the file when it is damaged
 */
export function privateRecord<T extends object>(
  path: string,
  fields: readonly (keyof T & string)[],
  make: () => T,
  advice: string,
): T {
  const text = readIfThere(path);
  if (text === undefined) {
    const made = make();
    writePrivately(path, JSON.stringify(made));
    return made;
  }
  const read = parseJson(text) as Partial<Record<string, unknown>> | undefined;
  const bad = fields.find((field) => typeof read?.[field] !== 'string' || read[field] === '');
  if (bad !== undefined) throw new Error(`${path} is damaged (it has no ${bad}): ${advice}.`);
  return read as T;
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
  const found = readIfThere(path)?.trim();
  if (found === undefined) {
    const secret = randomBytes(32).toString('base64url');
    writePrivately(path, `${secret}\n`);
    return secret;
  }
  if (SECRET.test(found)) return found;
  throw new Error(`${path} is damaged (it holds no secret): remove it, and a new one is made at the next start.`);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A new name in a folder is on disk only once the folder is. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
