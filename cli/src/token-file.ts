/** Changes the file of hashed tokens: one process at a time, and never seen half written. */
import { constants } from 'node:fs';
import { access, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MAX_TOKENS_FILE_BYTES } from '@tidemark/limits/limits';
import { waitForLock } from '@tidemark/processes/file-lock';
import { readFileWithin, UnfitError } from '@tidemark/service-kit/bounded-read';
import { parseTokensFile, type TokensFile, TokensFileError } from '@tidemark/tokens/tokens-file';
import { CommandError } from './exit.ts';

/** The file cannot be read or changed; the message is for people. */
export class TokenFileProblem extends CommandError {}

const LOCK_PATIENCE_MS = 10_000;

/** @throws TokenFileProblem */
export async function readTokens(file: string): Promise<TokensFile> {
  return parse(file, await readText(file).catch((error: unknown) => refuse(file, 'read', error)));
}

/**
 * Replaces the file by what `change` makes of it, with mode 0600 and the owner it had.
 *
 * @param change may throw; then nothing is changed
 * @param options.create whether a file that is not there is taken for one without tokens
 * @throws TokenFileProblem
 */
export async function changeTokens(
  file: string,
  change: (tokens: TokensFile['tokens']) => TokensFile['tokens'],
  { create, stop }: { readonly create: boolean; readonly stop: AbortSignal },
): Promise<void> {
  // A link, as in mounted volumes, goes on pointing there.
  const target = await realpath(file).catch(() => file);
  await access(dirname(target), constants.W_OK).catch((error: unknown) => refuse(file, 'changed', error));
  using _lock = await waitForLock(
    `${target}.lock`,
    AbortSignal.any([stop, AbortSignal.timeout(LOCK_PATIENCE_MS)]),
    () => undefined,
  ).catch((error: unknown) => refuse(file, 'changed', error));
  const text = await readText(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && create) return '{"tokens":[]}';
    return refuse(file, 'read', error);
  });
  const before = parse(file, text);
  const after = { ...before, tokens: change(before.tokens) };
  await write(target, `${JSON.stringify(after, undefined, 2)}\n`).catch((error: unknown) =>
    refuse(file, 'changed', error),
  );
}

const readText = async (file: string) => (await readFileWithin(file, MAX_TOKENS_FILE_BYTES)).toString('utf8');

async function write(target: string, text: string): Promise<void> {
  const unfinished = `${target}.${process.pid}.new`;
  const owner = await stat(target).catch(() => undefined);
  try {
    await using handle = await open(unfinished, 'w', 0o600);
    await handle.chmod(0o600);
    // The gateway may run as another user than the one who makes tokens, often root.
    if (owner && owner.uid !== process.getuid?.()) await handle.chown(owner.uid, owner.gid);
    await handle.writeFile(text);
    await handle.sync();
    await rename(unfinished, target);
  } finally {
    await rm(unfinished, { force: true });
  }
}

function parse(file: string, text: string): TokensFile {
  try {
    return parseTokensFile(text);
  } catch (error) {
    if (!(error instanceof TokensFileError)) throw error;
    throw new TokenFileProblem(
      `${file} cannot be used: ${error.message}. The gateway lets nobody in by it until that is mended; nothing was changed.`,
    );
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there: name another with --file',
  EACCES: 'this user may not',
  EPERM: 'it belongs to another user: do this as that one',
  TimeoutError: 'another process has been changing it for too long',
};

function refuse(file: string, what: string, error: unknown): never {
  const { code, name } = error as NodeJS.ErrnoException;
  const unfit = error instanceof UnfitError ? `it ${error.message}` : undefined;
  const why = unfit ?? REASONS[code ?? ''] ?? REASONS[name] ?? code ?? name;
  throw new TokenFileProblem(`The tokens file ${file} cannot be ${what}: ${why}.`);
}
