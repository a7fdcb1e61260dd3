import { RestoreGrant } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  RestoreEndKind,
  RestoreOptions,
  RestoreSource,
  RestoreTarget,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { describe, expect, it } from 'vitest';
import type { RestoreEnd } from './end.ts';
import { fromGrantMessage, toEndMessage } from './messages.ts';

const end = (fields: Partial<RestoreEnd>): RestoreEnd => ({
  kind: 'failed',
  reason: undefined,
  retryable: true,
  seconds: undefined,
  summary: undefined,
  checkpointLeft: false,
  remark: '',
  killed: false,
  sourceDamaged: false,
  ...fields,
});

describe('a grant', () => {
  const storage = Storage.create({ id: 's' });
  const grant = RestoreGrant.create({
    source: RestoreSource.create({ path: 'nfs/c1/p', tso: 5n, tidbClusterId: 7n }),
    target: RestoreTarget.create({ pd: ['a:2379'], version: '8.5.0' }),
    storage,
    tls: { ca: '/ca', cert: '', key: '' },
    options: RestoreOptions.create({
      rateLimit: 9,
      withSystemTables: true,
      withoutStats: true,
      placementPolicies: 'ignore',
      waitTiflashReady: true,
      filter: ['shop.*'],
      extra: { 'checksum-concurrency': '8' },
    }),
    crypterMethod: 'aes128-ctr',
    crypterKeyFile: '/key',
    brVersion: 'v8.5.0',
    remainingSeconds: 60,
    existingTablesAccepted: true,
    wasPartial: true,
    argv: ['restore', 'full'],
    failures: 1,
    waits: 2,
  });

  it('says all that a worker goes by', () => {
    expect(fromGrantMessage(grant)).toMatchObject({
      order: {
        source: { storage, path: 'nfs/c1/p', key: { method: 'aes128-ctr', keyFile: '/key' } },
        target: { pd: ['a:2379'], tls: { ca: '/ca' } },
        options: {
          withSystemTables: true,
          loadStats: false,
          placementPolicies: 'ignore',
          waitTiFlashReady: true,
          filter: ['shop.*'],
          extra: { 'checksum-concurrency': '8' },
        },
      },
      rateLimit: 9,
      targetVersion: '8.5.0',
      existingTablesAccepted: true,
      tso: 5n,
      tidbClusterId: 7n,
      brVersion: 'v8.5.0',
      argvBefore: ['restore', 'full'],
      wasPartial: true,
      failures: 1,
      waits: 2,
      remainingMs: 60_000,
    });
  });

  it('leaves open what is free while the target is as it was, and what a backup has not', () => {
    const free = { ...grant, brVersion: '', argv: [], crypterMethod: '', options: undefined };
    expect(fromGrantMessage(free)).toMatchObject({
      brVersion: undefined,
      argvBefore: [],
      order: { source: { key: undefined }, options: {} },
    });
  });

  it('that names no storage is none', () =>
    expect(() => fromGrantMessage({ ...grant, storage: undefined })).toThrow('no storage'));
});

describe('an end', () => {
  it('of a success says what was restored', () => {
    const summary = {
      sizeBytes: 5n,
      totalKvs: 6n,
      seconds: 7,
      backupTso: '8',
      restoreTso: '9',
      pointTso: undefined,
      text: 'total-ranges=1',
    };
    expect(
      toEndMessage(end({ kind: 'succeeded', retryable: false, summary, remark: 'r', checkpointLeft: true })),
    ).toEqual({
      kind: RestoreEndKind.RESTORE_END_KIND_SUCCEEDED,
      reason: undefined,
      result: { sizeBytes: 5n, seconds: 7, logSeconds: 0, summary: 'total-ranges=1', remark: 'r' },
      checkpointLeft: true,
      afterChange: false,
      waitSeconds: 0,
      killed: false,
      sourceDamaged: false,
      sourceNotSigned: false,
    });
  });

  it('says that it shows the backup itself to be damaged', () => {
    expect(toEndMessage(end({ kind: 'refused', sourceDamaged: true })).sourceDamaged).toBe(true);
    const reason = { code: 'SOURCE_NOT_SIGNED', message: 'It was signed, and is not now.', detail: '' };
    expect(toEndMessage(end({ kind: 'refused', reason })).sourceNotSigned).toBe(true);
  });

  it('needs a change where the same command fails again by itself, and only where it could go on at all', () => {
    const changes = (kind: RestoreEnd['kind'], retryable: boolean) =>
      toEndMessage(end({ kind, retryable })).afterChange;
    expect([changes('failed', false), changes('stopped', false), changes('failedBefore', false)]).toEqual([
      true,
      true,
      true,
    ]);
    expect([changes('failed', true), changes('refused', false), changes('dirty', false)]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('of a wait says how long', () =>
    expect(toEndMessage(end({ kind: 'wait', seconds: 300 }))).toMatchObject({ waitSeconds: 300 }));
});
