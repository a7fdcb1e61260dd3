import { randomUUID } from 'node:crypto';
import { VerificationLevel } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  ListStrategiesRequest,
  SaveFleetStrategyRequest,
  SaveStrategyRequest,
  VerificationRule,
  WindowEnd,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { runningService, type TestService } from './testing/running-service.ts';

const ALL_DAYS = 'Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday';

describe('strategy-service', () => {
  let service: TestService;
  let clusterId: string;

  beforeAll(async () => {
    service = await runningService();
  });
  afterAll(() => service[Symbol.asyncDispose]());
  beforeEach(() => {
    clusterId = `c-${randomUUID().slice(0, 8)}`;
  });

  const strategies = () => service.strategies;
  const plans = () => service.plans;
  const save = async (fields: Partial<SaveStrategyRequest>) => {
    const { strategy } = await strategies().saveStrategy(SaveStrategyRequest.create({ clusterId, ...fields }));
    if (!strategy) throw new Error('no strategy was answered');
    return strategy;
  };
  const openNow = () => {
    const hour = new Date().getUTCHours();
    return `${hour}:00-${hour}:00`;
  };
  const rules = async () =>
    (
      await strategies().listStrategies({
        clusterIds: [clusterId],
        withRetention: false,
        pageSize: 100,
        pageToken: '',
        updatedAfter: undefined,
      })
    ).strategies;
  const due = async () =>
    (await plans().listDueStrategies({ limit: 1_000 })).strategies.filter((one) => one.clusterId === clusterId);

  it('saves one rule from many callers at once, none of them in vain and each on top of another', async () => {
    const client = strategies();
    const saves = Array.from({ length: 40 }, (_, index) =>
      client.saveStrategy(
        SaveStrategyRequest.create({ clusterId, period: `${index % 24}:00-${(index + 1) % 24}:00`, days: 'Monday' }),
      ),
    );
    const revisions = (await Promise.all(saves)).map(({ strategy }) => Number(strategy?.revision));
    expect(revisions.sort((one, other) => one - other)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect((await client.getStrategy({ clusterId, rule: '' })).strategy?.revision).toBe(40n);
  });

  it('refuses one of many saves at once, and no other of them', async () => {
    const client = strategies();
    const one = (fields: Partial<SaveStrategyRequest>) =>
      client.saveStrategy(SaveStrategyRequest.create({ clusterId, rule: 'nightly', ...fields }));
    await one({ days: 'Monday' });
    const outcomes = await Promise.allSettled([
      one({ period: '3:00-4:00' }),
      one({ period: '5:00-6:00' }),
      one({ days: 'Sunday', createOnly: true }),
      one({ days: 'Tuesday' }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[2]).toMatchObject({ reason: { code: 'invalid_argument' } });
    const { strategy } = await client.getStrategy({ clusterId, rule: 'nightly' });
    expect(strategy).toMatchObject({ days: ['Tuesday'], revision: 4n });
    expect(['3:00-4:00', '5:00-6:00']).toContain(strategy?.period);
  });

  it('keeps what others saved meanwhile, also of other fields and past a deletion', async () => {
    const client = strategies();
    const one = (fields: Partial<SaveStrategyRequest>) =>
      client.saveStrategy(SaveStrategyRequest.create({ clusterId, ...fields }));
    await Promise.all([one({ days: 'Monday' }), one({ period: '3:00-4:00' }), one({ paused: true })]);
    expect((await client.getStrategy({ clusterId, rule: '' })).strategy).toMatchObject({
      ...{ days: ['Monday'], period: '3:00-4:00', paused: true },
    });
    await Promise.all([one({ days: 'Friday' }), client.deleteStrategy({ clusterId, rule: 'default' })]);
    await one({ period: '5:00-6:00' });
    expect((await client.getStrategy({ clusterId, rule: '' })).strategy?.period).toBe('5:00-6:00');
  });

  it('answers for a cluster without one that there are no days', async () => {
    const { strategy } = await strategies().getStrategy({ clusterId, rule: '' });
    expect(strategy).toMatchObject({
      clusterId,
      rule: 'default',
      days: [],
      period: '0:00-1:00',
      timeZone: 'Asia/Tokyo',
      revision: 0n,
    });
  });

  it('keeps the period as it was written and the days in the order given', async () => {
    expect(await save({ days: ' tuesday,Monday, tuesday', period: '07:00 - 9:30' })).toMatchObject({
      days: ['Tuesday', 'Monday'],
      period: '07:00-9:30',
      revision: 1n,
    });
  });

  it('tells which rules and strategies for labels name a storage, and no others', async () => {
    const storageId = `s-${clusterId}`;
    await save({ days: 'Monday', rule: 'weekly', storageId });
    await save({ days: 'Monday', rule: 'other' });
    const name = `f-${clusterId}`;
    await strategies().saveFleetStrategy(
      SaveFleetStrategyRequest.create({ name, selector: { only: clusterId }, days: 'Monday', storageId }),
    );
    expect((await strategies().listStorageUsers({ storageId, clusterIds: [] })).users).toEqual([
      { clusterId, rule: 'weekly', fleetStrategy: '' },
      { clusterId: '', rule: '', fleetStrategy: name },
    ]);
    await strategies().deleteFleetStrategy({ name });
    await save({ rule: 'weekly', storageId: '' });
    expect((await strategies().listStorageUsers({ storageId, clusterIds: [] })).users).toEqual([]);
  });

  it('tells which rules of some clusters write to a storage, and how many they are', async () => {
    const storageId = `s-${clusterId}`;
    const other = `${clusterId}-other`;
    for (let index = 0; index < 11; index += 1) await save({ days: 'Monday', rule: `r${index}`, storageId });
    await save({ clusterId: other, days: 'Monday', storageId });
    const ask = async (clusterIds: string[]) => strategies().listStorageUsers({ storageId, clusterIds });
    const { users, total } = await ask([clusterId, 'nobody']);
    expect([users.length, total, new Set(users.map((user) => user.clusterId))]).toEqual([10, 11, new Set([clusterId])]);
    expect(await ask([other])).toEqual({
      users: [{ clusterId: other, rule: 'default', fleetStrategy: '' }],
      total: 1,
    });
    expect(await ask(['nobody'])).toEqual({ users: [], total: 0 });
  });

  it('keeps what a later save leaves out', async () => {
    await save({ days: 'Monday', period: '23:00-24:00', timeZone: 'Europe/Berlin' });
    expect(await save({ paused: true })).toMatchObject({
      days: ['Monday'],
      period: '23:00-24:00',
      timeZone: 'Europe/Berlin',
      paused: true,
      nextWindow: undefined,
    });
  });

  it('settles the time zone at the first save: the request’s, else the cluster’s, else the service’s', async () => {
    expect((await save({ days: 'Monday', defaultTimeZone: 'America/Lima' })).timeZone).toBe('America/Lima');
    expect((await save({ days: 'Tuesday', defaultTimeZone: 'Europe/Rome' })).timeZone).toBe('America/Lima');
    const said = await save({ rule: 'said', timeZone: 'Europe/Berlin', defaultTimeZone: 'America/Lima' });
    expect(said.timeZone).toBe('Europe/Berlin');
    expect((await save({ rule: 'silent', days: 'Monday' })).timeZone).toBe('Asia/Tokyo');
  });

  it('names every bad field as the REST body calls it', async () => {
    await expect(save({ days: 'Monday,Funday', period: '7-9', timeZone: 'Mars/Phobos' })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: {
        fields: [
          { field: 'strategy.backupDate', description: expect.stringContaining('"Funday"') },
          { field: 'strategy.period' },
          { field: 'strategy.timeZone' },
        ],
      },
    });
  });

  it('makes a window that is open now due at once, and moves on when it is taken up', async () => {
    const strategy = await save({ days: ALL_DAYS, period: openNow(), timeZone: 'UTC' });
    const opensAt = strategy.nextWindow?.opensAt;
    expect(opensAt && opensAt <= new Date()).toBe(true);
    await vi.waitFor(async () => expect(await due()).toHaveLength(1));
    const request = { clusterId, rule: 'default', opensAt, revision: strategy.revision };
    const answers = await Promise.all(Array.from({ length: 5 }, () => plans().advanceStrategy(request)));
    expect(answers.filter(({ advanced }) => advanced)).toHaveLength(1);
    expect(await due()).toEqual([]);
    const { strategy: next } = await strategies().getStrategy({ clusterId, rule: '' });
    expect(next?.nextWindow?.opensAt && opensAt && next.nextWindow.opensAt > opensAt).toBe(true);
  });

  it('never starts anything by resuming', async () => {
    await save({ days: ALL_DAYS, period: openNow(), timeZone: 'UTC', paused: true });
    const resumed = await save({ paused: false });
    expect(resumed.nextWindow?.opensAt && resumed.nextWindow.opensAt > new Date()).toBe(true);
  });

  it('loses no change when many save at once', async () => {
    await Promise.all([
      save({ days: 'Monday' }),
      save({ period: '3:00-4:00' }),
      save({ timeZone: 'UTC' }),
      save({ paused: true }),
    ]);
    const { strategy } = await strategies().getStrategy({ clusterId, rule: '' });
    expect(strategy).toMatchObject({
      days: ['Monday'],
      period: '3:00-4:00',
      timeZone: 'UTC',
      paused: true,
      revision: 4n,
    });
  });

  it('keeps retention, verification, window end, storage and options of br, and lets go of them when asked', async () => {
    const retention = { keepLast: 7, keepDays: 0, daily: 0, weekly: 4, monthly: 0, yearly: 0 };
    const brOptions = BrOptions.create({
      rateLimit: 100,
      filters: ['shop.*'],
      checksum: false,
      extra: { gcttl: '3600' },
    });
    const verify = { level: VerificationLevel.VERIFICATION_LEVEL_BYTES, everyDays: 7, sample: 0.5, rateLimit: 100 };
    const set = { retention, verify, windowEnd: WindowEnd.WINDOW_END_STOP, storageId: 's3', brOptions };
    expect(await save({ days: 'Monday', ...set })).toMatchObject(set);
    expect(await save({ period: '3:00-4:00' })).toMatchObject(set);
    expect(await save({ keepEverything: true, neverVerify: true, clearBrOptions: true, storageId: '' })).toMatchObject({
      retention: undefined,
      verify: undefined,
      brOptions: undefined,
      storageId: '',
      windowEnd: WindowEnd.WINDOW_END_STOP,
    });
  });

  const META = VerificationLevel.VERIFICATION_LEVEL_META;
  const NOTHING = { keepLast: 0, keepDays: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
  it.each([
    [{ timeZone: 'Mars/Phobos' }, 'strategy.timeZone', 'Europe/Berlin'],
    [{ timeZone: '+08:00' }, 'strategy.timeZone', 'fixed offset'],
    [{ timeZone: 'UTC+8' }, 'strategy.timeZone', 'Asia/Shanghai'],
    [{ timeZone: 'GMT-03:30' }, 'strategy.timeZone', 'fixed offset'],
    [{ days: 'Moonday' }, 'strategy.backupDate', 'Monday,Friday'],
    [{ days: ' , ,' }, 'strategy.backupDate', '"" for no automatic backups'],
    [{ period: '7-9' }, 'strategy.period', '23:00-2:00'],
    [{ retention: NOTHING }, 'strategy.retention', 'would keep nothing'],
    [{ retention: { ...NOTHING, daily: 100_001 } }, 'retention.daily', 'from 0 to 100000, such as 7'],
    [{ retention: { ...NOTHING, keepLast: 1 }, keepEverything: true }, 'strategy.retention', '{"keepLast":7}'],
    [{ verify: VerificationRule.create({ sample: 0.5 }) }, 'strategy.verify.every', '"P7D"'],
    [{ verify: VerificationRule.create({ everyDays: 4_000 }) }, 'verify.everyDays', 'to 3650, such as 7'],
    [{ verify: VerificationRule.create({ everyDays: 7, sample: 2 }) }, 'strategy.verify.sample', 'to 1'],
    [{ verify: VerificationRule.create({ everyDays: 7, sample: 1e-300 }) }, 'strategy.verify.sample', 'from 0.000001'],
    [
      { verify: VerificationRule.create({ everyDays: 7, level: META, sample: 1 }) },
      'strategy.verify.sample',
      'left out',
    ],
    [
      { verify: VerificationRule.create({ everyDays: 7, level: 9 as typeof META }) },
      'strategy.verify.level',
      '"bytes"',
    ],
    [{ verify: VerificationRule.create({ everyDays: 7 }), neverVerify: true }, 'strategy.verify', '{"every":"P7D"}'],
    [{ windowEnd: 7 as WindowEnd }, 'strategy.windowEnd', '"letRun" or "stop"'],
    [{ storageId: 'no such id' }, 'storageId', 'such as nfs-1'],
    [
      { brOptions: BrOptions.create({ extra: { '--gcttl': '1' } }) },
      'strategy.brOptions.extra.--gcttl',
      'gcttl, without dashes',
    ],
    [{ brOptions: BrOptions.create({ filters: ['@/etc/passwd'] }) }, 'strategy.brOptions.filters[0]', 'such as shop.*'],
    [{ brOptions: BrOptions.create({ compression: 'gzip' }) }, 'strategy.brOptions.compression', 'zstd'],
    [
      { brOptions: BrOptions.create({ crypterKeyFile: '/key' }) },
      'strategy.brOptions.crypterMethod',
      'must be set too',
    ],
    [{ brOptions: BrOptions.create({}), clearBrOptions: true }, 'strategy.brOptions', 'null'],
    [{ rule: 'no rule' }, 'rule', 'such as nightly'],
  ])('refuses %j, names the field, shows a right value and saves nothing', async (fields, field, right) => {
    const error = await save({ days: 'Monday', ...fields }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field, description: expect.stringContaining(right) }] },
    });
    expect(await rules()).toEqual([]);
  });

  it('names a retention that would keep nothing in the words of the field', async () => {
    await expect(save({ retention: NOTHING })).rejects.toThrow(
      'strategy.retention: would keep nothing; set at least one of keepLast, keepDays, daily, weekly, monthly, yearly (null keeps everything), e.g. {"keepLast":7}',
    );
  });

  it('makes no second rule of one name, also where only case differs (A7)', async () => {
    await save({ rule: 'nightly', days: 'Monday', createOnly: true });
    for (const fields of [
      { rule: 'nightly', createOnly: true },
      { rule: 'Nightly', createOnly: true },
      { rule: 'NIGHTLY' },
    ])
      await expect(save({ days: 'Friday', ...fields }), fields.rule).rejects.toMatchObject({
        code: 'invalid_argument',
        details: { fields: [{ field: 'strategy.rule', description: expect.stringContaining('"nightly-2"') }] },
      });
    expect(await rules()).toMatchObject([{ rule: 'nightly', days: ['Monday'] }]);
  });

  it('answers the repeat of a creation whose answer was lost as the first time', async () => {
    const request = SaveStrategyRequest.create({ clusterId, rule: 'nightly', days: 'Monday', createOnly: true });
    const create = () => strategies().saveStrategy(request, { requestId: 'r-1' });
    expect(await create()).toEqual(await create());
    const other = { ...request, days: 'Friday' };
    await expect(strategies().saveStrategy(other, { requestId: 'r-1' })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  it('lets a cluster have 20 rules, and says what to do about one more', async () => {
    for (let index = 1; index <= 20; index += 1) await save({ rule: `r${index}`, days: 'Monday' });
    await save({ rule: 'r1', days: 'Friday' });
    await expect(save({ rule: 'r21', days: 'Monday' })).rejects.toMatchObject({
      details: { fields: [{ field: 'strategy.rule', description: expect.stringContaining('delete one first') }] },
    });
  });

  it('lets a cluster have 20 rules however many are saved at once, and another once one is deleted (B9)', async () => {
    for (let at = 0; at < 14; at += 1) await save({ rule: `r${at}`, days: 'Monday' });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, at) => save({ rule: `at-once-${at}`, days: 'Monday' })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(6);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({
          code: 'invalid_argument',
          details: { fields: [{ field: 'strategy.rule' }] },
        });
    expect(await rules()).toHaveLength(20);
    const [one] = await rules();
    await strategies().deleteStrategy({ clusterId, rule: one?.rule ?? '' });
    await save({ rule: 'another', days: 'Monday' });
    await expect(save({ rule: 'one-more', days: 'Monday' })).rejects.toMatchObject({ code: 'invalid_argument' });
    await save({ rule: 'another', days: 'Friday' });
  });

  it('answers with what would be stored, and stores nothing, when only asked to validate', async () => {
    expect(await save({ days: ALL_DAYS, period: '1:00-2:00', validateOnly: true })).toMatchObject({
      revision: 1n,
      nextWindow: { opensAt: expect.any(Date) },
    });
    await expect(save({ period: '7-9', validateOnly: true })).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await rules()).toEqual([]);
    await save({ days: 'Monday' });
    expect(await save({ days: 'Friday', validateOnly: true })).toMatchObject({ revision: 2n, days: ['Friday'] });
    expect(await rules()).toMatchObject([{ days: ['Monday'], revision: 1n }]);
  });

  it('pauses no rule that is not there, except the documented one, whose save may begin with that', async () => {
    await expect(save({ rule: 'nightly', paused: true })).rejects.toMatchObject({ code: 'strategy_not_found' });
    expect(await save({ paused: true })).toMatchObject({ rule: 'default', paused: true, nextWindow: undefined });
  });

  it('keeps everything else of a rule that is paused and resumed (A10)', async () => {
    const before = await save({ days: ALL_DAYS, period: '3:00-4:00', storageId: 's3' });
    const { paused, nextWindow, ...rest } = await save({ paused: true });
    expect([paused, nextWindow]).toEqual([true, undefined]);
    const same = { revision: expect.any(BigInt), updateTime: expect.any(Date) };
    expect(rest).toMatchObject({ days: before.days, period: before.period, storageId: 's3', ...same });
    expect((await save({ paused: false })).nextWindow?.opensAt && before.nextWindow).toBeTruthy();
  });

  it('starts no second backup on a day that was served, whatever is edited', async () => {
    const strategy = await save({ days: ALL_DAYS, period: openNow(), timeZone: 'UTC' });
    const taken = strategy.nextWindow?.opensAt;
    await plans().advanceStrategy({ clusterId, rule: 'default', opensAt: taken, revision: strategy.revision });
    const day = (instant: Date | undefined) => instant?.toISOString().slice(0, 10) ?? '';
    for (const fields of [
      { period: '0:00-24:00' },
      { period: '23:59-24:00' },
      { days: 'Monday,Sunday' },
      { days: ALL_DAYS },
    ]) {
      const edited = await save(fields);
      expect(day(edited.nextWindow?.opensAt) > day(taken), JSON.stringify(fields)).toBe(true);
    }
    expect(await due()).toEqual([]);
  });

  it('takes an edit that began before a window was taken up, and none that began before another', async () => {
    const { revision, nextWindow } = await save({ days: ALL_DAYS, period: openNow(), timeZone: 'UTC' });
    await plans().advanceStrategy({ clusterId, rule: 'default', opensAt: nextWindow?.opensAt, revision });
    const edited = await save({ retention: { ...NOTHING, keepLast: 1 }, revision });
    expect(edited.revision).toBe(revision + 2n);
    for (const late of [revision, revision + 1n])
      await expect(save({ retention: { ...NOTHING, keepLast: 2 }, revision: late })).rejects.toMatchObject({
        code: 'revision_changed',
      });
    expect((await save({ paused: true, revision: edited.revision })).paused).toBe(true);
  });

  it('lists rules in pages, of some clusters, and those with a retention', async () => {
    const retention = { ...NOTHING, keepLast: 1 };
    for (const rule of ['a', 'b', 'c']) await save({ rule, days: 'Monday', ...(rule !== 'b' && { retention }) });
    const list = (fields: Partial<ListStrategiesRequest>) =>
      strategies().listStrategies(
        ListStrategiesRequest.create({
          clusterIds: [clusterId],
          withRetention: false,
          pageSize: 2,
          pageToken: '',
          ...fields,
        }),
      );
    const first = await list({});
    expect(first.strategies.map(({ rule }) => rule)).toEqual(['a', 'b']);
    const second = await list({ pageToken: first.nextPageToken });
    expect(second).toMatchObject({ strategies: [{ rule: 'c' }], nextPageToken: '' });
    expect((await list({ withRetention: true })).strategies.map(({ rule }) => rule)).toEqual(['a', 'c']);
    const seen: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await list({ clusterIds: [], pageSize: 7, pageToken });
      seen.push(...page.strategies.map((one) => `${one.clusterId}:${one.rule}`));
      if (page.nextPageToken === '') break;
      pageToken = page.nextPageToken;
    }
    expect(seen).toEqual([...new Set(seen)].sort());
    expect(seen.filter((id) => id.startsWith(clusterId))).toHaveLength(3);
    await expect(list({ pageSize: 0, pageToken: '$' })).rejects.toMatchObject({
      details: { fields: [{ field: 'pageSize' }, { field: 'pageToken' }] },
    });
  });

  it('forgets a strategy, and does not mind when there is none', async () => {
    await save({ days: 'Monday' });
    for (let times = 0; times < 2; times += 1) await strategies().deleteStrategy({ clusterId, rule: '' });
    expect((await strategies().getStrategy({ clusterId, rule: '' })).strategy?.days).toEqual([]);
  });

  it('tells every rule in one walk, and those that changed since an instant', async () => {
    const names = ['one', 'two', 'three'];
    for (const rule of names) await save({ rule, days: 'Monday' });
    const scanned = new Set<string>();
    for await (const { strategies: batch } of plans().scanStrategies({}))
      for (const one of batch) if (one.clusterId === clusterId) scanned.add(one.rule);
    expect([...scanned].sort()).toEqual([...names].sort());

    const updatedAfter = new Date(Date.now() - 60_000);
    const changed = new Set<string>();
    for (let pageToken = ''; ; ) {
      const request = { clusterIds: [], withRetention: false, pageSize: 2, pageToken, updatedAfter };
      const page = await strategies().listStrategies(request);
      for (const one of page.strategies) if (one.clusterId === clusterId) changed.add(one.rule);
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    expect([...changed].sort()).toEqual([...names].sort());
  });

  it('remembers when a pause ended', async () => {
    await save({ days: 'Monday', paused: true });
    expect((await save({ period: '1:00-2:00' })).resumedAt).toBeUndefined();
    const { resumedAt } = await save({ paused: false });
    expect(Math.abs(Date.now() - Number(resumedAt))).toBeLessThan(60_000);
    expect((await save({ period: '2:00-3:00' })).resumedAt).toEqual(resumedAt);
  });
});
