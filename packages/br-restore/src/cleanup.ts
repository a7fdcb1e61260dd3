/**
 * What a `br restore` left behind in its target, until when, and how it goes. Pure.
 *
 * Where a filter chose a part of the backup, the target may hold what others use: nothing is said there that would take more away than
 * the restore brought. And where no `br` is known to have found the target without these tables, they may have been there before: then
 * nothing is said that would take any of them away unseen.
 */
import { namedRules, readTableFilter, type TableFilter, type TableRule } from '@tidemark/br-options/table-filter';
import type { CleanupItem } from './cleanup-item.ts';
import { type CollectionBefore, type CollectionLook, collectionOff, offBefore } from './collection.ts';
import { type EndKind, leftAsItWas } from './end.ts';
import { checkpointPlace, hasRegistry } from './versions.ts';

/** What PD said of a target right after `br` had ended there. What it was not asked, or did not answer, is not set. */
export interface TargetLook {
  readonly at: Date;
  /** The schedulers that were paused. */
  readonly pausedSchedulers?: readonly string[];
  /** Until when `br` holds garbage collection back; null: it does not. */
  readonly safepointUntil?: Date | null;
  /** Whether a restore is registered. */
  readonly isRegistered?: boolean;
  /** Whether TiKV collects garbage again, after a restore to a point in time. */
  readonly collection?: CollectionLook;
}

