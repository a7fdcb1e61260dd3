/**
 * Where a backup's files lie, behind the few things that a backup does with it (br-contract 2). Names are relative to
 * the backup's place and may hold `/`.
 */
export interface Storage {
  readonly kind: 'local' | 's3' | 'gcs' | 'azure' | 'noop';
  /** As BR's messages write it: `file://<path>` without, `s3://bucket/prefix/` with a slash at its end. */
  readonly uri: string;
  /** The folder's absolute path on this host; undefined for anything but local storage. */
  readonly path: string | undefined;
  /** Writes a file whole or not at all. */
  writeWhole(name: string, body: Uint8Array | string): Promise<void>;
  /** The body of a file; undefined if there is none. */
  read(name: string): Promise<Buffer | undefined>;
  exists(name: string): Promise<boolean>;
  /** The names of all files, sorted; none if there is no folder. */
  list(): Promise<string[]>;
  /** Removes a file; one that is not there is fine. */
  remove(name: string): Promise<void>;
  /** Makes an empty folder where there is such a thing. */
  makeFolder(name: string): Promise<void>;
}
