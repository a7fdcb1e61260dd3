import { describe, expect, it } from 'vitest';
import { cleanupItems, type LastEnd, partialSentence, stillThere } from './cleanup.ts';

const at = new Date('2026-12-01T10:15:00Z');
const end = (fields: Partial<LastEnd>): LastEnd => ({
  kind: 'stopped',
  brVersion: 'v8.5.0',
  at,
  killed: false,
  filter: [],
  partial: true,
  foundNone: true,
  checkpointLeft: false,
  checksumsUnproven: false,
  look: undefined,
  toPoint: false,
  ...fields,
});
const whatOf = (fields: Partial<LastEnd>) => cleanupItems(end(fields)).map(({ what }) => what);

describe('garbage collection, which a restore to a point in time turns off', () => {
  const looked = (off: string[], unseen: number) => ({ at, collection: { off, unseen } });
  const itemsOf = (fields: Partial<LastEnd>) =>
    cleanupItems(end({ kind: 'succeeded', partial: false, toPoint: true, ...fields }));

  it('is off at the TiKVs that say so, after a success too, until a person sets it back', () => {
    for (const fields of [{}, { kind: 'stopped', partial: true } as const])
      expect(itemsOf({ ...fields, look: looked(['10.0.0.1:20180'], 0) })).toContainEqual({
        what: 'collectionOff',
        until: null,
        message: expect.stringContaining('is negative at 10.0.0.1:20180'),
        command: 'SET CONFIG tikv `gc.ratio-threshold` = 1.1;',
        seenAt: at,
      });
  });

  it('may be off where nobody said that it is on', () => {
    const [unasked] = itemsOf({});
    expect(unasked).toMatchObject({ what: 'collectionOff', message: expect.stringMatching(/^No TiKV was seen/) });
    expect(unasked).not.toHaveProperty('seenAt');
    const [partly] = itemsOf({ look: looked([], 2) });
    expect(partly?.message).toMatch(/^2 of the TiKVs were not seen/);
  });

  it('is on where every TiKV says so, and is nobody’s business after the restore of a backup', () => {
    expect(itemsOf({ look: looked([], 0) })).toEqual([]);
    expect(itemsOf({ toPoint: false })).toEqual([]);
    expect(whatOf({ kind: 'refused', partial: false, toPoint: true })).not.toContain('collectionOff');
  });

  const wasOff = { off: ['10.0.0.1:20180'], unseen: 0, at };

  it('that was off before is told as such, and never as what this restore left', () => {
    const off = looked(['10.0.0.1:20180', '10.0.0.2:20180'], 0);
    const [item, ...more] = itemsOf({ look: off, collectionBefore: wasOff });
    expect(more).toEqual([]);
    expect(item?.message).toContain('is negative at 10.0.0.1:20180, 10.0.0.2:20180');
    expect(item?.message).toContain('It was so before this restore began at 10.0.0.1:20180.');
    const [unseen] = itemsOf({ collectionBefore: wasOff });
    expect(unseen?.message).toContain('It was so before this restore began at 10.0.0.1:20180.');
    const [own] = itemsOf({ look: looked(['10.0.0.2:20180'], 0), collectionBefore: wasOff });
    expect(own?.message).not.toContain('before this restore began');
  });

  it('that was off before is told of a restore that wrote nothing, too, until it is seen to be on', () => {
    const untouched = { kind: 'refused', partial: false, toPoint: true, collectionBefore: wasOff } as const;
    const told = cleanupItems(end(untouched)).find(({ what }) => what === 'collectionOff');
    expect(told).toMatchObject({
      message: expect.stringMatching(/^TiKV collected no garbage before this restore began .*10\.0\.0\.1:20180/),
      command: 'SET CONFIG tikv `gc.ratio-threshold` = 1.1;',
      seenAt: at,
    });
    expect(whatOf({ ...untouched, look: looked([], 0) })).not.toContain('collectionOff');
    expect(whatOf({ ...untouched, collectionBefore: { ...wasOff, off: [] } })).not.toContain('collectionOff');
  });
});

const PASSING = ['schedulersPaused', 'importMode', 'restoreRegistration', 'serviceSafepoint'];
const STANDING = ['tablesPartly', 'checkpointDatabases', 'tempDatabases'];

