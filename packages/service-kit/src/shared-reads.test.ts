import { expect, it } from 'vitest';
import { shareReads } from './shared-reads.ts';

const never = new AbortController().signal;

/** Reads that are answered when the test says so. */
function slowReads() {
  const begun: { readonly key: string; readonly answer: PromiseWithResolvers<string> }[] = [];
  const share = shareReads<string>();
  const read = (key: string, signal: AbortSignal) =>
    share(key, signal, () => {
      const answer = Promise.withResolvers<string>();
      begun.push({ key, answer });
      return answer.promise;
    });
  return { begun, read };
}

it('tells nobody what was before they asked, and reads once for all who asked meanwhile (SR1)', async () => {
  const { begun, read } = slowReads();
  const first = read('a', never);
  const others = [read('a', never), read('a', never), read('a', never)];
  expect(begun).toHaveLength(1);
  begun[0]?.answer.resolve('before');
  expect(await first).toBe('before');
  expect(begun).toHaveLength(2);
  const last = read('a', never);
  begun[1]?.answer.resolve('after');
  expect(await Promise.all(others)).toEqual(['after', 'after', 'after']);
  begun[2]?.answer.resolve('later');
  expect(await last).toBe('later');
  const alone = read('a', never);
  expect(begun).toHaveLength(4);
  begun[3]?.answer.resolve('alone');
  expect(await alone).toBe('alone');
});

it('reads different things side by side, and anew after a failure', async () => {
  const { begun, read } = slowReads();
  const [one, other] = [read('a', never), read('b', never)];
  const waiting = read('a', never);
  expect(begun.map(({ key }) => key)).toEqual(['a', 'b']);
  begun[0]?.answer.reject(new Error('away'));
  begun[1]?.answer.resolve('b');
  await expect(one).rejects.toThrow('away');
  expect(await other).toBe('b');
  begun[2]?.answer.resolve('a');
  expect(await waiting).toBe('a');
});

it('goes on for the others when one of them goes away (SR2)', async () => {
  const { begun, read } = slowReads();
  const gone = new AbortController();
  const [one, other] = [read('a', gone.signal), read('a', never)];
  gone.abort(new Error('gone'));
  await expect(one).rejects.toThrow('gone');
  begun[0]?.answer.resolve('first');
  await expect.poll(() => begun.length).toBe(2);
  begun[1]?.answer.resolve('second');
  expect(await other).toBe('second');
});
