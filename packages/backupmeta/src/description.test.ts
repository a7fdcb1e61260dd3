import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { describe, expect, it } from 'vitest';
import { describeBackup } from './description.ts';
import { FINISHED_PATH } from './testing/finished-path.ts';

const signal = AbortSignal.timeout(5_000);
const filesWith = (backupmeta: Uint8Array | undefined) => ({
  read: async (name: string) => (name === 'backupmeta' && backupmeta ? Buffer.from(backupmeta) : undefined),
});
const describeMeta = (fields: Partial<BackupMeta>) =>
  describeBackup(
    filesWith(BackupMeta.encode(BackupMeta.create({ clusterId: 7n, endVersion: 1n, ...fields })).finish()),
    signal,
  );

describe('what backupmeta says of a backup', () => {
  it('is read of what a real br left', async () => {
    const bytes = readFileSync(join(FINISHED_PATH, 'backupmeta'));
    expect(await describeBackup(filesWith(bytes), signal)).toEqual({
      kind: 'described',
      backup: {
        tso: 470_664_485_190_762_502n,
        startTso: 0n,
        tidbClusterId: 7_711_366_749_580_196_311n,
        clusterVersion: '8.5.0',
        brVersion: 'v8.5.0',
        newCollations: true,
        ofKeys: false,
        sizeBytes: 351_183n,
      },
    });
  });

  it('leaves open what it does not say', async () => {
    expect(await describeMeta({})).toMatchObject({
      backup: { clusterVersion: '', brVersion: '', newCollations: undefined, ofKeys: false, sizeBytes: 0n },
    });
    expect(
      await describeMeta({ newCollationsEnabled: 'False', isRawKv: true, clusterVersion: '"5.4.0"\n' }),
    ).toMatchObject({
      backup: { newCollations: false, ofKeys: true, clusterVersion: '5.4.0' },
    });
  });

  it('is nothing where there is none, and a sentence where it cannot be read', async () => {
    expect(await describeBackup(filesWith(undefined), signal)).toEqual({ kind: 'absent' });
    expect(await describeBackup(filesWith(Buffer.from([0xff])), signal)).toMatchObject({
      kind: 'bad',
      why: expect.stringContaining('backupmeta cannot be read'),
    });
  });
});
