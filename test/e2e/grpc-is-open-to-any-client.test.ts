import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

describe('every gRPC server', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'executor-worker': 1 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const servers = () => tidemark.stack.processes.filter(({ kind }) => kind.endsWith('-service'));
  const token = () => readFileSync(join(tidemark.stack.dataDir, 'secrets', 'service-token'), 'utf8').trim();
  const call = (address: string, path: string, request: Buffer, withToken: boolean) => {
    const client = new Client(address, credentials.createInsecure());
    const metadata = new Metadata();
    if (withToken) metadata.set('authorization', `Bearer ${token()}`);
    const raw = (bytes: Buffer) => bytes;
    return new Promise<{ code: number; bytes: Buffer }>((resolve) => {
      const done = (code: number, bytes: Buffer) => {
        client.close();
        resolve({ code, bytes });
      };
      if (path.includes('Reflection')) {
        const stream = client.makeBidiStreamRequest(path, raw, raw, metadata);
        stream.on('data', (bytes: Buffer) => {
          done(status.OK, bytes);
          stream.cancel();
        });
        stream.on('error', (error: { code?: number }) => done(error.code ?? -1, Buffer.alloc(0)));
        stream.write(request);
      } else
        client.makeUnaryRequest(path, raw, raw, request, metadata, (error, bytes) =>
          done(error?.code ?? status.OK, bytes ?? Buffer.alloc(0)),
        );
    });
  };

  it('answers health to everybody', async () => {
    for (const { address, name } of servers())
      expect([...(await call(address, '/grpc.health.v1.Health/Check', Buffer.alloc(0), false)).bytes], name).toEqual([
        8, 1,
      ]);
  });

  it('lists its services by reflection', async () => {
    const listServices = Buffer.from([0x3a, 0x00]); // field 7, empty
    const expected: Record<string, string[]> = {
      'backup-service': [
        'tidemark.backup.v1.BackupService',
        'tidemark.backup.v1.ExecutorService',
        'tidemark.backup.v1.RegistryService',
      ],
      'strategy-service': ['tidemark.strategy.v1.StrategyService', 'tidemark.strategy.v1.PlanService'],
      'scheduler-service': [
        'tidemark.scheduler.v1.FleetService',
        'tidemark.scheduler.v1.OccurrenceService',
        'tidemark.scheduler.v1.RetentionService',
      ],
    };
    for (const { address, kind } of servers()) {
      const { bytes } = await call(
        address,
        '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
        listServices,
        true,
      );
      for (const name of [...(expected[kind] ?? []), 'grpc.health.v1.Health'])
        expect(bytes.toString('latin1'), kind).toContain(name);
    }
  });

  it('does nothing for a caller without the service token', async () => {
    for (const [kind, path] of [
      ['backup-service', '/tidemark.backup.v1.BackupService/ListBackups'],
      ['strategy-service', '/tidemark.strategy.v1.PlanService/ListDueStrategies'],
      ['scheduler-service', '/tidemark.scheduler.v1.OccurrenceService/ListOccurrences'],
    ] as const) {
      const { address } = tidemark.stack.process(kind);
      expect((await call(address, path, Buffer.alloc(0), false)).code, path).toBe(status.UNAUTHENTICATED);
      expect((await call(address, path, Buffer.alloc(0), true)).code, path).toBe(status.INVALID_ARGUMENT);
    }
  });
});
