/**
 * Reads a file on while another process appends to it.
 *
 * F1. What is in the file when `finish` is called, by when nobody writes to it any more, was all passed on when it resolves.
 * F2. A file that grew beyond its bound is cut to nothing once it was read to its end; who writes goes on at its new beginning.
 *     What is written between the last look and the cut is lost, so `onCut` says that not all was read.
 * F3. A file that cannot be read holds nobody up: `onCut` says so, and it is tried again until the end.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { pause } from '@tidemark/service-kit/backoff';

export interface FollowOptions {
  readonly path: string;
  onChunk(chunk: Buffer): void;
  /** Something of the file is not passed on, or may not be. Where it throws, the file is not cut for now. */
  onCut(): void;
  readonly maxBytes: number;
  readonly everyMs?: number;
}

export interface FollowedFile {
  /** Reads to the end, once nobody writes any more. Never rejects. */
  finish(): Promise<void>;
}

const EVERY_MS = 250;
const PIECE_BYTES = 64 * 1024;

/** Starts reading a file from its beginning; it is there already. */
export function followFile({ path, onChunk, onCut, maxBytes, everyMs = EVERY_MS }: FollowOptions): FollowedFile {
  const finishing = new AbortController();
  let position = 0;

  const readOn = async (file: FileHandle): Promise<void> => {
    for (;;) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      onChunk(buffer.subarray(0, bytesRead));
    }
  };
  const look = async (): Promise<void> => {
    await using file = await open(path, 'r+');
    await readOn(file);
    if (position <= maxBytes) return;
    onCut();
    await file.truncate(0);
    position = 0;
  };
  const sayCut = () => {
    try {
      onCut();
    } catch {
      // Said again at the next try.
    }
  };
  const run = async (): Promise<void> => {
    for (;;) {
      const last = finishing.signal.aborted;
      try {
        await look();
      } catch {
        sayCut();
      }
      if (last) return;
      await pause(everyMs, finishing.signal);
    }
  };
  const done = run();
  return {
    async finish() {
      finishing.abort();
      await done;
    },
  };
}

/** Reads a file that nobody writes to any more: its end, where it is longer than the bound. */
export async function readLeftFile({ path, onChunk, onCut, maxBytes }: Omit<FollowOptions, 'everyMs'>): Promise<void> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > maxBytes) onCut();
    for await (const chunk of file.createReadStream({ start: Math.max(0, size - maxBytes), autoClose: false }))
      onChunk(chunk as Buffer);
  } catch {
    onCut();
  }
}
