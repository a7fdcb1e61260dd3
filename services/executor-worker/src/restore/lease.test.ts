import { type RenewRestoreRequest, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { RestoreState } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { describe, expect, it, vi } from 'vitest';
import { keepRestoreLease } from './lease.ts';

const facts = { requestId: 'q', restoreId: 'r', clusterId: 'c' };
const restore = { restoreId: 'r', claim: 'x', fence: 1n };
/** No renewal comes by itself within a test. */
const timing = { renewMs: 60_000, callMs: 1_000, spawnMs: 1_000 };
const START = { argv: ['restore', 'full'], brVersion: 'v8.5.0', hasCheckpoint: true };

/** A backup-service that answers renewals, and remembers them. */
const service = (
  answer: (request: RenewRestoreRequest) => {
    standing?: TaskStanding;
    state?: RestoreState;
    mayStart?: boolean;
  } = () => ({}),
) => {
  const renewals: RenewRestoreRequest[] = [];
  const client = {
    async renewRestore(request: RenewRestoreRequest) {
      renewals.push(request);
      return {
        standing: TaskStanding.TASK_STANDING_HELD,
        state: RestoreState.RESTORE_STATE_RUNNING,
        mayStart: request.starting !== undefined,
        ...answer(request),
      };
    },
  };
  return { renewals, client };
};

describe('the lease of a restore', () => {
  it('brings progress, and learns of a cancel at once where somebody says that there is one', async () => {
    let state: RestoreState = RestoreState.RESTORE_STATE_RUNNING;
    const { renewals, client } = service(() => ({ state }));
    await using lease = keepRestoreLease({ client, restore, facts, timing });
    lease.report({ step: 'Full Restore', percent: 12, speed: '', remainingSeconds: undefined });
    await vi.waitFor(() => expect(renewals.map(({ progress }) => progress?.percent)).toEqual([12]));
    state = RestoreState.RESTORE_STATE_CANCELING;
    lease.renewNow();
    await vi.waitFor(() => expect(lease.canceling.aborted).toBe(true));
  });

  it('allows a start that was answered so, for a while, and notifies the guard of each answer', async () => {
    const { renewals, client } = service();
    await using lease = keepRestoreLease({ client, restore, facts, timing });
    const alive = vi.fn();
    lease.guardWith(alive);
    const before = performance.now();
    const startBy = await lease.announce(START);
    expect(startBy).toBeGreaterThanOrEqual(before + timing.spawnMs);
    expect(startBy).toBeLessThanOrEqual(performance.now() + timing.spawnMs);
    expect(renewals[0]?.starting).toMatchObject({ ...START, host: expect.stringMatching(/\S/) });
    expect(alive).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['it may not', { mayStart: false }],
    ['the restore was lost', { standing: TaskStanding.TASK_STANDING_LOST }],
  ])('allows no start where %s', async (_, answer) => {
    const { client } = service(() => answer);
    await using lease = keepRestoreLease({ client, restore, facts, timing });
    expect(await lease.announce(START)).toBeUndefined();
    expect(lease.lost.aborted).toBe('standing' in answer);
  });

  it('repeats a start that was not answered, and gives up where it is too late', async () => {
    let tries = 0;
    const { client } = service(() => {
      tries += 1;
      if (tries === 1) throw new Error('the network is away');
      return {};
    });
    await using lease = keepRestoreLease({ client, restore, facts, timing });
    expect(await lease.announce(START)).toBeGreaterThan(0);
    expect(tries).toBe(2);
    const away = service(() => {
      throw new Error('the network is away');
    });
    await using other = keepRestoreLease({ client: away.client, restore, facts, timing: { ...timing, spawnMs: 50 } });
    expect(await other.announce(START)).toBeUndefined();
  });
});
