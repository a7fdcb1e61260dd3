import { AppError } from '@tidemark/errors/app-error';
import { MAX_QUARANTINED } from '@tidemark/limits/limits';
import { expect, it, vi } from 'vitest';
import type { Logger } from './logging.ts';
import { renderMetrics } from './metrics.ts';
import { createQuarantine, type QuarantineOptions, readable, readOne } from './quarantine.ts';

const SIGNAL = new AbortController().signal;
const BUG = new TypeError("Cannot read properties of undefined (reading 'at')");
let kinds = 0;

function quarantine(options: Partial<QuarantineOptions> = {}) {
  const told: object[] = [];
  const log = { error: (fields: object) => void told.push(fields) } as unknown as Logger;
  kinds += 1;
  const kind = `kind-${kinds}`;
  const metric = async (name: string) =>
    Number(new RegExp(`^${name}{kind="${kind}"} (\\d+)$`, 'm').exec((await renderMetrics()).body)?.[1]);
  return { quarantine: createQuarantine({ kind, log, ...options }), told, metric };
}

const breaks = () => Promise.reject(BUG);

it('goes on where a record is damaged, counts it, and tells it once in its pause with its id and the cause', async () => {
  const { quarantine: one, told, metric } = quarantine({ firstMs: 60_000 });
  const tried: string[] = [];
  const work = async (id: string) => {
    tried.push(id);
    if (id === 'bad') await breaks();
  };
  for (let round = 0; round < 3; round += 1)
    for (const id of ['bad', 'good']) await one.attempt(id, () => work(id), SIGNAL);
  expect(tried).toEqual(['bad', 'good', 'good', 'good']);
  expect(told).toEqual([expect.objectContaining({ id: 'bad', failures: 1, error: BUG })]);
  expect(await metric('tidemark_quarantined_records')).toBe(1);
  expect(await metric('tidemark_quarantine_failures_total')).toBe(1);
  expect([one.size, one.admits('bad'), one.admits('good')]).toEqual([1, false, true]);
});

it('tries a damaged record again, later each time, and takes it back once it is mended', async () => {
  const { quarantine: one, told, metric } = quarantine({ firstMs: 4, longestMs: 16 });
  const again = async (act: () => Promise<unknown>) => {
    await vi.waitFor(() => expect(one.admits('bad')).toBe(true));
    await one.attempt('bad', act, SIGNAL);
  };
  for (let round = 0; round < 4; round += 1) await again(breaks);
  const pauses = told.map((fields) => (fields as { pauseMs: number }).pauseMs);
  expect(told).toHaveLength(4);
  expect(pauses[3]).toBeGreaterThan(pauses[0] ?? 0);
  await again(async () => undefined);
  expect([one.size, await metric('tidemark_quarantined_records')]).toEqual([0, 0]);
});

it('throws what says nothing of the record, and leaves a conflict to the next round', async () => {
  const { quarantine: one, told } = quarantine();
  const gone = AbortSignal.abort();
  for (const code of ['unavailable', 'deadline_exceeded', 'overloaded', 'canceled'] as const)
    await expect(one.attempt('a', () => Promise.reject(new AppError(code, code)), SIGNAL)).rejects.toMatchObject({
      code,
    });
  await expect(one.attempt('a', () => Promise.reject(gone.reason), gone)).rejects.toBe(gone.reason);
  await one.attempt('a', () => Promise.reject(new AppError('conflict', 'others were faster')), SIGNAL);
  expect([told, one.admits('a')]).toEqual([[], true]);
});

it('remembers only so many, and forgets the one that failed longest ago', () => {
  const { quarantine: one } = quarantine({ firstMs: 60_000 });
  const broken = () => {
    throw BUG;
  };
  for (let number = 0; number <= MAX_QUARANTINED; number += 1) one.read(`bad-${number}`, broken);
  expect([one.size, one.admits('bad-0'), one.admits('bad-1')]).toEqual([MAX_QUARANTINED, true, false]);
});

it('leaves a record out of a list that cannot be converted or written, and refuses it alone with its id in the cause', () => {
  const { quarantine: one, told } = quarantine();
  const codec = { encode: (at: Date) => ({ finish: () => new Uint8Array(at.getTime() === 0 ? 1 : 2) }) };
  const records = [{ _id: 'a', at: new Date() }, { _id: 'no time', at: 'x' }, { _id: 'nothing' }];
  const toMessage = (record: object) => (record as { at: Date }).at;
  expect(readable(one, records, toMessage, codec).map(({ record }) => record._id)).toEqual(['a']);
  expect(told).toHaveLength(2);
  expect(() => readOne('backup', { _id: 'b7' }, toMessage, codec)).toThrow(
    expect.objectContaining({
      code: 'internal',
      cause: expect.objectContaining({ message: expect.stringContaining('b7') }),
    }),
  );
});
