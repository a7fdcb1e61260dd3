import { useSignal } from '@preact/signals';
import { BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import {
  CheckState,
  type CheckStep,
  type StorageCheck,
} from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { useRoute } from 'preact-iso';
import { backups, registry } from '../api.ts';
import { useLive } from '../live.ts';
import { useAct } from '../parts/act.tsx';
import { Mark } from '../parts/mark.tsx';
import { Facts, Page, Section } from '../parts/page.tsx';
import { Trouble } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, TaskTime } from '../parts/time.tsx';
import { pathOf } from '../shell.ts';
import { BACKUP_STATES, type Word, wordOf } from '../words.ts';
import { binOf, placeOf, usersOf } from './storages.tsx';

const EVERY_MS = 15_000;
const CHECK_MS = 1_000;
/** The gateway waits so long for the workers, and a moment more. */
const CHECK_ANSWER_MS = 35_000;
const ACTIVE = [BackupState.QUEUED, BackupState.RUNNING, BackupState.CANCELING];

export function StoragePage() {
  const { params } = useRoute();
  const id = params.id ?? '';
  return <StorageOf key={id} id={id} />;
}

function StorageOf({ id }: { readonly id: string }) {
  const live = useLive(id, async (signal) => (await registry.getStorage({ id }, { signal })).storage, EVERY_MS);
  const check = useSignal<string | undefined>(undefined);
  const checking = useAct();
  const begin = () =>
    checking.run(async () => {
      const answer = await registry.checkStorage({ storageId: id }, { timeoutMs: CHECK_ANSWER_MS });
      check.value = answer.check?.id;
    });
  const storage = live.data.value;
  return (
    <Page
      title={`Storage ${id}`}
      live={live}
      loading="the storage"
      actions={
        storage && (
          <button type="button" class="primary" disabled={checking.isBusy.value} onClick={begin}>
            {checking.isBusy.value ? 'Checking …' : 'Check'}
          </button>
        )
      }
      same={[
        { method: 'GET', path: pathOf(['storages', id]), tidemark: ['storage', 'get', id] },
        { method: 'POST', path: `${pathOf(['storages', id])}/check`, body: {}, tidemark: ['storage', 'check', id] },
      ]}
    >
      <Trouble problem={checking.problem.value} />
      {checking.isBusy.value && (
        <p class="note" role="status">
          Every worker of the pool writes, lists, reads and deletes a small file there.
        </p>
      )}
      {check.value && <CheckOf id={check.value} />}
      {storage && (
        <>
          {storage.gone && (
            <p class="note bad">
              It was declared gone for good: nothing is started in it, and its backups can be forgotten.
            </p>
          )}
          <Facts
            of={[
              ['Where', <code key="w">{placeOf(storage)}</code>],
              ['Root', <code key="r">{storage.root}</code>],
              ['Backups at once', storage.maxConcurrent === 0 ? 'no limit' : storage.maxConcurrent],
              ['Who may use it', usersOf(storage)],
              ['Bin', binOf(storage.bin, storage.trashDays)],
              ['Keys of manifests', storage.manifestKeys.length || 'none: signatures are not asked for'],
              ['Credentials', storage.credentials?.source.value ?? 'what the worker itself may do'],
              ['Changed', <Ago key="c" at={storage.updateTime} />],
            ]}
          />
          <Queue storageId={id} />
        </>
      )}
    </Page>
  );
}

/** What runs against it and what waits for it. */
function Queue({ storageId }: { readonly storageId: string }) {
  const live = useLive(
    storageId,
    async (signal) => {
      const list = { states: ACTIVE, page: 1, pageSize: 1_000, withoutTotal: true };
      return (await backups.listBackups(list, { signal })).backups.filter((one) => one.storageId === storageId);
    },
    EVERY_MS / 3,
  );
  const { data } = live;
  return (
    <Section title="What runs and waits" live={live}>
      {data.value && (
        <Table
          label="What runs and waits"
          rows={data.value}
          keyOf={({ id }) => id}
          empty="Nothing runs against it, and nothing waits."
          columns={[
            { name: 'Cluster', cell: ({ clusterId }) => <a href={pathOf(['clusters', clusterId])}>{clusterId}</a> },
            {
              name: 'Backup',
              cell: ({ id, state }) => (
                <a href={pathOf(['backups', id])}>
                  <Mark word={wordOf(BACKUP_STATES, state)} />
                </a>
              ),
            },
            { name: 'In line', cell: ({ queuePosition }) => queuePosition || '–', isNumber: true },
            { name: 'How long', cell: (backup) => <TaskTime of={backup} /> },
          ]}
        />
      )}
    </Section>
  );
}

const FINE: Word = { name: 'ok', text: 'Fine', tone: 'good' };
const WRONG: Word = { name: 'failed', text: 'Failed', tone: 'bad' };
const UNDER_WAY: Word = { name: 'running', text: 'Under way', tone: 'busy' };

function CheckOf({ id }: { readonly id: string }) {
  const live = useLive<StorageCheck | undefined>(
    id,
    async (signal) => (await registry.getStorageCheck({ id }, { signal })).check,
    (known) => (known?.state === CheckState.DONE ? EVERY_MS * 4 : CHECK_MS),
  );
  const check = live.data.value;
  return (
    <Section
      title="The check"
      live={live}
      more={check && <Mark word={check.state !== CheckState.DONE ? UNDER_WAY : check.ok ? FINE : WRONG} />}
    >
      {check?.workers.length
        ? check.workers.map(({ worker, state, ok, steps }) => (
            <div key={worker} class="panel">
              <h3>
                {worker} <Mark word={state !== CheckState.DONE ? UNDER_WAY : ok ? FINE : WRONG} />
              </h3>
              <Steps of={steps} label={`Steps of ${worker}`} />
            </div>
          ))
        : check && <Steps of={check.steps} label="Steps" />}
    </Section>
  );
}

function Steps({ of, label }: { readonly of: readonly CheckStep[]; readonly label: string }) {
  return (
    <Table
      label={label}
      rows={of}
      keyOf={({ name }) => name}
      empty="No worker has begun yet."
      columns={[
        { name: 'Step', cell: ({ name }) => name },
        { name: 'Result', cell: ({ ok }) => <Mark word={ok ? FINE : WRONG} /> },
        { name: 'What was found', cell: ({ message }) => message },
        { name: 'Seconds', cell: ({ seconds }) => seconds.toFixed(2), isNumber: true },
      ]}
    />
  );
}
