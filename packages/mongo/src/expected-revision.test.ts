import { expect, it } from 'vitest';
import { requireRevision } from './expected-revision.ts';

const refusal = (expected: bigint | undefined, is: Parameters<typeof requireRevision>[2]) => {
  try {
    requireRevision('Rule nightly', expected, is);
    return 'fine';
  } catch (error) {
    return error;
  }
};

it('lets a save through that names no revision, or that of its record', () => {
  for (const is of [undefined, { revision: 3 }]) expect(refusal(undefined, is)).toBe('fine');
  expect(refusal(3n, { revision: 3 })).toBe('fine');
  expect(refusal(0n, undefined)).toBe('fine');
});

it('lets one through that is about a revision since which nobody saved', () => {
  const taken = { revision: 7, savedRevision: 5 };
  expect([5n, 6n, 7n].map((expected) => refusal(expected, taken))).toEqual(['fine', 'fine', 'fine']);
  for (const expected of [0n, 4n, 8n]) expect(refusal(expected, taken), String(expected)).not.toBe('fine');
});

it.each([
  [2n, { revision: 3 }, 'Rule nightly is at revision 3, and this save is about revision 2', '3'],
  [4n, { revision: 3 }, 'Rule nightly is at revision 3, and this save is about revision 4', '3'],
  [0n, { revision: 3 }, 'Rule nightly is at revision 3, and this save is to make it', '3'],
  [2n, undefined, 'Rule nightly is not there, and this save is about revision 2', '0'],
  [2n ** 64n - 1n, { revision: 1 }, 'about revision 18446744073709551615', '1'],
] as const)('refuses a save about revision %s of a record that is %j', (expected, is, sentence, revision) => {
  expect(refusal(expected, is)).toMatchObject({
    code: 'revision_changed',
    message: expect.stringContaining(sentence),
    details: { info: { revision } },
  });
});
