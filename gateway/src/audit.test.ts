import { connect } from 'node:net';
import { AppError } from '@tidemark/errors/app-error';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { accessLog, auditLog, log } from './logger.ts';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER, RESTORE } from './testing/programmable-backends.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterEach(() => {
  vi.restoreAllMocks();
  gateway.reset();
});
afterAll(() => gateway?.[Symbol.asyncDispose]());

const STRATEGY = { strategy: { backupDate: 'Monday' } };
const of = (line: object) => ({
  caller: 'token admin',
  callerId: 'admin',
  from: '127.0.0.1',
  status: 200,
  requestId: 'r-1',
  ...line,
});

/** Every mutation, as a client asks for it, and what its line names. */
const MUTATIONS: readonly (readonly [method: string, path: string, body: object | undefined, line: object])[] = [
  ['POST', '/backups', { clusterId: CLUSTER }, { what: 'start backup', clusterId: CLUSTER, backupId: BACKUP }],
  [
    'POST',
    '/backups/cancel',
    { clusterId: CLUSTER, backupId: BACKUP },
    { what: 'cancel backup', clusterId: CLUSTER, backupId: BACKUP },
  ],
  ['DELETE', `/backups/${BACKUP}`, undefined, { what: 'delete backup', clusterId: CLUSTER, backupId: BACKUP }],
  ['POST', `/backups/${BACKUP}/undelete`, undefined, { what: 'undelete backup', clusterId: CLUSTER, backupId: BACKUP }],
  ['PUT', `/backups/${BACKUP}/pin`, undefined, { what: 'pin backup', clusterId: CLUSTER, backupId: BACKUP }],
  ['POST', `/backups/${BACKUP}/verify`, {}, { what: 'verify backup', clusterId: CLUSTER, backupId: BACKUP }],
  [
    'POST',
    `/backups/${BACKUP}/verify/cancel`,
    undefined,
    { what: 'cancel verification', clusterId: CLUSTER, backupId: BACKUP },
  ],
  ['DELETE', `/backups/${BACKUP}/pin`, undefined, { what: 'unpin backup', clusterId: CLUSTER, backupId: BACKUP }],
  [
    'POST',
    '/restores',
    { backupId: BACKUP, targetClusterId: CLUSTER, planHash: 'p', confirm: CLUSTER },
    { what: 'start restore', clusterId: CLUSTER, backupId: BACKUP, restoreId: RESTORE },
  ],
  [
    'POST',
    '/clusters/restore',
    { backupId: BACKUP, clusterId: OTHER_CLUSTER, targetClusterId: CLUSTER, planHash: 'p', confirm: CLUSTER },
    { what: 'start restore', clusterId: CLUSTER, backupId: BACKUP, restoreId: RESTORE },
  ],
  ['POST', `/restores/${RESTORE}/cancel`, {}, { what: 'cancel restore', clusterId: CLUSTER, restoreId: RESTORE }],
  ['POST', `/restores/${RESTORE}/resume`, {}, { what: 'resume restore', clusterId: CLUSTER, restoreId: RESTORE }],
  [
    'POST',
    `/restores/${RESTORE}/release`,
    { targetCleaned: true },
    { what: 'release restore', clusterId: CLUSTER, restoreId: RESTORE },
  ],
  [
    'POST',
    `/restores/${RESTORE}/cleaned`,
    undefined,
    { what: 'confirm cleaned', clusterId: CLUSTER, restoreId: RESTORE },
  ],
  [
    'PUT',
    `/clusters/${CLUSTER}/log-backup`,
    { storageId: 'nfs' },
    { what: 'put log backup', clusterId: CLUSTER, storageId: 'nfs' },
  ],
  ['PUT', `/clusters/${CLUSTER}/drill`, { targetClusterId: OTHER_CLUSTER }, { what: 'put drill', clusterId: CLUSTER }],
  ['POST', `/clusters/${CLUSTER}/drill/run`, {}, { what: 'run drill', clusterId: CLUSTER }],
  ['DELETE', `/clusters/${CLUSTER}/drill`, undefined, { what: 'delete drill', clusterId: CLUSTER }],
  ['POST', `/clusters/${CLUSTER}/log-backup/pause`, {}, { what: 'pause log backup', clusterId: CLUSTER }],
  ['POST', `/clusters/${CLUSTER}/log-backup/resume`, {}, { what: 'resume log backup', clusterId: CLUSTER }],
  ['POST', `/clusters/${CLUSTER}/log-backup/truncate`, {}, { what: 'truncate log backup', clusterId: CLUSTER }],
  ['DELETE', `/clusters/${CLUSTER}/log-backup`, undefined, { what: 'stop log backup', clusterId: CLUSTER }],
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
  [
    'PUT',
    `/clusters/${CLUSTER}`,
    { pd: ['10.0.0.1:2379'], storageId: 'nfs' },
    { what: 'put cluster', clusterId: CLUSTER },
  ],
  ['DELETE', `/clusters/${CLUSTER}`, undefined, { what: 'delete cluster', clusterId: CLUSTER }],
  ['PUT', '/storages/nfs', { type: 'local', path: '/mnt/nfs' }, { what: 'put storage', storageId: 'nfs' }],
  ['DELETE', '/storages/nfs', undefined, { what: 'delete storage', storageId: 'nfs' }],
  ['POST', '/storages/nfs/check', undefined, { what: 'check storage', storageId: 'nfs' }],
  ['POST', '/storages/nfs/rebuild', { apply: true }, { what: 'rebuild records', storageId: 'nfs' }],
  ['POST', '/tokens', { name: 'ci', role: 'viewer', clusters: [CLUSTER] }, { what: 'create token', token: 't1' }],
  ['DELETE', '/tokens/t1', undefined, { what: 'revoke token', token: 't1' }],
  [
    'PUT',
    '/notifications/ops',
    { kind: 'webhook', url: 'https://example.com/', secrets: { envPrefix: 'OPS_' } },
    { what: 'put receiver', receiver: 'ops' },
  ],
  ['DELETE', '/notifications/ops', undefined, { what: 'delete receiver', receiver: 'ops' }],
  ['POST', '/notifications/ops/test', undefined, { what: 'test receiver', receiver: 'ops' }],
];
/** Routes that take a body and change nothing. */
const READS = [
  'POST /api/v1/restores/plan',
  'POST /api/v1/clusters/:clusterId/strategy/preview',
  'POST /api/v1/clusters/:clusterId/strategies/:rule/preview',
  'POST /api/v1/clusters/:clusterId/retention/simulate',
];

