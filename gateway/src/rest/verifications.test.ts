import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import {
  BackupSchema,
  VerificationLevel,
  VerificationState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BACKUP, CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

const VERIFY = `/backups/${BACKUP}/verify`;
const problem = { kind: 'content', name: '1/a.sst', why: '1/a.sst is damaged' };
const AT = '2026-12-01T10:00:00.000Z';

describe('a verification over REST', () => {
  it('is asked for as it is to be done, with nothing that was not said', async () => {
    const body = { level: 'bytes', sample: 0.1, rateLimit: 100 };
    expect(await gateway.ask('POST', VERIFY, { token: 'operator', body })).toMatchObject({
      status: 200,
      body: { data: { backup: { verification: { state: 'Queued', level: 'bytes', sample: 0.1, rateLimit: 100 } } } },
    });
    expect(gateway.received('verifyBackup').request).toMatchObject({
      id: BACKUP,
      level: VerificationLevel.BYTES,
      sample: 0.1,
      rateLimit: 100,
    });
    await gateway.ask('POST', VERIFY);
    const { request } = gateway.received('verifyBackup');
    expect(request).toMatchObject({ level: VerificationLevel.UNSPECIFIED, rateLimit: 0 });
    expect(request).not.toHaveProperty('sample', expect.anything());
    await gateway.ask('POST', VERIFY, { body: { level: 'meta', sample: null, rateLimit: 0 } });
    expect(gateway.received('verifyBackup').request).toMatchObject({ level: VerificationLevel.META });
  });

  it.each([
    ['level', 'all'],
    ['sample', 0],
    ['sample', 1e-300],
    ['sample', 1.5],
    ['sample', 'half'],
    ['rateLimit', -1],
    ['rateLimit', 1.5],
  ])('is refused with %s %j, which the answer names', async (field, value) => {
    expect(badFields(await gateway.ask('POST', VERIFY, { body: { [field]: value } }))).toEqual([field]);
  });

  it('needs an operator, and a backup that the caller sees', async () => {
    expectFailure(await gateway.ask('POST', VERIFY, { token: 'viewer' }), 403, 70650);
    expectFailure(await gateway.ask('POST', '/backups/nobody/verify'), 404, 20610);
  });

  it('says why a backup cannot be verified, or what is not there to be canceled', async () => {
    gateway.answers.verifyBackup = async () => {
      throw new AppError('backup_not_good', 'It cannot be verified, it is Failed.');
    };
    const refused = await gateway.ask('POST', VERIFY);
    expectFailure(refused, 409, 10001);
    expect(refused.body.message).toContain('Failed');
    gateway.answers.cancelVerification = async () => {
      throw new AppError('verification_over', 'There is none.');
    };
    expectFailure(await gateway.ask('POST', `${VERIFY}/cancel`), 409, 10001);
  });

  it('is canceled', async () => {
    expect(await gateway.ask('POST', `${VERIFY}/cancel`, { token: 'operator' })).toMatchObject({
      status: 200,
      body: { data: { backup: { verification: { state: 'Canceled' } } } },
    });
    expect(gateway.received('cancelVerification').request).toMatchObject({ id: BACKUP });
  });

  it('stands on the record with what was found, and with the earlier verdict that counts', async () => {
    const verdict = { level: VerificationLevel.BYTES, sample: 1, problems: [problem], problemCount: 1n };
    const verifiedAt = timestampFromDate(new Date(AT));
    gateway.answers.getBackup = async ({ id }) => ({
      backup: create(BackupSchema, {
        id,
        clusterId: CLUSTER,
        verification: {
          state: VerificationState.RUNNING,
          level: VerificationLevel.META,
          sample: 1,
          progress: { bytesRead: 5n, bytesInAll: 10n, files: 1n },
          waitsFor: 'It was not mounted.',
          worker: 'w1',
          damaged: true,
          earlier: { ...verdict, state: VerificationState.DAMAGED, verdict: 'It is damaged.', verifiedAt },
        },
      }),
    });
    expect(await gateway.ask('GET', `/backups/${BACKUP}`)).toMatchObject({
      body: {
        data: {
          backup: {
            verification: {
              state: 'Running',
              level: 'meta',
              progress: { bytesRead: 5, bytesInAll: 10, files: 1 },
              waitsFor: 'It was not mounted.',
              worker: 'w1',
              damaged: true,
              earlier: {
                state: 'Damaged',
                level: 'bytes',
                verdict: 'It is damaged.',
                problems: [problem],
                verifiedAt: AT,
              },
            },
          },
        },
      },
    });
  });

  it('narrows the list to what was found damaged', async () => {
    await gateway.ask('GET', '/backups?damaged=true');
    expect(gateway.received('listBackups').request).toMatchObject({ damaged: true });
  });
});
