import { expect, it } from 'vitest';
import { backupPath } from './backup-path.ts';

it('names the second at which a backup was accepted, in UTC', () => {
  expect(backupPath('nfs/em/backup', 'test-tidb', new Date('2022-04-28T16:00:41.697+08:00'))).toBe(
    'nfs/em/backup/test-tidb/2022-04-28-08-00-41-full',
  );
});
