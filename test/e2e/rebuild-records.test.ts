import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const { PATH, NODE_COMPILE_CACHE } = process.env;
const CLI = join(import.meta.dirname, '..', '..', 'cli', 'src', 'main.ts');

/** Long enough for a rebuild beside it, on a busy machine too. */
const RESTORE_SECONDS = 14;

describe('tidemark rebuild', () => {
  const database = `test-rebuild-${Math.random().toString(36).slice(2, 10)}`;
  const mongo = new MongoClient(inject('mongodbUrl'));
  const records = mongo.db(database).collection<{ _id: string }>('backups');
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-rebuild-'));
  const tokenFile = join(folder, 'token');
  let tidemark: Tidemark;
  beforeAll(async () => {
    // One restores while the other looks for manifests.
    tidemark = await startTidemark({
      copies: { 'executor-worker': 2 },
      env: { all: { TIDEMARK_MONGODB_DATABASE: database } },
    });
    writeFileSync(tokenFile, tidemark.stack.token);
    chmodSync(tokenFile, 0o600);
  });
  afterAll(async () => {
    await tidemark[Symbol.asyncDispose]();
    await dropTestDatabase(mongo.db(database));
    await mongo.close();
    rmSync(folder, { recursive: true });
  });

  const cli = async (...args: readonly string[]) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      env: { PATH, NODE_COMPILE_CACHE, TIDEMARK_URL: tidemark.stack.url, TIDEMARK_TOKEN_FILE: tokenFile },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        text += chunk;
      });
    const [code] = await once(child, 'close');
    return { code, text, lines: text.trimEnd().split('\n') };
  };

  it('says which records are missing, makes them when told to, and each only once', async () => {
    const kept = await tidemark.cluster('kept');
    const lost = await tidemark.cluster('lost');
    const keptId = await tidemark.start(kept);
    const lostId = await tidemark.start(lost);
    await tidemark.untilState(keptId, 'Succeeded');
    const before = await tidemark.untilState(lostId, 'Succeeded');
    await records.deleteOne({ _id: lostId });
    expect(await tidemark.patiently('GET', `/backups/${lostId}`)).toMatchObject({ status: 404 });

    const dry = await cli('rebuild', '--storage', 'local');
    expect(dry.code, dry.text).toBe(0);
    expect(dry.text).toMatch(new RegExp(`^missing +${before.filePath} `, 'm'));
    expect(dry.text).toMatch(new RegExp(`^known +nfs/em/backup/${kept}/`, 'm'));
    expect(dry.text).toMatch(/dry run: nothing was changed\..*--apply/);
    expect(dry.lines.at(-1)).toBe('1 known, 1 missing, 0 rebuilt, 0 refused, 0 unreadable, 0 without a manifest');
    expect(await records.countDocuments()).toBe(1);

    const apply = await cli('rebuild', '--storage', 'local', '--apply');
    expect(apply.code, apply.text).toBe(0);
    expect(apply.text).toMatch(new RegExp(`^rebuilt +${before.filePath} `, 'm'));
    expect(apply.text).not.toContain('dry run');
    const after = await tidemark.record(lostId);
    const { id, clusterId, filePath, backupTso, size, sizeBytes, status, state, origin, createdBy } = before;
    expect(after).toMatchObject({
      ...{ id, clusterId, filePath, backupTso, size, sizeBytes, status, state, origin, createdBy },
      remark: 'rebuilt from its manifest',
      deletion: { state: 'None' },
    });

    const again = await cli('rebuild', '--storage', 'local', '--apply');
    expect(again.lines.at(-1)).toBe('2 known, 0 missing, 0 rebuilt, 0 refused, 0 unreadable, 0 without a manifest');
    expect(await records.countDocuments()).toBe(2);
  });

  it('deletes a rebuilt backup with its files, like any other', async () => {
    const clusterId = await tidemark.cluster('gone');
    const id = await tidemark.start(clusterId);
    const { filePath } = await tidemark.untilState(id, 'Succeeded');
    await records.deleteOne({ _id: id });
    await cli('rebuild', '--storage', 'local', '--apply');
    await tidemark.call('DELETE', `/backups/${id}`);
    await expect.poll(() => tidemark.files(filePath), { timeout: 30_000 }).toEqual([]);
  });

  it('says of a manifest that cannot be used why, and ends with 1', async () => {
    const path = 'nfs/em/backup/broken/2026-01-31-12-00-00-full';
    mkdirSync(join(tidemark.stack.storage, path), { recursive: true });
    writeFileSync(join(tidemark.stack.storage, path, 'backupmeta'), 'x');
    writeFileSync(join(tidemark.stack.storage, path, 'tidemark.json'), '{');
    const { code, text } = await cli('rebuild', '--storage', 'local');
    expect(text).toMatch(new RegExp(`^refused +${path} +It is not JSON`, 'm'));
    expect(code).toBe(1);
    rmSync(join(tidemark.stack.storage, path, '..'), { recursive: true });
  });

  it('is held again for a restore that reads the backup, until that has ended', async () => {
    const [from, into] = ['10.0.8.1:2379', '10.0.8.2:2379'];
    const [source, target] = [
      await tidemark.cluster('read', { pd: [from] }),
      await tidemark.cluster('into', { pd: [into] }),
    ];
    await performTask(tidemark.demoCluster(into), { verb: 'empty' }, AbortSignal.timeout(10_000));
    tidemark.demo({ seconds: 0.3, restore: { seconds: RESTORE_SECONDS } }, source);
    const backupId = await tidemark.start(source);
    await tidemark.untilState(backupId, 'Succeeded');
    const wish = { backupId, targetClusterId: target };
    const { data } = await tidemark.patiently<{ plan: { planHash: string } }>('POST', '/restores/plan', wish);
    const confirmed = { ...wish, planHash: data.plan.planHash, confirm: target };
    const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', confirmed);
    expect(started.code, started.message).toBe(0);
    const { restoreId } = started.data;
    const restore = async () =>
      (await tidemark.patiently<{ restore: { state: string } }>('GET', `/restores/${restoreId}`)).data.restore;
    await expect.poll(restore, { timeout: 20_000 }).toMatchObject({ targetState: 'Partial' });

    await records.deleteOne({ _id: backupId });
    const { code, text } = await cli('rebuild', '--storage', 'local', '--apply');
    expect(code, text).toBe(0);
    expect(await restore()).toMatchObject({ state: 'Running' });
    expect((await tidemark.record(backupId)).holds).toEqual([`restore:${restoreId}`]);
    expect(await tidemark.call('DELETE', `/backups/${backupId}`)).toMatchObject({ status: 409 });

    await expect.poll(restore, { timeout: 3_000 * RESTORE_SECONDS }).toMatchObject({ state: 'Succeeded' });
    await expect.poll(async () => (await tidemark.record(backupId)).holds, { timeout: 20_000 }).toEqual([]);
  });

  it('ends with 1 and a sentence for an unknown storage, and with 2 for wrong usage', async () => {
    expect(await cli('rebuild', '--storage', 'nobody')).toMatchObject({
      code: 1,
      text: 'There is no storage nobody.\n',
    });
    expect(await cli('rebuild')).toMatchObject({ code: 2, text: expect.stringContaining('--storage <id>') });
    expect(await cli('--help')).toMatchObject({ code: 0, text: expect.stringContaining('tidemark backup start') });
  });
});
