/**
 * Promise: what goes wrong is told to somebody. Whatever an alert is for is brought about in a whole stack; the rules of docs/alerts, over a real
 * Prometheus, hand it to a real Alertmanager, and that to an HTTP server, with its summary; once the cause is gone that is told too. Of the
 * rules only times are others: an hour of theirs is a second here.
 *
 * Not brought about here, but tried by promtool: TidemarkAuditLinesLost, which wants 10,000 lines that cannot be written, and
 * TidemarkAuditEntriesLost, which wants backup-service away for as long; and alerts of log backups that take from minutes to days to come, of which
 * `services/backup-service/src/log/decide/decide.test.ts` has when they come. An alert that goes on for a day after its cause is not waited out:
 * TidemarkWindowsMissed and TidemarkWindowsSkipped.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import type { LogTask } from '@tidemark/demo-br/log-state';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { type TestAuthority, testAuthority, writeCertificate } from '@tidemark/service-kit/testing/certificates';
import { type Collection, type Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { clusterDocument, type StoredDocument } from '../documents.ts';
import { findMonitoring, type Prometheus, startAlertmanager, startPrometheus } from '../prometheus.ts';
import { type AlertReceiver, type DeafReceiver, startAlertReceiver, startDeafReceiver } from './alert-receiver.ts';
import { EVERY_DAY, inMinutes, opensLater, startTidemark, type Tidemark } from './tidemark.ts';

const programs = await findMonitoring().catch((error: Error) => {
  console.error(`No alert is brought about: ${error.message}`);
  return undefined;
});

const RULES = join(REPOSITORY, 'docs', 'alerts', 'tidemark.rules.yml');
const NOT_BROUGHT_ABOUT = [
  'TidemarkAuditLinesLost',
  'TidemarkAuditEntriesLost',
  'TidemarkClusterNotProven',
  'TidemarkDrillFailed',
  'TidemarkLogError',
  'TidemarkLogHorizonNotMet',
  'TidemarkLogLagging',
  'TidemarkLogNotAsWanted',
  'TidemarkLogNotTruncated',
  'TidemarkLogPauseEnds',
  'TidemarkLogSafepoints',
  'TidemarkLogStatusUnknown',
  'TidemarkLogWithoutBase',
];
const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;
const HOUR = 3_600;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const SECONDS_OF = { s: 1, m: 60, h: HOUR, d: 24 * HOUR };
/** From a cause to the webhook: what is counted each fifteen seconds, presences of workers, and a busy machine. */
const SOON = { timeout: 150_000, interval: 250 };
const STORY_MS = 400_000;

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
}

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

/** The rules with an hour for each second. When a certificate expires is a real time. */
function hastened({ groups }: RuleFile): RuleFile {
  const toSeconds = (wait: string) => Number.parseInt(wait, 10) * SECONDS_OF[wait.at(-1) as keyof typeof SECONDS_OF];
  const hasten = (rule: Rule): Rule => ({
    ...rule,
    ...(rule.for !== undefined && { for: `${Math.max(1, Math.round(toSeconds(rule.for) / HOUR))}s` }),
    ...(!rule.expr.includes('certificate') && {
      expr: rule.expr
        .replaceAll(/tidemark_cluster_expected_\w+_seconds/g, `($& / ${HOUR})`)
        .replaceAll(/(?<!\/ )\b\d{3,}\b/g, (seconds) => String(Number(seconds) / HOUR)),
    }),
  });
  return { groups: groups.map((group) => ({ ...group, rules: group.rules.map(hasten) })) };
}

