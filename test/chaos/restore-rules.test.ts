import { describe, expect, it } from 'vitest';
import { check } from './checker.ts';
import type { BackupDocument, Evidence, RestoreDocument, TargetSight } from './evidence.ts';
import type { Request } from './request.ts';
import { RESTORE_RULES, type RestoreRuleName } from './restore-rules.ts';
import { PART } from './tables.ts';

const AT = Date.UTC(2026, 0, 5, 12);
const at = (seconds: number) => new Date(AT + seconds * 1000);
const PATH = 'nfs/em/backup/c1/2026-01-05-12-00-00-full';
const PD = '127.0.0.1:2001';
const ROWS = { 'shop/orders': '7 rows (a1)' };
const WHOLE = { ...ROWS, 'shop/products': '5 rows (c3)', 'crm/people': '3 rows (d4)' };
const CHECKPOINT = { '__TiDB_BR_Temporary_Snapshot_Restore_Checkpoint/cpt_metadata': '1 rows (b2)' };

type Attempt = RestoreDocument['attempts'][number];

const attempt = (overrides: Partial<Attempt> = {}): Attempt => ({
  fence: 1,
  worker: 'w1',
  startedAt: at(11),
  starting: { at: at(12) },
  endedAt: at(15),
  outcome: 'ended',
  end: { kind: 'succeeded' },
  ...overrides,
});

const restore = (overrides: Partial<RestoreDocument> = {}): RestoreDocument => {
  const { _id = 'r1' } = overrides;
  return {
    _id,
    activeKey: `restore:${_id}`,
    slotKey: `restore:${_id}`,
    request: { key: 'k2' },
    source: { backupId: 'b1', path: PATH },
    target: { clusterId: 't1', pd: [PD] },
    options: {},
    held: false,
    state: 'Succeeded',
    targetState: 'Restored',
    outcomeUnknown: false,
    fence: 1,
    task: null,
    reason: null,
    attempts: [attempt()],
    cancels: [],
    resumes: [],
    released: null,
    result: {},
    endTime: at(15),
    ...overrides,
  };
};

/** One that ended in the middle, and whose target was freed by a person. */
const released = (overrides: Partial<RestoreDocument> = {}) =>
  restore({
    state: 'Failed',
    targetState: 'Released',
    result: null,
    attempts: [attempt({ end: { kind: 'failed' } })],
    released: { at: at(20), how: 'cleaned' },
    ...overrides,
  });

const untouched = (overrides: Partial<RestoreDocument> = {}) =>
  restore({
    state: 'Failed',
    targetState: 'Untouched',
    result: null,
    attempts: [attempt({ end: { kind: 'notFresh' } })],
    ...overrides,
  });

const backup = (overrides: Partial<BackupDocument> = {}): BackupDocument => ({
  _id: 'b1',
  request: { key: 'k1' },
  clusterId: 'c1',
  origin: 'request',
  startTime: at(0),
  basePath: PATH,
  path: PATH,
  leftovers: [],
  state: 'Succeeded',
  activeKey: 'backup:b1',
  slotKey: 'backup:b1',
  fence: 0,
  task: null,
  result: { tso: '7', files: 1 },
  reason: null,
  failures: 0,
  losses: 0,
  attempts: [],
  cancel: null,
  deletion: { state: 'None' },
  holds: [],
  endTime: at(5),
  ...overrides,
});

/** Of a target cluster. */
const backupOfTarget = (startedAt: Date, endedAt: Date) =>
  backup({
    ...{ _id: 'b7', clusterId: 't1', path: 'p7', basePath: 'p7', request: { key: 'k7' } },
    ...{ activeKey: 'backup:b7', slotKey: 'backup:b7', state: 'Failed', result: null, fence: 1 },
    attempts: [{ fence: 1, path: 'p7', worker: 'w1', startedAt, endedAt, outcome: 'failed' }],
  });

const sight = (overrides: Partial<TargetSight> = {}): TargetSight => ({
  restoreId: 'r1',
  clusterId: 't1',
  state: 'Succeeded',
  targetState: 'Restored',
  needsCleaning: false,
  before: {},
  now: ROWS,
  ...overrides,
});

