import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@tidemark/errors/app-error';
import { type ReportOutputRequest, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { describe, expect, it, vi } from 'vitest';
import { type RecorderOptions, startOutputRecorder } from './output-recorder.ts';

const MIB = 1024 * 1024;
const facts = { requestId: 'r', backupId: 'b', clusterId: 'c' };
const task = { backupId: 'b', claim: 'x', fence: 1n };

/** A backup-service that takes pieces; `answer` may make it fail or wait first. */
const listener = (
  answer: (request: ReportOutputRequest) => Promise<TaskStanding | undefined> = async () => undefined,
) => {
  const told: ReportOutputRequest[] = [];
  const client: RecorderOptions['client'] = {
    async reportOutput(request) {
      const standing = (await answer(request)) ?? TaskStanding.TASK_STANDING_HELD;
      told.push(request);
      return { standing };
    },
  };
  return { told, client, text: () => told.map(({ data }) => data.toString()).join('') };
};

describe('the output recorder', () => {
  it('tells what was printed while the run goes on, in order and in pieces that fit', async () => {
    const { client, told, text } = listener();
    const recorder = startOutputRecorder({ client, task, facts, callMs: 1_000, everyMs: 5 });
    recorder.push(Buffer.from('one '));
    recorder.push(Buffer.from('two '));
    await vi.waitFor(() => expect(text()).toBe('one two '));
    recorder.push(Buffer.alloc(200_000, 'x'));
    await recorder.finish();
    expect(text()).toBe(`one two ${'x'.repeat(200_000)}`);
    expect(Math.max(...told.map(({ data }) => data.length))).toBeLessThanOrEqual(64 * 1024);
    expect(told.map(({ sequence }) => sequence)).toEqual(told.map((_, index) => index));
    let end = 0;
    for (const { offset, data } of told) {
      expect(Number(offset)).toBe(end);
      end += data.length;
    }
  });

  it('repeats a piece whose answer was lost as the same piece', async () => {
    let lost = 2;
    const tries: ReportOutputRequest[] = [];
    const { client, text } = listener(async (request) => {
      tries.push(request);
      if (lost-- > 0) throw new AppError('unavailable', 'away');
      return undefined;
    });
    const recorder = startOutputRecorder({ client, task, facts, callMs: 1_000, everyMs: 5 });
    recorder.push(Buffer.from('first'));
    await vi.waitFor(() => expect(text()).toBe('first'));
    recorder.push(Buffer.from(' second'));
    await recorder.finish();
    expect(text()).toBe('first second');
    expect(tries.slice(0, 3).map(({ sequence, data }) => `${sequence} ${data}`)).toEqual(Array(3).fill('0 first'));
  });

  it('keeps the beginning and the end of a run that prints faster than can be told, in bounded memory', async () => {
    const open = Promise.withResolvers<undefined>();
    const { client, told } = listener(() => open.promise);
    const recorder = startOutputRecorder({ client, task, facts, callMs: 1_000, everyMs: 5 });
    for (let index = 0; index < 300; index += 1) recorder.push(Buffer.alloc(MIB / 4, index % 256));
    open.resolve(undefined);
    await recorder.finish();
    const bytes = told.reduce((sum, { data }) => sum + data.length, 0);
    expect(bytes).toBeGreaterThanOrEqual(8 * MIB);
    expect(bytes).toBeLessThanOrEqual(9 * MIB + 64 * 1024);
    const last = told.at(-1);
    expect(Number(last?.offset) + Number(last?.data.length)).toBe(75 * MIB);
    const beginning = told.filter(({ offset }) => Number(offset) < MIB).reduce((sum, { data }) => sum + data.length, 0);
    expect(beginning).toBeGreaterThanOrEqual(MIB);
  });

  it('tells the last words to the last one as long as they get through, however many there are', async () => {
    const { client: quick, told } = listener();
    const client: RecorderOptions['client'] = {
      async reportOutput(request, options) {
        await sleep(50, undefined, { signal: options?.signal });
        return quick.reportOutput(request);
      },
    };
    const recorder = startOutputRecorder({ client, task, facts, callMs: 1_000, everyMs: 5, lastWordsMs: 1_000 });
    recorder.push(Buffer.alloc(40 * 64 * 1024));
    recorder.push(Buffer.from('success summary'));
    await recorder.finish();
    expect(told.at(-1)?.data.toString()).toBe('success summary');
  });

  it('does not let the end of a task wait for a service that is away', async () => {
    const { client } = listener(async () => {
      throw new AppError('unavailable', 'away');
    });
    const recorder = startOutputRecorder({ client, task, facts, callMs: 1_000, everyMs: 5, lastWordsMs: 50 });
    recorder.push(Buffer.from('x'));
    await recorder.finish();
  });

  it('stops telling when the attempt is not known', async () => {
    const { client, told } = listener(async () => TaskStanding.TASK_STANDING_LOST);
    const recorder = startOutputRecorder({ client, task, facts, callMs: 1_000, everyMs: 5 });
    recorder.push(Buffer.from('one'));
    await vi.waitFor(() => expect(told).toHaveLength(1));
    recorder.push(Buffer.from('two'));
    await recorder.finish();
    expect(told).toHaveLength(1);
  });
});
