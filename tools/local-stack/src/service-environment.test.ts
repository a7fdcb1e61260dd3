import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { PlacedProcess } from './ports.ts';
import { stackSecrets } from './secret-files.ts';
import { serviceEnvironment } from './service-environment.ts';
import { temporaryDataFolder } from './temporary-data.ts';

const AMQP_URL = 'amqp://me:hunter2@127.0.0.1:5672';

const PLACED: PlacedProcess[] = [
  { kind: 'backup-service', name: 'backup-service-1', port: 1, operationsPort: 11 },
  { kind: 'backup-service', name: 'backup-service-2', port: 2, operationsPort: 12 },
  { kind: 'strategy-service', name: 'strategy-service', port: 3, operationsPort: 13 },
  { kind: 'executor-worker', name: 'executor-worker', port: undefined, operationsPort: 14 },
  { kind: 'scheduler-service', name: 'scheduler-service', port: 7, operationsPort: 17 },
  { kind: 'gateway', name: 'gateway', port: 5, grpcPort: 6, operationsPort: 15 },
];

function environments() {
  const dataDir = temporaryDataFolder();
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const settings = {
    dataDir,
    amqpUrl: AMQP_URL,
    mongodbUrl: 'mongodb://127.0.0.1:27017',
    secrets: stackSecrets(dataDir),
    br: ['/opt/br'],
    env: { all: { TIDEMARK_LEASE_SECONDS: '3' }, gateway: { TIDEMARK_LEASE_SECONDS: '4' } },
  };
  const of = (name: string) => {
    const placed = PLACED.find((one) => one.name === name);
    return placed === undefined ? {} : serviceEnvironment(placed, PLACED, settings);
  };
  return { of, settings };
}

test('a process learns where it listens and where the others are, all copies of them', () => {
  const { of } = environments();
  expect(of('gateway')).toMatchObject({
    TIDEMARK_HOST: '127.0.0.1',
    TIDEMARK_PORT: '5',
    TIDEMARK_GRPC_PORT: '6',
    TIDEMARK_OPERATIONS_PORT: '15',
    TIDEMARK_STRATEGY_SERVICE: '127.0.0.1:3',
    TIDEMARK_BACKUP_SERVICE: 'ipv4:127.0.0.1:1,127.0.0.1:2',
    TIDEMARK_PARENT_PID: String(process.pid),
    TIDEMARK_LEASE_SECONDS: '4',
  });
  expect(of('gateway').TIDEMARK_AUDIT_FILE).toMatch(/\/audit\.jsonl$/);
  expect(of('executor-worker')).toMatchObject({ TIDEMARK_BR: '/opt/br', TIDEMARK_LEASE_SECONDS: '3' });
});

test('one copy can have settings of its own, which win over those of its kind', () => {
  const { settings } = environments();
  const [one, other] = PLACED.map((placed) =>
    serviceEnvironment(placed, PLACED, {
      ...settings,
      envOfCopy: { 'backup-service-2': { TIDEMARK_LEASE_SECONDS: '5', ONLY: 'here' } },
    }),
  );
  expect([one?.TIDEMARK_LEASE_SECONDS, other?.TIDEMARK_LEASE_SECONDS]).toEqual(['3', '5']);
  expect([one?.ONLY, other?.ONLY]).toEqual([undefined, 'here']);
});

test('connection URLs reach only those who need them, and only as files of their owner', () => {
  vi.stubEnv('TIDEMARK_AMQP_URL', AMQP_URL);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { of } = environments();
  for (const { name } of PLACED) expect(JSON.stringify(of(name))).not.toContain('hunter2');
  const file = of('executor-worker').TIDEMARK_AMQP_URL_FILE ?? '';
  expect(readFileSync(file, 'utf8').trim()).toBe(AMQP_URL);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(of('gateway')).not.toHaveProperty('TIDEMARK_AMQP_URL_FILE');
  expect(of('strategy-service')).not.toHaveProperty('TIDEMARK_AMQP_URL_FILE');
  expect(of('executor-worker')).not.toHaveProperty('TIDEMARK_MONGODB_URL_FILE');
});

test('secrets of receivers of notifications reach the scheduler alone', () => {
  vi.stubEnv('OPS_WEBHOOK_SECRET', 'secret');
  vi.stubEnv('OPS_SMTP_PASSWORD', 'secret');
  vi.stubEnv('OPS_PASSWORD', 'secret');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { of } = environments();
  expect(of('scheduler-service')).toMatchObject({ OPS_WEBHOOK_SECRET: 'secret', OPS_SMTP_PASSWORD: 'secret' });
  expect(of('scheduler-service')).not.toHaveProperty('OPS_PASSWORD');
  for (const name of ['gateway', 'executor-worker', 'backup-service-1'])
    expect(of(name)).not.toHaveProperty('OPS_WEBHOOK_SECRET');
});

test('credentials of storages reach workers alone, and strange variables nobody', () => {
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('NPM_TOKEN', 'secret');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { of } = environments();
  expect(of('executor-worker').AWS_SECRET_ACCESS_KEY).toBe('secret');
  expect(of('backup-service')).not.toHaveProperty('AWS_SECRET_ACCESS_KEY');
  for (const { name } of PLACED) expect(of(name)).not.toHaveProperty('NPM_TOKEN');
});

test('the token of a data folder stays the same, and the gateway knows only its hash', () => {
  const { settings } = environments();
  const again = stackSecrets(settings.dataDir);
  expect(again.token).toBe(settings.secrets.token);
  expect(Buffer.from(again.token, 'base64url')).toHaveLength(32);
  const tokens = readFileSync(again.tokensFile, 'utf8');
  expect(tokens).not.toContain(again.token);
  expect(JSON.parse(tokens)).toMatchObject({ tokens: [{ role: 'admin', clusters: ['*'] }] });
});

test('tokens that people made beside ours outlive the next start, and a spoilt file is not overwritten', () => {
  const { settings } = environments();
  const { tokensFile } = settings.secrets;
  const [own] = JSON.parse(readFileSync(tokensFile, 'utf8')).tokens;
  const made = { id: 'x1', name: 'ci', sha256: '0'.repeat(64), role: 'viewer', labels: { env: 'prod' } };
  writeFileSync(tokensFile, JSON.stringify({ tokens: [made, { ...own, sha256: '1'.repeat(64) }] }));
  stackSecrets(settings.dataDir);
  expect(JSON.parse(readFileSync(tokensFile, 'utf8')).tokens).toEqual([own, expect.objectContaining(made)]);
  writeFileSync(tokensFile, '{"tokens":');
  expect(() => stackSecrets(settings.dataDir)).toThrow(/tokens.json cannot be used \(it is not JSON\)/);
  expect(readFileSync(tokensFile, 'utf8')).toBe('{"tokens":');
});

test('a proxy of the shell reaches the processes, but not for what is on this machine', () => {
  vi.stubEnv('https_proxy', 'http://proxy:3128');
  vi.stubEnv('no_proxy', 'internal.example');
  onTestFinished(() => void vi.unstubAllEnvs());
  const direct = 'internal.example,localhost,127.0.0.1,::1';
  expect(environments().of('executor-worker')).toMatchObject({
    https_proxy: 'http://proxy:3128',
    no_proxy: direct,
    NO_PROXY: direct,
  });
});
