import type { ReadLimit } from './read-limit.ts';

/** A file in a storage. */
export interface StoredFile {
  /**
   * Relative to the folder that was listed, with slashes. In a bucket it may be empty or begin with a slash; in a file
   * system it may hold bytes that are no UTF-8, see `nameOf`.
   */
  readonly name: string;
  readonly bytes: number;
}

/** What lies directly in a folder: a file, or a folder. In a file system neither links nor devices, pipes and the like. */
export interface StoredEntry {
  /** Empty for a folder without a name, which only a bucket can hold (`a//b`). */
  readonly name: string;
  readonly folder: boolean;
  /** 0 for a folder. */
  readonly bytes: number;
  /** When a file was written, by the clock of the storage, where it says. */
  readonly modified?: Date | undefined;
}

/** A file that could not be removed. */
export interface RemovalFailure {
  readonly name: string;
  readonly why: string;
}

/** What a storage does with files that are deleted or protected. */
export interface StorageTraits {
  /** A deletion frees no space, at least not at once. */
  readonly keepsOldVersions: boolean;
  /** What is kept after a deletion, or that it could not be asked, in a sentence; empty when nothing is. */
  readonly versions: string;
  /** What keeps files from being deleted, or that it could not be asked, in a sentence; empty when nothing does. */
  readonly lock: string;
}

/**
 * The files of a storage. Names and folders are relative to the storage, with slashes.
 *
 * What a person must put right throws AppError `storage_unusable`; what passes by itself, such as a network that is
 * down or a server that stays silent, AppError `unavailable`; an aborted signal its reason. None holds a secret.
 */
export interface StorageFiles {
  /** The absolute folder of a local storage, free of links; undefined elsewhere. */
  readonly localRoot?: string;
  /** Everything below `<folder>/`, page by page; nothing where the folder does not exist. */
  list(folder: string, signal: AbortSignal): AsyncIterable<StoredFile>;
  /** The names of the folders directly in this one; `''` is the storage itself. */
  folders(folder: string, signal: AbortSignal): AsyncIterable<string>;
  /** What is directly in this folder; `''` is the storage itself. */
  entries(folder: string, signal: AbortSignal): AsyncIterable<StoredEntry>;
  /** A file as a list shows it, without reading it; undefined when there is none. */
  find(name: string, signal: AbortSignal): Promise<StoredFile | undefined>;
  /**
   * The content of a file, or undefined when there is none. What is no regular file, or longer than the limit, is
   * `storage_unusable`; what takes longer, `unavailable`.
   *
   * @param limit of a small file when left out
   */
  read(name: string, signal: AbortSignal, limit?: ReadLimit): Promise<Buffer | undefined>;
  /**
   * Hands the content of a file over piece by piece, whatever its length; the next piece comes when `take` is done with
   * the one before. What is no regular file is `storage_unusable`; a store that falls silent, `unavailable`.
   *
   * @param take gets pieces that it may keep no longer than until it is done
   * @returns whether there is such a file; where there is none, `take` was not called
   */
  stream(name: string, signal: AbortSignal, take: TakePiece): Promise<boolean>;
  write(name: string, content: string | Uint8Array, signal: AbortSignal, options?: WriteOptions): Promise<void>;
  /** Removes files; says of each one that is still there why. A file that is gone already is fine. */
  remove(names: readonly string[], signal: AbortSignal): Promise<readonly RemovalFailure[]>;
  /**
   * Removes what a folder without files still holds: empty folders, unfinished uploads.
   *
   * @returns what may be left of that, in a sentence; empty when nothing is
   */
  finishRemoval(folder: string, signal: AbortSignal): Promise<string>;
  /** What a store does not answer is said in its sentence and fails nothing. */
  traits(signal: AbortSignal): Promise<StorageTraits>;
}

/** Takes a piece of a file. */
export type TakePiece = (piece: Uint8Array) => Promise<void> | void;

/** How a file is written. */
export interface WriteOptions {
  /** In the storage class or tier that the storage names for backups; without it, in the bucket's own, to be read soon. */
  readonly asBackup?: boolean;
}
