/**
 * Looks at a backup before `br restore` is started: a file that is missing would cost `br` ten minutes, and leave its target with a
 * part of the data.
 */

import type { Decrypt } from '@tidemark/backupmeta/crypter';
import type { BackupDescription } from '@tidemark/backupmeta/description';
import { MANIFEST, toSeal } from '@tidemark/backupmeta/seal';
import { type ContentReport, verifyContent } from '@tidemark/backupmeta/verify-content';
import { MAX_NAMED } from '@tidemark/limits/limits';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import type { ReadLimit } from '@tidemark/storage/read-limit';

/** The backup that was chosen. */
export interface ChosenBackup {
  /** Its snapshot. */
  readonly tso: bigint;
  /** The id that TiDB gave its cluster. */
  readonly tidbClusterId: bigint;
}

export type CheckedSource =
  | { readonly kind: 'sound'; readonly description: BackupDescription; readonly sizeBytes: bigint }
  /** It cannot be restored from; the message says why, in sentences. */
  | {
      readonly kind: 'unfit';
      readonly code: 'SOURCE_GONE' | 'SOURCE_DAMAGED' | 'SOURCE_UNREADABLE' | 'SOURCE_IS_ANOTHER';
      readonly message: string;
      /** Whether that is certain to be damage, and not a wrong key or a missing right. */
      readonly damaged: boolean;
    };

/**
 * Reads the catalogue of a backup, compares it with what it was, and looks for every file that it lists, by name and size.
 *
 * @throws AppError `unavailable` or `storage_unusable` when the storage cannot be reached or used: that says nothing of the
 *   backup
 */
export async function checkSource(
  files: BackupFiles,
  chosen: ChosenBackup,
  { decrypt, limit }: { readonly decrypt: Decrypt; readonly limit: ReadLimit },
  signal: AbortSignal,
): Promise<CheckedSource> {
  const manifest = await files.read(MANIFEST, signal);
  const sealed = manifest && toSeal(manifest);
  const report = await verifyContent(files, signal, { level: 'meta', decrypt, limit, sealed });
  switch (report.verdict) {
    case 'absent':
      return unfit(
        'SOURCE_GONE',
        'There is no backup at this place in the storage any more: backupmeta is missing.',
        true,
      );
    case 'incomplete':
      return unfit('SOURCE_UNREADABLE', `The backup cannot be read: ${namesOf(report)}.`);
    case 'damaged': {
      // Without a catalogue and without what it was, a wrong key looks like damage.
      const isCertain = report.problems.some(({ kind }) => kind !== 'key') && (report.result !== undefined || !!sealed);
      return isCertain
        ? unfit('SOURCE_DAMAGED', `The backup is damaged: ${namesOf(report)}.`, true)
        : unfit('SOURCE_UNREADABLE', `The backup cannot be read: ${namesOf(report)}.`);
    }
    case 'good':
      return compare(report, chosen);
  }
}

function compare({ result, description }: ContentReport, { tso, tidbClusterId }: ChosenBackup): CheckedSource {
  if (!description || result?.tidbClusterId !== tidbClusterId)
    return unfit(
      'SOURCE_IS_ANOTHER',
      `The backup at this place is of cluster ${result?.tidbClusterId}, and not of ${tidbClusterId}.`,
    );
  if (result.tso !== tso)
    return unfit('SOURCE_IS_ANOTHER', `The backup at this place is of snapshot ${result.tso}, and not of ${tso}.`);
  return { kind: 'sound', description, sizeBytes: result.sizeBytes };
}

function unfit(
  code: Extract<CheckedSource, { kind: 'unfit' }>['code'],
  message: string,
  damaged = false,
): CheckedSource {
  return { kind: 'unfit', code, message, damaged };
}

function namesOf({ problems, problemCount }: ContentReport): string {
  const named = problems.slice(0, MAX_NAMED).map(({ why }) => why);
  const more = problemCount - named.length;
  return `${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
