/**
 * Records that are damaged, put straight into the database and left there: whatever Tidemark does about them, all others
 * must end as they must. Each is of a cluster that nobody else asks about, and made for that purpose alone.
 */
import type { Collection, Db, Document } from 'mongodb';
import { pickOf } from './plan.ts';

/** The cluster of them all; nobody starts, cancels or deletes anything of it. */
export const DAMAGED = 'damaged';

/** Restores lie in the collection of the backups. */
export const NO_RESTORE = { kind: { $ne: 'restore' } } as const;

/** A damaged record, and whether it is as it was put there. */
export interface DamagedRecord {
  /** Collection and id. */
  readonly name: string;
  readonly untouched: boolean;
}

type Stored = Document & { readonly _id: string };
type Damage = (db: Db, id: string) => Promise<readonly [collection: string, record: Stored] | undefined>;

/** In the past, so that they are looked at before all others. */
const LONG_AGO = new Date('2026-01-01T00:00:00Z');
const HOUR_MS = 3_600_000;

/** How records are damaged: what would be looked at, and cannot be worked on or told. */
const DAMAGES: Readonly<Record<string, Damage>> = {
  /** Of a worker that is dead, without the attempts that say what it did. */
  async backup(db, id) {
    const copy = await anyBackup(db);
    if (!copy) return undefined;
    const { attempts: _, ...rest } = copy;
    const claim = `claim-${id}`;
    const task = { kind: 'backup', claim, worker: DAMAGED, leaseUntil: LONG_AGO, started: true, notBefore: LONG_AGO };
    return [
      'backups',
      {
        ...rest,
        ...ownKeys(id),
        state: 'Running',
        endTime: null,
        task: { ...task, ringAt: LONG_AGO, rings: 0, tries: 0 },
      },
    ];
  },
  /** The same of a restore. */
  async restore(db, id) {
    const copy = await db
      .collection<Stored>('backups')
      .findOne({ kind: 'restore', 'restore.target.clusterId': { $ne: DAMAGED } });
    if (!copy) return undefined;
    const { attempts: _, ...rest } = copy.restore;
    const claim = `claim-${id}`;
    const task = {
      kind: 'restore',
      claim,
      worker: DAMAGED,
      leaseUntil: LONG_AGO,
      notBefore: LONG_AGO,
      ringAt: LONG_AGO,
    };
    const { clusterId: __, path: ___, ...keys } = ownKeys(id);
    const target = { ...rest.target, clusterId: DAMAGED };
    return ['backups', { ...copy, ...keys, restore: { ...rest, target, state: 'Running', endTime: null, task } }];
  },
  /** A change that scheduler-service is to be told of. */
  async change(db, id) {
    const copy = await anyBackup(db);
    if (!copy) return undefined;
    const { deletion: _, ...rest } = copy;
    return ['backups', { ...rest, ...ownKeys(id), state: 'Succeeded', task: null, updateTime: new Date() }];
  },
  /** Its window came, and it cannot be advanced: its zone is known to nobody. */
  async rule(db, id) {
    const copy = await db.collection<Stored>('strategies').findOne({ nextWindow: { $ne: null } });
    if (!copy) return undefined;
    const now = new Date();
    const nextWindow = { opensAt: LONG_AGO, closesAt: new Date(now.getTime() + HOUR_MS), startAt: now };
    const names = { _id: `${DAMAGED}:${id}`, clusterId: DAMAGED, rule: id, timeZone: 'Mars/Olympus_Mons' };
    return ['strategies', { ...copy, ...names, nextWindow, revision: 1, updateTime: now }];
  },
  /** A window that does not say when it closes. */
  async window(_, id) {
    const times = { opensAt: LONG_AGO, startAt: LONG_AGO, lastGoodAt: LONG_AGO, nextTryAt: LONG_AGO };
    const names = { _id: `${DAMAGED}:${id}:window`, clusterId: DAMAGED, rule: id };
    return ['occurrences', { ...names, ...times, state: 'Pending', late: false, closesAt: 'never', code: '' }];
  },
  /** One that cannot be told with the others. */
  async cluster(_, id) {
    return ['clusters', { _id: id, name: id, labels: 7, createTime: 'never', updateTime: new Date() }];
  },
};

/** Remembers what it damaged. */
export function createDamagedRecords(db: Db) {
  const planted = new Map<string, { readonly collection: string; readonly record: Stored }>();
  return {
    /**
     * Puts one more damaged record into the database.
     *
     * @param which a fraction of the ways to be damaged
     * @returns what it is called, if it could be put there
     */
    async plant(which: number): Promise<string | undefined> {
      const [kind = '', make] = pickOf(Object.entries(DAMAGES), which) ?? [];
      const made = await make?.(db, `${DAMAGED}-${kind}-${planted.size}`);
      if (!made) return undefined;
      const [collection, record] = made;
      await db.collection<Stored>(collection).insertOne(record);
      const name = `${collection} ${record._id}`;
      planted.set(name, { collection, record });
      return name;
    },
    /** Each of them, as it is now. */
    async look(): Promise<DamagedRecord[]> {
      return Promise.all(
        [...planted].map(async ([name, { collection, record }]) => {
          const found = await db.collection<Stored>(collection).findOne({ _id: record._id });
          return {
            name,
            untouched: found !== null && found.revision === record.revision && found.state === record.state,
          };
        }),
      );
    },
  };
}

function anyBackup(db: Db): Promise<Stored | null> {
  const backups: Collection<Stored> = db.collection('backups');
  return backups.findOne({ ...NO_RESTORE, clusterId: { $ne: DAMAGED } });
}

const ownKeys = (_id: string) => ({
  _id,
  clusterId: DAMAGED,
  activeKey: `damaged:${_id}`,
  slotKey: `damaged:${_id}`,
  basePath: `${DAMAGED}/${_id}`,
  path: `${DAMAGED}/${_id}`,
  revision: 1,
});
