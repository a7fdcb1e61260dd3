/** A restore as it is planned and asked for, and what can be done with one. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type Restore,
  type RestoreOptionsSchema,
  RestoreState,
  TargetState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { pathOf, type Same } from './shell.ts';

/** What people choose of a restore. */
export interface RestoreForm {
  readonly backupId: string;
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

export function optionsOf(form: RestoreForm): MessageInitShape<typeof RestoreOptionsSchema> {
  return {
    filter: lines(form.filter),
    rateLimit: Number(form.rateLimit) || 0,
    withSystemTables: form.withSystemTables,
    withoutStats: form.withoutStats,
    waitTiflashReady: form.waitTiflashReady,
  };
}

/** The options as the body of REST has them: what is not chosen is left out. */
export function bodyOf(form: RestoreForm): Record<string, unknown> {
  const filter = lines(form.filter);
  return {
    backupId: form.backupId,
    targetClusterId: form.targetClusterId,
    ...(filter.length > 0 && { filter }),
    ...(Number(form.rateLimit) > 0 && { rateLimit: Number(form.rateLimit) }),
    ...(form.withSystemTables && { withSystemTables: true }),
    ...(form.withoutStats && { loadStats: false }),
    ...(form.waitTiflashReady && { waitTiFlashReady: true }),
  };
}

export function samePlan(form: RestoreForm): Same {
  return {
    method: 'POST',
    path: '/restores/plan',
    body: bodyOf(form),
    tidemark: ['restore', 'plan', form.backupId, '--into', form.targetClusterId, ...flagsOf(form)],
  };
}

export function sameStart(form: RestoreForm, planHash: string, acknowledge: readonly string[]): Same {
  const { targetClusterId } = form;
  return {
    method: 'POST',
    path: '/restores',
    body: { ...bodyOf(form), planHash, confirm: targetClusterId, ...(acknowledge.length > 0 && { acknowledge }) },
    tidemark: [
      ...['restore', 'start', form.backupId, '--into', targetClusterId, '--plan', planHash, ...flagsOf(form)],
      ...acknowledge.flatMap((check) => ['--acknowledge', check]),
    ],
  };
}

function flagsOf(form: RestoreForm): string[] {
  return [
    ...lines(form.filter).flatMap((rule) => ['--filter', rule]),
    ...(Number(form.rateLimit) > 0 ? ['--rate-limit', form.rateLimit] : []),
    ...(form.withSystemTables ? ['--with-system-tables'] : []),
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

/** The way of a restore: accepted, taken by a worker, written, over. */
export function phasesOf({ state, targetState, attempts, progress }: Restore): Phase[] {
  const { QUEUED, SUCCEEDED, FAILED, CANCELED } = RestoreState;
  const isOver = state === SUCCEEDED || state === FAILED || state === CANCELED;
  const hasRun = attempts.length > 0;
  const hasWritten = targetState !== TargetState.UNTOUCHED && targetState !== TargetState.UNSPECIFIED;
  const step = progress?.step || 'br writes into the target';
  const reached = state === QUEUED && !hasRun ? 0 : !hasWritten && !isOver ? 1 : isOver ? 3 : 2;
  const names = [
    'Accepted',
    'Taken by a worker, and looked at',
    hasWritten && !isOver ? step : 'Written into the target',
    'Over',
  ];
  return names.map((name, index) => {
    if (state === SUCCEEDED) return { name, state: 'done' };
    if (isOver)
      return {
        name,
        state:
          index === 3 ? 'failed' : index === 2 && !hasWritten ? 'ahead' : index === 1 && !hasRun ? 'ahead' : 'done',
      };
    return { name, state: index < reached ? 'done' : index === reached ? 'now' : 'ahead' };
  });
}
