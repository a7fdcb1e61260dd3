import type { Session } from './session.ts';
import { printableText } from './text.ts';

/** Prints a log as it comes: to a file or a pipe as it is, to a terminal without what would steer that. */
export async function printLog(
  opened: Promise<ReadableStream<Uint8Array> | null | undefined>,
  { output, stop }: Pick<Session, 'output' | 'stop'>,
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const piece of (await opened) ?? []) {
    stop.throwIfAborted();
    await output.raw(piece, (bytes) => printableText(decoder.decode(bytes, { stream: true })));
  }
}
