import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, it } from 'vitest';
import { taskTimeOf } from './task-time.ts';

const START = 1_800_000_000_000;
const at = (seconds: number) => timestampFromMs(START + seconds * 1_000);

it('what no worker has taken waits since it was asked for', () => {
  expect(taskTimeOf({ startTime: at(0), attempts: [] })).toEqual({ is: 'waiting', sinceMs: START });
});

it('what a worker has runs since that took it, and not since it was asked for', () => {
  expect(taskTimeOf({ startTime: at(0), attempts: [{ startTime: at(20) }] })).toEqual({
    is: 'running',
    sinceMs: START + 20_000,
  });
});

it('between two attempts it waits since the last one ended', () => {
  expect(taskTimeOf({ startTime: at(0), attempts: [{ startTime: at(20), endTime: at(30) }] })).toEqual({
    is: 'waiting',
    sinceMs: START + 30_000,
  });
});

it('what is over took all of its time, and says how much of it was waiting for its first worker', () => {
  const attempts = [
    { startTime: at(20), endTime: at(30) },
    { startTime: at(40), endTime: at(45) },
  ];
  expect(taskTimeOf({ startTime: at(0), endTime: at(45), attempts })).toEqual({
    is: 'over',
    seconds: 45,
    waitedSeconds: 20,
  });
  expect(taskTimeOf({ startTime: at(0), endTime: at(5), attempts: [] })).toMatchObject({ waitedSeconds: 0 });
  expect(taskTimeOf({ attempts: [] })).toBeUndefined();
});
