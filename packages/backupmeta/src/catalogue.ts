/**
 * The files that `backupmeta` lists, one after the other, however many there are (br-contract.md section 6).
 *
 * C1. One file of metadata is in memory at a time, and one entry of it.
 * C2. The order is that of the metadata: two walks over the same backup meet the same files in the same places.
 * C3. What is wrong with one file of metadata is reported, and the walk goes on with the others.
 */
import { createHash } from 'node:crypto';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { MAX_METADATA_DEPTH } from '@tidemark/limits/limits';
import { type BackupMeta, File, MetaFile, Schema, type StatsFileIndex } from '@tidemark/protocol/br/backup';
import type { Decrypt } from './crypter.ts';

/** A file that a backup should have. */
export interface ListedFile {
  readonly kind: 'metadata' | 'statistics' | 'data';
  readonly name: string;
  /** As stored; 0 where it was not recorded, in metadata of old versions. */
  readonly bytes: bigint;
  /** SHA-256 of a data file as stored, of the others before they were encrypted; empty where it was not recorded. */
  readonly sha256: Uint8Array;
  readonly cipherIv: Uint8Array;
}

/** What is wrong with a file of metadata. */
export interface MetadataProblem {
  readonly kind: 'missing' | 'content' | 'unreadable';
  readonly name: string;
  /** A sentence without its full stop. */
  readonly why: string;
}

export interface Walk {
  read(name: string): Promise<Buffer | undefined>;
  readonly decrypt: Decrypt;
  report(problem: MetadataProblem): void;
  /**
   * Why one file could not be read, as a sentence without its full stop, where the error says so; undefined where it is about more than
   * that file, which ends the walk. Left out: every error ends it.
   */
  whyUnreadable?(error: unknown): string | undefined;
}

/** Walks through all files of a backup but `backupmeta` itself. */
export async function* walkCatalogue(meta: BackupMeta, walk: Walk): AsyncGenerator<ListedFile> {
  for (const file of meta.files) yield toListed('data', file);
  for (const { statsIndex } of meta.schemas) yield* statisticsOf(statsIndex);
  const { fileIndex, schemaIndex, rawRangeIndex, ddlIndexes } = meta;
  for (const index of [fileIndex, schemaIndex, rawRangeIndex, ddlIndexes])
    for await (const part of partsOfIndex(index, walk))
      if (part.kind === 'schema') yield* statisticsOf(part.schema.statsIndex);
      else yield toListed(part.kind, part.file);
}

/** Walks through the schemas of a backup: one for each table, and one for each database without any. */
export async function* walkSchemas(meta: BackupMeta, walk: Walk): AsyncGenerator<Schema> {
  yield* meta.schemas;
  for await (const part of partsOfIndex(meta.schemaIndex, walk)) if (part.kind === 'schema') yield part.schema;
}

/** The entries of an index of `backupmeta`, and those of each file of metadata behind its own. */
async function* partsOfIndex(index: MetaFile | undefined, walk: Walk): AsyncGenerator<Part> {
  if (index) yield* follow(MetaFile.encode(index).finish(), 'backupmeta', 1, walk);
}

async function* follow(body: Uint8Array, name: string, depth: number, walk: Walk): AsyncGenerator<Part> {
  if (depth > MAX_METADATA_DEPTH) {
    walk.report({ kind: 'content', name, why: 'the index of backupmeta is nested too deeply' });
    return;
  }
  const inner: File[] = [];
  try {
    for (const part of partsOf(body)) {
      if (part.kind === 'metadata') inner.push(part.file);
      else yield part;
    }
  } catch (error) {
    walk.report({ kind: 'content', name, why: unreadable(name, error) });
  }
  for (const file of inner) {
    yield { kind: 'metadata', file };
    const content = await readBody(file, walk);
    if (content) yield* follow(content, file.name, depth + 1, walk);
  }
}

/** What a file of metadata says, where it says what it did when it was written. */
async function readBody({ name, sha256, cipherIv }: File, { read, decrypt, report, whyUnreadable }: Walk) {
  let stored: Buffer | undefined;
  try {
    stored = await read(name);
  } catch (error) {
    const why = whyUnreadable?.(error);
    if (why === undefined) throw error;
    report({ kind: 'unreadable', name, why });
    return undefined;
  }
  if (!stored) {
    report({ kind: 'missing', name, why: `${name} is missing` });
    return undefined;
  }
  const body = decrypt(stored, cipherIv);
  if (sha256.length === 0 || createHash('sha256').update(body).digest().equals(sha256)) return body;
  report({
    kind: 'content',
    name,
    why: `${name} cannot be read, it is damaged or its key is another one: it does not have the hash that its index names`,
  });
  return undefined;
}

/** In words that hold for a wrong key too: a backup that is encrypted has no check of its own. */
export function unreadable(name: string, error: unknown): string {
  const why = error instanceof Error ? error.message : String(error);
  return `${name} cannot be read, it is damaged or its key is another one: ${why}`;
}

type Part =
  | { readonly kind: 'data' | 'metadata'; readonly file: File }
  | { readonly kind: 'schema'; readonly schema: Schema };

/** The entries of a message `MetaFile`, without the message itself, which may have a million of them. */
function* partsOf(body: Uint8Array): Generator<Part> {
  const reader = new BinaryReader(body);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) yield { kind: 'metadata', file: File.decode(reader, reader.uint32()) };
    else if (field === 2) yield { kind: 'data', file: File.decode(reader, reader.uint32()) };
    else if (field === 3) yield { kind: 'schema', schema: Schema.decode(reader, reader.uint32()) };
    else reader.skip(wireType, field);
  }
}

const toListed = (kind: ListedFile['kind'], { name, size, sha256, cipherIv }: File): ListedFile => ({
  kind,
  name,
  bytes: size,
  sha256,
  cipherIv,
});

function* statisticsOf(indexes: readonly StatsFileIndex[]): Generator<ListedFile> {
  for (const { name, sizeEnc, sha256, cipherIv, inlineData } of indexes)
    if (inlineData.length === 0) yield { kind: 'statistics', name, bytes: sizeEnc, sha256, cipherIv };
}
