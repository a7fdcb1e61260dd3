/** Which registrations share PDs, told from memory and held against the records (registered-pds.ts, RP1 to RP3). */
import { plus } from '@tidemark/task/time';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createRegisteredPds, type RegisteredPds } from './registered-pds.ts';
import type { ClusterDocument } from './registry-store.ts';
import { runningService, type TestService } from './testing/running-service.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const signal = new AbortController().signal;

let service: TestService;
let pds: RegisteredPds;
let now: Date;
beforeAll(async () => {
  service = await runningService();
}, 60_000);
afterAll(() => service?.[Symbol.asyncDispose]());

const clusters = () => service.db.collection<ClusterDocument>('clusters');
/** Saves a cluster as any copy of the service does. */
async function save(_id: string, pd: unknown, updateTime: unknown = NOW) {
  await clusters().updateOne({ _id }, { $set: { pd, updateTime } as Partial<ClusterDocument> }, { upsert: true });
}
const namesakes = async (...pd: string[]) => (await pds.namesakes({ _id: 'asked', pd }, signal)).map(({ _id }) => _id);

beforeEach(async () => {
  await clusters().deleteMany({});
  await save('asked', ['a:1']);
  await save('near', ['A.:1', 'b:1']);
  await save('far', ['b:1', 'c:1']);
  await save('other', ['d:1']);
  now = NOW;
  pds = createRegisteredPds(clusters(), () => now);
});

it('finds those that a chain of shared PDs leads to, the nearest first', async () => {
  expect(await namesakes('a:1')).toEqual(['near', 'far']);
  expect(await namesakes('e:1')).toEqual([]);
});

it('knows what another copy saved, moved or removed since the last question', async () => {
  expect(await namesakes('a:1')).toEqual(['near', 'far']);
  await save('new', ['c:1', 'd:1'], plus(NOW, 1_000));
  expect(await namesakes('a:1')).toEqual(['near', 'far', 'new', 'other']);
  await save('near', ['z:1'], plus(NOW, 2_000));
  expect(await namesakes('a:1')).toEqual([]);
  await save('near', ['a:1'], plus(NOW, 3_000));
  await clusters().deleteOne({ _id: 'far' });
  expect(await namesakes('a:1')).toEqual(['near']);
});

it('knows what a copy with a slower clock saved, after one with a faster clock had', async () => {
  await save('ahead', ['x:1'], plus(NOW, 20_000));
  expect(await namesakes('a:1')).toEqual(['near', 'far']);
  await save('behind', ['a:1'], plus(NOW, 1_000));
  expect(await namesakes('a:1')).toEqual(['behind', 'near', 'far']);
});

it('looks back from the last question and not from the last save, so that many saved at once are read once', async () => {
  expect(await namesakes('a:1')).toEqual(['near', 'far']);
  now = plus(NOW, 40_000);
  expect(await namesakes('a:1')).toEqual(['near', 'far']);
  await save('again', ['a:1'], NOW);
  expect(await namesakes('a:1')).toEqual(['near', 'far']);
  await save('new', ['a:1'], plus(NOW, 20_000));
  expect(await namesakes('a:1')).toEqual(['near', 'new', 'far']);
});

it('finds what a copy saved that stood still for long before it wrote, once all is read anew', async () => {
  expect(await namesakes('a:1')).toEqual(['near', 'far']);
  await save('stood', ['a:1'], plus(NOW, -3_600_000));
  await pds.refresh(signal);
  expect(await namesakes('a:1')).toEqual(['near', 'stood', 'far']);
});

it('finds the others although a record is damaged, and reads all again where the first reading failed', async () => {
  await save('damaged', 'a:1');
  await save('numbers', [1, 'a:1'], 'yesterday');
  expect(await namesakes('a:1')).toEqual(['near', 'numbers', 'far']);
  const gone = AbortSignal.abort(new Error('given up'));
  const fresh = createRegisteredPds(clusters(), () => now);
  await expect(fresh.namesakes({ _id: 'asked', pd: ['a:1'] }, gone)).rejects.toThrow();
  expect(await fresh.namesakes({ _id: 'asked', pd: ['a:1'] }, signal)).toHaveLength(3);
});