const asked = (number: number, overrides: Partial<Request>): Request => ({
  number,
  kind: 'restore',
  clusterId: 't1',
  sentAt: +at(10),
  ...overrides,
});
const answered = (more: Partial<NonNullable<Request['answer']>> = {}) => ({
  at: +at(10),
  status: 200,
  message: '',
  ...more,
});
const START_BACKUP = asked(0, { kind: 'start', clusterId: 'c1', key: 'k1', answer: answered({ backupId: 'b1' }) });
const START = asked(1, { key: 'k2', backupId: 'b1', answer: answered({ restoreId: 'r1' }) });

const run = (event: 'start' | 'end', seconds: number, more: object = {}) =>
  ({ event, command: 'restore', time: +at(seconds), pid: 1, path: `/mnt/${PATH}`, pd: PD, ...more }) as const;
const RAN = [run('start', 12, { alone: true }), run('end', 14, { exit: 0 })];

/** What a run leaves that was as it must be. */
const GOOD: Evidence = {
  takenAt: +at(600),
  requests: [START_BACKUP, START],
  backups: [backup()],
  restores: [restore()],
  sights: [sight()],
  backedUp: { b1: ROWS },
  unfinished: [],
  occurrences: [],
  ledger: RAN,
  files: [
    { path: `${PATH}/backupmeta`, bytes: 30 },
    { path: `${PATH}/a.sst`, bytes: 100 },
  ],
  metas: [{ path: PATH, tso: '7', files: { 'a.sst': 100 } }],
  orphans: [],
  messages: {},
  crashes: [],
  mountLosses: [],
  damagedRecords: [],
  logDocuments: [],
  logs: { problems: [], sights: [], othersKept: true },
};

const withRestore = (one: RestoreDocument, more: Partial<Evidence> = {}): Evidence => ({
  ...GOOD,
  restores: [one],
  sights: [],
  ...more,
});
const withRequests = (...requests: Request[]): Partial<Evidence> => ({ requests: [START_BACKUP, START, ...requests] });
/** Another restore into the same target, whose br is announced at that second. */
const another = (seconds: number, overrides: Partial<RestoreDocument> = {}) =>
  untouched({
    _id: 'r2',
    request: { key: 'k3' },
    attempts: [attempt({ startedAt: at(seconds - 1), starting: { at: at(seconds) }, endedAt: at(seconds + 1) })],
    ...overrides,
  });
const WANTED_ANOTHER = asked(2, { key: 'k3', backupId: 'b1', answer: answered({ restoreId: 'r2' }) });

