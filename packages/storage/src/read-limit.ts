import { MAX_SMALL_FILE_BYTES } from '@tidemark/limits/limits';

/** How much of a file is read, and for how long. */
export interface ReadLimit {
  readonly bytes: number;
  readonly ms: number;
  /** The setting that raises it, where there is one. */
  readonly setting?: string;
}

export const SMALL_FILE_LIMIT: ReadLimit = { bytes: MAX_SMALL_FILE_BYTES, ms: 30_000 };
