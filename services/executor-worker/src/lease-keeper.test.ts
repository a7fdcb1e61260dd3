import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { type RenewTaskRequest, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { describe, expect, it, vi } from 'vitest';
import { keepLease } from './lease-keeper.ts';

const facts = { requestId: 'r', backupId: 'b', clusterId: 'c' };
const task = { backupId: 'b', claim: 'x', fence: 1n };
/** None comes by itself within a test. */
const timing = { renewMs: 60_000, callMs: 1_000, spawnMs: 1_000 };
const progress = { step: 'Full Backup', percent: 12, speed: '' };

/** A backup-service that answers renewals, and remembers when they came. */
const service = (state = (): BackupState => BackupState.BACKUP_STATE_RUNNING) => {
  const renewals: { readonly at: number; readonly request: RenewTaskRequest }[] = [];
  const client = {
    async renewTask(request: RenewTaskRequest) {
      renewals.push({ at: performance.now(), request });
      return { standing: TaskStanding.TASK_STANDING_HELD, state: state() };
    },
  };
  return { renewals, client };
};

describe('the lease keeper', () => {
  it('learns of a cancel at once, also when it told progress a moment ago', async () => {
    let state: BackupState = BackupState.BACKUP_STATE_RUNNING;
    const { renewals, client } = service(() => state);
    await using lease = keepLease({ client, task, facts, timing });
    lease.report(progress);
    await vi.waitFor(() => expect(renewals.length).toBe(1));
    state = BackupState.BACKUP_STATE_CANCELING;
    const askedAt = performance.now();
    lease.renewNow();
    await vi.waitFor(() => expect(lease.canceling.aborted).toBe(true));
    expect((renewals[1]?.at ?? Number.POSITIVE_INFINITY) - askedAt).toBeLessThan(500);
  });

  it('tells progress at once, and what comes right after it a second later, all in one', async () => {
    const { renewals, client } = service();
    await using lease = keepLease({ client, task, facts, timing });
    lease.report(progress);
    await vi.waitFor(() => expect(renewals.length).toBe(1));
    for (const percent of [13, 14, 15]) lease.report({ ...progress, percent });
    await vi.waitFor(() => expect(renewals.length).toBe(2), { timeout: 10_000 });
    expect((renewals[1]?.at ?? 0) - (renewals[0]?.at ?? 0)).toBeGreaterThan(950);
    expect(renewals.map(({ request }) => request.progress?.percent)).toEqual([12, 15]);
  });
});
