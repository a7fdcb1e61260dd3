/** A restore as it is planned and asked for, and what can be done with one. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Restore,
  type RestoreOptionsSchema,
  RestoreState,
  TargetState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import type { PlanRestoreRequestSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/restore_service';
import { isoOf, readMoment } from './moment-text.ts';
import { pathOf, type Same } from './shell.ts';

/** What people choose of a restore. */
export interface RestoreForm {
  /** Whether a backup alone is restored, or by a log that goes on from one, which is chosen. */
  readonly of: 'backup' | 'point';
  readonly backupId: string;
  /** Of a point: whose data are restored. */
  readonly sourceClusterId: string;
  /** Of a point: the moment as it was typed or pointed at. */
  readonly at: string | undefined;
  readonly targetClusterId: string;
  /** Rules of a filter, one a line; none is all of the backup. */
  readonly filter: string;
  /** MiB/s and TiKV; empty is as fast as can be. */
  readonly rateLimit: string;
  readonly withSystemTables: boolean;
  readonly withoutStats: boolean;
  readonly waitTiflashReady: boolean;
}

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** The moment of a point in UTC; what is no moment as it stands there. */
function momentOf({ at = '' }: RestoreForm): string {
  const read = readMoment(at);
  return 'ms' in read ? isoOf(read.ms) : at;
}

/** What is restored, and with what, as plan and start take it. */
export function wishOf(form: RestoreForm) {
  const { of, backupId, sourceClusterId: clusterId, at = '', targetClusterId } = form;
  const read = readMoment(at);
  const time = 'ms' in read ? timestampFromMs(read.ms) : undefined;
  return {
    ...(of === 'backup' ? { backupId } : { point: { clusterId, ...(time && { time }) } }),
    targetClusterId,
    options: optionsOf(form),
  } satisfies MessageInitShape<typeof PlanRestoreRequestSchema>;
}

/** A point in time brings back all but users and grants: nothing of it is chosen. */
const chosenOf = ({ of, filter, withSystemTables }: RestoreForm) =>
  of === 'backup' ? { filter: lines(filter), withSystemTables } : { filter: [], withSystemTables: false };

function optionsOf(form: RestoreForm): MessageInitShape<typeof RestoreOptionsSchema> {
  return {
    ...chosenOf(form),
    rateLimit: Number(form.rateLimit) || 0,
    withoutStats: form.withoutStats,
    waitTiflashReady: form.waitTiflashReady,
  };
}

/** The options as the body of REST has them: what is not chosen is left out. */
export function bodyOf(form: RestoreForm): Record<string, unknown> {
  const { filter, withSystemTables } = chosenOf(form);
  return {
    ...(form.of === 'backup'
      ? { backupId: form.backupId }
      : { source: { clusterId: form.sourceClusterId, pointInTime: momentOf(form) } }),
    targetClusterId: form.targetClusterId,
    ...(filter.length > 0 && { filter }),
    ...(Number(form.rateLimit) > 0 && { rateLimit: Number(form.rateLimit) }),
    ...(withSystemTables && { withSystemTables: true }),
    ...(form.withoutStats && { loadStats: false }),
    ...(form.waitTiflashReady && { waitTiFlashReady: true }),
  };
}

export function samePlan(form: RestoreForm): Same {
  return {
    method: 'POST',
    path: '/restores/plan',
    body: bodyOf(form),
    tidemark: ['restore', 'plan', ...sourceOf(form), '--into', form.targetClusterId, ...flagsOf(form)],
  };
}

export function sameStart(form: RestoreForm, planHash: string, acknowledge: readonly string[]): Same {
  const { targetClusterId } = form;
  return {
    method: 'POST',
    path: '/restores',
    body: { ...bodyOf(form), planHash, confirm: targetClusterId, ...(acknowledge.length > 0 && { acknowledge }) },
    tidemark: [
      ...['restore', 'start', ...sourceOf(form), '--into', targetClusterId, '--plan', planHash, ...flagsOf(form)],
      ...acknowledge.flatMap((check) => ['--acknowledge', check]),
    ],
  };
}

const sourceOf = (form: RestoreForm): string[] =>
  form.of === 'backup' ? [form.backupId] : ['--of', form.sourceClusterId, '--at', momentOf(form)];

