import type {
  ReadBackupLogRequest,
  ReadBackupLogResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { sleep } from '@tidemark/service-kit/backoff';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { OutputPiece, OutputPosition } from '../attempt-output-store.ts';
import { type Backup, isActive } from '../backup.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { existing } from './refusals.ts';

const FOLLOW_MS = 500;
const BATCH = 16;

/** What the attempts of a backup printed, one after the other; with `follow` for as long as more may come. */
export function readBackupLog({ store, output }: Dependencies) {
  return async function* (
    { id, attempt: wanted, follow }: ReadBackupLogRequest,
    context: CallContext,
  ): AsyncGenerator<ReadBackupLogResponse> {
    const { signal } = context;
    const known = existing(await store.get(id, signal), { id }, context);
    const last = known.attempts.length;
    const check = validation();
    check.require(
      wanted <= last || (follow && isActive(known)),
      'attempt',
      `must be one of the ${last} that there were`,
    );
    check.finish();

    let position: OutputPosition = { attempt: wanted || 1, sequence: -1 };
    let end = 0;
    for (;;) {
      // Read before the pieces: when it was over by then, no piece can come after them.
      const backup = existing(await store.get(id, signal), { id }, context);
      for (let pieces = await output.readAfter(id, position, BATCH, signal); pieces.length > 0; ) {
        for (const piece of pieces) {
          if (wanted > 0 && piece.attempt !== wanted) return;
          if (piece.attempt !== position.attempt) end = 0;
          yield toMessage(piece, backup, piece.offset - end);
          end = piece.offset + piece.data.length;
          position = { attempt: piece.attempt, sequence: piece.sequence };
        }
        pieces = await output.readAfter(id, position, BATCH, signal);
      }
      if (!follow || isComplete(backup, wanted)) return;
      await sleep(FOLLOW_MS, signal);
    }
  };
}

/** Whether nothing of what is wanted can be printed any more. */
function isComplete(backup: Backup, wanted: number): boolean {
  return !isActive(backup) || (wanted > 0 && backup.attempts[wanted - 1]?.outcome !== undefined);
}

function toMessage({ attempt, data }: OutputPiece, backup: Backup, skipped: number): ReadBackupLogResponse {
  const { worker = '', brVersion = '' } = backup.attempts[attempt - 1] ?? {};
  return { attempt, data: Buffer.from(data), skippedBytes: BigInt(Math.max(0, skipped)), worker, brVersion };
}
