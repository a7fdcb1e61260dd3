import { describe, expect, it } from 'vitest';
import { check, RULE_NAMES, type RuleName } from './checker.ts';
import type { BackupDocument, Evidence, OccurrenceDocument } from './evidence.ts';
import type { Request } from './request.ts';

const AT = Date.UTC(2026, 0, 5, 12);
const at = (seconds: number) => new Date(AT + seconds * 1000);
const PATH = 'nfs/em/backup/c1/2026-01-05-12-00-00-full';
const WINDOW = 'c2:r1:2026-01-05T12:00:00.000Z';

type Attempt = BackupDocument['attempts'][number];

const attempt = (overrides: Partial<Attempt> = {}): Attempt => ({
  fence: 1,
  path: PATH,
  worker: 'w1',
  startedAt: at(1),
  endedAt: at(5),
  outcome: 'succeeded',
  argv: ['br'],
  ...overrides,
});

const backup = (overrides: Partial<BackupDocument> = {}): BackupDocument => {
  const { _id = 'b1', path = PATH } = overrides;
  return {
    _id,
    request: { key: 'k1' },
    clusterId: 'c1',
    origin: 'request',
    startTime: at(0),
    basePath: path,
    path,
    leftovers: [],
    state: 'Succeeded',
    activeKey: `backup:${_id}`,
    slotKey: `backup:${_id}`,
    fence: 1,
    task: null,
    result: { tso: '7', files: 1 },
    reason: null,
    failures: 0,
    losses: 0,
    attempts: [attempt({ path })],
    cancel: null,
    deletion: { state: 'None' },
    holds: [],
    endTime: at(5),
    ...overrides,
  };
};

const SCHEDULED = backup({
  _id: 'b2',
  request: { key: WINDOW },
  clusterId: 'c2',
  origin: 'schedule',
  rule: 'r1',
  path: 'nfs/em/backup/c2/p',
});

const window = (overrides: Partial<OccurrenceDocument> = {}): OccurrenceDocument => ({
  _id: WINDOW,
  clusterId: 'c2',
  rule: 'r1',
  opensAt: at(0),
  closesAt: at(60),
  state: 'Started',
  backupId: 'b2',
  ...overrides,
});

const asked = (number: number, overrides: Partial<Request>): Request => ({
  number,
  kind: 'start',
  clusterId: 'c1',
  sentAt: AT,
  ...overrides,
});
const answered = (more: Partial<NonNullable<Request['answer']>> = {}) => ({
  at: AT,
  status: 200,
  message: '',
  ...more,
});

const START = asked(0, { key: 'k1', answer: answered({ backupId: 'b1' }) });
const RULE = asked(1, {
  kind: 'rule',
  clusterId: 'c2',
  rule: 'r1',
  answer: answered({ opensAt: at(0).toISOString(), closesAt: at(60).toISOString() }),
});

const filesOf = (path: string) => [
  { path: `${path}/backupmeta`, bytes: 30 },
  { path: `${path}/a.sst`, bytes: 100 },
];
const metaOf = (path: string) => ({ path, tso: '7', files: { 'a.sst': 100 } });
const ran = (path: string, pd: string, pid: number) =>
  ({ event: 'start', command: 'backup', time: AT, pid, path: `/mnt/${path}`, pd, alone: true }) as const;

/** What a run leaves that was as it must be. */
const GOOD: Evidence = {
  takenAt: +at(600),
  requests: [START, RULE],
  backups: [backup(), SCHEDULED],
  restores: [],
  sights: [],
  backedUp: {},
  unfinished: [],
  occurrences: [window()],
  ledger: [ran(PATH, 'pd1', 1), ran(SCHEDULED.path, 'pd2', 2)],
  files: [...filesOf(PATH), ...filesOf(SCHEDULED.path)],
  metas: [metaOf(PATH), metaOf(SCHEDULED.path)],
  orphans: [],
  messages: { 'chaos.run.default': 0 },
  crashes: [],
  mountLosses: [],
  damagedRecords: [],
  logDocuments: [],
  logs: { problems: [], sights: [], othersKept: true },
};

/** The first backup is another one. */
const withFirst = (overrides: Partial<BackupDocument>, more: Partial<Evidence> = {}): Evidence => ({
  ...GOOD,
  backups: [backup(overrides), SCHEDULED],
  ...more,
});
const withRequests = (...requests: Request[]): Partial<Evidence> => ({ requests: [START, RULE, ...requests] });
const withoutFiles = { files: filesOf(SCHEDULED.path), metas: [metaOf(SCHEDULED.path)] };
/** What retention has deleted, so many seconds older than the other one of its rule. */
const retained = (number: number, overrides: Partial<BackupDocument> = {}) =>
  backup({
    ...{ _id: `old-${number}`, path: `old-${number}`, attempts: [], startTime: at(-number) },
    ...{ clusterId: 'c2', origin: 'schedule', rule: 'r1', request: { key: `old-${number}` } },
    deletion: { state: 'Deleted', by: { kind: 'retention' } },
    ...overrides,
  });
