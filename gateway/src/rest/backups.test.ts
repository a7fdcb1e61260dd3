import { create } from '@bufbuild/protobuf';
import { AppError } from '@tidemark/errors/app-error';
import {
  BackupMode,
  BackupOrigin,
  BackupState,
  DeletionSchema,
  DeletionState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BACKUP, CLUSTER, OTHER_CLUSTER, sampleBackup } from '../testing/programmable-backends.ts';
import { startStopwatch } from '../testing/stopwatch.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway.reset());
afterAll(() => gateway?.[Symbol.asyncDispose]());

describe('starting a backup', () => {
  it('answers with the id under both names, as a request of a person', async () => {
    const { status, body } = await gateway.ask('POST', '/backups/', {
      token: 'operator',
      body: { clusterId: CLUSTER },
    });
    expect(status).toBe(200);
    expect(body).toEqual({ code: 0, message: 'OK', data: { backupId: BACKUP, workFlowId: BACKUP } });
    expect(gateway.received('startBackup').request).toMatchObject({
      clusterId: CLUSTER,
      mode: BackupMode.MANUAL,
      origin: BackupOrigin.REQUEST,
    });
  });

  it.each([
    [{ backupMode: '', backupType: '' }, BackupMode.MANUAL],
    [{ backupMode: null, backupType: null, backupId: '' }, BackupMode.MANUAL],
    [{ backupMode: 'manual', backupType: 'full' }, BackupMode.MANUAL],
    [{ backupMode: 'auto' }, BackupMode.AUTO],
  ])('takes %j, and stays a request of a person', async (fields, mode) => {
    expect((await gateway.ask('POST', '/backups', { body: { clusterId: CLUSTER, ...fields } })).status).toBe(200);
    expect(gateway.received('startBackup').request).toMatchObject({ mode, origin: BackupOrigin.REQUEST });
  });

  it.each([
    [{}, ['clusterId']],
    [{ clusterId: '' }, ['clusterId']],
    [{ clusterId: null }, ['clusterId']],
    [{ clusterId: CLUSTER, backupMode: 'weekly' }, ['backupMode']],
    [{ clusterId: CLUSTER, backupType: 'incremental' }, ['backupType']],
    [{ clusterId: 5, backupMode: 5, backupType: 5 }, ['clusterId', 'backupMode', 'backupType']],
  ])('refuses %j and names the bad fields', async (body, fields) => {
    const answer = await gateway.ask('POST', '/backups', { body });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(fields);
    expect(gateway.calls).toEqual([]);
  });

  it('passes an Idempotency-Key on, and makes a new one when there is none', async () => {
    const keys: string[] = [];
    for (const headers of [{ 'idempotency-key': 'mine-1' }, undefined, undefined]) {
      await gateway.ask('POST', '/backups', { body: { clusterId: CLUSTER }, ...(headers && { headers }) });
      keys.push(gateway.received('startBackup').request.key);
    }
    expect(keys[0]).toBe('mine-1');
    expect(keys[1]).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(keys).size).toBe(3);
  });

  it.each(['', 'a b', 'x'.repeat(256), 'one, two'])('refuses the Idempotency-Key "%s"', async (key) => {
    const answer = await gateway.ask('POST', '/backups', {
      body: { clusterId: CLUSTER },
      headers: { 'idempotency-key': key },
    });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(['Idempotency-Key']);
  });

  it('names the active backup when the cluster is busy', async () => {
    gateway.answers.startBackup = async () => {
      throw new AppError('cluster_busy', `Backup ${BACKUP} is active.`, { info: { backupId: BACKUP } });
    };
    const answer = await gateway.ask('POST', '/backups', { body: { clusterId: CLUSTER } });
    expectFailure(answer, 409, 20114);
    expect(answer.body.message).toContain(BACKUP);
    expect(answer.body.details).toEqual({ backupId: BACKUP });
  });

  it('answers 404 for a cluster that nobody registered', async () => {
    expectFailure(await gateway.ask('POST', '/backups', { body: { clusterId: 'nobody' } }), 404, 10003);
  });

  it.each([
    ['storage_not_found', 404, 20600],
    ['storage_unusable', 400, 20601],
  ] as const)('answers %s as %i with %i', async (code, status, number) => {
    gateway.answers.startBackup = async () => {
      throw new AppError(code, 'The storage is not as it should be.');
    };
    expectFailure(await gateway.ask('POST', '/backups', { body: { clusterId: CLUSTER } }), status, number);
  });
});

