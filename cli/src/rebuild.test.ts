import { expect, it } from 'vitest';
import { ApiError } from './api.ts';
import { EXIT } from './exit.ts';
import { type Check, rebuild } from './rebuild.ts';

const asked = { storage: 'nfs', pool: '', apply: false } as const;
const check = (changes: Partial<Check> = {}): Check => ({
  ...{ id: 'c1', pool: 'default', state: 'Queued', ok: false, steps: [], totalSteps: 0 },
  ...changes,
});
const counts = { name: 'nfs/em/backup', ok: true, message: '1 known, 1 missing, 0 rebuilt, 0 refused, 0 unreadable' };

/** Runs the command against answers that come one after the other. */
const run = async (answers: readonly (() => Check)[], options: object = {}) => {
  const lines: string[] = [];
  const calls: string[] = [];
  const stop = new AbortController();
  const answer = async (call: string) => {
    calls.push(call);
    const next = answers[calls.length - 1];
    if (next) return next();
    stop.abort();
    throw stop.signal.reason;
  };
  const fine = await rebuild(
    { ...asked, ...options },
    {
      begin: () => answer('begin'),
      look: (id) => answer(`look at ${id}`),
      say: (line) => void lines.push(line),
      stop: stop.signal,
      command: 'tidemark',
    },
  );
  return { fine, lines, calls };
};

it('prints each manifest with its verdict, that it was a dry run and how to apply, and the counts last', async () => {
  const steps = [
    counts,
    { name: 'nfs/c1/a', ok: true, message: 'known: It is there.' },
    { name: 'nfs/c1/b', ok: true, message: 'missing: No record: none.' },
  ];
  const done = check({ state: 'Done', ok: true, steps, totalSteps: 3 });
  const { fine, lines, calls } = await run([() => check(), () => check({ state: 'Running' }), () => done]);
  expect(fine).toBe(true);
  expect(calls).toEqual(['begin', 'look at c1', 'look at c1']);
  expect(lines.slice(1)).toEqual([
    'known       nfs/c1/a  It is there.',
    'missing     nfs/c1/b  No record: none.',
    'This was a dry run: nothing was changed. To make the missing records: tidemark rebuild --storage nfs --apply',
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
    throw new ApiError('away', { exitCode: EXIT.unreachable });
  };
  const { fine } = await run([() => check(), away, () => check({ state: 'Done', ok: true })]);
  expect(fine).toBe(true);
  const gone = () => {
    throw new ApiError('There is no check c1.', { exitCode: EXIT.failed });
  };
  await expect(run([() => check(), gone])).rejects.toThrow('There is no check c1.');
});
