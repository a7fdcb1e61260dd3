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
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BackupFiles, openBackupFiles } from '../storage/backup-files.ts';
import { verifyBackup } from './backupmeta.ts';

const SAMPLE = join(import.meta.dirname, 'testdata', 'finished-path');

describe('verifying a backup', () => {
  let root: string;
  let folder: string;
  let files: BackupFiles;
  let names: string[];
  const verify = () => verifyBackup(files, AbortSignal.timeout(5_000));

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-meta-'));
    folder = join(root, 'c1', 'p');
    cpSync(SAMPLE, folder, { recursive: true });
    names = readFileSync(join(SAMPLE, 'files.tsv'), 'utf8')
      .trim()
      .split('\n')
      .flatMap((line) => {
        const [name = '', bytes = '0'] = line.split('\t');
        if (!name.endsWith('.sst')) return [];
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), Buffer.alloc(Number(bytes)));
        return [name];
      });
    files = await openBackupFiles(
      {
        id: 's',
        location: { $case: 'local', value: { path: root } },
        root: '',
        maxConcurrent: 0,
        createTime: undefined,
        updateTime: undefined,
      },
      'c1/p',
    );
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
  it('believes neither an empty nor a truncated backupmeta', async () => {
    truncateSync(join(folder, 'backupmeta'), 100);
    expect(await verify()).toMatchObject({ kind: 'bad' });
    truncateSync(join(folder, 'backupmeta'), 0);
    expect(await verify()).toMatchObject({ kind: 'bad', why: expect.stringContaining('end_version is 0') });
  });
});
