/**
 * Estimates how far a `br` is from what grows in its path: with its log on the terminal it reports its progress for the first
 * time after two minutes (br-contract 14), and a small backup is over by then.
 *
 * G1. It ends once `br` reports its progress.
 * G2. It costs little: what is too much to be listed within `LOOK_MS` is not estimated, and the longer a look took, the longer
 *     the pause before the next.
 * G3. Nothing depends on it: a storage that cannot be listed is none of its business.
 */
import type { Estimate } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { withTimeout } from '@tidemark/service-kit/abort';
import { pause } from '@tidemark/service-kit/backoff';
import type { BackupFiles } from '@tidemark/storage/backup-files';

export interface EstimateOptions {
  readonly files: Pick<BackupFiles, 'list'>;
  /** Of the last good backup of the cluster; 0 if there is none. */
  readonly lastSizeBytes: bigint;
  readonly report: (estimate: Estimate | undefined) => void;
  readonly everyMs?: number;
}

export interface Estimation extends AsyncDisposable {
  /** `br` reports its progress itself: from now on nothing is estimated. */
  known(): void;
}

const EVERY_MS = 5_000;
const LOOK_MS = 5_000;
/** A pause is at least so many times as long as the look before it. */
const REST = 10;
/** Checksums may still be to be compared when all is written. */
const MOST = 99;

/** Starts estimating; no look is under way once disposal was awaited. */
export function startEstimation({ files, lastSizeBytes, report, everyMs = EVERY_MS }: EstimateOptions): Estimation {
  const stop = new AbortController();

  const look = async (): Promise<void> => {
    let written = 0n;
    for await (const { bytes } of files.list(withTimeout(LOOK_MS, stop.signal))) written += BigInt(bytes);
    if (written === 0n || stop.signal.aborted) return;
    const percent = lastSizeBytes > 0n ? Math.min(MOST, Number((written * 100n) / lastSizeBytes)) : undefined;
    report({ writtenBytes: written, percent });
  };
  const run = async (): Promise<void> => {
    let pauseMs = everyMs;
    while (!stop.signal.aborted) {
      await pause(pauseMs, stop.signal);
      if (stop.signal.aborted) return;
      const startedAt = performance.now();
      await look().catch(() => undefined); // G3
      pauseMs = Math.max(everyMs, REST * (performance.now() - startedAt));
    }
  };

  const done = run();
  return {
    known() {
      if (stop.signal.aborted) return;
      stop.abort();
      report(undefined);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}
