/**
 * A call about a backup, of which the service itself looks whether its caller may know.
 *
 * 1. The gateway reads no record for a service whose answers say that it looks, and reads it for any other.
 * 2. What is foreign looks like what is not there, either way.
 */
import { AppError } from '@tidemark/errors/app-error';
import { SIGHT } from '@tidemark/service-kit/grpc/metadata-names';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { auditLog } from '../logger.ts';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER, sampleBackup } from '../testing/programmable-backends.ts';
import { expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

const CLUSTERS: Readonly<Record<string, string>> = { [BACKUP]: CLUSTER, [OTHER_BACKUP]: OTHER_CLUSTER };

let gateway: TestGateway;
beforeEach(async () => {
  vi.spyOn(auditLog, 'info').mockImplementation(() => undefined);
  gateway = await startTestGateway();
  const find = ({ id }: { readonly id: string }, { requestHeader }: { readonly requestHeader: Headers }) => {
    const clusterId = CLUSTERS[id] ?? '';
    const sight = requestHeader.get(SIGHT)?.split(',') ?? ['*'];
    if (!sight.includes('*') && !sight.includes(clusterId))
      throw new AppError('backup_not_found', `There is no backup ${id}.`, { info: { backupId: id } });
    return { backup: sampleBackup({ id, clusterId }) };
  };
  const looks = async (...call: Parameters<typeof find>) => find(...call);
  Object.assign(gateway.answers, { getBackup: looks, pinBackup: looks, unpinBackup: looks });
});
afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
  vi.restoreAllMocks();
});

const made = () => gateway.calls.map(({ method }) => method);
const pin = async (id: string, token: string) => {
  gateway.calls.length = 0;
  return gateway.ask('PUT', `/backups/${id}/pin`, { token });
};

it('is read by the gateway until an answer says that the service looks, and again from one that does not', async () => {
  expect((await pin(BACKUP, 'one-cluster')).status).toBe(200);
  expect(made()).toEqual(['getBackup', 'pinBackup']);
  gateway.sight.honored = true;
  await pin(BACKUP, 'operator');
  expect((await pin(BACKUP, 'one-cluster')).status).toBe(200);
  expect(made()).toEqual(['pinBackup']);
  gateway.sight.honored = false;
  await pin(BACKUP, 'operator');
  await pin(BACKUP, 'one-cluster');
  expect(made()).toEqual(['getBackup', 'pinBackup']);
});

describe('once the service looks', () => {
  beforeEach(async () => {
    gateway.sight.honored = true;
    await gateway.ask('GET', `/backups/${BACKUP}`);
  });

  it('the service is told what the caller sees, and the audit line of which cluster the backup is', async () => {
    await pin(BACKUP, 'one-cluster');
    expect(gateway.received('pinBackup').headers.get(SIGHT)).toBe(CLUSTER);
    expect(auditLog.info).toHaveBeenLastCalledWith(
      expect.objectContaining({ what: 'pin backup', backupId: BACKUP, clusterId: CLUSTER }),
      'audit',
    );
    await pin(BACKUP, 'operator');
    expect(gateway.received('pinBackup').headers.get(SIGHT)).toBe('*');
  });

  it('a foreign backup is unknown, as one that is not there', async () => {
    const foreign = await pin(OTHER_BACKUP, 'one-cluster');
    expectFailure(foreign, 404, 20610);
    expect(made()).toEqual(['pinBackup']);
    const unknown = await pin('nobody', 'one-cluster');
    expect(foreign.body.message.replace(OTHER_BACKUP, 'nobody')).toBe(unknown.body.message);
    expectFailure(await gateway.ask('GET', `/backups/${OTHER_BACKUP}`, { token: 'one-cluster' }), 404, 20610);
  });

  it('a caller without the role is told so of an own backup alone, and nothing is changed', async () => {
    expectFailure(await pin(BACKUP, 'one-cluster-viewer'), 403, 70650);
    expect(made()).toEqual(['getBackup']);
    expectFailure(await pin(OTHER_BACKUP, 'one-cluster-viewer'), 404, 20610);
    expect(made()).toEqual(['getBackup']);
  });

  it('a refusal of the service tells the audit line of which cluster the backup is', async () => {
    gateway.answers.pinBackup = async () => {
      throw new AppError('backup_not_good', 'Not good.', { info: { backupId: BACKUP, clusterId: CLUSTER } });
    };
    await pin(BACKUP, 'one-cluster');
    expect(auditLog.info).toHaveBeenLastCalledWith(
      expect.objectContaining({ clusterId: CLUSTER, code: 'backup_not_good' }),
      'audit',
    );
  });

  it('a caller who sees more clusters than metadata may hold is judged by the gateway', async () => {
    const clusters = [CLUSTER, ...Array.from({ length: 200 }, (_, index) => `cluster-with-a-long-name-${index}`)];
    await gateway.writeTokens({ many: { role: 'operator', clusters } });
    await vi.waitFor(async () => expect((await pin(BACKUP, 'many')).status).toBe(200), { timeout: 5_000 });
    expect(made()).toEqual(['getBackup', 'pinBackup']);
    expect(gateway.received('pinBackup').headers.get(SIGHT)).toBeNull();
    expectFailure(await pin(OTHER_BACKUP, 'many'), 404, 20610);
  });

  it('such a caller restores no backup of a foreign cluster, and is shown no restore of one', async () => {
    const clusters = [CLUSTER, ...Array.from({ length: 200 }, (_, index) => `cluster-with-a-long-name-${index}`)];
    await gateway.writeTokens({ many: { role: 'admin', clusters } });
    const wish = { targetClusterId: CLUSTER, planHash: 'p', confirm: CLUSTER };
    const ask = (path: string, backupId: string) =>
      gateway.ask('POST', path, { token: 'many', body: { ...wish, backupId } });
    await vi.waitFor(async () => expect((await ask('/restores/plan', BACKUP)).status).toBe(200), { timeout: 5_000 });
    expect((await ask('/restores', BACKUP)).status).toBe(200);
    gateway.calls.length = 0;
    for (const path of ['/restores/plan', '/restores', '/clusters/restore'])
      expectFailure(await ask(path, OTHER_BACKUP), 404, path === '/clusters/restore' ? 20604 : 20610);
    expect(made()).toEqual(['getBackup', 'getBackup', 'getBackup']);

    const between = (source: string, target: string) => ({
      ...{ id: `${source}-${target}`, source: { clusterId: source }, target: { clusterId: target } },
    });
    gateway.answers.listRestores = async () => ({
      restores: [between(CLUSTER, CLUSTER), between(OTHER_CLUSTER, CLUSTER)],
    });
    const { body } = await gateway.ask('GET', '/restores', { token: 'many' });
    expect(body.data.restores.map(({ id }: { id: string }) => id)).toEqual([`${CLUSTER}-${CLUSTER}`]);
  });
});