/** For each rule, what must be found against it. */
const CORRUPTIONS: Readonly<Record<RestoreRuleName, Readonly<Record<string, Evidence>>>> = {
  'restores ended as they must': {
    'still runs': withRestore(restore({ state: 'Running' })),
    'has a task': withRestore(restore({ task: {} })),
    'still occupies its target': withRestore(restore({ activeKey: 'cluster:t1' })),
    'still has a slot': withRestore(restore({ slotKey: 'storage:s1:0' })),
    'has no end': withRestore(restore({ endTime: null })),
    'still holds its source': { ...GOOD, backups: [backup({ holds: ['restore:r1'] })] },
    'believes that it holds its source': withRestore(restore({ held: true })),
    'is Partial for ever': withRestore(released({ targetState: 'Partial', released: null })),
    'succeeded without a result': withRestore(restore({ result: null })),
    'succeeded over an untouched target': withRestore(restore({ targetState: 'Untouched' })),
    'was canceled by nobody': withRestore(untouched({ state: 'Canceled' })),
    'could not be resumed': { ...GOOD, unfinished: ['r1 is said to be resumable, and is not resumed'] },
  },
  'attempts of restores in order': {
    'one without an end': withRestore(
      restore({ attempts: [attempt({ endedAt: undefined as never, outcome: undefined as never })] }),
    ),
    'a fence twice': withRestore(
      restore({ attempts: [attempt({ outcome: 'lost', end: null }), attempt({ startedAt: at(16), endedAt: at(17) })] }),
    ),
    'a fence beyond the last grant': withRestore(restore({ fence: 0 })),
  },
  'a target holds what its restore says': {
    'Restored without a row': { ...GOOD, sights: [sight({ now: { 'shop/orders': '6 rows (a2)' } })] },
    'Restored without a table': { ...GOOD, sights: [sight({ now: {} })] },
    'Restored with a table of another backup': {
      ...GOOD,
      sights: [sight({ now: { ...ROWS, 'crm/people': '1 rows' } })],
    },
    'Restored from what nobody has seen': { ...GOOD, backedUp: {} },
    'Restored without what its filter chose': withRestore(restore({ options: { filter: PART } }), {
      sights: [sight({ now: {} })],
    }),
    'Restored with what its filter left out': withRestore(restore({ options: { filter: PART } }), {
      backedUp: { b1: WHOLE },
      sights: [sight({ now: WHOLE })],
    }),
    'Restored with a checkpoint of which nothing is said': {
      ...GOOD,
      sights: [sight({ now: { ...ROWS, ...CHECKPOINT } })],
    },
    'Untouched, and yet changed': withRestore(untouched(), {
      sights: [sight({ state: 'Failed', targetState: 'Untouched', before: {}, now: ROWS })],
    }),
    'Untouched, with a checkpoint': withRestore(untouched(), {
      sights: [sight({ state: 'Failed', targetState: 'Untouched', before: ROWS, now: { ...ROWS, ...CHECKPOINT } })],
    }),
    'over, and another by now': withRestore(released(), { sights: [sight()] }),
  },
  'a target is called touched only where br may have begun': {
    'Restored without a start': withRestore(restore({ attempts: [attempt({ starting: null })] })),
    'Released after a refusal': withRestore(released({ attempts: [attempt({ end: { kind: 'refused' } })] })),
  },
  'a target is let go only as it may': {
    'another restore before the release': withRestore(released(), {
      restores: [released(), another(18)],
      ...withRequests(WANTED_ANOTHER),
    }),
    'a backup before the release': withRestore(released(), { backups: [backup(), backupOfTarget(at(17), at(18))] }),
    'a backup while it is Partial still': withRestore(released({ targetState: 'Partial', released: null }), {
      backups: [backup(), backupOfTarget(at(30), at(31))],
    }),
  },
  'no restore into an unclean target': {
    'released as it is': withRestore(restore(), {
      restores: [released({ released: { at: at(20), how: 'asIs' } }), another(25)],
      ...withRequests(WANTED_ANOTHER, asked(3, { kind: 'cleaned', restoreId: 'r1', sentAt: +at(30) })),
    }),
    'restored with its checkpoint left': withRestore(restore(), {
      restores: [restore({ attempts: [attempt({ end: { kind: 'succeeded', checkpointLeft: true } })] }), another(25)],
      ...withRequests(WANTED_ANOTHER),
    }),
  },
  'a source stays while it is read': {
    'deleted meanwhile': { ...GOOD, backups: [backup({ deletion: { state: 'Deleted', at: at(13) } })] },
    'deleted while it could be resumed': withRestore(released(), {
      backups: [backup({ deletion: { state: 'Deleted', at: at(18) } })],
    }),
    'not on record': { ...GOOD, backups: [] },
    'not found by a worker': withRestore(
      untouched({ attempts: [attempt({ end: { kind: 'refused', reason: { code: 'SOURCE_GONE' } } })] }),
    ),
  },
  'no restoring run without an attempt': {
    'br ran twice for one attempt': { ...GOOD, ledger: [...RAN, run('start', 30, { alone: true })] },
    'br ran into a cluster of nobody': {
      ...GOOD,
      ledger: [...RAN, run('start', 30, { alone: true, pd: '127.0.0.1:9' })],
    },
  },
  'success is told where there was one': {
    'Restored without an exit of 0': { ...GOOD, ledger: RAN.slice(0, 1) },
    'Failed after one, without a word': withRestore(released()),
  },
  'answered restore is on record': {
    'not there': { ...GOOD, ...withRequests(asked(2, { key: 'k9', answer: answered({ restoreId: 'r9' }) })) },
    'of another backup': withRestore(restore({ source: { backupId: 'b2', path: PATH } })),
  },
  'one key, one restore': {
    'two answers': { ...GOOD, ...withRequests({ ...START, number: 2, answer: answered({ restoreId: 'r2' }) }) },
    'accepted, and then refused': {
      ...GOOD,
      ...withRequests({ ...START, number: 2, answer: answered({ status: 409 }) }),
    },
    'two records': { ...GOOD, restores: [restore(), another(30, { request: { key: 'k2' } })] },
    'a record of no request': withRestore(restore({ request: { key: 'k9' } })),
  },
  'answered cancel of a restore is kept': {
    'and it succeeded': {
      ...GOOD,
      ...withRequests(asked(2, { kind: 'cancel restore', restoreId: 'r1', answer: answered() })),
    },
  },
  'answered resume and release are kept': {
    'never resumed': { ...GOOD, ...withRequests(asked(2, { kind: 'resume', restoreId: 'r1', answer: answered() })) },
    'never released': { ...GOOD, ...withRequests(asked(2, { kind: 'release', restoreId: 'r1', answer: answered() })) },
  },
};

