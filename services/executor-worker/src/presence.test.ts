import { AppError } from '@tidemark/errors/app-error';
import { ReportPresenceRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { expect, it, vi } from 'vitest';
import { startPresence } from './presence.ts';

const LONG_MS = 60_000;
const heeds = { onCheck: () => undefined, onVerifications: () => undefined };

it('tells of itself at once and at each change, and hears which checks and verifications wait for it', async () => {
  const told: ReportPresenceRequest[] = [];
  const heard: string[] = [];
  const report = () => ReportPresenceRequest.create({ worker: 'w1', freeSlots: told.length });
  const reportPresence = async (request: ReportPresenceRequest) => ({
    checkIds: [`check-${told.push(request)}`],
    verificationIds: ['first', 'second'],
  });
  const onCheck = (id: string) => void heard.push(id);
  const onVerifications = (ids: readonly string[]) => void heard.push(ids.join());
  await using presence = startPresence({
    client: { reportPresence },
    callMs: 100,
    report,
    onCheck,
    onVerifications,
    everyMs: LONG_MS,
  });
  await vi.waitFor(() => expect(heard).toEqual(['check-1', 'first,second']));
  presence.changed();
  await vi.waitFor(() => expect(heard).toEqual(['check-1', 'first,second', 'check-2', 'first,second']));
  expect(told.map(({ freeSlots }) => freeSlots)).toEqual([0, 1]);
});

it('goes on beside a backup-service that does not know it, or is not there', async () => {
  const reportPresence = vi.fn(async () => {
    throw new AppError('internal', 'unimplemented');
  });
  const report = () => ReportPresenceRequest.create({ worker: 'w1' });
  await using presence = startPresence({ client: { reportPresence }, callMs: 100, report, ...heeds, everyMs: 20 });
  await vi.waitFor(() => expect(reportPresence.mock.calls.length).toBeGreaterThan(3));
  await expect(presence.lastWords()).resolves.toBeUndefined();
});

it('that was not heard tells again soon, and not only at its next time', async () => {
  const reportPresence = vi.fn(async () => {
    if (reportPresence.mock.calls.length < 3) throw new AppError('unavailable', 'It starts.');
    return { checkIds: [], verificationIds: [] };
  });
  const report = () => ReportPresenceRequest.create({ worker: 'w1' });
  await using presence = startPresence({ client: { reportPresence }, callMs: 100, report, ...heeds, everyMs: LONG_MS });
  await vi.waitFor(() => expect(presence.heardAt()).toBeDefined(), 10_000);
  expect(reportPresence).toHaveBeenCalledTimes(3);
});
