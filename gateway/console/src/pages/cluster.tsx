import { signal, useSignal } from '@preact/signals';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { RetentionVerdict } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import type { Strategy } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { useLocation, useRoute } from 'preact-iso';
import { backups, fleet, occurrences, registry, retention, strategies } from '../api.ts';
import { type Live, useLive } from '../live.ts';
import { Confirm, useAct } from '../parts/act.tsx';
import { DrillSection } from '../parts/drill.tsx';
import { Known } from '../parts/known.tsx';
import { LogBackupSection } from '../parts/log-backup.tsx';
import { Mark } from '../parts/mark.tsx';
import { Facts, Page, Section } from '../parts/page.tsx';
import { Trouble } from '../parts/problem.tsx';
import { RecoveryPoints } from '../parts/recovery-points.tsx';
import { RunBars } from '../parts/run-bars.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, At } from '../parts/time.tsx';
import { Why } from '../parts/why.tsx';
import { count } from '../quantities.ts';
import { mayOperate } from '../session.ts';
import { pathOf, type Same } from '../shell.ts';
import { OCCURRENCE_STATES, VERDICTS, wordOf } from '../words.ts';
import { BACKUP_COLUMNS } from './backups.tsx';
import { NEW } from './rule.tsx';

const SOON_MS = 4_000;
const LATER_MS = 20_000;
const RUNS = 30;
const LISTED = 10;
/** Of a cluster that is gone something else is said. */
const NO_PROBLEM = signal(undefined);

export function ClusterPage() {
  const { params } = useRoute();
  const id = params.id ?? '';
  return <ClusterOf key={id} id={id} />;
}

function ClusterOf({ id }: { readonly id: string }) {
  const cluster = useLive(id, async (signal) => (await registry.getCluster({ id }, { signal })).cluster, LATER_MS);
  const row = useLive(id, async (signal) => (await fleet.listFleet({ clusterIds: [id] }, { signal })).rows[0], SOON_MS);
  const runs = useLive(
    id,
    async (signal) =>
      (await backups.listBackups({ clusterIds: [id], page: 1, pageSize: RUNS, withoutTotal: true }, { signal }))
        .backups,
    SOON_MS,
  );
  const rules = useLive(
    id,
    async (signal) => (await strategies.listStrategies({ clusterIds: [id], pageSize: 1_000 }, { signal })).strategies,
    LATER_MS,
  );
  const { data, problem } = cluster;
  const isGone = problem.value?.code === 'cluster_not_found' && data.value !== undefined;
  const name = data.value?.name;
  return (
    <Page
      title={id}
      heading={
        <>
          {id}
          {name && name !== id && <span class="muted"> {name}</span>}{' '}
          {row.data.value && <Mark word={wordOf(VERDICTS, row.data.value.verdict)} />}
        </>
      }
      actions={data.value && mayOperate.value && !isGone && <StartButton id={id} />}
      live={isGone ? { ...cluster, problem: NO_PROBLEM } : cluster}
      loading="the cluster"
      same={sameReads(id)}
    >
      {isGone && (
        <p class="note bad" role="alert">
          The cluster is not registered any more, or your token may not see it now. What you see is what was known last.
        </p>
      )}
      {data.value && (
        <>
          {row.data.value && (
            <Known of={row}>
              <p class="lead">
                <Why of={row.data.value} as={sentence} /> Next start: <At at={row.data.value.nextStartTime} />.
              </p>
            </Known>
          )}
          {runs.data.value && runs.data.value.length > 0 && (
            <Section
              title="Last runs"
              live={runs}
              more={<span class="muted">{count(runs.data.value.length, 'run')}, the newest at the right</span>}
            >
              <RunBars of={runs.data.value} />
            </Section>
          )}
          <Rules id={id} live={rules} />
          <Recent id={id} live={runs} />
          <RecoveryPoints id={id} />
          <LogBackupSection id={id} storageId={data.value.storageId} />
          <DrillSection id={id} row={row.data.value} />
          <Windows id={id} />
          <Section title="Registration">
            <Facts
              of={[
                ['PD', data.value.pd.join(', ')],
                ['Version', data.value.version || 'not known'],
                ['Storage', data.value.storageId],
                ['Pool', data.value.pool || 'default'],
                ['Time zone', data.value.timeZone],
                ['Purpose', ['production', 'production', 'dr', 'scratch'][data.value.purpose]],
                [
                  'Labels',
                  Object.entries(data.value.labels)
                    .map(([key, value]) => `${key}=${value}`)
                    .join(', '),
                ],
                ['Registered', <Ago key="r" at={data.value.createTime} />],
              ]}
            />
          </Section>
        </>
      )}
    </Page>
  );
}

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function sameReads(id: string): Same[] {
  return [
    { method: 'GET', path: pathOf(['clusters', id]), tidemark: ['cluster', 'get', id] },
    {
      method: 'GET',
      path: `/backups?${new URLSearchParams({ clusterId: id, pageSize: String(RUNS) })}`,
      tidemark: ['backup', 'list', '--cluster', id],
    },
    { method: 'GET', path: pathOf(['clusters', id, 'strategies']), tidemark: ['strategy', 'list', id] },
    { method: 'GET', path: pathOf(['clusters', id, 'recovery-points']), tidemark: ['recovery-points', id] },
    { method: 'GET', path: pathOf(['clusters', id, 'log-backup']), tidemark: ['log-backup', 'get', id] },
  ];
}