describe('canceling a backup', () => {
  const body = { clusterId: CLUSTER, backupId: BACKUP };

  it('answers with the backup as it is now, also when repeated', async () => {
    for (let i = 0; i < 2; i += 1)
      expect(await gateway.ask('POST', '/backups/cancel', { token: 'operator', body })).toMatchObject({
        status: 200,
        body: { code: 0, data: { backup: { id: BACKUP, state: 'Canceling', status: 'Processing' } } },
      });
    expect(gateway.received('cancelBackup').request).toMatchObject({ id: BACKUP, clusterId: CLUSTER });
  });

  it.each([
    [{}, ['clusterId', 'backupId']],
    [{ clusterId: CLUSTER, backupId: '' }, ['backupId']],
    [{ clusterId: null, backupId: BACKUP }, ['clusterId']],
  ])('needs both ids: %j is a 400', async (incomplete, fields) => {
    const answer = await gateway.ask('POST', '/backups/cancel', { body: incomplete });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(fields);
  });

  it('answers 409 when the backup is over', async () => {
    gateway.answers.cancelBackup = async () => {
      throw new AppError('backup_over', 'The backup has succeeded already.');
    };
    expectFailure(await gateway.ask('POST', '/backups/cancel', { body }), 409, 20611);
  });

  it('answers 404 for an unknown backup', async () => {
    const unknown = { clusterId: CLUSTER, backupId: 'nobody' };
    expectFailure(await gateway.ask('POST', '/backups/cancel', { body: unknown }), 404, 20610);
  });
});

describe('deleting a backup', () => {
  const PATH = `/backups/${BACKUP}`;
  const deletion = (state: DeletionState) => sampleBackup({ deletion: create(DeletionSchema, { state }) });

  it('takes a body with the cluster, an empty one, and none', async () => {
    for (const body of [undefined, {}, { clusterId: '' }, { clusterId: null }, { clusterId: CLUSTER }])
      expect((await gateway.ask('DELETE', PATH, { token: 'operator', body })).status).toBe(200);
    expect(gateway.received('deleteBackup').request).toMatchObject({ id: BACKUP, clusterId: CLUSTER });
  });

  it('refuses a body whose cluster is not that of the backup', async () => {
    const answer = await gateway.ask('DELETE', PATH, { body: { clusterId: OTHER_CLUSTER } });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(['clusterId']);
    expect(gateway.calls.map(({ method }) => method)).not.toContain('deleteBackup');
  });

  it('waits for the end of the deletion', async () => {
    gateway.answers.deleteBackup = async () => ({ backup: deletion(DeletionState.REQUESTED) });
    let asked = 0;
    gateway.answers.getBackup = async () => {
      asked += 1;
      return { backup: deletion(asked < 4 ? DeletionState.DELETING : DeletionState.DELETED) };
    };
    const answer = await gateway.ask('DELETE', PATH);
    expect(answer).toMatchObject({ status: 200, body: { data: { backup: { deletion: { state: 'Deleted' } } } } });
    expect(asked).toBe(4);
  });

  it('answers after 2 s with what is known when the deletion takes longer', async () => {
    gateway.answers.deleteBackup = async () => ({ backup: deletion(DeletionState.REQUESTED) });
    gateway.answers.getBackup = async () => ({ backup: deletion(DeletionState.DELETING) });
    const startedAt = performance.now();
    const answer = await gateway.ask('DELETE', PATH);
    expect(performance.now() - startedAt).toBeGreaterThan(1_800);
    expect(answer).toMatchObject({
      status: 200,
      body: { data: { backup: { status: 'Finished', deletion: { state: 'Deleting' } } } },
    });
  });

  it('answers 200 when a later look says that the backup is gone', async () => {
    gateway.answers.deleteBackup = async () => {
      gateway.answers.getBackup = async () => {
        throw new AppError('backup_not_found', 'It is gone.');
      };
      return { backup: deletion(DeletionState.REQUESTED) };
    };
    expect(await gateway.ask('DELETE', PATH)).toMatchObject({ status: 200, body: { code: 0 } });
  });

  it('answers 200 when the deletion is recorded but its end cannot be seen', async () => {
    gateway.answers.deleteBackup = async () => {
      gateway.answers.getBackup = async () => {
        throw new AppError('unavailable', 'Not now.');
      };
      return { backup: deletion(DeletionState.REQUESTED) };
    };
    expect(await gateway.ask('DELETE', PATH)).toMatchObject({
      status: 200,
      body: { code: 0, data: { backup: { deletion: { state: 'Requested' } } } },
    });
  });

  it('never waits for a look at the deletion beyond the 2 s', async () => {
    let deadlineMs: number | undefined;
    gateway.answers.deleteBackup = async () => {
      const recordedAt = performance.now();
      gateway.answers.getBackup = async (_, { timeoutMs }) => {
        if (performance.now() - recordedAt < 1_500) return { backup: deletion(DeletionState.DELETING) };
        deadlineMs = timeoutMs();
        return new Promise<never>(() => undefined);
      };
      return { backup: deletion(DeletionState.REQUESTED) };
    };
    expect((await gateway.ask('DELETE', PATH)).status).toBe(200);
    expect(deadlineMs).toBeLessThanOrEqual(500);
  });

  it('answers 404 once the backup is gone', async () => {
    expectFailure(await gateway.ask('DELETE', '/backups/nobody'), 404, 20610);
  });

  it('answers 409 while the backup is active or held (C4, C5)', async () => {
    gateway.answers.deleteBackup = async () => {
      throw new AppError('backup_in_use', 'The backup is still running.');
    };
    expectFailure(await gateway.ask('DELETE', PATH), 409, 20603);
  });

  it('answers 409 with what would be lost, and passes on what acknowledges that', async () => {
    gateway.answers.deleteBackup = async ({ acknowledge }) => {
      if (acknowledge === 'abc') return { backup: deletion(DeletionState.DELETED) };
      const info = { acknowledge: 'abc', lost: '2026-01-01T00:00:00.000Z/..', lastGood: 'true' };
      throw new AppError('points_would_be_lost', 'Points would be lost.', { info });
    };
    const answer = await gateway.ask('DELETE', PATH);
    expectFailure(answer, 409, 20603);
    expect(answer.body.details).toEqual({
      ...{ acknowledge: 'abc', lost: '2026-01-01T00:00:00.000Z/..', lastGood: 'true' },
    });
    expect((await gateway.ask('DELETE', `${PATH}?acknowledge=abc`)).status).toBe(200);
    expectFailure(await gateway.ask('DELETE', `${PATH}?acknowledge=${'x'.repeat(65)}`), 400, 10001);
  });
});

