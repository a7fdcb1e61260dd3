import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BACKUP, CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());
const at = (text: string) => timestampFromDate(new Date(text));

it('previews what a proposed strategy would do, in local time and UTC, and saves nothing', async () => {
  gateway.answers.previewStrategy = async ({ clusterId, rule }) => ({
    strategy: { clusterId, rule, days: ['Sunday'], period: '2:30-4:00', timeZone: 'America/New_York' },
    starts: [
      {
        opensAt: at('2026-03-08T07:30:00Z'),
        closesAt: at('2026-03-08T08:00:00Z'),
        startAt: at('2026-03-08T07:31:00Z'),
        localOpensAt: '2026-03-08T03:30-04:00',
        localClosesAt: '2026-03-08T04:00-04:00',
        localStartAt: '2026-03-08T03:31-04:00',
        notes: ['Clocks go forward.'],
      },
    ],
    warnings: ['It may not fit.'],
    pastBackups: 20,
    pastTooLong: 3,
    longestSeconds: 4_000,
  });
  const strategy = { backupDate: 'Sunday', period: '2:30-4:00', timeZone: 'America/New_York' };
  const answer = await gateway.ask('POST', `/clusters/${CLUSTER}/strategy/preview`, { body: { strategy, count: 3 } });
  expect(answer.body).toMatchObject({
    code: 0,
    data: {
      starts: [
        { startAt: '2026-03-08T07:31:00.000Z', localOpensAt: '2026-03-08T03:30-04:00', notes: ['Clocks go forward.'] },
      ],
      warnings: ['It may not fit.'],
      past: { backups: 20, tooLong: 3, longestSeconds: 4_000 },
    },
  });
  expect(gateway.received('previewStrategy').request).toMatchObject({
    clusterId: CLUSTER,
    rule: 'default',
    count: 3,
    proposal: { days: 'Sunday', period: '2:30-4:00', timeZone: 'America/New_York' },
  });
  expect(gateway.calls.map(({ method }) => method)).not.toContain('saveStrategy');
});

it('takes the count of the query where the body has none, and refuses a bad one in either', async () => {
  const path = `/clusters/${CLUSTER}/strategy/preview`;
  await gateway.ask('POST', `${path}?count=4`);
  expect(gateway.received('previewStrategy').request).toMatchObject({ count: 4 });
  await gateway.ask('POST', `${path}?count=4`, { body: { count: 2 } });
  expect(gateway.received('previewStrategy').request).toMatchObject({ count: 2 });
  for (const count of ['-1', '101', 'many', '1.5'])
    for (const body of [undefined, { count: 2 }])
      expect(badFields(await gateway.ask('POST', `${path}?count=${count}`, { body }))).toEqual(['count']);
  expect(badFields(await gateway.ask('POST', `${path}?count=4`, { body: { count: -1 } }))).toEqual(['count']);
});

it('takes a count of 0, which generated clients send, as left out', async () => {
  const path = `/clusters/${CLUSTER}/strategy/preview`;
  await gateway.ask('POST', `${path}?count=0`, { body: { count: 0 } });
  expect(gateway.received('previewStrategy').request).toMatchObject({ count: 10 });
  await gateway.ask('POST', `${path}?count=4`, { body: { count: 0 } });
  expect(gateway.received('previewStrategy').request).toMatchObject({ count: 4 });
});

it('previews a saved rule of any name without a body', async () => {
  gateway.answers.getStrategy = async ({ clusterId, rule }) => ({ strategy: { clusterId, rule, revision: 3n } });
  const answer = await gateway.ask('POST', `/clusters/${CLUSTER}/strategies/weekly/preview`);
  expect(answer.status).toBe(200);
  expect(gateway.received('previewStrategy').request).toMatchObject({ rule: 'weekly', count: 10 });
  expect(gateway.received('previewStrategy').request.proposal).toBeUndefined();
});

it('refuses a preview of nothing, or of more than anybody reads', async () => {
  expectFailure(await gateway.ask('POST', `/clusters/${CLUSTER}/strategies/unknown/preview`), 404, 20606);
  for (const count of [-1, 101, 'many']) {
    const answer = await gateway.ask('POST', `/clusters/${CLUSTER}/strategy/preview`, { body: { count } });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(['count']);
  }
});

it('tells with a save what people should know, and says so where nobody can tell', async () => {
  gateway.answers.previewStrategy = async () => ({ warnings: ['3 of the last 20 would have been cut.'] });
  const save = () => gateway.ask('PUT', `/clusters/${CLUSTER}/strategy`, { body: { strategy: { windowEnd: 'stop' } } });
  expect((await save()).body.data.warnings).toEqual(['3 of the last 20 would have been cut.']);
  gateway.answers.previewStrategy = async () => {
    throw new AppError('unavailable', 'away');
  };
  const answer = await save();
  expect(answer).toMatchObject({ status: 200, body: { data: { strategy: { clusterId: CLUSTER } } } });
  expect(answer.body.data.warnings).toEqual([expect.stringContaining('could not be looked up just now')]);
});

it('simulates a retention: what would go, with its bytes, and why the others stay', async () => {
  gateway.answers.evaluateRetention = async () => ({
    verdicts: [
      { backupId: 'new', rule: 'default', sizeBytes: 5n, keepReasons: ['last 1'] },
      { backupId: 'old', rule: 'default', sizeBytes: 7n, keepReasons: [] },
    ],
    bytesToFree: 7n,
  });
  const path = `/clusters/${CLUSTER}/retention/simulate`;
  const answer = await gateway.ask('POST', path, { body: { retention: { keepLast: 1 } } });
  expect(answer.body.data).toMatchObject({
    rule: 'default',
    removed: [{ backupId: 'old', sizeBytes: 7 }],
    kept: [{ backupId: 'new', keepReasons: ['last 1'] }],
    bytesToFree: 7,
  });
  expect(gateway.received('evaluateRetention').request).toMatchObject({ rule: 'default', proposal: { keepLast: 1 } });
  await gateway.ask('POST', path, { body: { retention: null } });
  expect(gateway.received('evaluateRetention').request).toMatchObject({ keepEverything: true });
  const bad = await gateway.ask('POST', path, { body: { retention: { keepLast: -1, forever: 3 } } });
  expectFailure(bad, 400, 10001);
});

it('says of a good backup why it is kept or when it goes, and shows it also while nobody can say', async () => {
  gateway.answers.evaluateRetention = async () => ({
    verdicts: [{ backupId: BACKUP, keepReasons: ['younger than 30 days'], expiresAt: at('2026-03-08T07:30:00Z') }],
  });
  const record = async () => (await gateway.ask('GET', `/backups/${BACKUP}`)).body.data.backup;
  expect(await record()).toMatchObject({
    keepReasons: ['younger than 30 days'],
    expiresAt: '2026-03-08T07:30:00.000Z',
  });
  gateway.answers.evaluateRetention = async () => {
    throw new AppError('unavailable', 'away');
  };
  expect(await record()).toMatchObject({ id: BACKUP, state: 'Succeeded' });
  expect((await record()).keepReasons).toBeUndefined();
});

it('lists occurrences of a state and a rule', async () => {
  const answer = await gateway.ask('GET', `/clusters/${CLUSTER}/occurrences?state=Missed&rule=weekly`);
  expect(answer.status).toBe(200);
  expect(gateway.received('listOccurrences').request).toMatchObject({ states: [4], rule: 'weekly' });
  expectFailure(await gateway.ask('GET', '/occurrences?state=Lost'), 400, 10001);
});
