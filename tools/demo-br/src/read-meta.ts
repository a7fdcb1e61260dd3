import { BackupMeta } from '@tidemark/protocol/br/backup';
import { BrError } from './br-error.ts';
import type { Crypter } from './crypter.ts';
import type { Storage } from './storage.ts';
import { BACKUP_META } from './used-path.ts';

/**
 * Reads `backupmeta`; one of no bytes is one of zeros (br-contract 14.18).
 *
 * @throws BrError in the words of `br` if it is not there or cannot be understood, for whatever reason
 */
export async function readMeta(storage: Storage, crypter: Crypter): Promise<BackupMeta> {
  const sealed = await storage.read(BACKUP_META);
  if (sealed === undefined && storage.kind !== 'noop') {
    const where = storage.path === undefined ? `${storage.uri}${BACKUP_META}` : `${storage.path}/${BACKUP_META}`;
    throw new BrError(`load backupmeta failed: open ${where}: no such file or directory`);
  }
  const meta = decode(crypter, sealed ?? Buffer.alloc(0));
  // A few bytes in a thousand sealed ones are a message by chance.
  const isByChance = meta?.clusterVersion === '' && sealed !== undefined && sealed.some((byte) => byte !== 0);
  if (meta === undefined || isByChance)
    throw new BrError('parse backupmeta failed because of wrong aes cipher: unexpected EOF');
  return meta;
}

function decode(crypter: Crypter, sealed: Buffer): BackupMeta | undefined {
  try {
    return BackupMeta.decode(crypter.openMeta(sealed));
  } catch {
    return undefined;
  }
}
