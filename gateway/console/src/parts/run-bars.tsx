import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { now } from '../clock.ts';
import { bytes, duration } from '../quantities.ts';
import { pathOf } from '../shell.ts';
import { BACKUP_STATES, wordOf } from '../words.ts';
import { localTime } from './time.tsx';

/** The least height of a bar, in percent: what took no time at all is seen too. */
const LEAST = 4;

/** The last runs, the oldest first: how long each took, and how large it is. Each bar leads to its backup. */
export function RunBars({ of }: { readonly of: readonly Backup[] }) {
  const runs = of.toReversed().map((backup) => {
    const startMs = backup.startTime ? timestampMs(backup.startTime) : now.value;
    const seconds = ((backup.endTime ? timestampMs(backup.endTime) : now.value) - startMs) / 1_000;
    return { backup, startMs, seconds, size: Number(backup.result?.sizeBytes ?? 0n) };
  });
  const longest = Math.max(...runs.map(({ seconds }) => seconds), 1);
  const largest = Math.max(...runs.map(({ size }) => size), 1);
  return (
    <div class="charts">
      <Bars
        title="Duration"
        top={duration(longest)}
        bars={runs.map((run) => ({ ...run, part: run.seconds / longest, value: duration(run.seconds) }))}
      />
      <Bars
        title="Size"
        top={bytes(largest)}
        bars={runs.map((run) => ({
          ...run,
          part: run.size / largest,
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

function Bars({ title, top, bars }: { readonly title: string; readonly top: string; readonly bars: readonly Bar[] }) {
  return (
    <figure class="bars">
      <figcaption>
        {title} <span class="muted">up to {top}</span>
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
