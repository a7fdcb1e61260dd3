/** Whether all clusters are safe. */
import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, figure, graph, row, stack } from './panels.ts';

// Every copy of scheduler-service and of backup-service shows the whole fleet, so the greatest counts.
const GOOD = 'max by (cluster) (tidemark_cluster_has_good_backup)';
const AGE = 'max by (cluster) (tidemark_cluster_backup_age_seconds)';
const RECOVERY_POINT_AGE = 'max by (cluster) (tidemark_cluster_recovery_point_age_seconds)';
const VERIFIED_POINT_AGE = 'max by (cluster) (tidemark_cluster_verified_point_age_seconds)';
const EXPECTED = 'max by (cluster) (tidemark_cluster_expected_interval_seconds)';
const EXPECTED_VERIFICATION = 'max by (cluster) (tidemark_cluster_expected_verification_seconds)';
const LAST_FAILED = 'max by (cluster) (tidemark_cluster_last_backup{state="Failed"})';
/** A count of nothing is no series. */
const counted = (what: string) => `count(${what}) or vector(0)`;

export function fleet(): DashboardBuilder {
  return dashboard({
    uid: 'tidemark-fleet',
    title: 'Tidemark / Fleet',
    description: 'Which clusters are as safe as their strategies promise, and what became of the last night.',
    from: 'now-7d',
  })
    .withPanel(figure({ title: 'Clusters', description: 'Registered clusters.', unit: 'short' }, counted(GOOD)))
    .withPanel(
      figure(
        {
          title: 'Too old',
          description: 'Clusters whose newest good backup is older than the alert TidemarkBackupTooOld allows.',
          unit: 'short',
          redFrom: 1,
        },
        counted(`${AGE} > 1.25 * ${EXPECTED} + 14400`),
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Never backed up',
          description: 'Clusters without any good backup on record.',
          unit: 'short',
          redFrom: 1,
        },
        counted(`${GOOD} == 0`),
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Without a plan',
          description: 'Clusters that no rule backs up by itself.',
          unit: 'short',
          redFrom: 1,
        },
        counted(`${GOOD} * 0 unless ${EXPECTED}`),
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Last one failed',
          description: 'Clusters whose last backup failed.',
          unit: 'short',
          redFrom: 1,
        },
        counted(LAST_FAILED),
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Damaged backups',
          description: 'Backups that a verification found damaged, and that nobody deletes.',
          unit: 'short',
          redFrom: 1,
        },
        'max(tidemark_backups_damaged)',
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Restores left partial',
          description: 'Restores that ended in the middle, and whose target nobody has seen to.',
          unit: 'short',
          redFrom: 1,
        },
        'max(tidemark_restores_open{state="Partial"})',
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Stored',
          description: 'Bytes of all good backups.',
          unit: 'bytes',
        },
        'sum(max by (storage) (tidemark_storage_bytes)) or vector(0)',
      ),
    )
    .withRow(row('Against the promise'))
    .withPanel(
      graph(
        {
          title: 'Age of the newest good backup, as a part of what is promised',
          description: 'The twenty clusters that are worst off. Above 100 % a backup is late.',
          unit: 'percentunit',
        },
        [`topk(20, ${AGE} / ${EXPECTED})`, '{{cluster}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'What would be lost',
          description: 'Since the newest moment to which a cluster can be brought back: the twenty longest.',
          unit: 's',
        },
        [`topk(20, ${RECOVERY_POINT_AGE})`, '{{cluster}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Age of the newest good backup',
          description: 'The twenty oldest, also of clusters without a plan.',
          unit: 's',
        },
        [`topk(20, ${AGE})`, '{{cluster}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Age of the newest verified backup, as a part of what is promised',
          description: 'The twenty worst off of the clusters whose rules have backups verified.',
          unit: 'percentunit',
        },
        [`topk(20, ${VERIFIED_POINT_AGE} / ${EXPECTED_VERIFICATION})`, '{{cluster}}'],
      ),
    )
    .withRow(row('The newest backups'))
    .withPanel(
      stack(
        {
          title: 'Last backups',
          description: 'How many clusters there are whose last backup ended so.',
          unit: 'short',
        },
        ['count by (state) (max by (cluster, state) (tidemark_cluster_last_backup))', '{{state}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Size of the newest good backup',
          description: 'The twenty largest.',
          unit: 'bytes',
        },
        ['topk(20, max by (cluster) (tidemark_cluster_backup_bytes))', '{{cluster}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Duration of the newest good backup',
          description: 'From the request to the end: the twenty longest.',
          unit: 's',
        },
        ['topk(20, max by (cluster) (tidemark_cluster_backup_duration_seconds))', '{{cluster}}'],
      ),
    )
    .withPanel(
      stack(
        {
          title: 'Bytes of good backups',
          description: 'By storage.',
          unit: 'bytes',
        },
        ['max by (storage) (tidemark_storage_bytes)', '{{storage}}'],
      ),
    )
    .withPanel(
      stack(
        {
          title: 'Good backups',
          description: 'How many there are, by storage.',
          unit: 'short',
        },
        ['max by (storage) (tidemark_storage_backups)', '{{storage}}'],
      ),
    )
    .withRow(row('The last 24 hours'))
    .withPanel(
      stack(
        {
          title: 'Windows',
          description:
            'What became of the windows of the 24 hours before each moment, and why they were skipped or missed.',
          unit: 'short',
        },
        ['max by (state) (tidemark_occurrences_last_day{state="Started"})', '{{state}}'],
        ['max by (state, reason) (tidemark_occurrences_last_day{state!="Started"}) > 0', '{{state}}: {{reason}}'],
      ),
    )
    .withPanel(
      stack(
        {
          title: 'Backups',
          description: 'How the backups of the 24 hours before each moment ended.',
          unit: 'short',
        },
        ['max by (state) (tidemark_backups_ended_last_day)', '{{state}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Deletions that are not done',
          description: 'By how far they came, and by whether a person or retention wished them.',
          unit: 'short',
        },
        ['max by (state, by) (tidemark_deletions_pending)', '{{state}}, {{by}}'],
      ),
    )
    .withPanel(
      stack(
        {
          title: 'Verifications that ended',
          description: 'In each interval, by what they found.',
          unit: 'short',
        },
        ['sum by (state) (increase(tidemark_verifications_ended_total[$__rate_interval]))', '{{state}}'],
      ),
    );
}