function flagsOf(form: RestoreForm): string[] {
  const { filter, withSystemTables } = chosenOf(form);
  return [
    ...filter.flatMap((rule) => ['--filter', rule]),
    ...(Number(form.rateLimit) > 0 ? ['--rate-limit', form.rateLimit] : []),
    ...(withSystemTables ? ['--with-system-tables'] : []),
    ...(form.withoutStats ? ['--no-stats'] : []),
    ...(form.waitTiflashReady ? ['--wait-tiflash'] : []),
  ];
}

export type RestoreAct = 'cancel' | 'resume' | 'release' | 'cleaned';

/** What makes sense now for an admin. */
export function actsOn({ state, targetState, resumable, needsCleaning }: Restore): RestoreAct[] {
  const { QUEUED, RUNNING, FAILED, CANCELED } = RestoreState;
  if (state === QUEUED || state === RUNNING) return ['cancel'];
  const isPartial = targetState === TargetState.PARTIAL && (state === FAILED || state === CANCELED);
  return [
    ...(isPartial && resumable ? (['resume'] as const) : []),
    ...(isPartial ? (['release'] as const) : []),
    ...(!isPartial && needsCleaning ? (['cleaned'] as const) : []),
  ];
}

/** What an act is told beside which restore it is about. */
export interface ActOptions {
  readonly targetCleaned?: boolean;
  readonly hostDead?: boolean;
}

export function sameAct(act: RestoreAct, id: string, options: ActOptions = {}): Same {
  const flags = [
    ...(act === 'release' ? [options.targetCleaned ? '--cleaned' : '--not-cleaned'] : []),
    ...(options.hostDead ? ['--host-dead'] : []),
  ];
  return {
    method: 'POST',
    path: `${pathOf(['restores', id])}/${act}`,
    body: options,
    tidemark: act === 'cleaned' ? ['restore', 'cleanup', id, '--done'] : ['restore', act, id, ...flags],
  };
}

export function isOpen(state: number): boolean {
  return state === RestoreState.QUEUED || state === RestoreState.RUNNING || state === RestoreState.CANCELING;
}

export interface Phase {
  readonly name: string;
  readonly state: 'done' | 'now' | 'failed' | 'ahead';
}

/** What of its source a restore brings back, in words. */
export function whatComesBack(isPoint: boolean, filter: readonly string[]): string {
  if (isPoint) return 'all but users and grants';
  return filter.length > 0 ? filter.join(', ') : 'all that was backed up';
}

/** The steps of `br restore point` that come after its backup, as a real one prints them. */
const STEP_OF_LOG = /^Restore (Meta|KV|Files)/;

/** The way of a restore: accepted, taken by a worker, written, of a point in time by its log too, over. */
export function phasesOf({ state, targetState, attempts, progress, source }: PhasesOf): Phase[] {
  const { QUEUED, SUCCEEDED, FAILED, CANCELED } = RestoreState;
  const isOver = state === SUCCEEDED || state === FAILED || state === CANCELED;
  const hasWritten = targetState !== TargetState.UNTOUCHED && targetState !== TargetState.UNSPECIFIED;
  const isAtLog = hasWritten && STEP_OF_LOG.test(progress?.step ?? '');
  const named = (isNow: boolean, doing: string, done: string) => (isNow && !isOver ? progress?.step || doing : done);
  const ways: readonly { readonly name: string; readonly isBegun: boolean }[] = [
    { name: 'Accepted', isBegun: true },
    { name: 'Taken by a worker, and looked at', isBegun: attempts.length > 0 || (state !== QUEUED && !isOver) },
    {
      name: named(hasWritten && !isAtLog, 'br writes into the target', 'Written into the target'),
      isBegun: hasWritten,
    },
    ...(source?.point
      ? [{ name: named(isAtLog, 'br replays the log', 'Brought to its moment by the log'), isBegun: isAtLog }]
      : []),
    { name: 'Over', isBegun: isOver },
  ];
  const last = ways.findLastIndex(({ isBegun }) => isBegun);
  return ways.map(({ name, isBegun }, index) => {
    if (state === SUCCEEDED) return { name, state: 'done' };
    if (!isBegun) return { name, state: 'ahead' };
    if (index < last) return { name, state: 'done' };
    return { name, state: isOver ? 'failed' : 'now' };
  });
}

type PhasesOf = Pick<Restore, 'state' | 'targetState' | 'attempts' | 'progress'> & {
  readonly source?: Pick<NonNullable<Restore['source']>, 'point'>;
};
