/**
 * What PD says of a target once a `br restore` has ended there: what was left behind, and what was put back. It only asks; what
 * it hears changes neither the end of the restore nor the cluster.
 *
 * The questions are those of br's own tests (schedulers, service safepoints) and of etcd's JSON gateway, which PD has open unless
 * `enable-grpc-gateway` is off. TiKV says on its status port neither whether it is in import mode nor what else a restore of a
 * snapshot changed, so it is not asked.
 */
import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import type { TargetLook } from '@tidemark/br-restore/cleanup';
import { MAX_PD_ANSWER_BYTES, MAX_SCHEDULER_NAME, MAX_SCHEDULERS } from '@tidemark/limits/limits';
import type { TlsFiles } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import { type ClusterTls, readClusterTls } from '../br/cluster-tls.ts';

export interface LookedAt {
  /** host:port of each PD. */
  readonly pd: readonly string[];
  readonly tls: TlsFiles | undefined;
}

/** Looks at a target; undefined where no PD answered. */
export type LookAtTarget = (target: LookedAt, signal: AbortSignal) => Promise<TargetLook | undefined>;

/** All of it: the end of a restore waits for it. */
const DEADLINE_MS = 2_000;
const SCHEDULERS = '/pd/api/v1/schedulers?status=paused';
const SAFEPOINTS = '/pd/api/v1/gc/safepoint';
const RANGE = '/v3/kv/range';
const REGISTRATIONS = { from: '/tidb/brie/import/restore/', to: '/tidb/brie/import/restore0' };

export const lookAtTarget: LookAtTarget = async ({ pd, tls }, outer) => {
  const signal = withTimeout(DEADLINE_MS, outer);
  const material = tls?.ca ? await readClusterTls(tls, signal).catch(() => undefined) : {};
  if (!material) return undefined;
  const looks = pd.map((address) => askOne(address, material, signal));
  // The members answer alike; a follower passes the question on.
  return await Promise.any(looks).catch(() => undefined);
};

async function askOne(address: string, tls: ClusterTls, signal: AbortSignal): Promise<TargetLook> {
  const at = new Date();
  const ask = (path: string, body?: object) => askJson({ address, path, body, tls, signal }).catch(() => undefined);
  const range = { key: base64(REGISTRATIONS.from), range_end: base64(REGISTRATIONS.to), count_only: true };
  const [schedulers, safepoints, registered] = await Promise.all([ask(SCHEDULERS), ask(SAFEPOINTS), ask(RANGE, range)]);
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

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

interface Question {
  readonly address: string;
  readonly path: string;
  /** Posted; without one it is a GET. */
  readonly body: object | undefined;
  readonly tls: ClusterTls;
  readonly signal: AbortSignal;
}

async function askJson({ address, path, body, tls, signal }: Question): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const isSecure = tls.ca !== undefined;
  const method = body ? 'POST' : 'GET';
  // A connection of its own: kept ones would outlive the look.
  const options = { ...tls, method, signal, agent: false, headers: { 'content-type': 'application/json' } };
  const url = `${isSecure ? 'https' : 'http'}://${address}${path}`;
  const request = (isSecure ? requestSecure : requestPlain)(url, options, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_PD_ANSWER_BYTES) response.destroy(new Error(`PD ${address} says too much`));
    });
    response.on('end', () => {
      if (response.statusCode === 200) resolve(text);
      else reject(new Error(`PD ${address} answered ${response.statusCode}`));
    });
    response.on('error', reject);
  });
  request.on('error', reject);
  request.end(body && JSON.stringify(body));
  return JSON.parse(await promise);
}