describe.skipIf(programs === undefined)('an alert', () => {
  const stack = new AsyncDisposableStack();
  const rules = parse(readFileSync(RULES, 'utf8')) as RuleFile;
  let tidemark: Tidemark;
  let db: Db;
  let authority: TestAuthority;
  let certificates: string;
  let deaf: DeafReceiver;
  let alerts: AlertReceiver;
  let prometheus: Prometheus;
  let aged: string;
  let planless: string;

  beforeAll(async () => {
    certificates = mkdtempSync(join(tmpdir(), 'tidemark-alerts-'));
    stack.defer(() => rmSync(certificates, { recursive: true }));
    authority = await testAuthority();
    const { certFile, keyFile } = writeCertificate(
      certificates,
      'gateway',
      await authority.sign({ names: ['tidemark'] }),
    );
    deaf = stack.use(await startDeafReceiver());
    tidemark = stack.use(
      await startTidemark({
        copies: { gateway: 2, 'executor-worker': 3 },
        env: {
          'scheduler-service': {
            TIDEMARK_NOTIFICATION_SECONDS: '0.3',
            TIDEMARK_NOTIFICATION_NETWORKS: '127.0.0.0/8',
            OPS_WEBHOOK_SECRET: SECRET,
          },
        },
        envOfCopy: {
          'gateway-2': { TIDEMARK_GATEWAY_TLS_CERT_FILE: certFile, TIDEMARK_GATEWAY_TLS_KEY_FILE: keyFile },
          'executor-worker-3': { TIDEMARK_POOL: 'night' },
        },
      }),
    );
    const client = stack.adopt(new MongoClient(tidemark.stack.database.url), (one) => one.close());
    db = client.db(tidemark.database);
    for (const id of ['slow', 'gone']) {
      const secrets = { envPrefix: 'OPS_' };
      const receiver = { kind: 'webhook', url: deaf.url, secrets, topics: ['backup'] };
      const { status, message } = await tidemark.call('PUT', `/notifications/${id}`, receiver);
      expect(status, message).toBe(200);
    }
    // From the first whole look on what changes is told.
    await vi.waitFor(
      async () => expect((await db.collection('notification_rounds').findOne({}))?.doneAt).toBeInstanceOf(Date),
      SOON,
    );
    alerts = stack.use(await startAlertReceiver());
    const { prometheus: program = '', alertmanager = [] } = programs ?? {};
    const { address } = stack.use(await startAlertmanager(alertmanager, alerts.url));
    const byKind = Map.groupBy(tidemark.stack.processes, ({ kind }) => kind);
    const targets = [...byKind].map(([kind, some]) => [kind, some.map(({ operations }) => operations)] as const);
    prometheus = stack.use(
      await startPrometheus(program, {
        targets: Object.fromEntries(targets),
        rules: hastened(rules),
        alertmanager: address,
      }),
    );
    // Time passes for them meanwhile.
    aged = await tidemark.cluster('aged');
    await tidemark.saveRule(aged, 'default', { ...opensLater(), verify: { every: 'P1D' } });
    planless = await tidemark.cluster('planless');
  }, 240_000);
  afterAll(() => stack.disposeAsync(), 120_000);

  const told = (alert: string, labels: Readonly<Record<string, string>> = {}) =>
    alerts.told.filter(
      (one) =>
        one.labels.alertname === alert && Object.entries(labels).every(([name, value]) => one.labels[name] === value),
    );
  /** Waits until an alert is told that has these labels; answers its summary. */
  const fires = (alert: string, labels: Readonly<Record<string, string>> = {}): Promise<string> =>
    vi.waitFor(() => {
      const firing = told(alert, labels).find(({ status }) => status === 'firing');
      if (!firing) throw new Error(`${alert} of ${JSON.stringify(labels)} was not told`);
      expect(firing.annotations.runbook_url).toBe(`docs/operations.md#${alert.toLowerCase()}`);
      return firing.annotations.summary ?? '';
    }, SOON);
  /** Waits until it is told that it is over. */
  const ends = (alert: string, labels: Readonly<Record<string, string>> = {}): Promise<void> =>
    vi.waitFor(() => {
      expect(told(alert, labels).at(-1)?.status, `${alert} of ${JSON.stringify(labels)}`).toBe('resolved');
    }, SOON);
  const good = async (clusterId: string) => tidemark.untilState(await tidemark.start(clusterId), 'Succeeded', 120);
  const inStorage = (...names: readonly string[]) => join(tidemark.stack.storage, ...names);
  const collection = (name: string): Collection<StoredDocument> => db.collection(name);
  const process = (name: string) => {
    const found = tidemark.stack.processes.find((one) => one.name === name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  };

  describe.concurrent('of what lasts while others are well', () => {
    it(
      'says that a cluster has no backup, nothing to be brought back to and nothing verified, until it has',
      async () => {
        const labels = { cluster: aged };
        expect(await fires('TidemarkBackupTooOld', labels)).toMatch(`Cluster ${aged} has no good backup younger than`);
        expect(await fires('TidemarkRecoveryPointTooOld', labels)).toMatch(`Of cluster ${aged} the last`);
        expect(await fires('TidemarkVerifiedPointTooOld', labels)).toMatch(`Cluster ${aged} has no verified backup`);
        const { id } = await good(aged);
        await tidemark.patiently('POST', `/backups/${id}/verify`);
        await tidemark.until(id, ({ verification }) => verification?.state === 'Good', 120);
        await ends('TidemarkBackupTooOld', labels);
        await ends('TidemarkRecoveryPointTooOld', labels);
        await ends('TidemarkVerifiedPointTooOld', labels);
      },
      STORY_MS,
    );

    it(
      'says that no rule backs a cluster up, until one does',
      async () => {
        const labels = { cluster: planless };
        const summary = `Cluster ${planless} has no strategy that starts backups by itself.`;
        expect(await fires('TidemarkClusterWithoutStrategy', labels)).toBe(summary);
        await tidemark.saveRule(planless, 'default', opensLater());
        await ends('TidemarkClusterWithoutStrategy', labels);
      },
      STORY_MS,
    );

    it(
      'says that somebody stopped or paused a log backup, or has another one there, until that is seen to',
      async () => {
        const pd = '10.3.0.1:2379';
        const clusterId = await tidemark.cluster('logged', { pd: [pd] });
        const path = `/clusters/${clusterId}/log-backup`;
        const labels = { cluster: clusterId };
        const demo = tidemark.demoCluster(pd);
        const byHand = (change: (task: LogTask) => LogTask | null) =>
          demo.alone(AbortSignal.timeout(10_000), () =>
            demo.changeState(({ logTask }) => ({ logTask: logTask && change(logTask) })),
          );
        const runs = () =>
          vi.waitFor(async () => {
            const { data } = await tidemark.patiently<{ logBackup: object }>('GET', path);
            expect(data.logBackup).toMatchObject({ state: 'Running', reached: true });
          }, SOON);
        await tidemark.patiently('PUT', path, { storageId: 'local' });
        await runs();
        await byHand((task) => ({ ...task, state: 'PAUSE' }));
        expect(await fires('TidemarkLogPausedByHand', labels)).toBe(
          `Somebody paused the log backup of cluster ${clusterId}.`,
        );
        await tidemark.patiently('POST', `${path}/resume`, {});
        await ends('TidemarkLogPausedByHand', labels);
        await byHand((task) => ({ ...task, name: 'theirs', printed: 'local:///theirs', storage: 'local:///theirs' }));
        expect(await fires('TidemarkLogForeign', labels)).toMatch('Another log backup task has cluster');
        await byHand(() => null);
        expect(await fires('TidemarkLogMissing', labels)).toMatch('and nobody asked Tidemark to stop it');
        await ends('TidemarkLogForeign', labels);
        await tidemark.patiently('POST', `${path}/resume`, {});
        await ends('TidemarkLogMissing', labels);
        await tidemark.patiently('DELETE', path);
      },
      STORY_MS,
    );

    it(
      'says that a backup failed, and that receivers of notifications do not take that',
      async () => {
        const clusterId = await tidemark.cluster('failing');
        const outcome = { kind: 'fail', message: 'permission denied', code: 'BR:KV:ErrKVStorage' };
        const labels = { cluster: clusterId };
        tidemark.demo({ seconds: 0.2, outcome }, clusterId);
        await tidemark.untilState(await tidemark.start(clusterId), 'Failed', 120);
        const summary = `The last backup of cluster ${clusterId} failed.`;
        expect(await fires('TidemarkBackupFailed', labels)).toBe(summary);
        expect(await fires('TidemarkNotificationsStuck')).toMatch('A notification has waited for its receiver');

        // Seven days later one of the receivers has still not taken it.
        const deliveries = collection('notification_deliveries');
        const longAgo = new Date(Date.now() - 8 * DAY_MS);
        await vi.waitFor(async () => {
          const waiting = { receiverId: 'gone', state: 'Waiting', tries: { $gt: 0 } };
          const set = { $set: { createTime: longAgo }, $inc: { revision: 1 } };
          expect((await deliveries.updateOne(waiting, set)).modifiedCount).toBe(1);
        }, SOON);
        expect(await fires('TidemarkNotificationsGivenUp')).toBe('Notifications were given up in the last day.');
        tidemark.demo({ seconds: 0.2 }, clusterId);
        await good(clusterId);
        await ends('TidemarkBackupFailed', labels);
        deaf.takes = true;
        await ends('TidemarkNotificationsStuck');
        await deliveries.updateMany({ state: 'GivenUp' }, { $set: { endTime: longAgo } });
        await ends('TidemarkNotificationsGivenUp');
      },
      STORY_MS,
    );

    it(
      'says that a backup is damaged, until it is deleted',
      async () => {
        const backup = await good(await tidemark.cluster('damaged'));
        const names = readdirSync(inStorage(backup.filePath), { recursive: true, encoding: 'utf8' });
        unlinkSync(inStorage(backup.filePath, names.find((name) => name.endsWith('.sst')) ?? ''));
        expect(told('TidemarkBackupDamaged')).toEqual([]);
        await tidemark.patiently('POST', `/backups/${backup.id}/verify`);
        await tidemark.until(backup.id, ({ verification }) => verification?.state === 'Damaged', 120);
        expect(await fires('TidemarkBackupDamaged')).toBe('1 backups were found damaged by a verification.');
        await tidemark.patiently('DELETE', `/backups/${backup.id}`);
        await ends('TidemarkBackupDamaged');
      },
      STORY_MS,
    );

    it(
      'says that a deletion fails, until it is given up',
      async () => {
        const { id, filePath } = await good(await tidemark.cluster('lost'));
        rmSync(inStorage(filePath), { recursive: true });
        expect(told('TidemarkDeletionFails', { by: 'person' })).toEqual([]);
        await tidemark.patiently('DELETE', `/backups/${id}`);
        await tidemark.until(id, ({ deletion }) => deletion.state === 'DeleteFailed', 120);
        expect(await fires('TidemarkDeletionFails', { by: 'person' })).toMatch('deletions (person) fail');
        const { code, message } = await tidemark.patiently('DELETE', `/backups/${id}?forget=true`);
        expect(code, message).toBe(0);
        await ends('TidemarkDeletionFails', { by: 'person' });
      },
      STORY_MS,
    );

    it(
      'says that a restore ended in the middle, until its target is released',
      async () => {
        const pd = '10.0.9.2:2379';
        const source = await tidemark.cluster('source');
        const { id: backupId } = await good(source);
        const target = await tidemark.cluster('target', { pd: [pd], purpose: 'scratch' });
        await performTask(tidemark.demoCluster(pd), { verb: 'empty' }, AbortSignal.timeout(10_000));
        tidemark.demo({ seconds: 0.4, progressIntervalSeconds: 0.1, restore: { seconds: 30 } }, source);
        const wish = { backupId, targetClusterId: target, confirm: target };
        const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', wish);
        expect(started.code, started.message).toBe(0);
        const path = `/restores/${started.data.restoreId}`;
        interface Answer {
          readonly restore: { readonly progress?: { readonly percent: number }; readonly targetState: string };
        }
        const restore = async () => (await tidemark.patiently<Answer>('GET', path)).data.restore;
        await vi.waitFor(async () => expect((await restore()).progress?.percent).toBeGreaterThan(0), SOON);
        await tidemark.patiently('POST', `${path}/cancel`, {});
        await vi.waitFor(async () => expect((await restore()).targetState).toBe('Partial'), SOON);
        expect(await fires('TidemarkRestoreLeftPartial')).toMatch('A restore ended in the middle');
        await vi.waitFor(async () => {
          const released = await tidemark.patiently('POST', `${path}/release`, { targetCleaned: true });
          expect(released.code, released.message).toBe(0);
        }, SOON);
        await ends('TidemarkRestoreLeftPartial');
      },
      STORY_MS,
    );

    it(
      'says that a pool has no worker while a backup and a verification wait there',
      async () => {
        const pool = 'night';
        const worker = process('executor-worker-3');
        const [one, other] = [await tidemark.cluster('night', { pool }), await tidemark.cluster('night', { pool })];
        const { id } = await good(one);
        worker.kill('SIGKILL');
        await worker.exited();
        for (const alert of ['TidemarkNoWorker', 'TidemarkVerificationsWait'])
          expect(told(alert, { pool })).toEqual([]);
        const waiting = await tidemark.start(other);
        await tidemark.patiently('POST', `/backups/${id}/verify`);
        expect(await fires('TidemarkNoWorker', { pool })).toBe(
          '1 tasks of pool night wait, and no worker is there to take them.',
        );
        expect(await fires('TidemarkQueuedTooLong', { pool })).toMatch(
          'A backup or restore of pool night has been queued',
        );
        expect(await fires('TidemarkVerificationsWait', { pool })).toMatch('Verifications of pool night have waited');
        await worker.start();
        await tidemark.untilState(waiting, 'Succeeded', 120);
        for (const alert of ['TidemarkNoWorker', 'TidemarkQueuedTooLong', 'TidemarkVerificationsWait'])
          await ends(alert, { pool });
      },
      STORY_MS,
    );

    it(
      'says that a storage is out of reach, until it is back',
      async () => {
        const [share, server] = [inStorage('share'), inStorage('server')];
        mkdirSync(share);
        await tidemark.patiently('PUT', '/storages/share', { type: 'local', path: share });
        const clusterId = await tidemark.cluster('shared', { storageId: 'share' });
        await good(clusterId);
        renameSync(share, server);
        mkdirSync(share);
        expect(told('TidemarkStorageOutOfReach')).toEqual([]);
        const waiting = await tidemark.start(clusterId);
        expect(await fires('TidemarkStorageOutOfReach', { job: 'executor-worker' })).toMatch(
          /^executor-worker at 127\.0\.0\.1:\d+ cannot reach 1 storages\.$/,
        );
        rmdirSync(share);
        renameSync(server, share);
        await tidemark.untilState(waiting, 'Succeeded', 120);
        await ends('TidemarkStorageOutOfReach');
      },
      STORY_MS,
    );

    it(
      'says that a record is damaged, until it is mended',
      async () => {
        const _id = 'damaged-record';
        const labels = { job: 'backup-service', kind: 'cluster' };
        const clusters = collection('clusters');
        expect(told('TidemarkRecordsDamaged')).toEqual([]);
        await clusters.insertOne({ _id, name: _id, labels: 7, createTime: 'never', updateTime: new Date() });
        expect(await fires('TidemarkRecordsDamaged', labels)).toMatch(
          'backup-service cannot read or work on 1 records',
        );
        await clusters.replaceOne({ _id }, clusterDocument(_id, 'local'));
        await ends('TidemarkRecordsDamaged', labels);
      },
      STORY_MS,
    );

    it(
      'says that a certificate expires, until a renewed one is there',
      async () => {
        const labels = { job: 'gateway', file: join(certificates, 'gateway.crt') };
        expect(await fires('TidemarkCertificateExpires', labels)).toMatch(
          `The certificate ${labels.file} of gateway at`,
        );
        const notAfter = new Date(Date.now() + 90 * DAY_MS);
        writeCertificate(certificates, 'gateway', await authority.sign({ names: ['tidemark'], notAfter }));
        await ends('TidemarkCertificateExpires', labels);
      },
      STORY_MS,
    );
  });

  it(
    'says that the scheduler is frozen, and that windows were missed, the first too, and skipped',
    async () => {
      const missed = await tidemark.cluster('missed');
      const busy = await tidemark.cluster('busy');
      tidemark.demo({ seconds: 600, progressIntervalSeconds: 1 }, busy);
      const running = await tidemark.start(busy);
      await tidemark.brStarted(busy);
      const opens = Math.ceil((Date.now() + 15_000) / MINUTE_MS) * MINUTE_MS;
      const window = (minutes: number) => ({
        backupDate: EVERY_DAY,
        period: `${inMinutes(0, opens)}-${inMinutes(minutes, opens)}`,
        timeZone: 'UTC',
      });
      await tidemark.saveRule(missed, 'default', window(1));
      // Still open when the scheduler is back.
      await tidemark.saveRule(busy, 'default', window(2));
      for (const alert of ['TidemarkSchedulerGone', 'TidemarkWindowsMissed', 'TidemarkWindowsSkipped'])
        expect(told(alert)).toEqual([]);
      // An alert of the first missed window needs its series before that.
      const [series] = await prometheus.ask('tidemark_occurrences_last_day{state="Missed",reason="NO_SCHEDULER"}');
      expect(series?.value[1]).toBe('0');

      const until = (at: number) =>
        vi.waitFor(() => expect(Date.now()).toBeGreaterThan(at), { timeout: 3 * MINUTE_MS, interval: 100 });
      const scheduler = tidemark.stack.process('scheduler-service');
      await until(opens - 3_000);
      scheduler.kill('SIGSTOP');
      expect(await fires('TidemarkSchedulerGone')).toBe(
        'No scheduler-service tells its metrics, so windows may pass without a backup.',
      );
      await until(opens + MINUTE_MS + 2_000);
      scheduler.kill('SIGCONT');
      await ends('TidemarkSchedulerGone');
      expect(await fires('TidemarkWindowsMissed', { reason: 'NO_SCHEDULER' })).toBe(
        '1 windows of the last 24 hours passed without a start: NO_SCHEDULER.',
      );
      expect(await fires('TidemarkWindowsSkipped', { reason: 'CLUSTER_BUSY' })).toBe(
        '1 windows of the last 24 hours were skipped: CLUSTER_BUSY.',
      );
      await tidemark.patiently('POST', '/backups/cancel', { clusterId: busy, backupId: running });
      await tidemark.untilState(running, 'Canceled');
    },
    STORY_MS,
  );

  it(
    'says what a process misses, until it is back',
    async () => {
      const labels = { job: 'gateway', dependency: 'strategy-service' };
      const strategies = tidemark.stack.process('strategy-service');
      expect(told('TidemarkDependencyAway', labels)).toEqual([]);
      await strategies.stop();
      expect(await fires('TidemarkDependencyAway', labels)).toMatch(
        /^gateway at 127\.0\.0\.1:\d+ misses strategy-service\.$/,
      );
      await strategies.start();
      await ends('TidemarkDependencyAway', labels);
    },
    STORY_MS,
  );

  it('of every rule was brought about, but for those that are named above', () => {
    const names = rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert));
    const firing = new Set(
      alerts.told.filter(({ status }) => status === 'firing').map(({ labels }) => labels.alertname),
    );
    expect(names.filter((name) => !firing.has(name)).sort()).toEqual(NOT_BROUGHT_ABOUT.toSorted());
  });
});
