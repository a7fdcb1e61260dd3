/** What a verification says of a backup, on its way and at its end. */
import type { BackupResult } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { BackupDescription } from './description.ts';
import type { SignatureFinding, SignatureState } from './signature.ts';

/** `meta`: the catalogue is unharmed, and all files are there; `bytes`: besides, each file is what TiKV wrote. */
export type VerifyLevel = 'meta' | 'bytes';

/** What is wrong with a file. */
export interface Problem {
  /**
   * `missing`, `size`, `content` (other bytes than were written), `swapped` (it holds what another file of the backup should
   * hold), `key` (it is unharmed, and its key is another one), `unreadable` (it could not be verified), `tampered` (a whole
   * catalogue, which is not the one that was signed), and of the manifest `unsigned`, `unknownKey` and `signature` (a wrong one)
   */
  readonly kind:
    | 'missing'
    | 'size'
    | 'content'
    | 'swapped'
    | 'key'
    | 'unreadable'
    | 'tampered'
    | SignatureFinding['kind'];
  readonly name: string;
  /** A sentence without its full stop. */
  readonly why: string;
  /** The hash of what was found in place of a file, in hexadecimal digits. */
  readonly found?: string;
}

/** How far a verification got. */
export interface Standing {
  /** The place of the next file, counted from 0 in the order of the catalogue. */
  readonly next: number;
  /** Files that were read whole. */
  readonly files: number;
  /** Bytes of them. */
  readonly bytes: number;
  /** The first ones of what is wrong with them. */
  readonly problems: readonly Problem[];
  /** How many are wrong in all. */
  readonly problemCount: number;
}

export const AT_THE_START: Standing = { next: 0, files: 0, bytes: 0, problems: [], problemCount: 0 };

export interface Progress {
  readonly standing: Standing;
  /** Bytes that were read, those of files that are not done among them. */
  readonly bytesRead: number;
  /** Bytes that are to be read. */
  readonly bytesInAll: number;
}

export interface ContentReport {
  readonly level: VerifyLevel;
  /** `incomplete`: nothing speaks against the backup, but some files could not be read, or it bears no signature that is known. */
  readonly verdict: 'good' | 'damaged' | 'incomplete' | 'absent';
  /** What the backup holds; undefined where its catalogue cannot be read. */
  readonly result: BackupResult | undefined;
  /** What the catalogue says of it as a whole. */
  readonly description: BackupDescription | undefined;
  readonly filesListed: number;
  readonly bytesListed: number;
  readonly filesRead: number;
  readonly bytesRead: number;
  /** The first ones. */
  readonly problems: readonly Problem[];
  readonly problemCount: number;
  /** As it was told; undefined where it was not. */
  readonly signature: SignatureState | undefined;
}
