/** What every save may say beside what it saves, as REST reads it: dry runs, and revisions. */
import { AppError } from '@tidemark/errors/app-error';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { auditLog } from '../logger.ts';
import { BACKUP, CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());
afterEach(() => {
  vi.restoreAllMocks();
  gateway.calls.splice(0);
});

const STRATEGY = { strategy: { backupDate: 'Monday' } };
const SAVES = [
  ['PUT', `/clusters/${CLUSTER}`, { pd: ['10.0.0.1:2379'], storageId: 'nfs' }, 'putCluster'],
  ['PUT', '/storages/nfs', { type: 'local', path: '/mnt/nfs' }, 'putStorage'],
  ['PUT', `/clusters/${CLUSTER}/strategy`, STRATEGY, 'saveStrategy'],
  ['POST', `/clusters/${CLUSTER}/strategy`, STRATEGY, 'saveStrategy'],
  ['PUT', `/clusters/${CLUSTER}/strategies/nightly`, STRATEGY, 'saveStrategy'],
  ['POST', `/clusters/${CLUSTER}/strategies`, { strategy: { rule: 'nightly' } }, 'saveStrategy'],
  ['PUT', '/strategies/prod', STRATEGY, 'saveFleetStrategy'],
  ['PUT', '/notifications/ops', { kind: 'heartbeat', url: 'https://example.com/', everySeconds: 60 }, 'putReceiver'],
] as const;

describe.each(SAVES)('%s %s', (method, path, body, call) => {
  it('asks its service for a dry run with validateOnly=true alone, and audits none', async () => {
    const audit = vi.spyOn(auditLog, 'info');
    const asked = async (query: string) => {
      expect((await gateway.ask(method, `${path}${query}`, { body })).status).toBe(200);
      return gateway.received(call).request.validateOnly ?? false;
    };
    expect(await asked('?validateOnly=true')).toBe(true);
    expect(audit).not.toHaveBeenCalled();
    expect(await asked('?validateOnly=false')).toBe(false);
    expect(await asked('?other=true')).toBe(false);
    expect(audit).toHaveBeenCalledTimes(2);
  });

  it('is refused where somebody may have meant a dry run, before anything is asked', async () => {
    for (const query of [
      'validateOnly=yes',
      'validateOnly=',
      'validateOnly=1',
      'validateOnly=true&validateOnly=true',
    ]) {
      const answer = await gateway.ask(method, `${path}?${query}`, { body });
      expectFailure(answer, 400, 10001);
      expect(badFields(answer), query).toEqual(['validateOnly']);
    }
    for (const name of ['validateonly', 'validate_only', 'validate-only', 'dryRun', 'dry_run', 'dry-run']) {
      const answer = await gateway.ask(method, `${path}?${name}=true`, { body });
      expectFailure(answer, 400, 10001);
      expect(answer.body.details.fields).toEqual([
        { field: name, description: expect.stringContaining('validateOnly') },
      ]);
    }
    expect(gateway.calls).toEqual([]);
  });

  it('is refused where a revision was named in other words, so that no save goes through without it', async () => {
    for (const name of ['Revision', 'rev', 'if-match', 'ifRevision', 'etag']) {
      const answer = await gateway.ask(method, `${path}?${name}=3`, { body });
      expectFailure(answer, 400, 10001);
      expect(answer.body.details.fields).toEqual([{ field: name, description: expect.stringContaining('revision') }]);
    }
    expect(gateway.calls).toEqual([]);
  });

  it('holds for the revision that it names, and is refused with one that is none', async () => {
    const asked = async (query: string) => {
      expect((await gateway.ask(method, `${path}${query}`, { body })).status).toBe(200);
      return gateway.received(call).request.revision;
    };
    expect(await asked('?revision=3')).toBe(3n);
    expect(await asked('?revision=0')).toBe(0n);
    expect(await asked('')).toBeUndefined();
    gateway.calls.splice(0);
    for (const revision of ['', '-1', '1.5', 'x', '1000000000000000', '1&revision=2'])
      expect(badFields(await gateway.ask(method, `${path}?revision=${revision}`, { body })), revision).toEqual([
        'revision',
      ]);
    expect(gateway.calls).toEqual([]);
    vi.spyOn(gateway.answers, call).mockRejectedValue(
      new AppError('revision_changed', 'It is at revision 4.', { info: { revision: '4' } }),
    );
    const changed = await gateway.ask(method, `${path}?revision=3`, { body });
    expectFailure(changed, 409, 10001);
    expect(changed.body.details).toMatchObject({ revision: '4' });
  });

  it('takes the same role for a dry run, and fails as a save does', async () => {
    expectFailure(await gateway.ask(method, `${path}?validateOnly=true`, { body, token: 'viewer' }), 403, 70650);
    vi.spyOn(gateway.answers, call).mockRejectedValue(new AppError('conflict', 'Somebody was quicker.'));
    expectFailure(await gateway.ask(method, `${path}?validateOnly=true`, { body }), 409, 10001);
  });
});

it.each([
  ['DELETE', `/clusters/${CLUSTER}`],
  ['DELETE', '/storages/nfs'],
  ['DELETE', `/clusters/${CLUSTER}/strategy`],
  ['DELETE', '/strategies/prod'],
  ['DELETE', '/notifications/ops'],
  ['POST', '/notifications/ops/test'],
  ['DELETE', `/backups/${BACKUP}`],
  ['POST', `/clusters/${CLUSTER}/strategies/nightly/pause`],
  ['POST', '/backups'],
])('%s %s has no dry run and no revision: it is refused with one, and changes nothing', async (method, path) => {
  for (const name of ['validateOnly', 'revision']) {
    const answer = await gateway.ask(method, `${path}?${name}=1`, { body: { clusterId: CLUSTER } });
    expectFailure(answer, 400, 10001);
    expect(answer.body.details.fields).toEqual([
      { field: name, description: expect.stringContaining('nothing was changed') },
    ]);
  }
  expect(gateway.calls).toEqual([]);
});
