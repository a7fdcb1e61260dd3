import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startTidemark } from './tidemark.ts';

describe('a stack', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tidemark-restart-'));
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

  it('that is stopped and started on the same data still has its records, files, strategies and token', async () => {
    const options = { dataDir, ownServers: true, env: { all: { TIDEMARK_MONGODB_DATABASE: 'tidemark' } } };
    const first = await startTidemark(options);
    const clusterId = await first.cluster('kept');
    const id = await first.start(clusterId);
    const record = await first.untilState(id, 'Succeeded');
    await first.call('PUT', `/clusters/${clusterId}/strategy`, {
      strategy: { backupDate: 'Monday', period: '1:00-2:00' },
    });
    // What people made of the demo's registrations is theirs.
    const { data: registered } = await first.call('GET', '/clusters/test-tidb');
    const { createTime: _, updateTime: __, id: ___, ...cluster } = registered.cluster as Record<string, unknown>;
    await first.call('PUT', '/clusters/test-tidb', { ...cluster, labels: { team: 'shop' }, pd: ['10.0.0.7:2379'] });
    const storage = { type: 'local', path: first.stack.storage, maxConcurrent: 3 };
    expect((await first.call('PUT', '/storages/local', storage)).status).toBe(200);
    const { token } = first.stack;
    await first[Symbol.asyncDispose]();

    await using second = await startTidemark(options);
    expect(second.stack.token).toBe(token);
    expect(await second.record(id)).toMatchObject({ state: 'Succeeded', backupTso: record.backupTso });
    expect(second.files(record.filePath)).toContain('backupmeta');
    const { data } = await second.call('GET', `/clusters/${clusterId}/strategy`);
    expect(data).toMatchObject({ strategy: { backupDate: 'Monday', period: '1:00-2:00' } });
    expect((await second.call('GET', '/clusters/test-tidb')).data).toMatchObject({
      cluster: { labels: { team: 'shop' }, pd: ['10.0.0.7:2379'] },
    });
    expect((await second.call('GET', '/storages/local')).data).toMatchObject({ storage: { maxConcurrent: 3 } });
  }, 120_000);
});