/** The last `br` of a restore, as far as it matters for what it left. */
export interface LastEnd {
  /** Undefined: it still runs, or nobody knows how it ended. */
  readonly kind: EndKind | undefined;
  readonly brVersion: string;
  /** When it ended; now, while it runs; the latest moment at which it can have ended, where that is not known. */
  readonly at: Date;
  /** Whether it was ended by KILL, or may have been. */
  readonly killed: boolean;
  /** The rules that chose what was restored; none: the whole backup. */
  readonly filter: readonly string[];
  /** Whether the target may hold a part of the data, of this attempt or an earlier one. */
  readonly partial: boolean;
  /** Whether a `br` of this restore found that none of its tables was there before: they are what it brought. */
  readonly foundNone: boolean;
  /** Whether it succeeded, but could not remove its checkpoint. */
  readonly checkpointLeft: boolean;
  /** Whether it succeeded after an attempt that may have found wrong rows. */
  readonly checksumsUnproven: boolean;
  /** Undefined: nobody looked at the target after it. */
  readonly look: TargetLook | undefined;
  /** Whether a log was replayed after the backup. */
  readonly toPoint: boolean;
  /** What the TiKVs said before the first `br` that may have touched the target; undefined: nobody asked, or none answered. */
  readonly collectionBefore?: CollectionBefore | undefined;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** After the last `br` that paused them. */
const PAUSE_MS = 5 * MINUTE + 30 * SECOND;
const REGISTRATION_MS = 3 * MINUTE;

const CHECKPOINT = '__TiDB_BR_Temporary_Snapshot_Restore_Checkpoint';

/** All that may be left; what has a time and is past it by `at` is the caller's to leave out. */
export function cleanupItems(end: LastEnd): CleanupItem[] {
  if (end.kind === 'succeeded') return afterSuccess(end);
  return [...passing(end), ...(end.partial ? standing(end) : offSince(end))];
}

/** Nothing was written; what was off before is told all the same, unless it was seen to be on since. */
function offSince({ collectionBefore, look }: LastEnd): CleanupItem[] {
  return look?.collection?.off.length === 0 ? [] : offBefore(collectionBefore);
}

/** Those that still hold at a moment. */
export const stillThere = (items: readonly CleanupItem[], at: Date): CleanupItem[] =>
  items.filter(({ until }) => until === null || until > at);

function afterSuccess(end: LastEnd): CleanupItem[] {
  const { brVersion, at, checkpointLeft, checksumsUnproven, look, toPoint, collectionBefore } = end;
  return [
    ...(toPoint ? collectionOff(look, collectionBefore) : []),
    // A success puts all of it back; what PD shows all the same has a time of its own.
    ...(look ? seenIn(look, at) : []),
    ...(checkpointLeft ? checkpointOf(brVersion, 'checkpointLeft') : []),
    ...(checksumsUnproven ? [UNPROVEN] : []),
  ];
}

const UNPROVEN: CleanupItem = {
  what: 'verifyChecksums',
  until: null,
  message:
    'An earlier attempt was lost, and br does not compare again what that one had compared. Compare the checksums of the tables with those of the backup before the data is used.',
  command: 'ADMIN CHECKSUM TABLE `<database>`.`<table>`;',
};

function passing({ kind, brVersion, at, killed, look }: LastEnd): CleanupItem[] {
  // Neither of these came as far as PD.
  if (kind === 'none' || kind === 'failedBefore') return [];
  const began = kind === undefined || !leftAsItWas(kind);
  const after = (what: CleanupItem['what'], ms: number, message: string): CleanupItem => ({
    what,
    until: new Date(at.getTime() + ms),
    message,
    command: null,
  });
  const items = [
    after('schedulersPaused', PAUSE_MS, 'The schedulers of PD may be paused; they go on by themselves.'),
    after('importMode', 10 * MINUTE, 'TiKV may be in import mode; it leaves that by itself.'),
    after(
      'restoreRegistration',
      REGISTRATION_MS,
      'The restore may be registered in PD; until that expires no log backup can be started.',
    ),
    ...(began
      ? [after('serviceSafepoint', 5 * MINUTE, 'Garbage collection may be held back; it goes on by itself.')]
      : []),
    ...(began && killed
      ? [
          after(
            'ddlBlocked',
            90 * SECOND,
            'Changes of schemas may hang, since br was killed; they go on by themselves.',
          ),
        ]
      : []),
    ...(began && hasRegistry(brVersion)
      ? [
          after(
            'registryRow',
            5 * MINUTE,
            'The target may count the restore as running. The same restore goes on all the same after that; `br abort restore full` with its arguments removes the entry.',
          ),
        ]
      : []),
  ];
  return look ? [...items.filter(({ what }) => !wasAsked(what, look)), ...seenIn(look, at)] : items;
}

function wasAsked(what: CleanupItem['what'], look: TargetLook): boolean {
  if (what === 'schedulersPaused') return look.pausedSchedulers !== undefined;
  if (what === 'restoreRegistration') return look.isRegistered !== undefined;
  return what === 'serviceSafepoint' && look.safepointUntil !== undefined;
}

/** What PD showed to be left, with the time at which each is over at the latest. */
function seenIn({ at: seenAt, pausedSchedulers = [], safepointUntil, isRegistered }: TargetLook, at: Date) {
  const item = (what: CleanupItem['what'], until: Date, message: string): CleanupItem => ({
    ...{ what, until, message, command: null, seenAt },
  });
  return [
    ...(pausedSchedulers.length > 0
      ? [
          item(
            'schedulersPaused',
            new Date(at.getTime() + PAUSE_MS),
            `PD has paused its schedulers ${pausedSchedulers.join(', ')}; they go on by themselves.`,
          ),
        ]
      : []),
    ...(isRegistered
      ? [
          item(
            'restoreRegistration',
            new Date(at.getTime() + REGISTRATION_MS),
            'A restore is registered in PD; until that expires no log backup can be started.',
          ),
        ]
      : []),
    ...(safepointUntil
      ? [item('serviceSafepoint', safepointUntil, 'Garbage collection is held back; it goes on by itself.')]
      : []),
  ];
}

function standing({ brVersion, filter, foundNone, look, toPoint, collectionBefore }: LastEnd): CleanupItem[] {
  return [
    ...(toPoint ? collectionOff(look, collectionBefore) : []),
    foundNone ? tablesPartly(filter) : tablesPerhaps(filter),
    ...checkpointOf(brVersion, checkpointPlace(brVersion) === 'storage' ? 'checkpointFiles' : 'checkpointDatabases'),
    {
      what: 'tempDatabases',
      until: null,
      message: 'Temporary databases of br may be there. Drop them before any other restore.',
      command:
        'DROP DATABASE IF EXISTS `__TiDB_BR_Temporary_mysql`; DROP DATABASE IF EXISTS `__TiDB_BR_Temporary_sys`;',
    },
    ...(hasRegistry(brVersion)
      ? [
          {
            what: 'tableMode',
            until: null,
            message: 'Tables may refuse to be read, written and dropped, because they count as being restored.',
            command: ['br operator cleanup-restore-mode --pd <PD of the target>', ...ofMode(filter)].join(' '),
          } satisfies CleanupItem,
        ]
      : []),
  ];
}

function tablesPerhaps(filter: readonly string[]): CleanupItem {
  const which =
    filter.length === 0
      ? 'Databases and tables of the backup'
      : `Tables of the backup that the filter chooses (${namedRules(filter)})`;
  const message = `${which} may be there, empty, in part or whole; or they were there before the restore began, which no br is known to have looked for. Look at each before you drop it.`;
  return { what: 'tablesPartly', until: null, message, command: null };
}

function tablesPartly(filter: readonly string[]): CleanupItem {
  if (filter.length === 0)
    return {
      what: 'tablesPartly',
      until: null,
      message:
        'Databases and tables of the backup are there, empty, in part or whole. Drop them, or make the cluster anew.',
      command: 'DROP DATABASE `<database of the backup>`;',
    };
  const read = readTableFilter(filter);
  return {
    what: 'tablesPartly',
    until: null,
    message: `Tables of the backup that the filter chooses (${namedRules(filter)}) are there, empty, in part or whole. Drop these tables and no others, and databases that the restore made for them.`,
    command: read.rules.flatMap((rule) => dropOf(rule, read)).join('\n'),
  };
}

/** What takes away what a rule brought; a rule with wildcards does not say which tables those are. */
function dropOf({ text, isNegated, database, table }: TableRule, { choosesTable }: TableFilter): string[] {
  if (isNegated) return [];
  if (database.kind === 'wildcard' || table.kind === 'wildcard')
    return [`-- for each table of the backup that ${text} chooses: DROP TABLE IF EXISTS \`<database>\`.\`<table>\`;`];
  if (!choosesTable(database.name, table.name)) return [];
  return [`DROP TABLE IF EXISTS ${identifier(database.name)}.${identifier(table.name)};`];
}

const identifier = (name: string) => `\`${name.replaceAll('`', '``')}\``;

const ofMode = (filter: readonly string[]) =>
  filter.length === 0 ? ['-f "<database>.*"'] : filter.map((rule) => `-f ${shellWord(rule)}`);

const shellWord = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** How far the restore came, as `br` wrote it down: a later restore would go on there, and skip what it names. */
function checkpointOf(brVersion: string, what: CleanupItem['what']): CleanupItem[] {
  const why = 'br goes on at a checkpoint that it finds, and skips what that says is done.';
  switch (checkpointPlace(brVersion)) {
    case 'none':
      return [];
    case 'storage':
      return [
        {
          what,
          until: null,
          message: `The checkpoint of the restore lies in the storage, below the backup. Remove it once you have decided not to resume, and before any other restore of this backup: ${why}`,
          command: 'remove every folder checkpoints/restore-* below the path of the backup',
        },
      ];
    case 'target':
      return [
        {
          what,
          until: null,
          message: `The checkpoint of the restore lies in a database of the target. Drop it once you have decided not to resume, and before any other restore: ${why}`,
          command: hasRegistry(brVersion)
            ? `SHOW DATABASES LIKE '${CHECKPOINT.replaceAll('_', '\\_')}%'; -- and for each: DROP DATABASE \`<name>\`;`
            : `DROP DATABASE IF EXISTS \`${CHECKPOINT}\`;`,
        },
      ];
  }
}

export interface PartialRestore {
  readonly restoreId: string;
  readonly backupId: string;
  readonly targetId: string;
  /** Whether it can be resumed. */
  readonly resumable: boolean;
  readonly brVersion: string;
  /** The rules that chose what was restored; none: the whole backup. */
  readonly filter: readonly string[];
  /** As in `LastEnd`. */
  readonly foundNone: boolean;
  readonly items: readonly CleanupItem[];
}

/** What a person is told of a target that may hold a part of the data: what is left, and what to do. */
export function partialSentence({
  restoreId,
  backupId,
  targetId,
  resumable,
  brVersion,
  filter,
  foundNone,
  items,
}: PartialRestore): string {
  const isPart = filter.length > 0;
  const tables = isPart
    ? 'drop the tables of the backup that the filter chooses, and no others, and every database named __TiDB_BR_Temporary_…'
    : 'drop the databases of the backup and every database named __TiDB_BR_Temporary_…, or make the cluster anew';
  const unseen = `look which ${isPart ? 'tables that the filter chooses' : 'databases of the backup'} the restore made, and which were there before; drop the former, and every database named __TiDB_BR_Temporary_…`;
  const waited = Math.max(0, ...items.map(({ until }) => until?.getTime() ?? 0));
  const steps = [
    ...(waited > 0 ? [`wait until ${new Date(waited).toISOString()}, when TiKV and PD are back by themselves`] : []),
    foundNone ? tables : unseen,
    ...(items.some(({ what }) => what === 'checkpointFiles')
      ? ['remove the folders checkpoints/restore-* below the path of the backup']
      : []),
    'release the restore',
  ];
  const clean = `clean the cluster: ${steps.map((step, at) => `(${at + 1}) ${step}`).join('; ')}.`;
  const [what, written] = isPart
    ? [
        `The tables that the filter chooses (${namedRules(filter)}) ${foundNone ? 'are' : 'may be'} in cluster ${targetId} in part`,
        'those tables',
      ]
    : [`Cluster ${targetId} ${foundNone ? 'holds' : 'may hold'} part of the data`, 'the cluster'];
  const use = foundNone ? 'and must not be used.' : 'and must not be used before that is known.';
  return [
    `Restore ${restoreId} of backup ${backupId} stopped in the middle. ${what} ${use}`,
    resumable
      ? `Either resume the restore, which needs br ${brVersion}, and nobody may write to ${written} until then; or ${clean}`
      : `It cannot be resumed: ${clean}`,
  ].join(' ');
}
