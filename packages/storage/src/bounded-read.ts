import { addAbortSignal, type Readable } from 'node:stream';
import { AppError } from '@tidemark/errors/app-error';
import type { ReadLimit } from './read-limit.ts';

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

/**
 * Reads a stream to its end, and calls `alive` after each piece; an aborted signal destroys it.
 *
 * @param announced the length that the store told before the content, if it did
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
    for await (const piece of addAbortSignal(signal, stream)) {
      alive();
      bytes += (piece as Uint8Array).length;
      refuseTooLong(name, bytes, limit);
      read.push(piece as Uint8Array);
    }
  } finally {
    stream.destroy();
  }
  return Buffer.concat(read);
}
