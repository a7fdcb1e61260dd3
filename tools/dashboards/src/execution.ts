/** What waits, what runs, on which workers, and how it ends. */
import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, graph, row, stack } from './panels.ts';

const increase = (labels: string, counter: string) => `sum by (${labels}) (increase(${counter}[$__rate_interval]))`;
const quantile = (part: number) =>
  `histogram_quantile(${part}, sum by (le, state) (increase(tidemark_backup_seconds_bucket[1h])))`;

export function execution(): DashboardBuilder {
  return (
    dashboard({
      uid: 'tidemark-execution',
      title: 'Tidemark / Execution',
      description: 'What waits, what runs, on which workers, how long it takes and how it ends.',
      from: 'now-24h',
    })
      .withRow(row('Pools'))
      // Every copy of backup-service shows all pools.
      .withPanel(
        stack({ title: 'Queued', description: 'Tasks that wait, by pool and kind.', unit: 'short' }, [
          'max by (pool, task) (tidemark_pool_tasks_queued)',
          '{{pool}}: {{task}}',
        ]),
      )
      .withPanel(
        stack({ title: 'Running', description: 'Tasks that workers hold, by pool and kind.', unit: 'short' }, [
          'max by (pool, task) (tidemark_pool_tasks_running)',
          '{{pool}}: {{task}}',
        ]),
      )
      .withPanel(
        graph(
          {
            title: 'Longest wait',
            description: 'For how long the backup or restore that has waited longest has been queued.',
            unit: 's',
          },
          ['max by (pool) (tidemark_pool_oldest_queued_seconds)', '{{pool}}'],
        ),
      )
      .withPanel(
        graph(
          {
            title: 'Workers',
            description: 'Those that take tasks, those that drain, and how many the work wants.',
            unit: 'short',
          },
          ['max by (pool) (tidemark_pool_workers)', '{{pool}}'],
          ['max by (pool) (tidemark_pool_workers_draining)', '{{pool}}, draining'],
          ['max by (pool) (tidemark_pool_workers_wanted)', '{{pool}}, wanted'],
        ),
      )
      .withPanel(
        graph(
          {
            title: 'Slots',
            description: 'All of a pool, those that are free, and how many could be at work.',
            unit: 'short',
          },
          ['max by (pool) (tidemark_pool_slots)', '{{pool}}'],
          ['max by (pool) (tidemark_pool_slots_free)', '{{pool}}, free'],
          ['max by (pool) (tidemark_pool_slots_wanted)', '{{pool}}, wanted'],
        ),
      )
      .withPanel(
        graph(
          {
            title: 'Storages out of reach',
            description: 'How many storages a worker cannot reach now; GET /workers says which and why.',
            unit: 'short',
          },
          ['sum by (instance) (tidemark_storages_out_of_reach)', '{{instance}}'],
        ),
      )
      .withRow(row('Storages'))
      .withPanel(
        stack({ title: 'Queued by storage', description: 'Tasks that wait, by storage and kind.', unit: 'short' }, [
          'max by (storage, task) (tidemark_storage_tasks_queued)',
          '{{storage}}: {{task}}',
        ]),
      )
      .withPanel(
        stack(
          { title: 'Running by storage', description: 'Tasks that workers hold, by storage and kind.', unit: 'short' },
          ['max by (storage, task) (tidemark_storage_tasks_running)', '{{storage}}: {{task}}'],
        ),
      )
      .withRow(row('Backups'))
      .withPanel(
        stack({ title: 'Accepted', description: 'In each interval, by who asked for them.', unit: 'short' }, [
          increase('origin', 'tidemark_backups_accepted_total'),
          '{{origin}}',
        ]),
      )
      .withPanel(
        stack({ title: 'Ended', description: 'In each interval, by how.', unit: 'short' }, [
          increase('state', 'tidemark_backups_ended_total'),
          '{{state}}',
        ]),
      )
      .withPanel(
        graph(
          {
            title: 'Duration',
            description:
              'From the request to the end, of the backups that ended in the hour before each moment: half of them took less, and 95 of 100.',
            unit: 's',
          },
          [quantile(0.5), '{{state}}, half'],
          [quantile(0.95), '{{state}}, 95 %'],
        ),
      )
      .withPanel(
        stack(
          {
            title: 'Attempts',
            description: 'How attempts of backups ended, in each interval; several may belong to one backup.',
            unit: 'short',
          },
          [increase('outcome', 'tidemark_attempts_ended_total'), '{{outcome}}'],
        ),
      )
      .withRow(row('Restores'))
      .withPanel(
        graph(
          {
            title: 'Restores that are not over',
            description: 'Partial ended in the middle and wait for a person.',
            unit: 'short',
          },
          ['max by (state) (tidemark_restores_open)', '{{state}}'],
        ),
      )
      .withPanel(
        stack(
          {
            title: 'Restores accepted and ended',
            description: 'In each interval, by state and by what became of the target.',
            unit: 'short',
          },
          ['sum(increase(tidemark_restores_accepted_total[$__rate_interval]))', 'accepted'],
          [increase('state, target', 'tidemark_restores_ended_total'), '{{state}}, target {{target}}'],
        ),
      )
      .withPanel(
        stack({ title: 'Attempts of restores', description: 'How br ended, in each interval.', unit: 'short' }, [
          increase('end', 'tidemark_restore_attempts_ended_total'),
          '{{end}}',
        ]),
      )
      .withRow(row('On the workers'))
      .withPanel(
        stack({ title: 'Runs of br', description: 'How they ended, in each interval.', unit: 'short' }, [
          increase('outcome', 'tidemark_br_runs_total'),
          '{{outcome}}',
        ]),
      )
      .withPanel(
        graph({ title: 'Tasks of each worker', description: 'What each works on now.', unit: 'short' }, [
          'sum by (instance) (tidemark_tasks_running)',
          '{{instance}}',
        ]),
      )
      .withPanel(
        stack(
          {
            title: 'Claims',
            description: 'How backup-service answered workers that asked for a task, in each interval.',
            unit: 'short',
          },
          [increase('grant', 'tidemark_claims_total'), '{{grant}}'],
        ),
      )
      .withPanel(
        stack(
          {
            title: 'Given back, strayed and unreadable',
            description:
              'Tasks that a worker gave back because of what is wrong with it, runs of br whose task was lost, and messages that could not be read, in each interval.',
            unit: 'short',
          },
          [increase('task', 'tidemark_tasks_handed_back_total'), 'given back: {{task}}'],
          ['sum(increase(tidemark_strays_total[$__rate_interval]))', 'strays'],
          ['sum(increase(tidemark_messages_unreadable_total[$__rate_interval]))', 'unreadable messages'],
        ),
      )
  );
}
