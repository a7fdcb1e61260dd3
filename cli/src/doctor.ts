/** What is wrong around Tidemark, as far as the API and this machine can tell. */
import { statSync } from 'node:fs';
import { connect } from 'node:tls';
import { MAX_WORKERS_PAGE } from '@tidemark/limits/limits';
import { type Api, ApiError, answered } from './api.ts';
import type { Connection } from './connection.ts';
import { CommandError, EXIT } from './exit.ts';
import { counted, duration } from './text.ts';

export type Finding = 'ok' | 'warn' | 'wrong' | 'unknown';

/** What was found of one thing. */
export interface Diagnosis {
  readonly name: string;
  readonly is: Finding;
  readonly what: string;
}

type Found = Omit<Diagnosis, 'name'>;

export interface DoctorDependencies {
  readonly api: Api;
  readonly connection: Connection;
  readonly stop: AbortSignal;
  /** In milliseconds since 1970. */
  readonly now: () => number;
  /** Whether workers try each storage. */
  readonly tryStorages: boolean;
}

const CLOCK_WARN_SECONDS = 5;
const CLOCK_WRONG_SECONDS = 60;
const EXPIRES_SOON_MS = 14 * 86_400_000;
const WAITS_LONG_SECONDS = 3_600;
const CERTIFICATE_MS = 5_000;
const LISTED = 100;
const NAMED = 5;

const ok = (what: string): Found => ({ is: 'ok', what });
const warn = (what: string): Found => ({ is: 'warn', what });
const wrong = (what: string): Found => ({ is: 'wrong', what });

/** Looks at one thing after the other; each finding comes as soon as it is there. What needs the server is left out where it is away. */
export async function* diagnose(dependencies: DoctorDependencies): AsyncGenerator<Diagnosis> {
  const { api, connection } = dependencies;
  yield { name: 'address', ...addressOf(connection) };
  const { tokenFile } = connection;
  if (tokenFile !== undefined) yield { name: 'token file', ...tokenFileOf(tokenFile) };
  const reached = await reach(dependencies);
  yield { name: 'reach', ...reached.found };
  if (reached.found.is === 'wrong') return;
  yield { name: 'clock', ...clockOf(reached.skewSeconds) };
  if (connection.url.startsWith('https:')) yield { name: 'certificate', ...(await certificateOf(dependencies)) };
  const looks: readonly (readonly [string, () => Promise<Found>])[] = [
    ['fleet', () => fleetOf(api)],
    ['queue', () => queueOf(dependencies)],
    ['damaged backups', () => damagedOf(api)],
    ['deletions', () => deletionsOf(api)],
    ['restores', () => restoresOf(api)],
    ['storages', () => storagesOf(dependencies)],
    ['workers', () => workersOf(api)],
    ['br versions', () => versionsOf(api)],
  ];
  for (const [name, look] of looks) yield { name, ...(await unlessRefused(look)) };
}

/** What this token may not ask, or cannot be told just now, says nothing against Tidemark. */
async function unlessRefused(look: () => Promise<Found>): Promise<Found> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.exitCode === EXIT.denied || error.status === 404
      ? { is: 'unknown', what: 'This token may not ask for that.' }
      : warn(error.message);
  }
}

function addressOf({ url, from }: Connection): Found {
  const { protocol, hostname } = new URL(url);
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return protocol === 'https:' || isHere
    ? ok(`${url}, as ${from} says.`)
    : warn(`${url}, as ${from} says: the token travels without encryption.`);
}

function tokenFileOf(file: string): Found {
  const mode = statSync(file).mode & 0o077;
  return mode === 0
    ? ok(`${file} is readable for its owner alone.`)
    : warn(`${file} can be read by others: chmod 600 helps.`);
}

async function reach({
  api,
  now,
}: DoctorDependencies): Promise<{ readonly found: Found; readonly skewSeconds?: number }> {
  const startedAt = performance.now();
  const askedAt = now();
  try {
    const call = api.GET('/fleet', { params: { query: { clusterId: [], verdict: [], label: [], pageSize: 1 } } });
    await answered(call);
    const took = performance.now() - startedAt;
    const told = Date.parse((await call).response.headers.get('date') ?? '');
    const between = askedAt + took / 2;
    return {
      found:
        took > 2_000
          ? warn(`It answers after ${duration(took / 1_000)}.`)
          : ok(`It answers after ${Math.round(took)} ms, and takes the token.`),
      // A header tells whole seconds.
      ...(!Number.isNaN(told) && { skewSeconds: (told + 500 - between) / 1_000 }),
    };
  } catch (error) {
    if (error instanceof CommandError) return { found: wrong(error.message) };
    throw error;
  }
}

