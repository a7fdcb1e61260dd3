/**
 * Knows from what `br` prints that a TiKV cannot load a file of the backup: it tries again for some ten minutes before it
 * gives up, and says so in its log alone, every half minute.
 */
import { MAX_QUOTED } from '@tidemark/limits/limits';
import type { Stall } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { LogLine } from '../br/output.ts';

export interface WaitingWatch extends Disposable {
  /** A line that says that a file cannot be loaded for now. */
  saw(line: LogLine): void;
  /** There was progress. */
  goesOn(): void;
}

/** Where nothing is said of it for so long, the file was loaded. */
const SILENCE_MS = 90_000;

/** @param report called with what it waits for, to be asked for each time that it is reported; undefined when it goes on */
export function watchForFiles(
  report: (stall: (() => Stall) | undefined) => void,
  silenceMs = SILENCE_MS,
): WaitingWatch {
  let since: number | undefined;
  let silence: NodeJS.Timeout | undefined;

  const goesOn = (): void => {
    clearTimeout(silence);
    if (since === undefined) return;
    since = undefined;
    report(undefined);
  };
  return {
    saw({ fields }) {
      clearTimeout(silence);
      silence = setTimeout(goesOn, silenceMs);
      if (since !== undefined) return;
      const from = performance.now();
      since = from;
      const error = fields.get('error') ?? '';
      const file = /Cannot read (\S+) into/.exec(error)?.[1]?.slice(0, MAX_QUOTED);
      const hint = error.includes('code: Corruption')
        ? 'It is damaged: verify the backup.'
        : 'Every TiKV of the target must be able to read the storage.';
      const message = `TiKV cannot load ${file ?? 'a file'} of the backup for now; br tries again for some ten minutes. ${hint}`;
      report(() => ({ code: 'FILE_NOT_LOADED', message, store: '', seconds: (performance.now() - from) / 1_000 }));
    },
    goesOn,
    [Symbol.dispose]: goesOn,
  };
}
