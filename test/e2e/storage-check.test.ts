import { mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

interface Check {
  readonly id: string;
  readonly state: string;
  readonly ok: boolean;
  readonly worker: string;
  readonly workers?: readonly { readonly worker: string; readonly ok: boolean }[];
  readonly steps: readonly { readonly name: string; readonly ok: boolean; readonly message: string }[];
}

const SECONDS = { timeout: 30_000, interval: 100 };

describe('a check of a storage', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'executor-worker': 2 } });
    // A check asks the workers that backup-service knows of by then.
    const { operations } = tidemark.stack.process('backup-service');
    const workers = /^tidemark_pool_workers\{pool="default"\} 2$/m;
    await vi.waitFor(
      async () => expect(await (await fetch(`http://${operations}/metrics`)).text()).toMatch(workers),
      SECONDS,
    );
  });
  afterAll(() => tidemark[Symbol.asyncDispose]());

  const check = async (storageId: string, body: object = {}) => {
    const answer = await tidemark.call<{ check: Check }>('POST', `/storages/${storageId}/check`, body);
    expect(answer.code, answer.message).toBe(0);
    return answer.data.check;
  };

  it('has a worker write, list, read and delete a probe, tells each step, and leaves nothing behind but the marker', async () => {
    const before = tidemark.files('');
    const done = await check('local');
    expect(done).toMatchObject({ state: 'Done', ok: true, worker: expect.stringMatching(/\S/) });
    expect(done.steps.map(({ name, ok }) => [name, ok])).toEqual(
      ['credentials', 'reach', 'write', 'list', 'read', 'delete', 'gone', 'traits', 'marker'].map((name) => [
        name,
        true,
      ]),
    );
    expect(new Set(done.workers?.map(({ worker }) => worker)).size, 'every worker is named').toBe(2);
    expect(done.workers?.every(({ ok }) => ok)).toBe(true);
    const marker = 'nfs/em/backup/.tidemark/local.json';
    expect(tidemark.files('').sort()).toEqual([...new Set([...before, marker])].sort());
    const again = await tidemark.patiently<{ check: Check }>('GET', `/storages/local/checks/${done.id}`);
    expect(again.data.check).toEqual(done);
  });

  it('says of a folder that the worker does not have that it is not there', async () => {
    const path = join(tidemark.stack.storage, 'nowhere');
    const put = await tidemark.patiently('PUT', '/storages/absent', { type: 'local', path });
    expect(put.code, put.message).toBe(0);
    const done = await check('absent');
    expect(done).toMatchObject({ state: 'Done', ok: false });
    expect(done.steps.at(-1)).toMatchObject({
      name: 'reach',
      ok: false,
      message: expect.stringContaining(`${path} cannot be used on this worker`),
    });
  });

  it('of an unknown storage is a 404, and is not granted to a pool that is none', async () => {
    expect(await tidemark.call('POST', '/storages/nobody/check')).toMatchObject({ status: 404, code: 20600 });
    expect(await tidemark.call('POST', '/storages/local/check', { pool: 'A B' })).toMatchObject({
      status: 400,
      code: 10001,
    });
  });

  it('takes no backup and loses none while its share is not mounted, and goes on once it is', async () => {
    const share = join(tidemark.stack.storage, 'share');
    const server = join(tidemark.stack.storage, 'server');
    mkdirSync(share);
    await tidemark.patiently('PUT', '/storages/share', { type: 'local', path: share });
    const clusterId = await tidemark.cluster('shared', { storageId: 'share' });
    const first = await tidemark.start(clusterId);
    const { filePath } = await tidemark.untilState(first, 'Succeeded');
    expect(tidemark.files('share/nfs/em/backup/.tidemark'), 'marked by its first good backup').toEqual(['share.json']);

    renameSync(share, server);
    mkdirSync(share);
    const away = 'Storage share is not mounted here';
    expect((await check('share')).steps.at(-1)).toMatchObject({ ok: false, message: expect.stringContaining(away) });
    const second = await tidemark.start(clusterId);
    await tidemark.until(second, ({ reason }) => reason?.message.includes(away) ?? false);
    await tidemark.call('DELETE', `/backups/${first}`);
    const refused = await tidemark.until(first, ({ deletion }) => deletion.state === 'DeleteFailed');
    expect(refused.deletion.error).toContain(away);
    expect(tidemark.files('share')).toEqual([]);
    expect(tidemark.files(`server/${filePath}`)).toContain('backupmeta');

    rmdirSync(share);
    renameSync(server, share);
    await tidemark.untilState(second, 'Succeeded', 60);
    await tidemark.call('DELETE', `/backups/${first}`);
    await tidemark.until(first, ({ deletion }) => deletion.state === 'Deleted', 60);
    expect(tidemark.files(`share/${filePath}`)).toEqual([]);
  });
});