function clockOf(skew: number | undefined): Found {
  if (skew === undefined) return { is: 'unknown', what: 'The server does not say what time it is.' };
  const seconds = Math.abs(skew);
  if (seconds < CLOCK_WARN_SECONDS) return ok('The clocks of this machine and of the server agree.');
  const sentence = `The clock of the server is ${duration(seconds)} ${skew > 0 ? 'ahead of' : 'behind'} this machine's.`;
  return seconds < CLOCK_WRONG_SECONDS ? warn(sentence) : wrong(sentence);
}

async function certificateOf({ connection, stop, now }: DoctorDependencies): Promise<Found> {
  const { hostname, port } = new URL(connection.url);
  const until = await new Promise<string | undefined>((resolve) => {
    const socket = connect(
      { host: hostname, port: Number(port || 443), servername: hostname, timeout: CERTIFICATE_MS },
      () => {
        resolve(socket.getPeerCertificate().valid_to);
        socket.destroy();
      },
    );
    const end = () => {
      resolve(undefined);
      socket.destroy();
    };
    socket.once('error', end).once('timeout', end);
    stop.addEventListener('abort', end, { once: true });
  });
  if (until === undefined) return { is: 'unknown', what: 'It could not be looked at.' };
  const left = Date.parse(until) - now();
  const sentence = `It expires in ${duration(left / 1_000)} (${until}).`;
  return left < EXPIRES_SOON_MS ? warn(sentence) : ok(sentence);
}

async function fleetOf(api: Api): Promise<Found> {
  const query = { clusterId: [], verdict: [], label: [], pageSize: 1 };
  const { counts, logCounts } = (await answered(api.GET('/fleet', { params: { query } }))).data;
  const { never = 0, veryLate = 0, late = 0, noPlan = 0, inTime = 0 } = counts;
  const bad = never + veryLate + late;
  const all = bad + noPlan + inTime;
  if (bad > 0) return wrong(`${bad} of ${counted(all, 'cluster')} have no good backup in time: "status" shows them.`);
  // A server of before tells nothing of logs.
  const { critical = 0, warning = 0 } = logCounts ?? {};
  if (critical + warning > 0) {
    const sentence = `${counted(critical + warning, 'log backup has', 'log backups have')} an alarm: "status --log critical --log warning -o wide" shows them.`;
    return critical > 0 ? wrong(sentence) : warn(sentence);
  }
  return noPlan > 0
    ? warn(`${noPlan} of ${counted(all, 'cluster')} have no plan.`)
    : ok(`${counted(all, 'cluster')}, none is late.`);
}

async function queueOf({ api, now }: DoctorDependencies): Promise<Found> {
  const query = { state: 'Queued' as const, pageSize: LISTED };
  const { data, page } = await answered(api.GET('/backups', { params: { query } }));
  const waiting = page.total ?? data.backupRecords.length;
  if (waiting === 0) return ok('No backup waits.');
  const oldest = Math.min(...data.backupRecords.map(({ startTime }) => Date.parse(startTime)));
  const seconds = (now() - oldest) / 1_000;
  const sentence = `${counted(waiting, 'backup waits', 'backups wait')}, one of them for ${duration(seconds)}.`;
  return seconds > WAITS_LONG_SECONDS ? warn(`${sentence} Are there workers for its pool?`) : ok(sentence);
}

async function damagedOf(api: Api): Promise<Found> {
  const { data } = await answered(api.GET('/backups', { params: { query: { damaged: true, pageSize: LISTED } } }));
  const damaged = data.backupRecords.map(({ id }) => id);
  return damaged.length === 0
    ? ok('No verification found one.')
    : wrong(`${counted(damaged.length, 'backup')}: ${some(damaged)}.`);
}