describe('what a br restore left behind', () => {
  it.each(['failed', 'dirty', 'stopped', 'afterSummary', undefined] as const)(
    'is all of it after one that began to write: %s',
    (kind) => expect(whatOf({ kind })).toEqual([...PASSING, ...STANDING]),
  );

  it.each(['refused', 'notFresh', 'wait'] as const)('is what br had paused before it looked: %s', (kind) =>
    expect(whatOf({ kind, partial: false })).toEqual(['schedulersPaused', 'importMode', 'restoreRegistration']),
  );

  it('is what earlier attempts left, too, after one that wrote nothing', () => {
    expect(whatOf({ kind: 'refused' })).toEqual(['schedulersPaused', 'importMode', 'restoreRegistration', ...STANDING]);
    expect(whatOf({ kind: 'none' })).toEqual(STANDING);
  });

  it.each(['none', 'failedBefore'] as const)('is nothing of one that never came as far as PD: %s', (kind) =>
    expect(whatOf({ kind, partial: false })).toEqual([]),
  );

  it('is a schema that cannot be changed for a while after a kill', () => {
    const blocked = cleanupItems(end({ killed: true })).find(({ what }) => what === 'ddlBlocked');
    expect(blocked?.until).toEqual(new Date('2026-12-01T10:16:30Z'));
  });

  it('is what PD showed, where it was asked', () => {
    const seenAt = new Date('2026-12-01T10:15:01Z');
    const until = new Date('2026-12-01T10:19:30Z');
    const none = { at: seenAt, pausedSchedulers: [], safepointUntil: null, isRegistered: false };
    expect(whatOf({ look: none })).toEqual(['importMode', ...STANDING]);

    const some = { ...none, pausedSchedulers: ['balance-leader-scheduler'], safepointUntil: until };
    const items = cleanupItems(end({ partial: false, look: some }));
    expect(items.map(({ what, seenAt }) => [what, seenAt])).toEqual([
      ['importMode', undefined],
      ['schedulersPaused', seenAt],
      ['serviceSafepoint', seenAt],
    ]);
    expect(items.find(({ what }) => what === 'schedulersPaused')?.message).toContain('balance-leader-scheduler');
    expect(items.find(({ what }) => what === 'serviceSafepoint')?.until).toEqual(until);
  });

  it('may be what PD was not asked, or did not answer', () =>
    expect(whatOf({ look: { at, isRegistered: false } })).toEqual([
      'schedulersPaused',
      'importMode',
      'serviceSafepoint',
      ...STANDING,
    ]));

  it('is told after a success, too, where PD showed it', () => {
    const look = { at, pausedSchedulers: ['balance-region-scheduler'], safepointUntil: null, isRegistered: false };
    expect(whatOf({ kind: 'succeeded', partial: false })).toEqual([]);
    expect(whatOf({ kind: 'succeeded', partial: false, look })).toEqual(['schedulersPaused']);
  });

  it('is over by itself at its time, the rest when somebody sees to it', () => {
    const untils = Object.fromEntries(
      cleanupItems(end({ brVersion: 'v8.5.5' })).map(({ what, until }) => [what, until]),
    );
    expect(untils).toEqual({
      schedulersPaused: new Date('2026-12-01T10:20:30Z'),
      importMode: new Date('2026-12-01T10:25:00Z'),
      restoreRegistration: new Date('2026-12-01T10:18:00Z'),
      serviceSafepoint: new Date('2026-12-01T10:20:00Z'),
      registryRow: new Date('2026-12-01T10:20:00Z'),
      tablesPartly: null,
      checkpointDatabases: null,
      tempDatabases: null,
      tableMode: null,
    });
    const items = cleanupItems(end({}));
    expect(stillThere(items, new Date('2026-12-01T10:21:00Z')).map(({ what }) => what)).toEqual([
      'importMode',
      ...STANDING,
    ]);
    expect(stillThere(items, new Date('2026-12-01T10:25:00Z')).map(({ what }) => what)).toEqual(STANDING);
  });

  it.each([
    ['v7.0.0', []],
    ['v7.1.0', ['checkpointFiles']],
    ['v8.3.0', ['checkpointFiles']],
    ['v8.4.0', ['checkpointDatabases']],
    ['v8.5.5', ['checkpointDatabases']],
  ])('has its checkpoint where br %s keeps it', (brVersion, kept) => {
    expect(whatOf({ brVersion }).filter((what) => what.startsWith('checkpoint'))).toEqual(kept);
  });

  it('names the database of the checkpoint, and how to find it where its name has an id', () => {
    const commandOf = (brVersion: string) =>
      cleanupItems(end({ brVersion })).find(({ what }) => what === 'checkpointDatabases')?.command;
    expect(commandOf('v8.5.0')).toBe('DROP DATABASE IF EXISTS `__TiDB_BR_Temporary_Snapshot_Restore_Checkpoint`;');
    expect(commandOf('v8.5.5')).toContain("LIKE '\\_\\_TiDB\\_BR\\_Temporary\\_Snapshot\\_Restore\\_Checkpoint%'");
  });

  it('names of a part the tables that the filter chooses, and says nothing that would take others away', () => {
    const filter = ['Shop.orders', 'shop.*', '!shop.tmp', '`o\'"s`.`a``b`', 'shop.tmp2', '!*.tmp2'];
    const items = cleanupItems(end({ brVersion: 'v8.5.5', filter }));
    const commandOf = (wanted: string) => items.find(({ what }) => what === wanted)?.command;
    expect(commandOf('tablesPartly')?.split('\n')).toEqual([
      'DROP TABLE IF EXISTS `shop`.`orders`;',
      '-- for each table of the backup that shop.* chooses: DROP TABLE IF EXISTS `<database>`.`<table>`;',
      'DROP TABLE IF EXISTS `o\'"s`.`a``b`;',
    ]);
    expect(commandOf('tableMode')).toContain(
      `-f 'Shop.orders' -f 'shop.*' -f '!shop.tmp' -f '\`o'\\''"s\`.\`a\`\`b\`'`,
    );
    expect(items.find(({ what }) => what === 'tablesPartly')?.message).toContain('(Shop.orders, shop.*, !shop.tmp,');
    const said = items.flatMap(({ message, command }) => [message, command ?? '']).join('\n');
    expect(said).not.toMatch(/anew|DROP DATABASE `<database of the backup>`|[Dd]rop the databases of the backup/);
    expect(items.map(({ what }) => what)).toEqual(whatOf({ brVersion: 'v8.5.5' }));
  });

  it.each([[[]], [['shop.orders']]])(
    'may have been there before where no br is known to have looked, and nothing says then to drop it unseen: %j',
    (filter) => {
      const items = cleanupItems(end({ brVersion: 'v8.5.5', filter, foundNone: false }));
      const tables = items.find(({ what }) => what === 'tablesPartly');
      expect(tables).toMatchObject({ command: null, message: expect.stringContaining('Look at each before you drop') });
      const wish = { restoreId: 'r1', backupId: 'b1', targetId: 't', resumable: true, brVersion: 'v8.5.5' };
      const text = partialSentence({ ...wish, filter, foundNone: false, items });
      expect(text).toMatch(/may (?:hold|be)/);
      expect(text).toContain('which were there before');
      expect(text).not.toContain('anew');
    },
  );

  it('is nothing after a success, but for a checkpoint that could not be removed and for checksums to compare', () => {
    expect(whatOf({ kind: 'succeeded', partial: false })).toEqual([]);
    expect(whatOf({ kind: 'succeeded', partial: false, checkpointLeft: true, checksumsUnproven: true })).toEqual([
      'checkpointLeft',
      'verifyChecksums',
    ]);
  });
});