describe('the checker of restores', () => {
  it('finds nothing where all is well', () => {
    expect(check(GOOD)).toEqual([]);
  });

  it('finds nothing where a filter chose what came back', () => {
    const part = restore({ options: { filter: PART } });
    expect(check(withRestore(part, { backedUp: { b1: WHOLE }, sights: [sight()] }))).toEqual([]);
  });

  it('holds nothing against a target that was cleaned, released and restored into again', () => {
    const restores = [released(), another(25)];
    const sights = [sight({ restoreId: 'r2', state: 'Failed', targetState: 'Untouched', before: ROWS })];
    const ledger = [run('start', 12, { alone: true }), run('start', 25, { alone: true })];
    expect(check({ ...GOOD, restores, sights, ledger, ...withRequests(WANTED_ANOTHER) })).toEqual([]);
  });

  it('holds nothing against a lost br that may have finished, where that is said', () => {
    const lost = attempt({ outcome: 'lost', end: null });
    expect(check(withRestore(released({ attempts: [lost], outcomeUnknown: true })))).toEqual([]);
  });

  it('holds nothing against a cancel that was followed by a resume', () => {
    const requests = withRequests(
      asked(2, { kind: 'cancel restore', restoreId: 'r1', answer: answered() }),
      asked(3, { kind: 'resume', restoreId: 'r1', answer: answered() }),
    );
    expect(check(withRestore(restore({ resumes: [{}] }), requests))).toEqual([]);
  });

  it('holds nothing against an unclean target once somebody said that it is clean', () => {
    const restores = [released({ released: { at: at(20), how: 'asIs' }, outcomeUnknown: true }), another(25)];
    const ledger = [...RAN, run('start', 25, { alone: true })];
    const cleaned = asked(3, { kind: 'cleaned', restoreId: 'r1', sentAt: +at(22) });
    expect(check({ ...GOOD, restores, sights: [], ledger, ...withRequests(WANTED_ANOTHER, cleaned) })).toEqual([]);
  });

  it('holds nothing against a source that a worker without its mount did not find', () => {
    const gone = attempt({ end: { kind: 'refused', reason: { code: 'SOURCE_GONE' } } });
    const mountLosses = [{ worker: gone.worker, from: at(11), to: at(20) }];
    const ledger = RAN.slice(0, 1);
    expect(check(withRestore(untouched({ attempts: [gone] }), { mountLosses, ledger }))).toEqual([]);
  });

  for (const rule of Object.keys(RESTORE_RULES) as RestoreRuleName[])
    it.each(Object.entries(CORRUPTIONS[rule]))(`finds what breaks "${rule}": %s`, (_, evidence) => {
      expect(check(evidence).map((violation) => violation.rule)).toContain(rule);
    });
});
