import {
  type Backup,
  BackupOrigin,
  BackupState,
  DeletionState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { useLocation } from 'preact-iso';
import { backups } from '../api.ts';
import { isPinned } from '../backup-acts.ts';
import { useLive } from '../live.ts';
import { Mark } from '../parts/mark.tsx';
import { Page } from '../parts/page.tsx';
import { Pager } from '../parts/pager.tsx';
import { Meter } from '../parts/progress.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { At, TaskTime } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { bytes } from '../quantities.ts';
import { anything, isTrueOrFalse, type Taken } from '../query.ts';
import { pathOf } from '../shell.ts';
import { BACKUP_STATES, DELETION_STATES, isActive, isOneOf, numberOf, VERIFICATION_STATES, wordOf } from '../words.ts';

const PAGE = 50;
const EVERY_MS = 5_000;
const TAKEN: Taken = {
  ...{ clusterId: anything, after: anything, state: isOneOf(BACKUP_STATES) },
  ...{ origin: (value) => Object.hasOwn(ORIGINS, value), damaged: isTrueOrFalse, includeDeleted: isTrueOrFalse },
};
const ORIGINS = { schedule: BackupOrigin.SCHEDULE, request: BackupOrigin.REQUEST, log: BackupOrigin.LOG } as const;

/** All backups, newest first, a page at a time; the filters stand in the address. */
export function BackupsPage() {
  const query = useQuery();
  const states = query.all('state');
  const clusterId = query.get('clusterId') ?? '';
  const origin = query.get('origin') ?? '';
  const damaged = query.get('damaged') === 'true';
  const includeDeleted = query.get('includeDeleted') === 'true';
  const live = useLive(
    query.text,
    (signal) =>
      backups.listBackups(
        {
          clusterIds: clusterId === '' ? [] : [clusterId],
          states: states.flatMap((name) => numberOf(BACKUP_STATES, name) ?? []),
          origin: Object.hasOwn(ORIGINS, origin) ? ORIGINS[origin as keyof typeof ORIGINS] : BackupOrigin.UNSPECIFIED,
          damaged,
          includeDeleted,
          page: 1,
          pageSize: PAGE,
          pageToken: query.get('after') ?? '',
          withoutTotal: true,
        },
        { signal },
      ),
    EVERY_MS,
  );
  const { data } = live;
  const rest = new URLSearchParams([
    ...(clusterId === '' ? [] : [['clusterId', clusterId]]),
    ...states.map((state) => ['state', state]),
    ...(Object.hasOwn(ORIGINS, origin) ? [['origin', origin]] : []),
    ...(damaged ? [['damaged', 'true']] : []),
    ...(includeDeleted ? [['includeDeleted', 'true']] : []),
    ['pageSize', String(PAGE)],
    ['withoutTotal', 'true'],
  ]);
  return (
    <Page
      title="Backups"
      taken={TAKEN}
      live={live}
      loading="backups"
      same={[
        {
          method: 'GET',
          path: `/backups?${rest}`,
          tidemark: [
            'backup',
            'list',
            ...(clusterId === '' ? [] : ['--cluster', clusterId]),
            ...states.flatMap((state) => ['--state', state]),
            ...(damaged ? ['--damaged'] : []),
            ...(includeDeleted ? ['--deleted'] : []),
          ],
        },
      ]}
    >
      <Filters />
      {data.value && (
        <>
          <Table
            label="Backups"
            rows={data.value.backups}
            keyOf={({ id }) => id}
            empty="No backup fits these filters."
            columns={[
              { name: 'Cluster', cell: ({ clusterId: of }) => <a href={pathOf(['clusters', of])}>{of}</a> },
              ...BACKUP_COLUMNS,
            ]}
          />
          <Pager next={data.value.nextPageToken} />
        </>
      )}
    </Page>
  );
}

/** What lists of backups show of each. */
export const BACKUP_COLUMNS: readonly Column<Backup>[] = [
  {
    name: 'Backup',
    cell: (backup) => (
      <>
        <a
          href={pathOf(['backups', backup.id])}
          aria-label={`Backup ${backup.id}, ${wordOf(BACKUP_STATES, backup.state).text}`}
        >
          <Mark word={wordOf(BACKUP_STATES, backup.state)} />
        </a>{' '}
        <Signs of={backup} />
        {backup.state === BackupState.RUNNING && (
          <Meter percent={backup.progress?.percent} of={`backup ${backup.id}`} />
        )}
        {backup.reason && backup.state !== BackupState.SUCCEEDED && <p class="why">{backup.reason.message}</p>}
      </>
    ),
  },
  { name: 'Started', cell: ({ startTime }) => <At at={startTime} /> },
  { name: 'How long', cell: (backup) => <TaskTime of={backup} />, isNumber: true },
  {
    name: 'Size',
    cell: ({ result }) => (result ? bytes(result.sizeBytes) : <span class="muted">–</span>),
    isNumber: true,
  },
  {
    name: 'By',
    cell: ({ origin, rule, createdBy }) =>
      origin === BackupOrigin.SCHEDULE ? `rule ${rule}` : rule ? `${createdBy}, rule ${rule}` : createdBy,
  },
];

function Signs({ of: backup }: { readonly of: Backup }) {
  const deletion = backup.deletion?.state ?? DeletionState.NONE;
  return (
    <>
      {isPinned(backup) && <span class="chip">pinned</span>}
      {backup.verification && !isActive(backup.state) && (
        <span class="chip">verified: {wordOf(VERIFICATION_STATES, backup.verification.state).text}</span>
      )}
      {deletion > DeletionState.NONE && <Mark word={wordOf(DELETION_STATES, deletion)} />}
    </>
  );
}

function Filters() {
  const query = useQuery();
  const { route } = useLocation();
  const states = query.all('state');
  return (
    <div class="filters">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const input = event.currentTarget.elements.namedItem('cluster') as HTMLInputElement;
          route(query.with('clusterId', input.value.trim()));
        }}
      >
        <input
          name="cluster"
          key={query.get('clusterId')}
          defaultValue={query.get('clusterId') ?? ''}
          maxLength={64}
          aria-label="Only of the cluster with this id"
          placeholder="cluster id"
        />
        <button type="submit">Filter</button>
      </form>
      {[...BACKUP_STATES.values()].map(({ name, text }) => (
        <a
          key={name}
          class="chip"
          href={query.toggled('state', name)}
          aria-current={states.includes(name) ? 'true' : undefined}
        >
          {text}
        </a>
      ))}
      {(['damaged', 'includeDeleted'] as const).map((flag) => (
        <a
          key={flag}
          class="chip"
          href={query.toggled(flag, 'true')}
          aria-current={query.get(flag) === 'true' ? 'true' : undefined}
        >
          {flag === 'damaged' ? 'Damaged' : 'With deleted ones'}
        </a>
      ))}
    </div>
  );
}
