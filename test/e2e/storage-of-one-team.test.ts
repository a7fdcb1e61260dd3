import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openSince, opensLater, startTidemark, type Tidemark } from './tidemark.ts';

/** Adds a token, which is its own word. */
function letIn({ stack }: Tidemark, word: string, role: string, clusters: readonly string[]): void {
  const file = join(stack.dataDir, 'secrets', 'tokens.json');
  const { tokens } = JSON.parse(readFileSync(file, 'utf8'));
  const sha256 = createHash('sha256').update(word).digest('hex');
  const added = { id: word, name: word, sha256, role, clusters, labels: {} };
  writeFileSync(file, JSON.stringify({ tokens: [...tokens, added] }));
}

let tidemark: Tidemark;
beforeAll(async () => {
  tidemark = await startTidemark();
}, 120_000);
afterAll(() => tidemark?.[Symbol.asyncDispose]());

describe('a storage of one team', () => {
  let shop: string;
  let billing: string;
  beforeAll(async () => {
    shop = await tidemark.cluster('shop', { labels: { team: 'shop' } });
    billing = await tidemark.cluster('billing', { labels: { team: 'billing' } });
    mkdirSync(join(tidemark.stack.storage, 'team'));
    expect(await put({ labels: { team: 'shop' } })).toMatchObject({ status: 200 });
    letIn(tidemark, 'billing-operator', 'operator', [billing]);
    letIn(tidemark, 'billing-admin', 'admin', [billing]);
    await vi.waitFor(async () => expect((await as('billing-admin', 'GET', `/clusters/${billing}`)).status).toBe(200), {
      timeout: 10_000,
    });
  });

  const put = async (usableBy: object | null) =>
    tidemark.call('PUT', '/storages/team', { type: 'local', path: join(tidemark.stack.storage, 'team'), usableBy });
  const as = <T>(word: string, method: string, path: string, body?: unknown) =>
    tidemark.call<T>(method, path, body, { authorization: `Bearer ${word}` });
  /** As an operator, or an admin, of the other team tries. */
  const denied = async (answer: ReturnType<typeof tidemark.call>, storageId: string) =>
    expect(await answer).toMatchObject({
      status: 404,
      code: 20600,
      message: expect.stringContaining(`There is no storage ${storageId} that cluster ${billing} may use.`),
    });

  it('is not there for the operator of another, as one that nobody registered', async () => {
    for (const storageId of ['team', 'nobodys']) {
      const strategy = { ...openSince(1), storageId };
      await denied(as('billing-operator', 'PUT', `/clusters/${billing}/strategies/mine`, { strategy }), storageId);
      const registration = { pd: ['127.0.0.1:2379'], storageId, labels: { team: 'billing' } };
      await denied(as('billing-admin', 'PUT', `/clusters/${billing}`, registration), storageId);
    }
    const own = { pd: ['127.0.0.1:2379'], storageId: 'local' };
    expect(
      await as('billing-admin', 'PUT', `/clusters/${billing}`, { ...own, labels: { team: 'shop' } }),
    ).toMatchObject({
      status: 403,
      message: expect.stringContaining('the label team'),
    });
    expect(
      await as('billing-admin', 'PUT', `/clusters/${billing}`, { ...own, labels: { team: 'billing' } }),
    ).toMatchObject({
      status: 200,
    });
  });

  it('takes the backups of its own clusters alone, and tells whom it does not take any of', async () => {
    const selector = { team: 'billing' };
    const strategy = { ...openSince(1), storageId: 'team', rule: 'fleet', selector };
    const save = async () =>
      (await tidemark.call<{ warnings: string[] }>('PUT', '/strategies/everybody', { strategy })).data.warnings;
    await expect.poll(save, { timeout: 10_000 }).toContainEqual(expect.stringContaining(billing));
    await tidemark.saveRule(shop, 'own', { ...openSince(1), storageId: 'team' });
    const backupId = await tidemark.windowStarted(shop, 'own');
    const { filePath } = await tidemark.untilState(backupId, 'Succeeded');
    expect(tidemark.files(`team/${filePath}`)).toContain('backupmeta');

    const run = () => as('billing-operator', 'POST', `/clusters/${billing}/strategies/fleet/run`);
    await vi.waitFor(async () => expect((await run()).message).toContain('There is no storage team'), {
      timeout: 15_000,
      interval: 100,
    });
    expect(await tidemark.backups(billing)).toEqual([]);

    // A cluster that leaves the team has a rule that nothing is started by.
    const leaves = await tidemark.cluster('leaves', { labels: { team: 'shop' } });
    await tidemark.saveRule(leaves, 'own', { ...opensLater(), storageId: 'team' });
    const registration = { pd: ['127.0.0.1:2379'], storageId: 'local', labels: { team: 'billing' } };
    expect(await tidemark.call('PUT', `/clusters/${leaves}`, registration)).toMatchObject({ status: 200 });
    const own = `/clusters/${leaves}/strategies/own`;
    expect(await tidemark.call('PUT', own, { strategy: openSince(1) })).toMatchObject({ status: 404, code: 20600 });
    expect(await tidemark.call('POST', `${own}/run`)).toMatchObject({ status: 404, code: 20600 });
    expect(await tidemark.backups(leaves)).toEqual([]);

    // Closed to the shop, too, it would be no good to its rule; what is there can be deleted whoever may use it.
    expect(await put({ clusters: [billing] })).toMatchObject({
      status: 409,
      code: 20601,
      message: expect.stringContaining(`rule own of cluster ${shop}`),
    });
    await tidemark.call('DELETE', `/clusters/${shop}/strategies/own`);
    expect(await put({ clusters: [billing] })).toMatchObject({ status: 200 });
    await tidemark.call('DELETE', `/backups/${backupId}`);
    await tidemark.until(backupId, ({ deletion }) => deletion.state === 'Deleted');
    expect(tidemark.files(`team/${filePath}`)).toEqual([]);
  });

  it('is not taken over by changing a rule of a strategy for labels that names it', async () => {
    await tidemark.call('DELETE', '/strategies/everybody');
    await vi.waitFor(async () => expect(await put({ clusters: [shop] })).toMatchObject({ status: 200 }), {
      timeout: 15_000,
      interval: 100,
    });
    const strategy = { ...opensLater(), storageId: 'team', rule: 'given', selector: { team: 'billing' } };
    expect((await tidemark.call('PUT', '/strategies/given', { strategy })).status).toBe(200);
    const rule = `/clusters/${billing}/strategies/given`;
    await vi.waitFor(async () => expect((await as('billing-operator', 'GET', rule)).status).toBe(200), {
      timeout: 15_000,
      interval: 100,
    });
    const change = { strategy: { period: '2:00-3:00' } };
    await denied(as('billing-operator', 'PUT', rule, change), 'team');
    await denied(as('billing-operator', 'POST', `${rule}/preview`, change), 'team');
    const toOwn = { strategy: { period: '2:00-3:00', storageId: null } };
    expect(await as('billing-operator', 'PUT', rule, toOwn)).toMatchObject({ status: 200 });
  });
});