function StartButton({ id }: { readonly id: string }) {
  const { route } = useLocation();
  const isAsked = useSignal(false);
  const started = useSignal<string | undefined>(undefined);
  return (
    <>
      <button type="button" class="primary" onClick={() => (isAsked.value = true)}>
        Back up now
      </button>
      {isAsked.value && (
        <Confirm
          title={`Back up ${id} now?`}
          verb="Back up now"
          same={[{ method: 'POST', path: '/backups', body: { clusterId: id }, tidemark: ['backup', 'start', id] }]}
          act={async () => (started.value = (await backups.startBackup({ clusterId: id })).backup?.id)}
          onDone={() => started.value && route(pathOf(['backups', started.value]))}
          onClose={() => (isAsked.value = false)}
        >
          <p>It is a manual backup of the whole cluster: retention neither counts nor deletes it.</p>
        </Confirm>
      )}
    </>
  );
}

function Rules({ id, live }: { readonly id: string; readonly live: Live<Strategy[]> }) {
  const { data, refresh } = live;
  const doing = useAct();
  const { route } = useLocation();
  const pause = (rule: string, paused: boolean) =>
    doing.run(() => strategies.saveStrategy({ clusterId: id, rule, paused })).then((isDone) => isDone && refresh());
  const run = async (rule: string) => {
    let started = '';
    if (await doing.run(async () => (started = (await backups.startBackup({ clusterId: id, rule })).backup?.id ?? '')))
      route(pathOf(['backups', started]));
  };
  return (
    <Section
      title="Rules"
      more={mayOperate.value && <a href={pathOf(['clusters', id, 'rules', NEW])}>Add a rule</a>}
      live={live}
    >
      <Trouble problem={doing.problem.value} />
      {data.value && (
        <Table
          label="Rules"
          rows={data.value.filter(({ days, fleetStrategy, paused }) => days.length > 0 || fleetStrategy || paused)}
          keyOf={({ rule }) => rule}
          empty="No rule plans backups of this cluster."
          columns={[
            {
              name: 'Rule',
              cell: ({ rule, fleetStrategy }) => (
                <>
                  <a href={pathOf(['clusters', id, 'rules', rule])}>{rule}</a>
                  {fleetStrategy && <span class="muted"> from {fleetStrategy}</span>}
                </>
              ),
            },
            { name: 'Days', cell: ({ days }) => shortDays(days) },
            { name: 'Window', cell: ({ period, timeZone }) => `${period} ${timeZone}` },
            {
              name: 'Next start',
              cell: ({ nextWindow, paused, fleetPaused }) =>
                paused || fleetPaused ? (
                  <Mark
                    word={{ name: 'paused', text: fleetPaused ? 'Paused for its labels' : 'Paused', tone: 'warn' }}
                  />
                ) : (
                  <At at={nextWindow?.startAt} />
                ),
            },
            ...(mayOperate.value
              ? [
                  {
                    name: 'Do',
                    cell: ({ rule, paused }: Strategy) => (
                      <span class="buttons">
                        <button
                          type="button"
                          class="small"
                          disabled={doing.isBusy.value}
                          onClick={() => pause(rule, !paused)}
                        >
                          {paused ? 'Resume' : 'Pause'} <span class="unseen">{rule}</span>
                        </button>
                        <button type="button" class="small" disabled={doing.isBusy.value} onClick={() => run(rule)}>
                          Run now <span class="unseen">{rule}</span>
                        </button>
                      </span>
                    ),
                  },
                ]
              : []),
          ]}
        />
      )}
    </Section>
  );
}

