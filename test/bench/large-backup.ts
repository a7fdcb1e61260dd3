/** Backups of format 2 with very many or very large files, as BR and TiKV leave one; all data files hold the same. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { BackupMeta, File, MetaFile } from '@tidemark/protocol/br/backup';

export interface LargeBackup {
  readonly files: number;
  readonly bytesEach: number;
}

/** The path of such a backup below its storage. */
export const PATH = 'cluster/backup';

const FOLDERS = 16;
/** So many data files in one file of metadata. */
const LISTED_TOGETHER = 20_000;
/** Of one page of S3. */
const PAGE_KEYS = 1_000;
const MODIFIED = '2026-01-01T00:00:00.000Z';

/** Numbered in the order of their names. */
function nameOf(index: number, { files }: LargeBackup): string {
  const folder = Math.floor((index * FOLDERS) / files) + 10;
  return `${folder}/${String(index).padStart(9, '0')}_write.sst`;
}

const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest();

function metadataOf(backup: LargeBackup, content: Uint8Array): Map<string, Uint8Array> {
  const [size, hash] = [BigInt(content.length), sha256(content)];
  const metadata = new Map<string, Uint8Array>();
  const metaFiles: File[] = [];
  for (let from = 0; from < backup.files; from += LISTED_TOGETHER) {
    const count = Math.min(LISTED_TOGETHER, backup.files - from);
    const dataFiles = Array.from({ length: count }, (_, index) =>
      File.create({ name: nameOf(from + index, backup), sha256: hash, size }),
    );
    const body = MetaFile.encode(MetaFile.create({ dataFiles })).finish();
    const name = `backupmeta.datafile.${String(metaFiles.length + 1).padStart(9, '0')}`;
    metadata.set(name, body);
    metaFiles.push(File.create({ name, sha256: sha256(body), size: BigInt(body.length) }));
  }
  const meta = BackupMeta.create({
    clusterId: 7n,
    clusterVersion: '8.5.0',
    endVersion: 450_000_000_000_000_001n,
    version: 1,
    fileIndex: MetaFile.create({ metaFiles }),
  });
  return metadata.set('backupmeta', BackupMeta.encode(meta).finish());
}

/** Writes one into a folder; answers the names of its data files. */
export function writeLargeBackup(root: string, backup: LargeBackup, signal: AbortSignal): string[] {
  const folder = join(root, PATH);
  const content = randomBytes(backup.bytesEach);
  for (let index = 0; index < FOLDERS; index += 1) mkdirSync(join(folder, `${index + 10}`), { recursive: true });
  const names = Array.from({ length: backup.files }, (_, index) => nameOf(index, backup));
  for (const name of names) {
    signal.throwIfAborted();
    writeFileSync(join(folder, name), content);
  }
  for (const [name, body] of metadataOf(backup, content)) writeFileSync(join(folder, name), body);
  return names.map((name) => join(folder, name));
}

/** A server that answers as S3 does where a bucket holds such a backup: its lists, and its metadata. */
export async function serveLargeBackup(backup: LargeBackup): Promise<AsyncDisposable & { readonly endpoint: string }> {
  const metadata = metadataOf(backup, new Uint8Array(backup.bytesEach));
  const listed = [...metadata.keys()].sort();
  // The data files come first: their folders begin with a digit.
  const keyAt = (index: number) =>
    index < backup.files ? nameOf(index, backup) : (listed[index - backup.files] as string);
  const all = backup.files + listed.length;
  const page = (from: number) => {
    const until = Math.min(all, from + PAGE_KEYS);
    const contents = Array.from({ length: until - from }, (_, index) => {
      const key = keyAt(from + index);
      const size = metadata.get(key)?.length ?? backup.bytesEach;
      return `<Contents><Key>${PATH}/${key}</Key><Size>${size}</Size><LastModified>${MODIFIED}</LastModified></Contents>`;
    });
    const next = until < all ? `<NextContinuationToken>${until}</NextContinuationToken>` : '';
    return `<ListBucketResult><IsTruncated>${until < all}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`;
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const [, , ...key] = pathname.split('/');
    if (key.join('/') === '') {
      const isOfBackup = (searchParams.get('prefix') ?? '').startsWith(PATH);
      const from = Number(searchParams.get('continuation-token') ?? 0);
      response.setHeader('content-type', 'application/xml');
      return response.end(isOfBackup ? page(from) : '<ListBucketResult></ListBucketResult>');
    }
    const body = metadata.get(key.join('/').slice(PATH.length + 1));
    response.statusCode = body ? 200 : 404;
    return response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