it.each(MUTATIONS)(
  '%s %s leaves one audit line: who, what, on what, from where, how it ended (D10), whoever looked the record up',
  async (method, path, body, line) => {
    const audit = vi.spyOn(auditLog, 'info');
    gateway.answers.getStrategy = async ({ clusterId, rule }) => ({ strategy: { clusterId, rule, revision: 1n } });
    for (const honored of [true, false]) {
      gateway.sight.honored = honored;
      await gateway.ask('GET', `/backups/${BACKUP}`);
      audit.mockClear();
      await gateway.ask(method, path, { body, headers: { 'x-request-id': 'r-1' } });
      expect(audit.mock.calls).toEqual([[of(line), 'audit']]);
    }
  },
);

it('knows every mutating route of the app in the table above', async () => {
  const routes = new Set<string>();
  await using all = await startTestGateway({
    onRoute: ({ method, url, config }) => {
      for (const one of [method].flat())
        if (url.startsWith('/api/v1/') && !['GET', 'HEAD', 'OPTIONS'].includes(one)) {
          const route = `${one} ${url.replace(/\/$/, '')}`;
          routes.add(route);
          expect([route, config?.audit !== undefined]).toEqual([route, !READS.includes(route)]);
        }
    },
  });
  await all.app.ready();
  const pattern = (route: string) => new RegExp(`^${route.replaceAll(/:\w+/g, '[^/]+')}$`);
  const unknown = [...routes].filter(
    (route) =>
      !READS.includes(route) && !MUTATIONS.some(([method, path]) => pattern(route).test(`${method} /api/v1${path}`)),
  );
  expect(routes.size).toBeGreaterThan(20);
  expect(unknown).toEqual([]);
});