/** Such as "Mon, Wed", or "every day". */
export function shortDays(days: readonly string[]): string {
  if (days.length === 7) return 'every day';
  return days.length === 0 ? 'no day' : days.map((day) => day.slice(0, 3)).join(', ');
}

function Recent({ id, live }: { readonly id: string; readonly live: Live<Backup[]> }) {
  const kept = useLive(
    id,
    async (signal) => (await retention.evaluateRetention({ clusterId: id }, { signal })).verdicts,
    LATER_MS,
  );
  const verdicts = new Map(kept.data.value?.map((verdict) => [verdict.backupId, verdict]));
  return (
    <Section
      title="Backups"
      more={<a href={`/backups?${new URLSearchParams({ clusterId: id })}`}>All of them</a>}
      live={live}
    >
      <Table
        label="Backups"
        rows={live.data.value?.slice(0, LISTED) ?? []}
        keyOf={(backup) => backup.id}
        empty="There is no backup of this cluster."
        columns={[...BACKUP_COLUMNS, { name: 'Kept', cell: (backup) => <Kept of={verdicts.get(backup.id)} /> }]}
      />
    </Section>
  );
}

/** Why a good backup is kept, and until when. */
function Kept({ of }: { readonly of: RetentionVerdict | undefined }) {
  if (!of) return <span class="muted">–</span>;
  if (of.keepReasons.length === 0) return <>goes</>;
  return (
    <>
      {of.keepReasons.join(', ')}
      {of.expiresAt && (
        <>
          , until <At at={of.expiresAt} />
        </>
      )}
    </>
  );
}

function Windows({ id }: { readonly id: string }) {
  const live = useLive(
    id,
    async (signal) =>
      (
        await occurrences.listOccurrences(
          { clusterIds: [id], page: 1, pageSize: LISTED, withoutTotal: true },
          { signal },
        )
      ).occurrences,
    LATER_MS,
  );
  const { data } = live;
  return (
    <Section title="Windows" live={live}>
      {data.value && (
        <Table
          label="Windows"
          rows={data.value}
          keyOf={(one) => one.id}
          empty="No window has come yet."
          columns={[
            { name: 'Opened', cell: ({ opensAt }) => <At at={opensAt} /> },
            { name: 'Closed', cell: ({ closesAt }) => <At at={closesAt} /> },
            { name: 'Rule', cell: ({ rule }) => rule },
            {
              name: 'What became of it',
              cell: ({ state, backupId, reason }) => (
                <>
                  {backupId ? (
                    <a href={pathOf(['backups', backupId])}>
                      <Mark word={wordOf(OCCURRENCE_STATES, state)} />
                    </a>
                  ) : (
                    <Mark word={wordOf(OCCURRENCE_STATES, state)} />
                  )}
                  {reason && <p class="why">{reason}</p>}
                </>
              ),
            },
          ]}
        />
      )}
    </Section>
  );
}
