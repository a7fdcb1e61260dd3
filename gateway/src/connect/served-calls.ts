/**
 * The one table of what people may call over Connect, gRPC-web and gRPC: every RPC of the public services has a row.
 * PlanService and ExecutorService have none: they are never served here. docs/grpc.md tells the same in words.
 *
 * 1. A call needs the role, and is told of the clusters, that the same call of REST does.
 * 2. What REST checks or fills in before it calls a service is checked and filled in here.
 * 3. What a service takes from other processes only (`internal`) is refused as invalid_argument when somebody sets it.
 */
import { randomUUID } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import {
  type BackupService,
  GetBackupResponseSchema,
  type StartBackupRequest,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import {
  DeleteClusterResponseSchema,
  type RegistryService,
} from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import type { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import {
  GetStrategyResponseSchema,
  type Retention,
  type StrategyService,
} from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { forgetCluster } from '../rest/clusters.ts';
import { DEFAULT_RULE, findRule } from '../rest/find-rule.ts';
import { callOptions } from '../rest/route.ts';
import { CHECK_ANSWER_MS, lookUpStorage } from '../rest/storage-checks.ts';
import { type Acting, SET_BY_TIDEMARK, type ServedCalls } from './served-call.ts';

/** As in REST. */
const DEFAULT_PAGE_SIZE = 10;
const MOST_RULES = 1_000;
const DEFAULT_STARTS = 10;
const MOST_ATTEMPTS = 1_000;
const LONGEST_REASON = 1_000;
const LONGEST_KEY = 255;
const MOST_KEPT = 100_000;

export const BACKUP_CALLS: ServedCalls<typeof BackupService> = {
  startBackup: {
    call: 'startBackup',
    of: { kind: 'cluster', field: 'clusterId', id: ({ clusterId }) => clusterId },
    audit: 'start backup',
    names: ({ rule }) => (rule === '' ? {} : { rule }),
    check: ({ origin, key }) => [
      ...unless(origin !== BackupOrigin.SCHEDULE, 'origin', 'must be left out: the scheduler alone starts for itself'),
      ...unless(
        key.length <= LONGEST_KEY && /^[\x21-\x7e]*$/.test(key),
        'key',
        `must be 1 to ${LONGEST_KEY} printable characters without blanks, or be left out`,
      ),
    ],
    prepare: completeStart,
    async act(request, { scope, dependencies }) {
      const response = await dependencies.backends.backups.startBackup(request, callOptions(scope, dependencies));
      if (response.backup) scope.audited = { ...scope.audited, backupId: response.backup.id };
      return response;
    },
  },
  getBackup: {
    call: 'getBackup',
    of: { kind: 'backup', id: ({ id }) => id },
    // The record was looked at already, to see whose it is.
    act: async (_, { backup }) => create(GetBackupResponseSchema, { ...(backup && { backup }) }),
  },
  findBackupByKey: {
    call: 'getBackup',
    of: { kind: 'cluster', field: 'clusterId', id: ({ clusterId }) => clusterId },
  },
  listBackups: {
    call: 'listBackups',
    of: { kind: 'clusters', field: 'clusterIds', ids: ({ clusterIds }) => clusterIds },
    prepare: setPage,
    async act(request, acting) {
      const { scope, dependencies } = acting;
      const found = await dependencies.backends.backups.listBackups(request, callOptions(scope, dependencies));
      // A cluster that was never there is told apart from one without backups.
      if (found.total === 0n && !found.totalLeftOut) await requireOnlyCluster(acting);
      return found;
    },
  },
  cancelBackup: {
    call: 'cancelBackup',
    of: { kind: 'backup', id: ({ id }) => id, clusterId: ({ clusterId }) => clusterId },
    audit: 'cancel backup',
    internal: ['reasonCode'],
    check: checkReason,
    prepare(request, { backup }) {
      if (backup) request.clusterId = backup.clusterId;
    },
  },
  deleteBackup: {
    call: 'deleteBackup',
    of: { kind: 'backup', id: ({ id }) => id },
    audit: 'delete backup',
    internal: ['byRetention'],
    check: checkReason,
    prepare(request, { backup }) {
      if (request.clusterId !== '' && request.clusterId !== backup?.clusterId)
        throw invalidArgument([{ field: 'clusterId', description: 'is not the cluster of this backup' }]);
      request.clusterId = backup?.clusterId ?? '';
    },
  },
  pinBackup: { call: 'pinBackup', of: { kind: 'backup', id: ({ id }) => id }, audit: 'pin backup' },
  unpinBackup: { call: 'unpinBackup', of: { kind: 'backup', id: ({ id }) => id }, audit: 'unpin backup' },
  watchBackup: { call: 'watchBackup', of: { kind: 'backup', id: ({ id }) => id } },
  readBackupLog: {
    call: 'readBackupLog',
    of: { kind: 'backup', id: ({ id }) => id },
    check: ({ attempt }) =>
      unless(
        attempt >= 0 && attempt <= MOST_ATTEMPTS,
        'attempt',
        `must be a whole number from 1 to ${MOST_ATTEMPTS}, or be left out for all attempts`,
      ),
  },
  listNewestGood: { internalBecause: 'for the metrics of the scheduler' },
  listChangedClusters: { internalBecause: 'tells the scheduler where retention has something to do' },
};

export const REGISTRY_CALLS: ServedCalls<typeof RegistryService> = {
  putCluster: {
    call: 'putCluster',
    of: { kind: 'cluster', field: 'cluster.id', id: ({ cluster }) => cluster?.id ?? '' },
    audit: 'put cluster',
  },
  getCluster: { call: 'getCluster', of: { kind: 'cluster', field: 'id', id: ({ id }) => id } },
  listClusters: { call: 'listClusters', of: { kind: 'clusters', field: 'ids', ids: ({ ids }) => ids } },
  scanClusters: { internalBecause: 'every cluster at once, for a copy of the scheduler that starts' },
  deleteCluster: {
    call: 'deleteCluster',
    of: { kind: 'cluster', field: 'id', id: ({ id }) => id },
    audit: 'delete cluster',
    async act({ id }, { scope, dependencies }) {
      await forgetCluster(scope, dependencies, id);
      return create(DeleteClusterResponseSchema);
    },
  },
  putStorage: {
    call: 'putStorage',
    of: { kind: 'all' },
    audit: 'put storage',
    names: ({ storage }) => ({ storageId: storage?.id ?? '' }),
  },
  getStorage: { call: 'getStorage', of: { kind: 'all' } },
  listStorages: { call: 'listStorages', of: { kind: 'all' } },
  deleteStorage: {
    call: 'deleteStorage',
    of: { kind: 'all' },
    audit: 'delete storage',
    names: ({ id }) => ({ storageId: id }),
  },
  checkStorage: {
    call: 'checkStorage',
    of: { kind: 'all' },
    audit: 'check storage',
    names: ({ storageId }) => ({ storageId }),
    answerMs: CHECK_ANSWER_MS,
    check: ({ storageId }) => unless(storageId !== '', 'storageId', 'must be set'),
    prepare: ({ storageId }, { scope, dependencies }) => lookUpStorage(storageId, scope, dependencies),
  },
  rebuildRecords: {
    call: 'rebuildRecords',
    of: { kind: 'all' },
    audit: 'rebuild records',
    names: ({ storageId }) => ({ storageId }),
  },
  getStorageCheck: { call: 'getStorageCheck', of: { kind: 'all' } },
};

export const STRATEGY_CALLS: ServedCalls<typeof StrategyService> = {
  getStrategy: {
    call: 'getStrategy',
    of: { kind: 'cluster', field: 'clusterId', id: ({ clusterId }) => clusterId },
    async act({ clusterId, rule }, { scope, dependencies }) {
      if (rule !== '' && rule !== DEFAULT_RULE)
        return create(GetStrategyResponseSchema, { strategy: await findRule(scope, dependencies, clusterId, rule) });
      const { registry, strategies } = dependencies.backends;
      const { cluster } = await registry.getCluster({ id: clusterId }, callOptions(scope, dependencies));
      const found = await strategies.getStrategy({ clusterId, rule }, callOptions(scope, dependencies));
      // One that was never saved has no zone of its own yet: a first save would take the cluster's.
      if (found.strategy?.revision === 0n && cluster?.timeZone) found.strategy.timeZone = cluster.timeZone;
      return found;
    },
  },
  listStrategies: {
    call: 'listStrategies',
    of: { kind: 'clusters', field: 'clusterIds', ids: ({ clusterIds }) => clusterIds },
    internal: ['updatedAfter'],
    async prepare(request, acting) {
      request.pageSize ||= MOST_RULES;
      await requireOnlyCluster(acting);
    },
  },
  saveStrategy: {
    call: 'saveStrategy',
    of: { kind: 'cluster', field: 'clusterId', id: ({ clusterId }) => clusterId },
    audit: ({ validateOnly, createOnly }) =>
      validateOnly ? undefined : createOnly ? 'create strategy' : 'save strategy',
    names: namesRule,
    internal: ['defaultTimeZone'],
    async prepare(request, acting) {
      const { cluster } = await requireCluster(request.clusterId, acting);
      await requireStorage(request.storageId, acting);
      request.defaultTimeZone = cluster?.timeZone ?? '';
    },
  },
  deleteStrategy: {
    call: 'deleteStrategy',
    of: { kind: 'cluster', field: 'clusterId', id: ({ clusterId }) => clusterId },
    audit: 'delete strategy',
    names: namesRule,
    check: ({ rule }) =>
      unless(rule !== '', 'rule', `must be set, such as "${DEFAULT_RULE}": rules are deleted one by one`),
    async prepare({ clusterId, rule }, acting) {
      await requireRule(clusterId, rule, acting);
    },
  },
  getFleetStrategy: { call: 'getFleetStrategy', of: { kind: 'all' } },
  listFleetStrategies: { call: 'listFleetStrategies', of: { kind: 'all' } },
  saveFleetStrategy: {
    call: 'saveFleetStrategy',
    of: { kind: 'all' },
    audit: 'save fleet strategy',
    names: ({ name }) => ({ fleetStrategy: name }),
    prepare: ({ storageId }, acting) => requireStorage(storageId, acting),
  },
  deleteFleetStrategy: {
    call: 'deleteFleetStrategy',
    of: { kind: 'all' },
    audit: 'delete fleet strategy',
    names: ({ name }) => ({ fleetStrategy: name }),
  },
};

export const OCCURRENCE_CALLS: ServedCalls<typeof OccurrenceService> = {
  listOccurrences: {
    call: 'listOccurrences',
    of: { kind: 'clusters', field: 'clusterIds', ids: ({ clusterIds }) => clusterIds },
    check: ({ rule }) => checkName('rule', rule),
    async prepare(request, acting) {
      setPage(request);
      await requireOnlyCluster(acting);
    },
  },
  previewStrategy: {
    call: 'previewStrategy',
    of: { kind: 'cluster', field: 'clusterId', id: ({ clusterId }) => clusterId },
    check: ({ clusterId, rule, proposal }) => [
      ...checkName('rule', rule),
      ...unless(
        !proposal || proposal.clusterId === '' || proposal.clusterId === clusterId,
        'proposal.clusterId',
        'must be left out or be the cluster of the request',
      ),
      ...unless(
        !proposal || proposal.rule === '' || proposal.rule === (rule || DEFAULT_RULE),
        'proposal.rule',
        'must be left out or be the rule of the request',
      ),
      ...unless(!proposal || proposal.defaultTimeZone === '', 'proposal.defaultTimeZone', SET_BY_TIDEMARK),
    ],
    async prepare(request, acting) {
      const { clusterId, proposal } = request;
      request.count ||= DEFAULT_STARTS;
      request.rule ||= DEFAULT_RULE;
      if (!proposal) return requireRule(clusterId, request.rule, acting);
      const { cluster } = await requireCluster(clusterId, acting);
      await requireStorage(proposal.storageId, acting);
      proposal.defaultTimeZone = cluster?.timeZone ?? '';
    },
  },
};

export const RETENTION_CALLS: ServedCalls<typeof RetentionService> = {
  evaluateRetention: {
    call: 'evaluateRetention',
    of: { kind: 'cluster', field: 'clusterId', id: ({ clusterId }) => clusterId },
    check: ({ rule, proposal }) => [...checkName('rule', rule), ...checkRetention('proposal', proposal)],
    prepare: ({ clusterId, rule }, acting) => requireRule(clusterId, rule || DEFAULT_RULE, acting),
  },
};

const NAME = /^[A-Za-z0-9_-]{0,64}$/;
const RETENTION_FIELDS = ['keepLast', 'keepDays', 'daily', 'weekly', 'monthly', 'yearly'] as const;

function unless(fine: boolean, field: string, description: string): FieldViolation[] {
  return fine ? [] : [{ field, description }];
}

function checkName(field: string, name: string): FieldViolation[] {
  return unless(NAME.test(name), field, 'must be 1 to 64 letters, digits, underscores or dashes');
}

function checkReason({ reason }: { readonly reason: string }): FieldViolation[] {
  return unless(reason.length <= LONGEST_REASON, 'reason', `must be at most ${LONGEST_REASON} characters`);
}

function checkRetention(field: string, retention: Retention | undefined): FieldViolation[] {
  return RETENTION_FIELDS.flatMap((name) =>
    unless(
      (retention?.[name] ?? 0) <= MOST_KEPT,
      `${field}.${name}`,
      `must be a whole number from 0 to ${MOST_KEPT}, such as 7`,
    ),
  );
}

/** A start as REST makes it: keyed, so that a repeat on the way cannot start two; of a rule that is there, with what it has. */
async function completeStart(request: StartBackupRequest, { scope, dependencies }: Acting): Promise<void> {
  request.key ||= randomUUID();
  request.mode ||= BackupMode.MANUAL;
  request.origin = BackupOrigin.REQUEST;
  if (request.rule === '') return;
  const { storageId, brOptions } = await findRule(scope, dependencies, request.clusterId, request.rule);
  request.storageId ||= storageId;
  if (brOptions) request.brOptions ??= brOptions;
}

function setPage(request: { page: number; pageSize: number }): void {
  request.page ||= 1;
  request.pageSize ||= DEFAULT_PAGE_SIZE;
}

/** The rule in an audit line, which like REST's does not name the one of the documented API. */
function namesRule({ rule }: { readonly rule: string }) {
  return rule === '' || rule === DEFAULT_RULE ? {} : { rule };
}

function requireCluster(clusterId: string, { scope, dependencies }: Acting) {
  return dependencies.backends.registry.getCluster({ id: clusterId }, callOptions(scope, dependencies));
}

/** Where one cluster is asked about, it must be there. */
async function requireOnlyCluster(acting: Acting): Promise<void> {
  const [clusterId, ...others] = acting.asked;
  if (clusterId !== undefined && others.length === 0) await requireCluster(clusterId, acting);
}

/** The default rule is there with its cluster; another one must have been saved. */
async function requireRule(clusterId: string, rule: string, acting: Acting): Promise<void> {
  if (rule === DEFAULT_RULE) await requireCluster(clusterId, acting);
  else await findRule(acting.scope, acting.dependencies, clusterId, rule);
}

async function requireStorage(storageId: string | undefined, { scope, dependencies }: Acting): Promise<void> {
  if (storageId) await dependencies.backends.registry.getStorage({ id: storageId }, callOptions(scope, dependencies));
}
