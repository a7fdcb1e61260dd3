import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { backups } from '../api.ts';
import { useLive } from '../live.ts';
import { isoOf } from '../moment-text.ts';
import { bytes } from '../quantities.ts';
import type { RestoreForm } from '../restore-acts.ts';
import { endsOf, recoverableOf } from '../time-line.ts';
import { Known } from './known.tsx';
import { At } from './time.tsx';
import { TimeLine } from './time-line.tsx';

const ID = '[A-Za-z0-9_\\-]{1,64}';
/** In a list, and on a line. */
const SHOWN_POINTS = 20;
const POINTS = 200;
const EVERY_MS = 60_000;

interface ChoiceProps {
  readonly form: RestoreForm;
  readonly onChange: (part: Partial<RestoreForm>) => void;
  /** Why the moment was refused. */
  readonly refusal: string | undefined;
}

/** A backup or a point in time, the cluster that is restored into, and how that is done. */
export function RestoreChoice({ form, onChange, refusal }: ChoiceProps) {
  const isPoint = form.of === 'point';
  return (
    <div class="plan">
      <div class="panel">
        <fieldset>
          <legend>What is restored</legend>
          <label class="choice">
            <input type="radio" name="of" checked={!isPoint} onChange={() => onChange({ of: 'backup' })} />
            <span>a backup</span>
          </label>
          <label class="choice">
            <input type="radio" name="of" checked={isPoint} onChange={() => onChange({ of: 'point' })} />
            <span>a cluster as it was at a moment, of which its log backup tells</span>
          </label>
        </fieldset>
        {isPoint ? (
          <label>
            Cluster whose data are restored
            <input
              required
              pattern={ID}
              value={form.sourceClusterId}
              onChange={(event) => onChange({ sourceClusterId: event.currentTarget.value.trim() })}
            />
          </label>
        ) : (
          <BackupChoice form={form} onChange={onChange} />
        )}
        <label>
          Into the cluster
          <input
            required
            pattern={ID}
            placeholder="id of the target"
            value={form.targetClusterId}
            onInput={(event) => onChange({ targetClusterId: event.currentTarget.value.trim() })}
          />
        </label>
      </div>
      <How form={form} onChange={onChange} />
      {isPoint && form.sourceClusterId !== '' && (
        <MomentChoice key={form.sourceClusterId} form={form} onChange={onChange} refusal={refusal} />
      )}
    </div>
  );
}

type PartProps = Pick<ChoiceProps, 'form' | 'onChange'>;

function BackupChoice({ form, onChange }: PartProps) {
  const sourceId = useSignal('');
  return (
    <>
      <label>
        Backup
        <input
          required
          pattern={ID}
          placeholder="id of a good backup"
          value={form.backupId}
          onInput={(event) => onChange({ backupId: event.currentTarget.value.trim() })}
        />
      </label>
      <details open={form.backupId === ''}>
        <summary>Find one by its cluster</summary>
        <label>
          Cluster that was backed up
          <input
            maxLength={64}
            value={sourceId}
            onChange={(event) => (sourceId.value = event.currentTarget.value.trim())}
          />
        </label>
        {sourceId.value !== '' && (
          <PointChoice
            key={sourceId.value}
            clusterId={sourceId.value}
            onChoose={(backupId) => onChange({ backupId })}
          />
        )}
      </details>
    </>
  );
}

function PointChoice({
  clusterId,
  onChoose,
}: {
  readonly clusterId: string;
  readonly onChoose: (backupId: string) => void;
}) {
  const live = useLive(
    clusterId,
    (signal) => backups.listRecoveryPoints({ clusterId, pageSize: SHOWN_POINTS }, { signal }),
    EVERY_MS,
  );
  const { data } = live;
  return (
    <Known of={live}>
      {data.value?.points.length === 0 && <p class="muted">It has no good backup.</p>}
      <ul class="rows">
        {data.value?.points.map(({ backupId, time, sizeBytes, verifiedAt }) => (
          <li key={backupId} class="buttons">
            <button type="button" class="small" onClick={() => onChoose(backupId)}>
              Choose <span class="unseen">the backup {backupId}</span>
            </button>
            <At at={time} /> <span class="muted">{bytes(sizeBytes)}</span>{' '}
            {verifiedAt && <span class="chip">verified</span>}
          </li>
        ))}
      </ul>
    </Known>
  );
}

/** A moment of a cluster, at first the newest to which its log leads. */
function MomentChoice({ form, onChange, refusal }: ChoiceProps) {
  const { sourceClusterId: clusterId, at } = form;
  const live = useLive(
    clusterId,
    (signal) => backups.listRecoveryPoints({ clusterId, pageSize: POINTS }, { signal }),
    EVERY_MS,
  );
  const recoverable = live.data.value && recoverableOf(live.data.value);
  const newestMs = recoverable && (recoverable.ranges[0]?.toMs ?? endsOf(recoverable)?.newest.ms);
  useEffect(() => {
    if (at === undefined && newestMs !== undefined) onChange({ at: isoOf(newestMs) });
  }, [newestMs === undefined]);
  return (
    <div class="stack whole">
      <Known of={live} loading="what can be restored">
        {recoverable && !endsOf(recoverable) && (
          <p class="note warn" role="alert">
            Nothing can be restored of {clusterId}: it has no good backup.
          </p>
        )}
        {recoverable && (
          <TimeLine
            recoverable={recoverable}
            text={at}
            onChange={(text) => onChange({ at: text })}
            refusal={refusal}
            action={(found) =>
              found.is === 'backup' && (
                <div class="buttons">
                  <button type="button" onClick={() => onChange({ of: 'backup', backupId: found.backupId })}>
                    Restore this backup
                  </button>
                  <span class="muted">It needs no log.</span>
                </div>
              )
            }
          />
        )}
      </Known>
    </div>
  );
}

function How({ form, onChange }: PartProps) {
  return (
    <div class="panel">
      {form.of === 'point' ? (
        <p>All comes back but users and grants, into an empty cluster.</p>
      ) : (
        <label>
          Only these tables; one rule a line, none is all of it
          <textarea
            rows={3}
            spellcheck={false}
            placeholder={'shop.*\n!shop.tmp'}
            value={form.filter}
            onInput={(event) => onChange({ filter: event.currentTarget.value })}
          />
        </label>
      )}
      <label>
        At most, in MiB/s and TiKV
        <input
          type="number"
          min={1}
          step={1}
          placeholder="as fast as can be"
          value={form.rateLimit}
          onInput={(event) => onChange({ rateLimit: event.currentTarget.value })}
        />
      </label>
      {form.of === 'backup' && (
        <label class="choice">
          <input
            type="checkbox"
            checked={form.withSystemTables}
            onChange={(event) => onChange({ withSystemTables: event.currentTarget.checked })}
          />
          <span>Users, passwords and grants come back too</span>
        </label>
      )}
      <label class="choice">
        <input
          type="checkbox"
          checked={form.withoutStats}
          onChange={(event) => onChange({ withoutStats: event.currentTarget.checked })}
        />
        <span>Statistics stay away</span>
      </label>
      <label class="choice">
        <input
          type="checkbox"
          checked={form.waitTiflashReady}
          onChange={(event) => onChange({ waitTiflashReady: event.currentTarget.checked })}
        />
        <span>The end waits for the TiFlash replicas</span>
      </label>
    </div>
  );
}
