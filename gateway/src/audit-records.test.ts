import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { renderMetrics } from '@tidemark/service-kit/metrics';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type AuditRecords, createAuditRecords } from './audit-records.ts';
import { log } from './logger.ts';
import { type ProgrammableBackends, programmableBackends } from './testing/programmable-backends.ts';

const TIME = new Date('2026-12-01T12:00:00Z');
const line = (requestId: string) => ({
  ...{ what: 'put storage', storageId: 'nfs', caller: 'ci', callerId: 't1', from: '10.0.0.1', status: 200 },
  requestId,
});
const away = async () => {
  throw new AppError('unavailable', 'It is away.');
};

let peer: ProgrammableBackends;
let records: AuditRecords;
let kept: Map<string, string>;
const start = (options: { mostWaiting?: number } = {}): AuditRecords =>
  createAuditRecords(peer.backends.audit, { headers: { authorization: 'Bearer s' }, gatherMs: 1, ...options });
const keep = async ({ entries }: { entries: readonly { id: string; requestId: string }[] }) => {
  for (const { id, requestId } of entries) kept.set(id, requestId);
  return {};
};
beforeEach(() => {
  peer = programmableBackends();
  kept = new Map();
  peer.answers.recordAuditEntries = keep;
  vi.spyOn(log, 'info').mockImplementation(() => undefined);
});
afterEach(async () => {
  await records[Symbol.asyncDispose]();
  vi.restoreAllMocks();
});
const untilKept = (...ids: string[]) => vi.waitFor(() => expect([...kept.values()]).toEqual(ids), 10_000);
const lostSoFar = async () =>
  Number(/^tidemark_audit_entries_lost_total (\d+)$/m.exec((await renderMetrics()).body)?.[1]);

it('sends lines of callers who are known, each with an id of its own and its time, and proves the gateway', async () => {
  records = start();
  records.append(line('r1'), TIME);
  records.append({ what: 'put storage', from: '10.0.0.1', status: 401, requestId: 'nobody' }, TIME);
  records.append({ ...line('r2'), status: 409, code: 'storage_in_use' }, TIME);
  await untilKept('r1', 'r2');
  expect(new Set(kept.keys()).size).toBe(2);
  const { request, headers } = peer.received('recordAuditEntries');
  expect(request.entries[0]).toMatchObject({
    ...line('r1'),
    id: expect.stringMatching(/^[\w-]{16}$/),
    time: { seconds: BigInt(+TIME / 1000) },
  });
  expect(headers.get('authorization')).toBe('Bearer s');
});

it('keeps no call waiting while backup-service is away, tells of it once, and sends in order what waited (AR1, AR3)', async () => {
  const told = vi.spyOn(log, 'warn').mockImplementation(() => undefined);
  peer.answers.recordAuditEntries = away;
  records = start();
  for (const id of ['r1', 'r2', 'r3']) records.append(line(id), TIME);
  await vi.waitFor(() => expect(peer.calls.length).toBeGreaterThan(1), 10_000);
  expect(told).toHaveBeenCalledTimes(1);
  peer.answers.recordAuditEntries = keep;
  await untilKept('r1', 'r2', 'r3');
});

it('sends a batch again whose answer was lost, by the same ids (AR2)', async () => {
  vi.spyOn(log, 'warn').mockImplementation(() => undefined);
  const sent: string[][] = [];
  peer.answers.recordAuditEntries = async (request) => {
    sent.push(request.entries.map(({ id }) => id));
    await keep(request);
    return sent.length === 1 ? await away() : {};
  };
  records = start();
  records.append(line('r1'), TIME);
  await vi.waitFor(() => expect(sent).toHaveLength(2), 10_000);
  expect(sent[1]).toEqual(sent[0]);
  expect([...kept.values()]).toEqual(['r1']);
});

it('drops the oldest above its bound, counts them, and tells of it once (AR4)', async () => {
  const told = vi.spyOn(log, 'error').mockImplementation(() => undefined);
  const before = await lostSoFar();
  peer.answers.recordAuditEntries = away;
  records = start({ mostWaiting: 2 });
  for (const id of ['r1', 'r2', 'r3', 'r4']) records.append(line(id), TIME);
  expect((await lostSoFar()) - before).toBe(2);
  expect(told.mock.calls.filter(([, sentence]) => /too many audit entries/.test(sentence))).toHaveLength(1);
  peer.answers.recordAuditEntries = keep;
  await untilKept('r3', 'r4');
});

it('gives up an entry that backup-service takes for bad, and no other one (AR5)', async () => {
  const told = vi.spyOn(log, 'error').mockImplementation(() => undefined);
  const before = await lostSoFar();
  peer.answers.recordAuditEntries = async (request) => {
    if (request.entries.some(({ requestId }) => requestId === 'bad'))
      throw invalidArgument([{ field: 'entries[1].id', description: 'is none' }]);
    return await keep(request);
  };
  records = start();
  for (const id of ['r1', 'bad', 'r2', 'r3', 'r4']) records.append(line(id), TIME);
  await untilKept('r1', 'r2', 'r3', 'r4');
  expect((await lostSoFar()) - before).toBe(1);
  expect(told).toHaveBeenCalledTimes(1);
});

it('sends what waits when it ends, and ends where that cannot be (AR6)', async () => {
  vi.spyOn(log, 'error').mockImplementation(() => undefined);
  const before = await lostSoFar();
  records = createAuditRecords(peer.backends.audit, { headers: {}, gatherMs: 60_000 });
  records.append(line('r1'), TIME);
  await records[Symbol.asyncDispose]();
  expect([...kept.values()]).toEqual(['r1']);
  peer.answers.recordAuditEntries = away;
  records = start();
  records.append(line('r2'), TIME);
  await records[Symbol.asyncDispose]();
  expect((await lostSoFar()) - before).toBe(1);
  records = start();
});
