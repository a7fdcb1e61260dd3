import { createHash } from 'node:crypto';
import { File } from '@tidemark/protocol/br/backup';
import type { Crypter } from './crypter.ts';
import type { Region } from './regions.ts';
import type { Storage } from './storage.ts';
import { rowLines, sumRows } from './table.ts';

const STORES = [1, 4, 5];

/** Writes the SST files of a region, which here are lines of text, and returns their records. */
export async function writeRegion(
  storage: Storage,
  region: Region,
  { backupTs, crypter }: { backupTs: bigint; crypter: Crypter },
): Promise<File[]> {
  return Promise.all(
    region.files().map(async ({ cf, rows }) => {
      const body = Buffer.from(rowLines(rows));
      const keyHash = createHash('sha256').update(region.startKey).digest('hex');
      const store = STORES[region.id % STORES.length];
      const separator = ['gcs', 'azure'].includes(storage.kind) ? '_' : '/';
      const name = `${store}${separator}${region.id}_${(region.id % 7) + 1}_${keyHash}_${Date.now()}_${cf}.sst`;
      const sealed = crypter.seal(body);
      await storage.writeWhole(name, sealed.body);
      return File.fromPartial({
        ...sumRows(rows),
        name,
        // TiKV hashes what it stores: of an encrypted file that is the ciphertext.
        sha256: createHash('sha256').update(sealed.body).digest(),
        startKey: region.startKey,
        endKey: region.endKey,
        endVersion: backupTs,
        cf,
        size: BigInt(body.length),
        cipherIv: sealed.iv,
      });
    }),
  );
}
