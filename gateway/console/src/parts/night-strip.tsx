import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { FleetRow } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import type { Occurrence } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { isAway } from '../connection.ts';
import { hoursOn, nightAxis, placeOn, runsOn, spanOf, windowsOn } from '../night.ts';
import { count, duration } from '../quantities.ts';
import { pathOf } from '../shell.ts';
import { localTime, useMoment } from './time.tsx';

/** The axis moves on once a minute, not with every second. */
const STEP_MS = 60_000;

interface NightProps {
  readonly rows: readonly Pick<FleetRow, 'clusterId' | 'name' | 'nextStartTime'>[];
  readonly windows: readonly Occurrence[];
  readonly runs: readonly Backup[];
}

/** A row a cluster: windows as bands, runs as bars in them, and the next start as a mark, on one axis of time. */
export function NightStrip({ rows, windows, runs }: NightProps) {
  const nowMs = Math.floor(useMoment() / STEP_MS) * STEP_MS;
  const axis = nightAxis(nowMs);
  const hours = hoursOn(axis, 3);
  const current = spanOf(axis, nowMs, nowMs)?.from ?? 0;
  return (
    <div class="night">
      <div class="night-row axis" aria-hidden="true">
        <span />
        <div>
          {hours.map(({ ms, at }) => (
            <span
              key={ms}
              class={new Date(ms).getHours() % 6 === 0 ? 'hour' : 'hour minor'}
              style={{ left: percent(at) }}
            >
              {String(new Date(ms).getHours()).padStart(2, '0')}
            </span>
          ))}
          <span class="hour now" style={{ left: percent(current) }}>
            {isAway.value ? 'then' : 'now'}
          </span>
        </div>
      </div>
      {rows.map(({ clusterId, name, nextStartTime }) => {
        const bands = windowsOn(
          axis,
          windows.filter((one) => one.clusterId === clusterId),
        );
        const bars = runsOn(
          axis,
          runs.filter((one) => one.clusterId === clusterId),
          nowMs,
        );
        const next = placeOn(axis, nextStartTime);
        return (
          <div key={clusterId} class="night-row">
            <a href={pathOf(['clusters', clusterId])}>{name || clusterId}</a>
            <div class="lane">
              {hours.map(({ ms, at }) => (
                <i key={ms} class="tick" style={{ left: percent(at) }} />
              ))}
              {bands.map(({ id, word, from, to, opensMs, closesMs, reason }) => (
                <i
                  key={id}
                  class={`band ${word.tone}`}
                  style={{ left: percent(from), width: percent(to - from) }}
                  title={`Window ${localTime(opensMs)} to ${localTime(closesMs)}: ${word.text}${reason && `. ${reason}`}`}
                />
              ))}
              {next !== undefined && <i class="next" style={{ left: percent(next) }} title="Next start" />}
              {bars.map(({ id, word, from, to, startMs, endMs }) => (
                <a
                  key={id}
                  class={`bar ${word.tone}`}
                  href={pathOf(['backups', id])}
                  style={{ left: percent(from), width: percent(to - from) }}
                  title={`${word.text}, ${localTime(startMs)}, ${duration((endMs - startMs) / 1_000)}`}
                >
                  <span class="unseen">{`Backup ${word.text}, started ${localTime(startMs)}`}</span>
                </a>
              ))}
              <i class="current" style={{ left: percent(current) }} />
              <span class="unseen">
                {describe(
                  bands.map(({ word }) => word.text),
                  bars.length,
                )}
              </span>
            </div>
          </div>
        );
      })}
    </div>
  );
}

const percent = (part: number) => `${(part * 100).toFixed(3)}%`;

function describe(windows: readonly string[], runs: number): string {
  const told = windows.length === 0 ? 'no window' : `${count(windows.length, 'window')} (${windows.join(', ')})`;
  return `${told}, ${count(runs, 'run')}`;
}
