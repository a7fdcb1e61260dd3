/**
 * Looks at a backup before `br restore` is started: a file that is missing would cost `br` ten minutes, and leave its target with a
 * part of the data.
 */

import type { ContentReport } from '@tidemark/backupmeta/content-report';
import type { Decrypt } from '@tidemark/backupmeta/crypter';
import type { BackupDescription } from '@tidemark/backupmeta/description';
import { type JudgedManifest, readPublicKey } from '@tidemark/backupmeta/signature';
import { verifyContent } from '@tidemark/backupmeta/verify-content';
import { verifyStored } from '@tidemark/backupmeta/verify-stored';
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

/** Where the backup lies, and what its manifest is to be. */
export interface PlacedBackup {
  readonly files: BackupFiles;
  /** Below the storage. */
  readonly path: string;
  /** By which its manifest may be signed: public keys in PEM form. */
  readonly manifestKeys: readonly string[];
  /** It was signed, as far as anybody knows: without a signature it is not what it was. */
  readonly signed: boolean;
  /** A person passed over what is known against it: what its manifest says then keeps nobody from it. */
  readonly unsoundAccepted: boolean;
}

export type CheckedSource =
  | { readonly kind: 'sound'; readonly description: BackupDescription; readonly sizeBytes: bigint }
  /** It cannot be restored from; the message says why, in sentences. */
  | {
      readonly kind: 'unfit';
      readonly code:
        | 'SOURCE_GONE'
        | 'SOURCE_DAMAGED'
        | 'SOURCE_TAMPERED'
        | typeof NOT_SIGNED
        | 'SOURCE_UNREADABLE'
        | 'SOURCE_IS_ANOTHER';
      readonly message: string;
      /** Whether that is certain to be damage, and not a wrong key or a missing right. */
      readonly damaged: boolean;
    };

/**
 * Judges the manifest of a backup, reads its catalogue, compares it with what it was, and looks for every file that it lists, by name and
 * size.
 *
 * @throws AppError `unavailable` or `storage_unusable` when the storage cannot be reached or used: that says nothing of the
 *   backup
 */
export async function checkSource(
  { files, path, manifestKeys, signed, unsoundAccepted }: PlacedBackup,
  chosen: ChosenBackup,
  { decrypt, limit }: { readonly decrypt: Decrypt; readonly limit: ReadLimit },
  signal: AbortSignal,
): Promise<CheckedSource> {
  const keys = manifestKeys.flatMap((pem) => readPublicKey(pem) ?? []);
  const options = { level: 'meta', decrypt, limit } as const;
  const { report, manifest } = await verifyStored({ files, path, keys }, signal, options);
  const distrusted = distrust(report, manifest, signed);
  if (!distrusted) return judge(report, manifest, chosen);
  return unsoundAccepted ? judge(await verifyContent(files, signal, options), undefined, chosen) : distrusted;
}

/** The code of a backup that was signed, and is not now. */
export const NOT_SIGNED = 'SOURCE_NOT_SIGNED';
const PASS_OVER = 'Restore another backup, or look at this one and acknowledge "sourceSound" in a new restore.';

/** Why a backup cannot be believed to be the one that was made, however whole it is. */
function distrust(
  { verdict, problems }: ContentReport,
  { finding }: JudgedManifest,
  signed: boolean,
): CheckedSource | undefined {
  if (finding?.kind === 'signature')
    return unfit('SOURCE_TAMPERED', `The backup cannot be trusted: ${finding.why}. ${PASS_OVER}`, true);
  const tampered = problems.find(({ kind }) => kind === 'tampered');
  if (tampered) return unfit('SOURCE_TAMPERED', `The backup was tampered with: ${tampered.why}. ${PASS_OVER}`, true);
  const isProven = finding?.kind !== 'unsigned' && finding?.kind !== 'unknownKey';
  if (isProven || !signed || verdict !== 'incomplete') return undefined;
  return unfit(NOT_SIGNED, `The backup was signed, and is not now: ${finding.why}. ${PASS_OVER}`);
}

function judge(report: ContentReport, manifest: JudgedManifest | undefined, chosen: ChosenBackup): CheckedSource {
  switch (report.verdict) {
    case 'absent':
      return unfit(
        'SOURCE_GONE',
        'There is no backup at this place in the storage any more: backupmeta is missing.',
        true,
      );
    case 'incomplete': {
      // What the manifest alone is like keeps nobody from a backup of which nobody knows that it was signed.
      const unread = report.problemCount - (manifest?.finding ? 1 : 0);
      return unread > 0
        ? unfit('SOURCE_UNREADABLE', `The backup cannot be read: ${namesOf(report)}.`)
        : compare(report, chosen);
    }
    case 'damaged': {
      // Without a catalogue and without what it was, a wrong key looks like damage.
      const isKnown = report.result !== undefined || manifest?.sealed !== undefined;
      return isKnown && report.problems.some(({ kind }) => kind !== 'key')
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
