import type { Progress } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { ProgressLine } from './br/output.ts';

/** Share of the whole that the checksum step takes; everything before it shares the rest. */
const CHECKSUM_SHARE = 5;

/** Turns the progress of BR's steps, each of which goes from 0 to 100, into one that never goes back. */
export function createOverallProgress(): (line: ProgressLine) => Progress {
  let highest = 0;
  return ({ step, percent, remainingSeconds, speed }) => {
    if (percent !== undefined) {
      const whole =
        step === 'Checksum'
          ? 100 - CHECKSUM_SHARE + (percent * CHECKSUM_SHARE) / 100
          : (percent * (100 - CHECKSUM_SHARE)) / 100;
      highest = Math.max(highest, Math.round(whole * 100) / 100);
    }
    return { step, percent: highest, remainingSeconds, speed };
  };
}
