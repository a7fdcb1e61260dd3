import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { bytes, duration } from '../quantities.ts';
import { pathOf } from '../shell.ts';
import { taskTimeOf } from '../task-time.ts';
import { BACKUP_STATES, wordOf } from '../words.ts';
import { localTime, useMoment } from './time.tsx';

/** The least height of a bar, in percent: what took no time at all is seen too. */
const LEAST = 4;

/** The last runs, the oldest first: how long each took, and how large it is. Each bar leads to its backup. */
export function RunBars({ of }: { readonly of: readonly Backup[] }) {
  const moment = useMoment();
  const runs = of.toReversed().map((backup) => {
    const startMs = backup.startTime ? timestampMs(backup.startTime) : moment;
    const time = taskTimeOf(backup);
    const seconds = time?.is === 'over' ? time.seconds : time?.is === 'running' ? (moment - time.sinceMs) / 1_000 : 0;
    const lasted = time?.is === 'waiting' ? `waits since ${localTime(time.sinceMs)}` : duration(seconds);
    return { backup, startMs, seconds, lasted, size: Number(backup.result?.sizeBytes ?? 0n) };
  });
  const longest = Math.max(...runs.map(({ seconds }) => seconds), 1);
  const largest = Math.max(...runs.map(({ size }) => size));
  return (
    <div class="charts">
      <Bars
        title="Duration"
        about={`up to ${duration(longest)}`}
        bars={runs.map((run) => ({ ...run, part: run.seconds / longest, value: run.lasted }))}
      />
      <Bars
        title="Size"
        about={largest > 0 ? `up to ${bytes(largest)}` : 'none of them is good, so none has one'}
        bars={runs.map((run) => ({
          ...run,
          part: largest > 0 ? run.size / largest : 0,
          value: run.size > 0 ? bytes(run.size) : 'nothing',
        }))}
      />
    </div>
  );
}

interface Bar {
  readonly backup: Backup;
  readonly startMs: number;
  readonly part: number;
  readonly value: string;
}

function Bars({
  title,
  about,
  bars,
}: {
  readonly title: string;
  readonly about: string;
  readonly bars: readonly Bar[];
}) {
  return (
    <figure class="bars">
      <figcaption>
        {title} <span class="muted">{about}</span>
      </figcaption>
      <ol>
        {bars.map(({ backup, startMs, part, value }) => {
          const word = wordOf(BACKUP_STATES, backup.state);
          const text = `${localTime(startMs)}: ${word.text}, ${value}`;
          return (
            <li key={backup.id}>
              <a href={pathOf(['backups', backup.id])} title={text} aria-label={text}>
                <i class={word.tone} style={{ height: `${Math.max(LEAST, part * 100)}%` }} />
              </a>
            </li>
          );
        })}
      </ol>
    </figure>
  );
}
