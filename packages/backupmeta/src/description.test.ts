import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { expect, it } from 'vitest';
import { toDescription } from './description.ts';
import { FINISHED_PATH } from './testing/finished-path.ts';

it('is read of what a real br left', () =>
  expect(toDescription(BackupMeta.decode(readFileSync(join(FINISHED_PATH, 'backupmeta'))))).toEqual({
    startTso: 0n,
    clusterVersion: '8.5.0',
    newCollations: true,
    ofKeys: false,
  }));

it('leaves open what backupmeta does not say', () => {
  expect(toDescription(BackupMeta.create({}))).toMatchObject({
    clusterVersion: '',
    newCollations: undefined,
    ofKeys: false,
  });
  const old = BackupMeta.create({
    newCollationsEnabled: 'False',
    isRawKv: true,
    clusterVersion: '"5.4.0"\n',
    startVersion: 3n,
  });
  expect(toDescription(old)).toEqual({ startTso: 3n, clusterVersion: '5.4.0', newCollations: false, ofKeys: true });
});
