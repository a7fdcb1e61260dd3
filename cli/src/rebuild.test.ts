import { expect, it } from 'vitest';
import { ApiError } from './api.ts';
import { rebuild } from './rebuild.ts';

const asked = { command: 'rebuild', storage: 'nfs', pool: '', apply: false } as const;
const check = (changes: object = {}) => ({
  check: { id: 'c1', pool: 'default', state: 'Queued', ok: false, worker: '', steps: [], totalSteps: 0, ...changes },
});
const counts = { name: 'nfs/em/backup', ok: true, message: '1 known, 1 missing, 0 rebuilt, 0 refused, 0 unreadable' };

/** Runs the command against answers that come one after the other. */
const run = async (answers: readonly (() => Record<string, unknown>)[], options: object = {}) => {
  const lines: string[] = [];
  const calls: unknown[][] = [];
  const stop = new AbortController();
  const fine = await rebuild(
    { ...asked, ...options },
    {
      async call(...call) {
        calls.push(call);
        const answer = answers[calls.length - 1];
        if (answer) return answer();
        stop.abort();
        throw stop.signal.reason;
      },
      say: (line) => void lines.push(line),
      stop: stop.signal,
    },
  );
  return { fine, lines, calls };
};

it('prints each manifest with its verdict, that it was a dry run and how to apply, and the counts last', async () => {
  const steps = [
    counts,
    { name: 'nfs/c1/a', ok: true, message: 'known: It is there.' },
    { name: 'nfs/c1/b\u001b[2J', ok: true, message: 'missing: No record: none.' },
  ];
  const done = check({ state: 'Done', ok: true, steps, totalSteps: 3 });
  const { fine, lines, calls } = await run([() => check(), () => check({ state: 'Running' }), () => done]);
  expect(fine).toBe(true);
  expect(calls[0]).toEqual(['POST', '/storages/nfs/rebuild', { pool: '', apply: false }]);
  expect(calls[1]).toEqual(['GET', '/storages/nfs/checks/c1']);
  expect(lines.slice(1)).toEqual([
    'known       nfs/c1/a  It is there.',
    'missing     nfs/c1/b?[2J  No record: none.',
    'This was a dry run: nothing was changed. To make the missing records: npm run tidemark -- rebuild --storage nfs --apply',
    counts.message,
  ]);
});

it('is not fine when something was refused, and says what failed before any manifest was found', async () => {
  const steps = [{ name: 'claim', ok: false, message: 'No worker took it.' }];
  const { fine, lines } = await run([() => check({ state: 'Done', steps, totalSteps: 5 })], { apply: true });
  expect(fine).toBe(false);
  expect(lines.slice(1)).toEqual([
    'failed      claim  No worker took it.',
    '… and 4 more, which are not shown.',
    'Not all is fine: see the lines above that say refused, unreadable or failed.',
  ]);
});

it('says that the rebuild goes on when nobody waits for it any longer', async () => {
  const { fine, lines } = await run([() => check()], { apply: true });
  expect(fine).toBe(false);
  expect(lines.at(-1)).toBe('No longer waiting; the rebuild goes on without you as check c1.');
});

it('waits for a gateway that is away for a moment, and gives up on what will not pass', async () => {
  const away = () => {
    throw new ApiError('away', { passing: true });
  };
  const { fine } = await run([() => check(), away, () => check({ state: 'Done', ok: true })]);
  expect(fine).toBe(true);
  const gone = () => {
    throw new ApiError('There is no check c1.', { passing: false });
  };
  await expect(run([() => check(), gone])).rejects.toThrow('There is no check c1.');
});
