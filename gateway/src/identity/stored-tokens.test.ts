import { createHash } from 'node:crypto';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import { TokenRole } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { log } from '../logger.ts';
import { CLUSTER, OTHER_CLUSTER } from '../testing/programmable-backends.ts';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
let passedMs: number;
beforeEach(async () => {
  const { now } = performance;
  passedMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + passedMs);
  for (const level of ['info', 'warn'] as const) vi.spyOn(log, level).mockImplementation(() => undefined);
  gateway = await startTestGateway();
});
afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
  vi.restoreAllMocks();
});

const hashed = (word: string, fields: object = {}) => ({
  token: { id: word, name: word, role: TokenRole.OPERATOR, clusterIds: [CLUSTER], ...fields },
  sha256: createHash('sha256').update(`tdms_${word}`).digest(),
});
const known = (...tokens: ReturnType<typeof hashed>[]) => {
  gateway.answers.readTokenHashes = async () => ({ tokens });
};
const reads = () => gateway.calls.filter(({ method }) => method === 'readTokenHashes').length;
const status = async (word: string, path = `/clusters/${CLUSTER}`) =>
  (await gateway.ask('GET', path, { token: word })).status;

it('lets in who has a token that was made by a call, for its clusters and with its role', async () => {
  known(hashed('one'), hashed('all', { clusterIds: [], allClusters: true, role: TokenRole.ADMIN }));
  expect(await status('tdms_one')).toBe(200);
  expect(await status('tdms_one', `/clusters/${OTHER_CLUSTER}`)).toBe(404);
  expect(await status('tdms_one', '/storages')).toBe(403);
  expect(await status('tdms_all', '/storages')).toBe(200);
});

it('is called by its name and its id, so that none can take the name of another', async () => {
  known(hashed('one', { name: 'npm start' }));
  expect((await gateway.ask('GET', `/backups?clusterId=${CLUSTER}`, { token: 'tdms_one' })).status).toBe(200);
  expect(gateway.received('listBackups').headers.get('x-tidemark-caller')).toBe('npm start (one)');
});

it('is not asked once for each request', async () => {
  known(hashed('one'));
  for (let count = 0; count < 20; count += 1) expect(await status('tdms_one')).toBe(200);
  expect(reads()).toBe(1);
});

it('knows a token as soon as it was made', async () => {
  known();
  expect(await status('tdms_new')).toBe(401);
  known(hashed('new'));
  expect(await status('tdms_new')).toBe(200);
});

it('refuses a token that was revoked once it was read anew, and after 5 s in any case (ST1)', async () => {
  known(hashed('one'));
  expect(await status('tdms_one')).toBe(200);
  known();
  passedMs += 1_000;
  await vi.waitFor(async () => expect(await status('tdms_one')).toBe(401));

  known(hashed('one'));
  expect(await status('tdms_one')).toBe(200);
  known();
  passedMs += 5_000;
  expect(await status('tdms_one')).toBe(401);
});

it('lets nobody in by what it cannot know any more, and says that this may pass; tokens of the file go on (ST3)', async () => {
  known(hashed('one'));
  expect(await status('tdms_one')).toBe(200);
  gateway.answers.readTokenHashes = async () => {
    throw new AppError('unavailable', 'away');
  };
  passedMs += 4_900;
  expect(await status('tdms_one')).toBe(200);
  passedMs += 200;
  expect(await status('tdms_one')).toBe(503);
  expect(await status('viewer')).toBe(200);
  expect(await status('guessed')).toBe(401);
});

it('says of a token that is over that it is', async () => {
  known(hashed('old', { expireTime: timestampFromDate(new Date(0)) }));
  const answer = await gateway.ask('GET', '/clusters', { token: 'tdms_old' });
  expect([answer.status, answer.body.code]).toEqual([401, 70602]);
});
