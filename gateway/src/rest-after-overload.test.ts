import { createClient, createRouterTransport } from '@connectrpc/connect';
import { AppError } from '@tidemark/errors/app-error';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { describe, expect, it, vi } from 'vitest';
import { restAfterOverload } from './rest-after-overload.ts';
import { wireError } from './testing/programmable-backends.ts';

const OVERLOADED = wireError(new AppError('overloaded', 'Too much to do.', { retryAfterMs: 700 }));

function serviceThatAnswers(answer: () => object) {
  const reached = vi.fn(answer);
  const transport = createRouterTransport(({ service }) => service(BackupService, { getBackup: () => reached() }));
  const client = createClient(BackupService, restAfterOverload(transport, { name: 'backup-service', usualMs: 1_000 }));
  return { reached, ask: (timeoutMs?: number) => client.getBackup({ id: 'b' }, { ...(timeoutMs && { timeoutMs }) }) };
}

const refused = { code: 'overloaded', message: 'Too much to do.' };

describe('a service that refuses because of overload', () => {
  it('is left alone for a moment, in which the gateway refuses for it, and then asked again', async () => {
    let busy = true;
    const { reached, ask } = serviceThatAnswers(() => {
      if (busy) throw OVERLOADED;
      return {};
    });
    await expect(ask()).rejects.toMatchObject(refused);
    const crowd = await Promise.allSettled(Array.from({ length: 50 }, () => ask()));
    expect(crowd.map(({ status }) => status)).toEqual(Array(50).fill('rejected'));
    expect(reached).toHaveBeenCalledTimes(1);
    busy = false;
    await vi.waitFor(() => ask(), { interval: 20 });
    expect(await Promise.all(Array.from({ length: 50 }, () => ask()))).toHaveLength(50);
  });

  it('is asked by others as ever where a call was refused that had little time, and is named for the log', async () => {
    const answers = [OVERLOADED, undefined, OVERLOADED];
    const { ask } = serviceThatAnswers(() => {
      const error = answers.shift();
      if (error) throw error;
      return {};
    });
    await expect(ask(400)).rejects.toMatchObject({ ...refused, cause: expect.stringContaining('backup-service') });
    await ask();
    await expect(ask(1_000)).rejects.toMatchObject(refused);
    await expect(ask()).rejects.toMatchObject({ ...refused, cause: expect.stringContaining('backup-service') });
  });

  it('has those who were turned away come back over as long as it takes to serve them', async () => {
    let busy = false;
    const { ask } = serviceThatAnswers(() => {
      if (busy) throw OVERLOADED;
      return {};
    });
    await Promise.all(Array.from({ length: 20 }, () => ask()));
    busy = true;
    const crowd = await Promise.allSettled(Array.from({ length: 400 }, () => ask()));
    const delays = crowd.flatMap((one) => (one.status === 'rejected' ? [one.reason.details.retryAfterMs] : []));
    expect(delays).toHaveLength(400);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(500);
    // 20 were served in the last second, so 400 need some: all within the longest spread.
    expect(Math.max(...delays)).toBeGreaterThan(5_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(10_500);
  });
});

it('other errors and answers pass, and nothing rests', async () => {
  const answers = [
    () => {
      throw wireError(new AppError('unavailable', 'Away.'));
    },
    () => ({}),
  ];
  const { reached, ask } = serviceThatAnswers(() => answers.shift()?.() ?? {});
  await expect(ask()).rejects.toThrow('Away.');
  await ask();
  expect(reached).toHaveBeenCalledTimes(2);
});
