import { useSignal } from '@preact/signals';
import { type LogBackup, type LogGeneration, LogWish } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup';
import { logBackups } from '../api.ts';
import { useLive } from '../live.ts';
import { actsOn, adviceOn, endOf, LOG_STATES, LOG_WISHES, type LogAct } from '../log-words.ts';
import { count, duration } from '../quantities.ts';
import { mayAdminister, mayOperate } from '../session.ts';
import { wordOf } from '../words.ts';
import { LogDialog } from './log-dialogs.tsx';
import { Mark } from './mark.tsx';
import { Facts, Section } from './page.tsx';
import { Table } from './table.tsx';
import { Ago, At } from './time.tsx';

const SOON_MS = 4_000;
const LATER_MS = 20_000;

const VERBS: Readonly<Record<LogAct, string>> = {
  start: 'Start a log backup …',
  settings: 'Settings …',
  pause: 'Pause …',
  resume: 'Resume …',
  truncate: 'Truncate …',
  stop: 'Stop …',
};

/** The log backup of a cluster: what is wanted and what was seen, what is wrong and what to do, and the logs that are there. */
export function LogBackupSection({ id, storageId }: { readonly id: string; readonly storageId: string }) {
  const asked = useSignal<LogAct | undefined>(undefined);
  const live = useLive(
    id,
    async (signal) => (await logBackups.getLogBackup({ clusterId: id }, { signal })).logBackup,
    (known) => (known && !known.reached ? SOON_MS : LATER_MS),
  );
  const log = live.data.value;
  const isWanted = log !== undefined && LOG_WISHES.has(log.wanted);
  return (
    <Section
      title="Log backup"
      live={live}
      more={
        log &&
        mayOperate.value && (
          <span class="buttons">
            {actsOn(log, mayAdminister.value).map((act) => (
              <button
                key={act}
                type="button"
                class={act === 'stop' ? 'small danger quiet' : 'small'}
                onClick={() => (asked.value = act)}
              >
                {VERBS[act]}
              </button>
            ))}
          </span>
        )
      }
    >
      {log && <Standing of={log} />}
      {log?.alarms.map(({ name, critical, message }) => (
        <div key={name} class={critical ? 'note bad' : 'note warn'}>
          <p>
            {message} <code>{name}</code>
          </p>
          {adviceOn(name) !== undefined && (
            <p>
              <b>What to do.</b> {adviceOn(name)}
            </p>
          )}
        </div>
      ))}
      {log && (isWanted || log.activity !== '') && <Details of={log} />}
      {log && log.generations.length > 0 && <Logs of={log.generations} />}
      {log && log.cleanup.length > 0 && (
        <Table
          label="Left behind in the cluster"
          rows={log.cleanup}
          keyOf={({ taskName }) => taskName}
          empty=""
          columns={[
            { name: 'Task', cell: ({ taskName }) => <code>{taskName}</code> },
            { name: 'What it may have left', cell: ({ message }) => message },
            { name: 'Since', cell: ({ since }) => <Ago at={since} /> },
          ]}
        />
      )}
      {log && asked.value && (
        <LogDialog
          act={asked.value}
          log={log}
          storageId={storageId}
          onDone={live.refresh}
          onClose={() => (asked.value = undefined)}
        />
      )}
    </Section>
  );
}

function Standing({ of }: { readonly of: LogBackup }) {
  const { wanted, wantedBy, wantedAt, state, reached, healthy } = of;
  const wish = LOG_WISHES.get(wanted);
  if (wish === undefined && wantedBy === '')
    return <p class="muted">There is none: the cluster can be brought back to its full backups alone.</p>;
  return (
    <p>
      <Mark word={wordOf(LOG_STATES, state)} />{' '}
      {wish === undefined ? 'It is not wanted any more' : `It is wanted ${wish}`}, by {wantedBy} <Ago at={wantedAt} />
      {!reached && ', and is not there yet'}.{wanted === LogWish.ON && healthy && ' All is well.'}
    </p>
  );
}

function Details({ of }: { readonly of: LogBackup }) {
  const { checkpointTime, lagSeconds, retentionDays, lagWarnSeconds, lagCriticalSeconds, resumeUntil } = of;
  return (
    <Facts
      of={[
        [
          'Complete to',
          checkpointTime && (
            <>
              <At at={checkpointTime} />, {duration(lagSeconds)} before now
            </>
          ),
        ],
        ['Can be resumed until', resumeUntil && <At key="r" at={resumeUntil} />],
        ['Storage', of.storageId],
        ['Keeps', retentionDays > 0 && `every second of the last ${count(retentionDays, 'day')}`],
        [
          'Tells of a lag',
          lagWarnSeconds > 0 &&
            `of ${duration(lagWarnSeconds)}; from ${duration(lagCriticalSeconds)} on it is critical`,
        ],
        ['Now', of.activity],
        ['Asked last', <Ago key="a" at={of.seenAt} />],
        [
          'Errors',
          of.errors.length > 0 &&
            of.errors.map(({ store, message }) => <p key={store}>{`store ${store}: ${message}`}</p>),
        ],
      ]}
    />
  );
}

function Logs({ of }: { readonly of: readonly LogGeneration[] }) {
  return (
    <Table
      label="Logs"
      rows={of}
      keyOf={({ number }) => String(number)}
      empty=""
      columns={[
        { name: 'Log', cell: ({ number }) => number },
        { name: 'From', cell: ({ minTime }) => <At at={minTime} /> },
        { name: 'To', cell: ({ maxTime }) => <At at={maxTime} /> },
        {
          name: 'How it is',
          cell: (generation) => (
            <>
              {endOf(generation)}
              {generation.truncating && <Truncating of={generation.truncating} />}
            </>
          ),
        },
        { name: 'Kept', cell: ({ keepReasons }) => keepReasons.join(', ') || <span class="muted">–</span> },
        {
          name: 'Where',
          cell: ({ storageId, path }) => (
            <>
              {storageId} <code>{path}</code>
            </>
          ),
        },
      ]}
    />
  );
}

function Truncating({ of: { until, since, activity } }: { readonly of: NonNullable<LogGeneration['truncating']> }) {
  return (
    <p class="why">
      {until ? (
        <>
          All before <At at={until} /> goes
        </>
      ) : (
        'The whole of it goes'
      )}
      , since <Ago at={since} />. {activity}
    </p>
  );
}
