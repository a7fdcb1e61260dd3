/** A whole Tidemark whose processes know each other by certificates alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceKind } from '@tidemark/local-stack/service-kinds';
import {
  type TestAuthority,
  testAuthority,
  tlsSettings,
  writeCertificate,
} from '@tidemark/service-kit/testing/certificates';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const KINDS: readonly ServiceKind[] = [
  'gateway',
  'strategy-service',
  'backup-service',
  'scheduler-service',
  'executor-worker',
];

describe('with mutual TLS between its processes', () => {
  let folder: string;
  let authority: TestAuthority;
  let tidemark: Tidemark;
  const sign = async (kind: ServiceKind) =>
    writeCertificate(folder, kind, {
      ...(await authority.sign({ names: ['tidemark'], commonName: kind })),
      ca: authority.ca,
    });
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-e2e-tls-'));
    authority = await testAuthority();
    const env: Record<string, Record<string, string>> = {};
    for (const kind of KINDS) env[kind] = tlsSettings(await sign(kind));
    const all = {
      TIDEMARK_TLS_SERVER_NAME: 'tidemark',
      TIDEMARK_SERVICE_TOKEN_FILE: '', // as if not set
      TIDEMARK_LOG_LEVEL: 'debug',
    };
    tidemark = await startTidemark({ copies: { 'executor-worker': 1 }, env: { all, ...env } });
  }, 120_000);
  afterAll(async () => {
    await tidemark?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const peers = (kind: ServiceKind) =>
    new Set(tidemark.logs(kind).flatMap(({ msg, peer }) => (msg === 'call answered' ? [peer] : [])));

  it('a backup goes all the way, and every call says from which process it came', async () => {
    const clusterId = await tidemark.cluster('encrypted');
    expect(
      (await tidemark.patiently('PUT', `/clusters/${clusterId}/strategy`, { strategy: { backupDate: 'Monday' } })).code,
    ).toBe(0);
    await tidemark.untilState(await tidemark.start(clusterId), 'Succeeded', 40);
    await vi.waitFor(
      () => {
        const callers = ['gateway', 'strategy-service', 'scheduler-service', 'executor-worker'];
        expect(peers('backup-service')).toEqual(new Set(callers));
        expect(peers('strategy-service')).toEqual(new Set(['gateway', 'scheduler-service']));
      },
      { timeout: 20_000 },
    );
  });

  it('every process takes renewed certificates while a backup runs', async () => {
    const clusterId = await tidemark.cluster('renewed');
    tidemark.demo({ seconds: 8 }, clusterId);
    const id = await tidemark.start(clusterId);
    await tidemark.brStarted(clusterId);
    for (const kind of KINDS) await sign(kind);
    for (const kind of KINDS)
      await vi.waitFor(
        () =>
          expect(
            tidemark.logs(kind).some(({ msg }) => msg === 'a renewed certificate is in use'),
            kind,
          ).toBe(true),
        { timeout: 20_000, interval: 200 },
      );
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(record.attempts).toHaveLength(1);
  });
});
