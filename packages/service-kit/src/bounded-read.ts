/**
 * What is read whole into memory, never more of it than a bound: small files that settings name, and answers of other
 * servers.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** What is read is longer than its bound, or no file to be read; the message is the end of a sentence about it. */
export class UnfitError extends Error {
  override readonly name = 'UnfitError';
}

// Without blocking: a pipe that nobody writes to would hold its reader up for ever.
const READ = constants.O_RDONLY | constants.O_NONBLOCK;
const PIECE_BYTES = 64 * 1024;

const tooLarge = (maxBytes: number) => new UnfitError(`is too large (over ${maxBytes} bytes)`);

function requireFit(stat: Stats, maxBytes: number): void {
  if (!stat.isFile()) throw new UnfitError('is not a regular file');
  if (stat.size > maxBytes) throw tooLarge(maxBytes);
}

/**
 * The content of a regular file, also where it says of itself that it is shorter.
 *
 * @throws UnfitError for what is no regular file, or larger; else what the system says
 */
export async function readFileWithin(path: string, maxBytes: number): Promise<Buffer> {
  await using file = await open(path, READ);
  return await readOpenFileWithin(file, maxBytes);
}

/** The same of a file that is open. */
export async function readOpenFileWithin(file: FileHandle, maxBytes: number): Promise<Buffer> {
  requireFit(await file.stat(), maxBytes);
  const pieces: Buffer[] = [];
  for (let bytes = 0; ; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(PIECE_BYTES));
    if (bytesRead === 0) return Buffer.concat(pieces);
    bytes += bytesRead;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    pieces.push(buffer.subarray(0, bytesRead));
  }
}

/** The same at once, for what a process needs before it can start. */
export function readFileWithinSync(path: string, maxBytes: number): Buffer {
  const file = openSync(path, READ);
  try {
    requireFit(fstatSync(file), maxBytes);
    const pieces: Buffer[] = [];
    for (let bytes = 0; ; ) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES);
      const bytesRead = readSync(file, piece);
      if (bytesRead === 0) return Buffer.concat(pieces);
      bytes += bytesRead;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      pieces.push(piece.subarray(0, bytesRead));
    }
  } finally {
    closeSync(file);
  }
}

/** Why a file could not be read, as the end of a sentence about it. */
export function whyUnread(error: unknown): string {
  if (error instanceof UnfitError) return error.message;
  return `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`;
}

/**
 * The same answer, whose body fails as soon as it is longer than the bound: what follows is not asked for.
 *
 * @throws UnfitError when its body is read
 */
export function withinBytes(response: Response, maxBytes: number): Response {
  let bytes = 0;
  const counted = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        bytes += piece.length;
        if (bytes > maxBytes) throw tooLarge(maxBytes);
        controller.enqueue(piece);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(counted ?? null, { status, statusText, headers });
}
