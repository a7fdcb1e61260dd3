import { createHash, randomBytes } from 'node:crypto';
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import type {
  StartRestoreRequest,
  StartRestoreResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { acceptedTrace } from '../accepted-trace.ts';
import { startRestore as accept } from '../restore/decide/start.ts';
import { restoreAccepted } from '../restore/events.ts';
import type { Plan } from '../restore/plan.ts';
import type { Restore } from '../restore/restore.ts';
import { fromOptionsMessage, toRestoreMessage } from '../restore/restore-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { circumstances, findPlan } from './plan-restore.ts';
import { busy } from './refusals.ts';
import { requireVisible } from './restore-refusals.ts';

/** Accepts a restore: the document is written before anything is held or anybody notified. */
export function startRestore(dependencies: Dependencies) {
  const { restores, store, dispatcher, now, restoreLimits } = dependencies;
  return async (request: StartRestoreRequest, context: CallContext): Promise<StartRestoreResponse> => {
    const { caller, requestId, signal } = context;
    const id = restoreId(request.key, caller);
    const hash = requestHash(request);
    const answer = async (restore: Restore): Promise<StartRestoreResponse> => {
      await dispatcher.ringRestore(restore._id);
      const current = (await restores.get(restore._id, signal)) ?? restore;
      return { restore: toRestoreMessage(current, now()) };
    };
    // A repeat is answered whatever became of its backup and its cluster.
    const known = request.key === '' ? undefined : await restores.get(id, signal);
    if (known) {
      requireVisible(known, context);
      return answer(sameRequest(known, hash));
    }
    if (request.notAfter && now() > request.notAfter)
      throw new AppError(
        'start_expired',
        `It was too late to start a restore after ${request.notAfter.toISOString()}.`,
      );

    const found = await findPlan(dependencies, request, context);
    const { clusterId } = found.plan.target;
    requireRole(request, found.plan);
    const { taken, checks } = await circumstances(dependencies, found, context, id);
    const plan = { ...found.plan, checks: [...found.plan.checks, ...checks] };
    const acknowledged = requireConfirmed(request, plan);
    if (taken) throw taken;
    const restore = accept({
      _id: id,
      request: { hash, id: requestId, ...(request.key !== '' && { key: request.key }), ...acceptedTrace() },
      createdBy: caller,
      source: plan.source,
      target: plan.target,
      options: plan.options,
      plan: { hash: plan.hash, acknowledged, confirmedBy: caller },
      acceptedAt: now(),
      deadlineMs: restoreLimits.deadlineMs,
    });
    switch (await restores.insert(restore, signal)) {
      case 'inserted':
        restoreAccepted(restore);
        return answer(restore);
      case '_id': {
        // Ours, from a try whose answer was lost, or another call's with the same key.
        const first = await restores.get(id, signal);
        if (first) return answer(sameRequest(first, hash));
        break;
      }
      case 'activeKey': {
        const holder = await store.findActive(clusterId, signal);
        if (holder?.restore?._id === id) return answer(sameRequest(holder.restore, hash));
        if (holder) throw busy(clusterId, holder, context.sees);
        break;
      }
    }
    throw new AppError('conflict', `Cluster ${clusterId} became free just now; try again.`);
  };
}

/** 22 characters of base64url: of the caller's key, apart from that of a backup with the same key, or random. */
function restoreId(key: string, caller: string): string {
  const hashed = () =>
    createHash('sha256')
      .update(JSON.stringify(['restore', caller, key]))
      .digest()
      .subarray(0, 16);
  return (key === '' ? randomBytes(16) : hashed()).toString('base64url');
}

function requestHash(request: StartRestoreRequest): string {
  const { backupId, point, targetClusterId, options, planHash, acknowledge } = request;
  const { extra, ...rest } = fromOptionsMessage(options);
  const parts = [
    ...[backupId, targetClusterId, rest, Object.entries(extra).sort(), planHash, [...acknowledge].sort()],
    ...(point ? [[point.clusterId, point.time?.getTime() ?? null, String(point.ts)]] : []),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function sameRequest(restore: Restore, hash: string): Restore {
  if (restore.request.hash === hash) return restore;
  throw invalidArgument([
    { field: 'Idempotency-Key', description: 'was used for another request before; use a new key for a new request' },
  ]);
}

/** @throws AppError `permission_denied` for a caller who restores into scratch clusters alone */
function requireRole({ scratchOnly }: StartRestoreRequest, { target: { clusterId, purpose } }: Plan): void {
  if (!scratchOnly || purpose === 'scratch') return;
  throw new AppError(
    'permission_denied',
    `A restore into cluster ${clusterId} needs the role admin: its purpose is ${purpose} (of all its registrations the strictest counts), and operators restore into scratch clusters alone.`,
    { info: { clusterId } },
  );
}

/**
 * What is given must be right, and only a scratch cluster is restored into without it.
 *
 * @returns the checks that were blocked, and that the person passes over
 * @throws AppError where the person did not confirm this very plan, or passes over nothing that is blocked
 */
function requireConfirmed(
  { confirm, planHash, acknowledge }: StartRestoreRequest,
  { hash, target, checks }: Plan,
): string[] {
  const { clusterId, purpose } = target;
  const isLeftOut = (text: string) => text === '' && purpose === 'scratch';
  const check = validation();
  check.require(
    planHash !== '' || isLeftOut(planHash),
    'planHash',
    'must be the planHash of the plan that you looked at',
  );
  check.require(
    confirm === clusterId || isLeftOut(confirm),
    'confirm',
    `must be ${clusterId}, the id of the cluster that is restored into`,
  );
  check.finish();
  if (planHash !== hash && !isLeftOut(planHash))
    throw new AppError(
      'plan_stale',
      'The backup, the cluster or the options are not those of the plan that you looked at: look at a new plan.',
      { info: { clusterId, planHash: hash } },
    );
  const blocked = checks.filter(({ result }) => result === 'blocked');
  const open = blocked.filter(({ name }) => !acknowledge.includes(name));
  if (open.length > 0)
    throw new AppError('plan_blocked', open.map(({ message }) => message).join(' '), {
      info: { clusterId, checks: open.map(({ name }) => name).join(',') },
    });
  return blocked.map(({ name }) => name);
}
