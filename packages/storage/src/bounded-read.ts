import { addAbortSignal, type Readable } from 'node:stream';
import { AppError } from '@tidemark/errors/app-error';
import type { ReadLimit } from './read-limit.ts';
import type { TakePiece } from './storage-files.ts';

/** What a store answers with when a file is asked for. */
export interface Content {
  readonly content: Readable;
  /** The length that the store told before the content; 0 where it did not. */
  readonly announced: number;
}

/** @throws AppError `storage_unusable`: the file is longer than what is read of such files */
export function refuseTooLong(name: string, bytes: number, limit: ReadLimit): void {
  if (bytes <= limit.bytes) return;
  const advice = limit.setting === undefined ? '' : `: raise ${limit.setting} of the workers, and their memory with it`;
  throw new AppError(
    'storage_unusable',
    `${name} could not be read: it has more than ${limit.bytes} bytes, the most that is read of such a file${advice}.`,
  );
}

/**
 * Runs a read under the time of its limit.
 *
 * @throws AppError `unavailable` when the time is over
 */
export async function readWithin<T>(
  name: string,
  limit: ReadLimit,
  signal: AbortSignal,
  read: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const sentence = `${name} could not be read within ${limit.ms / 1000} s; it is tried again.`;
  const timer = setTimeout(() => late.abort(new AppError('unavailable', sentence)), limit.ms);
  try {
    return await read(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** Without a piece for this long a file in a folder is given up. */
const SILENT_MS = 30_000;
const TAKING_MS = 5_000;

/**
 * Runs a read of any length for as long as pieces come.
 *
 * @throws AppError `unavailable` when none came for a while
 */
export async function whileAlive<T>(
  name: string,
  signal: AbortSignal,
  read: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const silent = new AbortController();
  const sentence = `Nothing of ${name} could be read for ${SILENT_MS / 1000} s; it is tried again.`;
  const timer = setTimeout(() => silent.abort(new AppError('unavailable', sentence)), SILENT_MS);
  try {
    return await read(AbortSignal.any([signal, silent.signal]), () => timer.refresh());
  } catch (error) {
    silent.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The content of a stream; an aborted signal destroys it. */
function piecesOf(stream: Readable, signal: AbortSignal): AsyncIterable<Uint8Array> {
  // Whoever iterates hears of an error, unless it comes when that is over: then nobody needs to.
  stream.on('error', () => undefined);
  signal.throwIfAborted();
  return addAbortSignal(signal, stream);
}

/**
 * Reads a stream to its end, and calls `alive` after each piece; an aborted signal destroys it.
 *
 * @param announced the length that the store announced before the content, if it did
 * @throws AppError `storage_unusable` as soon as the limit is passed
 */
export async function collect(
  stream: Readable,
  { name, limit, announced = 0 }: { readonly name: string; readonly limit: ReadLimit; readonly announced?: number },
  signal: AbortSignal,
  alive: () => void,
): Promise<Buffer> {
  const read: Uint8Array[] = [];
  let bytes = announced;
  try {
    refuseTooLong(name, bytes, limit);
    bytes = 0;
    for await (const piece of piecesOf(stream, signal)) {
      alive();
      bytes += piece.length;
      refuseTooLong(name, bytes, limit);
      read.push(piece);
    }
  } finally {
    stream.destroy();
  }
  return Buffer.concat(read);
}

/** Hands a stream over piece by piece, and calls `alive` after each; an aborted signal destroys it. */
export async function handOver(
  stream: Readable,
  take: TakePiece,
  signal: AbortSignal,
  alive: () => void,
): Promise<true> {
  try {
    for await (const piece of piecesOf(stream, signal)) {
      alive();
      // Whoever takes its time with a piece is no store that fell silent.
      const taking = setInterval(alive, TAKING_MS);
      try {
        await take(piece);
      } finally {
        clearInterval(taking);
      }
      alive();
    }
  } finally {
    stream.destroy();
  }
  return true;
}