const SECRET = 'hunter2';
/** Whatever the body has, and secrets of every kind beside it, and in each of its texts that is free. */
const withSecrets = (body: object = {}) => ({
  ...body,
  password: SECRET,
  secretAccessKey: SECRET,
  token: SECRET,
  name: SECRET,
  reason: SECRET,
  url: `s3://bucket/path?access-key=${SECRET}&secret-access-key=${SECRET}`,
  tls: { ca: `/${SECRET}`, cert: `/${SECRET}`, key: `/${SECRET}` },
  brOptions: { extra: { 'crypter.key': SECRET } },
  strategy: { ...(body as { strategy?: object }).strategy, name: SECRET, password: SECRET, brOptions: { key: SECRET } },
});

it.each(MUTATIONS)(
  '%s %s leaves one line as well when it is refused, and no line has a value of its body',
  async (method, path, body, { what, ...named }: { what?: string }) => {
    const audit = vi.spyOn(auditLog, 'info');
    gateway.answers.getStrategy = async ({ clusterId, rule }) => ({ strategy: { clusterId, rule, revision: 1n } });
    const bodies = [body, withSecrets(body), '{"password":"hunter2', [SECRET], { clusterId: `${SECRET}/..` }];
    for (const token of ['admin', 'viewer', 'one-cluster-admin', 'expired', null])
      for (const sent of bodies) {
        audit.mockClear();
        const { status, body: answered } = await gateway.ask(method, path, { token, body: sent });
        expect(audit.mock.calls).toHaveLength(1);
        const [line] = audit.mock.calls[0] ?? [];
        expect(line).toMatchObject({ what, status, from: '127.0.0.1', requestId: expect.stringMatching(/\S/) });
        expect(Object.hasOwn(line ?? {}, 'code')).toBe(answered.code !== 0);
        expect(JSON.stringify(line)).not.toContain(SECRET);
        if (status === 401) expect(Object.keys(line ?? {})).not.toContain('caller');
        // Whom a refused token meant is told as far as the path tells it.
        for (const [name, value] of Object.entries(named))
          if (path.includes(String(value))) expect(line).toMatchObject({ [name]: value });
      }
  },
);

it('tells how a mutation ended, with the code of its error, and does not audit what only reads', async () => {
  const audit = vi.spyOn(auditLog, 'info');
  gateway.answers.cancelBackup = async () => {
    throw new AppError('backup_over', 'It is over.');
  };
  for (const path of ['/backups', `/backups/${BACKUP}`, `/backups/${BACKUP}/log`, '/clusters', '/storages'])
    expect((await gateway.ask('GET', path)).status).toBe(200);
  await gateway.ask('POST', `/clusters/${CLUSTER}/strategy/preview`);
  await gateway.ask('POST', `/clusters/${CLUSTER}/retention/simulate`, { body: { retention: { keepLast: 3 } } });
  await gateway.ask('POST', '/backups/cancel', { body: { clusterId: CLUSTER, backupId: BACKUP } });
  await gateway.ask('PUT', '/storages/nfs', { token: 'operator', body: { type: 'local', path: '/mnt/nfs' } });
  await gateway.ask('POST', '/backups', { token: null, body: { clusterId: CLUSTER } });
  await gateway.ask('DELETE', `/backups/${OTHER_BACKUP}`, { token: 'one-cluster' });
  expect(audit.mock.calls.map(([line]) => line)).toMatchObject([
    { what: 'cancel backup', clusterId: CLUSTER, backupId: BACKUP, status: 409, code: 'backup_over' },
    { what: 'put storage', storageId: 'nfs', caller: 'token operator', status: 403, code: 'permission_denied' },
    { what: 'start backup', status: 401, code: 'unauthenticated' },
    { what: 'delete backup', backupId: OTHER_BACKUP, status: 404, code: 'backup_not_found' },
  ]);
});

it('leaves its line when the client goes away before the answer', async () => {
  const audit = vi.spyOn(auditLog, 'info');
  const started = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  gateway.answers.startBackup = async (_, { signal }) => {
    started.resolve();
    signal.addEventListener('abort', () => gone.resolve());
    await gone.promise;
    throw new AppError('canceled', 'Nobody waits.');
  };
  const socket = connect(await gateway.listen(), '127.0.0.1');
  const body = JSON.stringify({ clusterId: CLUSTER });
  socket.write(
    `POST /api/v1/backups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await started.promise;
  socket.destroy();
  await vi.waitFor(() => expect(audit.mock.calls).toHaveLength(1), 5_000);
  expect(audit.mock.calls[0]?.[0]).toMatchObject({ what: 'start backup', clusterId: CLUSTER, code: 'canceled' });
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