it('shows one backup to whoever may see it', async () => {
  gateway.answers.getBackup = async () => ({ backup: sampleBackup({ state: BackupState.RUNNING }) });
  expect(await gateway.ask('GET', `/backups/${BACKUP}`, { token: 'one-cluster-viewer' })).toMatchObject({
    status: 200,
    body: { data: { backup: { id: BACKUP, state: 'Running' } } },
  });
});

describe('a service that fails', () => {
  const strategy = `/clusters/${CLUSTER}/strategy`;

  it('cannot make a request that needs several of them last over 2 s', async () => {
    gateway.answers.getStrategy = async ({ clusterId, rule }) => {
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      return { strategy: { clusterId, rule, revision: 1n } };
    };
    gateway.answers.startBackup = () => new Promise<never>(() => undefined);
    const stopwatch = startStopwatch();
    expectFailure(await gateway.ask('POST', `/clusters/${CLUSTER}/strategies/nightly/run`), 503, 20602);
    expect(stopwatch.elapsedMs()).toBeLessThan(2_000);
  });

  it.each([
    ['POST', '/backups', { clusterId: CLUSTER }, 20602],
    ['DELETE', `/backups/${BACKUP}`, undefined, 20603],
    ['GET', '/backups', undefined, 20604],
    ['GET', `/backups/${BACKUP}`, undefined, 20604],
    ['PUT', strategy, { strategy: { backupDate: 'Monday' } }, 20605],
    ['POST', strategy, { strategy: { backupDate: 'Monday' } }, 20605],
    ['GET', strategy, undefined, 20606],
    ['DELETE', strategy, undefined, 20607],
  ])('is a 503 with Retry-After, or a 500, and %s %s has its number', async (method, path, body, number) => {
    let thrown: Error = new AppError('unavailable', 'The database does not answer.', { retryAfterMs: 3_000 });
    const fail = async () => {
      throw thrown;
    };
    const { answers } = gateway;
    const failing = ['startBackup', 'getBackup', 'listBackups', 'getCluster', 'getStrategy', 'saveStrategy'] as const;
    for (const name of failing) answers[name] = fail;
    const down = await gateway.ask(method, path, { body });
    expectFailure(down, 503, number);
    expect(down.headers['retry-after']).toBe('3');
    thrown = new Error('password=hush');
    const broken = await gateway.ask(method, path, { body });
    expectFailure(broken, 500, number);
    expect(JSON.stringify(broken.body)).not.toContain('hush');
  });
});