async function deletionsOf(api: Api): Promise<Found> {
  const { data } = await answered(
    api.GET('/backups', { params: { query: { includeDeleted: true, pageSize: LISTED } } }),
  );
  const failed = data.backupRecords.filter(({ deletion }) => deletion.state === 'DeleteFailed').map(({ id }) => id);
  return failed.length === 0
    ? ok(`None failed among the newest ${LISTED} backups.`)
    : warn(`${counted(failed.length, 'deletion')} failed: ${some(failed)}.`);
}

async function restoresOf(api: Api): Promise<Found> {
  const { data } = await answered(api.GET('/restores', { params: { query: { pageSize: LISTED } } }));
  const partial = data.restores.filter(
    ({ state, targetState }) => targetState === 'Partial' && ['Failed', 'Canceled'].includes(state),
  );
  return partial.length === 0
    ? ok('None ended in the middle.')
    : wrong(
        `${counted(partial.length, 'restore')} ended in the middle: ${some(partial.map(({ id }) => id))}. "restore get" says what to do.`,
      );
}

async function storagesOf({ api, tryStorages }: DoctorDependencies): Promise<Found> {
  const { storages } = (await answered(api.GET('/storages'))).data;
  const gone = storages.filter((one) => one.gone).map(({ id }) => id);
  const failed: string[] = [];
  for (const { id } of tryStorages ? storages.filter((one) => !one.gone) : []) {
    const { check } = (
      await answered(api.POST('/storages/{storageId}/check', { params: { path: { storageId: id } }, body: {} }))
    ).data;
    if (!check.ok) failed.push(`${id} (${check.steps.find((step) => !step.ok)?.message ?? check.state})`);
  }
  if (failed.length > 0) return wrong(`Not all is fine with ${failed.join('; ')}`);
  const tried = tryStorages ? 'workers tried them' : '--check-storages has workers try them';
  return gone.length > 0
    ? warn(`Gone for good: ${some(gone)}.`)
    : ok(`${counted(storages.length, 'storage')}; ${tried}.`);
}

async function workersOf(api: Api): Promise<Found> {
  const { workers, total } = (
    await answered(api.GET('/workers', { params: { query: { pageSize: MAX_WORKERS_PAGE } } }))
  ).data;
  const present = workers.filter(({ state }) => state === 'Present');
  if (present.length === 0) return wrong(total === 0 ? 'None reported itself.' : 'None takes anything new.');
  const cut = workers.filter(({ outOfReach, otherOutOfReach }) => outOfReach.length + otherOutOfReach > 0);
  const sentence = `${counted(present.length, 'worker')} of ${total}, with ${counted(
    present.reduce((sum, { freeSlots }) => sum + freeSlots, 0),
    'free slot',
  )}.`;
  if (cut.length > 0)
    return wrong(
      `${sentence} ${some(cut.map(({ name }) => name))} cannot reach every storage: "worker list" says which.`,
    );
  const gone = workers.filter(({ state }) => state === 'Gone').map(({ name }) => name);
  return gone.length > 0 ? warn(`${sentence} Not heard of any more: ${some(gone)}.`) : ok(sentence);
}

/** Whether the pool of each cluster has a worker, and one with a br of the cluster's major version. */
async function versionsOf(api: Api): Promise<Found> {
  const [{ data: registry }, { data: presence }] = await Promise.all([
    answered(api.GET('/clusters')),
    answered(api.GET('/workers', { params: { query: { pageSize: MAX_WORKERS_PAGE } } })),
  ]);
  const present = presence.workers.filter(({ state }) => state === 'Present');
  const lacking = registry.clusters.flatMap(({ id, pool, version }) => {
    const own = present.filter((worker) => worker.pool === pool);
    if (own.length === 0) return [`${id} (no worker in its pool ${pool})`];
    const major = majorOf(version);
    const fits = own.some(
      ({ brVersions }) => brVersions.length === 0 || brVersions.some((one) => majorOf(one) === major),
    );
    return major === undefined || fits ? [] : [`${id} (${version})`];
  });
  return lacking.length === 0
    ? ok('Every cluster has a worker with a br of its major version.')
    : wrong(`No worker with a br that fits: ${some(lacking)}.`);
}

const majorOf = (version: string): string | undefined => /^v?(\d+)/.exec(version)?.[1];

function some(ids: readonly string[]): string {
  const more = ids.length > NAMED ? ` and ${ids.length - NAMED} more` : '';
  return `${ids.slice(0, NAMED).join(', ')}${more}`;
}
