import { randomUUID } from 'node:crypto';
import { newTask } from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTaskStore, type TaskDocument, type TaskStore } from './task-store.ts';
import { dropTestDatabase } from './testing/drop-test-database.ts';

interface Work extends TaskDocument {
  readonly done: number;
  readonly title: string;
}

const NOW = new Date('2026-01-01T00:00:00Z');
const signal = AbortSignal.timeout(60_000);

describe('documents with a task', () => {
  const mongo = new MongoClient(inject('mongodbUrl'));
  const db = mongo.db(`test-${randomUUID()}`);
  const works = db.collection<Work>('works');
  const told: string[] = [];
  let store: TaskStore<Work>;
  beforeAll(() => {
    store = createTaskStore(works, {
      now: () => NOW,
      onChanged: (before, after) => told.push(`${before._id}: ${before.done} → ${after.done}`),
    });
  });
  afterAll(async () => {
    await dropTestDatabase(db);
    await mongo.close();
  });

  const put = (_id: string, changes: Partial<Work> = {}) =>
    works.insertOne({
      _id,
      task: newTask(NOW),
      fence: 0,
      revision: 1,
      updateTime: NOW,
      done: 0,
      title: _id,
      ...changes,
    });
  const oneMore = async (before: Work) => () => ({ next: { ...before, done: before.done + 1 } });

  it('lose none of many changes that are made at once', async () => {
    await put('busy');
    await Promise.all(Array.from({ length: 10 }, () => store.apply('busy', oneMore, signal)));
    expect(await store.get('busy', signal)).toMatchObject({ done: 10, revision: 11 });
    expect(told.at(-1)).toBe('busy: 9 → 10');
  });

  it('stay as they are where nothing is decided, and where there is none', async () => {
    await put('still');
    const nothing = async () => (at: Date) => ({ at, next: undefined });
    const written = await store.apply('still', nothing, signal);
    expect(written).toMatchObject({ decision: { at: NOW }, before: { revision: 1 }, after: { revision: 1 } });
    expect(await store.apply('none', oneMore, signal)).toBeUndefined();
  });

  it('are written only where they changed', async () => {
    await put('half', { title: 'old' });
    const written = await store.apply(
      'half',
      async (before) => {
        await works.updateOne({ _id: 'half' }, { $set: { title: 'new' } });
        return oneMore(before);
      },
      signal,
    );
    expect(written?.after).toMatchObject({ done: 1, revision: 2, updateTime: NOW });
    expect(await store.get('half', signal)).toMatchObject({ done: 1, title: 'new' });
  });

  it('are decided anew where the write is refused for a reason that passes, and not for any other', async () => {
    await works.createIndex({ title: 1 }, { unique: true, name: 'title' });
    await put('first', { title: 'taken' });
    await put('second', { title: 'free' });
    const titles = ['taken', 'mine'];
    const rename = async (before: Work) => () => ({ next: { ...before, title: titles.shift() ?? 'none' } });
    const written = await store.apply('second', rename, signal, (_, { title }) => title === 'taken');
    expect(written?.after).toMatchObject({ title: 'mine', revision: 2 });
    const again = async (before: Work) => () => ({ next: { ...before, title: 'taken' } });
    await expect(store.apply('second', again, signal)).rejects.toThrow();
    await works.dropIndex('title');
  });

  it('are due in the order of their rings', async () => {
    await works.deleteMany({});
    const ringing = (ms: number) => ({ task: { ...newTask(NOW), ringAt: plus(NOW, ms) } });
    await Promise.all([put('b', ringing(-1)), put('c', ringing(0)), put('a', ringing(-2)), put('later', ringing(1))]);
    await put('done', { task: null });
    expect(await store.findDue(NOW, 10, signal)).toEqual(['a', 'b', 'c']);
    expect(await store.findDue(NOW, 2, signal)).toEqual(['a', 'b']);
  });
});
