import {
  type Worker,
  WorkerState,
  type WorkerTask,
} from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { registry } from '../api.ts';
import { useLive } from '../live.ts';
import { Mark } from '../parts/mark.tsx';
import { Page } from '../parts/page.tsx';
import { Pager } from '../parts/pager.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, For } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { count } from '../quantities.ts';
import { anything } from '../query.ts';
import { pathOf } from '../shell.ts';
import { type Word, wordOf } from '../words.ts';

const TAKEN = { pool: anything, after: anything };
const EVERY_MS = 5_000;

/** Who is there, what each does, and what it cannot reach. */
export function WorkersPage() {
  const query = useQuery();
  const pool = query.get('pool') ?? '';
  const live = useLive(
    query.text,
    (signal) => registry.listWorkers({ pool, pageToken: query.get('after') ?? '' }, { signal }),
    EVERY_MS,
  );
  const { data } = live;
  return (
    <Page
      title="Workers"
      taken={TAKEN}
      live={live}
      loading="workers"
      same={[
        {
          method: 'GET',
          path: pool === '' ? '/workers' : `/workers?${new URLSearchParams({ pool })}`,
          tidemark: ['worker', 'list', ...(pool === '' ? [] : ['--pool', pool])],
        },
      ]}
    >
      {pool !== '' && (
        <p>
          <a class="chip" href={query.without('pool')} aria-label={`Without the pool ${pool}`}>
            {pool} ×
          </a>
        </p>
      )}
      {data.value && (
        <>
          <Table
            label="Workers"
            rows={data.value.workers}
            keyOf={({ id }) => id}
            empty="No worker has reported itself in the last ten minutes: nothing can run."
            columns={[
              {
                name: 'Worker',
                cell: ({ name, host }) => (
                  <>
                    <b>{name}</b>
                    {host && <span class="muted"> on {host}</span>}
                  </>
                ),
              },
              { name: 'State', cell: ({ state }) => <Mark word={wordOf(WORKER_STATES, state)} /> },
              { name: 'Pool', cell: ({ pool: of }) => <a href={query.with('pool', of)}>{of}</a> },
              { name: 'What it does', cell: (worker) => <Work of={worker} /> },
              { name: 'Slots', cell: ({ slots, freeSlots }) => `${freeSlots} of ${slots} free`, isNumber: true },
              { name: 'br', cell: ({ brVersions }) => brVersions.join(', ') || <span class="muted">none</span> },
              { name: 'Heard of', cell: ({ lastSeenTime }) => <Ago at={lastSeenTime} /> },
            ]}
          />
          <Pager next={data.value.nextPageToken} />
        </>
      )}
    </Page>
  );
}

const WORKER_STATES: ReadonlyMap<WorkerState, Word> = new Map<WorkerState, Word>([
  [WorkerState.PRESENT, { name: 'Present', text: 'Present', tone: 'good' }],
  [WorkerState.DRAINING, { name: 'Draining', text: 'Draining', tone: 'warn' }],
  [WorkerState.GONE, { name: 'Gone', text: 'Gone', tone: 'bad' }],
]);

function Work({ of: { tasks, otherTasks, outOfReach, otherOutOfReach } }: { readonly of: Worker }) {
  const isIdle = tasks.length + otherTasks === 0;
  return (
    <>
      {isIdle && <span class="muted">nothing</span>}
      <ul>
        {tasks.map((task) => (
          <li key={`${task.kind} ${task.id}`}>
            <Task of={task} />
          </li>
        ))}
        {otherTasks > 0 && <li class="muted">{count(otherTasks, 'other task')}</li>}
        {outOfReach.map(({ storageId, code, message }) => (
          <li key={storageId} class="note warn">
            It cannot reach the storage <a href={pathOf(['storages', storageId])}>{storageId}</a>: {message}{' '}
            <code>{code}</code>
          </li>
        ))}
        {otherOutOfReach > 0 && <li class="note warn">It cannot reach {count(otherOutOfReach, 'storage')}.</li>}
      </ul>
    </>
  );
}

function Task({ of: { kind, id, clusterId, startTime } }: { readonly of: WorkerTask }) {
  const folder = kind === 'restore' ? 'restores' : 'backups';
  return (
    <>
      {clusterId === '' ? kind : <a href={pathOf([folder, id])}>{`${kind} of ${clusterId}`}</a>}{' '}
      <span class="muted">
        <For from={startTime} />
      </span>
    </>
  );
}
