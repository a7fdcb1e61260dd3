import { useSignal } from '@preact/signals';
import type { ListRecoveryPointsResponse } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { backups } from '../api.ts';
import { useLive } from '../live.ts';
import { isoOf } from '../moment-text.ts';
import { bytes, count, duration } from '../quantities.ts';
import { mayOperate } from '../session.ts';
import { pathOf } from '../shell.ts';
import { holeWords, type Recoverable, recoverableOf } from '../time-line.ts';
import { Section } from './page.tsx';
import { Table } from './table.tsx';
import { Ago, At, exactTime, utcTime } from './time.tsx';
import { TimeLine } from './time-line.tsx';

const EVERY_MS = 20_000;
/** On the line. */
const POINTS = 200;
/** In the table. */
const LISTED = 10;

/** What a cluster can be brought back to: what would be lost, a line of its time to point at, and its backups. */
export function RecoveryPoints({ id }: { readonly id: string }) {
  const live = useLive(
    id,
    (signal) => backups.listRecoveryPoints({ clusterId: id, pageSize: POINTS }, { signal }),
    EVERY_MS,
  );
  const answer = live.data.value;
  const recoverable = answer && recoverableOf(answer);
  const text = useSignal<string | undefined>(undefined);
  return (
    <Section title="Recovery points" live={live}>
      {answer && <WhatIsLost of={answer} />}
      {recoverable && recoverable.ranges.length + recoverable.points.length > 0 && (
        <TimeLine
          recoverable={recoverable}
          text={text.value}
          onChange={(next) => (text.value = next)}
          action={({ is, ...found }, ms) =>
            mayOperate.value && (
              <p>
                <a
                  class="button"
                  href={restoreOf('backupId' in found ? { backup: found.backupId } : { of: id, at: isoOf(ms) })}
                >
                  Restore {is === 'second' ? 'to this moment' : 'this backup'} …
                </a>
              </p>
            )
          }
        />
      )}
      {recoverable && <Stretches of={recoverable} />}
      {answer && (
        <Table
          label="Recovery points"
          rows={answer.points.slice(0, LISTED)}
          keyOf={({ backupId }) => backupId}
          empty="The cluster cannot be brought back: it has no good backup."
          columns={[
            {
              name: 'Moment',
              cell: ({ backupId, time }) => (
                <a href={pathOf(['backups', backupId])}>
                  <At at={time} />
                </a>
              ),
            },
            { name: 'Size', cell: ({ sizeBytes }) => bytes(sizeBytes), isNumber: true },
            { name: 'Storage', cell: ({ storageId }) => storageId },
            { name: 'Verified', cell: ({ verifiedAt }) => <Ago at={verifiedAt} /> },
          ]}
        />
      )}
    </Section>
  );
}

const restoreOf = (query: Readonly<Record<string, string>>) => `/restores/new?${new URLSearchParams(query)}`;

function WhatIsLost({ of }: { readonly of: ListRecoveryPointsResponse }) {
  if (!of.newest) return null;
  const { rpoSeconds, worstRpoSeconds, estimatedSeconds, newestVerified } = of;
  return (
    <p>
      <b>{duration(rpoSeconds)}</b> of changes would be lost now
      {worstRpoSeconds !== undefined && (
        <>
          , at most <b>{duration(worstRpoSeconds)}</b> in the last 30 days
        </>
      )}
      {estimatedSeconds > 0 && (
        <>
          ; a restore of the newest may take <b>{duration(estimatedSeconds)}</b>
        </>
      )}
      .{' '}
      {newestVerified ? (
        <>
          The newest that was verified is of <At at={newestVerified.time} />.
        </>
      ) : (
        'None of them was verified.'
      )}
    </p>
  );
}

/** Ranges and holes as the line shows them, for those who read them. */
function Stretches({ of: { ranges, holes } }: { readonly of: Recoverable }) {
  if (ranges.length === 0) return null;
  const rows = [...ranges, ...holes].sort((one, other) => other.fromMs - one.fromMs || other.toMs - one.toMs);
  return (
    <details>
      <summary>
        {count(ranges.length, 'range')}
        {holes.length > 0 && ` and ${count(holes.length, 'hole')}`}
      </summary>
      <Table
        label="Ranges and holes"
        rows={rows}
        keyOf={(row) => `${row.fromMs} ${'why' in row}`}
        empty=""
        columns={[
          { name: 'From', cell: ({ fromMs }) => <Exact ms={fromMs} /> },
          { name: 'To', cell: ({ toMs }) => <Exact ms={toMs} /> },
          {
            name: 'What can be restored',
            cell: (row) =>
              'why' in row ? (
                <span class="muted">nothing: {holeWords(row.why)}</span>
              ) : (
                <>
                  every second, by log {row.generation} from{' '}
                  <a href={pathOf(['backups', row.baseBackupId])}>its oldest backup</a>
                </>
              ),
          },
        ]}
      />
    </details>
  );
}

function Exact({ ms }: { readonly ms: number }) {
  return (
    <time class="exact" dateTime={new Date(ms).toISOString()} title={utcTime(ms)}>
      {exactTime(ms)}
    </time>
  );
}
