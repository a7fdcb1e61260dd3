import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

interface Check {
  readonly id: string;
  readonly state: string;
  readonly ok: boolean;
  readonly worker: string;
  readonly steps: readonly { readonly name: string; readonly ok: boolean; readonly message: string }[];
}

describe('a check of a storage', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark();
  });
  afterAll(() => tidemark[Symbol.asyncDispose]());

  const check = async (storageId: string, body: object = {}) => {
    const answer = await tidemark.call<{ check: Check }>('POST', `/storages/${storageId}/check`, body);
    expect(answer.code, answer.message).toBe(0);
    return answer.data.check;
  };

  it('has a worker write, list, read and delete a probe, tells each step, and leaves nothing behind', async () => {
    const before = tidemark.files('');
    const done = await check('local');
    expect(done).toMatchObject({ state: 'Done', ok: true, worker: expect.stringMatching(/\S/) });
    expect(done.steps.map(({ name, ok }) => [name, ok])).toEqual(
      ['credentials', 'reach', 'write', 'list', 'read', 'delete', 'gone', 'traits'].map((name) => [name, true]),
    );
    expect(tidemark.files('')).toEqual(before);
    const again = await tidemark.call<{ check: Check }>('GET', `/storages/local/checks/${done.id}`);
    expect(again.data.check).toEqual(done);
  });

  it('says of a folder that the worker does not have that it is not there', async () => {
    const path = join(tidemark.stack.storage, 'nowhere');
    const put = await tidemark.call('PUT', '/storages/absent', { type: 'local', path });
    expect(put.code, put.message).toBe(0);
    const done = await check('absent');
    expect(done).toMatchObject({ state: 'Done', ok: false });
    expect(done.steps.at(-1)).toMatchObject({
      name: 'reach',
      ok: false,
      message: expect.stringContaining(`${path} cannot be used on this worker`),
    });
  });

  it('of an unknown storage is a 404, and is not granted to a pool that is none', async () => {
    expect(await tidemark.call('POST', '/storages/nobody/check')).toMatchObject({ status: 404, code: 20600 });
    expect(await tidemark.call('POST', '/storages/local/check', { pool: 'A B' })).toMatchObject({
      status: 400,
      code: 10001,
    });
  });
});