describe('what a person is told of a target that holds a part', () => {
  const restore = {
    restoreId: 'r1',
    backupId: 'b1',
    targetId: 'orders-dr',
    brVersion: 'v8.5.0',
    filter: [],
    foundNone: true,
  };

  it('is to resume or to clean, and until when to wait', () => {
    const text = partialSentence({ ...restore, resumable: true, items: cleanupItems(end({})) });
    expect(text).toBe(
      'Restore r1 of backup b1 stopped in the middle. Cluster orders-dr holds part of the data and must not be used. ' +
        'Either resume the restore, which needs br v8.5.0, and nobody may write to the cluster until then; or clean the cluster: ' +
        '(1) wait until 2026-12-01T10:25:00.000Z, when TiKV and PD are back by themselves; ' +
        '(2) drop the databases of the backup and every database named __TiDB_BR_Temporary_…, or make the cluster anew; ' +
        '(3) release the restore.',
    );
  });

  it('is only to clean where it cannot be resumed, the storage too where the checkpoint lies there', () => {
    const items = cleanupItems(end({ brVersion: 'v7.5.1', kind: 'dirty' }));
    const text = partialSentence({ ...restore, brVersion: 'v7.5.1', resumable: false, items });
    expect(text).toContain('It cannot be resumed: clean the cluster: (1) wait until');
    expect(text).toContain('(3) remove the folders checkpoints/restore-* below the path of the backup');
  });

  it('is about the tables that the filter chooses, and no others, of a part', () => {
    const text = partialSentence({ ...restore, filter: ['shop.*'], resumable: true, items: [] });
    expect(text).toBe(
      'Restore r1 of backup b1 stopped in the middle. The tables that the filter chooses (shop.*) are in cluster orders-dr in part and must not be used. ' +
        'Either resume the restore, which needs br v8.5.0, and nobody may write to those tables until then; or clean the cluster: ' +
        '(1) drop the tables of the backup that the filter chooses, and no others, and every database named __TiDB_BR_Temporary_…; ' +
        '(2) release the restore.',
    );
  });

  it('is not to wait where nothing has to be waited for', () => {
    const items = stillThere(cleanupItems(end({})), new Date('2026-12-02T00:00:00Z'));
    expect(partialSentence({ ...restore, resumable: false, items })).toContain('(1) drop the databases');
  });
});
