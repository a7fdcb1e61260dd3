import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { RestorePlan } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { isoOf } from '../moment-text.ts';
import { bytes, duration } from '../quantities.ts';
import { whatComesBack } from '../restore-acts.ts';
import { pathOf } from '../shell.ts';
import type { Word } from '../words.ts';
import { Mark } from './mark.tsx';
import { Facts, Section } from './page.tsx';
import { At, exactTime } from './time.tsx';

const RESULTS: Readonly<Record<string, Word>> = {
  ok: { name: 'ok', text: 'Fine', tone: 'good' },
  warn: { name: 'warn', text: 'Look', tone: 'warn' },
  blocked: { name: 'blocked', text: 'Blocked', tone: 'bad' },
};
const NOT_KNOWN: Word = { name: 'unknown', text: 'Not known', tone: 'calm' };

interface PlanProps {
  readonly plan: RestorePlan;
  readonly acknowledged: readonly string[];
  readonly onAcknowledge: (names: readonly string[]) => void;
}

/** What a restore would do, and what stands in its way, which a person may pass over. */
export function Plan({ plan, acknowledged, onAcknowledge }: PlanProps) {
  const { source, target } = plan;
  const { point } = source ?? {};
  const pointMs = point?.time && timestampMs(point.time);
  return (
    <Section title="The plan">
      <Facts
        of={[
          ['From', source && <a href={pathOf(['backups', source.backupId])}>{source.clusterId}</a>],
          [point ? 'Its backup is of' : 'Data of about', <At key="t" at={plan.sourceTime} />],
          ['Brought to', pointMs !== undefined && `${exactTime(pointMs)} (${isoOf(pointMs)})`],
          ['By the log', point && `${point.generation}, in ${point.storageId}: ${point.path}`],
          ['Size', source && bytes(source.sizeBytes)],
          ['Into', target && <a href={pathOf(['clusters', target.clusterId])}>{target.clusterId}</a>],
          ['PD', target?.pd.join(', ')],
          ['Versions', `${source?.clusterVersion || 'not known'} into ${target?.version || 'not known'}`],
          ['What', whatComesBack(point !== undefined, plan.filter)],
          [
            'May take',
            plan.estimatedSeconds > 0 ? `${duration(plan.estimatedSeconds)}, by ${plan.estimateBasis}` : 'not known',
          ],
          ['br', plan.brVersion],
        ]}
      />
      <ul class="checks">
        {plan.checks.map(({ name, result, message }) => (
          <li key={name}>
            <Mark word={RESULTS[result] ?? NOT_KNOWN} />
            <div>
              <b>{name}</b>
              <p>{message}</p>
              {result === 'blocked' && (
                <label class="choice">
                  <input
                    type="checkbox"
                    checked={acknowledged.includes(name)}
                    onChange={(event) =>
                      onAcknowledge(
                        event.currentTarget.checked
                          ? [...acknowledged, name]
                          : acknowledged.filter((one) => one !== name),
                      )
                    }
                  />
                  <span>I know what this means, and pass it over.</span>
                </label>
              )}
            </div>
          </li>
        ))}
      </ul>
      {plan.argv.length > 0 && (
        <details>
          <summary>The command line of br</summary>
          <code>{plan.argv.join(' ')}</code>
        </details>
      )}
    </Section>
  );
}
