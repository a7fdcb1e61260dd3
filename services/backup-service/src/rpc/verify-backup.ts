import { AppError } from '@tidemark/errors/app-error';
import { MAX_WAITING_FOR_RULES, MIN_VERIFY_SAMPLE } from '@tidemark/limits/limits';
import type {
  VerifyBackupRequest,
  VerifyBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { isTrashed } from '../backup.ts';
import { toBackupMessage } from '../backup-message.ts';
import { digestOf } from '../presence.ts';
import { validation } from '../validate.ts';
import { isEnded } from '../verification.ts';
import { fromLevelMessage } from '../verification-message.ts';
import { recordVerification } from '../verification-steps.ts';
import type { Dependencies } from './context.ts';
import { existing, notGoodEnough } from './refusals.ts';

/** When a rule may ask again while many verifications wait. */
const RULE_RETRY_MS = 60_000;

/** Writes a verification of a good backup down and lets the workers know; one that is under way is the answer instead. */
export function verifyBackup({ store, verifications, places, dispatcher }: Dependencies) {
  /** Rules of a large fleet go slowly, so that what people ask for has its turn. */
  async function requireRoom(signal: AbortSignal): Promise<void> {
    if ((await verifications.countQueued(MAX_WAITING_FOR_RULES, signal)) < MAX_WAITING_FOR_RULES) return;
    throw new AppError('too_many_requests', `${MAX_WAITING_FOR_RULES} verifications wait already.`, {
      retryAfterMs: RULE_RETRY_MS,
    });
  }

  return async (
    { id, level: asked, sample, rateLimit, byRule }: VerifyBackupRequest,
    context: CallContext,
  ): Promise<VerifyBackupResponse> => {
    const { caller, requestId, signal } = context;
    const level = fromLevelMessage(asked);
    const check = validation();
    check.require(level !== undefined, 'level', 'must be "meta" or "bytes"');
    // A rule may have been saved by an earlier version, and a verification reads a file at least.
    check.require(
      sample === undefined || (sample >= (byRule ? Number.MIN_VALUE : MIN_VERIFY_SAMPLE) && sample <= 1),
      'sample',
      `must be from ${MIN_VERIFY_SAMPLE} to 1, which reads all data files, or be left out`,
    );
    check.require(
      sample === undefined || level !== 'meta',
      'sample',
      'must be left out at the level "meta", which reads no data files',
    );
    check.finish();

    const backup = existing(await store.get(id, signal), { id }, context);
    const isGood = backup.state === 'Succeeded' && (backup.deletion.state === 'None' || isTrashed(backup));
    if (!isGood || level === undefined) throw notGoodEnough(backup, 'verified');
    if (byRule) await requireRoom(signal);
    const storageDigest = digestOf(await places.granted(backup, signal));
    const wish = { backup, storageDigest, level, sample: sample ?? 1, rateLimit, createdBy: caller, requestId };
    let written = await verifications.ask(wish, signal);
    if (isEnded(written)) {
      // The one before, whose outcome is not on the record yet.
      await recordVerification(written, { store, verifications }, signal);
      written = await verifications.ask(wish, signal);
    }
    await dispatcher.attendVerification(id);
    const [now, newest] = await Promise.all([store.get(id, signal), verifications.get(id, signal)]);
    // Somebody may have been quicker with a deletion; a cancel before it was held is no refusal.
    if (newest?.run === written.run && newest.state === 'Unknown' && !newest.held)
      throw notGoodEnough(now ?? backup, 'verified');
    return { backup: toBackupMessage(now ?? backup, 0, newest) };
  };
}
