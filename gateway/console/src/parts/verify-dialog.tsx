import { useSignal } from '@preact/signals';
import { type Backup, VerificationLevel } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { backups } from '../api.ts';
import { sameAct } from '../backup-acts.ts';
import { bytes } from '../quantities.ts';
import { Confirm } from './act.tsx';

interface VerifyProps {
  readonly backup: Backup;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

/** Asks how much of a backup is to be verified. */
export function VerifyDialog({ backup, onDone, onClose }: VerifyProps) {
  const level = useSignal<'meta' | 'bytes'>('bytes');
  const percent = useSignal(100);
  const rate = useSignal('');
  const body = () => ({
    level: level.value,
    ...(level.value === 'bytes' && percent.value < 100 && { sample: percent.value / 100 }),
    ...(rate.value !== '' && { rateLimit: Number(rate.value) }),
  });
  const options = () => [
    ...['--level', level.value],
    ...(level.value === 'bytes' && percent.value < 100 ? ['--sample', String(percent.value / 100)] : []),
    ...(rate.value === '' ? [] : ['--rate-limit', rate.value]),
  ];
  const same = sameAct('verify', backup);
  return (
    <Confirm
      title="Verify this backup"
      verb="Verify"
      same={[{ ...same, body: body(), tidemark: [...same.tidemark, ...options()] }]}
      act={() =>
        backups.verifyBackup({
          id: backup.id,
          level: level.value === 'meta' ? VerificationLevel.META : VerificationLevel.BYTES,
          ...(level.value === 'bytes' && percent.value < 100 && { sample: percent.value / 100 }),
          rateLimit: rate.value === '' ? 0 : Number(rate.value),
        })
      }
      onDone={onDone}
      onClose={onClose}
    >
      <fieldset>
        <legend>How much is read?</legend>
        <label class="choice">
          <input type="radio" name="level" checked={level.value === 'bytes'} onChange={() => (level.value = 'bytes')} />
          <span>
            Every byte
            <small>
              The SHA-256 of the data files: {backup.result ? bytes(backup.result.sizeBytes) : 'all of it'} is read.
            </small>
          </span>
        </label>
        <label class="choice">
          <input type="radio" name="level" checked={level.value === 'meta'} onChange={() => (level.value = 'meta')} />
          <span>
            The catalogue
            <small>Its hashes, and a list of all files with their sizes.</small>
          </span>
        </label>
      </fieldset>
      {level.value === 'bytes' && (
        <label>
          Part of the data files, in percent
          <input
            type="number"
            min={0.0001}
            max={100}
            step="any"
            required
            value={percent}
            onInput={(event) => (percent.value = event.currentTarget.valueAsNumber)}
          />
        </label>
      )}
      <label>
        At most, in MiB/s (as fast as can be when left out)
        <input
          type="number"
          min={1}
          step={1}
          value={rate}
          onInput={(event) => (rate.value = event.currentTarget.value)}
        />
      </label>
    </Confirm>
  );
}
