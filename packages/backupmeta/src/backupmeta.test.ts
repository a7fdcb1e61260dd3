import { createCipheriv, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { BrOptions, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type BackupFiles, openBackupFiles } from '@tidemark/storage/backup-files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyBackup } from './backupmeta.ts';
import { openCrypter } from './crypter.ts';
import { FINISHED_PATH } from './testing/finished-path.ts';

describe('verifying a backup', () => {
  let root: string;
  let folder: string;
  let files: BackupFiles;
  let names: string[];
  const verify = () => verifyBackup(files, AbortSignal.timeout(5_000));

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-meta-'));
    folder = join(root, 'c1', 'p');
    cpSync(FINISHED_PATH, folder, { recursive: true });
    names = readFileSync(join(FINISHED_PATH, 'files.tsv'), 'utf8')
      .trim()
      .split('\n')
      .flatMap((line) => {
        const [name = '', bytes = '0'] = line.split('\t');
        if (!name.endsWith('.sst')) return [];
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), Buffer.alloc(Number(bytes)));
        return [name];
      });
    const storage = Storage.create({ id: 's', location: { $case: 'local', value: { path: root } } });
    files = await openBackupFiles(storage, 'c1/p', {});
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('takes what a real br left as good, with its TSO, size and files', async () => {
    const meta = BackupMeta.decode(readFileSync(join(folder, 'backupmeta')));
    expect(await verify()).toMatchObject({
      kind: 'good',
      result: {
        tso: meta.endVersion,
        sizeBytes: meta.backupSize,
        files: BigInt(names.length),
        clusterVersion: '8.5.0',
        tidbClusterId: meta.clusterId,
      },
    });
  });
  it('says that there is none', async () => {
    unlinkSync(join(folder, 'backupmeta'));
    expect(await verify()).toEqual({ kind: 'absent' });
  });
  it('misses a data file that is gone', async () => {
    unlinkSync(join(folder, names[3] ?? ''));
    expect(await verify()).toMatchObject({ kind: 'bad', why: expect.stringContaining(names[3] ?? '') });
  });
  it('notices a data file of another size', async () => {
    appendFileSync(join(folder, names[0] ?? ''), 'x');
    expect(await verify()).toMatchObject({ kind: 'bad', why: expect.stringContaining('bytes instead of') });
  });
  it('misses a metafile that is gone', async () => {
    unlinkSync(join(folder, 'backupmeta.datafile.000000001'));
    expect(await verify()).toMatchObject({
      kind: 'bad',
      why: expect.stringContaining('backupmeta.datafile.000000001'),
    });
  });
  it('takes it for bad when it is of another snapshot than br said', async () => {
    const { endVersion } = BackupMeta.decode(readFileSync(join(folder, 'backupmeta')));
    const signal = AbortSignal.timeout(5_000);
    expect(await verifyBackup(files, signal, { tso: String(endVersion) })).toMatchObject({ kind: 'good' });
    expect(await verifyBackup(files, signal, { tso: '435844546560000001' })).toEqual({
      kind: 'bad',
      why: `backupmeta is of snapshot ${endVersion}, but br said 435844546560000001`,
    });
  });
  it('reads one that is encrypted, and does not believe it with another key', async () => {
    const encrypt = (content: Buffer, key: Buffer, iv: Buffer) =>
      createCipheriv('aes-128-ctr', key, iv).update(content);
    const [key, iv] = [randomBytes(16), randomBytes(16)];
    const meta = BackupMeta.decode(readFileSync(join(folder, 'backupmeta')));
    for (const file of [...(meta.fileIndex?.metaFiles ?? []), ...(meta.schemaIndex?.metaFiles ?? [])]) {
      file.cipherIv = randomBytes(16);
      const body = readFileSync(join(folder, file.name));
      writeFileSync(join(folder, file.name), encrypt(body, key, file.cipherIv as Buffer));
    }
    const encrypted = encrypt(Buffer.from(BackupMeta.encode(meta).finish()), key, iv);
    writeFileSync(join(folder, 'backupmeta'), Buffer.concat([iv, encrypted]));
    const read = async (hex: string) => {
      writeFileSync(join(root, 'key'), hex);
      const options = BrOptions.create({ crypterMethod: 'aes128-ctr', crypterKeyFile: join(root, 'key') });
      return verifyBackup(files, AbortSignal.timeout(5_000), {
        decrypt: await openCrypter(options, undefined, AbortSignal.timeout(5_000)),
      });
    };
    expect(await read(key.toString('hex'))).toMatchObject({ kind: 'good', result: { tso: meta.endVersion } });
    expect(await read(randomBytes(16).toString('hex'))).toMatchObject({ kind: 'bad' });
    expect(await verify()).toMatchObject({ kind: 'bad' });
  });
  it('blames the way to the files, and not the files, when they cannot be asked for', async () => {
    const away = { ...files, read: () => Promise.reject(new AppError('unavailable', 'away')) };
    await expect(verifyBackup(away, AbortSignal.timeout(5_000))).rejects.toMatchObject({ code: 'unavailable' });
  });
  it('believes neither an empty nor a truncated backupmeta', async () => {
    truncateSync(join(folder, 'backupmeta'), 100);
    expect(await verify()).toMatchObject({ kind: 'bad' });
    truncateSync(join(folder, 'backupmeta'), 0);
    expect(await verify()).toMatchObject({ kind: 'bad', why: expect.stringContaining('end_version is 0') });
  });
});
