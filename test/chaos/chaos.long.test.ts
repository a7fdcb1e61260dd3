import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import { removeFolder, temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import { expect, it } from 'vitest';
import { FAULT_KINDS, planOf } from './plan.ts';
import { report } from './report.ts';
import { runChaos } from './run.ts';

const MINUTES = 0.31;
const SEED = 815;
/** These make removals and locks wait for minutes, or take long or stay themselves: they are for `npm run chaos`. */
const LONG = ['clock', 'crowd', 'disk-full', 'mount-lost', 'record-damaged', 'store-habit'];
const KINDS = FAULT_KINDS.filter((kind) => !LONG.includes(kind) && !kind.startsWith('storage-'));

it('loses nothing, doubles nothing and leaves nothing while processes, servers and networks fail', async () => {
  const dataDir = temporaryDataFolder();
  using _folder = await claimDataFolder(dataDir);
  const told: string[] = [];
  try {
    const { result } = await runChaos({
      plan: planOf(SEED, MINUTES * 60_000, KINDS),
      minutes: MINUTES,
      dataDir,
      settleMs: 90_000,
      say: (line) => told.push(line),
      detail: (line) => told.push(line),
      signal: AbortSignal.timeout(400_000),
    });
    expect(result.violations, `${told.join('\n')}\n${report(result)}`).toEqual([]);
    expect(result.runsOfBr).toBeGreaterThan(0);
    expect(Object.keys(result.restores).length).toBeGreaterThan(0);
    expect(Object.keys(result.faults).length).toBeGreaterThan(4);
  } finally {
    removeFolder(dataDir);
  }
}, 460_000);
