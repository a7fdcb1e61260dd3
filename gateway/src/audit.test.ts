import { AppError } from '@tidemark/errors/app-error';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { accessLog, auditLog, log } from './logger.ts';
import { BACKUP, CLUSTER } from './testing/programmable-backends.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await gateway[Symbol.asyncDispose]();
});

const STRATEGY = { strategy: { backupDate: 'Monday' } };
const of = (line: object) => ({ caller: 'token admin', from: '127.0.0.1', status: 200, requestId: 'r-1', ...line });

it.each([
  ['POST', '/backups', { clusterId: CLUSTER }, { what: 'start backup', clusterId: CLUSTER, backupId: BACKUP }],
  [
    'POST',
    '/backups/cancel',
    { clusterId: CLUSTER, backupId: BACKUP },
    { what: 'cancel backup', clusterId: CLUSTER, backupId: BACKUP },
  ],
  ['DELETE', `/backups/${BACKUP}`, undefined, { what: 'delete backup', clusterId: CLUSTER, backupId: BACKUP }],
  ['PUT', `/backups/${BACKUP}/pin`, undefined, { what: 'pin backup', clusterId: CLUSTER, backupId: BACKUP }],
  ['DELETE', `/backups/${BACKUP}/pin`, undefined, { what: 'unpin backup', clusterId: CLUSTER, backupId: BACKUP }],
  ['PUT', `/clusters/${CLUSTER}/strategy`, STRATEGY, { what: 'save strategy', clusterId: CLUSTER }],
  ['POST', `/clusters/${CLUSTER}/strategy`, STRATEGY, { what: 'save strategy', clusterId: CLUSTER }],
  ['DELETE', `/clusters/${CLUSTER}/strategy`, undefined, { what: 'delete strategy', clusterId: CLUSTER }],
  [
    'POST',
    `/clusters/${CLUSTER}/strategies`,
    { strategy: { rule: 'nightly' } },
    { what: 'create strategy', clusterId: CLUSTER, rule: 'nightly' },
  ],
  [
    'PUT',
    `/clusters/${CLUSTER}/strategies/nightly`,
    STRATEGY,
    { what: 'save strategy', clusterId: CLUSTER, rule: 'nightly' },
  ],
  [
    'POST',
    `/clusters/${CLUSTER}/strategies/nightly/pause`,
    undefined,
    { what: 'pause strategy', clusterId: CLUSTER, rule: 'nightly' },
  ],
  [
    'POST',
    `/clusters/${CLUSTER}/strategies/nightly/resume`,
    undefined,
    { what: 'resume strategy', clusterId: CLUSTER, rule: 'nightly' },
  ],
  [
    'POST',
    `/clusters/${CLUSTER}/strategies/nightly/run`,
    undefined,
    { what: 'run strategy', clusterId: CLUSTER, rule: 'nightly', backupId: BACKUP },
  ],
  [
    'DELETE',
    `/clusters/${CLUSTER}/strategies/nightly`,
    undefined,
    { what: 'delete strategy', clusterId: CLUSTER, rule: 'nightly' },
  ],
  ['PUT', '/strategies/prod', STRATEGY, { what: 'save fleet strategy', fleetStrategy: 'prod' }],
  ['DELETE', '/strategies/prod', undefined, { what: 'delete fleet strategy', fleetStrategy: 'prod' }],
  ['PUT', `/clusters/${CLUSTER}`, { storageId: 'nfs' }, { what: 'put cluster', clusterId: CLUSTER }],
  ['DELETE', `/clusters/${CLUSTER}`, undefined, { what: 'delete cluster', clusterId: CLUSTER }],
  ['PUT', '/storages/nfs', { type: 'local', path: '/mnt/nfs' }, { what: 'put storage', storageId: 'nfs' }],
  ['DELETE', '/storages/nfs', undefined, { what: 'delete storage', storageId: 'nfs' }],
  ['POST', '/storages/nfs/check', undefined, { what: 'check storage', storageId: 'nfs' }],
  ['POST', '/storages/nfs/rebuild', { apply: true }, { what: 'rebuild records', storageId: 'nfs' }],
])(
  '%s %s leaves one audit line: who, what, on what, from where, how it ended (D10)',
  async (method, path, body, line) => {
    const audit = vi.spyOn(auditLog, 'info');
    gateway.answers.getStrategy = async ({ clusterId, rule }) => ({ strategy: { clusterId, rule, revision: 1n } });
    await gateway.ask(method, path, { body, headers: { 'x-request-id': 'r-1' } });
    expect(audit.mock.calls).toEqual([[of(line), 'audit']]);
  },
);

it('audits what was refused, and does not audit what only reads', async () => {
  const audit = vi.spyOn(auditLog, 'info');
  gateway.answers.cancelBackup = async () => {
    throw new AppError('backup_over', 'It is over.');
  };
  await gateway.ask('GET', '/backups');
  await gateway.ask('POST', '/backups/cancel', { body: { clusterId: CLUSTER, backupId: BACKUP } });
  await gateway.ask('PUT', '/storages/nfs', { token: 'operator', body: { type: 'local', path: '/mnt/nfs' } });
  await gateway.ask('POST', '/backups', { token: null, body: { clusterId: CLUSTER } });
  expect(audit.mock.calls.map(([line]) => line)).toMatchObject([
    { what: 'cancel backup', clusterId: CLUSTER, backupId: BACKUP, status: 409 },
    { what: 'put storage', storageId: 'nfs', caller: 'token operator', status: 403 },
    { what: 'start backup', status: 401 },
  ]);
});

it('writes no token into any log, sent well or badly', async () => {
  const lines = [log, accessLog, auditLog].flatMap((one) =>
    (['info', 'warn', 'error'] as const).map((level) => vi.spyOn(one, level)),
  );
  const token = 'guessed-secret-word';
  for (const authorization of [`Bearer ${token}`, token, `Basic ${token}`])
    await gateway.ask('POST', '/backups', { token: null, headers: { authorization }, body: { clusterId: CLUSTER } });
  const written = lines.flatMap((spy) => spy.mock.calls);
  expect(written.length).toBeGreaterThan(3);
  for (const [fields, message] of written) {
    const { error, ...rest } = fields as { error?: Error };
    expect(JSON.stringify([rest, message, error?.message, error?.stack, String(error?.cause)])).not.toContain(token);
  }
});
