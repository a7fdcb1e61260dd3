import { AppError } from '@tidemark/errors/app-error';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BACKUP } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

it('pins a backup and unpins it, and shows which it is', async () => {
  for (const [method, pinned] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const)
    expect(await gateway.ask(method, `/backups/${BACKUP}/pin`, { token: 'operator' })).toMatchObject({
      status: 200,
      body: { code: 0, data: { backup: { id: BACKUP, pinned } } },
    });
  expect(gateway.received('pinBackup').request).toMatchObject({ id: BACKUP });
  expect(gateway.received('unpinBackup').request).toMatchObject({ id: BACKUP });
});

it('says why a backup cannot be pinned', async () => {
  gateway.answers.pinBackup = async () => {
    throw new AppError('backup_not_good', 'It cannot be pinned, it is Failed.');
  };
  const answer = await gateway.ask('PUT', `/backups/${BACKUP}/pin`);
  expectFailure(answer, 409, 10001);
  expect(answer.body.message).toContain('Failed');
});

it('knows no pin of an unknown backup, and refuses an id that is none', async () => {
  expectFailure(await gateway.ask('PUT', '/backups/nobody/pin'), 404, 20610);
  expect(badFields(await gateway.ask('DELETE', '/backups/a.b/pin'))).toEqual(['backupId']);
});

it('answers 503 with the number of the operation while the service is away', async () => {
  gateway.answers.pinBackup = async () => {
    throw new AppError('unavailable', 'The database cannot be reached.');
  };
  expectFailure(await gateway.ask('PUT', `/backups/${BACKUP}/pin`), 503, 20602);
});
