import { useRef } from 'preact/hooks';
import { type BrForm, brOptionsOf, COMPRESSIONS, CRYPTERS } from '../br-form.ts';

interface FieldsProps {
  readonly form: BrForm;
  /** Left out, nothing can be changed. */
  readonly onChange: ((form: BrForm) => void) | undefined;
}

const MOST_RATE = 4_294_967_295;
const MOST_THREADS = 256;

/** What `br` is told of the backups of a rule; what is not set here is the cluster's. */
export function BrFields({ form, onChange }: FieldsProps) {
  const change = (part: Partial<BrForm>) => onChange?.({ ...form, ...part });
  const isFixed = onChange === undefined;
  // It is open where something was set, and else left to whoever looks.
  const isOpen = useRef(brOptionsOf(form) !== undefined);
  return (
    <details class="panel" open={isOpen.current}>
      <summary>Options of br</summary>
      <div class="stack">
        <p class="muted">What is set here wins over the options of the cluster.</p>
        <div class="fields">
          <label>
            At most, in MiB/s and TiKV
            <input
              type="number"
              min={0}
              max={MOST_RATE}
              step={1}
              disabled={isFixed}
              value={form.rateLimit || ''}
              onInput={(event) => change({ rateLimit: event.currentTarget.valueAsNumber || 0 })}
            />
          </label>
          <label>
            Threads of each TiKV
            <input
              type="number"
              min={0}
              max={MOST_THREADS}
              step={1}
              disabled={isFixed}
              value={form.concurrency || ''}
              onInput={(event) => change({ concurrency: event.currentTarget.valueAsNumber || 0 })}
            />
          </label>
          <Choice
            name="Compression"
            none="as br does"
            isFixed={isFixed}
            value={form.compression}
            of={COMPRESSIONS.map((name) => [name, name])}
            onChange={(compression) => change({ compression })}
          />
          <Choice
            name="Checksums of tables"
            none="as br does"
            isFixed={isFixed}
            value={form.checksum}
            of={[
              ['true', 'compared'],
              ['false', 'not compared'],
            ]}
            onChange={(checksum) => change({ checksum: checksum as BrForm['checksum'] })}
          />
          <Choice
            name="Encryption"
            none="none"
            isFixed={isFixed}
            value={form.crypterMethod}
            of={CRYPTERS.map((name) => [name, name])}
            onChange={(crypterMethod) => change({ crypterMethod })}
          />
          <label>
            File of its key, on the worker
            <input
              spellcheck={false}
              disabled={isFixed}
              placeholder="/etc/tidemark/backup.key"
              value={form.crypterKeyFile}
              onInput={(event) => change({ crypterKeyFile: event.currentTarget.value.trim() })}
            />
          </label>
        </div>
        <label>
          Only these tables; one rule a line, none is all of them
          <textarea
            rows={2}
            spellcheck={false}
            disabled={isFixed}
            placeholder={'shop.*\n!shop.tmp'}
            value={form.filters}
            onInput={(event) => change({ filters: event.currentTarget.value })}
          />
        </label>
        <label>
          Further flags; one a line, without dashes
          <textarea
            rows={2}
            spellcheck={false}
            disabled={isFixed}
            placeholder="gcttl=3600"
            value={form.extra}
            onInput={(event) => change({ extra: event.currentTarget.value })}
          />
        </label>
      </div>
    </details>
  );
}

interface ChoiceProps {
  readonly name: string;
  /** What no choice is called. */
  readonly none: string;
  readonly isFixed: boolean;
  readonly value: string;
  readonly of: readonly (readonly [value: string, text: string])[];
  readonly onChange: (value: string) => void;
}

function Choice({ name, none, isFixed, value, of, onChange }: ChoiceProps) {
  return (
    <label>
      {name}
      <select disabled={isFixed} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">{none}</option>
        {of.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