describe('the keys of a storage', () => {
  let clusterId: string;
  beforeAll(async () => {
    clusterId = await tidemark.cluster('mine');
    const cloud = { type: 's3', bucket: 'prod', endpoint: 'http://127.0.0.1:9', credentials: { envPrefix: 'PROD_' } };
    expect(await tidemark.call('PUT', '/storages/cloud', cloud)).toMatchObject({ status: 200 });
    letIn(tidemark, 'limited', 'admin', [clusterId]);
    await vi.waitFor(async () => expect((await limited('GET', `/clusters/${clusterId}`)).status).toBe(200), {
      timeout: 10_000,
    });
  });

  const limited = (method: string, path: string, body?: unknown) =>
    tidemark.call(method, path, body, { authorization: 'Bearer limited' });
  const strategy = { ...opensLater(), storageId: 'cloud' };
  const save = () => limited('PUT', `/clusters/${clusterId}/strategies/far`, { strategy });
  const start = async () => {
    const response = await fetch(`${tidemark.stack.url}/tidemark.backup.v1.BackupService/StartBackup`, {
      method: 'POST',
      headers: { authorization: 'Bearer limited', 'content-type': 'application/json' },
      body: JSON.stringify({ clusterId, storageId: 'cloud' }),
    });
    return (await response.json()) as { message?: string };
  };
  const denial = () => `There is no storage cloud that cluster ${clusterId} may use.`;

  it('go to no PD of an admin of some clusters, by a start, a rule or a new registration, until an admin of all saves it', async () => {
    const registration = { pd: ['6.6.6.6:2379'], version: '8.5.0', storageId: 'local' };
    expect(await save(), 'while the PD is that of an admin of all').toMatchObject({ status: 200 });
    expect(await limited('PUT', `/clusters/${clusterId}`, registration)).toMatchObject({ status: 200 });
    expect(await save()).toMatchObject({ status: 404, message: denial() });
    expect(await start()).toMatchObject({ message: denial() });
    expect(await limited('POST', `/clusters/${clusterId}/strategies/far/run`)).toMatchObject({ status: 404 });
    // Saved once more as it is by the same admin it is no better, nor registered anew.
    expect(await limited('PUT', `/clusters/${clusterId}`, registration)).toMatchObject({ status: 200 });
    expect(await start()).toMatchObject({ message: denial() });
    expect(await limited('DELETE', `/clusters/${clusterId}`)).toMatchObject({ status: 200 });
    expect(await limited('PUT', `/clusters/${clusterId}`, registration)).toMatchObject({ status: 200 });
    expect(await start()).toMatchObject({ message: denial() });
    expect(await tidemark.call('PUT', `/clusters/${clusterId}`, registration)).toMatchObject({ status: 200 });
    expect(await save()).toMatchObject({ status: 200 });
  });
});
