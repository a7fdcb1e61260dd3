import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type BackupRecord, openSince, startTidemark, type Tidemark } from './tidemark.ts';

describe('retention', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'scheduler-service': 2 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const finish = async (backupId: string) => tidemark.untilState(backupId, 'Succeeded');
  /** A rule has one backup a day; so one more of the same name needs a rule that is made anew, for another window. */
  const scheduled = async (clusterId: string, minutesAgo: number): Promise<BackupRecord> => {
    const known = (await tidemark.backups(clusterId)).map(({ id }) => id);
    await tidemark.saveRule(clusterId, 'nightly', openSince(minutesAgo));
    const backup = await vi.waitFor(
      async () => {
        const fresh = (await tidemark.backups(clusterId)).find(({ id }) => !known.includes(id));
        if (!fresh) throw new Error('the window has not started a backup');
        return fresh;
      },
      { timeout: 20_000, interval: 50 },
    );
    expect(backup).toMatchObject({ origin: 'schedule', rule: 'nightly' });
    return finish(backup.id);
  };
  const forgetRule = async (clusterId: string) =>
    expect(await tidemark.call('DELETE', `/clusters/${clusterId}/strategies/nightly`)).toMatchObject({ status: 200 });
  /** Reasons are left out of an answer where they cannot be found out in half a second. */
  const expectReasons = ({ id }: BackupRecord, ...reasons: string[]) =>
    expect.poll(async () => (await tidemark.record(id)).keepReasons, { timeout: 10_000 }).toEqual(reasons);
  const untilDeleted = (id: string) => tidemark.until(id, ({ deletion }) => deletion.state === 'Deleted');
  const left = async (clusterId: string) => (await tidemark.backups(clusterId)).map(({ id }) => id);
  const hasFiles = ({ filePath }: BackupRecord) => tidemark.files(filePath).includes('backupmeta');

  it('removes older scheduled backups with their files, and no newest, manual or pinned one', async () => {
    const clusterId = await tidemark.cluster('kept');
    const manual = await finish(await tidemark.start(clusterId));
    const pinned = await scheduled(clusterId, 30);
    expect(await tidemark.patiently('PUT', `/backups/${pinned.id}/pin`)).toMatchObject({ status: 200 });
    await forgetRule(clusterId);
    const older = await scheduled(clusterId, 20);
    await forgetRule(clusterId);
    const newest = await scheduled(clusterId, 10);
    // Another rule, saved in the same hour, starts its own; nothing limits it.
    await tidemark.saveRule(clusterId, 'unlimited', openSince(10));
    const unlimited = await finish(await tidemark.windowStarted(clusterId, 'unlimited'));
    expect(await left(clusterId)).toEqual([unlimited, newest, older, pinned, manual].map(({ id }) => id));
    await expectReasons(older, 'no retention is set');

    const simulated = await tidemark.call('POST', `/clusters/${clusterId}/retention/simulate`, {
      rule: 'nightly',
      retention: { keepLast: 1 },
    });
    expect(simulated.data).toMatchObject({ removed: [{ backupId: older.id }], bytesToFree: older.sizeBytes });

    await tidemark.saveRule(clusterId, 'nightly', { retention: { keepLast: 1 } });
    expect((await untilDeleted(older.id)).deletion).toMatchObject({
      by: 'retention',
      reason: 'Retention of rule nightly: keeps last 1.',
    });
    expect(tidemark.files(older.filePath)).toEqual([]);
    await expectReasons(newest, 'newest good backup', 'last 1');
    await expectReasons(pinned, 'pinned or in use');
    await expectReasons(manual, 'not started by the scheduler');
    await expectReasons(unlimited, 'newest good backup', 'no retention is set');

    expect(await tidemark.call('DELETE', `/backups/${pinned.id}`)).toMatchObject({ status: 409, code: 20603 });
    expect(await tidemark.call('DELETE', `/backups/${pinned.id}/pin`)).toMatchObject({ status: 200 });
    await untilDeleted(pinned.id);
    expect(tidemark.files(pinned.filePath)).toEqual([]);
    expect(await left(clusterId)).toEqual([unlimited, newest, manual].map(({ id }) => id));
    for (const backup of [unlimited, newest, manual]) expect(hasFiles(backup), backup.filePath).toBe(true);
  });
});
