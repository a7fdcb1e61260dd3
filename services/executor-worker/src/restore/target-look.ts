/**
 * What PD says of a target once a `br restore` has ended there: what was left behind, and what was put back. It only asks; what
 * it hears changes neither the end of the restore nor the cluster.
 *
 * The questions are those of br's own tests (schedulers, service safepoints) and of etcd's JSON gateway, which PD has open unless
 * `enable-grpc-gateway` is off. TiKV says on its status port neither whether it is in import mode nor what else a restore of a
 * snapshot changed, so it is asked only around a restore to a point in time, which turns its garbage collection off.
 */
import type { TargetLook } from '@tidemark/br-restore/cleanup';
import type { CollectionLook } from '@tidemark/br-restore/collection';
import { MAX_SCHEDULER_NAME, MAX_SCHEDULERS } from '@tidemark/limits/limits';
import type { TlsFiles } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import { type ClusterTls, readClusterTls } from '../br/cluster-tls.ts';
import { askJson, fieldOf } from './ask-json.ts';
import { askCollection } from './collection-look.ts';

export interface LookedAt {
  /** host:port of each PD. */
  readonly pd: readonly string[];
  readonly tls: TlsFiles | undefined;
  /** Whether a log was replayed, for which `br` turns garbage collection off. */
  readonly toPoint: boolean;
}

/** Looks at a target; undefined where no PD answered. */
export type LookAtTarget = (target: LookedAt, signal: AbortSignal) => Promise<TargetLook | undefined>;

/** Asks the TiKVs of a target before `br` begins there; undefined where none of its PDs names any. */
export type LookAtCollection = (
  target: Pick<LookedAt, 'pd' | 'tls'>,
  signal: AbortSignal,
) => Promise<CollectionLook | undefined>;

/** All of it: the beginning and the end of a restore wait for it. */
const DEADLINE_MS = 2_000;
const SCHEDULERS = '/pd/api/v1/schedulers?status=paused';
const SAFEPOINTS = '/pd/api/v1/gc/safepoint';
const RANGE = '/v3/kv/range';
const REGISTRATIONS = { from: '/tidb/brie/import/restore/', to: '/tidb/brie/import/restore0' };

export const lookAtTarget: LookAtTarget = async ({ pd, tls, toPoint }, outer) => {
  const signal = withTimeout(DEADLINE_MS, outer);
  const material = tls?.ca ? await readClusterTls(tls, signal).catch(() => undefined) : {};
  if (!material) return undefined;
  const looks = pd.map((address) => askOne(address, material, toPoint, signal));
  // The members answer alike; a follower passes the question on.
  return await Promise.any(looks).catch(() => undefined);
};

export const lookAtCollection: LookAtCollection = async ({ pd, tls }, outer) => {
  const signal = withTimeout(DEADLINE_MS, outer);
  const material = tls?.ca ? await readClusterTls(tls, signal).catch(() => undefined) : {};
  if (!material) return undefined;
  const looks = pd.map(async (address) => {
    const look = await askCollection(address, material, signal);
    if (!look) throw new Error(`PD ${address} names no TiKV`);
    return look;
  });
  return await Promise.any(looks).catch(() => undefined);
};

async function askOne(address: string, tls: ClusterTls, toPoint: boolean, signal: AbortSignal): Promise<TargetLook> {
  const at = new Date();
  const ask = (path: string, body?: object) => askJson({ address, path, body, tls, signal }).catch(() => undefined);
  const range = { key: base64(REGISTRATIONS.from), range_end: base64(REGISTRATIONS.to), count_only: true };
  const [schedulers, safepoints, registered, collection] = await Promise.all([
    ask(SCHEDULERS),
    ask(SAFEPOINTS),
    ask(RANGE, range),
    toPoint ? askCollection(address, tls, signal) : undefined,
  ]);
  const pausedSchedulers = pausedOf(schedulers);
  const safepointUntil = safepointOf(safepoints, at);
  const isRegistered = isAnyIn(registered);
  if (pausedSchedulers === undefined && safepointUntil === undefined && isRegistered === undefined)
    throw new Error(`PD ${address} answered none of the questions`);
  return {
    at,
    ...(pausedSchedulers && { pausedSchedulers }),
    ...(safepointUntil !== undefined && { safepointUntil }),
    ...(isRegistered !== undefined && { isRegistered }),
    ...(collection && { collection }),
  };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The names of an answer to SCHEDULERS; PD says `null` for none. */
function pausedOf(answer: unknown): string[] | undefined {
  if (answer === null) return [];
  if (!Array.isArray(answer)) return undefined;
  const names = answer.filter((name) => typeof name === 'string');
  return names.slice(0, MAX_SCHEDULERS).map((name) => name.slice(0, MAX_SCHEDULER_NAME));
}

/** Until when a `br` holds garbage collection back: what is past by now, and what others hold, is left out. */
function safepointOf(answer: unknown, now: Date): Date | null | undefined {
  const all = fieldOf(answer, 'service_gc_safe_points');
  if (!Array.isArray(all)) return all === null ? null : undefined;
  const untils = all
    .filter((one) => String(fieldOf(one, 'service_id')).startsWith('br-'))
    .map((one) => Number(fieldOf(one, 'expired_at')) * 1_000)
    .filter((until) => until > now.getTime() && until <= MAX_DATE_MS);
  return untils.length > 0 ? new Date(Math.max(...untils)) : null;
}

const MAX_DATE_MS = 8.64e15;

/** etcd leaves the count out where it is 0, and writes it as text. */
function isAnyIn(range: unknown): boolean | undefined {
  return fieldOf(range, 'header') === undefined ? undefined : Number(fieldOf(range, 'count') ?? 0) > 0;
}