const keepLast = (number: number): Partial<Evidence> => ({ requests: [START, { ...RULE, keepLast: number }] });
const canceled = { state: 'Canceled', cancel: {}, result: null, attempts: [attempt({ outcome: 'stopped' })] };

/** For each rule, what must be found against it. */
const CORRUPTIONS: Readonly<Record<RuleName, Readonly<Record<string, Evidence>>>> = {
  'ended as it must': {
    'still runs': withFirst({ state: 'Running' }),
    'has a task': withFirst({ task: {} }),
    'has leftovers': withFirst({ leftovers: [{ path: 'p' }] }),
    'still occupies its cluster': withFirst({ activeKey: 'cluster:c1' }),
    'still has a slot': withFirst({ slotKey: 'storage:s1:0' }),
    'has no end': withFirst({ endTime: null }),
    'has no result': withFirst({ result: null }),
    'was canceled by nobody': withFirst({ ...canceled, cancel: null }, withoutFiles),
    'is half deleted': withFirst({ deletion: { state: 'Deleting' } }, withoutFiles),
  },
  'attempts in order': {
    'one without an end': withFirst({
      attempts: [attempt({ endedAt: undefined as never, outcome: undefined as never })],
    }),
    'a fence twice': withFirst({
      attempts: [attempt({ outcome: 'lost' }), attempt({ startedAt: at(6), endedAt: at(7) })],
    }),
    'a fence beyond the last grant': withFirst({ fence: 0 }),
  },
  'never two at once': {
    'two br in a cluster': { ...GOOD, ledger: [{ ...ran(PATH, 'pd1', 1), alone: false }] },
    'two attempts in a cluster': {
      ...GOOD,
      backups: [backup(), { ...SCHEDULED, clusterId: 'c1', attempts: [attempt({ startedAt: at(4), endedAt: at(8) })] }],
    },
  },
  'no run without an attempt': {
    'br ran twice for one attempt': { ...GOOD, ledger: [...GOOD.ledger, ran(PATH, 'pd1', 3)] },
    'br ran in a path of nobody': { ...GOOD, ledger: [...GOOD.ledger, ran('nfs/em/backup/c1/q', 'pd1', 3)] },
  },
  'no file without a record': {
    'of no backup': { ...GOOD, files: [...GOOD.files, { path: 'nfs/em/backup/c1/q/a.sst', bytes: 1 }] },
    'of a deleted backup': withFirst({ deletion: { state: 'Deleted' } }),
    'of a canceled backup': withFirst(canceled),
    'beside the path of a backup': { ...GOOD, files: [...GOOD.files, { path: `${PATH}-r1/a.sst`, bytes: 1 }] },
  },
  'no record without its files': {
    'no backupmeta': { ...GOOD, ...withoutFiles },
    'a backupmeta that cannot be read': {
      ...GOOD,
      metas: [{ ...metaOf(PATH), problem: 'garbage' }, metaOf(SCHEDULED.path)],
    },
    'another snapshot': { ...GOOD, metas: [{ ...metaOf(PATH), tso: '8' }, metaOf(SCHEDULED.path)] },
    'a file is missing': { ...GOOD, files: GOOD.files.filter(({ path }) => path !== `${PATH}/a.sst`) },
    'a file is cut': { ...GOOD, files: GOOD.files.map((file) => ({ ...file, bytes: file.bytes - 1 })) },
  },
  'nothing removed under br': {
    'br succeeded, and its backup could not be read': withFirst({
      attempts: [attempt({ outcome: 'newPath', reason: { code: 'BACKUPMETA_BAD' } })],
    }),
  },
  'no path twice': {
    'two backups in one': { ...GOOD, backups: [backup(), { ...SCHEDULED, basePath: PATH }] },
    'an attempt in the path of another': {
      ...GOOD,
      backups: [backup(), { ...SCHEDULED, attempts: [attempt({ startedAt: at(6) })] }],
    },
  },
  'no orphan process': { 'br lives': { ...GOOD, orphans: ['7: br'] } },
  'no message left': { 'one waits': { ...GOOD, messages: { 'chaos.run.default': 1 } } },
  'every window accounted for': {
    'no occurrence': {
      ...GOOD,
      occurrences: [],
      backups: [backup()],
      ...{ files: filesOf(PATH), metas: [metaOf(PATH)] },
    },
    'never decided': { ...GOOD, occurrences: [window({ state: 'Pending', backupId: null })] },
    'Started without a backup': { ...GOOD, occurrences: [window({ backupId: 'b9' })] },
    'Missed, and yet started': { ...GOOD, occurrences: [window({ state: 'Missed', backupId: null })] },
    'a backup of no window': { ...GOOD, backups: [backup(), { ...SCHEDULED, request: { key: 'c2:r2:never' } }] },
    'the backup of another cluster': { ...GOOD, backups: [backup(), { ...SCHEDULED, clusterId: 'c3' }] },
  },
  'answered cancel is kept': {
    'and it succeeded': { ...GOOD, ...withRequests(asked(2, { kind: 'cancel', backupId: 'b1', answer: answered() })) },
  },
  'answered delete is kept': {
    'and it is there': { ...GOOD, ...withRequests(asked(2, { kind: 'delete', backupId: 'b1', answer: answered() })) },
  },
  'nothing deleted unasked': {
    'by nobody': withFirst({ deletion: { state: 'Deleted' } }, withoutFiles),
  },
  'retention keeps what it must': {
    'without a retention': { ...GOOD, backups: [...GOOD.backups, retained(1)] },
    'one that it keeps': { ...GOOD, ...keepLast(2), backups: [...GOOD.backups, retained(1)] },
    'newer ones of another rule': {
      ...{ ...GOOD, ...keepLast(2) },
      backups: [...GOOD.backups, retained(1, { rule: 'r2' }), retained(2)],
    },
    'newer ones that failed': {
      ...{ ...GOOD, ...keepLast(2) },
      backups: [...GOOD.backups, retained(1, { state: 'Failed' }), retained(2)],
    },
    'what a person started': {
      ...{ ...GOOD, ...keepLast(0) },
      backups: [...GOOD.backups, retained(1, { origin: 'request' })],
    },
  },
  'answered pin is kept': {
    'no hold': { ...GOOD, ...withRequests(asked(2, { kind: 'pin', backupId: 'b1', answer: answered() })) },
    'deleted all the same': withFirst(
      { holds: ['pin:1'], deletion: { state: 'Deleted' } },
      {
        ...withoutFiles,
        ...withRequests(
          asked(2, { kind: 'pin', backupId: 'b1', answer: answered() }),
          asked(3, { kind: 'delete', backupId: 'b1' }),
        ),
      },
    ),
  },
  'answered start is on record': {
    'not there': {
      ...GOOD,
      ...withRequests(asked(2, { key: 'k2', answer: answered({ backupId: 'b9' }) })),
    },
    'of another cluster': { ...GOOD, requests: [{ ...START, clusterId: 'c3' }, RULE] },
  },
  'one key, one backup': {
    'two answers': { ...GOOD, ...withRequests({ ...START, number: 2, answer: answered({ backupId: 'b2' }) }) },
    'accepted, and then refused': {
      ...GOOD,
      ...withRequests({ ...START, number: 2, answer: answered({ status: 409 }) }),
    },
    'two records': { ...GOOD, backups: [...GOOD.backups, backup({ _id: 'b3', path: `${PATH}2`, attempts: [] })] },
  },
  'nothing started unasked': {
    'a record of no request': withFirst({ request: { key: 'k9' } }),
    'the base of a log that is none': withFirst({ origin: 'log', request: { key: 'log:t' } }),
  },
  'damaged records untouched': {
    'somebody changed one': { ...GOOD, damagedRecords: [{ name: 'backups damaged-backup-0', untouched: false }] },
  },
  'nothing crashed': { 'a process ended by itself': { ...GOOD, crashes: ['gateway-1'] } },
};

