import { VerificationLevel } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';

/** By how REST calls them. */
export const VERIFICATION_LEVELS = { meta: VerificationLevel.META, bytes: VerificationLevel.BYTES } as const;

/** As REST calls it. */
export function levelOf(level: VerificationLevel): keyof typeof VERIFICATION_LEVELS {
  return level === VerificationLevel.META ? 'meta' : 'bytes';
}
