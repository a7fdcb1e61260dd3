import { type Timestamp, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { type Backup, BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { FleetRow, ListFleetResponse } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { type Occurrence, OccurrenceState } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import type { ComponentChildren } from 'preact';
import { useLocation } from 'preact-iso';
import { backups, occurrences } from '../api.ts';
import { type FleetFilter, useFleet } from '../fleet-feed.ts';
import { type FleetTotals, firstOf, fleetSentence, labelOf, totalsOf } from '../fleet-words.ts';
import { useLive } from '../live.ts';
import { Known } from '../parts/known.tsx';
import { Mark } from '../parts/mark.tsx';
import { NightStrip } from '../parts/night-strip.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Pager } from '../parts/pager.tsx';
import { Meter } from '../parts/progress.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, At, TaskTime, useMoment } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { Why } from '../parts/why.tsx';
import { count } from '../quantities.ts';
import { anything, type Taken } from '../query.ts';
import { pathOf } from '../shell.ts';
import { BACKUP_STATES, isOneOf, numberOf, OCCURRENCE_STATES, VERDICTS, wordOf } from '../words.ts';

const DAY_MS = 86_400_000;
const ACTIVE_MS = 4_000;
const TROUBLE_MS = 15_000;
const NIGHT_MS = 20_000;
/** How much a card shows; the rest is a page of its own. */
const SHOWN = 4;
const NIGHT_ENTRIES = 1_000;
const TAKEN: Taken = {
  ...{ text: anything, after: anything, verdict: isOneOf(VERDICTS) },
  label: (value) => labelOf(value) !== undefined,
};

/** Are all clusters safe? What failed since yesterday? What runs now? */
export function FleetPage() {
  const query = useQuery();
  const labels = query.all('label');
  const filter: FleetFilter = {
    labels: Object.fromEntries(labels.flatMap((text) => [labelOf(text) ?? []]).filter((pair) => pair.length === 2)),
    verdicts: query.all('verdict').flatMap((name) => numberOf(VERDICTS, name) ?? []),
    text: query.get('text') ?? '',
    after: query.get('after') ?? '',
  };
  const live = useFleet(filter);
  const { data } = live;
  const totals = data.value && totalsOf(data.value.counts);
  const isFiltered = labels.length > 0 || filter.text !== '';
  const title = totals ? fleetSentence(totals, isFiltered) : 'Fleet';
  return (
    <Page
      title={title}
      heading={
        <span class={totals && totals.unsafe > 0 ? 'sentence bad' : 'sentence'} aria-live="polite">
          {title}
        </span>
      }
      live={live}
      loading="the fleet"
      taken={TAKEN}
      same={[
        {
          method: 'GET',
          path: `/fleet${restQuery(filter, labels)}`,
          tidemark: [
            'status',
            ...labels.flatMap((label) => ['--label', label]),
            ...filter.verdicts.flatMap((verdict) => ['--verdict', wordOf(VERDICTS, verdict).name]),
            ...(filter.text === '' ? [] : ['--text', filter.text]),
          ],
        },
      ]}
    >
      {totals && totals.all === 0 && !isFiltered && <FirstCluster />}
      {data.value && isAll(data.value) && filter.after === '' && <FirstBackup rows={data.value.rows} />}
      {totals && (
        <div class="cards">
          <SafeCard totals={totals} />
          <TroubleCard />
          <RunningCard />
        </div>
      )}
      {data.value && (
        <>
          <Section title="Clusters, the least safe first" more={<Filters labels={labels} text={filter.text} />}>
            <Clusters of={data.value} />
            <Pager next={data.value.nextPageToken} />
          </Section>
          {data.value.rows.length > 0 && <Night rows={data.value.rows} />}
        </>
      )}
    </Page>
  );
}

function restQuery({ text, verdicts }: FleetFilter, labels: readonly string[]): string {
  const query = new URLSearchParams();
  for (const label of labels) query.append('label', label);
  for (const verdict of verdicts) query.append('verdict', wordOf(VERDICTS, verdict).name);
  if (text) query.set('text', text);
  return query.size > 0 ? `?${query}` : '';
}

function FirstCluster() {
  return (
    <p class="empty">
      An admin registers a storage and a cluster first: <code>PUT /api/v1/storages/…</code> and{' '}
      <code>PUT /api/v1/clusters/…</code>, as the{' '}
      <a href="/docs" target="_blank" rel="noopener">
        reference
      </a>{' '}
      shows.
    </p>
  );
}

const isAll = ({ nextPageToken, withoutActivity }: ListFleetResponse) => nextPageToken === '' && !withoutActivity;

/** Of clusters that are all new, and all on one page. */
function FirstBackup({ rows }: { readonly rows: readonly FleetRow[] }) {
  const first = firstOf(rows, useMoment());
  return first ? <p class="lead">No backup has ended yet: {first}.</p> : null;
}

function SafeCard({ totals }: { readonly totals: FleetTotals }) {
  const query = useQuery();
  const shown = [...VERDICTS].filter(([verdict]) => totals.of(verdict) > 0);
  return (
    <section class="card" aria-labelledby="card-safe">
      <h2 id="card-safe">Are all clusters safe?</h2>
      <div class="share" aria-hidden="true">
        {shown.map(([verdict, word]) => (
          <i key={verdict} class={word.tone} style={{ flexGrow: totals.of(verdict) }} />
        ))}
      </div>
      <ul class="verdicts">
        {[...VERDICTS].map(([verdict, word]) => {
          const isChosen = query.all('verdict').includes(word.name);
          return (
            <li key={verdict}>
              <a href={query.toggled('verdict', word.name)} aria-current={isChosen ? 'true' : undefined}>
                <Mark word={word} /> <b>{totals.of(verdict).toLocaleString('en')}</b>
              </a>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

interface Failure {
  readonly id: string;
  readonly clusterId: string;
  readonly mark: ComponentChildren;
  readonly at: Timestamp | undefined;
  readonly why: string;
}

function TroubleCard() {
  const live = useLive('since yesterday', (signal) => failuresSince(Date.now() - DAY_MS, signal), TROUBLE_MS);
  const failures = live.data.value;
  return (
    <section class="card" aria-labelledby="card-failed">
      <h2 id="card-failed">What failed or was missed since yesterday?</h2>
      <Known of={live} loading="what failed">
        {failures?.length === 0 && <p class="fine">Nothing failed, and no window was missed.</p>}
        {failures && (
          <ul class="rows">
            {failures.slice(0, SHOWN).map(({ id, clusterId, mark, at, why }) => (
              <li key={id}>
                <div>
                  <a href={pathOf(['clusters', clusterId])}>{clusterId}</a> {mark} <Ago at={at} />
                </div>
                <p class="why">{why}</p>
              </li>
            ))}
          </ul>
        )}
        {failures && failures.length > SHOWN && (
          <p>
            <a href="/backups?state=Failed">and {failures.length - SHOWN} more</a>
          </p>
        )}
      </Known>
    </section>
  );
}

/** Newest first: backups that failed, and windows that started none. */
async function failuresSince(sinceMs: number, signal: AbortSignal): Promise<Failure[]> {
  const [failed, lost] = await Promise.all([
    backups.listBackups(
      {
        states: [BackupState.FAILED],
        startedAtOrAfter: timestampFromMs(sinceMs),
        page: 1,
        pageSize: 50,
        withoutTotal: true,
      },
      { signal },
    ),
    occurrences.listOccurrences(
      { states: [OccurrenceState.SKIPPED, OccurrenceState.MISSED], page: 1, pageSize: 50, withoutTotal: true },
      { signal },
    ),
  ]);
  return [
    ...failed.backups.map(failureOf),
    ...lost.occurrences.filter(({ opensAt }) => opensAt && timestampMs(opensAt) >= sinceMs).map(lossOf),
  ].sort((one, other) => (other.at ? timestampMs(other.at) : 0) - (one.at ? timestampMs(one.at) : 0));
}

const failureOf = ({ id, clusterId, state, endTime, reason }: Backup): Failure => ({
  id,
  clusterId,
  mark: <BackupMark id={id} state={state} />,
  at: endTime,
  why: reason?.message ?? '',
});

const lossOf = ({ id, clusterId, state, closesAt, reason, rule }: Occurrence): Failure => ({
  id,
  clusterId,
  mark: <Mark word={wordOf(OCCURRENCE_STATES, state)} />,
  at: closesAt,
  why: `Window of the rule ${rule}: ${reason}`,
});

/** The state of a backup, which leads to it. */
function BackupMark({ id, state }: { readonly id: string; readonly state: BackupState }) {
  return (
    <a href={pathOf(['backups', id])}>
      <Mark word={wordOf(BACKUP_STATES, state)} />
    </a>
  );
}

function RunningCard() {
  const live = useLive(
    'active',
    async (signal) => {
      const active = { page: 1, pageSize: 50, withoutTotal: true };
      const [running, waiting] = await Promise.all([
        backups.listBackups({ ...active, states: [BackupState.RUNNING, BackupState.CANCELING] }, { signal }),
        backups.listBackups({ ...active, states: [BackupState.QUEUED] }, { signal }),
      ]);
      return { running: running.backups, waiting: waiting.backups };
    },
    ACTIVE_MS,
  );
  const { data } = live;
  const { running, waiting } = data.value ?? { running: [], waiting: [] };
  return (
    <section class="card" aria-labelledby="card-running">
      <h2 id="card-running">What runs, and what waits?</h2>
      <Known of={live} loading="what runs">
        {data.value && running.length + waiting.length === 0 && <p class="fine">Nothing runs, and nothing waits.</p>}
        <ul class="rows">
          {[...running, ...waiting].slice(0, SHOWN).map((backup) => (
            <li key={backup.id}>
              <div>
                <a href={pathOf(['clusters', backup.clusterId])}>{backup.clusterId}</a>{' '}
                <BackupMark id={backup.id} state={backup.state} /> <TaskTime of={backup} />
                {backup.queuePosition > 0 && `, ${backup.queuePosition} in line`}
              </div>
              {backup.state === BackupState.RUNNING && (
                <Meter percent={backup.progress?.percent} of={backup.clusterId} />
              )}
            </li>
          ))}
        </ul>
        {running.length + waiting.length > SHOWN && (
          <p>
            <a href="/backups?state=Running&state=Queued&state=Canceling">
              {count(running.length, 'runs', 'run')}, {count(waiting.length, 'waits', 'wait')}
            </a>
          </p>
        )}
      </Known>
    </section>
  );
}

function Filters({ labels, text }: { readonly labels: readonly string[]; readonly text: string }) {
  const query = useQuery();
  const { route } = useLocation();
  const verdicts = query.all('verdict');
  const submit = (event: Event) => {
    event.preventDefault();
    const input = (event.currentTarget as HTMLFormElement).elements.namedItem('filter') as HTMLInputElement;
    const wanted = input.value.trim();
    if (wanted.includes('=') && labelOf(wanted)) {
      if (!labels.includes(wanted)) route(query.toggled('label', wanted));
      input.value = '';
    } else route(query.with('text', wanted));
  };
  return (
    <form class="filters" onSubmit={submit}>
      {labels.map((label) => (
        <a key={label} class="chip" href={query.toggled('label', label)} aria-label={`Without the label ${label}`}>
          {label} ×
        </a>
      ))}
      {verdicts.map((verdict) => (
        <a
          key={verdict}
          class="chip"
          href={query.toggled('verdict', verdict)}
          aria-label={`Without the verdict ${verdict}`}
        >
          {verdict} ×
        </a>
      ))}
      <input
        name="filter"
        key={text}
        defaultValue={text}
        maxLength={64}
        aria-label="Only clusters with this in their id or name, or with a label such as env=prod"
        placeholder="name, or env=prod"
      />
      <button type="submit">Filter</button>
    </form>
  );
}

function Clusters({ of: { rows, withoutActivity } }: { readonly of: ListFleetResponse }) {
  const notKnown = withoutActivity ? <span class="muted">not known just now</span> : undefined;
  return (
    <Table
      label="Clusters"
      kind="fleet"
      rows={rows}
      keyOf={({ clusterId }) => clusterId}
      empty="No cluster fits these filters."
      columns={[
        {
          name: 'Cluster',
          cell: ({ clusterId, name, labels }) => (
            <>
              <a href={pathOf(['clusters', clusterId])}>{clusterId}</a>
              {name && name !== clusterId && <span class="muted"> {name}</span>}
              <Labels of={labels} />
            </>
          ),
        },
        {
          name: 'Safe?',
          cell: (row) => (
            <>
              <Mark word={wordOf(VERDICTS, row.verdict)} />
              <p class="why">
                <Why of={row} />
              </p>
            </>
          ),
        },
        {
          name: 'Ended last',
          cell: ({ last }) =>
            notKnown ??
            (last ? (
              <>
                <BackupMark id={last.backupId} state={last.state} /> <Ago at={last.endTime} />
                {last.state !== BackupState.SUCCEEDED && last.reason && <p class="why">{last.reason.message}</p>}
              </>
            ) : (
              <span class="muted">nothing</span>
            )),
        },
        { name: 'Now', cell: ({ active }) => notKnown ?? <Active of={active} /> },
        { name: 'Next start', cell: ({ nextStartTime }) => <At at={nextStartTime} /> },
        { name: 'Last proven', cell: ({ provenTime }) => <Ago at={provenTime} /> },
      ]}
    />
  );
}

function Labels({ of }: { readonly of: Readonly<Record<string, string>> }) {
  const query = useQuery();
  const labels = Object.entries(of);
  if (labels.length === 0) return null;
  return (
    <span class="labels">
      {labels.map(([key, value]) => {
        const label = `${key}=${value}`;
        return (
          <a key={key} class="chip" href={query.with('label', label)} aria-label={`Only clusters with ${label}`}>
            {label}
          </a>
        );
      })}
    </span>
  );
}

function Active({ of }: { readonly of: FleetRow['active'] }) {
  if (!of) return <span class="muted">–</span>;
  return (
    <>
      <BackupMark id={of.backupId} state={of.state} />{' '}
      {of.state === BackupState.QUEUED && of.queuePosition > 0 && (
        <span class="nowrap">{of.queuePosition} in line</span>
      )}
      {of.state === BackupState.RUNNING && <Meter percent={of.progress?.percent} of={of.backupId} />}
    </>
  );
}

function Night({ rows }: { readonly rows: readonly FleetRow[] }) {
  const ids = rows.map(({ clusterId }) => clusterId);
  const live = useLive(
    ids.toSorted().join(' '),
    async (signal) => {
      const since = timestampFromMs(Date.now() - DAY_MS);
      const list = { clusterIds: ids, page: 1, pageSize: NIGHT_ENTRIES, withoutTotal: true };
      const [windows, runs] = await Promise.all([
        occurrences.listOccurrences({ ...list, pageSize: Math.min(NIGHT_ENTRIES, ids.length * 10) }, { signal }),
        backups.listBackups({ ...list, startedAtOrAfter: since }, { signal }),
      ]);
      return { windows: windows.occurrences, runs: runs.backups };
    },
    NIGHT_MS,
  );
  const { data } = live;
  return (
    <Section title="The night" more={<Legend />} live={live} loading="the night">
      {data.value && <NightStrip rows={rows} windows={data.value.windows} runs={data.value.runs} />}
    </Section>
  );
}

function Legend() {
  return (
    <p class="legend muted" aria-hidden="true">
      <span class="key band" /> window <span class="key bar" /> run <span class="key next" /> next start
    </p>
  );
}
