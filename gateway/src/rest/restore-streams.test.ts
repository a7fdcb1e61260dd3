/** What can be followed of a restore over REST: its changes, and what its br printed. */
import { AppError } from '@tidemark/errors/app-error';
import { RestoreState, TargetState } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLUSTER, OTHER_CLUSTER, OTHER_RESTORE, RESTORE } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

describe('the events of a restore', () => {
  const PATH = `/restores/${RESTORE}/events`;
  const at = (state: RestoreState, revision: bigint) => ({
    restore: {
      ...{ id: RESTORE, state, revision, targetState: TargetState.PARTIAL },
      ...{ source: { clusterId: CLUSTER }, target: { clusterId: CLUSTER } },
    },
  });

  it('are its record after each change, under its revision, and then its end', async () => {
    gateway.answers.watchRestore = async function* () {
      yield at(RestoreState.RUNNING, 4n);
      yield at(RestoreState.FAILED, 5n);
    };
    const { status, headers, body } = await gateway.ask('GET', PATH, { token: 'viewer' });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const events = String(body).split('\n\n');
    expect(events[0]).toMatch(/^event: restore\nid: 4\ndata: \{.*"state":"Running".*\}$/);
    expect(events[1]).toMatch(/^event: restore\nid: 5\ndata: \{.*"state":"Failed".*\}$/);
    const record = JSON.parse(events[1]?.split('data: ')[1] ?? '');
    expect(record).toMatchObject({ id: RESTORE, targetState: 'Partial', source: { clusterId: CLUSTER } });
    expect(events.slice(2)).toEqual(['event: end\ndata: {}', '']);
  });

  it('say where they broke off, and not why', async () => {
    gateway.answers.watchRestore = async function* () {
      yield at(RestoreState.RUNNING, 4n);
      throw new AppError('unavailable', 'The database went away: password=hush');
    };
    const { body } = await gateway.ask('GET', PATH);
    expect(body).toContain('event: error\ndata: {"message":"The stream ended; connect again."}');
    expect(body).not.toContain('hush');
  });

  it('of a foreign or unknown restore are a 404, also where only one of its clusters is foreign', async () => {
    expectFailure(await gateway.ask('GET', `/restores/${OTHER_RESTORE}/events`, { token: 'one-cluster' }), 404, 10001);
    expectFailure(await gateway.ask('GET', '/restores/nobody/events'), 404, 10001);
    gateway.answers.getRestore = async ({ id }) => ({
      restore: { id, source: { clusterId: OTHER_CLUSTER }, target: { clusterId: CLUSTER } },
    });
    expectFailure(await gateway.ask('GET', PATH, { token: 'one-cluster' }), 404, 10001);
    expect(gateway.calls.map(({ method }) => method)).not.toContain('watchRestore');
  });
});

describe('the log of a restore', () => {
  const PATH = `/restores/${RESTORE}/log`;
  const piece = (attempt: number, text: string, skippedBytes = 0n) => ({
    ...{ attempt, skippedBytes, worker: `w${attempt}`, brVersion: 'v8.5.0' },
    data: Buffer.from(text),
  });
  const withAttempts = (count: number, ended: boolean) => async () => ({
    restore: {
      ...{ id: RESTORE, source: { clusterId: CLUSTER }, target: { clusterId: CLUSTER } },
      attempts: Array.from({ length: count }, () => ({ worker: 'w' })),
      ...(ended && { endTime: { seconds: 1n } }),
    },
  });

  it('is plain text: a heading for each attempt, its lines as they came, and what was not kept', async () => {
    gateway.answers.readRestoreLog = async function* () {
      yield piece(1, 'one\n');
      yield piece(1, 'end\n', 512n);
      yield piece(2, 'three\n');
    };
    const { status, headers, body } = await gateway.ask('GET', PATH, { token: 'viewer' });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(body).toBe(
      '==> attempt 1, br v8.5.0, worker w1 <==\none\n\n[… 512 bytes were not kept …]\nend\n\n==> attempt 2, br v8.5.0, worker w2 <==\nthree\n',
    );
    expect(gateway.received('readRestoreLog').request).toMatchObject({ id: RESTORE, attempt: 0, follow: false });
  });

  it('is of one attempt, and followed, where that is asked for', async () => {
    gateway.answers.getRestore = withAttempts(2, true);
    await gateway.ask('GET', `${PATH}?attempt=2&follow=true`);
    expect(gateway.received('readRestoreLog').request).toMatchObject({ attempt: 2, follow: true });
  });

  it('of an attempt that was never made is a 400, unless it is followed and may still come', async () => {
    gateway.answers.getRestore = withAttempts(1, true);
    const refused = await gateway.ask('GET', `${PATH}?attempt=2&follow=true`);
    expectFailure(refused, 400, 10001);
    expect(badFields(refused)).toEqual(['attempt']);
    gateway.answers.getRestore = withAttempts(1, false);
    expectFailure(await gateway.ask('GET', `${PATH}?attempt=2`), 400, 10001);
    expect((await gateway.ask('GET', `${PATH}?attempt=2&follow=true`)).status).toBe(200);
  });

  it('of a foreign or unknown restore is a 404, and nothing of it is read', async () => {
    expectFailure(await gateway.ask('GET', `/restores/${OTHER_RESTORE}/log`, { token: 'one-cluster' }), 404, 10001);
    expectFailure(await gateway.ask('GET', '/restores/nobody/log'), 404, 10001);
    expect(gateway.calls.map(({ method }) => method)).not.toContain('readRestoreLog');
  });
});
