import { AppError } from '@tidemark/errors/app-error';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BACKUP, OTHER_BACKUP, sampleBackup } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

describe('the log of a backup', () => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await startTestGateway();
  });
  afterEach(() => gateway[Symbol.asyncDispose]());

  const PATH = `/backups/${BACKUP}/log`;
  const piece = (attempt: number, text: string, skippedBytes = 0n) => ({
    attempt,
    data: Buffer.from(text),
    skippedBytes,
    worker: `w${attempt}`,
    brVersion: 'v8.5.0',
  });

  it('is plain text: a heading for each attempt, its lines as they came, and what was not kept', async () => {
    gateway.answers.readBackupLog = async function* () {
      yield piece(1, 'one\ntw');
      yield piece(1, 'o\n');
      yield piece(1, 'end\n', 512n);
      yield piece(2, 'three\n');
    };
    const { status, headers, body } = await gateway.ask('GET', PATH, { token: 'viewer' });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(body).toBe(
      '==> attempt 1, br v8.5.0, worker w1 <==\none\ntwo\n\n[… 512 bytes were not kept …]\nend\n\n==> attempt 2, br v8.5.0, worker w2 <==\nthree\n',
    );
    expect(gateway.received('readBackupLog').request).toMatchObject({ id: BACKUP, attempt: 0, follow: false });
  });

  it('is of one attempt, and followed, where that is asked for', async () => {
    const attempt = { worker: 'w' };
    gateway.answers.getBackup = async () => ({ backup: sampleBackup({ attempts: [attempt, attempt] }) });
    await gateway.ask('GET', `${PATH}?attempt=2&follow=true`);
    expect(gateway.received('readBackupLog').request).toMatchObject({ attempt: 2, follow: true });
  });

  it('of an attempt that was never made is a 400, unless it is followed and may still come', async () => {
    const refused = await gateway.ask('GET', `${PATH}?attempt=1&follow=true`);
    expectFailure(refused, 400, 10001);
    expect(badFields(refused)).toEqual(['attempt']);
    gateway.answers.getBackup = async () => ({ backup: sampleBackup({ endTime: undefined }) });
    gateway.answers.readBackupLog = async function* () {};
    expectFailure(await gateway.ask('GET', `${PATH}?attempt=1`), 400, 10001);
    expect((await gateway.ask('GET', `${PATH}?attempt=1&follow=true`)).status).toBe(200);
  });

  it('is that of all attempts for attempt=0, which generated clients send', async () => {
    expect((await gateway.ask('GET', `${PATH}?attempt=0`)).status).toBe(200);
    expect(gateway.received('readBackupLog').request).toMatchObject({ attempt: 0 });
  });

  it('of a backup that nothing ran for is empty', async () => {
    gateway.answers.readBackupLog = async function* () {};
    expect((await gateway.ask('GET', PATH)).body).toBe('');
  });

  it.each([
    ['attempt=-1', 'attempt'],
    ['attempt=one', 'attempt'],
    ['follow=yes', 'follow'],
  ])('refuses %s and names the field', async (query, field) => {
    const answer = await gateway.ask('GET', `${PATH}?${query}`);
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual([field]);
  });

  it('of a foreign or unknown backup is a 404, and nothing of it is read', async () => {
    expectFailure(await gateway.ask('GET', `/backups/${OTHER_BACKUP}/log`, { token: 'one-cluster' }), 404, 20610);
    expectFailure(await gateway.ask('GET', '/backups/nobody/log'), 404, 20610);
    expect(gateway.calls.map(({ method }) => method)).not.toContain('readBackupLog');
  });

  it('says where it broke off, and not why', async () => {
    gateway.answers.readBackupLog = async function* () {
      yield piece(1, 'one\n');
      throw new AppError('unavailable', 'The database went away: password=hush');
    };
    const { body } = await gateway.ask('GET', PATH);
    expect(body).toContain('one\n\n[the log broke off here; ask again]');
    expect(body).not.toContain('hush');
  });

  it('is followed as it grows, and let go when the client goes away', async () => {
    const canceled = Promise.withResolvers<void>();
    gateway.answers.readBackupLog = async function* (_, { signal }) {
      yield piece(1, 'one\n');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      canceled.resolve();
    };
    const port = await gateway.listen();
    const leave = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}/api/v1${PATH}?follow=true`, {
      headers: { authorization: 'Bearer viewer' },
      signal: leave.signal,
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let received = '';
    while (!received.includes('one\n')) received += (await reader?.read())?.value ?? '';
    leave.abort();
    await canceled.promise;
  });
});