describe('the checker', () => {
  it('finds nothing where all is well', () => {
    expect(check(GOOD)).toEqual([]);
  });

  it('holds nothing against what was asked for and not answered', () => {
    const unanswered = withRequests(
      asked(2, { kind: 'cancel', backupId: 'b1' }),
      asked(3, { kind: 'delete', backupId: 'b1' }),
      asked(4, { key: 'k7' }),
    );
    expect(check({ ...GOOD, ...unanswered })).toEqual([]);
  });

  it('holds nothing against a retention that deletes the older ones', () => {
    const older = [retained(1), retained(2)];
    const occurrences = older.map(({ _id, request }) => window({ _id: request.key, backupId: _id }));
    const evidence = { ...GOOD, backups: [...GOOD.backups, ...older], occurrences: [window(), ...occurrences] };
    expect(check({ ...evidence, ...keepLast(1) })).toEqual([]);
  });

  it('holds nothing against a pin that was taken off again', () => {
    const requests = withRequests(
      asked(2, { kind: 'pin', backupId: 'b1', answer: answered() }),
      asked(3, { kind: 'unpin', backupId: 'b1', answer: answered() }),
    );
    expect(check({ ...GOOD, ...requests })).toEqual([]);
  });

  it('holds nothing against a br whose files were not seen while its worker had no mount, and only then', () => {
    const bad = attempt({ outcome: 'newPath', reason: { code: 'BACKUPMETA_BAD' }, endedAt: at(9) });
    const judge = (loss: Evidence['mountLosses'][number]) =>
      check({ ...withFirst({ attempts: [bad] }), mountLosses: [loss] }).map(({ rule }) => rule);
    const rule = 'nothing removed under br';
    expect(judge({ worker: bad.worker, from: at(8), to: at(20) })).not.toContain(rule);
    expect(judge({ worker: bad.worker, from: at(8) })).not.toContain(rule);
    expect(judge({ worker: 'another', from: at(0), to: at(20) })).toContain(rule);
    expect(judge({ worker: bad.worker, from: at(30), to: at(40) })).toContain(rule);
  });

  for (const rule of RULE_NAMES)
    it.each(Object.entries(CORRUPTIONS[rule]))(`finds what breaks "${rule}": %s`, (_, evidence) => {
      expect(check(evidence).map((violation) => violation.rule)).toContain(rule);
    });
});
